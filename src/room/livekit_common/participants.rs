//! Who is in one room: the table that gives events, which mostly carry an identity only, their connection id.

use std::collections::HashMap;

use crate::room::{Identity, Participant};

/// The own participant and the others.
pub(in crate::room) struct Participants {
    pub(in crate::room) local: Participant,
    remote: HashMap<Identity, Participant>,
}

impl Participants {
    pub(in crate::room) fn new(local: Participant, remote: impl IntoIterator<Item = Participant>) -> Self {
        Self { local, remote: remote.into_iter().map(|other| (other.identity.clone(), other)).collect() }
    }

    pub(in crate::room) fn remote(&self) -> Vec<Participant> {
        self.remote.values().cloned().collect()
    }

    pub(in crate::room) fn get(&self, identity: &Identity) -> Option<&Participant> {
        self.remote.get(identity)
    }

    /// Somebody was announced. Answers the connection it replaces, if the room never said that one had ended.
    pub(in crate::room) fn connected(&mut self, new: &Participant) -> Option<Participant> {
        let old = self.remote.insert(new.identity.clone(), new.clone());
        old.filter(|old| old.sid != new.sid)
    }

    /// Somebody left.
    pub(in crate::room) fn disconnected(&mut self, identity: &Identity) -> Option<Participant> {
        self.remote.remove(identity)
    }

    /// The data path to somebody is up. Said once per connection, also of one that was announced as active. `None`:
    /// unknown.
    pub(in crate::room) fn active(&mut self, identity: &Identity) -> Option<Participant> {
        let participant = self.remote.get_mut(identity)?;
        participant.active = true;
        Some(participant.clone())
    }

    /// The room repeats what it knows of somebody, several times per change and also for us (livekit-ffi.md section 7).
    /// Answers what changed of somebody else; strangers are announced by another event and ignored here.
    pub(in crate::room) fn updated(&mut self, mut new: Participant) -> Option<Participant> {
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
    pub(in crate::room) fn edit(
        &mut self,
        identity: &str,
        change: impl FnOnce(&mut Participant),
    ) -> Option<Participant> {
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::room::ParticipantKind;

    pub(in crate::room::livekit_common) fn info(identity: &str, sid: &str) -> Participant {
        Participant {
            identity: identity.into(),
            sid: sid.into(),
            name: String::new(),
            kind: ParticipantKind::Standard,
            joined_at_ms: 0,
            attributes: Default::default(),
            active: false,
        }
    }

    fn table() -> Participants {
        Participants::new(info("me", "PA_me"), [info("a", "PA_a")])
    }

    #[test]
    fn a_new_connection_of_a_known_identity_replaces_the_old_one() {
        let mut table = table();
        let replaced = table.connected(&info("a", "PA_a2"));
        assert_eq!(replaced.unwrap().sid.as_str(), "PA_a");
        assert!(table.connected(&info("a", "PA_a2")).is_none());
        assert_eq!(table.disconnected(&"a".into()).unwrap().sid.as_str(), "PA_a2");
    }

    #[test]
    fn only_real_changes_of_others_are_reported() {
        let mut table = table();
        assert!(table.updated(info("a", "PA_a")).is_none());
        assert!(table.updated(info("stranger", "PA_s")).is_none());
        assert!(table.updated(info("me", "PA_new")).is_none());
        assert_eq!(table.local.sid.as_str(), "PA_new");
        let changed = Participant { name: "A".into(), ..info("a", "PA_a") };
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
