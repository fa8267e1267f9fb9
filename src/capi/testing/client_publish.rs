//! Channels of the viewer itself, as a `telelink_test_viewer` publishes on them.

use bytes::Bytes;

use super::viewer::{ms, telelink_test_viewer, timeout};
use crate::capi::guard::guard;
use crate::capi::handle;
use crate::capi::status::telelink_status;
use crate::capi::view::{self, telelink_bytes, telelink_str};

/// Advertises a channel on which the viewer will publish. When this returns, the robot knows.
///
/// @param viewer      Borrowed.
/// @param channel_id  Chosen by the test.
/// @param topic       Borrowed.
/// @param encoding    Borrowed. Message encoding.
/// @param timeout_ms  How long to wait for each step, milliseconds.
/// @return TELELINK_STATUS_OK             the robot knows
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
///         TELELINK_STATUS_TIMEOUT        not in time; the message says which step
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_advertise(
    viewer: *const telelink_test_viewer,
    channel_id: u32,
    topic: telelink_str,
    encoding: telelink_str,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and readable views.
        let (viewer, topic, encoding) = unsafe {
            (handle::borrow(viewer, "viewer")?, view::text(topic, "topic")?, view::text(encoding, "encoding")?)
        };
        viewer.peer.advertise(channel_id, topic, encoding, ms(timeout_ms)).map_err(timeout)
    })
}

/// Withdraws a channel of the viewer. When this returns, the robot knows.
///
/// @param viewer      Borrowed.
/// @param channel_id  As advertised.
/// @param timeout_ms  How long to wait for each step, milliseconds.
/// @return TELELINK_STATUS_OK             the robot knows
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL
///         TELELINK_STATUS_TIMEOUT        not in time
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_unadvertise(
    viewer: *const telelink_test_viewer,
    channel_id: u32,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        viewer.peer.unadvertise(channel_id, ms(timeout_ms)).map_err(timeout)
    })
}

/// Publishes one message on a channel of the viewer. When this returns, the robot has it; its callback may still be
/// running.
///
/// @param viewer      Borrowed.
/// @param channel_id  As advertised.
/// @param payload     Borrowed for the call and copied.
/// @param timeout_ms  How long to wait for each step, milliseconds.
/// @return TELELINK_STATUS_OK             the robot has it
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or `payload` has no data
///         TELELINK_STATUS_TIMEOUT        not in time
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_publish(
    viewer: *const telelink_test_viewer,
    channel_id: u32,
    payload: telelink_bytes,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, payload) = unsafe { (handle::borrow(viewer, "viewer")?, view::bytes(payload, "payload")?) };
        viewer.peer.publish(channel_id, Bytes::copy_from_slice(payload), ms(timeout_ms)).map_err(timeout)
    })
}
