//! A robot for the tests: joins a memory room and says what the test tells it to.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use telelink::protocol::{
    data_track, Advertise, AdvertisedSchema, ChannelAdvertisement, FrameDecoder, FromViewer, ServerInfo, ToViewer,
};
use telelink::room::memory::{ChannelSource, Chunking, MemoryServer};
use telelink::room::{
    ByteStream, DataFrame, DataTrack, DropCause, FrameSource, JoinRequest, Joined, Room, RoomEvent, RoomOptions, Sid,
};
use telelink_client::{Viewer, ViewerOptions};
use tokio::sync::mpsc;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Far longer than anything here takes; the clock is paused, so it costs nothing.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A server, a robot and a viewer in one room. The streams are cut into single bytes (P-5).
pub(crate) async fn scene() -> (Arc<MemoryServer>, Robot, Viewer) {
    scene_with(ViewerOptions::default()).await
}

pub(crate) async fn scene_with(options: ViewerOptions) -> (Arc<MemoryServer>, Robot, Viewer) {
    let server = MemoryServer::new();
    server.set_chunking(Chunking::Split(1));
    let robot = Robot::join(&server).await;
    let viewer = viewer(&server, options).await;
    (server, robot, viewer)
}

pub(crate) async fn viewer(server: &Arc<MemoryServer>, options: ViewerOptions) -> Viewer {
    Viewer::join(server.connector(), request(server, "viewer"), options).await.unwrap()
}

pub(crate) fn request(server: &Arc<MemoryServer>, identity: &str) -> JoinRequest {
    let token = server.token("room", identity).attribute("protocolVersion", "2.3.0").build();
    JoinRequest { url: "memory://".into(), token, options: RoomOptions::default() }
}

/// Bounds a wait of a test.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("timed out waiting for {what}"),
    }
}

pub(crate) struct Robot {
    pub(crate) room: Arc<dyn Room>,
    pub(crate) received: mpsc::UnboundedReceiver<(Sid, FromViewer)>,
    reader: tokio::task::JoinHandle<()>,
    control: Option<Control>,
}

/// The robot's control stream to the viewer.
struct Control {
    source: Arc<ChannelSource>,
    stream: ByteStream,
}

impl Robot {
    pub(crate) async fn join(server: &Arc<MemoryServer>) -> Self {
        Self::start(server.connector().join(request(server, "robot")).await.unwrap())
    }

    /// A robot in a room that was joined somehow.
    pub(crate) fn start(joined: Joined) -> Self {
        let Joined { room, mut events, .. } = joined;
        let (tx, received) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let RoomEvent::ByteStreamOpened { topic, sender_sid, mut reader, .. } = event {
                    assert_eq!(topic, "control");
                    // A real room may deliver a stream before it knows its sender.
                    let (tx, sid) = (tx.clone(), sender_sid.unwrap_or_else(|| "".into()));
                    tokio::spawn(async move {
                        let mut decoder = FrameDecoder::default();
                        while let Some(Ok(chunk)) = reader.next().await {
                            decoder.push(chunk);
                            while let Ok(Some(frame)) = decoder.next() {
                                if let Ok(message) = FromViewer::decode(&frame) {
                                    let _ = tx.send((sid.clone(), message));
                                }
                            }
                        }
                    });
                }
            }
        });
        Self { room, received, reader, control: None }
    }

    /// Opens a control stream to the viewer; the one before is dropped, or ended by [`Robot::end_control`].
    pub(crate) async fn open_control(&mut self) {
        let source = Arc::new(ChannelSource::new());
        let opening = self.room.open_byte_stream("control", &["viewer".into()], source.clone());
        let stream = soon("the control stream", opening).await.unwrap();
        self.control = Some(Control { source, stream });
    }

    /// Opens a control stream without giving up the one before, which is returned as its source and stream.
    pub(crate) async fn reopen_control(&mut self) -> (Arc<ChannelSource>, ByteStream) {
        let old = self.control.take().unwrap();
        self.open_control().await;
        (old.source, old.stream)
    }

    pub(crate) async fn end_control(&mut self) {
        let control = self.control.take().unwrap();
        control.source.end();
        soon("the end of the stream", control.stream.ended()).await.unwrap();
    }

    pub(crate) fn say_bytes(&self, bytes: impl Into<Bytes>) {
        self.control.as_ref().unwrap().source.push(bytes).unwrap();
    }

    pub(crate) fn say(&self, message: ToViewer) {
        self.say_bytes(message.to_frame().unwrap());
    }

    /// A session as P-18 has it: stream, serverInfo, channels.
    pub(crate) async fn greet(&mut self, channels: Vec<ChannelAdvertisement>) {
        self.open_control().await;
        self.say(server_info("robot"));
        if !channels.is_empty() {
            self.say(advertise(channels));
        }
    }

    /// What the viewer says next.
    pub(crate) async fn hear(&mut self) -> FromViewer {
        soon("a message of the viewer", self.received.recv()).await.unwrap().1
    }

    /// Nothing more of what the viewer said is waiting.
    pub(crate) fn assert_silence(&mut self) {
        if let Ok((_, message)) = self.received.try_recv() {
            panic!("unexpected: {message:?}");
        }
    }

    /// Answers pings until `work` is done; other messages go to `others`.
    pub(crate) async fn serve<T>(
        &mut self,
        work: impl Future<Output = T>,
        mut answer: impl FnMut(FromViewer) -> Option<ToViewer>,
    ) -> T {
        tokio::pin!(work);
        loop {
            let message = tokio::select! {
                // An answer ends the work before the viewer says anything more.
                biased;
                done = &mut work => return done,
                message = self.hear() => message,
            };
            if let Some(answer) = answer(message) {
                self.say(answer);
            }
        }
    }

    pub(crate) async fn track(&self, name: &str) -> Track {
        let frames = Arc::new(Frames::default());
        let track = soon("a data track", self.room.publish_data_track(name, frames.clone())).await.unwrap();
        Track { frames, track }
    }

    /// Leaves the room.
    pub(crate) async fn leave(self) {
        soon("the robot to leave", self.room.close()).await;
    }
}

