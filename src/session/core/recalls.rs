//! Viewers that may not have heard of their new stream (S-27).
//!
//! When the robot has come back on a new connection it opens new streams at once. Those can overtake the server's news that
//! the old connection has ended, and what clients of LiveKit do then is end every stream of that identity, the new one too.
//! Nothing tells the robot. But a viewer that had spoken to it before has reason to speak again; one that does not is opened
//! another stream, twice at most.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::fanout::ResetCause;
use crate::room::Identity;

use super::{ClientId, Core, Now};

/// How long a viewer's first word is waited for; twice as long the second time. The news is mostly 0.1 s late, at most 3 s
/// (livekit-ffi.md 5.1).
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How often a viewer is opened another stream.
const TIMES: u32 = 2;

#[derive(Default)]
pub(super) struct Recalls {
    waiting: HashMap<ClientId, Recall>,
    /// Those who had spoken in the room before this one; at most as many as there were viewers.
    known: HashSet<Identity>,
}

struct Recall {
    until: Instant,
    wait: Duration,
    left: u32,
}

impl Recalls {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|recall| recall.until).min()
    }

    /// The viewer has spoken, or is gone.
    pub(super) fn settle(&mut self, client: ClientId) {
        self.waiting.remove(&client);
    }

    fn expect(&mut self, client: ClientId, wait: Duration, left: u32, now: Now) {
        if left > 0 {
            self.waiting.insert(client, Recall { until: now.mono + wait, wait, left });
        }
    }
}

impl Core {
    /// Before the registrations of a connection end: remembers who had spoken on it.
    pub(super) fn note_speakers(&mut self) {
        // A connection on which nobody was registered yet says nothing new.
        if self.clients.is_empty() {
            return;
        }
        let spoke = self.clients.iter().filter(|(id, r)| r.spoke || self.recalls.waiting.contains_key(*id));
        self.recalls.known = spoke.map(|(_, registration)| registration.client.identity.clone()).collect();
    }

    /// After the registrations of a new connection: those who had spoken on the one before are expected to speak again.
    pub(super) fn expect_speakers(&mut self, now: Now) {
        for identity in std::mem::take(&mut self.recalls.known) {
            if let Some(&client) = self.by_identity.get(&identity) {
                self.recalls.expect(client, FIRST_WAIT, TIMES, now);
            }
        }
    }

    pub(super) fn tick_recalls(&mut self, now: Now) {
        let waiting = self.recalls.waiting.iter();
        let due: Vec<ClientId> = waiting.filter(|(_, recall)| recall.until <= now.mono).map(|(&id, _)| id).collect();
        for id in due {
            let (Some(recall), Some(client)) = (self.recalls.waiting.remove(&id), self.client(id).cloned()) else {
                continue;
            };
            let Some(participant) = self.present(&client.identity).filter(|p| p.sid == client.sid).cloned() else {
                continue;
            };
            tracing::info!(client = %id, identity = %client.identity, "a viewer has not spoken since the reconnection; a new stream");
            self.remove(id);
            self.register_if_accepted(&participant, Some((ResetCause::TransportReconnect, 0)), now);
            if let Some(&again) = self.by_identity.get(&client.identity) {
                self.recalls.expect(again, recall.wait * 2, recall.left - 1, now);
            }
        }
    }
}
