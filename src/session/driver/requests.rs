//! Requests of viewers on their way to the application, and its answers on their way back.

use bytes::Bytes;

use crate::fanout::{Held, Push, Slot};
use crate::session::asset::AssetResponder;
use crate::session::core::{Outcome, ParameterSource, RequestId, Work};
use crate::session::handlers::{Job, Lane};
use crate::session::parameter::ParameterResponder;
use crate::session::service::ServiceResponder;
use crate::session::{ClientId, GetParametersRequest, SetParametersRequest};

use super::Driver;

impl Driver {
    /// Runs a request on the handler pool.
    pub(super) fn run_request(&self, client: ClientId, id: RequestId, work: Work, held: Held) {
        let inputs = self.shared.inputs.clone();
        // Owned by the responder, which lives as long as anybody can answer.
        let answered = move |outcome| {
            let _held = &held;
            inputs.answered(id, outcome);
        };
        let (lane, job): (Lane, Job) = match work {
            Work::Service { handler, request, reply } => {
                let answer = move |answer| answered(Outcome::Frame(reply.encode(answer)));
                let responder = ServiceResponder::new(answer);
                (Lane::Parallel, Box::new(move || handler(request, responder)))
            }
            Work::Asset { handler, request, reply } => {
                let answer = move |answer| answered(Outcome::Frame(reply.encode(answer)));
                let responder = AssetResponder::new(answer);
                (Lane::Parallel, Box::new(move || handler(request, responder)))
            }
            Work::Get { source, request } => {
                let answer = move |answer| answered(Outcome::Parameters(answer));
                let responder = ParameterResponder::new(answer);
                (Lane::InOrder, Box::new(move || get(&source, request, responder)))
            }
            Work::Set { source, request } => {
                let answer = move |answer| answered(Outcome::Parameters(answer));
                let responder = ParameterResponder::new(answer);
                (Lane::InOrder, Box::new(move || set(&source, request, responder)))
            }
        };
        self.shared.pool.submit(client, lane, job);
    }

    /// Queues an answer. While one waits for room, no further request of that viewer is run: its answers wait in memory.
    pub(super) fn answer(&mut self, client: ClientId, frame: Bytes, slot: Slot) {
        let Some(viewer) = self.viewers.get(&client) else { return };
        if viewer.queue.push_answer(frame, Some(slot)) == Push::Parked && !self.paused.contains(&client) {
            self.shared.pool.pause(client);
            self.paused.push(client);
        }
    }
}

fn get(source: &ParameterSource, request: GetParametersRequest, responder: ParameterResponder) {
    match source {
        ParameterSource::Handler(handler) => handler.get(request, responder),
        ParameterSource::Listener(listener) => {
            let GetParametersRequest { client, request_id, names } = request;
            let values = listener.upgrade().and_then(|l| l.on_get_parameters(&client, &names, request_id.as_deref()));
            // The responder is new: it cannot have been answered before.
            let _ = match values {
                Some(values) => responder.respond(values),
                None => responder.unhandled(Vec::new()),
            };
        }
    }
}

fn set(source: &ParameterSource, request: SetParametersRequest, responder: ParameterResponder) {
    match source {
        ParameterSource::Handler(handler) => handler.set(request, responder),
        ParameterSource::Listener(listener) => {
            let SetParametersRequest { client, request_id, parameters } = request;
            let values =
                listener.upgrade().and_then(|l| l.on_set_parameters(&client, &parameters, request_id.as_deref()));
            let _ = match values {
                Some(values) => responder.respond(values),
                None => responder.unhandled(parameters),
            };
        }
    }
}
