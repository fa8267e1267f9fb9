//! Video tracks: pictures go as they are, without an encoder, so that a test sees exactly what was captured.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;

use super::connection::ConnId;
use super::gates::Gate;
use super::server::{MemoryServer, State};
use super::tracks::TrackAction;
use crate::room::{
    video_pipe, BoxFuture, EncodedPicture, Identity, PublishError, RemoteVideoTrack, RoomError, RoomEvent, Sid,
    VideoFrame, VideoPicture, VideoReceiver, VideoSink, VideoTrack, VideoTrackOptions, VideoTrackStats,
};

const PUBLISH_DEADLINE: Duration = Duration::from_secs(30);

/// A published video track, as the server has it.
pub(super) struct Video {
    number: u64,
    pub(super) name: String,
    pub(super) sid: Sid,
    /// Shared with the track's own object.
    own_sid: Arc<Mutex<Sid>>,
    options: VideoTrackOptions,
    key_frame_wanted: bool,
    subscribers: Vec<(ConnId, VideoSink)>,
    frames: u64,
    bytes: u64,
    size: (u32, u32),
}

impl Video {
    pub(super) fn remote(&self, publisher: &Identity) -> RemoteVideoTrack {
        RemoteVideoTrack { sid: self.sid.clone(), name: self.name.clone(), publisher: publisher.clone() }
    }

    /// A full reconnect: a new SID, and everybody has to subscribe again.
    pub(super) fn renew(&mut self, sid: Sid) {
        *self.own_sid.lock() = sid.clone();
        self.sid = sid;
        self.subscribers.clear();
    }

    pub(super) fn forget_subscriber(&mut self, id: ConnId) {
        self.subscribers.retain(|(who, _)| *who != id);
    }
}

/// What was wanted of the video of one participant, and faults of it.
#[derive(Default)]
pub(super) struct VideoFaults {
    pub(super) publish_failures: std::collections::HashMap<Identity, VecDeque<PublishError>>,
    pub(super) capture_failures: std::collections::HashMap<Identity, u32>,
    /// A full reconnect does not publish video tracks again.
    pub(super) forgets: bool,
}

/// Video tracks.
impl MemoryServer {
    /// The next publication of a video track by `identity` fails in this way. Several calls make several failures.
    pub fn fail_next_video_publish(&self, identity: &str, error: PublishError) {
        self.with(|state| state.faults.video.publish_failures.entry(identity.into()).or_default().push_back(error));
    }

    /// The next `count` pictures of `identity` are refused by its encoder.
    pub fn fail_captures(&self, identity: &str, count: u32) {
        self.with(|state| state.faults.video.capture_failures.insert(identity.into(), count));
    }

    /// The server takes a video track of `identity` away: the others see it go, its owner hears LocalVideoTrackLost. Says
    /// whether there was such a track.
    pub fn lose_video_track(&self, identity: &str, name: &str) -> bool {
        let mut lost = false;
        self.for_each(identity, |state, id| {
            let sid = state
                .connections
                .get(&id)
                .and_then(|c| c.videos.iter().find(|v| v.name == name).map(|v| v.sid.clone()));
            let Some(sid) = sid else { return };
            lost |= state.remove_video(id, &sid);
            state.event(id, RoomEvent::LocalVideoTrackLost { name: name.to_owned(), sid });
        });
        lost
    }

    /// Whether full reconnects forget to publish video tracks again. Default `false`, as LiveKit.
    pub fn set_reconnect_forgets_video(&self, forgets: bool) {
        self.with(|state| state.faults.video.forgets = forgets);
    }

    /// The options of the video track of that name, if `identity` publishes one.
    pub fn video_options(&self, identity: &str, name: &str) -> Option<VideoTrackOptions> {
        self.look(|state| {
            let id = *state.connections_of(&identity.into()).first()?;
            let videos = &state.connections.get(&id)?.videos;
            videos.iter().find(|video| video.name == name).map(|video| video.options.clone())
        })
    }
}

pub(super) async fn publish(
    server: Arc<MemoryServer>,
    id: ConnId,
    name: String,
    options: VideoTrackOptions,
) -> Result<Arc<dyn VideoTrack>, PublishError> {
    let found = server.look(|state| state.connections.get(&id).map(|c| (c.local.identity.clone(), c.gone.clone())));
    let (identity, gone) = found.ok_or(RoomError::Closed)?;
    let ready = async {
        server.pass(Gate::PublishVideo, &identity, &gone).await?;
        server.link_up(id).await
    };
    timeout(PUBLISH_DEADLINE, ready).await.map_err(|_| RoomError::Timeout("publishing a video track"))??;
    let (number, sid) = server.with(|state| state.add_video(id, &name, options))?;
    Ok(Arc::new(MemoryVideo { server, id, name: name.as_str().into(), number, sid }))
}

