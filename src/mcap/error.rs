//! What can go wrong with a recording.

/// Why a recording could not be started, or why it ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum McapError {
    /// The library was built without the feature `mcap`.
    #[error("this telelink was built without its feature \"mcap\"")]
    NotBuilt,
    /// An option cannot work.
    #[error("{0}")]
    InvalidOption(String),
    /// There is a file of that name, and the options do not say that it may be overwritten.
    #[error("{0} exists already, and overwriting it was not asked for")]
    Exists(String),
    /// Another writer, of this process or another, records to that file.
    #[error("{0} is being recorded to by another MCAP writer")]
    InUse(String),
    /// The operating system refused something: opening, writing, syncing.
    #[error("{what} {path}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: String,
        /// The operating system's words.
        cause: String,
    },
    /// It did not happen in time. It goes on.
    #[error("the file was not finished in time; that goes on")]
    Timeout,
    /// The writer is closed.
    #[error("the MCAP writer is closed")]
    Closed,
    /// A fault of telelink: the writing thread panicked. The file can be read up to its last chunk.
    #[error("a panic in the thread that writes {0} was stopped")]
    Panic(String),
}
