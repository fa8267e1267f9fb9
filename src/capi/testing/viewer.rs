//! `telelink_test_viewer`.

use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::peer::{Message, Peer, TooLate};
use super::results::{telelink_test_answer, telelink_test_message, telelink_test_status};
use super::server::telelink_test_server;
use crate::capi::guard::{guard, guard_or, is_forked};
use crate::capi::handle;
use crate::capi::sized;
use crate::capi::status::{telelink_status, Failure};
use crate::capi::view::{self, telelink_bytes, telelink_str};
use crate::protocol::{version, ServerInfo, Status};

/// A viewer in a room of a telelink_test_server: sees channels, subscribes, publishes, calls services.
///
/// Everything that it waits for has a time limit. A call that returned has reached the robot, so that a test needs no
/// sleeping: after telelink_test_viewer_subscribe(), the next message logged is for this viewer.
pub struct telelink_test_viewer {
    pub(super) peer: Peer,
    /// What the last results point into.
    pub(super) last: Mutex<Last>,
}

#[derive(Default)]
pub(super) struct Last {
    message: Option<Message>,
    pub(super) frame: Option<(u64, crate::room::VideoFrame)>,
    status: Option<Status>,
    answer: Option<(String, Bytes, String)>,
    info: Option<ServerInfo>,
    pub(super) json: Option<String>,
}

impl telelink_test_viewer {
    /// Keeps an answer - encoding, payload, text of the failure - and shows it to the caller until the next one.
    ///
    /// # Safety
    /// `answer` must have `size` writable bytes.
    pub(super) unsafe fn keep_answer(
        &self,
        failed: bool,
        parts: (String, Bytes, String),
        answer: *mut telelink_test_answer,
        size: usize,
    ) -> Result<(), Failure> {
        let mut last = self.last.lock();
        let (encoding, payload, message) = last.answer.insert(parts);
        let value = telelink_test_answer {
            struct_size: size,
            encoding: telelink_str::of(encoding),
            payload: telelink_bytes::of(payload),
            message: telelink_str::of(message),
            failed: failed.into(),
            reserved: 0,
        };
        // SAFETY: the caller's promise.
        unsafe { sized::write(answer, size, value, "answer") }
    }
}

pub(super) fn ms(timeout_ms: u64) -> Duration {
    Duration::from_millis(timeout_ms)
}

pub(super) fn too_late(what: impl std::fmt::Display) -> impl FnOnce(TooLate) -> Failure {
    let text = what.to_string();
    move |TooLate| Failure::new(telelink_status::Timeout, text)
}

pub(super) fn timeout(text: String) -> Failure {
    Failure::new(telelink_status::Timeout, text)
}

/// Joins a room as a viewer. The robot need not be there yet.
///
/// @param server      Borrowed.
/// @param room        Borrowed. Room to join.
/// @param identity    Borrowed. Identity to join as.
/// @param timeout_ms  How long to wait, milliseconds.
/// @param out         Receives the viewer; free it with telelink_test_viewer_free(). Written only on success.
/// @return TELELINK_STATUS_OK              joined
///         TELELINK_STATUS_NULL_ARGUMENT   `server` or `out` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8    a text is not UTF-8
///         TELELINK_STATUS_CONNECT_FAILED  the server is not reachable, or it took too long
///         TELELINK_STATUS_CLOSED          the process was forked from one that uses telelink
/// @threading Any thread, blocks. Not inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_create(
    server: *const telelink_test_server,
    room: telelink_str,
    identity: telelink_str,
    timeout_ms: u64,
    out: *mut *mut telelink_test_viewer,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live server or NULL, and readable views.
        let (server, room, identity) = unsafe {
            (handle::borrow(server, "server")?, view::text(room, "room")?, view::text(identity, "identity")?)
        };
        let out = handle::out_pointer(out, "out")?;
        let server = &server.server;
        let token = server.token(room, identity).attribute(version::ATTRIBUTE, version::SPOKEN).build();
        let peer = Peer::join(&*server.connector(), token, ms(timeout_ms))
            .map_err(|text| Failure::new(telelink_status::ConnectFailed, text))?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_test_viewer { peer, last: Mutex::default() }) };
        Ok(())
    })
}

