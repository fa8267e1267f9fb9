//! Services: the map, the calls in flight (P-87 to P-91, S-193 to S-203).

use bytes::Bytes;
use indexmap::IndexMap;

use crate::fanout::Slot;
use crate::protocol::schema::encode_schema_data;
use crate::protocol::{self, texts, ServiceAdvertisement, ServiceCall, ToViewer};
use crate::session::service::{ServiceAnswer, ServiceRequest};
use crate::session::{lease, ErrorKind, MessageSchema};

use super::advertising::{check_fits, encode_parts, parts};
use super::requests::{frame_or, Kind, Work};
use super::{ClientId, Core, Effect, Error, Now, Service, SessionCapability};

/// The services by id; names are unique (S-193). Survives the loss of a room.
#[derive(Default)]
pub(super) struct ServiceMap {
    by_id: IndexMap<u32, Service>,
}

/// Which call an answer belongs to, and how to encode it.
#[derive(Debug, Clone)]
pub(crate) struct ServiceReply {
    service_id: u32,
    call_id: u32,
    /// Encoding of the answer unless the handler says otherwise (P-89).
    encoding: String,
}

impl ServiceReply {
    /// The answer as a frame. Runs where the answer is given.
    pub(crate) fn encode(&self, answer: ServiceAnswer) -> Bytes {
        let (service_id, call_id) = (self.service_id, self.call_id);
        let message = match answer {
            ServiceAnswer::Response { encoding, payload } => {
                let encoding = encoding.unwrap_or_else(|| self.encoding.clone());
                ToViewer::ServiceCallResponse(ServiceCall { service_id, call_id, encoding, payload })
            }
            ServiceAnswer::Failure(message) => self.failure(message),
            ServiceAnswer::Dropped => self.failure(texts::SERVICE_HANDLER_DROPPED.to_owned()),
        };
        frame_or(&message, |text| self.failure(text))
    }

    pub(super) fn timed_out(&self) -> Bytes {
        self.encode(ServiceAnswer::Failure(texts::SERVICE_TIMED_OUT.to_owned()))
    }

    fn failure(&self, message: String) -> ToViewer {
        ToViewer::ServiceCallFailure { service_id: self.service_id, call_id: self.call_id, message }
    }
}

impl Core {
    pub(super) fn add_services(&mut self, services: Vec<Service>) -> Result<(), Error> {
        if services.is_empty() {
            return Ok(());
        }
        if !self.enabled(SessionCapability::Services) {
            return Err(Error::not_offered("services"));
        }
        // All or nothing (S-200).
        let mut checked = Vec::with_capacity(services.len());
        for service in services {
            let shown = self.check_service(&service, &checked)?;
            checked.push((service, shown));
        }
        self.offer(checked);
        Ok(())
    }

    /// The services of the options, whose names and encodings were checked with them (S-50).
    pub(super) fn offer_services(&mut self, services: Vec<Service>) {
        let mut checked = Vec::with_capacity(services.len());
        for service in services {
            match self.check_service(&service, &checked) {
                Ok(shown) => checked.push((service, shown)),
                Err(error) => tracing::error!(service = service.name(), %error, "the service is left out"),
            }
        }
        self.offer(checked);
    }

    fn check_service(
        &self,
        service: &Service,
        before: &[(Service, ServiceAdvertisement)],
    ) -> Result<ServiceAdvertisement, Error> {
        if self.lease.is_some() {
            lease::check_name(service.name())?;
        }
        if self.services.by_id.values().chain(before.iter().map(|(s, _)| s)).any(|s| s.name() == service.name()) {
            return Err(Error::new(ErrorKind::Duplicate, format!("service {} exists already", service.name())));
        }
        if service.request_schema().is_none() && self.config.info.supported_encodings.is_empty() {
            let text = format!("service {} declares no request encoding and the session supports none", service.name());
            return Err(Error::new(ErrorKind::InvalidValue, text));
        }
        let refused = |text| Error::new(ErrorKind::InvalidValue, text);
        let shown = advertisement(service).map_err(refused)?;
        let alone = ToViewer::AdvertiseServices { services: vec![shown.clone()] };
        check_fits(&alone).map_err(|error| refused(format!("service {}: {error}", service.name())))?;
        Ok(shown)
    }

    fn offer(&mut self, checked: Vec<(Service, ServiceAdvertisement)>) {
        let (services, shown): (Vec<_>, Vec<_>) = checked.into_iter().unzip();
        self.services.by_id.extend(services.into_iter().map(|service| (service.id(), service)));
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        self.show_services(&clients, shown);
    }

