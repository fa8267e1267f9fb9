//! One joined room: its state, and the room port over it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use livekit::participant::Participant as Handle;
use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::{mpsc, watch};

use super::participants::{participant, remote};
use super::runtime::carry_out;
use super::streams::{self, Readers};
use super::video::{self, LocalVideos};
use super::video_in::{self, RemoteVideos};
use super::{data_tracks, events, stats};
use crate::room::livekit_common::core::Core;
use crate::room::livekit_common::participants::Participants;
use crate::room::livekit_common::remains;
use crate::room::livekit_common::remote_tracks::RemoteTracks;
use crate::room::livekit_common::watchdog::{self, Counters, Watched};
use crate::room::{
    BoxFuture, ByteSource, ByteStream, DataTrack, DisconnectReason, FrameReceiver, FrameSource, Identity, Joined,
    Participant, PublishError, RemoteDataTrack, RemoteVideoTrack, Room, RoomError, RoomStats, Scenario, Sid,
    VideoReceiver, VideoTrack, VideoTrackOptions,
};

/// Deadline of short requests: LiveKit answers these within milliseconds, or when a reconnection is over.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How long LiveKit may take to leave a room. It takes milliseconds; rooms that reconnect take at most 16 s
/// (livekit-ffi.md section 6).
const LEAVE_LIMIT: Duration = Duration::from_secs(30);

/// Shared state of one room.
pub(super) struct RoomState {
    pub(super) core: Arc<Core>,
    pub(super) room: Arc<livekit::Room>,
    /// The process that joined: a forked child has none of LiveKit's threads.
    process: u32,
    pub(super) readers: Arc<Readers>,
    pub(super) remote_tracks: Mutex<RemoteTracks<livekit::prelude::RemoteDataTrack>>,
    pub(super) local_videos: Mutex<LocalVideos>,
    pub(super) remote_videos: Mutex<RemoteVideos>,
    /// Connections that were active when we joined. The crates' events may tell of some of them again.
    listed_active: Mutex<HashSet<Sid>>,
    leaving: AtomicBool,
    /// `true` once the room has been left.
    left: watch::Sender<bool>,
}

impl RoomState {
    /// Makes the room of a successful connect and lets its events flow.
    pub(super) fn start(
        runtime: runtime::Handle,
        panics: Arc<AtomicU64>,
        room: livekit::Room,
        mut events: mpsc::UnboundedReceiver<livekit::RoomEvent>,
    ) -> Joined {
        let room = Arc::new(room);
        // The first event of a room says who was there, with their tracks.
        let (present, first) = match events.try_recv() {
            Ok(livekit::RoomEvent::Connected { participants_with_tracks }) => (participants_with_tracks, None),
            other => (Vec::new(), other.ok()),
        };
        let (mut videos, mut published) = (RemoteVideos::default(), Vec::new());
        for (publisher, publications) in &present {
            for publication in publications {
                published.extend(video_in::on_published(&mut videos, &publisher.identity(), publication.clone()));
            }
        }
        let others: Vec<Participant> = present.iter().map(|(handle, _)| remote(handle)).collect();
        let listed_active = others.iter().filter(|other| other.active).map(|other| other.sid.clone()).collect();
        let participants = Participants::new(participant(&Handle::Local(room.local_participant())), others.clone());
        let local = participants.local.clone();
        let readers = Arc::new(Readers::default());
        let meter = Box::new(stats::SessionMeter::new(runtime.clone(), room.clone()));
        let (core, receiver) = Core::new(runtime, panics, participants, meter, Box::new(readers.clone()));
        published.into_iter().for_each(|event| core.emit(event));
        let state = Arc::new(Self {
            core,
            room,
            process: std::process::id(),
            readers,
            remote_tracks: Mutex::default(),
            local_videos: Mutex::default(),
            remote_videos: Mutex::new(videos),
            listed_active: Mutex::new(listed_active),
            leaving: AtomicBool::new(false),
            left: watch::Sender::new(false),
        });
        events::start(&state, first, events);
        watchdog::start(&state);
        Joined { room: Arc::new(LivekitStaticRoom { state }), local, participants: others, events: receiver }
    }

    pub(super) fn check_open(&self) -> Result<(), RoomError> {
        if std::process::id() != self.process {
            return Err(RoomError::Closed);
        }
        self.core.check_open()
    }

    /// Whether somebody's being active was said with the join; asked once per connection.
    pub(super) fn was_listed_active(&self, sid: &Sid) -> bool {
        self.listed_active.lock().remove(sid)
    }

    /// Ends the room with its last event; later calls do nothing.
    pub(super) fn end(&self, reason: DisconnectReason) {
        self.core.end(reason);
        self.wind_up();
    }

