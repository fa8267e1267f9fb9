//! Assets, as a `telelink_test_viewer` fetches them.

use bytes::Bytes;

use super::results::telelink_test_answer;
use super::viewer::{ms, telelink_test_viewer, timeout, too_late};
use crate::capi::guard::guard;
use crate::capi::handle;
use crate::capi::sized;
use crate::capi::status::telelink_status;
use crate::capi::view::{self, telelink_str};

/// Asks the robot for an asset, without waiting for the answer.
///
/// @param viewer          Borrowed.
/// @param uri             Borrowed.
/// @param timeout_ms      How long to wait for a robot, milliseconds.
/// @param request_id_out  Receives the number for telelink_test_viewer_asset().
/// @return TELELINK_STATUS_OK             sent
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `request_id_out` is NULL, or `uri` has no data
///         TELELINK_STATUS_INVALID_UTF8   `uri` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        there is no robot
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_fetch_asset(
    viewer: *const telelink_test_viewer,
    uri: telelink_str,
    timeout_ms: u64,
    request_id_out: *mut u32,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, uri) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(uri, "uri")?) };
        let out = handle::out_pointer(request_id_out, "request_id_out")?;
        let id = viewer.peer.fetch_asset(uri, ms(timeout_ms)).map_err(timeout)?;
        // SAFETY: not NULL; the header asks for a writable number.
        unsafe { out.write(id) };
        Ok(())
    })
}

/// Waits for an asset.
///
/// A robot without the assets capability answers with a status instead: telelink_test_viewer_next_status().
///
/// @param viewer      Borrowed.
/// @param request_id  From telelink_test_viewer_fetch_asset().
/// @param timeout_ms  How long to wait, milliseconds.
/// @param answer      Set up with telelink_test_answer_init(); written, with an empty encoding. Its views live until the
///                    next call of this function or of telelink_test_viewer_answer() on this viewer.
/// @return TELELINK_STATUS_OK             here it is, the asset or an error
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `answer` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `answer` was not set up
///         TELELINK_STATUS_TIMEOUT        none came
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_asset(
    viewer: *const telelink_test_viewer,
    request_id: u32,
    timeout_ms: u64,
    answer: *mut telelink_test_answer,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        let size = unsafe { sized::read(answer, "answer") }?.struct_size;
        let result = viewer.peer.asset(request_id, ms(timeout_ms)).map_err(too_late("no asset came"))?;
        let failed = result.is_err();
        let parts = match result {
            Ok(data) => (String::new(), data, String::new()),
            Err(message) => (String::new(), Bytes::new(), message),
        };
        // SAFETY: `read` has checked the size, which the caller vouches for.
        unsafe { viewer.keep_answer(failed, parts, answer, size) }
    })
}
