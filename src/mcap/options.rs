//! How a recording is made.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::context::ChannelRef;

use super::McapError;

/// Says whether a channel is recorded. Asked once per channel, on the thread that creates it or starts the writer. One that
/// panics leaves the channel out.
pub type McapChannelFilter = Arc<dyn Fn(&ChannelRef) -> bool + Send + Sync>;

/// What a writer tells the application, on the thread `tl-mcap`. May call anything of telelink.
pub trait McapListener: Send + Sync + 'static {
    /// The recording has ended because of an error: the disk is full, for example. At most once. The robot goes on, `log`
    /// too; the file can be read up to its last chunk.
    fn on_error(&self, error: &McapError);
}

/// How chunks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum McapCompression {
    /// Zstandard at its default level. Default.
    #[default]
    Zstd,
    /// LZ4: larger files for less work.
    Lz4,
    /// Not at all.
    None,
}

/// When the writer waits until the storage device has the data (`fdatasync`).
///
/// Each chunk is given to the operating system whole, so it survives the end of the process in every case; this is about
/// loss of power and crashes of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum McapSync {
    /// Never: the operating system decides, as a rule within 30 s.
    Never,
    /// When the file is finished. Default.
    #[default]
    AtEnd,
    /// After each chunk too. On slow storage this costs throughput, never time in `log`.
    EachChunk,
}

/// How to make a recording. Start from [`McapWriterOptions::new`].
#[derive(Clone)]
pub struct McapWriterOptions {
    /// The file. Its folder must exist.
    pub path: PathBuf,
    /// Replace a file that exists, unless a writer records to it. Default `false`: refuse.
    pub overwrite: bool,
    /// Compression of the chunks.
    pub compression: McapCompression,
    /// A chunk ends when its messages have so many bytes, 1 KiB to 1 GiB. Default 4 MiB.
    pub chunk_size: u64,
    /// A chunk ends at the latest so long after its first message was logged, 10 ms to 1 h: what a crash of the process can
    /// lose at most, while the disk keeps up. Default 1 s.
    pub chunk_duration: Duration,
    /// Which channels are recorded. Default all.
    pub channel_filter: Option<McapChannelFilter>,
    /// The file's profile: empty, or `ros1` or `ros2`, which promise what those profiles ask of the channels. Default empty.
    pub profile: String,
    /// Names the writing program in the file's header. Default `telelink` with its version.
    pub library: String,
    /// When the data is forced to the storage device.
    pub sync: McapSync,
    /// Messages that may wait for the disk, 16 to 16,777,216; what comes beyond is dropped, and counted. Default 65,536.
    pub queue_messages: usize,
    /// Their bytes, from 64 KiB; also the largest message that can be recorded. Default 64 MiB.
    pub queue_bytes: usize,
    /// Told when the recording fails.
    pub listener: Option<Arc<dyn McapListener>>,
}

impl McapWriterOptions {
    /// The defaults, for this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            overwrite: false,
            compression: McapCompression::default(),
            chunk_size: 4 << 20,
            chunk_duration: Duration::from_secs(1),
            channel_filter: None,
            profile: String::new(),
            library: concat!("telelink ", env!("CARGO_PKG_VERSION")).into(),
            sync: McapSync::default(),
            queue_messages: 65_536,
            queue_bytes: 64 << 20,
            listener: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), McapError> {
        let invalid = |text: String| Err(McapError::InvalidOption(text));
        if self.path.as_os_str().is_empty() {
            return invalid("path is empty".into());
        }
        if !(1 << 10..=1 << 30).contains(&self.chunk_size) {
            return invalid(format!("chunk_size is {}, outside 1,024 to 1,073,741,824", self.chunk_size));
        }
        let duration = self.chunk_duration;
        if !(Duration::from_millis(10)..=Duration::from_secs(3600)).contains(&duration) {
            return invalid(format!("chunk_duration is {} ms, outside 10 to 3,600,000", duration.as_millis()));
        }
        if !(16..=1 << 24).contains(&self.queue_messages) {
            return invalid(format!("queue_messages is {}, outside 16 to 16,777,216", self.queue_messages));
        }
        if self.queue_bytes < 64 << 10 {
            return invalid(format!("queue_bytes is {}, less than 65,536", self.queue_bytes));
        }
        for (name, text) in [("profile", &self.profile), ("library", &self.library)] {
            if text.len() > 64 << 10 {
                return invalid(format!("{name} has {} bytes, more than 65,536", text.len()));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for McapWriterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McapWriterOptions").field("path", &self.path).finish_non_exhaustive()
    }
}
