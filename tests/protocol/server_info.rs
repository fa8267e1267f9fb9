//! `serverInfo`: sections 4.4 and 7.1.

use telelink::protocol::{Capability, ServerInfo, Timestamp, ToViewer};

use crate::support::{assert_invalid, json_of, to_viewer};

/// S-78.
#[test]
fn section_4_4_capability_strings() {
    let strings = [
        "clientPublish",
        "parameters",
        "parametersSubscribe",
        "services",
        "assets",
        "connectionGraph",
        "time",
        "playbackControl",
    ];
    assert_eq!(Capability::ALL.map(Capability::as_str), strings);
    for capability in Capability::ALL {
        assert_eq!(Capability::from_wire(capability.as_str()), Some(capability));
    }
    assert_eq!(Capability::from_wire("ClientPublish"), None);
}

/// P-197.
#[test]
fn section_7_1_empty_members_are_left_out() {
    let message = ToViewer::ServerInfo(ServerInfo { session_id: Some(String::new()), ..ServerInfo::default() });
    let json = r#"{"op":"serverInfo","name":"","capabilities":[],"sessionId":""}"#;
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
    assert_eq!(to_viewer(json), Ok(message));
    let bare = r#"{"op":"serverInfo","name":"","capabilities":[]}"#;
    assert_eq!(to_viewer(bare), Ok(ToViewer::ServerInfo(ServerInfo::default())));
}

#[test]
fn section_7_1_all_members_in_order() {
    let message = ToViewer::ServerInfo(ServerInfo {
        name: "n".into(),
        capabilities: vec![Capability::Time, Capability::PlaybackControl],
        supported_encodings: vec!["json".into(), "cdr".into()],
        metadata: [("b", "2"), ("a", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        session_id: Some("s".into()),
        data_start_time: Some(Timestamp { sec: 1, nsec: 2 }),
        data_end_time: Some(Timestamp { sec: u32::MAX, nsec: 999_999_999 }),
    });
    let json = r#"{"op":"serverInfo","name":"n","capabilities":["time","playbackControl"],"supportedEncodings":["json","cdr"],"metadata":{"a":"1","b":"2"},"sessionId":"s","dataStartTime":{"sec":1,"nsec":2},"dataEndTime":{"sec":4294967295,"nsec":999999999}}"#;
    assert_eq!(json_of(&message.to_frame().unwrap()), json);
    assert_eq!(to_viewer(json), Ok(message));
}

#[test]
fn p_68_unknown_capabilities_do_not_hide_the_known_ones() {
    let json = r#"{"op":"serverInfo","name":"","capabilities":["teleport","assets"]}"#;
    let Ok(ToViewer::ServerInfo(info)) = to_viewer(json) else { panic!("readable") };
    assert_eq!(info.capabilities, [Capability::Assets]);
    assert_invalid(to_viewer(r#"{"op":"serverInfo","name":"","capabilities":[1]}"#), "expected a string");
    assert_invalid(to_viewer(r#"{"op":"serverInfo","name":""}"#), "missing field `capabilities`");
    assert_invalid(to_viewer(r#"{"op":"serverInfo","capabilities":[]}"#), "missing field `name`");
}
