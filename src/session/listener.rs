//! What a session tells the application.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use crate::context::{ChannelRef, Schema};
use crate::room::{Identity, Sid};

use super::{Error, Parameter};

/// Number of one registered connection of a viewer: process-wide, from 1, new for every registration (S-124).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub(crate) u32);

impl ClientId {
    /// The number, never 0.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A registered viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// This registration.
    pub id: ClientId,
    /// LiveKit identity: the same when the viewer returns.
    pub identity: Identity,
    /// LiveKit SID of the connection.
    pub sid: Sid,
    /// Display name, may be empty.
    pub name: String,
    /// LiveKit attributes as they were at registration.
    pub attributes: BTreeMap<String, String>,
    /// When it joined the room, ms since the Unix epoch, by the server's clock.
    pub joined_at_ms: i64,
}

/// A channel that a viewer publishes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientChannel {
    /// Id chosen by the viewer, unique within its registration.
    pub id: u32,
    /// Topic; may equal a topic of the robot.
    pub topic: String,
    /// Message encoding.
    pub encoding: String,
    /// Schema; its data may be empty when the viewer sent only a name (P-81).
    pub schema: Option<Schema>,
}

/// A message from a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMessage {
    /// The bytes.
    pub payload: Bytes,
    /// When it arrived, ns since the Unix epoch.
    pub receive_time: u64,
}

/// State of a session's connection (S-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionStatus {
    /// Trying to get into a room, for the first time or again.
    Connecting,
    /// In a room. A link that is lost without a word is noticed within 15 s; then the transport tries to get it back, for
    /// 16 s where connections are refused, some 110 s where packets vanish, at most 3 min. All that time the status
    /// stays connected; once the loss is noticed, [`SessionStats::reconnecting`](super::SessionStats::reconnecting) and
    /// the log say so.
    Connected,
    /// Stop was requested; callbacks may still be running.
    ShuttingDown,
    /// Finished: no callback will start any more.
    Shutdown,
}

impl fmt::Display for ConnectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::ShuttingDown => "shutting down",
            Self::Shutdown => "shutdown",
        })
    }
}

/// Events of one session. All run one after another on the session's own thread `tl-events`, but for the two that answer
/// parameter requests; each may call anything of this library. A slow one delays the following ones and nothing else (design.md decision 6). A panic is caught,
/// counted and logged. For one client id nothing comes after the events of its leaving (S-167).
#[allow(unused_variables)]
pub trait Listener: Send + Sync + 'static {
    /// The connection changed. `reason` says why, when something failed.
    ///
    /// While joining fails again and again the status stays Connecting; it is told again for each *other* reason, so
    /// that the listener learns why the session gets no further. A clean run is Connecting, Connected, ShuttingDown,
    /// Shutdown (S-12).
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {}
    /// A viewer subscribed to a channel it was not subscribed to.
    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {}
    /// A subscription ended: by the viewer, its leaving, a reset, or the channel's closing.
    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {}
    /// A viewer advertised a channel of its own.
    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {}
    /// A channel of a viewer is gone.
    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {}
    /// A viewer published a message. Messages that wait for it are discarded, and counted, when the session ends, and
    /// when the control lease under which they were published does ([`ControlListener`](super::ControlListener)).
    fn on_message(&self, client: &Client, channel: &ClientChannel, message: &ClientMessage) {}
    /// The first viewer follows the connection graph: from now on publishing it is worth the work.
    fn on_connection_graph_subscribe(&self, client: &Client) {}
    /// The last viewer that followed the connection graph does no longer: by itself, its leaving or a reset.
    fn on_connection_graph_unsubscribe(&self, client: &Client) {}
    /// These parameters have their first subscriber among the viewers (S-211).
    fn on_parameters_subscribe(&self, names: &[String]) {}
    /// These parameters have lost their last subscriber.
    fn on_parameters_unsubscribe(&self, names: &[String]) {}
    /// A viewer asks for parameters, all of them when `names` is empty, and there is no
    /// [`ParameterHandler`](super::ParameterHandler). Runs on the handler pool, not on `tl-events`, and may block. `None`:
    /// not handled; the viewer gets an error status.
    fn on_get_parameters(&self, client: &Client, names: &[String], request_id: Option<&str>) -> Option<Vec<Parameter>> {
        None
    }
    /// A viewer sets parameters and there is no [`ParameterHandler`](super::ParameterHandler). What is returned goes to the
    /// viewer if it gave a request id, and to all subscribers of those names. Runs like `on_get_parameters`. `None`: not
    /// handled; the subscribers get the values as they were sent (S-208).
    fn on_set_parameters(
        &self,
        client: &Client,
        parameters: &[Parameter],
        request_id: Option<&str>,
    ) -> Option<Vec<Parameter>> {
        None
    }
}
