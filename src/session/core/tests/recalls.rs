//! Viewers that may not have heard of their new stream after a reconnection (S-27).

use super::*;

/// How long the server's news of the new connection is given.
const NEWS: Duration = Duration::from_millis(500);

fn reconnect(robot: &mut Robot, participants: &[(&str, &str)]) {
    let participants = participants.iter().map(|(identity, sid)| who(identity, sid, 1000)).collect();
    robot.input(Input::Reconnected { participants });
    assert_eq!(robot.open.len(), 0, "nobody is greeted before the news can have reached them");
    robot.pass(NEWS);
}

#[test]
fn s_27_a_viewer_that_had_spoken_and_stays_silent_is_opened_two_more_streams() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    robot.viewer("bob", "S2");
    reconnect(&mut robot, &[("ann", "S1"), ("bob", "S2")]);
    let (first, bob) = (robot.current("S1").unwrap(), robot.current("S2").unwrap());
    robot.pass(seconds(2));
    let second = robot.current("S1").unwrap();
    assert_ne!(first, second);
    assert!(matches!(robot.view(second).frames[0], ToViewer::ServerInfo(_)));
    robot.pass(seconds(4) - Duration::from_millis(1));
    assert_eq!(robot.current("S1"), Some(second), "longer the second time");
    robot.pass(Duration::from_millis(1));
    let third = robot.current("S1").unwrap();
    assert_ne!(second, third);
    robot.pass(seconds(600));
    assert_eq!(robot.current("S1"), Some(third), "no more than that");
    assert_eq!(robot.current("S2"), Some(bob), "who had never spoken need not speak now");
}

#[test]
fn s_27_a_viewer_that_speaks_keeps_its_stream() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    reconnect(&mut robot, &[("ann", "S1")]);
    let client = robot.current("S1").unwrap();
    robot.pass(seconds(1));
    robot.subscribe("S1", &[&a]);
    assert_eq!(robot.core.deadline(), None);
    robot.pass(seconds(600));
    assert_eq!(robot.current("S1"), Some(client));
}

#[test]
fn s_27_a_viewer_that_leaves_or_is_reset_is_not_recalled() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    for (identity, sid) in [("ann", "S1"), ("bob", "S2")] {
        robot.viewer(identity, sid);
        robot.subscribe(sid, &[&a]);
    }
    reconnect(&mut robot, &[("ann", "S1"), ("bob", "S2")]);
    robot.disconnect("S1");
    let bob = robot.current("S2").unwrap();
    robot.reset(bob);
    let bob = robot.current("S2").unwrap();
    robot.pass(seconds(600));
    assert_eq!((robot.current("S1"), robot.current("S2")), (None, Some(bob)));
}

#[test]
fn s_27_in_the_next_room_the_same_holds_even_if_it_was_lost_before_anybody_spoke() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    for _ in 0..2 {
        robot.input(Input::Left);
        robot.input(Input::Joined { participants: vec![who("ann", "S1", 1000)] });
    }
    assert_eq!(robot.current("S1"), None);
    robot.pass(NEWS);
    let client = robot.current("S1").unwrap();
    robot.pass(seconds(2));
    assert_ne!(robot.current("S1"), Some(client));
    robot.subscribe("S1", &[&a]);
    let client = robot.current("S1").unwrap();
    robot.pass(seconds(600));
    assert_eq!(robot.current("S1"), Some(client));
}

#[test]
fn s_27_a_viewer_that_hangs_up_soon_after_a_reconnection_is_opened_another_stream() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    // At any other time a viewer may end its stream and go on listening.
    robot.input(Input::HungUp { sid: "S1".into() });
    assert_eq!(robot.core.deadline(), None);
    reconnect(&mut robot, &[("ann", "S1")]);
    robot.subscribe("S1", &[&a]);
    let first = robot.current("S1").unwrap();
    robot.input(Input::HungUp { sid: "S1".into() });
    robot.pass(seconds(1));
    let second = robot.current("S1").unwrap();
    assert_ne!(first, second);
    // One that opens another stream itself is left alone.
    robot.input(Input::HungUp { sid: "S1".into() });
    robot.subscribe("S1", &[&a]);
    robot.pass(seconds(600));
    assert_eq!(robot.current("S1"), Some(second));
    robot.input(Input::HungUp { sid: "S1".into() });
    assert_eq!(robot.core.deadline(), None, "long after the reconnection");
}

#[test]
fn s_27_who_comes_or_goes_before_the_greeting_is_greeted_once_or_not_at_all() {
    let mut robot = Robot::new();
    robot.viewer("ann", "S1");
    robot.viewer("bob", "S2");
    robot.input(Input::Reconnected { participants: vec![who("ann", "S1", 1000), who("bob", "S2", 1001)] });
    robot.input(Input::ParticipantActive(who("eve", "S3", 1002)));
    robot.input(Input::ParticipantDisconnected { sid: "S2".into() });
    robot.take();
    robot.pass(NEWS);
    assert_eq!(robot.open.len(), 2);
    assert!(robot.current("S1").is_some() && robot.current("S3").is_some());
    robot.input(Input::ParticipantActive(who("eve", "S3", 1002)));
    assert_eq!(robot.open.len(), 2);
}

#[test]
fn s_26_who_is_announced_before_the_greeting_is_greeted_when_active() {
    let mut robot = Robot::new();
    robot.viewer("ann", "S1");
    robot.input(Input::Reconnected { participants: vec![who("ann", "S1", 1000)] });
    for (identity, sid) in [("ann", "S1"), ("eve", "S2"), ("joe", "S3")] {
        robot.input(Input::ParticipantConnected(who(identity, sid, 1000)));
    }
    robot.input(Input::ParticipantActive(who("joe", "S3", 1000)));
    robot.pass(NEWS);
    assert!(robot.current("S1").is_some() && robot.current("S3").is_some());
    assert_eq!(robot.current("S2"), None, "nothing reaches it yet");
    robot.input(Input::ParticipantActive(who("eve", "S2", 1000)));
    assert!(robot.current("S2").is_some());
}

#[test]
fn s_20_who_was_there_before_the_robot_is_greeted_once_a_moment_later() {
    let mut robot = Robot::new();
    // The robot's process may have been killed a moment ago: the viewers may still see its last connection.
    robot.input(Input::Joined { participants: vec![who("ann", "S1", 1000)] });
    assert_eq!(robot.open.len(), 0, "nobody is greeted before the news can have reached them");
    robot.pass(NEWS);
    let ann = robot.current("S1").unwrap();
    robot.pass(seconds(600));
    assert_eq!(robot.current("S1"), Some(ann), "who has never spoken need not speak now");
}

#[test]
fn s_20_who_comes_after_the_robot_is_greeted_at_once() {
    let mut robot = Robot::new();
    robot.input(Input::Joined { participants: Vec::new() });
    robot.viewer("ann", "S1");
}
