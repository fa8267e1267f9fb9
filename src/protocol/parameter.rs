//! Parameters and their values (section 11).

use std::collections::BTreeMap;

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
