//! `telelink_status`, its names, and the mapping from the core's errors.

use std::ffi::{c_char, CStr};

use super::guard::guard_or;
use crate::session::{Error, ErrorKind};

/// What a call answers. Negative numbers are never used; a number, once given, never changes its meaning.
///
/// 0: success. 1 to 99: fix the call. 100 to 199: wrong moment. 200 to 299: the outside world. 300 to 399: the peer.
/// 900 to 999: a fault of telelink. Values may be added: treat an unknown one by its range.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_status {
    /// Done.
    Ok = 0,
    /// A pointer that must not be NULL is NULL.
    NullArgument = 1,
    /// A text is not valid UTF-8.
    InvalidUtf8 = 2,
    /// An argument or option has a value that cannot work.
    InvalidValue = 3,
    /// `struct_size` is not one that this library knows: the `_init` function was not called, or the header is newer
    /// than the library.
    StructSize = 4,
    /// Something of that name or id exists already.
    Duplicate = 5,
    /// There is no such thing.
    NotFound = 6,
    /// The session's capabilities or encodings do not allow it, or the library was built without it.
    NotSupported = 7,
    /// The session, channel or library is closed.
    Closed = 100,
    // 101 NOT_CONNECTED, 103 QUEUE_FULL and 300 PROTOCOL are reserved: nothing answers them yet.
    /// The request was answered already.
    AlreadyResponded = 102,
    /// It did not happen in time.
    Timeout = 104,
    /// The server could not be reached.
    ConnectFailed = 200,
    /// The server rejected the token, or no token could be had.
    Unauthorized = 201,
    /// The LiveKit library is missing, of another version, or in use by somebody else in this process.
    LibraryMissing = 202,
    /// The operating system refused to open, read or write a file.
    Io = 203,
    /// Another device joined the room with the same identity.
    DuplicateIdentity = 204,
    /// The server's operator removed this device from the room.
    Removed = 205,
    /// No viewer came, or none was left, for the idle window.
    Idle = 206,
    /// Header and library belong to different versions.
    UnsupportedVersion = 301,
    /// A fault of telelink; please report it.
    Internal = 900,
    /// A fault of telelink: a panic was stopped. The process goes on; please report it.
    Panic = 901,
}

impl telelink_status {
    /// All values, for the name lookup and the tests.
    pub(super) const ALL: [(Self, &'static CStr); 21] = [
        (Self::Ok, c"OK"),
        (Self::NullArgument, c"NULL_ARGUMENT"),
        (Self::InvalidUtf8, c"INVALID_UTF8"),
        (Self::InvalidValue, c"INVALID_VALUE"),
        (Self::StructSize, c"STRUCT_SIZE"),
        (Self::Duplicate, c"DUPLICATE"),
        (Self::NotFound, c"NOT_FOUND"),
        (Self::NotSupported, c"NOT_SUPPORTED"),
        (Self::Closed, c"CLOSED"),
        (Self::AlreadyResponded, c"ALREADY_RESPONDED"),
        (Self::Timeout, c"TIMEOUT"),
        (Self::ConnectFailed, c"CONNECT_FAILED"),
        (Self::Unauthorized, c"UNAUTHORIZED"),
        (Self::LibraryMissing, c"LIBRARY_MISSING"),
        (Self::Io, c"IO"),
        (Self::DuplicateIdentity, c"DUPLICATE_IDENTITY"),
        (Self::Removed, c"REMOVED"),
        (Self::Idle, c"IDLE"),
        (Self::UnsupportedVersion, c"UNSUPPORTED_VERSION"),
        (Self::Internal, c"INTERNAL"),
        (Self::Panic, c"PANIC"),
    ];
}

impl From<ErrorKind> for telelink_status {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidValue => Self::InvalidValue,
            ErrorKind::Duplicate => Self::Duplicate,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Closed => Self::Closed,
            ErrorKind::AlreadyResponded => Self::AlreadyResponded,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::ConnectFailed => Self::ConnectFailed,
            ErrorKind::Unauthorized => Self::Unauthorized,
            ErrorKind::LibraryMissing => Self::LibraryMissing,
            ErrorKind::DuplicateIdentity => Self::DuplicateIdentity,
            ErrorKind::Removed => Self::Removed,
            ErrorKind::Idle => Self::Idle,
            ErrorKind::NotSupported => Self::NotSupported,
            ErrorKind::Panic => Self::Panic,
            ErrorKind::Internal => Self::Internal,
        }
    }
}

/// Why a call fails: its status and the text for `telelink_last_error_message()`.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: telelink_status,
    pub(super) message: std::borrow::Cow<'static, str>,
}

impl Failure {
    #[cold]
    pub(super) fn new(status: telelink_status, message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<Error> for Failure {
    #[cold]
    fn from(error: Error) -> Self {
        Self { status: error.kind.into(), message: error.message.into() }
    }
}

/// The name of a status without its prefix, for example "CLOSED".
///
/// @param status  Any number.
/// @return A static text that ends with NUL; "UNKNOWN" for a number that this library does not know. Never NULL.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub extern "C" fn telelink_status_name(status: i32) -> *const c_char {
    guard_or(c"UNKNOWN".as_ptr(), || {
        let known = telelink_status::ALL.iter().find(|(value, _)| *value as i32 == status);
        known.map_or(c"UNKNOWN", |(_, name)| name).as_ptr()
    })
}
