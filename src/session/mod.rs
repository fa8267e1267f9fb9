//! The control plane of a robot's session.
//!
//! One task, the [`driver`](self), owns all control state. Decisions are taken by the pure `core`; the driver feeds it
//! room events, viewers' messages, calls of the application and finished work, and applies the effects it returns. The
//! application's callbacks run on a thread of their own, request handlers on a pool; nothing of the application can
//! stall the owner.

mod asset;
mod asset_folder;
mod callbacks;
pub(crate) mod core;
mod deadman;
mod driver;
mod error;
mod flavours;
mod futures;
mod graph;
mod handlers;
mod inbox;
mod inputs;
mod kept;
mod lease;
mod listener;
mod one_call;
mod options;
mod panics;
mod parameter;
pub mod parameter_store;
mod prometheus;
mod responder;
mod rights;
mod service;
mod sink;
mod stats;
#[cfg(test)]
mod tests;
mod tracks;
mod video;
mod video_pool;
mod video_publisher;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::context::Context;
use crate::environment::Variable;
use crate::protocol::server_info::LIBRARY_METADATA_KEY;
use crate::protocol::ServerInfo;
use crate::room::{Joined, Room};

pub use asset::{AssetHandler, AssetRequest, AssetResponder, MAX_ASSET};
pub use asset_folder::AssetFolder;
pub use error::{Error, ErrorKind};
pub use flavours::{blocking_assets, future_assets};
pub use graph::ConnectionGraph;
pub use lease::{
    ControlLeaseOptions, ControlListener, ControlLost, CONTROL_STATE, CONTROL_STATUS, HAND_OVER_CONTROL,
    RELEASE_CONTROL, RESERVED_SERVICES, TAKE_CONTROL,
};
pub use listener::{Client, ClientChannel, ClientId, ClientMessage, ConnectionStatus, Listener};
pub use options::{ChannelFilter, Limits, QosClassifier, SessionCapability, SessionOptions};
#[doc(hidden)]
pub use panics::PanicPoint;
pub use parameter::{
    GetParametersRequest, Parameter, ParameterHandler, ParameterPublisher, ParameterResponder, ParameterType,
    ParameterValue, SetParametersRequest, MAX_PARAMETER_DEPTH,
};
pub use parameter_store::{ParameterKind, ParameterOptions, ParameterStore};
pub use rights::{Action, Authorizer, Policy, RoleRules, ROLE_ATTRIBUTE};
pub use service::{MessageSchema, Service, ServiceHandler, ServiceRequest, ServiceResponder};
pub use stats::{ChannelStats, RttStats, SessionStats, VideoStats, ViewerStats};

pub use video::{
    CaptureTimes, EncoderLimits, VideoCodec, VideoCounts, VideoEncoder, VideoOptions, VideoSuppressor, VideoTrackStats,
};

pub use crate::fanout::{DropCounts, QueueStats};
pub use crate::protocol::{Status, StatusLevel};

pub(crate) use crate::context::run_callback;
pub(crate) use crate::threads::on_callback_thread;
pub(crate) use inputs::{EndReason, RoomEnd};
pub(crate) use one_call::{Busy, OneCall};
pub(crate) use panics::contain_task;

use self::core::{check_status, check_status_ids, Config, Input, ParameterSource};
use callbacks::Callbacks;
use deadman::DeadMan;
use driver::{Driver, Shared};
use handlers::HandlerPool;
use inputs::{Call, Inputs};
use kept::Kept;
use lease::LeaseRules;
use options::CALL_TIMEOUT;
use panics::TaskSwitches;
use rights::Rights;
use sink::SessionSink;
use video_pool::VideoPool;

/// What `serverInfo` says of the library (P-113).
const LIBRARY: &str = concat!("telelink-rust/", env!("CARGO_PKG_VERSION"));

/// A running session without a way to rooms: the gateway gives it rooms, the application uses it. Thread-safe.
pub(crate) struct Control {
    inputs: Arc<Inputs>,
    callbacks: Arc<Callbacks>,
    panics: Arc<AtomicU64>,
    resumed: Arc<watch::Sender<bool>>,
    pool: Arc<HandlerPool>,
    videos: Arc<VideoPool>,
    switches: Arc<TaskSwitches>,
    /// Where the driver keeps its room.
    room: Arc<Mutex<Option<Arc<dyn Room>>>>,
    state: Mutex<(ConnectionStatus, Option<Error>)>,
    capabilities: Vec<SessionCapability>,
}

