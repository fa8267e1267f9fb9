//! The thread `tl-mcap`: takes what waits, builds chunks, writes them.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::context::{run_callback, Context, SinkId};

use super::file::Recording;
use super::queue::{Entry, Queue, Turn};
use super::sink::Tracks;
use super::track::Track;
use super::{McapError, McapListener};

/// After so many messages the queue is told, and the clock is looked at.
const STRIDE: usize = 256;
/// The same in bytes.
const STRIDE_BYTES: usize = 1 << 20;
/// Dropped messages are worth a line of the log, but not more often.
const TELL_DROPS: Duration = Duration::from_secs(1);
/// Beyond so many channels with drops the file names no more; the sum counts them all.
const MAX_NOTES: usize = 1000;

/// Everything that the thread owns.
pub(super) struct Worker {
    pub(super) queue: Arc<Queue>,
    pub(super) tracks: Arc<Mutex<Tracks>>,
    pub(super) context: Context,
    /// Set once the sink is attached.
    pub(super) sink: Arc<OnceLock<SinkId>>,
    pub(super) listener: Option<Arc<dyn McapListener>>,
    pub(super) path: String,
    pub(super) chunk_size: u64,
    pub(super) chunk_duration: Duration,
}

/// The chunk under way.
#[derive(Default)]
struct Chunk {
    bytes: u64,
    messages: u64,
    /// When it has to end; none: nothing is in it.
    due: Option<Instant>,
}

/// What is told of drops, and when.
struct Drops {
    told: u64,
    at: Option<Instant>,
}

impl Worker {
    /// Runs until the writer is closed or the recording fails.
    pub(super) fn run(mut self, recording: Recording) {
        let mut batch = VecDeque::new();
        let mut known = Vec::new();
        let work = || self.record(recording, &mut batch, &mut known);
        let outcome = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome,
            Err(_) => Err(McapError::Panic(self.path.clone())),
        };
        if let Err(error) = &outcome {
            self.fail(error, batch, known);
        }
        if let Some(listener) = self.listener.take() {
            // The last thing of the application that this thread runs.
            run_callback("drop", &self.queue.panics, || drop(listener));
        }
        self.queue.end(outcome);
    }

    fn record(
        &self,
        mut recording: Recording,
        batch: &mut VecDeque<Entry>,
        known: &mut Vec<Arc<Track>>,
    ) -> Result<u64, McapError> {
        let mut chunk = Chunk::default();
        let mut drops = Drops { told: 0, at: None };
        loop {
            let turn = self.queue.next(batch, chunk.due);
            if let Err(error) = self.turn(&mut recording, batch, known, &mut chunk, turn) {
                recording.abandon();
                return Err(error);
            }
            self.tell_drops(&mut drops);
            if turn.closing {
                return recording.finish(self.notes());
            }
        }
    }

    fn turn(
        &self,
        recording: &mut Recording,
        batch: &mut VecDeque<Entry>,
        known: &mut Vec<Arc<Track>>,
        chunk: &mut Chunk,
        turn: Turn,
    ) -> Result<(), McapError> {
        let (mut messages, mut bytes) = (0, 0);
        while let Some(entry) = batch.front() {
            chunk.due.get_or_insert_with(|| Instant::now() + self.chunk_duration - self.queue.gather());
            match entry {
                Entry::Track(track) => {
                    known.push(track.clone());
                    recording.add_track(track)?;
                }
                Entry::Message { track, sequence, time, payload } => {
                    recording.write(*track, *sequence, *time, payload)?;
                    messages += 1;
                    bytes += payload.len();
                    chunk.messages += 1;
                    chunk.bytes += payload.len() as u64;
                }
            }
            // Only now: what fails before is counted as dropped.
            batch.pop_front();
            if chunk.bytes >= self.chunk_size {
                self.end_chunk(recording, chunk)?;
            }
            if messages >= STRIDE || bytes >= STRIDE_BYTES {
                self.queue.written(messages, bytes);
                (messages, bytes) = (0, 0);
                self.end_due(recording, chunk)?;
            }
        }
        self.queue.written(messages, bytes);
        if turn.closing || turn.flush.is_some() {
            self.end_chunk(recording, chunk)?;
        }
        self.end_due(recording, chunk)?;
        if let Some(number) = turn.flush {
            self.queue.flushed(number);
        }
        Ok(())
    }

    fn end_due(&self, recording: &mut Recording, chunk: &mut Chunk) -> Result<(), McapError> {
        if chunk.due.is_some_and(|due| due <= Instant::now()) {
            self.end_chunk(recording, chunk)?;
        }
        Ok(())
    }

    fn end_chunk(&self, recording: &mut Recording, chunk: &mut Chunk) -> Result<(), McapError> {
        let Chunk { messages, due, .. } = std::mem::take(chunk);
        if due.is_some() {
            recording.end_chunk()?;
            self.queue.chunk(messages, recording.file_bytes());
        }
        Ok(())
    }

    fn tell_drops(&self, drops: &mut Drops) {
        let dropped = self.queue.dropped();
        let now = Instant::now();
        if dropped > drops.told && drops.at.is_none_or(|at| now >= at + TELL_DROPS) {
            let more = dropped - drops.told;
            tracing::warn!(path = self.path, more, dropped, "messages were not recorded: the disk is too slow");
            *drops = Drops { told: dropped, at: Some(now) };
        }
    }

    /// What the file says of messages that it lacks.
    fn notes(&self) -> Vec<(String, String)> {
        let dropped = self.queue.dropped();
        if dropped == 0 {
            return Vec::new();
        }
        let tracks = self.tracks.lock();
        let lossy = tracks.all().iter().filter(|track| track.dropped() > 0);
        let of_tracks = lossy.take(MAX_NOTES).map(|track| {
            // Two channels can have one topic.
            (format!("dropped_messages {} {}", track.id, track.info.topic), track.dropped().to_string())
        });
        std::iter::once(("dropped_messages".to_owned(), dropped.to_string())).chain(of_tracks).collect()
    }

    /// The robot goes on without the file.
    fn fail(&self, error: &McapError, batch: VecDeque<Entry>, known: Vec<Arc<Track>>) {
        let left = self.queue.fail(error.clone());
        // Nothing is taken any more; this makes `log` cheap again. Without an id here, whoever attaches the sink sees that
        // the queue is closed.
        if let Some(sink) = self.sink.get() {
            self.context.remove_sink(*sink);
        }
        let mut tracks = known;
        for entry in batch.into_iter().chain(left) {
            match entry {
                Entry::Track(track) => tracks.push(track),
                Entry::Message { track, payload, .. } => {
                    self.queue.drop_taken(payload.len());
                    if let Some(track) = tracks.get(usize::from(track)) {
                        track.drop_taken(payload.len());
                    }
                }
            }
        }
        tracing::error!(path = self.path, %error, "the recording has ended");
        if let Some(listener) = &self.listener {
            self.queue.call(|| {
                run_callback("on_error", &self.queue.panics, || listener.on_error(error));
            });
        }
    }
}
