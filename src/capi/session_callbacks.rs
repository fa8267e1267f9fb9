//! `telelink_session_callbacks` and `telelink_session_policy`: what a session tells and asks the application.

use std::ffi::c_void;
use std::sync::Arc;

use super::callback::Context;
use super::channel::telelink_channel_info;
use super::client::{telelink_client, telelink_client_channel, telelink_client_message};
use super::guard::{guard, is_exiting};
use super::parameter::telelink_parameter;
use super::parameter_convert::Tree;
use super::parameter_handler::{optional_text, telelink_parameter_answer};
use super::rights::telelink_action;
use super::session::telelink_connection_status;
use super::sized;
use super::status::telelink_status;
use super::view::{telelink_bytes, telelink_str};
use crate::context::{ChannelRef, Qos};
use crate::session::{
    Action, Client, ClientChannel, ClientMessage, ConnectionStatus, Error, Listener, Parameter, SessionOptions,
};

/// Events of one session. Set up with telelink_session_callbacks_init().
///
/// They run one after another, in order, on the session's own thread `tl-events`; none runs on the stack of a telelink
/// call, none after `drop` has begun. Arguments are borrowed for the callback. A callback may call anything of
/// telelink, also close or free its session; a slow one delays the following ones and nothing else. No lock of the
/// library is held meanwhile. A callback that throws or jumps out ends the process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_session_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to every function below. Consumed by telelink_session_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last event; before telelink_session_create() returns when that fails. May be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// The connection changed. `reason` is TELELINK_STATUS_OK, or why, with `message` as its text. While joining fails
    /// again and again, TELELINK_CONNECTION_STATUS_CONNECTING is told again for each other reason. May be NULL.
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
    /// A viewer published a message. May be NULL. Messages that wait for it are discarded, and counted, when the session
    /// ends, and when the control lease under which they were published does (telelink_control_lease).
    pub on_message: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            channel: *const telelink_client_channel,
            message: *const telelink_client_message,
        ),
    >,
    /// The first viewer follows the connection graph: from now on publishing it is worth the work. May be NULL.
    pub on_connection_graph_subscribe:
        Option<unsafe extern "C" fn(context: *mut c_void, client: *const telelink_client)>,
    /// The last viewer that followed the connection graph does no longer: by itself or its leaving. May be NULL.
    pub on_connection_graph_unsubscribe:
        Option<unsafe extern "C" fn(context: *mut c_void, client: *const telelink_client)>,
    /// These parameters have their first subscriber among the viewers. May be NULL.
    pub on_parameters_subscribe:
        Option<unsafe extern "C" fn(context: *mut c_void, names: *const telelink_str, names_count: usize)>,
    /// These parameters have lost their last subscriber. May be NULL.
    pub on_parameters_unsubscribe:
        Option<unsafe extern "C" fn(context: *mut c_void, names: *const telelink_str, names_count: usize)>,
    /// A viewer asks for parameters, for all of them without names: telelink_parameter_answer_set(). `request_id.data` is
    /// NULL when the viewer gave none. Only when the options have neither parameter_handler nor parameter_store, which are
    /// the better way: they can answer later. May be NULL: the viewer gets an error status. This and `on_set_parameters`
    /// run on handler threads of the session, beside the events; they may block.
    pub on_get_parameters: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            request_id: telelink_str,
            names: *const telelink_str,
            names_count: usize,
            answer: *const telelink_parameter_answer,
        ),
    >,
    /// A viewer sets parameters, or deletes those that are unset: telelink_parameter_answer_set() with what is stored now.
    /// That goes to the viewer if it gave a `request_id`, and to all viewers that follow those parameters. Otherwise as
    /// `on_get_parameters`. May be NULL: nothing is set, and nothing published.
    pub on_set_parameters: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            request_id: telelink_str,
            parameters: *const telelink_parameter,
            parameters_count: usize,
            answer: *const telelink_parameter_answer,
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
        on_connection_graph_subscribe: None,
        on_connection_graph_unsubscribe: None,
        on_parameters_subscribe: None,
        on_parameters_unsubscribe: None,
        on_get_parameters: None,
        on_set_parameters: None,
    },
);

/// Decisions about channels and viewers. Set up with telelink_session_policy_init().
///
/// `channel_filter` and `qos` are asked once per channel, inside the call that creates the channel or starts the session,
/// on that thread; calls can overlap. They must not block. `authorize` runs on handler threads.
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
    /// May this viewer do this? `action` is a telelink_action, which says what the subject is; both arguments are borrowed
    /// for the call. Asked for what the session offers and telelink_session_options.roles, if there are any, allow. What
    /// is refused looks to the viewer as if the robot did not offer it. NULL: all is allowed.
    ///
    /// Runs on handler threads of the session, for several viewers at once, and may block: only that viewer's later
    /// messages wait. A message whose subjects have not all been answered in 2 s is refused; while the question is still
    /// running after that, the viewer's other questions are refused unasked. Answers are remembered until the viewer is
    /// registered anew (the newest 1,024).
    ///
    /// A viewer that reads all parameters is asked about once, with an empty subject.
    pub authorize: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            client: *const telelink_client,
            action: telelink_action,
            subject: telelink_str,
        ) -> bool,
    >,
    /// Is the image channel delivered as messages only, never as video? Asked only for channels that could be video. NULL:
    /// none is.
    pub suppress_video:
        Option<unsafe extern "C" fn(context: *mut c_void, channel: *const telelink_channel_info) -> bool>,
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
        authorize: None,
        suppress_video: None,
    },
);

