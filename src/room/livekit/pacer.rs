//! Sends the data-track frames of one room, spaced.
//!
//! The library holds one pending frame for the whole room and replaces it silently (livekit-ffi.md 5.3), so frames that
//! follow each other too closely vanish. One plain thread per room therefore takes frames from the tracks that have
//! some, round-robin, and leaves a gap after each. A plain thread, because it sleeps more exactly than tokio's timer; it
//! is parked while there is nothing to send. The gap adapts to what is measured: frames accepted from us minus packets
//! that the library's `_data_track` channel reports as sent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::data_tracks::LocalTrack;
use super::dispatch::{dispatcher, Answer};
use super::library::Library;
use super::messages::{push_error, DataTrackFrame, FfiRequest, GetSessionStatsRequest, LocalDataTrackTryPushRequest};
use super::stats;
use crate::room::{DataFrame, DropCause};

/// Payload bytes of one packet; a longer frame travels in several (livekit-ffi.md 5.3).
const PACKET: usize = 16_000;

/// The gap after one packet, at first and its bounds. 0.5 ms lost nothing with 8 tracks (livekit-ffi.md 5.3); a shorter
/// gap than 0.3 ms only helps on machines with idle cores, a longer one than 4 ms carries too little to be worth it.
const GAP_START: Duration = Duration::from_micros(500);
const GAP_MIN: Duration = Duration::from_micros(300);
const GAP_MAX: Duration = Duration::from_millis(4);

/// How often the loss is measured while frames are sent.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// A frame that the transport's full queue has refused for so long is given up: it is old news.
const RETRY_LIMIT: Duration = Duration::from_secs(1);

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
    tracks: AtomicUsize,
    gap_us: AtomicU64,
    pushed: AtomicU64,
    packets: AtomicU64,
    refused: AtomicU64,
    loss: Mutex<LossMeter>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<LocalTrack>>,
    /// The thread waits for work; only then a wake-up is worth its cost.
    parked: bool,
    running: bool,
    stopped: bool,
}

/// Figures for the room's statistics.
pub(super) struct PacerStats {
    pub(super) pushed: u64,
    pub(super) refused: u64,
    pub(super) gap_us: u64,
}

impl Pacer {
    pub(super) fn new(library: Arc<Library>, room: u64) -> Self {
        Self {
            library,
            room,
            queue: Mutex::default(),
            wake: Condvar::new(),
            tracks: AtomicUsize::new(0),
            gap_us: AtomicU64::new(micros(GAP_START)),
            pushed: AtomicU64::new(0),
            packets: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            loss: Mutex::default(),
        }
    }

    /// Makes room for one more track, so that `notify` never allocates, and starts the thread with the first.
    pub(super) fn add_track(self: &Arc<Self>) {
        let tracks = self.tracks.fetch_add(1, Ordering::Relaxed) + 1;
        let mut queue = self.queue.lock();
        let missing = tracks.saturating_sub(queue.waiting.len());
        queue.waiting.reserve(missing);
        if queue.running || queue.stopped {
            return;
        }
        let pacer = self.clone();
        match thread::Builder::new().name("tl-pacer".into()).spawn(move || pacer.run()) {
            Ok(_) => queue.running = true,
            Err(error) => tracing::error!(target: "telelink::livekit", "the pacer thread did not start: {error}"),
        }
    }

    pub(super) fn remove_track(&self) {
        self.tracks.fetch_sub(1, Ordering::Relaxed);
    }

    /// A track has a frame. May be called from any thread, also a real-time one: one short lock, no allocation.
    pub(super) fn notify(&self, track: &Arc<LocalTrack>) {
        if track.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut queue = self.queue.lock();
        if queue.stopped {
            return;
        }
        queue.waiting.push_back(track.clone());
        if std::mem::take(&mut queue.parked) {
            drop(queue);
            self.wake.notify_one();
        }
    }

    /// Ends the thread. Frames still waiting stay in their sources.
    pub(super) fn stop(&self) {
        let mut queue = self.queue.lock();
        queue.stopped = true;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        self.wake.notify_one();
        drop(waiting);
    }

    pub(super) fn stats(&self) -> PacerStats {
        PacerStats {
            pushed: self.pushed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            gap_us: self.gap_us.load(Ordering::Relaxed),
        }
    }

    fn run(self: Arc<Self>) {
        let mut measured = Instant::now();
        while let Some(track) = self.next() {
            // Before the take: a notify from now on is for a frame that this take may miss.
            track.queued.store(false, Ordering::Release);
            let packets = self.serve(&track);
            drop(track);
            if packets == 0 {
                continue;
            }
            if measured.elapsed() >= MEASURE_EVERY {
                measured = Instant::now();
                self.measure();
            }
            let gap = Duration::from_micros(self.gap_us.load(Ordering::Relaxed));
            thread::sleep(gap.saturating_mul(packets).min(Duration::from_secs(1)));
        }
    }

