//! Every order in which threads can meet in the viewer queue, the signals and the slot, as far as loom's bound on
//! preemptions goes (`scripts/test-loom.sh`). A wake-up that is lost shows as a deadlock.

use loom::future::block_on;
use loom::thread;
use std::future::poll_fn;

use super::*;
use crate::protocol::data_track;
use crate::room::{BoxFuture, DataTrack, FrameSource};

use super::sync::Notify;

const LIMITS: QueueLimits = QueueLimits { frames: 4, bytes: 1000 };

struct Made {
    queue: Arc<ViewerQueue>,
    budget: Arc<Budget>,
    signals: Arc<Signals>,
}

fn made(limits: QueueLimits) -> Made {
    let (budget, signals) = (Arc::new(Budget::new(1000)), Arc::<Signals>::default());
    let queue = Arc::new(ViewerQueue::new(5, limits, budget.clone(), signals.clone()));
    Made { queue, budget, signals }
}

fn frame(byte: u8) -> Bytes {
    vec![byte; 10].into()
}

/// What the stream's writer does: waits for the next bytes. `None`: the stream has ended.
fn next(queue: &ViewerQueue) -> Option<Vec<u8>> {
    block_on(poll_fn(|cx| {
        let mut out = Vec::new();
        queue.poll_fill(cx, 10, &mut out).map(|fill| (fill == Fill::Bytes).then_some(out))
    }))
}

#[test]
fn loom_a_writer_that_waits_gets_every_push_and_every_answer() {
    loom::model(|| {
        let made = made(LIMITS);
        let (first, second) = (made.queue.clone(), made.queue.clone());
        let first = thread::spawn(move || assert_eq!(first.push(frame(1)), Push::Queued));
        let second = thread::spawn(move || assert_eq!(second.push_answer(frame(2), None), Push::Queued));
        let mut got = [next(&made.queue).unwrap()[0], next(&made.queue).unwrap()[0]];
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(made.budget.used(), 0);
    });
}

#[test]
fn loom_a_parked_answer_enters_when_there_is_room() {
    loom::model(|| {
        let made = made(QueueLimits { frames: 1, ..LIMITS });
        made.queue.push(frame(1));
        let queue = made.queue.clone();
        let answer = thread::spawn(move || queue.push_answer(frame(2), None));
        assert_eq!(next(&made.queue).unwrap()[0], 1);
        assert_eq!(next(&made.queue).unwrap()[0], 2);
        assert_ne!(answer.join().unwrap(), Push::Overflow);
        assert_eq!(made.budget.used(), 0);
    });
}

/// S-108.
#[test]
fn loom_s_113_closing_ends_a_waiting_stream_and_gives_back_all_bytes() {
    loom::model(|| {
        let made = made(LIMITS);
        let (pusher, closer) = (made.queue.clone(), made.queue.clone());
        let pusher = thread::spawn(move || pusher.push(frame(1)));
        let closer = thread::spawn(move || closer.close());
        let written = std::iter::from_fn(|| next(&made.queue)).count() as u64;
        let pushed = u64::from(pusher.join().unwrap() == Push::Queued);
        closer.join().unwrap();
        let stats = made.queue.stats();
        assert_eq!((written, stats.frames_sent + stats.discarded), (stats.frames_sent, pushed));
        assert_eq!(made.budget.used(), 0);
        assert!(made.signals.take().resets.is_empty());
    });
}

#[test]
fn loom_finishing_ends_the_stream_after_what_was_queued() {
    loom::model(|| {
        let made = made(LIMITS);
        let (pusher, finisher) = (made.queue.clone(), made.queue.clone());
        let pusher = thread::spawn(move || pusher.push(frame(1)));
        let finisher = thread::spawn(move || finisher.finish());
        let written = std::iter::from_fn(|| next(&made.queue)).count();
        let queued = pusher.join().unwrap() == Push::Queued;
        finisher.join().unwrap();
        assert_eq!(written, usize::from(queued), "queued is written, refused is not");
    });
}

