//! Version and ABI number.

use std::ffi::c_char;

use super::guard::guard_or;

/// The ABI that this header describes: the N of libtelelink.so.N.
pub const TELELINK_ABI_VERSION: u32 = 0;
/// Major version of this header.
pub const TELELINK_VERSION_MAJOR: u32 = 0;
/// Minor version of this header.
pub const TELELINK_VERSION_MINOR: u32 = 1;
/// Patch version of this header.
pub const TELELINK_VERSION_PATCH: u32 = 0;

const fn number(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let (mut i, mut value) = (0, 0);
    while i < bytes.len() {
        value = value * 10 + (bytes[i] - b'0') as u32;
        i += 1;
    }
    value
}

// Cargo.toml decides; cbindgen wants literals.
const _: () = assert!(
    TELELINK_VERSION_MAJOR == number(env!("CARGO_PKG_VERSION_MAJOR"))
        && TELELINK_VERSION_MINOR == number(env!("CARGO_PKG_VERSION_MINOR"))
        && TELELINK_VERSION_PATCH == number(env!("CARGO_PKG_VERSION_PATCH"))
);

/// The ABI of the library in use. A program compares it with TELELINK_ABI_VERSION of its header; the C++ wrapper does
/// so when it starts a session.
///
/// @return The number; never changes while the process runs.
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_abi_version() -> u32 {
    guard_or(TELELINK_ABI_VERSION, || TELELINK_ABI_VERSION)
}

/// The version of the library in use, for example "0.1.0".
///
/// @return A static text that ends with NUL. Never NULL.
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_version() -> *const c_char {
    guard_or(c"".as_ptr(), || concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}

/// Nanoseconds since the Unix epoch by the system's clock: the default time of logged messages.
///
/// @return The time; 0 when the clock stands before 1970.
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_now_ns() -> u64 {
    guard_or(0, crate::context::now_ns)
}
