//! The decisions of a session: a plain synchronous state machine (design.md decision 1).
//!
//! `handle(input, now)` changes the state and returns what has to be done, in the order in which it has to be done. No
//! I/O, no clock, no threads: every race of session.md section 9 is an order of inputs, and a unit test.
//!
//! Everything that belongs to a viewer is keyed by its registration, the [`ClientId`] (S-8): a reset registers the same
//! SID anew, so only the client id tells the old registration from the new one.

mod advertising;
mod assets;
mod channels;
mod client_publish;
mod effect;
mod graph;
mod idle;
mod input;
mod lease;
mod parameters;
mod participants;
mod ping;
mod recalls;
mod replies;
mod requests;
mod resets;
mod rights;
mod services;
mod status;
mod subscriptions;
mod video;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::context::ChannelId;
use crate::protocol::{FromViewer, ServerInfo, ToViewer};
use crate::room::{Identity, Participant, Sid};
use crate::throttle::Throttle;

use super::lease::LeaseRules;
use super::options::Limits;
use super::rights::Rights;
use super::service::{ServiceHandler, ServiceRequest};
use super::{
    AssetHandler, Client, ClientChannel, ClientId, ClientMessage, ConnectionGraph, Error, Parameter, RttStats, Service,
    SessionCapability,
};

pub(crate) use channels::{ChannelAdded, VideoCapability};
pub(crate) use effect::{Effect, Event};
pub(crate) use input::Input;
pub(crate) use parameters::ParameterSource;
pub(crate) use ping::RttTracker;
pub(crate) use requests::{Outcome, RequestId, Work};
pub(crate) use rights::{Question, QuestionKey, MAX_LATE};
pub(crate) use status::{check_status, check_status_ids};
pub(crate) use video::{PublisherId, VideoMetadata, VideoNews};

use channels::ChannelState;
use graph::GraphState;
use idle::Idle;
use lease::Lease;
use parameters::ParameterSubscriptions;
use participants::{Registration, NOTICE_INTERVAL};
use recalls::Recalls;
use requests::Requests;
use resets::Resets;
use rights::Questions;
use services::ServiceMap;
use status::StatusBoard;
use video::Videos;

/// The two clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// For deadlines and intervals.
    pub(crate) mono: Instant,
    /// Wall clock, ns since the Unix epoch, for what the wire shows.
    pub(crate) unix_ns: u64,
}

/// What the core never changes about itself.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) info: ServerInfo,
    pub(crate) capabilities: Vec<SessionCapability>,
    pub(crate) limits: Limits,
    pub(crate) rights: Rights,
    pub(crate) lease: Option<LeaseRules>,
    pub(crate) asset_handler: Option<AssetHandler>,
    pub(crate) parameters: Option<ParameterSource>,
    /// How long a parameter or asset request may take (S-215).
    pub(crate) request_timeout: Option<Duration>,
}

/// The state of one session.
pub(crate) struct Core {
    config: Config,
    in_room: bool,
    /// Who is in the room, by identity: where a reset finds the viewer again (S-119).
    present: HashMap<Identity, Participant>,
    clients: IndexMap<ClientId, Registration>,
    by_identity: HashMap<Identity, ClientId>,
    by_sid: HashMap<Sid, ClientId>,
    /// Instances that were refused, so that a repeated event refuses them only once.
    refused: HashMap<Identity, Sid>,
    /// Of participants that are not registered: how often unreadable input is logged.
    malformed_of_others: Throttle,
    channels: IndexMap<ChannelId, ChannelState>,
    eager_tracks: usize,
    services: ServiceMap,
    graph: GraphState,
    requests: Requests,
    parameters: ParameterSubscriptions,
    status: StatusBoard,
    videos: Videos,
    resets: Resets,
    recalls: Recalls,
    rtt: RttTracker,
    idle: Idle,
    questions: Questions,
    lease: Option<Lease>,
    effects: Vec<Effect>,
}

