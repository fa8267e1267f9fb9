//! Resets: what is told, how often, and when an instance is given up (S-119 to S-123).

use super::*;

/// Resets the viewer of this SID now and says after how long it was registered again.
fn reset_and_wait(robot: &mut Robot, sid: &str) -> Option<Duration> {
    let client = robot.current(sid).expect("registered");
    robot.reset(client);
    if robot.current(sid).is_some() {
        return Some(Duration::ZERO);
    }
    let at = robot.core.deadline()?.saturating_duration_since(robot.now().mono);
    robot.pass(at - Duration::from_millis(1));
    assert_eq!(robot.current(sid), None, "not before its time");
    robot.pass(Duration::from_millis(1));
    assert!(robot.current(sid).is_some());
    Some(at)
}

#[test]
fn s_119_s_123_a_reset_starts_anew_and_says_why() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    let old = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    robot.take();
    robot.input(Input::Reset { client: old, cause: ResetCause::WriteFailure, discarded: 12 });
    let new = robot.current("S1").unwrap();
    let frames = &robot.view(new).frames;
    assert!(matches!(frames[0], ToViewer::ServerInfo(_)));
    assert_eq!(frames[1], warning("The session was restarted: write failure, 12 messages discarded"));
    assert_eq!(robot.view(new).channel_ids(), [a.id().get()]);
    // S-120: no subscription is left, and the old client id is told so.
    assert_eq!(robot.routes[&a.id().get()], (vec![], false));
    assert_eq!(robot.events(), [Told::Unsubscribe(old, a.id().get())]);
}

#[test]
fn s_122_resets_are_slowed_down_and_then_given_up() {
    let mut robot = Robot::new();
    robot.viewer("ann", "S1");
    let delays: Vec<_> = (0..8).map(|_| reset_and_wait(&mut robot, "S1").unwrap().as_millis()).collect();
    assert_eq!(delays, [0, 250, 500, 1000, 2000, 4000, 8000, 10_000]);
    robot.take();
    let last = robot.current("S1").unwrap();
    robot.reset(last);
    let text = "The connection was restarted 8 times in a row (queue overflow); it is not served until it reconnects";
    assert_eq!(robot.take(), [Step::Close(last), Step::Refused("ann".into(), error(text))]);
    assert!(robot.core.is_refused(&"ann".into(), &"S1".into()), "its streams are given up too");
    robot.input(Input::ParticipantActive(who("ann", "S1", 1000)));
    robot.pass(seconds(600));
    assert_eq!(robot.take(), [], "not served until it reconnects");
    // A new connection starts with a clean record.
    robot.disconnect("S1");
    robot.viewer("ann", "S2");
    assert_eq!(reset_and_wait(&mut robot, "S2"), Some(Duration::ZERO));
}

#[test]
fn s_122_sixty_seconds_of_health_are_forgiven_and_a_little_less_are_not() {
    for (healthy, delay) in [(Duration::from_millis(59_999), 250), (seconds(60), 0)] {
        let mut robot = Robot::new();
        robot.viewer("ann", "S1");
        assert_eq!(reset_and_wait(&mut robot, "S1"), Some(Duration::ZERO));
        robot.pass(healthy);
        assert_eq!(reset_and_wait(&mut robot, "S1").unwrap().as_millis(), delay, "{healthy:?}");
    }
}

#[test]
fn s_122_the_limit_is_per_identity() {
    let mut robot = Robot::new();
    robot.viewer("ann", "S1");
    robot.viewer("bob", "S2");
    reset_and_wait(&mut robot, "S1");
    reset_and_wait(&mut robot, "S1");
    assert_eq!(reset_and_wait(&mut robot, "S2"), Some(Duration::ZERO));
}

#[test]
fn s_122_a_viewer_that_leaves_while_its_reset_waits_is_forgotten() {
    let mut robot = Robot::new();
    let client = robot.viewer("ann", "S1");
    robot.reset(client);
    robot.reset(robot.current("S1").unwrap());
    robot.input(Input::ParticipantActive(who("ann", "S1", 1000)));
    assert_eq!(robot.current("S1"), None, "an active event does not shorten the wait");
    robot.disconnect("S1");
    assert_eq!(robot.core.deadline(), None);
    robot.pass(seconds(20));
    assert!(robot.open.is_empty());
}

#[test]
fn s_119_an_instance_announced_while_a_reset_waits_is_not_told_of_it() {
    let mut robot = Robot::new();
    let client = robot.viewer("ann", "S1");
    robot.reset(client);
    robot.reset(robot.current("S1").unwrap());
    robot.input(Input::ParticipantConnected(who("ann", "S2", 2000)));
    robot.pass(seconds(1));
    let new = robot.current("S2").expect("who is in the room now");
    assert_eq!(robot.view(new).frames.len(), 1, "no restart notice: it lost nothing");
}

#[test]
fn p_13_a_reset_checks_the_attributes_as_they_are_now() {
    let mut robot = Robot::new();
    let client = robot.viewer("ann", "S1");
    robot.input(Input::ParticipantConnected(speaking(Some("1.0.0"), "ann", "S1")));
    assert!(robot.open.contains(&client), "a change alone is not looked at");
    robot.reset(client);
    assert!(robot.open.is_empty());
    assert!(robot.take().iter().any(|step| matches!(step, Step::Refused(..))));
}
