//! Parameter values: section 11, P-174 to P-184.

use std::collections::BTreeMap;

use telelink::protocol::parameter::MAX_DEPTH;
use telelink::protocol::{
    DecodeError, EncodeError, FromViewer, Parameter, ParameterType, ParameterValue, ToViewer, MAX_ENTRIES,
};
use ParameterValue::{Array, Bool, Dict, Float, Integer, String as Text};

use crate::support::{assert_invalid, from_viewer, json_of};

/// The only parameter of a message, given as JSON.
fn read(parameter: &str) -> Result<Parameter, DecodeError> {
    match from_viewer(&format!(r#"{{"op":"setParameters","parameters":[{parameter}]}}"#))? {
        FromViewer::SetParameters { mut parameters, .. } if parameters.len() == 1 => Ok(parameters.remove(0)),
        other => panic!("{parameter}: {other:?}"),
    }
}

fn value(kind: Option<&str>, json: &str) -> Result<ParameterValue, DecodeError> {
    let kind = kind.map_or(String::new(), |kind| format!(r#","type":"{kind}""#));
    let parameter = read(&format!(r#"{{"name":"a"{kind},"value":{json}}}"#))?;
    Ok(parameter.value.expect("a value"))
}

fn write(parameter: Parameter) -> Result<String, EncodeError> {
    let frame = FromViewer::SetParameters { parameters: vec![parameter], id: None }.to_frame()?;
    let json = json_of(&frame);
    let json = json.strip_prefix(r#"{"op":"setParameters","parameters":["#).expect("the list");
    Ok(json.strip_suffix("]}").expect("the end").to_owned())
}

fn floats(values: &[f64]) -> ParameterValue {
    Array(values.iter().copied().map(Float).collect())
}

fn integers(values: &[i64]) -> ParameterValue {
    Array(values.iter().copied().map(Integer).collect())
}

fn dict(entries: &[(&str, ParameterValue)]) -> ParameterValue {
    Dict(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

#[test]
fn section_11_table_of_kinds() {
    let table = [
        (Parameter::new("p", Integer(-5)), r#"{"name":"p","value":-5}"#),
        (Parameter::new("p", Float(1.5)), r#"{"name":"p","type":"float64","value":1.5}"#),
        (Parameter::new("p", Bool(true)), r#"{"name":"p","value":true}"#),
        (Parameter::new("p", Text("x".into())), r#"{"name":"p","value":"x"}"#),
        (Parameter::byte_array("p", &[0, 1, 255]), r#"{"name":"p","type":"byte_array","value":"AAH/"}"#),
        (Parameter::byte_array("p", &[]), r#"{"name":"p","type":"byte_array","value":""}"#),
        (Parameter::new("p", integers(&[1, 2])), r#"{"name":"p","value":[1,2]}"#),
        (Parameter::float_array("p", &[1.0, 2.5]), r#"{"name":"p","type":"float64_array","value":[1.0,2.5]}"#),
        (Parameter::float_array("p", &[]), r#"{"name":"p","type":"float64_array","value":[]}"#),
        (Parameter::new("p", Array(vec![Bool(true), Text("x".into())])), r#"{"name":"p","value":[true,"x"]}"#),
        (Parameter::new("p", Array(vec![])), r#"{"name":"p","value":[]}"#),
        (
            Parameter::new("p", dict(&[("b", Float(1.0)), ("B", Integer(1)), ("a", dict(&[]))])),
            r#"{"name":"p","value":{"B":1,"a":{},"b":1.0}}"#,
        ),
        (Parameter::unset("p"), r#"{"name":"p"}"#),
    ];
    for (parameter, json) in table {
        assert_eq!(write(parameter.clone()).as_deref(), Ok(json));
        assert_eq!(read(json), Ok(parameter));
    }
}

#[test]
fn p_174_only_three_types_exist() {
    for kind in [ParameterType::ByteArray, ParameterType::Float64, ParameterType::Float64Array] {
        assert_eq!(ParameterType::from_wire(kind.as_str()), Some(kind));
    }
    for kind in ["string", "integer", "bool", "dict", "", "Float64", "float64 "] {
        assert_invalid(value(Some(kind), "1"), "unknown parameter type");
    }
    assert_invalid(read(r#"{"name":"a","type":{"float64":null},"value":1}"#), "expected a string");
}

#[test]
fn p_174_members_of_nested_values_have_no_type() {
    let expected = dict(&[("name", Text("x".into())), ("type", Text("nonsense".into())), ("value", Integer(1))]);
    assert_eq!(value(None, r#"{"type":"nonsense","name":"x","value":1}"#), Ok(expected));
}

#[test]
fn p_175_numbers_without_a_type() {
    let table = [
        ("0", Integer(0)),
        ("-1", Integer(-1)),
        ("9223372036854775807", Integer(i64::MAX)),
        ("-9223372036854775808", Integer(i64::MIN)),
        ("9223372036854775808", Float(9_223_372_036_854_775_808.0)),
        ("-9223372036854775809", Float(-9_223_372_036_854_775_808.0)),
        ("18446744073709551615", Float(18_446_744_073_709_551_615.0)),
        ("100000000000000000000", Float(1e20)),
        ("1.0", Float(1.0)),
        ("1e3", Float(1000.0)),
        ("1E3", Float(1000.0)),
        ("-1.5e-3", Float(-0.0015)),
        ("0.1", Float(0.1)),
        ("1.7976931348623157e308", Float(f64::MAX)),
        ("5e-324", Float(5e-324)),
    ];
    for (json, expected) in table {
        assert_eq!(value(None, json), Ok(expected), "{json}");
    }
    let Ok(Float(zero)) = value(None, "-0") else { panic!("-0 is a float") };
    assert!(zero == 0.0 && zero.is_sign_negative());
}

#[test]
fn p_176_top_level_arrays_without_a_type() {
    let table = [
        ("[]", Array(vec![])),
        ("[1,2]", integers(&[1, 2])),
        ("[1,2.5]", floats(&[1.0, 2.5])),
        ("[1.5,2.5]", floats(&[1.5, 2.5])),
        ("[-0,1]", floats(&[-0.0, 1.0])),
        (r#"[true,"x"]"#, Array(vec![Bool(true), Text("x".into())])),
        (r#"[[1],["a"]]"#, Array(vec![integers(&[1]), Array(vec![Text("a".into())])])),
        ("[{},[1.5]]", Array(vec![dict(&[]), floats(&[1.5])])),
    ];
    for (json, expected) in table {
        assert_eq!(value(None, json), Ok(expected), "{json}");
    }
    for json in [r#"[1,"x"]"#, "[true,1.5]", "[1,[1]]", "[{},1]", r#"["x",-0]"#] {
        assert_invalid(value(None, json), "mixes numbers with other values");
    }
}

#[test]
fn p_176_an_integer_beyond_i64_is_no_number_among_others() {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    assert_invalid(value(None, "[9223372036854775808,1]"), "mixes numbers");
    assert_invalid(value(None, "[1.5,18446744073709551615]"), "mixes numbers");
    assert_eq!(value(None, "[9223372036854775808]"), Ok(floats(&[BEYOND])));
    assert_eq!(value(None, r#"[9223372036854775808,"x"]"#), Ok(Array(vec![Float(BEYOND), Text("x".into())])));
    // That last one has become a mixture that no reader takes: it is refused on writing.
    let parameter = Parameter::new("p", Array(vec![Float(BEYOND), Text("x".into())]));
    let reason = "an array without a type mixes numbers with other values";
    assert_eq!(write(parameter), Err(EncodeError::InvalidParameter { name: "p".into(), reason }));
}

#[test]
fn p_177_nested_arrays_are_taken_as_they_are() {
    let mixed = Array(vec![Integer(1), Float(2.5), Text("x".into())]);
    assert_eq!(value(None, r#"[[1,2.5,"x"]]"#), Ok(Array(vec![mixed.clone()])));
    assert_eq!(value(None, r#"{"k":[1,2.5,"x"]}"#), Ok(dict(&[("k", mixed)])));
}

#[test]
fn p_178_reading_with_float64() {
    for (json, expected) in [("123", 123.0), ("1.5", 1.5), ("-9223372036854775809", -9_223_372_036_854_775_808.0)] {
        assert_eq!(value(Some("float64"), json), Ok(Float(expected)));
    }
    for json in ["\"1\"", "true", "[1.0]", "{}"] {
        assert_invalid(value(Some("float64"), json), "must be a number");
    }
}

#[test]
fn p_178_reading_with_float64_array() {
    assert_eq!(
        value(Some("float64_array"), "[1,2.5,9223372036854775808]"),
        Ok(floats(&[1.0, 2.5, 9.223_372_036_854_776e18]))
    );
    assert_eq!(value(Some("float64_array"), "[]"), Ok(Array(vec![])));
    for json in ["1.5", "\"x\"", "[1,\"x\"]", "[[1]]", "{}"] {
        assert_invalid(value(Some("float64_array"), json), "must be an array of numbers");
    }
}

#[test]
fn p_178_reading_with_byte_array() {
    let parameter = read(r#"{"value":"ECAw","type":"byte_array","name":"b"}"#).unwrap();
    assert_eq!(parameter.value, Some(Text("ECAw".into())), "kept as text");
    assert_eq!(parameter.bytes(), Some(Ok(vec![0x10, 0x20, 0x30])), "decoded on demand");
    assert_eq!(read(r#"{"name":"b","type":"byte_array","value":""}"#).unwrap().bytes(), Some(Ok(vec![])));
    assert_eq!(read(r#"{"name":"b","value":"ECAw"}"#).unwrap().bytes(), None, "without the type it is text");
    for json in ["\"ECA\"", "\"EC-w\"", "\"ECB=\"", "\"EC Aw\"", "1", "[16]", "true"] {
        assert_invalid(value(Some("byte_array"), json), "must be a base64 string");
    }
}

#[test]
fn p_179_floats_stay_floats_and_say_so() {
    let table =
        [(1.0, "1.0"), (-0.0, "-0.0"), (2.5, "2.5"), (1e21, "1e21"), (1e-7, "1e-7"), (123_456_789.0, "123456789.0")];
    for (float, text) in table {
        let untyped = Parameter { name: "p".into(), kind: None, value: Some(Float(float)) };
        let json = write(untyped).unwrap().replace("e+", "e");
        assert_eq!(json, format!(r#"{{"name":"p","type":"float64","value":{text}}}"#));
    }
    let untyped = Parameter { name: "p".into(), kind: None, value: Some(Array(vec![Integer(1), Float(2.5)])) };
    let json = write(untyped).unwrap();
    assert_eq!(json, r#"{"name":"p","type":"float64_array","value":[1.0,2.5]}"#);
    let integer = Parameter { name: "p".into(), kind: Some(ParameterType::Float64), value: Some(Integer(3)) };
    assert_eq!(write(integer).unwrap(), r#"{"name":"p","type":"float64","value":3.0}"#);
    let nested = Parameter::new("p", dict(&[("k", floats(&[1.0]))]));
    assert_eq!(write(nested).unwrap(), r#"{"name":"p","value":{"k":[1.0]}}"#);
}

#[test]
fn p_179_floats_come_back_exactly() {
    for bits in [0x3fb9_9999_9999_999a, 0x3fd3_3333_3333_3334, 0x7fef_ffff_ffff_ffff, 1, 0x4340_0000_0000_0001_u64] {
        let float = f64::from_bits(bits);
        let Ok(Float(back)) = read(&write(Parameter::new("p", Float(float))).unwrap()).map(|p| p.value.unwrap()) else {
            panic!("a float")
        };
        assert_eq!(back.to_bits(), bits);
    }
}

#[test]
fn p_180_values_that_are_not_finite_are_refused() {
    let reason = "NaN and infinities have no JSON form";
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for value in [Float(float), floats(&[1.0, float]), dict(&[("k", Array(vec![Float(float)]))])] {
            let parameter = Parameter::new("speed", value);
            let error = write(parameter.clone()).unwrap_err();
            assert_eq!(error, EncodeError::InvalidParameter { name: "speed".into(), reason });
            assert_eq!(error.to_string(), "parameter \"speed\": NaN and infinities have no JSON form");
            let message = ToViewer::ParameterValues { parameters: vec![parameter], id: None };
            assert_eq!(message.to_frame(), Err(error));
        }
    }
    assert_invalid(value(None, "1e999"), "out of range");
    assert!(matches!(value(None, "NaN"), Err(DecodeError::NotAMessage { .. })));
}

#[test]
fn p_178_values_that_do_not_match_their_type_are_refused_on_writing() {
    let table = [
        (ParameterType::Float64, Text("1".into())),
        (ParameterType::Float64, floats(&[1.0])),
        (ParameterType::Float64Array, Float(1.0)),
        (ParameterType::Float64Array, Array(vec![Float(1.0), Bool(true)])),
        (ParameterType::ByteArray, Text("not base64".into())),
        (ParameterType::ByteArray, integers(&[1])),
    ];
    for (kind, value) in table {
        let parameter = Parameter { name: "p".into(), kind: Some(kind), value: Some(value) };
        assert!(matches!(write(parameter.clone()), Err(EncodeError::InvalidParameter { .. })), "{parameter:?}");
    }
}

#[test]
fn p_181_null_is_an_error_everywhere() {
    for json in ["null", "[null]", "[[null]]", r#"{"k":null}"#, r#"["x",null]"#] {
        assert_invalid(value(None, json), "null");
    }
    assert_invalid(read(r#"{"name":"a","type":null}"#), "null");
    assert_invalid(read(r#"{"name":null}"#), "null");
    assert_invalid(read("null"), "null");
}

#[test]
fn p_182_one_bad_parameter_fails_the_message() {
    let json = r#"{"op":"setParameters","parameters":[{"name":"good","value":1},{"name":"bad","value":null}]}"#;
    assert_invalid(from_viewer(json), "null");
}

#[test]
fn p_183_no_value_is_unset_whatever_the_type() {
    assert_eq!(read(r#"{"name":"a"}"#), Ok(Parameter::unset("a")));
    let typed = Parameter { name: "a".into(), kind: Some(ParameterType::ByteArray), value: None };
    assert_eq!(read(r#"{"type":"byte_array","name":"a"}"#), Ok(typed.clone()));
    assert_eq!(write(typed).unwrap(), r#"{"name":"a","type":"byte_array"}"#);
}

#[test]
fn p_54_other_members_of_a_parameter_are_errors() {
    assert_invalid(read(r#"{"name":"a","value":1,"unit":"m"}"#), "unknown field `unit`");
    assert_invalid(read(r#"{"name":"a","Value":1}"#), "unknown field `Value`");
    assert_invalid(read(r#"{"value":1}"#), "missing field `name`");
    assert_invalid(read("{}"), "missing field `name`");
    assert_invalid(read(r#"{"name":1}"#), "expected a string");
}

#[test]
fn p_184_of_repeated_members_the_last_wins() {
    let expected = Parameter { name: "b".into(), kind: Some(ParameterType::Float64), value: Some(Float(2.0)) };
    let json = r#"{"name":"a","value":"x","type":"byte_array","name":"b","type":"float64","value":2}"#;
    assert_eq!(read(json), Ok(expected));
    assert_eq!(value(None, r#"{"k":1,"k":2}"#), Ok(dict(&[("k", Integer(2))])));
}

#[test]
fn p_199_nesting_is_bounded_alike_both_ways() {
    let nested = |depth: usize| {
        (1..depth).fold(Array(vec![]), |inner, n| {
            if n % 2 == 0 {
                Array(vec![inner])
            } else {
                Dict(BTreeMap::from([("k".to_owned(), inner)]))
            }
        })
    };
    let json = write(Parameter::new("p", nested(MAX_DEPTH))).unwrap();
    assert_eq!(read(&json).unwrap().value, Some(nested(MAX_DEPTH)));
    let reason = "the value is nested more than 64 levels deep";
    assert_eq!(
        write(Parameter::new("p", nested(MAX_DEPTH + 1))),
        Err(EncodeError::InvalidParameter { name: "p".into(), reason })
    );
    for (open, close) in [("[", "]"), (r#"{"k":"#, "}")] {
        let (innermost, levels) = if open == "[" { ("[]", MAX_DEPTH) } else { ("{}", MAX_DEPTH) };
        let json = format!("{}{innermost}{}", open.repeat(levels), close.repeat(levels));
        assert_invalid(value(None, &json), reason);
        let json = format!("{}{innermost}{}", open.repeat(levels - 1), close.repeat(levels - 1));
        assert!(value(None, &json).is_ok());
    }
}

#[test]
fn p_199_the_number_of_values_is_bounded_alike_both_ways() {
    // A parameter costs 3 and its array 1.
    let most = MAX_ENTRIES - 4;
    let list = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
    assert_eq!(value(None, &list(most)), Ok(Array(vec![Integer(0); most])));
    assert_invalid(value(None, &list(most + 1)), "too many parameter values");
    assert!(write(Parameter::new("p", Array(vec![Integer(0); most]))).is_ok());
    assert!(write(Parameter::new("p", Array(vec![Integer(0); most + 1]))).is_err());

    let dicts = |n: usize| format!("[{}{{\"k\":0}}]", "{\"k\":0},".repeat(n - 1));
    assert_invalid(value(None, &dicts(MAX_ENTRIES / 20)), "too many parameter values");
    let Ok(read) = value(None, &dicts(MAX_ENTRIES / 30)) else { panic!("few enough") };
    assert!(write(Parameter::new("p", read)).is_ok());

    // The bound is for the message, not for each parameter.
    let half = Parameter::new("p", Array(vec![Integer(0); MAX_ENTRIES / 2]));
    let message = FromViewer::SetParameters { parameters: vec![half; 2], id: None };
    let reason = "the message has too many parameter values";
    assert_eq!(message.to_frame(), Err(EncodeError::InvalidParameter { name: "p".into(), reason }));
}
