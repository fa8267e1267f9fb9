//! Parameters of C into those of the core, and back.

use std::collections::BTreeMap;

use super::parameter::{
    telelink_bool_array, telelink_float_array, telelink_integer_array, telelink_parameter, telelink_parameter_array,
    telelink_parameter_data, telelink_parameter_kind, telelink_parameter_value, telelink_parameter_value_array,
    telelink_string_array,
};
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_bytes, telelink_str};
use crate::session::MAX_PARAMETER_DEPTH as MAX_DEPTH;
use crate::session::{Parameter, ParameterKind, ParameterType, ParameterValue};

impl From<ParameterKind> for telelink_parameter_kind {
    fn from(kind: ParameterKind) -> Self {
        match kind {
            ParameterKind::Bool => Self::Bool,
            ParameterKind::Integer => Self::Integer,
            ParameterKind::Float => Self::Float,
            ParameterKind::String => Self::String,
            ParameterKind::Bytes => Self::Bytes,
            ParameterKind::BoolArray => Self::BoolArray,
            ParameterKind::IntegerArray => Self::IntegerArray,
            ParameterKind::FloatArray => Self::FloatArray,
            ParameterKind::StringArray => Self::StringArray,
            ParameterKind::Array => Self::Array,
            ParameterKind::Dict => Self::Dict,
        }
    }
}

/// The kind of a value of C; `None` for unset.
pub(super) fn read_kind(kind: i32, name: &str) -> Result<Option<ParameterKind>, Failure> {
    const KINDS: [ParameterKind; 11] = [
        ParameterKind::Bool,
        ParameterKind::Integer,
        ParameterKind::Float,
        ParameterKind::String,
        ParameterKind::Bytes,
        ParameterKind::BoolArray,
        ParameterKind::IntegerArray,
        ParameterKind::FloatArray,
        ParameterKind::StringArray,
        ParameterKind::Array,
        ParameterKind::Dict,
    ];
    if kind == telelink_parameter_kind::Unset as i32 {
        return Ok(None);
    }
    let found = KINDS.into_iter().find(|known| telelink_parameter_kind::from(*known) as i32 == kind);
    found.map(Some).ok_or_else(|| invalid(format!("{name}: kind is {kind}, which is no telelink_parameter_kind")))
}

fn invalid(text: String) -> Failure {
    Failure::new(telelink_status::InvalidValue, text)
}

/// Owned parameters from an array of C, each of which can be sent.
///
/// # Safety
/// `data` must be NULL or point to `len` parameters; they and what they point to must be readable by their kinds.
pub(super) unsafe fn read_parameters(
    data: *const telelink_parameter,
    len: usize,
    argument: &'static str,
) -> Result<Vec<Parameter>, Failure> {
    // SAFETY: the caller's promise.
    let parameters = unsafe { view::slice(data, len, argument) }?;
    // SAFETY: the caller's promise.
    parameters.iter().map(|parameter| unsafe { read_parameter(parameter, argument) }).collect()
}

/// An owned parameter that can be sent, or has no value.
///
/// # Safety
/// The parameter and what it points to must be readable by its kind.
pub(super) unsafe fn read_parameter(
    parameter: &telelink_parameter,
    argument: &'static str,
) -> Result<Parameter, Failure> {
    // SAFETY: the caller's promise.
    unsafe {
        let name = view::text(parameter.name, argument)?;
        read_value(name, &parameter.value, argument)
    }
}

/// [`read_parameter`] with the name apart.
///
/// # Safety
/// The value and what it points to must be readable by its kind.
pub(super) unsafe fn read_value(
    name: &str,
    value: &telelink_parameter_value,
    argument: &'static str,
) -> Result<Parameter, Failure> {
    let Some(kind) = read_kind(value.kind, name)? else { return Ok(Parameter::unset(name)) };
    let parameter = if kind == ParameterKind::Bytes {
        // SAFETY: the kind says which member is there; the caller's promise for the view.
        Parameter::byte_array(name, unsafe { view::bytes(value.data.bytes, argument) }?)
    } else {
        // SAFETY: the caller's promise.
        let value = unsafe { read_inner(name, kind, value, 0, argument) }?;
        let hint = match kind {
            ParameterKind::Float => Some(ParameterType::Float64),
            ParameterKind::FloatArray => Some(ParameterType::Float64Array),
            _ => None,
        };
        match hint {
            Some(_) => Parameter { name: name.to_owned(), kind: hint, value: Some(value) },
            None => Parameter::new(name, value),
        }
    };
    parameter.check().map_err(|error| invalid(error.to_string()))?;
    Ok(parameter)
}

