//! The structs that describe a session, and their conversion.

use std::ffi::c_void;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::callback::{Context, Drop_};
use super::channel::telelink_channel_info;
use super::client::{telelink_client, telelink_client_channel, telelink_client_message};
use super::guard::{guard, is_exiting};
use super::handle;
use super::service::{take_services, telelink_service, PendingService};
use super::session::telelink_connection_status;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_bytes, telelink_pair, telelink_str};
use crate::context::{ChannelRef, Qos};
use crate::gateway::{ApiKey, DirectOptions, IceServer, Secret, TokenSource};
use crate::session::{
    Client, ClientChannel, ClientMessage, ConnectionStatus, Error, Limits, Listener, SessionCapability, SessionOptions,
};

/// What viewers may do; the values are bits of telelink_session_options.capabilities.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_capability {
    /// Viewers may advertise channels and publish on them.
    ClientPublish = 1,
    /// Viewers may read and write parameters.
    Parameters = 2,
    /// Viewers may call services. Implied by a service in the options.
    Services = 4,
    /// Viewers may follow the connection graph.
    ConnectionGraph = 8,
    /// Viewers may fetch assets.
    Assets = 16,
}

const CAPABILITIES: [(u32, SessionCapability); 5] = [
    (telelink_capability::ClientPublish as u32, SessionCapability::ClientPublish),
    (telelink_capability::Parameters as u32, SessionCapability::Parameters),
    (telelink_capability::Services as u32, SessionCapability::Services),
    (telelink_capability::ConnectionGraph as u32, SessionCapability::ConnectionGraph),
    (telelink_capability::Assets as u32, SessionCapability::Assets),
];

/// Events of one session. Set up with telelink_session_callbacks_init().
///
/// They run one after another, in order, on the session's own thread `tl-events`; none runs on the stack of a telelink
/// call, none after `drop` has begun. Arguments are borrowed for the callback. A callback may call anything of telelink,
/// also close or free its session; a slow one delays the following ones and nothing else. No lock of the library is held
/// meanwhile. A callback that throws or jumps out ends the process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_session_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to every function below. Consumed by telelink_session_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last event; before telelink_session_create() returns when that fails. May be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// The connection changed. `reason` is TELELINK_STATUS_OK, or why, with `message` as its text. May be NULL.
    pub on_status: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            status: telelink_connection_status,
            reason: telelink_status,
            message: telelink_str,
        ),
    >,
    /// A viewer subscribed to a channel it was not subscribed to. May be NULL.
    pub on_subscribe: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            channel: *const telelink_channel_info,
        ),
    >,
    /// A subscription ended: by the viewer, its leaving, or the channel's closing. May be NULL.
    pub on_unsubscribe: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            channel: *const telelink_channel_info,
        ),
    >,
    /// A viewer advertised a channel of its own. May be NULL.
    pub on_client_advertise: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            channel: *const telelink_client_channel,
        ),
    >,
    /// A channel of a viewer is gone. May be NULL.
    pub on_client_unadvertise: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            channel: *const telelink_client_channel,
        ),
    >,
    /// A viewer published a message. May be NULL.
    pub on_message: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            channel: *const telelink_client_channel,
            message: *const telelink_client_message,
        ),
    >,
}

sized_struct!(
    telelink_session_callbacks,
    first_size: size_of::<telelink_session_callbacks>(),
    defaults: telelink_session_callbacks {
        struct_size: size_of::<telelink_session_callbacks>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_status: None,
        on_subscribe: None,
        on_unsubscribe: None,
        on_client_advertise: None,
        on_client_unadvertise: None,
        on_message: None,
    },
);

/// Decisions about channels. Set up with telelink_session_policy_init().
///
/// Each is asked once per channel, inside the call that creates the channel or starts the session, on that thread;
/// calls can overlap. They must not block, and must not create channels of this session's context.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_session_policy {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to every function below. Consumed by telelink_session_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last question; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Do viewers see the channel? NULL: all.
    pub channel_filter:
        Option<unsafe extern "C" fn(context: *mut c_void, channel: *const telelink_channel_info) -> bool>,
    /// How do the channel's messages travel? A telelink_qos; another number means the channel's own. NULL: as each
    /// channel says itself.
    pub qos: Option<unsafe extern "C" fn(context: *mut c_void, channel: *const telelink_channel_info) -> i32>,
}