/// The events of a session as the core's listener. Dropping it calls the C `drop`.
pub(super) struct Callbacks {
    table: telelink_session_callbacks,
    context: Context,
}

// SAFETY: of the table only the function pointers are used; its context pointer is the one `Context` answers for.
unsafe impl Send for Callbacks {}
// SAFETY: as above.
unsafe impl Sync for Callbacks {}

impl Callbacks {
    pub(super) fn new(table: telelink_session_callbacks, context: Context) -> Self {
        Self { table, context }
    }
}

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

    fn on_connection_graph_subscribe(&self, client: &Client) {
        let Some(callback) = self.table.on_connection_graph_subscribe.filter(|_| !is_exiting()) else { return };
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), telelink_client::of(client)) };
    }

    fn on_connection_graph_unsubscribe(&self, client: &Client) {
        let Some(callback) = self.table.on_connection_graph_unsubscribe.filter(|_| !is_exiting()) else { return };
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), telelink_client::of(client)) };
    }

    fn on_parameters_subscribe(&self, names: &[String]) {
        let Some(callback) = self.table.on_parameters_subscribe.filter(|_| !is_exiting()) else { return };
        let names = views(names);
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), names.as_ptr(), names.len()) };
    }

    fn on_parameters_unsubscribe(&self, names: &[String]) {
        let Some(callback) = self.table.on_parameters_unsubscribe.filter(|_| !is_exiting()) else { return };
        let names = views(names);
        // SAFETY: as in `on_status`.
        unsafe { callback(self.context.get(), names.as_ptr(), names.len()) };
    }

    fn on_get_parameters(&self, client: &Client, names: &[String], request_id: Option<&str>) -> Option<Vec<Parameter>> {
        let callback = self.table.on_get_parameters.filter(|_| !is_exiting())?;
        let (client, id, names) = (telelink_client::of(client), optional_text(request_id), views(names));
        Some(telelink_parameter_answer::of(|answer| {
            // SAFETY: as in `on_status`.
            unsafe { callback(self.context.get(), client, id, names.as_ptr(), names.len(), answer) };
        }))
    }

    fn on_set_parameters(
        &self,
        client: &Client,
        parameters: &[Parameter],
        request_id: Option<&str>,
    ) -> Option<Vec<Parameter>> {
        // S-214: a table without this callback sets nothing, so that nothing is published.
        let Some(callback) = self.table.on_set_parameters.filter(|_| !is_exiting()) else { return Some(Vec::new()) };
        let (client, id, tree) =
            (telelink_client::of(client), optional_text(request_id), Tree::new(parameters.to_vec()));
        let parameters = tree.parameters();
        Some(telelink_parameter_answer::of(|answer| {
            // SAFETY: as in `on_status`.
            unsafe { callback(self.context.get(), client, id, parameters.as_ptr(), parameters.len(), answer) };
        }))
    }
}

fn views(texts: &[String]) -> Vec<telelink_str> {
    texts.iter().map(|text| telelink_str::of(text)).collect()
}

type Question<T> = unsafe extern "C" fn(context: *mut c_void, channel: *const telelink_channel_info) -> T;

type Authorize = unsafe extern "C" fn(*mut c_void, *const telelink_client, telelink_action, telelink_str) -> bool;

/// The decisions about channels and viewers. Dropping the last question calls the C `drop`.
pub(super) struct Policy {
    filter: Option<Question<bool>>,
    qos: Option<Question<i32>>,
    authorize: Option<Authorize>,
    suppress_video: Option<Question<bool>>,
    context: Context,
}

impl Policy {
    pub(super) fn new(table: telelink_session_policy, context: Context) -> Self {
        Self {
            filter: table.channel_filter,
            qos: table.qos,
            authorize: table.authorize,
            suppress_video: table.suppress_video,
            context,
        }
    }

    /// Puts the questions into the options.
    pub(super) fn apply(self, options: &mut SessionOptions) {
        let Self { filter, qos, authorize, suppress_video, context } = self;
        let context = Arc::new(context);
        if let Some(filter) = filter {
            let context = context.clone();
            options.channel_filter = Some(Arc::new(move |channel: &ChannelRef| {
                // SAFETY: the function belongs to the table with this context; the channel lives until it returns.
                unsafe { filter(context.get(), telelink_channel_info::of(channel)) }
            }));
        }
        if let Some(suppress) = suppress_video {
            let context = context.clone();
            options.suppress_video = Some(Arc::new(move |channel: &ChannelRef| {
                // SAFETY: as above.
                unsafe { suppress(context.get(), telelink_channel_info::of(channel)) }
            }));
        }
        if let Some(classify) = qos {
            let context = context.clone();
            options.qos_classifier = Some(Arc::new(move |channel: &ChannelRef| {
                // SAFETY: as above.
                match unsafe { classify(context.get(), telelink_channel_info::of(channel)) } {
                    0 => Qos::Lossy,
                    1 => Qos::Reliable,
                    _ => channel.qos(),
                }
            }));
        }
        if let Some(authorize) = authorize {
            options.authorizer = Some(Arc::new(move |client: &Client, action: Action, subject: &str| {
                if is_exiting() {
                    return false;
                }
                let (client, subject) = (telelink_client::of(client), telelink_str::of(subject));
                // SAFETY: as above; the text lives until it returns too.
                unsafe { authorize(context.get(), client, action.into(), subject) }
            }));
        }
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
