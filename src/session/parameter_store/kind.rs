//! The type of a declared parameter: what it holds from its declaration to its end.

use std::collections::BTreeMap;
use std::fmt;

use crate::session::{Parameter, ParameterType, ParameterValue};

/// Type of a parameter. The protocol itself knows fewer: it cannot tell the type of an empty array that is not one of
/// floats, so that such an array has the type of the declaration it is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// `true` or `false`.
    Bool,
    /// A 64-bit signed integer.
    Integer,
    /// A finite 64-bit float.
    Float,
    /// Text.
    String,
    /// Bytes; base64 text on the wire.
    Bytes,
    /// An array of bools.
    BoolArray,
    /// An array of integers.
    IntegerArray,
    /// An array of floats.
    FloatArray,
    /// An array of texts.
    StringArray,
    /// Any array: mixed, nested, or of dictionaries.
    Array,
    /// A dictionary with texts as keys.
    Dict,
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "a bool",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::String => "a string",
            Self::Bytes => "a byte array",
            Self::BoolArray => "an array of bools",
            Self::IntegerArray => "an array of integers",
            Self::FloatArray => "an array of floats",
            Self::StringArray => "an array of strings",
            Self::Array => "an array",
            Self::Dict => "a dictionary",
        })
    }
}

impl ParameterKind {
    /// The type of a parameter's value as it stands; `None` without one. An empty array that says nothing of its type is
    /// an [`Array`](Self::Array).
    pub fn of(parameter: &Parameter) -> Option<Self> {
        let value = parameter.value.as_ref()?;
        Some(match parameter.wire_kind() {
            Some(ParameterType::ByteArray) => Self::Bytes,
            Some(ParameterType::Float64) => Self::Float,
            Some(ParameterType::Float64Array) => Self::FloatArray,
            None => Self::of_value(value),
        })
    }

    /// The type of a value that stands inside another, where there are no byte arrays.
    pub fn of_value(value: &ParameterValue) -> Self {
        match value {
            ParameterValue::Bool(_) => Self::Bool,
            ParameterValue::Integer(_) => Self::Integer,
            ParameterValue::Float(_) => Self::Float,
            ParameterValue::String(_) => Self::String,
            ParameterValue::Dict(_) => Self::Dict,
            ParameterValue::Array(values) => {
                let mut kinds = values.iter().map(Self::of_value);
                match kinds.next().filter(|first| kinds.all(|kind| kind == *first)) {
                    Some(Self::Bool) => Self::BoolArray,
                    Some(Self::Integer) => Self::IntegerArray,
                    Some(Self::Float) => Self::FloatArray,
                    Some(Self::String) => Self::StringArray,
                    _ => Self::Array,
                }
            }
        }
    }

    /// The parameter as one of this type: an integer becomes a float where a float is declared, an empty array becomes an
    /// array of what is declared. `None` for anything else that is not of this type.
    pub(super) fn fit(self, parameter: Parameter) -> Option<Parameter> {
        let sent = Self::of(&parameter)?;
        let Parameter { name, value, .. } = parameter;
        let value = value?;
        let empty = matches!(&value, ParameterValue::Array(values) if values.is_empty());
        let same = |name, value| Some(Parameter { name, kind: None, value: Some(value) });
        match (self, sent) {
            (Self::Float, Self::Float | Self::Integer) => {
                let value = ParameterValue::Float(value.as_float()?);
                Some(Parameter { name, kind: Some(ParameterType::Float64), value: Some(value) })
            }
            (Self::FloatArray, Self::FloatArray | Self::IntegerArray) => floats(name, value),
            (Self::FloatArray, Self::Array) if empty => floats(name, value),
            (Self::Bytes, Self::Bytes) => {
                Some(Parameter { name, kind: Some(ParameterType::ByteArray), value: Some(value) })
            }
            (
                Self::Array,
                Self::BoolArray | Self::IntegerArray | Self::FloatArray | Self::StringArray | Self::Array,
            ) => Some(Parameter::new(name, value)),
            (Self::BoolArray | Self::IntegerArray | Self::StringArray, Self::Array) if empty => same(name, value),
            (kind, sent) if kind == sent => same(name, value),
            _ => None,
        }
    }
}

fn floats(name: String, value: ParameterValue) -> Option<Parameter> {
    let ParameterValue::Array(values) = value else { return None };
    let values: Option<Vec<_>> = values.iter().map(|value| value.as_float().map(ParameterValue::Float)).collect();
    let value = Some(ParameterValue::Array(values?));
    Some(Parameter { name, kind: Some(ParameterType::Float64Array), value })
}

/// A Rust type that a parameter can hold.
pub trait ParameterData: Sized {
    /// Type of the parameter.
    const KIND: ParameterKind;

    /// The value as a parameter of that name.
    fn into_parameter(self, name: &str) -> Parameter;

    /// The value of a parameter; `None` when it is of another type.
    fn from_parameter(parameter: &Parameter) -> Option<Self>;
}

macro_rules! scalar {
    ($type:ty, $variant:ident) => {
        impl ParameterData for $type {
            const KIND: ParameterKind = ParameterKind::$variant;

            fn into_parameter(self, name: &str) -> Parameter {
                Parameter::new(name, ParameterValue::$variant(self))
            }

            fn from_parameter(parameter: &Parameter) -> Option<Self> {
                match (&parameter.kind, parameter.value.as_ref()?) {
                    (Some(ParameterType::ByteArray), _) => None,
                    (_, ParameterValue::$variant(value)) => Some(value.clone()),
                    _ => None,
                }
            }
        }
    };
}

scalar!(bool, Bool);
scalar!(i64, Integer);
scalar!(f64, Float);
scalar!(String, String);
scalar!(BTreeMap<String, ParameterValue>, Dict);
scalar!(Vec<ParameterValue>, Array);

macro_rules! array {
    ($type:ty, $variant:ident, $kind:ident, $hint:expr) => {
        impl ParameterData for Vec<$type> {
            const KIND: ParameterKind = ParameterKind::$kind;

            fn into_parameter(self, name: &str) -> Parameter {
                let values = self.into_iter().map(ParameterValue::$variant).collect();
                Parameter { name: name.to_owned(), kind: $hint, value: Some(ParameterValue::Array(values)) }
            }

            fn from_parameter(parameter: &Parameter) -> Option<Self> {
                let Some(ParameterValue::Array(values)) = &parameter.value else { return None };
                values
                    .iter()
                    .map(|value| match value {
                        ParameterValue::$variant(value) => Some(value.clone()),
                        _ => None,
                    })
                    .collect()
            }
        }
    };
}

array!(bool, Bool, BoolArray, None);
array!(i64, Integer, IntegerArray, None);
array!(f64, Float, FloatArray, Some(ParameterType::Float64Array));
array!(String, String, StringArray, None);

impl ParameterData for Vec<u8> {
    const KIND: ParameterKind = ParameterKind::Bytes;

    fn into_parameter(self, name: &str) -> Parameter {
        Parameter::byte_array(name, &self)
    }

    fn from_parameter(parameter: &Parameter) -> Option<Self> {
        parameter.bytes()?.ok()
    }
}
