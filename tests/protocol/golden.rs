//! The frames captured from another implementation (`golden/`), read and written.
//!
//! Each file has the whole frame as hex and what it means as JSON. Every frame is decoded, and encoding the result must give the
//! same bytes. Exceptions, all named below: one frame whose member order is free (P-53 fixes ours; another writer put `value` before
//! `type`), compared as JSON; and one 3 MiB frame of which only the beginning and the length were kept.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use serde_json::{json, Value};
use telelink::protocol::frame::HEADER_LEN;
use telelink::protocol::{data_track, FetchAssetResponse, FrameKind, FromViewer, ToViewer};

use crate::support::{hex, one_frame};

const OTHER_MEMBER_ORDER: &str = "client-setParameters";
const SHORTENED: &str = "server-fetchAssetResponse-3mb";

fn vectors() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/golden");
    let mut vectors = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).expect("the golden folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        vectors.insert(name, serde_json::from_str(&text).expect("JSON"));
    }
    vectors
}

fn raw(vector: &Value) -> Vec<u8> {
    hex(vector["hex"].as_str().expect("hex"))
}

fn bytes_json(data: &[u8]) -> Value {
    let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "hex": digits })
}

/// A binary message in the words of the files.
fn describe_from_viewer(message: &FromViewer) -> Value {
    match message {
        FromViewer::MessageData { channel_id, data } => json!({ "channelId": channel_id, "data": bytes_json(data) }),
        FromViewer::ServiceCallRequest(call) => json!({
            "serviceId": call.service_id, "callId": call.call_id, "encoding": call.encoding, "data": bytes_json(&call.payload),
        }),
        FromViewer::Ping { app_timestamp } => json!({ "appTimestamp": u64::from_le_bytes(*app_timestamp) }),
        FromViewer::PingAck { device_timestamp_ms } => json!({ "deviceTimestamp": device_timestamp_ms }),
        other => panic!("no binary message: {other:?}"),
    }
}

fn describe_to_viewer(message: &ToViewer) -> Value {
    match message {
        ToViewer::MessageData { channel_id, log_time, data } => {
            json!({ "op": "messageData", "channelId": channel_id, "logTime": log_time, "data": bytes_json(data) })
        }
        ToViewer::ServiceCallResponse(call) => json!({
            "op": "serviceCallResponse", "serviceId": call.service_id, "callId": call.call_id, "encoding": call.encoding,
            "data": bytes_json(&call.payload),
        }),
        ToViewer::FetchAssetResponse(FetchAssetResponse { request_id, result: Ok(data) }) => {
            json!({ "op": "fetchAssetResponse", "requestId": request_id, "status": 0, "data": bytes_json(data) })
        }
        ToViewer::FetchAssetResponse(FetchAssetResponse { request_id, result: Err(error) }) => {
            json!({ "op": "fetchAssetResponse", "requestId": request_id, "status": 1, "error": error })
        }
        ToViewer::Pong { app_timestamp, device_timestamp_ms } => json!({
            "op": "pong", "appTimestamp": u64::from_le_bytes(*app_timestamp), "deviceTimestamp": device_timestamp_ms, "size": 16,
        }),
        other => panic!("no binary message: {other:?}"),
    }
}

#[test]
fn golden_frames_are_all_there() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 49);
    let client = vectors.values().filter(|vector| vector["direction"] == "client").count();
    assert_eq!(client, 16);
}

/// P-187.
#[test]
fn golden_viewer_messages_decode_and_encode_to_the_same_bytes() {
    let mut seen = 0;
    for (name, vector) in vectors().iter().filter(|(_, vector)| vector["direction"] == "client") {
        let raw = raw(vector);
        let frame = one_frame(&raw);
        let message = FromViewer::decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = message.to_frame().unwrap();
        match frame.kind {
            FrameKind::Text => {
                let value: Value = serde_json::from_slice(&written[HEADER_LEN..]).unwrap();
                assert_eq!(value, vector["decoded"], "{name}");
            }
            FrameKind::Binary => assert_eq!(describe_from_viewer(&message), vector["decoded"], "{name}"),
        }
        if name != OTHER_MEMBER_ORDER {
            assert_eq!(written, raw, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 16);
}

/// P-187.
#[test]
fn golden_device_messages_decode_and_encode_to_the_same_bytes() {
    let mut seen = 0;
    for (name, vector) in vectors().iter().filter(|(_, vector)| vector["direction"] == "server") {
        if name == SHORTENED || vector["kind"] == "dataTrackFrame" {
            continue;
        }
        let raw = raw(vector);
        let frame = one_frame(&raw);
        let message = ToViewer::decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = message.to_frame().unwrap();
        assert_eq!(written, raw, "{name}");
        match frame.kind {
            FrameKind::Text => {
                let value: Value = serde_json::from_slice(&written[HEADER_LEN..]).unwrap();
                assert_eq!(value, vector["decoded"], "{name}");
            }
            FrameKind::Binary => assert_eq!(describe_to_viewer(&message), vector["decoded"], "{name}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 31);
}

#[test]
fn golden_data_track_frame() {
    let vector = &vectors()["server-dataTrackFrame"];
    let raw = Bytes::from(raw(vector));
    let frame = data_track::decode(&raw).unwrap();
    let decoded = &vector["decoded"];
    assert_eq!(json!([frame.flags, frame.sequence]), json!([decoded["flags"], decoded["sequence"]]));
    assert_eq!(bytes_json(&frame.data), decoded["data"]);
    assert_eq!(data_track::frame(frame.sequence, &frame.data), raw);
}

#[test]
fn golden_3_mib_asset() {
    let vector = &vectors()[SHORTENED];
    // The asset as the suite's fixture.md defines it.
    let asset: Vec<u8> = (0..3 * 1024 * 1024).map(|i| ((i % 4096 * 31 + 7) & 0xff) as u8).collect();
    let response = FetchAssetResponse { request_id: 70, result: Ok(asset.into()) };
    let message = ToViewer::FetchAssetResponse(response);
    let frame = message.to_frame().unwrap();
    assert_eq!(json!(frame.len()), vector["length"]);
    let prefix = hex(vector["hexPrefix"].as_str().expect("a prefix"));
    assert_eq!(frame[..prefix.len()], prefix);
    assert_eq!(ToViewer::decode(&one_frame(&frame)), Ok(message));
}
