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

use super::data_tracks::LocalTrack;
use super::dispatch::{dispatcher, Answer};
use super::library::Library;
use super::messages::{push_error, DataTrackFrame, FfiRequest, GetSessionStatsRequest, LocalDataTrackTryPushRequest};
use super::pace::Pace;
use super::ready::Ready;
use super::stats;
use crate::room::{DataFrame, DropCause};

/// Payload bytes of one packet; a longer frame travels in several (livekit-ffi.md 5.3).
const PACKET: usize = 16_000;

/// How often the loss is measured while frames are sent.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// A frame that the transport's full queue has refused for so long is given up: it is old news.
const RETRY_LIMIT: Duration = Duration::from_secs(1);

/// Bound of one gap, however many packets a frame has: the thread must see that it is to stop.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Pause after a panic.
const AFTER_PANIC: Duration = Duration::from_millis(100);

/// A frame refused by the transport's full queue.
pub(super) struct Pending {
    frame: DataFrame,
    since: Instant,
}

/// The pacer of one room.
pub(super) struct Pacer {
    library: Arc<Library>,
    room: u64,
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
    ready: Ready<Arc<LocalTrack>>,
    /// The thread waits for work; only then a wake-up is worth its cost.
    parked: bool,
    running: bool,
    stopped: bool,
}

/// Figures for the room's statistics.
pub(super) struct PacerStats {
    pub(super) pushed: u64,
    pub(super) refused: u64,
    pub(super) gap: Duration,
}

impl Pacer {
    pub(super) fn new(library: Arc<Library>, room: u64, panics: Arc<AtomicU64>) -> Self {
        Self {
            library,
            room,
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
    pub(super) fn add_track(self: &Arc<Self>, track: Arc<LocalTrack>) -> usize {
        let mut queue = self.queue.lock();
        let place = queue.ready.insert(track);
        if !queue.running && !queue.stopped {
            let pacer = self.clone();
            match thread::Builder::new().name("tl-pacer".into()).spawn(move || pacer.keep_running()) {
                Ok(_) => queue.running = true,
                Err(error) => tracing::error!(target: "telelink::livekit", "the pacer thread did not start: {error}"),
            }
        }
        place
    }

    /// Takes the track at `place` away.
    pub(super) fn remove_track(&self, place: usize) {
        let track = self.queue.lock().ready.remove(place);
        drop(track);
    }

    /// A track has a frame. May be called from any thread, also a real-time one: one short lock, no allocation.
    pub(super) fn notify(&self, track: &LocalTrack, place: usize) {
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
    pub(super) fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.stopped = true;
        let tracks = queue.ready.clear();
        drop(queue);
        self.wake.notify_one();
        drop(tracks);
    }

    pub(super) fn stats(&self) -> PacerStats {
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
        // Whether frames come more slowly than the gaps end. Then the thread waits for the next one at once, and wakes up
        // once per frame. Else it sleeps first, so that no `log` has to pay for waking it.
        let mut seldom = false;
        loop {
            if !seldom {
                thread::sleep(free_at.saturating_duration_since(Instant::now()));
            }
            let Some((track, waited)) = self.next() else { break };
            let early = free_at.saturating_duration_since(Instant::now());
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
                self.measure(measured.elapsed());
                measured = Instant::now();
            }
            // From push to push: the time that the push itself took is part of the gap.
            free_at = start + self.pace.lock().gap().saturating_mul(packets).min(LONGEST_SLEEP);
        }
    }

    /// The next track with something to send, and whether it had to be waited for, which uses no processor. `None`:
    /// stopped.
    fn next(&self) -> Option<(Arc<LocalTrack>, bool)> {
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
    fn serve(&self, track: &Arc<LocalTrack>) -> u32 {
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
        match self.push(track, &frame) {
            None => {
                self.pushed.fetch_add(1, Ordering::Relaxed);
                self.packets.fetch_add(u64::from(packets), Ordering::Relaxed);
            }
            Some(push_error::LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_QUEUE_FULL) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.pace.lock().queue_full(self.started.elapsed());
                if since.elapsed() < RETRY_LIMIT {
                    *track.pending.lock() = Some(Pending { frame, since });
                    track.notify(self);
                } else {
                    track.source.dropped(DropCause::TransportFull);
                }
            }
            Some(
                push_error::LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_TRACK_UNPUBLISHED
                | push_error::LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_INVALID_HANDLE,
            ) => {
                track.source.dropped(DropCause::NotPublished);
                track.on_lost();
                return 0;
            }
            Some(_) => track.source.dropped(DropCause::Refused),
        }
        packets
    }

    /// Hands one frame to the library. `None`: accepted, else the error code.
    fn push(&self, track: &LocalTrack, frame: &DataFrame) -> Option<i32> {
        let request = FfiRequest {
            local_data_track_try_push: Some(LocalDataTrackTryPushRequest {
                track_handle: track.handle.id(),
                frame: DataTrackFrame {
                    payload: frame.payload.clone(),
                    user_timestamp: (frame.user_timestamp != 0).then_some(frame.user_timestamp),
                },
            }),
            ..Default::default()
        };
        match self.library.request(&request) {
            Ok(response) => response.local_data_track_try_push.and_then(|push| push.error).map(|error| error.code),
            Err(_) => Some(push_error::LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_INVALID_HANDLE),
        }
    }

    /// Asks the library how much it has sent; the answer adapts the gap on the library's thread.
    fn measure(self: &Arc<Self>, window: Duration) {
        let (pacer, packets) = (Arc::downgrade(self), self.packets.load(Ordering::Relaxed));
        let id = dispatcher().expect(MEASURE_EVERY * 5, Vec::new(), move |answer| {
            let (Some(pacer), Answer::Stats(stats)) = (pacer.upgrade(), answer) else { return };
            let Some(sent) = stats.result.as_ref().and_then(stats::data_packets_sent) else { return };
            pacer.pace.lock().measured(packets, sent, window);
        });
        let request = GetSessionStatsRequest { room_handle: self.room, request_async_id: Some(id) };
        if self.library.request(&FfiRequest { get_session_stats: Some(request), ..Default::default() }).is_err() {
            dispatcher().forget(id);
        }
    }
}
