//! The handle of a viewer.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use telelink::protocol::{FromViewer, Parameter, ServerInfo, ServiceAdvertisement, Status};
use telelink::room::{Connector, Identity, JoinRequest, Participant, Room};
use tokio::time::timeout;

use crate::control::Outbox;
use crate::driver;
use crate::error::ViewerError;
use crate::options::{Selector, ViewerOptions};
use crate::shared::{encode, Shared, Task};
use crate::state::{Channel, Graph, Picture};
use crate::stats::{ChannelStats, Totals};
use crate::stream::RawStream;
use crate::tracks;

/// A viewer in a room. All methods are thread-safe; those that are not `async` never block.
///
/// Dropping it leaves the room in the background; [`Viewer::close`] waits for that.
pub struct Viewer {
    pub(crate) shared: Arc<Shared>,
    _driver: Task,
}

impl Viewer {
    /// Joins a room. The robot may come later: see [`ready`](Self::ready). Must be called inside a tokio runtime with timers.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Join`]; the attempt is bounded by the connect timeout of the request, and once more here.
    pub async fn join(
        connector: Arc<dyn Connector>,
        request: JoinRequest,
        options: ViewerOptions,
    ) -> Result<Self, ViewerError> {
        // The adapter has its own, better informed limit; this one holds if the adapter does not.
        let limit = request.options.connect_timeout + Duration::from_secs(5);
        let joined = match timeout(limit, connector.join(request)).await {
            Ok(joined) => joined?,
            Err(_) => return Err(ViewerError::Timeout("the room to be joined".into())),
        };
        let shared = Shared::new(joined.room, options);
        let driver = Task::spawn(driver::run(shared.clone(), joined.events));
        Ok(Self { shared, _driver: driver })
    }

    /// Subscribes channels for their data, by topic, id, or all. Lossy ones are read from their data tracks as soon as those are
    /// published. What is not advertised yet is subscribed when it is, and a new session is asked again ([`ViewerOptions::restore`]).
    ///
    /// Returns the ids of the channels that were asked for now. The robot confirms nothing (P-70); a [`ping`](Self::ping) afterwards
    /// tells that it has read this.
    ///
    /// # Errors
    ///
    /// [`ViewerError::QueueFull`]: the robot was not told, but will be in the next session. [`ViewerError::Closed`].
    pub fn subscribe<S: Into<Selector>>(
        &self,
        selectors: impl IntoIterator<Item = S>,
    ) -> Result<Vec<u64>, ViewerError> {
        let mut inner = self.shared.inner.lock();
        if inner.closed {
            return Err(ViewerError::Closed);
        }
        for selector in selectors {
            let selector = selector.into();
            if !inner.wanted.channels.contains(&selector) {
                inner.wanted.channels.push(selector);
            }
        }
        let ids: Vec<u64> = inner.picture.channels().keys().copied().collect();
        let new = self.shared.subscribe_wanted(&mut inner, &ids)?;
        for &id in &new {
            tracks::reconcile(&self.shared, &mut inner, id);
        }
        Ok(new)
    }

    /// Takes back subscriptions. A channel that another subscription still means stays subscribed. Returns the ids of those that
    /// do not.
    ///
    /// # Errors
    ///
    /// [`ViewerError::QueueFull`] or [`ViewerError::Closed`]; then the robot was not told.
    pub fn unsubscribe<S: Into<Selector>>(
        &self,
        selectors: impl IntoIterator<Item = S>,
    ) -> Result<Vec<u64>, ViewerError> {
        let mut guard = self.shared.inner.lock();
        let inner = &mut *guard;
        if inner.closed {
            return Err(ViewerError::Closed);
        }
        let gone: Vec<Selector> = selectors.into_iter().map(Into::into).collect();
        inner.wanted.channels.retain(|selector| !gone.contains(selector));
        let Some(session) = &mut inner.session else { return Ok(Vec::new()) };
        let channels = inner.picture.channels();
        let still = |id: &u64| {
            let topic = channels.get(id).map_or("", |channel| &channel.topic);
            inner.wanted.channels.iter().any(|selector| selector.matches(*id, topic))
        };
        let channel_ids: Vec<u64> = session.subscribed.iter().copied().filter(|id| !still(id)).collect();
        if channel_ids.is_empty() {
            return Ok(channel_ids);
        }
        session.subscribed.retain(|id| !channel_ids.contains(id));
        for &id in &channel_ids {
            tracks::reconcile(&self.shared, inner, id);
        }
        inner.send(&FromViewer::Unsubscribe { channel_ids: channel_ids.clone() })?;
        Ok(channel_ids)
    }

    /// Reads the data track of a channel of this session without a subscription of the channel: half of what P-7 asks for.
    pub fn attach(&self, channel_id: u64) {
        let mut inner = self.shared.inner.lock();
        inner.tracks.want_manually(channel_id);
        tracks::reconcile(&self.shared, &mut inner, channel_id);
    }

    /// Sends any message on the viewer's control stream, waiting for room in it.
    ///
    /// # Errors
    ///
    /// [`ViewerError::NoSession`], [`ViewerError::Encode`], [`ViewerError::Timeout`] or [`ViewerError::Closed`].
    pub async fn send(&self, message: &FromViewer, limit: Duration) -> Result<(), ViewerError> {
        let frame = encode(message)?;
        let outbox = self.shared.inner.lock().outbox()?.clone();
        match timeout(limit, outbox.push_waiting(frame)).await {
            Ok(result) => result,
            Err(_) => Err(ViewerError::Timeout("room in the stream to the robot".into())),
        }
    }