impl Core {
    /// An empty session, in no room.
    pub(crate) fn new(config: Config) -> Self {
        let lease = config.lease.clone().map(Lease::new);
        Self {
            config,
            in_room: false,
            present: HashMap::new(),
            clients: IndexMap::new(),
            by_identity: HashMap::new(),
            by_sid: HashMap::new(),
            refused: HashMap::new(),
            malformed_of_others: Throttle::default(),
            channels: IndexMap::new(),
            eager_tracks: 0,
            services: ServiceMap::default(),
            graph: GraphState::default(),
            requests: Requests::default(),
            parameters: ParameterSubscriptions::default(),
            status: StatusBoard::default(),
            videos: Videos::default(),
            resets: Resets::default(),
            recalls: Recalls::default(),
            rtt: RttTracker::default(),
            idle: Idle::default(),
            questions: Questions::default(),
            lease,
            effects: Vec::new(),
        }
    }

    /// Takes one input. `Err` only for the calls of the application that can be refused.
    pub(crate) fn handle(&mut self, input: Input, now: Now) -> Result<(), Error> {
        self.earn_video_starts(now);
        match input {
            Input::Joined { participants } => self.joined(participants, now),
            Input::Left => self.left(),
            Input::Reconnected { participants } => self.reconnected(participants, now),
            Input::ParticipantConnected(participant) => self.participant_connected(participant),
            Input::ParticipantActive(participant) => self.participant_active(participant, now),
            Input::ParticipantDisconnected { sid } => self.participant_disconnected(&sid),
            Input::Message { sid, message } => self.message(&sid, message, now),
            Input::HungUp { sid } => self.hung_up(&sid, now),
            Input::Malformed { sid, reason } => self.malformed(&sid, &reason, now),
            Input::Reset { client, cause, discarded } => self.reset(client, cause, discarded, now),
            Input::Channels { added, removed } => self.channels_changed(added, &removed),
            Input::VideoPublished { publisher, result } => self.video_published(publisher, result, now),
            Input::VideoRenewed { previous, sid } => self.video_renewed(&previous, sid),
            Input::VideoLost { sid } => self.video_lost(&sid, now),
            Input::VideoNews(news) => self.video_news(news, now),
            Input::Oversize { channel, dropped } => self.oversize(channel, dropped, now),
            Input::OfferServices(services) => self.offer_services(services),
            Input::AddServices(services) => return self.add_services(services),
            Input::RemoveServices(names) => self.remove_services(&names),
            Input::Answered { request, outcome } => self.answered(request, outcome),
            Input::PublishParameters(parameters) => self.publish_parameters(parameters),
            Input::PublishStatus(status) => self.publish_status(status),
            Input::RemoveStatus(ids) => self.remove_status(ids),
            Input::IdleWindow(window) => self.set_idle_window(window),
            Input::Stay => self.stay(),
            Input::Authorized { question, allowed } => self.authorized(question, &allowed, now),
            Input::Heartbeat { client, at } => self.heartbeat(client, at),
            Input::PublishGraph(graph) => return self.publish_graph(graph),
            Input::Tick => self.tick(now),
        }
        self.watch_idle(now);
        Ok(())
    }

    /// Takes the effects of the inputs so far.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When the core next wants a [`Input::Tick`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.resets.deadline(),
            self.recalls.deadline(),
            self.status.deadline(),
            self.requests.deadline(),
            self.questions_deadline(),
            self.lease_deadline(),
            self.idle.deadline(),
            self.videos.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The registration that a stream bound to `sid` speaks for now.
    pub(crate) fn client_of(&self, sid: &Sid) -> Option<ClientId> {
        self.by_sid.get(sid).copied()
    }

    /// A registered viewer.
    pub(crate) fn client(&self, id: ClientId) -> Option<&Arc<Client>> {
        self.clients.get(&id).map(|r| &r.client)
    }

