//! The C surface as Miri sees it (`scripts/test-miri.sh`): pointers in, pointers out, nothing leaked, nothing read that is
//! not there. Whole sessions are tested from C and C++ (tests/capi, tests/cpp).

mod channel;
mod parameter;
mod request;
mod sized;
mod view;

use std::ffi::{c_void, CStr};

use super::last_error::telelink_last_error_message;
use super::status::telelink_status;
use super::view::telelink_str;

/// The text of the last failure on this thread.
fn last_error() -> String {
    // SAFETY: never NULL, ended by NUL, and no telelink call happens before the copy is made.
    unsafe { CStr::from_ptr(telelink_last_error_message()) }.to_str().unwrap().to_owned()
}

fn failed(status: telelink_status, expected: telelink_status, text: &str) {
    assert_eq!(status, expected);
    assert!(last_error().contains(text), "{}", last_error());
}

/// What C would copy out of a view.
fn text(view: telelink_str) -> String {
    if view.data.is_null() {
        assert_eq!(view.len, 0);
        return String::new();
    }
    // SAFETY: the view's owner is alive in every test that asks.
    String::from_utf8(unsafe { std::slice::from_raw_parts(view.data.cast::<u8>(), view.len) }.to_vec()).unwrap()
}

/// A `drop` that counts.
unsafe extern "C" fn count(context: *mut c_void) {
    // SAFETY: every test passes a pointer to a counter that outlives the table.
    unsafe { *context.cast::<u32>() += 1 };
}
