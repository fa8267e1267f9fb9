//! What a viewer tells the robot and expects no answer to.

use bytes::Bytes;
use telelink::protocol::{ClientChannel, FromViewer};

use crate::error::ViewerError;
use crate::shared::Inner;
use crate::viewer::Viewer;

impl Viewer {
    /// Announces a channel of the viewer (6.3); a new session is told again (P-27). Without a session it is told when there is one.
    ///
    /// # Errors
    ///
    /// [`ViewerError::QueueFull`] or [`ViewerError::Closed`]; then nothing has changed.
    pub fn advertise(&self, channel: ClientChannel) -> Result<(), ViewerError> {
        self.tell(&FromViewer::Advertise { channels: vec![channel.clone()] }, |inner| {
            inner.wanted.client_channels.insert(channel.id, channel);
        })
    }

    /// Withdraws channels of the viewer (6.4).
    ///
    /// # Errors
    ///
    /// As [`advertise`](Self::advertise).
    pub fn unadvertise(&self, channel_ids: &[u32]) -> Result<(), ViewerError> {
        self.tell(&FromViewer::Unadvertise { channel_ids: channel_ids.to_vec() }, |inner| {
            inner.wanted.client_channels.retain(|id, _| !channel_ids.contains(id));
        })
    }

    /// Publishes a message on a channel of the viewer (6.5).
    ///
    /// # Errors
    ///
    /// [`ViewerError::NoSession`], [`ViewerError::QueueFull`], [`ViewerError::Encode`] or [`ViewerError::Closed`].
    pub fn publish(&self, channel_id: u32, data: impl Into<Bytes>) -> Result<(), ViewerError> {
        self.try_send(&FromViewer::MessageData { channel_id, data: data.into() })
    }

    /// Asks to be told of changes of these parameters (6.12). Updates are events and change [`Viewer::parameters`].
    ///
    /// # Errors
    ///
    /// As [`advertise`](Self::advertise).
    pub fn subscribe_parameters(&self, names: &[&str]) -> Result<(), ViewerError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.tell(&FromViewer::SubscribeParameterUpdates { names: names.clone() }, |inner| {
            inner.wanted.parameters.extend(names);
        })
    }

    /// Ends such subscriptions.
    ///
    /// # Errors
    ///
    /// As [`advertise`](Self::advertise).
    pub fn unsubscribe_parameters(&self, names: &[&str]) -> Result<(), ViewerError> {
        let message =
            FromViewer::UnsubscribeParameterUpdates { names: names.iter().map(|name| (*name).to_owned()).collect() };
        self.tell(&message, |inner| inner.wanted.parameters.retain(|name| !names.contains(&name.as_str())))
    }

    /// Asks for the connection graph and its changes (6.13). They are events and change [`Viewer::graph`].
    ///
    /// # Errors
    ///
    /// As [`advertise`](Self::advertise).
    pub fn subscribe_graph(&self) -> Result<(), ViewerError> {
        self.tell(&FromViewer::SubscribeConnectionGraph, |inner| inner.wanted.graph = true)
    }

    /// Ends that. What is known of the graph stays.
    ///
    /// # Errors
    ///
    /// As [`advertise`](Self::advertise).
    pub fn unsubscribe_graph(&self) -> Result<(), ViewerError> {
        self.tell(&FromViewer::UnsubscribeConnectionGraph, |inner| inner.wanted.graph = false)
    }

    /// Sends `message` if there is a session, and then notes what a new session is to be told.
    fn tell(&self, message: &FromViewer, note: impl FnOnce(&mut Inner)) -> Result<(), ViewerError> {
        let mut inner = self.shared.inner.lock();
        match inner.send(message) {
            Ok(()) | Err(ViewerError::NoSession) => {
                note(&mut inner);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
