//! Joining, versions, limits, full reconnect, leaving the room.

use super::*;

/// S-79, S-104.
#[test]
fn p_18_the_first_frames_are_server_info_advertise_services_in_one_piece() {
    let mut robot = Robot::with(|options| {
        options.name = "robot".into();
        options.supported_encodings = vec!["json".into()];
        options.capabilities = vec![SessionCapability::Services];
    });
    let channel = robot.lossy("/a");
    robot.input(Input::AddServices(vec![Service::new("/s", "t", |_, _| {})]));
    robot.input(Input::PublishStatus(Status { level: StatusLevel::Info, message: "hi".into(), id: Some("x".into()) }));
    robot.take();
    robot.core.handle(Input::ParticipantActive(who("ann", "S1", 1)), robot.now()).unwrap();
    let effects = robot.core.take_effects();
    assert_eq!(effects.len(), 2, "one Open, one Send: even the smallest backlog holds it (S-51)");
    effects.into_iter().for_each(|effect| robot.fold(effect));
    let client = robot.current("S1").unwrap();
    let frames = &robot.view(client).frames;
    assert!(matches!(&frames[0], ToViewer::ServerInfo(info) if info.name == "robot"));
    assert!(matches!(&frames[1], ToViewer::Advertise(a) if a.channels[0].id == channel.id().get()));
    assert!(matches!(&frames[2], ToViewer::AdvertiseServices { services } if services[0].name == "/s"));
    assert!(matches!(&frames[3], ToViewer::Status(status) if status.message == "hi"));
    assert_eq!(frames.len(), 4);
}

/// S-79.
#[test]
fn p_18_without_channels_and_services_only_server_info_is_sent() {
    let mut robot = Robot::new();
    let client = robot.viewer("ann", "S1");
    let [ToViewer::ServerInfo(info)] = &robot.view(client).frames[..] else { panic!("{:?}", robot.view(client)) };
    assert_eq!(info.session_id.as_deref(), Some(""), "there, and empty by default (P-197)");
}

/// S-19.
#[test]
fn s_20_those_present_at_the_join_are_served_and_their_active_event_changes_nothing() {
    let mut robot = Robot::outside(SessionOptions::default());
    robot.joined(vec![who("ann", "S1", 1), who("bob", "S2", 2)]);
    assert_eq!(robot.core.clients().count(), 2);
    robot.take();
    robot.input(Input::ParticipantActive(who("ann", "S1", 1)));
    assert_eq!(robot.take(), []);
}

/// S-131.
#[test]
fn s_26_who_is_announced_is_served_when_active() {
    let mut robot = Robot::new();
    robot.input(Input::ParticipantConnected(who("ann", "S1", 1)));
    assert_eq!(robot.take(), []);
    robot.input(Input::ParticipantActive(who("ann", "S1", 1)));
    assert!(robot.current("S1").is_some());
}

#[test]
fn p_12_versions_are_accepted_and_refused_as_the_table_says() {
    let cases = [
        (None, true),
        (Some("2.2.0"), true),
        (Some("2.2.1"), true),
        (Some("2.10.3"), true),
        (Some("2.1.9"), false),
        (Some("2.2.0-rc.1"), false),
        (Some("3.0.0"), false),
        (Some("2.2"), false),
        (Some(""), false),
        (Some("new"), false),
    ];
    for (version, accepted) in cases {
        let mut robot = Robot::new();
        robot.take();
        robot.input(Input::ParticipantActive(speaking(version, "ann", "S1")));
        assert_eq!(robot.current("S1").is_some(), accepted, "{version:?}");
        if !accepted {
            let text = format!(
                "Remote access protocol version {} is not compatible with this device (supported: 2.3.0)",
                version.unwrap()
            );
            assert_eq!(robot.take(), [Step::Refused("ann".into(), error(&text))]);
        }
    }
}

/// S-132.
#[test]
fn p_15_an_incompatible_instance_is_refused_once_and_the_next_one_again() {
    let mut robot = Robot::new();
    let refusals = |robot: &mut Robot| robot.take().iter().filter(|s| matches!(s, Step::Refused(..))).count();
    robot.input(Input::ParticipantActive(speaking(Some("1.0.0"), "ann", "S1")));
    assert_eq!(refusals(&mut robot), 1);
    robot.input(Input::ParticipantActive(speaking(Some("1.0.0"), "ann", "S1")));
    assert_eq!(refusals(&mut robot), 0);
    assert!(robot.core.is_refused(&"ann".into(), &"S1".into()));
    // P-16: whatever it says is nobody's.
    robot.says("S1", FromViewer::Subscribe { channels: vec![] });
    assert_eq!(robot.take(), []);
    robot.disconnect("S1");
    robot.input(Input::ParticipantActive(speaking(Some("1.0.0"), "ann", "S2")));
    assert_eq!(refusals(&mut robot), 1);
    robot.disconnect("S2");
    robot.viewer("ann", "S3");
    assert!(!robot.core.is_refused(&"ann".into(), &"S3".into()));
}

