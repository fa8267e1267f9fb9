//! `telelink_mcap_writer`: what is logged, in a file.

use std::time::Duration;

use super::callback::Latch;
use super::context::telelink_context;
use super::guard::{guard, guard_get, guard_or, is_forked, watch_process};
use super::handle;
use super::mcap_writer_options::{convert, telelink_mcap_writer_options};
use super::status::{telelink_status, Failure};
use crate::gateway::Session;
use crate::mcap::{McapError, McapStatus, McapWriter};

/// How often freeing a writer says that it waits for its callback table.
const DROP_WAIT: Duration = Duration::from_secs(1);

/// A recording: writes what is logged to a context's channels to an MCAP file, beside whatever sessions there are.
pub struct telelink_mcap_writer {
    pub(super) writer: McapWriter,
    /// Open while the callback table has not been dropped.
    tables: Latch,
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
            McapError::Exists(_) | McapError::InUse(_) => telelink_status::Duplicate,
            McapError::Io { .. } => telelink_status::Io,
            McapError::Timeout => telelink_status::Timeout,
            McapError::Closed => telelink_status::Closed,
            McapError::Panic(_) => telelink_status::Panic,
        };
        Self::new(status, error.to_string())
    }
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
///         TELELINK_STATUS_DUPLICATE      the file exists, and `overwrite` is 0; or another writer, of this process or
///                                        another, records to it
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
