//! Tests of the core: every race of session.md section 9 is an order of inputs.

mod assets;
mod channels;
mod client_publish;
mod graph;
mod idle;
mod joining;
mod lease;
mod model;
mod parameters;
mod races;
mod recalls;
mod requests;
mod resets;
mod rights;
mod services;
mod status;
mod subscriptions;
mod video;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::context::{Channel, Context, Qos, Schema};
use crate::fanout::{ResetCause, Slot};
use crate::protocol::frame::MAX_PAYLOAD;
use crate::protocol::version::ATTRIBUTE;
use crate::protocol::{AdvertisedSchema, FrameDecoder, FromViewer, Status, StatusLevel, SubscribeChannel, ToViewer};
use crate::room::{Identity, Participant, ParticipantKind};
use crate::session::deadman::ControlEvent;
use crate::session::options::SessionOptions;
use crate::session::service::ServiceAnswer;
use crate::session::{Action, ControlLost};

use super::*;

use view::View;

/// One thing the core wanted done, easy to compare.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Open(ClientId),
    Close(ClientId),
    Sent(ClientId, ToViewer),
    Refused(Identity, ToViewer),
    StartTrack(u64),
    StopTrack(u64),
    Route(u64, Vec<ClientId>, bool),
    StartVideo(u64, PublisherId),
    PublishVideo(u64, PublisherId),
    AttachVideo(u64, PublisherId),
    DropVideo(PublisherId),
    StopVideo(u64, PublisherId),
    Orphan(Sid),
    Forget(u64),
    Told(Told),
    Call(u32),
    /// Work that is no service call.
    Asked,
    Leave,
    /// A question about rights.
    Authorize(ClientId, Action, Vec<String>),
    Taken(ClientId),
    Lost(ClientId, ControlLost),
}

/// A service call in progress.
#[derive(Clone)]
struct Call {
    id: RequestId,
    reply: super::services::ServiceReply,
}

/// An event, easy to compare.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Subscribe(ClientId, u64),
    Unsubscribe(ClientId, u64),
    Advertise(ClientId, u32),
    Unadvertise(ClientId, u32),
    Message(ClientId, u32),
    GraphSubscribe(ClientId),
    GraphUnsubscribe(ClientId),
    Follow(Vec<String>),
    Unfollow(Vec<String>),
}

/// A core with a clock that tests turn and the effects folded into what they come to.
struct Robot {
    core: Core,
    context: Context,
    start: Instant,
    elapsed: Duration,
    steps: Vec<Step>,
    views: BTreeMap<ClientId, View>,
    open: BTreeSet<ClientId>,
    routes: BTreeMap<u64, (Vec<ClientId>, bool)>,
    tracks: BTreeSet<u64>,
    videos: BTreeMap<u64, PublisherId>,
    subscribed: BTreeSet<(ClientId, u64)>,
    advertised: BTreeSet<(ClientId, u32)>,
    graph_followed: bool,
    followed: BTreeSet<String>,
    calls: Vec<(ServiceRequest, Call)>,
    work: Vec<(RequestId, Work)>,
    /// The slots of answers, as a queue that is never read would hold them.
    slots: Vec<Slot>,
    holds_slots: bool,
    questions: Vec<Question>,
}

/// Wall clock of the tests' start, ns.
const EPOCH_NS: u64 = 1_700_000_000_000_000_000;

impl Robot {
    /// A robot in an empty room.
    fn new() -> Self {
        let mut robot = Self::outside(SessionOptions::default());
        robot.joined(vec![]);
        robot
    }

    fn with(change: impl FnOnce(&mut SessionOptions)) -> Self {
        let mut options = SessionOptions::default();
        change(&mut options);
        let mut robot = Self::outside(options);
        robot.joined(vec![]);
        robot
    }

    /// A robot that is in no room yet.
    fn outside(options: SessionOptions) -> Self {
        let config = crate::session::config_of(&options.validated().unwrap());
        Self {
            core: Core::new(config),
            context: Context::new(),
            start: Instant::now(),
            elapsed: Duration::ZERO,
            steps: Vec::new(),
            views: BTreeMap::new(),
            open: BTreeSet::new(),
            routes: BTreeMap::new(),
            tracks: BTreeSet::new(),
            videos: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            advertised: BTreeSet::new(),
            followed: BTreeSet::new(),
            calls: Vec::new(),
            questions: Vec::new(),
            graph_followed: false,
            work: Vec::new(),
            slots: Vec::new(),
            holds_slots: false,
        }
    }