impl Control {
    /// Checks the options, attaches the session to the context, and starts its threads. The driver returned must be
    /// spawned by the caller, on a runtime with timers.
    pub(crate) fn start(
        context: &Context,
        options: SessionOptions,
    ) -> Result<(Arc<Self>, impl std::future::Future<Output = ()> + Send + 'static), Error> {
        let options = options.validated()?;
        let panics = Arc::new(AtomicU64::new(0));
        let resumed = Arc::new(watch::Sender::new(false));
        let (switches, room) = (Arc::<TaskSwitches>::default(), Arc::<Mutex<Option<Arc<dyn Room>>>>::default());
        let inputs = Arc::<Inputs>::default();
        let no_thread =
            |error| Error::new(ErrorKind::Internal, format!("the callback thread could not start: {error}"));
        let listener = options.control_lease.as_ref().and_then(|lease| lease.listener.clone());
        let deadman =
            listener.map(|listener| DeadMan::start(listener, panics.clone())).transpose().map_err(no_thread)?;
        let callbacks =
            Callbacks::start(options.listener.clone(), deadman.clone(), panics.clone()).map_err(|error| {
                deadman.iter().for_each(|deadman| deadman.finish());
                no_thread(error)
            })?;
        let pool = HandlerPool::new(panics.clone());
        let options = options.kept(&pool);
        let videos = VideoPool::new(panics.clone());
        let settings = options.video.settings(Variable::text);
        let sink = context.add_sink(Arc::new(SessionSink {
            inputs: inputs.clone(),
            filter: options.channel_filter.clone(),
            qos: options.qos_classifier.clone(),
            suppress_video: options.suppress_video.clone(),
            panics: panics.clone(),
        }));
        let shared = Shared {
            inputs: inputs.clone(),
            callbacks: callbacks.clone(),
            deadman,
            pool: pool.clone(),
            videos: videos.clone(),
            panics: panics.clone(),
            context: context.clone(),
            sink,
            resumed: resumed.clone(),
            switches: switches.clone(),
            room: room.clone(),
        };
        if let Some(handler) = &options.parameter_handler {
            let publisher: Weak<Inputs> = Arc::downgrade(&inputs);
            handler.attach(publisher);
        }
        let config = config_of(&options);
        let services = options.services;
        drop((options.listener, options.control_lease));
        let state = Mutex::new((ConnectionStatus::Connecting, None));
        let capabilities = options.capabilities;
        let control =
            Arc::new(Self { inputs, callbacks, panics, resumed, pool, videos, switches, room, state, capabilities });
        control.inputs.post(Call::Core(Input::OfferServices(last_of_each_name(services)), None));
        let guard = control.clone();
        let context = context.clone();
        let driver = async move {
            let run = async { Driver::new(shared, config, settings).run().await };
            if contain_task("owner task", &guard.panics, run).await.is_none() {
                // The channels' routes would keep filling queues that nobody empties.
                context.remove_sink(sink);
                guard.videos.close();
                guard.driver_panicked().await;
            }
        };
        Ok((control, driver))
    }

    /// S-267: an internal panic still ends in ShuttingDown and Shutdown, with a reason, and outside of the room.
    async fn driver_panicked(&self) {
        let error = Error::new(ErrorKind::Panic, "an internal error stopped the session");
        self.inputs.close();
        let before = std::mem::replace(&mut *self.state.lock(), (ConnectionStatus::ShuttingDown, Some(error.clone())));
        if !matches!(before.0, ConnectionStatus::ShuttingDown | ConnectionStatus::Shutdown) {
            self.callbacks.status(ConnectionStatus::ShuttingDown, Some(error.clone()));
        }
        self.callbacks.end_all();
        self.pool.close();
        let room = self.room.lock().take();
        if let Some(room) = room {
            let _ = tokio::time::timeout(driver::CLOSE_TIMEOUT, room.close()).await;
        }
        self.state.lock().0 = ConnectionStatus::Shutdown;
        self.callbacks.finish(self.pool.clone(), Some(error));
    }

    /// Gateway: it panicked. The session ends as if it had been stopped, with the reason.
    pub(crate) async fn gateway_panicked(&self) {
        let error = Error::new(ErrorKind::Panic, "an internal error stopped the session");
        self.set_status(ConnectionStatus::ShuttingDown, Some(error.clone()));
        self.leave().await;
        self.finish(Some(error));
    }

    /// Gateway: something of the application's, to be let go of as such.
    pub(crate) fn keep<T: Send>(&self, value: T) -> Kept<T> {
        Kept::new(value, &self.pool)
    }