/// `depth`: number of arrays and dictionaries around the value. Bounded, so that pointers in a circle end too.
unsafe fn read_inner(
    name: &str,
    kind: ParameterKind,
    value: &telelink_parameter_value,
    depth: usize,
    argument: &'static str,
) -> Result<ParameterValue, Failure> {
    if depth > MAX_DEPTH {
        return Err(invalid(format!("{name}: the value is nested more than {MAX_DEPTH} levels deep")));
    }
    let data = &value.data;
    // SAFETY: the kind says which member is there; the caller's promise for what it points to.
    Ok(unsafe {
        match kind {
            // Read as a byte: a bool that C has got wrong would be undefined behaviour here.
            ParameterKind::Bool => ParameterValue::Bool((&raw const data.boolean).cast::<u8>().read() != 0),
            ParameterKind::Integer => ParameterValue::Integer(data.integer),
            ParameterKind::Float => ParameterValue::Float(data.number),
            ParameterKind::String => ParameterValue::String(view::text(data.string, argument)?.to_owned()),
            ParameterKind::Bytes => {
                return Err(invalid(format!("{name}: a byte array cannot stand inside another value")));
            }
            ParameterKind::BoolArray => {
                let bools = view::slice(data.bools.data.cast::<u8>(), data.bools.len, argument)?;
                ParameterValue::Array(bools.iter().map(|byte| ParameterValue::Bool(*byte != 0)).collect())
            }
            ParameterKind::IntegerArray => {
                let integers = view::slice(data.integers.data, data.integers.len, argument)?;
                ParameterValue::Array(integers.iter().copied().map(ParameterValue::Integer).collect())
            }
            ParameterKind::FloatArray => {
                let floats = view::slice(data.floats.data, data.floats.len, argument)?;
                ParameterValue::Array(floats.iter().copied().map(ParameterValue::Float).collect())
            }
            ParameterKind::StringArray => {
                let strings = view::texts(data.strings.data, data.strings.len, argument)?;
                ParameterValue::Array(strings.into_iter().map(ParameterValue::String).collect())
            }
            ParameterKind::Array => {
                let values = view::slice(data.values.data, data.values.len, argument)?;
                let read = |value| read_nested(name, value, depth, argument);
                ParameterValue::Array(values.iter().map(read).collect::<Result<_, _>>()?)
            }
            ParameterKind::Dict => {
                let entries = view::slice(data.entries.data, data.entries.len, argument)?;
                let mut dict = BTreeMap::new();
                for entry in entries {
                    let key = view::text(entry.name, argument)?.to_owned();
                    dict.insert(key, read_nested(name, &entry.value, depth, argument)?);
                }
                ParameterValue::Dict(dict)
            }
        }
    })
}

unsafe fn read_nested(
    name: &str,
    value: &telelink_parameter_value,
    depth: usize,
    argument: &'static str,
) -> Result<ParameterValue, Failure> {
    match read_kind(value.kind, name)? {
        // SAFETY: the caller's promise.
        Some(kind) => unsafe { read_inner(name, kind, value, depth + 1, argument) },
        None => Err(invalid(format!("{name}: a value inside another is unset"))),
    }
}

/// Parameters as C reads them, with all that they point to.
pub(super) struct Tree {
    parameters: Vec<telelink_parameter>,
    /// What the elements point to. Vectors, whose contents stay where they are when the vectors move.
    _kept: Kept,
    /// Texts are shown where they are.
    _source: Vec<Parameter>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<Vec<u8>>,
    bools: Vec<Vec<bool>>,
    integers: Vec<Vec<i64>>,
    floats: Vec<Vec<f64>>,
    strings: Vec<Vec<telelink_str>>,
    values: Vec<Vec<telelink_parameter_value>>,
    entries: Vec<Vec<telelink_parameter>>,
}

impl Tree {
    pub(super) fn new(source: Vec<Parameter>) -> Self {
        let mut kept = Kept::default();
        let show = |parameter: &Parameter| telelink_parameter {
            name: telelink_str::of(&parameter.name),
            value: kept.top(parameter),
        };
        let parameters = source.iter().map(show).collect();
        Self { parameters, _kept: kept, _source: source }
    }

    pub(super) fn parameters(&self) -> &[telelink_parameter] {
        &self.parameters
    }
}

impl Kept {
    fn top(&mut self, parameter: &Parameter) -> telelink_parameter_value {
        let (Some(kind), Some(value)) = (ParameterKind::of(parameter), &parameter.value) else {
            return telelink_parameter_value::UNSET;
        };
        match (kind, value) {
            (ParameterKind::Bytes, _) => {
                // A parameter that was received is base64; one that is not has no bytes to show.
                let bytes = parameter.bytes().and_then(Result::ok).unwrap_or_default();
                self.bytes.push(bytes);
                let bytes = self.bytes.last().map_or(&[][..], Vec::as_slice);
                made(kind, telelink_parameter_data { bytes: telelink_bytes::of(bytes) })
            }
            // Integers under a hint of floats, which only a robot's own handler can make.
            (ParameterKind::Float, value) => {
                made(kind, telelink_parameter_data { number: value.as_float().unwrap_or_default() })
            }
            (ParameterKind::FloatArray, ParameterValue::Array(values)) => self.floats(values),
            (kind, value) => self.value(kind, value),
        }
    }

