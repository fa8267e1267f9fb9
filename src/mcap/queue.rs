//! What waits between the threads that log and the one that writes.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::track::Track;
use super::{McapError, McapStatus, McapWriterOptions, McapWriterStats};

/// How long the writing thread lets messages gather, so that `log` need not wake it for each.
const GATHER: Duration = Duration::from_millis(50);

/// For the writing thread, in order.
pub(super) enum Entry {
    /// A channel that messages will name from now on.
    Track(Arc<Track>),
    Message {
        track: u16,
        sequence: u32,
        time: u64,
        payload: Bytes,
    },
}

/// What the writing thread has to do beside the entries it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Nothing comes after these entries: finish.
    pub(super) closing: bool,
    /// Somebody waits until these entries are in the file: the number to be told to [`Queue::flushed`].
    pub(super) flush: Option<u64>,
}

/// The bounded queue, and the state of the writer that both sides see.
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do for the writing thread.
    work: Condvar,
    /// Something happened that others wait for.
    changed: Condvar,
    limits: Limits,
    pub(super) panics: AtomicU64,
}

struct Limits {
    messages: usize,
    bytes: usize,
    /// So many bytes are worth waking the writing thread for.
    wake_bytes: usize,
    gather: Duration,
}

#[derive(Default)]
struct State {
    entries: VecDeque<Entry>,
    /// Messages and bytes in `entries`.
    waiting: Load,
    /// The same, taken by the writing thread and not written yet.
    in_hand: Load,
    open: bool,
    closing: bool,
    /// The writing thread sleeps until it is woken.
    asleep: bool,
    flush_wanted: u64,
    flush_done: u64,
    /// The listener is being called; it is not called once nobody owns the writer.
    calling: bool,
    silenced: bool,
    failure: Option<McapError>,
    /// The writing thread has ended.
    outcome: Option<Result<(), McapError>>,
    taken: Load,
    dropped: u64,
    written: u64,
    chunks: u64,
    file_bytes: u64,
}

#[derive(Default, Clone, Copy)]
struct Load {
    messages: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

impl State {
    fn has_work(&self) -> bool {
        self.closing || self.flush_wanted > self.flush_done
    }
}

impl Queue {
    pub(super) fn new(options: &McapWriterOptions) -> Self {
        let chunk = usize::try_from(options.chunk_size).unwrap_or(usize::MAX);
        Self {
            state: Mutex::new(State { open: true, ..State::default() }),
            work: Condvar::new(),
            changed: Condvar::new(),
            limits: Limits {
                messages: options.queue_messages,
                bytes: options.queue_bytes,
                wake_bytes: (options.queue_bytes / 4).min(chunk),
                gather: GATHER.min(options.chunk_duration / 4),
            },
            panics: AtomicU64::new(0),
        }
    }

    /// How long a message can wait here before the writing thread looks at it.
    pub(super) fn gather(&self) -> Duration {
        self.limits.gather
    }

    /// A channel came. `false` when the writer takes nothing any more.
    pub(super) fn track(&self, track: Arc<Track>) -> bool {
        let mut state = self.state.lock();
        if state.open {
            state.entries.push_back(Entry::Track(track));
            self.wake(state);
            return true;
        }
        false
    }