    /// Panics of callbacks and of the library, stopped so far.
    pub(crate) fn panics(&self) -> &Arc<AtomicU64> {
        &self.panics
    }

    /// Gateway: its token callback, which the session's end waits for.
    pub(crate) fn token_call(&self) -> &Arc<OneCall> {
        &self.callbacks.token_call
    }

    /// Gateway: panics here if a test asked for it.
    pub(crate) fn check_gateway_switch(&self) {
        self.switches.gateway.check();
    }

    /// Tests: the named part panics at its next step.
    pub(crate) fn inject_panic(&self, at: PanicPoint) {
        match at {
            PanicPoint::Owner => self.switches.owner.arm(),
            PanicPoint::Callbacks => self.callbacks.panic_switch.arm(),
            PanicPoint::Handlers => self.pool.panic_switch.arm(),
            PanicPoint::Gateway => self.switches.gateway.arm(),
            PanicPoint::Room => self.switches.room.arm(),
            PanicPoint::Picture => self.videos.picture_switch.arm(),
            PanicPoint::Capture => self.videos.capture_switch.arm(),
        }
        self.inputs.wake();
    }

    /// State of the connection.
    pub(crate) fn status(&self) -> ConnectionStatus {
        self.state.lock().0
    }

    /// The last failure.
    pub(crate) fn last_error(&self) -> Option<Error> {
        self.state.lock().1.clone()
    }

    pub(crate) fn add_services(&self, services: Vec<Service>) -> Result<(), Error> {
        let deadline = Instant::now() + CALL_TIMEOUT;
        if !self.pool.wait_unburdened(deadline) {
            run_callback("drop", &self.panics, || drop(services));
            let text = "the destructors of services that were removed have not run yet";
            return Err(Error::new(ErrorKind::Timeout, text));
        }
        let services: Vec<Service> = services.into_iter().map(|service| service.kept(&self.pool)).collect();
        let ours = services.clone();
        let left = deadline.saturating_duration_since(Instant::now());
        let result = self.inputs.ask(|reply| Call::Core(Input::AddServices(services), Some(reply)), left);
        let result = result.and_then(|result| result);
        if result.is_err() {
            // The owner has let go of them before it answered: they end before this call does.
            run_callback("drop", &self.panics, || drop(ours));
        }
        result
    }

    pub(crate) fn remove_services(&self, names: &[&str]) -> Result<(), Error> {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        self.inputs.ask(|reply| Call::Core(Input::RemoveServices(names), Some(reply)), CALL_TIMEOUT)?
    }

    pub(crate) fn publish_parameters(&self, parameters: Vec<Parameter>) -> Result<(), Error> {
        if !self.capabilities.contains(&SessionCapability::Parameters) {
            return Err(Error::not_offered("parameters"));
        }
        self.inputs.call(Call::Core(Input::PublishParameters(parameters), None), Instant::now() + CALL_TIMEOUT)
    }

    pub(crate) fn publish_status(&self, status: Status) -> Result<(), Error> {
        check_status(&status)?;
        self.inputs.call(Call::Core(Input::PublishStatus(status), None), Instant::now() + CALL_TIMEOUT)
    }

    pub(crate) fn remove_status(&self, ids: &[&str]) -> Result<(), Error> {
        check_status_ids(ids)?;
        let ids = ids.iter().map(|&id| id.to_owned()).collect();
        self.inputs.call(Call::Core(Input::RemoveStatus(ids), None), Instant::now() + CALL_TIMEOUT)
    }

    pub(crate) fn publish_connection_graph(&self, graph: ConnectionGraph) -> Result<(), Error> {
        graph.check()?;
        self.inputs.ask(|reply| Call::Core(Input::PublishGraph(graph), Some(reply)), CALL_TIMEOUT)?
    }

    pub(crate) fn client(&self, id: u32) -> Result<Option<Client>, Error> {
        self.inputs.ask(|reply| Call::Client(id, reply), CALL_TIMEOUT)
    }

    pub(crate) fn stats(&self) -> Result<SessionStats, Error> {
        let mut stats = self.inputs.ask(Call::Stats, CALL_TIMEOUT)?;
        stats.last_error = self.last_error();
        Ok(stats)
    }

    /// Messages and bytes of viewers that wait for the owner.
    #[cfg(test)]
    fn held(&self) -> (usize, usize) {
        self.inputs.ask(Call::Held, CALL_TIMEOUT).unwrap()
    }