    /// Lets go of everything that lived on this room.
    fn wind_up(&self) {
        let tracks = std::mem::take(&mut *self.remote_tracks.lock());
        drop(tracks);
        let videos = std::mem::take(&mut *self.remote_videos.lock());
        drop(videos);
    }

    /// Leaves the room, once; [`RoomState::left`] tells when LiveKit is done. Dropping the crates' room would not leave it
    /// (livekit-ffi.md 3.2).
    fn leave(self: &Arc<Self>) {
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        // After a close nothing more is reported, not even that we have left.
        self.core.outbox.lock().close();
        self.core.wind_up();
        self.wind_up();
        if std::process::id() != self.process {
            self.left.send_replace(true);
            return;
        }
        let state = self.clone();
        self.core.runtime.spawn(async move {
            match tokio::time::timeout(LEAVE_LIMIT, state.room.close()).await {
                // An error means that LiveKit has left it by itself.
                Ok(_) => {}
                Err(_) => tracing::warn!(target: "telelink::livekit", "a room was not left in time"),
            }
            state.left.send_replace(true);
        });
    }
}

impl Watched for RoomState {
    fn core(&self) -> &Core {
        &self.core
    }

    async fn look(&self) -> Option<Counters> {
        stats::ask(self).await.ok().map(|session| stats::counters(&session))
    }

    async fn simulate(&self, scenario: Scenario) -> Result<(), RoomError> {
        self.check_open()?;
        let scenario = match scenario {
            Scenario::SignalReconnect => livekit::SimulateScenario::SignalReconnect,
            Scenario::FullReconnect => livekit::SimulateScenario::FullReconnect,
            Scenario::ServerLeave => livekit::SimulateScenario::ServerLeave,
        };
        let room = self.room.clone();
        let work = async move { room.simulate_scenario(scenario).await };
        let done = carry_out(&self.core.runtime, "the simulation", REQUEST_LIMIT, work).await?;
        done.map_err(|error| RoomError::Transport(error.to_string()))
    }

    fn end(&self, reason: DisconnectReason) {
        RoomState::end(self, reason);
    }
}

/// The room port over one [`RoomState`]. Dropping it leaves the room.
struct LivekitStaticRoom {
    state: Arc<RoomState>,
}

impl Drop for LivekitStaticRoom {
    fn drop(&mut self) {
        self.state.leave();
    }
}

impl Room for LivekitStaticRoom {
    fn local(&self) -> Participant {
        self.state.core.participants.lock().local.clone()
    }

    fn participants(&self) -> Vec<Participant> {
        self.state.core.participants.lock().remote()
    }

    fn participant(&self, identity: &Identity) -> Option<Participant> {
        self.state.core.participants.lock().get(identity).cloned()
    }

    fn open_byte_stream(
        &self,
        topic: &str,
        to: &[Identity],
        source: Arc<dyn ByteSource>,
    ) -> BoxFuture<Result<ByteStream, RoomError>> {
        Box::pin(streams::open(self.state.clone(), topic.to_owned(), to.to_vec(), source))
    }

    fn publish_data_track(
        &self,
        name: &str,
        source: Arc<dyn FrameSource>,
    ) -> BoxFuture<Result<Arc<dyn DataTrack>, PublishError>> {
        Box::pin(data_tracks::publish(self.state.clone(), name.to_owned(), source))
    }

    fn subscribe_data_track(&self, track: &RemoteDataTrack, buffer: usize) -> Result<FrameReceiver, RoomError> {
        data_tracks::subscribe(&self.state, track, buffer)
    }

    fn publish_video_track(
        &self,
        name: &str,
        options: &VideoTrackOptions,
    ) -> BoxFuture<Result<Arc<dyn VideoTrack>, PublishError>> {
        Box::pin(video::publish(self.state.clone(), name.to_owned(), options.clone()))
    }

    fn unpublish_video_track(&self, sid: &Sid) -> BoxFuture<()> {
        Box::pin(video::unpublish(self.state.clone(), sid.clone(), remains::UNKNOWN))
    }

    fn subscribe_video_track(
        &self,
        track: &RemoteVideoTrack,
        buffer: usize,
    ) -> BoxFuture<Result<VideoReceiver, RoomError>> {
        Box::pin(video_in::subscribe(self.state.clone(), track.clone(), buffer))
    }

    fn stats(&self) -> BoxFuture<Result<RoomStats, RoomError>> {
        Box::pin(stats::measure(self.state.clone()))
    }

    fn close(&self) -> BoxFuture<()> {
        let state = self.state.clone();
        Box::pin(async move {
            state.leave();
            let mut left = state.left.subscribe();
            // Fails only when the sender is gone, and `state` holds it.
            let _ = left.wait_for(|left| *left).await;
        })
    }

    fn simulate(&self, scenario: Scenario) -> BoxFuture<Result<(), RoomError>> {
        let state = self.state.clone();
        Box::pin(async move { Watched::simulate(&*state, scenario).await })
    }
}