    /// The registered viewers, in order of registration.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.values().map(|r| &r.client)
    }

    /// Session id of `serverInfo`.
    pub(crate) fn session_id(&self) -> &str {
        self.config.info.session_id.as_deref().unwrap_or_default()
    }

    /// Subscriptions of all viewers, data and video (S-259).
    pub(crate) fn subscription_count(&self) -> usize {
        self.clients.values().map(|r| r.subscriptions.len()).sum()
    }

    /// Video tracks that are published now (S-259).
    pub(crate) fn video_track_count(&self) -> usize {
        self.videos.published()
    }

    /// Round trips of all viewers' pings.
    pub(crate) fn rtt(&self) -> Option<RttStats> {
        self.rtt.stats()
    }

    /// Round trips of one viewer's pings.
    pub(crate) fn rtt_of(&self, id: ClientId) -> Option<RttStats> {
        self.clients.get(&id)?.pongs.rtt.stats()
    }

    fn tick(&mut self, now: Now) {
        self.tick_lease(now);
        self.tick_questions(now);
        self.tick_resets(now);
        self.tick_recalls(now);
        self.tick_warnings(now);
        self.tick_requests(now);
        self.tick_idle(now);
        self.tick_videos(now);
    }

    fn message(&mut self, sid: &Sid, message: FromViewer, now: Now) {
        let Some(&id) = self.by_sid.get(sid) else {
            // The instance left, or was never registered: nothing is recorded, nobody is answered (S-147, S-150).
            tracing::debug!(%sid, "a message of an unregistered viewer was dropped");
            return;
        };
        self.recalls.spoke(id);
        if let Some(registration) = self.clients.get_mut(&id) {
            registration.spoke = true;
        }
        self.check_rights(id, message, now);
    }

    /// Hands a message that nobody objects to to its feature.
    fn dispatch(&mut self, id: ClientId, message: FromViewer, now: Now) {
        match message {
            FromViewer::Subscribe { channels } => self.subscribe(id, &channels),
            FromViewer::Unsubscribe { channel_ids } => self.unsubscribe(id, &channel_ids),
            FromViewer::Advertise { channels } => self.client_advertise(id, channels, now),
            FromViewer::Unadvertise { channel_ids } => self.client_unadvertise(id, &channel_ids),
            FromViewer::MessageData { channel_id, data } => self.client_message(id, channel_id, data, now),
            FromViewer::ServiceCallRequest(call) => self.call_service(id, call, now),
            FromViewer::GetParameters { names, id: request } => self.get_parameters(id, names, request, now),
            FromViewer::SetParameters { parameters, id: request } => self.set_parameters(id, parameters, request, now),
            FromViewer::SubscribeParameterUpdates { names } => self.subscribe_parameters(id, names),
            FromViewer::UnsubscribeParameterUpdates { names } => self.unsubscribe_parameters(id, &names),
            FromViewer::FetchAsset { request_id, uri } => self.fetch_asset(id, request_id, uri, now),
            FromViewer::Ping { app_timestamp } => self.ping(id, app_timestamp, now),
            FromViewer::PingAck { device_timestamp_ms } => self.ping_ack(id, device_timestamp_ms, now),
            FromViewer::SubscribeConnectionGraph => self.subscribe_graph(id),
            FromViewer::UnsubscribeConnectionGraph => self.unsubscribe_graph(id),
            FromViewer::PlaybackControl(_) => {
                let Some(registration) = self.clients.get_mut(&id) else { return };
                if let Some(count) = registration.playback.pass(1, NOTICE_INTERVAL, now.mono) {
                    tracing::warn!(client = %id, count, "a viewer asked for playback control, which a robot does not have (P-92)");
                }
            }
        }
    }

    fn enabled(&self, capability: SessionCapability) -> bool {
        self.config.capabilities.contains(&capability)
    }

    /// Queues a message to one viewer.
    fn send(&mut self, client: ClientId, message: &ToViewer) {
        match message.to_frame() {
            Ok(frame) => self.effects.push(Effect::Send { client, frame }),
            Err(error) => tracing::error!(%client, %error, "a message could not be encoded and was not sent"),
        }
    }

    /// Queues a message to every registered viewer.
    fn broadcast(&mut self, message: &ToViewer) {
        if self.clients.is_empty() {
            return;
        }
        match message.to_frame() {
            Ok(frame) => {
                let sends = self.clients.keys().map(|&client| Effect::Send { client, frame: frame.clone() });
                self.effects.extend(sends);
            }
            Err(error) => tracing::error!(%error, "a message could not be encoded and was not sent"),
        }
    }

    fn event(&mut self, event: Event) {
        self.effects.push(Effect::Event(event));
    }

    /// Sends the route of each of these channels anew.
    fn update_routes(&mut self, channels: &BTreeSet<ChannelId>) {
        for id in channels {
            self.update_route(*id);
        }
    }
}
