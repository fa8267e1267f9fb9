//! Video tracks of others: subscribed, decoded by WebRTC, and handed on picture by picture.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use futures_util::StreamExt;
use livekit::id::ParticipantIdentity;
use livekit::prelude::{RemoteTrack, RemoteTrackPublication, RemoteVideoTrack as Handle, TrackKind};
use livekit::webrtc::video_frame::BoxVideoFrame;
use livekit::webrtc::video_stream::native::{NativeVideoStream, NativeVideoStreamOptions};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::participants::identity;
use super::room::RoomState;
use crate::room::livekit_common::video::{BUFFER, LIBRARY_QUEUE, SUBSCRIBE_LIMIT, TRACKS_PER_PUBLISHER};
use crate::room::{
    video_pipe, Identity, RemoteVideoTrack, RoomError, RoomEvent, Sid, VideoFrame, VideoReceiver, VideoSink,
};

type Waiting = oneshot::Sender<Result<Handle, RoomError>>;

/// Video publications of others, who waits for their tracks, and who decodes them.
#[derive(Default)]
pub(super) struct RemoteVideos {
    publications: HashMap<Sid, (Identity, RemoteTrackPublication)>,
    waiting: HashMap<Sid, Waiting>,
    decoding: HashMap<Sid, Decoding>,
}

/// A task that decodes; it ends with this.
struct Decoding(AbortHandle);

impl Drop for Decoding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Somebody published a track; audio is of no interest.
pub(super) fn on_published(
    videos: &mut RemoteVideos,
    publisher: &ParticipantIdentity,
    publication: RemoteTrackPublication,
) -> Option<RoomEvent> {
    if publication.kind() != TrackKind::Video {
        return None;
    }
    let (sid, publisher) = (Sid::from(String::from(publication.sid())), identity(publisher));
    if videos.publications.values().filter(|(other, _)| *other == publisher).count() >= TRACKS_PER_PUBLISHER {
        return None;
    }
    let name = publication.name();
    videos.publications.insert(sid.clone(), (publisher.clone(), publication));
    Some(RoomEvent::VideoTrackPublished(RemoteVideoTrack { sid, name, publisher }))
}

/// A track of somebody is gone.
pub(super) fn on_unpublished(room: &RoomState, sid: Sid) {
    let mut videos = room.remote_videos.lock();
    let gone = (videos.publications.remove(&sid), videos.waiting.remove(&sid), videos.decoding.remove(&sid));
    drop(videos);
    if gone.0.is_some() {
        room.core.emit(RoomEvent::VideoTrackUnpublished { sid });
    }
}

/// Somebody left: the room need not say anything of each of its tracks.
pub(super) fn publisher_left(room: &RoomState, identity: &Identity) {
    let mut videos = room.remote_videos.lock();
    let gone: Vec<Sid> = videos
        .publications
        .iter()
        .filter(|(_, (publisher, _))| publisher == identity)
        .map(|(sid, _)| sid.clone())
        .collect();
    let tracks: Vec<_> =
        gone.iter().map(|sid| (videos.publications.remove(sid), videos.decoding.remove(sid))).collect();
    drop(videos);
    drop(tracks);
}

/// The crates have the track of a subscription.
pub(super) fn on_subscribed(room: &RoomState, sid: &Sid, track: RemoteTrack) {
    let waiting = room.remote_videos.lock().waiting.remove(sid);
    if let (Some(waiting), RemoteTrack::Video(track)) = (waiting, track) {
        let _ = waiting.send(Ok(track));
    }
}

/// The crates could not subscribe.
pub(super) fn on_failed(room: &RoomState, sid: &Sid, error: &str) {
    let waiting = room.remote_videos.lock().waiting.remove(sid);
    if let Some(waiting) = waiting {
        let _ = waiting.send(Err(RoomError::Transport(error.to_owned())));
    }
}

