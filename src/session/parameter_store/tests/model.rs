//! The store against a map that knows only the rules.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Declare { name: u8, value: Parameter, max: Option<i64>, read_only: bool, deletable: bool },
    Set(u8, Parameter),
    ViewerSets(Vec<(u8, Option<Parameter>)>),
    Remove(u8),
    Get(Vec<u8>),
}

fn value() -> impl Strategy<Value = Parameter> {
    prop_oneof![
        any::<bool>().prop_map(|value| Parameter::new("", ParameterValue::Bool(value))),
        (-10..10i64).prop_map(|value| integer("", value)),
        (-10..10i32).prop_map(|value| float("", f64::from(value) / 2.0)),
        "[a-c]{0,2}".prop_map(|value| text("", &value)),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(|bytes| Parameter::byte_array("", &bytes)),
        prop::collection::vec(-3..3i32, 0..3)
            .prop_map(|values| Parameter::float_array("", &values.iter().map(|n| f64::from(*n)).collect::<Vec<_>>())),
        prop::collection::vec(-3..3i64, 0..3).prop_map(|values| values.into_parameter("")),
    ]
}

fn name() -> impl Strategy<Value = u8> {
    0..4u8
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (name(), value(), prop::option::of(0..5i64), any::<bool>(), any::<bool>())
            .prop_map(|(name, value, max, read_only, deletable)| Step::Declare { name, value, max, read_only, deletable }),
        3 => (name(), value()).prop_map(|(name, value)| Step::Set(name, value)),
        4 => prop::collection::vec((name(), prop::option::weighted(0.8, value())), 0..4).prop_map(Step::ViewerSets),
        1 => name().prop_map(Step::Remove),
        1 => prop::collection::vec(name(), 0..3).prop_map(Step::Get),
    ]
}

fn named(name: u8, value: &Parameter) -> Parameter {
    Parameter { name: format!("/{name}"), ..value.clone() }
}

/// A parameter of the model.
#[derive(Clone)]
struct Known {
    kind: ParameterKind,
    value: Parameter,
    max: Option<i64>,
    read_only: bool,
    deletable: bool,
}