struct MemoryVideo {
    server: Arc<MemoryServer>,
    id: ConnId,
    /// Of the track, as gates know it.
    name: Identity,
    number: u64,
    sid: Arc<Mutex<Sid>>,
}

impl MemoryVideo {
    /// Waits at the gate of a slow encoder, on the thread that captures.
    fn pass_gate(&self) -> Result<(), RoomError> {
        let shut = self.server.look(|state| {
            let connection = state.connections.get(&self.id)?;
            let shut = state.gates.is_shut(Gate::Capture, &self.name);
            shut.then(|| (connection.runtime.clone(), connection.gone.clone()))
        });
        match shut {
            Some((runtime, gone)) => runtime.block_on(self.server.pass(Gate::Capture, &self.name, &gone)),
            None => Ok(()),
        }
    }

    fn take(&self, frame: VideoFrame) -> Result<(), RoomError> {
        self.pass_gate()?;
        self.server.with(|state| state.show(self.id, self.number, frame))
    }
}

impl VideoTrack for MemoryVideo {
    fn sid(&self) -> Sid {
        self.sid.lock().clone()
    }

    fn capture(&self, picture: &VideoPicture<'_>) -> Result<(), RoomError> {
        let (width, height) = (picture.width as usize, picture.height as usize);
        if width % 2 + height % 2 != 0 || picture.data.len() != width * height * 3 / 2 {
            return Err(RoomError::Transport("a picture whose size does not fit its data".into()));
        }
        self.take(VideoFrame {
            width: picture.width,
            height: picture.height,
            data: picture.data.to_vec(),
            timestamp_us: picture.timestamp_us,
            capture_time_us: u64::try_from(picture.timestamp_us).ok(),
        })
    }

    /// Receivers get the encoded bytes as they are.
    fn capture_encoded(&self, picture: &EncodedPicture<'_>) -> Result<bool, RoomError> {
        let frame = VideoFrame {
            width: picture.width,
            height: picture.height,
            data: picture.data.to_vec(),
            timestamp_us: picture.timestamp_us,
            capture_time_us: u64::try_from(picture.timestamp_us).ok(),
        };
        self.take(frame).map(|()| true)
    }

    fn take_key_frame_request(&self) -> bool {
        self.server.with(|state| {
            state.video(self.id, self.number).is_some_and(|video| std::mem::take(&mut video.key_frame_wanted))
        })
    }

    fn stats(&self) -> BoxFuture<Result<VideoTrackStats, RoomError>> {
        let stats = self.server.with(|state| {
            let video = state.video(self.id, self.number).ok_or(RoomError::Closed)?;
            Ok(VideoTrackStats {
                encoder: "memory".into(),
                hardware: false,
                width: video.size.0,
                height: video.size.1,
                frames_per_second: 0.0,
                frames_encoded: video.frames,
                key_frames: video.frames,
                bytes_sent: video.bytes,
            })
        });
        Box::pin(async move { stats })
    }

    fn unpublish(&self) -> BoxFuture<()> {
        let sid = self.sid();
        self.server.with(|state| state.remove_video(self.id, &sid));
        Box::pin(std::future::ready(()))
    }
}

impl Drop for MemoryVideo {
    fn drop(&mut self) {
        let sid = self.sid();
        self.server.with(|state| state.remove_video(self.id, &sid));
    }
}

impl State {
    fn video(&mut self, id: ConnId, number: u64) -> Option<&mut Video> {
        self.connections.get_mut(&id)?.videos.iter_mut().find(|video| video.number == number)
    }

