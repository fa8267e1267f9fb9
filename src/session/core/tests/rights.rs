//! Rights (S-126 to S-130): the policy, the authorizer, and what refusals look like.

use std::sync::atomic::Ordering;

use super::*;

use crate::protocol::{ClientChannel, Parameter, ParameterValue, ServiceCall};
use crate::session::parameter::ParameterAnswer;
use crate::session::{
    GetParametersRequest, ParameterHandler, ParameterResponder, Policy, RoleRules, SetParametersRequest, ROLE_ATTRIBUTE,
};

const NO_PUBLISH: &str = "Server does not support clientPublish capability";
const NO_PARAMETERS: &str = "Server does not support parameters capability";
const NO_UPDATES: &str = "Server does not support parametersSubscribe capability";
const NO_ASSETS: &str = "Server does not support assets capability";
const NO_GRAPH: &str = "Server does not support connection graph capability";

fn everything_enabled(options: &mut SessionOptions) {
    use SessionCapability::*;
    options.capabilities = vec![ClientPublish, Parameters, Services, ConnectionGraph, Assets];
    options.supported_encodings = vec!["json".into()];
    options.parameter_handler = Some(Arc::new(Handler));
    options.asset_handler = Some(Arc::new(|_, _| {}));
}

struct Handler;

impl ParameterHandler for Handler {
    fn get(&self, _: GetParametersRequest, _: ParameterResponder) {}
    fn set(&self, _: SetParametersRequest, _: ParameterResponder) {}
}

fn list(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|&pattern| pattern.to_owned()).collect()
}

/// Everything enabled, this policy.
fn ruled(roles: &[(&str, RoleRules)], default_role: RoleRules) -> Robot {
    Robot::with(|options| {
        everything_enabled(options);
        let roles = roles.iter().map(|(role, rules)| ((*role).to_owned(), rules.clone())).collect();
        options.policy = Some(Policy { roles, default_role });
    })
}

/// Everything enabled, an authorizer that the test answers for.
fn asking() -> Robot {
    Robot::with(|options| {
        everything_enabled(options);
        options.authorizer = Some(Arc::new(|_, _, _| unreachable!("the core asks nobody by itself")));
    })
}

fn in_role(robot: &mut Robot, identity: &str, sid: &str, role: &str) -> ClientId {
    let mut participant = who(identity, sid, 1000);
    participant.attributes.insert(ROLE_ATTRIBUTE.to_owned(), role.to_owned());
    robot.active(participant)
}

fn advertise(topics: &[&str]) -> FromViewer {
    let channel = |(id, topic): (usize, &&str)| ClientChannel {
        id: id as u32,
        topic: (*topic).into(),
        encoding: "json".into(),
        schema_name: String::new(),
        schema_encoding: None,
        schema: None,
    };
    FromViewer::Advertise { channels: topics.iter().enumerate().map(channel).collect() }
}

fn call(service: &Service) -> FromViewer {
    let (service_id, encoding) = (service.id(), "json".into());
    FromViewer::ServiceCallRequest(ServiceCall { service_id, call_id: 9, encoding, payload: Bytes::new() })
}

fn no_services(service: &Service) -> ToViewer {
    let message = "Server does not support services".into();
    ToViewer::ServiceCallFailure { service_id: service.id(), call_id: 9, message }
}

fn get(names: &[&str]) -> FromViewer {
    FromViewer::GetParameters { names: list(names), id: Some("g".into()) }
}

fn set(names: &[&str]) -> FromViewer {
    let parameters = names.iter().map(|&name| Parameter { name: name.into(), kind: None, value: None }).collect();
    FromViewer::SetParameters { parameters, id: None }
}

fn fetch(uri: &str) -> FromViewer {
    FromViewer::FetchAsset { request_id: 1, uri: uri.into() }
}

impl Robot {
    /// Answers the newest question.
    fn decide(&mut self, allowed: &[bool]) {
        let question = self.questions.last().expect("a question").key;
        self.input(Input::Authorized { question, allowed: allowed.to_vec() });
    }

    fn sent(&mut self) -> Vec<(ClientId, ToViewer)> {
        let sent = |step| match step {
            Step::Sent(client, message) => Some((client, message)),
            _ => None,
        };
        self.take().into_iter().filter_map(sent).collect()
    }

