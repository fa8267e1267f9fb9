//! What a viewer waits for: the robot, its channels, messages and events. Every wait has a time limit.

use std::sync::Arc;
use std::time::Duration;

use telelink::protocol::ServerInfo;
use tokio::time::timeout;

use crate::error::ViewerError;
use crate::event::{Event, Message};
use crate::shared::Inner;
use crate::state::{Channel, Picture};
use crate::stats::Totals;
use crate::viewer::Viewer;

impl Viewer {
    /// Waits until the robot has opened a session: `serverInfo` has come.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Declined`] with the robot's text if it turned this viewer away (P-15), [`ViewerError::Timeout`],
    /// [`ViewerError::Closed`].
    pub async fn ready(&self, limit: Duration) -> Result<ServerInfo, ViewerError> {
        let look = |inner: &mut Inner| match (inner.picture.server_info(), &inner.rejection) {
            (Some(info), _) => Some(Ok(info.clone())),
            (None, Some(text)) => Some(Err(ViewerError::Declined(text.clone()))),
            (None, None) => None,
        };
        self.shared.wait(|| "serverInfo".into(), limit, look).await
    }

    /// Waits until the robot has opened its `count`th session with this viewer.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`] or [`ViewerError::Closed`].
    pub async fn wait_sessions(&self, count: u64, limit: Duration) -> Result<(), ViewerError> {
        self.wait_until("a new session", limit, |_, totals| totals.server_infos >= count).await
    }

    /// Waits until a channel of this topic is advertised.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`] or [`ViewerError::Closed`].
    pub async fn wait_channel(&self, topic: &str, limit: Duration) -> Result<Arc<Channel>, ViewerError> {
        let look = |inner: &mut Inner| inner.picture.channels().values().find(|c| &*c.topic == topic).cloned().map(Ok);
        self.shared.wait(|| format!("channel {topic:?}"), limit, look).await
    }

    /// Waits until the data track of a channel is being read.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`] or [`ViewerError::Closed`].
    pub async fn wait_attached(&self, channel_id: u64, limit: Duration) -> Result<(), ViewerError> {
        let look = |inner: &mut Inner| inner.tracks.is_live(channel_id).then_some(Ok(()));
        self.shared.wait(|| format!("the data track of channel {channel_id}"), limit, look).await
    }

    /// Waits until something is true of the picture and the totals; `what` names it in the error.
    ///
    /// The picture is looked at after every control message, not after messages of channels.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`] or [`ViewerError::Closed`].
    pub async fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        mut check: impl FnMut(&Picture, &Totals) -> bool,
    ) -> Result<(), ViewerError> {
        let look = |inner: &mut Inner| check(&inner.picture, &inner.totals).then_some(Ok(()));
        self.shared.wait(|| what.to_owned(), limit, look).await
    }

    /// The next message of any channel.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`]; [`ViewerError::Closed`] when the viewer is closed and all messages are taken.
    pub async fn next_message(&self, limit: Duration) -> Result<Message, ViewerError> {
        // Setting a timer costs more than taking a message that is there.
        if let Some(message) = self.try_next_message()? {
            return Ok(message);
        }
        match timeout(limit, self.shared.messages.pop()).await {
            Ok(result) => result.map_err(|_| ViewerError::Closed),
            Err(_) => Err(ViewerError::Timeout("a message".into())),
        }
    }

    /// The next message, if one is waiting.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Closed`] when the viewer is closed and all messages are taken.
    pub fn try_next_message(&self) -> Result<Option<Message>, ViewerError> {
        self.shared.messages.try_pop().map_err(|_| ViewerError::Closed)
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`]; [`ViewerError::Closed`] when the viewer is closed and all events are taken.
    pub async fn next_event(&self, limit: Duration) -> Result<Event, ViewerError> {
        match timeout(limit, self.shared.events.pop()).await {
            Ok(result) => result.map_err(|_| ViewerError::Closed),
            Err(_) => Err(ViewerError::Timeout("an event".into())),
        }
    }

    /// The next event, if one is waiting.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Closed`] when the viewer is closed and all events are taken.
    pub fn try_next_event(&self) -> Result<Option<Event>, ViewerError> {
        self.shared.events.try_pop().map_err(|_| ViewerError::Closed)
    }

    /// Takes events until one is found; those before it are gone.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub async fn find_event<T>(
        &self,
        what: &str,
        limit: Duration,
        mut find: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, ViewerError> {
        let finding = async {
            loop {
                let event = self.shared.events.pop().await.map_err(|_| ViewerError::Closed)?;
                if let Some(found) = find(&event) {
                    return Ok(found);
                }
            }
        };
        match timeout(limit, finding).await {
            Ok(result) => result,
            Err(_) => Err(ViewerError::Timeout(what.to_owned())),
        }
    }
}
