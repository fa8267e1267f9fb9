//! Random messages of every kind, both ways: what is written reads back as itself, and no input makes a decoder fail badly.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use telelink::protocol::{data_track, Frame, FrameDecoder, FrameKind, FromViewer, ToViewer};

use crate::strategies;
use crate::support::one_frame;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_of_a_viewer_round_trip(message in strategies::from_viewer()) {
        let frame = message.to_frame().unwrap();
        prop_assert_eq!(FromViewer::decode(&one_frame(&frame)), Ok(message));
    }

    #[test]
    fn messages_of_a_device_round_trip(message in strategies::to_viewer()) {
        let frame = message.to_frame().unwrap();
        prop_assert_eq!(ToViewer::decode(&one_frame(&frame)), Ok(message));
    }

    #[test]
    fn data_track_frames_round_trip(sequence: u32, data in strategies::bytes()) {
        let frame = data_track::frame(sequence, &data).freeze();
        let expected = data_track::TrackFrame { flags: 0, sequence, data };
        prop_assert_eq!(data_track::decode(&frame), Ok(expected));
    }

    #[test]
    fn p_5_streams_survive_any_chunking(
        messages in vec(strategies::from_viewer(), 1..6),
        sizes in vec(1_usize..50, 1..20),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|message| message.to_frame().unwrap()).collect();
        let mut decoder = FrameDecoder::default();
        let mut read = Vec::new();
        let mut rest = &stream[..];
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let (chunk, left) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            rest = left;
            decoder.push(Bytes::copy_from_slice(chunk));
            while let Some(frame) = decoder.next().unwrap() {
                read.push(FromViewer::decode(&frame).unwrap());
            }
        }
        prop_assert_eq!(read, messages);
        prop_assert!(!decoder.is_mid_frame());
    }

    /// A cut or a flipped byte gives another message or an error, never a panic, and whatever is read can be written or is refused.
    #[test]
    fn p_199_damaged_messages_do_no_harm(
        message in prop_oneof![
            strategies::from_viewer().prop_map(|message| message.to_frame().unwrap()),
            strategies::to_viewer().prop_map(|message| message.to_frame().unwrap()),
        ],
        at: prop::sample::Index,
        value: u8,
        cut: bool,
    ) {
        let Frame { kind, payload } = one_frame(&message);
        let mut payload = payload.to_vec();
        if !payload.is_empty() {
            let at = at.index(payload.len());
            if cut { payload.truncate(at) } else { payload[at] = value }
        }
        let frame = Frame { kind, payload: payload.into() };
        if let Ok(read) = FromViewer::decode(&frame) {
            let again = read.to_frame().unwrap();
            prop_assert_eq!(one_frame(&again).kind, kind);
        }
        if let Ok(read) = ToViewer::decode(&frame) {
            let again = read.to_frame().unwrap();
            prop_assert_eq!(one_frame(&again).kind, kind);
        }
        prop_assert!(!cut || kind == FrameKind::Binary || FromViewer::decode(&frame).is_err(), "half an object");
    }
}
