//! The owner task: feeds the core, and does what it says (design.md decision 1).
//!
//! `room`: entering and leaving, room events. `effects`: what the core wants done. `statistics`: what is measured.

mod effects;
mod requests;
mod room;
mod statistics;
mod video;

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use tokio::time::Instant;

use crate::context::{now_ns, ChannelId, ChannelRef, Context, SinkId};
use crate::fanout::{Budget, ChannelCounters, DropCounts, LossySlot, ResetCause, Signals, ViewerQueue};
use crate::room::{Identity, VideoTrackStats};

use super::callbacks::Callbacks;
use super::core::{Config, Core, Input, Now};
use super::deadman::DeadMan;
use super::handlers::HandlerPool;
use super::inbox::{Received, Sender};
use super::inputs::{Call, Inputs};
use super::panics::TaskSwitches;
use super::stats;
use super::tracks::TrackControl;
use super::video::VideoSettings;
use super::video_pool::VideoPool;
use super::video_publisher::{ChannelVideo, Publisher};
use super::{ClientId, ConnectionStatus, Error};

pub(super) use room::CLOSE_TIMEOUT;

use room::{next_event, InRoom};

/// Messages of viewers handled before room events and calls get their turn again.
const MESSAGES_PER_TURN: usize = 64;

/// Turns and calls after which the other tasks of the runtime get their turn: with a mailbox that is never empty the
/// owner would wait for nothing, and what it has woken itself waits behind it.
const WORK_PER_YIELD: usize = 128;

/// Everything the driver shares with the rest of the session.
pub(crate) struct Shared {
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) callbacks: Arc<Callbacks>,
    pub(crate) deadman: Option<Arc<DeadMan>>,
    pub(crate) pool: Arc<HandlerPool>,
    pub(crate) videos: Arc<VideoPool>,
    pub(crate) panics: Arc<AtomicU64>,
    pub(crate) context: Context,
    pub(crate) sink: SinkId,
    /// Whether the application asked to come back after the idle window's end.
    pub(crate) resumed: Arc<tokio::sync::watch::Sender<bool>>,
    pub(crate) switches: Arc<TaskSwitches>,
    /// The room the session is in, for whoever has to leave it should the owner not be able to.
    pub(crate) room: Arc<parking_lot::Mutex<Option<Arc<dyn crate::room::Room>>>>,
}

/// The owner of one session.
pub(crate) struct Driver {
    shared: Shared,
    core: Core,
    limits: super::Limits,
    authorizer: Option<super::Authorizer>,
    video: VideoSettings,
    signals: Arc<Signals>,
    budget: Arc<Budget>,
    viewers: HashMap<ClientId, Viewer>,
    /// Viewers whose answers wait for room: their requests are not run meanwhile.
    paused: Vec<ClientId>,
    channels: HashMap<ChannelId, ChannelIo>,
    room: Option<InRoom>,
    /// Rooms that are being closed in the background.
    closing: Vec<tokio::task::JoinHandle<()>>,
    status: ConnectionStatus,
    /// Why the library itself ends the session.
    end_reason: Option<Error>,
    started: Instant,
    joins: u64,
    reconnects: u64,
    closed_channels: DropCounts,
    overflow_resets: u64,
    write_failure_resets: u64,
    next_stats: Instant,
    /// Turns, and calls handled, since the other tasks had their turn.
    worked: usize,
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
    video: ChannelVideo,
    publisher: Option<Arc<Publisher>>,
    encoder: Arc<parking_lot::Mutex<Option<VideoTrackStats>>>,
    /// Messages that the log knows to be dropped: not ready, transport full.
    logged_drops: (u64, u64),
}

impl Driver {
    pub(crate) fn new(shared: Shared, config: Config, video: VideoSettings) -> Self {
        let limits = config.limits.clone();
        Self {
            budget: Arc::new(Budget::new(limits.session_backlog_bytes)),
            authorizer: config.rights.authorizer.clone(),
            core: Core::new(config),
            limits,
            video,
            signals: Arc::default(),
            viewers: HashMap::new(),
            paused: Vec::new(),
            channels: HashMap::new(),
            room: None,
            closing: Vec::new(),
            status: ConnectionStatus::Connecting,
            end_reason: None,
            started: Instant::now(),
            joins: 0,
            reconnects: 0,
            closed_channels: DropCounts::default(),
            overflow_resets: 0,
            write_failure_resets: 0,
            next_stats: Instant::now() + stats::PERIOD,
            worked: 0,
            shared,
        }
    }

