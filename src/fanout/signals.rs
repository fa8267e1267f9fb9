//! What the hot path has to tell the session's owner: rare, coalesced, bounded by viewers and channels.

use std::collections::btree_map::{BTreeMap, Entry};

use super::sync::{Mutex, Notify};

/// Why a viewer has to be reset (P-26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetCause {
    /// Its queue was full.
    QueueOverflow,
    /// Its control stream could not be opened or written.
    WriteFailure,
    /// The transport connected anew, so its streams are void (S-27).
    TransportReconnect,
}

impl ResetCause {
    /// The words of S-123.
    pub fn text(self) -> &'static str {
        match self {
            Self::QueueOverflow => "queue overflow",
            Self::WriteFailure => "write failure",
            Self::TransportReconnect => "transport reconnect",
        }
    }
}

/// A set of requests to the owner; a second request of the same viewer or channel changes nothing (S-144).
#[derive(Debug, Default)]
pub struct Signals {
    state: Mutex<SignalsTaken>,
    notify: Notify,
}

/// The requests, as taken by the owner.
#[derive(Debug, Default)]
pub struct SignalsTaken {
    /// Registrations to reset, each with its first cause.
    pub resets: BTreeMap<u32, ResetCause>,
    /// Channels with oversize messages to report, and how many each dropped.
    pub oversize: BTreeMap<u64, u64>,
}

impl Signals {
    /// Asks for a reset of one registration.
    pub fn reset(&self, client: u32, cause: ResetCause) {
        self.state.lock().resets.entry(client).or_insert(cause);
        self.notify.notify_one();
    }

    /// Says that a channel dropped an oversize message.
    pub fn oversize(&self, channel: u64) {
        match self.state.lock().oversize.entry(channel) {
            // The owner has been told, and has not looked yet.
            Entry::Occupied(mut dropped) => {
                *dropped.get_mut() += 1;
                return;
            }
            Entry::Vacant(place) => {
                place.insert(1);
            }
        }
        self.notify.notify_one();
    }

    /// Wakes the owner: a queue has room again.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Takes everything that waits.
    pub fn take(&self) -> SignalsTaken {
        std::mem::take(&mut self.state.lock())
    }

    /// Resolves when something waits. The owner calls [`take`](Self::take) on every turn too, so a wake-up lost to a
    /// dropped future costs nothing (S-143).
    pub async fn wait(&self) {
        self.notify.notified().await;
    }
}
