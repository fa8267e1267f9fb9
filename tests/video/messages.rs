//! Every serialization carries the same picture, time and frame id to the same frame (S-238, S-278).

use telelink::video::{
    image_kind, Converted, Converter, ImageKind, Layout, Metadata, Picture, RawFormat, RawPicture, VideoError, Wire,
};

use crate::reference::{Source, ALL_FORMATS};
use crate::wire::{Body, Message, Numbers, WIRES};

const LOG_TIME_NS: u64 = 5_000_000_999;
const TIME: (u32, u32) = (1_700_000_000, 123_456_789);
const TIME_US: i64 = 1_700_000_000_123_456;

fn raw(source: &Source, frame_id: &str) -> Message {
    let Source { width, height, format, stride, big_endian, ref data } = *source;
    let body =
        Body::Raw { width, height, encoding: format.name().into(), step: stride, big_endian, data: data.clone() };
    Message { time: Some(TIME), frame_id: frame_id.into(), body }
}

fn small() -> Source {
    Source::noise(18, 16, RawFormat::Rgb8, 1, false)
}

fn compressed(format: &str) -> Message {
    let data = include_bytes!("fixtures/ramp-420.jpg").to_vec();
    Message { time: Some(TIME), frame_id: "camera".into(), body: Body::Compressed { format: format.into(), data } }
}

fn convert(kind: ImageKind, bytes: &[u8]) -> Result<Converted, VideoError> {
    Converter::new().convert(kind, bytes, LOG_TIME_NS)
}

#[track_caller]
fn refusal(kind: ImageKind, bytes: &[u8]) -> String {
    convert(kind, bytes).expect_err("must be refused").to_string()
}

#[track_caller]
fn assert_metadata(converted: &Converted, source_encoding: &'static str, frame_id: &str) {
    assert_eq!(converted.metadata, Metadata { source_encoding, frame_id: frame_id.into() });
}

#[test]
fn raw_images_in_every_serialization_and_format_become_the_same_frame() {
    for format in ALL_FORMATS.into_iter().filter(|format| *format != RawFormat::I420) {
        for wire in WIRES {
            // only ROS can say that it is big-endian
            let big_endian = matches!(wire, Wire::Ros1 | Wire::Ros2);
            let source = Source::noise(22, 18, format, 2, big_endian);
            let message = raw(&source, "camera");
            let context = format!("{wire:?} {format:?}");
            let converted = convert(message.kind(wire), &message.encode(wire)).expect(&context);
            source.expected().assert_shown(&converted.frame, 2.0, &context);
            assert_metadata(&converted, format.name(), "camera");
            assert_eq!(converted.timestamp_us, TIME_US, "{context}");
        }
    }
}

#[test]
fn compressed_images_in_every_serialization_become_the_same_frame() {
    let file = include_bytes!("fixtures/ramp-420.jpg");
    let jpeg = Picture::Compressed { codec: telelink::video::Codec::Jpeg, data: file };
    let expected = Converter::new().convert_picture(&jpeg).expect("a good picture");
    for wire in WIRES {
        for format in ["jpeg", "JPG", "bgr8; jpeg compressed bgr8"] {
            let message = compressed(format);
            let converted = convert(message.kind(wire), &message.encode(wire)).expect("a good message");
            assert_eq!(converted.frame.data(), expected.data(), "{wire:?} {format}");
            assert_metadata(&converted, "jpeg", "camera");
            assert_eq!(converted.timestamp_us, TIME_US, "{wire:?}");
        }
    }
}

/// What a ROS serializer that is not ours wrote, both byte orders.
#[test]
fn s_278_messages_of_rosbags_are_read() {
    let pixels: Vec<u8> = (0..17 * 16 * 3_u32).map(|at| at as u8).collect();
    let source = Source { width: 17, height: 16, format: RawFormat::Bgr8, stride: 51, big_endian: false, data: pixels };
    let images: [(&str, &str, &[u8]); 3] = [
        ("ros1", "sensor_msgs/Image", include_bytes!("fixtures/ros1-image-little.bin")),
        ("cdr", "sensor_msgs/msg/Image", include_bytes!("fixtures/ros2-image-little.bin")),
        ("cdr", "sensor_msgs/msg/Image", include_bytes!("fixtures/ros2-image-big.bin")),
    ];
    for (encoding, schema, bytes) in images {
        let converted = convert(image_kind(encoding, schema).expect("an image"), bytes).expect(schema);
        source.expected().assert_shown(&converted.frame, 2.0, schema);
        assert_metadata(&converted, "bgr8", "camera_optical");
        assert_eq!(converted.timestamp_us, TIME_US);
    }
    let files: [(&str, &str, &[u8]); 3] = [
        ("ros1", "sensor_msgs/CompressedImage", include_bytes!("fixtures/ros1-compressed-little.bin")),
        ("cdr", "sensor_msgs/msg/CompressedImage", include_bytes!("fixtures/ros2-compressed-little.bin")),
        ("cdr", "sensor_msgs/msg/CompressedImage", include_bytes!("fixtures/ros2-compressed-big.bin")),
    ];
    for (encoding, schema, bytes) in files {
        let converted = convert(image_kind(encoding, schema).expect("an image"), bytes).expect(schema);
        assert_metadata(&converted, "jpeg", "camera_optical");
        assert_eq!((converted.frame.width(), converted.frame.height(), converted.timestamp_us), (64, 48, TIME_US));
    }
}