    /// Runs until the gateway says it is finished.
    pub(crate) async fn run(mut self) {
        loop {
            if self.take_inputs() {
                break;
            }
            self.shared.switches.owner.check();
            self.resume_readers();
            let more = self.take_messages();
            self.take_signals();
            self.feed_tick();
            if more {
                // Viewers have more to say; room events and calls come first, then they go on.
                self.take_room_events();
                self.let_others_run().await;
                continue;
            }
            self.worked += 1;
            if self.worked >= WORK_PER_YIELD {
                self.let_others_run().await;
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
        self.shared.videos.close();
        let Self { shared, core, authorizer, end_reason, .. } = self;
        // What they hold of the application is destroyed before the last callback.
        drop((core, authorizer));
        shared.callbacks.finish(shared.pool.clone(), end_reason);
    }

    async fn let_others_run(&mut self) {
        self.worked = 0;
        tokio::task::yield_now().await;
    }

    fn deadline(&self) -> Instant {
        let core = self.core.deadline().map(Instant::from_std);
        let held = self.room.as_ref().and_then(|room| room.inboxes.deadline(|sid| self.core.client_of(sid).is_some()));
        [core, held].into_iter().flatten().fold(self.next_stats, Instant::min)
    }

    fn feed(&mut self, input: Input) -> Result<(), Error> {
        let result = self.core.handle(input, now());
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
    fn take_inputs(&mut self) -> bool {
        let taken = self.shared.inputs.take();
        if !taken.added.is_empty() || !taken.removed.is_empty() {
            self.tell(Input::Channels { added: taken.added, removed: taken.removed });
        }
        for (publisher, result) in taken.published {
            self.video_published(publisher, result);
        }
        if !taken.news.is_empty() {
            self.tell(Input::VideoNews(taken.news));
        }
        for (request, outcome) in taken.answers {
            self.tell(Input::Answered { request, outcome });
        }
        for (question, allowed) in taken.authorized {
            self.tell(Input::Authorized { question, allowed });
        }
        // After the answers: who sets a parameter is answered before anybody is told (S-212).
        if !taken.parameters.is_empty() {
            self.tell(Input::PublishParameters(taken.parameters));
        }
        self.worked += taken.calls.len();
        for call in taken.calls {
            match call {
                Call::Core(input, reply) => {
                    let result = self.feed(input);
                    match (reply, result) {
                        (Some(reply), result) => {
                            // The caller may have given up waiting.
                            let _ = reply.try_send(result);
                        }
                        (None, Err(error)) => {
                            tracing::error!(%error, "a call was refused, and nobody waits to hear it")
                        }
                        (None, Ok(())) => {}
                    }
                }
                Call::Client(id, reply) => {
                    let _ = reply.try_send(self.core.client(ClientId(id)).map(|client| (**client).clone()));
                }
                Call::Stats(reply) => {
                    let _ = reply.try_send(self.stats());
                }
                #[cfg(test)]
                Call::Held(reply) => {
                    let held = self.room.as_ref().map_or((0, 0), |room| room.inboxes.held());
                    let _ = reply.try_send(held);
                }
                #[cfg(test)]
                Call::Run(work) => work(),
                Call::Status(status, reason) => self.set_status(status, reason),
                Call::Enter(joined, end) => self.enter(*joined, end),
                Call::Leave(done) => self.leave(done),
                Call::Resume => self.resume(),
                Call::Finish => return true,
            }
        }
        false
    }

    fn set_status(&mut self, status: ConnectionStatus, reason: Option<Error>) {
        self.status = status;
        if status == ConnectionStatus::ShuttingDown {
            // What failed before and was got over is no reason for the end.
            self.end_reason.clone_from(&reason);
        }
        self.shared.callbacks.status(status, reason);
    }

    fn take_signals(&mut self) {
        let taken = self.signals.take();
        for (client, cause) in taken.resets {
            let client = ClientId(client);
            let discarded = self.viewers.get(&client).map_or(0, |viewer| {
                viewer.queue.close();
                viewer.queue.stats().discarded
            });
            if self.core.client(client).is_some() {
                match cause {
                    ResetCause::QueueOverflow => self.overflow_resets += 1,
                    ResetCause::WriteFailure => self.write_failure_resets += 1,
                    // Every viewer's: counted as a reconnection.
                    ResetCause::TransportReconnect => {}
                }
            }
            self.tell(Input::Reset { client, cause, discarded });
        }
        for (channel, dropped) in taken.oversize {
            self.tell(Input::Oversize { channel: ChannelId::from(channel), dropped });
        }
    }

    fn feed_tick(&mut self) {
        if self.core.deadline().is_some_and(|at| Instant::now().into_std() >= at) {
            // What has happened in the room comes first: a viewer who has arrived is not too late (S-31, S-164).
            self.take_room_events();
            self.tell_heartbeat();
            self.tell(Input::Tick);
        }
        if Instant::now() >= self.next_stats {
            self.next_stats = Instant::now() + stats::PERIOD;
            self.log_stats();
        }
        if let Some(room) = &mut self.room {
            // Panics in them were contained where they began.
            while room.tasks.try_join_next().is_some() {}
        }
    }

    /// The pings of whoever holds control count from when they were read: the viewer's messages may wait for an answer
    /// of the application, or for room for our answers.
    fn tell_heartbeat(&mut self) {
        let (Some(room), Some(holder)) = (&self.room, self.core.control_holder()) else { return };
        if let Some(at) = room.inboxes.last_ping(&holder.sid) {
            let client = holder.id;
            self.tell(Input::Heartbeat { client, at: at.into_std() });
        }
    }

    /// Requests of viewers that have room for answers again are run again.
    fn resume_readers(&mut self) {
        let (viewers, pool) = (&self.viewers, &self.shared.pool);
        self.paused.retain(|client| {
            let busy = viewers.get(client).is_some_and(|viewer| viewer.queue.is_busy());
            if !busy {
                pool.resume(*client);
            }
            busy
        });
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
                None => {
                    for sid in self.room.as_mut().map(|room| room.inboxes.take_hung_up()).unwrap_or_default() {
                        self.tell(Input::HungUp { sid });
                    }
                    return false;
                }
            }
        }
        true
    }
}

/// Whether a viewer's next message may be handled. One that does not read its answers is not asked for more work, and
/// one that waits for its authorization keeps its messages in order.
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
        Some(client) if core.is_asking(client) => Sender::Busy,
        Some(client) if viewers.get(&client).is_some_and(|viewer| viewer.queue.is_busy()) => Sender::Busy,
        Some(_) => Sender::Ready,
    }
}

/// The two clocks, for the core.
fn now() -> Now {
    Now { mono: Instant::now().into_std(), unix_ns: now_ns() }
}
