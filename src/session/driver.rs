//! The owner task: feeds the core, and does what it says (design.md decision 1).

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::context::{now_ns, ChannelId, ChannelRef, Context, SinkId};
use crate::fanout::{Budget, ChannelCounters, LossySlot, QueueLimits, ResetCause, Route, Signals, ViewerQueue};
use crate::protocol::CONTROL_TOPIC;
use crate::room::{ConnectionQuality, DisconnectReason, Identity, Joined, Room, RoomEvent, RoomEvents, RoomStats};

use super::callbacks::Callbacks;
use super::core::{Config, Core, Effect, Input, Now};
use super::handlers::HandlerPool;
use super::inbox::{Inboxes, Received, Sender};
use super::inputs::{Call, Inputs, RoomEnd};
use super::service::{ServiceAnswer, ServiceResponder};
use super::sink::RouteOutput;
use super::stats::{self, ChannelStats, SessionStats, ViewerStats};
use super::tracks::{publish_slots, run_track, TrackControl};
use super::{Client, ClientId, ConnectionStatus, Error};

/// S-23: how long a control stream may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// S-33: how long leaving a room may take before it is given up.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages of viewers handled before room events and calls get their turn again.
const MESSAGES_PER_TURN: usize = 64;
/// Refusals under way at once; a flood of incompatible joins cannot pile up more streams.
const MAX_REFUSALS: usize = 64;

/// Everything the driver shares with the rest of the session.
pub(crate) struct Shared {
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) callbacks: Arc<Callbacks>,
    pub(crate) pool: Arc<HandlerPool>,
    pub(crate) panics: Arc<AtomicU64>,
    pub(crate) context: Context,
    pub(crate) sink: SinkId,
}

/// The owner of one session.
pub(crate) struct Driver {
    shared: Shared,
    core: Core,
    limits: super::Limits,
    signals: Arc<Signals>,
    budget: Arc<Budget>,
    viewers: HashMap<ClientId, Viewer>,
    channels: HashMap<ChannelId, ChannelIo>,
    room: Option<InRoom>,
    status: ConnectionStatus,
    last_error: Option<Error>,
    started: Instant,
    joins: u64,
    resets: u64,
    next_stats: Instant,
}

struct Viewer {
    queue: Arc<ViewerQueue>,
    stream: tokio::task::AbortHandle,
}

struct ChannelIo {
    channel: ChannelRef,
    counters: Arc<ChannelCounters>,
    slot: Option<Arc<LossySlot>>,
    track: Option<TrackControl>,
}

struct InRoom {
    room: Arc<dyn Room>,
    events: RoomEvents,
    inboxes: Inboxes,
    /// Streams, refusals, tracks: all end with the room (S-37).
    tasks: JoinSet<()>,
    refusals: Arc<tokio::sync::Semaphore>,
    publish_slots: Arc<tokio::sync::Semaphore>,
    end: Option<tokio::sync::oneshot::Sender<RoomEnd>>,
    entered: Instant,
    local: Identity,
    quality: Option<ConnectionQuality>,
    stats: Arc<parking_lot::Mutex<Option<RoomStats>>>,
}

impl Driver {
    pub(crate) fn new(shared: Shared, config: Config) -> Self {
        let limits = config.limits.clone();
        Self {
            budget: Arc::new(Budget::new(limits.session_backlog_bytes)),
            core: Core::new(config),
            limits,
            signals: Arc::default(),
            viewers: HashMap::new(),
            channels: HashMap::new(),
            room: None,
            status: ConnectionStatus::Connecting,
            last_error: None,
            started: Instant::now(),
            joins: 0,
            resets: 0,
            next_stats: Instant::now() + stats::PERIOD,
            shared,
        }
    }

    /// Runs until the gateway says it is finished.
    pub(crate) async fn run(mut self) {
        loop {
            if self.take_inputs().await {
                break;
            }
            let more = self.take_messages();
            self.take_signals();
            self.feed_tick();
            if more {
                // Viewers have more to say; room events and calls come first, then they go on.
                self.take_room_events();
                tokio::task::yield_now().await;
                continue;
            }
            let deadline = self.deadline();
            let inputs = self.shared.inputs.clone();
            let signals = self.signals.clone();
            tokio::select! {
                _ = inputs.wait() => {}
                _ = signals.wait() => {}
                event = next_event(&mut self.room) => self.room_event(event),
                _ = tokio::time::sleep_until(deadline) => {}
            }
            self.take_room_events();
        }
        self.shared.inputs.close();
        self.shared.context.remove_sink(self.shared.sink);
        self.shared.pool.close();
        self.shared.callbacks.finish(self.shared.pool.clone(), self.last_error.take());
    }

