//! Direct mode: joins the room of a URL and a token, joins again when it is lost, leaves it when nobody watches (S-28 to
//! S-31, S-44 to S-48, design.md decision 10).

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::environment::Variable;
use crate::room::{
    is_ice_url, shown_url, Connector, DisconnectReason, IceServer, JoinError, JoinErrorKind, JoinRequest, Joined,
    RoomOptions, Secret,
};
use crate::session::{ConnectionStatus, Control, EndReason, Error, ErrorKind, RoomEnd};

use super::environment::complete;
use super::{token, AfterIdle, DirectOptions, TokenSource};

/// Pause before the second attempt, doubling up to [`MAX_PAUSE`], each ±20 % (design.md decision 10).
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause: a robot is back within 10 s of its link.
const MAX_PAUSE: Duration = Duration::from_secs(4);
/// Bound of one attempt to join (design.md decision 10).
const ATTEMPT: Duration = Duration::from_secs(5);
/// A room that lasted so long was healthy: the next pause is the first one again (S-46).
const HEALTHY: Duration = Duration::from_secs(10);
/// How long after the loss of a room its server may still think that we are in it; and how long after an attempt that we
/// gave up the server may still carry it out, and throw out who joined after it.
const CLOSING: Duration = Duration::from_secs(30);

/// Longest pause after our own ghost has thrown us out.
const AFTER_GHOST: Duration = Duration::from_secs(1);

/// The gateway of one session.
pub(super) struct Direct {
    options: DirectOptions,
    connector: Arc<dyn Connector>,
}

/// Shortest idle window: a viewer needs some time to come.
const MIN_IDLE: Duration = Duration::from_secs(1);

/// What to do after a failure.
enum Next {
    Retry(Error),
    /// Wait until the application wants to be in a room again.
    Sleep(Error),
    Stop(Error),
}

impl Direct {
    pub(super) fn new(mut options: DirectOptions) -> Result<Self, Error> {
        complete(&mut options, &Variable::text)?;
        token::check(&options.token)?;
        if options.idle_window.is_some_and(|window| window < MIN_IDLE) {
            let window = options.idle_window.unwrap_or_default().as_secs_f64();
            return Err(invalid(format!("options.idle_window is {window} s, less than 1 s")));
        }
        check_ice_servers(&options.ice_servers)?;
        let connector = match &options.connector {
            Some(connector) => connector.clone(),
            None => {
                check_url(&options.url)?;
                super::livekit_connector(&options)?
            }
        };
        Ok(Self { options, connector })
    }

