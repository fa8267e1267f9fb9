//! Frames of data tracks, and track names.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use telelink::protocol::data_track;

fuzz_target!(|input: &[u8]| {
    let frame = Bytes::copy_from_slice(input);
    match data_track::decode(&frame) {
        Ok(track_frame) => {
            assert!(input.ends_with(&track_frame.data));
            assert!(track_frame.data.len() + data_track::HEADER_LEN <= input.len());
            let mut written = data_track::frame(0, &track_frame.data);
            data_track::set_sequence(&mut written, track_frame.sequence);
            let again = data_track::decode(&written.freeze()).expect("our own frame");
            assert_eq!((again.flags, again.sequence, &again.data), (0, track_frame.sequence, &track_frame.data));
        }
        Err(error) => {
            // Either too short for a header, or the data offset points outside.
            let offset = input.get(2..4).map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
            assert!(
                input.len() < 8 || offset.is_some_and(|offset| offset < 8 || offset > input.len()),
                "refused for no reason: {error}"
            );
        }
    }

    let Ok(name) = std::str::from_utf8(input) else { return };
    if let Some(id) = data_track::parse_data_track_name(name) {
        assert_eq!(data_track::data_track_name(id), name, "one name per id");
    }
    if let Some(id) = data_track::parse_video_track_name(name) {
        assert_eq!(data_track::video_track_name(id), name, "one name per id");
    }
});
