//! Parameters: values of the robot that viewers read, write and follow (S-204 to S-215).

use std::sync::Weak;

use super::responder::OneShot;
use super::{Client, Error};

pub use crate::protocol::parameter::MAX_DEPTH as MAX_PARAMETER_DEPTH;
pub use crate::protocol::{Parameter, ParameterType, ParameterValue};

/// A viewer wants to know values.
#[derive(Debug, Clone)]
pub struct GetParametersRequest {
    /// Who asks.
    pub client: Client,
    /// The viewer's id of the request, if it gave one.
    pub request_id: Option<String>,
    /// Which parameters; empty: all.
    pub names: Vec<String>,
}

/// A viewer wants to change values.
#[derive(Debug, Clone)]
pub struct SetParametersRequest {
    /// Who asks.
    pub client: Client,
    /// The viewer's id of the request, if it gave one. Without it the viewer gets no answer (S-207).
    pub request_id: Option<String>,
    /// The parameters as wanted; one without value is to be deleted (P-183).
    pub parameters: Vec<Parameter>,
}

/// Reads and writes parameters for viewers. Runs on the session's handler pool and may block; the requests of one viewer
/// run one at a time, in their order. A handler may also keep the responder and return.
pub trait ParameterHandler: Send + Sync + 'static {
    /// Answer with the values of the parameters asked for. Unset and unknown ones are left out.
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder);
    /// Apply what can be applied, and answer with the values as they are now. Other viewers learn of it by
    /// [`publish_parameter_values`](crate::gateway::Session::publish_parameter_values) alone (S-207).
    fn set(&self, request: SetParametersRequest, responder: ParameterResponder);
    /// A session begins to use this handler. `publisher` takes values to the viewers that follow them, like
    /// [`publish_parameter_values`](crate::gateway::Session::publish_parameter_values), as long as that session lives.
    fn attach(&self, publisher: Weak<dyn ParameterPublisher>) {
        let _ = publisher;
    }
}

/// Takes values to the viewers of a session that follow them.
pub trait ParameterPublisher: Send + Sync {
    /// Publishes values, in the order of the calls, after what was answered before. Never blocks: of a parameter whose
    /// values come faster than they can be sent, the newest is enough.
    fn publish(&self, parameters: Vec<Parameter>);
}

/// The answer of a parameter request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ParameterAnswer {
    Values(Vec<Parameter>),
    Failure(String),
    /// The responder was dropped unanswered (P-98).
    Dropped,
    /// The listener has no such callback; with what was to be set (S-208).
    Unhandled(Vec<Parameter>),
}

/// Answers one get or set request, once, from any thread, also after the handler returned. Dropped unanswered, the
/// viewer gets an error status. Answers to a viewer that has left are dropped.
#[derive(Debug)]
pub struct ParameterResponder(OneShot<ParameterAnswer>);

impl ParameterResponder {
    pub(crate) fn new(sink: impl Fn(ParameterAnswer) + Send + Sync + 'static) -> Self {
        Self(OneShot::new(sink, || ParameterAnswer::Dropped))
    }

    /// Answers with values. Unset parameters are left out, and so are values that cannot be sent (NaN, infinities), with
    /// an error in the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyResponded`](super::ErrorKind::AlreadyResponded): the request was answered before.
    pub fn respond(&self, parameters: Vec<Parameter>) -> Result<(), Error> {
        self.0.answer(ParameterAnswer::Values(parameters))
    }

    /// Answers with an error status that shows `message` to the viewer.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn fail(&self, message: impl Into<String>) -> Result<(), Error> {
        self.0.answer(ParameterAnswer::Failure(message.into()))
    }

    pub(crate) fn unhandled(&self, parameters: Vec<Parameter>) -> Result<(), Error> {
        self.0.answer(ParameterAnswer::Unhandled(parameters))
    }
}