impl Drop for Robot {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A data track that sends all it is given.
pub(crate) struct Track {
    pub(crate) frames: Arc<Frames>,
    pub(crate) track: Arc<dyn DataTrack>,
}

impl Track {
    pub(crate) fn send(&self, sequence: u32, data: &[u8], log_time: u64) {
        self.send_raw(data_track::frame(sequence, data).freeze(), log_time);
    }

    pub(crate) fn send_raw(&self, payload: Bytes, user_timestamp: u64) {
        self.frames.queue.lock().push_back(DataFrame { payload, user_timestamp });
        self.track.notify();
    }
}

#[derive(Default)]
pub(crate) struct Frames {
    queue: Mutex<VecDeque<DataFrame>>,
    dropped: AtomicU64,
}

impl FrameSource for Frames {
    fn take(&self) -> Option<DataFrame> {
        self.queue.lock().pop_front()
    }
    fn dropped(&self, _: DropCause) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn server_info(name: &str) -> ToViewer {
    ToViewer::ServerInfo(ServerInfo { name: name.into(), session_id: Some(String::new()), ..Default::default() })
}

pub(crate) fn advertise(channels: Vec<ChannelAdvertisement>) -> ToViewer {
    ToViewer::Advertise(Advertise { schemas: vec![], channels })
}

pub(crate) fn lossy(id: u64, topic: &str) -> ChannelAdvertisement {
    let (encoding, metadata) = ("json".into(), BTreeMap::new());
    ChannelAdvertisement { id, topic: topic.into(), encoding, schema: AdvertisedSchema::Inline(None), metadata }
}

pub(crate) fn reliable(id: u64, topic: &str) -> ChannelAdvertisement {
    let metadata = [("foxglove.reliable".to_owned(), "true".to_owned())].into();
    ChannelAdvertisement { metadata, ..lossy(id, topic) }
}

pub(crate) fn data(channel_id: u64, log_time: u64, data: &'static [u8]) -> ToViewer {
    ToViewer::MessageData { channel_id, log_time, data: Bytes::from_static(data) }
}

/// The ids of a `subscribe` message, which asks for data only.
pub(crate) fn subscribed(message: FromViewer) -> Vec<u64> {
    match message {
        FromViewer::Subscribe { channels } => {
            assert!(channels.iter().all(|channel| !channel.request_video_track));
            channels.into_iter().map(|channel| channel.id).collect()
        }
        other => panic!("not a subscribe: {other:?}"),
    }
}
