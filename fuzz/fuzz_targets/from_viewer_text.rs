//! JSON messages of a viewer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telelink::protocol::{FrameKind, FromViewer};

fuzz_target!(|payload: &[u8]| {
    if let Some(FromViewer::Advertise { channels }) = telelink_fuzz::round_trip(FrameKind::Text, payload) {
        for channel in channels {
            let schema = channel.decode_schema();
            if let Ok(None) = schema {
                assert!(channel.schema_name.is_empty());
            }
            if let Err(error) = schema {
                assert!(error.to_string().starts_with("Schema data is not valid base64: "));
            }
        }
    }
});
