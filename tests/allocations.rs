//! What one `log` allocates on the thread that logs, through a whole session on a memory room (S-4, S-91, S-96).
//!
//! The counter sees its own thread only; the session and the viewers have others.

use std::sync::Arc;
use std::time::Duration;

use telelink::context::{Channel, Context, Qos};
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::protocol::{version, FromViewer, SubscribeChannel, CONTROL_TOPIC};
use telelink::room::memory::{ChannelSource, MemoryServer};
use telelink::room::{ByteStream, JoinRequest, Room, RoomEvent, RoomOptions};
use telelink::session::SessionOptions;

/// How long a single thing may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
const LARGE: usize = 64 << 10;

/// A viewer that reads and forgets.
struct Viewer {
    _room: Arc<dyn Room>,
    source: Arc<ChannelSource>,
    _stream: ByteStream,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

struct Stage {
    server: Arc<MemoryServer>,
    context: Context,
    session: Session,
    viewers: Vec<Viewer>,
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("not within a minute: {what}"));
}

impl Stage {
    /// A session with so many viewers, subscribed to one channel.
    async fn subscribed(viewers: usize, qos: Qos) -> (Self, Channel) {
        let (server, context) = (MemoryServer::new(), Context::new());
        let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
        direct.connector = Some(server.connector());
        let session = Session::start(&context, SessionOptions::default(), direct).expect("the session starts");
        let channel = context.channel("/c").encoding("json").qos(qos).open().unwrap();
        let mut stage = Self { server, context, session, viewers: Vec::new() };
        until("the robot joins", || stage.server.in_room("yard").len() == 1).await;
        for n in 0..viewers {
            let viewer = stage.viewer(&format!("viewer-{n}")).await;
            stage.viewers.push(viewer);
        }
        let entry = SubscribeChannel { id: channel.id().get(), request_video_track: false };
        let frame = FromViewer::Subscribe { channels: vec![entry] }.to_frame().unwrap();
        stage.viewers.iter().for_each(|viewer| viewer.source.push(frame.clone()).unwrap());
        until("everybody has subscribed", || stage.session.stats().unwrap().subscriptions == viewers).await;
        (stage, channel)
    }

    async fn viewer(&self, identity: &str) -> Viewer {
        let token = self.server.token("yard", identity).attribute(version::ATTRIBUTE, version::SPOKEN).build();
        let request = JoinRequest { url: "memory://".into(), token, options: RoomOptions::default() };
        let joined = self.server.connector().join(request).await.map_err(|error| error.message).unwrap();
        let source = Arc::new(ChannelSource::new());
        let stream = joined.room.open_byte_stream(CONTROL_TOPIC, &["robot".into()], source.clone()).await.unwrap();
        let mut events = joined.events;
        let reader = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let RoomEvent::ByteStreamOpened { mut reader, .. } = event {
                    tokio::spawn(async move { while let Some(Ok(_)) = reader.next().await {} });
                }
            }
        });
        Viewer { _room: joined.room, source, _stream: stream, reader }
    }

    fn counts(&self) -> telelink::fanout::DropCounts {
        self.session.stats().unwrap().channels[0].counts
    }

    /// Waits until nothing waits for the viewers, so that no queue has to grow.
    async fn flushed(&self) {
        until("the queues are empty", || self.session.stats().unwrap().backlog_bytes == 0).await;
    }

    fn end(self) {
        drop(self.viewers);
        self.session.close();
        drop(self.context);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_96_a_lossy_message_is_one_allocation() {
    let (stage, channel) = Stage::subscribed(1, Qos::Lossy).await;
    // The first ones come before the track. The slot's queue grows once, until so many wait that some are pushed out.
    until("the track is there", || {
        (0..32).for_each(|_| channel.log(b"x").unwrap());
        stage.counts().overwritten > 0
    })
    .await;
    for size in [1, 100, 10_000, LARGE] {
        let payload = vec![7; size];
        for _ in 0..20 {
            let spent = allocation_counter::measure(|| channel.log(&payload).unwrap());
            assert_eq!(spent.count_total, 1, "{size} bytes: {spent:?}");
            assert!(spent.bytes_total as usize <= size + 64, "{size} bytes: {spent:?}");
        }
    }
    let counts = stage.counts();
    assert_eq!((counts.oversize, counts.refused), (0, 0));
    assert!(counts.lossy_messages >= 4 * 20 + 8, "{counts:?}");
    stage.end();
}

/// One encoding for all, however many they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_4_s_91_a_reliable_message_is_copied_once_for_all_viewers() {
    for viewers in [1, 5] {
        let (stage, channel) = Stage::subscribed(viewers, Qos::Reliable).await;
        let payload = vec![7; LARGE];
        for _ in 0..20 {
            channel.log(&payload).unwrap();
        }
        for _ in 0..20 {
            stage.flushed().await;
            let spent = allocation_counter::measure(|| channel.log(&payload).unwrap());
            let most = LARGE as u64 * 105 / 100;
            assert!((LARGE as u64..=most).contains(&spent.bytes_total), "{viewers} viewers: {spent:?}");
        }
        let stats = stage.session.stats().unwrap();
        assert_eq!((stats.viewer_resets(), stats.channels[0].counts.reliable_messages), (0, 40));
        stage.end();
    }
}
