//! `telelink_test_server`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::capi::guard::{guard, guard_get, guard_or};
use crate::capi::handle;
use crate::capi::status::{telelink_status, Failure};
use crate::capi::view::{self, telelink_str};
use crate::room::memory::MemoryServer;
use crate::room::{Connector, DisconnectReason};

/// An imaginary LiveKit server inside this process, with any number of rooms. Sessions reach it by its URL.
pub struct telelink_test_server {
    pub(super) server: Arc<MemoryServer>,
    url: Registered,
    /// Tokens handed out, by room and identity: their texts live as long as the server.
    tokens: Mutex<HashMap<(String, String), Box<str>>>,
}

const SCHEME: &str = "memory://";

/// The servers that URLs can name.
static SERVERS: Mutex<Option<HashMap<String, Weak<MemoryServer>>>> = Mutex::new(None);

/// An entry in [`SERVERS`].
struct Registered(String);

impl Registered {
    fn new(server: &Arc<MemoryServer>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let url = format!("{SCHEME}{}", NEXT.fetch_add(1, Ordering::Relaxed));
        SERVERS.lock().get_or_insert_default().insert(url.clone(), Arc::downgrade(server));
        Self(url)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(servers) = SERVERS.lock().as_mut() {
            servers.remove(&self.0);
        }
    }
}

/// The way to rooms that a session's URL names, if it is one of ours.
pub(in crate::capi) fn connector(url: &str) -> Result<Option<Arc<dyn Connector>>, Failure> {
    if !url.starts_with(SCHEME) {
        return Ok(None);
    }
    let server = SERVERS.lock().as_ref().and_then(|servers| servers.get(url)).and_then(Weak::upgrade);
    match server {
        Some(server) => Ok(Some(server.connector())),
        None => Err(Failure::new(telelink_status::InvalidValue, format!("options.url: there is no test server {url}"))),
    }
}

/// Starts a server without rooms. A room comes into being when somebody joins it.
///
/// @param out  Receives the server; free it with telelink_test_server_free(). Written only on success.
/// @return TELELINK_STATUS_OK             started
///         TELELINK_STATUS_NULL_ARGUMENT  `out` is NULL
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_create(out: *mut *mut telelink_test_server) -> telelink_status {
    guard(|| {
        let out = handle::out_pointer(out, "out")?;
        let server = MemoryServer::new();
        let url = Registered::new(&server);
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_test_server { server, url, tokens: Mutex::default() }) };
        Ok(())
    })
}

/// Frees the handle. Its URL names nothing any more; whoever is in a room stays there.
///
/// @param server  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_free(server: *mut telelink_test_server) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(server) }));
}

/// The URL for telelink_session_options.url.
///
/// @param server  Borrowed. NULL gives an empty text.
/// @return Borrowed: lives as long as `server`.
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_url(server: *const telelink_test_server) -> telelink_str {
    // SAFETY: the header asks for a live server or NULL.
    guard_get(telelink_str::EMPTY, || Ok(telelink_str::of(&unsafe { handle::borrow(server, "server") }?.url.0)))
}

/// A token for telelink_session_options.token.
///
/// @param server     Borrowed.
/// @param room       Borrowed. Room to join.
/// @param identity   Borrowed. Identity to join as.
/// @param token_out  Receives the token; borrowed, lives as long as `server`. Asked again, it is the same.
/// @return TELELINK_STATUS_OK             made
///         TELELINK_STATUS_NULL_ARGUMENT  `server` or `token_out` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_token(
    server: *const telelink_test_server,
    room: telelink_str,
    identity: telelink_str,
    token_out: *mut telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live server or NULL, and readable views.
        let (server, room, identity) = unsafe {
            (handle::borrow(server, "server")?, view::text(room, "room")?, view::text(identity, "identity")?)
        };
        let out = handle::out_pointer(token_out, "token_out")?;
        let mut tokens = server.tokens.lock();
        let token = tokens
            .entry((room.to_owned(), identity.to_owned()))
            .or_insert_with(|| server.server.token(room, identity).build().expose().into());
        // The text is boxed, so it stays where it is when the map grows.
        // SAFETY: not NULL; the header asks for a writable view.
        unsafe { out.write(telelink_str::of(token)) };
        Ok(())
    })
}

/// Makes the server reachable or not. Not reachable, every link breaks and every join fails. As with LiveKit the robot's
/// transport first tries to get its link back: `reconnecting` of telelink_session_stats is 1 at once, the status is
/// TELELINK_CONNECTION_STATUS_CONNECTING after 16 s.
///
/// @param server     Borrowed.
/// @param reachable  0 or 1.
/// @return TELELINK_STATUS_OK             done
///         TELELINK_STATUS_NULL_ARGUMENT  `server` is NULL
///         TELELINK_STATUS_INVALID_VALUE  `reachable` is neither 0 nor 1
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_set_reachable(
    server: *const telelink_test_server,
    reachable: i32,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live server or NULL.
        let server = unsafe { handle::borrow(server, "server") }?;
        let reachable = view::flag(reachable, "reachable")?;
        server.server.set_reachable(reachable);
        Ok(())
    })
}

/// Ends a participant's connection. It hears why: its room was closed. A session joins again; for a viewer that is a new
/// session of the robot: its subscriptions and its own channels are gone, and are made anew.
///
/// @param server    Borrowed.
/// @param identity  Borrowed. Whose; in every room.
/// @return TELELINK_STATUS_OK             done, also when there is no such participant
///         TELELINK_STATUS_NULL_ARGUMENT  `server` is NULL, or `identity` has no data
///         TELELINK_STATUS_INVALID_UTF8   `identity` is not UTF-8
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_disconnect(
    server: *const telelink_test_server,
    identity: telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live server or NULL, and a readable view.
        let (server, identity) = unsafe { (handle::borrow(server, "server")?, view::text(identity, "identity")?) };
        server.server.disconnect(identity, DisconnectReason::RoomDeleted);
        Ok(())
    })
}

/// Loses a share of the messages of lossy channels.
///
/// @param server  Borrowed.
/// @param share   0 (none, the default) to 1 (all).
/// @return TELELINK_STATUS_OK             done
///         TELELINK_STATUS_NULL_ARGUMENT  `server` is NULL
///         TELELINK_STATUS_INVALID_VALUE  `share` is outside 0 to 1
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_set_loss(
    server: *const telelink_test_server,
    share: f64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live server or NULL.
        let server = unsafe { handle::borrow(server, "server") }?;
        if !(0.0..=1.0).contains(&share) {
            return Err(Failure::new(telelink_status::InvalidValue, format!("share is {share}, outside 0 to 1")));
        }
        server.server.set_loss_everywhere(share);
        Ok(())
    })
}

/// Delays everything on its way.
///
/// @param server    Borrowed.
/// @param delay_ms  Milliseconds, at most one day; 0 is the default.
/// @return TELELINK_STATUS_OK             done
///         TELELINK_STATUS_NULL_ARGUMENT  `server` is NULL
///         TELELINK_STATUS_INVALID_VALUE  `delay_ms` is more than 86,400,000
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_server_set_delay(
    server: *const telelink_test_server,
    delay_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live server or NULL.
        let server = unsafe { handle::borrow(server, "server") }?;
        if delay_ms > 86_400_000 {
            return Err(Failure::new(telelink_status::InvalidValue, format!("delay_ms is {delay_ms}, over a day")));
        }
        server.server.set_delay_everywhere(Duration::from_millis(delay_ms));
        Ok(())
    })
}
