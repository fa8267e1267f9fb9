//! Rules of all JSON messages: P-39 to P-41, P-53 to P-59, and bounds on hostile input.

use telelink::protocol::{DecodeError, EncodeError, FromViewer, SubscribeChannel, ToViewer, MAX_ENTRIES};

use crate::support::{assert_invalid, from_viewer, json_of, text, to_viewer};

fn assert_not_a_message(json: &str, reason: &str) {
    match from_viewer(json) {
        Err(DecodeError::NotAMessage { detail }) if detail.contains(reason) => {}
        other => panic!("{json:?} should be no message for {reason:?}: {other:?}"),
    }
}

#[test]
fn p_39_text_must_be_utf_8() {
    let mut frame = text(r#"{"op":"unsubscribe","channelIds":[]}"#);
    let mut bytes = frame.payload.to_vec();
    bytes[9] = 0xff;
    frame.payload = bytes.into();
    assert_eq!(FromViewer::decode(&frame), Err(DecodeError::TextNotUtf8 { valid_up_to: 9 }));
    assert_eq!(ToViewer::decode(&frame), Err(DecodeError::TextNotUtf8 { valid_up_to: 9 }));
}

#[test]
fn p_40_bad_json_and_bad_op() {
    assert_not_a_message("{", "EOF");
    assert_not_a_message("{\"op\":\"subscribe\",}", "trailing comma");
    assert_not_a_message("[]", "expected a JSON object");
    assert_not_a_message("\"subscribe\"", "expected a JSON object");
    assert_not_a_message("null", "expected a JSON object");
    assert_not_a_message("{}", "missing field `op`");
    assert_not_a_message("{\"channels\":[]}", "missing field `op`");
    assert_not_a_message("{\"op\":1}", "expected a string");
    assert_not_a_message("{\"op\":null}", "expected a string");
    assert_not_a_message("{\"Op\":\"subscribe\"}", "missing field `op`");
    assert_not_a_message("\u{feff}{\"op\":\"subscribeConnectionGraph\"}", "expected value");
}

#[test]
fn p_41_empty_text_is_bad_json() {
    assert_not_a_message("", "EOF");
    assert_not_a_message("  ", "EOF");
}

/// S-76.
#[test]
fn p_53_op_matches_exactly_and_may_stand_anywhere() {
    for op in ["Subscribe", "subscribe ", "SUBSCRIBE", "", "nope"] {
        let json = format!(r#"{{"op":"{op}","channels":[]}}"#);
        assert_eq!(from_viewer(&json), Err(DecodeError::UnknownOp { op: op.into() }));
        assert_eq!(to_viewer(&json), Err(DecodeError::UnknownOp { op: op.into() }));
    }
    let expected = Ok(FromViewer::Subscribe { channels: vec![SubscribeChannel { id: 1, request_video_track: false }] });
    for json in [
        r#"{"channels":[{"id":1}],"op":"subscribe"}"#,
        r#"{"x":{"op":"nope"},"op":"subscribe","y":0,"channels":[{"id":1}]}"#,
        r#"{"o\u0070":"sub\u0073cribe","ch\u0061nnels":[{"\u0069d":1}]}"#,
    ] {
        assert_eq!(from_viewer(json), expected);
    }
}

#[test]
fn p_54_unknown_members_are_ignored_at_every_level() {
    let json = r#"{"op":"subscribe","zz":[[{"a":null}],1e999,"x"],"channels":[{"id":1,"more":{"id":2},"Id":3}]}"#;
    assert_eq!(
        from_viewer(json),
        Ok(FromViewer::Subscribe { channels: vec![SubscribeChannel { id: 1, request_video_track: false }] })
    );
    assert!(to_viewer(r#"{"op":"status","level":0,"message":"","color":"red"}"#).is_ok());
}

#[test]
fn p_54_repeated_members_are_errors() {
    assert_not_a_message(r#"{"op":"subscribe","channels":[],"op":"subscribe"}"#, "duplicate field `op`");
    assert_invalid(from_viewer(r#"{"op":"subscribe","channels":[],"channels":[]}"#), "duplicate field `channels`");
    assert_invalid(from_viewer(r#"{"op":"subscribe","channels":[{"id":1,"id":1}]}"#), "duplicate field `id`");
    let json = r#"{"op":"subscribe","channels":[{"id":1,"requestVideoTrack":true,"requestVideoTrack":true}]}"#;
    assert_invalid(from_viewer(json), "duplicate field `requestVideoTrack`");
    assert_invalid(
        from_viewer(r#"{"op":"getParameters","parameterNames":[],"id":null,"id":null}"#),
        "duplicate field `id`",
    );
    assert_invalid(to_viewer(r#"{"op":"status","level":0,"level":0,"message":""}"#), "duplicate field `level`");
    let json = r#"{"op":"serverInfo","name":"","capabilities":[],"metadata":{},"metadata":{}}"#;
    assert_invalid(to_viewer(json), "duplicate field `metadata`");
}

#[test]
fn p_53_objects_are_not_arrays_of_their_members() {
    assert_invalid(from_viewer(r#"{"op":"subscribe","channels":[[1]]}"#), "expected an object");
    assert_invalid(from_viewer(r#"{"op":"subscribe","channels":{"id":1}}"#), "expected an array");
    assert_invalid(from_viewer(r#"{"op":"advertise","channels":[[1,"/a","json",""]]}"#), "expected an object");
    assert_invalid(from_viewer(r#"{"op":"setParameters","parameters":[["a"]]}"#), "expected a parameter object");
    let json = r#"{"op":"serverInfo","name":"","capabilities":[],"dataStartTime":[1,2]}"#;
    assert_invalid(to_viewer(json), "expected an object");
    let json = r#"{"op":"connectionGraphUpdate","publishedTopics":[["a",[]]],"subscribedTopics":[],"advertisedServices":[],"removedTopics":[],"removedServices":[]}"#;
    assert_invalid(to_viewer(json), "expected an object");
    let json = r#"{"op":"advertiseServices","services":[{"id":1,"name":"","type":"","request":["a","b","c","d"]}]}"#;
    assert_invalid(to_viewer(json), "expected an object");
}

#[test]
fn p_55_null_is_absent_for_optional_members() {
    assert!(from_viewer(r#"{"op":"setParameters","parameters":[],"id":null}"#).is_ok());
    for json in [
        r#"{"op":"status","level":0,"message":"","id":null}"#,
        r#"{"op":"advertise","schemas":null,"channels":[{"id":1,"topic":"","encoding":"","schemaId":null,"metadata":null}]}"#,
        r#"{"op":"serverInfo","name":"","capabilities":[],"supportedEncodings":null,"metadata":null,"sessionId":null,"dataStartTime":null}"#,
        r#"{"op":"advertiseServices","services":[{"id":1,"name":"","type":"","request":null,"requestSchema":null}]}"#,
        r#"{"op":"parameterValues","parameters":[],"id":null}"#,
    ] {
        to_viewer(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    }
    assert_invalid(to_viewer(r#"{"op":"status","level":0,"message":null}"#), "null");
}

#[test]
fn p_58_output_is_compact_with_op_first() {
    let message = FromViewer::Unsubscribe { channel_ids: vec![1, 2] };
    assert_eq!(json_of(&message.to_frame().unwrap()), r#"{"op":"unsubscribe","channelIds":[1,2]}"#);
    let message = FromViewer::SubscribeConnectionGraph;
    assert_eq!(json_of(&message.to_frame().unwrap()), r#"{"op":"subscribeConnectionGraph"}"#);
}

#[test]
fn p_59_white_space_around_is_fine_and_other_bytes_are_not() {
    let expected = Ok(FromViewer::Unsubscribe { channel_ids: vec![1] });
    assert_eq!(from_viewer(" \t\r\n{ \"op\" : \"unsubscribe\" , \"channelIds\":[ 1 ] } \n\t\r "), expected);
    for trailing in ["x", "\0", "{}", "\u{a0}", ","] {
        assert_not_a_message(&format!(r#"{{"op":"unsubscribe","channelIds":[1]}}{trailing}"#), "trailing");
    }
}

#[test]
fn p_199_deep_nesting_is_refused_or_skipped_but_never_followed() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let unknown_member = format!(r#"{{"op":"subscribe","channels":[],"x":{}}}"#, deep(200_000));
    assert_eq!(from_viewer(&unknown_member), Ok(FromViewer::Subscribe { channels: vec![] }));
    let value = format!(r#"{{"op":"setParameters","parameters":[{{"name":"a","value":{}}}]}}"#, deep(200_000));
    assert_invalid(from_viewer(&value), "nested more than 64 levels deep");
    assert_invalid(from_viewer(&format!(r#"{{"op":"subscribe","channels":{}}}"#, deep(200_000))), "expected an object");
}

#[test]
fn p_199_lists_are_bounded_both_ways() {
    let list = |n: usize| format!(r#"{{"op":"unsubscribe","channelIds":[{}0]}}"#, "0,".repeat(n - 1));
    let Ok(longest) = from_viewer(&list(MAX_ENTRIES)) else { panic!("{MAX_ENTRIES} entries are fine") };
    assert!(longest.to_frame().is_ok());
    assert_invalid(from_viewer(&list(MAX_ENTRIES + 1)), "more than 1048576 entries");
    let too_long = FromViewer::Unsubscribe { channel_ids: vec![0; MAX_ENTRIES + 1] };
    assert_eq!(
        too_long.to_frame(),
        Err(EncodeError::TooMany { what: "channelIds", len: MAX_ENTRIES + 1, max: MAX_ENTRIES })
    );
}

#[test]
fn s_74a_error_texts_are_short_and_printable_whatever_was_sent() {
    let huge = "\\n\u{1b}é".repeat(100_000);
    for json in [
        format!(r#"{{"op":"{}"}}"#, huge.replace('\u{1b}', "")),
        format!(r#"{{"op":"fetchAsset","requestId":"{}","uri":""}}"#, huge.replace('\u{1b}', "\\u001b")),
        format!(r#"{{"op":"setParameters","parameters":[{{"name":"a","{}":1}}]}}"#, huge.replace('\u{1b}', "\\u001b")),
        format!(
            r#"{{"op":"setParameters","parameters":[{{"name":"a","type":"{}"}}]}}"#,
            huge.replace('\u{1b}', "\\u001b")
        ),
    ] {
        let error = from_viewer(&json).unwrap_err().to_string();
        assert!(error.len() < 1000, "{} bytes", error.len());
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}
