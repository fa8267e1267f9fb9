//! Channels of viewers (P-80 to P-86, S-185 to S-191).

use super::*;

use crate::protocol::ClientChannel as Wire;
use crate::session::tests::captured::Captured;

fn publishing() -> Robot {
    Robot::with(|options| options.capabilities = vec![SessionCapability::ClientPublish])
}

fn wire(id: u32) -> Wire {
    Wire {
        id,
        topic: format!("/t{id}"),
        encoding: "json".into(),
        schema_name: String::new(),
        schema_encoding: None,
        schema: None,
    }
}

/// An advertise of channels without schemas.
pub(super) fn advertise(ids: &[u32]) -> FromViewer {
    FromViewer::Advertise { channels: ids.iter().copied().map(wire).collect() }
}

/// S-189, P-85.
#[test]
fn p_80_p_85_without_the_capability_everything_is_refused() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    let text = "Server does not support clientPublish capability";
    robot.says("S1", advertise(&[1, 2]));
    assert_eq!(robot.take(), [Step::Sent(ann, error(text))], "one status for the whole message");
    for _ in 0..2 {
        robot.says("S1", FromViewer::MessageData { channel_id: 1, data: Bytes::new() });
        assert_eq!(robot.take(), [Step::Sent(ann, error(text))]);
    }
    // P-84: no check here.
    robot.says("S1", FromViewer::Unadvertise { channel_ids: vec![1] });
    assert_eq!(robot.take(), []);
}

/// S-186.
#[test]
fn p_81_schemas_are_resolved_as_the_table_says() {
    let mut robot = publishing();
    let ann = robot.viewer("ann", "S1");
    let cases = [
        (1, "N", Some("jsonschema"), Some("{}"), Some(("N", "jsonschema", &b"{}"[..]))),
        (2, "N", Some("protobuf"), Some("AAEC"), Some(("N", "protobuf", &b"\x00\x01\x02"[..]))),
        (3, "N", None, None, Some(("N", "", &b""[..]))),
        (4, "N", Some("ros2msg"), None, Some(("N", "ros2msg", &b""[..]))),
        (5, "N", None, Some("ignored"), Some(("N", "", &b""[..]))),
        (6, "", None, None, None),
    ];
    for (id, name, encoding, schema, _) in &cases {
        let channel = Wire {
            schema_name: (*name).into(),
            schema_encoding: encoding.map(Into::into),
            schema: schema.map(Into::into),
            ..wire(*id)
        };
        robot.says("S1", FromViewer::Advertise { channels: vec![channel] });
    }
    assert_eq!(robot.events().len(), cases.len());
    let channels = &robot.core.clients[&ann].channels;
    for (id, _, _, _, expected) in cases {
        let schema = channels[&id].schema.as_ref();
        let schema = schema.map(|s| (s.name.as_str(), s.encoding.as_str(), &s.data[..]));
        assert_eq!(schema, expected, "channel {id}");
    }
}

/// P-185.
#[test]
fn p_81_a_schema_that_is_not_base64_rejects_only_its_channel() {
    let mut robot = publishing();
    let ann = robot.viewer("ann", "S1");
    let bad = Wire { schema_encoding: Some("protobuf".into()), schema: Some("***".into()), ..wire(1) };
    robot.says("S1", FromViewer::Advertise { channels: vec![bad, wire(2)] });
    let steps = robot.take();
    assert_eq!(steps[0], Step::Told(Told::Advertise(ann, 2)));
    let Step::Sent(_, ToViewer::Status(status)) = &steps[1] else { panic!("{steps:?}") };
    let text = "Failed to decode schema for channel 1: Schema data is not valid base64: ";
    assert!(status.message.starts_with(text), "{}", status.message);
    assert_eq!((status.level, &status.id), (StatusLevel::Error, &None));
}

#[test]
fn s_186_a_bad_schema_is_logged_at_most_once_per_second() {
    let mut robot = publishing();
    robot.viewer("ann", "S1");
    let bad = |id| Wire { schema_encoding: Some("protobuf".into()), schema: Some("***".into()), ..wire(id) };
    let lines = |robot: &mut Robot, ids: &[u32]| {
        let channels: Vec<Wire> = ids.iter().copied().map(bad).collect();
        let log = Captured::start();
        robot.says("S1", FromViewer::Advertise { channels });
        log.lines("WARN")
    };
    let first = lines(&mut robot, &[1, 2, 3]);
    let text = "Failed to decode schema for channel 1: Schema data is not valid base64: ";
    assert!(first.len() == 1 && first[0].contains(text), "{first:?}");
    robot.elapsed += Duration::from_millis(999);
    assert_eq!(lines(&mut robot, &[4]), [""; 0]);
    robot.elapsed += Duration::from_millis(1);
    assert_eq!(lines(&mut robot, &[5]).len(), 1);
}

