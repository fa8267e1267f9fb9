//! Parameters into JSON.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::super::error::{shorten, EncodeError};
use super::super::schema::decode_base64;
use super::{Budget, Parameter, ParameterType, ParameterValue, MAX_DEPTH, MIXED, NOT_BASE64, TOO_DEEP};

/// Refuses parameters that a peer could not read: writing them afterwards cannot fail.
pub(in super::super) fn check<'a>(parameters: impl IntoIterator<Item = &'a Parameter>) -> Result<(), EncodeError> {
    let mut budget = Budget::new();
    for parameter in parameters {
        check_one(parameter, &mut budget)
            .map_err(|reason| EncodeError::InvalidParameter { name: shorten(&parameter.name), reason })?;
    }
    Ok(())
}

fn check_one(parameter: &Parameter, budget: &mut Budget) -> Result<(), &'static str> {
    budget.take(Budget::PARAMETER)?;
    let Some(value) = &parameter.value else { return Ok(()) };
    check_value(value, 0, budget)?;
    match (parameter.wire_kind(), value) {
        (None, ParameterValue::Array(values)) => {
            let numbers = values.iter().filter(|value| value.as_float().is_some()).count();
            if numbers == 0 || numbers == values.len() {
                Ok(())
            } else {
                Err(MIXED)
            }
        }
        (None, _) => Ok(()),
        (Some(ParameterType::Float64), value) => {
            value.as_float().map(drop).ok_or("a value of type float64 must be a number")
        }
        (Some(ParameterType::Float64Array), ParameterValue::Array(values))
            if values.iter().all(|value| value.as_float().is_some()) =>
        {
            Ok(())
        }
        (Some(ParameterType::Float64Array), _) => Err("a value of type float64_array must be an array of numbers"),
        (Some(ParameterType::ByteArray), ParameterValue::String(text)) if decode_base64(text).is_ok() => Ok(()),
        (Some(ParameterType::ByteArray), _) => Err(NOT_BASE64),
    }
}

/// `depth`: number of arrays and dictionaries around `value`.
fn check_value(value: &ParameterValue, depth: usize, budget: &mut Budget) -> Result<(), &'static str> {
    budget.take(Budget::VALUE)?;
    match value {
        ParameterValue::Integer(_) | ParameterValue::Bool(_) | ParameterValue::String(_) => Ok(()),
        ParameterValue::Float(float) if float.is_finite() => Ok(()),
        ParameterValue::Float(_) => Err("NaN and infinities have no JSON form"),
        ParameterValue::Array(_) | ParameterValue::Dict(_) if depth == MAX_DEPTH => Err(TOO_DEEP),
        ParameterValue::Array(values) => values.iter().try_for_each(|value| check_value(value, depth + 1, budget)),
        ParameterValue::Dict(dict) => {
            budget.take(Budget::DICT)?;
            dict.values().try_for_each(|value| {
                budget.take(Budget::DICT_ENTRY)?;
                check_value(value, depth + 1, budget)
            })
        }
    }
}

/// A [`check`]ed parameter as its JSON object: `name`, `type`, `value`.
pub(in super::super) struct Written<'a>(pub(in super::super) &'a Parameter);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let kind = self.0.wire_kind();
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("name", &self.0.name)?;
        if let Some(kind) = kind {
            object.serialize_entry("type", kind.as_str())?;
        }
        if let Some(value) = &self.0.value {
            let as_floats = matches!(kind, Some(ParameterType::Float64 | ParameterType::Float64Array));
            object.serialize_entry("value", &WrittenValue { value, as_floats })?;
        }
        object.end()
    }
}

struct WrittenValue<'a> {
    value: &'a ParameterValue,
    /// Writes integers as floats (P-179). Only for the value of a float and the elements of a float array.
    as_floats: bool,
}

impl Serialize for WrittenValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            ParameterValue::Integer(integer) if self.as_floats => serializer.serialize_f64(*integer as f64),
            ParameterValue::Integer(integer) => serializer.serialize_i64(*integer),
            ParameterValue::Float(float) => serializer.serialize_f64(*float),
            ParameterValue::Bool(bool) => serializer.serialize_bool(*bool),
            ParameterValue::String(text) => serializer.serialize_str(text),
            ParameterValue::Array(values) => {
                let mut array = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    array.serialize_element(&WrittenValue { value, as_floats: self.as_floats })?;
                }
                array.end()
            }
            ParameterValue::Dict(dict) => {
                let mut object = serializer.serialize_map(Some(dict.len()))?;
                for (key, value) in dict {
                    object.serialize_entry(key, &WrittenValue { value, as_floats: false })?;
                }
                object.end()
            }
        }
    }
}
