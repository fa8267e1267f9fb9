//! A robot on a memory room, a viewer that behaves, and one that does not. Real threads and real time: what is measured
//! is what the robot's own threads do under load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use telelink::context::{Channel, Context, Qos};
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::protocol::{version, FrameDecoder, FromViewer, ToViewer, CONTROL_TOPIC};
use telelink::room::memory::{ChannelSource, MemoryServer};
use telelink::room::{ByteReader, ByteStream, JoinRequest, Room, RoomEvent, RoomEvents, RoomOptions};
use telelink::session::{ConnectionStatus, SessionOptions};
use tokio::sync::mpsc;

/// How long any single expected thing may take on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Below this, a median round trip is the machine's and not the flood's.
const FLOOR: Duration = Duration::from_millis(50);
/// Round trips of one measurement.
const ROUND_TRIPS: usize = 40;

/// One test at a time: they measure memory and time.
pub async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

pub struct Stage {
    pub server: Arc<MemoryServer>,
    pub context: Context,
    pub session: Session,
}

impl Stage {
    pub async fn new(options: SessionOptions) -> Self {
        let (server, context) = (MemoryServer::new(), Context::new());
        let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
        direct.connector = Some(server.connector());
        let session = Session::start(&context, options, direct).expect("the session starts");
        // A stream to somebody who is not in the room goes nowhere.
        let joined = async {
            while session.status() != ConnectionStatus::Connected {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LIMIT, joined).await.expect("the robot joins");
        Self { server, context, session }
    }

    pub fn channel(&self, topic: &str) -> Channel {
        self.context.channel(topic).encoding("json").qos(Qos::Reliable).open().unwrap()
    }

    pub async fn viewer(&self, identity: &str) -> Viewer {
        let mut viewer = Viewer::join(&self.server, identity).await;
        viewer.until(|message| matches!(message, ToViewer::ServerInfo(_)).then_some(())).await;
        viewer
    }
}

/// A viewer that reads everything at once, so that nothing it gets waits for the test.
pub struct Viewer {
    pub room: Arc<dyn Room>,
    pub source: Arc<ChannelSource>,
    _stream: ByteStream,
    messages: mpsc::UnboundedReceiver<ToViewer>,
    /// Control streams that the robot opened: more than one means a reset.
    pub streams: Arc<AtomicU64>,
    pings: u64,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Viewer {
    async fn join(server: &Arc<MemoryServer>, identity: &str) -> Self {
        let token = server.token("yard", identity).attribute(version::ATTRIBUTE, version::SPOKEN).build();
        let request = JoinRequest { url: "memory://".into(), token, options: RoomOptions::default() };
        let joined = server.connector().join(request).await.map_err(|error| error.message).unwrap();
        let source = Arc::new(ChannelSource::new());
        let stream = joined.room.open_byte_stream(CONTROL_TOPIC, &["robot".into()], source.clone()).await.unwrap();
        let (tx, messages) = mpsc::unbounded_channel();
        let streams = Arc::<AtomicU64>::default();
        let reader = tokio::spawn(read(joined.events, tx, streams.clone()));
        Self { room: joined.room, source, _stream: stream, messages, streams, pings: 0, reader }
    }

    pub fn say(&self, message: &FromViewer) {
        self.raw(message.to_frame().unwrap());
    }

    pub fn raw(&self, bytes: impl Into<Bytes>) {
        self.source.push(bytes).expect("the source has room");
    }

    /// Waits until the room has taken what was said.
    pub async fn flushed(&self) {
        let wait = async {
            while self.source.waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.expect("the room takes what is said");
    }

    pub async fn until<T>(&mut self, mut want: impl FnMut(ToViewer) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = want(self.messages.recv().await.expect("the reader runs")) {
                    return found;
                }
            }
        };
        tokio::time::timeout(LIMIT, search).await.expect("the message did not come")
    }

    /// What came until everything said before was handled.
    pub async fn barrier(&mut self) -> Vec<ToViewer> {
        self.pings += 1;
        let stamp = self.pings.to_le_bytes();
        self.say(&FromViewer::Ping { app_timestamp: stamp });
        let mut others = Vec::new();
        self.until(|message| match message {
            ToViewer::Pong { app_timestamp, .. } if app_timestamp == stamp => Some(()),
            other => {
                others.push(other);
                None
            }
        })
        .await;
        others
    }

    /// The median of some round trips.
    pub async fn round_trip(&mut self) -> Duration {
        let mut samples = Vec::new();
        for _ in 0..ROUND_TRIPS {
            let started = Instant::now();
            self.barrier().await;
            samples.push(started.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        samples.sort_unstable();
        samples[ROUND_TRIPS / 2]
    }

    /// Fails when the round trip has become more than twice what it was while it was quiet.
    pub async fn undisturbed(&mut self, quiet: Duration) {
        let now = self.round_trip().await;
        assert!(now <= FLOOR.max(2 * quiet), "{now:?} under the flood, {quiet:?} before");
        assert_eq!(self.streams.load(Ordering::Relaxed), 1, "a viewer that behaves is never reset");
    }
}

async fn read(mut events: RoomEvents, tx: mpsc::UnboundedSender<ToViewer>, streams: Arc<AtomicU64>) {
    let mut reader: Option<ByteReader> = None;
    let mut decoder = FrameDecoder::default();
    loop {
        let chunk = async {
            match &mut reader {
                Some(reader) => reader.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = events.recv() => match event {
                Some(RoomEvent::ByteStreamOpened { reader: new, .. }) => {
                    (reader, decoder) = (Some(new), FrameDecoder::default());
                    streams.fetch_add(1, Ordering::Relaxed);
                }
                Some(_) => {}
                None => return,
            },
            chunk = chunk => match chunk {
                Some(Ok(chunk)) => decoder.push(chunk),
                _ => reader = None,
            },
        }
        while let Some(frame) = decoder.next().expect("the robot writes frames") {
            let _ = tx.send(ToViewer::decode(&frame).expect("the robot writes messages"));
        }
    }
}

/// Holds handlers until the test lets them go on.
#[derive(Default)]
pub struct Barrier {
    open: Mutex<bool>,
    changed: Condvar,
    /// Handlers that have come here.
    pub came: AtomicU64,
}

impl Barrier {
    pub fn wait(&self) {
        self.came.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.lock();
        while !*open {
            let timed_out = self.changed.wait_for(&mut open, LIMIT).timed_out();
            assert!(!timed_out, "the test opens the barrier");
        }
    }

    pub fn open(&self) {
        *self.open.lock() = true;
        self.changed.notify_all();
    }
}

/// Sends `burst` every 10 ms until dropped.
pub struct Flood(tokio::task::JoinHandle<()>);

impl Flood {
    pub fn start(source: Arc<ChannelSource>, mut burst: impl FnMut(u64) -> Vec<u8> + Send + 'static) -> Self {
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            for n in 0.. {
                ticks.tick().await;
                // A room that takes no more has slowed the flood down, which is as good.
                let _ = source.push(burst(n));
            }
        }))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.abort();
    }
}
