//! The structs that describe a session, and their conversion.

use std::path::PathBuf;
use std::sync::Arc;

use super::asset::{telelink_asset_callbacks, AssetCallbacks};
use super::asset_folder::{asset_handler, telelink_asset_folder};
use super::callback::{Context, Latch};
use super::guard::guard;
use super::handle;
use super::lease::{telelink_control_lease, Lease};
use super::parameter_handler::{telelink_parameter_handler, PendingHandler};
use super::parameter_store::{telelink_parameter_store, Shared};
use super::rights::{read_policy, telelink_role};
use super::service::{take_services, telelink_service, PendingService};
use super::session_callbacks::{telelink_session_callbacks, telelink_session_policy, Callbacks, Policy};
use super::sized;
use super::status::{telelink_status, Failure};
use super::token::{telelink_api_key, telelink_token_callbacks, token_source, TokenQuestion};
use super::video::{telelink_video_capture_times, telelink_video_codec, telelink_video_encoder, video_options};
use super::view::{self, telelink_pair, telelink_str};
use crate::gateway::{AfterIdle, DirectOptions, IceServer, Secret};
use crate::session::{Limits, ParameterHandler, SessionCapability, SessionOptions};

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
    /// Viewers may fetch assets. Implied by asset callbacks or an asset folder in the options, and needs one of them.
    Assets = 16,
}

const CAPABILITIES: [(u32, SessionCapability); 5] = [
    (telelink_capability::ClientPublish as u32, SessionCapability::ClientPublish),
    (telelink_capability::Parameters as u32, SessionCapability::Parameters),
    (telelink_capability::Services as u32, SessionCapability::Services),
    (telelink_capability::ConnectionGraph as u32, SessionCapability::ConnectionGraph),
    (telelink_capability::Assets as u32, SessionCapability::Assets),
];

/// What a session does when telelink_session_options.idle_window_ms has passed and it has left its room.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_after_idle {
    /// It is connecting, with the reason TELELINK_STATUS_IDLE, until telelink_session_resume() makes it join again.
    Wait = 0,
    /// It ends: shutdown, with the reason TELELINK_STATUS_IDLE.
    End = 1,
}

/// One STUN or TURN server.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_ice_server {
    /// `stun:`, `stuns:`, `turn:` and `turns:` URLs, at least one.
    pub urls: *const telelink_str,
    /// Number of URLs.
    pub urls_count: usize,
    /// User name, which TURN needs; may be empty for STUN.
    pub username: telelink_str,
    /// Password, which TURN needs; may be empty for STUN; never logged.
    pub password: telelink_str,
}

