//! `Session`: the application's handle.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::environment::TELELINK_NAME;
use crate::session::{
    contain_task, on_callback_thread, Client, ConnectionGraph, ConnectionStatus, Control, Error, ErrorKind, PanicPoint,
    Parameter, Service, SessionOptions, SessionStats, Status, StatusLevel, WAIT_REPORT,
};
use crate::threads::{self, ThreadRole};

use super::direct::Direct;
use super::DirectOptions;

/// A robot's session: makes the channels of a context visible to remote viewers, and brings their requests.
///
/// Thread-safe. Every call works from every callback of the session. Dropping it closes the session and waits, without
/// limit and saying so every second, until the room has been left and no callback runs any more; on a callback thread
/// it does not wait, and the rest is done in the background.
pub struct Session {
    control: Arc<Control>,
    stop: CancellationToken,
}

/// The private runtime of all sessions of the process: the library never borrows the caller's (design.md decision 6).
fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(8)
            .thread_name(ThreadRole::Core.name())
            .on_thread_start(|| threads::started(ThreadRole::Core))
            .enable_time()
            .build()
    });
    let failed = |error| Error::new(ErrorKind::Internal, format!("the library's threads could not start: {error}"));
    runtime.as_ref().map_err(failed)
}

/// Starts the two tasks of a session; each survives the other's panic and ends with it (S-267).
fn run(
    runtime: &Runtime,
    driver: impl Future<Output = ()> + Send + 'static,
    direct: Direct,
    control: &Arc<Control>,
    stop: &CancellationToken,
) {
    let stopped = stop.clone();
    runtime.spawn(async move {
        driver.await;
        // Without an owner there is nothing to get a room for.
        stopped.cancel();
    });
    let (control, stop) = (control.clone(), stop.clone());
    runtime.spawn(async move {
        let direct = direct.run(control.clone(), stop);
        if contain_task("gateway", control.panics(), direct).await.is_none() {
            control.gateway_panicked().await;
        }
    });
}

/// Runs a call that may block on a thread of the library, for callers that must not: their executor goes on meanwhile.
async fn unblocked<T: Send + 'static>(call: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let done = runtime()?.spawn_blocking(call).await;
    done.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Panic, format!("an internal error stopped the call: {error}")))
    })
}

impl Session {
    /// Starts a session over `context`. Returns at once; joining goes on in the background and is told by
    /// [`Listener::on_status`](crate::session::Listener::on_status).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] names the option that cannot work, [`ErrorKind::LibraryMissing`] the paths where the
    /// LiveKit library was looked for.
    pub fn start(context: &Context, mut options: SessionOptions, direct: DirectOptions) -> Result<Self, Error> {
        if options.name.is_empty() {
            options.name = TELELINK_NAME.text().unwrap_or_default();
        }
        let direct = Direct::new(direct)?;
        let runtime = runtime()?;
        let (control, driver) = Control::start(context, options)?;
        let stop = CancellationToken::new();
        run(runtime, driver, direct, &control, &stop);
        Ok(Self { control, stop })
    }

    /// State of the connection.
    pub fn status(&self) -> ConnectionStatus {
        self.control.status()
    }

    /// The last failure: why the session is not connected, or why it ended (S-14).
    pub fn last_error(&self) -> Option<Error> {
        self.control.last_error()
    }

    /// Offers more services. All or none are added (S-200).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSupported`] without the services capability; [`ErrorKind::Duplicate`] names a service that exists;
    /// [`ErrorKind::InvalidValue`] for a missing request encoding or one that viewers cannot be shown (a text schema that is
    /// not UTF-8, a schema above 8 MiB, more than a message of 16 MiB holds); [`ErrorKind::Closed`]; [`ErrorKind::Timeout`]
    /// after 5 s, and while 1,024 handlers of services that were removed wait for a destructor that does not return.
    pub fn add_services(&self, services: Vec<Service>) -> Result<(), Error> {
        self.control.add_services(services)
    }

    /// Withdraws services; unknown names are ignored. Calls under way are still answered.
    pub fn remove_services(&self, names: &[&str]) -> Result<(), Error> {
        self.control.remove_services(names)
    }

    /// Tells viewers new values of parameters: each viewer those that it subscribed to (S-212). Unset ones are not told.
    /// Without a viewer nothing happens.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSupported`] without the parameters capability; [`ErrorKind::Closed`]; [`ErrorKind::Timeout`] when
    /// the session was too busy to take it for 5 s.
    pub fn publish_parameter_values(&self, parameters: Vec<Parameter>) -> Result<(), Error> {
        self.control.publish_parameters(parameters)
    }

    /// Shows a status to every viewer. One with an id replaces the one of the same id, and is kept for later viewers
    /// (the newest 64).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] for a message over 8 KiB or an id over 256 bytes; [`ErrorKind::Closed`];
    /// [`ErrorKind::Timeout`] when the session was too busy to take it for 5 s.
    pub fn publish_status(&self, level: StatusLevel, message: &str, id: Option<&str>) -> Result<(), Error> {
        let status = Status { level, message: message.to_owned(), id: id.map(str::to_owned) };
        self.control.publish_status(status)
    }