    /// Sends any message on the viewer's control stream if there is room now.
    ///
    /// # Errors
    ///
    /// [`ViewerError::NoSession`], [`ViewerError::QueueFull`], [`ViewerError::Encode`] or [`ViewerError::Closed`].
    pub fn try_send(&self, message: &FromViewer) -> Result<(), ViewerError> {
        self.shared.inner.lock().send(message)
    }

    /// Writes any bytes to the viewer's control stream: for tests of what a robot does with garbage.
    ///
    /// # Errors
    ///
    /// [`ViewerError::NoSession`], [`ViewerError::QueueFull`] or [`ViewerError::Closed`].
    pub fn send_raw(&self, bytes: impl Into<Bytes>) -> Result<(), ViewerError> {
        self.shared.inner.lock().outbox()?.push(bytes.into())
    }

    /// Opens one more byte stream, session or not, polite or not.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Room`] or [`ViewerError::Timeout`].
    pub async fn open_stream(&self, topic: &str, to: &[Identity], limit: Duration) -> Result<RawStream, ViewerError> {
        let outbox = Outbox::new(self.shared.options.outbox_bytes);
        match timeout(limit, self.shared.room.open_byte_stream(topic, to, outbox.clone())).await {
            Ok(stream) => Ok(RawStream { outbox, stream: stream? }),
            Err(_) => Err(ViewerError::Timeout("a byte stream to be opened".into())),
        }
    }

    /// Looks at the picture of the robot. It is locked meanwhile: do not call the viewer from inside.
    pub fn with_picture<T>(&self, look: impl FnOnce(&Picture) -> T) -> T {
        look(&self.shared.inner.lock().picture)
    }

    /// `serverInfo` of this session.
    pub fn server_info(&self) -> Option<ServerInfo> {
        self.with_picture(|picture| picture.server_info().cloned())
    }

    /// The channels of this session by id.
    pub fn channels(&self) -> BTreeMap<u64, Arc<Channel>> {
        self.with_picture(|picture| picture.channels().clone())
    }

    /// The services of this session by id.
    pub fn services(&self) -> BTreeMap<u32, ServiceAdvertisement> {
        self.with_picture(|picture| picture.services().clone())
    }

    /// The statuses in force (P-116). All statuses are events, too.
    pub fn statuses(&self) -> BTreeMap<String, Status> {
        self.with_picture(|picture| picture.statuses().clone())
    }

    /// The latest values of the parameters the robot told of.
    pub fn parameters(&self) -> BTreeMap<String, Parameter> {
        self.with_picture(|picture| picture.parameters().clone())
    }

    /// The connection graph as far as the robot told.
    pub fn graph(&self) -> Graph {
        self.with_picture(|picture| picture.graph().clone())
    }

    /// Who the viewer takes for the robot, if it knows one.
    pub fn robot(&self) -> Option<Identity> {
        self.shared.inner.lock().robot.clone()
    }

    /// Counters of one channel.
    pub fn stats(&self, channel_id: u64) -> ChannelStats {
        self.shared.stats.lock().get(&channel_id).cloned().unwrap_or_default()
    }

    /// Counters of all channels that anything came on.
    pub fn all_stats(&self) -> HashMap<u64, ChannelStats> {
        self.shared.stats.lock().clone()
    }

    /// Starts the counters of channels anew, after a warm-up for instance.
    pub fn reset_stats(&self) {
        self.shared.stats.lock().clear();
    }

    /// Counters of the viewer.
    pub fn totals(&self) -> Totals {
        let totals = self.shared.inner.lock().totals;
        let (messages_dropped, events_dropped) = (self.shared.messages.dropped(), self.shared.events.dropped());
        Totals { messages_dropped, events_dropped, ..totals }
    }

    /// Messages that wait to be taken.
    pub fn waiting_messages(&self) -> usize {
        self.shared.messages.len()
    }

    /// The own participant.
    pub fn local(&self) -> Participant {
        self.shared.room.local()
    }

    /// The room, for what this crate does not wrap: statistics, simulated faults.
    pub fn room(&self) -> &Arc<dyn Room> {
        &self.shared.room
    }

    /// Leaves the room. Messages and events that came before can still be taken; everything else answers [`ViewerError::Closed`].
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`] if the room was not left in time; it goes on leaving.
    pub async fn close(&self, limit: Duration) -> Result<(), ViewerError> {
        self.shared.shut_down();
        match timeout(limit, self.shared.room.close()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(ViewerError::Timeout("the room to be left".into())),
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let was_closed = self.shared.inner.lock().closed;
        self.shared.shut_down();
        // Outside a runtime nobody can wait for the room; dropping it is all that is left.
        if let (false, Ok(runtime)) = (was_closed, tokio::runtime::Handle::try_current()) {
            runtime.spawn(self.shared.room.close());
        }
    }
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.shared.inner.lock();
        f.debug_struct("Viewer")
            .field("robot", &inner.robot)
            .field("ready", &inner.picture.server_info().is_some())
            .field("channels", &inner.picture.channels().len())
            .finish_non_exhaustive()
    }
}
