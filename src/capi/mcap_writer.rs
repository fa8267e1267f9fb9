//! `telelink_mcap_writer`: what is logged, in a file.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use super::callback::{Context, Latch};
use super::channel::{telelink_channel, telelink_channel_info};
use super::context::telelink_context;
use super::guard::{guard, guard_get, guard_or, is_exiting, is_forked, watch_process};
use super::handle;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::context::ChannelRef;
use crate::gateway::Session;
use crate::mcap::{
    McapChannelStats, McapCompression, McapError, McapListener, McapStatus, McapSync, McapWriter, McapWriterOptions,
    McapWriterStats,
};

/// How often freeing a writer says that it waits for its callback table.
const DROP_WAIT: Duration = Duration::from_secs(1);

/// A recording: writes what is logged to a context's channels to an MCAP file, beside whatever sessions there are.
pub struct telelink_mcap_writer {
    writer: McapWriter,
    /// Open while the callback table has not been dropped.
    tables: Latch,
}

/// How the chunks of a file are compressed.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_mcap_compression {
    /// Zstandard at its default level.
    Zstd = 0,
    /// LZ4: larger files for less work.
    Lz4 = 1,
    /// Not at all.
    None = 2,
}

/// When the writer waits until the storage device has the data. Each chunk is given to the operating system whole, so it
/// survives the end of the process in every case; this is about loss of power.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_mcap_sync {
    /// Never: the operating system decides, as a rule within 30 s.
    Never = 0,
    /// When the file is finished.
    AtEnd = 1,
    /// After each chunk too. On slow storage this costs throughput, never time in telelink_channel_log().
    EachChunk = 2,
}

/// What a writer is doing.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_mcap_status {
    /// Messages are taken and written.
    Recording = 0,
    /// Closing was requested; what waits is being written.
    Closing = 1,
    /// The file is finished.
    Closed = 2,
    /// An error has ended the recording; the file can be read up to its last chunk.
    Failed = 3,
}

impl From<McapStatus> for telelink_mcap_status {
    fn from(status: McapStatus) -> Self {
        match status {
            McapStatus::Recording => Self::Recording,
            McapStatus::Closing => Self::Closing,
            McapStatus::Closed => Self::Closed,
            McapStatus::Failed => Self::Failed,
        }
    }
}

impl From<McapError> for Failure {
    #[cold]
    fn from(error: McapError) -> Self {
        let status = match &error {
            McapError::NotBuilt => telelink_status::NotSupported,
            McapError::InvalidOption(_) => telelink_status::InvalidValue,
            McapError::Exists(_) => telelink_status::Duplicate,
            McapError::Io { .. } => telelink_status::Io,
            McapError::Timeout => telelink_status::Timeout,
            McapError::Closed => telelink_status::Closed,
            McapError::Panic(_) => telelink_status::Panic,
        };
        Self::new(status, error.to_string())
    }
}

/// What a writer asks and tells the application. Set up with telelink_mcap_writer_callbacks_init().
///
/// Arguments are borrowed for the callback. A callback may call anything of telelink, also free the writer. No lock of the
/// library is held meanwhile. A callback that throws or jumps out ends the process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_mcap_writer_callbacks {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to every function below. Consumed by telelink_mcap_writer_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last callback; before telelink_mcap_writer_create() returns when that fails. May be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Is the channel recorded? Asked once per channel, inside the call that creates the channel or the writer, on that
    /// thread; calls can overlap. It must not block. NULL: all are.
    pub channel_filter:
        Option<unsafe extern "C" fn(context: *mut c_void, channel: *const telelink_channel_info) -> bool>,
    /// The recording has ended because of an error: the disk is full, for example. At most once, on the writer's thread
    /// `tl-mcap`. The robot goes on, telelink_channel_log() too. May be NULL.
    pub on_error: Option<unsafe extern "C" fn(context: *mut c_void, status: telelink_status, message: telelink_str)>,
}

sized_struct!(
    telelink_mcap_writer_callbacks,
    first_size: size_of::<telelink_mcap_writer_callbacks>(),
    defaults: telelink_mcap_writer_callbacks {
        struct_size: size_of::<telelink_mcap_writer_callbacks>(),
        context: std::ptr::null_mut(),
        drop: None,
        channel_filter: None,
        on_error: None,
    },
);

