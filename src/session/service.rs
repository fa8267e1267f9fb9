//! Services: what viewers can call (S-193 to S-203).

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::context::Schema;

use super::handlers::HandlerPool;
use super::kept::Kept;
use super::responder::OneShot;
use super::{Client, Error};

/// A message encoding with its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSchema {
    /// Message encoding, for example `json`.
    pub encoding: String,
    /// Schema.
    pub schema: Schema,
}

/// Answers calls. Runs on the session's handler pool and may block; it may also keep the responder and return.
pub type ServiceHandler = Arc<dyn Fn(ServiceRequest, ServiceResponder) + Send + Sync>;

/// A service of the robot.
#[derive(Clone)]
pub struct Service {
    id: u32,
    name: String,
    type_name: String,
    request: Option<MessageSchema>,
    response: Option<MessageSchema>,
    timeout: Option<Duration>,
    handler: ServiceHandler,
}

impl Service {
    /// A service `name` of type `type_name`, without declared schemas. Ids are process-wide, from 1, never reused (P-56).
    pub fn new(
        name: impl Into<String>,
        type_name: impl Into<String>,
        handler: impl Fn(ServiceRequest, ServiceResponder) + Send + Sync + 'static,
    ) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            type_name: type_name.into(),
            request: None,
            response: None,
            timeout: None,
            handler: Arc::new(handler),
        }
    }

    /// Declares the request: calls in another encoding are refused (P-88).
    pub fn request(mut self, schema: MessageSchema) -> Self {
        self.request = Some(schema);
        self
    }

    /// Declares the response: its encoding is the default of answers (P-89).
    pub fn response(mut self, schema: MessageSchema) -> Self {
        self.response = Some(schema);
        self
    }

    /// A call unanswered for so long fails, its slot is free again, and a later answer goes nowhere (S-202). Default:
    /// none; 30 s suit most services.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Id on the wire.
    pub fn id(&self) -> u32 {
        self.id
    }
    /// Name, unique within a session.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Service type name.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }
    /// Declared request.
    pub fn request_schema(&self) -> Option<&MessageSchema> {
        self.request.as_ref()
    }
    /// Declared response.
    pub fn response_schema(&self) -> Option<&MessageSchema> {
        self.response.as_ref()
    }
    /// How long a call may take.
    pub fn call_timeout(&self) -> Option<Duration> {
        self.timeout
    }
    pub(crate) fn handler(&self) -> ServiceHandler {
        self.handler.clone()
    }
    /// The service as a session holds it: its handler is destroyed as [`Kept`] says.
    pub(super) fn kept(mut self, pool: &Arc<HandlerPool>) -> Self {
        let handler = Kept::new(self.handler, pool);
        self.handler = Arc::new(move |request, responder| handler.get()(request, responder));
        self
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// One call of a service.
#[derive(Debug, Clone)]
pub struct ServiceRequest {
    /// Name of the service.
    pub service: String,
    /// Who calls.
    pub client: Client,
    /// Chosen by the viewer; not checked for uniqueness.
    pub call_id: u32,
    /// Encoding of the payload.
    pub encoding: String,
    /// Request bytes.
    pub payload: Bytes,
}

/// The answer of a service call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceAnswer {
    Response {
        encoding: Option<String>,
        payload: Bytes,
    },
    Failure(String),
    /// The responder was dropped unanswered (P-90).
    Dropped,
}

/// Answers one call, once, from any thread, also after the handler returned. Dropped unanswered, the viewer gets an
/// error. Answers to a viewer that has left are dropped.
#[derive(Debug)]
pub struct ServiceResponder(OneShot<ServiceAnswer>);

impl ServiceResponder {
    pub(crate) fn new(sink: impl Fn(ServiceAnswer) + Send + Sync + 'static) -> Self {
        Self(OneShot::new(sink, || ServiceAnswer::Dropped))
    }

    /// Answers with `payload`, in the declared response encoding, else in the request's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyResponded`](super::ErrorKind::AlreadyResponded): the call was answered before.
    pub fn respond(&self, payload: impl Into<Bytes>) -> Result<(), Error> {
        self.0.answer(ServiceAnswer::Response { encoding: None, payload: payload.into() })
    }

    /// Answers with `payload` in an encoding of its own.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn respond_encoded(&self, encoding: impl Into<String>, payload: impl Into<Bytes>) -> Result<(), Error> {
        self.0.answer(ServiceAnswer::Response { encoding: Some(encoding.into()), payload: payload.into() })
    }

    /// Answers with a failure that shows `message` to the viewer.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn fail(&self, message: impl Into<String>) -> Result<(), Error> {
        self.0.answer(ServiceAnswer::Failure(message.into()))
    }
}
