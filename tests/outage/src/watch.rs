//! A viewer that follows the protocol: joins again when its room is lost, subscribes again in every new session, and keeps
//! account of what it gets.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use telelink::protocol::version;
use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{JoinRequest, RoomOptions, Secret};
use telelink_client::{Event, Viewer, ViewerError, ViewerOptions};
use tokio::task::JoinHandle;
use tokio::time::{sleep, Instant};

use crate::clock::{unix_ms, unix_ns};
use crate::robot::{IDENTITY, LOAD, LOSSY, RELIABLE};
use crate::support::{self, required_file, TokenOptions};

/// Pause before a viewer joins again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the numbers of messages are kept for looking back, milliseconds.
const KEPT: usize = 100_000;

/// What a viewer got on the reliable channel, and how often it had to begin anew.
#[derive(Debug, Default, Clone)]
pub(crate) struct Account {
    /// Last number on the reliable channel.
    pub(crate) last: Option<u64>,
    /// Numbers received on the reliable channel.
    pub(crate) received: u64,
    /// Received twice or out of order within one session.
    pub(crate) disorder: u64,
    /// Places in the numbers where some are missing although no session began between: last before, first after.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// When the last number came, and when the last session was seen to have begun.
    counted: Option<Instant>,
    began: Option<Instant>,
    /// Sessions that the robot opened with this viewer, over all its joins.
    pub(crate) sessions: u64,
    /// Rooms this viewer joined.
    pub(crate) joins: u64,
    /// When this viewer's own link told of trouble, milliseconds since the Unix epoch.
    pub(crate) events: Vec<(u64, String)>,
    /// Logged at and received at, nanoseconds since the Unix epoch, of the last messages per path.
    pub(crate) reliable: Vec<(u64, u64)>,
    pub(crate) lossy: Vec<(u64, u64)>,
    pub(crate) load: Vec<(u64, u64)>,
}

impl Account {
    /// So many sessions have begun.
    fn set_sessions(&mut self, sessions: u64) {
        if sessions > self.sessions {
            self.sessions = sessions;
            self.began = Some(Instant::now());
        }
    }

    /// A new session starts where the robot is then: what was logged between is lost by protocol. It may be seen a little
    /// before the last messages of the one before are taken from the queue.
    fn is_explained(&self) -> bool {
        const QUEUED: Duration = Duration::from_secs(1);
        self.began.zip(self.counted).is_some_and(|(began, counted)| began + QUEUED >= counted)
    }

    fn take(&mut self, topic: &str, log_time: u64, payload: &[u8]) {
        let times = match topic {
            RELIABLE => &mut self.reliable,
            LOSSY => &mut self.lossy,
            LOAD => &mut self.load,
            _ => return,
        };
        if times.len() >= KEPT {
            times.drain(..KEPT / 2);
        }
        times.push((log_time, unix_ns()));
        let (RELIABLE, Ok(number)) = (topic, <[u8; 8]>::try_from(payload)) else { return };
        let number = u64::from_le_bytes(number);
        self.received += 1;
        match self.last {
            Some(last) if number <= last => self.disorder += 1,
            Some(last) if number > last + 1 && !self.is_explained() => self.gaps.push((last, number)),
            _ => {}
        }
        self.counted = Some(Instant::now());
        self.last = Some(self.last.map_or(number, |last| last.max(number)));
    }
}

/// The viewer. Dropping it ends it without a word, as a page that is closed.
pub(crate) struct Watch {
    pub(crate) identity: String,
    account: Arc<Mutex<Account>>,
    viewer: Arc<Mutex<Option<Arc<Viewer>>>>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    pub(crate) fn start(url: &str, room: &str, identity: &str, topics: &[&str]) -> Self {
        let account: Arc<Mutex<Account>> = Arc::default();
        let viewer: Arc<Mutex<Option<Arc<Viewer>>>> = Arc::default();
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let life =
            Life { url: url.into(), room: room.into(), identity: identity.into(), topics, account: account.clone() };
        let task = tokio::spawn(life.run(viewer.clone()));
        Self { identity: identity.into(), account, viewer, task }
    }

