//! Joining a room.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;

use super::dispatch::{await_answer, dispatcher, Answer, Forget};
use super::library::Library;
use super::messages::{
    continual_gathering_policy, ice_transport_type, ConnectRequest, FfiRequest, IceServer, RoomOptions, RtcConfig,
};
use super::redact::error_text;
use super::room::RoomState;
use crate::room::{self, BoxFuture, Connector, JoinError, JoinErrorKind, JoinRequest, Joined, RoomError};

/// How much longer than `connect_timeout` we wait for the library's own words about why it failed.
const GRACE: Duration = Duration::from_millis(500);

/// Makes rooms with the LiveKit library. Automatic subscription is off; a failed attempt is not repeated here.
///
/// Dropping a join future leaves nothing behind: a connection that succeeds later is left again at once.
#[derive(Clone)]
pub struct LivekitConnector {
    library: Arc<Library>,
}

impl LivekitConnector {
    /// Makes a connector on the loaded library.
    pub fn new(library: Arc<Library>) -> Self {
        Self { library }
    }
}

impl Connector for LivekitConnector {
    fn join(&self, request: JoinRequest) -> BoxFuture<Result<Joined, JoinError>> {
        Box::pin(join(self.library.clone(), request))
    }
}

async fn join(library: Arc<Library>, request: JoinRequest) -> Result<Joined, JoinError> {
    let url = checked_url(&request.url)?;
    let JoinRequest { token, options, .. } = request;
    if token.expose().is_empty() {
        return Err(JoinError::new(JoinErrorKind::Invalid, "the access token is empty"));
    }
    let (tx, rx) = oneshot::channel();
    let limit = options.connect_timeout + GRACE;
    let (rooms_library, runtime, panics) = (library.clone(), runtime::Handle::current(), options.panics.clone());
    let id = dispatcher().expect(limit, Vec::new(), move |answer| match answer {
        Answer::Connected(answer) => match (answer.result, answer.error) {
            // Nobody takes the room: dropping it leaves it.
            (Some(result), _) => drop(tx.send(Ok(RoomState::start(rooms_library, runtime, panics, result)))),
            (None, error) => drop(tx.send(Err(error.unwrap_or_default()))),
        },
        other => drop(tx.send(Err(other.unexpected().to_string()))),
    });
    let _forget = Forget(id);
    let connect = ConnectRequest {
        url: url.clone(),
        token: token.expose().to_owned(),
        options: room_options(&options),
        request_async_id: Some(id),
    };
    library.request(&FfiRequest { connect: Some(connect), ..Default::default() }).map_err(|error| {
        let why = match error {
            RoomError::Closed => "the LiveKit library was loaded before this process was forked".to_owned(),
            other => other.to_string(),
        };
        JoinError::new(JoinErrorKind::Library, why)
    })?;
    match await_answer(rx, "joining", limit).await {
        Ok(Ok(joined)) => Ok(joined),
        Ok(Err(text)) => Err(failure(&url, &error_text(&text, token.expose()))),
        Err(_) => {
            let seconds = options.connect_timeout.as_secs_f64();
            let message = format!("no answer from {} within {seconds} s", shown(&url));
            Err(JoinError::new(JoinErrorKind::Timeout, message))
        }
    }
}

fn room_options(options: &room::RoomOptions) -> RoomOptions {
    let servers = &options.ice_servers;
    RoomOptions {
        auto_subscribe: Some(false),
        adaptive_stream: Some(false),
        dynacast: Some(false),
        // Given servers replace those the LiveKit server names; the other two values are its defaults.
        rtc_config: (!servers.is_empty()).then(|| RtcConfig {
            ice_transport_type: Some(ice_transport_type::TRANSPORT_ALL),
            continual_gathering_policy: Some(continual_gathering_policy::GATHER_CONTINUALLY),
            ice_servers: servers.iter().map(ice_server).collect(),
        }),
        join_retries: Some(0),
        connect_timeout_ms: u64::try_from(options.connect_timeout.as_millis()).ok(),
    }
}

fn ice_server(server: &room::IceServer) -> IceServer {
    IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        password: server.password.as_ref().map(|password| password.expose().to_owned()),
    }
}

/// The URL as the library wants it, checked: its own error for a bad one is hard to understand.
fn checked_url(url: &str) -> Result<String, JoinError> {
    let invalid = |why: &str| JoinError::new(JoinErrorKind::Invalid, format!("the LiveKit URL {why}"));
    let url = url.trim();
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid("has no scheme; expected ws://host:port or wss://host"));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(invalid("has an unknown scheme; ws, wss, http and https are possible")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (name, port) = match host.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((name, tail)) => (name, tail.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if name.is_empty() {
        return Err(invalid("names no host"));
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(invalid("has a port that is not a number up to 65535"));
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(invalid("contains white space"));
    }
    Ok(format!("{scheme}://{rest}"))
}

/// The part of a URL that may be shown: no user, password, or query.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = path.filter(|path| !path.is_empty()).map(|path| format!("/{path}")).unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Sorts the library's free text. Error texts are not a contract (livekit-ffi.md section 6), so an unknown one is
/// `Other`, which callers treat like `Unreachable`: they try again.
fn failure(url: &str, text: &str) -> JoinError {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let kind = if has(&["401", "403", "unauthorized", "forbidden", "invalid token"]) {
        JoinErrorKind::Unauthorized
    } else if has(&["timed out", "timeout", "deadline"]) {
        JoinErrorKind::Timeout
    } else if has(&["refused", "unreachable", "dns", "resolve", "lookup", "no route", "reset", "io error", "tls"]) {
        JoinErrorKind::Unreachable
    } else {
        JoinErrorKind::Other
    };
    let what = match kind {
        JoinErrorKind::Unauthorized => "refused the access token",
        JoinErrorKind::Timeout => "did not answer in time",
        JoinErrorKind::Unreachable => "could not be reached",
        _ => "could not be joined",
    };
    JoinError::new(kind, format!("{} {what}: {text}", shown(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked() {
        for (given, used) in [
            ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
            ("http://host", "ws://host"),
            ("https://host/path?x=1", "wss://host/path?x=1"),
            ("wss://[::1]:80", "wss://[::1]:80"),
        ] {
            assert_eq!(checked_url(given).unwrap(), used);
        }
        for bad in ["", "host:7880", "ftp://host", "ws://", "ws://:80", "ws://host:99999", "ws://ho st", "ws://[::1]:x"]
        {
            let error = checked_url(bad).unwrap_err();
            assert_eq!(error.kind, JoinErrorKind::Invalid, "{bad}");
        }
    }

    #[test]
    fn a_shown_url_has_no_secrets() {
        assert_eq!(shown("wss://user:pass@host:1/p?access_token=x#y"), "wss://host:1/p");
        assert_eq!(shown("ws://host/"), "ws://host");
    }

    #[test]
    fn failures_are_sorted() {
        let kind = |text: &str| failure("ws://h", text).kind;
        assert_eq!(kind("http error: 401 Unauthorized"), JoinErrorKind::Unauthorized);
        assert_eq!(kind("IO error: Connection refused (os error 111)"), JoinErrorKind::Unreachable);
        assert_eq!(kind("signal client timed out"), JoinErrorKind::Timeout);
        assert_eq!(kind("something else"), JoinErrorKind::Other);
    }
}
