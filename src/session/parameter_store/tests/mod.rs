//! The store by itself, with viewers played by the tests.

mod calls;
mod model;
mod values;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::*;
use crate::room::{Identity, Sid};
use crate::session::parameter::ParameterAnswer;
use crate::session::{Client, ClientId, ParameterType, ParameterValue};

/// What went out, in order: answers to viewers and publications.
#[derive(Debug, Clone, PartialEq)]
enum Out {
    Answer(Vec<Parameter>),
    Failed,
    Published(Vec<Parameter>),
}

#[derive(Default)]
struct Wire {
    out: Mutex<Vec<Out>>,
}

impl ParameterPublisher for Wire {
    fn publish(&self, parameters: Vec<Parameter>) {
        self.out.lock().push(Out::Published(parameters));
    }
}

impl Wire {
    fn take(&self) -> Vec<Out> {
        std::mem::take(&mut self.out.lock())
    }
}

/// A store with one session.
fn attached() -> (Arc<ParameterStore>, Arc<Wire>) {
    let store = ParameterStore::new();
    let wire = Arc::<Wire>::default();
    let weak: Weak<Wire> = Arc::downgrade(&wire);
    store.attach(weak);
    (store, wire)
}

fn client() -> Client {
    Client {
        id: ClientId(1),
        identity: Identity::from("operator"),
        sid: Sid::from("PA_1"),
        name: String::new(),
        attributes: BTreeMap::new(),
        joined_at_ms: 0,
    }
}

fn responder(wire: &Arc<Wire>) -> ParameterResponder {
    let wire = wire.clone();
    ParameterResponder::new(move |answer| {
        wire.out.lock().push(match answer {
            ParameterAnswer::Values(values) => Out::Answer(values),
            _ => Out::Failed,
        });
    })
}

fn viewer_sets(store: &ParameterStore, wire: &Arc<Wire>, parameters: Vec<Parameter>) {
    let request = SetParametersRequest { client: client(), request_id: Some("1".into()), parameters };
    ParameterHandler::set(store, request, responder(wire));
}

fn viewer_gets(store: &ParameterStore, wire: &Arc<Wire>, names: &[&str]) -> Vec<Parameter> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    let request = GetParametersRequest { client: client(), request_id: None, names };
    ParameterHandler::get(store, request, responder(wire));
    match wire.take().pop() {
        Some(Out::Answer(values)) => values,
        other => panic!("no answer: {other:?}"),
    }
}

fn float(name: &str, value: f64) -> Parameter {
    Parameter::new(name, ParameterValue::Float(value))
}

fn integer(name: &str, value: i64) -> Parameter {
    Parameter::new(name, ParameterValue::Integer(value))
}

fn text(name: &str, value: &str) -> Parameter {
    Parameter::new(name, ParameterValue::String(value.into()))
}

fn refusal(result: Result<(), Error>) -> String {
    let error = result.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::InvalidValue);
    error.message
}
