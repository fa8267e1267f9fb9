//! Parameters: requests, subscriptions, updates (P-95 to P-105, P-139 to P-142, S-204 to S-215).

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use indexmap::{IndexMap, IndexSet};

use crate::fanout::Slot;
use crate::protocol::{texts, Parameter, Status, StatusLevel, ToViewer};
use crate::session::parameter::ParameterAnswer;
use crate::session::{GetParametersRequest, Listener, ParameterHandler, SetParametersRequest};

use super::requests::{frame_or, Kind, Work};
use super::{Client, ClientId, Core, Effect, Event, Now, SessionCapability};

/// Names one viewer may follow.
const MAX_NAMES: usize = 10_000;
/// Their bytes together.
const MAX_NAME_BYTES: usize = 1 << 20;

/// Who answers parameter requests.
#[derive(Clone)]
pub(crate) enum ParameterSource {
    Handler(Arc<dyn ParameterHandler>),
    /// The listener's own two callbacks (S-208). Weak: the listener is to end with its thread, not with the core.
    Listener(Weak<dyn Listener>),
}

/// Who follows which parameter: an index from names to viewers (S-213c).
#[derive(Default)]
pub(super) struct ParameterSubscriptions {
    by_name: HashMap<String, IndexSet<ClientId>>,
}

/// What one viewer follows.
#[derive(Default)]
pub(super) struct FollowedParameters {
    names: IndexSet<String>,
    bytes: usize,
}

#[cfg(test)]
impl ParameterSubscriptions {
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }
}

#[cfg(test)]
impl FollowedParameters {
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.names.iter()
    }
}

impl Core {
    pub(super) fn get_parameters(&mut self, id: ClientId, names: Vec<String>, request_id: Option<String>, now: Now) {
        let Some((client, slot)) = self.admit_parameters(id) else { return };
        if let Some(source) = self.config.parameters.clone() {
            let request = GetParametersRequest { client, request_id: request_id.clone(), names };
            let (kind, work) = (Kind::Get { id: request_id }, Work::Get { source, request });
            self.start_request(id, slot, (kind, work), self.config.request_timeout, now);
        } else {
            self.got_parameters(id, request_id, ParameterAnswer::Unhandled(Vec::new()), slot);
        }
    }

    pub(super) fn set_parameters(
        &mut self,
        id: ClientId,
        parameters: Vec<Parameter>,
        request_id: Option<String>,
        now: Now,
    ) {
        let Some((client, slot)) = self.admit_parameters(id) else { return };
        if let Some(source) = self.config.parameters.clone() {
            let request = SetParametersRequest { client, request_id: request_id.clone(), parameters };
            let (kind, work) = (Kind::Set { id: request_id }, Work::Set { source, request });
            self.start_request(id, slot, (kind, work), self.config.request_timeout, now);
        } else {
            self.set_parameters_answered(id, request_id, ParameterAnswer::Unhandled(parameters), slot);
        }
    }

    /// Capability and the 32 places that get and set share (P-95, P-97, S-205), or the refusal.
    fn admit_parameters(&mut self, id: ClientId) -> Option<(Client, Slot)> {
        if !self.enabled(SessionCapability::Parameters) {
            self.reply_status(id, StatusLevel::Error, texts::NO_PARAMETERS);
            return None;
        }
        let registration = self.clients.get(&id)?;
        match registration.slots.parameters.take() {
            Some(slot) => Some(((*registration.client).clone(), slot)),
            None => {
                self.reply_status(id, StatusLevel::Error, texts::TOO_MANY_PARAMETER_REQUESTS);
                None
            }
        }
    }

    /// A get was answered: to the one who asked, with its id, also when nothing is left to tell (P-96, S-206).
    pub(super) fn got_parameters(&mut self, client: ClientId, id: Option<String>, answer: ParameterAnswer, slot: Slot) {
        match answer {
            ParameterAnswer::Values(parameters) => self.send_parameters(client, parameters, id, slot),
            ParameterAnswer::Failure(text) => self.parameter_failure(client, &text, slot),
            ParameterAnswer::Dropped => self.parameter_failure(client, texts::PARAMETER_HANDLER_DROPPED, slot),
            ParameterAnswer::Unhandled(_) => self.parameter_failure(client, texts::NO_PARAMETER_HANDLER, slot),
        }
    }

    /// A set was answered: an echo if the request had an id (P-101). What a listener returns, or wants to be passed on,
    /// also goes to the subscribers, after the echo (P-102, S-208).
    pub(super) fn set_parameters_answered(
        &mut self,
        client: ClientId,
        id: Option<String>,
        answer: ParameterAnswer,
        slot: Slot,
    ) {
        match answer {
            ParameterAnswer::Values(parameters) => {
                let publishes = matches!(self.config.parameters, Some(ParameterSource::Listener(_)));
                let publish = publishes.then(|| parameters.clone());
                if id.is_some() {
                    self.send_parameters(client, parameters, id, slot);
                }
                self.publish_parameters(publish.unwrap_or_default());
            }
            ParameterAnswer::Failure(text) => self.parameter_failure(client, &text, slot),
            ParameterAnswer::Dropped => self.parameter_failure(client, texts::PARAMETER_HANDLER_DROPPED, slot),
            ParameterAnswer::Unhandled(wanted) => self.publish_parameters(wanted),
        }
    }

