//! Image messages of every serialization, and what is in them: the first byte chooses which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telelink::video::{Converter, ImageKind, Layout, VideoError, Wire, MAX_PIXELS, MIN_SIDE};

const WIRES: [Wire; 6] = [Wire::Protobuf, Wire::Json, Wire::Flatbuffer, Wire::Ros1, Wire::Ros2, Wire::OmgIdl];

fuzz_target!(|input: &[u8]| {
    let Some((&choice, message)) = input.split_first() else { return };
    let layout = if choice & 1 == 0 { Layout::Raw } else { Layout::Compressed };
    let kind = ImageKind { wire: WIRES[usize::from(choice >> 1) % WIRES.len()], layout };
    let mut converter = Converter::new();
    let first = converter.convert(kind, message, 5_000);
    match &first {
        Ok(converted) => {
            let frame = &converted.frame;
            let (width, height) = (frame.width(), frame.height());
            assert!(width >= MIN_SIDE && height >= MIN_SIDE && width % 2 == 0 && height % 2 == 0);
            assert!(u64::from(width) * u64::from(height) <= MAX_PIXELS);
            assert_eq!(frame.data().len() as u64, u64::from(width) * u64::from(height) * 3 / 2);
            assert_eq!(frame.y().data.len() + frame.u().data.len() + frame.v().data.len(), frame.data().len());
            assert!(converted.timestamp_us >= 0);
            if layout == Layout::Raw {
                assert!(width as usize * height as usize <= message.len(), "more pixels than bytes");
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n') && text.chars().count() < 300, "{text}");
            if let VideoError::ZeroSized { width, height } = error {
                assert!(*width < 2 || *height < 2);
            }
        }
    }
    // What one message left behind in the buffers is not seen in the next.
    let again = converter.convert(kind, message, 5_000);
    match (&first, &again) {
        (Ok(first), Ok(again)) => {
            assert_eq!(first.metadata, again.metadata);
            assert_eq!(first.timestamp_us, again.timestamp_us);
            assert_eq!(first.frame.data(), again.frame.data());
        }
        (first, again) => assert_eq!(first.as_ref().err(), again.as_ref().err()),
    }
});