/// How to make a recording. Set up with telelink_mcap_writer_options_init(). Needed is `path`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_mcap_writer_options {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// The file; its folder must exist. Required. Two writers must not have the same one.
    pub path: telelink_str,
    /// Replace a file that exists: 0 or 1. Default 0: refuse.
    pub overwrite: u32,
    /// A telelink_mcap_compression. Default TELELINK_MCAP_COMPRESSION_ZSTD.
    pub compression: i32,
    /// A telelink_mcap_sync. Default TELELINK_MCAP_SYNC_AT_END.
    pub sync: i32,
    /// Not used; 0.
    pub reserved: u32,
    /// A chunk ends when its messages have so many bytes, 1 KiB to 1 GiB. Default 4 MiB.
    pub chunk_size: u64,
    /// A chunk ends at the latest so long after its first message was logged, milliseconds, 10 to 3,600,000: what a crash
    /// of the process can lose at most, while the disk keeps up. Default 1,000.
    pub chunk_duration_ms: u64,
    /// Messages that may wait for the disk, 16 to 16,777,216; what comes beyond is dropped, and counted. Default 65,536.
    pub queue_messages: u64,
    /// Their bytes, from 64 KiB; also the largest message that can be recorded. Default 64 MiB.
    pub queue_bytes: u64,
    /// The file's profile: empty, "ros1" or "ros2", which promise what those profiles ask of the channels. Default empty.
    pub profile: telelink_str,
    /// Names the writing program in the file's header. Default empty: "telelink" with its version.
    pub library: telelink_str,
    /// Optional. Its context is consumed.
    pub callbacks: *const telelink_mcap_writer_callbacks,
}

sized_struct!(
    telelink_mcap_writer_options,
    first_size: size_of::<telelink_mcap_writer_options>(),
    defaults: {
        let options = McapWriterOptions::new("");
        telelink_mcap_writer_options {
            struct_size: size_of::<telelink_mcap_writer_options>(),
            path: telelink_str::EMPTY,
            overwrite: 0,
            compression: telelink_mcap_compression::Zstd as i32,
            sync: telelink_mcap_sync::AtEnd as i32,
            reserved: 0,
            chunk_size: options.chunk_size,
            chunk_duration_ms: options.chunk_duration.as_millis() as u64,
            queue_messages: options.queue_messages as u64,
            queue_bytes: options.queue_bytes as u64,
            profile: telelink_str::EMPTY,
            library: telelink_str::EMPTY,
            callbacks: std::ptr::null(),
        }
    },
);

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

/// A callback table with its context owned: whatever fails later, `drop` runs.
struct Callbacks {
    channel_filter: Option<unsafe extern "C" fn(context: *mut c_void, channel: *const telelink_channel_info) -> bool>,
    on_error: Option<unsafe extern "C" fn(context: *mut c_void, status: telelink_status, message: telelink_str)>,
    context: Context,
}

impl Callbacks {
    /// Takes over the context of a table.
    ///
    /// # Safety
    /// `table` must be NULL or readable by its `struct_size`.
    unsafe fn take(table: *const telelink_mcap_writer_callbacks, tables: &Latch) -> Result<Option<Arc<Self>>, Failure> {
        // SAFETY: the caller's promise.
        let table = unsafe { sized::read_optional(table, "options.callbacks") }?;
        Ok(table.map(|table| {
            let context = Context::new(table.context, table.drop).counted_by(tables);
            Arc::new(Self { channel_filter: table.channel_filter, on_error: table.on_error, context })
        }))
    }

    fn apply(self: Arc<Self>, options: &mut McapWriterOptions) {
        if let Some(filter) = self.channel_filter {
            let callbacks = self.clone();
            options.channel_filter = Some(Arc::new(move |channel: &ChannelRef| {
                // SAFETY: the function belongs to the table with this context; the channel lives until it returns.
                unsafe { filter(callbacks.context.get(), telelink_channel_info::of(channel)) }
            }));
        }
        options.listener = Some(Arc::new(Listener(self)));
    }
}

struct Listener(Arc<Callbacks>);

impl McapListener for Listener {
    fn on_error(&self, error: &McapError) {
        let Some(callback) = self.0.on_error.filter(|_| !is_exiting()) else { return };
        let failure = Failure::from(error.clone());
        // SAFETY: the function belongs to the table with this context; the text lives until it returns.
        unsafe { callback(self.0.context.get(), failure.status, telelink_str::of(&failure.message)) };
    }
}

