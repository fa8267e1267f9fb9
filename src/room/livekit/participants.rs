//! Who is in one room: the table that gives events, which mostly carry an identity only, their connection id.

use std::collections::{BTreeMap, HashMap};

use super::messages::{participant_kind, participant_state, ParticipantInfo};
use crate::room::{Identity, Participant, ParticipantKind, Sid};

/// The own participant and the others.
pub(super) struct Participants {
    pub(super) local: Participant,
    remote: HashMap<Identity, Participant>,
}

impl Participants {
    pub(super) fn new(local: ParticipantInfo, remote: impl IntoIterator<Item = ParticipantInfo>) -> Self {
        let remote = remote.into_iter().map(participant).map(|p| (p.identity.clone(), p)).collect();
        Self { local: participant(local), remote }
    }

    pub(super) fn remote(&self) -> Vec<Participant> {
        self.remote.values().cloned().collect()
    }

    pub(super) fn get(&self, identity: &Identity) -> Option<&Participant> {
        self.remote.get(identity)
    }

    /// Somebody was announced. Answers the connection it replaces, if the room never said that one had ended.
    pub(super) fn connected(&mut self, info: ParticipantInfo) -> (Participant, Option<Participant>) {
        let new = participant(info);
        let old = self.remote.insert(new.identity.clone(), new.clone());
        let replaced = old.filter(|old| old.sid != new.sid);
        (new, replaced)
    }

    /// Somebody left.
    pub(super) fn disconnected(&mut self, identity: &Identity) -> Option<Participant> {
        self.remote.remove(identity)
    }

    /// The data path to somebody is up. Said once per connection, also of one that was announced as active. `None`:
    /// unknown.
    pub(super) fn active(&mut self, identity: &Identity) -> Option<Participant> {
        let participant = self.remote.get_mut(identity)?;
        participant.active = true;
        Some(participant.clone())
    }

    /// The room repeats what it knows of somebody, several times per change and also for us (livekit-ffi.md section 7).
    /// Answers what changed of somebody else; strangers are announced by another event and ignored here.
    pub(super) fn updated(&mut self, info: ParticipantInfo) -> Option<Participant> {
        let mut new = participant(info);
        if new.identity == self.local.identity {
            self.local = new;
            return None;
        }
        let known = self.remote.get_mut(&new.identity)?;
        // Being active has its own event and is never taken back while the same connection lives.
        new.active = known.active && known.sid == new.sid;
        (*known != new).then(|| {
            *known = new.clone();
            new
        })
    }

    /// Changes one participant by hand; answers it if somebody else's entry changed.
    pub(super) fn edit(&mut self, identity: &str, change: impl FnOnce(&mut Participant)) -> Option<Participant> {
        let identity = Identity::from(identity);
        if identity == self.local.identity {
            change(&mut self.local);
            return None;
        }
        let known = self.remote.get_mut(&identity)?;
        let before = known.clone();
        change(known);
        (*known != before).then(|| known.clone())
    }
}

fn participant(info: ParticipantInfo) -> Participant {
    Participant {
        identity: Identity::from(info.identity),
        sid: Sid::from(info.sid),
        name: info.name,
        kind: match info.kind {
            participant_kind::PARTICIPANT_KIND_STANDARD => ParticipantKind::Standard,
            _ => ParticipantKind::Service,
        },
        joined_at_ms: info.joined_at,
        attributes: info.attributes.into_iter().collect::<BTreeMap<_, _>>(),
        active: info.state == participant_state::PARTICIPANT_STATE_ACTIVE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(identity: &str, sid: &str) -> ParticipantInfo {
        ParticipantInfo { identity: identity.into(), sid: sid.into(), ..Default::default() }
    }

    fn table() -> Participants {
        Participants::new(info("me", "PA_me"), [info("a", "PA_a")])
    }

    #[test]
    fn a_new_connection_of_a_known_identity_replaces_the_old_one() {
        let mut table = table();
        let (new, replaced) = table.connected(info("a", "PA_a2"));
        assert_eq!(new.sid.as_str(), "PA_a2");
        assert_eq!(replaced.unwrap().sid.as_str(), "PA_a");
        assert!(table.connected(info("a", "PA_a2")).1.is_none());
        assert_eq!(table.disconnected(&"a".into()).unwrap().sid.as_str(), "PA_a2");
    }

    #[test]
    fn only_real_changes_of_others_are_reported() {
        let mut table = table();
        assert!(table.updated(info("a", "PA_a")).is_none());
        assert!(table.updated(info("stranger", "PA_s")).is_none());
        assert!(table.updated(info("me", "PA_new")).is_none());
        assert_eq!(table.local.sid.as_str(), "PA_new");
        let changed = ParticipantInfo { name: "A".into(), ..info("a", "PA_a") };
        assert_eq!(table.updated(changed).unwrap().name, "A");
    }

    #[test]
    fn being_active_survives_updates() {
        let mut table = table();
        assert!(table.active(&"a".into()).unwrap().active);
        assert!(table.active(&"stranger".into()).is_none());
        assert!(table.updated(info("a", "PA_a")).is_none());
        assert!(table.get(&"a".into()).unwrap().active);
    }
}
