//! Resets: a viewer whose stream broke or whose queue overflowed starts anew (P-26, S-119 to S-123, S-140 to S-145).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::fanout::ResetCause;
use crate::room::{Identity, Participant, Sid};
use crate::session::ControlLost;

use super::{ClientId, Core, Now};

/// S-122: the first reset is immediate, the second waits this long, then doubling.
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// S-122: longest delay.
const MAX_DELAY: Duration = Duration::from_secs(10);
/// S-122: a registration that lived so long is healthy; its history is forgotten.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// S-122: so many in a row, and the instance is not served until it reconnects.
const MAX_CONSECUTIVE: u32 = 8;

/// The reset history of each identity that had one.
#[derive(Default)]
pub(super) struct Resets {
    history: HashMap<Identity, History>,
}

struct History {
    /// The instance that was reset last.
    sid: Sid,
    consecutive: u32,
    /// Resets of this instance, not forgiven.
    total: u64,
    registered_at: Option<Instant>,
    waiting: Option<Waiting>,
    banned: bool,
}

struct Waiting {
    until: Instant,
    cause: ResetCause,
    discarded: u64,
}

impl Resets {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.history.values().filter_map(|h| h.waiting.as_ref().map(|w| w.until)).min()
    }

    pub(super) fn clear(&mut self) {
        self.history.clear();
    }

    /// Whether any viewer's next registration waits for its time.
    pub(super) fn anybody_waits(&self) -> bool {
        self.history.values().any(|h| h.waiting.is_some())
    }

    /// Whether the identity's next registration waits for its time.
    pub(super) fn is_waiting(&self, identity: &Identity) -> bool {
        self.history.get(identity).is_some_and(|h| h.waiting.is_some())
    }

    /// Whether this very instance was given up.
    pub(super) fn is_banned(&self, participant: &Participant) -> bool {
        self.history.get(&participant.identity).is_some_and(|h| h.banned && h.sid == participant.sid)
    }

    /// A new instance of the identity starts without the old one's history.
    pub(super) fn cancel_if_superseded(&mut self, participant: &Participant) {
        if self.history.get(&participant.identity).is_some_and(|h| h.sid != participant.sid) {
            self.history.remove(&participant.identity);
        }
    }

    pub(super) fn forget_instance(&mut self, sid: &Sid) {
        self.history.retain(|_, h| h.sid != *sid);
    }

    pub(super) fn registered(&mut self, identity: &Identity, now: Now) {
        if let Some(history) = self.history.get_mut(identity) {
            history.registered_at = Some(now.mono);
        }
    }

    /// Counts a reset and says how long to wait, or `None` when the instance is given up.
    fn count(&mut self, identity: &Identity, sid: &Sid, now: Now) -> Option<Duration> {
        let history = self.history.entry(identity.clone()).or_insert_with(|| History {
            sid: sid.clone(),
            consecutive: 0,
            total: 0,
            registered_at: None,
            waiting: None,
            banned: false,
        });
        if history.registered_at.is_some_and(|at| now.mono >= at + HEALTHY_AFTER) {
            history.consecutive = 0;
        }
        history.sid = sid.clone();
        history.consecutive += 1;
        history.total += 1;
        match history.consecutive {
            1 => Some(Duration::ZERO),
            n if n > MAX_CONSECUTIVE => {
                history.banned = true;
                None
            }
            n => Some((FIRST_DELAY * 2u32.pow(n - 2)).min(MAX_DELAY)),
        }
    }
}

impl Core {
    pub(super) fn reset(&mut self, id: ClientId, cause: ResetCause, discarded: u64, now: Now) {
        // Only the registration that asked: its successor, even of the same SID, is untouched (S-140, S-145, S-279).
        let Some(registration) = self.clients.get(&id) else {
            tracing::debug!(client = %id, "a reset of a registration that is gone was skipped");
            return;
        };
        let client = registration.client.clone();
        tracing::warn!(client = %id, identity = %client.identity, cause = cause.text(), discarded, "viewer reset");
        self.end_control_of(id, ControlLost::Reset);
        self.remove(id);
        // Who is in the room *now*; maybe a newer instance, maybe nobody (S-119, S-141).
        let Some(participant) = self.present(&client.identity).cloned() else { return };
        if participant.sid != client.sid {
            self.resets.cancel_if_superseded(&participant);
            return self.register_if_accepted(&participant, None, now);
        }
        match self.resets.count(&client.identity, &client.sid, now) {
            Some(Duration::ZERO) => self.register_if_accepted(&participant, Some((cause, discarded)), now),
            Some(delay) => {
                if let Some(history) = self.resets.history.get_mut(&client.identity) {
                    history.waiting = Some(Waiting { until: now.mono + delay, cause, discarded });
                }
            }
            None => {
                let text = format!(
                    "The connection was restarted {MAX_CONSECUTIVE} times in a row ({}); it is not served until it reconnects",
                    cause.text()
                );
                self.refuse(&participant, text);
            }
        }
    }

    /// How often a viewer's connection was reset so far.
    pub(crate) fn resets_of(&self, id: ClientId) -> u64 {
        let Some(registration) = self.clients.get(&id) else { return 0 };
        let history = self.resets.history.get(&registration.client.identity);
        history.filter(|history| history.sid == registration.client.sid).map_or(0, |history| history.total)
    }

    pub(super) fn tick_resets(&mut self, now: Now) {
        let due: Vec<Identity> = self
            .resets
            .history
            .iter()
            .filter(|(_, h)| h.waiting.as_ref().is_some_and(|w| w.until <= now.mono))
            .map(|(identity, _)| identity.clone())
            .collect();
        for identity in due {
            let waiting = self.resets.history.get_mut(&identity).and_then(|h| h.waiting.take());
            let (Some(waiting), Some(participant)) = (waiting, self.present(&identity).cloned()) else { continue };
            let same = self.resets.history.get(&identity).is_some_and(|h| h.sid == participant.sid);
            self.resets.cancel_if_superseded(&participant);
            // A newer instance lost nothing.
            let reset = same.then_some((waiting.cause, waiting.discarded));
            self.register_if_accepted(&participant, reset, now);
        }
    }
}
