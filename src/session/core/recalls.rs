//! Viewers who are in the room before the robot: it may have come back on a new connection (S-27), or been started anew after
//! its process was killed, which it cannot know.
//!
//! New streams can overtake the server's news that the old connection has ended, and what clients of LiveKit do when that
//! comes is end every stream of the robot's identity, the new one too. Nothing tells the robot. So viewers are greeted a
//! moment later, and those who had spoken to this process before are watched for a while: one that does not speak again, or
//! hangs up, is opened another stream, twice at most. Others may be silent because they have nothing to say.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::fanout::ResetCause;
use crate::room::{Identity, Participant, Sid};

use super::{ClientId, Core, Now};

/// How long the server's news may take before viewers are greeted. Measured on an idle machine: up to 0.1 s.
const NEWS: Duration = Duration::from_millis(500);
/// How long a viewer's first word is waited for; twice as long the second time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How long a viewer that has ended its stream may take to open another. Then it has given up the session.
const HUNG_UP: Duration = Duration::from_secs(1);
/// For how long a viewer is watched. The server's news is at most 3 s late (livekit-ffi.md 5.1).
const WATCH: Duration = Duration::from_secs(10);
/// How often a viewer is opened another stream.
const TIMES: u32 = 2;

#[derive(Default)]
pub(super) struct Recalls {
    watched: HashMap<ClientId, Recall>,
    /// Those who had spoken on the connection before this one; at most as many as there were viewers.
    known: HashSet<Identity>,
    /// When those in the room are greeted, and why.
    greeting: Option<(Instant, Option<ResetCause>)>,
    /// Those who were announced since the greeting is due and are not active yet: nothing reaches them before (S-26, P-13).
    announced: HashSet<Sid>,
}

struct Recall {
    /// Until then the viewer is watched.
    until: Instant,
    /// When it is opened another stream, unless it speaks.
    due: Option<Instant>,
    wait: Duration,
    left: u32,
}

impl Recalls {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.watched.values().filter_map(|recall| recall.due);
        due.chain(self.greeting.as_ref().map(|(at, _)| *at)).min()
    }

    pub(super) fn announced(&mut self, sid: &Sid) {
        if self.is_greeting_due() {
            self.announced.insert(sid.clone());
        }
    }

    pub(super) fn active(&mut self, sid: &Sid) {
        self.announced.remove(sid);
    }

    /// Whether those who are in the room are greeted a little later.
    pub(super) fn is_greeting_due(&self) -> bool {
        self.greeting.is_some()
    }

    pub(super) fn spoke(&mut self, client: ClientId) {
        if let Some(recall) = self.watched.get_mut(&client) {
            recall.due = None;
        }
    }

    pub(super) fn forget(&mut self, client: ClientId) {
        self.watched.remove(&client);
    }

    pub(super) fn left(&mut self) {
        self.greeting = None;
        self.announced.clear();
    }

    fn watch(&mut self, client: ClientId, wait: Duration, left: u32, now: Now) {
        if left > 0 {
            let recall = Recall { until: now.mono + WATCH, due: Some(now.mono + wait), wait, left };
            self.watched.insert(client, recall);
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
        let expected = |id: &ClientId| self.recalls.watched.get(id).is_some_and(|recall| recall.due.is_some());
        let spoke = self.clients.iter().filter(|(id, registration)| registration.spoke || expected(id));
        self.recalls.known = spoke.map(|(_, registration)| registration.client.identity.clone()).collect();
    }

    /// Greets those who are in the room when the news of the new connection has reached them.
    pub(super) fn greet_later(&mut self, cause: Option<ResetCause>, now: Now) {
        self.recalls.announced.clear();
        self.recalls.greeting = Some((now.mono + NEWS, cause));
    }

    /// The last control stream of this connection has ended.
    pub(super) fn hung_up(&mut self, sid: &Sid, now: Now) {
        let Some(client) = self.by_sid.get(sid) else { return };
        if let Some(recall) = self.recalls.watched.get_mut(client).filter(|recall| now.mono < recall.until) {
            recall.due.get_or_insert(now.mono + HUNG_UP);
        }
    }

    pub(super) fn tick_recalls(&mut self, now: Now) {
        if self.recalls.greeting.as_ref().is_some_and(|(at, _)| *at <= now.mono) {
            self.greet(now);
        }
        self.recalls.watched.retain(|_, recall| recall.due.is_some() || now.mono < recall.until);
        let watched = self.recalls.watched.iter();
        let is_due = |recall: &Recall| recall.due.is_some_and(|due| due <= now.mono);
        let due: Vec<ClientId> = watched.filter(|(_, recall)| is_due(recall)).map(|(&id, _)| id).collect();
        for id in due {
            self.recall(id, now);
        }
    }

    fn greet(&mut self, now: Now) {
        let Some((_, cause)) = self.recalls.greeting.take() else { return };
        // Those who are announced only are registered when they are active.
        let announced = std::mem::take(&mut self.recalls.announced);
        let mut participants: Vec<Participant> =
            self.present.values().filter(|participant| !announced.contains(&participant.sid)).cloned().collect();
        participants.sort_by_key(|participant| participant.joined_at_ms);
        let known = std::mem::take(&mut self.recalls.known);
        for participant in participants {
            self.register_if_accepted(&participant, cause.map(|cause| (cause, 0)), now);
            if let Some(&client) =
                self.by_identity.get(&participant.identity).filter(|_| known.contains(&participant.identity))
            {
                self.recalls.watch(client, FIRST_WAIT, TIMES, now);
            }
        }
    }

    fn recall(&mut self, id: ClientId, now: Now) {
        let (Some(recall), Some(client)) = (self.recalls.watched.remove(&id), self.client(id).cloned()) else { return };
        let Some(participant) = self.present(&client.identity).filter(|p| p.sid == client.sid).cloned() else { return };
        tracing::info!(client = %id, identity = %client.identity, "a viewer has not heard of the new connection; another stream");
        self.remove(id);
        self.register_if_accepted(&participant, Some((ResetCause::TransportReconnect, 0)), now);
        if let Some(&again) = self.by_identity.get(&client.identity) {
            self.recalls.watch(again, recall.wait * 2, recall.left - 1, now);
        }
    }
}
