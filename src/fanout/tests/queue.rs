//! The viewer queue.

use super::*;

struct Made {
    queue: Arc<ViewerQueue>,
    signals: Arc<Signals>,
    budget: Arc<Budget>,
    woken: Arc<Woken>,
}

fn made(frames: usize, bytes: usize, budget: usize) -> Made {
    let (signals, budget) = (Arc::<Signals>::default(), Arc::new(Budget::new(budget)));
    let limits = QueueLimits { frames, bytes };
    let queue = Arc::new(ViewerQueue::new(5, limits, budget.clone(), signals.clone()));
    Made { queue, signals, budget, woken: Arc::default() }
}

impl Made {
    fn fill(&self, max: usize) -> Option<Vec<u8>> {
        fill(&self.queue, max, &self.woken)
    }

    fn resets(&self) -> Vec<(u32, ResetCause)> {
        self.signals.take().resets.into_iter().collect()
    }
}

fn frame(byte: u8, len: usize) -> Bytes {
    vec![byte; len].into()
}

/// S-94, S-115, P-25.
#[test]
fn frames_leave_in_order_together_and_cut_at_the_maximum() {
    let made = made(16, 1000, 1000);
    for byte in 1..=3 {
        assert_eq!(made.queue.push(frame(byte, 4)), Push::Queued);
    }
    assert_eq!(made.fill(6).unwrap(), [1, 1, 1, 1, 2, 2]);
    assert_eq!(made.queue.stats().bytes, 6);
    assert_eq!(made.fill(100).unwrap(), [2, 2, 3, 3, 3, 3]);
    assert!(made.fill(100).unwrap().is_empty());
    let stats = made.queue.stats();
    assert_eq!((stats.frames, stats.bytes, stats.frames_sent, stats.bytes_sent), (0, 0, 3, 12));
    assert_eq!((stats.frames_high_water, stats.bytes_high_water, made.budget.used()), (3, 12, 0));
}

#[test]
fn a_stream_that_waits_is_woken_once_by_a_push() {
    let made = made(16, 1000, 1000);
    assert!(made.fill(10).unwrap().is_empty());
    made.queue.push(frame(1, 1));
    made.queue.push(frame(2, 1));
    assert_eq!(made.woken.count(), 1);
    assert_eq!(made.fill(10).unwrap(), [1, 2]);
}

/// S-111, S-115.
#[test]
fn p_26_an_overflow_closes_the_queue_and_asks_for_one_reset() {
    for (frames, bytes) in [(2, 1000), (16, 8)] {
        let made = made(frames, bytes, 1000);
        assert_eq!(made.queue.push(frame(1, 4)), Push::Queued);
        assert_eq!(made.queue.push(frame(2, 4)), Push::Queued);
        assert_eq!(made.queue.push(frame(3, 4)), Push::Overflow);
        assert_eq!(made.resets(), [(5, ResetCause::QueueOverflow)]);
        // S-146: later pushes are nothing, and ask for nothing.
        assert_eq!(
            (made.queue.push(frame(4, 4)), made.queue.push_answer(frame(4, 4), None)),
            (Push::Closed, Push::Closed)
        );
        assert_eq!(made.resets(), []);
        // S-113: what waited is not written any more.
        assert_eq!(made.fill(100), None);
        assert_eq!((made.queue.stats().discarded, made.budget.used()), (3, 0));
    }
}

/// S-112.
#[test]
fn closing_wakes_the_stream_and_ends_it() {
    let made = made(16, 1000, 1000);
    made.fill(10);
    made.queue.close();
    assert_eq!((made.woken.count(), made.fill(10)), (1, None));
    made.queue.close();
    assert_eq!(made.queue.push(frame(1, 1)), Push::Closed);
}

/// S-112.
#[test]
fn finishing_ends_the_stream_after_what_waits_and_parked_answers_too() {
    let made = made(1, 1000, 1000);
    made.queue.push(frame(1, 2));
    made.queue.push_answer(frame(2, 2), None);
    made.queue.finish();
    assert_eq!(made.queue.push(frame(3, 2)), Push::Closed);
    assert_eq!(made.fill(10).unwrap(), [1, 1]);
    assert_eq!(made.fill(10).unwrap(), [2, 2]);
    assert_eq!(made.fill(10), None);
    assert!(made.resets().is_empty());
}

