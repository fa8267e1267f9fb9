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
mod lease;
mod listener;
mod options;
mod parameter;
mod prometheus;
mod responder;
mod rights;
mod service;
mod sink;
mod stats;
#[cfg(test)]
mod tests;
mod tracks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::context::Context;
use crate::protocol::server_info::LIBRARY_METADATA_KEY;
use crate::protocol::ServerInfo;
use crate::room::Joined;

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
pub use parameter::{
    GetParametersRequest, Parameter, ParameterHandler, ParameterResponder, ParameterType, ParameterValue,
    SetParametersRequest,
};
pub use rights::{Action, Authorizer, Policy, RoleRules, ROLE_ATTRIBUTE};
pub use service::{MessageSchema, Service, ServiceHandler, ServiceRequest, ServiceResponder};
pub use stats::{ChannelStats, RttStats, SessionStats, ViewerStats};

pub use crate::fanout::{DropCounts, QueueStats};
pub use crate::protocol::{Status, StatusLevel};

pub(crate) use callbacks::{on_callback_thread, run_callback};
pub(crate) use inputs::RoomEnd;

use self::core::{Config, Input, ParameterSource};
use callbacks::Callbacks;
use deadman::DeadMan;
use driver::{Driver, Shared};
use handlers::HandlerPool;
use inputs::{Call, Inputs};
use lease::LeaseRules;
use options::CALL_TIMEOUT;
use rights::Rights;
use sink::SessionSink;

/// What `serverInfo` says of the library (P-113).
const LIBRARY: &str = concat!("telelink-rust/", env!("CARGO_PKG_VERSION"));

/// A running session without a way to rooms: the gateway gives it rooms, the application uses it. Thread-safe.
pub(crate) struct Control {
    inputs: Arc<Inputs>,
    callbacks: Arc<Callbacks>,
    panics: Arc<AtomicU64>,
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
        let sink = context.add_sink(Arc::new(SessionSink {
            inputs: inputs.clone(),
            filter: options.channel_filter.clone(),
            qos: options.qos_classifier.clone(),
            panics: panics.clone(),
        }));
        let shared = Shared {
            inputs: inputs.clone(),
            callbacks: callbacks.clone(),
            deadman,
            pool: pool.clone(),
            panics: panics.clone(),
            context: context.clone(),
            sink,
        };
        let config = config_of(&options);
        let services = options.services;
        drop((options.listener, options.control_lease));
        let state = Mutex::new((ConnectionStatus::Connecting, None));
        let control = Arc::new(Self { inputs, callbacks, panics, state, capabilities: options.capabilities });
        control.inputs.post(Call::Core(Input::AddServices(last_of_each_name(services)), None));
        let guard = control.clone();
        let context = context.clone();
        let driver = async move {
            let run = std::panic::AssertUnwindSafe(Driver::new(shared, config).run());
            if futures_util::FutureExt::catch_unwind(run).await.is_err() {
                // The channels' routes would keep filling queues that nobody empties.
                context.remove_sink(sink);
                guard.driver_panicked(&pool);
            }
        };
        Ok((control, driver))
    }

    /// S-267: an internal panic still ends in Shutdown, with a reason.
    fn driver_panicked(&self, pool: &Arc<HandlerPool>) {
        let error = Error::new(ErrorKind::Panic, "an internal error stopped the session");
        tracing::error!(%error, "the session's owner task panicked");
        self.panics.fetch_add(1, Ordering::Relaxed);
        self.inputs.close();
        *self.state.lock() = (ConnectionStatus::Shutdown, Some(error.clone()));
        pool.close();
        self.callbacks.finish(pool.clone(), Some(error));
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
        self.inputs.ask(|reply| Call::Core(Input::AddServices(services), Some(reply)), CALL_TIMEOUT)?
    }

    pub(crate) fn remove_services(&self, names: &[&str]) -> Result<(), Error> {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        self.inputs.ask(|reply| Call::Core(Input::RemoveServices(names), Some(reply)), CALL_TIMEOUT)?
    }

    pub(crate) fn publish_parameters(&self, parameters: Vec<Parameter>) -> Result<(), Error> {
        if !self.capabilities.contains(&SessionCapability::Parameters) {
            let text = "the session was started without the parameters capability";
            return Err(Error::new(ErrorKind::NotSupported, text));
        }
        self.inputs.call(Call::Core(Input::PublishParameters(parameters), None), Instant::now() + CALL_TIMEOUT)
    }

    pub(crate) fn publish_status(&self, status: Status) -> Result<(), Error> {
        self.inputs.call(Call::Core(Input::PublishStatus(status), None), Instant::now() + CALL_TIMEOUT)
    }

    pub(crate) fn remove_status(&self, ids: &[&str]) -> Result<(), Error> {
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

    /// Gateway: the connection changed. A repeated status without news is not told.
    pub(crate) fn set_status(&self, status: ConnectionStatus, reason: Option<Error>) {
        let mut state = self.state.lock();
        let changed = state.0 != status;
        state.0 = status;
        if reason.is_some() {
            state.1.clone_from(&reason);
        }
        drop(state);
        if changed {
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
