//! The port: what a session, or a viewer, needs of a room, and nothing of how a room is made.
//!
//! Nothing above this folder knows LiveKit (design.md decision 3). The port therefore has no habits of one library:
//! pacing, slicing and the one write in flight live in the adapters. Data leaves by *pull*: the caller hands over a
//! [`ByteSource`] or a [`FrameSource`] and the adapter takes the next bytes or frames when the room can carry them.
//!
//! Adapters: `livekit` (the official prebuilt LiveKit library), `livekit_static` (LiveKit's Rust crates, behind the feature of
//! that name) and `memory` (an in-process room with faults).

mod address;
pub mod livekit;
mod livekit_common;
#[cfg(feature = "livekit-static")]
pub mod livekit_static;
pub mod memory;
mod pipe;
mod types;
mod video;

pub(crate) use address::{host_and_port, is_ice_url, shown_url};
pub use pipe::{byte_pipe, frame_pipe, ByteReader, ByteSink, FrameReceiver, FrameSink, PipeFull};
pub use types::{
    ConnectionQuality, DataFrame, DisconnectReason, DropCause, IceServer, Identity, JoinError, JoinErrorKind,
    JoinRequest, Participant, ParticipantKind, PublishError, RemoteDataTrack, RemoteVideoTrack, RoomError, RoomEvent,
    RoomOptions, RoomStats, Scenario, Secret, Sid,
};
pub use video::{
    video_pipe, EncodedPicture, EncoderLimits, VideoCodec, VideoEncoder, VideoFrame, VideoPicture, VideoReceiver,
    VideoSink, VideoTrack, VideoTrackOptions, VideoTrackStats,
};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task;

use tokio::sync::{mpsc, oneshot};

/// A boxed future, as the object-safe traits of the port return it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// Makes rooms. One connector serves any number of joins, one after another or at the same time.
///
/// The futures of the port must be polled inside a tokio runtime with timers.
pub trait Connector: Send + Sync + 'static {
    /// Joins a room. Dropping the future abandons the attempt and leaves nothing behind in the room.
    fn join(&self, request: JoinRequest) -> BoxFuture<Result<Joined, JoinError>>;
}

/// A joined room.
pub struct Joined {
    /// The room itself.
    pub room: Arc<dyn Room>,
    /// The own participant.
    pub local: Participant,
    /// Who was there at the moment of joining, the own participant not among them.
    pub participants: Vec<Participant>,
    /// What happens from now on, in order. Ends after [`RoomEvent::Disconnected`] or [`Room::close`].
    pub events: RoomEvents,
}

/// The events of one room, in order.
///
/// Lifecycle events are never dropped. Events that a remote participant can produce at will (streams opened) are limited
/// by the adapter before they get here, so the queue is bounded by what the server itself sends.
pub type RoomEvents = mpsc::UnboundedReceiver<RoomEvent>;