sized_struct!(
    telelink_session_policy,
    first_size: size_of::<telelink_session_policy>(),
    defaults: telelink_session_policy {
        struct_size: size_of::<telelink_session_policy>(),
        context: std::ptr::null_mut(),
        drop: None,
        channel_filter: None,
        qos: None,
    },
);

/// Where the answer of an `on_token` callback goes. Borrowed, valid during the callback.
pub struct telelink_token_request {
    answer: parking_lot::Mutex<Option<Result<Secret, String>>>,
}

/// Makes access tokens when they are needed. Set up with telelink_token_callbacks_init().
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_token_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to the function below. Consumed by telelink_session_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last question; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Asked before every join, on a thread of its own; may block up to 30 s. Answers with telelink_token_request_set()
    /// or telelink_token_request_fail(); no answer is a failure, and failures are tried again. Required.
    pub on_token: Option<unsafe extern "C" fn(context: *mut c_void, request: *const telelink_token_request)>,
}

sized_struct!(
    telelink_token_callbacks,
    first_size: size_of::<telelink_token_callbacks>(),
    defaults: telelink_token_callbacks {
        struct_size: size_of::<telelink_token_callbacks>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_token: None,
    },
);

/// A LiveKit API key pair: the library makes a fresh token for every join. Set up with telelink_api_key_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_api_key {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// API key. Required.
    pub key: telelink_str,
    /// API secret. Required; never logged.
    pub secret: telelink_str,
    /// Room to join. Required.
    pub room: telelink_str,
    /// Identity to join as. Required.
    pub identity: telelink_str,
    /// Life time of each token, seconds, 60 to 2,592,000. Default 21,600.
    pub ttl_s: u64,
    /// LiveKit attributes of the participant. Default none.
    pub attributes: *const telelink_pair,
    /// Number of attributes.
    pub attributes_count: usize,
}

const DEFAULT_TTL_S: u64 = 6 * 3600;

sized_struct!(
    telelink_api_key,
    first_size: size_of::<telelink_api_key>(),
    defaults: telelink_api_key {
        struct_size: size_of::<telelink_api_key>(),
        key: telelink_str::EMPTY,
        secret: telelink_str::EMPTY,
        room: telelink_str::EMPTY,
        identity: telelink_str::EMPTY,
        ttl_s: DEFAULT_TTL_S,
        attributes: std::ptr::null(),
        attributes_count: 0,
    },
);

/// One STUN or TURN server.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_ice_server {
    /// `stun:` and `turn:` URLs.
    pub urls: *const telelink_str,
    /// Number of URLs.
    pub urls_count: usize,
    /// TURN user name; may be empty.
    pub username: telelink_str,
    /// TURN password; may be empty; never logged.
    pub password: telelink_str,
}

/// How to start a session. Set up with telelink_session_options_init(). Needed are `url` and one of `token`,
/// `token_callbacks` and `api_key`; everything else has a usable default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_session_options {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// `ws://` or `wss://` address of the LiveKit server, or the URL of a telelink_test_server. Required.
    pub url: telelink_str,
    /// One access token for every join; never logged.
    pub token: telelink_str,
    /// Or: asked for a token before every join. Its context is consumed.
    pub token_callbacks: *const telelink_token_callbacks,
    /// Or: a key pair to make tokens with.
    pub api_key: *const telelink_api_key,
    /// Name of the robot, shown to viewers. Default empty.
    pub name: telelink_str,
    /// Session id, shown to viewers. Default empty.
    pub session_id: telelink_str,
    /// Further information for viewers. Default none.
    pub metadata: *const telelink_pair,
    /// Number of metadata entries.
    pub metadata_count: usize,
    /// Message encodings that viewers may use for publishing and service calls, for example "json". Default none.
    pub supported_encodings: *const telelink_str,
    /// Number of encodings.
    pub supported_encodings_count: usize,
    /// Optional: events. Its context is consumed.
    pub callbacks: *const telelink_session_callbacks,
    /// Optional: decisions about channels. Its context is consumed.
    pub policy: *const telelink_session_policy,
    /// Services offered from the start: pointers, whose contexts are consumed. Default none.
    pub services: *const *const telelink_service,
    /// Number of services.
    pub services_count: usize,
    /// What viewers may do: telelink_capability bits. Default 0.
    pub capabilities: u32,
    /// Join again, with back-off, when the room is lost: 0 or 1. Default 1.
    pub auto_reconnect: u32,
    /// Control frames that wait for one viewer before it is reset, 16 to 1,048,576. Default 16,384.
    pub message_backlog_size: u64,
    /// Bytes that wait for one viewer before it is reset, from 1 MiB. Default 32 MiB.
    pub message_backlog_bytes: u64,
    /// Bytes that wait for all viewers together, at least message_backlog_bytes. Default 256 MiB.
    pub session_backlog_bytes: u64,
    /// Largest message of a lossy channel, bytes, 1,200 to 16 MiB. Default 102,400.
    pub max_data_track_message_size: u64,
    /// Lossy channels whose data track is published before anybody subscribes. Default 64.
    pub eager_data_tracks: u64,
    /// Viewers served at a time, 1 to 1,024. Default 64.
    pub max_viewers: u64,
    /// ICE servers that replace those the LiveKit server names. Default none.
    pub ice_servers: *const telelink_ice_server,
    /// Number of ICE servers.
    pub ice_servers_count: usize,
    /// File of the LiveKit library. Default empty: searched beside libtelelink, then in the usual places.
    pub livekit_library: telelink_str,
}