    /// What was answered to this message, and nothing else done.
    #[track_caller]
    fn refused(&mut self, sid: &str, message: FromViewer) -> Vec<ToViewer> {
        self.take();
        self.says(sid, message);
        let steps = self.take();
        let sent = |step| match step {
            Step::Sent(_, message) => message,
            other => panic!("not refused: {other:?}"),
        };
        steps.into_iter().map(sent).collect()
    }
}

#[test]
fn s_127_without_policy_and_authorizer_everything_enabled_is_allowed() {
    let mut robot = Robot::with(everything_enabled);
    let ann = robot.viewer("ann", "S1");
    let channel = robot.reliable("/a");
    robot.subscribe("S1", &[&channel]);
    robot.says("S1", advertise(&["/b"]));
    assert_eq!(robot.events(), [Told::Subscribe(ann, channel.id().get()), Told::Advertise(ann, 0)]);
    assert!(robot.core.visible_parameter(ann, "/any"));
}

#[test]
fn s_128_refused_channels_are_answered_like_unknown_ones_and_the_others_proceed() {
    let mut robot = ruled(&[], RoleRules { subscribe: list(&["/open/*"]), ..Default::default() });
    let ann = robot.viewer("ann", "S1");
    let (open, closed) = (robot.reliable("/open/a"), robot.reliable("/closed"));
    let image = robot.image("/camera");
    robot.take();
    let (hidden, camera) = (closed.id().get(), image.id().get());
    let unknown = SubscribeChannel { id: 999_999_999, request_video_track: false };
    // P-75: data wins over video, also for what is refused.
    let channels = vec![video(&closed), data(&open), data(&closed), video(&image), unknown];
    robot.says("S1", FromViewer::Subscribe { channels });
    let steps = robot.take();
    assert_eq!(
        steps,
        [
            Step::Sent(ann, error(&format!("Unknown channel ID: {hidden}"))),
            Step::Sent(ann, error(&format!("Channel {camera} does not support video transcoding"))),
            Step::Sent(ann, error("Unknown channel ID: 999999999")),
            Step::Route(open.id().get(), vec![ann], false),
            Step::Told(Told::Subscribe(ann, open.id().get())),
        ]
    );
    // A thousand refusals share one status.
    let many: Vec<Channel> = (0..1000).map(|n| robot.reliable(&format!("/closed/{n}"))).collect();
    robot.take();
    robot.subscribe("S1", &many.iter().collect::<Vec<_>>());
    let sent = robot.sent();
    assert_eq!(sent.len(), 17);
    assert_eq!(sent[16].1, error("984 more channels could not be subscribed"));
}

#[test]
fn s_128_every_refusal_looks_like_a_missing_capability() {
    let mut robot = ruled(&[], RoleRules::default());
    robot.viewer("ann", "S1");
    let service = Service::new("/s", "", |_, _| {});
    robot.input(Input::AddServices(vec![service.clone()]));
    assert_eq!(robot.refused("S1", advertise(&["/a", "/b"])), [error(NO_PUBLISH)], "one status for the message");
    assert_eq!(robot.refused("S1", call(&service)), [no_services(&service)]);
    assert_eq!(robot.refused("S1", get(&["/a", "/b"])), [error(NO_PARAMETERS)]);
    assert_eq!(robot.refused("S1", get(&[])), [error(NO_PARAMETERS)]);
    assert_eq!(robot.refused("S1", set(&["/a"])), [error(NO_PARAMETERS)]);
    let updates = FromViewer::SubscribeParameterUpdates { names: list(&["/a"]) };
    assert_eq!(robot.refused("S1", updates), [error(NO_UPDATES)]);
    assert_eq!(robot.refused("S1", fetch("package://a/b")), [error(NO_ASSETS)]);
    assert_eq!(robot.refused("S1", FromViewer::SubscribeConnectionGraph), [error(NO_GRAPH)]);
    assert!(robot.calls.is_empty());
}