#[test]
fn s_219_an_answer_that_does_not_fit_waits_aside_and_keeps_its_place() {
    let made = made(16, 10, 1000);
    made.queue.push(frame(1, 8));
    assert_eq!(made.queue.push_answer(frame(2, 8), None), Push::Parked);
    assert_eq!(made.queue.push_answer(frame(3, 1), None), Push::Parked, "behind the one that came first");
    assert!(made.resets().is_empty());
    assert_eq!(made.fill(100).unwrap(), [1; 8]);
    let rest = made.fill(100).unwrap();
    assert_eq!(rest, [&[2; 8][..], &[3]].concat());
}

/// S-115.
#[test]
fn a_frame_larger_than_the_bound_goes_when_nothing_else_waits() {
    let made = made(16, 10, 1 << 20);
    assert_eq!(made.queue.push(frame(1, 500)), Push::Queued);
    assert_eq!(made.queue.push(frame(2, 1)), Push::Overflow);
}

#[test]
fn an_answer_is_never_stuck_on_the_budget_of_others() {
    let made = made(16, 1000, 1000);
    // Other viewers hold the whole budget and do not read.
    assert!(made.budget.take(1000, 0));
    (0..9).for_each(|_| made.budget.join());
    made.queue.push_answer(frame(1, 600), None);
    assert_eq!(made.fill(1000).unwrap().len(), 600);
    assert_eq!(made.budget.used(), 1000);
}

#[test]
fn a_viewer_that_holds_more_than_its_share_of_an_exhausted_budget_is_reset() {
    let made = made(16, 1000, 100);
    let limits = QueueLimits { frames: 16, bytes: 1000 };
    let other = ViewerQueue::new(6, limits, made.budget.clone(), made.signals.clone());
    assert_eq!(made.queue.push(frame(1, 90)), Push::Queued);
    assert_eq!(other.push(frame(2, 50)), Push::Queued, "its share");
    assert_eq!(made.queue.push(frame(3, 10)), Push::Overflow);
    assert_eq!(made.resets(), [(5, ResetCause::QueueOverflow)]);
    assert_eq!(made.budget.used(), 50);
    drop(other);
    assert_eq!(made.budget.used(), 0);
}

#[tokio::test]
async fn the_owner_is_woken_when_a_busy_queue_has_room_again() {
    let made = made(4, 1000, 1000);
    made.queue.push(frame(1, 10));
    made.queue.push(frame(2, 10));
    assert!(!made.queue.is_busy());
    made.queue.push(frame(3, 10));
    assert!(made.queue.is_busy());
    let mut wait = Box::pin(made.signals.wait());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(made.fill(5).unwrap().len(), 5);
    assert!(wait.as_mut().poll(&mut context).is_pending(), "three frames still wait");
    assert_eq!(made.fill(5).unwrap().len(), 5);
    assert!(wait.as_mut().poll(&mut context).is_ready());
    assert!(!made.queue.is_busy());
    // An answer that waits aside makes a queue busy too.
    made.queue.push(frame(1, 10));
    made.queue.push(frame(2, 10));
    made.queue.push_answer(frame(9, 10), None);
    assert!(made.queue.is_busy());
}

/// S-94, P-25.
#[test]
fn many_producers_lose_and_reorder_nothing() {
    let made = made(100_000, 1 << 20, 1 << 20);
    std::thread::scope(|scope| {
        for producer in 0..4u8 {
            let queue = &made.queue;
            scope.spawn(move || {
                for n in 0..1000u16 {
                    let [low, high] = n.to_le_bytes();
                    assert_eq!(queue.push(vec![producer, low, high].into()), Push::Queued);
                }
            });
        }
        let mut next = [0u16; 4];
        let mut bytes = Vec::new();
        let mut seen = 0;
        while seen < 4000 {
            bytes.extend(made.fill(100).unwrap());
            let whole = bytes.len() / 3 * 3;
            for frame in bytes.drain(..whole).collect::<Vec<_>>().chunks(3) {
                let number = u16::from_le_bytes([frame[1], frame[2]]);
                assert_eq!(number, next[usize::from(frame[0])]);
                next[usize::from(frame[0])] += 1;
                seen += 1;
            }
        }
    });
    assert_eq!((made.budget.used(), made.queue.stats().frames_sent), (0, 4000));
}

/// S-111.
#[test]
fn s_146_a_frame_for_a_closed_queue_is_dropped_without_another_reset() {
    let made = made(16, 1000, 1000);
    assert_eq!(made.queue.push(frame(1, 4)), Push::Queued);
    made.queue.close();
    assert_eq!(made.queue.push(frame(2, 4)), Push::Closed);
    assert_eq!(made.queue.push(frame(3, 4000)), Push::Closed, "also one that would not have fitted");
    assert_eq!(made.resets(), []);
    assert_eq!((made.queue.stats().frames, made.budget.used()), (0, 0));
}