/// Every length of the strings moves what follows to another alignment.
#[test]
fn s_278_fields_are_found_behind_strings_of_any_length() {
    let source = small();
    for len in 0..9 {
        let frame_id = "camera_0123456789"[..len].to_owned();
        let message = raw(&source, &frame_id);
        for wire in WIRES {
            let context = format!("{wire:?} {frame_id:?}");
            let converted = convert(message.kind(wire), &message.encode(wire)).expect(&context);
            source.expected().assert_shown(&converted.frame, 2.0, &context);
            assert_eq!(&*converted.metadata.frame_id, frame_id, "{context}");
        }
    }
}

#[test]
fn s_278_cdr_of_both_byte_orders_and_of_xcdr2_is_read() {
    let source = small();
    let message = raw(&source, "camera");
    for (identifier, numbers) in [
        ([0, 0], Numbers::Big),
        ([0, 1], Numbers::Little),
        ([0, 6], Numbers::Big),
        ([0, 7], Numbers::Little),
        ([0, 0x10], Numbers::Big),
        ([0, 0x11], Numbers::Little),
    ] {
        let context = format!("{identifier:?}");
        for (wire, bytes) in
            [(Wire::Ros2, message.ros2(identifier, numbers)), (Wire::OmgIdl, message.omg_idl(identifier, numbers))]
        {
            let converted = convert(message.kind(wire), &bytes).expect(&context);
            source.expected().assert_shown(&converted.frame, 2.0, &context);
            assert_metadata(&converted, "rgb8", "camera");
            assert_eq!(converted.timestamp_us, TIME_US);
            // what is left of the last word, and what rosbag2 rounds up to
            let padded = [&bytes[..], &[0; 3]].concat();
            assert!(convert(message.kind(wire), &padded).is_ok());
        }
    }
    for identifier in [[0, 2], [0, 3], [0, 8], [0, 9], [0, 0x0b], [0, 0x15], [1, 1], [0xff, 0xff]] {
        for wire in [Wire::Ros2, Wire::OmgIdl] {
            let error = convert(message.kind(wire), &message.ros2(identifier, Numbers::Little)).expect_err("unknown");
            assert!(matches!(error, VideoError::Unsupported { what: "CDR representation", .. }), "{error}");
        }
    }
}

/// Some writers send empty strings with no byte at all.
#[test]
fn a_cdr_string_may_lack_its_terminator() {
    let message = compressed("jpeg");
    let mut bytes = Message { frame_id: String::new(), ..message.clone() }.ros2([0, 1], Numbers::Little);
    let at = 4 + 8;
    assert_eq!(bytes[at..at + 8], [1, 0, 0, 0, 0, 0, 0, 0]);
    bytes[at] = 0; // length 0, what follows is aligned padding of the length
    let without: Vec<u8> = [&bytes[..at + 4], &bytes[at + 8..]].concat();
    let converted = convert(message.kind(Wire::Ros2), &without).expect("an empty string");
    assert_metadata(&converted, "jpeg", "");
}

/// P-164.
#[test]
fn s_238_without_a_time_stamp_the_log_time_counts() {
    let message = Message { time: None, ..raw(&small(), "") };
    for wire in [Wire::Protobuf, Wire::Json, Wire::Flatbuffer] {
        let converted = convert(message.kind(wire), &message.encode(wire)).expect("a good message");
        assert_eq!(converted.timestamp_us, 5_000_000, "{wire:?}");
        let late = Converter::new().convert(message.kind(wire), &message.encode(wire), u64::MAX);
        assert_eq!(late.expect("a good message").timestamp_us, 18_446_744_073_709_551, "{wire:?}");
    }
    // A time stamp of zero is one.
    let zero = Message { time: Some((0, 0)), ..message };
    for wire in WIRES {
        let converted = convert(zero.kind(wire), &zero.encode(wire)).expect("a good message");
        assert_eq!(converted.timestamp_us, 0, "{wire:?}");
    }
}

