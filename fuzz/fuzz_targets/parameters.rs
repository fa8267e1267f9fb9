//! Parameter lists: the input is the value of `parameters` in both messages that carry them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telelink::protocol::parameter::MAX_DEPTH;
use telelink::protocol::{FrameKind, FromViewer, Parameter, ParameterType, ParameterValue, ToViewer};

fuzz_target!(|list: &[u8]| {
    let set = telelink_fuzz::round_trip::<FromViewer>(FrameKind::Text, &message("setParameters", list));
    let values = telelink_fuzz::round_trip::<ToViewer>(FrameKind::Text, &message("parameterValues", list));
    match (set, values) {
        (
            Some(FromViewer::SetParameters { parameters, .. }),
            Some(ToViewer::ParameterValues { parameters: same, .. }),
        ) => {
            assert_eq!(parameters, same, "both directions read parameters alike");
            parameters.iter().for_each(check);
        }
        // The input may close the array and go on with another op.
        (Some(FromViewer::SetParameters { .. }), _) | (_, Some(ToViewer::ParameterValues { .. })) => {
            panic!("one direction reads what the other does not")
        }
        _ => {}
    }
});

fn message(op: &str, list: &[u8]) -> Vec<u8> {
    [b"{\"op\":\"", op.as_bytes(), b"\",\"parameters\":", list, b"}"].concat()
}

fn check(parameter: &Parameter) {
    let Some(value) = &parameter.value else { return };
    assert!(depth(value) <= MAX_DEPTH);
    match (parameter.kind, value) {
        (Some(ParameterType::Float64), ParameterValue::Float(_)) => {}
        (Some(ParameterType::Float64Array), ParameterValue::Array(values)) => {
            assert!(values.iter().all(|value| matches!(value, ParameterValue::Float(_))));
        }
        (Some(ParameterType::ByteArray), ParameterValue::String(_)) => {
            let bytes = parameter.bytes().expect("a byte array").expect("checked when read");
            assert_eq!(Parameter::byte_array(parameter.name.clone(), &bytes), *parameter, "base64 is canonical");
        }
        (None, ParameterValue::Array(values)) => {
            let integers = values.iter().filter(|value| matches!(value, ParameterValue::Integer(_))).count();
            assert!(integers == 0 || integers == values.len(), "P-176: integers are alone or floats");
        }
        (None, _) => {}
        (Some(kind), value) => panic!("{kind:?} with {value:?}"),
    }
    assert!(all_finite(value));
}

fn depth(value: &ParameterValue) -> usize {
    match value {
        ParameterValue::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        ParameterValue::Dict(dict) => 1 + dict.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn all_finite(value: &ParameterValue) -> bool {
    match value {
        ParameterValue::Float(float) => float.is_finite(),
        ParameterValue::Array(values) => values.iter().all(all_finite),
        ParameterValue::Dict(dict) => dict.values().all(all_finite),
        _ => true,
    }
}
