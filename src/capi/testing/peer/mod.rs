//! A small viewer over the room port: joins, keeps what the robot tells it, and waits for it with a deadline. It is
//! made for tests, so it keeps things simple rather than fast.

mod follow;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::protocol::schema::RELIABLE_KEY;
use crate::protocol::{frame, ChannelAdvertisement, FromViewer, ServerInfo, ServiceAdvertisement, ServiceCall, Status};
use crate::room::memory::ChannelSource;
use crate::room::{JoinRequest, Joined, RemoteDataTrack, RemoteVideoTrack, Room, RoomOptions, Sid, VideoFrame};

use follow::{follow, heartbeat, read_track, watch_track};

/// Messages, statuses and answers that are kept for the test; beyond it the oldest go.
const KEEP: usize = 65_536;

/// A message as a viewer gets it.
pub(super) struct Message {
    pub(super) channel_id: u64,
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) log_time: u64,
    pub(super) lossy: bool,
}

/// The answer of a service call.
pub(super) enum Answer {
    Response(ServiceCall),
    Failure(String),
}

/// What the viewer knows.
#[derive(Default)]
struct State {
    robot: Option<Robot>,
    info: Option<ServerInfo>,
    channels: BTreeMap<u64, ChannelAdvertisement>,
    services: BTreeMap<u32, ServiceAdvertisement>,
    subscribed: BTreeSet<u64>,
    tracks: HashMap<u64, RemoteDataTrack>,
    readers: HashMap<u64, JoinHandle<()>>,
    watched: BTreeSet<u64>,
    videos: HashMap<u64, RemoteVideoTrack>,
    watchers: HashMap<u64, Watcher>,
    frames: VecDeque<(u64, VideoFrame)>,
    messages: VecDeque<Message>,
    statuses: VecDeque<Status>,
    answers: HashMap<u32, Answer>,
    assets: HashMap<u32, Result<Bytes, String>>,
    json: VecDeque<String>,
    pongs: u64,
    calls: u32,
    fetches: u32,
    pings: u64,
    /// No heartbeat.
    silent: bool,
    left: bool,
}

/// Watches one video track.
struct Watcher {
    sid: Sid,
    task: JoinHandle<()>,
    /// Subscribed: the next picture comes.
    ready: bool,
}

/// The device that opened a control stream to us.
struct Robot {
    out: Arc<ChannelSource>,
}

struct Shared {
    room: Arc<dyn Room>,
    state: Mutex<State>,
    changed: Condvar,
}

/// A viewer in a room. Dropping it leaves the room.
pub(super) struct Peer {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// The threads of all test viewers.
fn runtime() -> Result<&'static Runtime, String> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("tl-viewer").enable_time().build()
    });
    runtime.as_ref().map_err(|error| format!("the viewer's thread could not start: {error}"))
}

/// Waited until the deadline for nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLate;

impl Peer {
    /// Joins.
    pub(super) fn join(
        connector: &dyn crate::room::Connector,
        token: crate::room::Secret,
        timeout: Duration,
    ) -> Result<Self, String> {
        let runtime = runtime()?;
        let request = JoinRequest { url: "memory://viewer".into(), token, options: RoomOptions::default() };
        let join = connector.join(request);
        let joined = runtime
            .block_on(async move { tokio::time::timeout(timeout, join).await })
            .map_err(|_| "joining took too long".to_owned())?
            .map_err(|error| error.message)?;
        let Joined { room, events, .. } = joined;
        let shared = Arc::new(Shared { room, state: Mutex::default(), changed: Condvar::new() });
        let (following, beating) = (shared.clone(), shared.clone());
        let task = runtime.spawn(async move {
            tokio::select! {
                () = follow(following, events) => {}
                () = heartbeat(beating) => {}
            }
        });
        Ok(Self { shared, task })
    }

    /// Waits until `look` finds what it looks for.
    fn wait<T>(&self, timeout: Duration, mut look: impl FnMut(&mut State) -> Option<T>) -> Result<T, TooLate> {
        let deadline = Instant::now() + timeout.min(Duration::from_secs(86_400));
        let mut state = self.shared.state.lock();
        loop {
            if let Some(found) = look(&mut state) {
                return Ok(found);
            }
            if self.shared.changed.wait_until(&mut state, deadline).timed_out() {
                return look(&mut state).ok_or(TooLate);
            }
        }
    }

    /// Sends a message to the robot, as soon as there is one.
    fn send(&self, message: &FromViewer, timeout: Duration) -> Result<(), String> {
        self.send_frame(message.to_frame().map_err(|error| error.to_string())?, timeout)
    }

