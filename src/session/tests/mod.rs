//! Tests of the whole session on the memory room, with tokio's clock paused. Callbacks run on real threads: a test waits
//! for them with [`Log::wait`], which keeps the clock still.

mod callbacks;
pub(in crate::session) mod captured;
mod clients;
mod graph;
mod handlers;
mod input;
mod inputs;
#[cfg(telelink_loom)]
mod interleavings;
mod kept;
mod lifecycle;
mod options;
mod panics;
mod races;
mod requests;
mod rights;
mod stats;
mod streams;
mod tracks;
mod video;

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::context::{Channel, ChannelRef, Context, Qos};
use crate::protocol::frame::MAX_PAYLOAD;
use crate::protocol::version::ATTRIBUTE;
use crate::protocol::{FrameDecoder, FromViewer, StatusLevel, SubscribeChannel, ToViewer, CONTROL_TOPIC};
use crate::room::memory::{ChannelSource, MemoryServer};
use crate::room::{
    ByteReader, ByteStream, JoinRequest, RemoteDataTrack, RemoteVideoTrack, Room, RoomEvent, RoomEvents, RoomOptions,
};

use super::*;

/// What the listener was told, one line per event.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Log {
    fn add(&self, line: String) {
        self.lines.lock().push(line);
        self.changed.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// Waits until a line has come. A minute of real time without it fails the test.
    async fn wait(self: &Arc<Self>, line: &str) {
        let (log, line) = (self.clone(), line.to_owned());
        let wait = move || {
            let mut lines = log.lines.lock();
            while !lines.contains(&line) {
                let timeout = log.changed.wait_for(&mut lines, Duration::from_secs(60)).timed_out();
                assert!(!timeout, "no {line:?} in {lines:?}");
            }
        };
        // While a blocking task runs the clock does not advance by itself.
        tokio::task::spawn_blocking(wait).await.unwrap();
    }

    /// Every begin has its end, in that order, and nothing comes in between for somebody who is gone.
    fn assert_balanced(&self) {
        let mut open = std::collections::BTreeSet::new();
        for line in self.lines() {
            match line.split_once(' ') {
                Some(("+", what)) => assert!(open.insert(what.to_owned()), "{what} twice"),
                Some(("-", what)) => assert!(open.remove(what), "{what} ended but never began"),
                Some(("message", what)) => assert!(open.contains(what), "a message outside of {what}"),
                _ => {}
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
    }
}

impl Listener for Log {
    fn on_status(&self, status: ConnectionStatus, _: Option<&Error>) {
        self.add(format!("status {status}"));
    }
    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {
        self.add(format!("+ {} {}", client.sid, channel.topic()));
    }
    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {
        self.add(format!("- {} {}", client.sid, channel.topic()));
    }
    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {
        self.add(format!("+ {} client {}", client.sid, channel.id));
    }
    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {
        self.add(format!("- {} client {}", client.sid, channel.id));
    }
    fn on_message(&self, client: &Client, channel: &ClientChannel, _: &ClientMessage) {
        self.add(format!("message {} client {}", client.sid, channel.id));
    }
    fn on_connection_graph_subscribe(&self, _: &Client) {
        self.add("+ graph".into());
    }
    fn on_connection_graph_unsubscribe(&self, _: &Client) {
        self.add("- graph".into());
    }
}

/// A session on a memory server, and the room it is in.
struct Stage {
    server: Arc<MemoryServer>,
    context: Context,
    control: Arc<Control>,
    log: Arc<Log>,
    end: oneshot::Receiver<RoomEnd>,
    driver: JoinHandle<()>,
}

impl Stage {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut SessionOptions)) -> Self {
        let (server, context, log) = (MemoryServer::new(), Context::new(), Arc::new(Log::default()));
        let mut options = SessionOptions { listener: Some(log.clone()), ..Default::default() };
        options.capabilities = vec![SessionCapability::ClientPublish];
        change(&mut options);
        let (control, driver) = Control::start(&context, options).unwrap();
        let driver = tokio::spawn(driver);
        let end = enter(&server, &control).await;
        Self { server, context, control, log, end, driver }
    }

    fn reliable(&self, topic: &str) -> Channel {
        self.context.channel(topic).encoding("json").qos(Qos::Reliable).open().unwrap()
    }

    fn lossy(&self, topic: &str) -> Channel {
        self.context.channel(topic).encoding("json").open().unwrap()
    }

    async fn viewer(&self, identity: &str) -> Viewer {
        let mut viewer = Viewer::join(&self.server, identity).await;
        viewer.open().await;
        viewer.server_info().await;
        viewer
    }

    async fn stats(&self) -> SessionStats {
        let control = self.control.clone();
        tokio::task::spawn_blocking(move || control.stats()).await.unwrap().unwrap()
    }

    /// Leaves the room, ends the session, and checks that every event that began has ended.
    async fn finish(self) -> Arc<Log> {
        self.control.leave().await;
        assert!(self.server.in_room("yard").iter().all(|p| p.identity.as_str() != "robot"), "the room has been left");
        self.control.finish(None);
        self.driver.await.unwrap();
        let control = self.control.clone();
        let finished = move || control.wait_finished(Instant::now() + Duration::from_secs(60));
        assert!(tokio::task::spawn_blocking(finished).await.unwrap());
        assert_eq!(self.log.lines().last().unwrap(), "status shutdown");
        self.log.assert_balanced();
        self.log
    }
}

async fn enter(server: &Arc<MemoryServer>, control: &Control) -> oneshot::Receiver<RoomEnd> {
    let token = server.token("yard", "robot").build();
    control.enter(join(server, token).await)
}

