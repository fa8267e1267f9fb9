//! Messages to the robot as they stand on the wire, for what `telelink_test_viewer` has no function of its own.

use super::viewer::{ms, telelink_test_viewer, timeout};
use crate::capi::guard::guard;
use crate::capi::handle;
use crate::capi::status::telelink_status;
use crate::capi::view::{self, telelink_str};

/// Sends a JSON message to the robot as it is, also one that no real viewer would send. When this returns, the robot has
/// handled it; its callback may still be running.
///
/// @param viewer      Borrowed.
/// @param json        Borrowed. The message, for example `{"op":"subscribeConnectionGraph"}`.
/// @param timeout_ms  How long to wait for each step, milliseconds.
/// @return TELELINK_STATUS_OK             the robot has handled it
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or `json` has no data
///         TELELINK_STATUS_INVALID_UTF8   `json` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        not in time; the message says which step
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_send_json(
    viewer: *const telelink_test_viewer,
    json: telelink_str,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, json) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(json, "json")?) };
        viewer.peer.send_json(json, ms(timeout_ms)).map_err(timeout)
    })
}