/// How to start a session. Set up with telelink_session_options_init(). Needed are `url` and one of `token`,
/// `token_callbacks` and `api_key`, here or in the environment (docs/environment.md); everything else has a usable default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_session_options {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// `ws://` or `wss://` address of the LiveKit server (`http://` and `https://` mean the same), or the URL of a
    /// telelink_test_server. Empty: LIVEKIT_URL in the environment.
    pub url: telelink_str,
    /// One access token for every join; never logged. Without this and the next two: LIVEKIT_TOKEN, or else
    /// LIVEKIT_API_KEY, LIVEKIT_API_SECRET, TELELINK_ROOM and TELELINK_IDENTITY.
    pub token: telelink_str,
    /// Or: asked for a token before every join. Its context is consumed.
    pub token_callbacks: *const telelink_token_callbacks,
    /// Or: a key pair to make tokens with.
    pub api_key: *const telelink_api_key,
    /// Name of the robot, shown to viewers, at most 1,024 bytes. Empty: TELELINK_NAME in the environment.
    pub name: telelink_str,
    /// Session id, shown to viewers, at most 1,024 bytes. Default empty.
    pub session_id: telelink_str,
    /// Further information for viewers, keys and values together at most 64 KiB. Default none.
    pub metadata: *const telelink_pair,
    /// Number of metadata entries.
    pub metadata_count: usize,
    /// Encodings of messages and calls that the robot reads, for example "json": a hint for viewers, who may publish in
    /// others all the same, and what a service without `request` accepts.
    /// Together at most 16 KiB, those of the services' requests included. Default none.
    pub supported_encodings: *const telelink_str,
    /// Number of encodings.
    pub supported_encodings_count: usize,
    /// Optional: events. Its context is consumed.
    pub callbacks: *const telelink_session_callbacks,
    /// Optional: decisions about channels. Its context is consumed.
    pub policy: *const telelink_session_policy,
    /// Services offered from the start: pointers, whose contexts are consumed. Of equal names the last counts, with a
    /// warning in the log. One that viewers cannot be shown (a text schema that is not UTF-8, more than a message of
    /// 16 MiB holds) is left out, and the log says why. Default none.
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
    /// Largest message of a lossy channel, bytes, 1,200 to 16 MiB. Default 102,400. A larger one is dropped, counted, and its
    /// subscribers are warned; so is one of a reliable channel over 16 MiB - 17 bytes.
    pub max_data_track_message_size: u64,
    /// Lossy channels whose data track is published before anybody subscribes. Default 64.
    pub eager_data_tracks: u64,
    /// Viewers served at a time, 1 to 1,024. Default 64.
    pub max_viewers: u64,
    /// ICE servers that replace those the LiveKit server names. Default none.
    pub ice_servers: *const telelink_ice_server,
    /// Number of ICE servers.
    pub ice_servers_count: usize,
    /// File of the LiveKit library. Empty: TELELINK_LIVEKIT_LIBRARY or LIVEKIT_LIB_PATH in the environment; without them
    /// searched beside libtelelink, then in the usual places. A process has one: another file than the one that is loaded
    /// is refused.
    pub livekit_library: telelink_str,
    /// Optional: serves assets. Its context is consumed.
    pub asset_callbacks: *const telelink_asset_callbacks,
    /// Optional: serves files as assets. With asset_callbacks too, those get what the folder does not know.
    pub asset_folder: *const telelink_asset_folder,
    /// A parameter or asset request that is unanswered for so long fails, milliseconds; its place is free again, and a
    /// later answer goes nowhere. Default 0: none. Services have their own, telelink_service.timeout_ms.
    pub request_timeout_ms: u64,
    /// Optional: what viewers may do, by role. With roles or a default role, what they do not allow is refused. Default
    /// none: viewers may do all that `capabilities` offers.
    pub roles: *const *const telelink_role,
    /// Number of roles.
    pub roles_count: usize,
    /// What viewers without a role, or with one that is not in `roles`, may do. NULL: with `roles`, nothing.
    pub default_role: *const telelink_role,
    /// Optional: one viewer at a time holds control. Its context is consumed. Implies TELELINK_CAPABILITY_SERVICES and
    /// the encoding "json". Default NULL: off.
    pub control_lease: *const telelink_control_lease,
    /// Optional: answers viewers' requests about parameters; implies TELELINK_CAPABILITY_PARAMETERS. Its context is
    /// consumed. Default: the `on_get_parameters` and `on_set_parameters` of the callbacks do.
    pub parameter_handler: *const telelink_parameter_handler,
    /// Or: a store that answers them by itself. Borrowed; lives on as long as the session, also when it is freed.
    pub parameter_store: *const telelink_parameter_store,
    /// Leave the room after this long without a viewer, milliseconds, from 1,000; it counts from the join and from the
    /// last viewer's leaving. Default 0: stay for ever.
    pub idle_window_ms: u64,
    /// What comes then: a telelink_after_idle. Default TELELINK_AFTER_IDLE_WAIT.
    pub after_idle: i32,
    /// Whether pictures carry their capture times to viewers, a telelink_video_capture_times. Default
    /// TELELINK_VIDEO_CAPTURE_TIMES_AUTO; TELELINK_VIDEO_CAPTURE_TIMES in the environment (auto, always, never) overrides
    /// that one.
    pub video_capture_times: i32,
    /// Codec of video tracks, a telelink_video_codec. TELELINK_VIDEO_CODEC or FOXGLOVE_VIDEO_CODEC in the environment
    /// (av1, h264, h265, vp8, vp9) overrides it. Default TELELINK_VIDEO_CODEC_AUTO.
    pub video_codec: i32,
    /// Preferred encoder of video tracks, a telelink_video_encoder. Only TELELINK_VIDEO_ENCODER_AUTO looks at
    /// TELELINK_VIDEO_ENCODER or FOXGLOVE_VIDEO_ENCODER in the environment (auto, software, hardware, nvenc, vaapi,
    /// videotoolbox). Default TELELINK_VIDEO_ENCODER_AUTO.
    pub video_encoder: i32,
    /// Most bits per second of each video track, 10,000 to 1,000,000,000. 0: the LiveKit library's choice, by the size of
    /// the pictures. Default 0.
    pub video_max_bitrate: u64,
    /// Most frames per second of each video track, 1 to 240; needs video_max_bitrate. 0: 30 with a bit rate, else the LiveKit
    /// library's choice. Default 0.
    pub video_max_framerate: f64,
    /// Keep the newest message of a lossy channel that is logged while its data track is being published, and send it first:
    /// 0 or 1. Default 0: such messages are dropped and counted.
    pub latch_data_tracks: u32,
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
            asset_callbacks: std::ptr::null(),
            asset_folder: std::ptr::null(),
            request_timeout_ms: 0,
            roles: std::ptr::null(),
            roles_count: 0,
            default_role: std::ptr::null(),
            control_lease: std::ptr::null(),
            parameter_handler: std::ptr::null(),
            parameter_store: std::ptr::null(),
            idle_window_ms: 0,
            after_idle: telelink_after_idle::Wait as i32,
            video_capture_times: telelink_video_capture_times::Auto as i32,
            video_codec: telelink_video_codec::Auto as i32,
            video_encoder: telelink_video_encoder::Auto as i32,
            video_max_bitrate: 0,
            video_max_framerate: 0.0,
            latch_data_tracks: u32::from(limits.latch_data_tracks),
        }
    },
);