async fn join(server: &Arc<MemoryServer>, token: crate::room::Secret) -> crate::room::Joined {
    let request = JoinRequest { url: "memory://".into(), token, options: RoomOptions::default() };
    server.connector().join(request).await.map_err(|error| error.message).unwrap()
}

/// A hand-made viewer: raw frames over the viewer's side of the room port.
struct Viewer {
    room: Arc<dyn Room>,
    sid: String,
    events: RoomEvents,
    source: Arc<ChannelSource>,
    /// The stream to the robot; dropping it closes it.
    stream: Option<ByteStream>,
    reader: Option<ByteReader>,
    decoder: FrameDecoder,
    streams: usize,
    tracks: Vec<RemoteDataTrack>,
    videos: Vec<RemoteVideoTrack>,
    pings: u64,
}

impl Viewer {
    async fn join(server: &Arc<MemoryServer>, identity: &str) -> Self {
        Self::enter(server, server.token("yard", identity).attribute(ATTRIBUTE, "2.3.0").build()).await
    }

    async fn enter(server: &Arc<MemoryServer>, token: crate::room::Secret) -> Self {
        let joined = join(server, token).await;
        Self {
            room: joined.room,
            sid: joined.local.sid.to_string(),
            events: joined.events,
            source: Arc::default(),
            stream: None,
            reader: None,
            decoder: FrameDecoder::new(MAX_PAYLOAD),
            streams: 0,
            tracks: Vec::new(),
            videos: Vec::new(),
            pings: 0,
        }
    }

    /// Opens a (new) control stream to the robot.
    async fn open(&mut self) {
        self.source = Arc::new(ChannelSource::new());
        let open = self.room.open_byte_stream(CONTROL_TOPIC, &["robot".into()], self.source.clone());
        self.stream = Some(open.await.unwrap());
    }

    fn raw(&self, bytes: impl Into<Bytes>) {
        self.source.push(bytes).unwrap();
    }

    fn say(&self, message: &FromViewer) {
        self.raw(message.to_frame().unwrap());
    }

    fn subscribe(&self, channels: &[&Channel]) {
        let entry = |c: &&Channel| SubscribeChannel { id: c.id().get(), request_video_track: false };
        self.say(&FromViewer::Subscribe { channels: channels.iter().map(entry).collect() });
    }

    /// Subscribes to a channel, to the connection graph and to the parameters "a" and "b", and advertises channel 7.
    async fn begin_everything(&mut self, channel: &Channel) {
        self.subscribe(&[channel]);
        self.raw(input::advertise(7));
        self.say(&FromViewer::SubscribeConnectionGraph);
        self.say(&FromViewer::SubscribeParameterUpdates { names: vec!["a".into(), "b".into()] });
        self.barrier().await;
    }

    fn event(&mut self, event: RoomEvent) {
        match event {
            RoomEvent::ByteStreamOpened { topic, sender, reader, .. } => {
                assert_eq!((topic.as_str(), sender.as_str()), (CONTROL_TOPIC, "robot"));
                // P-27: a second stream is a fresh session.
                (self.reader, self.decoder) = (Some(reader), FrameDecoder::new(MAX_PAYLOAD));
                self.streams += 1;
            }
            RoomEvent::DataTrackPublished(track) => self.tracks.push(track),
            RoomEvent::VideoTrackPublished(track) => self.videos.push(track),
            RoomEvent::VideoTrackUnpublished { sid } => self.videos.retain(|track| track.sid != sid),
            RoomEvent::DataTrackUnpublished { sid } => self.tracks.retain(|track| track.sid != sid),
            _ => {}
        }
    }

    /// The next message of the robot, on whatever stream it comes.
    async fn next(&mut self) -> ToViewer {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return ToViewer::decode(&frame).unwrap();
            }
            let chunk = async {
                match &mut self.reader {
                    Some(reader) => reader.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                event = self.events.recv() => self.event(event.expect("still in the room")),
                chunk = chunk => match chunk {
                    Some(Ok(chunk)) => self.decoder.push(chunk),
                    _ => self.reader = None,
                },
            }
        }
    }

    /// The next message that `want` picks; two minutes of the room's time without it fail the test.
    async fn until<T>(&mut self, want: impl Fn(ToViewer) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = want(self.next().await) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(120), search).await.expect("the message did not come")
    }

    async fn server_info(&mut self) {
        let first = tokio::time::timeout(Duration::from_secs(120), self.next()).await.expect("no stream");
        assert!(matches!(first, ToViewer::ServerInfo(_)), "{first:?}");
    }

    async fn status(&mut self, level: StatusLevel) -> String {
        self.until(|message| match message {
            ToViewer::Status(status) if status.level == level => Some(status.message),
            _ => None,
        })
        .await
    }

    /// Everything said before has been handled when this returns; what came meanwhile is given back.
    async fn barrier(&mut self) -> Vec<ToViewer> {
        self.pings += 1;
        let stamp = self.pings.to_le_bytes();
        self.say(&FromViewer::Ping { app_timestamp: stamp });
        let mut others = Vec::new();
        let search = async {
            loop {
                match self.next().await {
                    ToViewer::Pong { app_timestamp, .. } if app_timestamp == stamp => return,
                    other => others.push(other),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(120), search).await.expect("no pong");
        others
    }

    /// The payloads of the messages of reliable channels until the next barrier.
    async fn data(&mut self) -> Vec<Bytes> {
        let data = |message| match message {
            ToViewer::MessageData { data, .. } => Some(data),
            _ => None,
        };
        self.barrier().await.into_iter().filter_map(data).collect()
    }
}
