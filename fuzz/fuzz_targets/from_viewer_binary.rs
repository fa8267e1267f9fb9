//! Binary messages of a viewer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telelink::protocol::{FrameKind, FromViewer};

fuzz_target!(|payload: &[u8]| {
    match telelink_fuzz::round_trip(FrameKind::Binary, payload) {
        Some(FromViewer::MessageData { channel_id, data }) => {
            assert_eq!(channel_id.to_le_bytes(), payload[1..5]);
            assert_eq!(data, payload[5..]);
        }
        Some(FromViewer::ServiceCallRequest(call)) => {
            assert_eq!(13 + call.encoding.len() + call.payload.len(), payload.len());
            assert!(payload.ends_with(&call.payload));
        }
        Some(FromViewer::Ping { app_timestamp }) => assert_eq!(app_timestamp, payload[1..9]),
        Some(FromViewer::PingAck { device_timestamp_ms }) => {
            assert_eq!(device_timestamp_ms.to_le_bytes(), payload[1..9]);
        }
        Some(FromViewer::PlaybackControl(control)) => assert!(19 + control.request_id.len() <= payload.len()),
        Some(other) => panic!("{other:?} is no binary message"),
        None => {}
    }
});
