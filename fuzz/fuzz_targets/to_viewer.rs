//! Messages of a device, as a viewer reads them: the first byte chooses text or binary.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telelink::protocol::{AdvertisedSchema, FrameKind, ToViewer};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, payload)) = input.split_first() else { return };
    let kind = if choice % 2 == 0 { FrameKind::Text } else { FrameKind::Binary };
    match telelink_fuzz::round_trip(kind, payload) {
        Some(ToViewer::Advertise(advertise)) => {
            assert!(advertise.schemas.iter().all(|schema| schema.id != 0), "P-202");
            assert!(advertise.channels.iter().all(|channel| channel.schema != AdvertisedSchema::Table(Some(0))));
        }
        Some(ToViewer::MessageData { channel_id, log_time, data }) => {
            let frame = telelink::protocol::message_data_frame(channel_id, log_time, &data).expect("it was received");
            assert_eq!(frame[5..], *payload);
        }
        Some(ToViewer::FetchAssetResponse(response)) => {
            if let Ok(data) = response.result {
                assert!(payload.ends_with(&data));
            }
        }
        _ => {}
    }
});
