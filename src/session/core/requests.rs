//! Requests that the application answers: admission, deadlines, and the way of an answer to its viewer (P-186, S-196,
//! S-202, S-215, S-217).

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::fanout::{Admission, ByteAdmission, Slot};
use crate::protocol::{texts, Parameter, ParameterValue, StatusLevel, ToViewer};
use crate::session::asset::AssetAnswer;
use crate::session::parameter::ParameterAnswer;
use crate::session::service::ServiceAnswer;
use crate::session::{AssetHandler, AssetRequest, GetParametersRequest, SetParametersRequest};

use super::assets::AssetReply;
use super::parameters::ParameterSource;
use super::services::ServiceReply;
use super::{ClientId, Core, Effect, Now, ServiceHandler, ServiceRequest};

/// Requests of one kind that one viewer may have open (P-186).
const MAX_OPEN: usize = 32;
/// Bytes of the requests of one viewer whose responders the application still has; one larger request passes alone.
const MAX_OPEN_BYTES: usize = 32 << 20;

/// One request in progress; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RequestId(u64);

/// The places of one viewer, apart for each kind.
pub(super) struct Slots {
    pub(super) services: Admission,
    pub(super) assets: Admission,
    pub(super) parameters: Admission,
    bytes: ByteAdmission,
}

impl Default for Slots {
    fn default() -> Self {
        let places = || Admission::new(MAX_OPEN);
        Self { services: places(), assets: places(), parameters: places(), bytes: ByteAdmission::new(MAX_OPEN_BYTES) }
    }
}

/// Work for the handler pool.
pub(crate) enum Work {
    Service { handler: ServiceHandler, request: ServiceRequest, reply: ServiceReply },
    Asset { handler: AssetHandler, request: AssetRequest, reply: AssetReply },
    Get { source: ParameterSource, request: GetParametersRequest },
    Set { source: ParameterSource, request: SetParametersRequest },
}

impl Work {
    /// Memory that the request takes, roughly.
    fn weight(&self) -> usize {
        match self {
            Self::Service { request, .. } => request.payload.len() + request.encoding.len(),
            Self::Asset { request, .. } => request.uri.len(),
            Self::Get { request, .. } => request.names.iter().map(|name| size_of::<String>() + name.len()).sum(),
            Self::Set { request, .. } => request.parameters.iter().map(weight_of).sum(),
        }
    }
}

fn weight_of(parameter: &Parameter) -> usize {
    size_of::<Parameter>() + parameter.name.len() + parameter.value.as_ref().map_or(0, weight_of_value)
}

fn weight_of_value(value: &ParameterValue) -> usize {
    let inside = match value {
        ParameterValue::String(text) => text.len(),
        ParameterValue::Array(values) => values.iter().map(weight_of_value).sum(),
        // The nodes of a map are at least half full.
        ParameterValue::Dict(map) => {
            map.iter().map(|(key, value)| 2 * size_of::<String>() + key.len() + 2 * weight_of_value(value)).sum()
        }
        ParameterValue::Integer(_) | ParameterValue::Float(_) | ParameterValue::Bool(_) => 0,
    };
    size_of::<ParameterValue>() + inside
}

/// What the application made of a request. Large answers become frames where they are given, off the owner task.
pub(crate) enum Outcome {
    Frame(Bytes),
    Parameters(ParameterAnswer),
}

/// What the answer of a request in progress looks like.
pub(super) enum Kind {
    Service(ServiceReply),
    Asset(AssetReply),
    Get { id: Option<String> },
    Set { id: Option<String> },
}

struct Open {
    client: ClientId,
    kind: Kind,
    slot: Slot,
    deadline: Option<Instant>,
}

/// The requests of all viewers in progress.
#[derive(Default)]
pub(super) struct Requests {
    last: u64,
    open: HashMap<RequestId, Open>,
    deadlines: BTreeSet<(Instant, RequestId)>,
}

impl Requests {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn close(&mut self, request: RequestId) -> Option<Open> {
        let open = self.open.remove(&request)?;
        if let Some(at) = open.deadline {
            self.deadlines.remove(&(at, request));
        }
        Some(open)
    }

