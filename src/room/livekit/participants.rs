//! A participant in the library's words and in the port's.

use super::messages::{participant_kind, participant_state, ParticipantInfo};
use crate::room::{Identity, Participant, ParticipantKind, Sid};

pub(super) fn participant(info: ParticipantInfo) -> Participant {
    Participant {
        identity: Identity::from(info.identity),
        sid: Sid::from(info.sid),
        name: info.name,
        kind: match info.kind {
            participant_kind::PARTICIPANT_KIND_STANDARD => ParticipantKind::Standard,
            _ => ParticipantKind::Service,
        },
        joined_at_ms: info.joined_at,
        attributes: info.attributes.into_iter().collect(),
        active: info.state == participant_state::PARTICIPANT_STATE_ACTIVE,
    }
}
