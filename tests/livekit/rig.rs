//! The one server of this process, the adapters, and short ways to join.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{
    Connector, DataFrame, DropCause, FrameSource, JoinError, JoinRequest, Joined, RoomEvent, RoomOptions, Secret,
};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::stage::Stage;
use crate::support::{self, required_file, Server, TokenOptions};

/// How long any single expected thing may take on a loaded two-core machine.
pub const LIMIT: Duration = Duration::from_secs(30);

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Address of the shared server.
pub fn url() -> &'static str {
    &SERVER.url
}

/// The adapter over the library file, loaded as a program would.
pub fn library() -> Arc<dyn Connector> {
    required_file("TELELINK_LIVEKIT_LIBRARY");
    Arc::new(LivekitConnector::new(Library::load(&LibraryOptions::default()).expect("the LiveKit library loads")))
}

/// The adapter over the crates that are linked in.
#[cfg(feature = "livekit-static")]
pub fn linked() -> Arc<dyn Connector> {
    Arc::new(telelink::room::livekit_static::LivekitStaticConnector::new())
}

/// A room name nobody else uses.
pub fn room_name(test: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{test}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// One adapter under test, and short ways to join with it.
#[derive(Clone)]
pub struct Rig {
    connector: Arc<dyn Connector>,
}

impl Rig {
    /// An adapter, by what makes its connector.
    pub fn new(connector: fn() -> Arc<dyn Connector>) -> Self {
        Self { connector: connector() }
    }

    pub async fn try_join(&self, url: &str, token: String) -> Result<Joined, JoinError> {
        self.join_by(url, token, RoomOptions::default()).await
    }

    pub async fn join_by(&self, url: &str, token: String, options: RoomOptions) -> Result<Joined, JoinError> {
        self.connector.join(JoinRequest { url: url.into(), token: Secret::new(token), options }).await
    }

    pub async fn join_with(&self, room: &str, identity: &str, options: &TokenOptions) -> Joined {
        self.try_join(url(), support::token(room, identity, options)).await.expect("joins")
    }

    pub async fn join(&self, room: &str, identity: &str) -> Joined {
        self.join_with(room, identity, &TokenOptions::default()).await
    }
}

/// An adapter and the shared server, as a stage of the port suite.
pub struct OnServer {
    rig: Rig,
    /// Keeps the rooms of one test apart from those of all others.
    prefix: String,
    _turn: RwLockReadGuard<'static, ()>,
}

impl OnServer {
    pub async fn new(rig: Rig) -> Self {
        Self { rig, prefix: room_name("port"), _turn: shared().await }
    }

    fn token_with(&self, room: &str, identity: &str, options: &TokenOptions) -> Secret {
        Secret::new(support::token(&format!("{}-{room}", self.prefix), identity, options))
    }
}

impl Stage for OnServer {
    fn connector(&self) -> Arc<dyn Connector> {
        self.rig.connector.clone()
    }

    fn url(&self) -> String {
        url().to_owned()
    }

    fn token(&self, room: &str, identity: &str) -> Secret {
        self.token_with(room, identity, &TokenOptions::default())
    }

    fn bad_token(&self, room: &str, identity: &str) -> Secret {
        self.token_with(room, identity, &TokenOptions { ttl: -3000, ..TokenOptions::default() })
    }
}

/// The first event that `pick` answers; fails the test when none comes in time or the events end.
pub async fn event<T>(joined: &mut Joined, what: &str, pick: impl FnMut(RoomEvent) -> Option<T>) -> T {
    event_within(LIMIT, joined, what, pick).await
}

/// The same, with a time limit of its own.
pub async fn event_within<T>(
    limit: Duration,
    joined: &mut Joined,
    what: &str,
    mut pick: impl FnMut(RoomEvent) -> Option<T>,
) -> T {
    support::within(what, limit, async {
        loop {
            let event = joined.events.recv().await.unwrap_or_else(|| panic!("events ended before {what}"));
            if let Some(found) = pick(event) {
                return found;
            }
        }
    })
    .await
}

static TURNS: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

/// Runs beside other tests.
pub async fn shared() -> RwLockReadGuard<'static, ()> {
    TURNS.read().await
}

/// Runs alone: for tests that count threads or measure rates.
pub async fn quiet() -> RwLockWriteGuard<'static, ()> {
    TURNS.write().await
}

/// A data track that never has a frame.
pub struct NoFrames;

impl FrameSource for NoFrames {
    fn take(&self) -> Option<DataFrame> {
        None
    }

    fn dropped(&self, cause: DropCause) {
        panic!("dropped a frame that never was: {cause:?}");
    }
}
