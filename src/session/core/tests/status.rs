//! Statuses, drop warnings, pings, unreadable input.

use super::*;

fn status(id: Option<&str>, message: &str) -> Status {
    Status { level: StatusLevel::Info, message: message.into(), id: id.map(Into::into) }
}

fn oversize(robot: &mut Robot, channel: &Channel, dropped: u64) {
    robot.input(Input::Oversize { channel: channel.id(), dropped });
}

fn drops(channel: &Channel, text: &str) -> ToViewer {
    let id = Some(format!("channel-drops-{}", channel.id()));
    let message = format!("Dropped {text} on topic {}: exceeds 100 KiB per-message size limit", channel.topic());
    ToViewer::Status(Status { level: StatusLevel::Warning, message, id })
}

fn removed(channels: &[&Channel]) -> ToViewer {
    ToViewer::RemoveStatus { status_ids: channels.iter().map(|c| format!("channel-drops-{}", c.id())).collect() }
}

/// In place of P-117 for statuses with an id.
#[test]
fn s_40_statuses_with_an_id_are_kept_for_those_who_come_later() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    robot.input(Input::PublishStatus(status(None, "passing")));
    robot.input(Input::PublishStatus(status(Some("a"), "old")));
    robot.input(Input::PublishStatus(status(Some("b"), "gone")));
    robot.input(Input::PublishStatus(status(Some("a"), "new")));
    robot.input(Input::RemoveStatus(vec!["b".into(), "unknown".into()]));
    let here = BTreeMap::from([("a".to_owned(), "new".to_owned())]);
    assert_eq!(robot.view(ann).statuses, here);
    let bob = robot.viewer("bob", "S2");
    assert_eq!(robot.view(bob).statuses, here);
    assert_eq!(robot.view(bob).frames.len(), 2, "nothing without an id");
    // Not lost with the room.
    robot.input(Input::Left);
    robot.input(Input::PublishStatus(status(Some("c"), "late")));
    robot.joined(vec![who("ann", "S3", 1)]);
    let again = robot.current("S3").unwrap();
    assert_eq!(robot.view(again).statuses.len(), 2);
}

#[test]
fn s_40_sixty_four_statuses_are_kept_the_newest_ones() {
    let mut robot = Robot::new();
    for n in 0..70 {
        robot.input(Input::PublishStatus(status(Some(&format!("{n}")), "x")));
    }
    let ann = robot.viewer("ann", "S1");
    let kept = &robot.view(ann).statuses;
    assert_eq!(kept.len(), 64);
    assert!(kept.contains_key("69") && kept.contains_key("6") && !kept.contains_key("5"));
}

/// S-224.
#[test]
fn p_118_the_first_drop_is_reported_at_once_and_then_every_thirty_seconds() {
    let mut robot = Robot::new();
    let channel = robot.lossy("/big");
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.subscribe("S1", &[&channel]);
    robot.take();
    oversize(&mut robot, &channel, 1);
    assert_eq!(robot.take(), [Step::Sent(ann, drops(&channel, "1 message"))], "subscribers only");
    robot.pass(seconds(10));
    oversize(&mut robot, &channel, 2);
    robot.pass(Duration::from_millis(19_999));
    oversize(&mut robot, &channel, 3);
    assert_eq!(robot.take(), []);
    robot.elapsed += Duration::from_millis(1);
    oversize(&mut robot, &channel, 4);
    assert_eq!(robot.take(), [Step::Sent(ann, drops(&channel, "9 messages"))]);
    assert_eq!(robot.view(bob).count(|frame| matches!(frame, ToViewer::Status(_))), 0);
}

/// P-133.
#[test]
fn p_118_the_warning_names_the_limit_of_the_path_that_was_taken() {
    let mut robot = Robot::new();
    let (map, scan) = (robot.reliable("/map"), robot.lossy("/scan"));
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&map, &scan]);
    oversize(&mut robot, &scan, 1);
    assert_eq!(robot.last(ann), &drops(&scan, "1 message"));
    oversize(&mut robot, &map, 1);
    let ToViewer::Status(status) = robot.last(ann) else { panic!("no status") };
    assert_eq!(status.message, "Dropped 1 message on topic /map: exceeds 16 MiB per-message size limit");
}

#[test]
fn p_118_what_gathered_is_reported_even_if_no_further_drop_comes() {
    let mut robot = Robot::new();
    let channel = robot.lossy("/big");
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&channel]);
    oversize(&mut robot, &channel, 1);
    robot.pass(seconds(1));
    oversize(&mut robot, &channel, 5);
    robot.take();
    robot.pass(seconds(29));
    assert_eq!(robot.take(), [Step::Sent(ann, drops(&channel, "5 messages"))]);
}

