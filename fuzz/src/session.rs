//! A session under a script: what `session_dispatch` fuzzes.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use telelink::context::{Channel, ChannelRef, Context, Qos};
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::protocol::frame::{binary_frame, text_frame};
use telelink::protocol::{version, CONTROL_TOPIC};
use telelink::room::memory::{ChannelSource, Chunking, MemoryServer};
use telelink::room::{ByteStream, JoinRequest, Joined, RoomEvent, RoomOptions};
use telelink::session::{
    Client, ClientChannel, ClientMessage, ConnectionStatus, GetParametersRequest, Listener, Parameter,
    ParameterHandler, ParameterResponder, ParameterValue, Service, SessionCapability, SessionOptions,
    SetParametersRequest, StatusLevel,
};
use tokio::runtime::Runtime;

/// How long an end may take before it is a hang; libFuzzer's own time-out is 10 s.
const LIMIT: Duration = Duration::from_secs(8);
/// How long opening a stream may take; it takes no time while the link is up.
const OPEN_LIMIT: Duration = Duration::from_millis(50);
/// Steps of one script: enough for any order of a few things.
const MAX_STEPS: usize = 64;
const IDENTITIES: [&str; 3] = ["ann", "bob", "eve"];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime")
});

/// What is open: every beginning must have its end, and nothing may begin twice.
#[derive(Default)]
struct Balance(Mutex<BTreeSet<String>>);

impl Balance {
    fn begin(&self, what: String) {
        assert!(self.0.lock().unwrap().insert(what.clone()), "{what} began twice");
    }
    fn end(&self, what: String) {
        assert!(self.0.lock().unwrap().remove(&what), "{what} ended but never began");
    }
}

impl Listener for Balance {
    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {
        self.begin(format!("{} {}", client.id, channel.id()));
    }
    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {
        self.end(format!("{} {}", client.id, channel.id()));
    }
    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {
        self.begin(format!("{} client {}", client.id, channel.id));
    }
    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {
        self.end(format!("{} client {}", client.id, channel.id));
    }
    fn on_message(&self, client: &Client, channel: &ClientChannel, _: &ClientMessage) {
        let what = format!("{} client {}", client.id, channel.id);
        assert!(self.0.lock().unwrap().contains(&what), "a message outside of {what}");
    }
    fn on_parameters_subscribe(&self, names: &[String]) {
        names.iter().for_each(|name| self.begin(format!("parameter {name}")));
    }
    fn on_parameters_unsubscribe(&self, names: &[String]) {
        names.iter().for_each(|name| self.end(format!("parameter {name}")));
    }
}

struct Parameters;

impl ParameterHandler for Parameters {
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder) {
        let value = |name| Parameter::new(name, ParameterValue::Integer(1));
        let _ = responder.respond(request.names.into_iter().map(value).collect());
    }
    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        let _ = responder.respond(request.parameters);
    }
}

/// Reads the script.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let len = usize::from(self.byte()?).min(self.0.len());
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(text.to_vec())
    }
}

/// A viewer's side. Dropped, it leaves the room.
struct Peer {
    joined: Joined,
    source: Arc<ChannelSource>,
    _stream: Option<ByteStream>,
}

impl Peer {
    async fn join(server: &Arc<MemoryServer>, identity: &str, version: &str) -> Option<Self> {
        let token = server.token("yard", identity).attribute(version::ATTRIBUTE, version).build();
        let request = JoinRequest { url: "memory://".into(), token, options: RoomOptions::default() };
        let joined = server.connector().join(request).await.ok()?;
        let mut peer = Self { joined, source: Arc::default(), _stream: None };
        peer.open().await;
        Some(peer)
    }

    async fn open(&mut self) {
        self.source = Arc::default();
        let open = self.joined.room.open_byte_stream(CONTROL_TOPIC, &["robot".into()], self.source.clone());
        // A connection that was killed would wait for its link.
        self._stream = tokio::time::timeout(OPEN_LIMIT, open).await.ok().and_then(Result::ok);
    }

    fn say(&self, bytes: impl Into<Bytes>) {
        // A source that holds 64 MiB takes no more.
        let _ = self.source.push(bytes);
    }

    /// Drops what came: streams of the robot end unread.
    fn drain(&mut self) {
        while let Ok(event) = self.joined.events.try_recv() {
            drop::<RoomEvent>(event);
        }
    }
}

