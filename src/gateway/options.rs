//! How a session gets a room in direct mode (S-44, S-45).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::room::{shown_url, Connector, IceServer, Secret};

/// Called before every join, on a thread of its own; may block up to 30 s. An error text is reported and retried. A later
/// answer is dropped, and until it has returned attempts fail without a call: there is one at a time.
pub type TokenCallback = Arc<dyn Fn() -> Result<Secret, String> + Send + Sync>;

/// Where the access token of a join comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// One token for every join.
    Static(Secret),
    /// Asked before every join.
    Callback(TokenCallback),
    /// Tokens made here, fresh for every join.
    Key(ApiKey),
    /// `LIVEKIT_TOKEN`; without it a [`Key`](Self::Key) of `LIVEKIT_API_KEY`, `LIVEKIT_API_SECRET`, `TELELINK_ROOM` and
    /// `TELELINK_IDENTITY`.
    Environment,
}

/// A LiveKit API key pair and what tokens made from it say.
#[derive(Clone)]
pub struct ApiKey {
    /// API key. Empty: `LIVEKIT_API_KEY`.
    pub key: String,
    /// API secret. Empty: `LIVEKIT_API_SECRET`.
    pub secret: Secret,
    /// Room to join. Empty: `TELELINK_ROOM`.
    pub room: String,
    /// Identity to join as. Empty: `TELELINK_IDENTITY`.
    pub identity: String,
    /// Life time of each token. Default 6 h; 1 min to 30 days.
    pub ttl: Duration,
    /// Participant attributes to set. Default none.
    pub attributes: BTreeMap<String, String>,
}

impl ApiKey {
    /// Life time of a token, unless something else is said.
    pub const DEFAULT_TTL: Duration = Duration::from_secs(6 * 3600);
}

/// What a session does when the idle window has passed and it has left its room (S-46).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterIdle {
    /// Its status is Connecting, with the reason [`Idle`](crate::session::ErrorKind::Idle), until
    /// [`Session::resume`](super::Session::resume) makes it join again.
    #[default]
    Wait,
    /// It ends: Shutdown with the reason [`Idle`](crate::session::ErrorKind::Idle).
    End,
}

/// How to reach a room.
#[derive(Clone)]
pub struct DirectOptions {
    /// `ws://` or `wss://` address of the LiveKit server; `http://` and `https://` mean the same. Empty: `LIVEKIT_URL`.
    pub url: String,
    /// Token.
    pub token: TokenSource,
    /// Join again, with back-off, when the room is lost. Default true.
    pub auto_reconnect: bool,
    /// Leave the room after this long without a registered viewer, counted from the join and from the last viewer's
    /// leaving (S-28). From 1 s. Default none: stay for ever.
    pub idle_window: Option<Duration>,
    /// What comes after the idle window. Default [`AfterIdle::Wait`].
    pub after_idle: AfterIdle,
    /// ICE servers that replace those the server names. Default none.
    pub ice_servers: Vec<IceServer>,
    /// The LiveKit library file. A process has one: another file than the one that is loaded is refused. Default: searched, see [`crate::room::livekit`]; with the feature `livekit-static` the
    /// LiveKit that is linked in, unless an environment variable names a file.
    pub livekit_library: Option<PathBuf>,
    /// Another way to rooms than the LiveKit library: the in-memory server of the tests. Default none.
    pub connector: Option<Arc<dyn Connector>>,
}

impl DirectOptions {
    /// Everything from the environment, by the names that LiveKit's own tools use: `LIVEKIT_URL`, and
    /// [`TokenSource::Environment`]. What is missing there is said when the session starts.
    pub fn from_env() -> Self {
        Self::new("", TokenSource::Environment)
    }

    /// A room at `url`, entered with `token`.
    pub fn new(url: impl Into<String>, token: TokenSource) -> Self {
        Self {
            url: url.into(),
            token,
            auto_reconnect: true,
            idle_window: None,
            after_idle: AfterIdle::default(),
            ice_servers: Vec::new(),
            livekit_library: None,
            connector: None,
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(_) => f.write_str("Static(..)"),
            Self::Callback(_) => f.write_str("Callback(..)"),
            Self::Environment => f.write_str("Environment"),
            Self::Key(key) => f.debug_struct("Key").field("room", &key.room).field("identity", &key.identity).finish(),
        }
    }
}

impl fmt::Debug for DirectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectOptions")
            .field("url", &shown_url(&self.url))
            .field("token", &self.token)
            .field("auto_reconnect", &self.auto_reconnect)
            .field("idle_window", &self.idle_window)
            .field("after_idle", &self.after_idle)
            .field("livekit_library", &self.livekit_library)
            .finish_non_exhaustive()
    }
}