/// In place of P-17.
#[test]
fn s_129_service_kinds_are_not_viewers() {
    let mut robot = Robot::new();
    robot.take();
    let recorder = Participant { kind: ParticipantKind::Service, ..who("egress", "S1", 1) };
    robot.input(Input::ParticipantActive(recorder));
    assert_eq!((robot.current("S1"), robot.take()), (None, vec![]));
}

#[test]
fn s_130_more_viewers_than_the_limit_are_refused_and_a_returning_one_is_not() {
    let mut robot = Robot::with(|options| options.limits.max_viewers = 2);
    robot.viewer("ann", "S1");
    robot.viewer("bob", "S2");
    robot.input(Input::ParticipantActive(who("eve", "S3", 1)));
    let text = "This device serves at most 2 viewers";
    assert_eq!(robot.take(), [Step::Refused("eve".into(), error(text))]);
    // The same identity under a new SID takes the place of its old instance.
    robot.viewer("ann", "S4");
    robot.disconnect("S4");
    robot.disconnect("S3");
    robot.viewer("eve", "S5");
}

#[test]
fn p_201_old_viewers_get_inline_schemas_and_new_ones_a_table() {
    let mut robot = Robot::new();
    robot.with_schema("/a", "A", "{}");
    robot.lossy("/none");
    for (version, table) in [(Some("2.2.0"), false), (None, false), (Some("2.3.0"), true), (Some("2.4.0"), true)] {
        let client = robot.active(speaking(version, "ann", &format!("S-{version:?}")));
        let view = robot.view(client);
        for channel in view.channels.values() {
            assert_eq!(matches!(channel.schema, AdvertisedSchema::Table(_)), table, "{version:?}");
        }
        assert_eq!(view.schemas.len(), usize::from(table));
    }
}

/// S-110.
#[test]
fn s_36_leaving_the_room_ends_everything_and_joining_again_starts_anew() {
    let mut robot = Robot::with(|options| options.capabilities = vec![SessionCapability::ClientPublish]);
    let (a, b) = (robot.reliable("/a"), robot.lossy("/b"));
    let ann = robot.viewer("ann", "S1");
    robot.viewer("bob", "S2");
    robot.subscribe("S1", &[&a, &b]);
    robot.subscribe("S2", &[&b]);
    robot.says("S1", client_publish::advertise(&[5]));
    robot.input(Input::ParticipantActive(speaking(Some("1.0.0"), "old", "S9")));
    assert_eq!(robot.tracks, BTreeSet::from([b.id().get()]));
    robot.input(Input::Left);
    assert!(robot.subscribed.is_empty() && robot.advertised.is_empty() && robot.open.is_empty());
    assert!(robot.routes.values().all(|(reliable, lossy)| reliable.is_empty() && !lossy));
    assert!(robot.tracks.is_empty());
    assert_eq!(robot.core.subscription_count(), 0);
    // Statuses without a room go nowhere (S-39); channels made meanwhile are advertised later.
    let c = robot.lossy("/c");
    assert!(robot.tracks.is_empty());
    robot.take();
    robot.joined(vec![who("ann", "S3", 1), speaking(Some("1.0.0"), "old", "S9")]);
    let again = robot.current("S3").unwrap();
    assert_ne!(again, ann);
    assert_eq!(robot.view(again).channel_ids(), [a.id().get(), b.id().get(), c.id().get()], "ids stay (P-28)");
    assert_eq!(robot.tracks, BTreeSet::from([b.id().get(), c.id().get()]));
    assert!(robot.take().iter().any(|step| matches!(step, Step::Refused(..))), "a new room, a new refusal");
}

#[test]
fn s_27_a_full_reconnect_restarts_every_viewer_outside_the_rate_limit() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    for _ in 0..20 {
        robot.input(Input::Reconnected { participants: vec![who("ann", "S1", 1000), who("bob", "S2", 1001)] });
    }
    assert!(robot.subscribed.is_empty());
    assert_eq!(robot.routes[&a.id().get()], (vec![], false));
    robot.pass(Duration::from_millis(500));
    let again = robot.current("S1").unwrap();
    assert_ne!(again, ann);
    let text = "The session was restarted: transport reconnect, 0 messages discarded";
    assert_eq!(robot.view(again).frames[1], warning(text));
    assert_eq!(robot.open.len(), 2);
    // Who is not in the room any more is gone.
    robot.input(Input::Reconnected { participants: vec![who("bob", "S2", 1001)] });
    robot.pass(Duration::from_millis(500));
    assert_eq!((robot.current("S1"), robot.open.len()), (None, 1));
}

#[test]
fn s_124_client_ids_are_new_for_every_registration_and_never_zero() {
    let mut robot = Robot::new();
    let mut seen = BTreeSet::new();
    for n in 0..10 {
        let client = robot.viewer("ann", &format!("S{n}"));
        assert!(client.get() > 0 && seen.insert(client));
    }
}
