//! Translates the crates' room events into those of the port.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use livekit::participant::{ConnectionQuality as Quality, Participant as Handle};
use livekit::{DisconnectReason as Reason, RoomEvent as Event};
use tokio::sync::mpsc;

use super::participants::{identity, participant, remote};
use super::room::RoomState;
use super::{data_tracks, streams, video, video_in};
use crate::room::{ConnectionQuality, DisconnectReason, RoomEvent, Secret, Sid};

/// Takes the events of a room, one after another, until it ends.
pub(super) fn start(room: &Arc<RoomState>, first: Option<Event>, mut events: mpsc::UnboundedReceiver<Event>) {
    let weak = Arc::downgrade(room);
    room.core.runtime.spawn(async move {
        let mut next = first;
        loop {
            let event = match next.take() {
                Some(event) => Some(event),
                None => events.recv().await,
            };
            let Some(room) = weak.upgrade() else { return };
            // The crates have closed the room and may not have said why.
            let Some(event) = event else { return room.end(DisconnectReason::Other) };
            if catch_unwind(AssertUnwindSafe(|| on_event(&room, event))).is_err() {
                tracing::error!(target: "telelink::livekit", "a LiveKit event made its handler panic; the event is lost");
            }
        }
    });
}

fn on_event(room: &Arc<RoomState>, event: Event) {
    match event {
        Event::ByteStreamOpened { reader, topic, participant_identity } => {
            if let Some(reader) = reader.take() {
                streams::accept(room, reader, topic, identity(&participant_identity));
            }
        }
        Event::ParticipantsUpdated { participants } => {
            participants.iter().for_each(|handle| room.core.updated(participant(handle)));
        }
        Event::ParticipantNameChanged { participant: handle, .. }
        | Event::ParticipantAttributesChanged { participant: handle, .. } => room.core.updated(participant(&handle)),
        Event::ParticipantConnected(handle) => room.core.connected(remote(&handle)),
        Event::ParticipantActive(handle) => {
            let participant = remote(&handle);
            if !room.was_listed_active(&participant.sid) {
                room.core.active(&participant.identity);
            }
        }
        Event::ParticipantDisconnected(handle) => {
            let participant = remote(&handle);
            room.was_listed_active(&participant.sid);
            video_in::publisher_left(room, &participant.identity);
            room.core.disconnected(&participant.identity);
        }
        Event::DataTrackPublished(track) => data_tracks::on_published(room, track),
        Event::DataTrackUnpublished(sid) => data_tracks::on_unpublished(room, Sid::from(String::from(sid))),
        Event::TrackPublished { publication, participant } => {
            let event = video_in::on_published(&mut room.remote_videos.lock(), &participant.identity(), publication);
            if let Some(event) = event {
                room.core.emit(event);
            }
        }
        Event::TrackUnpublished { publication, .. } => {
            video_in::on_unpublished(room, Sid::from(String::from(publication.sid())));
        }
        Event::TrackSubscribed { track, publication, .. } => {
            video_in::on_subscribed(room, &Sid::from(String::from(publication.sid())), track);
        }
        Event::TrackSubscriptionFailed { track_sid, error, .. } => {
            video_in::on_failed(room, &Sid::from(String::from(track_sid)), &error.to_string());
        }
        Event::LocalTrackRepublished { previous_sid, publication, .. } => {
            video::on_republished(room, Sid::from(String::from(previous_sid)), &publication);
        }
        Event::LocalTrackUnpublished { publication, .. } => {
            video::on_unpublished(room, &Sid::from(String::from(publication.sid())));
        }
        Event::ConnectionQualityChanged { quality: value, participant } => {
            let identity = identity(&participant.identity());
            room.core.emit(RoomEvent::QualityChanged { identity, quality: quality(value) });
        }
        Event::Reconnecting => room.core.reconnecting(),
        Event::Reconnected => {
            // The crates know our SID by now and say nothing of it: read, it decides whether the connection is a new one.
            room.core.updated(participant(&Handle::Local(room.room.local_participant())));
            room.core.reconnected();
            video::on_reconnected(room);
        }
        Event::TokenRefreshed { token } => room.core.emit(RoomEvent::TokenRefreshed(Secret::new(token))),
        Event::Disconnected { reason: value } => room.end(reason(value)),
        // Audio, text streams, chat, metadata, speakers, and each chunk of a stream a second time.
        _ => {}
    }
}

fn quality(value: Quality) -> ConnectionQuality {
    match value {
        Quality::Poor => ConnectionQuality::Poor,
        Quality::Good => ConnectionQuality::Good,
        Quality::Excellent => ConnectionQuality::Excellent,
        Quality::Lost => ConnectionQuality::Lost,
    }
}

fn reason(value: Reason) -> DisconnectReason {
    match value {
        Reason::ClientInitiated => DisconnectReason::ClientInitiated,
        Reason::DuplicateIdentity => DisconnectReason::DuplicateIdentity,
        Reason::ServerShutdown => DisconnectReason::ServerShutdown,
        Reason::ParticipantRemoved => DisconnectReason::ParticipantRemoved,
        Reason::RoomDeleted | Reason::RoomClosed => DisconnectReason::RoomDeleted,
        // The first is what the crates say after their ten attempts (livekit-ffi.md section 6).
        Reason::UnknownReason | Reason::SignalClose | Reason::ConnectionTimeout | Reason::MediaFailure => {
            DisconnectReason::ConnectionLost
        }
        _ => DisconnectReason::Other,
    }
}