    fn show_services(&mut self, clients: &[ClientId], shown: Vec<ServiceAdvertisement>) {
        if clients.is_empty() {
            return;
        }
        let parts = parts(shown.into_iter(), size_of_advertisement);
        let frames = encode_parts(parts.map(|services| ToViewer::AdvertiseServices { services }));
        for &client in clients {
            self.effects.extend(frames.iter().map(|frame| Effect::Send { client, frame: frame.clone() }));
        }
    }

    pub(super) fn remove_services(&mut self, names: &[String]) {
        let mut service_ids = Vec::new();
        self.services.by_id.retain(|id, service| {
            let gone = names.iter().any(|name| name == service.name());
            if gone {
                service_ids.push(*id);
            }
            !gone
        });
        if !service_ids.is_empty() {
            self.broadcast(&ToViewer::UnadvertiseServices { service_ids });
        }
    }

    pub(super) fn advertise_services_to(&mut self, client: ClientId) {
        let own = self.lease.iter().flat_map(|lease| lease.services());
        let services: Vec<_> =
            own.chain(self.services.by_id.values()).filter_map(|service| advertisement(service).ok()).collect();
        self.show_services(&[client], services);
    }

    /// Name of a service, telelink's own included.
    pub(super) fn service_name(&self, id: u32) -> Option<&str> {
        let mut own = self.lease.iter().flat_map(|lease| lease.services());
        self.services.by_id.get(&id).or_else(|| own.find(|service| service.id() == id)).map(Service::name)
    }

    pub(super) fn call_service(&mut self, id: ClientId, call: ServiceCall, now: Now) {
        match self.admit(id, &call) {
            Ok((service, slot)) => {
                let (service_id, call_id) = (call.service_id, call.call_id);
                let Some(registration) = self.clients.get(&id) else { return };
                let encoding = service.response_schema().map_or_else(|| call.encoding.clone(), |r| r.encoding.clone());
                let request = ServiceRequest {
                    service: service.name().to_owned(),
                    client: (*registration.client).clone(),
                    call_id,
                    encoding: call.encoding,
                    payload: call.payload,
                };
                let reply = ServiceReply { service_id, call_id, encoding };
                let work = Work::Service { handler: service.handler(), request, reply: reply.clone() };
                self.start_request(id, slot, (Kind::Service(reply), work), service.call_timeout(), now);
            }
            Err(text) => self.fail_call(id, &call, text),
        }
    }

    /// Refuses a call.
    pub(super) fn fail_call(&mut self, id: ClientId, call: &ServiceCall, text: impl Into<String>) {
        let (service_id, call_id, message) = (call.service_id, call.call_id, text.into());
        self.send(id, &ToViewer::ServiceCallFailure { service_id, call_id, message });
    }

    /// The checks of P-87, in its order.
    fn admit(&self, id: ClientId, call: &ServiceCall) -> Result<(Service, Slot), &'static str> {
        if !self.enabled(SessionCapability::Services) {
            return Err(texts::NO_SERVICES);
        }
        let service = self.services.by_id.get(&call.service_id).ok_or(texts::UNKNOWN_SERVICE)?;
        let known = match service.request_schema() {
            Some(request) => request.encoding == call.encoding,
            None => self.config.info.supported_encodings.contains(&call.encoding),
        };
        if !known {
            return Err(texts::UNSUPPORTED_ENCODING);
        }
        let slot = self.clients.get(&id).and_then(|r| r.slots.services.take());
        Ok((service.clone(), slot.ok_or(texts::TOO_MANY_SERVICE_CALLS)?))
    }
}

/// Roughly, in the frame.
fn size_of_advertisement(shown: &ServiceAdvertisement) -> usize {
    let schemas = shown.request.iter().chain(&shown.response);
    let schemas =
        schemas.map(|m| 128 + m.encoding.len() + m.schema_name.len() + m.schema_encoding.len() + m.schema.len());
    128 + shown.name.len() + shown.type_name.len() + schemas.sum::<usize>()
}

/// The service as the wire shows it, or why it cannot be shown (P-143).
fn advertisement(service: &Service) -> Result<ServiceAdvertisement, String> {
    let schema = |schema: Option<&MessageSchema>| {
        schema
            .map(|m| {
                let named = |error| format!("schema {} of service {}: {error}", m.schema.name, service.name());
                m.schema.check_size().map_err(|error| named(error.to_string()))?;
                let data =
                    encode_schema_data(&m.schema.encoding, &m.schema.data).map_err(|error| named(error.to_string()))?;
                Ok::<_, String>(protocol::MessageSchema {
                    encoding: m.encoding.clone(),
                    schema_name: m.schema.name.clone(),
                    schema_encoding: m.schema.encoding.clone(),
                    schema: data,
                })
            })
            .transpose()
    };
    Ok(ServiceAdvertisement {
        id: service.id(),
        name: service.name().to_owned(),
        type_name: service.type_name().to_owned(),
        request: schema(service.request_schema())?,
        response: schema(service.response_schema())?,
    })
}