#[test]
fn p_82_a_second_advertisement_of_an_id_is_a_warning() {
    let mut robot = publishing();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", advertise(&[1]));
    robot.take();
    robot.says("S1", FromViewer::Advertise { channels: vec![Wire { topic: "/other".into(), ..wire(1) }, wire(2)] });
    let text = "Client is already advertising channel: 1; ignoring advertisement";
    assert_eq!(robot.take(), [Step::Told(Told::Advertise(ann, 2)), Step::Sent(ann, warning(text))]);
    assert_eq!(robot.core.clients[&ann].channels[&1].topic, "/t1");
    // Ids belong to one instance (S-187).
    robot.viewer("bob", "S2");
    robot.says("S2", advertise(&[1]));
    assert_eq!(robot.events().len(), 1);
}

/// S-188.
#[test]
fn p_84_p_86_unadvertise_and_message_data() {
    let mut robot = publishing();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", advertise(&[1]));
    robot.says("S1", FromViewer::MessageData { channel_id: 1, data: Bytes::new() });
    robot.says("S1", FromViewer::Unadvertise { channel_ids: vec![9, 1, 1] });
    assert_eq!(robot.events(), [Told::Advertise(ann, 1), Told::Message(ann, 1), Told::Unadvertise(ann, 1)]);
    robot.says("S1", FromViewer::MessageData { channel_id: 1, data: Bytes::new() });
    assert_eq!(robot.take(), [Step::Sent(ann, error("Client has not advertised channel: 1"))]);
}

#[test]
fn a_message_carries_its_receive_time() {
    let mut robot = publishing();
    robot.viewer("ann", "S1");
    robot.says("S1", advertise(&[1]));
    robot.elapsed = seconds(3);
    let now = robot.now();
    let message = FromViewer::MessageData { channel_id: 1, data: Bytes::from_static(b"xyz") };
    robot.core.handle(Input::Message { sid: "S1".into(), message }, now).unwrap();
    let effects = robot.core.take_effects();
    let [Effect::Event(Event::Message(_, _, message))] = &effects[..] else { panic!() };
    assert_eq!((message.receive_time, &message.payload[..]), (EPOCH_NS + 3_000_000_000, &b"xyz"[..]));
}

#[test]
fn s_191_a_viewer_advertises_at_most_256_channels_of_at_most_64_kib_schemas() {
    let mut robot = publishing();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", advertise(&(0..300).collect::<Vec<_>>()));
    let text = "44 channels were not accepted: at most 256 can be advertised at a time";
    assert_eq!(robot.last(ann), &error(text));
    assert_eq!(robot.advertised.len(), 256);
    robot.says("S1", FromViewer::Unadvertise { channel_ids: vec![0, 1] });
    let schema = |len: usize| Some("x".repeat(len));
    let large = Wire { schema_encoding: Some("jsonschema".into()), schema: schema(65_537), ..wire(1000) };
    let fits = Wire { schema_encoding: Some("jsonschema".into()), schema: schema(65_536), ..wire(1001) };
    robot.says("S1", FromViewer::Advertise { channels: vec![large, fits] });
    assert_eq!(robot.last(ann), &error("The schema of channel 1000 is larger than 65536 bytes"));
    assert!(robot.advertised.contains(&(ann, 1001)) && !robot.advertised.contains(&(ann, 1000)));
}

#[test]
fn a_flood_of_duplicates_is_answered_within_the_smallest_queue() {
    let mut robot = Robot::with(|options| {
        options.capabilities = vec![SessionCapability::ClientPublish];
        options.limits.message_backlog_size = 16;
    });
    robot.viewer("ann", "S1");
    robot.says("S1", advertise(&vec![7; 5000]));
    let sent = robot.take().iter().filter(|step| matches!(step, Step::Sent(..))).count();
    assert!((1..=8).contains(&sent), "{sent}");
}
