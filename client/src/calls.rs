//! Questions to the robot and their answers.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use telelink::protocol::{FromViewer, Parameter, ServiceCall, ToViewer};
use tokio::sync::oneshot;
use tokio::time::{timeout, Instant};

use crate::error::ViewerError;
use crate::shared::{encode, Shared};
use crate::viewer::Viewer;

/// Questions that may be open at one time.
const MAX_OPEN: usize = 65_536;

/// The answer to a service call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReply {
    /// Encoding of the payload.
    pub encoding: String,
    /// Response bytes.
    pub payload: Bytes,
}

/// The answer to a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtt {
    /// From the moment the ping was queued to the moment the pong was read.
    pub round_trip: Duration,
    /// The robot's clock, milliseconds since the Unix epoch.
    pub device_time_ms: u64,
}

/// By what an answer names its question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Service { service_id: u32, call_id: u32 },
    Asset(u32),
    Parameters(String),
    Ping([u8; 8]),
}

enum Answer {
    Service(Result<ServiceReply, String>),
    Asset(Result<Bytes, String>),
    Parameters(Vec<Parameter>),
    Pong { device_time_ms: u64, at: Instant },
}

#[derive(Default)]
pub(crate) struct Calls {
    last_id: u32,
    last_ping: u64,
    open: HashMap<Key, oneshot::Sender<Answer>>,
}

impl Calls {
    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    /// Hands an answer to whoever waits for it; whether anybody did.
    pub(crate) fn resolve(&mut self, message: &ToViewer) -> bool {
        let (key, answer) = match message {
            ToViewer::ServiceCallResponse(call) => {
                let reply = ServiceReply { encoding: call.encoding.clone(), payload: call.payload.clone() };
                let key = Key::Service { service_id: call.service_id, call_id: call.call_id };
                (key, Answer::Service(Ok(reply)))
            }
            ToViewer::ServiceCallFailure { service_id, call_id, message } => {
                let key = Key::Service { service_id: *service_id, call_id: *call_id };
                (key, Answer::Service(Err(message.clone())))
            }
            ToViewer::FetchAssetResponse(response) => {
                (Key::Asset(response.request_id), Answer::Asset(response.result.clone()))
            }
            ToViewer::ParameterValues { parameters, id: Some(id) } => {
                (Key::Parameters(id.clone()), Answer::Parameters(parameters.clone()))
            }
            ToViewer::Pong { app_timestamp, device_timestamp_ms } => {
                let answer = Answer::Pong { device_time_ms: *device_timestamp_ms, at: Instant::now() };
                (Key::Ping(*app_timestamp), answer)
            }
            _ => return false,
        };
        // Who asked may have given up in this moment: the answer was expected all the same.
        self.open.remove(&key).map(|waiting| waiting.send(answer)).is_some()
    }

    /// The session is over: everybody who waits is told.
    pub(crate) fn fail_all(&mut self) {
        self.open.clear();
    }
}

/// An open question; closed when it is dropped, so that a caller who gives up leaves nothing behind.
struct Open<'a> {
    shared: &'a Shared,
    key: Key,
    answer: oneshot::Receiver<Answer>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.inner.lock().calls.open.remove(&self.key);
    }
}

impl Viewer {
    async fn ask(
        &self,
        what: &str,
        limit: Duration,
        question: impl FnOnce(&mut Calls) -> (Key, FromViewer),
    ) -> Result<Answer, ViewerError> {
        let (mut open, outbox, frame) = {
            let mut inner = self.shared.inner.lock();
            let outbox = inner.outbox()?.clone();
            if inner.calls.open.len() >= MAX_OPEN {
                return Err(ViewerError::TooManyRequests(MAX_OPEN));
            }
            let (key, message) = question(&mut inner.calls);
            let frame = encode(&message)?;
            let (tx, answer) = oneshot::channel();
            inner.calls.open.insert(key.clone(), tx);
            (Open { shared: &self.shared, key, answer }, outbox, frame)
        };
        let asking = async {
            outbox.push_waiting(frame).await?;
            match (&mut open.answer).await {
                Ok(answer) => Ok(answer),
                Err(_) if self.shared.inner.lock().closed => Err(ViewerError::Closed),
                Err(_) => Err(ViewerError::SessionEnded),
            }
        };
        match timeout(limit, asking).await {
            Ok(result) => result,
            Err(_) => Err(ViewerError::Timeout(what.to_owned())),
        }
    }

