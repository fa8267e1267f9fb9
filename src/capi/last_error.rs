//! The message of the last failure, per thread.

use std::cell::RefCell;
use std::ffi::{c_char, CString};

use super::guard::guard_or;

/// Longest message, bytes. Longer ones are cut at a character boundary.
const MAX: usize = 2047;

thread_local! {
    static LAST: RefCell<CString> = RefCell::new(CString::default());
}

/// Remembers the message of a failed call on this thread.
pub(super) fn set(message: &str) {
    let mut end = message.len().min(MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let text: Vec<u8> = message.as_bytes()[..end].iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
    // A thread that is ending has no thread-locals any more: its message is lost, the status is not.
    let _ = LAST.try_with(|last| *last.borrow_mut() = CString::new(text).unwrap_or_default());
}

/// The text that explains the last telelink call on this thread that failed.
///
/// A call that succeeds leaves it alone, so read it only after a status other than TELELINK_STATUS_OK.
///
/// @return UTF-8 that ends with NUL, at most 2047 bytes, never NULL, empty when nothing failed yet on this thread.
///         Valid until the next telelink call on this thread fails, or the thread ends.
/// @threading Any thread; each has its own message. Never blocks. Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_last_error_message() -> *const c_char {
    guard_or(c"".as_ptr(), || LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr()))
}
