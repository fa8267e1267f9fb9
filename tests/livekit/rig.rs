//! The one server and library of this process, and short ways to join.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{
    Connector, DataFrame, DropCause, FrameSource, JoinError, JoinRequest, Joined, RoomEvent, RoomOptions, Secret,
};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::support::{self, required_file, Server, TokenOptions};

/// How long any single expected thing may take on a loaded two-core machine.
pub const LIMIT: Duration = Duration::from_secs(30);

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Address of the shared server.
pub fn url() -> &'static str {
    &SERVER.url
}

/// The library, loaded as a program would.
pub fn library() -> Arc<Library> {
    required_file("TELELINK_LIVEKIT_LIBRARY");
    Library::load(&LibraryOptions::default()).expect("the LiveKit library loads")
}

pub fn connector() -> LivekitConnector {
    LivekitConnector::new(library())
}

/// A room name nobody else uses.
pub fn room_name(test: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{test}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub async fn try_join(url: &str, token: String) -> Result<Joined, JoinError> {
    join_by(url, token, RoomOptions::default()).await
}

pub async fn join_by(url: &str, token: String, options: RoomOptions) -> Result<Joined, JoinError> {
    connector().join(JoinRequest { url: url.into(), token: Secret::new(token), options }).await
}

pub async fn join_with(room: &str, identity: &str, options: &TokenOptions) -> Joined {
    try_join(url(), support::token(room, identity, options)).await.expect("joins")
}

pub async fn join(room: &str, identity: &str) -> Joined {
    join_with(room, identity, &TokenOptions::default()).await
}

/// The first event that `pick` answers; fails the test when none comes in time or the events end.
pub async fn event<T>(joined: &mut Joined, what: &str, mut pick: impl FnMut(RoomEvent) -> Option<T>) -> T {
    support::within(what, LIMIT, async {
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