/// P-120.
#[test]
fn s_226_a_warning_is_cleared_sixty_seconds_after_its_last_report_the_boundary_included() {
    let mut robot = Robot::new();
    let channel = robot.lossy("/big");
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.subscribe("S1", &[&channel]);
    oversize(&mut robot, &channel, 1);
    robot.take();
    robot.pass(Duration::from_millis(59_999));
    assert_eq!(robot.take(), []);
    robot.pass(Duration::from_millis(1));
    let gone = removed(&[&channel]);
    assert_eq!(robot.take(), [Step::Sent(ann, gone.clone()), Step::Sent(bob, gone)]);
    assert_eq!(robot.core.deadline(), None, "nothing is swept any more");
    // Drops after that start a new warning at once.
    oversize(&mut robot, &channel, 1);
    assert_eq!(robot.take().len(), 1);
}

#[test]
fn s_226_two_warnings_that_expire_together_are_withdrawn_in_one_message() {
    let mut robot = Robot::new();
    let (a, b) = (robot.lossy("/a"), robot.lossy("/b"));
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a, &b]);
    oversize(&mut robot, &a, 1);
    oversize(&mut robot, &b, 1);
    robot.take();
    robot.pass(seconds(60));
    let steps = robot.take();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(robot.view(ann).statuses.is_empty());
}

/// S-177.
#[test]
fn p_77_a_new_data_subscriber_gets_the_active_warning_and_a_switch_of_mode_does_not() {
    let mut robot = Robot::new();
    let image = robot.image("/big");
    let ann = robot.viewer("ann", "S1");
    let (bob, eve) = (robot.viewer("bob", "S2"), robot.viewer("eve", "S3"));
    robot.subscribe("S1", &[&image]);
    oversize(&mut robot, &image, 1);
    robot.subscribe("S2", &[&image]);
    assert_eq!(robot.last(bob), &drops(&image, "1 message"));
    let before = robot.view(eve).frames.len();
    robot.says("S3", FromViewer::Subscribe { channels: vec![video(&image)] });
    robot.subscribe("S3", &[&image]);
    assert_eq!(robot.view(eve).frames.len(), before);
    // P-79: withdrawn from this viewer only, and only what it really had.
    robot.take();
    robot.unsubscribe("S2", &[&image, &image]);
    assert_eq!(robot.view(bob).frames.last(), Some(&removed(&[&image])));
    assert_eq!(robot.view(ann).statuses.len(), 1);
    robot.unsubscribe("S2", &[&image]);
    assert_eq!(robot.view(bob).count(|frame| matches!(frame, ToViewer::RemoveStatus { .. })), 1);
}

#[test]
fn p_123_removing_channels_withdraws_their_active_warnings_in_one_message() {
    let mut robot = Robot::new();
    let (a, b, c) = (robot.lossy("/a"), robot.lossy("/b"), robot.lossy("/c"));
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a, &b, &c]);
    oversize(&mut robot, &a, 1);
    oversize(&mut robot, &c, 1);
    robot.remove(&[&a, &b, &c]);
    let view = robot.view(ann);
    let gone: Vec<_> = view.frames.iter().filter(|frame| matches!(frame, ToViewer::RemoveStatus { .. })).collect();
    assert_eq!(gone, [&removed(&[&a, &c])], "after the unadvertise, only those that were active");
    // A late report of a channel that is gone is nobody's.
    robot.take();
    oversize(&mut robot, &a, 1);
    assert_eq!(robot.take(), []);
}

/// S-255.
#[test]
fn p_93_p_138_a_ping_is_answered_with_its_own_time_stamp() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    robot.elapsed = seconds(2);
    robot.says("S1", FromViewer::Ping { app_timestamp: [1, 2, 3, 4, 5, 6, 7, 8] });
    let device_timestamp_ms = EPOCH_NS / 1_000_000 + 2000;
    let pong = ToViewer::Pong { app_timestamp: [1, 2, 3, 4, 5, 6, 7, 8], device_timestamp_ms };
    assert_eq!(robot.take(), [Step::Sent(ann, pong)]);
}

