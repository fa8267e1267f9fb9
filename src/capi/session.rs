//! `telelink_session`.

use std::ffi::{c_char, CStr};
use std::time::Duration;

use super::callback::Latch;
use super::client::telelink_client;
use super::context::telelink_context;
use super::guard::{guard, guard_get, guard_or, is_forked, watch_process};
use super::handle;
use super::parameter::telelink_parameter;
use super::parameter_convert::read_parameters;
use super::service::{take_services, telelink_service};
use super::session_options::{convert, telelink_session_options};
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::gateway::Session;
use crate::session::{ConnectionStatus, StatusLevel};

/// How often freeing a session says that it waits for its callback tables.
const DROP_WAIT: Duration = Duration::from_secs(1);

/// A link between a context and the viewers in a LiveKit room.
pub struct telelink_session {
    pub(super) session: Session,
    /// Open while a callback table of this session has not been dropped.
    tables: Latch,
}

/// State of a session's connection.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_connection_status {
    /// Trying to get into a room, for the first time or again.
    Connecting = 0,
    /// In a room. A link that is lost without a word is noticed within 15 s; then the transport tries to get it back, for
    /// 16 s where connections are refused, some 110 s where packets vanish, at most 3 min. All that time the status
    /// stays connected; once the loss is noticed, `reconnecting` of telelink_session_stats is 1 and the log says so.
    Connected = 1,
    /// Closing was requested; callbacks may still be running.
    ShuttingDown = 2,
    /// Finished: no event will start any more.
    Shutdown = 3,
}

impl From<ConnectionStatus> for telelink_connection_status {
    fn from(status: ConnectionStatus) -> Self {
        match status {
            ConnectionStatus::Connecting => Self::Connecting,
            ConnectionStatus::Connected => Self::Connected,
            ConnectionStatus::ShuttingDown => Self::ShuttingDown,
            ConnectionStatus::Shutdown => Self::Shutdown,
        }
    }
}

/// How serious a published status is.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_status_level {
    /// For information.
    Info = 0,
    /// Something needs attention.
    Warning = 1,
    /// Something is broken.
    Error = 2,
}

/// Starts a session: joins the room in the background, and joins again when it is lost. Returns without waiting for it.
///
/// Everything logged to the context's channels, now or made later, goes to the viewers in that room. What the options
/// name is copied. The contexts of the callback tables in the options are consumed, on failure too: then their `drop`
/// has run when this returns (not for a table whose own `struct_size` is wrong, of which nothing can be read).
///
/// @param context  Borrowed; may be freed before the session.
/// @param options  Borrowed. Set up with telelink_session_options_init().
/// @param out      Receives the session; free it with telelink_session_free(). Written only on success.
/// @return TELELINK_STATUS_OK               started
///         TELELINK_STATUS_NULL_ARGUMENT    `context`, `options`, `out` or a required callback is NULL
///         TELELINK_STATUS_INVALID_UTF8     a text is not UTF-8; the message names it
///         TELELINK_STATUS_INVALID_VALUE    an option cannot work; the message names it
///         TELELINK_STATUS_STRUCT_SIZE      a struct was not set up with its `_init` function
///         TELELINK_STATUS_DUPLICATE        a package of the asset folder is named twice
///         TELELINK_STATUS_LIBRARY_MISSING  the LiveKit library is missing or wrong; the message names the paths tried
///         TELELINK_STATUS_CLOSED           the process was forked from one that uses telelink
/// @threading Any thread, allowed inside callbacks. Loads the LiveKit library the first time.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_create(
    context: *const telelink_context,
    options: *const telelink_session_options,
    out: *mut *mut telelink_session,
) -> telelink_status {
    guard(|| {
        // First, because it takes over the contexts of the tables: they are consumed even if another argument is wrong.
        let tables = Latch::default();
        // SAFETY: the header asks for NULL or options whose pointers are readable.
        let (session, direct) = unsafe { convert(options, &tables) }?;
        // SAFETY: the header asks for a live context or NULL.
        let context = unsafe { handle::borrow(context, "context") }?;
        let out = handle::out_pointer(out, "out")?;
        watch_process();
        super::log::follow_environment();
        let session = Session::start(&context.context, session, direct)?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_session { session, tables }) };
        Ok(())
    })
}

/// Starts the shutdown and waits for it: the room is left, and running callbacks have returned.
///
/// The session closes, however this call ends. Closing again waits again.
///
/// @param session     Borrowed; still has to be freed.
/// @param timeout_ms  How long to wait, milliseconds; 0: do not wait.
/// @return TELELINK_STATUS_OK             closed; or `timeout_ms` is 0
///         TELELINK_STATUS_TIMEOUT        not finished in time. Inside a callback of telelink, of whatever session, the
///                                        log receiver and the thread hook included: at once, for that callback may be
///                                        what the end waits for
///         TELELINK_STATUS_NULL_ARGUMENT  `session` is NULL
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_close(session: *const telelink_session, timeout_ms: u64) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        if timeout_ms == 0 {
            session.close();
            return Ok(());
        }
        Ok(session.close_timeout(Duration::from_millis(timeout_ms))?)
    })
}

