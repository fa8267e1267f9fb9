//! Follows the events of the room.

use std::sync::Arc;
use std::time::Duration;

use telelink::protocol::CONTROL_TOPIC;
use telelink::room::{DisconnectReason, Identity, RoomEvent, RoomEvents, Sid};

use crate::event::Event;
use crate::shared::Shared;
use crate::tracks;

/// How long the room may lag behind the streams with its news of who is there: LiveKit sends them on different ways.
const NEWS_LAG: Duration = Duration::from_secs(5);

/// Runs until the room is lost.
pub(crate) async fn run(shared: Arc<Shared>, mut events: RoomEvents) {
    let mut reason = DisconnectReason::Other;
    while let Some(event) = events.recv().await {
        if let RoomEvent::Disconnected { reason: why } = event {
            reason = why;
            break;
        }
        handle(&shared, event);
    }
    shared.events.push_dropping(Event::Disconnected(reason), 0);
    shared.shut_down();
}

fn handle(shared: &Arc<Shared>, event: RoomEvent) {
    match event {
        RoomEvent::ByteStreamOpened { topic, sender, sender_sid, reader } => {
            // Any other topic is nothing to us, and neither are streams of others than the robot.
            let ours =
                topic == CONTROL_TOPIC && shared.inner.lock().robot.as_ref().is_none_or(|robot| *robot == sender);
            if ours {
                shared.begin_session(sender, sender_sid, reader);
            }
        }
        RoomEvent::ParticipantDisconnected { identity, sid } => robot_left(shared, &identity, &sid),
        RoomEvent::DataTrackPublished(track) => {
            let mut inner = shared.inner.lock();
            if let Some(channel_id) = inner.tracks.publish(track, shared.options.limits.entries) {
                tracks::reconcile(shared, &mut inner, channel_id);
            }
        }
        RoomEvent::DataTrackUnpublished { sid } => {
            let mut inner = shared.inner.lock();
            if let Some(channel_id) = inner.tracks.unpublish(&sid) {
                tracks::reconcile(shared, &mut inner, channel_id);
                drop(inner);
                shared.changed();
            }
        }
        RoomEvent::Reconnecting => {
            if let Some(session) = &mut shared.inner.lock().session {
                session.suspect = true;
            }
            shared.events.push_dropping(Event::Reconnecting, 0);
        }
        RoomEvent::Reconnected { full } => {
            shared.events.push_dropping(Event::Reconnected { full }, 0);
            reconnected(shared, full);
        }
        RoomEvent::ParticipantConnected(_)
        | RoomEvent::ParticipantActive(_)
        | RoomEvent::ParticipantUpdated(_)
        | RoomEvent::VideoTrackPublished(_)
        | RoomEvent::VideoTrackUnpublished { .. }
        | RoomEvent::LocalDataTrackLost { .. }
        | RoomEvent::LocalVideoTrackRepublished { .. }
        | RoomEvent::LocalVideoTrackLost { .. }
        | RoomEvent::QualityChanged { .. }
        | RoomEvent::TokenRefreshed(_)
        | RoomEvent::Disconnected { .. } => {}
    }
}

/// One connection of somebody ended. It matters if it is the one the session runs on: the robot may be back already under the
/// same identity, before the end of its old connection is announced.
fn robot_left(shared: &Arc<Shared>, identity: &Identity, sid: &Sid) {
    let number = {
        let mut inner = shared.inner.lock();
        if inner.robot.as_ref() != Some(identity) {
            return;
        }
        let current = inner.session.as_ref().and_then(|session| session.robot_sid.clone());
        let current = current.or_else(|| shared.room.participant(identity).map(|robot| robot.sid));
        if current.is_some_and(|current| current != *sid) {
            return;
        }
        // A stream so young may be of the robot's next connection, opened before the room had told of it: then it counted
        // as one of the connection that ends now. If it is of this one, the room ends the stream.
        if let Some(session) = inner.session.as_mut().filter(|session| session.began.elapsed() < NEWS_LAG) {
            session.left = true;
            return;
        }
        let number = inner.session.as_ref().map(|session| session.number);
        inner.robot = shared.options.robot.clone();
        number
    };
    shared.events.push_dropping(Event::RobotLeft, 0);
    if let Some(number) = number {
        shared.end_session(number, None);
    }
}

/// After a full reconnect every stream that was open is void, and the robot sees a new viewer. Its new control stream may have come
/// before this event; that one is good.
fn reconnected(shared: &Arc<Shared>, full: bool) {
    let number = {
        let mut inner = shared.inner.lock();
        let Some(session) = &mut inner.session else { return };
        let suspect = std::mem::take(&mut session.suspect);
        (full && suspect).then_some(session.number)
    };
    if let Some(number) = number {
        shared.end_session(number, None);
    }
}