sized_struct!(
    telelink_session_options,
    first_size: size_of::<telelink_session_options>(),
    defaults: {
        let limits = Limits::default();
        telelink_session_options {
            struct_size: size_of::<telelink_session_options>(),
            url: telelink_str::EMPTY,
            token: telelink_str::EMPTY,
            token_callbacks: std::ptr::null(),
            api_key: std::ptr::null(),
            name: telelink_str::EMPTY,
            session_id: telelink_str::EMPTY,
            metadata: std::ptr::null(),
            metadata_count: 0,
            supported_encodings: std::ptr::null(),
            supported_encodings_count: 0,
            callbacks: std::ptr::null(),
            policy: std::ptr::null(),
            services: std::ptr::null(),
            services_count: 0,
            capabilities: 0,
            auto_reconnect: 1,
            message_backlog_size: limits.message_backlog_size as u64,
            message_backlog_bytes: limits.message_backlog_bytes as u64,
            session_backlog_bytes: limits.session_backlog_bytes as u64,
            max_data_track_message_size: limits.max_data_track_message_size as u64,
            eager_data_tracks: limits.eager_data_tracks as u64,
            max_viewers: limits.max_viewers as u64,
            ice_servers: std::ptr::null(),
            ice_servers_count: 0,
            livekit_library: telelink_str::EMPTY,
        }
    },
);

/// The events of a session as the core's listener. Dropping it calls the C `drop`.
struct Callbacks {
    table: telelink_session_callbacks,
    context: Context,
}

// SAFETY: of the table only the function pointers are used; its context pointer is the one `Context` answers for.
unsafe impl Send for Callbacks {}
// SAFETY: as above.
unsafe impl Sync for Callbacks {}

impl Listener for Callbacks {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        let Some(callback) = self.table.on_status.filter(|_| !is_exiting()) else { return };
        let (kind, text) = match reason {
            Some(error) => (error.kind.into(), telelink_str::of(&error.message)),
            None => (telelink_status::Ok, telelink_str::EMPTY),
        };
        // SAFETY: the function belongs to the table with this context; the arguments live until it returns.
        unsafe { callback(self.context.get(), status.into(), kind, text) };
    }

    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {
        let Some(callback) = self.table.on_subscribe.filter(|_| !is_exiting()) else { return };
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), telelink_client::of(client), telelink_channel_info::of(channel)) };
    }

    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {
        let Some(callback) = self.table.on_unsubscribe.filter(|_| !is_exiting()) else { return };
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), telelink_client::of(client), telelink_channel_info::of(channel)) };
    }

    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {
        let Some(callback) = self.table.on_client_advertise.filter(|_| !is_exiting()) else { return };
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), telelink_client::of(client), telelink_client_channel::of(channel)) };
    }

    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {
        let Some(callback) = self.table.on_client_unadvertise.filter(|_| !is_exiting()) else { return };
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), telelink_client::of(client), telelink_client_channel::of(channel)) };
    }

    fn on_message(&self, client: &Client, channel: &ClientChannel, message: &ClientMessage) {
        let Some(callback) = self.table.on_message.filter(|_| !is_exiting()) else { return };
        let message = telelink_client_message {
            struct_size: size_of::<telelink_client_message>(),
            payload: telelink_bytes::of(&message.payload),
            receive_time_ns: message.receive_time,
        };
        let (client, channel) = (telelink_client::of(client), telelink_client_channel::of(channel));
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), client, channel, &raw const message) };
    }
}