    fn now(&self) -> Now {
        Now { mono: self.start + self.elapsed, unix_ns: EPOCH_NS + self.elapsed.as_nanos() as u64 }
    }

    fn try_input(&mut self, input: Input) -> Result<(), Error> {
        let now = self.now();
        let result = self.core.handle(input, now);
        for effect in self.core.take_effects() {
            self.fold(effect);
        }
        result
    }

    fn input(&mut self, input: Input) {
        self.try_input(input).unwrap();
    }

    /// Lets time pass, with a tick at every deadline on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(at) = self.core.deadline().map(|at| at.saturating_duration_since(self.start)) {
            if at > end {
                break;
            }
            self.elapsed = self.elapsed.max(at);
            self.input(Input::Tick);
            assert!(self.core.deadline().is_none_or(|next| next > self.start + at), "a deadline that never ends");
        }
        self.elapsed = end;
        self.input(Input::Tick);
    }

    fn fold(&mut self, effect: Effect) {
        let step = match effect {
            Effect::Open(client) => {
                assert!(self.open.insert(client.id));
                assert!(self.views.insert(client.id, View::default()).is_none(), "client ids are never used again");
                Step::Open(client.id)
            }
            Effect::Close(client) => {
                assert!(self.open.remove(&client));
                Step::Close(client)
            }
            Effect::Answer { client, frame, slot } => {
                if self.holds_slots {
                    self.slots.push(slot);
                }
                return self.fold(Effect::Send { client, frame });
            }
            Effect::Send { client, frame } => {
                assert!(self.open.contains(&client), "a frame for a viewer that is gone");
                let view = self.views.get_mut(&client).unwrap();
                for message in decode(frame) {
                    view.take(message.clone());
                    self.steps.push(Step::Sent(client, message));
                }
                return;
            }
            Effect::Refuse { identity, frame } => Step::Refused(identity, decode(frame).remove(0)),
            Effect::StartTrack(channel) => {
                assert!(self.tracks.insert(channel.id().get()), "a track started twice");
                Step::StartTrack(channel.id().get())
            }
            Effect::StopTrack(channel) => {
                self.tracks.remove(&channel.get());
                Step::StopTrack(channel.get())
            }
            Effect::StartVideo { channel, publisher } => {
                assert!(self.videos.insert(channel.id().get(), publisher).is_none(), "two publishers of one channel");
                Step::StartVideo(channel.id().get(), publisher)
            }
            Effect::PublishVideo { channel, publisher } => {
                assert_eq!(self.videos.get(&channel.id().get()), Some(&publisher), "published for nobody");
                Step::PublishVideo(channel.id().get(), publisher)
            }
            Effect::AttachVideo { channel, publisher } => {
                assert_eq!(self.videos.get(&channel.get()), Some(&publisher), "attached to nobody");
                Step::AttachVideo(channel.get(), publisher)
            }
            Effect::DropVideo { publisher } => Step::DropVideo(publisher),
            Effect::StopVideo { channel, publisher } => {
                assert_eq!(self.videos.remove(&channel.get()), Some(publisher), "stopped what never began");
                Step::StopVideo(channel.get(), publisher)
            }
            Effect::UnpublishOrphan(sid) => Step::Orphan(sid),
            Effect::Route { channel, reliable, lossy } => {
                assert!(reliable.iter().all(|client| self.open.contains(client)), "a route to a viewer that is gone");
                self.routes.insert(channel.id().get(), (reliable.clone(), lossy));
                Step::Route(channel.id().get(), reliable, lossy)
            }
            Effect::ForgetChannel(channel) => {
                self.routes.remove(&channel.get());
                Step::Forget(channel.get())
            }
            Effect::Leave => Step::Leave,
            Effect::Event(event) => Step::Told(self.told(&event)),
            Effect::Call { request: id, work: Work::Service { request, reply, .. }, .. } => {
                let call_id = request.call_id;
                self.calls.push((request, Call { id, reply }));
                Step::Call(call_id)
            }
            Effect::Call { request, work, .. } => {
                self.work.push((request, work));
                Step::Asked
            }
            Effect::Authorize(question) => {
                let step = Step::Authorize(question.client.id, question.action, question.subjects.to_vec());
                self.questions.push(question);
                step
            }
            Effect::Control(ControlEvent::Taken(client)) => Step::Taken(client.id),
            Effect::Control(ControlEvent::Lost(client, reason)) => Step::Lost(client.id, reason),
        };
        self.steps.push(step);
    }

    /// Events begin and end in pairs, and a client gets nothing outside of them (S-167).
    fn told(&mut self, event: &Event) -> Told {
        match event {
            Event::Subscribe(client, channel) => {
                assert!(self.open.contains(&client.id));
                assert!(self.subscribed.insert((client.id, channel.id().get())), "subscribed twice");
                Told::Subscribe(client.id, channel.id().get())
            }
            Event::Unsubscribe(client, channel) => {
                assert!(
                    self.subscribed.remove(&(client.id, channel.id().get())),
                    "unsubscribed without a subscription"
                );
                Told::Unsubscribe(client.id, channel.id().get())
            }
            Event::ClientAdvertise(client, channel) => {
                assert!(self.open.contains(&client.id));
                assert!(self.advertised.insert((client.id, channel.id)), "advertised twice");
                Told::Advertise(client.id, channel.id)
            }
            Event::ClientUnadvertise(client, channel) => {
                assert!(self.advertised.remove(&(client.id, channel.id)), "unadvertised without an advertisement");
                Told::Unadvertise(client.id, channel.id)
            }
            Event::Message(client, channel, _) => {
                assert!(self.advertised.contains(&(client.id, channel.id)), "a message outside of its channel's life");
                Told::Message(client.id, channel.id)
            }
            Event::GraphSubscribe(client) => {
                assert!(self.open.contains(&client.id));
                assert!(!std::mem::replace(&mut self.graph_followed, true), "a first subscriber after the first");
                Told::GraphSubscribe(client.id)
            }
            Event::GraphUnsubscribe(client) => {
                assert!(std::mem::replace(&mut self.graph_followed, false), "a last subscriber without a first");
                Told::GraphUnsubscribe(client.id)
            }
            Event::ParametersSubscribe(names) => {
                for name in names {
                    assert!(self.followed.insert(name.clone()), "{name} has its first subscriber twice");
                }
                Told::Follow(names.clone())
            }
            Event::ParametersUnsubscribe(names) => {
                for name in names {
                    assert!(self.followed.remove(name), "{name} lost a subscriber it never had");
                }
                Told::Unfollow(names.clone())
            }
        }
    }

    /// What was done since the last look.
    fn take(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// The events since the last look.
    fn events(&mut self) -> Vec<Told> {
        let told = |step| match step {
            Step::Told(told) => Some(told),
            _ => None,
        };
        self.take().into_iter().filter_map(told).collect()
    }

    /// Joins a room and waits until those who are there have been greeted.
    fn joined(&mut self, participants: Vec<Participant>) {
        self.input(Input::Joined { participants });
        if self.core.recalls.is_greeting_due() {
            self.pass(Duration::from_millis(500));
        }
    }

    /// Registers a viewer of the newest version and forgets the steps of it.
    fn viewer(&mut self, identity: &str, sid: &str) -> ClientId {
        self.active(who(identity, sid, 1000))
    }

    fn active(&mut self, participant: Participant) -> ClientId {
        let sid = participant.sid.clone();
        self.input(Input::ParticipantActive(participant));
        self.take();
        self.core.client_of(&sid).expect("registered")
    }

    fn disconnect(&mut self, sid: &str) {
        self.input(Input::ParticipantDisconnected { sid: sid.into() });
    }

    fn says(&mut self, sid: &str, message: FromViewer) {
        self.input(Input::Message { sid: sid.into(), message });
    }

    /// The application answers a service call.
    fn answer(&mut self, call: &Call, answer: ServiceAnswer) {
        let outcome = Outcome::Frame(call.reply.encode(answer));
        self.input(Input::Answered { request: call.id, outcome });
    }

    fn subscribe(&mut self, sid: &str, channels: &[&Channel]) {
        let channels = channels.iter().map(|channel| data(channel)).collect();
        self.says(sid, FromViewer::Subscribe { channels });
    }

    fn unsubscribe(&mut self, sid: &str, channels: &[&Channel]) {
        let channel_ids = channels.iter().map(|channel| channel.id().get()).collect();
        self.says(sid, FromViewer::Unsubscribe { channel_ids });
    }

    fn reset(&mut self, client: ClientId) {
        self.input(Input::Reset { client, cause: ResetCause::QueueOverflow, discarded: 7 });
    }

    fn current(&self, sid: &str) -> Option<ClientId> {
        self.core.client_of(&sid.into())
    }

    fn view(&self, client: ClientId) -> &View {
        &self.views[&client]
    }

    /// The last frame a viewer got.
    fn last(&self, client: ClientId) -> &ToViewer {
        self.views[&client].frames.last().unwrap()
    }

    fn plain(&mut self, topic: &str, qos: Qos) -> Channel {
        let channel = self.context.channel(topic).encoding("json").qos(qos).open().unwrap();
        self.add(&[&channel]);
        channel
    }

    fn reliable(&mut self, topic: &str) -> Channel {
        self.plain(topic, Qos::Reliable)
    }

    fn lossy(&mut self, topic: &str) -> Channel {
        self.plain(topic, Qos::Lossy)
    }

    fn image(&mut self, topic: &str) -> Channel {
        let schema =
            Schema { name: "foxglove.RawImage".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"{}") };
        let channel = self.context.channel(topic).encoding("json").schema(schema).open().unwrap();
        let added =
            ChannelAdded { channel: channel.channel_ref().clone(), qos: channel.qos(), video: VideoCapability::Yes };
        self.input(Input::Channels { added: vec![added], removed: vec![] });
        channel
    }

    fn with_schema(&mut self, topic: &str, name: &str, data: &str) -> Channel {
        let schema = Schema { name: name.into(), encoding: "jsonschema".into(), data: data.to_owned().into() };
        let channel = self.context.channel(topic).encoding("json").schema(schema).open().unwrap();
        self.add(&[&channel]);
        channel
    }

    /// Tells the core of channels, all in one input.
    fn add(&mut self, channels: &[&Channel]) {
        let added = channels.iter().map(|c| added(c)).collect();
        self.input(Input::Channels { added, removed: vec![] });
    }

    fn remove(&mut self, channels: &[&Channel]) {
        channels.iter().for_each(|channel| channel.close());
        let removed = channels.iter().map(|channel| channel.channel_ref().clone()).collect();
        self.input(Input::Channels { added: vec![], removed });
    }
}

