//! Framing: rules P-30 to P-52, S-71, S-72.

use bytes::{BufMut, Bytes, BytesMut};
use telelink::protocol::frame::{binary_frame, text_frame, HEADER_LEN, MAX_PAYLOAD};
use telelink::protocol::{message_data_frame, EncodeError, Frame, FrameDecoder, FrameError, FrameKind};

use crate::support::{hex, one_frame};

fn raw(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn drain(decoder: &mut FrameDecoder) -> (Vec<Frame>, Option<FrameError>) {
    let mut frames = Vec::new();
    loop {
        match decoder.next() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// S-68.
#[test]
fn p_30_header_is_kind_and_little_endian_length() {
    assert_eq!(HEADER_LEN, 5);
    assert_eq!(text_frame(b"{}").unwrap(), hex("01 02000000 7b7d"));
    assert_eq!(binary_frame(&[9; 258]).unwrap()[..6], hex("02 02010000 09"));
}

/// S-68.
#[test]
fn p_30_frames_follow_each_other_immediately() {
    let stream = [raw(1, b"a"), raw(2, b"bc"), raw(1, b"")].concat();
    let mut decoder = FrameDecoder::default();
    decoder.push(stream.into());
    let (frames, error) = drain(&mut decoder);
    assert_eq!(error, None);
    let read: Vec<_> = frames.iter().map(|frame| (frame.kind, &frame.payload[..])).collect();
    assert_eq!(read, [(FrameKind::Text, &b"a"[..]), (FrameKind::Binary, b"bc"), (FrameKind::Text, b"")]);
    assert!(!decoder.is_mid_frame());
}

/// S-68.
#[test]
fn p_5_any_chunking_gives_the_same_frames() {
    let stream = [raw(1, b"{\"op\":\"x\"}"), raw(2, b""), raw(2, &[7; 40]), raw(1, b"z")].concat();
    let mut whole = FrameDecoder::default();
    whole.push(Bytes::from(stream.clone()));
    let expected = drain(&mut whole);
    assert_eq!(expected.0.len(), 4);

    for size in 1..=stream.len() {
        let mut decoder = FrameDecoder::default();
        let mut frames = Vec::new();
        for chunk in stream.chunks(size) {
            decoder.push(Bytes::copy_from_slice(chunk));
            let (more, error) = drain(&mut decoder);
            assert_eq!(error, None);
            frames.extend(more);
        }
        assert_eq!((frames, None), expected, "chunks of {size}");
        assert_eq!(decoder.buffered(), 0);
    }
    for split in 0..=stream.len() {
        let mut decoder = FrameDecoder::default();
        decoder.push(Bytes::copy_from_slice(&stream[..split]));
        decoder.push(Bytes::copy_from_slice(&stream[split..]));
        assert_eq!(drain(&mut decoder), expected, "both halves pushed before reading, split at {split}");
    }
}

#[test]
fn p_34_p_35_end_inside_a_frame_is_told_from_end_between_frames() {
    let frame = raw(2, b"abc");
    for end in 0..=frame.len() {
        let mut decoder = FrameDecoder::default();
        decoder.push(Bytes::copy_from_slice(&frame[..end]));
        let (frames, error) = drain(&mut decoder);
        assert_eq!(error, None);
        assert_eq!(frames.len(), usize::from(end == frame.len()));
        assert_eq!(decoder.is_mid_frame(), end != 0 && end != frame.len(), "end at {end}");
        let held = if end == frame.len() {
            0
        } else if end < HEADER_LEN {
            end
        } else {
            end - HEADER_LEN
        };
        assert_eq!(decoder.buffered(), held, "end at {end}");
    }
}

#[test]
fn p_32_exactly_16_mib_is_accepted() {
    let mut stream = BytesMut::new();
    stream.put_slice(&hex("02 00000001"));
    stream.resize(HEADER_LEN + MAX_PAYLOAD, 0xab);
    let stream = stream.freeze();

    let mut whole = FrameDecoder::default();
    whole.push(stream.clone());
    assert_eq!(whole.next().unwrap().unwrap().payload.len(), MAX_PAYLOAD);

    let mut parts = FrameDecoder::default();
    for start in (0..stream.len()).step_by(15_000) {
        assert_eq!(parts.next(), Ok(None));
        parts.push(stream.slice(start..(start + 15_000).min(stream.len())));
    }
    assert_eq!(parts.next().unwrap().unwrap().payload, stream.slice(HEADER_LEN..));
}

#[test]
fn p_37_length_over_16_mib_fails_on_the_header_alone() {
    let error = FrameError::TooLarge { len: MAX_PAYLOAD + 1, max: MAX_PAYLOAD };
    for kind in ["01", "02", "09"] {
        let mut decoder = FrameDecoder::default();
        decoder.push(hex(kind).into());
        decoder.push(hex("010000").into());
        assert_eq!(decoder.next(), Ok(None));
        decoder.push(hex("01").into());
        assert_eq!(decoder.next(), Err(error), "kind {kind}");
    }
    assert_eq!(error.to_string(), "frame payload of 16777217 bytes exceeds the limit of 16777216 bytes");
    let mut decoder = FrameDecoder::default();
    decoder.push(hex("02 ffffffff").into());
    assert_eq!(decoder.next(), Err(FrameError::TooLarge { len: u32::MAX as usize, max: MAX_PAYLOAD }));
}

#[test]
fn p_37_the_limit_can_be_lower() {
    let mut decoder = FrameDecoder::new(3);
    decoder.push([raw(1, b"abc"), raw(1, b"abcd")].concat().into());
    let (frames, error) = drain(&mut decoder);
    assert_eq!(frames.len(), 1);
    assert_eq!(error, Some(FrameError::TooLarge { len: 4, max: 3 }));
}

/// S-73.
#[test]
fn p_38_unknown_kind_is_reported_once_its_payload_has_gone_by() {
    for kind in [0, 3, 255] {
        let mut decoder = FrameDecoder::default();
        decoder.push([raw(1, b"before"), raw(kind, b"ab")[..6].to_vec()].concat().into());
        assert_eq!(decoder.next().unwrap().unwrap().payload, "before");
        assert_eq!(decoder.next(), Ok(None), "kind {kind}");
        assert!(decoder.is_mid_frame());
        assert_eq!(decoder.buffered(), 0, "what is skipped is not kept");
        decoder.push(Bytes::from_static(b"b"));
        assert_eq!(decoder.next(), Err(FrameError::UnknownKind(kind)));
    }
    let mut empty = FrameDecoder::default();
    empty.push(raw(3, b"").into());
    assert_eq!(empty.next(), Err(FrameError::UnknownKind(3)));
}

#[test]
fn p_48_after_an_error_the_decoder_stays_failed() {
    let mut decoder = FrameDecoder::default();
    decoder.push([raw(7, b""), raw(1, b"later")].concat().into());
    assert_eq!(decoder.next(), Err(FrameError::UnknownKind(7)));
    decoder.push(raw(1, b"later still").into());
    assert_eq!(decoder.next(), Err(FrameError::UnknownKind(7)));
    assert_eq!(decoder.buffered(), 0);
    assert!(!decoder.is_mid_frame());
}

#[test]
fn p_33_frames_over_16_mib_are_not_built() {
    let payload = vec![0; MAX_PAYLOAD + 1];
    let error = EncodeError::TooLarge { len: MAX_PAYLOAD + 1, max: MAX_PAYLOAD };
    assert_eq!(text_frame(&payload), Err(error.clone()));
    assert_eq!(binary_frame(&payload), Err(error.clone()));
    assert_eq!(binary_frame(&payload[1..]).unwrap().len(), HEADER_LEN + MAX_PAYLOAD);
    assert_eq!(message_data_frame(1, 2, &payload[17..]), Err(error));
    assert_eq!(message_data_frame(1, 2, &payload[18..]).unwrap().len(), HEADER_LEN + MAX_PAYLOAD);
}

#[test]
fn s_72_a_frame_within_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from([raw(1, b"first"), raw(2, b"second")].concat());
    let range = chunk.as_ptr() as usize..chunk.as_ptr() as usize + chunk.len();
    let mut decoder = FrameDecoder::default();
    decoder.push(chunk);
    let (frames, _) = drain(&mut decoder);
    assert_eq!(frames.len(), 2);
    for frame in frames {
        assert!(range.contains(&(frame.payload.as_ptr() as usize)), "no copy");
    }
}

#[test]
fn s_72_buffered_counts_what_arrived_not_what_was_declared() {
    let mut decoder = FrameDecoder::default();
    decoder.push(hex("02 00000001").into());
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.buffered(), 0);
    decoder.push(Bytes::from(vec![0; 1000]));
    assert_eq!(decoder.buffered(), 1000, "before it was looked at");
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.buffered(), 1000, "and after");
}

#[test]
fn p_35_empty_chunks_change_nothing() {
    let mut decoder = FrameDecoder::default();
    decoder.push(Bytes::new());
    assert_eq!(decoder.next(), Ok(None));
    assert!(!decoder.is_mid_frame());
    for byte in raw(1, b"ab") {
        decoder.push(Bytes::new());
        decoder.push(Bytes::copy_from_slice(&[byte]));
    }
    assert_eq!(decoder.next().unwrap().unwrap().payload, "ab");
}

#[test]
fn p_52_every_frame_built_has_a_kind_and_a_payload_a_peer_accepts() {
    let frame = one_frame(&message_data_frame(1, 2, b"").unwrap());
    assert_eq!(frame.kind, FrameKind::Binary);
    assert_eq!(frame.payload.len(), 17);
}
