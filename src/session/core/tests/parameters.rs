//! Parameters (P-95 to P-105, S-204 to S-215).

use super::*;

use crate::protocol::{texts, Parameter, ParameterValue};
use crate::session::parameter::ParameterAnswer;
use crate::session::{GetParametersRequest, Listener, ParameterHandler, ParameterResponder, SetParametersRequest};

struct Handler;

impl ParameterHandler for Handler {
    fn get(&self, _: GetParametersRequest, _: ParameterResponder) {}
    fn set(&self, _: SetParametersRequest, _: ParameterResponder) {}
}

struct Legacy;

impl Listener for Legacy {}

/// With a handler object.
fn handled() -> Robot {
    Robot::with(|options| options.parameter_handler = Some(Arc::new(Handler)))
}

/// With the capability alone.
fn unhandled() -> Robot {
    Robot::with(|options| options.capabilities = vec![SessionCapability::Parameters])
}

fn get(names: &[&str], id: Option<&str>) -> FromViewer {
    FromViewer::GetParameters { names: owned(names), id: id.map(Into::into) }
}

fn set(parameters: Vec<Parameter>, id: Option<&str>) -> FromViewer {
    FromViewer::SetParameters { parameters, id: id.map(Into::into) }
}

fn follow(names: &[&str]) -> FromViewer {
    FromViewer::SubscribeParameterUpdates { names: owned(names) }
}

fn unfollow(names: &[&str]) -> FromViewer {
    FromViewer::UnsubscribeParameterUpdates { names: owned(names) }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn int(name: &str, value: i64) -> Parameter {
    Parameter::new(name, ParameterValue::Integer(value))
}

fn values(parameters: Vec<Parameter>, id: Option<&str>) -> ToViewer {
    ToViewer::ParameterValues { parameters, id: id.map(Into::into) }
}

impl Robot {
    /// The application answers the oldest parameter request.
    fn reply(&mut self, answer: ParameterAnswer) {
        let (request, _) = self.work.remove(0);
        self.input(Input::Answered { request, outcome: Outcome::Parameters(answer) });
    }
}

/// P-100, P-103.
#[test]
fn p_95_p_103_without_the_capability() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    for (message, text) in [
        (get(&[], None), texts::NO_PARAMETERS),
        (set(vec![int("a", 1)], Some("x")), texts::NO_PARAMETERS),
        (follow(&["a"]), texts::NO_PARAMETERS_SUBSCRIBE),
        (unfollow(&["a"]), texts::NO_PARAMETERS_SUBSCRIBE),
    ] {
        robot.says("S1", message);
        assert_eq!(robot.take(), [Step::Sent(ann, error(text))]);
    }
}

#[test]
fn p_96_a_get_is_answered_to_the_asker_with_its_id_even_if_empty() {
    let mut robot = handled();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.says("S2", follow(&["a"]));
    robot.take();
    robot.says("S1", get(&["a", "b"], Some("7")));
    let (_, Work::Get { request, .. }) = &robot.work[0] else { panic!() };
    assert_eq!((&request.names, request.request_id.as_deref()), (&owned(&["a", "b"]), Some("7")));
    assert_eq!(request.client.id, ann);
    robot.take();
    robot.reply(ParameterAnswer::Values(vec![int("a", 1), Parameter::unset("b")]));
    assert_eq!(robot.take(), [Step::Sent(ann, values(vec![int("a", 1)], Some("7")))]);
    robot.says("S1", get(&[], None));
    robot.take();
    robot.reply(ParameterAnswer::Values(vec![Parameter::unset("b")]));
    assert_eq!(robot.take(), [Step::Sent(ann, values(vec![], None))]);
    assert!(robot.view(bob).frames.iter().all(|frame| !matches!(frame, ToViewer::ParameterValues { .. })));
}

/// S-207, P-100.
#[test]
fn p_101_a_set_is_echoed_only_with_an_id_and_not_published() {
    let mut robot = handled();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", follow(&["a"]));
    robot.says("S1", set(vec![int("a", 1)], Some("s")));
    robot.says("S1", set(vec![int("a", 2)], None));
    robot.take();
    robot.reply(ParameterAnswer::Values(vec![int("a", 1), Parameter::unset("b")]));
    assert_eq!(robot.take(), [Step::Sent(ann, values(vec![int("a", 1)], Some("s")))]);
    robot.reply(ParameterAnswer::Values(vec![int("a", 2)]));
    assert_eq!(robot.take(), []);
    // P-98, S-210; `fail` is ours.
    robot.says("S1", set(vec![int("a", 3)], None));
    robot.says("S1", get(&[], Some("g")));
    robot.take();
    robot.reply(ParameterAnswer::Dropped);
    robot.reply(ParameterAnswer::Failure("busy".into()));
    let dropped = "Internal server error: parameter handler failed to send a response";
    assert_eq!(robot.take(), [Step::Sent(ann, error(dropped)), Step::Sent(ann, error("busy"))]);
}

/// S-102, P-100.
#[test]
fn p_97_get_and_set_share_32_places() {
    let mut robot = handled();
    let ann = robot.viewer("ann", "S1");
    for n in 0..16 {
        robot.says("S1", get(&[], None));
        robot.says("S1", set(vec![int("a", n)], None));
    }
    robot.take();
    robot.says("S1", get(&[], None));
    robot.says("S1", set(vec![int("a", 0)], None));
    let refused = Step::Sent(ann, error("Too many concurrent parameter requests"));
    assert_eq!(robot.take(), [refused.clone(), refused]);
    // A set without an id has no answer that would hold its place.
    robot.work.remove(0);
    robot.reply(ParameterAnswer::Values(vec![]));
    robot.says("S1", get(&[], None));
    assert_eq!(robot.take(), [Step::Asked]);
}