#[test]
fn s_278_nanoseconds_carry_over_until_the_seconds_are_full() {
    for wire in WIRES {
        let message = |time| Message { time: Some(time), ..raw(&small(), "") };
        let carried = message((10, 1_999_999_999));
        let converted = convert(carried.kind(wire), &carried.encode(wire)).expect("a second more");
        assert_eq!(converted.timestamp_us, 11_999_999, "{wire:?}");
        if wire != Wire::Ros2 {
            let last = message((u32::MAX, 999_999_999));
            let converted = convert(last.kind(wire), &last.encode(wire)).expect("the last one");
            assert_eq!(converted.timestamp_us, 4_294_967_295_999_999, "{wire:?}");
        }
        let over = message((u32::MAX, 1_000_000_000));
        let text = refusal(over.kind(wire), &over.encode(wire));
        assert!(text.contains("timestamp"), "{wire:?}: {text}");
    }
}

#[test]
fn s_247_time_stamps_before_1970_are_refused() {
    let message = Message { time: Some(((-1_i32).cast_unsigned(), 0)), ..raw(&small(), "") };
    assert!(refusal(message.kind(Wire::Ros2), &message.encode(Wire::Ros2)).contains("before 1970"));
    let negative = [&[0x0a, 11, 0x08][..], &[0xff; 9], &[1]].concat(); // timestamp { seconds: -1 }
    let kind = message.kind(Wire::Protobuf);
    assert!(refusal(kind, &negative).contains("-1 s"));
    assert!(refusal(message.kind(Wire::Json), br#"{"timestamp":{"sec":-1,"nsec":0}}"#).contains("-1"));
}

#[test]
fn s_247_json_data_is_base64_with_or_without_padding() {
    let source = Source { data: small().data[..18 * 16 * 3 + 1].to_vec(), stride: 54, ..small() };
    let message = raw(&source, "camera");
    let expected = convert(message.kind(Wire::Protobuf), &message.encode(Wire::Protobuf)).expect("a good message");
    let text = message.json().to_string();
    let kind = message.kind(Wire::Json);
    assert!(text.contains('=') && text.contains('/'), "the test needs both");
    for text in
        [text.replace('=', ""), text.replace('/', "\\/"), text.clone(), serde_json::json!(message.json()).to_string()]
    {
        let converted = convert(kind, text.as_bytes()).expect("a good message");
        assert_eq!(converted.frame.data(), expected.frame.data());
    }
    let broken = text.replace('=', "!");
    assert!(refusal(kind, broken.as_bytes()).contains("base64"));
}

#[test]
fn json_keys_may_be_unknown_escaped_and_in_any_order() {
    let message = raw(&small(), "käm\"era");
    let mut object = message.json();
    object["extra"] = serde_json::json!({ "deep": [1, 2, { "data": "x" }] });
    let text = serde_json::to_string_pretty(&object).expect("JSON").replace("rgb8", "\\u0072gb8");
    let converted = convert(message.kind(Wire::Json), text.as_bytes()).expect("a good message");
    assert_metadata(&converted, "rgb8", "käm\"era");
}

#[test]
fn protobuf_fields_may_be_unknown_repeated_and_in_pieces() {
    let message = raw(&small(), "camera");
    let known = message.encode(Wire::Protobuf);
    // fields 100 of every wire type, an earlier step and frame id, and the seconds of the time stamp on their own
    let unknown = [
        &[0xa0, 0x06, 0x96, 0x01][..],
        &[0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0xa2, 0x06, 2, 9, 9],
        &[0xa5, 0x06, 1, 2, 3, 4],
        &[0x2d, 1, 0, 0, 0],
        &[0x3a, 1, b'x'],
        &[0x0a, 2, 0x08, 5],
    ]
    .concat();
    let converted = convert(message.kind(Wire::Protobuf), &[unknown, known].concat()).expect("the last one counts");
    assert_metadata(&converted, "rgb8", "camera");
    assert_eq!(converted.timestamp_us, TIME_US);
    let pieces = [&[0x0a, 2, 0x08, 5][..], &[0x0a, 3, 0x10, 0xe8, 0x07]].concat(); // 5 s, and 1000 ns
    let untimed = Message { time: None, ..message.clone() }.encode(Wire::Protobuf);
    let converted = convert(message.kind(Wire::Protobuf), &[pieces, untimed].concat()).expect("merged");
    assert_eq!(converted.timestamp_us, 5_000_001);
}

#[test]
fn absent_fields_are_zero_or_empty_where_the_format_knows_defaults() {
    for (wire, bytes) in [(Wire::Protobuf, Vec::new()), (Wire::Json, b"{}".to_vec())] {
        let raw = ImageKind { wire, layout: Layout::Raw };
        assert_eq!(refusal(raw, &bytes), "unsupported raw encoding: \"\"");
        let compressed = ImageKind { wire, layout: Layout::Compressed };
        assert_eq!(refusal(compressed, &bytes), "unsupported compressed format: \"\"");
    }
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let table = builder.start_table();
    let table = builder.end_table(table);
    builder.finish_minimal(table);
    let raw = ImageKind { wire: Wire::Flatbuffer, layout: Layout::Raw };
    assert_eq!(refusal(raw, builder.finished_data()), "unsupported raw encoding: \"\"");
}

#[test]
fn a_frame_id_that_is_no_text_does_not_lose_the_picture() {
    for wire in [Wire::Protobuf, Wire::Ros1, Wire::Ros2, Wire::OmgIdl, Wire::Flatbuffer] {
        let message = raw(&small(), "cam?ra");
        let mut bytes = message.encode(wire);
        let at = bytes.windows(6).position(|window| window == b"cam?ra").expect("is in there");
        bytes[at + 3] = 0xe9; // é in Latin-1
        let converted = convert(message.kind(wire), &bytes).expect("the picture is fine");
        assert_eq!(&*converted.metadata.frame_id, "cam\u{fffd}ra", "{wire:?}");
    }
}

#[test]
fn names_as_long_as_a_picture_are_refused() {
    let message = raw(&small(), &"x".repeat(5000));
    for wire in WIRES {
        let text = refusal(message.kind(wire), &message.encode(wire));
        assert!(text.contains("frame_id of 500"), "{wire:?}: {text}");
    }
}

/// One converter for a channel whose pictures change: what is told follows, and only then.
#[test]
fn s_248_metadata_follows_the_messages() {
    let mut converter = Converter::new();
    let mut told = |format, frame_id: &str| {
        let message = raw(&Source::noise(16, 16, format, 0, false), frame_id);
        let bytes = message.encode(Wire::Ros1);
        converter.convert(message.kind(Wire::Ros1), &bytes, 0).expect("a good message").metadata
    };
    let first = told(RawFormat::Rgb8, "left");
    assert_eq!(first, told(RawFormat::Rgb8, "left"));
    assert_ne!(first, told(RawFormat::Bgr8, "left"));
    assert_ne!(first, told(RawFormat::Rgb8, "right"));
    assert_eq!(first, told(RawFormat::Rgb8, "left"));
}

#[test]
fn s_243_s_246_what_is_not_supported_is_named() {
    let depth = Message { body: compressed("16UC1; compressedDepth png").body, ..raw(&small(), "") };
    let mut float = raw(&small(), "");
    if let Body::Raw { encoding, .. } = &mut float.body {
        *encoding = "32FC3".into();
    }
    for wire in WIRES {
        assert_eq!(
            refusal(depth.kind(wire), &depth.encode(wire)),
            "unsupported compressed format: \"16UC1; compressedDepth png\""
        );
        assert_eq!(refusal(float.kind(wire), &float.encode(wire)), "unsupported raw encoding: \"32FC3\"");
    }
}

/// The converter works on whatever thread has time, and the encoder's may be another.
#[test]
fn converters_and_frames_go_from_thread_to_thread() {
    let message = raw(&small(), "camera");
    let mut converter = Converter::new();
    let first = converter.convert(message.kind(Wire::Ros1), &message.encode(Wire::Ros1), 0).expect("a good message");
    let data = first.frame.data().to_vec();
    let second = std::thread::spawn(move || {
        drop(first);
        converter.convert(message.kind(Wire::Ros1), &message.encode(Wire::Ros1), 0).expect("a good message")
    });
    assert_eq!(second.join().expect("no panic").frame.data(), data);
}

#[test]
fn an_error_leaves_the_converter_ready() {
    let mut converter = Converter::new();
    let message = raw(&small(), "camera");
    for wire in WIRES {
        let bytes = message.encode(wire);
        let kind = message.kind(wire);
        let whole = converter.convert(kind, &bytes, 0).expect("a good message").frame.data().to_vec();
        assert!(converter.convert(kind, &bytes[..bytes.len() / 2], 0).is_err(), "{wire:?}");
        let again = converter.convert(kind, &bytes, 0).expect("a good message");
        assert_eq!(again.frame.data(), whole, "{wire:?}");
    }
    // a camera without messages, in between
    let source = small();
    let picture = RawPicture { ..source.picture() };
    source.expected().assert_shown(&converter.convert_picture(&Picture::Raw(picture)).expect("fine"), 2.0, "picture");
}
