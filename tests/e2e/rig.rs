//! A robot and its viewers in a room of their own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use telelink::context::{ChannelRef, Context};
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::protocol::version;
use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{JoinRequest, RoomOptions, Secret};
use telelink::session::{Client, ConnectionStatus, Error, Listener, SessionOptions, ROLE_ATTRIBUTE};
use telelink_viewer_client::{Viewer, ViewerOptions};

use crate::support::{self, required_file, Server, TokenOptions};

/// How long any single expected thing may take on a loaded two-core machine.
pub const LIMIT: Duration = Duration::from_secs(20);

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// Address of the server that tests share which do not break it.
pub fn url() -> &'static str {
    &SERVER.url
}

pub fn library_file() -> PathBuf {
    required_file("TELELINK_LIVEKIT_LIBRARY")
}

/// A room name nobody else uses.
pub fn room_name(test: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("e2e-{test}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a session told its listener, in order.
#[derive(Default)]
pub struct Diary(Mutex<Vec<String>>);

impl Diary {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    pub fn has(&self, line: &str) -> bool {
        self.0.lock().iter().any(|known| known == line)
    }
}

impl Listener for Diary {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        let reason = reason.map_or(String::new(), |error| format!(" ({:?})", error.kind));
        self.0.lock().push(format!("{status}{reason}"));
    }
    fn on_subscribe(&self, _: &Client, channel: &ChannelRef) {
        self.0.lock().push(format!("subscribe {}", channel.topic()));
    }
    fn on_unsubscribe(&self, _: &Client, channel: &ChannelRef) {
        self.0.lock().push(format!("unsubscribe {}", channel.topic()));
    }
    fn on_connection_graph_subscribe(&self, _: &Client) {
        self.0.lock().push("graph followed".into());
    }
    fn on_connection_graph_unsubscribe(&self, _: &Client) {
        self.0.lock().push("graph forgotten".into());
    }
}

/// A robot in a room of its own.
pub struct Robot {
    pub room: String,
    pub context: Context,
    pub diary: Arc<Diary>,
    pub session: Session,
    url: String,
}

impl Robot {
    pub fn start(test: &str, options: SessionOptions) -> Self {
        Self::start_at(url(), test, options)
    }

    pub fn start_at(url: &str, test: &str, options: SessionOptions) -> Self {
        let room = room_name(test);
        let token = support::token(&room, "robot", &TokenOptions::default());
        Self::start_with(url, room, TokenSource::Static(Secret::new(token)), options)
    }

    pub fn start_with(url: &str, room: String, token: TokenSource, options: SessionOptions) -> Self {
        Self::start_direct(url, room, token, options, |_| {})
    }

    pub fn start_direct(
        url: &str,
        room: String,
        token: TokenSource,
        options: SessionOptions,
        change: impl FnOnce(&mut DirectOptions),
    ) -> Self {
        let context = Context::new();
        let diary = Arc::new(Diary::default());
        let options = SessionOptions { listener: Some(diary.clone()), ..options };
        let mut direct = DirectOptions::new(url, token);
        direct.livekit_library = Some(library_file());
        change(&mut direct);
        let session = Session::start(&context, options, direct).expect("the session starts");
        Self { room, context, diary, session, url: url.to_owned() }
    }

    /// A viewer of this robot's room that announces `version`, or nothing.
    pub async fn viewer(&self, identity: &str, version: Option<&str>) -> Viewer {
        let mut options = TokenOptions::default();
        options.attributes.extend(version.map(|version| (version::ATTRIBUTE.to_owned(), version.to_owned())));
        join_at(&self.url, Secret::new(support::token(&self.room, identity, &options))).await
    }

    /// A viewer whose token names a role, or none; greeted.
    pub async fn viewer_as(&self, identity: &str, role: Option<&str>) -> Viewer {
        let mut options = TokenOptions::default();
        options.attributes.insert(version::ATTRIBUTE.to_owned(), version::SPOKEN.to_owned());
        options.attributes.extend(role.map(|role| (ROLE_ATTRIBUTE.to_owned(), role.to_owned())));
        let viewer = join_at(&self.url, Secret::new(support::token(&self.room, identity, &options))).await;
        viewer.ready(LIMIT).await.expect("the robot greets the viewer");
        viewer
    }

    /// A viewer that has been greeted.
    pub async fn ready_viewer(&self, identity: &str) -> Viewer {
        let viewer = self.viewer(identity, Some(version::SPOKEN)).await;
        viewer.ready(LIMIT).await.expect("the robot greets the viewer");
        viewer
    }

    pub async fn wait_status(&self, line: &str) {
        support::wait_until(line, LIMIT, || self.diary.has(line)).await;
    }
}

/// A viewer at the shared server.
pub async fn join(token: Secret) -> Viewer {
    join_at(url(), token).await
}

async fn join_at(url: &str, token: Secret) -> Viewer {
    let request = JoinRequest { url: url.to_owned(), token, options: RoomOptions::default() };
    let library = Library::load(&LibraryOptions { path: Some(library_file()) }).expect("the library loads");
    let connector = Arc::new(LivekitConnector::new(library));
    Viewer::join(connector, request, ViewerOptions::default()).await.expect("the viewer joins")
}
