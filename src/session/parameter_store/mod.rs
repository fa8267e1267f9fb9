//! A typed map of parameters that answers viewers by itself.

mod delivery;
mod kind;
mod options;
#[cfg(test)]
mod tests;
mod weight;

use std::collections::btree_map::Entry as Slot;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use indexmap::IndexSet;
use parking_lot::Mutex;

use super::{
    run_callback, Error, ErrorKind, GetParametersRequest, Parameter, ParameterHandler, ParameterPublisher,
    ParameterResponder, SetParametersRequest,
};
use crate::throttle::Throttle;
use delivery::Delivery;
use options::Rules;
use weight::weight;

pub use kind::{ParameterData, ParameterKind};
pub use options::{ParameterNumber, ParameterObserver, ParameterOptions, ParameterValidator};

/// Most parameters of one store.
pub const MAX_PARAMETERS: usize = 16_384;
/// Longest name, bytes.
pub const MAX_NAME: usize = 1024;
/// Largest parameter, bytes of its JSON; a value costs at least 16, a dictionary 320, each of its entries 64.
pub const MAX_VALUE: usize = 1 << 20;
/// Largest sum of all parameters, by the same measure: a viewer that asks for all of them gets one message of at most
/// 16 MiB.
pub const MAX_TOTAL: usize = 12 << 20;
/// Refusals of what viewers want are logged at most so often.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Parameters of a robot: declared with a type and rules, read and changed by the robot and by viewers.
///
/// Given to sessions as their [`parameter_handler`](super::SessionOptions::parameter_handler), it answers their
/// viewers' requests and publishes every change to those who follow the parameter, whoever made it. A viewer that changes
/// a parameter gets its answer first, then, if it follows the parameter, the update (S-212).
///
/// Of what a viewer wants to set, each parameter is decided by itself. One that is unknown, read-only, of the wrong type,
/// out of range or refused by the validator keeps its value: the answer reports what is stored, as for the others, and the
/// reason goes to the robot's log, at most once per second. A viewer deletes a parameter only if that is
/// [`deletable`](ParameterOptions::deletable).
///
/// Thread-safe. Validators and observers are called without any lock of the library, on the thread that sets a value (for
/// viewers, a handler thread of their session), and may use the store themselves. Observers run one at a time, in the
/// order of the changes; while one runs, changes by others are left to its thread, and of several to one parameter the
/// newest is enough. Nothing here waits for a session.
#[derive(Default)]
pub struct ParameterStore {
    state: Mutex<State>,
    delivery: Delivery,
    refused: Mutex<Throttle>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    /// Sum of the entries' weights.
    weight: usize,
    /// Number of the last declaration: a parameter removed and declared again is another one.
    last: u64,
}

struct Entry {
    declaration: u64,
    kind: ParameterKind,
    rules: Arc<Rules>,
    parameter: Arc<Parameter>,
    weight: usize,
}

/// What is known of a declared parameter.
#[derive(Debug, Clone)]
pub struct ParameterInfo {
    /// Name and value now.
    pub parameter: Parameter,
    /// Type.
    pub kind: ParameterKind,
    /// As declared.
    pub options: ParameterOptions,
}

/// Who wants a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Robot,
    Viewer,
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no parameter {name}"))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidValue, text)
}

impl ParameterStore {
    /// An empty store.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Declares a parameter with its first value, which fixes its type. Viewers learn of it when they ask.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Duplicate`]: it is declared. [`ErrorKind::InvalidValue`]: the name is empty or too long, the options do
    /// not go with the type, the value breaks them or has no form on the wire (NaN, infinities), or the store is full.
    pub fn declare<T: ParameterData>(&self, name: &str, value: T, options: ParameterOptions) -> Result<(), Error> {
        self.declare_as(T::KIND, value.into_parameter(name), options)
    }

    /// [`declare`](Self::declare) for a value whose type is known only at run time. An integer will do for a float, an
    /// empty array for every array.
    ///
    /// # Errors
    ///
    /// As [`declare`](Self::declare), also when the value is not of the type, or is missing.
    pub fn declare_as(
        &self,
        kind: ParameterKind,
        parameter: Parameter,
        options: ParameterOptions,
    ) -> Result<(), Error> {
        if parameter.name.is_empty() || parameter.name.len() > MAX_NAME {
            let length = parameter.name.len();
            return Err(invalid(format!("a parameter's name has 1 to {MAX_NAME} bytes, this one {length}")));
        }
        let parameter = fit(kind, parameter)?;
        let name = parameter.name.clone();
        let rules = Arc::new(Rules::new(&name, kind, options)?);
        rules.check(&parameter)?;
        let cost = weigh(&parameter)?;
        let mut state = self.state.lock();
        let (count, total) = (state.entries.len(), state.weight);
        let declaration = state.last + 1;
        match state.entries.entry(name) {
            Slot::Occupied(slot) => {
                Err(Error::new(ErrorKind::Duplicate, format!("the parameter {} is declared already", slot.key())))
            }
            Slot::Vacant(_) if count == MAX_PARAMETERS => {
                Err(invalid(format!("a store has at most {MAX_PARAMETERS} parameters")))
            }
            Slot::Vacant(_) if total + cost > MAX_TOTAL => Err(full()),
            Slot::Vacant(slot) => {
                slot.insert(Entry { declaration, kind, rules, parameter: Arc::new(parameter), weight: cost });
                state.last = declaration;
                state.weight += cost;
                Ok(())
            }
        }
    }

