//! Tests of the hot path.

#[cfg(telelink_loom)]
mod interleavings;
mod queue;
mod slot;
mod video;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;

use super::*;
use crate::room::{ByteSource, Fill};

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Polls a queue as a stream does: `Some` bytes, `None` at the end, empty while nothing waits.
fn fill(queue: &ViewerQueue, max: usize, woken: &Arc<Woken>) -> Option<Vec<u8>> {
    let waker = Waker::from(woken.clone());
    let mut out = Vec::new();
    match queue.poll_fill(&mut Context::from_waker(&waker), max, &mut out) {
        Poll::Ready(Fill::Bytes) => {
            assert!((1..=max).contains(&out.len()));
            Some(out)
        }
        Poll::Ready(Fill::End) => {
            assert!(out.is_empty());
            None
        }
        Poll::Pending => {
            assert!(out.is_empty());
            Some(out)
        }
    }
}

#[test]
fn s_144_signals_are_a_set_and_keep_the_first_cause() {
    let signals = Signals::default();
    signals.reset(3, ResetCause::QueueOverflow);
    signals.reset(3, ResetCause::WriteFailure);
    signals.reset(1, ResetCause::WriteFailure);
    signals.oversize(9);
    signals.oversize(9);
    let taken = signals.take();
    let resets: Vec<_> = taken.resets.into_iter().collect();
    assert_eq!(resets, [(1, ResetCause::WriteFailure), (3, ResetCause::QueueOverflow)]);
    assert_eq!(taken.oversize.into_iter().collect::<Vec<_>>(), [(9, 2)]);
    assert!(signals.take().resets.is_empty());
}

#[tokio::test]
async fn a_signal_given_before_the_wait_ends_it() {
    let signals = Signals::default();
    signals.wake();
    signals.wait().await;
    let mut wait = Box::pin(signals.wait());
    let mut context = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut context).is_pending());
    signals.oversize(1);
    assert!(wait.as_mut().poll(&mut context).is_ready());
}

#[test]
fn the_budget_serves_everybody_their_share_and_stays_below_twice_the_limit() {
    let budget = Budget::new(1000);
    (0..4).for_each(|_| budget.join());
    assert!(budget.take(900, 0));
    // The one that holds most is refused, those below a quarter are served.
    assert!(!budget.take(200, 900));
    assert!(budget.take(250, 0));
    assert!(!budget.take(1, 250));
    assert!(budget.take(50, 200));
    assert_eq!(budget.used(), 1200);
    budget.give_back(1200);
    assert_eq!(budget.used(), 0);
    // When viewers leave, the shares of the others grow.
    assert!(budget.take(1000, 0));
    assert!(!budget.take(400, 0));
    (0..2).for_each(|_| budget.leave());
    assert!(budget.take(400, 0));
}

#[test]
fn a_lone_frame_larger_than_the_whole_budget_passes() {
    let budget = Budget::new(100);
    budget.join();
    assert!(budget.take(5000, 0));
    assert!(!budget.take(5000, 5000));
    budget.give_back(5000);
    assert_eq!(budget.used(), 0);
}

/// S-91.
#[test]
fn a_route_copies_the_payload_once_and_skips_queues_that_are_closed() {
    let (budget, signals) = (Arc::new(Budget::new(1 << 20)), Arc::<Signals>::default());
    let limits = QueueLimits { frames: 16, bytes: 1 << 20 };
    let queue = |id| Arc::new(ViewerQueue::new(id, limits, budget.clone(), signals.clone()));
    let (a, b, gone) = (queue(1), queue(2), queue(3));
    gone.close();
    let counters = Arc::<ChannelCounters>::default();
    let route = Route::new(7, counters.clone(), signals.clone(), [a.clone(), gone.clone(), b.clone()], None, None);
    route.log(b"payload", 42);
    let woken = Arc::<Woken>::default();
    let expected = crate::protocol::message_data_frame(7, 42, b"payload").unwrap();
    assert_eq!(fill(&a, 1000, &woken).unwrap(), &expected[..]);
    assert_eq!(fill(&b, 1000, &woken).unwrap(), &expected[..]);
    // S-151: closed for ever, and no reset is asked for.
    assert_eq!(fill(&gone, 1000, &woken), None);
    assert!(signals.take().resets.is_empty());
    // Counted once, however many viewers.
    assert_eq!((counters.read().reliable_messages, counters.read().reliable_bytes), (1, 7));
    // Another sink can have the copy.
    assert_eq!(route.log_keeping(b"kept", 43, true).as_deref(), Some(&b"kept"[..]));
    assert_eq!(route.log_keeping(b"kept", 44, false), None);
    fill(&a, 1000, &woken).unwrap();
    // P-133: what no peer would take is counted, reported and sent to nobody.
    route.log(&vec![0; 16 << 20], 1);
    assert_eq!(signals.take().oversize.into_iter().collect::<Vec<_>>(), [(7, 1)]);
    assert_eq!((counters.read().oversize, counters.read().reliable_messages), (1, 3));
    assert!(fill(&a, 1000, &woken).unwrap().is_empty());
}

#[test]
fn s_143_a_wake_up_lost_to_a_dropped_future_leaves_the_request_in_the_set() {
    let signals = Signals::default();
    let (woken, mut wait) = (Arc::new(Woken::default()), Box::pin(signals.wait()));
    let waker = Waker::from(woken.clone());
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    signals.reset(3, ResetCause::WriteFailure);
    assert_eq!(woken.count(), 1);
    // A room event won: the future that was woken is dropped unpolled.
    drop(wait);
    assert_eq!(signals.take().resets.len(), 1);
}