    pub(crate) fn account(&self) -> Account {
        self.account.lock().clone()
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&self.account.lock())
    }

    /// The viewer's present connection, while it has one.
    pub(crate) fn viewer(&self) -> Option<Arc<Viewer>> {
        self.viewer.lock().clone()
    }

    /// Waits for the first reliable and lossy messages logged at `since` or later; answers when they were received, both in
    /// nanoseconds since the Unix epoch. `None`: they did not come in time.
    pub(crate) async fn data_since(&self, since: u64, limit: Duration) -> Option<[u64; 2]> {
        let first =
            |times: &[(u64, u64)]| times.iter().find(|(logged, _)| *logged >= since).map(|(_, received)| *received);
        let deadline = Instant::now() + limit;
        loop {
            let both = self.look(|account| Some([first(&account.reliable)?, first(&account.lossy)?]));
            if both.is_some() || Instant::now() >= deadline {
                return both;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

struct Life {
    url: String,
    room: String,
    identity: String,
    topics: Vec<String>,
    account: Arc<Mutex<Account>>,
}

impl Life {
    async fn run(self, current: Arc<Mutex<Option<Arc<Viewer>>>>) {
        loop {
            match self.join().await {
                Ok(viewer) => {
                    let viewer = Arc::new(viewer);
                    self.account.lock().joins += 1;
                    *current.lock() = Some(viewer.clone());
                    self.follow(&viewer).await;
                    current.lock().take();
                }
                Err(error) => self.note(format!("join failed: {error}")),
            }
            sleep(PAUSE).await;
        }
    }

    fn note(&self, event: String) {
        self.account.lock().events.push((unix_ms(), event));
    }

    async fn join(&self) -> Result<Viewer, ViewerError> {
        let mut options = TokenOptions::default();
        options.attributes.insert(version::ATTRIBUTE.to_owned(), version::SPOKEN.to_owned());
        options.ttl = 6 * 3600;
        let token = Secret::new(support::token(&self.room, &self.identity, &options));
        let ice = telelink::room::IceServer { urls: vec!["stun:10.77.0.1:9".into()], username: None, password: None };
        let options = RoomOptions { ice_servers: vec![ice], ..RoomOptions::default() };
        let request = JoinRequest { url: self.url.clone(), token, options };
        let file = required_file("TELELINK_LIVEKIT_LIBRARY");
        let library = Library::load(&LibraryOptions { path: Some(file) }).expect("the library loads");
        let options = ViewerOptions { robot: Some(IDENTITY.into()), ..ViewerOptions::default() };
        Viewer::join(Arc::new(LivekitConnector::new(library)), request, options).await
    }

    /// Until the room is lost.
    async fn follow(&self, viewer: &Viewer) {
        // Subscriptions stay in force: the client asks every new session for them again (P-27).
        if viewer.subscribe(self.topics.iter().cloned()).is_err() {
            return;
        }
        let before = self.account.lock().sessions;
        let mut lost = None;
        loop {
            let next = viewer.next_message(Duration::from_millis(100)).await;
            self.account.lock().set_sessions(before + viewer.totals().server_infos);
            match next {
                Ok(message) => {
                    let mut account = self.account.lock();
                    account.take(&message.topic, message.log_time, &message.payload);
                }
                Err(ViewerError::Timeout(_)) => {}
                Err(_) => break,
            }
            while let Ok(Some(event)) = viewer.try_next_event() {
                match event {
                    Event::Reconnecting => self.note("reconnecting".into()),
                    Event::Reconnected { full } => self.note(format!("reconnected, full: {full}")),
                    Event::RobotLeft => self.note("the robot left".into()),
                    Event::StreamOpened { .. } => self.note("the robot opened a stream".into()),
                    Event::StreamEnded { error, .. } => self.note(format!("the robot's stream ended: {error:?}")),
                    Event::Disconnected(reason) => {
                        self.note(format!("disconnected: {reason:?}"));
                        lost = Some(Instant::now());
                    }
                    _ => {}
                }
            }
            if lost.is_some() {
                break;
            }
        }
        let _ = viewer.close(Duration::from_secs(1)).await;
    }
}