    fn send_frame(&self, frame: Bytes, timeout: Duration) -> Result<(), String> {
        let out = self
            .wait(timeout, |state| state.robot.as_ref().map(|robot| robot.out.clone()))
            .map_err(|TooLate| "no robot has opened a control stream".to_owned())?;
        out.push(frame).map_err(|_| "the stream to the robot is closed or full".to_owned())
    }

    /// Sends a JSON message as it is; when this returns, the robot has handled it.
    pub(super) fn send_json(&self, json: &str, timeout: Duration) -> Result<(), String> {
        self.send_frame(frame::text_frame(json.as_bytes()).map_err(|error| error.to_string())?, timeout)?;
        self.barrier(timeout)
    }

    /// Returns when the robot has handled everything sent before.
    fn barrier(&self, timeout: Duration) -> Result<(), String> {
        let number = {
            let mut state = self.shared.state.lock();
            state.pings += 1;
            state.pings
        };
        self.send(&FromViewer::Ping { app_timestamp: number.to_le_bytes() }, timeout)?;
        self.wait(timeout, |state| (state.pongs >= number).then_some(()))
            .map_err(|TooLate| "the robot did not answer".to_owned())
    }

    /// Whether pings go to the robot by themselves.
    pub(super) fn set_heartbeat(&self, on: bool) {
        self.shared.state.lock().silent = !on;
    }

    /// What the robot said of itself.
    pub(super) fn server_info(&self, timeout: Duration) -> Result<ServerInfo, TooLate> {
        self.wait(timeout, |state| state.info.clone())
    }

    /// The channel of a topic.
    pub(super) fn channel(&self, topic: &str, timeout: Duration) -> Result<ChannelAdvertisement, TooLate> {
        self.wait(timeout, |state| state.channels.values().find(|channel| channel.topic == topic).cloned())
    }

    /// Waits until no channel has the topic.
    pub(super) fn no_channel(&self, topic: &str, timeout: Duration) -> Result<(), TooLate> {
        self.wait(timeout, |state| state.channels.values().all(|channel| channel.topic != topic).then_some(()))
    }

    /// Subscribes; when this returns, what the robot logs from then on is for us.
    pub(super) fn subscribe(&self, topic: &str, timeout: Duration) -> Result<(), String> {
        let channel =
            self.channel(topic, timeout).map_err(|TooLate| format!("the robot advertises no channel {topic}"))?;
        let id = channel.id;
        self.shared.state.lock().subscribed.insert(id);
        let wanted = crate::protocol::SubscribeChannel { id, request_video_track: false };
        self.send(&FromViewer::Subscribe { channels: vec![wanted] }, timeout)?;
        self.barrier(timeout)?;
        if channel.metadata.get(RELIABLE_KEY).is_none_or(|value| value != "true") {
            self.wait(timeout, |state| {
                read_track(&self.shared, state, id);
                state.readers.contains_key(&id).then_some(())
            })
            .map_err(|TooLate| format!("the robot published no data track for {topic}"))?;
        }
        Ok(())
    }

    /// Ends a subscription; when this returns, the robot knows.
    pub(super) fn unsubscribe(&self, topic: &str, timeout: Duration) -> Result<(), String> {
        let channel =
            self.channel(topic, timeout).map_err(|TooLate| format!("the robot advertises no channel {topic}"))?;
        {
            let mut state = self.shared.state.lock();
            state.subscribed.remove(&channel.id);
            state.watched.remove(&channel.id);
            if let Some(watcher) = state.watchers.remove(&channel.id) {
                watcher.task.abort();
            }
            if let Some(reader) = state.readers.remove(&channel.id) {
                reader.abort();
            }
        }
        self.send(&FromViewer::Unsubscribe { channel_ids: vec![channel.id] }, timeout)?;
        self.barrier(timeout)
    }

    /// The next message.
    pub(super) fn next_message(&self, timeout: Duration) -> Result<Message, TooLate> {
        self.wait(timeout, |state| state.messages.pop_front())
    }

    /// Watches a channel as video; when this returns, the next picture is for us.
    pub(super) fn watch(&self, topic: &str, timeout: Duration) -> Result<(), String> {
        let channel =
            self.channel(topic, timeout).map_err(|TooLate| format!("the robot advertises no channel {topic}"))?;
        let id = channel.id;
        {
            let mut state = self.shared.state.lock();
            state.subscribed.remove(&id);
            if let Some(reader) = state.readers.remove(&id) {
                reader.abort();
            }
            state.watched.insert(id);
            watch_track(&self.shared, &mut state, id);
        }
        let wanted = crate::protocol::SubscribeChannel { id, request_video_track: true };
        self.send(&FromViewer::Subscribe { channels: vec![wanted] }, timeout)?;
        self.barrier(timeout)?;
        self.wait(timeout, |state| state.watchers.get(&id).is_some_and(|watcher| watcher.ready).then_some(()))
            .map_err(|TooLate| format!("the robot published no video track for {topic}"))
    }