fn compression(value: i32) -> Result<McapCompression, Failure> {
    match value {
        0 => Ok(McapCompression::Zstd),
        1 => Ok(McapCompression::Lz4),
        2 => Ok(McapCompression::None),
        _ => Err(no_such("compression", value)),
    }
}

fn sync(value: i32) -> Result<McapSync, Failure> {
    match value {
        0 => Ok(McapSync::Never),
        1 => Ok(McapSync::AtEnd),
        2 => Ok(McapSync::EachChunk),
        _ => Err(no_such("sync", value)),
    }
}

#[cold]
fn no_such(name: &str, value: i32) -> Failure {
    let text = format!("options.{name} is {value}, which is no telelink_mcap_{name}");
    Failure::new(telelink_status::InvalidValue, text)
}

/// Options of C as those of Rust.
///
/// # Safety
/// `options` must be NULL or readable by its `struct_size`, and so must what it points to.
unsafe fn convert(options: *const telelink_mcap_writer_options, tables: &Latch) -> Result<McapWriterOptions, Failure> {
    // SAFETY: the caller's promise, for this and for all views and pointers below.
    unsafe {
        let options = sized::read(options, "options")?;
        // First, because it takes over the context: consumed even if something else is wrong.
        let callbacks = Callbacks::take(options.callbacks, tables)?;
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let mut converted = McapWriterOptions {
            overwrite: options.overwrite != 0,
            compression: compression(options.compression)?,
            sync: sync(options.sync)?,
            chunk_size: options.chunk_size,
            chunk_duration: Duration::from_millis(options.chunk_duration_ms),
            queue_messages: size(options.queue_messages),
            queue_bytes: size(options.queue_bytes),
            profile: view::text(options.profile, "options.profile")?.to_owned(),
            ..McapWriterOptions::new(view::text(options.path, "options.path")?)
        };
        let library = view::text(options.library, "options.library")?;
        if !library.is_empty() {
            converted.library = library.to_owned();
        }
        if let Some(callbacks) = callbacks {
            callbacks.apply(&mut converted);
        }
        Ok(converted)
    }
}

/// Fills options with the defaults.
///
/// @param options      Written.
/// @param struct_size  sizeof *options.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `options` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_options_init(
    options: *mut telelink_mcap_writer_options,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(options, struct_size, "options") })
}

/// Prepares a callback table: no callbacks.
///
/// @param callbacks    Written.
/// @param struct_size  sizeof *callbacks.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `callbacks` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_callbacks_init(
    callbacks: *mut telelink_mcap_writer_callbacks,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(callbacks, struct_size, "callbacks") })
}

/// Opens an MCAP file and records everything that is logged to the context's channels from now on, existing ones and new
/// ones. telelink_channel_log() feeds sessions and writers with one call; the disk is a thread's business, `tl-mcap`.
///
/// What the options name is copied. The context of the callback table is consumed, on failure too: then its `drop` has run
/// when this returns (not for a table whose own `struct_size` is wrong, of which nothing can be read).
///
/// @param context  Borrowed; may be freed before the writer.
/// @param options  Borrowed. Set up with telelink_mcap_writer_options_init().
/// @param out      Receives the writer; free it with telelink_mcap_writer_free(). Written only on success.
/// @return TELELINK_STATUS_OK             recording
///         TELELINK_STATUS_NULL_ARGUMENT  `context`, `options` or `out` is NULL
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8; the message names it
///         TELELINK_STATUS_INVALID_VALUE  an option cannot work; the message names it
///         TELELINK_STATUS_STRUCT_SIZE    a struct was not set up with its `_init` function
///         TELELINK_STATUS_DUPLICATE      the file exists, and `overwrite` is 0
///         TELELINK_STATUS_IO             the file cannot be opened or written; the message says why
///         TELELINK_STATUS_NOT_SUPPORTED  the library was built without MCAP
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, allowed inside callbacks. Opens a file; `channel_filter` runs inside this call.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_create(
    context: *const telelink_context,
    options: *const telelink_mcap_writer_options,
    out: *mut *mut telelink_mcap_writer,
) -> telelink_status {
    guard(|| {
        let tables = Latch::default();
        // SAFETY: the header asks for NULL or options whose pointers are readable.
        let options = unsafe { convert(options, &tables) }?;
        // SAFETY: the header asks for a live context or NULL.
        let context = unsafe { handle::borrow(context, "context") }?;
        let out = handle::out_pointer(out, "out")?;
        watch_process();
        let writer = McapWriter::start(&context.context, options)?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_mcap_writer { writer, tables }) };
        Ok(())
    })
}

