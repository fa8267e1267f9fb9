//! Sends the data-track frames of one room, spaced.
//!
//! The library holds one pending frame for the whole room and replaces it silently (livekit-ffi.md 5.3), so frames that
//! follow each other too closely vanish. One plain thread per room therefore takes frames from the tracks that have
//! some, round-robin, and leaves a gap after each. A plain thread, because it sleeps more exactly than tokio's timer; it
//! is parked while there is nothing to send. The gap adapts to what is measured: frames accepted from us minus packets
//! that the library's `_data_track` channel reports as sent (pace.rs).

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::data_track::{Pushed, Track};
use super::pace::{Pace, Window};
use super::ready::Ready;
use crate::room::{DataFrame, DropCause};
use crate::threads::{self, ThreadRole};

/// Payload bytes of one packet; a longer frame travels in several (livekit-ffi.md 5.3).
const PACKET: usize = 16_000;

/// How often the loss is measured while frames are sent.
pub(in crate::room) const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// A frame that the transport's full queue has refused for so long is given up: it is old news.
const RETRY_LIMIT: Duration = Duration::from_secs(1);

/// Bound of one gap, however many packets a frame has: the thread must see that it is to stop.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Pause after a panic.
const AFTER_PANIC: Duration = Duration::from_millis(100);

/// Measures what a room's library has sent.
pub(in crate::room) trait Meter: Send + Sync + 'static {
    /// Asks how many packets the data-track channel has sent on this connection; `tell` runs with the answer, on any thread,
    /// or is dropped without one. Does not wait.
    fn packets_sent(&self, tell: Box<dyn FnOnce(u32) + Send>);
}

/// A frame refused by the transport's full queue.
pub(in crate::room) struct Pending {
    frame: DataFrame,
    since: Instant,
}

/// The pacer of one room.
pub(in crate::room) struct Pacer {
    meter: Box<dyn Meter>,
    queue: Mutex<Queue>,
    wake: Condvar,
    pushed: AtomicU64,
    packets: AtomicU64,
    refused: AtomicU64,
    pace: Mutex<Pace>,
    started: Instant,
    panics: Arc<AtomicU64>,
}

#[derive(Default)]
struct Queue {
    ready: Ready<Arc<Track>>,
    /// The thread waits for work; only then a wake-up is worth its cost.
    parked: bool,
    running: bool,
    stopped: bool,
}

/// Figures for the room's statistics.
pub(in crate::room) struct PacerStats {
    pub(in crate::room) pushed: u64,
    pub(in crate::room) refused: u64,
    pub(in crate::room) gap: Duration,
}

impl Pacer {
    pub(in crate::room) fn new(meter: Box<dyn Meter>, panics: Arc<AtomicU64>) -> Self {
        Self {
            meter,
            queue: Mutex::default(),
            wake: Condvar::new(),
            pushed: AtomicU64::new(0),
            packets: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            pace: Mutex::new(Pace::new()),
            started: Instant::now(),
            panics,
        }
    }

    /// Adds a track and starts the thread with the first. Answers the track's place.
    pub(in crate::room) fn add_track(self: &Arc<Self>, track: Arc<Track>) -> usize {
        let mut queue = self.queue.lock();
        let place = queue.ready.insert(track);
        if !queue.running && !queue.stopped {
            let pacer = self.clone();
            match threads::spawn(ThreadRole::Pacer, move || pacer.keep_running()) {
                Ok(_) => queue.running = true,
                Err(error) => tracing::error!(target: "telelink::livekit", "the pacer thread did not start: {error}"),
            }
        }
        place
    }

    /// Takes the track at `place` away.
    pub(in crate::room) fn remove_track(&self, place: usize) {
        let track = self.queue.lock().ready.remove(place);
        drop(track);
    }

    /// A track has a frame. May be called from any thread, also a real-time one: one short lock, no allocation.
    pub(in crate::room) fn notify(&self, track: &Track, place: usize) {
        if track.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut queue = self.queue.lock();
        if queue.stopped {
            return;
        }
        queue.ready.mark(place);
        if std::mem::take(&mut queue.parked) {
            drop(queue);
            self.wake.notify_one();
        }
    }

