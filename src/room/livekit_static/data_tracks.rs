//! Data tracks: ours, fed by the pacer, and those of others, read frame by frame.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use livekit::prelude::{
    DataTrackFrame, DataTrackOptions, DataTrackSubscribeOptions, LocalDataTrack, PublishError as Refusal,
    PushFrameErrorReason, RemoteDataTrack as Handle,
};

use super::room::RoomState;
use super::runtime::carry_out;
use crate::room::livekit_common::data_track::{self, Pushed, Wire};
use crate::room::livekit_common::remote_tracks::BUFFER;
use crate::room::{
    frame_pipe, DataFrame, DataTrack, FrameReceiver, FrameSink, FrameSource, Identity, PublishError, RemoteDataTrack,
    RoomError, RoomEvent, Sid,
};

/// Bound of a publication. It takes about 2 ms (livekit-ffi.md 5.3), more when many are under way.
const PUBLISH_LIMIT: Duration = Duration::from_secs(10);

/// Publishes a track of ours.
pub(super) async fn publish(
    room: Arc<RoomState>,
    name: String,
    source: Arc<dyn FrameSource>,
) -> Result<Arc<dyn DataTrack>, PublishError> {
    room.check_open()?;
    let state = room.clone();
    let publishing = async move {
        let published = state.room.local_participant().publish_data_track(DataTrackOptions::new(name.clone())).await;
        let track = published.map_err(|error| refusal(error, name.clone()))?;
        Ok(data_track::published(&state.core, name, source, Box::new(track)))
    };
    carry_out(&room.core.runtime, "publishing a data track", PUBLISH_LIMIT, publishing).await?
}

fn refusal(error: Refusal, name: String) -> PublishError {
    match error {
        Refusal::DuplicateName => PublishError::NameInUse(name),
        Refusal::NotAllowed => PublishError::NotAllowed,
        Refusal::Disconnected => RoomError::Closed.into(),
        other => RoomError::Transport(other.to_string()).into(),
    }
}

impl Wire for LocalDataTrack {
    fn push(&self, frame: &DataFrame) -> Pushed {
        let outgoing = DataTrackFrame::new(frame.payload.clone()).with_user_timestamp(frame.user_timestamp);
        match self.try_push(outgoing).map_err(|error| error.reason()) {
            Ok(()) => Pushed::Accepted,
            Err(PushFrameErrorReason::QueueFull) => Pushed::QueueFull,
            Err(PushFrameErrorReason::TrackUnpublished) => Pushed::NotPublished,
        }
    }

    fn unpublish(&self) {
        LocalDataTrack::unpublish(self);
    }
}

/// Somebody published a data track.
pub(super) fn on_published(room: &RoomState, track: Handle) {
    let (sid, publisher) = (Sid::from(track.info().sid().to_string()), Identity::from(track.publisher_identity()));
    let name = track.info().name().to_owned();
    if room.remote_tracks.lock().add(sid.clone(), publisher.clone(), track) {
        room.core.emit(RoomEvent::DataTrackPublished(RemoteDataTrack { sid, name, publisher }));
    }
}

/// A data track of somebody is gone.
pub(super) fn on_unpublished(room: &RoomState, sid: Sid) {
    let gone = room.remote_tracks.lock().remove(&sid);
    if gone.is_some() {
        room.core.emit(RoomEvent::DataTrackUnpublished { sid });
    }
}

/// Subscribes to a track of somebody else.
pub(super) fn subscribe(
    room: &Arc<RoomState>,
    track: &RemoteDataTrack,
    buffer: usize,
) -> Result<FrameReceiver, RoomError> {
    room.check_open()?;
    let buffer = buffer.clamp(*BUFFER.start(), *BUFFER.end());
    let handle = room.remote_tracks.lock().get(&track.sid).cloned();
    let Some(handle) = handle else { return Err(RoomError::NoSuchTrack(track.name.clone())) };
    let (sink, receiver) = frame_pipe(buffer);
    let mut life = room.core.life.subscribe();
    room.core.runtime.spawn(async move {
        let watched = sink.clone();
        tokio::select! {
            // The reader is gone, also if no frame comes any more to find that out.
            () = watched.closed() => {}
            // What it returns holds the lock of `life` and must be gone at once.
            () = async { drop(life.wait_for(|life| life.gone).await) } => {}
            () = carry(handle, sink, buffer) => {}
        }
    });
    Ok(receiver)
}

/// Carries frames until the track is gone; frames that the reader is too slow for are dropped and counted in our pipe.
async fn carry(track: Handle, sink: FrameSink, buffer: usize) {
    let options = DataTrackSubscribeOptions::new().with_buffer_size(buffer);
    let mut frames = match track.subscribe_with_options(options).await {
        Ok(frames) => frames,
        Err(error) => {
            tracing::debug!(target: "telelink::livekit", %error, "a data track could not be subscribed");
            return;
        }
    };
    while let Some(frame) = frames.next().await {
        let frame = DataFrame { payload: frame.payload(), user_timestamp: frame.user_timestamp().unwrap_or_default() };
        if sink.push(frame).is_err() {
            return;
        }
    }
}
