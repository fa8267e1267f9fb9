//! Viewers that may not have heard of their new stream after a reconnection (S-27).

use super::*;

fn reconnect(robot: &mut Robot, participants: &[(&str, &str)]) {
    let participants = participants.iter().map(|(identity, sid)| who(identity, sid, 1000)).collect();
    robot.input(Input::Reconnected { participants });
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
        robot.joined(vec![who("ann", "S1", 1000)]);
    }
    let client = robot.current("S1").unwrap();
    robot.pass(seconds(2));
    assert_ne!(robot.current("S1"), Some(client));
    robot.subscribe("S1", &[&a]);
    let client = robot.current("S1").unwrap();
    robot.pass(seconds(600));
    assert_eq!(robot.current("S1"), Some(client));
}
