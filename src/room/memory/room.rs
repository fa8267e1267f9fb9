//! The port's room over a connection.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::connection::{ConnId, Link};
use super::gates::Gate;
use super::server::MemoryServer;
use super::{streams, tracks, video};
use crate::room::{
    BoxFuture, ByteSource, ByteStream, DataTrack, DisconnectReason, FrameReceiver, FrameSource, Identity, Participant,
    PublishError, RemoteDataTrack, RemoteVideoTrack, Room, RoomError, RoomStats, Scenario, Sid, VideoReceiver,
    VideoTrack, VideoTrackOptions,
};

pub(super) struct MemoryRoom {
    server: Arc<MemoryServer>,
    id: ConnId,
}

impl MemoryRoom {
    pub(super) fn new(server: Arc<MemoryServer>, id: ConnId) -> Self {
        Self { server, id }
    }
}

impl Room for MemoryRoom {
    fn local(&self) -> Participant {
        self.server.look(|state| {
            let connected = state.connections.get(&self.id).map(|connection| &connection.local);
            connected.or_else(|| state.departed.get(&self.id)).expect("a room is connected or departed").clone()
        })
    }

    fn participants(&self) -> Vec<Participant> {
        self.server.look(|state| {
            state.connections.get(&self.id).map(|c| c.known.values().cloned().collect()).unwrap_or_default()
        })
    }

    fn participant(&self, identity: &Identity) -> Option<Participant> {
        self.server.look(|state| state.connections.get(&self.id)?.known.get(identity).cloned())
    }

    fn open_byte_stream(
        &self,
        topic: &str,
        to: &[Identity],
        source: Arc<dyn ByteSource>,
    ) -> BoxFuture<Result<ByteStream, RoomError>> {
        Box::pin(streams::open(self.server.clone(), self.id, topic.to_owned(), to.to_vec(), source))
    }

    fn publish_data_track(
        &self,
        name: &str,
        source: Arc<dyn FrameSource>,
    ) -> BoxFuture<Result<Arc<dyn DataTrack>, PublishError>> {
        Box::pin(tracks::publish(self.server.clone(), self.id, name.to_owned(), source))
    }

    fn subscribe_data_track(&self, track: &RemoteDataTrack, buffer: usize) -> Result<FrameReceiver, RoomError> {
        tracks::subscribe(&self.server, self.id, track, buffer)
    }

    fn publish_video_track(
        &self,
        name: &str,
        options: &VideoTrackOptions,
    ) -> BoxFuture<Result<Arc<dyn VideoTrack>, PublishError>> {
        Box::pin(video::publish(self.server.clone(), self.id, name.to_owned(), options.clone()))
    }

    fn unpublish_video_track(&self, sid: &Sid) -> BoxFuture<()> {
        self.server.with(|state| state.remove_video(self.id, sid));
        Box::pin(std::future::ready(()))
    }

    fn subscribe_video_track(
        &self,
        track: &RemoteVideoTrack,
        buffer: usize,
    ) -> BoxFuture<Result<VideoReceiver, RoomError>> {
        let receiver = video::subscribe(&self.server, self.id, track, buffer);
        Box::pin(async move { receiver })
    }

    fn stats(&self) -> BoxFuture<Result<RoomStats, RoomError>> {
        let stats = self.server.look(|state| {
            let connection = state.connections.get(&self.id).ok_or(RoomError::Closed)?;
            let traffic = connection.traffic;
            let spacing = u64::try_from(state.faults.frame_spacing.as_micros()).unwrap_or(u64::MAX);
            Ok(RoomStats {
                ice_rtt_ms: state.faults.rtt_ms.filter(|_| connection.link == Link::Up),
                bytes_sent: Some(traffic.bytes_sent),
                bytes_received: Some(traffic.bytes_received),
                video_bytes_sent: None,
                data_frames_pushed: traffic.frames_pushed,
                data_frames_refused: traffic.frames_refused,
                data_packets_sent: Some(traffic.frames_pushed),
                pacer_spacing_us: Some(spacing),
            })
        });
        Box::pin(async move { stats })
    }

    fn close(&self) -> BoxFuture<()> {
        let (server, id) = (self.server.clone(), self.id);
        Box::pin(async move {
            let local = server.look(|state| state.connections.get(&id).map(|connection| connection.local.clone()));
            let Some(local) = local else { return };
            // Two closes wait side by side and both find the room left; the caller bounds the wait, as the port says.
            let never = CancellationToken::new();
            let _ = server.pass(Gate::Close, &local.identity, &never).await;
            server.with(|state| state.leave(id, Some(DisconnectReason::ClientInitiated)));
        })
    }

    fn simulate(&self, scenario: Scenario) -> BoxFuture<Result<(), RoomError>> {
        let (server, id) = (self.server.clone(), self.id);
        Box::pin(async move {
            server.with(|state| {
                if !state.connections.contains_key(&id) {
                    return Err(RoomError::Closed);
                }
                match scenario {
                    Scenario::SignalReconnect => state.reconnect(&server, id, false),
                    Scenario::FullReconnect => state.reconnect(&server, id, true),
                    Scenario::ServerLeave => state.leave(id, Some(DisconnectReason::ServerShutdown)),
                }
                Ok(())
            })
        })
    }
}

impl Drop for MemoryRoom {
    /// An abandoned room is told to disconnect (design.md decision 10).
    fn drop(&mut self) {
        self.server.with(|state| {
            state.leave(self.id, Some(DisconnectReason::ClientInitiated));
            state.departed.remove(&self.id);
        });
    }
}