    /// Ends the thread. Frames still waiting stay in their sources.
    pub(in crate::room) fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.stopped = true;
        let tracks = queue.ready.clear();
        drop(queue);
        self.wake.notify_one();
        drop(tracks);
    }

    pub(in crate::room) fn stats(&self) -> PacerStats {
        PacerStats {
            pushed: self.pushed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            gap: self.pace.lock().gap(),
        }
    }

    /// A panic of a frame source or of our own costs a frame, not the room's data tracks (S-267).
    fn keep_running(self: Arc<Self>) {
        while catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(target: "telelink::livekit", "the pacer panicked and goes on; please report it");
            // Should it panic again and again, it does so slowly.
            thread::sleep(AFTER_PANIC);
        }
    }

    fn run(self: &Arc<Self>) {
        let mut measured = Instant::now();
        let mut free_at = measured;
        let mut idle = Duration::ZERO;
        // Whether frames come more slowly than the gaps end. Then the thread waits for the next one at once, and wakes up
        // once per frame. Else it sleeps first, so that no `log` has to pay for waking it.
        let mut seldom = false;
        loop {
            if !seldom {
                thread::sleep(free_at.saturating_duration_since(Instant::now()));
            }
            let Some((track, waited)) = self.next() else { break };
            let now = Instant::now();
            let early = free_at.saturating_duration_since(now);
            if waited {
                idle += now.saturating_duration_since(free_at);
            }
            thread::sleep(early);
            seldom = waited && early.is_zero();
            // Before the take: a notify from now on is for a frame that this take may miss.
            track.queued.store(false, Ordering::Release);
            let start = Instant::now();
            let packets = self.serve(&track);
            drop(track);
            if packets == 0 {
                continue;
            }
            if measured.elapsed() >= MEASURE_EVERY {
                self.measure(Window { length: measured.elapsed(), idle });
                (measured, idle) = (Instant::now(), Duration::ZERO);
            }
            // From push to push: the time that the push itself took is part of the gap.
            free_at = start + self.pace.lock().gap().saturating_mul(packets).min(LONGEST_SLEEP);
        }
    }

    /// The next track with something to send, and whether it had to be waited for, which uses no processor. `None`:
    /// stopped.
    fn next(&self) -> Option<(Arc<Track>, bool)> {
        let mut waited = false;
        let mut queue = self.queue.lock();
        loop {
            if queue.stopped {
                return None;
            }
            if let Some(track) = queue.ready.next() {
                return Some((track, waited));
            }
            waited = true;
            queue.parked = true;
            self.wake.wait(&mut queue);
        }
    }

    /// Sends the track's newest frame. Answers how many packets' worth of gap to leave.
    fn serve(&self, track: &Arc<Track>) -> u32 {
        let held = track.pending.lock().take();
        let newest = track.source.take();
        let (frame, since) = match (newest, held) {
            (Some(frame), held) => {
                if held.is_some() {
                    track.source.dropped(DropCause::TransportFull);
                }
                (frame, Instant::now())
            }
            (None, Some(Pending { frame, since })) => (frame, since),
            (None, None) => return 0,
        };
        if track.is_ended() {
            track.source.dropped(DropCause::NotPublished);
            return 0;
        }
        let packets = u32::try_from(frame.payload.len().div_ceil(PACKET).max(1)).unwrap_or(u32::MAX);
        match track.wire.push(&frame) {
            Pushed::Accepted => {
                self.pushed.fetch_add(1, Ordering::Relaxed);
                self.packets.fetch_add(u64::from(packets), Ordering::Relaxed);
            }
            Pushed::QueueFull => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.pace.lock().queue_full(self.started.elapsed());
                if since.elapsed() < RETRY_LIMIT {
                    *track.pending.lock() = Some(Pending { frame, since });
                    track.notify(self);
                } else {
                    track.source.dropped(DropCause::TransportFull);
                }
            }
            Pushed::NotPublished => {
                track.source.dropped(DropCause::NotPublished);
                track.on_lost();
                return 0;
            }
            Pushed::Refused => track.source.dropped(DropCause::Refused),
        }
        packets
    }

    /// Asks the library how much it has sent; the answer adapts the gap, on the thread that brings it.
    fn measure(self: &Arc<Self>, window: Window) {
        let (pacer, packets) = (Arc::downgrade(self), self.packets.load(Ordering::Relaxed));
        self.meter.packets_sent(Box::new(move |sent| {
            if let Some(pacer) = pacer.upgrade() {
                pacer.pace.lock().measured(packets, sent, window);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc;

    use super::super::data_track::Wire;
    use super::*;
    use crate::room::FrameSource;

    /// What the library answers, one frame after the other, and what it accepted.
    struct Answers {
        answers: Mutex<VecDeque<Pushed>>,
        accepted: mpsc::Sender<u64>,
    }

    impl Wire for Answers {
        fn push(&self, frame: &DataFrame) -> Pushed {
            let answer = self.answers.lock().pop_front().unwrap_or(Pushed::Accepted);
            if answer == Pushed::Accepted {
                let _ = self.accepted.send(frame.user_timestamp);
            }
            answer
        }
        fn unpublish(&self) {}
    }

    /// Frames that wait, and those that were told to be dropped.
    #[derive(Default)]
    struct Frames(Mutex<VecDeque<u64>>, Mutex<Vec<DropCause>>);

    impl FrameSource for Frames {
        fn take(&self) -> Option<DataFrame> {
            let user_timestamp = self.0.lock().pop_front()?;
            Some(DataFrame { payload: bytes::Bytes::from_static(b"frame"), user_timestamp })
        }
        fn dropped(&self, cause: DropCause) {
            self.1.lock().push(cause);
        }
    }

    struct Unmeasured;

    impl Meter for Unmeasured {
        fn packets_sent(&self, _: Box<dyn FnOnce(u32) + Send>) {}
    }

    struct Made {
        pacer: Arc<Pacer>,
        track: Arc<Track>,
        frames: Arc<Frames>,
        accepted: mpsc::Receiver<u64>,
    }

    fn made(answers: impl IntoIterator<Item = Pushed>) -> Made {
        let (sender, accepted) = mpsc::channel();
        let wire = Answers { answers: Mutex::new(answers.into_iter().collect()), accepted: sender };
        let frames = Arc::<Frames>::default();
        let track = Track::alone(Box::new(wire), frames.clone());
        Made { pacer: Arc::new(Pacer::new(Box::new(Unmeasured), Arc::default())), track, frames, accepted }
    }

    impl Made {
        fn log(&self, number: u64) {
            self.frames.0.lock().push_back(number);
        }

        /// The frame that the full queue refused.
        fn kept(&self) -> Option<u64> {
            self.track.pending.lock().as_ref().map(|pending| pending.frame.user_timestamp)
        }

        fn dropped(&self) -> Vec<DropCause> {
            self.frames.1.lock().clone()
        }
    }

    use DropCause::TransportFull;
    use Pushed::QueueFull;

    #[test]
    fn s_225_a_frame_refused_by_a_full_queue_is_kept_and_sent_when_there_is_room() {
        let made = made([QueueFull, QueueFull]);
        made.log(1);
        for refused in 1..=2 {
            assert_eq!(made.pacer.serve(&made.track), 1, "the gap is left all the same");
            assert_eq!((made.kept(), made.pacer.stats().refused), (Some(1), refused));
        }
        made.pacer.serve(&made.track);
        assert_eq!((made.accepted.try_recv(), made.kept(), made.dropped()), (Ok(1), None, vec![]));
        assert_eq!(made.pacer.serve(&made.track), 0, "nothing is sent twice");
        assert_eq!(made.pacer.stats().pushed, 1);
    }

    #[test]
    fn s_225_a_newer_frame_replaces_the_kept_one_which_is_counted() {
        let made = made([QueueFull, QueueFull]);
        made.log(1);
        made.pacer.serve(&made.track);
        made.log(2);
        made.pacer.serve(&made.track);
        assert_eq!((made.kept(), made.dropped()), (Some(2), vec![TransportFull]));
        made.pacer.serve(&made.track);
        assert_eq!((made.accepted.try_recv(), made.dropped()), (Ok(2), vec![TransportFull]));
    }

    #[test]
    fn s_225_a_frame_that_was_refused_for_a_second_is_dropped_and_counted() {
        let made = made([QueueFull, QueueFull]);
        made.log(1);
        made.pacer.serve(&made.track);
        if let Some(pending) = made.track.pending.lock().as_mut() {
            pending.since = Instant::now().checked_sub(RETRY_LIMIT).expect("the machine has run for a second");
        }
        made.pacer.serve(&made.track);
        assert_eq!((made.kept(), made.dropped()), (None, vec![TransportFull]));
        assert_eq!(made.pacer.serve(&made.track), 0);
        assert!(made.accepted.try_recv().is_err());
    }

    /// The thread comes back to what it has kept, without a new message.
    #[test]
    fn s_225_the_pacer_tries_again_by_itself() {
        let made = made([QueueFull; 3]);
        made.track.join(&made.pacer);
        made.log(7);
        made.track.notify(&made.pacer);
        let sent = made.accepted.recv_timeout(Duration::from_secs(60));
        made.pacer.stop();
        assert_eq!((sent, made.dropped(), made.pacer.stats().refused), (Ok(7), vec![], 3));
    }
}
