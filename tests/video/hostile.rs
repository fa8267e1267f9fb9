//! Broken and malicious messages: refused with a text, without panics and without memory for what is only claimed.

use proptest::prelude::*;
use telelink::video::{Converter, ImageKind, Layout, RawFormat, VideoError, Wire};

use crate::reference::Source;
use crate::wire::{Body, Message, Numbers, WIRES};

fn messages() -> [Message; 2] {
    let source = Source::noise(18, 16, RawFormat::Rgb8, 1, false);
    let raw = Body::Raw {
        width: 18,
        height: 16,
        encoding: "rgb8".into(),
        step: source.stride,
        big_endian: false,
        data: source.data,
    };
    let data = include_bytes!("fixtures/ramp-grey.jpg").to_vec();
    let compressed = Body::Compressed { format: "jpeg".into(), data };
    [raw, compressed].map(|body| Message { time: Some((1, 2)), frame_id: "camera".into(), body })
}

/// Whatever comes, the answer is a frame or one line of bounded length, and memory is bounded by the message.
fn assert_survives(kind: ImageKind, bytes: &[u8]) -> Result<(), VideoError> {
    let mut converter = Converter::new();
    let mut result = Ok(());
    let spent = allocation_counter::measure(|| {
        result = converter.convert(kind, bytes, 0).map(|converted| {
            let frame = &converted.frame;
            assert!(frame.width() >= 16 && frame.height() >= 16);
            assert_eq!(frame.data().len() as u32, frame.width() * frame.height() * 3 / 2);
        });
    });
    if let Err(error) = &result {
        let text = error.to_string();
        assert!(text.chars().count() < 300 && !text.contains('\n'), "{text}");
    }
    if kind.layout == Layout::Raw {
        assert!(spent.bytes_max < 64 * 1024 + 8 * bytes.len() as u64, "{kind:?}: {spent:?}");
    }
    result
}

#[test]
fn messages_cut_anywhere_are_refused() {
    for message in messages() {
        for wire in WIRES {
            let bytes = message.encode(wire);
            let kind = message.kind(wire);
            // JPEG shows what is there of a picture
            for len in 0..bytes.len() {
                let result = assert_survives(kind, &bytes[..len]);
                let complete = match wire {
                    Wire::Protobuf => len == bytes.len() - 8, // the frame id is last and may be missing
                    Wire::Flatbuffer => len == bytes.len() - 1, // padding behind the frame id
                    _ => false,
                };
                if kind.layout == Layout::Raw && !complete {
                    assert!(result.is_err(), "{wire:?} cut to {len} of {}", bytes.len());
                }
            }
        }
    }
}

/// Every field of four bytes, at any place, as the largest numbers there are.
#[test]
fn lengths_and_sizes_that_overflow_are_refused() {
    for message in messages() {
        for wire in WIRES {
            let kind = message.kind(wire);
            let bytes = message.encode(wire);
            for at in 0..bytes.len().min(200).saturating_sub(4) {
                for value in [u32::MAX, u32::MAX - 3, i32::MAX as u32, 1 << 31, 1 << 30, 0] {
                    for number in [value.to_le_bytes(), value.to_be_bytes()] {
                        let mut broken = bytes.clone();
                        broken[at..at + 4].copy_from_slice(&number);
                        let _ = assert_survives(kind, &broken);
                    }
                }
            }
        }
    }
}