    /// The next picture.
    pub(super) fn next_frame(&self, timeout: Duration) -> Result<(u64, VideoFrame), TooLate> {
        self.wait(timeout, |state| state.frames.pop_front())
    }

    /// The next status.
    pub(super) fn next_status(&self, timeout: Duration) -> Result<Status, TooLate> {
        self.wait(timeout, |state| state.statuses.pop_front())
    }

    /// Advertises a channel of the viewer; when this returns, the robot knows.
    pub(super) fn advertise(&self, id: u32, topic: &str, encoding: &str, timeout: Duration) -> Result<(), String> {
        let channel = crate::protocol::ClientChannel {
            id,
            topic: topic.to_owned(),
            encoding: encoding.to_owned(),
            schema_name: String::new(),
            schema_encoding: None,
            schema: None,
        };
        self.send(&FromViewer::Advertise { channels: vec![channel] }, timeout)?;
        self.barrier(timeout)
    }

    /// Withdraws a channel of the viewer; when this returns, the robot knows.
    pub(super) fn unadvertise(&self, id: u32, timeout: Duration) -> Result<(), String> {
        self.send(&FromViewer::Unadvertise { channel_ids: vec![id] }, timeout)?;
        self.barrier(timeout)
    }

    /// Publishes a message; when this returns, the robot has it.
    pub(super) fn publish(&self, channel_id: u32, data: Bytes, timeout: Duration) -> Result<(), String> {
        self.send(&FromViewer::MessageData { channel_id, data }, timeout)?;
        self.barrier(timeout)
    }

    /// Sends a service call and returns its number.
    pub(super) fn call(&self, service: &str, encoding: &str, payload: Bytes, timeout: Duration) -> Result<u32, String> {
        let (service_id, call_id) = self
            .wait(timeout, |state| {
                let id = state.services.values().find(|s| s.name == service)?.id;
                state.calls += 1;
                Some((id, state.calls))
            })
            .map_err(|TooLate| format!("the robot offers no service {service}"))?;
        let call = ServiceCall { service_id, call_id, encoding: encoding.to_owned(), payload };
        self.send(&FromViewer::ServiceCallRequest(call), timeout)?;
        Ok(call_id)
    }

    /// The answer of a call.
    pub(super) fn answer(&self, call_id: u32, timeout: Duration) -> Result<Answer, TooLate> {
        self.wait(timeout, |state| state.answers.remove(&call_id))
    }

    /// Asks for an asset and returns the number of the request.
    pub(super) fn fetch_asset(&self, uri: &str, timeout: Duration) -> Result<u32, String> {
        let request_id = {
            let mut state = self.shared.state.lock();
            state.fetches += 1;
            state.fetches
        };
        self.send(&FromViewer::FetchAsset { request_id, uri: uri.to_owned() }, timeout)?;
        Ok(request_id)
    }

    /// The answer of an asset request.
    pub(super) fn asset(&self, request_id: u32, timeout: Duration) -> Result<Result<Bytes, String>, TooLate> {
        self.wait(timeout, |state| state.assets.remove(&request_id))
    }

    /// The next JSON message of a kind.
    pub(super) fn next_json(&self, op: &str, timeout: Duration) -> Result<String, TooLate> {
        self.wait(timeout, |state| {
            let at = state.json.iter().position(|json| op_of(json).as_deref() == Some(op))?;
            state.json.remove(at)
        })
    }

    /// Whether the robot offers a service now.
    pub(super) fn no_service(&self, name: &str, timeout: Duration) -> Result<(), TooLate> {
        self.wait(timeout, |state| state.services.values().all(|service| service.name != name).then_some(()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let close = self.shared.room.close();
        // Bounded, and not on the runtime's own thread: a viewer is dropped by the test.
        if let Ok(runtime) = runtime() {
            let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), close).await });
        }
        self.task.abort();
        let readers = std::mem::take(&mut self.shared.state.lock().readers);
        readers.into_values().for_each(|reader| reader.abort());
    }
}

/// The kind of a JSON message.
fn op_of(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Message {
        op: String,
    }
    serde_json::from_str::<Message>(json).ok().map(|message| message.op)
}