/// Leaves the room and frees the viewer.
///
/// @param viewer  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Blocks at most 5 s. Not inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_free(viewer: *mut telelink_test_viewer) {
    guard_or((), || {
        // SAFETY: the header asks for NULL or a live handle that is not used again.
        let viewer = unsafe { handle::take(viewer) };
        if is_forked() {
            std::mem::forget(viewer);
        }
    });
}

/// Starts or stops the viewer's heartbeat. A viewer pings the robot from its joining on, every 200 ms, and so keeps control
/// that it has taken; a silent one loses control after the timeout of the control lease. Silent viewers ping only in the
/// functions that return when the robot has handled something, telelink_test_viewer_publish() for example.
///
/// @param viewer  Borrowed.
/// @param on      0 or 1.
/// @return TELELINK_STATUS_OK             done
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL
///         TELELINK_STATUS_INVALID_VALUE  `on` is neither 0 nor 1
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_set_heartbeat(
    viewer: *const telelink_test_viewer,
    on: i32,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        viewer.peer.set_heartbeat(view::flag(on, "on")?);
        Ok(())
    })
}

/// What the robot says of itself.
///
/// @param viewer      Borrowed.
/// @param timeout_ms  How long to wait for it, milliseconds.
/// @param name_out    Receives the robot's name; borrowed until the next call of this function on this viewer.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `name_out` is NULL
///         TELELINK_STATUS_TIMEOUT        no robot has introduced itself
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_robot_name(
    viewer: *const telelink_test_viewer,
    timeout_ms: u64,
    name_out: *mut telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        let out = handle::out_pointer(name_out, "name_out")?;
        let info = viewer.peer.server_info(ms(timeout_ms)).map_err(too_late("no robot has introduced itself"))?;
        let mut last = viewer.last.lock();
        let name = telelink_str::of(&last.info.insert(info).name);
        // SAFETY: not NULL; the header asks for a writable view.
        unsafe { out.write(name) };
        Ok(())
    })
}

/// Waits until the robot advertises a channel of that topic.
///
/// @param viewer      Borrowed.
/// @param topic       Borrowed.
/// @param timeout_ms  How long to wait, milliseconds.
/// @param id_out      Receives the channel's id; may be NULL.
/// @return TELELINK_STATUS_OK             it is there
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or `topic` has no data
///         TELELINK_STATUS_INVALID_UTF8   `topic` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        there is none
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_wait_channel(
    viewer: *const telelink_test_viewer,
    topic: telelink_str,
    timeout_ms: u64,
    id_out: *mut u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, topic) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(topic, "topic")?) };
        let channel = viewer
            .peer
            .channel(topic, ms(timeout_ms))
            .map_err(too_late(format!("the robot advertises no channel {topic}")))?;
        if !id_out.is_null() {
            // SAFETY: not NULL; the header asks for a writable number.
            unsafe { id_out.write(channel.id) };
        }
        Ok(())
    })
}

/// Waits until no channel of the robot has that topic.
///
/// @param viewer      Borrowed.
/// @param topic       Borrowed.
/// @param timeout_ms  How long to wait, milliseconds.
/// @return TELELINK_STATUS_OK             there is none
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or `topic` has no data
///         TELELINK_STATUS_INVALID_UTF8   `topic` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        it is still there
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_wait_no_channel(
    viewer: *const telelink_test_viewer,
    topic: telelink_str,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, topic) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(topic, "topic")?) };
        let late = too_late(format!("the robot still advertises {topic}"));
        viewer.peer.no_channel(topic, ms(timeout_ms)).map_err(late)
    })
}

