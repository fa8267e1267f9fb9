//! `telelink_mcap_writer_options` and `telelink_mcap_writer_callbacks`, and their conversion.

use std::ffi::c_void;
use std::sync::Arc;

use super::callback::{Context, Latch};
use super::channel::telelink_channel_info;
use super::guard::{guard, is_exiting};
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::context::ChannelRef;
use crate::mcap::{McapCompression, McapError, McapListener, McapSync, McapWriterOptions};

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
    /// The file; its folder must exist. Required. A file to which another writer records is refused.
    pub path: telelink_str,
    /// Replace a file that exists, unless a writer records to it: 0 or 1. Default 0: refuse.
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
pub(super) unsafe fn convert(
    options: *const telelink_mcap_writer_options,
    tables: &Latch,
) -> Result<McapWriterOptions, Failure> {
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
            chunk_duration: view::duration(options.chunk_duration_ms, "options.chunk_duration")?,
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