/// The callback tables that the options name. Their contexts are taken before anything can fail, so that each `drop`
/// runs.
struct Tables {
    callbacks: Option<Callbacks>,
    policy: Option<Policy>,
    token: Option<TokenQuestion>,
    services: Vec<PendingService>,
    assets: Option<AssetCallbacks>,
    lease: Option<Lease>,
    parameters: Option<PendingHandler>,
}

impl Tables {
    /// The tables that could be read, and the failure of the first that could not.
    ///
    /// # Safety
    /// The tables that the options name must be NULL or readable by their size.
    unsafe fn take(options: &telelink_session_options, latch: &Latch) -> (Self, Result<(), Failure>) {
        // SAFETY: the caller's promise, for all of them.
        let (callbacks, policy, token, assets, lease, parameters, (services, services_result)) = unsafe {
            (
                sized::read_optional(options.callbacks, "options.callbacks"),
                sized::read_optional(options.policy, "options.policy"),
                sized::read_optional(options.token_callbacks, "options.token_callbacks"),
                sized::read_optional(options.asset_callbacks, "options.asset_callbacks"),
                sized::read_optional(options.control_lease, "options.control_lease"),
                sized::read_optional(options.parameter_handler, "options.parameter_handler"),
                take_services(options.services, options.services_count, "options.services"),
            )
        };
        let mut result = Ok(());
        let context = |context, drop| Context::new(context, drop).counted_by(latch);
        let tables = Self {
            callbacks: keep(callbacks, &mut result).map(|t| Callbacks::new(t, context(t.context, t.drop))),
            policy: keep(policy, &mut result).map(|t| Policy::new(t, context(t.context, t.drop))),
            token: keep(token, &mut result).map(|t| TokenQuestion::new(t, context(t.context, t.drop))),
            assets: keep(assets, &mut result).map(|t| AssetCallbacks::new(t, context(t.context, t.drop))),
            services,
            lease: keep(lease, &mut result).map(|t| Lease::new(t, context(t.context, t.drop))),
            parameters: keep(parameters, &mut result).map(|t| PendingHandler::new(t, latch)),
        };
        (tables, result.and(services_result))
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
    latch: &Latch,
) -> Result<(SessionOptions, DirectOptions), Failure> {
    // SAFETY: the caller's promise.
    let options = unsafe { sized::read(options, "options") }?;
    // SAFETY: the caller's promise.
    let (tables, result) = unsafe { Tables::take(&options, latch) };
    result?;
    let Tables { callbacks, policy, token, services, assets, lease, parameters } = tables;

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
                latch_data_tracks: view::flag(options.latch_data_tracks, "options.latch_data_tracks")?,
                max_viewers: size(options.max_viewers),
            },
            video: video_options(
                options.video_codec,
                options.video_encoder,
                options.video_max_bitrate,
                options.video_max_framerate,
                options.video_capture_times,
            )?,
            ..SessionOptions::default()
        }
    };
    let assets = assets.map(AssetCallbacks::handler).transpose()?;
    // SAFETY: the caller's promise.
    session.asset_handler = unsafe { asset_handler(options.asset_folder, assets) }?;
    session.request_timeout = view::timeout(options.request_timeout_ms, "options.request_timeout")?;
    for service in services {
        // SAFETY: the caller's promise.
        session.services.push(unsafe { service.build(latch) }?);
    }
    // SAFETY: the caller's promise, for the roles and for the patterns of the lease.
    unsafe {
        session.policy = read_policy(options.roles, options.roles_count, options.default_role)?;
        session.control_lease = lease.map(|lease| lease.options()).transpose()?;
    }
    // SAFETY: the caller's promise.
    session.parameter_handler = unsafe { parameter_handler(parameters, options.parameter_store, latch) }?;
    if let Some(policy) = policy {
        policy.apply(&mut session);
    }
    if let Some(callbacks) = callbacks {
        session.listener = Some(Arc::new(callbacks));
    }
    Ok((session, direct))
}