    pub(super) fn parameters_timed_out(&mut self, client: ClientId, slot: Slot) {
        self.parameter_failure(client, texts::PARAMETERS_TIMED_OUT, slot);
    }

    fn parameter_failure(&mut self, client: ClientId, text: &str, slot: Slot) {
        let frame = frame_or(&failure(text.to_owned()), failure);
        self.effects.push(Effect::Answer { client, frame, slot });
    }

    fn send_parameters(&mut self, client: ClientId, mut parameters: Vec<Parameter>, id: Option<String>, slot: Slot) {
        // A get of all names nothing that could have been refused (S-128).
        parameters.retain(|parameter| self.visible_parameter(client, &parameter.name));
        let values = ToViewer::ParameterValues { parameters: sendable(parameters), id };
        self.effects.push(Effect::Answer { client, frame: frame_or(&values, failure), slot });
    }

    pub(super) fn subscribe_parameters(&mut self, id: ClientId, names: Vec<String>) {
        if !self.enabled(SessionCapability::Parameters) {
            return self.reply_status(id, StatusLevel::Error, texts::NO_PARAMETERS_SUBSCRIBE);
        }
        let Some(registration) = self.clients.get_mut(&id) else { return };
        let followed = &mut registration.parameters;
        let mut refused = 0;
        let mut first = Vec::new();
        for name in names {
            if followed.names.contains(&name) {
                continue;
            }
            if followed.names.len() >= MAX_NAMES || followed.bytes + name.len() > MAX_NAME_BYTES {
                refused += 1;
                continue;
            }
            followed.bytes += name.len();
            let subscribers = self.parameters.by_name.entry(name.clone()).or_default();
            if subscribers.is_empty() {
                first.push(name.clone());
            }
            subscribers.insert(id);
            followed.names.insert(name);
        }
        if !first.is_empty() {
            self.event(Event::ParametersSubscribe(first));
        }
        if refused > 0 {
            let text = format!(
                "{refused} parameters were not subscribed: at most {MAX_NAMES} of {MAX_NAME_BYTES} bytes of names can be"
            );
            self.reply_status(id, StatusLevel::Error, text);
        }
    }

    pub(super) fn unsubscribe_parameters(&mut self, id: ClientId, names: &[String]) {
        if !self.enabled(SessionCapability::Parameters) {
            return self.reply_status(id, StatusLevel::Error, texts::NO_PARAMETERS_SUBSCRIBE);
        }
        let Some(registration) = self.clients.get_mut(&id) else { return };
        let mut ended = Vec::new();
        for name in names {
            if registration.parameters.names.swap_remove(name) {
                registration.parameters.bytes -= name.len();
                ended.push(name.clone());
            }
        }
        self.end_parameter_subscriptions(id, ended);
    }

    /// A viewer that leaves ends its subscriptions (S-117).
    pub(super) fn forget_parameters(&mut self, id: ClientId, followed: FollowedParameters) {
        self.end_parameter_subscriptions(id, followed.names.into_iter().collect());
    }

    fn end_parameter_subscriptions(&mut self, id: ClientId, names: Vec<String>) {
        let mut last = Vec::new();
        for name in names {
            let Some(subscribers) = self.parameters.by_name.get_mut(&name) else { continue };
            subscribers.shift_remove(&id);
            if subscribers.is_empty() {
                self.parameters.by_name.remove(&name);
                last.push(name);
            }
        }
        if !last.is_empty() {
            self.event(Event::ParametersUnsubscribe(last));
        }
    }

    /// New values, to those who follow them (P-141, S-212). One frame serves all viewers that follow the same of them.
    pub(super) fn publish_parameters(&mut self, parameters: Vec<Parameter>) {
        // Unset ones are never told (S-213a).
        let parameters: Vec<_> = sendable(parameters).into_iter().filter(|p| p.value.is_some()).collect();
        let mut selections: IndexMap<ClientId, Vec<usize>> = IndexMap::new();
        for (index, parameter) in parameters.iter().enumerate() {
            for client in self.parameters.by_name.get(&parameter.name).into_iter().flatten() {
                selections.entry(*client).or_default().push(index);
            }
        }
        let mut frames: HashMap<Vec<usize>, Option<Bytes>> = HashMap::new();
        for (client, selection) in selections {
            let make = |selection: &Vec<usize>| {
                let parameters = selection.iter().map(|&index| parameters[index].clone()).collect();
                let message = ToViewer::ParameterValues { parameters, id: None };
                message.to_frame().inspect_err(|error| tracing::error!(%error, "parameters could not be sent")).ok()
            };
            if let Some(frame) = frames.entry(selection).or_insert_with_key(make).clone() {
                self.effects.push(Effect::Send { client, frame });
            }
        }
    }
}

fn failure(message: String) -> ToViewer {
    ToViewer::Status(Status { level: StatusLevel::Error, message, id: None })
}

/// Leaves out what has no form on the wire: one bad value must not hide the good ones (P-180).
fn sendable(parameters: Vec<Parameter>) -> Vec<Parameter> {
    let sendable = |parameter: &Parameter| {
        let checked = parameter.check();
        if let Err(error) = &checked {
            tracing::error!(%error, "a parameter cannot be sent and is left out");
        }
        checked.is_ok()
    };
    parameters.into_iter().filter(sendable).collect()
}
