//! The handler pool: requests of viewers run here, may block, and cannot starve each other (design.md decision 6).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use parking_lot::{Condvar, Mutex};

use super::futures::Futures;
use super::panics::{contain, PanicSwitch};
use super::ClientId;
use crate::context::run_callback;
use crate::threads::{self, ThreadRole};

/// Most threads of one session that run handlers.
const MAX_THREADS: usize = 32;
/// The requester of questions about rights, which no viewer is: ids are never 0 (S-124).
pub(crate) const QUESTIONS: ClientId = ClientId(0);
/// Further threads for such questions: handlers that all block keep nobody from being authorized.
const QUESTION_THREADS: usize = 8;
const _: () = assert!(super::core::MAX_LATE < QUESTION_THREADS);
/// Threads that requests of one viewer may hold: its 32 admitted calls, all blocking, leave some to the others.
const MAX_PER_VIEWER: usize = 24;
/// Jobs of one viewer that wait in one lane: as many as its slots for services and assets admit.
const MAX_WAITING: usize = 64;
/// Destructors that wait, from which on no more services are taken.
const MAX_DESTRUCTORS: usize = 1024;
/// A thread without work ends after this.
const IDLE: Duration = Duration::from_secs(10);

/// One request, ready to run.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// In which order the jobs of one viewer run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Beside each other.
    Parallel,
    /// One at a time, in order: a viewer that sets a parameter and then reads it sees what it set.
    InOrder,
}

/// Threads that grow from none to 32 and take requests round-robin over viewers. The queues are bounded by the
/// admission of the requests; those of a viewer that has left are dropped.
pub(crate) struct HandlerPool {
    state: Mutex<State>,
    work: Condvar,
    idle_changed: Condvar,
    panics: Arc<AtomicU64>,
    pub(crate) panic_switch: PanicSwitch,
    futures: Arc<Futures>,
}

#[derive(Default)]
struct State {
    waiting: IndexMap<ClientId, Waiting>,
    running: HashMap<ClientId, usize>,
    /// Viewers whose ordered lane has a job running.
    in_order: HashSet<ClientId>,
    /// Viewers that do not read their answers: what they ask for waits.
    paused: HashSet<ClientId>,
    turn: usize,
    threads: usize,
    idle: usize,
    closed: bool,
    /// What the session has let go of. Bounded by what the application gives it, see [`HandlerPool::wait_unburdened`].
    destructors: VecDeque<Job>,
    /// One of them runs: they run one at a time.
    destroying: bool,
    /// Nobody runs them any more.
    finished: bool,
}

/// Work for one of the threads.
enum Turn {
    Request(ClientId, Lane, Job),
    Destructor(Job),
}

#[derive(Default)]
struct Waiting {
    parallel: VecDeque<Job>,
    in_order: VecDeque<Job>,
}

impl Waiting {
    fn len(&self) -> usize {
        self.parallel.len() + self.in_order.len()
    }
}

impl HandlerPool {
    pub(crate) fn new(panics: Arc<AtomicU64>) -> Arc<Self> {
        let futures = Futures::new(panics.clone());
        let panic_switch = PanicSwitch::default();
        Arc::new(Self {
            state: Mutex::default(),
            work: Condvar::new(),
            idle_changed: Condvar::new(),
            panics,
            panic_switch,
            futures,
        })
    }