#[test]
fn s_128_to_end_something_is_always_allowed() {
    let mut robot = asking();
    let ann = robot.viewer("ann", "S1");
    let channel = robot.reliable("/a");
    robot.subscribe("S1", &[&channel]);
    robot.decide(&[true]);
    robot.says("S1", advertise(&["/b"]));
    robot.decide(&[true]);
    robot.take();
    robot.unsubscribe("S1", &[&channel]);
    robot.says("S1", FromViewer::MessageData { channel_id: 0, data: Bytes::new() });
    robot.says("S1", FromViewer::Unadvertise { channel_ids: vec![0] });
    let told = [Told::Unsubscribe(ann, channel.id().get()), Told::Message(ann, 0), Told::Unadvertise(ann, 0)];
    assert_eq!(robot.events(), told);
    assert_eq!(robot.questions.len(), 2, "none of them is a question");
}

#[test]
fn s_126_the_role_is_a_token_attribute_as_it_was_at_registration() {
    let operator = RoleRules { publish: list(&["*"]), ..Default::default() };
    let mut robot = ruled(&[("operator", operator)], RoleRules::default());
    let ann = in_role(&mut robot, "ann", "S1", "operator");
    in_role(&mut robot, "bob", "S2", "Operator");
    robot.viewer("eve", "S3");
    robot.says("S1", advertise(&["/a"]));
    assert_eq!(robot.events(), [Told::Advertise(ann, 0)]);
    for sid in ["S2", "S3"] {
        assert_eq!(
            robot.refused(sid, advertise(&["/a"])),
            [error(NO_PUBLISH)],
            "unknown or missing: the default rules"
        );
    }
    // An update while registered changes nothing.
    let mut updated = who("eve", "S3", 1000);
    updated.attributes.insert(ROLE_ATTRIBUTE.to_owned(), "operator".to_owned());
    robot.input(Input::ParticipantConnected(updated));
    assert_eq!(robot.refused("S3", advertise(&["/a"])), [error(NO_PUBLISH)]);
}

#[test]
fn s_128_parameters_that_are_refused_are_dropped_from_a_get_and_fail_a_set() {
    let rules = RoleRules { get: list(&["/arm/*"]), set: list(&["/arm/speed"]), ..Default::default() };
    let mut robot = ruled(&[], rules);
    let ann = robot.viewer("ann", "S1");
    // A refused name costs one status; what is left goes on to the feature.
    robot.take();
    robot.says("S1", get(&["/secret", "/arm/speed", "/secret/2"]));
    assert_eq!(robot.take(), [Step::Sent(ann, error(NO_PARAMETERS)), Step::Asked]);
    let Some((_, Work::Get { request, .. })) = robot.work.last() else { panic!("no get") };
    assert_eq!(request.names, ["/arm/speed"]);
    assert_eq!(robot.refused("S1", set(&["/arm/speed", "/arm/name"])), [error(NO_PARAMETERS)]);
    // Reading all is allowed to who may read anything; the answer is to be filtered.
    assert!(robot.core.visible_parameter(ann, "/arm/speed"));
    assert!(!robot.core.visible_parameter(ann, "/secret"));
    assert!(!robot.core.visible_parameter(ClientId(u32::MAX), "/arm/speed"), "nobody sees nothing");
    // A parameter without a name is not all parameters.
    assert_eq!(robot.refused("S1", get(&[""])), [error(NO_PARAMETERS)]);
}

#[test]
fn s_128_the_answer_to_reading_all_leaves_out_what_the_policy_refuses() {
    let mut robot = ruled(&[], RoleRules { get: list(&["/arm/*"]), ..Default::default() });
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", get(&[]));
    let (request, _) = robot.work.pop().expect("the request went on, for all");
    robot.take();
    let value = |name: &str| Parameter::new(name, ParameterValue::Integer(1));
    let outcome = Outcome::Parameters(ParameterAnswer::Values(vec![value("/secret"), value("/arm/speed")]));
    robot.input(Input::Answered { request, outcome });
    let parameters = vec![value("/arm/speed")];
    assert_eq!(robot.take(), [Step::Sent(ann, ToViewer::ParameterValues { parameters, id: Some("g".into()) })]);
}