/// Who answers requests about parameters, if the options name somebody.
///
/// # Safety
/// `store` must be NULL or live.
unsafe fn parameter_handler(
    handler: Option<PendingHandler>,
    store: *const telelink_parameter_store,
    latch: &Latch,
) -> Result<Option<Arc<dyn ParameterHandler>>, Failure> {
    if store.is_null() {
        return handler.map(PendingHandler::build).transpose();
    }
    if handler.is_some() {
        return Err(Failure::new(
            telelink_status::InvalidValue,
            "both options.parameter_handler and options.parameter_store are set",
        ));
    }
    // SAFETY: the caller's promise.
    let store = unsafe { handle::borrow(store, "options.parameter_store") }?;
    Ok(Some(Shared::new(store, latch)))
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

unsafe fn direct_options(
    options: &telelink_session_options,
    token_question: Option<TokenQuestion>,
) -> Result<DirectOptions, Failure> {
    // SAFETY: the caller's promise, here and for every view below.
    let (url, token, library) = unsafe {
        (
            view::text(options.url, "options.url")?,
            view::text(options.token, "options.token")?,
            view::text(options.livekit_library, "options.livekit_library")?,
        )
    };
    // SAFETY: the caller's promise.
    let source = unsafe { token_source(token, token_question, options.api_key) }?;
    let mut direct = DirectOptions::new(url, source);
    direct.auto_reconnect = view::flag(options.auto_reconnect, "options.auto_reconnect")?;
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
    direct.idle_window = view::timeout(options.idle_window_ms, "options.idle_window")?;
    direct.after_idle = match options.after_idle {
        0 => AfterIdle::Wait,
        1 => AfterIdle::End,
        other => {
            let text = format!("options.after_idle is {other}, which is no telelink_after_idle");
            return Err(Failure::new(telelink_status::InvalidValue, text));
        }
    };
    direct.livekit_library = Some(library).filter(|path| !path.is_empty()).map(PathBuf::from);
    direct.connector = super::testing::connector(url)?;
    Ok(direct)
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
