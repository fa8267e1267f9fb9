//! What waits for the thread `tl-log`: bounded, and honest about what did not fit.

use std::collections::VecDeque;

use super::{telelink_log_level, Receiver};
use crate::context::now_ns;

/// Records that wait for the receiver.
const QUEUE: usize = 1024;
/// Changes of the receiver that wait; only a receiver that never returns lets them get so many.
const CHANGES: usize = 64;
/// What the log's own records name as their part of the library.
const OWN_TARGET: &str = "telelink::log";

pub(super) struct Record {
    pub(super) time_ns: u64,
    pub(super) level: u8,
    pub(super) target: &'static str,
    pub(super) message: String,
}

/// What the thread `tl-log` is told.
pub(super) enum Order {
    Record(Record),
    Receiver(Receiver),
}

/// What waits for `tl-log`.
#[derive(Default)]
pub(super) struct Queue {
    orders: VecDeque<Order>,
    /// How many of them are records that were logged, and how many change the receiver.
    records: usize,
    changes: usize,
    /// Records that found no place since the last one that did.
    dropped: u64,
}

impl Queue {
    pub(super) fn push(&mut self, record: Record) {
        if self.records >= QUEUE {
            self.dropped += 1;
            return;
        }
        // The gap is told where it is.
        let gap = self.take_gap();
        self.orders.extend(gap.map(Order::Record));
        self.orders.push_back(Order::Record(record));
        self.records += 1;
    }

    /// The next order; when there is none, what has to be said about records that were dropped last.
    pub(super) fn pop(&mut self) -> Option<Order> {
        let order = self.orders.pop_front().or_else(|| self.take_gap().map(Order::Record))?;
        match &order {
            Order::Receiver(_) => self.changes -= 1,
            // A gap is no more than what stands between two records.
            Order::Record(record) if record.target == OWN_TARGET => {}
            Order::Record(_) => self.records -= 1,
        }
        Some(order)
    }

    /// Puts a change of the receiver behind the records that wait. Given back if too many changes wait: what it owns must
    /// not be dropped under the lock of this queue.
    pub(super) fn change(&mut self, receiver: Receiver) -> Result<(), Receiver> {
        if self.changes >= CHANGES {
            return Err(receiver);
        }
        self.orders.push_back(Order::Receiver(receiver));
        self.changes += 1;
        Ok(())
    }

    fn take_gap(&mut self) -> Option<Record> {
        let dropped = std::mem::take(&mut self.dropped);
        (dropped > 0).then(|| Record {
            time_ns: now_ns(),
            level: telelink_log_level::Warn as u8,
            target: OWN_TARGET,
            message: format!("{dropped} records were dropped here: the receiver of the log was too slow for them"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize) -> Record {
        Record { time_ns: 1, level: 3, target: "test", message: number.to_string() }
    }

    /// What is in the queue, in order.
    fn drained(queue: &mut Queue) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        while let Some(order) = queue.pop() {
            match order {
                Order::Record(record) => found.push((record.target, record.message)),
                Order::Receiver(_) => found.push(("receiver", String::new())),
            }
        }
        found
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_where_it_is_missing() {
        let mut queue = Queue::default();
        (0..QUEUE + 3).for_each(|number| queue.push(record(number)));
        assert!(matches!(queue.pop(), Some(Order::Record(record)) if record.message == "0"));
        queue.push(record(9000));
        let found = drained(&mut queue);
        assert_eq!(found.len(), QUEUE + 1);
        assert_eq!(found[QUEUE - 2].1, (QUEUE - 1).to_string());
        let (target, message) = &found[QUEUE - 1];
        assert!(*target == OWN_TARGET && message.starts_with("3 records were dropped here"), "{target}: {message}");
        assert_eq!(found[QUEUE].1, "9000");
        assert_eq!((queue.records, queue.changes, queue.dropped), (0, 0, 0));
    }

    #[test]
    fn a_gap_at_the_end_is_told_when_the_receiver_is_through() {
        let mut queue = Queue::default();
        (0..QUEUE + 1).for_each(|number| queue.push(record(number)));
        let found = drained(&mut queue);
        assert_eq!(found.len(), QUEUE + 1);
        assert!(found[QUEUE].1.starts_with("1 records were dropped"), "{:?}", found[QUEUE]);
        assert!(queue.pop().is_none(), "told once");
    }

    #[test]
    fn a_change_of_the_receiver_fits_into_a_full_queue() {
        let mut queue = Queue::default();
        (0..QUEUE).for_each(|number| queue.push(record(number)));
        assert!(queue.change(Receiver::Nobody).is_ok());
        let found = drained(&mut queue);
        assert_eq!((found.len(), found[QUEUE].0, queue.changes), (QUEUE + 1, "receiver", 0));
        (0..CHANGES).for_each(|_| assert!(queue.change(Receiver::Nobody).is_ok()));
        assert!(queue.change(Receiver::Nobody).is_err(), "a receiver that never returns must not fill the queue");
    }
}