    /// The next track with something to send; waits without using the processor. `None`: stopped.
    fn next(&self) -> Option<Arc<LocalTrack>> {
        let mut queue = self.queue.lock();
        loop {
            if queue.stopped {
                return None;
            }
            if let Some(track) = queue.waiting.pop_front() {
                return Some(track);
            }
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
                self.widen();
                if since.elapsed() < RETRY_LIMIT {
                    *track.pending.lock() = Some(Pending { frame, since });
                    self.notify(track);
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
    fn measure(self: &Arc<Self>) {
        let (pacer, packets) = (Arc::downgrade(self), self.packets.load(Ordering::Relaxed));
        let id = dispatcher().expect(MEASURE_EVERY * 5, Vec::new(), move |answer| {
            let (Some(pacer), Answer::Stats(stats)) = (pacer.upgrade(), answer) else { return };
            let Some(sent) = stats.result.as_ref().and_then(stats::data_packets_sent) else { return };
            let verdict = pacer.loss.lock().measured(packets, sent);
            match verdict {
                Verdict::Lossy => pacer.widen(),
                Verdict::Clean => pacer.narrow(),
                Verdict::Unclear => (),
            }
        });
        let request = GetSessionStatsRequest { room_handle: self.room, request_async_id: Some(id) };
        if self.library.request(&FfiRequest { get_session_stats: Some(request), ..Default::default() }).is_err() {
            dispatcher().forget(id);
        }
    }

    fn widen(&self) {
        self.scale(5, 4);
    }

    fn narrow(&self) {
        self.scale(19, 20);
    }

    fn scale(&self, numerator: u64, denominator: u64) {
        let change = |gap: u64| Some((gap * numerator / denominator).clamp(micros(GAP_MIN), micros(GAP_MAX)));
        // Cannot fail: the closure always answers.
        let _ = self.gap_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What a measurement says about the gap.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Lossy,
    Clean,
    Unclear,
}

/// Compares what was accepted from us with what went out.
#[derive(Default)]
struct LossMeter {
    /// Packets accepted from us, and sent by the channel, at the last measurement.
    last: Option<(u64, u32)>,
    /// Packets of the last window that were accepted but not sent yet: they may still be under way.
    carried: i64,
}

impl LossMeter {
    fn measured(&mut self, accepted: u64, sent: u32) -> Verdict {
        /// Below this a single frame under way would look like loss.
        const ENOUGH: i64 = 20;
        let Some((last_accepted, last_sent)) = self.last.replace((accepted, sent)) else { return Verdict::Unclear };
        let window = accepted.wrapping_sub(last_accepted) as i64;
        let went_out = sent.wrapping_sub(last_sent) as i32;
        if went_out < 0 {
            // A new connection counts from 0 again.
            self.carried = 0;
            return Verdict::Unclear;
        }
        let missing = window - i64::from(went_out) + self.carried;
        self.carried = missing.clamp(-2, 2);
        if window < ENOUGH {
            return Verdict::Unclear;
        }
        let lost = missing - self.carried;
        // More than 1 % is lossy; one lost packet in a short window is not.
        match lost {
            lost if lost > 1 && lost * 100 > window => Verdict::Lossy,
            lost if lost <= 0 => Verdict::Clean,
            _ => Verdict::Unclear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_what_was_accepted_and_not_sent() {
        let mut meter = LossMeter::default();
        assert_eq!(meter.measured(1000, 990), Verdict::Unclear);
        assert_eq!(meter.measured(2000, 1990), Verdict::Clean);
        assert_eq!(meter.measured(3000, 2800), Verdict::Lossy);
        assert_eq!(meter.measured(4000, 3800), Verdict::Clean);
    }

    #[test]
    fn a_packet_under_way_is_not_lost() {
        let mut meter = LossMeter::default();
        meter.measured(0, 0);
        assert_eq!(meter.measured(50, 49), Verdict::Clean);
        assert_eq!(meter.measured(100, 100), Verdict::Clean);
    }

    #[test]
    fn a_new_connection_starts_over() {
        let mut meter = LossMeter::default();
        meter.measured(1000, 1000);
        assert_eq!(meter.measured(1100, 10), Verdict::Unclear);
        assert_eq!(meter.measured(1200, 110), Verdict::Clean);
    }

    #[test]
    fn a_quiet_window_decides_nothing() {
        let mut meter = LossMeter::default();
        meter.measured(0, 0);
        assert_eq!(meter.measured(5, 0), Verdict::Unclear);
    }
}
