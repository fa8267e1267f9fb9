//! One joined room: its state, its events, and the room port over them.

use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::watch;

use super::data_tracks;
use super::dispatch::{self, dispatcher};
use super::handle::Handle;
use super::library::Library;
use super::messages::{self, scenario, ConnectResult, FfiRequest, ReadyForRoomEventRequest, SimulateScenarioRequest};
use super::participants::participant;
use super::streams::{self, Readers};
use super::video::{self, LocalVideos};
use super::video_in::{self, RemoteVideos};
use super::{events, stats};
use crate::room::livekit_common::core::Core;
use crate::room::livekit_common::participants::Participants;
use crate::room::livekit_common::remains;
use crate::room::livekit_common::remote_tracks::RemoteTracks;
use crate::room::livekit_common::watchdog;
use crate::room::{
    BoxFuture, ByteSource, ByteStream, DataTrack, DisconnectReason, FrameReceiver, FrameSource, Identity, Joined,
    Participant, PublishError, RemoteDataTrack, RemoteVideoTrack, Room, RoomError, RoomStats, Scenario, Sid,
    VideoReceiver, VideoTrack, VideoTrackOptions,
};

/// Deadline of short requests: the library answers these within milliseconds, or when a reconnection is over.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// Shared state of one room. The dispatcher holds it from the connect answer until the room is left.
pub(super) struct RoomState {
    pub(super) core: Arc<Core>,
    pub(super) library: Arc<Library>,
    /// Number of the room's handle.
    pub(super) id: u64,
    /// Number of the own participant's handle.
    pub(super) local_handle: u64,
    /// Owners of both; taken when the room is left.
    handles: Mutex<Option<(Handle, Handle)>>,
    pub(super) remote_tracks: Mutex<RemoteTracks<Handle>>,
    pub(super) local_videos: Mutex<LocalVideos>,
    pub(super) remote_videos: Mutex<RemoteVideos>,
    /// `true` once the library has answered the disconnect.
    left: watch::Sender<bool>,
}

impl RoomState {
    /// Makes the room of a successful connect, lets its events flow and hands it out. Runs in the connect callback, so
    /// that the library's 15 s limit for this step cannot be missed by a join future that nobody polls.
    pub(super) fn start(
        library: Arc<Library>,
        runtime: runtime::Handle,
        panics: Arc<AtomicU64>,
        result: ConnectResult,
    ) -> Joined {
        let (room_handle, local_handle) = (result.room.handle, result.local_participant.handle);
        let (mut remote, mut videos, mut published) = (Vec::new(), RemoteVideos::default(), Vec::new());
        for entry in result.participants {
            for publication in entry.publications {
                let publisher = &entry.participant.info.identity;
                published.extend(video_in::on_published(&mut videos, publisher, publication));
            }
            remote.push(participant(entry.participant.info));
        }
        let participants = Participants::new(participant(result.local_participant.info), remote);
        let (local, others) = (participants.local.clone(), participants.remote());
        let meter = Box::new(stats::SessionMeter::new(library.clone(), room_handle.id()));
        // The runtime of the join: none is visible on the library's own threads.
        let (core, receiver) = Core::new(runtime, panics, participants, meter, Box::new(Readers::of(room_handle.id())));
        published.into_iter().for_each(|event| core.emit(event));
        let state = Arc::new(Self {
            core,
            library,
            id: room_handle.id(),
            local_handle: local_handle.id(),
            handles: Mutex::new(Some((room_handle, local_handle))),
            remote_tracks: Mutex::default(),
            local_videos: Mutex::default(),
            remote_videos: Mutex::new(videos),
            left: watch::Sender::new(false),
        });
        dispatcher().add_room(state.id, state.clone());
        let ready = ReadyForRoomEventRequest { room_handle: state.id };
        if state.library.request(&FfiRequest { ready_for_room_event: Some(ready), ..Default::default() }).is_err() {
            state.on_lost();
        }
        watchdog::start(&state);
        Joined { room: Arc::new(LivekitRoom { state }), local, participants: others, events: receiver }
    }

    /// Takes one event of this room, on a thread of the library.
    pub(super) fn on_event(self: &Arc<Self>, event: messages::RoomEvent) {
        events::on_event(self, event);
    }

    /// Ends the room with its last event; later calls do nothing.
    pub(super) fn end(&self, reason: DisconnectReason) {
        self.core.end(reason);
        self.wind_up();
    }

    /// The library lost this room without saying more.
    pub(super) fn on_lost(&self) {
        self.end(DisconnectReason::Other);
    }

    /// Gives back the handles of everything that lived on this room.
    fn wind_up(&self) {
        drop(dispatcher().take_subscriptions(self.id));
        let tracks = std::mem::take(&mut *self.remote_tracks.lock());
        drop(tracks);
        drop(dispatcher().take_videos(|video| video.room() == self.id));
        let videos = std::mem::take(&mut *self.remote_videos.lock());
        drop(videos);
    }

    /// Leaves the room, once; [`RoomState::left`] tells when the library has answered.
    fn leave(self: &Arc<Self>) {
        let Some((room, local)) = self.handles.lock().take() else { return };
        // After a close nothing more is reported, not even that we have left.
        self.core.outbox.lock().close();
        self.core.wind_up();
        self.wind_up();
        let state = self.clone();
        dispatcher().leave(&self.library, room, vec![local], move |_| {
            dispatcher().remove_room(state.id);
            state.left.send_replace(true);
        });
    }
}

/// The room port over one [`RoomState`]. Dropping it leaves the room.
struct LivekitRoom {
    state: Arc<RoomState>,
}

impl Drop for LivekitRoom {
    fn drop(&mut self) {
        self.state.leave();
    }
}

impl Room for LivekitRoom {
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
        Box::pin(async move { watchdog::Watched::simulate(&*state, scenario).await })
    }
}

impl watchdog::Watched for RoomState {
    fn core(&self) -> &Core {
        &self.core
    }

    async fn look(&self) -> Option<watchdog::Counters> {
        stats::ask(self).await.ok().map(|session| stats::counters(&session))
    }

    async fn simulate(&self, scenario: Scenario) -> Result<(), RoomError> {
        self.core.check_open()?;
        let scenario = match scenario {
            Scenario::SignalReconnect => scenario::SIMULATE_SIGNAL_RECONNECT,
            Scenario::FullReconnect => scenario::SIMULATE_FULL_RECONNECT,
            Scenario::ServerLeave => scenario::SIMULATE_SERVER_LEAVE,
        };
        let answer = dispatch::ask(&self.library, "the simulation", REQUEST_LIMIT, |id| FfiRequest {
            simulate_scenario: Some(SimulateScenarioRequest {
                room_handle: self.id,
                scenario,
                request_async_id: Some(id),
            }),
            ..Default::default()
        });
        answer.await?.done()
    }

    fn end(&self, reason: DisconnectReason) {
        RoomState::end(self, reason);
    }
}
