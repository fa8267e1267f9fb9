//! What can happen to a session: the inputs of the core, in one queue (design.md decision 1).

use std::time::{Duration, Instant};

use crate::context::{ChannelId, ChannelRef};
use crate::fanout::ResetCause;
use crate::protocol::{FromViewer, Status};
use crate::room::{Participant, Sid};

use super::channels::ChannelAdded;
use super::requests::{Outcome, RequestId};
use super::rights::QuestionKey;
use super::video::{PublisherId, VideoNews};
use super::{ClientId, ConnectionGraph, Parameter, Service};

/// What can happen to a session.
pub(crate) enum Input {
    /// The room was joined; these participants are in it.
    Joined {
        participants: Vec<Participant>,
    },
    /// The room was left or lost.
    Left,
    /// The transport connected anew under a new SID: every stream is void (S-27).
    Reconnected {
        participants: Vec<Participant>,
    },
    ParticipantConnected(Participant),
    ParticipantActive(Participant),
    ParticipantDisconnected {
        sid: Sid,
    },
    /// A well-formed message of a viewer, read from a stream bound to `sid`.
    Message {
        sid: Sid,
        message: FromViewer,
    },
    /// The last control stream of this connection has ended.
    HungUp {
        sid: Sid,
    },
    /// Something unreadable on a stream bound to `sid` (S-74a).
    Malformed {
        sid: Sid,
        reason: String,
    },
    /// The registration has to be reset; `discarded` frames of its queue were thrown away.
    Reset {
        client: ClientId,
        cause: ResetCause,
        discarded: u64,
    },
    /// Channels came and went, since the last input of this kind.
    Channels {
        added: Vec<ChannelAdded>,
        removed: Vec<ChannelRef>,
    },
    /// A video publication was answered.
    VideoPublished {
        publisher: PublisherId,
        result: Result<Sid, String>,
    },
    /// A full reconnection gave a video track of ours a new SID.
    VideoRenewed {
        previous: Sid,
        sid: Sid,
    },
    /// The server took a video track of ours away.
    VideoLost {
        sid: Sid,
    },
    /// What the conversions had to say since the last input of this kind.
    VideoNews(Vec<VideoNews>),
    /// `dropped` messages of a channel were over the limit of its path.
    Oversize {
        channel: ChannelId,
        dropped: u64,
    },
    /// The services of the options: one that cannot be offered is left out (P-143).
    OfferServices(Vec<Service>),
    /// All or none (S-200).
    AddServices(Vec<Service>),
    RemoveServices(Vec<String>),
    /// The application answered a request.
    Answered {
        request: RequestId,
        outcome: Outcome,
    },
    PublishParameters(Vec<Parameter>),
    PublishStatus(Status),
    RemoveStatus(Vec<String>),
    /// How long the session stays in a room without viewers.
    IdleWindow(Option<Duration>),
    /// The application wants the session to stay: the countdown of the idle window starts anew.
    Stay,
    /// The application's answer to [`Effect::Authorize`], one for each subject that it came to.
    Authorized {
        question: QuestionKey,
        allowed: Vec<bool>,
    },
    /// A ping of this viewer was read at that time, although it may still wait for its turn.
    Heartbeat {
        client: ClientId,
        at: Instant,
    },
    PublishGraph(ConnectionGraph),
    /// A deadline named by [`Core::deadline`] may have passed.
    Tick,
}