fn added(channel: &Channel) -> ChannelAdded {
    ChannelAdded { channel: channel.channel_ref().clone(), qos: channel.qos(), video: VideoCapability::No }
}

fn data(channel: &Channel) -> SubscribeChannel {
    SubscribeChannel { id: channel.id().get(), request_video_track: false }
}

fn video(channel: &Channel) -> SubscribeChannel {
    SubscribeChannel { id: channel.id().get(), request_video_track: true }
}

fn decode(frames: Bytes) -> Vec<ToViewer> {
    let mut decoder = FrameDecoder::new(MAX_PAYLOAD);
    decoder.push(frames);
    let mut messages = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        messages.push(ToViewer::decode(&frame).unwrap());
    }
    assert!(!decoder.is_mid_frame());
    messages
}

/// A participant that speaks 2.3.
fn who(identity: &str, sid: &str, joined_at_ms: i64) -> Participant {
    Participant {
        identity: identity.into(),
        sid: sid.into(),
        name: String::new(),
        kind: ParticipantKind::Standard,
        joined_at_ms,
        attributes: [(ATTRIBUTE.to_owned(), "2.3.0".to_owned())].into(),
        active: true,
    }
}

fn speaking(version: Option<&str>, identity: &str, sid: &str) -> Participant {
    let mut participant = who(identity, sid, 1000);
    participant.attributes = version.map(|version| (ATTRIBUTE.to_owned(), version.to_owned())).into_iter().collect();
    participant
}

fn error(message: &str) -> ToViewer {
    ToViewer::Status(Status { level: StatusLevel::Error, message: message.into(), id: None })
}

fn warning(message: &str) -> ToViewer {
    ToViewer::Status(Status { level: StatusLevel::Warning, message: message.into(), id: None })
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
