//! Messages of a viewer: sections 4.1 and 6.

use bytes::Bytes;
use telelink::protocol::{
    ClientChannel, ClientSchema, DecodeError, FromViewer, Parameter, ParameterValue, ServiceCall, SubscribeChannel,
};

use crate::support::{assert_invalid, binary, from_viewer, hex, json_of};

fn decode_binary(dump: &str) -> Result<FromViewer, DecodeError> {
    FromViewer::decode(&binary(&hex(dump)))
}

fn subscribe(channels: &[(u64, bool)]) -> FromViewer {
    let entry = |&(id, request_video_track): &(u64, bool)| SubscribeChannel { id, request_video_track };
    FromViewer::Subscribe { channels: channels.iter().map(entry).collect() }
}

#[test]
fn section_6_1_subscribe() {
    let json = r#"{"op":"subscribe","channels":[{"id":1},{"id":2,"requestVideoTrack":true},{"id":3,"requestVideoTrack":false}]}"#;
    assert_eq!(from_viewer(json), Ok(subscribe(&[(1, false), (2, true), (3, false)])));
    assert_eq!(from_viewer(r#"{"op":"subscribe","channels":[]}"#), Ok(subscribe(&[])));
    assert_eq!(
        json_of(&subscribe(&[(1, false), (2, true)]).to_frame().unwrap()),
        r#"{"op":"subscribe","channels":[{"id":1},{"id":2,"requestVideoTrack":true}]}"#
    );
}

#[test]
fn p_55_request_video_track_may_be_absent_but_not_null() {
    let json = r#"{"op":"subscribe","channels":[{"id":1,"requestVideoTrack":null}]}"#;
    assert_invalid(from_viewer(json), "invalid type: null");
    assert_invalid(from_viewer(r#"{"op":"subscribe","channels":[{"id":1,"requestVideoTrack":1}]}"#), "integer `1`");
}

#[test]
fn p_57_ids_are_integers_in_range() {
    for id in ["1.0", "-1", "\"1\"", "1e2", "18446744073709551616", "null", "true", "[1]", "-0"] {
        assert_invalid(from_viewer(&format!(r#"{{"op":"subscribe","channels":[{{"id":{id}}}]}}"#)), "");
        assert_invalid(from_viewer(&format!(r#"{{"op":"unsubscribe","channelIds":[1,{id}]}}"#)), "");
        assert_invalid(from_viewer(&format!(r#"{{"op":"unadvertise","channelIds":[{id}]}}"#)), "");
        assert_invalid(from_viewer(&format!(r#"{{"op":"fetchAsset","requestId":{id},"uri":""}}"#)), "");
    }
    let max = r#"{"op":"unsubscribe","channelIds":[18446744073709551615,0]}"#;
    assert_eq!(from_viewer(max), Ok(FromViewer::Unsubscribe { channel_ids: vec![u64::MAX, 0] }));
    assert_invalid(from_viewer(r#"{"op":"unadvertise","channelIds":[4294967296]}"#), "u32");
    let max = r#"{"op":"unadvertise","channelIds":[4294967295]}"#;
    assert_eq!(from_viewer(max), Ok(FromViewer::Unadvertise { channel_ids: vec![u32::MAX] }));
}

#[test]
fn section_6_3_advertise() {
    let json = r#"{"op":"advertise","channels":[
        {"id":1,"topic":"/a","encoding":"json","schemaName":""},
        {"schema":"AAEC","schemaEncoding":"protobuf","schemaName":"S","encoding":"protobuf","topic":"/b","id":2},
        {"id":3,"topic":"/c","encoding":"json","schemaName":"C","schemaEncoding":null,"schema":null}]}"#;
    let channel = |id, topic: &str, encoding: &str, name: &str, schema: Option<(&str, &str)>| ClientChannel {
        id,
        topic: topic.into(),
        encoding: encoding.into(),
        schema_name: name.into(),
        schema_encoding: schema.map(|(encoding, _)| encoding.into()),
        schema: schema.map(|(_, data)| data.into()),
    };
    let message = FromViewer::Advertise {
        channels: vec![
            channel(1, "/a", "json", "", None),
            channel(2, "/b", "protobuf", "S", Some(("protobuf", "AAEC"))),
            channel(3, "/c", "json", "C", None),
        ],
    };
    assert_eq!(from_viewer(json), Ok(message.clone()));
    assert_eq!(
        json_of(&message.to_frame().unwrap()),
        r#"{"op":"advertise","channels":[{"id":1,"topic":"/a","encoding":"json","schemaName":""},{"id":2,"topic":"/b","encoding":"protobuf","schemaName":"S","schemaEncoding":"protobuf","schema":"AAEC"},{"id":3,"topic":"/c","encoding":"json","schemaName":"C"}]}"#
    );
}

#[test]
fn section_6_3_required_members_of_advertise() {
    let members = [("id", "1"), ("topic", "\"/a\""), ("encoding", "\"json\""), ("schemaName", "\"\"")]
        .map(|(k, v)| format!("\"{k}\":{v}"));
    for missing in 0..members.len() {
        let rest: Vec<_> = members.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, m)| m.clone()).collect();
        let json = format!(r#"{{"op":"advertise","channels":[{{{}}}]}}"#, rest.join(","));
        assert_invalid(from_viewer(&json), "missing field");
    }
}

#[test]
fn p_81_schema_resolution_table() {
    let channel = |encoding: Option<&str>, schema: Option<&str>, name: &str| ClientChannel {
        id: 1,
        topic: "/t".into(),
        encoding: "json".into(),
        schema_name: name.into(),
        schema_encoding: encoding.map(Into::into),
        schema: schema.map(Into::into),
    };
    let schema = |name: &str, encoding: &str, data: &'static [u8]| {
        Ok(Some(ClientSchema { name: name.into(), encoding: encoding.into(), data: Bytes::from_static(data) }))
    };
    assert_eq!(channel(Some("jsonschema"), Some("{}"), "N").decode_schema(), schema("N", "jsonschema", b"{}"));
    assert_eq!(channel(Some("protobuf"), Some("AAEC"), "").decode_schema(), schema("", "protobuf", &[0, 1, 2]));
    assert_eq!(channel(Some("protobuf"), Some(""), "N").decode_schema(), schema("N", "protobuf", b""));
    assert_eq!(channel(Some("protobuf"), None, "N").decode_schema(), schema("N", "protobuf", b""));
    assert_eq!(channel(None, Some("ignored"), "N").decode_schema(), schema("N", "", b""));
    assert_eq!(channel(None, None, "N").decode_schema(), schema("N", "", b""));
    for (encoding, data) in [(Some("protobuf"), None), (None, Some("{}")), (None, None)] {
        assert_eq!(channel(encoding, data, "").decode_schema(), Ok(None));
    }
    let error = channel(Some("flatbuffer"), Some("?"), "N").decode_schema().unwrap_err();
    assert!(error.to_string().starts_with("Schema data is not valid base64: "));
}

/// P-60.
#[test]
fn section_6_5_message_data() {
    let data =
        |channel_id, data: &'static [u8]| Ok(FromViewer::MessageData { channel_id, data: Bytes::from_static(data) });
    assert_eq!(decode_binary("01 1e000000 7b7d"), data(30, b"{}"));
    assert_eq!(decode_binary("01 ffffffff"), data(u32::MAX, b""));
    assert!(matches!(decode_binary("01 1e0000"), Err(DecodeError::TooShort { field: "channel id", .. })));
}

#[test]
fn section_6_5_data_is_a_slice_of_the_frame() {
    let frame = binary(&hex("01 01000000 aabbcc"));
    let Ok(FromViewer::MessageData { data, .. }) = FromViewer::decode(&frame) else { panic!("message data") };
    assert_eq!(data.as_ptr(), frame.payload[5..].as_ptr());
}

/// P-60.
#[test]
fn section_6_6_service_call_request() {
    let call = ServiceCall { service_id: 1, call_id: 2, encoding: "é".into(), payload: Bytes::from_static(b"xy") };
    assert_eq!(
        decode_binary("02 01000000 02000000 02000000 c3a9 7879"),
        Ok(FromViewer::ServiceCallRequest(call.clone()))
    );
    let empty = ServiceCall { encoding: String::new(), payload: Bytes::new(), ..call };
    assert_eq!(decode_binary("02 01000000 02000000 00000000"), Ok(FromViewer::ServiceCallRequest(empty)));
}

#[test]
fn p_44_bodies_shorter_than_their_fields_are_refused() {
    let whole = hex("02 01000000 02000000 02000000 c3a9");
    for len in 1..whole.len() {
        let error = FromViewer::decode(&binary(&whole[..len])).unwrap_err();
        assert!(matches!(error, DecodeError::TooShort { message: "serviceCallRequest", .. }), "{len}: {error}");
    }
    assert!(matches!(
        decode_binary("02 01000000 02000000 ffffffff c3a9"),
        Err(DecodeError::TooShort { field: "encoding", needed: 0xffff_ffff, available: 2, .. })
    ));
}

#[test]
fn p_45_inner_strings_must_be_utf_8() {
    assert_eq!(
        decode_binary("02 01000000 02000000 01000000 ff"),
        Err(DecodeError::StringNotUtf8 { message: "serviceCallRequest", field: "encoding" })
    );
}

#[test]
fn p_93_ping_needs_8_bytes_and_ignores_the_rest() {
    let ping = Ok(FromViewer::Ping { app_timestamp: [1, 2, 3, 4, 5, 6, 7, 8] });
    assert_eq!(decode_binary("04 0102030405060708"), ping);
    assert_eq!(decode_binary("04 0102030405060708 ffff"), ping);
    for dump in ["04", "04 01020304050607"] {
        assert!(matches!(decode_binary(dump), Err(DecodeError::TooShort { message: "ping", needed: 8, .. })));
    }
}

#[test]
fn section_6_9_ping_ack() {
    assert_eq!(decode_binary("05 0100000000000000 00"), Ok(FromViewer::PingAck { device_timestamp_ms: 1 }));
    assert!(matches!(decode_binary("05 00000000000000"), Err(DecodeError::TooShort { message: "pingAck", .. })));
}

#[test]
fn section_6_10_get_parameters() {
    let get = |names: &[&str], id: Option<&str>| {
        Ok(FromViewer::GetParameters {
            names: names.iter().map(|name| (*name).into()).collect(),
            id: id.map(Into::into),
        })
    };
    assert_eq!(
        from_viewer(r#"{"op":"getParameters","parameterNames":["a","b"],"id":"x"}"#),
        get(&["a", "b"], Some("x"))
    );
    assert_eq!(from_viewer(r#"{"op":"getParameters","parameterNames":[]}"#), get(&[], None));
    assert_eq!(from_viewer(r#"{"op":"getParameters","parameterNames":[],"id":null}"#), get(&[], None));
    assert_eq!(from_viewer(r#"{"op":"getParameters","parameterNames":[],"id":""}"#), get(&[], Some("")));
    assert_invalid(from_viewer(r#"{"op":"getParameters","id":"x"}"#), "missing field `parameterNames`");
    assert_invalid(from_viewer(r#"{"op":"getParameters","parameterNames":null}"#), "null");
    assert_invalid(from_viewer(r#"{"op":"getParameters","parameterNames":[1]}"#), "expected a string");
    assert_invalid(from_viewer(r#"{"op":"getParameters","parameterNames":[],"id":1}"#), "integer `1`");
}

#[test]
fn section_6_11_set_parameters() {
    let set = FromViewer::SetParameters {
        parameters: vec![Parameter::new("a", ParameterValue::Integer(1)), Parameter::unset("b")],
        id: None,
    };
    let json = r#"{"op":"setParameters","parameters":[{"name":"a","value":1},{"name":"b"}]}"#;
    assert_eq!(from_viewer(json), Ok(set.clone()));
    assert_eq!(json_of(&set.to_frame().unwrap()), json, "P-183: without value asks to unset");
    assert_invalid(from_viewer(r#"{"op":"setParameters","id":"x"}"#), "missing field `parameters`");
}

#[test]
fn section_6_12_parameter_update_subscriptions() {
    let names = vec!["a".to_owned(), "b".to_owned()];
    let json = r#"{"op":"subscribeParameterUpdates","parameterNames":["a","b"]}"#;
    assert_eq!(from_viewer(json), Ok(FromViewer::SubscribeParameterUpdates { names: names.clone() }));
    let json = r#"{"op":"unsubscribeParameterUpdates","parameterNames":["a","b"]}"#;
    assert_eq!(from_viewer(json), Ok(FromViewer::UnsubscribeParameterUpdates { names }));
    assert_invalid(from_viewer(r#"{"op":"unsubscribeParameterUpdates"}"#), "missing field");
}

#[test]
fn section_6_13_connection_graph() {
    assert_eq!(from_viewer(r#"{"op":"subscribeConnectionGraph"}"#), Ok(FromViewer::SubscribeConnectionGraph));
    let extra = r#"{"more":[{}],"op":"unsubscribeConnectionGraph"}"#;
    assert_eq!(from_viewer(extra), Ok(FromViewer::UnsubscribeConnectionGraph));
}

#[test]
fn p_111_asset_uris_are_untouched() {
    for uri in ["", "package://a/b.urdf", "file:///x y", "é\u{0}"] {
        let fetch = FromViewer::FetchAsset { request_id: 7, uri: uri.into() };
        let frame = crate::support::one_frame(&fetch.to_frame().unwrap());
        assert_eq!(FromViewer::decode(&frame), Ok(fetch));
    }
}

#[test]
fn p_42_p_43_empty_and_unknown_binary_messages() {
    assert_eq!(FromViewer::decode(&binary(b"")), Err(DecodeError::EmptyBinary));
    for opcode in [0, 6, 7, 255] {
        assert_eq!(FromViewer::decode(&binary(&[opcode, 0, 0])), Err(DecodeError::UnknownOpcode { opcode }));
    }
}

#[test]
fn p_198_messages_of_a_device_are_unknown_here() {
    let op = |op: &str| Err(DecodeError::UnknownOp { op: op.into() });
    assert_eq!(from_viewer(r#"{"op":"serverInfo","name":"","capabilities":[]}"#), op("serverInfo"));
    assert_eq!(from_viewer(r#"{"op":"status","level":0,"message":""}"#), op("status"));
}
