//! Parameter values: the kind says which member of the union is there, and what it points to.

use std::collections::BTreeMap;
use std::ptr;

use super::*;
use crate::capi::parameter::{
    telelink_bool_array, telelink_parameter, telelink_parameter_data, telelink_parameter_kind,
    telelink_parameter_list_count, telelink_parameter_list_create, telelink_parameter_list_data,
    telelink_parameter_list_free, telelink_parameter_value, telelink_parameter_value_array, telelink_string_array,
};
use crate::capi::parameter_convert::{read_parameters, Tree};
use crate::session::{Parameter, ParameterValue, MAX_PARAMETER_DEPTH};

fn one_of_each() -> Vec<Parameter> {
    use ParameterValue::{Array, Bool, Dict, Float, Integer, String};
    let texts = |texts: &[&str]| Array(texts.iter().map(|text| String((*text).into())).collect());
    let inner =
        Dict(BTreeMap::from([("gains".into(), Array(vec![Float(0.5), Float(2.0)])), ("on".into(), Bool(true))]));
    vec![
        Parameter::unset("unset"),
        Parameter::new("bool", Bool(true)),
        Parameter::new("integer", Integer(i64::MIN)),
        Parameter::new("float", Float(-0.25)),
        Parameter::new("string", String("größer".into())),
        Parameter::byte_array("bytes", &[0, 255, 7]),
        Parameter::new("bools", Array(vec![Bool(false), Bool(true), Bool(false)])),
        Parameter::new("integers", Array(vec![Integer(1), Integer(-2)])),
        Parameter::float_array("floats", &[1.5, 2.0]),
        Parameter::float_array("no floats", &[]),
        Parameter::new("strings", texts(&["", "b"])),
        Parameter::new("arrays", Array(vec![texts(&["a"]), texts(&["b", "c"])])),
        Parameter::new("dict", Dict(BTreeMap::from([("inner".into(), inner), ("name".into(), String("x".into()))]))),
    ]
}

#[test]
fn every_kind_goes_to_c_and_back_unchanged() {
    let source = one_of_each();
    let shown = Tree::new(source.clone());
    let mut list = ptr::null_mut();
    // SAFETY: the tree's own pointers and count; the list is freed once, after its last use.
    unsafe {
        let (data, count) = (shown.parameters().as_ptr(), shown.parameters().len());
        assert_eq!(telelink_parameter_list_create(data, count, &raw mut list), telelink_status::Ok);
        // The list has copied all of it.
        drop(shown);
        assert_eq!(telelink_parameter_list_count(list), source.len());
        let read = read_parameters(telelink_parameter_list_data(list), source.len(), "parameters").unwrap();
        telelink_parameter_list_free(list);
        assert_eq!(read, source);
    }
}

fn value(kind: telelink_parameter_kind, data: telelink_parameter_data) -> telelink_parameter_value {
    telelink_parameter_value { kind: kind as i32, reserved: 0, data }
}

fn read(value: telelink_parameter_value) -> Result<Parameter, String> {
    let name = "p";
    let parameter = telelink_parameter { name: telelink_str::of(name), value };
    // SAFETY: one parameter, whose value's author says what it points to.
    let read = unsafe { read_parameters(&raw const parameter, 1, "parameters") };
    read.map(|mut one| one.remove(0)).map_err(|failure| failure.message.into_owned())
}

#[test]
fn what_c_gets_wrong_is_refused_by_name() {
    let null = telelink_string_array { data: ptr::null(), len: 2 };
    let error = read(value(telelink_parameter_kind::StringArray, telelink_parameter_data { strings: null }));
    assert_eq!(error.unwrap_err(), "parameters.data is NULL but parameters.len is 2");
    let odd = telelink_parameter_value { kind: 12, ..telelink_parameter_value::UNSET };
    assert_eq!(read(odd).unwrap_err(), "p: kind is 12, which is no telelink_parameter_kind");
    let unset = [telelink_parameter_value::UNSET];
    let values = telelink_parameter_value_array { data: unset.as_ptr(), len: 1 };
    let error = read(value(telelink_parameter_kind::Array, telelink_parameter_data { values }));
    assert_eq!(error.unwrap_err(), "p: a value inside another is unset");
    let latin = [0xE4_u8];
    let string = telelink_str { data: latin.as_ptr().cast(), len: 1 };
    let error = read(value(telelink_parameter_kind::String, telelink_parameter_data { string }));
    assert_eq!(error.unwrap_err(), "parameters is not valid UTF-8 at byte 0");
    let number = f64::NAN;
    assert!(read(value(telelink_parameter_kind::Float, telelink_parameter_data { number })).is_err());
}

#[test]
fn bools_that_are_neither_0_nor_1_are_true() {
    let bytes = [0_u8, 1, 2, 255];
    let bools = telelink_bool_array { data: bytes.as_ptr().cast(), len: bytes.len() };
    let parameter = read(value(telelink_parameter_kind::BoolArray, telelink_parameter_data { bools })).unwrap();
    let expected = [false, true, true, true].map(ParameterValue::Bool);
    assert_eq!(parameter.value, Some(ParameterValue::Array(expected.to_vec())));
}

#[test]
fn a_value_that_contains_itself_is_too_deep() {
    let mut circle = telelink_parameter_value::UNSET;
    let place = &raw mut circle;
    let values = telelink_parameter_value_array { data: place, len: 1 };
    // SAFETY: `circle` is alive and nobody else looks at it meanwhile.
    unsafe { place.write(value(telelink_parameter_kind::Array, telelink_parameter_data { values })) };
    // SAFETY: as above.
    let error = read(unsafe { place.read() });
    assert_eq!(error.unwrap_err(), format!("p: the value is nested more than {MAX_PARAMETER_DEPTH} levels deep"));
}