type Question<T> = unsafe extern "C" fn(context: *mut c_void, channel: *const telelink_channel_info) -> T;
type OnToken = unsafe extern "C" fn(context: *mut c_void, request: *const telelink_token_request);

/// The contexts of every table that the options name, taken before anything can fail, so that each `drop` runs.
struct Taken {
    callbacks: Option<Callbacks>,
    policy: Option<(telelink_session_policy, Arc<Context>)>,
    token: Option<(telelink_token_callbacks, Arc<Context>)>,
    services: Vec<PendingService>,
}

impl Taken {
    /// # Safety
    /// The tables that the options name must be NULL or readable by their size.
    unsafe fn from(options: &telelink_session_options) -> (Self, Result<(), Failure>) {
        // SAFETY: the caller's promise, for all four.
        let (callbacks, policy, token, (services, services_result)) = unsafe {
            (
                sized::read_optional(options.callbacks, "options.callbacks"),
                sized::read_optional(options.policy, "options.policy"),
                sized::read_optional(options.token_callbacks, "options.token_callbacks"),
                take_services(options.services, options.services_count, "options.services"),
            )
        };
        let mut result = Ok(());
        let taken = Self {
            callbacks: keep(callbacks, &mut result)
                .map(|table| Callbacks { table, context: Context::new(table.context, table.drop as Drop_) }),
            policy: keep(policy, &mut result)
                .map(|table| (table, Arc::new(Context::new(table.context, table.drop as Drop_)))),
            token: keep(token, &mut result)
                .map(|table| (table, Arc::new(Context::new(table.context, table.drop as Drop_)))),
            services,
        };
        (taken, result.and(services_result))
    }
}

fn keep<T>(read: Result<Option<T>, Failure>, result: &mut Result<(), Failure>) -> Option<T> {
    read.unwrap_or_else(|failure| {
        if result.is_ok() {
            *result = Err(failure);
        }
        None
    })
}

/// Converts the options. The contexts of the tables are consumed, whatever the answer is.
///
/// # Safety
/// `options` must be NULL or readable by its size, and so must everything it names.
pub(super) unsafe fn convert(
    options: *const telelink_session_options,
) -> Result<(SessionOptions, DirectOptions), Failure> {
    // SAFETY: the caller's promise.
    let options = unsafe { sized::read(options, "options") }?;
    // SAFETY: the caller's promise.
    let (taken, result) = unsafe { Taken::from(&options) };
    result?;
    let Taken { callbacks, policy, token, services } = taken;

    // SAFETY: the caller's promise.
    let direct = unsafe { direct_options(&options, token) }?;
    // SAFETY: the caller's promise, for every view.
    let mut session = unsafe {
        SessionOptions {
            name: view::text(options.name, "options.name")?.to_owned(),
            metadata: view::map(options.metadata, options.metadata_count, "options.metadata")?,
            capabilities: capabilities(options.capabilities)?,
            supported_encodings: view::texts(
                options.supported_encodings,
                options.supported_encodings_count,
                "options.supported_encodings",
            )?,
            session_id: view::text(options.session_id, "options.session_id")?.to_owned(),
            limits: Limits {
                message_backlog_size: size(options.message_backlog_size),
                message_backlog_bytes: size(options.message_backlog_bytes),
                session_backlog_bytes: size(options.session_backlog_bytes),
                max_data_track_message_size: size(options.max_data_track_message_size),
                eager_data_tracks: size(options.eager_data_tracks),
                max_viewers: size(options.max_viewers),
            },
            ..SessionOptions::default()
        }
    };
    for service in services {
        // SAFETY: the caller's promise.
        session.services.push(unsafe { service.build() }?);
    }
    if let Some((table, context)) = policy {
        apply_policy(&mut session, &table, &context);
    }
    session.listener = callbacks.map(|callbacks| Arc::new(callbacks) as Arc<dyn Listener>);
    Ok((session, direct))
}

