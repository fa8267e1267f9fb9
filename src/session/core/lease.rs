//! The control lease: who holds it, its services, its end (issue 4).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::context::Schema;
use crate::protocol::{texts, FromViewer, ServiceCall, Status, StatusLevel, ToViewer};
use crate::room::Sid;
use crate::session::deadman::ControlEvent;
use crate::session::lease::{
    LeaseRules, CONTROL_STATE, CONTROL_STATUS, HAND_OVER_CONTROL, RELEASE_CONTROL, TAKE_CONTROL,
};
use crate::session::rights::Action;
use crate::session::{ControlLost, MessageSchema, Service};

use super::{Client, ClientId, Core, Effect, Now};

/// Encoding of the lease's services.
const ENCODING: &str = "json";
/// Largest request of theirs, bytes.
const MAX_REQUEST: usize = 4096;
/// Between two statuses for refused messages of one viewer's channel.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(1);

/// What the lease's services do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Take,
    HandOver,
    Release,
    State,
}

/// The lease of a session that has one.
pub(super) struct Lease {
    rules: LeaseRules,
    services: [(Operation, Service); 4],
    held: Option<Held>,
    /// Connections in the room that lost control without giving it up: what they sent under that lease may still be on
    /// its way, and the robot has been told to stop. They act again once they have taken control again.
    lapsed: HashSet<Sid>,
}

struct Held {
    client: Arc<Client>,
    /// The last ping, or when control was taken.
    heartbeat: Instant,
}

/// When a viewer was last told that others hold control, by its channel.
#[derive(Default)]
pub(super) struct Refusals(HashMap<u32, Instant>);

/// The answer of all services of the lease.
#[derive(Serialize)]
struct State<'a> {
    holder: Option<&'a str>,
    you: bool,
    timeout_ms: u64,
}

#[derive(Deserialize)]
struct HandOver {
    identity: String,
}

const LAPSED: &str =
    "You lost control without giving it up; take it again with /telelink/control/take before you go on";

const NO_REQUEST: &str = r#"{"type":"object"}"#;
const HAND_OVER_REQUEST: &str =
    r#"{"type":"object","properties":{"identity":{"type":"string"}},"required":["identity"]}"#;
const STATE_RESPONSE: &str = r#"{"type":"object","properties":{"holder":{"type":["string","null"]},"you":{"type":"boolean"},"timeout_ms":{"type":"integer"}}}"#;

impl Lease {
    pub(super) fn new(rules: LeaseRules) -> Self {
        let service = |operation, name, type_name: &str, request: &'static str| {
            let schema = |name: String, data: &'static str| MessageSchema {
                encoding: ENCODING.into(),
                schema: Schema { name, encoding: "jsonschema".into(), data: Bytes::from_static(data.as_bytes()) },
            };
            // The core answers by itself; the handler is never called.
            let service = Service::new(name, type_name, |_, _| {})
                .request(schema(format!("{type_name}.Request"), request))
                .response(schema("telelink.ControlState".into(), STATE_RESPONSE));
            (operation, service)
        };
        let services = [
            service(Operation::Take, TAKE_CONTROL, "telelink.TakeControl", NO_REQUEST),
            service(Operation::HandOver, HAND_OVER_CONTROL, "telelink.HandOverControl", HAND_OVER_REQUEST),
            service(Operation::Release, RELEASE_CONTROL, "telelink.ReleaseControl", NO_REQUEST),
            service(Operation::State, CONTROL_STATE, "telelink.ControlState", NO_REQUEST),
        ];
        Self { rules, services, held: None, lapsed: HashSet::new() }
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().map(|(_, service)| service)
    }

    fn operation(&self, service_id: u32) -> Option<Operation> {
        self.services.iter().find(|(_, service)| service.id() == service_id).map(|(operation, _)| *operation)
    }

    fn deadline(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.heartbeat + self.rules.timeout)
    }
}

impl Core {
    pub(super) fn lease_deadline(&self) -> Option<Instant> {
        self.lease.as_ref()?.deadline()
    }

    /// Who holds control.
    pub(crate) fn control_holder(&self) -> Option<&Arc<Client>> {
        Some(&self.lease.as_ref()?.held.as_ref()?.client)
    }

