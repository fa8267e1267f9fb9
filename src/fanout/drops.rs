//! Counters of one channel: what was sent by which path, what was dropped and why (S-227, S-260).

use std::sync::atomic::Ordering;

use crate::room::DropCause;

use super::sync::AtomicU64;

/// Counters of one channel since the session started.
#[derive(Debug, Default)]
pub struct ChannelCounters {
    pub(super) reliable_messages: AtomicU64,
    pub(super) reliable_bytes: AtomicU64,
    pub(super) lossy_messages: AtomicU64,
    pub(super) lossy_bytes: AtomicU64,
    pub(super) overwritten: AtomicU64,
    pub(super) not_ready: AtomicU64,
    pub(super) oversize: AtomicU64,
    pub(super) transport_full: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// A reading of [`ChannelCounters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DropCounts {
    /// Messages given to the control streams (counted once, however many viewers).
    pub reliable_messages: u64,
    /// Their bytes.
    pub reliable_bytes: u64,
    /// Messages put into the data track's slot.
    pub lossy_messages: u64,
    /// Their bytes.
    pub lossy_bytes: u64,
    /// Pushed out of the slot by newer messages before the room took them: gaps in the sequence.
    pub overwritten: u64,
    /// Dropped while the data track was not published (P-150).
    pub not_ready: u64,
    /// Dropped for being over the message limit: of the data track (P-156), or of a frame (P-133).
    pub oversize: u64,
    /// Taken by the room, but its transport stayed full.
    pub transport_full: u64,
    /// Taken by the room and refused for another reason.
    pub refused: u64,
}

impl std::ops::AddAssign for DropCounts {
    fn add_assign(&mut self, other: Self) {
        self.reliable_messages += other.reliable_messages;
        self.reliable_bytes += other.reliable_bytes;
        self.lossy_messages += other.lossy_messages;
        self.lossy_bytes += other.lossy_bytes;
        self.overwritten += other.overwritten;
        self.not_ready += other.not_ready;
        self.oversize += other.oversize;
        self.transport_full += other.transport_full;
        self.refused += other.refused;
    }
}

impl ChannelCounters {
    /// Reads all counters.
    pub fn read(&self) -> DropCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DropCounts {
            reliable_messages: get(&self.reliable_messages),
            reliable_bytes: get(&self.reliable_bytes),
            lossy_messages: get(&self.lossy_messages),
            lossy_bytes: get(&self.lossy_bytes),
            overwritten: get(&self.overwritten),
            not_ready: get(&self.not_ready),
            oversize: get(&self.oversize),
            transport_full: get(&self.transport_full),
            refused: get(&self.refused),
        }
    }

    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self, cause: DropCause) {
        let counter = match cause {
            DropCause::TransportFull => &self.transport_full,
            DropCause::NotPublished => &self.not_ready,
            DropCause::Refused => &self.refused,
        };
        Self::add(counter, 1);
    }
}