/// Joins again after the idle window has ended the room. In a room it starts the countdown of that window anew; while
/// connecting it changes nothing. Does not wait for the join.
///
/// @param session  Borrowed.
/// @return TELELINK_STATUS_OK             on its way
///         TELELINK_STATUS_NULL_ARGUMENT  `session` is NULL
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_resume(session: *const telelink_session) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        Ok(unsafe { handle::borrow(session, "session") }?.session.resume()?)
    })
}

/// Closes the session and frees it. Waits until running callbacks have returned; none starts afterwards, and each
/// `drop` has run.
///
/// Called from a callback of telelink it does not wait: the rest is finished after that callback has returned, and
/// `drop` marks the end. Responders may be freed later.
///
/// @param session  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_free(session: *mut telelink_session) {
    guard_or((), || {
        // SAFETY: the header asks for NULL or a live handle that is not used again.
        let Some(session) = (unsafe { handle::take(session) }) else { return };
        if is_forked() {
            // The threads that would finish the session do not exist in the child.
            std::mem::forget(session);
            return;
        }
        let telelink_session { session, tables } = *session;
        drop(session);
        // The last callback has returned, but a thread may still be letting go of a table.
        while !Session::on_callback_thread() && !tables.wait(DROP_WAIT) {
            tracing::warn!("waiting for the callbacks of a freed session to return");
        }
    });
}

/// The state of the connection.
///
/// @param session  Borrowed. NULL gives TELELINK_CONNECTION_STATUS_SHUTDOWN.
/// @return The state now.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_status(session: *const telelink_session) -> telelink_connection_status {
    guard_get(telelink_connection_status::Shutdown, || {
        // SAFETY: the header asks for a live session or NULL.
        Ok(unsafe { handle::borrow(session, "session") }?.session.status().into())
    })
}

/// S-9.
const STATUS_NAMES: [(telelink_connection_status, &CStr); 4] = [
    (telelink_connection_status::Connecting, c"connecting"),
    (telelink_connection_status::Connected, c"connected"),
    (telelink_connection_status::ShuttingDown, c"shutting down"),
    (telelink_connection_status::Shutdown, c"shutdown"),
];

/// The name of a connection status, for people: "connecting", "connected", "shutting down", "shutdown".
///
/// @param status  Any number.
/// @return A static text that ends with NUL; "unknown" for a number that this library does not know. Never NULL.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_connection_status_name(status: i32) -> *const c_char {
    guard_or(c"unknown".as_ptr(), || {
        let known = STATUS_NAMES.iter().find(|(value, _)| *value as i32 == status);
        known.map_or(c"unknown", |(_, name)| *name).as_ptr()
    })
}

/// Why the connection is not up, or was lost the last time.
///
/// @param session  Borrowed.
/// @return TELELINK_STATUS_OK when nothing failed yet; TELELINK_STATUS_NULL_ARGUMENT when `session` is NULL; else the
///         reason, and telelink_last_error_message() has its text.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_last_error(session: *const telelink_session) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        match unsafe { handle::borrow(session, "session") }?.session.last_error() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    })
}

/// Offers more services.
///
/// All or none are added. Their contexts are consumed, on failure too (but see telelink_session_create()).
///
/// @param session   Borrowed.
/// @param services  Borrowed: pointers to services set up with telelink_service_init().
/// @param count     Number of services.
/// @return TELELINK_STATUS_OK             offered
///         TELELINK_STATUS_NULL_ARGUMENT  `session`, `services`, one of them or its `on_request` is NULL
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8; the message names it
///         TELELINK_STATUS_INVALID_VALUE  a name is empty, no encoding for requests is known, or viewers cannot be
///                                        shown the service: a text schema that is not UTF-8, a schema above 8 MiB,
///                                        more than a message of 16 MiB holds; the message names the service
///         TELELINK_STATUS_STRUCT_SIZE    a service was not set up with telelink_service_init()
///         TELELINK_STATUS_DUPLICATE      there is a service of that name, in the session or twice in `services`
///         TELELINK_STATUS_NOT_SUPPORTED  the session's capabilities do not have TELELINK_CAPABILITY_SERVICES
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s, or 1,024 contexts wait for a `drop`
///                                        that does not return
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_add_services(
    session: *const telelink_session,
    services: *const *const telelink_service,
    count: usize,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for NULL or readable pointers to services.
        let (taken, result) = unsafe { take_services(services, count, "services") };
        result?;
        // SAFETY: the header asks for a live session or NULL.
        let telelink_session { session, tables } = unsafe { handle::borrow(session, "session") }?;
        let mut built = Vec::with_capacity(taken.len());
        for service in taken {
            // SAFETY: the header asks for readable views in each service.
            built.push(unsafe { service.build(tables) }?);
        }
        Ok(session.add_services(built)?)
    })
}

