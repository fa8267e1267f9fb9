//! A session on the memory room with viewers that take everything, and a switch that keeps its writers busy.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use telelink::context::{Channel, Context, Qos};
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::mcap::{McapSync, McapWriter, McapWriterOptions};
use telelink::room::memory::{Gate, MemoryServer};
use telelink::room::{JoinRequest, RoomOptions};
use telelink::session::SessionOptions;
use telelink_client::{Viewer, ViewerOptions};
use tokio::runtime::Runtime;

/// How long anything of the rig may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(20);
const ROOM: &str = "bench";

/// Message sizes of every benchmark.
pub(crate) const SIZES: [(&str, usize); 3] = [("100B", 100), ("1KiB", 1024), ("64KiB", 65_536)];

/// A robot with one channel and `viewers` subscribers.
pub(crate) struct Rig {
    pub(crate) channel: Channel,
    server: Arc<MemoryServer>,
    viewers: Vec<Viewer>,
    runtime: Runtime,
    logged: u64,
    _session: Session,
    _context: Context,
}

impl Rig {
    pub(crate) fn new(qos: Qos, viewers: usize) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let server = MemoryServer::new();
        let context = Context::new();
        let channel = context.channel("/bench").qos(qos).open().expect("a channel");
        let mut direct = DirectOptions::new("memory:", TokenSource::Static(server.token(ROOM, "robot").build()));
        direct.connector = Some(server.connector());
        let session = Session::start(&context, SessionOptions::default(), direct).expect("a session");
        let mut rig =
            Self { channel, server, viewers: Vec::new(), runtime, logged: 0, _session: session, _context: context };
        for n in 0..viewers {
            rig.join(n, qos);
        }
        wait_until("the channel to be wanted", || rig.channel.is_wanted() == (viewers > 0));
        if viewers > 0 {
            // Warm: buffers have their size, and what the joining needed is done.
            for _ in 0..100 {
                rig.log(&[0; 100]);
                rig.drain();
            }
        }
        rig
    }

    fn join(&mut self, n: usize, qos: Qos) {
        let request = JoinRequest {
            url: "memory:".into(),
            token: self.server.token(ROOM, &format!("viewer-{n}")).build(),
            options: RoomOptions::default(),
        };
        // Nobody takes the messages: one is kept, the counters see all.
        let options = ViewerOptions { message_limit: 1, ..ViewerOptions::default() };
        let viewer = self.runtime.block_on(async {
            let viewer = Viewer::join(self.server.connector(), request, options).await?;
            viewer.ready(LIMIT).await?;
            let channel = viewer.wait_channel("/bench", LIMIT).await?;
            viewer.subscribe([channel.id])?;
            // The robot answers pings in order: after the pong it has read the subscription.
            viewer.ping(LIMIT).await?;
            if qos == Qos::Lossy {
                viewer.wait_attached(channel.id, LIMIT).await?;
            }
            Ok::<_, telelink_client::ViewerError>(viewer)
        });
        self.viewers.push(viewer.expect("a viewer with its subscription"));
    }

    /// Logs one message that [`drain`](Self::drain) waits for.
    pub(crate) fn log(&mut self, payload: &[u8]) {
        self.channel.log(payload).expect("an open channel");
        self.logged += 1;
    }

    /// Messages logged by somebody else on this rig's channel.
    pub(crate) fn count_logged(&mut self, messages: u64) {
        self.logged += messages;
    }

    /// Waits until every reliable viewer has everything.
    pub(crate) fn drain(&self) {
        let id = self.channel.id().get();
        let done =
            || self.viewers.iter().all(|viewer| viewer.stats(id).received + viewer.stats(id).lost >= self.logged);
        wait_until("the viewers to have everything", done);
    }

    /// Every writer is inside a write from now on, as it is most of the time with a real room: `log` finds it awake.
    pub(crate) fn hold_writers(&mut self) {
        let names: Vec<String> = self.names().collect();
        for name in &names {
            self.server.shut(Gate::Write, name);
        }
        self.log(&[0]);
        for name in &names {
            self.runtime.block_on(self.server.until_waiting(Gate::Write, name, 1));
        }
    }

    /// Lets the writers go on, and waits until everything has been written.
    pub(crate) fn release_writers(&self) {
        for name in self.names() {
            self.server.open(Gate::Write, &name);
        }
        self.drain();
    }

    /// The pacer sleeps for a long time after each frame: `log` finds it awake and busy.
    pub(crate) fn slow_pacer(&mut self) {
        self.server.set_frame_spacing(Duration::from_secs(3600));
        // The first frame after this starts the long sleep.
        let id = self.channel.id().get();
        let before = self.viewers[0].stats(id).received;
        self.log(&[0]);
        wait_until("the first frame to be sent", || self.viewers[0].stats(id).received > before);
    }

    fn names(&self) -> impl Iterator<Item = String> {
        (0..self.viewers.len()).map(|n| format!("viewer-{n}"))
    }
}

/// A robot with one channel that only an MCAP writer wants. The file goes with it.
pub(crate) struct Recording {
    pub(crate) channel: Channel,
    writer: McapWriter,
    path: PathBuf,
}

impl Recording {
    pub(crate) fn new() -> Self {
        let context = Context::new();
        let channel = context.channel("/bench").open().expect("a channel");
        let path = std::env::temp_dir().join(format!("telelink-bench-{}.mcap", std::process::id()));
        let options = McapWriterOptions { sync: McapSync::Never, overwrite: true, ..McapWriterOptions::new(&path) };
        let writer = McapWriter::start(&context, options).expect("a writer");
        Self { channel, writer, path }
    }

    /// Waits until everything is in the file.
    pub(crate) fn drain(&self) {
        self.writer.flush(LIMIT).expect("the file takes it");
    }

    pub(crate) fn expect_no_drops(&self) {
        assert_eq!(self.writer.stats().dropped_messages, 0, "what was measured was dropping");
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.writer.stop();
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Messages of `size` bytes that a held writer's queue takes with room to spare: 16,384 messages or 32 MiB.
pub(crate) fn batch(size: usize) -> u64 {
    (6_000_000 / size.max(1)).clamp(1, 4_000) as u64
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_micros(50));
    }
}
