//! Video tracks of others: subscribed, decoded by the library, and handed on picture by picture.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::dispatch::{await_answer, dispatcher};
use super::handle::Handle;
use super::library;
use super::messages::{
    track_kind, video_buffer_type, video_stream_type, FfiRequest, NewVideoStreamRequest, OwnedTrack,
    OwnedTrackPublication, SetSubscribedRequest, TrackSubscriptionFailed, VideoStreamEvent,
};
use super::room::RoomState;
use crate::room::livekit_common::video::{BUFFER, LIBRARY_QUEUE, SUBSCRIBE_LIMIT, TRACKS_PER_PUBLISHER};
use crate::room::{
    video_pipe, Identity, RemoteVideoTrack, RoomError, RoomEvent, Sid, VideoFrame, VideoReceiver, VideoSink,
};

type Waiting = oneshot::Sender<Result<OwnedTrack, RoomError>>;

/// Video publications of others, and who waits for their tracks.
#[derive(Default)]
pub(super) struct RemoteVideos {
    publications: HashMap<Sid, (Identity, Handle)>,
    waiting: HashMap<Sid, Waiting>,
}

/// Somebody published a track; audio is of no interest.
pub(super) fn on_published(
    videos: &mut RemoteVideos,
    publisher: &str,
    publication: OwnedTrackPublication,
) -> Option<RoomEvent> {
    let OwnedTrackPublication { handle, info } = publication;
    if info.kind != track_kind::KIND_VIDEO {
        return None;
    }
    let (sid, publisher) = (Sid::from(info.sid), Identity::from(publisher));
    if videos.publications.values().filter(|(other, _)| *other == publisher).count() >= TRACKS_PER_PUBLISHER {
        return None;
    }
    videos.publications.insert(sid.clone(), (publisher.clone(), handle));
    Some(RoomEvent::VideoTrackPublished(RemoteVideoTrack { sid, name: info.name, publisher }))
}

/// A track of somebody is gone.
pub(super) fn on_unpublished(room: &RoomState, sid: Sid) {
    let gone = {
        let mut videos = room.remote_videos.lock();
        (videos.publications.remove(&sid), videos.waiting.remove(&sid))
    };
    drop(gone);
    let streams = dispatcher().take_videos(|video| video.room == room.id && video.sid == sid);
    drop(streams);
    room.core.emit(RoomEvent::VideoTrackUnpublished { sid });
}

/// Somebody left: the room says nothing of each of its tracks, whose handles go here.
pub(super) fn publisher_left(room: &RoomState, identity: &Identity) {
    let mut videos = room.remote_videos.lock();
    let gone: Vec<Sid> = videos
        .publications
        .iter()
        .filter(|(_, (publisher, _))| publisher == identity)
        .map(|(sid, _)| sid.clone())
        .collect();
    let handles: Vec<_> = gone.iter().filter_map(|sid| videos.publications.remove(sid)).collect();
    drop(videos);
    drop(handles);
}

/// The library has the track of a subscription.
pub(super) fn on_subscribed(room: &RoomState, track: OwnedTrack) {
    let waiting = room.remote_videos.lock().waiting.remove(&Sid::from(track.info.sid.as_str()));
    if let Some(waiting) = waiting {
        let _ = waiting.send(Ok(track));
    }
}

/// The library could not subscribe.
pub(super) fn on_failed(room: &RoomState, failed: TrackSubscriptionFailed) {
    let waiting = room.remote_videos.lock().waiting.remove(&Sid::from(failed.track_sid));
    if let Some(waiting) = waiting {
        let _ = waiting.send(Err(RoomError::Transport(failed.error)));
    }
}

/// Subscribes and decodes.
pub(super) async fn subscribe(
    room: Arc<RoomState>,
    track: RemoteVideoTrack,
    buffer: usize,
) -> Result<VideoReceiver, RoomError> {
    room.core.check_open()?;
    let (tx, rx) = oneshot::channel();
    {
        let mut videos = room.remote_videos.lock();
        if !videos.publications.contains_key(&track.sid) {
            return Err(RoomError::NoSuchTrack(track.name));
        }
        videos.waiting.insert(track.sid.clone(), tx);
    }
    set_subscribed(&room, &track.sid, true)?;
    let owned = await_answer(rx, "subscribing to a video track", SUBSCRIBE_LIMIT).await??;
    let request = NewVideoStreamRequest {
        track_handle: owned.handle.id(),
        r#type: video_stream_type::VIDEO_STREAM_NATIVE,
        format: Some(video_buffer_type::I420),
        normalize_stride: Some(true),
        queue_size_frames: Some(LIBRARY_QUEUE.into()),
    };
    let answer = room.library.request(&FfiRequest { new_video_stream: Some(request), ..Default::default() })?;
    let Some(stream) = answer.new_video_stream.map(|answer| answer.stream.handle) else {
        return Err(RoomError::Transport("the LiveKit library did not answer a subscription".into()));
    };
    let (sink, receiver) = video_pipe(buffer.clamp(*BUFFER.start(), *BUFFER.end()));
    let id = stream.id();
    let video =
        Video { stream, _track: owned.handle, state: Arc::downgrade(&room), room: room.id, sid: track.sid, sink };
    dispatcher().add_video(id, Arc::new(video));
    Ok(receiver)
}

fn set_subscribed(room: &RoomState, sid: &Sid, subscribe: bool) -> Result<(), RoomError> {
    let Some(publication_handle) = room.remote_videos.lock().publications.get(sid).map(|(_, handle)| handle.id())
    else {
        return Ok(());
    };
    let set_subscribed = Some(SetSubscribedRequest { subscribe, publication_handle });
    room.library.request(&FfiRequest { set_subscribed, ..Default::default() }).map(|_| ())
}

/// The decoded pictures of one track. Dropping it ends them.
pub(super) struct Video {
    stream: Handle,
    _track: Handle,
    state: std::sync::Weak<RoomState>,
    room: u64,
    sid: Sid,
    sink: VideoSink,
}

impl Video {
    /// Handle number of the room it belongs to.
    pub(super) fn room(&self) -> u64 {
        self.room
    }

    /// Takes one picture, or the end.
    pub(super) fn on_event(&self, event: VideoStreamEvent) {
        if event.eos.is_some() {
            return drop(dispatcher().remove_video(self.stream.id()));
        }
        let Some(received) = event.frame_received else { return };
        if self.sink.is_closed() {
            if let Some(room) = self.state.upgrade() {
                // The room may be ending; then nothing needs to be said.
                let _ = set_subscribed(&room, &self.sid, false);
            }
            return drop(dispatcher().remove_video(self.stream.id()));
        }
        let Some(data) = library::copy_i420(&received.buffer) else {
            tracing::warn!(target: "telelink::livekit", "a picture of an unexpected layout was dropped");
            return;
        };
        self.sink.push(VideoFrame {
            width: received.buffer.info.width,
            height: received.buffer.info.height,
            data,
            timestamp_us: received.timestamp_us,
            capture_time_us: received.metadata.and_then(|metadata| metadata.user_timestamp),
        });
    }
}
