//! `advertiseServices`: section 7.13.

use telelink::protocol::{MessageSchema, ServiceAdvertisement, ToViewer};

use crate::support::{assert_invalid, json_of, to_viewer};

fn schema(name: &str) -> MessageSchema {
    MessageSchema {
        encoding: "json".into(),
        schema_name: name.into(),
        schema_encoding: "jsonschema".into(),
        schema: "{}".into(),
    }
}

fn service(request: Option<MessageSchema>, response: Option<MessageSchema>) -> ServiceAdvertisement {
    ServiceAdvertisement { id: 1, name: "/s".into(), type_name: "T".into(), request, response }
}

fn only(members: &str) -> ServiceAdvertisement {
    let json = format!(r#"{{"op":"advertiseServices","services":[{{"id":1,"name":"/s","type":"T"{members}}}]}}"#);
    match to_viewer(&json) {
        Ok(ToViewer::AdvertiseServices { mut services }) if services.len() == 1 => services.remove(0),
        other => panic!("{members}: {other:?}"),
    }
}

const REQUEST: &str =
    r#","request":{"encoding":"json","schemaName":"Req","schemaEncoding":"jsonschema","schema":"{}"}"#;
const RESPONSE: &str =
    r#","response":{"encoding":"json","schemaName":"Res","schemaEncoding":"jsonschema","schema":"{}"}"#;

#[test]
fn p_142_exactly_one_of_the_two_forms_is_written() {
    let table = [
        (None, None, r#","requestSchema":"","responseSchema":"""#.to_owned()),
        (Some(schema("Req")), None, format!(r#"{REQUEST},"responseSchema":"""#)),
        (None, Some(schema("Res")), format!(r#","requestSchema":""{RESPONSE}"#)),
        (Some(schema("Req")), Some(schema("Res")), format!("{REQUEST}{RESPONSE}")),
    ];
    for (request, response, members) in table {
        let message = ToViewer::AdvertiseServices { services: vec![service(request, response)] };
        let json = format!(r#"{{"op":"advertiseServices","services":[{{"id":1,"name":"/s","type":"T"{members}}}]}}"#);
        assert_eq!(json_of(&message.to_frame().unwrap()), json);
        assert_eq!(to_viewer(&json), Ok(message));
    }
}

#[test]
fn p_142_readers_accept_either_both_or_none() {
    assert_eq!(only(""), service(None, None));
    assert_eq!(only(r#","requestSchema":"legacy text""#), service(None, None));
    assert_eq!(only(&format!(r#"{REQUEST},"requestSchema":"legacy""#)), service(Some(schema("Req")), None));
    assert_eq!(only(&format!(r#","responseSchema":""{RESPONSE}"#)), service(None, Some(schema("Res"))));
}

#[test]
fn section_7_13_ill_typed_members() {
    let with = |members: &str| to_viewer(&format!(r#"{{"op":"advertiseServices","services":[{{{members}}}]}}"#));
    assert_invalid(with(r#""name":"/s","type":"T""#), "missing field `id`");
    assert_invalid(with(r#""id":1,"name":"/s""#), "missing field `type`");
    assert_invalid(with(r#""id":4294967296,"name":"/s","type":"T""#), "u32");
    assert_invalid(with(r#""id":1,"name":"/s","type":"T","request":{"encoding":"json"}"#), "missing field");
    assert_invalid(with(r#""id":1,"name":"/s","type":"T","requestSchema":1"#), "expected a string");
    let twice = r#""id":1,"name":"/s","type":"T","requestSchema":"","requestSchema":"""#;
    assert_invalid(with(twice), "duplicate field `requestSchema`");
}