/// A number that memory cannot hold is out of every range, so the largest stands for it.
fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn capabilities(bits: u32) -> Result<Vec<SessionCapability>, Failure> {
    let known = CAPABILITIES.iter().fold(0, |all, (bit, _)| all | bit);
    if bits & !known != 0 {
        return Err(Failure::new(
            telelink_status::InvalidValue,
            format!("options.capabilities has unknown bits: {:#x}", bits & !known),
        ));
    }
    Ok(CAPABILITIES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, capability)| *capability).collect())
}

fn apply_policy(session: &mut SessionOptions, table: &telelink_session_policy, context: &Arc<Context>) {
    if let Some(filter) = table.channel_filter {
        let (filter, context): (Question<bool>, _) = (filter, context.clone());
        session.channel_filter = Some(Arc::new(move |channel: &ChannelRef| {
            // SAFETY: the function belongs to the table with this context; the channel lives until it returns.
            unsafe { filter(context.get(), telelink_channel_info::of(channel)) }
        }));
    }
    if let Some(classify) = table.qos {
        let (classify, context): (Question<i32>, _) = (classify, context.clone());
        session.qos_classifier = Some(Arc::new(move |channel: &ChannelRef| {
            // SAFETY: as above.
            match unsafe { classify(context.get(), telelink_channel_info::of(channel)) } {
                0 => Qos::Lossy,
                1 => Qos::Reliable,
                _ => channel.qos(),
            }
        }));
    }
}

unsafe fn direct_options(
    options: &telelink_session_options,
    token_callbacks: Option<(telelink_token_callbacks, Arc<Context>)>,
) -> Result<DirectOptions, Failure> {
    // SAFETY: the caller's promise, here and for every view below.
    let (url, token, library) = unsafe {
        (
            view::text(options.url, "options.url")?,
            view::text(options.token, "options.token")?,
            view::text(options.livekit_library, "options.livekit_library")?,
        )
    };
    if url.is_empty() {
        return Err(Failure::new(telelink_status::InvalidValue, "options.url is empty"));
    }
    // SAFETY: the caller's promise.
    let key = unsafe { api_key(options.api_key) }?;
    let source = match (token.is_empty(), token_callbacks, key) {
        (false, None, None) => TokenSource::Static(Secret::new(token)),
        (true, Some((table, context)), None) => {
            let Some(on_token) = table.on_token else {
                return Err(handle::null("options.token_callbacks.on_token"));
            };
            TokenSource::Callback(Arc::new(move || ask_token(on_token, &context)))
        }
        (true, None, Some(key)) => TokenSource::Key(key),
        (true, None, None) => {
            return Err(Failure::new(
                telelink_status::InvalidValue,
                "none of options.token, options.token_callbacks and options.api_key is set",
            ));
        }
        _ => {
            return Err(Failure::new(
                telelink_status::InvalidValue,
                "more than one of options.token, options.token_callbacks and options.api_key is set",
            ));
        }
    };
    let mut direct = DirectOptions::new(url, source);
    direct.auto_reconnect = match options.auto_reconnect {
        0 => false,
        1 => true,
        other => {
            return Err(Failure::new(
                telelink_status::InvalidValue,
                format!("options.auto_reconnect is {other}, neither 0 nor 1"),
            ));
        }
    };
    // SAFETY: the caller's promise.
    for server in unsafe { view::slice(options.ice_servers, options.ice_servers_count, "options.ice_servers") }? {
        // SAFETY: the caller's promise.
        let (urls, username, password) = unsafe {
            (
                view::texts(server.urls, server.urls_count, "options.ice_servers.urls")?,
                view::text(server.username, "options.ice_servers.username")?,
                view::text(server.password, "options.ice_servers.password")?,
            )
        };
        direct.ice_servers.push(IceServer {
            urls,
            username: Some(username).filter(|text| !text.is_empty()).map(str::to_owned),
            password: Some(password).filter(|text| !text.is_empty()).map(Secret::new),
        });
    }
    direct.livekit_library = Some(library).filter(|path| !path.is_empty()).map(PathBuf::from);
    direct.connector = super::testing::connector(url)?;
    Ok(direct)
}