    fn floats(&mut self, values: &[ParameterValue]) -> telelink_parameter_value {
        let (data, len) = keep(&mut self.floats, values.iter().filter_map(ParameterValue::as_float));
        made(ParameterKind::FloatArray, telelink_parameter_data { floats: telelink_float_array { data, len } })
    }

    fn inner(&mut self, value: &ParameterValue) -> telelink_parameter_value {
        self.value(ParameterKind::of_value(value), value)
    }

    fn value(&mut self, kind: ParameterKind, value: &ParameterValue) -> telelink_parameter_value {
        let data = match value {
            ParameterValue::Bool(boolean) => telelink_parameter_data { boolean: *boolean },
            ParameterValue::Integer(integer) => telelink_parameter_data { integer: *integer },
            ParameterValue::Float(number) => telelink_parameter_data { number: *number },
            ParameterValue::String(text) => telelink_parameter_data { string: telelink_str::of(text) },
            ParameterValue::Dict(dict) => {
                let entries: Vec<_> = dict
                    .iter()
                    .map(|(key, value)| telelink_parameter { name: telelink_str::of(key), value: self.inner(value) })
                    .collect();
                let (data, len) = keep(&mut self.entries, entries);
                telelink_parameter_data { entries: telelink_parameter_array { data, len } }
            }
            ParameterValue::Array(values) => return self.array(kind, values),
        };
        made(kind, data)
    }

    fn array(&mut self, kind: ParameterKind, values: &[ParameterValue]) -> telelink_parameter_value {
        let data = match kind {
            ParameterKind::FloatArray => return self.floats(values),
            ParameterKind::BoolArray => {
                let bools = values.iter().map(|value| matches!(value, ParameterValue::Bool(true)));
                let (data, len) = keep(&mut self.bools, bools);
                telelink_parameter_data { bools: telelink_bool_array { data, len } }
            }
            ParameterKind::IntegerArray => {
                let integers = values.iter().filter_map(|value| match value {
                    ParameterValue::Integer(integer) => Some(*integer),
                    _ => None,
                });
                let (data, len) = keep(&mut self.integers, integers);
                telelink_parameter_data { integers: telelink_integer_array { data, len } }
            }
            ParameterKind::StringArray => {
                let strings = values.iter().filter_map(|value| match value {
                    ParameterValue::String(text) => Some(telelink_str::of(text)),
                    _ => None,
                });
                let (data, len) = keep(&mut self.strings, strings);
                telelink_parameter_data { strings: telelink_string_array { data, len } }
            }
            _ => {
                let values: Vec<_> = values.iter().map(|value| self.inner(value)).collect();
                let (data, len) = keep(&mut self.values, values);
                telelink_parameter_data { values: telelink_parameter_value_array { data, len } }
            }
        };
        made(kind, data)
    }
}

fn made(kind: ParameterKind, data: telelink_parameter_data) -> telelink_parameter_value {
    telelink_parameter_value { kind: telelink_parameter_kind::from(kind) as i32, reserved: 0, data }
}

/// Keeps elements, and says where they are.
fn keep<T>(kept: &mut Vec<Vec<T>>, elements: impl IntoIterator<Item = T>) -> (*const T, usize) {
    let elements: Vec<T> = elements.into_iter().collect();
    let place = (elements.as_ptr(), elements.len());
    kept.push(elements);
    place
}

impl telelink_parameter_value {
    /// A number, or unset.
    pub(super) fn number(value: Option<&ParameterValue>) -> Self {
        match value {
            Some(ParameterValue::Integer(integer)) => {
                made(ParameterKind::Integer, telelink_parameter_data { integer: *integer })
            }
            Some(ParameterValue::Float(number)) => {
                made(ParameterKind::Float, telelink_parameter_data { number: *number })
            }
            _ => Self::UNSET,
        }
    }

    /// A bool or number, which needs no memory of its own.
    pub(super) fn scalar(parameter: &Parameter) -> Option<Self> {
        match &parameter.value {
            Some(ParameterValue::Bool(boolean)) => {
                Some(made(ParameterKind::Bool, telelink_parameter_data { boolean: *boolean }))
            }
            value => Some(Self::number(value.as_ref())).filter(|value| value.kind != Self::UNSET.kind),
        }
    }
}
