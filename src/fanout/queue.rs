//! The queue of control frames in front of one viewer's control stream (P-25, S-111, design.md section 4).

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};

use crate::room::{ByteSource, Fill};

use super::sync::Mutex;
use super::{Budget, ResetCause, Signals, Slot};

/// Bounds of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Frames.
    pub frames: usize,
    /// Bytes.
    pub bytes: usize,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// It waits for the stream.
    Queued,
    /// An answer that waits for room in the queue.
    Parked,
    /// The queue was full: it is closed now, all it held is discarded, and a reset was asked for.
    Overflow,
    /// The queue was closed before: nobody is there, which is no error (S-146).
    Closed,
}

/// A reading of one queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Frames waiting now.
    pub frames: usize,
    /// Bytes waiting now.
    pub bytes: usize,
    /// Most frames that ever waited.
    pub frames_high_water: usize,
    /// Most bytes that ever waited.
    pub bytes_high_water: usize,
    /// Frames written to the stream so far.
    pub frames_sent: u64,
    /// Bytes written to the stream so far.
    pub bytes_sent: u64,
    /// Frames discarded when the queue was closed.
    pub discarded: u64,
}

/// One viewer instance's queue: many producers, one stream. Closed for ever when the instance ends, so a route that
/// still names it is harmless (S-151). Pushing never blocks.
#[derive(Debug)]
pub struct ViewerQueue {
    client: u32,
    limits: QueueLimits,
    budget: Arc<Budget>,
    signals: Arc<Signals>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    /// Answers that did not fit; they enter when there is room. Bounded by the viewer's admission slots, which they
    /// hold: a request is admitted only while fewer than its limit are unanswered.
    parked: VecDeque<(Bytes, Option<Slot>)>,
    bytes: usize,
    closed: bool,
    /// The stream is to end when everything was written.
    finishing: bool,
    waker: Option<Waker>,
    /// The owner waits until the queue is no longer busy.
    tell_when_drained: bool,
    stats: QueueStats,
}

impl ViewerQueue {
    /// An empty queue of the registration `client`.
    pub fn new(client: u32, limits: QueueLimits, budget: Arc<Budget>, signals: Arc<Signals>) -> Self {
        budget.join();
        Self { client, limits, budget, signals, state: Mutex::default() }
    }

    /// The registration this queue belongs to.
    pub fn client(&self) -> u32 {
        self.client
    }

    /// Adds a frame. A frame that does not fit closes the queue and asks for a reset of the viewer (P-26).
    pub fn push(&self, frame: Bytes) -> Push {
        let waker = {
            let mut state = self.state.lock();
            if state.closed || state.finishing {
                return Push::Closed;
            }
            if !self.fits(&state, &frame) {
                self.close_locked(&mut state);
                // The frame that did not fit is lost with the others.
                state.stats.discarded += 1;
                drop(state);
                self.signals.reset(self.client, ResetCause::QueueOverflow);
                return Push::Overflow;
            }
            Self::enter(&mut state, frame);
            state.waker.take()
        };
        wake(waker);
        Push::Queued
    }

    /// Adds an answer to a request. One that does not fit now waits aside, and never resets the viewer (S-219). `slot`,
    /// the request's place among those admitted, is given back when the answer enters the queue (S-217).
    pub fn push_answer(&self, frame: Bytes, slot: Option<Slot>) -> Push {
        let (waker, pushed) = {
            let mut state = self.state.lock();
            if state.closed || state.finishing {
                return Push::Closed;
            }
            let pushed = if state.parked.is_empty() && self.fits(&state, &frame) {
                Self::enter(&mut state, frame);
                Push::Queued
            } else {
                state.parked.push_back((frame, slot));
                Push::Parked
            };
            (state.waker.take(), pushed)
        };
        wake(waker);
        pushed
    }

    fn fits(&self, state: &State, frame: &Bytes) -> bool {
        // A frame larger than the whole bound goes when nothing else waits: it is at most 16 MiB (P-33).
        let alone = state.frames.is_empty();
        state.frames.len() < self.limits.frames
            && (alone || state.bytes + frame.len() <= self.limits.bytes)
            && self.budget.take(frame.len(), state.bytes)
    }

    fn enter(state: &mut State, frame: Bytes) {
        state.bytes += frame.len();
        state.frames.push_back(frame);
        state.stats.frames_high_water = state.stats.frames_high_water.max(state.frames.len());
        state.stats.bytes_high_water = state.stats.bytes_high_water.max(state.bytes);
    }

    /// Whether more than half of a bound is used: then its viewer is not asked for more work. The owner is woken when
    /// that has changed.
    pub fn is_busy(&self) -> bool {
        let mut state = self.state.lock();
        state.tell_when_drained = self.over_half(&state);
        state.tell_when_drained
    }

    fn over_half(&self, state: &State) -> bool {
        state.frames.len() * 2 > self.limits.frames || state.bytes * 2 > self.limits.bytes || !state.parked.is_empty()
    }

    /// Closes the queue at once and discards what waits (S-113).
    pub fn close(&self) {
        let waker = {
            let mut state = self.state.lock();
            self.close_locked(&mut state);
            state.waker.take()
        };
        wake(waker);
    }

    /// Takes nothing more, and ends the stream when what waits is written.
    pub fn finish(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.finishing = true;
            state.waker.take()
        };
        wake(waker);
    }

    fn close_locked(&self, state: &mut State) {
        if !state.closed {
            state.closed = true;
            state.stats.discarded += (state.frames.len() + state.parked.len()) as u64;
            self.budget.give_back(state.bytes);
            state.frames.clear();
            state.parked.clear();
            state.bytes = 0;
        }
    }

    /// Reads the counters.
    pub fn stats(&self) -> QueueStats {
        let state = self.state.lock();
        QueueStats { frames: state.frames.len(), bytes: state.bytes, ..state.stats }
    }

    fn admit_parked(&self, state: &mut State) {
        while let Some((frame, slot)) = state.parked.pop_front() {
            if !self.fits(state, &frame) {
                if !state.frames.is_empty() {
                    state.parked.push_front((frame, slot));
                    return;
                }
                // With nothing before it, only the shared budget can refuse it, and nobody would tell when that has
                // room again. The answer is in memory already: it goes.
                self.budget.take_anyway(frame.len());
            }
            Self::enter(state, frame);
        }
    }
}

/// Wakes the stream's writer. Never under the lock: waking may run code of the adapter's runtime.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl ByteSource for ViewerQueue {
    fn poll_fill(&self, cx: &mut Context<'_>, max: usize, out: &mut Vec<u8>) -> Poll<Fill> {
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(Fill::End);
        }
        self.admit_parked(&mut state);
        let mut room = max;
        while room > 0 {
            let Some(frame) = state.frames.front_mut() else { break };
            let n = frame.len().min(room);
            out.extend_from_slice(&frame[..n]);
            frame.advance(n);
            room -= n;
            if frame.is_empty() {
                state.frames.pop_front();
                state.stats.frames_sent += 1;
            }
        }
        let taken = max - room;
        if taken > 0 {
            state.bytes -= taken;
            state.stats.bytes_sent += taken as u64;
            let tell = state.tell_when_drained && !self.over_half(&state);
            state.tell_when_drained &= !tell;
            drop(state);
            self.budget.give_back(taken);
            if tell {
                self.signals.wake();
            }
            return Poll::Ready(Fill::Bytes);
        }
        if state.finishing {
            return Poll::Ready(Fill::End);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for ViewerQueue {
    fn drop(&mut self) {
        self.close();
        self.budget.leave();
    }
}