/// Withdraws services. Running calls go on and may still be answered.
///
/// @param session  Borrowed.
/// @param names    Borrowed. Names of services; unknown ones are ignored.
/// @param count    Number of names.
/// @return TELELINK_STATUS_OK             withdrawn
///         TELELINK_STATUS_NULL_ARGUMENT  `session` or `names` is NULL
///         TELELINK_STATUS_INVALID_UTF8   a name is not UTF-8
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_remove_services(
    session: *const telelink_session,
    names: *const telelink_str,
    count: usize,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        // SAFETY: the header asks for readable views.
        let names = unsafe { view::texts(names, count, "names") }?;
        Ok(session.remove_services(&names.iter().map(String::as_str).collect::<Vec<_>>())?)
    })
}

/// Shows a status text to every viewer.
///
/// @param session  Borrowed.
/// @param level    A telelink_status_level.
/// @param message  Borrowed. What to show, at most 8 KiB.
/// @param id       Borrowed. Names the status, so that it can be replaced or removed, at most 256 bytes; empty: no name.
/// @return TELELINK_STATUS_OK             on its way
///         TELELINK_STATUS_NULL_ARGUMENT  `session` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8; the message names it
///         TELELINK_STATUS_INVALID_VALUE  `level` is no telelink_status_level, or `message` or `id` is too long
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_publish_status(
    session: *const telelink_session,
    level: i32,
    message: telelink_str,
    id: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        let level = match level {
            0 => StatusLevel::Info,
            1 => StatusLevel::Warning,
            2 => StatusLevel::Error,
            _ => {
                return Err(Failure::new(
                    telelink_status::InvalidValue,
                    format!("level is {level}, which is no telelink_status_level"),
                ));
            }
        };
        // SAFETY: the header asks for readable views.
        let (message, id) = unsafe { (view::text(message, "message")?, view::text(id, "id")?) };
        Ok(session.publish_status(level, message, Some(id).filter(|id| !id.is_empty()))?)
    })
}

/// Removes statuses that have an id.
///
/// @param session  Borrowed.
/// @param ids      Borrowed. Unknown ones are ignored.
/// @param count    Number of ids, at most 1,024.
/// @return TELELINK_STATUS_OK             on its way
///         TELELINK_STATUS_NULL_ARGUMENT  `session` or `ids` is NULL
///         TELELINK_STATUS_INVALID_UTF8   an id is not UTF-8
///         TELELINK_STATUS_INVALID_VALUE  an id has more than 256 bytes, or there are more than 1,024
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_remove_status(
    session: *const telelink_session,
    ids: *const telelink_str,
    count: usize,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        // SAFETY: the header asks for readable views.
        let ids = unsafe { view::texts(ids, count, "ids") }?;
        Ok(session.remove_status(&ids.iter().map(String::as_str).collect::<Vec<_>>())?)
    })
}

/// Tells viewers new values of parameters: each viewer those that it follows. A telelink_parameter_store does this by
/// itself.
///
/// @param session     Borrowed.
/// @param parameters  Borrowed for the call and copied. Unset ones are not told.
/// @param count       Number of parameters; may be 0.
/// @return TELELINK_STATUS_OK             on their way; or there is no room or viewer now
///         TELELINK_STATUS_NULL_ARGUMENT  `session` or `parameters` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
///         TELELINK_STATUS_INVALID_VALUE  a value cannot be sent, as for telelink_parameter_list_create()
///         TELELINK_STATUS_NOT_SUPPORTED  the session's capabilities do not have TELELINK_CAPABILITY_PARAMETERS
///         TELELINK_STATUS_TIMEOUT        the session did not take it within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_publish_parameter_values(
    session: *const telelink_session,
    parameters: *const telelink_parameter,
    count: usize,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        // SAFETY: the header asks for readable parameters.
        let parameters = unsafe { read_parameters(parameters, count, "parameters") }?;
        Ok(session.publish_parameter_values(parameters)?)
    })
}

/// A registered viewer, by the number that callbacks know it by.
///
/// @param session    Borrowed.
/// @param client_id  As telelink_client_id() gave it.
/// @param out        Receives a description; free it with telelink_client_free(). Written only on success.
/// @return TELELINK_STATUS_OK             found
///         TELELINK_STATUS_NOT_FOUND      no such viewer is registered now
///         TELELINK_STATUS_NULL_ARGUMENT  `session` or `out` is NULL
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_client(
    session: *const telelink_session,
    client_id: u32,
    out: *mut *mut telelink_client,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        let out = handle::out_pointer(out, "out")?;
        let Some(client) = session.client(client_id)? else {
            return Err(Failure::new(telelink_status::NotFound, format!("no viewer {client_id} is registered")));
        };
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { telelink_client::give(out, client) };
        Ok(())
    })
}