    /// Whether only the holder of control may publish there.
    pub(crate) fn publishing_needs_control(&self, topic: &str) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.rules.publish_needs(topic))
    }

    /// Lets a message go on unless another viewer holds the control that it needs. The services of the lease are
    /// answered here.
    pub(super) fn check_control(&mut self, id: ClientId, message: FromViewer, now: Now) {
        let Some(lease) = &self.lease else { return self.dispatch(id, message, now) };
        match &message {
            FromViewer::Ping { .. } => self.heartbeat(id, now.mono),
            FromViewer::ServiceCallRequest(call) => {
                if let Some(operation) = lease.operation(call.service_id) {
                    return self.control(id, operation, call, now);
                }
            }
            _ => {}
        }
        match self.refusal_of_control(id, &message) {
            Some(text) => self.refuse_control(id, &message, text, now),
            None => self.dispatch(id, message, now),
        }
    }

    /// A ping of this viewer was read at that time.
    pub(super) fn heartbeat(&mut self, id: ClientId, at: Instant) {
        if let Some(held) = self.lease.as_mut().and_then(|lease| lease.held.as_mut()) {
            if held.client.id == id {
                held.heartbeat = held.heartbeat.max(at);
            }
        }
    }

    pub(super) fn tick_lease(&mut self, now: Now) {
        if self.lease_deadline().is_some_and(|at| now.mono >= at) {
            self.end_control(ControlLost::Silent);
        }
    }

    /// Why this message is refused, if it is.
    fn refusal_of_control(&self, id: ClientId, message: &FromViewer) -> Option<String> {
        let lease = self.lease.as_ref()?;
        let registration = self.clients.get(&id)?;
        let text = match &lease.held {
            Some(held) if held.client.id == id => return None,
            Some(held) => held_by(&held.client),
            None if lease.lapsed.contains(&registration.client.sid) => LAPSED.into(),
            None => return None,
        };
        let needs = match message {
            FromViewer::MessageData { channel_id, .. } => {
                let channel = registration.channels.get(channel_id)?;
                lease.rules.publish_needs(&channel.topic)
            }
            FromViewer::ServiceCallRequest(call) => lease.rules.call_needs(self.service_name(call.service_id)?),
            FromViewer::SetParameters { parameters, .. } => {
                parameters.iter().any(|parameter| lease.rules.set_needs(&parameter.name))
            }
            _ => false,
        };
        needs.then_some(text)
    }

    fn refuse_control(&mut self, id: ClientId, message: &FromViewer, text: String, now: Now) {
        match message {
            FromViewer::ServiceCallRequest(call) => self.fail_call(id, call, text),
            FromViewer::MessageData { channel_id, .. } => {
                let Some(registration) = self.clients.get_mut(&id) else { return };
                let Refusals(told) = &mut registration.refusals;
                if told.get(channel_id).is_some_and(|last| now.mono < *last + REFUSAL_INTERVAL) {
                    return;
                }
                // Only advertised channels get here, of which there are not many; those that are gone are forgotten.
                told.retain(|channel, _| registration.channels.contains_key(channel));
                told.insert(*channel_id, now.mono);
                self.reply_status(id, StatusLevel::Error, text);
            }
            _ => self.reply_status(id, StatusLevel::Error, text),
        }
    }

    fn control(&mut self, id: ClientId, operation: Operation, call: &ServiceCall, now: Now) {
        if call.encoding != ENCODING {
            return self.fail_call(id, call, texts::UNSUPPORTED_ENCODING);
        }
        if call.payload.len() > MAX_REQUEST {
            return self.fail_call(id, call, format!("The request is longer than {MAX_REQUEST} bytes"));
        }
        let Some(client) = self.client(id).cloned() else { return };
        let done = match operation {
            Operation::Take => self.take_control(&client, now),
            Operation::HandOver => self.hand_over_control(&client, &call.payload, now),
            Operation::Release => self.release_control(&client),
            Operation::State => Ok(()),
        };
        match done {
            Ok(()) => self.answer_state(id, call),
            Err(text) => self.fail_call(id, call, text),
        }
    }

    fn take_control(&mut self, client: &Arc<Client>, now: Now) -> Result<(), String> {
        match self.control_holder() {
            Some(holder) if holder.id == client.id => {}
            Some(holder) => return Err(held_by(holder)),
            None => self.begin_control(client, now),
        }
        Ok(())
    }

    fn release_control(&mut self, client: &Client) -> Result<(), String> {
        self.must_hold(client)?;
        self.end_control(ControlLost::Released);
        Ok(())
    }

    fn hand_over_control(&mut self, client: &Client, request: &[u8], now: Now) -> Result<(), String> {
        self.must_hold(client)?;
        let HandOver { identity } = serde_json::from_slice(request)
            .map_err(|error| format!("The request is not {{\"identity\": …}}: {error}"))?;
        let next = self.clients().find(|next| next.identity.as_str() == identity).cloned();
        let Some(next) = next else { return Err(format!("There is no viewer {identity}")) };
        if next.id == client.id {
            return Ok(());
        }
        // Who may not take control is not given it either.
        if !self.policy_allows(next.id, Action::Call, TAKE_CONTROL) {
            return Err(format!("{identity} may not have control"));
        }
        self.lose_control(ControlLost::HandedOver);
        self.begin_control(&next, now);
        Ok(())
    }

    fn must_hold(&self, client: &Client) -> Result<(), String> {
        match self.control_holder() {
            Some(holder) if holder.id == client.id => Ok(()),
            Some(holder) => Err(held_by(holder)),
            None => Err("You do not have control".into()),
        }
    }

    fn begin_control(&mut self, client: &Arc<Client>, now: Now) {
        let Some(lease) = &mut self.lease else { return };
        tracing::info!(client = %client.id, identity = %client.identity, "control taken");
        lease.held = Some(Held { client: client.clone(), heartbeat: now.mono });
        lease.lapsed.remove(&client.sid);
        // Before the viewers hear of it: the robot is told first.
        self.effects.push(Effect::Control(ControlEvent::Taken(client.clone())));
        self.publish_status(Status {
            level: StatusLevel::Info,
            message: format!("{} has control", client.identity),
            id: Some(CONTROL_STATUS.into()),
        });
    }

    /// Nobody holds control any more.
    fn end_control(&mut self, reason: ControlLost) {
        if self.lose_control(reason) {
            self.remove_status(vec![CONTROL_STATUS.into()]);
        }
    }

    /// Ends the lease of this registration, if it is the one that holds it.
    pub(super) fn end_control_of(&mut self, id: ClientId, reason: ControlLost) {
        if self.control_holder().is_some_and(|holder| holder.id == id) {
            self.end_control(reason);
        }
    }

    /// Takes control away and tells the robot; whether somebody held it.
    fn lose_control(&mut self, reason: ControlLost) -> bool {
        let Some(lease) = &mut self.lease else { return false };
        let Some(held) = lease.held.take() else { return false };
        if matches!(reason, ControlLost::Silent | ControlLost::Reset | ControlLost::RoomLost) {
            lease.lapsed.insert(held.client.sid.clone());
        }
        tracing::info!(client = %held.client.id, identity = %held.client.identity, %reason, "control lost");
        self.effects.push(Effect::Control(ControlEvent::Lost(held.client, reason)));
        true
    }

    /// The robot's room is gone, or every stream in it.
    pub(super) fn end_control_with_room(&mut self) {
        self.end_control(ControlLost::RoomLost);
    }

    /// A connection has left, and nothing more comes of it.
    pub(super) fn forget_lapsed(&mut self, sid: &Sid) {
        if let Some(lease) = &mut self.lease {
            lease.lapsed.remove(sid);
        }
    }

    /// So have all.
    pub(super) fn forget_all_lapsed(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.lapsed.clear();
        }
    }

    fn answer_state(&mut self, id: ClientId, call: &ServiceCall) {
        let Some(lease) = &self.lease else { return };
        let holder = lease.held.as_ref().map(|held| &held.client);
        let state = State {
            holder: holder.map(|holder| holder.identity.as_str()),
            you: holder.is_some_and(|holder| holder.id == id),
            timeout_ms: lease.rules.timeout.as_millis() as u64,
        };
        match serde_json::to_vec(&state) {
            Ok(payload) => {
                let (service_id, call_id) = (call.service_id, call.call_id);
                let answer = ServiceCall { service_id, call_id, encoding: ENCODING.into(), payload: payload.into() };
                self.send(id, &ToViewer::ServiceCallResponse(answer));
            }
            Err(error) => tracing::error!(%error, "the state of control could not be encoded"),
        }
    }
}

fn held_by(holder: &Client) -> String {
    format!(
        "{} has control; it can be taken with {TAKE_CONTROL} once it is free, or handed over with {HAND_OVER_CONTROL}",
        holder.identity
    )
}