    fn add_video(
        &mut self,
        id: ConnId,
        name: &str,
        options: VideoTrackOptions,
    ) -> Result<(u64, Arc<Mutex<Sid>>), PublishError> {
        let number = self.number();
        let connection = self.connections.get_mut(&id).ok_or(RoomError::Closed)?;
        let identity = connection.local.identity.clone();
        let failures = self.faults.video.publish_failures.get_mut(&identity);
        if let Some(error) = failures.and_then(|errors| errors.pop_front()) {
            return Err(error);
        }
        if !connection.can_publish {
            return Err(PublishError::NotAllowed);
        }
        let sid: Sid = format!("TR_{number}").into();
        let own_sid = Arc::new(Mutex::new(sid.clone()));
        let video = Video {
            number,
            name: name.to_owned(),
            sid,
            own_sid: own_sid.clone(),
            options,
            key_frame_wanted: true,
            subscribers: Vec::new(),
            frames: 0,
            bytes: 0,
            size: (0, 0),
        };
        let (remote, own) = (video.remote(&identity), connection.local.sid.clone());
        self.counters.tracks.add(&identity, name, &video.sid, TrackAction::Published);
        connection.videos.push(video);
        for to in self.others(id) {
            let Some(other) = self.connections.get_mut(&to) else { continue };
            if !other.unannounced.contains(&own) {
                other.tell(RoomEvent::VideoTrackPublished(remote.clone()));
            }
        }
        Ok((number, own_sid))
    }

    /// Takes a publication back. Says whether there was one.
    pub(super) fn remove_video(&mut self, id: ConnId, sid: &Sid) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        let Some(place) = connection.videos.iter().position(|video| video.sid == *sid) else { return false };
        let video = connection.videos.remove(place);
        let (identity, own) = (connection.local.identity.clone(), connection.local.sid.clone());
        self.counters.tracks.add(&identity, &video.name, sid, TrackAction::Unpublished);
        for to in self.others(id) {
            let Some(other) = self.connections.get_mut(&to) else { continue };
            if !other.unannounced.contains(&own) {
                other.tell(RoomEvent::VideoTrackUnpublished { sid: sid.clone() });
            }
        }
        true
    }

    fn show(&mut self, id: ConnId, number: u64, frame: VideoFrame) -> Result<(), RoomError> {
        let identity = self.connections.get(&id).ok_or(RoomError::Closed)?.local.identity.clone();
        if let Some(left) = self.faults.video.capture_failures.get_mut(&identity).filter(|left| **left > 0) {
            *left -= 1;
            return Err(RoomError::Transport("injected failure of a capture".into()));
        }
        let video = self.video(id, number).ok_or_else(|| RoomError::NoSuchTrack("unpublished".into()))?;
        video.frames += 1;
        video.bytes += frame.data.len() as u64;
        video.size = (frame.width, frame.height);
        video.subscribers.retain(|(_, sink)| sink.push(frame.clone()));
        Ok(())
    }

    /// A full reconnect publishes video tracks again, under new SIDs, or forgets them. Events for their owner.
    pub(super) fn renew_videos(&mut self, id: ConnId) -> Vec<RoomEvent> {
        let (first, forgets) = (self.number(), self.faults.video.forgets);
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        let (identity, log) = (&connection.local.identity, &mut self.counters.tracks);
        let mut events = Vec::new();
        for (place, video) in connection.videos.iter_mut().enumerate() {
            let previous = video.sid.clone();
            log.add(identity, &video.name, &previous, TrackAction::Unpublished);
            if forgets {
                continue;
            }
            let sid: Sid = format!("TR_{first}_{place}").into();
            video.renew(sid.clone());
            log.add(identity, &video.name, &sid, TrackAction::Republished);
            events.push(RoomEvent::LocalVideoTrackRepublished { name: video.name.clone(), previous, sid });
        }
        if forgets {
            connection.videos.clear();
        }
        events
    }
}

pub(super) fn subscribe(
    server: &Arc<MemoryServer>,
    id: ConnId,
    wanted: &RemoteVideoTrack,
    buffer: usize,
) -> Result<VideoReceiver, RoomError> {
    let (sink, receiver) = video_pipe(buffer.clamp(1, 64));
    server.with(|state| {
        let me = state.connections.get(&id).ok_or(RoomError::Closed)?;
        let missing = || RoomError::NoSuchTrack(wanted.name.clone());
        let publisher = state.find(&me.room, &wanted.publisher).filter(|publisher| *publisher != id);
        let publisher = publisher.and_then(|publisher| state.connections.get_mut(&publisher)).ok_or_else(missing)?;
        let video = publisher.videos.iter_mut().find(|video| video.sid == wanted.sid).ok_or_else(missing)?;
        video.subscribers.push((id, sink));
        video.key_frame_wanted = true;
        Ok::<_, RoomError>(())
    })?;
    Ok(receiver)
}
