//! The one error of the session's API.

/// What went wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Kind, for programs.
    pub kind: ErrorKind,
    /// What happened, for people: names the argument, file or address. Never contains a token.
    pub message: String,
}

impl Error {
    /// Makes one.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A call needs a capability that the session was started without.
    pub(crate) fn not_offered(capability: &str) -> Self {
        Self::new(ErrorKind::NotSupported, format!("the session was started without the {capability} capability"))
    }
}

/// Kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An argument or option has a value that cannot work.
    InvalidValue,
    /// Something of that name or id exists already.
    Duplicate,
    /// No such thing.
    NotFound,
    /// The session or channel is closed.
    Closed,
    /// A responder was used twice.
    AlreadyResponded,
    /// No answer in time.
    Timeout,
    /// The server could not be reached.
    ConnectFailed,
    /// The server rejected the token.
    Unauthorized,
    /// The LiveKit library is missing or wrong.
    LibraryMissing,
    /// Another device joined with the same identity.
    DuplicateIdentity,
    /// The server's operator removed the device from the room.
    Removed,
    /// No viewer came, or none was left, for the idle window.
    Idle,
    /// The session's capabilities or encodings do not allow it.
    NotSupported,
    /// A panic inside the library was stopped.
    Panic,
    /// The library is at fault.
    Internal,
}