impl Known {
    /// The value as stored, if it may be.
    fn accept(&self, sent: &Parameter) -> Option<Parameter> {
        let number = |value: &ParameterValue| value.as_float();
        let fitted = match (self.kind, ParameterKind::of(sent)?) {
            (ParameterKind::Float, ParameterKind::Integer | ParameterKind::Float) => {
                float(&sent.name, number(sent.value.as_ref()?)?)
            }
            (
                ParameterKind::FloatArray,
                ParameterKind::IntegerArray | ParameterKind::FloatArray | ParameterKind::Array,
            ) => {
                let Some(ParameterValue::Array(values)) = &sent.value else { return None };
                Parameter::float_array(&sent.name, &values.iter().map(number).collect::<Option<Vec<_>>>()?)
            }
            (ParameterKind::IntegerArray, ParameterKind::Array) => sent.clone(),
            (ParameterKind::Array, ParameterKind::Array | ParameterKind::IntegerArray | ParameterKind::FloatArray) => {
                let Some(ParameterValue::Array(values)) = &sent.value else { return None };
                Parameter::new(sent.name.clone(), ParameterValue::Array(values.clone()))
            }
            (kind, sent_kind) if kind == sent_kind => sent.clone(),
            _ => return None,
        };
        let inside =
            |value: &ParameterValue| value.as_float().is_none_or(|v| self.max.is_none_or(|max| v <= max as f64));
        let all = match fitted.value.as_ref()? {
            ParameterValue::Array(values) => values.iter().all(inside),
            value => inside(value),
        };
        all.then_some(fitted)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_store_is_a_map_with_rules(steps in prop::collection::vec(step(), 1..40)) {
        let (store, wire) = attached();
        let observed = Arc::<Mutex<Vec<Parameter>>>::default();
        let mut model: BTreeMap<String, Known> = BTreeMap::new();
        for step in steps {
            wire.take();
            observed.lock().clear();
            let mut changed = Vec::new();
            let mut deleted = Vec::new();
            match step {
                Step::Declare { name, value, max, read_only, deletable } => {
                    let parameter = named(name, &value);
                    let kind = ParameterKind::of(&parameter).unwrap();
                    let into = observed.clone();
                    let options = ParameterOptions {
                        max: max.map(ParameterValue::Integer),
                        read_only,
                        deletable,
                        on_change: Some(Arc::new(move |new: &Parameter| into.lock().push(new.clone()))),
                        ..ParameterOptions::new()
                    };
                    let numbers = matches!(kind, ParameterKind::Integer | ParameterKind::Float
                        | ParameterKind::IntegerArray | ParameterKind::FloatArray);
                    let known = Known { kind, value: parameter.clone(), max, read_only, deletable };
                    let fits = (max.is_none() || numbers) && known.accept(&parameter).is_some();
                    let result = store.declare_as(kind, parameter.clone(), options);
                    match result {
                        Ok(()) => {
                            prop_assert!(fits && !model.contains_key(&parameter.name));
                            model.insert(parameter.name.clone(), known);
                        }
                        Err(error) if error.kind == ErrorKind::Duplicate => {
                            prop_assert!(fits && model.contains_key(&parameter.name));
                        }
                        Err(_) => prop_assert!(!fits),
                    }
                }
                Step::Set(name, value) => {
                    let parameter = named(name, &value);
                    let result = store.set_parameter(parameter.clone());
                    match model.get_mut(&parameter.name) {
                        None => prop_assert_eq!(result.unwrap_err().kind, ErrorKind::NotFound),
                        Some(known) => match known.accept(&parameter) {
                            None => prop_assert_eq!(result.unwrap_err().kind, ErrorKind::InvalidValue),
                            Some(new) => {
                                prop_assert!(result.is_ok());
                                if known.value != new {
                                    known.value = new.clone();
                                    changed.push(new);
                                }
                            }
                        },
                    }
                    let expected: Vec<_> = changed.iter().cloned().map(|new| Out::Published(vec![new])).collect();
                    prop_assert_eq!(wire.take(), expected);
                    prop_assert_eq!(&*observed.lock(), &changed);
                }
                Step::ViewerSets(wanted) => {
                    let message: Vec<_> = wanted.iter().map(|(name, value)| match value {
                        Some(value) => named(*name, value),
                        None => Parameter::unset(format!("/{name}")),
                    }).collect();
                    let names: IndexSet<_> = message.iter().map(|parameter| parameter.name.clone()).collect();
                    for sent in &message {
                        let Some(known) = model.get_mut(&sent.name) else { continue };
                        if known.read_only {
                            continue;
                        }
                        if sent.value.is_none() {
                            if known.deletable {
                                model.remove(&sent.name);
                                deleted.push(sent.name.clone());
                            }
                        } else if let Some(new) = known.accept(sent).filter(|new| *new != known.value) {
                            known.value = new.clone();
                            changed.push(new);
                        }
                    }
                    viewer_sets(&store, &wire, message);
                    let now: Vec<_> = names.iter().filter_map(|name| model.get(name)).map(|k| k.value.clone()).collect();
                    let out = wire.take();
                    prop_assert_eq!(&out[0], &Out::Answer(now));
                    // One update with every parameter that changed and still is there, as it is now.
                    let updated: Vec<_> = changed.iter().filter_map(|new| model.get(&new.name)).map(|k| k.value.clone()).collect();
                    match updated.is_empty() {
                        true => prop_assert_eq!(out.len(), 1),
                        false => {
                            let Out::Published(values) = &out[1] else { panic!("{out:?}") };
                            for value in &updated {
                                prop_assert!(values.contains(value));
                            }
                            prop_assert_eq!(out.len(), 2);
                        }
                    }
                    // Observers see the newest of several values.
                    for name in names.iter().filter(|name| !deleted.contains(name)) {
                        let newest = observed.lock().iter().rev().find(|p| p.name == *name).cloned();
                        if let Some(newest) = newest {
                            prop_assert_eq!(&newest, &model[name].value);
                        }
                    }
                    for name in &deleted {
                        prop_assert!(observed.lock().contains(&Parameter::unset(name.clone())));
                    }
                }
                Step::Remove(name) => {
                    let name = format!("/{name}");
                    prop_assert_eq!(store.remove(&name), model.remove(&name).is_some());
                }
                Step::Get(names) => {
                    let names: IndexSet<_> = names.iter().map(|name| format!("/{name}")).collect();
                    let expected: Vec<_> = if names.is_empty() {
                        model.values().map(|known| known.value.clone()).collect()
                    } else {
                        names.iter().filter_map(|name| model.get(name)).map(|known| known.value.clone()).collect()
                    };
                    let names: Vec<_> = names.iter().map(String::as_str).collect();
                    prop_assert_eq!(viewer_gets(&store, &wire, &names), expected);
                }
            }
            let listed: Vec<_> = store.list().into_iter().map(|info| (info.kind, info.parameter)).collect();
            let known: Vec<_> = model.values().map(|known| (known.kind, known.value.clone())).collect();
            prop_assert_eq!(listed, known);
        }
    }
}