    /// Gateway: the connection changed. A repeated status is told only with another reason than the last: a first join
    /// that fails, and fails again, changes no status, but the application has to learn why it gets no further. Never
    /// more often than there are attempts to join.
    pub(crate) fn set_status(&self, status: ConnectionStatus, reason: Option<Error>) {
        let mut state = self.state.lock();
        if state.0 == ConnectionStatus::Shutdown {
            return;
        }
        let news = state.0 != status || (reason.is_some() && state.1 != reason);
        state.0 = status;
        if reason.is_some() {
            state.1.clone_from(&reason);
        }
        drop(state);
        if news {
            self.inputs.post(Call::Status(status, reason));
        }
    }

    /// Gateway: the first Connecting, which is no change (S-10).
    pub(crate) fn announce_connecting(&self) {
        self.inputs.post(Call::Status(ConnectionStatus::Connecting, None));
    }

    /// Gateway: enters a room; the receiver resolves when it has ended.
    pub(crate) fn enter(&self, joined: Joined) -> oneshot::Receiver<RoomEnd> {
        let (tx, rx) = oneshot::channel();
        self.inputs.post(Call::Enter(Box::new(joined), tx));
        rx
    }

    /// Gateway: how long the session stays in a room without viewers.
    pub(crate) fn set_idle_window(&self, window: Option<Duration>) {
        self.inputs.post(Call::Core(Input::IdleWindow(window), None));
    }

    /// Stays in the room, or comes back to it after the idle window's end.
    pub(crate) fn resume(&self) -> Result<(), Error> {
        self.inputs.call(Call::Resume, Instant::now() + CALL_TIMEOUT)
    }

    /// Gateway: resolves when the application has asked to come back since the last room.
    pub(crate) async fn resumed(&self) {
        // Cannot fail: the sender is ours.
        let _ = self.resumed.subscribe().wait_for(|resumed| *resumed).await;
    }

    /// Gateway: leaves the room, and resolves when it has been left, at most 5 s later.
    pub(crate) async fn leave(&self) {
        let (tx, rx) = oneshot::channel();
        self.inputs.post(Call::Leave(tx));
        // An error means that the driver is gone, and the room with it.
        let _ = rx.await;
    }

    /// Gateway: the end. The last callback is Shutdown with the last failure, if the library itself stopped.
    pub(crate) fn finish(&self, reason: Option<Error>) {
        let mut state = self.state.lock();
        state.0 = ConnectionStatus::Shutdown;
        if reason.is_some() {
            state.1 = reason;
        }
        drop(state);
        self.inputs.post(Call::Finish);
    }

    /// Waits until the last callback has returned.
    pub(crate) fn wait_finished(&self, deadline: Instant) -> bool {
        self.callbacks.wait_finished(deadline)
    }
}

pub(crate) fn config_of(options: &SessionOptions) -> Config {
    let mut metadata = options.metadata.clone();
    metadata.insert(LIBRARY_METADATA_KEY.into(), LIBRARY.into());
    let info = ServerInfo {
        name: options.name.clone(),
        capabilities: options.capabilities.iter().flat_map(|c| c.on_wire()).copied().collect(),
        supported_encodings: options.supported_encodings.clone(),
        metadata,
        session_id: Some(options.session_id.clone()),
        data_start_time: None,
        data_end_time: None,
    };
    let parameters = match (&options.parameter_handler, &options.listener) {
        (Some(handler), _) => Some(ParameterSource::Handler(handler.clone())),
        (None, Some(listener)) => Some(ParameterSource::Listener(Arc::downgrade(listener))),
        (None, None) => None,
    };
    Config {
        info,
        capabilities: options.capabilities.clone(),
        limits: options.limits.clone(),
        rights: Rights { policy: options.policy.clone().map(Arc::new), authorizer: options.authorizer.clone() },
        lease: options.control_lease.as_ref().map(LeaseRules::new),
        asset_handler: options.asset_handler.clone(),
        parameters,
        request_timeout: options.request_timeout,
    }
}

/// Duplicate names in the initial list: the last one wins (S-50).
fn last_of_each_name(services: Vec<Service>) -> Vec<Service> {
    let mut kept: Vec<Service> = Vec::with_capacity(services.len());
    for service in services {
        if let Some(earlier) = kept.iter().position(|s| s.name() == service.name()) {
            tracing::warn!(
                name = service.name(),
                "a service of this name is in the options twice; the last one counts"
            );
            kept.remove(earlier);
        }
        kept.push(service);
    }
    kept
}

/// Longest wait for the end of a session that is worth a line in the log.
pub(crate) const WAIT_REPORT: Duration = Duration::from_secs(1);