    /// Runs a job of `client` as soon as it is its turn. A closed pool drops it.
    pub(crate) fn submit(self: &Arc<Self>, client: ClientId, lane: Lane, job: Job) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            drop(job);
            return;
        }
        let waiting = state.waiting.entry(client).or_default();
        let lane = match lane {
            Lane::Parallel => &mut waiting.parallel,
            Lane::InOrder => &mut waiting.in_order,
        };
        // A request whose time is over has left its slot and still waits here (S-202), so the slots alone are no bound.
        if lane.len() >= MAX_WAITING {
            drop(state);
            tracing::debug!(%client, "a request was dropped: too many earlier ones have not run");
            drop(job);
            return;
        }
        lane.push_back(job);
        self.grow(&mut state);
        drop(state);
        self.work.notify_one();
    }

    /// Runs a destructor of the application on one of the threads, for whoever must not wait for it.
    pub(crate) fn destroy(self: &Arc<Self>, job: Job) {
        let mut state = self.state.lock();
        if state.finished {
            drop(state);
            return self.destroy_here(job);
        }
        state.destructors.push_back(job);
        if !state.closed {
            self.grow(&mut state);
        }
        // A closed pool leaves it to `wait_idle`, unless a thread is at hand.
        drop(state);
        self.work.notify_one();
    }

    /// Runs a destructor of the application on this thread.
    pub(crate) fn destroy_here(&self, job: Job) {
        run_callback("drop", &self.panics, job);
    }

    /// Waits while so many destructors wait that the session must not be given more to destroy; `false` when that takes
    /// longer.
    pub(crate) fn wait_unburdened(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.destructors.len() >= MAX_DESTRUCTORS {
            if self.idle_changed.wait_until(&mut state, deadline).timed_out() {
                return false;
            }
        }
        true
    }

    /// Starts one more thread when those that are idle are too few for what waits.
    fn grow(self: &Arc<Self>, state: &mut State) {
        let requests: usize = state.waiting.values().map(Waiting::len).sum();
        let waiting = requests + usize::from(state.may_destroy());
        if waiting > state.idle && state.threads < state.most_threads() {
            let pool = self.clone();
            match threads::spawn(ThreadRole::Handler, move || pool.run()) {
                Ok(_) => state.threads += 1,
                // The other threads take the job; with none of them it waits for the next submit.
                Err(error) => tracing::error!(%error, "no thread for a request handler"),
            }
        }
    }

    /// Starts no more jobs of a viewer until [`resume`](Self::resume): its answers wait in memory already.
    pub(crate) fn pause(&self, client: ClientId) {
        self.state.lock().paused.insert(client);
    }

    /// The viewer reads its answers again: its jobs run again.
    pub(crate) fn resume(self: &Arc<Self>, client: ClientId) {
        let mut state = self.state.lock();
        if state.paused.remove(&client) {
            // The threads may have ended for want of work.
            self.grow(&mut state);
            drop(state);
            self.work.notify_all();
        }
    }

    /// The viewer has left: drops what has not started.
    pub(crate) fn forget(&self, client: ClientId) {
        let waiting = {
            let mut state = self.state.lock();
            state.paused.remove(&client);
            state.waiting.shift_remove(&client)
        };
        // Outside the lock: dropping a job drops its responder, which answers.
        drop(waiting);
    }

    /// Drops what has not started, and futures; running handlers go on.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        // Outside the lock: dropping a job drops its responder, which answers.
        drop(waiting);
        self.futures.close();
        self.work.notify_all();
    }

    /// Waits until no handler and no future runs, and says every second that it waits. Then the destructors that wait
    /// have run, and later ones run where they arise.
    pub(crate) fn wait_idle(&self) {
        for last in [false, true] {
            // What no thread was there for, and what futures have left.
            while let Some(job) = self.next_when_idle(last) {
                self.destroy_here(job);
            }
            self.futures.wait_idle();
        }
    }

    /// Waits for the threads, and takes the next destructor. Without one, and when this is the `last` look, later ones run
    /// where they arise.
    fn next_when_idle(&self, last: bool) -> Option<Job> {
        let mut state = self.state.lock();
        while state.threads > state.idle {
            if self.idle_changed.wait_for(&mut state, Duration::from_secs(1)).timed_out() {
                let running = state.threads - state.idle;
                tracing::warn!(running, "the session's end waits for request handlers that are still running");
            }
        }
        let job = state.destructors.pop_front();
        self.idle_changed.notify_all();
        state.finished = last && job.is_none();
        job
    }

    fn run(&self) {
        self.futures.adopt_thread();
        while let Some(turn) = self.next() {
            match turn {
                Turn::Request(client, lane, job) => {
                    contain("handler thread", &self.panics, || {
                        self.panic_switch.check();
                        run_callback("request handler", &self.panics, job);
                    });
                    self.state.lock().ended(client, lane);
                }
                Turn::Destructor(job) => {
                    self.destroy_here(job);
                    self.state.lock().destroying = false;
                    self.idle_changed.notify_all();
                }
            }
        }
    }

    fn next(&self) -> Option<Turn> {
        let mut state = self.state.lock();
        loop {
            if state.may_destroy() {
                if let Some(job) = state.destructors.pop_front() {
                    state.destroying = true;
                    return Some(Turn::Destructor(job));
                }
            }
            if let Some((client, lane, job)) = state.take() {
                return Some(Turn::Request(client, lane, job));
            }
            state.idle += 1;
            self.idle_changed.notify_all();
            let timed_out = !state.closed && self.work.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            // Jobs that may not run now are taken by the thread of the one they wait for, or after `resume`.
            let work = state.may_destroy() || (0..state.waiting.len()).any(|turn| state.may_run(turn));
            if !work && (timed_out || state.closed) {
                state.threads -= 1;
                self.idle_changed.notify_all();
                return None;
            }
        }
    }
}

