//! What has to be done about it: the effects of the core, and the events among them that the application is told.

use std::sync::Arc;

use bytes::Bytes;

use crate::context::{ChannelId, ChannelRef};
use crate::fanout::{Held, Slot};
use crate::room::{Identity, Sid};
use crate::session::deadman::ControlEvent;

use super::requests::{RequestId, Work};
use super::rights::Question;
use super::video::PublisherId;
use super::{Client, ClientChannel, ClientId, ClientMessage};

/// What has to be done. Applied in list order; each names the registration it belongs to.
pub(crate) enum Effect {
    /// Make a queue for this registration and open its control stream.
    Open(Arc<Client>),
    /// Close the queue of this registration for ever and discard what it holds.
    Close(ClientId),
    /// Queue a frame.
    Send { client: ClientId, frame: Bytes },
    /// Queue the answer of a request: waits aside when it does not fit, and keeps the request's slot until it is in.
    Answer { client: ClientId, frame: Bytes, slot: Slot },
    /// Send one frame on a stream of its own and close it (P-15).
    Refuse { identity: Identity, frame: Bytes },
    /// Publish the channel's data track, and keep it published.
    StartTrack(ChannelRef),
    /// Unpublish the channel's data track.
    StopTrack(ChannelId),
    /// A channel's pictures are wanted: make what converts them. Its route follows.
    StartVideo { channel: ChannelRef, publisher: PublisherId },
    /// Publish the track of a channel's pictures; answered by [`Input::VideoPublished`].
    PublishVideo { channel: ChannelRef, publisher: PublisherId },
    /// The answer was current: the pictures flow from now on.
    AttachVideo { channel: ChannelId, publisher: PublisherId },
    /// Take the publication back, if there is one, and keep the rest.
    DropVideo { publisher: PublisherId },
    /// A channel's pictures are not wanted any more. Its route follows.
    StopVideo { channel: ChannelId, publisher: PublisherId },
    /// Take back a publication that no publisher of ours stands for.
    UnpublishOrphan(Sid),
    /// Who gets the channel's messages from now on.
    Route { channel: ChannelRef, reliable: Vec<ClientId>, lossy: bool },
    /// The channel is gone: forget its counters and slot.
    ForgetChannel(ChannelId),
    /// Tell the application.
    Event(Event),
    /// The idle window has passed: leave the room. Always the last of its list.
    Leave,
    /// Run a handler of the application. `held` lives as long as the request's responder.
    Call { client: ClientId, request: RequestId, work: Work, held: Held },
    /// Ask the application whether a viewer may.
    Authorize(Question),
    /// Tell the application who holds control, without waiting for anything.
    Control(ControlEvent),
}

/// What the application is told, in order.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Subscribe(Arc<Client>, ChannelRef),
    Unsubscribe(Arc<Client>, ChannelRef),
    ClientAdvertise(Arc<Client>, Arc<ClientChannel>),
    ClientUnadvertise(Arc<Client>, Arc<ClientChannel>),
    Message(Arc<Client>, Arc<ClientChannel>, ClientMessage),
    /// The first viewer follows the connection graph.
    GraphSubscribe(Arc<Client>),
    /// The last one does no longer.
    GraphUnsubscribe(Arc<Client>),
    /// These parameters have their first subscriber.
    ParametersSubscribe(Vec<String>),
    /// These have lost their last.
    ParametersUnsubscribe(Vec<String>),
}