/// In place of P-99.
#[test]
fn s_208_s_213_without_anybody_a_set_is_passed_on_and_a_get_refused() {
    let mut robot = unhandled();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.says("S2", follow(&["a", "b"]));
    robot.take();
    robot.says("S1", set(vec![int("a", 1), Parameter::unset("b"), int("c", 1)], Some("s")));
    assert_eq!(robot.take(), [Step::Sent(bob, values(vec![int("a", 1)], None))]);
    robot.says("S1", get(&[], Some("g")));
    assert_eq!(robot.take(), [Step::Sent(ann, error(texts::NO_PARAMETER_HANDLER))]);
}

#[test]
fn s_208_what_a_listener_returns_is_echoed_and_then_published() {
    let legacy: Arc<dyn Listener> = Arc::new(Legacy);
    let mut robot = Robot::with(|options| {
        options.capabilities = vec![SessionCapability::Parameters];
        options.listener = Some(legacy.clone());
    });
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.says("S1", follow(&["a"]));
    robot.says("S2", follow(&["a"]));
    robot.says("S1", set(vec![int("a", 9)], Some("s")));
    robot.take();
    robot.reply(ParameterAnswer::Values(vec![int("a", 5)]));
    let update = values(vec![int("a", 5)], None);
    assert_eq!(
        robot.take(),
        [
            Step::Sent(ann, values(vec![int("a", 5)], Some("s"))),
            Step::Sent(ann, update.clone()),
            Step::Sent(bob, update.clone())
        ]
    );
    // Without the callback the values go on as they came; S-214: one that returns nothing publishes nothing.
    robot.says("S1", set(vec![int("a", 9)], None));
    robot.says("S1", set(vec![int("a", 9)], None));
    robot.take();
    robot.reply(ParameterAnswer::Unhandled(vec![int("a", 9)]));
    assert_eq!(robot.take().len(), 2);
    robot.reply(ParameterAnswer::Values(vec![]));
    assert_eq!(robot.take(), []);
}

/// P-24, P-104.
#[test]
fn s_211_only_first_and_last_subscribers_are_events() {
    let mut robot = unhandled();
    robot.viewer("ann", "S1");
    robot.viewer("bob", "S2");
    robot.says("S1", follow(&["a", "b", "a"]));
    robot.says("S1", follow(&["a"]));
    robot.says("S2", follow(&["b", "c"]));
    robot.says("S2", follow(&[]));
    assert_eq!(robot.events(), [Told::Follow(owned(&["a", "b"])), Told::Follow(owned(&["c"]))]);
    robot.says("S1", unfollow(&["b", "unknown"]));
    robot.says("S2", unfollow(&["b"]));
    robot.says("S2", unfollow(&["b"]));
    assert_eq!(robot.events(), [Told::Unfollow(owned(&["b"]))]);
    // S-117: leaving ends the rest.
    robot.disconnect("S1");
    assert_eq!(robot.events(), [Told::Unfollow(owned(&["a"]))]);
    robot.input(Input::Left);
    assert_eq!(robot.events(), [Told::Unfollow(owned(&["c"]))]);
}

/// P-104.
#[test]
fn s_212_updates_go_to_those_who_follow_and_nobody_else() {
    let mut robot = unhandled();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.viewer("eve", "S3");
    robot.says("S1", follow(&["a", "b"]));
    robot.says("S2", follow(&["b"]));
    robot.take();
    robot.input(Input::PublishParameters(vec![int("a", 1), int("b", 2), int("z", 3), Parameter::unset("b")]));
    let mut sent = robot.take();
    sent.sort_by_key(|step| matches!(step, Step::Sent(client, _) if *client == bob));
    assert_eq!(
        sent,
        [
            Step::Sent(ann, values(vec![int("a", 1), int("b", 2)], None)),
            Step::Sent(bob, values(vec![int("b", 2)], None))
        ]
    );
    // S-213a: nothing left is no message. P-180: one bad value does not hide the others.
    robot.input(Input::PublishParameters(vec![Parameter::unset("a"), int("z", 1)]));
    assert_eq!(robot.take(), []);
    let nan = Parameter::new("a", ParameterValue::Float(f64::NAN));
    robot.input(Input::PublishParameters(vec![nan, int("b", 3)]));
    assert_eq!(robot.take().len(), 2);
}

#[test]
fn the_names_one_viewer_follows_are_bounded() {
    let mut robot = unhandled();
    let ann = robot.viewer("ann", "S1");
    let names: Vec<String> = (0..10_001).map(|n| format!("p{n}")).collect();
    robot.says("S1", FromViewer::SubscribeParameterUpdates { names });
    assert!(matches!(robot.last(ann), ToViewer::Status(status) if status.message.starts_with("1 parameters were not")));
    robot.viewer("bob", "S2");
    let long = "x".repeat(600 << 10);
    robot.says("S2", follow(&[&long, &format!("{long}y")]));
    assert_eq!(robot.followed.len(), 10_001);
    // What was given up can be taken again.
    robot.says("S2", unfollow(&[&long]));
    robot.says("S2", follow(&[&format!("{long}z")]));
    assert_eq!(robot.followed.len(), 10_001);
}
