//! Data tracks: ours, fed by the pacer, and those of others, read frame by frame.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::dispatch::{self, dispatcher, Answer};
use super::handle::Handle;
use super::messages::{
    publish_error, DataTrackFrame, DataTrackOptions, DataTrackStreamEvent, DataTrackStreamReadRequest,
    DataTrackSubscribeOptions, FfiRequest, LocalDataTrackUnpublishRequest, OwnedRemoteDataTrack,
    PublishDataTrackRequest, SubscribeDataTrackRequest,
};
use super::pacer::{Pacer, Pending};
use super::room::RoomState;
use crate::room::{
    frame_pipe, BoxFuture, DataFrame, DataTrack, FrameReceiver, FrameSink, FrameSource, Identity, PublishError,
    RemoteDataTrack, RoomError, RoomEvent, Sid,
};

/// Bound of a publication. It takes about 2 ms (livekit-ffi.md 5.3), more when many are under way.
const PUBLISH_LIMIT: Duration = Duration::from_secs(10);

/// Remote tracks kept per publisher; what comes beyond is not reported. Four times what the largest robot of our own
/// budgets publishes (design.md section 6).
const TRACKS_PER_PUBLISHER: usize = 4096;

/// Frames that may wait for a reader, bounds of the port.
const BUFFER: std::ops::RangeInclusive<usize> = 1..=4096;

/// Publishes a track of ours.
pub(super) async fn publish(
    room: Arc<RoomState>,
    name: String,
    source: Arc<dyn FrameSource>,
) -> Result<Arc<dyn DataTrack>, PublishError> {
    room.check_open()?;
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
    let local = Arc::new(LocalTrack {
        handle: track.handle,
        name,
        source,
        queued: AtomicBool::new(false),
        place: OnceLock::new(),
        ended: AtomicBool::new(false),
        pending: Mutex::default(),
        room: Arc::downgrade(&room),
    });
    local.place.get_or_init(|| room.pacer.add_track(local.clone()));
    Ok(Arc::new(LivekitTrack { local, room }))
}

/// A published track as the pacer sees it.
pub(super) struct LocalTrack {
    pub(super) handle: Handle,
    name: String,
    pub(super) source: Arc<dyn FrameSource>,
    /// The pacer knows that there is something to send.
    pub(super) queued: AtomicBool,
    /// Where the pacer has this track.
    place: OnceLock<usize>,
    /// Unpublished, by us or by the room.
    ended: AtomicBool,
    /// The frame that the transport's full queue refused.
    pub(super) pending: Mutex<Option<Pending>>,
    room: std::sync::Weak<RoomState>,
}

impl LocalTrack {
    /// Tells the pacer that there is something to send.
    pub(super) fn notify(&self, pacer: &Pacer) {
        if let Some(&place) = self.place.get() {
            pacer.notify(self, place);
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The transport says that the track is not published. Reported once, and not if we have unpublished it or left.
    pub(super) fn on_lost(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(room) = self.room.upgrade().filter(|room| room.check_open().is_ok()) {
            room.emit(RoomEvent::LocalDataTrackLost { name: self.name.clone() });
        }
    }
}

/// The port's face of one track of ours.
struct LivekitTrack {
    local: Arc<LocalTrack>,
    room: Arc<RoomState>,
}

impl LivekitTrack {
    fn unpublish_now(&self) {
        if self.local.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let unpublish = LocalDataTrackUnpublishRequest { track_handle: self.local.handle.id() };
        let request = FfiRequest { local_data_track_unpublish: Some(unpublish), ..Default::default() };
        // Fails only for a track that is gone already.
        let _ = self.room.library.request(&request);
    }
}

impl DataTrack for LivekitTrack {
    fn notify(&self) {
        self.local.notify(&self.room.pacer);
    }

    fn unpublish(&self) -> BoxFuture<()> {
        // The library takes the order synchronously and tells the server by itself.
        self.unpublish_now();
        Box::pin(std::future::ready(()))
    }
}

impl Drop for LivekitTrack {
    fn drop(&mut self) {
        self.unpublish_now();
        if let Some(&place) = self.local.place.get() {
            self.room.pacer.remove_track(place);
        }
    }
}

/// Data tracks of others, with the handle that a subscription needs.
#[derive(Default)]
pub(super) struct RemoteTracks {
    tracks: HashMap<Sid, (Identity, Handle)>,
    per_publisher: HashMap<Identity, usize>,
}

impl RemoteTracks {
    /// `false`: the publisher has too many.
    fn add(&mut self, sid: Sid, publisher: Identity, handle: Handle) -> bool {
        let count = self.per_publisher.entry(publisher.clone()).or_default();
        if *count >= TRACKS_PER_PUBLISHER {
            return false;
        }
        if self.tracks.insert(sid, (publisher, handle)).is_none() {
            *count += 1;
        }
        true
    }

    fn remove(&mut self, sid: &Sid) -> bool {
        let Some((publisher, handle)) = self.tracks.remove(sid) else { return false };
        drop(handle);
        if let Some(count) = self.per_publisher.get_mut(&publisher) {
            *count -= 1;
            if *count == 0 {
                self.per_publisher.remove(&publisher);
            }
        }
        true
    }
}

/// Somebody published a data track.
pub(super) fn on_published(room: &RoomState, track: OwnedRemoteDataTrack) {
    let OwnedRemoteDataTrack { handle, info, publisher_identity } = track;
    let (sid, publisher) = (Sid::from(info.sid), Identity::from(publisher_identity));
    if room.remote_tracks.lock().add(sid.clone(), publisher.clone(), handle) {
        room.emit(RoomEvent::DataTrackPublished(RemoteDataTrack { sid, name: info.name, publisher }));
    }
}

/// A data track of somebody is gone.
pub(super) fn on_unpublished(room: &RoomState, sid: Sid) {
    if room.remote_tracks.lock().remove(&sid) {
        room.emit(RoomEvent::DataTrackUnpublished { sid });
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
    let response = {
        let tracks = room.remote_tracks.lock();
        let Some((_, handle)) = tracks.tracks.get(&track.sid) else {
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
    let watcher = room.runtime.spawn(async move {
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
