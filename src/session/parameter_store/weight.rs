//! What a parameter costs: so much that all parameters of a store fit into one message, and into memory.

use crate::session::{Parameter, ParameterValue};

/// At least what a value takes of the reader's budget ([`crate::protocol::MAX_ENTRIES`] per message), times 16.
const VALUE: usize = 16;
const DICT: usize = 20 * 16;
const DICT_ENTRY: usize = 4 * 16;
const PARAMETER: usize = 3 * 16;

/// Upper bound of the parameter's JSON, bytes, and of its share of what one message may hold.
pub(super) fn weight(parameter: &Parameter) -> usize {
    // Member names, type and punctuation take less than twice the constant.
    2 * PARAMETER + text(&parameter.name) + parameter.value.as_ref().map_or(0, value)
}

fn value(of: &ParameterValue) -> usize {
    match of {
        ParameterValue::Bool(_) => VALUE,
        // The longest: -9223372036854775808 and -2.2250738585072014e-308.
        ParameterValue::Integer(_) | ParameterValue::Float(_) => 2 * VALUE,
        ParameterValue::String(string) => VALUE + text(string),
        ParameterValue::Array(values) => VALUE + values.iter().map(|element| 1 + value(element)).sum::<usize>(),
        ParameterValue::Dict(dict) => {
            VALUE + DICT + dict.iter().map(|(key, entry)| DICT_ENTRY + text(key) + value(entry)).sum::<usize>()
        }
    }
}

/// JSON length of a string, quotes included: control characters are written as `\u00xx`.
fn text(of: &str) -> usize {
    let escapes = of.bytes().map(|byte| match byte {
        0..0x20 => 5,
        b'"' | b'\\' => 1,
        _ => 0,
    });
    2 + of.len() + escapes.sum::<usize>()
}
