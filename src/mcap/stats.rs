//! Figures of a recording.

/// What a writer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum McapStatus {
    /// Messages are taken and written.
    Recording,
    /// Closing was requested; what waits is being written.
    Closing,
    /// The file is finished.
    Closed,
    /// An error has ended the recording.
    Failed,
}

/// Figures of a writer, since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct McapWriterStats {
    /// What it is doing.
    pub status: McapStatus,
    /// Messages taken from `log`.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Of these, messages in chunks that are in the file: they survive the end of the process.
    pub written_messages: u64,
    /// Messages dropped because the queue was full or because the recording failed.
    pub dropped_messages: u64,
    /// Messages that wait for the writing thread now.
    pub queued_messages: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Channels of the file.
    pub channels: u64,
    /// Channels left out because a file holds 65,535 at most.
    pub channels_refused: u64,
    /// Chunks in the file.
    pub chunks: u64,
    /// Size of the file, bytes.
    pub file_bytes: u64,
    /// Callbacks of the application that panicked.
    pub callback_panics: u64,
}

/// Figures of one channel of the file. Channels of the context that are equal in topic, encoding, schema and metadata, open
/// at the same time or one after the other, are one channel of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McapChannelStats {
    /// Topic.
    pub topic: String,
    /// Messages taken from `log`.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Messages dropped. Each is a gap in the channel's sequence numbers.
    pub dropped_messages: u64,
}
