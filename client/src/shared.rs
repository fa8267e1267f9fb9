//! What the handle and the tasks of a viewer share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use telelink::protocol::{ClientChannel, EncodeError, FromViewer};
use telelink::room::{Identity, Room, Sid};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{timeout, Instant};

use crate::calls::Calls;
use crate::control::Outbox;
use crate::error::ViewerError;
use crate::event::{Event, Message, Via};
use crate::options::{Overflow, Selector, ViewerOptions};
use crate::queue::Queue;
use crate::state::Picture;
use crate::stats::{ChannelStats, Totals};
use crate::tracks::Tracks;

/// Bytes of control messages that may sit in waiting events.
const EVENT_BYTES: usize = 64 << 20;
/// What a queued message costs besides its payload.
const MESSAGE_OVERHEAD: usize = 128;

pub(crate) struct Shared {
    pub(crate) room: Arc<dyn Room>,
    pub(crate) options: ViewerOptions,
    pub(crate) inner: Mutex<Inner>,
    pub(crate) stats: Mutex<HashMap<u64, ChannelStats>>,
    pub(crate) messages: Queue<Message>,
    pub(crate) events: Queue<Event>,
    changed: watch::Sender<()>,
}

pub(crate) struct Inner {
    pub(crate) closed: bool,
    pub(crate) robot: Option<Identity>,
    pub(crate) picture: Picture,
    pub(crate) session: Option<Session>,
    /// Why the robot turned this viewer away (P-15): an error status before any `serverInfo`.
    pub(crate) rejection: Option<String>,
    pub(crate) wanted: Wanted,
    pub(crate) tracks: Tracks,
    pub(crate) calls: Calls,
    pub(crate) totals: Totals,
}

/// What a new session is asked for again (P-27).
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) channels: Vec<Selector>,
    pub(crate) client_channels: BTreeMap<u32, ClientChannel>,
    pub(crate) parameters: BTreeSet<String>,
    pub(crate) graph: bool,
}

/// One control stream of the robot and what hangs on it.
pub(crate) struct Session {
    pub(crate) number: u64,
    pub(crate) robot_sid: Option<Sid>,
    /// When the robot opened the stream.
    pub(crate) began: tokio::time::Instant,
    /// The room says that the robot left, and the stream may be one of its next connection.
    pub(crate) left: bool,
    /// `serverInfo` has come; the own stream to the robot exists from then on (P-19).
    pub(crate) outbox: Option<Arc<Outbox>>,
    /// Channels asked for on this stream.
    pub(crate) subscribed: BTreeSet<u64>,
    /// The transport is reconnecting: if that turns out to be a full reconnect, this session is void.
    pub(crate) suspect: bool,
    pub(crate) _reader: Option<Task>,
    pub(crate) _writer: Option<Task>,
}

/// A task that ends with its owner.
pub(crate) struct Task(AbortHandle);

impl Task {
    pub(crate) fn spawn(future: impl std::future::Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(future).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    pub(crate) fn outbox(&self) -> Result<&Arc<Outbox>, ViewerError> {
        if self.closed {
            return Err(ViewerError::Closed);
        }
        self.session.as_ref().and_then(|session| session.outbox.as_ref()).ok_or(ViewerError::NoSession)
    }

    /// Queues a message to the robot, or refuses it at once.
    pub(crate) fn send(&self, message: &FromViewer) -> Result<(), ViewerError> {
        let outbox = self.outbox()?;
        outbox.push(encode(message)?)
    }

    /// The session of this number, unless another has begun.
    pub(crate) fn session(&mut self, number: u64) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.number == number)
    }
}

pub(crate) fn encode(message: &FromViewer) -> Result<Bytes, EncodeError> {
    message.to_frame()
}

impl Shared {
    pub(crate) fn new(room: Arc<dyn Room>, options: ViewerOptions) -> Arc<Self> {
        let inner = Inner {
            closed: false,
            robot: options.robot.clone(),
            picture: Picture::new(options.limits.clone()),
            session: None,
            rejection: None,
            wanted: Wanted::default(),
            tracks: Tracks::default(),
            calls: Calls::default(),
            totals: Totals::default(),
        };
        Arc::new(Self {
            room,
            inner: Mutex::new(inner),
            stats: Mutex::default(),
            messages: Queue::new(options.message_limit, options.message_bytes),
            events: Queue::new(options.event_limit, EVENT_BYTES),
            changed: watch::Sender::new(()),
            options,
        })
    }

    /// Wakes everybody who waits for something to become true.
    pub(crate) fn changed(&self) {
        self.changed.send_replace(());
    }

    /// Waits until `look` finds something, looking after every change.
    pub(crate) async fn wait<T>(
        &self,
        what: impl FnOnce() -> String,
        limit: Duration,
        mut look: impl FnMut(&mut Inner) -> Option<Result<T, ViewerError>>,
    ) -> Result<T, ViewerError> {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            loop {
                {
                    let mut inner = self.inner.lock();
                    if let Some(found) = look(&mut inner) {
                        return found;
                    }
                    if inner.closed {
                        return Err(ViewerError::Closed);
                    }
                }
                if changes.changed().await.is_err() {
                    return Err(ViewerError::Closed);
                }
            }
        };
        match timeout(limit, waiting).await {
            Ok(result) => result,
            Err(_) => Err(ViewerError::Timeout(what())),
        }
    }

    /// Hands a message of a channel to the application; waits for room if that is what the application chose.
    pub(crate) async fn deliver(&self, channel_id: u64, topic: Arc<str>, log_time: u64, payload: Bytes, via: Via) {
        let receive_time = (self.options.clock)();
        self.count(channel_id, |stats| stats.message(payload.len(), log_time, receive_time, via));
        let bytes = payload.len() + MESSAGE_OVERHEAD;
        let received_at = Instant::now();
        let message = Message { channel_id, topic, log_time, receive_time, received_at, payload, via };
        match self.options.overflow {
            Overflow::DropOldest => self.messages.push_dropping(message, bytes),
            // A closed queue has nobody left to miss the message.
            Overflow::Wait => drop(self.messages.push_waiting(message, bytes).await),
        }
    }

    /// Changes the counters of one channel. There are no more of them than channels the viewer may remember.
    pub(crate) fn count<T: Default>(&self, channel_id: u64, change: impl FnOnce(&mut ChannelStats) -> T) -> T {
        let mut stats = self.stats.lock();
        if stats.len() >= self.options.limits.entries && !stats.contains_key(&channel_id) {
            return T::default();
        }
        change(stats.entry(channel_id).or_default())
    }

    pub(crate) fn count_control_bytes(&self, bytes: usize) {
        self.inner.lock().totals.control_bytes += bytes as u64;
    }

    /// Ends all: the tasks of the session, the tracks, the waits. What is queued can still be read.
    pub(crate) fn shut_down(&self) {
        {
            let mut inner = self.inner.lock();
            inner.closed = true;
            inner.session = None;
            inner.tracks.detach_all();
            inner.calls.fail_all();
            inner.picture.restart();
        }
        self.messages.close();
        self.events.close();
        self.changed();
    }
}