    /// Takes a parameter away: viewers no longer find it. Its observer is not called any more, except for a call that is
    /// running. `false` when there was none.
    pub fn remove(&self, name: &str) -> bool {
        let mut state = self.state.lock();
        let Some(entry) = state.entries.remove(name) else { return false };
        state.weight -= entry.weight;
        let call = self.delivery.forget(entry.declaration);
        drop(state);
        // What belongs to the application is dropped without the lock.
        drop((entry, call));
        true
    }

    /// The value now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`]: it is not declared, or was deleted. [`ErrorKind::InvalidValue`]: it is of another type.
    pub fn get<T: ParameterData>(&self, name: &str) -> Result<T, Error> {
        let (kind, parameter) = {
            let state = self.state.lock();
            let entry = state.entries.get(name).ok_or_else(|| unknown(name))?;
            (entry.kind, entry.parameter.clone())
        };
        let other = || invalid(format!("{name} is {kind}, not {}", T::KIND));
        if kind != T::KIND {
            return Err(other());
        }
        T::from_parameter(&parameter).ok_or_else(other)
    }

    /// Name and value now; `None` when it is not declared.
    pub fn find(&self, name: &str) -> Option<Arc<Parameter>> {
        self.state.lock().entries.get(name).map(|entry| entry.parameter.clone())
    }

    /// Changes a value. The rules of its declaration hold; `read_only` does not bind the robot. A value that is no change
    /// is neither published nor told.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`]: it is not declared. [`ErrorKind::InvalidValue`]: not of its type, against its rules, or
    /// refused by its validator.
    pub fn set<T: ParameterData>(&self, name: &str, value: T) -> Result<(), Error> {
        self.set_parameter(value.into_parameter(name))
    }

    /// [`set`](Self::set) for a value whose type is known only at run time.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); also when it has no value.
    pub fn set_parameter(&self, parameter: Parameter) -> Result<(), Error> {
        let name = parameter.name.clone();
        if self.change(parameter, By::Robot)? {
            self.publish(&[name]);
            self.delivery.call();
        }
        Ok(())
    }

    /// Everything that is declared, by name.
    pub fn list(&self) -> Vec<ParameterInfo> {
        let found: Vec<_> = {
            let state = self.state.lock();
            state.entries.values().map(|e| (e.parameter.clone(), e.kind, e.rules.clone())).collect()
        };
        let info = |(parameter, kind, rules): (Arc<Parameter>, _, Arc<Rules>)| ParameterInfo {
            parameter: Parameter::clone(&parameter),
            kind,
            options: rules.options.clone(),
        };
        found.into_iter().map(info).collect()
    }

    /// Applies one change if it may be; whether the value is another one now.
    fn change(&self, parameter: Parameter, by: By) -> Result<bool, Error> {
        let name = parameter.name.clone();
        let (declaration, kind, rules) = {
            let state = self.state.lock();
            let entry = state.entries.get(&name).ok_or_else(|| unknown(&name))?;
            (entry.declaration, entry.kind, entry.rules.clone())
        };
        if by == By::Viewer && rules.options.read_only {
            return Err(invalid(format!("{name} is read-only")));
        }
        if parameter.value.is_none() {
            return self.delete(&name, declaration, &rules, by);
        }
        let parameter = fit(kind, parameter)?;
        rules.check(&parameter)?;
        let cost = weigh(&parameter)?;
        if let Some(validate) = &rules.options.validate {
            // One that panics has not agreed.
            run_callback("validate", self.delivery.panics(), || validate(&parameter))
                .unwrap_or_else(|| Err("its validator panicked".into()))
                .map_err(|reason| invalid(format!("{name} was refused: {reason}")))?;
        }
        let parameter = Arc::new(parameter);
        let mut state = self.state.lock();
        let total = state.weight;
        // Without the lock it may have been removed, also declared anew: then these rules are not its rules.
        let known = state.entries.get_mut(&name).filter(|entry| entry.declaration == declaration);
        let entry = known.ok_or_else(|| unknown(&name))?;
        if entry.parameter == parameter {
            return Ok(false);
        }
        let total = total - entry.weight + cost;
        if total > MAX_TOTAL {
            return Err(full());
        }
        let old = std::mem::replace(&mut entry.parameter, parameter.clone());
        entry.weight = cost;
        state.weight = total;
        let observer = rules.options.on_change.clone();
        let replaced = observer.and_then(|observer| self.delivery.changed(declaration, observer, parameter));
        drop(state);
        drop((old, replaced));
        Ok(true)
    }

