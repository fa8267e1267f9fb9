//! The handler pool: requests of viewers run here, may block, and cannot starve each other (design.md decision 6).

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use parking_lot::{Condvar, Mutex};

use super::callbacks::run_callback;
use super::ClientId;

/// Most threads of one session that run handlers.
const MAX_THREADS: usize = 32;
/// The requester of questions about rights, which no viewer is: ids are never 0 (S-124).
pub(crate) const QUESTIONS: ClientId = ClientId(0);
/// Further threads for such questions: handlers that all block keep nobody from being authorized.
const QUESTION_THREADS: usize = 8;
const _: () = assert!(super::core::MAX_LATE < QUESTION_THREADS);
/// Threads that requests of one viewer may hold: its 32 admitted calls, all blocking, leave some to the others.
const MAX_PER_VIEWER: usize = 24;
/// A thread without work ends after this.
const IDLE: Duration = Duration::from_secs(10);

/// One request, ready to run.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Threads that grow from none to 32 and take requests round-robin over viewers. The queues are bounded by the
/// admission of the requests.
pub(crate) struct HandlerPool {
    state: Mutex<State>,
    work: Condvar,
    idle_changed: Condvar,
    panics: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    waiting: IndexMap<ClientId, VecDeque<Job>>,
    running: HashMap<ClientId, usize>,
    turn: usize,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl HandlerPool {
    pub(crate) fn new(panics: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), work: Condvar::new(), idle_changed: Condvar::new(), panics })
    }

    /// Runs a job of `client` as soon as it is its turn. A closed pool drops it.
    pub(crate) fn submit(self: &Arc<Self>, client: ClientId, job: Job) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            drop(job);
            return;
        }
        state.waiting.entry(client).or_default().push_back(job);
        let waiting: usize = state.waiting.values().map(VecDeque::len).sum();
        // Threads busy with questions are not the handlers'.
        let questions = if client == QUESTIONS { QUESTION_THREADS } else { state.questions().min(QUESTION_THREADS) };
        let most = MAX_THREADS + questions;
        if waiting > state.idle && state.threads < most {
            let pool = self.clone();
            match std::thread::Builder::new().name("tl-handler".into()).spawn(move || pool.run()) {
                Ok(_) => state.threads += 1,
                // The other threads take the job; with none of them it waits for the next submit.
                Err(error) => tracing::error!(%error, "no thread for a request handler"),
            }
        }
        drop(state);
        self.work.notify_one();
    }

    /// Drops what has not started; running handlers go on.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        // Outside the lock: dropping a job drops its responder, which answers.
        drop(waiting);
        self.work.notify_all();
    }

    /// Waits until no handler runs, and says every second that it waits.
    pub(crate) fn wait_idle(&self) {
        let mut state = self.state.lock();
        while state.threads > state.idle {
            if self.idle_changed.wait_for(&mut state, Duration::from_secs(1)).timed_out() {
                let running = state.threads - state.idle;
                tracing::warn!(running, "the session's end waits for request handlers that are still running");
            }
        }
    }

    fn run(&self) {
        while let Some((client, job)) = self.next() {
            run_callback("request handler", &self.panics, job);
            self.state.lock().ended(client);
        }
    }

    fn next(&self) -> Option<(ClientId, Job)> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.take() {
                return Some(job);
            }
            state.idle += 1;
            self.idle_changed.notify_all();
            let timed_out = !state.closed && self.work.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if state.waiting.is_empty() && (timed_out || state.closed) {
                state.threads -= 1;
                self.idle_changed.notify_all();
                return None;
            }
        }
    }
}

impl State {
    /// The next job, one per viewer in turn; a viewer that holds its share of the threads is passed over.
    fn take(&mut self) -> Option<(ClientId, Job)> {
        let count = self.waiting.len();
        let full = self.running.values().sum::<usize>() - self.questions() >= MAX_THREADS;
        let turn = (0..count).map(|step| (self.turn + step) % count).find(|&turn| {
            let client = self.waiting.get_index(turn).map(|(client, _)| client);
            client.is_some_and(|client| {
                let running = self.running.get(client).copied().unwrap_or(0);
                running < MAX_PER_VIEWER && (*client == QUESTIONS || !full)
            })
        })?;
        let (client, jobs) = self.waiting.get_index_mut(turn)?;
        let client = *client;
        let job = jobs.pop_front()?;
        if jobs.is_empty() {
            self.waiting.shift_remove(&client);
            self.turn = turn;
        } else {
            self.turn = turn + 1;
        }
        *self.running.entry(client).or_default() += 1;
        Some((client, job))
    }

    /// Questions that run.
    fn questions(&self) -> usize {
        self.running.get(&QUESTIONS).copied().unwrap_or(0)
    }

    fn ended(&mut self, client: ClientId) {
        if let Some(running) = self.running.get_mut(&client) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&client);
            }
        }
    }
}
