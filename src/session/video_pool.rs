//! The threads that convert pictures: as many conversions at a time as there are cores, fair over channels (S-237).

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::panics::{contain, PanicSwitch};
use super::video_publisher::Publisher;

/// Threads beyond the cores: those that wait for an encoder do not count as converting, so that a slow one cannot hold up
/// the other channels.
const MAX_WAITING: usize = 16;
/// A thread without work ends after this.
const IDLE: Duration = Duration::from_secs(10);

/// Threads that grow from none. What waits is bounded by the channels that are watched: each is in line at most once.
pub(crate) struct VideoPool {
    state: Mutex<State>,
    work: Condvar,
    /// Conversions at a time.
    limit: usize,
    pub(super) panics: Arc<AtomicU64>,
    pub(super) panic_switch: PanicSwitch,
}

/// The right to convert; given back when dropped.
struct Converting<'a>(&'a Arc<VideoPool>);

impl Drop for Converting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.converting -= 1;
        self.0.rouse(&mut state);
    }
}

#[derive(Default)]
struct State {
    /// First come, first served, one picture each: a channel with more pictures gets in line again.
    ready: VecDeque<Arc<Publisher>>,
    threads: usize,
    idle: usize,
    converting: usize,
    closed: bool,
}

impl VideoPool {
    pub(crate) fn new(panics: Arc<AtomicU64>) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            state: Mutex::default(),
            work: Condvar::new(),
            limit: cores,
            panics,
            panic_switch: PanicSwitch::default(),
        })
    }

    /// Converts a picture of this publisher as soon as it is its turn. Called on threads that log: never waits.
    pub(crate) fn submit(self: &Arc<Self>, publisher: Arc<Publisher>) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            drop(publisher);
            return;
        }
        state.ready.push_back(publisher);
        self.rouse(&mut state);
    }

    /// Sees to it that somebody takes what waits.
    fn rouse(self: &Arc<Self>, state: &mut State) {
        if state.ready.is_empty() || state.converting >= self.limit {
            // Whoever ends a conversion looks here again.
            return;
        }
        if state.idle > 0 {
            self.work.notify_one();
        } else if state.threads < self.limit + MAX_WAITING {
            let pool = self.clone();
            match std::thread::Builder::new().name("tl-video".into()).spawn(move || pool.run()) {
                Ok(_) => state.threads += 1,
                // The other threads take it; with none of them it waits for the next picture.
                Err(error) => tracing::error!(%error, "no thread for the conversion of images"),
            }
        }
    }

    /// Drops what waits and ends the threads when they have finished what they do.
    pub(crate) fn close(&self) {
        let ready = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.ready)
        };
        drop(ready);
        self.work.notify_all();
    }

    fn run(self: &Arc<Self>) {
        while let Some(publisher) = self.next() {
            let converting = Converting(self);
            if contain("video thread", &self.panics, || publisher.run_one(|| drop(converting))).is_none() {
                publisher.recover();
            }
        }
    }

    /// The next publisher in line, and the right to convert.
    fn next(&self) -> Option<Arc<Publisher>> {
        let mut state = self.state.lock();
        loop {
            if state.converting < self.limit {
                if let Some(publisher) = state.ready.pop_front() {
                    state.converting += 1;
                    return Some(publisher);
                }
            }
            state.idle += 1;
            let timed_out = !state.closed && self.work.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if state.closed || (timed_out && state.ready.is_empty()) {
                state.threads -= 1;
                return None;
            }
        }
    }
}
