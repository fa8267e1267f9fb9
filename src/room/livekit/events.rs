//! Translates the library's room events into those of the port.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use super::messages::{self, connection_quality, disconnect_reason, ParticipantConnected};
use super::outbox::{Verdict, SID_LIMIT};
use super::room::RoomState;
use super::{streams, video, video_in};
use crate::room::{ConnectionQuality, DisconnectReason, Identity, RoomEvent, Secret, Sid};

/// Takes one room event, on a thread of the library. Events of one room come one after another.
pub(super) fn on_event(room: &Arc<RoomState>, event: messages::RoomEvent) {
    if let Some(opened) = event.byte_stream_opened {
        streams::accept(room, opened);
    } else if let Some(updated) = event.participants_updated {
        for info in updated.participants {
            let own = info.identity == room.participants.lock().local.identity.as_str();
            let changed = room.participants.lock().updated(info);
            emit_updated(room, changed);
            if own {
                on_own_update(room);
            }
        }
    } else if let Some(connected) = event.participant_connected {
        on_connected(room, connected);
    } else if let Some(active) = event.participant_active {
        let active = room.participants.lock().active(&Identity::from(active.participant_identity));
        if let Some(participant) = active {
            room.emit(RoomEvent::ParticipantActive(participant));
        }
    } else if let Some(disconnected) = event.participant_disconnected {
        on_disconnected(room, &Identity::from(disconnected.participant_identity));
    } else if let Some(changed) = event.participant_name_changed {
        let edited =
            room.participants.lock().edit(&changed.participant_identity, |participant| participant.name = changed.name);
        emit_updated(room, edited);
    } else if let Some(changed) = event.participant_attributes_changed {
        let attributes = changed.attributes.into_iter().map(|entry| (entry.key, entry.value)).collect();
        let edited = room
            .participants
            .lock()
            .edit(&changed.participant_identity, |participant| participant.attributes = attributes);
        emit_updated(room, edited);
    } else if let Some(published) = event.data_track_published {
        super::data_tracks::on_published(room, published.track);
    } else if let Some(gone) = event.data_track_unpublished {
        super::data_tracks::on_unpublished(room, Sid::from(gone.sid));
    } else if let Some(published) = event.track_published {
        let mut videos = room.remote_videos.lock();
        let event = video_in::on_published(&mut videos, &published.participant_identity, published.publication);
        drop(videos);
        if let Some(event) = event {
            room.emit(event);
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
            room.emit(RoomEvent::QualityChanged { identity: Identity::from(changed.participant_identity), quality });
        }
    } else if event.reconnecting.is_some() {
        on_reconnecting(room);
    } else if event.reconnected.is_some() {
        on_reconnected(room);
    } else if let Some(refreshed) = event.token_refreshed {
        room.emit(RoomEvent::TokenRefreshed(Secret::new(refreshed.token)));
    } else if let Some(disconnected) = event.disconnected {
        room.end(reason(disconnected.reason));
    } else if event.eos.is_some() {
        room.on_lost();
    }
    // What is left (data packets, text streams) carries at most a handle, which is dropped here.
}

fn emit_updated(room: &RoomState, changed: Option<crate::room::Participant>) {
    if let Some(participant) = changed {
        room.emit(RoomEvent::ParticipantUpdated(participant));
    }
}

fn on_connected(room: &Arc<RoomState>, connected: ParticipantConnected) {
    let (new, replaced) = room.participants.lock().connected(connected.info.info);
    if let Some(old) = replaced {
        streams::sender_left(room, &old.identity);
        room.emit(RoomEvent::ParticipantDisconnected { identity: old.identity, sid: old.sid });
    }
    room.emit(RoomEvent::ParticipantConnected(new));
}

fn on_disconnected(room: &Arc<RoomState>, identity: &Identity) {
    let gone = room.participants.lock().disconnected(identity);
    let Some(gone) = gone else { return };
    streams::sender_left(room, identity);
    room.outbox.lock().left(&gone.sid);
    video_in::publisher_left(room, identity);
    room.emit(RoomEvent::ParticipantDisconnected { identity: gone.identity, sid: gone.sid });
}

fn on_reconnecting(room: &RoomState) {
    room.epoch.fetch_add(1, Ordering::Relaxed);
    let remote = room.participants.lock().remote();
    let full = room.outbox.lock().reconnecting(remote.into_iter().map(|participant| participant.sid).collect());
    room.on_reconnected(full);
}

fn on_reconnected(room: &Arc<RoomState>) {
    let participants = room.participants.lock();
    let (sid, remote) = (participants.local.sid.clone(), participants.remote());
    drop(participants);
    match room.outbox.lock().reconnected(&sid, &remote) {
        Verdict::Reported(full) => return room.on_reconnected(full),
        Verdict::Waiting => (),
    }
    let weak = Arc::downgrade(room);
    room.runtime.spawn(async move {
        tokio::time::sleep(SID_LIMIT).await;
        if let Some(room) = weak.upgrade() {
            let full = room.outbox.lock().release();
            room.on_reconnected(full);
        }
    });
}

fn on_own_update(room: &RoomState) {
    let sid = room.participants.lock().local.sid.clone();
    let full = room.outbox.lock().own_update(&sid);
    room.on_reconnected(full);
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
