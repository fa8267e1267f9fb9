//! A participant in the crates' words and in the port's.

use livekit::participant::{Participant as Handle, ParticipantKind as Kind, ParticipantState, RemoteParticipant};

use crate::room::{Identity, Participant, ParticipantKind, Sid};

/// What is known of somebody at this moment: the crates' value is a handle, not a copy.
pub(super) fn participant(handle: &Handle) -> Participant {
    Participant {
        identity: identity(&handle.identity()),
        sid: Sid::from(String::from(handle.sid())),
        name: handle.name(),
        kind: match handle.kind() {
            Kind::Standard => ParticipantKind::Standard,
            _ => ParticipantKind::Service,
        },
        joined_at_ms: handle.joined_at(),
        attributes: handle.attributes().into_iter().collect(),
        active: handle.state() == ParticipantState::Active,
    }
}

pub(super) fn remote(handle: &RemoteParticipant) -> Participant {
    participant(&Handle::Remote(handle.clone()))
}

pub(super) fn identity(identity: &livekit::id::ParticipantIdentity) -> Identity {
    Identity::from(identity.as_str())
}
