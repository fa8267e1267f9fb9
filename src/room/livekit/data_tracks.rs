//! Data tracks: ours, fed by the pacer, and those of others, read frame by frame.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::dispatch::{self, dispatcher, Answer};
use super::handle::Handle;
use super::library::Library;
use super::messages::{
    publish_error, push_error, DataTrackFrame, DataTrackOptions, DataTrackStreamEvent, DataTrackStreamReadRequest,
    DataTrackSubscribeOptions, FfiRequest, LocalDataTrackTryPushRequest, LocalDataTrackUnpublishRequest,
    OwnedRemoteDataTrack, PublishDataTrackRequest, SubscribeDataTrackRequest,
};
use super::room::RoomState;
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
    room.core.check_open()?;
    let request = |id| FfiRequest {
        publish_data_track: Some(PublishDataTrackRequest {
            local_participant_handle: room.local_handle,
            options: DataTrackOptions { name: name.clone() },
            request_async_id: Some(id),
        }),
        ..Default::default()
    };
    let make = {
        let (room, name) = (room.clone(), name.clone());
        move |answer| published(room, name, source, answer)
    };
    dispatch::ask_for(&room.library, "publishing a data track", PUBLISH_LIMIT, request, make).await?
}

/// Makes a track of the library's answer.
fn published(
    room: Arc<RoomState>,
    name: String,
    source: Arc<dyn FrameSource>,
    answer: Answer,
) -> Result<Arc<dyn DataTrack>, PublishError> {
    let answer = match answer {
        Answer::TrackPublished(answer) => answer,
        other => return Err(other.unexpected().into()),
    };
    let Some(track) = answer.track else {
        let error = answer.error.unwrap_or_default();
        return Err(match error.code {
            publish_error::PUBLISH_DATA_TRACK_ERROR_CODE_DUPLICATE_NAME => PublishError::NameInUse(name),
            publish_error::PUBLISH_DATA_TRACK_ERROR_CODE_NOT_ALLOWED => PublishError::NotAllowed,
            publish_error::PUBLISH_DATA_TRACK_ERROR_CODE_DISCONNECTED => RoomError::Closed.into(),
            _ => RoomError::Transport(error.message).into(),
        });
    };
    let wire = LocalTrack { handle: track.handle, library: room.library.clone() };
    Ok(data_track::published(&room.core, name, source, Box::new(wire)))
}

/// A published track as the library sees it.
struct LocalTrack {
    handle: Handle,
    library: Arc<Library>,
}

impl Wire for LocalTrack {
    fn push(&self, frame: &DataFrame) -> Pushed {
        let request = FfiRequest {
            local_data_track_try_push: Some(LocalDataTrackTryPushRequest {
                track_handle: self.handle.id(),
                frame: DataTrackFrame { payload: frame.payload.clone(), user_timestamp: Some(frame.user_timestamp) },
            }),
            ..Default::default()
        };
        let Ok(response) = self.library.request(&request) else { return Pushed::NotPublished };
        match response.local_data_track_try_push.and_then(|push| push.error).map(|error| error.code) {
            None => Pushed::Accepted,
            Some(push_error::LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_QUEUE_FULL) => Pushed::QueueFull,
            Some(
                push_error::LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_TRACK_UNPUBLISHED
                | push_error::LOCAL_DATA_TRACK_TRY_PUSH_ERROR_CODE_INVALID_HANDLE,
            ) => Pushed::NotPublished,
            Some(_) => Pushed::Refused,
        }
    }

    fn unpublish(&self) {
        let unpublish = LocalDataTrackUnpublishRequest { track_handle: self.handle.id() };
        let request = FfiRequest { local_data_track_unpublish: Some(unpublish), ..Default::default() };
        // Fails only for a track that is gone already.
        let _ = self.library.request(&request);
    }
}

/// Somebody published a data track.
pub(super) fn on_published(room: &RoomState, track: OwnedRemoteDataTrack) {
    let OwnedRemoteDataTrack { handle, info, publisher_identity } = track;
    let (sid, publisher) = (Sid::from(info.sid), Identity::from(publisher_identity));
    if room.remote_tracks.lock().add(sid.clone(), publisher.clone(), handle) {
        room.core.emit(RoomEvent::DataTrackPublished(RemoteDataTrack { sid, name: info.name, publisher }));
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
    room.core.check_open()?;
    let buffer = buffer.clamp(*BUFFER.start(), *BUFFER.end());
    let response = {
        let tracks = room.remote_tracks.lock();
        let Some(handle) = tracks.get(&track.sid) else {
            return Err(RoomError::NoSuchTrack(track.name.clone()));
        };
        room.library.request(&FfiRequest {
            subscribe_data_track: Some(SubscribeDataTrackRequest {
                track_handle: handle.id(),
                options: DataTrackSubscribeOptions { buffer_size: u32::try_from(buffer).ok() },
            }),
            ..Default::default()
        })?
    };
    let Some(response) = response.subscribe_data_track else {
        return Err(RoomError::Transport("the LiveKit library did not answer a subscription".into()));
    };
    let stream = response.stream.handle;
    let id = stream.id();
    let (sink, receiver) = frame_pipe(buffer);
    let watched = sink.clone();
    // Ends the subscription when the reader is gone, also if no frame comes any more to find that out.
    let watcher = room.core.runtime.spawn(async move {
        watched.closed().await;
        drop(dispatcher().remove_subscription(id));
    });
    let subscription = Arc::new(Subscription { stream, room: room.id, sink, watcher });
    dispatcher().add_subscription(id, subscription.clone());
    subscription.read_next();
    Ok(receiver)
}

/// A subscription to a track of somebody else. Dropping it ends it.
pub(super) struct Subscription {
    stream: Handle,
    room: u64,
    sink: FrameSink,
    watcher: JoinHandle<()>,
}

impl Subscription {
    /// Handle number of the room it belongs to.
    pub(super) fn room(&self) -> u64 {
        self.room
    }

    /// Takes one event of the stream: a frame, asked for by the last read, or its end.
    pub(super) fn on_event(&self, event: DataTrackStreamEvent) {
        if event.eos.is_some() {
            return self.end();
        }
        let Some(received) = event.frame_received else { return };
        let DataTrackFrame { payload, user_timestamp } = received.frame;
        let frame = DataFrame { payload, user_timestamp: user_timestamp.unwrap_or_default() };
        match self.sink.push(frame) {
            // Asked for at once: frames that the reader is too slow for are dropped and counted in our pipe.
            Ok(()) => self.read_next(),
            Err(_) => self.end(),
        }
    }

    fn read_next(&self) {
        let read = DataTrackStreamReadRequest { stream_handle: self.stream.id() };
        let request = FfiRequest { data_track_stream_read: Some(read), ..Default::default() };
        let answer = current_request(&request);
        if answer.map_or(true, |answer| answer.data_track_stream_read.is_none_or(|read| read.eos_event.is_some())) {
            self.end();
        }
    }

    fn end(&self) {
        drop(dispatcher().remove_subscription(self.stream.id()));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // The watcher holds the other end of the pipe, and the reader must see that nothing comes any more.
        self.watcher.abort();
    }
}

fn current_request(request: &FfiRequest) -> Result<super::messages::FfiResponse, RoomError> {
    super::library::current().ok_or(RoomError::Closed)?.request(request)
}