/// Subscribes and decodes.
pub(super) async fn subscribe(
    room: Arc<RoomState>,
    track: RemoteVideoTrack,
    buffer: usize,
) -> Result<VideoReceiver, RoomError> {
    room.check_open()?;
    let (tx, rx) = oneshot::channel();
    let (publication, previous) = {
        let mut videos = room.remote_videos.lock();
        let Some((_, publication)) = videos.publications.get(&track.sid) else {
            return Err(RoomError::NoSuchTrack(track.name));
        };
        let publication = publication.clone();
        videos.waiting.insert(track.sid.clone(), tx);
        (publication, videos.decoding.remove(&track.sid))
    };
    // An earlier subscription that has not yet noticed that nobody wants it must not end this one.
    drop(previous);
    let handle = match publication.track() {
        // It left the track subscribed, and nothing will be said of it again.
        Some(RemoteTrack::Video(handle)) => handle,
        _ => {
            set_subscribed(&room, publication, true);
            match tokio::time::timeout(SUBSCRIBE_LIMIT, rx).await {
                Ok(Ok(answer)) => answer?,
                Ok(Err(_)) => return Err(RoomError::Closed),
                Err(_) => return Err(RoomError::Timeout("subscribing to a video track")),
            }
        }
    };
    let (sink, receiver) = video_pipe(buffer.clamp(*BUFFER.start(), *BUFFER.end()));
    let decoding = room.core.runtime.spawn(decode(Arc::downgrade(&room), track.sid.clone(), handle, sink));
    let decoding = Decoding(decoding.abort_handle());
    let mut videos = room.remote_videos.lock();
    // Gone while it was subscribed: then the pictures end at once.
    let replaced = match videos.publications.contains_key(&track.sid) {
        true => videos.decoding.insert(track.sid, decoding),
        false => Some(decoding),
    };
    drop(videos);
    drop(replaced);
    Ok(receiver)
}

/// Tells the server, from LiveKit's own threads: the crates start a task for it.
fn set_subscribed(room: &RoomState, publication: RemoteTrackPublication, subscribed: bool) {
    room.core.runtime.spawn(async move { publication.set_subscribed(subscribed) });
}

/// Hands the pictures of one track on, until it ends or nobody wants them.
async fn decode(room: Weak<RoomState>, sid: Sid, track: Handle, sink: VideoSink) {
    let options = NativeVideoStreamOptions { queue_size_frames: Some(usize::from(LIBRARY_QUEUE)) };
    let mut frames = NativeVideoStream::with_options(track.rtc_track(), options);
    while let Some(frame) = frames.next().await {
        if sink.is_closed() {
            break;
        }
        sink.push(copy(&frame));
    }
    let Some(room) = room.upgrade() else { return };
    let publication = room.remote_videos.lock().publications.get(&sid).map(|(_, publication)| publication.clone());
    if let Some(publication) = publication {
        set_subscribed(&room, publication, false);
    }
}

/// Copies a decoded picture, planes without padding.
fn copy(frame: &BoxVideoFrame) -> VideoFrame {
    let picture = frame.buffer.to_i420();
    let (width, height) = (frame.buffer.width(), frame.buffer.height());
    let (y, u, v) = picture.data();
    let (stride_y, stride_u, stride_v) = picture.strides();
    let (half_width, half_height) = (width.div_ceil(2) as usize, height.div_ceil(2) as usize);
    let mut data = Vec::with_capacity(width as usize * height as usize + 2 * half_width * half_height);
    for (plane, stride, columns, rows) in [
        (y, stride_y, width as usize, height as usize),
        (u, stride_u, half_width, half_height),
        (v, stride_v, half_width, half_height),
    ] {
        // A plane of no width has no stride, and rows of nothing.
        plane.chunks(stride.max(1) as usize).take(rows).for_each(|row| data.extend_from_slice(&row[..columns]));
    }
    VideoFrame {
        width,
        height,
        data,
        timestamp_us: frame.timestamp_us,
        capture_time_us: frame.frame_metadata.as_ref().and_then(|metadata| metadata.user_timestamp),
    }
}
