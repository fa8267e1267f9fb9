//! Parameters out of JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::json::Text;
use super::super::schema::decode_base64;
use super::{Budget, Parameter, ParameterType, ParameterValue, MAX_DEPTH, MIXED, NOT_BASE64, TOO_DEEP};

/// Reads a list of parameters; an error in one fails the whole list (P-182).
pub(in super::super) fn list<'de, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'a, [Parameter]>, D::Error> {
    deserializer.deserialize_seq(ListVisitor).map(Cow::Owned)
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<Parameter>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of parameters")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut budget = Budget::new();
        let mut list = Vec::new();
        while let Some(parameter) = seq.next_element_seed(ParameterSeed { budget: &mut budget })? {
            list.push(parameter);
        }
        Ok(list)
    }
}

struct ParameterSeed<'b> {
    budget: &'b mut Budget,
}

/// The members of a parameter object; any other is an error (P-54).
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Name,
    Type,
    Value,
}

impl<'de> DeserializeSeed<'de> for ParameterSeed<'_> {
    type Value = Parameter;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parameter, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ParameterSeed<'_> {
    type Value = Parameter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a parameter object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameter, A::Error> {
        self.budget.take(Budget::PARAMETER).map_err(A::Error::custom)?;
        let (mut name, mut kind, mut value) = (None, None, None);
        // Of a repeated member the last wins, but each has to be valid (P-184).
        while let Some(member) = map.next_key()? {
            match member {
                Member::Name => name = Some(map.next_value::<String>()?),
                Member::Type => {
                    let Text(text) = map.next_value()?;
                    let unknown = || A::Error::custom(format_args!("unknown parameter type {text:?}"));
                    kind = Some(ParameterType::from_wire(&text).ok_or_else(unknown)?);
                }
                Member::Value => value = Some(map.next_value_seed(ValueSeed { depth: 0, budget: &mut *self.budget })?),
            }
        }
        let name = name.ok_or_else(|| A::Error::missing_field("name"))?;
        let value = match value {
            None => None,
            Some(value) => match resolve(kind, value) {
                Ok(value) => Some(value),
                Err(reason) => return Err(A::Error::custom(format_args!("parameter {name:?}: {reason}"))),
            },
        };
        Ok(Parameter { name, kind, value })
    }
}

/// A value as written, before its type is known: members may stand in any order.
struct Read {
    value: ParameterValue,
    /// An integer beyond i64, which became a float (P-175) and is no number to P-176.
    beyond_i64: bool,
    /// Of an array: how many elements are numbers and how many are not, by the same reckoning.
    numbers: usize,
    others: usize,
}

impl From<ParameterValue> for Read {
    fn from(value: ParameterValue) -> Self {
        Self { value, beyond_i64: false, numbers: 0, others: 0 }
    }
}

/// The value of a parameter of the given type (P-176, P-178).
fn resolve(kind: Option<ParameterType>, read: Read) -> Result<ParameterValue, &'static str> {
    const NOT_FLOAT: &str = "a value of type float64 must be a number";
    const NOT_FLOATS: &str = "a value of type float64_array must be an array of numbers";
    match (kind, read.value) {
        (None, ParameterValue::Array(values)) => match (read.numbers, read.others) {
            (0, _) => Ok(ParameterValue::Array(values)),
            (_, 0) if values.iter().any(|value| matches!(value, ParameterValue::Float(_))) => {
                into_floats(values).ok_or(MIXED)
            }
            (_, 0) => Ok(ParameterValue::Array(values)),
            _ => Err(MIXED),
        },
        (None, value) => Ok(value),
        (Some(ParameterType::Float64), value) => value.as_float().map(ParameterValue::Float).ok_or(NOT_FLOAT),
        (Some(ParameterType::Float64Array), ParameterValue::Array(values)) => into_floats(values).ok_or(NOT_FLOATS),
        (Some(ParameterType::Float64Array), _) => Err(NOT_FLOATS),
        (Some(ParameterType::ByteArray), ParameterValue::String(text)) if decode_base64(&text).is_ok() => {
            Ok(ParameterValue::String(text))
        }
        (Some(ParameterType::ByteArray), _) => Err(NOT_BASE64),
    }
}

fn into_floats(values: Vec<ParameterValue>) -> Option<ParameterValue> {
    let floats: Option<Vec<_>> = values.iter().map(|value| value.as_float().map(ParameterValue::Float)).collect();
    floats.map(ParameterValue::Array)
}

struct ValueSeed<'b> {
    /// Number of arrays and dictionaries around this value.
    depth: usize,
    budget: &'b mut Budget,
}

impl ValueSeed<'_> {
    /// Refuses an array or dictionary that would be one level too many.
    fn enter<E: Error>(&self) -> Result<(), E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(())
    }

    /// The seed for what is inside this array or dictionary.
    fn inner(&mut self) -> ValueSeed<'_> {
        ValueSeed { depth: self.depth + 1, budget: &mut *self.budget }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        self.budget.take(Budget::VALUE).map_err(D::Error::custom)?;
        deserializer.deserialize_any(self)
    }
}

/// `null` has no visitor here: it is a parse error at every level (P-181).
impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a parameter value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Read, E> {
        Ok(ParameterValue::Bool(value).into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Read, E> {
        Ok(ParameterValue::Integer(value).into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Read, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => ParameterValue::Integer(value).into(),
            Err(_) => Read { beyond_i64: true, ..ParameterValue::Float(value as f64).into() },
        })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Read, E> {
        Ok(ParameterValue::Float(value).into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Read, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Read, E> {
        Ok(ParameterValue::String(value).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Read, A::Error> {
        self.enter()?;
        let mut values = Vec::new();
        let (mut numbers, mut others) = (0, 0);
        while let Some(element) = seq.next_element_seed(self.inner())? {
            if element.value.as_float().is_some() && !element.beyond_i64 {
                numbers += 1;
            } else {
                others += 1;
            }
            values.push(element.value);
        }
        Ok(Read { numbers, others, ..ParameterValue::Array(values).into() })
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Read, A::Error> {
        self.enter()?;
        self.budget.take(Budget::DICT).map_err(A::Error::custom)?;
        let mut dict = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            self.budget.take(Budget::DICT_ENTRY).map_err(A::Error::custom)?;
            dict.insert(key, map.next_value_seed(self.inner())?.value);
        }
        Ok(ParameterValue::Dict(dict).into())
    }
}