#[test]
fn loom_p_26_an_overflow_asks_for_one_reset_and_wakes_the_owner() {
    loom::model(|| {
        let made = made(QueueLimits { frames: 1, ..LIMITS });
        made.queue.push(frame(1));
        let (first, second) = (made.queue.clone(), made.queue.clone());
        let threads = [first, second].map(|queue| thread::spawn(move || queue.push(frame(2))));
        // The owner: nobody empties the queue, so there must be an overflow.
        let resets = loop {
            block_on(made.signals.wait());
            let taken = made.signals.take();
            if !taken.resets.is_empty() {
                break taken.resets;
            }
        };
        assert_eq!(resets.into_iter().collect::<Vec<_>>(), [(5, ResetCause::QueueOverflow)]);
        let mut pushes = threads.map(|thread| thread.join().unwrap());
        pushes.sort_by_key(|push| *push == Push::Closed);
        assert_eq!(pushes, [Push::Overflow, Push::Closed]);
        assert!(made.signals.take().resets.is_empty(), "only one");
        assert_eq!((made.budget.used(), made.queue.stats().discarded), (0, 2));
    });
}

#[test]
fn loom_the_owner_learns_that_a_busy_queue_has_room_again() {
    loom::model(|| {
        let made = made(LIMITS);
        for byte in 1..=3 {
            made.queue.push(frame(byte));
        }
        let queue = made.queue.clone();
        let writer = thread::spawn(move || (next(&queue), next(&queue)));
        // The driver looks at every turn, and sleeps until it is signalled.
        while made.queue.is_busy() {
            block_on(made.signals.wait());
        }
        writer.join().unwrap();
        assert!(!made.queue.is_busy());
    });
}

#[test]
fn loom_the_shared_budget_counts_every_byte_once() {
    loom::model(|| {
        let made = made(LIMITS);
        let other = Arc::new(ViewerQueue::new(6, LIMITS, made.budget.clone(), made.signals.clone()));
        let (first, second) = (made.queue.clone(), other.clone());
        let first = thread::spawn(move || (first.push(frame(1)), first.close()));
        let second = thread::spawn(move || (second.push(frame(2)), next(&second)));
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(made.budget.used(), 0);
    });
}

/// The adapter's side of a track: what wakes its sending thread.
#[derive(Default)]
struct Track(Notify);

impl DataTrack for Track {
    fn notify(&self) {
        self.0.notify_one();
    }
    fn unpublish(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

fn slot() -> (Arc<LossySlot>, Arc<Track>, Arc<ChannelCounters>) {
    let counters = Arc::<ChannelCounters>::default();
    let slot = Arc::new(LossySlot::new(7, 100, counters.clone(), Arc::default()));
    let track = Arc::<Track>::default();
    slot.attach(track.clone());
    (slot, track, counters)
}

fn sequence(frame: &Bytes) -> u32 {
    data_track::decode(frame).unwrap().sequence
}

#[test]
fn loom_the_newest_frame_of_a_slot_is_always_announced() {
    loom::model(|| {
        let (slot, track, counters) = slot();
        let logger = slot.clone();
        let logger = thread::spawn(move || (0..3).for_each(|_| logger.log(b"x", 1)));
        // The pacer: one frame per notification, as with one track in its turn.
        let mut last = None;
        let mut taken = 0;
        while last != Some(2) {
            block_on(track.0.notified());
            if let Some(frame) = slot.take() {
                let number = sequence(&frame.payload);
                assert!(last.is_none_or(|last| number > last), "in order");
                (last, taken) = (Some(number), taken + 1);
            }
        }
        logger.join().unwrap();
        assert_eq!(counters.read().overwritten + taken, 3, "what is not sent is counted");
        assert!(slot.take().is_none());
    });
}

#[test]
fn loom_s_226_oversize_drops_are_all_reported() {
    loom::model(|| {
        let signals = Arc::<Signals>::default();
        let slot = Arc::new(LossySlot::new(7, 1, Arc::default(), signals.clone()));
        let loggers = [slot.clone(), slot.clone()].map(|slot| thread::spawn(move || slot.log(b"too long", 1)));
        let mut reported = 0;
        while reported < 2 {
            block_on(signals.wait());
            reported += signals.take().oversize.get(&7).unwrap_or(&0);
        }
        assert_eq!(reported, 2);
        loggers.into_iter().for_each(|logger| logger.join().unwrap());
    });
}

#[test]
fn loom_p_150_frames_and_a_track_that_goes_away_are_counted() {
    loom::model(|| {
        let (slot, _, counters) = slot();
        let logger = slot.clone();
        let logger = thread::spawn(move || (0..2).for_each(|_| logger.log(b"x", 1)));
        let track = slot.detach().expect("was attached");
        logger.join().unwrap();
        assert!(slot.take().is_none(), "nothing waits for a track that is gone");
        assert_eq!(counters.read().not_ready, 2);
        drop(track);
    });
}