#[test]
fn s_128_the_features_of_missing_capabilities_ask_nobody() {
    let mut robot =
        Robot::with(|options| options.authorizer = Some(Arc::new(|_, _, _| unreachable!("nobody is asked here"))));
    robot.viewer("ann", "S1");
    assert_eq!(robot.refused("S1", advertise(&["/a"])), [error(NO_PUBLISH)]);
    assert_eq!(robot.refused("S1", fetch("x")), [error(NO_ASSETS)]);
    assert_eq!(robot.refused("S1", set(&["x"])), [error(NO_PARAMETERS)]);
    assert!(robot.questions.is_empty());
}

#[test]
fn s_128_one_message_is_one_question_and_decisions_are_remembered() {
    let mut robot = asking();
    let ann = robot.viewer("ann", "S1");
    let channels: Vec<Channel> = (0..3).map(|n| robot.reliable(&format!("/{n}"))).collect();
    robot.take();
    robot.subscribe("S1", &[&channels[0], &channels[1], &channels[0]]);
    let asked = Step::Authorize(ann, Action::Subscribe, list(&["/0", "/1"]));
    assert_eq!(robot.take(), [asked], "nothing else until the answer");
    assert!(robot.core.is_asking(ann));
    robot.decide(&[true, false]);
    assert!(!robot.core.is_asking(ann));
    let unknown = error(&format!("Unknown channel ID: {}", channels[1].id()));
    let id = channels[0].id().get();
    let subscribed = |id| [Step::Route(id, vec![ann], false), Step::Told(Told::Subscribe(ann, id))];
    assert_eq!(robot.take(), [&[Step::Sent(ann, unknown.clone())], &subscribed(id)[..]].concat());
    // Only what is new is asked.
    let all: Vec<&Channel> = channels.iter().collect();
    robot.subscribe("S1", &all);
    assert_eq!(robot.take(), [Step::Authorize(ann, Action::Subscribe, list(&["/2"]))]);
    robot.decide(&[true]);
    assert_eq!(robot.take(), [&[Step::Sent(ann, unknown.clone())], &subscribed(channels[2].id().get())[..]].concat());
    robot.subscribe("S1", &all);
    assert_eq!(robot.take(), [Step::Sent(ann, unknown)]);
    // Another registration is asked anew: decisions are kept for each of them alone.
    let bob = robot.viewer("bob", "S2");
    robot.subscribe("S2", &[&channels[1]]);
    assert_eq!(robot.take(), [Step::Authorize(bob, Action::Subscribe, list(&["/1"]))]);
    robot.decide(&[true]);
    // And so is another action on the same subject.
    robot.says("S2", advertise(&["/1"]));
    assert!(robot.take().contains(&Step::Authorize(bob, Action::Publish, list(&["/1"]))));
}

#[test]
fn s_128_decisions_are_remembered_up_to_a_bound() {
    let mut robot = asking();
    robot.viewer("ann", "S1");
    for n in 0..1025 {
        robot.says("S1", fetch(&format!("{n}")));
        robot.decide(&[false]);
    }
    let asked = robot.questions.len();
    robot.says("S1", fetch("1024"));
    robot.says("S1", fetch("1"));
    assert_eq!(robot.questions.len(), asked, "the newest are known");
    robot.says("S1", fetch("0"));
    assert_eq!(robot.questions.len(), asked + 1, "the oldest is not");
}

#[test]
fn s_128_the_policy_comes_before_the_authorizer() {
    let mut robot = Robot::with(|options| {
        everything_enabled(options);
        options.policy = Some(Policy {
            default_role: RoleRules { asset: list(&["a*"]), ..Default::default() },
            ..Default::default()
        });
        options.authorizer = Some(Arc::new(|_, _, _| unreachable!()));
    });
    let ann = robot.viewer("ann", "S1");
    assert_eq!(robot.refused("S1", fetch("b")), [error(NO_ASSETS)], "refused by the policy: nobody is asked");
    robot.says("S1", fetch("ab"));
    assert_eq!(robot.take(), [Step::Authorize(ann, Action::Asset, list(&["ab"]))]);
    robot.decide(&[false]);
    assert_eq!(robot.take(), [Step::Sent(ann, error(NO_ASSETS))]);
}