    /// A viewer has left: nobody waits for its answers.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.open.retain(|_, open| open.client != client);
        let open = &self.open;
        self.deadlines.retain(|(_, request)| open.contains_key(request));
    }
}

impl Core {
    /// Hands an admitted request to the application.
    pub(super) fn start_request(
        &mut self,
        client: ClientId,
        slot: Slot,
        (kind, work): (Kind, Work),
        timeout: Option<Duration>,
        now: Now,
    ) {
        let held = self.clients.get(&client).and_then(|r| r.slots.bytes.take(work.weight()));
        let Some(held) = held else { return self.refuse_request(client, kind, slot) };
        self.requests.last += 1;
        let request = RequestId(self.requests.last);
        // A time-out too large for the clock is none.
        let deadline = timeout.and_then(|timeout| now.mono.checked_add(timeout));
        if let Some(at) = deadline {
            self.requests.deadlines.insert((at, request));
        }
        self.requests.open.insert(request, Open { client, kind, slot, deadline });
        self.effects.push(Effect::Call { client, request, work, held });
    }

    /// The viewer's requests hold too many bytes: as when they are too many.
    fn refuse_request(&mut self, client: ClientId, kind: Kind, slot: Slot) {
        let frame = match kind {
            Kind::Service(reply) => reply.encode(ServiceAnswer::Failure(texts::TOO_MANY_SERVICE_CALLS.to_owned())),
            Kind::Asset(reply) => reply.encode(AssetAnswer::Failure(texts::TOO_MANY_ASSET_REQUESTS.to_owned())),
            Kind::Get { .. } | Kind::Set { .. } => {
                return self.reply_status(client, StatusLevel::Error, texts::TOO_MANY_PARAMETER_REQUESTS);
            }
        };
        self.effects.push(Effect::Answer { client, frame, slot });
    }

    pub(super) fn answered(&mut self, request: RequestId, outcome: Outcome) {
        // The viewer may have left or been registered anew, or the request timed out: nobody waits for this answer (P-91).
        let Some(Open { client, kind, slot, .. }) = self.requests.close(request) else {
            return tracing::debug!("an answer that nobody waits for was dropped");
        };
        match (kind, outcome) {
            (Kind::Service(_) | Kind::Asset(_), Outcome::Frame(frame)) => {
                self.effects.push(Effect::Answer { client, frame, slot });
            }
            (Kind::Get { id }, Outcome::Parameters(answer)) => self.got_parameters(client, id, answer, slot),
            (Kind::Set { id }, Outcome::Parameters(answer)) => self.set_parameters_answered(client, id, answer, slot),
            _ => tracing::error!("an answer does not fit its request"),
        }
    }

    /// Answers the requests whose time is up; their slots are free again, and later answers go nowhere (S-202, S-215).
    pub(super) fn tick_requests(&mut self, now: Now) {
        while let Some(&(at, request)) = self.requests.deadlines.first() {
            if now.mono < at {
                break;
            }
            let Some(Open { client, kind, slot, .. }) = self.requests.close(request) else { break };
            tracing::warn!(%client, "a handler did not answer in time");
            match kind {
                Kind::Service(reply) => {
                    self.effects.push(Effect::Answer { client, frame: reply.timed_out(), slot });
                }
                Kind::Asset(reply) => {
                    self.effects.push(Effect::Answer { client, frame: reply.timed_out(), slot });
                }
                Kind::Get { .. } | Kind::Set { .. } => self.parameters_timed_out(client, slot),
            }
        }
    }
}

/// A frame that always exists: the message, or if that cannot be sent, the failure that says so (P-33).
pub(super) fn frame_or(message: &ToViewer, failure: impl FnOnce(String) -> ToViewer) -> Bytes {
    message.to_frame().or_else(|error| failure(format!("Internal server error: {error}")).to_frame()).unwrap_or_else(
        |error| {
            tracing::error!(%error, "not even the failure of a request could be encoded");
            Bytes::new()
        },
    )
}
