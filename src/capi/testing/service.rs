//! Services, as a `telelink_test_viewer` calls them.

use bytes::Bytes;

use super::peer::Answer;
use super::results::telelink_test_answer;
use super::viewer::{ms, telelink_test_viewer, timeout, too_late};
use crate::capi::guard::guard;
use crate::capi::handle;
use crate::capi::sized;
use crate::capi::status::telelink_status;
use crate::capi::view::{self, telelink_bytes, telelink_str};

/// Waits for a service of that name and calls it, without waiting for the answer.
///
/// @param viewer       Borrowed.
/// @param service      Borrowed. Name of the service.
/// @param encoding     Borrowed. Encoding of the payload.
/// @param payload      Borrowed for the call and copied.
/// @param timeout_ms   How long to wait for the service, milliseconds.
/// @param call_id_out  Receives the number for telelink_test_viewer_answer().
/// @return TELELINK_STATUS_OK             sent
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `call_id_out` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
///         TELELINK_STATUS_TIMEOUT        there is no such service
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_call(
    viewer: *const telelink_test_viewer,
    service: telelink_str,
    encoding: telelink_str,
    payload: telelink_bytes,
    timeout_ms: u64,
    call_id_out: *mut u32,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and readable views.
        let (viewer, service, encoding, payload) = unsafe {
            (
                handle::borrow(viewer, "viewer")?,
                view::text(service, "service")?,
                view::text(encoding, "encoding")?,
                view::bytes(payload, "payload")?,
            )
        };
        let out = handle::out_pointer(call_id_out, "call_id_out")?;
        let payload = Bytes::copy_from_slice(payload);
        let id = viewer.peer.call(service, encoding, payload, ms(timeout_ms)).map_err(timeout)?;
        // SAFETY: not NULL; the header asks for a writable number.
        unsafe { out.write(id) };
        Ok(())
    })
}

/// Waits for the answer of a call.
///
/// @param viewer      Borrowed.
/// @param call_id     From telelink_test_viewer_call().
/// @param timeout_ms  How long to wait, milliseconds.
/// @param answer      Set up with telelink_test_answer_init(); written. Its views live until the next call of this
///                    function or of telelink_test_viewer_asset() on this viewer.
/// @return TELELINK_STATUS_OK             here it is, a response or a failure
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `answer` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `answer` was not set up
///         TELELINK_STATUS_TIMEOUT        none came
/// @threading One thread at a time for one viewer, blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_answer(
    viewer: *const telelink_test_viewer,
    call_id: u32,
    timeout_ms: u64,
    answer: *mut telelink_test_answer,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        let size = unsafe { sized::read(answer, "answer") }?.struct_size;
        let next = viewer.peer.answer(call_id, ms(timeout_ms)).map_err(too_late("no answer came"))?;
        let failed = matches!(next, Answer::Failure(_));
        let parts = match next {
            Answer::Response(call) => (call.encoding, call.payload, String::new()),
            Answer::Failure(message) => (String::new(), Bytes::new(), message),
        };
        // SAFETY: `read` has checked the size, which the caller vouches for.
        unsafe { viewer.keep_answer(failed, parts, answer, size) }
    })
}