    /// A message was logged. Never blocks; a full queue drops it. The lock is held for appending alone.
    pub(super) fn message(&self, track: &Track, time: u64, payload: Bytes) {
        let len = payload.len();
        let mut state = self.state.lock();
        if !state.open {
            // After closing nobody counts; a recording that failed says what it missed.
            if state.failure.is_some() {
                state.dropped += 1;
                track.drop_one();
            }
            return;
        }
        let (messages, bytes) =
            (state.waiting.messages + state.in_hand.messages, state.waiting.bytes + state.in_hand.bytes + len);
        if messages >= self.limits.messages || bytes > self.limits.bytes {
            state.dropped += 1;
            track.drop_one();
            return;
        }
        let before = state.waiting;
        let sequence = track.take(len);
        state.taken.add(len);
        state.waiting.add(len);
        state.entries.push_back(Entry::Message { track: track.id, sequence, time, payload });
        let wake_messages = self.limits.messages / 4;
        let crosses = (before.messages < wake_messages && state.waiting.messages >= wake_messages)
            || (before.bytes < self.limits.wake_bytes && state.waiting.bytes >= self.limits.wake_bytes);
        if state.asleep || crosses {
            self.wake(state);
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.asleep = false;
        drop(state);
        self.work.notify_one();
    }

    /// Waits for something to do, and moves all that waits into `batch`, which must be empty. Without entries, sleeps
    /// until `chunk_due`, if there is a chunk.
    pub(super) fn next(&self, batch: &mut VecDeque<Entry>, chunk_due: Option<Instant>) -> Turn {
        let mut state = self.state.lock();
        let mut gathered = Instant::now() + self.limits.gather;
        loop {
            let now = Instant::now();
            let many =
                state.waiting.messages >= self.limits.messages / 4 || state.waiting.bytes >= self.limits.wake_bytes;
            let due = chunk_due.is_some_and(|due| due <= now);
            if state.has_work() || many || due || (now >= gathered && !state.entries.is_empty()) {
                std::mem::swap(&mut state.entries, batch);
                state.in_hand = std::mem::take(&mut state.waiting);
                let flush = (state.flush_wanted > state.flush_done).then_some(state.flush_wanted);
                return Turn { closing: state.closing, flush };
            }
            if !state.entries.is_empty() {
                let until = chunk_due.map_or(gathered, |due| due.min(gathered));
                self.work.wait_until(&mut state, until);
                continue;
            }
            match chunk_due {
                // No wake-up by `log` here: what comes meanwhile is looked at in time anyway.
                Some(due) => {
                    self.work.wait_until(&mut state, due.min(gathered));
                    if state.entries.is_empty() && gathered <= Instant::now() {
                        gathered = Instant::now() + self.limits.gather;
                    }
                }
                None => {
                    state.asleep = true;
                    self.work.wait(&mut state);
                    state.asleep = false;
                    gathered = Instant::now() + self.limits.gather;
                }
            }
        }
    }

    /// Messages in hand were written: their places are free.
    pub(super) fn written(&self, messages: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.in_hand.messages -= messages;
        state.in_hand.bytes -= bytes;
    }

    /// A chunk with so many messages is in the file, which has `file_bytes` now.
    pub(super) fn chunk(&self, messages: u64, file_bytes: u64) {
        let mut state = self.state.lock();
        state.written += messages;
        state.chunks += 1;
        state.file_bytes = file_bytes;
    }

    /// All that a flush waits for is in the file.
    pub(super) fn flushed(&self, number: u64) {
        self.state.lock().flush_done = number;
        self.changed.notify_all();
    }

    /// Messages dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// The recording has failed: takes nothing any more, and gives back what waits, to be counted.
    pub(super) fn fail(&self, error: McapError) -> VecDeque<Entry> {
        let mut state = self.state.lock();
        state.open = false;
        state.failure = Some(error);
        state.waiting = Load::default();
        state.in_hand = Load::default();
        let left = std::mem::take(&mut state.entries);
        drop(state);
        self.changed.notify_all();
        left
    }

    /// A message that was taken will not be written.
    pub(super) fn drop_taken(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.taken.messages -= 1;
        state.taken.bytes -= bytes;
        state.dropped += 1;
    }

    /// Calls the listener, unless nobody owns the writer any more. No lock is held meanwhile.
    pub(super) fn call(&self, callback: impl FnOnce()) {
        {
            let mut state = self.state.lock();
            if state.silenced {
                return;
            }
            state.calling = true;
        }
        callback();
        self.state.lock().calling = false;
        self.changed.notify_all();
    }

    /// No callback starts from now on; waits for one that runs.
    pub(super) fn silence(&self) {
        let mut state = self.state.lock();
        state.silenced = true;
        while state.calling {
            self.changed.wait(&mut state);
        }
    }

    /// The writing thread's last word. `file_bytes` when the file was finished.
    pub(super) fn end(&self, outcome: Result<u64, McapError>) {
        let mut state = self.state.lock();
        state.open = false;
        state.file_bytes = outcome.as_ref().copied().unwrap_or(state.file_bytes);
        state.outcome = Some(outcome.map(|_| ()));
        drop(state);
        self.changed.notify_all();
    }

    /// Whether messages are taken.
    pub(super) fn is_open(&self) -> bool {
        self.state.lock().open
    }

    /// Takes nothing any more; what waits is written, and the file finished.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.open = false;
        state.closing = true;
        self.wake(state);
    }

    /// Waits for the writing thread's end.
    pub(super) fn wait_end(&self, timeout: Duration) -> Result<(), McapError> {
        let deadline = Instant::now().checked_add(timeout);
        self.wait(deadline, |state| state.outcome.clone())
    }

    /// Waits until all that was logged before is in the file.
    pub(super) fn flush(&self, timeout: Duration) -> Result<(), McapError> {
        let deadline = Instant::now().checked_add(timeout);
        let number = {
            let mut state = self.state.lock();
            if state.failure.is_none() && !state.open {
                return Err(McapError::Closed);
            }
            state.flush_wanted += 1;
            let number = state.flush_wanted;
            self.wake(state);
            number
        };
        self.wait(deadline, |state| match &state.failure {
            _ if state.flush_done >= number => Some(Ok(())),
            Some(error) => Some(Err(error.clone())),
            None => state.outcome.clone(),
        })
    }

    fn wait(
        &self,
        deadline: Option<Instant>,
        mut result: impl FnMut(&State) -> Option<Result<(), McapError>>,
    ) -> Result<(), McapError> {
        let mut state = self.state.lock();
        loop {
            if let Some(result) = result(&state) {
                return result;
            }
            let Some(deadline) = deadline else {
                self.changed.wait(&mut state);
                continue;
            };
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                return result(&state).unwrap_or(Err(McapError::Timeout));
            }
        }
    }

    pub(super) fn failure(&self) -> Option<McapError> {
        self.state.lock().failure.clone()
    }

    /// The figures, without those of channels.
    pub(super) fn stats(&self) -> McapWriterStats {
        let state = self.state.lock();
        let status = match (&state.outcome, &state.failure) {
            (_, Some(_)) | (Some(Err(_)), _) => McapStatus::Failed,
            (Some(Ok(())), _) => McapStatus::Closed,
            (None, None) if state.closing => McapStatus::Closing,
            (None, None) => McapStatus::Recording,
        };
        McapWriterStats {
            status,
            messages: state.taken.messages as u64,
            bytes: state.taken.bytes as u64,
            written_messages: state.written,
            dropped_messages: state.dropped,
            queued_messages: (state.waiting.messages + state.in_hand.messages) as u64,
            queued_bytes: (state.waiting.bytes + state.in_hand.bytes) as u64,
            channels: 0,
            channels_refused: 0,
            chunks: state.chunks,
            file_bytes: state.file_bytes,
            callback_panics: self.panics.load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}