    /// Withdraws statuses by id, at most 1,024 at once. Unknown ones are ignored.
    ///
    /// # Errors
    ///
    /// As [`publish_status`](Self::publish_status).
    pub fn remove_status(&self, ids: &[&str]) -> Result<(), Error> {
        self.control.remove_status(ids)
    }

    /// Replaces the connection graph. Viewers that follow it get what has changed; it is kept, across rooms too, for
    /// those that follow it later. Works before there is a room, and inside callbacks. Calls of one thread reach viewers
    /// in their order. A robot that changes it often can wait for
    /// [`on_connection_graph_subscribe`](crate::session::Listener::on_connection_graph_subscribe).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSupported`] without [`ConnectionGraph`](crate::session::SessionCapability::ConnectionGraph) in the
    /// capabilities; [`ErrorKind::InvalidValue`] beyond [`ConnectionGraph::MAX_ENTRIES`] or
    /// [`ConnectionGraph::MAX_BYTES`]; [`ErrorKind::Closed`]; [`ErrorKind::Timeout`] after 5 s.
    pub fn publish_connection_graph(&self, graph: ConnectionGraph) -> Result<(), Error> {
        self.control.publish_connection_graph(graph)
    }

    /// A registered viewer by its client id; `None` when it has left.
    pub fn client(&self, id: u32) -> Result<Option<Client>, Error> {
        self.control.client(id)
    }

    /// Statistics as of now.
    pub fn stats(&self) -> Result<SessionStats, Error> {
        self.control.stats()
    }

    /// Joins again after the idle window has ended the room. In a room it starts the countdown anew; while connecting it
    /// changes nothing. Returns at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`]; [`ErrorKind::Timeout`] when the session was too busy to take it for 5 s.
    pub fn resume(&self) -> Result<(), Error> {
        self.control.resume()
    }

    /// [`add_services`](Self::add_services) for async callers, of any runtime: nothing of theirs blocks. Dropping the
    /// future does not take the call back; so it is with every twin.
    pub async fn add_services_async(&self, services: Vec<Service>) -> Result<(), Error> {
        let control = self.control.clone();
        unblocked(move || control.add_services(services)).await
    }

    /// [`remove_services`](Self::remove_services) for async callers.
    pub async fn remove_services_async(&self, names: &[&str]) -> Result<(), Error> {
        let control = self.control.clone();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        unblocked(move || control.remove_services(&names.iter().map(String::as_str).collect::<Vec<_>>())).await
    }

    /// [`publish_connection_graph`](Self::publish_connection_graph) for async callers.
    pub async fn publish_connection_graph_async(&self, graph: ConnectionGraph) -> Result<(), Error> {
        let control = self.control.clone();
        unblocked(move || control.publish_connection_graph(graph)).await
    }

    /// [`client`](Self::client) for async callers.
    pub async fn client_async(&self, id: u32) -> Result<Option<Client>, Error> {
        let control = self.control.clone();
        unblocked(move || control.client(id)).await
    }

    /// [`stats`](Self::stats) for async callers.
    pub async fn stats_async(&self) -> Result<SessionStats, Error> {
        let control = self.control.clone();
        unblocked(move || control.stats()).await
    }

    /// [`close_timeout`](Self::close_timeout) for async callers: to be awaited before a session is dropped inside a runtime,
    /// because dropping one waits for its end.
    pub async fn close_async(&self, timeout: Duration) -> Result<(), Error> {
        self.close();
        if on_callback_thread() {
            return Err(own_end());
        }
        let control = self.control.clone();
        unblocked(move || wait_end(&control, timeout)).await
    }

    /// Begins the shutdown and returns at once. Repeated calls do nothing.
    pub fn close(&self) {
        self.stop.cancel();
    }

    /// Begins the shutdown and waits up to `timeout` until the room has been left and the last callback has returned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] when that takes longer, and at once inside a callback of telelink, of whatever session: that
    /// callback may be what the end waits for.
    pub fn close_timeout(&self, timeout: Duration) -> Result<(), Error> {
        self.close();
        if on_callback_thread() {
            return Err(own_end());
        }
        wait_end(&self.control, timeout)
    }

    /// For tests of what a panic inside the library does: the named part panics at its next step (S-267).
    #[doc(hidden)]
    pub fn inject_panic(&self, at: PanicPoint) {
        self.control.inject_panic(at);
    }

    /// Whether the calling thread is running a callback of this library.
    pub fn on_callback_thread() -> bool {
        on_callback_thread()
    }
}

fn own_end() -> Error {
    Error::new(ErrorKind::Timeout, "a callback cannot wait for the session's end; it goes on by itself")
}

fn wait_end(control: &Control, timeout: Duration) -> Result<(), Error> {
    // A timeout too large for the clock means "as long as it takes".
    let far = Instant::now() + Duration::from_secs(365 * 24 * 3600);
    let deadline = Instant::now().checked_add(timeout).map_or(far, |at| at.min(far));
    if control.wait_finished(deadline) {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Timeout, "the session has not ended yet; it goes on ending by itself"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
        if on_callback_thread() {
            return;
        }
        while !self.control.wait_finished(Instant::now() + WAIT_REPORT) {
            tracing::warn!("waiting for the session's callbacks and handlers to return");
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("status", &self.status()).finish_non_exhaustive()
    }
}