    fn delete(&self, name: &str, declaration: u64, rules: &Arc<Rules>, by: By) -> Result<bool, Error> {
        if by == By::Robot {
            return Err(invalid(format!("{name} cannot be set to nothing; remove it")));
        }
        if !rules.options.deletable {
            return Err(invalid(format!("{name} cannot be deleted")));
        }
        let mut state = self.state.lock();
        let Slot::Occupied(slot) = state.entries.entry(name.to_owned()) else { return Err(unknown(name)) };
        if slot.get().declaration != declaration {
            return Err(unknown(name));
        }
        let entry = slot.remove();
        state.weight -= entry.weight;
        let observer = rules.options.on_change.clone();
        let unset = Arc::new(Parameter::unset(name));
        let replaced = observer.and_then(|observer| self.delivery.changed(declaration, observer, unset));
        drop(state);
        drop((entry, replaced));
        Ok(true)
    }

    /// Publishes the values that these have now; newer ones than those that were set, perhaps, never older.
    fn publish(&self, names: &[String]) {
        if !names.is_empty() {
            self.delivery.publish(|| self.values(names.iter().map(String::as_str)));
        }
    }

    /// Those of these parameters that are declared.
    fn values<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Parameter> {
        let found: Vec<_> = {
            let state = self.state.lock();
            names.into_iter().filter_map(|name| state.entries.get(name)).map(|entry| entry.parameter.clone()).collect()
        };
        found.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    fn all(&self) -> Vec<Parameter> {
        let found: Vec<_> = self.state.lock().entries.values().map(|entry| entry.parameter.clone()).collect();
        found.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    fn report(&self, client: &super::Client, refusals: &[Error]) {
        let Some(first) = refusals.first() else { return };
        let Some(count) = self.refused.lock().pass(refusals.len() as u64, REPORT_EVERY, Instant::now()) else { return };
        tracing::warn!(client = %client.id, identity = %client.identity, count, "a viewer's parameter was refused: {first}");
    }
}

fn fit(kind: ParameterKind, parameter: Parameter) -> Result<Parameter, Error> {
    parameter.check().map_err(|error| invalid(error.to_string()))?;
    let Some(sent) = ParameterKind::of(&parameter) else {
        return Err(invalid(format!("{} is {kind}; there is no value", parameter.name)));
    };
    let name = parameter.name.clone();
    kind.fit(parameter).ok_or_else(|| invalid(format!("{name} is {kind}, not {sent}")))
}

fn weigh(parameter: &Parameter) -> Result<usize, Error> {
    let weight = weight(parameter);
    if weight > MAX_VALUE {
        return Err(invalid(format!("{} is larger than {MAX_VALUE} bytes", parameter.name)));
    }
    Ok(weight)
}

fn full() -> Error {
    invalid(format!("the store is full: its parameters would take more than {MAX_TOTAL} bytes"))
}

/// What viewers ask of the store; the session calls it.
impl ParameterHandler for ParameterStore {
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder) {
        let values = if request.names.is_empty() {
            self.all()
        } else {
            // Each once: a hostile request could name one large parameter a million times.
            let names: IndexSet<&str> = request.names.iter().map(String::as_str).collect();
            self.values(names)
        };
        // The first answer of its responder.
        let _ = responder.respond(values);
    }

    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        let mut names = IndexSet::new();
        let mut changed = Vec::new();
        let mut refusals = Vec::new();
        for parameter in request.parameters {
            let name = parameter.name.clone();
            match self.change(parameter, By::Viewer) {
                Ok(true) => changed.push(name.clone()),
                Ok(false) => {}
                // One message can hold a million of them.
                Err(error) if refusals.len() < 16 => refusals.push(error),
                Err(_) => {}
            }
            names.insert(name);
        }
        self.report(&request.client, &refusals);
        let _ = responder.respond(self.values(names.iter().map(String::as_str)));
        self.publish(&changed);
        self.delivery.call();
    }

    fn attach(&self, publisher: Weak<dyn ParameterPublisher>) {
        self.delivery.attach(publisher);
    }
}

impl fmt::Debug for ParameterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterStore").field("parameters", &self.state.lock().entries.len()).finish_non_exhaustive()
    }
}