#[test]
fn errors_name_the_field_that_is_wrong() {
    let [raw, _] = messages();
    let text = |wire, bytes: &[u8]| {
        Converter::new().convert(raw.kind(wire), bytes, 0).expect_err("must be refused").to_string()
    };
    let ros1 = raw.ros1();
    assert_eq!(text(Wire::Ros1, &ros1[..2]), "malformed ROS 1 message: header.seq needs 4 bytes at 0, there are 2");
    assert_eq!(
        text(Wire::Ros1, &ros1[..18]),
        "malformed ROS 1 message: header.frame_id needs 6 bytes at 16, there are 2"
    );
    let ros2 = raw.ros2([0, 1], Numbers::Little);
    assert_eq!(text(Wire::Ros2, &ros2[..3]), "malformed ROS 2 message: 3 bytes are too few for the CDR header");
    assert!(text(Wire::Ros2, &ros2[..ros2.len() - 1]).starts_with("malformed ROS 2 message: data needs 880 bytes"));
    assert_eq!(text(Wire::Protobuf, &[0x0d]), "malformed protobuf message: a field of 4 bytes where 0 are left");
    assert_eq!(text(Wire::Protobuf, &[0x10, 1]), "malformed protobuf message: width has the wrong wire type");
    assert_eq!(text(Wire::Protobuf, &[0x0b]), "malformed protobuf message: wire type 3");
    assert_eq!(text(Wire::Protobuf, &[0xff; 12]), "malformed protobuf message: a number of more than 64 bits");
    assert_eq!(text(Wire::Protobuf, &[0x00, 0x00]), "malformed protobuf message: field number 0");
    assert_eq!(text(Wire::Json, b"[1, 2]"), "malformed JSON message: not an object");
    assert!(text(Wire::Json, b"{").starts_with("malformed JSON message: EOF"));
    assert!(text(Wire::Json, br#"{"width":-1}"#).contains("-1"));
    assert_eq!(text(Wire::Flatbuffer, &[]), "malformed flatbuffer: root offset lies outside");
    assert_eq!(
        text(Wire::Flatbuffer, &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        "malformed flatbuffer: root table is not aligned"
    );
}

#[test]
fn a_long_wrong_value_is_not_repeated_in_full() {
    let text = format!(r#"{{"width":"{}"}}"#, "é".repeat(100_000));
    let kind = ImageKind { wire: Wire::Json, layout: Layout::Raw };
    let error = Converter::new().convert(kind, text.as_bytes(), 0).expect_err("no number");
    assert!(error.to_string().chars().count() < 300, "{error}");
}

#[test]
fn json_as_deep_as_it_likes_is_refused() {
    let deep = format!(r#"{{"x":{}"#, "[".repeat(1_000_000));
    let kind = ImageKind { wire: Wire::Json, layout: Layout::Raw };
    assert!(Converter::new().convert(kind, deep.as_bytes(), 0).is_err());
}

/// Vectors of a flatbuffer that are not aligned, strings that do not end.
#[test]
fn s_247_a_flatbuffer_is_verified() {
    let [raw, _] = messages();
    let kind = raw.kind(Wire::Flatbuffer);
    let bytes = raw.flatbuffer();
    assert!(assert_survives(kind, &bytes).is_ok());
    let at = bytes.windows(7).position(|window| window == b"camera\0").expect("is in there");
    let mut endless = bytes.clone();
    endless[at + 6] = b'!';
    let error = assert_survives(kind, &endless).expect_err("no end").to_string();
    assert_eq!(error, "malformed flatbuffer: frame_id does not end in a zero");
    // one byte before it all: nothing is where it was aligned to
    let mut moved = [&bytes[..4], &[0], &bytes[4..]].concat();
    moved[0] += 1;
    let error = assert_survives(kind, &moved).expect_err("not aligned").to_string();
    assert_eq!(error, "malformed flatbuffer: root table is not aligned");
}

fn any_kind() -> impl Strategy<Value = ImageKind> {
    let layouts = prop_oneof![Just(Layout::Raw), Just(Layout::Compressed)];
    (prop::sample::select(WIRES.to_vec()), layouts).prop_map(|(wire, layout)| ImageKind { wire, layout })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(kind in any_kind(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = assert_survives(kind, &bytes);
    }

    #[test]
    fn messages_with_any_bytes_changed_are_survived(
        kind in any_kind(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let [raw, compressed] = messages();
        let message = if kind.layout == Layout::Raw { raw } else { compressed };
        let mut bytes = message.encode(kind.wire);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = assert_survives(kind, &bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = assert_survives(kind, &bytes);
    }

    #[test]
    fn files_with_any_bytes_changed_are_survived(
        file in prop::sample::select(vec![
            ("jpeg", &include_bytes!("fixtures/ramp-420.jpg")[..]),
            ("jpeg", include_bytes!("fixtures/ramp-progressive.jpg")),
            ("jpeg", include_bytes!("fixtures/ramp-cmyk.jpg")),
            ("png", include_bytes!("fixtures/ramp-palette.png")),
            ("png", include_bytes!("fixtures/ramp-grey16.png")),
            ("webp", include_bytes!("fixtures/ramp-alpha.webp")),
            ("webp", include_bytes!("fixtures/ramp-lossless.webp")),
            ("webp", include_bytes!("fixtures/ramp-animated.webp")),
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (format, file) = file;
        let mut data = file.to_vec();
        for (at, value) in changes {
            let at = at.index(data.len());
            data[at] = value;
        }
        let body = Body::Compressed { format: format.into(), data };
        let message = Message { time: None, frame_id: String::new(), body };
        let _ = assert_survives(message.kind(Wire::Ros1), &message.encode(Wire::Ros1));
    }
}
