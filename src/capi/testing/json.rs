//! Messages of the robot as they stand on the wire, for what `telelink_test_viewer` has no function of its own.

use super::viewer::{ms, telelink_test_viewer, too_late};
use crate::capi::guard::guard;
use crate::capi::handle;
use crate::capi::status::telelink_status;
use crate::capi::view::{self, telelink_str};

/// The next JSON message of one kind that the robot sent, oldest first. Of 4,096 that wait, the oldest go.
///
/// @param viewer      Borrowed.
/// @param op          Borrowed. The message's `op`, for example "advertiseServices".
/// @param timeout_ms  How long to wait, milliseconds.
/// @param json_out    Receives the message; borrowed until the next call of this function on this viewer.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `json_out` is NULL, or `op` has no data
///         TELELINK_STATUS_INVALID_UTF8   `op` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        none came
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_next_json(
    viewer: *const telelink_test_viewer,
    op: telelink_str,
    timeout_ms: u64,
    json_out: *mut telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, op) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(op, "op")?) };
        let out = handle::out_pointer(json_out, "json_out")?;
        let json = viewer.peer.next_json(op, ms(timeout_ms)).map_err(too_late(format!("no {op} came")))?;
        let mut last = viewer.last.lock();
        let json = telelink_str::of(last.json.insert(json));
        // SAFETY: not NULL; the header asks for a writable view.
        unsafe { out.write(json) };
        Ok(())
    })
}
