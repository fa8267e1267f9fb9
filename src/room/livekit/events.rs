//! Translates the library's room events into those of the port.

use std::sync::Arc;

use super::messages::{self, connection_quality, disconnect_reason};
use super::participants::participant;
use super::room::RoomState;
use super::{streams, video, video_in};
use crate::room::{ConnectionQuality, DisconnectReason, Identity, RoomEvent, Secret, Sid};

/// Takes one room event, on a thread of the library. Events of one room come one after another.
pub(super) fn on_event(room: &Arc<RoomState>, event: messages::RoomEvent) {
    if let Some(opened) = event.byte_stream_opened {
        streams::accept(room, opened);
    } else if let Some(updated) = event.participants_updated {
        for info in updated.participants {
            room.core.updated(participant(info));
        }
    } else if let Some(connected) = event.participant_connected {
        room.core.connected(participant(connected.info.info));
    } else if let Some(active) = event.participant_active {
        room.core.active(&Identity::from(active.participant_identity));
    } else if let Some(disconnected) = event.participant_disconnected {
        let identity = Identity::from(disconnected.participant_identity);
        video_in::publisher_left(room, &identity);
        room.core.disconnected(&identity);
    } else if let Some(changed) = event.participant_name_changed {
        room.core.edit(&changed.participant_identity, |participant| participant.name = changed.name);
    } else if let Some(changed) = event.participant_attributes_changed {
        let attributes = changed.attributes.into_iter().map(|entry| (entry.key, entry.value)).collect();
        room.core.edit(&changed.participant_identity, |participant| participant.attributes = attributes);
    } else if let Some(published) = event.data_track_published {
        super::data_tracks::on_published(room, published.track);
    } else if let Some(gone) = event.data_track_unpublished {
        super::data_tracks::on_unpublished(room, Sid::from(gone.sid));
    } else if let Some(published) = event.track_published {
        let mut videos = room.remote_videos.lock();
        let event = video_in::on_published(&mut videos, &published.participant_identity, published.publication);
        drop(videos);
        if let Some(event) = event {
            room.core.emit(event);
        }
    } else if let Some(gone) = event.track_unpublished {
        video_in::on_unpublished(room, Sid::from(gone.publication_sid));
    } else if let Some(subscribed) = event.track_subscribed {
        video_in::on_subscribed(room, subscribed.track);
    } else if let Some(failed) = event.track_subscription_failed {
        video_in::on_failed(room, failed);
    } else if let Some(renewed) = event.local_track_republished {
        video::on_republished(room, renewed);
    } else if let Some(gone) = event.local_track_unpublished {
        video::on_unpublished(room, &Sid::from(gone.publication_sid));
    } else if let Some(changed) = event.connection_quality_changed {
        if let Some(quality) = quality(changed.quality) {
            room.core
                .emit(RoomEvent::QualityChanged { identity: Identity::from(changed.participant_identity), quality });
        }
    } else if event.reconnecting.is_some() {
        room.core.reconnecting();
    } else if event.reconnected.is_some() {
        room.core.reconnected();
    } else if let Some(refreshed) = event.token_refreshed {
        room.core.emit(RoomEvent::TokenRefreshed(Secret::new(refreshed.token)));
    } else if let Some(disconnected) = event.disconnected {
        room.end(reason(disconnected.reason));
    } else if event.eos.is_some() {
        room.on_lost();
    }
    // What is left (data packets, text streams) carries at most a handle, which is dropped here.
}

fn quality(value: i32) -> Option<ConnectionQuality> {
    Some(match value {
        connection_quality::QUALITY_POOR => ConnectionQuality::Poor,
        connection_quality::QUALITY_GOOD => ConnectionQuality::Good,
        connection_quality::QUALITY_EXCELLENT => ConnectionQuality::Excellent,
        connection_quality::QUALITY_LOST => ConnectionQuality::Lost,
        _ => return None,
    })
}

fn reason(value: i32) -> DisconnectReason {
    match value {
        disconnect_reason::CLIENT_INITIATED => DisconnectReason::ClientInitiated,
        disconnect_reason::DUPLICATE_IDENTITY => DisconnectReason::DuplicateIdentity,
        disconnect_reason::SERVER_SHUTDOWN => DisconnectReason::ServerShutdown,
        disconnect_reason::PARTICIPANT_REMOVED => DisconnectReason::ParticipantRemoved,
        disconnect_reason::ROOM_DELETED | disconnect_reason::ROOM_CLOSED => DisconnectReason::RoomDeleted,
        // 0 is what the library says after its ten attempts (livekit-ffi.md section 6).
        disconnect_reason::UNKNOWN_REASON
        | disconnect_reason::SIGNAL_CLOSE
        | disconnect_reason::CONNECTION_TIMEOUT
        | disconnect_reason::MEDIA_FAILURE => DisconnectReason::ConnectionLost,
        _ => DisconnectReason::Other,
    }
}
