//! [`McapWriter`]: a second sink of a context, beside the sessions, that writes what is logged to an MCAP file.
//!
//! `log` copies the payload once (the copy that a session has made for reliable subscribers is shared) and appends it to a
//! bounded queue; a thread of its own, `tl-mcap`, builds and compresses chunks and writes them. The file only ever grows by
//! whole chunks, so whatever ends the process, every chunk that was written can be read.
//!
//! The format is the crate `mcap`'s business, behind the feature of the same name; without it, [`McapWriter::start`] answers
//! [`McapError::NotBuilt`].

mod error;
#[cfg(feature = "mcap")]
mod file;
#[cfg(not(feature = "mcap"))]
#[path = "no_file.rs"]
mod file;
mod options;
mod queue;
mod sink;
mod stats;
#[cfg(all(test, feature = "mcap"))]
mod tests;
mod track;
mod worker;
mod writer;

pub use error::McapError;
pub use options::{McapChannelFilter, McapCompression, McapListener, McapSync, McapWriterOptions};
pub use stats::{McapChannelStats, McapStatus, McapWriterStats};
pub use writer::McapWriter;