struct Stage {
    server: Arc<MemoryServer>,
    context: Context,
    session: Session,
    channels: Vec<Channel>,
    peers: [Option<Peer>; 3],
}

/// Runs one script to its end.
pub fn run(script: &[u8]) {
    let balance = Arc::<Balance>::default();
    {
        let (server, context) = (MemoryServer::new(), Context::new());
        let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
        direct.connector = Some(server.connector());
        let echo = Service::new("echo", "t", |request, responder| {
            let _ = responder.respond(request.payload);
        });
        let options = SessionOptions {
            capabilities: vec![SessionCapability::ClientPublish],
            supported_encodings: vec!["json".into()],
            services: vec![echo],
            listener: Some(balance.clone()),
            parameter_handler: Some(Arc::new(Parameters)),
            asset_handler: Some(Arc::new(|request, responder| {
                let _ = responder.respond(request.uri);
            })),
            ..Default::default()
        };
        let session = Session::start(&context, options, direct).expect("the session starts");
        let mut stage = Stage { server, context, session, channels: Vec::new(), peers: [None, None, None] };
        RUNTIME.block_on(stage.joined());
        let mut script = Script(script);
        for _ in 0..MAX_STEPS {
            if RUNTIME.block_on(stage.step(&mut script)).is_none() {
                break;
            }
        }
        let stats = stage.session.stats().expect("the session still answers");
        assert_eq!(stats.callback_panics, 0, "an assertion of the listener failed");
        drop(stage.peers);
        stage.session.close_timeout(LIMIT).expect("the session ends");
        assert_eq!(stage.session.last_error().map(|error| error.message), None);
    }
    let open = balance.0.lock().unwrap();
    assert!(open.is_empty(), "left open: {open:?}");
}

impl Stage {
    async fn joined(&self) {
        let joined = async {
            while self.session.status() != ConnectionStatus::Connected {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, joined).await.expect("the robot joins");
    }

    /// One step; `None` at the end of the script.
    async fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let (what, which) = (script.byte()?, script.byte()?);
        let place = usize::from(which) % IDENTITIES.len();
        match what % 16 {
            0 => {
                let version = ["2.3.0", "2.2.0", "2.0.0", "x"][usize::from(which >> 4) % 4];
                self.peers[place] = Peer::join(&self.server, IDENTITIES[place], version).await;
            }
            1 => self.peers[place] = None,
            2 => self.server.kill(IDENTITIES[place]),
            3 => match &mut self.peers[place] {
                Some(peer) => peer.open().await,
                None => {}
            },
            4..=6 => {
                let text = script.text()?;
                let known = self.channels.last().map_or(0, |channel| channel.id().get());
                // The id of a channel changes from run to run; the script cannot know it.
                let text = String::from_utf8_lossy(&text).replace("@", &known.to_string());
                self.say(place, text_frame(text.as_bytes()).ok()?);
            }
            7 => {
                let body = script.text()?;
                self.say(place, binary_frame(&body).ok()?);
            }
            8 => {
                let bytes = script.text()?;
                self.say(place, bytes);
            }
            9 => {
                let qos = if which & 1 == 0 { Qos::Reliable } else { Qos::Lossy };
                let topic = format!("/{which}");
                self.channels.extend(self.context.channel(&topic).encoding("json").qos(qos).open());
                self.channels.truncate(32);
            }
            10 if !self.channels.is_empty() => {
                let channel = self.channels.remove(usize::from(which) % self.channels.len());
                channel.close();
            }
            11 => {
                for channel in &self.channels {
                    let _ = channel.log(&[which; 100]);
                }
            }
            12 => {
                let id = (which & 1 == 0).then_some("id");
                let _ = self.session.publish_status(StatusLevel::Warning, "look", id);
                let _ = self.session.remove_status(&["id"]);
            }
            13 => {
                let parameter = Parameter::new("x", ParameterValue::Integer(i64::from(which)));
                let _ = self.session.publish_parameter_values(vec![parameter]);
            }
            14 => self.server.set_chunking([Chunking::AsWritten, Chunking::Split(1), Chunking::Merge(4096)][place]),
            _ => {
                // Lets the session work, and answers go unread.
                self.peers.iter_mut().flatten().for_each(Peer::drain);
                tokio::time::sleep(Duration::from_millis(u64::from(which) % 4)).await;
            }
        }
        Some(())
    }

    fn say(&self, place: usize, bytes: impl Into<Bytes>) {
        if let Some(peer) = &self.peers[place] {
            peer.say(bytes);
        }
    }
}