impl State {
    /// The next job, one per viewer in turn; a viewer that holds its share of the threads is passed over.
    fn take(&mut self) -> Option<(ClientId, Lane, Job)> {
        let count = self.waiting.len();
        let turn = (0..count).map(|step| (self.turn + step) % count).find(|&turn| self.may_run(turn))?;
        let (&client, waiting) = self.waiting.get_index_mut(turn)?;
        // Those that wait for each other first: they are short, and each waits for the one before.
        let (lane, job) = if waiting.in_order.is_empty() || self.in_order.contains(&client) {
            (Lane::Parallel, waiting.parallel.pop_front()?)
        } else {
            (Lane::InOrder, waiting.in_order.pop_front()?)
        };
        if waiting.len() == 0 {
            self.waiting.shift_remove(&client);
            self.turn = turn;
        } else {
            self.turn = turn + 1;
        }
        *self.running.entry(client).or_default() += 1;
        if lane == Lane::InOrder {
            self.in_order.insert(client);
        }
        Some((client, lane, job))
    }

    fn may_destroy(&self) -> bool {
        !self.destroying && !self.destructors.is_empty()
    }

    fn may_run(&self, turn: usize) -> bool {
        let Some((client, waiting)) = self.waiting.get_index(turn) else { return false };
        let has_share = self.running.get(client).is_some_and(|running| *running >= MAX_PER_VIEWER);
        let has_job = !waiting.parallel.is_empty() || !self.in_order.contains(client);
        let has_thread = *client == QUESTIONS || self.handlers() < MAX_THREADS;
        has_job && has_thread && !has_share && !self.paused.contains(client)
    }

    /// Questions that run.
    fn questions(&self) -> usize {
        self.running.get(&QUESTIONS).copied().unwrap_or(0)
    }

    /// Handlers that run.
    fn handlers(&self) -> usize {
        self.running.values().sum::<usize>() - self.questions()
    }

    /// Threads there may be now: those that questions and destructors need are not the handlers'.
    fn most_threads(&self) -> usize {
        let asked = self.questions() + self.waiting.get(&QUESTIONS).map_or(0, Waiting::len);
        let destructors = self.destroying || !self.destructors.is_empty();
        MAX_THREADS + asked.min(QUESTION_THREADS) + usize::from(destructors)
    }

    fn ended(&mut self, client: ClientId, lane: Lane) {
        if lane == Lane::InOrder {
            self.in_order.remove(&client);
        }
        if let Some(running) = self.running.get_mut(&client) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&client);
            }
        }
    }
}
