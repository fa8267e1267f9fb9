//! `McapWriter`: the application's handle of a recording.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::Duration;

use parking_lot::Mutex;

use crate::context::{ChannelRef, Context, SinkId};
use crate::threads::{self, on_callback_thread, ThreadRole};

use super::file::Recording;
use super::queue::Queue;
use super::sink::{McapSink, Tracks};
use super::track::TrackInfo;
use super::worker::Worker;
use super::{McapChannelStats, McapError, McapWriterOptions, McapWriterStats};

/// How long dropping a writer waits for a disk that does not answer.
const DROP_WAIT: Duration = Duration::from_secs(10);

/// Records the channels of a context to an MCAP file, beside whatever sessions there are; several writers can record the
/// same context.
///
/// Dropping it finishes the file, and waits for that, 10 s at most; on a callback thread of telelink it does not wait, and
/// the rest is finished afterwards. [`close`](Self::close) says how it went. Thread-safe.
pub struct McapWriter {
    pub(super) queue: Arc<Queue>,
    tracks: Arc<Mutex<Tracks>>,
    context: Context,
    sink: SinkId,
    thread: ThreadId,
}

impl McapWriter {
    /// Opens the file and starts recording: everything logged to the context's channels from now on, existing ones and new
    /// ones.
    ///
    /// # Errors
    ///
    /// [`McapError::Exists`], [`McapError::InUse`], [`McapError::Io`], [`McapError::InvalidOption`]; [`McapError::NotBuilt`].
    pub fn start(context: &Context, options: McapWriterOptions) -> Result<Self, McapError> {
        options.check()?;
        let recording = Recording::create(&options)?;
        let queue = Arc::new(Queue::new(&options));
        let tracks = Arc::<Mutex<Tracks>>::default();
        let attached = Arc::new(OnceLock::new());
        let path = options.path.display().to_string();
        let worker = Worker {
            queue: queue.clone(),
            tracks: tracks.clone(),
            context: context.clone(),
            sink: attached.clone(),
            listener: options.listener,
            path: path.clone(),
            chunk_size: options.chunk_size,
            chunk_duration: options.chunk_duration,
        };
        let thread = threads::spawn(ThreadRole::Mcap, move || worker.run(recording));
        let thread = thread.map_err(|error| McapError::Io {
            what: "cannot start the thread that writes",
            path,
            cause: error.to_string(),
        })?;
        let filter = options.channel_filter;
        let sink = context.add_sink_with(|id| {
            // Known before the first channel is: a recording that fails meanwhile takes the sink away again.
            let _ = attached.set(id);
            Arc::new(McapSink { id, queue: queue.clone(), tracks: tracks.clone(), filter })
        });
        if !queue.is_open() {
            context.remove_sink(sink);
        }
        Ok(Self { queue, tracks, context: context.clone(), sink, thread: thread.thread().id() })
    }

    /// Ends the recording: nothing that is logged later is in the file. What waits is written and the file finished, for
    /// which this waits, and so long at most. Calling it again waits again. Inside this writer's listener it does not wait.
    ///
    /// # Errors
    ///
    /// What went wrong with the recording; [`McapError::Timeout`] when it took longer (it goes on).
    pub fn close(&self, timeout: Duration) -> Result<(), McapError> {
        self.stop();
        if std::thread::current().id() == self.thread {
            // Inside the listener, which that thread waits for.
            return Err(self.last_error().unwrap_or(McapError::Timeout));
        }
        self.queue.wait_end(timeout)
    }

    /// Ends the recording without waiting for the file.
    pub fn stop(&self) {
        self.queue.close();
        self.context.remove_sink(self.sink);
    }

    /// Ends the chunk under way, and waits until all that was logged before is in the file.
    ///
    /// # Errors
    ///
    /// What went wrong with the recording; [`McapError::Timeout`]; [`McapError::Closed`].
    pub fn flush(&self, timeout: Duration) -> Result<(), McapError> {
        self.queue.flush(timeout)
    }

    /// Why the recording has failed, if it has.
    pub fn last_error(&self) -> Option<McapError> {
        self.queue.failure()
    }

    /// Figures of the recording.
    pub fn stats(&self) -> McapWriterStats {
        let (channels, channels_refused) = {
            let tracks = self.tracks.lock();
            (tracks.all().len() as u64, tracks.refused())
        };
        McapWriterStats { channels, channels_refused, ..self.queue.stats() }
    }

    /// Figures of each channel of the file, oldest first.
    pub fn channels(&self) -> Vec<McapChannelStats> {
        self.tracks.lock().all().iter().map(|track| track.stats()).collect()
    }

    /// Figures of one channel; `None` when it is not recorded.
    pub fn channel_stats(&self, channel: &ChannelRef) -> Option<McapChannelStats> {
        self.tracks.lock().stats_of(&TrackInfo::of(channel))
    }
}

impl Drop for McapWriter {
    fn drop(&mut self) {
        self.end_now();
    }
}

impl McapWriter {
    /// Drops the writer, and says whether its thread has ended.
    pub fn end(mut self) -> bool {
        self.end_now()
    }

    fn end_now(&mut self) -> bool {
        self.stop();
        if on_callback_thread() {
            return false;
        }
        if self.queue.wait_end(DROP_WAIT) == Err(McapError::Timeout) {
            tracing::error!("an MCAP file could not be finished within {DROP_WAIT:?}; that goes on without its owner");
            self.queue.silence();
            return false;
        }
        true
    }
}

impl fmt::Debug for McapWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McapWriter").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
