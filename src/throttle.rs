//! Bounds what viewers can make the library say: lines of the log, and notices to themselves.

use std::time::{Duration, Instant};

/// Lets one of many through.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    count: u64,
}

impl Throttle {
    /// `n` more times it could be said. Answers how often it could since it was said last, these times included, if it may
    /// be said now: once in each `interval`.
    pub(crate) fn pass(&mut self, n: u64, interval: Duration, now: Instant) -> Option<u64> {
        self.count += n;
        if self.last.is_some_and(|last| now < last + interval) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_each_interval_is_said_and_the_others_are_counted() {
        let (mut throttle, interval) = (Throttle::default(), Duration::from_secs(1));
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.pass(1, interval, at(0)), Some(1));
        assert_eq!(throttle.pass(1, interval, at(10)), None);
        assert_eq!(throttle.pass(5, interval, at(999)), None);
        assert_eq!(throttle.pass(1, interval, at(1000)), Some(7));
        assert_eq!(throttle.pass(1, interval, at(1999)), None);
    }
}
