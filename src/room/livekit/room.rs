//! One joined room: its state, its events, and the room port over them.

use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::{mpsc, watch};

use super::data_tracks::{self, RemoteTracks};
use super::dispatch::{self, dispatcher};
use super::handle::Handle;
use super::library::Library;
use super::messages::{self, scenario, ConnectResult, FfiRequest, ReadyForRoomEventRequest, SimulateScenarioRequest};
use super::outbox::Outbox;
use super::pacer::Pacer;
use super::participants::Participants;
use super::streams::{self, OpenCounts};
use super::video::{self, LocalVideos};
use super::video_in::{self, RemoteVideos};
use super::{events, stats, watchdog};
use crate::room::{
    BoxFuture, ByteSource, ByteStream, DataTrack, DisconnectReason, FrameReceiver, FrameSource, Identity, Joined,
    Participant, PublishError, RemoteDataTrack, RemoteVideoTrack, Room, RoomError, RoomEvent, RoomStats, Scenario, Sid,
    VideoReceiver, VideoTrack, VideoTrackOptions,
};

/// Deadline of short requests: the library answers these within milliseconds, or when a reconnection is over.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// What streams and tracks watch of their room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Life {
    /// Counts full reconnections: whatever was open before one is void (S-27).
    pub(super) generation: u64,
    /// The room was left or lost.
    pub(super) gone: bool,
}

/// Shared state of one room. The dispatcher holds it from the connect answer until the room is left.
pub(super) struct RoomState {
    pub(super) library: Arc<Library>,
    /// Where pumps run. The runtime of the join: none is visible on the library's own threads.
    pub(super) runtime: runtime::Handle,
    /// Number of the room's handle.
    pub(super) id: u64,
    /// Number of the own participant's handle.
    pub(super) local_handle: u64,
    /// Owners of both; taken when the room is left.
    handles: Mutex<Option<(Handle, Handle)>>,
    pub(super) participants: Mutex<Participants>,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) life: watch::Sender<Life>,
    /// Counts reconnections, from the moment the link is lost.
    pub(super) epoch: AtomicU64,
    /// Counts writes on streams: whether the room sends anything.
    pub(super) writes: AtomicU64,
    pub(super) remote_tracks: Mutex<RemoteTracks>,
    pub(super) local_videos: Mutex<LocalVideos>,
    pub(super) remote_videos: Mutex<RemoteVideos>,
    pub(super) open_streams: Arc<OpenCounts>,
    pub(super) pacer: Arc<Pacer>,
    /// Panics stopped in the adapter.
    pub(super) panics: Arc<AtomicU64>,
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
        let (events, receiver) = mpsc::unbounded_channel();
        let (room_handle, local_handle) = (result.room.handle, result.local_participant.handle);
        let (mut remote, mut videos) = (Vec::new(), RemoteVideos::default());
        for entry in result.participants {
            for publication in entry.publications {
                let publisher = &entry.participant.info.identity;
                if let Some(event) = video_in::on_published(&mut videos, publisher, publication) {
                    // Cannot fail: the receiver is in this function.
                    let _ = events.send(event);
                }
            }
            remote.push(entry.participant.info);
        }
        let participants = Participants::new(result.local_participant.info, remote);
        let (local, others) = (participants.local.clone(), participants.remote());
        let state = Arc::new(Self {
            pacer: Arc::new(Pacer::new(library.clone(), room_handle.id(), panics.clone())),
            panics,
            library,
            runtime,
            id: room_handle.id(),
            local_handle: local_handle.id(),
            handles: Mutex::new(Some((room_handle, local_handle))),
            participants: Mutex::new(participants),
            outbox: Mutex::new(Outbox::new(events, local.sid.clone())),
            life: watch::Sender::default(),
            epoch: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            remote_tracks: Mutex::default(),
            local_videos: Mutex::default(),
            remote_videos: Mutex::new(videos),
            open_streams: Arc::default(),
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

    pub(super) fn emit(&self, event: RoomEvent) {
        self.outbox.lock().emit(event);
    }

    /// Ends the room with its last event; later calls do nothing.
    pub(super) fn end(&self, reason: DisconnectReason) {
        self.outbox.lock().end(reason);
        self.wind_up();
    }

    /// The library lost this room without saying more.
    pub(super) fn on_lost(&self) {
        self.end(DisconnectReason::Other);
    }

    /// Stops everything that lives on this room.
    fn wind_up(&self) {
        self.life.send_modify(|life| life.gone = true);
        self.pacer.stop();
        for reader in dispatcher().take_readers(|reader| reader.room() == self.id) {
            reader.end(Err(RoomError::Closed));
        }
        drop(dispatcher().take_subscriptions(self.id));
        let tracks = std::mem::take(&mut *self.remote_tracks.lock());
        drop(tracks);
        drop(dispatcher().take_videos(|video| video.room() == self.id));
        let videos = std::mem::take(&mut *self.remote_videos.lock());
        drop(videos);
    }

    /// The room is connected again. A full reconnection has made every open stream void, although the library accepts
    /// writes on them for ever (livekit-ffi.md section 6).
    pub(super) fn on_reconnected(&self, full: bool) {
        if full {
            self.life.send_modify(|life| life.generation += 1);
            streams::void_old(self);
        }
    }

    pub(super) fn check_open(&self) -> Result<(), RoomError> {
        if self.life.borrow().gone {
            return Err(RoomError::Closed);
        }
        Ok(())
    }

    /// Leaves the room, once; [`RoomState::left`] tells when the library has answered.
    fn leave(self: &Arc<Self>) {
        let Some((room, local)) = self.handles.lock().take() else { return };
        // After a close nothing more is reported, not even that we have left.
        self.outbox.lock().close();
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
        self.state.participants.lock().local.clone()
    }

    fn participants(&self) -> Vec<Participant> {
        self.state.participants.lock().remote()
    }

    fn participant(&self, identity: &Identity) -> Option<Participant> {
        self.state.participants.lock().get(identity).cloned()
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
        Box::pin(video::unpublish(self.state.clone(), sid.clone()))
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
        let scenario = match scenario {
            Scenario::SignalReconnect => scenario::SIMULATE_SIGNAL_RECONNECT,
            Scenario::FullReconnect => scenario::SIMULATE_FULL_RECONNECT,
            Scenario::ServerLeave => scenario::SIMULATE_SERVER_LEAVE,
        };
        Box::pin(async move { simulate(&state, scenario).await })
    }
}

/// Makes the library behave as if this had happened to its connection.
pub(super) async fn simulate(room: &RoomState, scenario: i32) -> Result<(), RoomError> {
    room.check_open()?;
    let answer = dispatch::ask(&room.library, "the simulation", REQUEST_LIMIT, |id| FfiRequest {
        simulate_scenario: Some(SimulateScenarioRequest { room_handle: room.id, scenario, request_async_id: Some(id) }),
        ..Default::default()
    });
    answer.await?.done()
}
