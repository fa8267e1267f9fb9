//! What viewers have published and the listener has not got yet.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::Arc;

use super::{Callbacks, Event, Item, State};
use crate::session::{Client, ClientChannel, ClientId};

/// Viewer messages that wait for a slow listener, per session (design.md decision 6).
const MAX_MESSAGES: usize = 4096;
/// Their bytes.
const MAX_BYTES: usize = 64 << 20;
/// Messages of one viewer's channel that wait.
const MAX_PER_CHANNEL: usize = 1024;

/// A message was dropped because the listener is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflow {
    pub(crate) client: ClientId,
}

/// The messages among the undelivered items.
#[derive(Default)]
pub(super) struct Messages {
    count: usize,
    bytes: usize,
    waiting: HashMap<(ClientId, u32), Waiting>,
    /// The session ends: no message is delivered any more.
    ended: bool,
}

#[derive(Default)]
struct Waiting {
    numbers: VecDeque<u64>,
    bytes: usize,
}

impl Callbacks {
    pub(super) fn message(&self, key: (ClientId, u32), bytes: usize, event: Event) -> Option<Overflow> {
        let mut state = self.state.lock();
        if state.messages.ended {
            drop(state);
            self.discarded.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let number = state.push(Item::Event(event));
        let waiting = state.messages.waiting.entry(key).or_default();
        waiting.numbers.push_back(number);
        waiting.bytes += bytes;
        let own = waiting.numbers.len();
        state.messages.count += 1;
        state.messages.bytes += bytes;
        let mut overflow = None;
        // The oldest goes: a stale velocity command is worse than none (design.md decision 6).
        if own > MAX_PER_CHANNEL {
            state.drop_oldest(key);
            overflow = Some(Overflow { client: key.0 });
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        while state.messages.count > MAX_MESSAGES || state.messages.bytes > MAX_BYTES {
            let Some(heaviest) =
                state.messages.waiting.iter().max_by_key(|(_, w)| (w.bytes, w.numbers.len())).map(|(k, _)| *k)
            else {
                break;
            };
            state.drop_oldest(heaviest);
            overflow = Some(Overflow { client: heaviest.0 });
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        drop(state);
        self.work.notify_one();
        overflow
    }

    /// Control of this viewer has ended: what it has published on topics that need control, and what has not begun to be
    /// delivered, never is. Says how many messages that were.
    pub(crate) fn discard_controlled(&self, id: ClientId, needs: impl Fn(&str) -> bool) -> u64 {
        let mut state = self.state.lock();
        if !state.messages.waiting.keys().any(|(client, _)| *client == id) {
            return 0;
        }
        // Thousands of messages have few channels.
        let mut known = HashMap::new();
        let discarded = state.discard(|client, channel| {
            client.id == id && *known.entry(Arc::as_ptr(channel)).or_insert_with(|| needs(&channel.topic))
        });
        drop(state);
        self.discarded.fetch_add(discarded, Ordering::Relaxed);
        discarded
    }

    /// The session ends: messages that wait are discarded, and those that may still come.
    pub(super) fn end_messages(&self) {
        let mut state = self.state.lock();
        state.messages.ended = true;
        let discarded = state.discard(|_, _| true);
        drop(state);
        self.discarded.fetch_add(discarded, Ordering::Relaxed);
        if discarded > 0 {
            tracing::info!(
                discarded,
                "messages of viewers that waited for the listener were discarded with the session"
            );
        }
    }

    /// Viewer messages dropped because the listener was too slow.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Viewer messages discarded while they waited for the listener: control was lost, or the session ended.
    pub(crate) fn discarded(&self) -> u64 {
        self.discarded.load(Ordering::Relaxed)
    }
}

impl State {
    /// Removes the messages that are unwanted, and says how many.
    fn discard(&mut self, mut unwanted: impl FnMut(&Client, &Arc<ClientChannel>) -> bool) -> u64 {
        let mut discarded = Vec::new();
        self.items.retain(|_, item| match item {
            Item::Event(Event::Message(client, channel, message)) if unwanted(client, channel) => {
                discarded.push(((client.id, channel.id), message.payload.len()));
                false
            }
            _ => true,
        });
        for waiting in self.messages.waiting.values_mut() {
            waiting.numbers.retain(|number| self.items.contains_key(number));
        }
        for (key, bytes) in &discarded {
            self.forget_message(*key, *bytes);
        }
        discarded.len() as u64
    }

    fn drop_oldest(&mut self, key: (ClientId, u32)) {
        let Some(number) = self.messages.waiting.get_mut(&key).and_then(|w| w.numbers.pop_front()) else { return };
        let item = self.items.remove(&number);
        if let Some(Item::Event(Event::Message(_, _, message))) = item {
            self.forget_message(key, message.payload.len());
        }
    }

    /// Drops the messages of a channel that came after its advertisement of this number, and says how many.
    pub(super) fn drop_messages_after(&mut self, key: (ClientId, u32), begin: u64) -> u64 {
        let mut dropped = 0;
        while let Some(waiting) = self.messages.waiting.get_mut(&key) {
            let Some(&number) = waiting.numbers.back().filter(|number| **number > begin) else { break };
            waiting.numbers.pop_back();
            if let Some(Item::Event(Event::Message(_, _, message))) = self.items.remove(&number) {
                self.forget_message(key, message.payload.len());
            }
            dropped += 1;
        }
        dropped
    }

    fn forget_message(&mut self, key: (ClientId, u32), bytes: usize) {
        self.messages.count -= 1;
        self.messages.bytes -= bytes;
        if let Some(waiting) = self.messages.waiting.get_mut(&key) {
            waiting.bytes -= bytes;
            if waiting.numbers.is_empty() {
                self.messages.waiting.remove(&key);
            }
        }
    }

    pub(super) fn message_delivered(&mut self, key: (ClientId, u32), bytes: usize) {
        if let Some(waiting) = self.messages.waiting.get_mut(&key) {
            waiting.numbers.pop_front();
        }
        self.forget_message(key, bytes);
    }
}