    fn deadline(&self) -> Instant {
        let core = self.core.deadline().map(Instant::from_std);
        let held = self.room.as_ref().and_then(|room| room.inboxes.deadline(|sid| self.core.client_of(sid).is_some()));
        [core, held].into_iter().flatten().fold(self.next_stats, Instant::min)
    }

    fn feed(&mut self, input: Input) -> Result<(), Error> {
        let now = Now { mono: Instant::now().into_std(), unix_ns: now_ns() };
        let result = self.core.handle(input, now);
        // Applying an effect can make new ones: a listener that cannot keep up is told to the viewer at once.
        loop {
            let effects = self.core.take_effects();
            if effects.is_empty() {
                return result;
            }
            for effect in effects {
                self.apply(effect);
            }
        }
    }

    /// Feeds an input that cannot be refused.
    fn tell(&mut self, input: Input) {
        if let Err(error) = self.feed(input) {
            tracing::error!(%error, "an input that cannot fail was refused");
        }
    }

    /// Calls, channel changes and answers. `true` when the session is finished.
    async fn take_inputs(&mut self) -> bool {
        let taken = self.shared.inputs.take();
        if !taken.added.is_empty() || !taken.removed.is_empty() {
            self.tell(Input::Channels { added: taken.added, removed: taken.removed });
        }
        for (call, answer) in taken.answers {
            self.tell(Input::Answer { call, answer });
        }
        for call in taken.calls {
            match call {
                Call::Core(input, reply) => {
                    let result = self.feed(input);
                    if let Some(reply) = reply {
                        // The caller may have given up waiting.
                        let _ = reply.try_send(result);
                    }
                }
                Call::Client(id, reply) => {
                    let _ = reply.try_send(self.core.client(ClientId(id)).map(|client| (**client).clone()));
                }
                Call::Stats(reply) => {
                    let _ = reply.try_send(self.stats());
                }
                Call::Status(status, reason) => self.set_status(status, reason),
                Call::Enter(joined, end) => self.enter(*joined, end),
                Call::Leave(done) => self.leave(done),
                Call::Finish => return true,
            }
        }
        false
    }

    fn set_status(&mut self, status: ConnectionStatus, reason: Option<Error>) {
        self.status = status;
        if reason.is_some() {
            self.last_error.clone_from(&reason);
        }
        self.shared.callbacks.status(status, reason);
    }

    fn enter(&mut self, joined: Joined, end: tokio::sync::oneshot::Sender<RoomEnd>) {
        self.joins += 1;
        tracing::info!(identity = %joined.local.identity, sid = %joined.local.sid, "joined the room");
        self.room = Some(InRoom {
            room: joined.room,
            events: joined.events,
            inboxes: Inboxes::default(),
            tasks: JoinSet::new(),
            refusals: Arc::new(tokio::sync::Semaphore::new(MAX_REFUSALS)),
            publish_slots: publish_slots(),
            end: Some(end),
            entered: Instant::now(),
            local: joined.local.identity,
            quality: None,
            stats: Arc::default(),
        });
        self.tell(Input::Joined { participants: joined.participants });
    }

    /// Leaves the room, if there is one, within [`CLOSE_TIMEOUT`].
    fn leave(&mut self, done: tokio::sync::oneshot::Sender<()>) {
        let Some(room) = self.end_room(DisconnectReason::ClientInitiated) else {
            let _ = done.send(());
            return;
        };
        tokio::spawn(async move {
            if tokio::time::timeout(CLOSE_TIMEOUT, room.close()).await.is_err() {
                let seconds = CLOSE_TIMEOUT.as_secs();
                tracing::warn!(seconds, "the room was not left in time; the server will find out by itself");
            }
            let _ = done.send(());
        });
    }

    /// Forgets the room: every viewer is cleaned up, every task of the room ends.
    fn end_room(&mut self, reason: DisconnectReason) -> Option<Arc<dyn Room>> {
        self.room.as_ref()?;
        self.tell(Input::Left);
        let mut ended = self.room.take()?;
        // Tracks and streams go with the room; what is in flight is dropped (S-162).
        ended.tasks.abort_all();
        for channel in self.channels.values_mut() {
            channel.track = None;
            channel.slot.as_ref().map(|slot| slot.detach());
        }
        if let Some(end) = ended.end.take() {
            let _ = end.send(RoomEnd { reason, lived: ended.entered.elapsed() });
        }
        Some(ended.room)
    }

