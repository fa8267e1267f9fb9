//! Parameters and their values (section 11).
//!
//! Reading is as strict as the protocol says (P-174 to P-184); what cannot be read by a peer is refused on writing. Two choices of
//! our own: nesting is bounded at [`MAX_DEPTH`], and the values of one message at about a million (a dictionary counts 20, its
//! entries 5), because a hostile 16 MiB of `{"":0},` would otherwise become more than a gigabyte. Beyond the range of u64 an
//! integer is a plain float to the JSON reader, so for P-176 only integers from 2^63 to 2^64 − 1 count as non-numbers.

mod read;
mod write;

use std::collections::BTreeMap;

use super::error::EncodeError;
use super::schema::{decode_base64, encode_base64, SchemaError};

pub(super) use read::list;
pub(super) use write::{check, Written};

/// Deepest nesting of arrays and dictionaries in a value: `[[1]]` has depth 2. Deeper values are refused both ways.
pub const MAX_DEPTH: usize = 64;

/// A named value, or the wish to unset one.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// The `type` member as received, or as wanted on output. For floats it is written even if `None` here (P-179).
    pub kind: Option<ParameterType>,
    /// The value; `None` is unset (P-183). A byte array is a [`ParameterValue::String`] of base64 with
    /// [`ParameterType::ByteArray`] as kind: it is kept as text and decoded on demand (P-178).
    pub value: Option<ParameterValue>,
}

/// The type hint for the three kinds of value JSON cannot express (P-174).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterType {
    /// `byte_array`: the value is base64 text.
    ByteArray,
    /// `float64`: the value is a float even if written like an integer.
    Float64,
    /// `float64_array`: so are all elements.
    Float64Array,
}

/// A parameter value.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// An integer.
    Integer(i64),
    /// A float; must be finite to be encoded (P-180).
    Float(f64),
    /// A bool.
    Bool(bool),
    /// Text, or the base64 text of a byte array.
    String(String),
    /// An array.
    Array(Vec<ParameterValue>),
    /// A dictionary; written with keys in byte order.
    Dict(BTreeMap<String, ParameterValue>),
}

impl ParameterType {
    /// The value of `type` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByteArray => "byte_array",
            Self::Float64 => "float64",
            Self::Float64Array => "float64_array",
        }
    }

    /// The type of that name on the wire; there are no others (P-174).
    pub fn from_wire(text: &str) -> Option<Self> {
        [Self::ByteArray, Self::Float64, Self::Float64Array].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Parameter {
    /// A parameter whose value needs no type hint, or gets the right one when written.
    pub fn new(name: impl Into<String>, value: ParameterValue) -> Self {
        let mut parameter = Self { name: name.into(), kind: None, value: Some(value) };
        parameter.kind = parameter.wire_kind();
        parameter
    }

    /// A parameter without a value.
    pub fn unset(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: None, value: None }
    }

    /// A byte array.
    pub fn byte_array(name: impl Into<String>, bytes: &[u8]) -> Self {
        let value = ParameterValue::String(encode_base64(bytes));
        Self { name: name.into(), kind: Some(ParameterType::ByteArray), value: Some(value) }
    }

    /// A float array; the hint keeps an empty one a float array too.
    pub fn float_array(name: impl Into<String>, floats: &[f64]) -> Self {
        let value = ParameterValue::Array(floats.iter().copied().map(ParameterValue::Float).collect());
        Self { name: name.into(), kind: Some(ParameterType::Float64Array), value: Some(value) }
    }

    /// The bytes of a byte array; `None` if this is not one.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Base64`] if the text is not base64, which cannot happen to a parameter that was received.
    pub fn bytes(&self) -> Option<Result<Vec<u8>, SchemaError>> {
        match (self.kind, &self.value) {
            (Some(ParameterType::ByteArray), Some(ParameterValue::String(text))) => {
                Some(decode_base64(text).map_err(|error| SchemaError::Base64 { detail: error.to_string() }))
            }
            _ => None,
        }
    }

    /// Whether a peer could read this parameter.
    ///
    /// # Errors
    ///
    /// [`EncodeError::InvalidParameter`] says what it could not: NaN and infinities, mixed arrays, too deep nesting, a
    /// value that does not fit its type.
    pub fn check(&self) -> Result<(), EncodeError> {
        check([self])
    }

    /// The `type` this parameter is written with: its own, or the one its floats need (P-179).
    pub fn wire_kind(&self) -> Option<ParameterType> {
        self.kind.or(match &self.value {
            Some(ParameterValue::Float(_)) => Some(ParameterType::Float64),
            Some(ParameterValue::Array(values)) if values.iter().all(|value| value.as_float().is_some()) => values
                .iter()
                .any(|value| matches!(value, ParameterValue::Float(_)))
                .then_some(ParameterType::Float64Array),
            _ => None,
        })
    }
}

impl ParameterValue {
    /// A number as a float, integers beyond 2^53 rounded; `None` for anything else.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Integer(integer) => Some(*integer as f64),
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }
}

/// How much more one message may hold. Each value costs what it takes in memory, in units of one small value.
struct Budget(usize);

impl Budget {
    const PARAMETER: usize = 3;
    const VALUE: usize = 1;
    const DICT: usize = 20;
    const DICT_ENTRY: usize = 4;
    const EXCEEDED: &'static str = "the message has too many parameter values";

    fn new() -> Self {
        Self(super::MAX_ENTRIES)
    }

    fn take(&mut self, cost: usize) -> Result<(), &'static str> {
        self.0 = self.0.checked_sub(cost).ok_or(Self::EXCEEDED)?;
        Ok(())
    }
}

const TOO_DEEP: &str = "the value is nested more than 64 levels deep";
const MIXED: &str = "an array without a type mixes numbers with other values";
const NOT_BASE64: &str = "a value of type byte_array must be a base64 string";
