//! A queue bounded in entries and bytes, for messages and events.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Notify,
    drained: Notify,
    max_entries: usize,
    max_bytes: usize,
}

struct State<T> {
    entries: VecDeque<(T, usize)>,
    bytes: usize,
    dropped: u64,
    closed: bool,
}

/// The queue is closed and, for readers, empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T> Queue<T> {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        let state = State { entries: VecDeque::new(), bytes: 0, dropped: 0, closed: false };
        Self {
            state: Mutex::new(state),
            filled: Notify::new(),
            drained: Notify::new(),
            max_entries: max_entries.max(1),
            max_bytes,
        }
    }

    /// Adds an entry; the oldest ones make room for it. An entry over the byte limit is kept, alone.
    pub(crate) fn push_dropping(&self, entry: T, bytes: usize) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        while !self.fits(&state, bytes) {
            let Some((_, bytes)) = state.entries.pop_front() else { break };
            state.bytes -= bytes;
            state.dropped += 1;
        }
        self.add(&mut state, entry, bytes);
    }

    /// Adds an entry when there is room for it.
    pub(crate) async fn push_waiting(&self, entry: T, bytes: usize) -> Result<(), Closed> {
        loop {
            let drained = self.drained.notified();
            {
                let mut state = self.state.lock();
                if state.closed {
                    return Err(Closed);
                }
                if self.fits(&state, bytes) || state.entries.is_empty() {
                    self.add(&mut state, entry, bytes);
                    let room_left = self.fits(&state, 0);
                    drop(state);
                    if room_left {
                        // Another writer may wait too, and one permit woke only this one.
                        self.drained.notify_one();
                    }
                    return Ok(());
                }
            }
            drained.await;
        }
    }

    fn fits(&self, state: &State<T>, bytes: usize) -> bool {
        state.entries.len() < self.max_entries && state.bytes.saturating_add(bytes) <= self.max_bytes
    }

    fn add(&self, state: &mut State<T>, entry: T, bytes: usize) {
        state.bytes += bytes;
        state.entries.push_back((entry, bytes));
        self.filled.notify_one();
    }

    pub(crate) fn try_pop(&self) -> Result<Option<T>, Closed> {
        let mut state = self.state.lock();
        match state.entries.pop_front() {
            Some((entry, bytes)) => {
                state.bytes -= bytes;
                drop(state);
                self.drained.notify_one();
                Ok(Some(entry))
            }
            None if state.closed => Err(Closed),
            None => Ok(None),
        }
    }

    /// The next entry; what was queued before the closing is still handed out. Cancel safe.
    pub(crate) async fn pop(&self) -> Result<T, Closed> {
        loop {
            let filled = self.filled.notified();
            if let Some(entry) = self.try_pop()? {
                return Ok(entry);
            }
            filled.await;
        }
    }

    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_waiters();
        self.drained.notify_waiters();
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn oldest_entries_make_room_and_are_counted() {
        let queue = Queue::new(3, 100);
        for n in 0..5 {
            queue.push_dropping(n, 10);
        }
        assert_eq!((queue.len(), queue.dropped()), (3, 2));
        queue.push_dropping(5, 95);
        assert_eq!((queue.len(), queue.dropped()), (1, 5));
        assert_eq!(queue.try_pop(), Ok(Some(5)));
        queue.push_dropping(6, 1_000);
        assert_eq!(queue.try_pop(), Ok(Some(6)));
    }

    #[tokio::test]
    async fn a_waiting_writer_goes_on_when_there_is_room_and_loses_nothing() {
        let queue = Arc::new(Queue::new(2, 100));
        let writers: Vec<_> = (0..3)
            .map(|w| {
                let queue = queue.clone();
                tokio::spawn(async move {
                    for n in 0..50 {
                        queue.push_waiting((w, n), 1).await.unwrap();
                    }
                })
            })
            .collect();
        let mut next = [0; 3];
        for _ in 0..150 {
            let (w, n): (usize, i32) = queue.pop().await.unwrap();
            assert_eq!(n, next[w], "order of one writer is kept");
            next[w] += 1;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!((next, queue.dropped()), ([50; 3], 0));
    }

    #[tokio::test]
    async fn closing_wakes_everybody_but_what_is_queued_is_handed_out() {
        let queue = Arc::new(Queue::new(1, 100));
        let reader = tokio::spawn({
            let queue = queue.clone();
            async move { (queue.pop().await, queue.pop().await) }
        });
        queue.push_waiting(1, 1).await.unwrap();
        tokio::task::yield_now().await;
        queue.close();
        assert_eq!(reader.await.unwrap(), (Ok(1), Err(Closed)));
        assert_eq!(queue.push_waiting(2, 1).await, Err(Closed));
    }
}