/// Ends the recording: nothing that is logged later is in the file. What waits is written, and the file finished.
///
/// Closing again waits again. Inside the `on_error` of this writer it does not wait.
///
/// @param writer      Borrowed; still has to be freed.
/// @param timeout_ms  How long to wait for the file, milliseconds; 0: do not wait.
/// @return TELELINK_STATUS_OK             the file is complete; or `timeout_ms` is 0
///         TELELINK_STATUS_TIMEOUT        not finished in time; that goes on
///         TELELINK_STATUS_IO             the recording has failed; the message says why
///         TELELINK_STATUS_PANIC          a fault of telelink ended the recording
///         TELELINK_STATUS_NULL_ARGUMENT  `writer` is NULL
///         TELELINK_STATUS_CLOSED         the process was forked from one that uses telelink
/// @threading Any thread, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_close(
    writer: *const telelink_mcap_writer,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live writer or NULL.
        let writer = &unsafe { handle::borrow(writer, "writer") }?.writer;
        if timeout_ms == 0 {
            writer.stop();
            return Ok(());
        }
        Ok(writer.close(Duration::from_millis(timeout_ms))?)
    })
}

/// Closes the writer and frees it. Waits until the file is finished, 10 s at most, and until running callbacks have
/// returned; none starts afterwards.
///
/// Called from a callback of telelink it does not wait: the rest is finished afterwards, and `drop` marks the end.
///
/// @param writer  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_free(writer: *mut telelink_mcap_writer) {
    guard_or((), || {
        // SAFETY: the header asks for NULL or a live handle that is not used again.
        let Some(writer) = (unsafe { handle::take(writer) }) else { return };
        if is_forked() {
            // The thread that would finish the file does not exist in the child, and the file is the parent's.
            std::mem::forget(writer);
            return;
        }
        let telelink_mcap_writer { writer, tables } = *writer;
        let ended = writer.end();
        // The file is finished, but a thread may still be inside the filter.
        while ended && !Session::on_callback_thread() && !tables.wait(DROP_WAIT) {
            tracing::warn!("waiting for the callbacks of a freed MCAP writer to return");
        }
    });
}

/// Ends the chunk under way, and waits until all that was logged before is in the file.
///
/// @param writer      Borrowed.
/// @param timeout_ms  How long to wait, milliseconds.
/// @return TELELINK_STATUS_OK             it is in the file
///         TELELINK_STATUS_TIMEOUT        not in time; that goes on
///         TELELINK_STATUS_IO             the recording has failed; the message says why
///         TELELINK_STATUS_PANIC          a fault of telelink ended the recording
///         TELELINK_STATUS_NULL_ARGUMENT  `writer` is NULL
///         TELELINK_STATUS_CLOSED         the writer is closed, or the process was forked from one that uses telelink
/// @threading Any thread, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_flush(
    writer: *const telelink_mcap_writer,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live writer or NULL.
        Ok(unsafe { handle::borrow(writer, "writer") }?.writer.flush(Duration::from_millis(timeout_ms))?)
    })
}

/// What a writer is doing.
///
/// @param writer  Borrowed. NULL gives TELELINK_MCAP_STATUS_CLOSED.
/// @return The state now.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_status(writer: *const telelink_mcap_writer) -> telelink_mcap_status {
    guard_get(telelink_mcap_status::Closed, || {
        // SAFETY: the header asks for a live writer or NULL.
        Ok(unsafe { handle::borrow(writer, "writer") }?.writer.stats().status.into())
    })
}

/// Why the recording has failed, if it has.
///
/// @param writer  Borrowed.
/// @return TELELINK_STATUS_OK when nothing failed; TELELINK_STATUS_NULL_ARGUMENT when `writer` is NULL; else the reason,
///         and telelink_last_error_message() has its text.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_mcap_writer_last_error(writer: *const telelink_mcap_writer) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live writer or NULL.
        match unsafe { handle::borrow(writer, "writer") }?.writer.last_error() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    })
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