fn ask_token(on_token: OnToken, context: &Context) -> Result<Secret, String> {
    let request = telelink_token_request { answer: parking_lot::Mutex::new(None) };
    if !is_exiting() {
        // SAFETY: the function belongs to the table with this context; the request lives until it returns.
        unsafe { on_token(context.get(), &raw const request) };
    }
    request.answer.into_inner().unwrap_or_else(|| Err("the token callback gave no answer".to_owned()))
}

unsafe fn api_key(key: *const telelink_api_key) -> Result<Option<ApiKey>, Failure> {
    // SAFETY: the caller's promise, here and for every view below.
    let Some(key) = (unsafe { sized::read_optional(key, "options.api_key") })? else { return Ok(None) };
    let required = [
        ("options.api_key.key", key.key),
        ("options.api_key.secret", key.secret),
        ("options.api_key.room", key.room),
        ("options.api_key.identity", key.identity),
    ];
    for (name, value) in required {
        if value.len == 0 {
            return Err(Failure::new(telelink_status::InvalidValue, format!("{name} is empty")));
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        Ok(Some(ApiKey {
            key: view::text(key.key, "options.api_key.key")?.to_owned(),
            secret: Secret::new(view::text(key.secret, "options.api_key.secret")?),
            room: view::text(key.room, "options.api_key.room")?.to_owned(),
            identity: view::text(key.identity, "options.api_key.identity")?.to_owned(),
            ttl: Duration::from_secs(key.ttl_s),
            attributes: view::map(key.attributes, key.attributes_count, "options.api_key.attributes")?,
        }))
    }
}

/// Fills callbacks with the defaults.
///
/// @param callbacks  Written.
/// @param struct_size  sizeof *callbacks.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `callbacks` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_callbacks_init(
    callbacks: *mut telelink_session_callbacks,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(callbacks, struct_size, "callbacks") })
}

/// Fills policy with the defaults.
///
/// @param policy  Written.
/// @param struct_size  sizeof *policy.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `policy` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_policy_init(
    policy: *mut telelink_session_policy,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(policy, struct_size, "policy") })
}

/// Fills callbacks with the defaults.
///
/// @param callbacks  Written.
/// @param struct_size  sizeof *callbacks.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `callbacks` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_token_callbacks_init(
    callbacks: *mut telelink_token_callbacks,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(callbacks, struct_size, "callbacks") })
}

/// Fills key with the defaults.
///
/// @param key  Written.
/// @param struct_size  sizeof *key.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `key` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_api_key_init(
    key: *mut telelink_api_key,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(key, struct_size, "key") })
}

/// Fills options with the defaults.
///
/// @param options  Written.
/// @param struct_size  sizeof *options.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `options` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_options_init(
    options: *mut telelink_session_options,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(options, struct_size, "options") })
}

/// Answers a token request. Of several answers the last counts.
///
/// @param request  Borrowed.
/// @param token    Borrowed for the call and copied. Never logged.
/// @return TELELINK_STATUS_OK             taken
///         TELELINK_STATUS_NULL_ARGUMENT  `request` is NULL, or `token` has no data
///         TELELINK_STATUS_INVALID_UTF8   `token` is not UTF-8
/// @threading During the callback, any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_token_request_set(
    request: *const telelink_token_request,
    token: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live request or NULL.
        let request = unsafe { handle::borrow(request, "request") }?;
        // SAFETY: the header asks for a readable view.
        let token = unsafe { view::text(token, "token") }?;
        *request.answer.lock() = Some(Ok(Secret::new(token)));
        Ok(())
    })
}

/// Answers a token request with a failure. The session reports it and tries again.
///
/// @param request  Borrowed.
/// @param message  Borrowed for the call and copied. Appears in events and logs, so it must not contain a token.
/// @return TELELINK_STATUS_OK             taken
///         TELELINK_STATUS_NULL_ARGUMENT  `request` is NULL, or `message` has no data
///         TELELINK_STATUS_INVALID_UTF8   `message` is not UTF-8
/// @threading During the callback, any thread.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_token_request_fail(
    request: *const telelink_token_request,
    message: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live request or NULL.
        let request = unsafe { handle::borrow(request, "request") }?;
        // SAFETY: the header asks for a readable view.
        let message = unsafe { view::text(message, "message") }?;
        *request.answer.lock() = Some(Err(message.to_owned()));
        Ok(())
    })
}
