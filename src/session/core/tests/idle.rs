//! The idle window (S-28 to S-31, S-164).

use super::*;

/// In an empty room with a window of 30 s.
fn waiting() -> Robot {
    let mut robot = Robot::outside(SessionOptions::default());
    robot.input(Input::IdleWindow(Some(seconds(30))));
    robot.joined(vec![]);
    robot.take();
    robot
}

fn left(robot: &mut Robot) -> usize {
    robot.take().iter().filter(|step| **step == Step::Leave).count()
}

/// P-29.
#[test]
fn s_28_an_empty_room_is_left_after_the_window_and_without_one_never() {
    let mut robot = waiting();
    robot.pass(seconds(30) - Duration::from_millis(1));
    assert_eq!(left(&mut robot), 0);
    robot.pass(Duration::from_millis(1));
    assert_eq!(left(&mut robot), 1);
    robot.pass(seconds(300));
    assert_eq!(left(&mut robot), 0, "once is enough");
    let mut robot = Robot::new();
    robot.pass(seconds(1_000_000));
    assert_eq!((left(&mut robot), robot.core.deadline()), (0, None));
}

#[test]
fn s_28_outside_of_a_room_nothing_is_counted() {
    let mut robot = waiting();
    robot.pass(seconds(29));
    robot.input(Input::Left);
    robot.pass(seconds(100));
    assert_eq!(left(&mut robot), 0);
    robot.joined(vec![]);
    robot.pass(seconds(29));
    assert_eq!(left(&mut robot), 0, "a new room, a new countdown");
    robot.pass(seconds(1));
    assert_eq!(left(&mut robot), 1);
    // And so on for the next room.
    robot.input(Input::Left);
    robot.joined(vec![]);
    robot.pass(seconds(30));
    assert_eq!(left(&mut robot), 1);
}

/// S-24, P-29.
#[test]
fn s_29_any_viewer_clears_the_countdown_and_the_last_one_starts_it_again() {
    let mut robot = waiting();
    robot.pass(seconds(29));
    robot.active(who("ann", "S1", 1000));
    robot.pass(seconds(100));
    robot.active(who("bob", "S2", 1000));
    robot.disconnect("S1");
    robot.pass(seconds(100));
    robot.disconnect("S2");
    robot.pass(seconds(29));
    assert_eq!(left(&mut robot), 0);
    robot.pass(seconds(1));
    assert_eq!(left(&mut robot), 1);
}

#[test]
fn s_29_a_viewer_that_is_replaced_or_reset_is_still_a_viewer() {
    let mut robot = waiting();
    robot.active(who("ann", "S1", 1000));
    robot.pass(seconds(29));
    let again = robot.active(who("ann", "S2", 2000));
    robot.reset(again);
    robot.pass(seconds(29));
    assert_eq!(left(&mut robot), 0);
    // The second reset in a row waits; the viewer is there all the same.
    let mut robot = Robot::outside(SessionOptions::default());
    robot.input(Input::IdleWindow(Some(Duration::from_millis(100))));
    robot.joined(vec![]);
    let first = robot.viewer("ann", "S1");
    robot.reset(first);
    robot.reset(robot.current("S1").unwrap());
    robot.take();
    robot.pass(Duration::from_millis(249));
    assert_eq!((robot.current("S1"), left(&mut robot)), (None, 0));
    robot.pass(seconds(1));
    assert!(robot.current("S1").is_some());
    assert_eq!(left(&mut robot), 0);
}

#[test]
fn s_30_a_refused_participant_and_a_service_do_not_keep_the_session() {
    let mut robot = waiting();
    robot.pass(seconds(20));
    robot.input(Input::ParticipantActive(speaking(Some("1.0.0"), "old", "S1")));
    robot.input(Input::ParticipantActive(Participant { kind: ParticipantKind::Service, ..who("egress", "S2", 1) }));
    robot.pass(seconds(10));
    assert_eq!(left(&mut robot), 1);
}

#[test]
fn s_31_s_164_a_viewer_in_the_last_moment_counts() {
    let mut robot = waiting();
    robot.elapsed = seconds(30);
    // The driver hands over what has happened before it lets time pass.
    robot.active(who("ann", "S1", 1000));
    robot.input(Input::Tick);
    assert_eq!(left(&mut robot), 0);
    assert!(robot.current("S1").is_some());
}

#[test]
fn s_46_staying_starts_the_countdown_anew() {
    let mut robot = waiting();
    robot.pass(seconds(29));
    robot.input(Input::Stay);
    robot.pass(seconds(29));
    assert_eq!(left(&mut robot), 0);
    robot.pass(seconds(1));
    assert_eq!(left(&mut robot), 1);
}

#[test]
fn s_28_a_window_beyond_the_clock_never_passes() {
    let mut robot = Robot::outside(SessionOptions::default());
    robot.input(Input::IdleWindow(Some(Duration::MAX)));
    robot.joined(vec![]);
    assert_eq!(robot.core.deadline(), None);
}