    /// Measures the round trip to the robot through both control streams, and acknowledges the pong (P-139).
    ///
    /// As the robot reads a stream in order, everything sent before has been acted on when this returns.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`], or that there is no session or it ended.
    pub async fn ping(&self, limit: Duration) -> Result<Rtt, ViewerError> {
        let now_ms = (self.shared.options.clock)() / 1_000_000;
        let sent = Instant::now();
        let answer = self.ask("a pong", limit, |calls| {
            // Distinct, so that the pong names its ping.
            calls.last_ping = now_ms.max(calls.last_ping.wrapping_add(1));
            let app_timestamp = calls.last_ping.to_le_bytes();
            (Key::Ping(app_timestamp), FromViewer::Ping { app_timestamp })
        });
        match answer.await? {
            Answer::Pong { device_time_ms, at } => Ok(Rtt { round_trip: at - sent, device_time_ms }),
            _ => Err(ViewerError::SessionEnded),
        }
    }

    /// Calls a service by its name.
    ///
    /// # Errors
    ///
    /// [`ViewerError::NoSuchService`], [`ViewerError::Declined`] with the robot's text (P-87, P-90), [`ViewerError::Timeout`], or that
    /// there is no session or it ended.
    pub async fn call_service(
        &self,
        name: &str,
        encoding: &str,
        payload: impl Into<Bytes>,
        limit: Duration,
    ) -> Result<ServiceReply, ViewerError> {
        let service_id = {
            let inner = self.shared.inner.lock();
            inner.outbox()?;
            let found = inner.picture.services().values().find(|service| service.name == name);
            found.map(|service| service.id).ok_or_else(|| ViewerError::NoSuchService(name.to_owned()))?
        };
        self.call_service_id(service_id, encoding, payload, limit).await
    }

    /// Calls a service by its id, advertised or not.
    ///
    /// # Errors
    ///
    /// As [`call_service`](Self::call_service).
    pub async fn call_service_id(
        &self,
        service_id: u32,
        encoding: &str,
        payload: impl Into<Bytes>,
        limit: Duration,
    ) -> Result<ServiceReply, ViewerError> {
        let (encoding, payload) = (encoding.to_owned(), payload.into());
        let answer = self.ask("the answer of a service", limit, |calls| {
            let call_id = calls.next_id();
            let call = ServiceCall { service_id, call_id, encoding, payload };
            (Key::Service { service_id, call_id }, FromViewer::ServiceCallRequest(call))
        });
        match answer.await? {
            Answer::Service(result) => result.map_err(ViewerError::Declined),
            _ => Err(ViewerError::SessionEnded),
        }
    }

    /// Fetches an asset. A robot without the capability answers with a status, not to the request (P-108): that is a time-out here.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Declined`] with the robot's text, [`ViewerError::Timeout`], or that there is no session or it ended.
    pub async fn fetch_asset(&self, uri: &str, limit: Duration) -> Result<Bytes, ViewerError> {
        let uri = uri.to_owned();
        let answer = self.ask("an asset", limit, |calls| {
            let request_id = calls.next_id();
            (Key::Asset(request_id), FromViewer::FetchAsset { request_id, uri })
        });
        match answer.await? {
            Answer::Asset(result) => result.map_err(ViewerError::Declined),
            _ => Err(ViewerError::SessionEnded),
        }
    }

    /// Gets parameters; no names: all of them (P-95, P-96).
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`], also when the robot declined with a status (P-97), or that there is no session or it ended.
    pub async fn get_parameters(&self, names: &[&str], limit: Duration) -> Result<Vec<Parameter>, ViewerError> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.ask_parameters(limit, |id| FromViewer::GetParameters { names, id: Some(id) }).await
    }

    /// Sets parameters, or unsets those without a value; returns what the robot reports (P-101).
    ///
    /// # Errors
    ///
    /// As [`get_parameters`](Self::get_parameters).
    pub async fn set_parameters(
        &self,
        parameters: Vec<Parameter>,
        limit: Duration,
    ) -> Result<Vec<Parameter>, ViewerError> {
        self.ask_parameters(limit, |id| FromViewer::SetParameters { parameters, id: Some(id) }).await
    }

    async fn ask_parameters(
        &self,
        limit: Duration,
        message: impl FnOnce(String) -> FromViewer,
    ) -> Result<Vec<Parameter>, ViewerError> {
        let answer = self.ask("parameter values", limit, |calls| {
            let id = format!("viewer-{}", calls.next_id());
            (Key::Parameters(id.clone()), message(id))
        });
        match answer.await? {
            Answer::Parameters(parameters) => Ok(parameters),
            _ => Err(ViewerError::SessionEnded),
        }
    }
}
