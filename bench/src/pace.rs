//! Calls something once for every message of a burst, when it is due.

use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::commands::{Acks, Burst, BurstDone};

/// Runs a burst: `send(n)` for the `n`th message, as its rate, window and limits say. Paced calls are timed one by one;
/// unpaced ones are not, because reading the clock costs as much as they do.
pub(crate) fn run(burst: &Burst, acks: &Acks, mut send: impl FnMut(u64)) -> BurstDone {
    let start = Instant::now();
    let end = (burst.seconds > 0.0).then(|| start + Duration::from_secs_f64(burst.seconds));
    let over = || end.is_some_and(|end| Instant::now() >= end);
    let mut costs = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3).expect("constant bounds");
    let group = burst.group.max(1);
    let mut logged = 0;
    while logged < burst.count {
        if burst.rate > 0.0 {
            let due = start + Duration::from_secs_f64((logged / group * group) as f64 / burst.rate);
            let now = Instant::now();
            if due > now {
                thread::sleep(due - now);
            }
        }
        // The clock costs; a burst of many messages looks at it now and then.
        if (burst.rate > 0.0 || logged % 64 == 0) && over() {
            break;
        }
        acks.wait(logged, burst.window, over);
        if burst.rate > 0.0 {
            let before = Instant::now();
            send(logged);
            costs.saturating_record(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1));
        } else {
            send(logged);
        }
        logged += 1;
    }
    let wall_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let at = |share| if costs.is_empty() { 0 } else { costs.value_at_quantile(share) };
    BurstDone { logged, wall_ns, call_p50_ns: at(0.5), call_p99_ns: at(0.99) }
}