/// One joined room, from either side: a robot's or a viewer's. All calls are cheap, thread-safe and never block.
pub trait Room: Send + Sync + 'static {
    /// The own participant as of now. Its SID changes with a full reconnect; the LiveKit library may learn the new one a
    /// little after [`RoomEvent::Reconnected`].
    fn local(&self) -> Participant;

    /// The remote participants known now.
    fn participants(&self) -> Vec<Participant>;

    /// One remote participant, if the room knows it now.
    fn participant(&self, identity: &Identity) -> Option<Participant>;

    /// Opens a byte stream to `to` and carries there what `source` yields, in order, until it ends.
    ///
    /// The future resolves when the stream is open. Bytes are taken as fast as the room accepts them, with one write in
    /// flight; a write without progress for 30 s ends the stream with an error.
    fn open_byte_stream(
        &self,
        topic: &str,
        to: &[Identity],
        source: Arc<dyn ByteSource>,
    ) -> BoxFuture<Result<ByteStream, RoomError>>;

    /// Publishes a data track. From then on the adapter takes frames from `source` after each [`DataTrack::notify`].
    fn publish_data_track(
        &self,
        name: &str,
        source: Arc<dyn FrameSource>,
    ) -> BoxFuture<Result<Arc<dyn DataTrack>, PublishError>>;

    /// Subscribes to a remote data track. `buffer` is how many frames wait for a slow reader (1 to 4096); then the new
    /// ones are dropped and counted in [`FrameReceiver::dropped`].
    fn subscribe_data_track(&self, track: &RemoteDataTrack, buffer: usize) -> Result<FrameReceiver, RoomError>;

    /// Publishes a video track; an adapter without video answers [`RoomError::Unsupported`]. Dropping the future abandons the attempt and leaves nothing behind.
    fn publish_video_track(
        &self,
        name: &str,
        options: &VideoTrackOptions,
    ) -> BoxFuture<Result<Arc<dyn VideoTrack>, PublishError>> {
        let _ = (name, options);
        Box::pin(async { Err(RoomError::Unsupported("video").into()) })
    }

    /// Takes back a publication of ours that no [`VideoTrack`] stands for any more (S-275). An unknown one is no error.
    fn unpublish_video_track(&self, sid: &Sid) -> BoxFuture<()> {
        let _ = sid;
        Box::pin(async {})
    }

    /// Subscribes to a remote video track and decodes it. `buffer` pictures (1 to 64) wait for a slow reader, then the
    /// oldest go. One subscription per track at a time; resolves when the pictures are about to flow.
    fn subscribe_video_track(
        &self,
        track: &RemoteVideoTrack,
        buffer: usize,
    ) -> BoxFuture<Result<VideoReceiver, RoomError>> {
        let _ = (track, buffer);
        Box::pin(async { Err(RoomError::Unsupported("video")) })
    }

    /// Measures the connection.
    fn stats(&self) -> BoxFuture<Result<RoomStats, RoomError>>;

    /// Leaves the room. Resolves when it has been left; the caller bounds the wait. Every later call fails; a second
    /// close resolves when the first is done.
    fn close(&self) -> BoxFuture<()>;

    /// Test hook: makes the room suffer. Adapters that cannot answer [`RoomError::Unsupported`].
    fn simulate(&self, scenario: Scenario) -> BoxFuture<Result<(), RoomError>> {
        let _ = scenario;
        Box::pin(async { Err(RoomError::Unsupported("simulate")) })
    }
}

/// What an outgoing byte stream carries. One consumer polls it.
pub trait ByteSource: Send + Sync + 'static {
    /// Appends the next bytes to `out`, at least 1 and at most `max`; `Pending` arms the waker; `End` closes the stream.
    fn poll_fill(&self, cx: &mut task::Context<'_>, max: usize, out: &mut Vec<u8>) -> task::Poll<Fill>;
}

/// Answer of [`ByteSource::poll_fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Bytes were appended.
    Bytes,
    /// Nothing more will come: close the stream.
    End,
}

/// What a data track sends: the newest frames. `take` is called from the adapter's sending thread, with no lock held.
pub trait FrameSource: Send + Sync + 'static {
    /// Takes the next waiting frame. When more wait, the source calls [`DataTrack::notify`] from within.
    fn take(&self) -> Option<DataFrame>;
    /// The adapter could not send a frame it had taken.
    fn dropped(&self, cause: DropCause);
}

/// A data track of ours. Dropping the last reference unpublishes it.
pub trait DataTrack: Send + Sync + 'static {
    /// The source has a frame. Cheap enough for the thread that logs; may be called more often than needed.
    fn notify(&self);
    /// Unpublishes the track; resolves when the room has been told.
    fn unpublish(&self) -> BoxFuture<()>;
}

/// An open outgoing byte stream. Dropping it discards what was not written and ends the stream as unfinished: its reader
/// gets [`RoomError::SenderGone`].
pub struct ByteStream {
    ended: oneshot::Receiver<Result<(), RoomError>>,
}

impl ByteStream {
    /// For adapters: a stream and the sender by which its pump says how it ended. The pump must stop when
    /// [`oneshot::Sender::closed`] resolves: then nobody wants the stream any more.
    pub fn new() -> (Self, oneshot::Sender<Result<(), RoomError>>) {
        let (tx, rx) = oneshot::channel();
        (Self { ended: rx }, tx)
    }

    /// Resolves when the source has ended and all is written, or when the stream broke.
    pub async fn ended(self) -> Result<(), RoomError> {
        self.ended.await.unwrap_or(Err(RoomError::Closed))
    }
}
