//! `telelink_mcap_writer_stats` and `telelink_mcap_channel_stats`.

use super::channel::telelink_channel;
use super::guard::guard;
use super::handle;
use super::mcap_writer::telelink_mcap_writer;
use super::sized;
use super::status::{telelink_status, Failure};
use crate::mcap::{McapChannelStats, McapWriterStats};

/// Figures of a writer since its start. Set up with telelink_mcap_writer_stats_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_mcap_writer_stats {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Messages taken from telelink_channel_log().
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
    /// Callbacks that panicked (Rust only).
    pub callback_panics: u64,
}

const NO_STATS: telelink_mcap_writer_stats = telelink_mcap_writer_stats {
    struct_size: size_of::<telelink_mcap_writer_stats>(),
    messages: 0,
    bytes: 0,
    written_messages: 0,
    dropped_messages: 0,
    queued_messages: 0,
    queued_bytes: 0,
    channels: 0,
    channels_refused: 0,
    chunks: 0,
    file_bytes: 0,
    callback_panics: 0,
};

sized_struct!(
    telelink_mcap_writer_stats,
    first_size: size_of::<telelink_mcap_writer_stats>(),
    defaults: NO_STATS,
);

impl From<McapWriterStats> for telelink_mcap_writer_stats {
    fn from(stats: McapWriterStats) -> Self {
        Self {
            messages: stats.messages,
            bytes: stats.bytes,
            written_messages: stats.written_messages,
            dropped_messages: stats.dropped_messages,
            queued_messages: stats.queued_messages,
            queued_bytes: stats.queued_bytes,
            channels: stats.channels,
            channels_refused: stats.channels_refused,
            chunks: stats.chunks,
            file_bytes: stats.file_bytes,
            callback_panics: stats.callback_panics,
            ..NO_STATS
        }
    }
}

/// Figures of one recorded channel. Set up with telelink_mcap_channel_stats_init(). Channels that are equal in topic,
/// encoding, schema and metadata, open at the same time or one after the other, are one channel of the file.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_mcap_channel_stats {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Messages taken from telelink_channel_log().
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Messages dropped. Each is a gap in the channel's sequence numbers.
    pub dropped_messages: u64,
}

sized_struct!(
    telelink_mcap_channel_stats,
    first_size: size_of::<telelink_mcap_channel_stats>(),
    defaults: telelink_mcap_channel_stats {
        struct_size: size_of::<telelink_mcap_channel_stats>(),
        messages: 0,
        bytes: 0,
        dropped_messages: 0,
    },
);

impl From<McapChannelStats> for telelink_mcap_channel_stats {
    fn from(stats: McapChannelStats) -> Self {
        Self {
            struct_size: size_of::<Self>(),
            messages: stats.messages,
            bytes: stats.bytes,
            dropped_messages: stats.dropped_messages,
        }
    }
}

/// Prepares the struct for telelink_mcap_writer_stats_read().
///
/// @param stats        Written.
/// @param struct_size  sizeof *stats.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_stats_init(
    stats: *mut telelink_mcap_writer_stats,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(stats, struct_size, "stats") })
}

/// Reads the writer's figures.
///
/// @param writer  Borrowed.
/// @param stats   Set up with telelink_mcap_writer_stats_init(); written.
/// @return TELELINK_STATUS_OK             read
///         TELELINK_STATUS_NULL_ARGUMENT  `writer` or `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `stats` was not set up
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_stats_read(
    writer: *const telelink_mcap_writer,
    stats: *mut telelink_mcap_writer_stats,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live writer or NULL.
        let writer = &unsafe { handle::borrow(writer, "writer") }?.writer;
        // SAFETY: the header asks for NULL or a struct that was set up.
        unsafe {
            let size = sized::read_size(stats, "stats")?;
            sized::write(stats, size, writer.stats().into(), "stats")
        }
    })
}

/// Prepares the struct for telelink_mcap_writer_channel_stats().
///
/// @param stats        Written.
/// @param struct_size  sizeof *stats.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_channel_stats_init(
    stats: *mut telelink_mcap_channel_stats,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(stats, struct_size, "stats") })
}

/// Reads the figures of one recorded channel.
///
/// @param writer   Borrowed.
/// @param channel  Borrowed.
/// @param stats    Set up with telelink_mcap_channel_stats_init(); written.
/// @return TELELINK_STATUS_OK             read
///         TELELINK_STATUS_NOT_FOUND      the channel is not recorded
///         TELELINK_STATUS_NULL_ARGUMENT  `writer`, `channel` or `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `stats` was not set up
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_channel_stats(
    writer: *const telelink_mcap_writer,
    channel: *const telelink_channel,
    stats: *mut telelink_mcap_channel_stats,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for live objects or NULL.
        let (writer, channel) =
            unsafe { (&handle::borrow(writer, "writer")?.writer, &handle::borrow(channel, "channel")?.channel) };
        // SAFETY: the header asks for NULL or a struct that was set up.
        let size = unsafe { sized::read_size(stats, "stats") }?;
        let Some(found) = writer.channel_stats(channel.channel_ref()) else {
            let text = format!("the channel {} is not recorded", channel.topic());
            return Err(Failure::new(telelink_status::NotFound, text));
        };
        // SAFETY: as above.
        unsafe { sized::write(stats, size, found.into(), "stats") }
    })
}