/// S-256, P-94.
#[test]
fn s_258_only_acks_of_pongs_that_were_sent_count() {
    let mut robot = Robot::new();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    let ack = |device_timestamp_ms| FromViewer::PingAck { device_timestamp_ms };
    let ms = |robot: &Robot| robot.now().unix_ns / 1_000_000;
    for _ in 0..3 {
        let sent = ms(&robot);
        robot.says("S1", FromViewer::Ping { app_timestamp: [0; 8] });
        robot.elapsed += Duration::from_millis(40);
        // Made-up ones: another viewer's, the future, the past, zero.
        robot.says("S2", ack(sent));
        for lie in [sent + 1, sent - 1, 0, u64::MAX] {
            robot.says("S1", ack(lie));
        }
        robot.take();
        robot.says("S1", ack(sent));
        assert_eq!(robot.take(), [], "an ack is not answered (P-94)");
    }
    assert_eq!(robot.core.rtt_of(ann).unwrap().mean, 40.0);
    assert_eq!((robot.core.rtt_of(bob), robot.core.rtt().unwrap().latest), (None, 40.0));
    // A round trip of more than a minute is a stopped process.
    let sent = ms(&robot);
    robot.says("S1", FromViewer::Ping { app_timestamp: [0; 8] });
    robot.elapsed += Duration::from_millis(60_001);
    robot.says("S1", ack(sent));
    assert_eq!(robot.core.rtt_of(ann).unwrap().latest, 40.0);
}

/// A wall clock that was set back between the pong and its ack.
#[test]
fn s_256_a_negative_round_trip_is_none() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    let ack = |at: Now| FromViewer::PingAck { device_timestamp_ms: at.unix_ns / 1_000_000 };
    robot.elapsed = seconds(10);
    for _ in 0..3 {
        let sent = robot.now();
        robot.says("S1", FromViewer::Ping { app_timestamp: [0; 8] });
        robot.elapsed += Duration::from_millis(40);
        robot.says("S1", ack(sent));
    }
    let before = (robot.core.rtt_of(ann), robot.core.rtt());
    let sent = robot.now();
    robot.says("S1", FromViewer::Ping { app_timestamp: [0; 8] });
    robot.elapsed -= seconds(1);
    robot.says("S1", ack(sent));
    assert_eq!((robot.core.rtt_of(ann), robot.core.rtt()), before);
    assert_eq!(before.0.unwrap().latest, 40.0);
}

#[test]
fn s_261_what_is_published_and_withdrawn_reaches_every_viewer() {
    let mut robot = Robot::new();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    for id in [None, Some("a")] {
        robot.input(Input::PublishStatus(status(id, "text")));
        let sent = ToViewer::Status(status(id, "text"));
        assert_eq!(robot.take(), [Step::Sent(ann, sent.clone()), Step::Sent(bob, sent)]);
    }
    // Also one that nobody was told.
    let status_ids = vec!["a".to_owned(), "never".to_owned()];
    robot.input(Input::RemoveStatus(status_ids.clone()));
    let gone = ToViewer::RemoveStatus { status_ids };
    assert_eq!(robot.take(), [Step::Sent(ann, gone.clone()), Step::Sent(bob, gone)]);
}

#[test]
fn s_74a_unreadable_input_is_answered_once_per_second() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    let malformed = |robot: &mut Robot| robot.input(Input::Malformed { sid: "S1".into(), reason: "bad".into() });
    malformed(&mut robot);
    assert_eq!(robot.take(), [Step::Sent(ann, error("Unreadable message: bad"))]);
    malformed(&mut robot);
    robot.elapsed += Duration::from_millis(999);
    malformed(&mut robot);
    assert_eq!(robot.take(), []);
    robot.elapsed += Duration::from_millis(1);
    malformed(&mut robot);
    assert_eq!(robot.take().len(), 1);
}

#[test]
fn a_listener_that_is_too_slow_is_told_to_the_viewer_once_per_second() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    for _ in 0..3 {
        robot.core.listener_overflow(ann, robot.now());
    }
    assert_eq!(robot.core.take_effects().len(), 1);
    robot.elapsed = seconds(1);
    robot.core.listener_overflow(ann, robot.now());
    assert_eq!(robot.core.take_effects().len(), 1);
}

/// S-201.
#[test]
fn requests_of_features_that_are_off_get_the_text_of_the_missing_capability() {
    let names = || vec!["p".to_owned()];
    let cases = [
        (FromViewer::GetParameters { names: names(), id: None }, "Server does not support parameters capability"),
        (FromViewer::SetParameters { parameters: vec![], id: None }, "Server does not support parameters capability"),
        (
            FromViewer::SubscribeParameterUpdates { names: names() },
            "Server does not support parametersSubscribe capability",
        ),
        (
            FromViewer::UnsubscribeParameterUpdates { names: names() },
            "Server does not support parametersSubscribe capability",
        ),
        (FromViewer::SubscribeConnectionGraph, "Server does not support connection graph capability"),
        (FromViewer::UnsubscribeConnectionGraph, "Server does not support connection graph capability"),
        (FromViewer::FetchAsset { request_id: 1, uri: "u".into() }, "Server does not support assets capability"),
    ];
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    for (request, text) in cases {
        robot.says("S1", request);
        assert_eq!(robot.take(), [Step::Sent(ann, error(text))]);
    }
}
