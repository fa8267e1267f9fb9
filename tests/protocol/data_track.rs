//! Data-track frames and track names: P-148, P-152, P-153, P-159.

use bytes::Bytes;
use telelink::protocol::data_track::{
    data_track_name, decode, frame, parse_data_track_name, parse_video_track_name, set_sequence, video_track_name,
    TrackFrame, HEADER_LEN,
};
use telelink::protocol::DecodeError;

use crate::support::hex;

/// S-223.
#[test]
fn p_152_layout() {
    assert_eq!(HEADER_LEN, 8);
    assert_eq!(frame(258, b"{\"a\":1}")[..], hex("0000 0800 02010000 7b2261223a317d"));
    assert_eq!(frame(u32::MAX, b"")[..], hex("0000 0800 ffffffff"));
}

#[test]
fn p_155_sequence_is_replaced_in_place() {
    let mut numbered = frame(0, b"hello");
    set_sequence(&mut numbered, 0x0403_0201);
    assert_eq!(numbered[..], hex("0000 0800 01020304 68656c6c6f"));
    assert_eq!(decode(&numbered.freeze()).unwrap().sequence, 0x0403_0201);
}

/// S-223.
#[test]
fn p_153_data_starts_at_the_data_offset() {
    let bytes = Bytes::from(hex("0000 0a00 05000000 eeee 616263"));
    let decoded = decode(&bytes).unwrap();
    assert_eq!(decoded, TrackFrame { flags: 0, sequence: 5, data: Bytes::from_static(b"abc") });
    assert_eq!(decoded.data.as_ptr(), bytes[10..].as_ptr(), "no copy");
    let empty = decode(&Bytes::from(hex("0000 0800 05000000"))).unwrap();
    assert!(empty.data.is_empty());
}

#[test]
fn p_153_unknown_flags_are_ignored() {
    let decoded = decode(&Bytes::from(hex("ff7f 0800 01000000 61"))).unwrap();
    assert_eq!((decoded.flags, &decoded.data[..]), (0x7fff, &b"a"[..]));
}

#[test]
fn p_153_short_frames_and_bad_offsets_are_refused() {
    let whole = hex("0000 0800 01000000");
    for len in 0..8 {
        let error = decode(&Bytes::copy_from_slice(&whole[..len])).unwrap_err();
        assert!(matches!(error, DecodeError::TooShort { .. }), "{len} bytes: {error}");
    }
    for (bytes, offset) in [
        ("0000 0700 01000000 61", 7),
        ("0000 0000 01000000 61", 0),
        ("0000 0a00 01000000 61", 10),
        ("0000 ffff 01000000", 65535),
    ] {
        let error = decode(&Bytes::from(hex(bytes))).unwrap_err();
        assert_eq!(
            error,
            DecodeError::InvalidValue { message: "data track frame", field: "data offset", value: offset }
        );
    }
}

#[test]
fn p_148_p_159_names() {
    assert_eq!(data_track_name(1), "data-ch-1");
    assert_eq!(video_track_name(u64::MAX), "video-ch-18446744073709551615");
    for id in [0, 1, 9, 10, 1 << 53, u64::MAX] {
        assert_eq!(parse_data_track_name(&data_track_name(id)), Some(id));
        assert_eq!(parse_video_track_name(&video_track_name(id)), Some(id));
    }
    for name in [
        "",
        "data-ch-",
        "data-ch-01",
        "data-ch-+1",
        "data-ch--1",
        "data-ch-1 ",
        "data-ch-1a",
        "data-ch-٣",
        "Data-ch-1",
        "video-ch-1",
        "data-ch-18446744073709551616",
        "xdata-ch-1",
    ] {
        assert_eq!(parse_data_track_name(name), None, "{name:?}");
    }
    assert_eq!(parse_video_track_name("data-ch-1"), None);
    assert_eq!(parse_video_track_name("video-ch-00"), None);
}