    fn take_signals(&mut self) {
        let taken = self.signals.take();
        for (client, cause) in taken.resets {
            let client = ClientId(client);
            let discarded = self.viewers.get(&client).map_or(0, |viewer| {
                viewer.queue.close();
                viewer.queue.stats().discarded
            });
            self.resets += u64::from(self.core.client(client).is_some());
            self.tell(Input::Reset { client, cause, discarded });
        }
        for channel in taken.oversize {
            let channel = ChannelId::from(channel);
            let slot = self.channels.get(&channel).and_then(|io| io.slot.clone());
            if let Some(slot) = slot {
                self.tell(Input::Oversize { channel, dropped: slot.take_oversize() });
            }
        }
    }

    fn feed_tick(&mut self) {
        if self.core.deadline().is_some_and(|at| Instant::now().into_std() >= at) {
            self.tell(Input::Tick);
        }
        if Instant::now() >= self.next_stats {
            self.next_stats = Instant::now() + stats::PERIOD;
            self.log_stats();
        }
        if let Some(room) = &mut self.room {
            while room.tasks.try_join_next().is_some() {}
        }
    }

    /// Handles some messages of viewers, in turn. `true` when more may wait.
    fn take_messages(&mut self) -> bool {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(room) = &mut self.room else { return false };
            let (core, viewers) = (&self.core, &self.viewers);
            let next = room.inboxes.next(|identity, sid| sender_state(core, viewers, identity, sid));
            match next {
                Some((sid, Received::Message(message))) => self.tell(Input::Message { sid, message }),
                Some((sid, Received::Malformed(reason))) => self.tell(Input::Malformed { sid, reason }),
                None => return false,
            }
        }
        true
    }

    fn take_room_events(&mut self) {
        while let Some(event) = self.room.as_mut().and_then(|room| room.events.try_recv().ok()) {
            self.room_event(Some(event));
        }
    }

    fn room_event(&mut self, event: Option<RoomEvent>) {
        let Some(event) = event else {
            // The adapter ended the events without a last word.
            self.lose_room(DisconnectReason::Other);
            return;
        };
        let Some(room) = &mut self.room else { return };
        match event {
            RoomEvent::ParticipantConnected(participant) => {
                room.inboxes.bind(&participant.identity, &participant.sid);
                self.tell(Input::ParticipantConnected(participant));
            }
            RoomEvent::ParticipantActive(participant) => {
                room.inboxes.bind(&participant.identity, &participant.sid);
                self.tell(Input::ParticipantActive(participant));
            }
            RoomEvent::ParticipantDisconnected { sid, .. } => {
                room.inboxes.forget(&sid);
                self.tell(Input::ParticipantDisconnected { sid });
            }
            RoomEvent::ByteStreamOpened { topic, sender, sender_sid, reader } => {
                if topic != CONTROL_TOPIC {
                    tracing::warn!(topic, identity = %sender, "a byte stream of another topic was ignored");
                } else if !room.inboxes.open(sender.clone(), sender_sid.clone(), reader, &self.shared.inputs) {
                    tracing::warn!(identity = %sender, "one control stream too many was refused");
                    if let Some(sid) = sender_sid {
                        let reason = "too many control streams are open".to_owned();
                        self.tell(Input::Malformed { sid, reason });
                    }
                }
            }
            RoomEvent::LocalDataTrackLost { name } => {
                let channel = crate::protocol::data_track::parse_data_track_name(&name).map(ChannelId::from);
                if let Some(track) = channel.and_then(|id| self.channels.get(&id)).and_then(|io| io.track.as_ref()) {
                    track.lost.notify_one();
                }
            }
            RoomEvent::Reconnecting => tracing::info!("the transport lost its link and reconnects"),
            RoomEvent::Reconnected { full } => {
                tracing::info!(full, "the transport reconnected");
                if full {
                    let participants = room.room.participants();
                    self.tell(Input::Reconnected { participants });
                }
            }
            RoomEvent::QualityChanged { identity, quality } => {
                if identity == room.local {
                    tracing::info!(?quality, "connection quality");
                    room.quality = Some(quality);
                }
            }
            RoomEvent::Disconnected { reason } => {
                tracing::info!(?reason, "the room is lost");
                self.lose_room(reason);
            }
            // A reset reads the attributes as they are then (P-13).
            RoomEvent::ParticipantUpdated(participant) => self.tell(Input::ParticipantConnected(participant)),
            RoomEvent::DataTrackPublished(_)
            | RoomEvent::DataTrackUnpublished { .. }
            | RoomEvent::VideoTrackPublished(_)
            | RoomEvent::VideoTrackUnpublished { .. }
            | RoomEvent::TokenRefreshed(_) => {}
        }
    }

    /// The room ended by itself. It is closed in the background: joining again never waits for it (P-208).
    fn lose_room(&mut self, reason: DisconnectReason) {
        if let Some(room) = self.end_room(reason) {
            tokio::spawn(async move {
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, room.close()).await;
            });
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Open(client) => self.open_stream(&client),
            Effect::Close(client) => {
                if let Some(viewer) = self.viewers.remove(&client) {
                    viewer.queue.close();
                    viewer.stream.abort();
                }
            }
            Effect::Send { client, frame } => {
                if let Some(viewer) = self.viewers.get(&client) {
                    viewer.queue.push(frame);
                }
            }
            Effect::Answer { client, frame } => {
                if let Some(viewer) = self.viewers.get(&client) {
                    viewer.queue.push_answer(frame);
                }
            }
            Effect::Refuse { identity, frame } => self.refuse(identity, frame),
            Effect::StartTrack(channel) => self.start_track(&channel),
            Effect::StopTrack(channel) => {
                if let Some(track) = self.channels.get_mut(&channel).and_then(|io| io.track.take()) {
                    track.stop.cancel();
                }
            }
            Effect::Route { channel, reliable, lossy } => self.set_route(&channel, &reliable, lossy),
            Effect::ForgetChannel(channel) => {
                self.channels.remove(&channel);
            }
            Effect::Event(event) => {
                if let Some(overflow) = self.shared.callbacks.event(event) {
                    tracing::debug!(client = %overflow.client, "a viewer's message was dropped: the listener is too slow");
                    let now = Now { mono: Instant::now().into_std(), unix_ns: now_ns() };
                    self.core.listener_overflow(overflow.client, now);
                }
            }
            Effect::Call { handler, request, call } => {
                let inputs = self.shared.inputs.clone();
                let client = call.client;
                let responder = ServiceResponder::new(Box::new(move |answer: ServiceAnswer| {
                    inputs.answered(call.clone(), answer);
                }));
                self.shared.pool.submit(client, Box::new(move || handler(request, responder)));
            }
        }
    }

    fn open_stream(&mut self, client: &Client) {
        let Some(room) = &mut self.room else { return };
        let limits = QueueLimits { frames: self.limits.message_backlog_size, bytes: self.limits.message_backlog_bytes };
        let id = client.id;
        let queue = Arc::new(ViewerQueue::new(id.get(), limits, self.budget.clone(), self.signals.clone()));
        let (signals, source) = (self.signals.clone(), queue.clone());
        let open = room.room.open_byte_stream(CONTROL_TOPIC, std::slice::from_ref(&client.identity), source);
        let stream = room.tasks.spawn(async move {
            let ended = match tokio::time::timeout(OPEN_TIMEOUT, open).await {
                Ok(Ok(stream)) => stream.ended().await,
                Ok(Err(error)) => Err(error),
                Err(_) => Err(crate::room::RoomError::Timeout("opening the control stream")),
            };
            if let Err(error) = ended {
                tracing::warn!(client = %id, %error, "the control stream of a viewer failed");
                signals.reset(id.get(), ResetCause::WriteFailure);
            }
        });
        self.viewers.insert(id, Viewer { queue, stream });
    }

    fn refuse(&mut self, identity: Identity, frame: Bytes) {
        let Some(room) = &mut self.room else { return };
        let Ok(permit) = room.refusals.clone().try_acquire_owned() else {
            tracing::warn!(%identity, "too many refusals at once; this one is not sent");
            return;
        };
        let limits = QueueLimits { frames: 1, bytes: frame.len() };
        let queue = Arc::new(ViewerQueue::new(0, limits, self.budget.clone(), Arc::default()));
        queue.push(frame);
        queue.finish();
        let open = room.room.open_byte_stream(CONTROL_TOPIC, std::slice::from_ref(&identity), queue);
        room.tasks.spawn(async move {
            let _permit = permit;
            let sent = tokio::time::timeout(OPEN_TIMEOUT, async { open.await?.ended().await }).await;
            if !matches!(sent, Ok(Ok(()))) {
                tracing::debug!(%identity, "a refusal could not be delivered");
            }
        });
    }

    fn io(&mut self, channel: &ChannelRef) -> &mut ChannelIo {
        self.channels.entry(channel.id()).or_insert_with(|| ChannelIo {
            channel: channel.clone(),
            counters: Arc::default(),
            slot: None,
            track: None,
        })
    }

    fn slot(&mut self, channel: &ChannelRef) -> Arc<LossySlot> {
        let (limit, signals) = (self.limits.max_data_track_message_size, self.signals.clone());
        let io = self.io(channel);
        let counters = io.counters.clone();
        let new = || Arc::new(LossySlot::new(channel.id().get(), limit, counters, signals));
        io.slot.get_or_insert_with(new).clone()
    }

    fn start_track(&mut self, channel: &ChannelRef) {
        let slot = self.slot(channel);
        let Some(room) = &mut self.room else { return };
        let control = TrackControl::new();
        let (handle, slots) = (room.room.clone(), room.publish_slots.clone());
        room.tasks.spawn(run_track(handle, channel.id().get(), slot, control.clone(), slots));
        if let Some(old) = self.io(channel).track.replace(control) {
            old.stop.cancel();
        }
    }

    fn set_route(&mut self, channel: &ChannelRef, reliable: &[ClientId], lossy: bool) {
        let output: Option<Arc<dyn crate::context::Output>> = if reliable.is_empty() && !lossy {
            None
        } else {
            let slot = lossy.then(|| self.slot(channel));
            let counters = self.io(channel).counters.clone();
            let queues = reliable.iter().filter_map(|id| self.viewers.get(id)).map(|viewer| viewer.queue.clone());
            Some(Arc::new(RouteOutput(Route::new(channel.id().get(), counters, queues, slot))))
        };
        channel.set_output(self.shared.sink, output);
    }

    fn stats(&self) -> SessionStats {
        let viewers = self.core.clients().filter_map(|client| {
            let queue = self.viewers.get(&client.id)?.queue.stats();
            let ping_rtt_ms = self.core.rtt_of(client.id);
            Some(ViewerStats { client: (**client).clone(), queue, ping_rtt_ms })
        });
        let channels = self.channels.values().map(|io| ChannelStats {
            id: io.channel.id().get(),
            topic: io.channel.topic().to_owned(),
            counts: io.counters.read(),
        });
        SessionStats {
            status: self.status,
            uptime: self.started.elapsed(),
            joins: self.joins,
            subscriptions: self.core.subscription_count(),
            backlog_bytes: self.budget.used(),
            ping_rtt_ms: self.core.rtt().map(|rtt| rtt.mean),
            room: self.room.as_ref().and_then(|room| room.stats.lock().clone()),
            quality: self.room.as_ref().and_then(|room| room.quality),
            listener_messages_dropped: self.shared.callbacks.dropped(),
            callback_panics: self.shared.panics.load(std::sync::atomic::Ordering::Relaxed),
            viewer_resets: self.resets,
            viewers: viewers.collect(),
            channels: channels.collect(),
        }
    }

    /// S-259: one line every 30 s; the room's figures are taken in the background.
    fn log_stats(&mut self) {
        let Some(room) = &mut self.room else { return };
        let viewers = self.viewers.len();
        let subscriptions = self.core.subscription_count();
        let (ping, quality, backlog) = (self.core.rtt().map(|rtt| rtt.mean), room.quality, self.budget.used());
        let (measure, kept) = (room.room.stats(), room.stats.clone());
        room.tasks.spawn(async move {
            let measured = match tokio::time::timeout(CLOSE_TIMEOUT, measure).await {
                Ok(Ok(measured)) => measured,
                Ok(Err(error)) => return tracing::warn!(%error, "the room could not be measured"),
                Err(_) => return tracing::warn!("measuring the room took too long"),
            };
            tracing::info!(
                viewers,
                subscriptions,
                backlog_bytes = backlog,
                ping_rtt_ms = ping,
                ice_rtt_ms = measured.ice_rtt_ms,
                bytes_sent = measured.bytes_sent,
                video_bytes_sent = measured.video_bytes_sent,
                ?quality,
                "session statistics"
            );
            *kept.lock() = Some(measured);
        });
    }
}

/// Whether a viewer's next message may be handled. One that does not read its answers is not asked for more work.
fn sender_state(
    core: &Core,
    viewers: &HashMap<ClientId, Viewer>,
    identity: &Identity,
    sid: Option<&crate::room::Sid>,
) -> Sender {
    let Some(sid) = sid else { return Sender::Unknown };
    match core.client_of(sid) {
        None if core.is_refused(identity, sid) => Sender::Gone,
        None => Sender::Unknown,
        Some(client) if viewers.get(&client).is_some_and(|viewer| viewer.queue.is_busy()) => Sender::Busy,
        Some(_) => Sender::Ready,
    }
}

async fn next_event(room: &mut Option<InRoom>) -> Option<RoomEvent> {
    match room {
        Some(room) => room.events.recv().await,
        None => std::future::pending().await,
    }
}
