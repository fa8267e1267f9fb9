//! Messages of a device: section 7, without those that have a file of their own.

use bytes::Bytes;
use telelink::protocol::{
    message_data_frame, DecodeError, FetchAssetResponse, Parameter, ParameterValue, Status, StatusLevel, ToViewer,
};

use crate::support::{assert_invalid, binary, hex, json_of, one_frame, to_viewer};

fn decode_binary(dump: &str) -> Result<ToViewer, DecodeError> {
    ToViewer::decode(&binary(&hex(dump)))
}

#[test]
fn section_7_2_status() {
    for (number, level) in [(0, StatusLevel::Info), (1, StatusLevel::Warning), (2, StatusLevel::Error)] {
        let status = ToViewer::Status(Status { level, message: "m \"q\"".into(), id: Some("i".into()) });
        let json = format!(r#"{{"op":"status","level":{number},"message":"m \"q\"","id":"i"}}"#);
        assert_eq!(json_of(&status.to_frame().unwrap()), json);
        assert_eq!(to_viewer(&json), Ok(status));
    }
    for level in ["3", "-1", "1.0", "\"1\"", "256", "null"] {
        assert_invalid(to_viewer(&format!(r#"{{"op":"status","level":{level},"message":""}}"#)), "");
    }
    assert_invalid(to_viewer(r#"{"op":"status","message":""}"#), "missing field `level`");
}

#[test]
fn section_7_3_remove_status() {
    let json = r#"{"op":"removeStatus","statusIds":["a","b"]}"#;
    let message = ToViewer::RemoveStatus { status_ids: vec!["a".into(), "b".into()] };
    assert_eq!(to_viewer(json), Ok(message.clone()));
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
    assert_invalid(to_viewer(r#"{"op":"removeStatus"}"#), "missing field `statusIds`");
}

#[test]
fn section_7_6_message_data_frame_is_the_message() {
    for data in [&b""[..], b"x", &[0xaa; 1000]] {
        let message =
            ToViewer::MessageData { channel_id: u64::MAX, log_time: 1 << 63, data: Bytes::copy_from_slice(data) };
        let frame = message_data_frame(u64::MAX, 1 << 63, data).unwrap();
        assert_eq!(message.to_frame().unwrap(), frame);
        assert_eq!(ToViewer::decode(&one_frame(&frame)), Ok(message));
    }
}

/// S-69.
#[test]
fn p_69_opcodes_of_the_two_directions_are_independent() {
    assert!(matches!(
        decode_binary("01 01000000 7b7d"),
        Err(DecodeError::TooShort { message: "messageData", field: "channel id", needed: 8, available: 6 })
    ));
    assert_eq!(decode_binary("07"), Err(DecodeError::UnknownOpcode { opcode: 7 }));
    assert_eq!(ToViewer::decode(&binary(b"")), Err(DecodeError::EmptyBinary));
}

#[test]
fn p_61_fixed_layouts_ignore_what_follows() {
    assert_eq!(decode_binary("02 0100000000000000 ff"), Ok(ToViewer::Time { timestamp: 1 }));
    assert_eq!(
        decode_binary("06 0102030405060708 0900000000000000 ff"),
        Ok(ToViewer::Pong { app_timestamp: [1, 2, 3, 4, 5, 6, 7, 8], device_timestamp_ms: 9 })
    );
    assert!(matches!(decode_binary("06 0102030405060708 09000000000000"), Err(DecodeError::TooShort { .. })));
    assert!(matches!(decode_binary("02 01"), Err(DecodeError::TooShort { message: "time", .. })));
}

#[test]
fn p_136_fetch_asset_response() {
    let response = |result| Ok(ToViewer::FetchAssetResponse(FetchAssetResponse { request_id: 1, result }));
    assert_eq!(decode_binary("04 01000000 00 00000000"), response(Ok(Bytes::new())));
    assert_eq!(decode_binary("04 01000000 00 02000000 6162 63"), response(Ok(Bytes::from_static(b"c"))));
    assert_eq!(decode_binary("04 01000000 00 01000000 ff 63"), response(Ok(Bytes::from_static(b"c"))));
    assert_eq!(decode_binary("04 01000000 01 02000000 6162 63"), response(Err("ab".into())));
    assert_eq!(decode_binary("04 01000000 01 00000000"), response(Err(String::new())));
    assert_eq!(
        decode_binary("04 01000000 02 00000000"),
        Err(DecodeError::InvalidValue { message: "fetchAssetResponse", field: "status", value: 2 })
    );
    assert!(matches!(decode_binary("04 01000000 01 01000000 ff"), Err(DecodeError::StringNotUtf8 { .. })));
    for dump in
        ["04 010000", "04 01000000", "04 01000000 00 0000", "04 01000000 00 01000000", "04 01000000 01 05000000 61"]
    {
        assert!(matches!(decode_binary(dump), Err(DecodeError::TooShort { .. })), "{dump}");
    }
}

#[test]
fn p_138_pong_is_22_bytes() {
    let pong = ToViewer::Pong { app_timestamp: [9; 8], device_timestamp_ms: 1 };
    assert_eq!(pong.to_frame().unwrap().len(), 22);
}

#[test]
fn p_140_unset_parameters_are_not_sent() {
    let values = ToViewer::ParameterValues {
        parameters: vec![Parameter::unset("a"), Parameter::new("b", ParameterValue::Bool(true)), Parameter::unset("c")],
        id: None,
    };
    assert_eq!(
        json_of(&values.to_frame().unwrap()),
        r#"{"op":"parameterValues","parameters":[{"name":"b","value":true}]}"#
    );
    let empty = ToViewer::ParameterValues { parameters: vec![Parameter::unset("a")], id: Some(String::new()) };
    assert_eq!(json_of(&empty.to_frame().unwrap()), r#"{"op":"parameterValues","parameters":[],"id":""}"#);
}

#[test]
fn section_7_14_and_7_15_services() {
    let json = r#"{"op":"unadvertiseServices","serviceIds":[1,4294967295]}"#;
    let message = ToViewer::UnadvertiseServices { service_ids: vec![1, u32::MAX] };
    assert_eq!(to_viewer(json), Ok(message.clone()));
    assert_eq!(json_of(&message.to_frame().unwrap()), json);

    let json = r#"{"op":"serviceCallFailure","serviceId":1,"callId":2,"message":"é"}"#;
    let message = ToViewer::ServiceCallFailure { service_id: 1, call_id: 2, message: "é".into() };
    assert_eq!(to_viewer(json), Ok(message.clone()));
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
    assert_invalid(to_viewer(r#"{"op":"serviceCallFailure","serviceId":1,"message":""}"#), "missing field `callId`");
}
