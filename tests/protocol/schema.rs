//! Schema data: P-62 to P-65, P-81, P-126.

use telelink::protocol::schema::{
    decode_schema_data, encode_schema_data, is_binary_schema, requires_schema, HAS_VIDEO_TRACK_KEY,
    ORIGINAL_SCHEMA_NAME_KEY, RELIABLE_KEY, RESERVED_METADATA_KEYS, VIDEO_FRAME_ID_KEY, VIDEO_SOURCE_ENCODING_KEY,
};
use telelink::protocol::{SchemaError, CONTROL_TOPIC};

#[test]
fn p_1_control_topic() {
    assert_eq!(CONTROL_TOPIC.as_bytes(), b"control");
}

/// S-76, P-63.
#[test]
fn p_62_binary_schemas_travel_as_base64() {
    for encoding in ["protobuf", "flatbuffer"] {
        assert!(is_binary_schema(encoding));
        for (bytes, text) in
            [(&b"\xde\xad\xbe\xef"[..], "3q2+7w=="), (b"", ""), (b"\xfb\xff", "+/8="), (b"abc", "YWJj")]
        {
            assert_eq!(encode_schema_data(encoding, bytes).unwrap(), text);
            assert_eq!(decode_schema_data(encoding, text).unwrap(), bytes);
        }
    }
}

/// P-63.
#[test]
fn p_62_other_schemas_travel_as_they_are() {
    for encoding in ["jsonschema", "ros1msg", "ros2msg", "ros2idl", "omgidl", "", "Protobuf", "protobuf ", "anything"] {
        assert!(!is_binary_schema(encoding));
        for text in ["", "{\"type\": \"object\"}", "float64 é\n", "3q2+7w=="] {
            assert_eq!(encode_schema_data(encoding, text.as_bytes()).unwrap(), text);
            assert_eq!(decode_schema_data(encoding, text).unwrap(), text);
        }
    }
}

/// S-76.
#[test]
fn p_62_base64_must_be_standard_padded_and_canonical() {
    let wrong = [
        ("3q2+7w", "padding missing"),
        ("3q2+7w=", "padding short"),
        ("3q2-7w==", "URL alphabet"),
        ("3q2_7w==", "URL alphabet"),
        ("3q2+7x==", "stray bits"),
        ("3q2+ 7w=", "space"),
        ("3q2+7w==\n", "line end"),
        ("=", "padding alone"),
        ("é", "not ASCII"),
    ];
    for (text, what) in wrong {
        let error = decode_schema_data("protobuf", text).expect_err(what);
        assert!(error.to_string().starts_with("Schema data is not valid base64: "), "P-81 text for {what}: {error}");
        assert!(matches!(error, SchemaError::Base64 { detail } if !detail.is_empty()));
    }
}

/// S-76.
#[test]
fn p_64_text_schemas_must_be_utf_8() {
    let error = encode_schema_data("jsonschema", b"ab\xff").unwrap_err();
    assert_eq!(error, SchemaError::NotUtf8 { encoding: "jsonschema".into(), valid_up_to: 2 });
    assert_eq!(
        error.to_string(),
        "schema data of encoding \"jsonschema\" is not UTF-8: first invalid byte at offset 2"
    );
}

/// S-76.
#[test]
fn p_64_encodings_that_need_a_schema() {
    for encoding in ["protobuf", "flatbuffer", "ros1", "cdr"] {
        assert!(requires_schema(encoding), "{encoding}");
    }
    for encoding in ["json", "", "msgpack", "CDR", "ros1msg", "jsonschema"] {
        assert!(!requires_schema(encoding), "{encoding}");
    }
}

#[test]
fn p_126_reserved_metadata_keys() {
    assert_eq!(RELIABLE_KEY, "foxglove.reliable");
    assert_eq!(HAS_VIDEO_TRACK_KEY, "foxglove.hasVideoTrack");
    assert_eq!(VIDEO_SOURCE_ENCODING_KEY, "foxglove.videoSourceEncoding");
    assert_eq!(VIDEO_FRAME_ID_KEY, "foxglove.videoFrameId");
    assert_eq!(ORIGINAL_SCHEMA_NAME_KEY, "foxglove.originalSchemaName");
    assert!(RESERVED_METADATA_KEYS.iter().all(|key| key.starts_with("foxglove.")));
}