/// Waits until the robot offers no service of that name.
///
/// @param viewer      Borrowed.
/// @param name        Borrowed.
/// @param timeout_ms  How long to wait, milliseconds.
/// @return TELELINK_STATUS_OK             there is none
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or `name` has no data
///         TELELINK_STATUS_INVALID_UTF8   `name` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        it is still there
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_wait_no_service(
    viewer: *const telelink_test_viewer,
    name: telelink_str,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, name) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(name, "name")?) };
        let late = too_late(format!("the robot still offers {name}"));
        viewer.peer.no_service(name, ms(timeout_ms)).map_err(late)
    })
}

/// Waits for a channel of that topic and subscribes to it. When this returns, the next message logged is for this
/// viewer.
///
/// @param viewer      Borrowed.
/// @param topic       Borrowed.
/// @param timeout_ms  How long to wait for each step, milliseconds.
/// @return TELELINK_STATUS_OK             subscribed
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or `topic` has no data
///         TELELINK_STATUS_INVALID_UTF8   `topic` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        not in time; the message says which step
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_subscribe(
    viewer: *const telelink_test_viewer,
    topic: telelink_str,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, topic) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(topic, "topic")?) };
        viewer.peer.subscribe(topic, ms(timeout_ms)).map_err(timeout)
    })
}

/// Ends the subscription of a channel. When this returns, the robot knows.
///
/// @param viewer      Borrowed.
/// @param topic       Borrowed.
/// @param timeout_ms  How long to wait for each step, milliseconds.
/// @return As telelink_test_viewer_subscribe().
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_unsubscribe(
    viewer: *const telelink_test_viewer,
    topic: telelink_str,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, topic) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(topic, "topic")?) };
        viewer.peer.unsubscribe(topic, ms(timeout_ms)).map_err(timeout)
    })
}

/// The next message of the subscribed channels, oldest first. Of 65,536 that wait, the oldest go.
///
/// @param viewer      Borrowed.
/// @param timeout_ms  How long to wait, milliseconds.
/// @param message     Set up with telelink_test_message_init(); written. Its views live until the next call of this
///                    function on this viewer.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `message` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `message` was not set up
///         TELELINK_STATUS_TIMEOUT        none came
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_next_message(
    viewer: *const telelink_test_viewer,
    timeout_ms: u64,
    message: *mut telelink_test_message,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        let size = unsafe { sized::read(message, "message") }?.struct_size;
        let next = viewer.peer.next_message(ms(timeout_ms)).map_err(too_late("no message came"))?;
        let mut last = viewer.last.lock();
        let next = last.message.insert(next);
        let value = telelink_test_message {
            struct_size: size,
            channel_id: next.channel_id,
            topic: telelink_str::of(&next.topic),
            payload: telelink_bytes::of(&next.payload),
            log_time_ns: next.log_time,
            lossy: next.lossy.into(),
            reserved: 0,
        };
        // SAFETY: `read` has checked the size, which the caller vouches for.
        unsafe { sized::write(message, size, value, "message") }
    })
}

/// The next status that the robot sent, oldest first.
///
/// @param viewer      Borrowed.
/// @param timeout_ms  How long to wait, milliseconds.
/// @param status      Set up with telelink_test_status_init(); written. Its views live until the next call of this
///                    function on this viewer.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `status` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `status` was not set up
///         TELELINK_STATUS_TIMEOUT        none came
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_next_status(
    viewer: *const telelink_test_viewer,
    timeout_ms: u64,
    status: *mut telelink_test_status,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        let size = unsafe { sized::read(status, "status") }?.struct_size;
        let next = viewer.peer.next_status(ms(timeout_ms)).map_err(too_late("no status came"))?;
        let mut last = viewer.last.lock();
        let next = last.status.insert(next);
        let value = telelink_test_status {
            struct_size: size,
            message: telelink_str::of(&next.message),
            id: telelink_str::of(next.id.as_deref().unwrap_or_default()),
            level: next.level as i32,
            reserved: 0,
        };
        // SAFETY: `read` has checked the size, which the caller vouches for.
        unsafe { sized::write(status, size, value, "status") }
    })
}