    /// Runs until stopped, or until trying again is useless.
    pub(super) async fn run(mut self, control: Arc<Control>, stop: CancellationToken) {
        if let TokenSource::Callback(callback) = &mut self.options.token {
            let kept = control.keep(callback.clone());
            *callback = Arc::new(move || kept.get()());
        }
        control.set_idle_window(self.options.idle_window);
        control.announce_connecting();
        let mut pause = FIRST_PAUSE;
        // Until when a duplicate-identity disconnect may be about our own last connection.
        let mut own_ghost_until = None;
        let reason = loop {
            control.check_gateway_switch();
            let token = tokio::select! {
                biased;
                // First: after a stop the application is asked nothing, and no join begins (S-13, S-16).
                _ = stop.cancelled() => break None,
                token = token::get(&self.options.token, &control) => token,
            };
            let attempt = match token {
                Ok(token) => tokio::select! {
                    biased;
                    // A join that has just completed wins over a stop, so that the room is left in order (S-16).
                    attempt = self.join(&control, token) => attempt,
                    _ = stop.cancelled() => break None,
                },
                Err(error) => Err(Next::Retry(error)),
            };
            let failure = match attempt {
                Ok(joined) => {
                    let ended = control.enter(joined);
                    control.set_status(ConnectionStatus::Connected, None);
                    let end = tokio::select! {
                        _ = stop.cancelled() => break None,
                        end = ended => end,
                    };
                    let Ok(end) = end else { break control.last_error() };
                    if end.lived >= HEALTHY {
                        pause = FIRST_PAUSE;
                    }
                    let ghost = own_ghost_until.is_some_and(|until| tokio::time::Instant::now() < until);
                    if end.reason == EndReason::Disconnected(DisconnectReason::DuplicateIdentity) {
                        // The server answers, so there is no more to wait for than that it has done with our ghosts. Their
                        // time goes on from what made them: two robots that take each other for theirs end within it.
                        pause = pause.min(AFTER_GHOST);
                    } else {
                        own_ghost_until = Some(tokio::time::Instant::now() + CLOSING);
                    }
                    self.after_end(end, ghost)
                }
                Err(failure) => {
                    // It may have reached a server that is too slow to answer. Those that it refused never join.
                    if matches!(&failure, Next::Retry(error) if error.kind == ErrorKind::ConnectFailed) {
                        own_ghost_until = Some(tokio::time::Instant::now() + CLOSING);
                    }
                    failure
                }
            };
            let error = match failure {
                Next::Stop(error) => break Some(error),
                Next::Sleep(error) => {
                    // S-46. A join by request is not one more attempt after a failure.
                    control.set_status(ConnectionStatus::Connecting, Some(error));
                    tokio::select! {
                        biased;
                        _ = stop.cancelled() => break None,
                        _ = control.resumed() => {}
                    }
                    pause = FIRST_PAUSE;
                    continue;
                }
                Next::Retry(error) if !self.options.auto_reconnect => break Some(error),
                Next::Retry(error) => error,
            };
            tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "not connected; trying again");
            control.set_status(ConnectionStatus::Connecting, Some(error));
            tokio::select! {
                _ = stop.cancelled() => break None,
                _ = tokio::time::sleep(jittered(pause)) => {}
            }
            pause = (pause * 2).min(MAX_PAUSE);
        };
        control.set_status(ConnectionStatus::ShuttingDown, reason.clone());
        control.leave().await;
        // What it holds of the application is destroyed before the last callback; a running question has a handle of its own.
        drop(self);
        control.finish(reason);
    }

    async fn join(&self, control: &Control, token: Secret) -> Result<Joined, Next> {
        let options = RoomOptions {
            ice_servers: self.options.ice_servers.clone(),
            connect_timeout: ATTEMPT,
            panics: control.panics().clone(),
        };
        let request = JoinRequest { url: self.options.url.clone(), token, options };
        match tokio::time::timeout(ATTEMPT, self.connector.join(request)).await {
            Ok(Ok(joined)) => Ok(joined),
            Ok(Err(error)) => Err(self.after_join_error(error)),
            Err(_) => Err(Next::Retry(Error::new(
                ErrorKind::ConnectFailed,
                format!("no answer from {} within {} s", shown_url(&self.options.url), ATTEMPT.as_secs()),
            ))),
        }
    }

    fn after_join_error(&self, error: JoinError) -> Next {
        let message = match error.kind {
            // What is wrong may be the URL itself, and then nobody knows what in it is a password.
            JoinErrorKind::Invalid => format!("cannot join: {}", error.message),
            _ => format!("cannot join at {}: {}", shown_url(&self.options.url), error.message),
        };
        match error.kind {
            // The same token would be rejected again; a new one may do (S-46).
            JoinErrorKind::Unauthorized if matches!(self.options.token, TokenSource::Static(_)) => {
                Next::Stop(Error::new(ErrorKind::Unauthorized, message))
            }
            JoinErrorKind::Unauthorized => Next::Retry(Error::new(ErrorKind::Unauthorized, message)),
            JoinErrorKind::Invalid => Next::Stop(Error::new(ErrorKind::InvalidValue, message)),
            JoinErrorKind::Library => Next::Stop(Error::new(ErrorKind::LibraryMissing, message)),
            JoinErrorKind::Unreachable | JoinErrorKind::Timeout | JoinErrorKind::Other => {
                Next::Retry(Error::new(ErrorKind::ConnectFailed, message))
            }
        }
    }

    fn after_idle(&self) -> Next {
        let window = self.options.idle_window.unwrap_or_default();
        let error = Error::new(ErrorKind::Idle, format!("no viewer for {} s; the room was left", window.as_secs_f64()));
        match self.options.after_idle {
            AfterIdle::Wait => Next::Sleep(error),
            AfterIdle::End => Next::Stop(error),
        }
    }

    fn after_end(&self, end: RoomEnd, ghost: bool) -> Next {
        let reason = match end.reason {
            EndReason::Disconnected(reason) => reason,
            EndReason::Idle => return self.after_idle(),
        };
        match reason {
            // Another process uses our identity; fighting it would go on for ever (S-48). Unless it may be our own
            // connection of before, which the server has not given up yet.
            DisconnectReason::DuplicateIdentity if !ghost => Next::Stop(Error::new(
                ErrorKind::DuplicateIdentity,
                "another participant joined the room with this robot's identity",
            )),
            DisconnectReason::ParticipantRemoved => Next::Stop(Error::new(
                ErrorKind::Removed,
                "the robot was removed from the room by the server's operator",
            )),
            reason => Next::Retry(Error::new(ErrorKind::ConnectFailed, format!("the room was lost: {reason}"))),
        }
    }
}

fn check_url(url: &str) -> Result<(), Error> {
    let rest = ["ws://", "wss://", "http://", "https://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    match rest {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(()),
        // Not quoted: nobody knows what in it is a password.
        _ => Err(invalid(
            "options.url is not ws://host[:port] or wss://host[:port], nor the same with http:// or https://",
        )),
    }
}

/// The library says of a wrong one nothing but that something has failed, at every join.
fn check_ice_servers(servers: &[IceServer]) -> Result<(), Error> {
    for (index, server) in servers.iter().enumerate() {
        let wrong = |what: String| invalid(format!("options.ice_servers[{index}]{what}"));
        if server.urls.is_empty() {
            return Err(wrong(".urls is empty".into()));
        }
        if let Some(at) = server.urls.iter().position(|url| !is_ice_url(url)) {
            let text = format!(".urls[{at}] is not stun:host[:port], or the same with stuns:, turn: or turns:");
            return Err(wrong(text));
        }
        let password = server.password.as_ref().map_or("", Secret::expose);
        let named = server.username.as_ref().is_some_and(|name| !name.is_empty()) && !password.is_empty();
        if !named && server.urls.iter().any(|url| url.starts_with("turn")) {
            return Err(wrong(" is a TURN server without username or password".into()));
        }
    }
    Ok(())
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidValue, text)
}

/// ±20 %, so that a fleet does not come back in one instant (S-46).
fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    // The standard library's hasher keys are random per instance; nothing here needs more than that.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish() % 401;
    pause.mul_f64(0.8 + random as f64 / 1000.0)
}