#[test]
fn s_128_no_answer_in_two_seconds_is_a_refusal_and_a_late_one_is_ignored() {
    let mut robot = asking();
    let ann = robot.viewer("ann", "S1");
    let channel = robot.reliable("/a");
    robot.take();
    robot.subscribe("S1", &[&channel]);
    robot.take();
    robot.pass(Duration::from_millis(1999));
    assert_eq!(robot.take(), []);
    assert!(!robot.questions[0].abandoned.load(Ordering::Relaxed));
    robot.pass(Duration::from_millis(1));
    let unknown = Step::Sent(ann, error(&format!("Unknown channel ID: {}", channel.id())));
    assert_eq!(robot.take(), std::slice::from_ref(&unknown));
    assert!(robot.questions[0].abandoned.load(Ordering::Relaxed), "the rest of the batch need not be asked");
    // While that question is still running, others of this viewer are refused at once.
    robot.subscribe("S1", &[&channel]);
    assert_eq!(robot.take(), std::slice::from_ref(&unknown));
    robot.viewer("bob", "S2");
    robot.subscribe("S2", &[&channel]);
    assert!(matches!(robot.take()[..], [Step::Authorize(..)]), "those of other viewers are asked");
    // It comes back too late, and decides nothing, not even for the next time.
    let question = robot.questions[0].key;
    robot.input(Input::Authorized { question, allowed: vec![true] });
    assert_eq!(robot.take(), []);
    robot.subscribe("S1", &[&channel]);
    assert_eq!(robot.take(), [Step::Authorize(ann, Action::Subscribe, list(&["/a"]))]);
}

#[test]
fn s_128_questions_that_never_come_back_are_bounded_for_the_session() {
    let mut robot = asking();
    let sids: Vec<String> = (0..6).map(|n| format!("S{n}")).collect();
    for (n, sid) in sids.iter().enumerate() {
        robot.viewer(&format!("v{n}"), sid);
    }
    for sid in &sids[..MAX_LATE] {
        robot.says(sid, fetch("x"));
    }
    // A viewer that leaves leaves its question running.
    robot.disconnect(&sids[0]);
    robot.pass(seconds(2));
    assert_eq!(robot.refused(&sids[5], fetch("x")), [error(NO_ASSETS)]);
    assert_eq!(robot.questions.len(), MAX_LATE);
    let question = robot.questions[0].key;
    robot.input(Input::Authorized { question, allowed: vec![true] });
    robot.says(&sids[5], fetch("x"));
    assert_eq!(robot.questions.len(), MAX_LATE + 1, "one came back, so one may go");
}

#[test]
fn s_128_an_answer_for_a_registration_that_is_gone_does_nothing() {
    let mut robot = asking();
    let ann = robot.viewer("ann", "S1");
    let channel = robot.reliable("/a");
    robot.subscribe("S1", &[&channel]);
    robot.reset(ann);
    let again = robot.current("S1").unwrap();
    assert!(robot.questions[0].abandoned.load(Ordering::Relaxed));
    robot.take();
    robot.decide(&[true]);
    assert_eq!(robot.take(), []);
    assert!(!robot.core.is_asking(again));
}

#[test]
fn s_128_what_appears_while_the_question_runs_is_not_let_in_with_it() {
    let mut robot = asking();
    let ann = robot.viewer("ann", "S1");
    let known = robot.reliable("/known");
    let late = robot.context.channel("/late").encoding("json").qos(Qos::Reliable).open().unwrap();
    robot.take();
    robot.subscribe("S1", &[&known, &late]);
    robot.add(&[&late]);
    robot.remove(&[&known]);
    robot.take();
    robot.decide(&[true]);
    let unknown = |channel: &Channel| Step::Sent(ann, error(&format!("Unknown channel ID: {}", channel.id())));
    assert_eq!(robot.take(), [unknown(&late), unknown(&known)]);
}

#[test]
fn s_128_a_short_answer_refuses_what_it_leaves_out() {
    let mut robot = asking();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", advertise(&["/a", "/b"]));
    robot.take();
    robot.decide(&[true]);
    assert_eq!(robot.take(), [Step::Sent(ann, error(NO_PUBLISH)), Step::Told(Told::Advertise(ann, 0))]);
}
