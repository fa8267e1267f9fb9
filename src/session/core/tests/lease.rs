//! The control lease.

use super::*;

use crate::protocol::{Parameter, ServiceCall};
use crate::session::{
    ControlLeaseOptions, ErrorKind, Policy, RoleRules, CONTROL_STATE, CONTROL_STATUS, HAND_OVER_CONTROL,
    RELEASE_CONTROL, TAKE_CONTROL,
};

use super::client_publish::advertise;

fn leasing(change: impl FnOnce(&mut SessionOptions)) -> Robot {
    Robot::with(|options| {
        options.capabilities = vec![SessionCapability::ClientPublish, SessionCapability::Parameters];
        options.control_lease = Some(ControlLeaseOptions::default());
        change(options);
    })
}

/// What came of a call: the answer, or why it failed.
type Outcome = Result<serde_json::Value, String>;

impl Robot {
    /// Id of a service by the name that the viewers were told.
    fn service(&self, name: &str) -> u32 {
        let services = self.views.values().flat_map(|view| &view.frames).filter_map(|message| match message {
            ToViewer::AdvertiseServices { services } => Some(services),
            _ => None,
        });
        services.flatten().find(|service| service.name == name).expect("advertised").id
    }

    fn control_with(&mut self, sid: &str, name: &str, encoding: &str, payload: &str) -> Outcome {
        let service_id = self.service(name);
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let call = ServiceCall { service_id, call_id: 5, encoding: encoding.into(), payload };
        let client = self.current(sid).unwrap();
        let before = self.view(client).frames.len();
        self.says(sid, FromViewer::ServiceCallRequest(call));
        let mut answers = self.view(client).frames[before..].iter().filter_map(|message| match message {
            ToViewer::ServiceCallResponse(answer) => {
                assert_eq!((answer.service_id, answer.call_id, answer.encoding.as_str()), (service_id, 5, "json"));
                Some(Ok(serde_json::from_slice(&answer.payload).unwrap()))
            }
            ToViewer::ServiceCallFailure { call_id: 5, message, .. } => Some(Err(message.clone())),
            _ => None,
        });
        let answer = answers.next().expect("answered at once, without a handler");
        assert_eq!(answers.next(), None);
        answer
    }

    fn control(&mut self, sid: &str, name: &str) -> Outcome {
        self.control_with(sid, name, "json", "{}")
    }

    fn hand_over(&mut self, sid: &str, identity: &str) -> Outcome {
        self.control_with(sid, HAND_OVER_CONTROL, "json", &format!("{{\"identity\":\"{identity}\"}}"))
    }

    /// What the robot was told of control since the last look.
    fn control_events(&mut self) -> Vec<Step> {
        self.take().into_iter().filter(|step| matches!(step, Step::Taken(_) | Step::Lost(..))).collect()
    }
}

fn state(holder: Option<&str>, you: bool) -> Outcome {
    Ok(serde_json::json!({ "holder": holder, "you": you, "timeout_ms": 3000 }))
}

fn held_by(holder: &str) -> String {
    format!(
        "{holder} has control; it can be taken with /telelink/control/take once it is free, or handed over with \
         /telelink/control/hand_over"
    )
}

fn holding(holder: &str) -> Option<String> {
    Some(format!("{holder} has control"))
}

/// The status of control that a viewer sees now.
fn shown(robot: &Robot, client: ClientId) -> Option<String> {
    let mut shown = None;
    for message in &robot.view(client).frames {
        match message {
            ToViewer::Status(status) if status.id.as_deref() == Some(CONTROL_STATUS) => {
                assert_eq!(status.level, StatusLevel::Info);
                shown = Some(status.message.clone());
            }
            ToViewer::RemoveStatus { status_ids } if status_ids.iter().any(|id| id == CONTROL_STATUS) => shown = None,
            _ => {}
        }
    }
    shown
}

fn publish(channel_id: u32) -> FromViewer {
    FromViewer::MessageData { channel_id, data: Bytes::new() }
}

#[test]
fn lease_is_taken_handed_over_and_released() {
    let mut robot = leasing(|_| {});
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    assert_eq!(robot.control("S1", CONTROL_STATE), state(None, false));
    assert_eq!(robot.control("S1", RELEASE_CONTROL), Err("You do not have control".into()));
    assert_eq!(robot.hand_over("S1", "bob"), Err("You do not have control".into()));
    assert_eq!(robot.control_events(), []);

    assert_eq!(robot.control("S1", TAKE_CONTROL), state(Some("ann"), true));
    assert_eq!(robot.control("S1", TAKE_CONTROL), state(Some("ann"), true), "again: nothing new");
    assert_eq!(robot.control_events(), [Step::Taken(ann)]);
    assert_eq!(robot.control("S2", CONTROL_STATE), state(Some("ann"), false));
    assert_eq!(shown(&robot, bob), holding("ann"));
    for name in [TAKE_CONTROL, RELEASE_CONTROL] {
        assert_eq!(robot.control("S2", name), Err(held_by("ann")));
    }

    assert_eq!(robot.hand_over("S1", "eve"), Err("There is no viewer eve".into()));
    assert_eq!(robot.hand_over("S1", "ann"), state(Some("ann"), true), "to itself: nothing new");
    assert_eq!(robot.hand_over("S1", "bob"), state(Some("bob"), false));
    assert_eq!(robot.control_events(), [Step::Lost(ann, ControlLost::HandedOver), Step::Taken(bob)]);
    assert_eq!((shown(&robot, ann), shown(&robot, bob)), (holding("bob"), holding("bob")));

    assert_eq!(robot.control("S2", RELEASE_CONTROL), state(None, false));
    assert_eq!(robot.control_events(), [Step::Lost(bob, ControlLost::Released)]);
    assert_eq!((shown(&robot, ann), shown(&robot, bob)), (None, None));
    assert!(robot.calls.is_empty(), "no handler thread is needed");
}

#[test]
fn lease_services_take_json_objects_only() {
    let mut robot = leasing(|_| {});
    let ann = robot.viewer("ann", "S1");
    assert_eq!(robot.control_with("S1", TAKE_CONTROL, "cdr", "{}"), Err("Unsupported encoding".into()));
    assert_eq!(robot.control_with("S1", TAKE_CONTROL, "json", ""), state(Some("ann"), true), "no request is needed");
    for wrong in ["", "[", "{}", r#"{"identity":7}"#] {
        let failure = robot.control_with("S1", HAND_OVER_CONTROL, "json", wrong).unwrap_err();
        assert!(failure.starts_with("The request is not {\"identity\": …}"), "{failure}");
    }
    let long = " ".repeat(4097);
    assert_eq!(
        robot.control_with("S1", HAND_OVER_CONTROL, "json", &long),
        Err("The request is longer than 4096 bytes".into())
    );
    assert_eq!(robot.control_events(), [Step::Taken(ann)]);
}

#[test]
fn lease_refuses_acting_messages_of_others_while_it_exists() {
    let mut robot = leasing(|options| options.supported_encodings = vec!["json".into()]);
    let service = Service::new("/dig", "", |_, _| {});
    robot.input(Input::AddServices(vec![service.clone()]));
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    let call = ServiceCall { service_id: service.id(), call_id: 1, encoding: "json".into(), payload: Bytes::new() };
    let call = FromViewer::ServiceCallRequest(call);
    let set = FromViewer::SetParameters {
        parameters: vec![Parameter { name: "/p".into(), kind: None, value: None }],
        id: None,
    };
    for sid in ["S1", "S2"] {
        robot.says(sid, advertise(&[1]));
    }
    // Nobody holds control: everybody may act.
    robot.take();
    robot.says("S2", publish(1));
    robot.says("S2", call.clone());
    assert_eq!(robot.take(), [Step::Told(Told::Message(bob, 1)), Step::Call(1)]);

    robot.control("S1", TAKE_CONTROL).unwrap();
    robot.take();
    robot.says("S2", publish(1));
    robot.says("S2", call.clone());
    robot.says("S2", set);
    let failure = ToViewer::ServiceCallFailure { service_id: service.id(), call_id: 1, message: held_by("ann") };
    let refusal = Step::Sent(bob, error(&held_by("ann")));
    assert_eq!(robot.take(), [refusal.clone(), Step::Sent(bob, failure), refusal]);
    // Looking and advertising are no acts.
    let channel = robot.reliable("/r");
    robot.subscribe("S2", &[&channel]);
    robot.says("S2", advertise(&[2]));
    assert_eq!(robot.events(), [Told::Subscribe(bob, channel.id().get()), Told::Advertise(bob, 2)]);
    // The holder acts.
    robot.says("S1", publish(1));
    robot.says("S1", call);
    assert_eq!(robot.take(), [Step::Told(Told::Message(ann, 1)), Step::Call(1)]);

    robot.control("S1", RELEASE_CONTROL).unwrap();
    robot.take();
    robot.says("S2", publish(1));
    assert_eq!(robot.take(), [Step::Told(Told::Message(bob, 1))]);
}

#[test]
fn lease_refusals_of_messages_are_told_once_per_second_and_channel() {
    let mut robot = leasing(|_| {});
    robot.viewer("ann", "S1");
    let bob = robot.viewer("bob", "S2");
    robot.says("S2", advertise(&[1, 2]));
    robot.control("S1", TAKE_CONTROL).unwrap();
    robot.take();
    for _ in 0..100 {
        robot.says("S2", publish(1));
        robot.says("S2", publish(2));
    }
    let refusal = Step::Sent(bob, error(&held_by("ann")));
    assert_eq!(robot.take(), [refusal.clone(), refusal.clone()]);
    robot.pass(Duration::from_millis(999));
    robot.says("S2", publish(1));
    assert_eq!(robot.take(), []);
    robot.pass(Duration::from_millis(1));
    robot.says("S2", publish(1));
    assert_eq!(robot.take(), [refusal]);
}

#[test]
fn lease_is_needed_only_for_what_the_robot_says() {
    let mut robot = leasing(|options| {
        options.supported_encodings = vec!["json".into()];
        let lease = options.control_lease.as_mut().unwrap();
        lease.publish = vec!["/t1".into()];
        lease.call = vec!["/drive/*".into()];
        lease.set = vec![];
    });
    let services = [Service::new("/drive/go", "", |_, _| {}), Service::new("/lamp", "", |_, _| {})];
    robot.input(Input::AddServices(services.to_vec()));
    robot.viewer("ann", "S1");
    let bob = robot.viewer("bob", "S2");
    robot.says("S2", advertise(&[1, 2]));
    robot.control("S1", TAKE_CONTROL).unwrap();
    robot.take();
    robot.says("S2", publish(1));
    robot.says("S2", publish(2));
    for (call_id, service) in services.iter().enumerate() {
        let (service_id, call_id) = (service.id(), call_id as u32);
        let call = ServiceCall { service_id, call_id, encoding: "json".into(), payload: Bytes::new() };
        robot.says("S2", FromViewer::ServiceCallRequest(call));
    }
    let message = held_by("ann");
    let failure = ToViewer::ServiceCallFailure { service_id: services[0].id(), call_id: 0, message };
    let expected = [
        Step::Sent(bob, error(&held_by("ann"))),
        Step::Told(Told::Message(bob, 2)),
        Step::Sent(bob, failure),
        Step::Call(1),
    ];
    assert_eq!(robot.take(), expected);
}

#[test]
fn lease_ends_when_the_heartbeat_is_as_old_as_the_limit() {
    let mut robot = leasing(|options| options.control_lease.as_mut().unwrap().timeout = Duration::from_millis(1500));
    let ann = robot.viewer("ann", "S1");
    let bob = robot.viewer("bob", "S2");
    robot.control("S1", TAKE_CONTROL).unwrap();
    robot.take();
    let ping = || FromViewer::Ping { app_timestamp: [0; 8] };
    for _ in 0..5 {
        robot.pass(seconds(1));
        robot.says("S1", ping());
        // Somebody else's pings keep nothing alive.
        robot.says("S2", ping());
    }
    assert_eq!(robot.control_events(), []);
    // Read while it waits for its turn: counts from then, and an older one changes nothing.
    robot.pass(seconds(1));
    let at = robot.now().mono;
    for at in [at - Duration::from_millis(200), at - Duration::from_millis(700)] {
        robot.input(Input::Heartbeat { client: ann, at });
    }
    robot.input(Input::Heartbeat { client: bob, at });
    robot.pass(Duration::from_millis(1299));
    assert_eq!(robot.control_events(), []);
    robot.pass(Duration::from_millis(1));
    assert_eq!(robot.control_events(), [Step::Lost(ann, ControlLost::Silent)]);
    assert_eq!(shown(&robot, bob), None);
    // It can come back for it, and others may act meanwhile.
    robot.says("S1", ping());
    assert_eq!(robot.control("S1", CONTROL_STATE).unwrap()["holder"], serde_json::Value::Null);
    assert!(robot.control("S2", TAKE_CONTROL).is_ok());
    assert_eq!(robot.control_events(), [Step::Taken(bob)]);
}

#[test]
fn lease_ends_with_its_holder_and_with_the_room() {
    type End = fn(&mut Robot, ClientId);
    let ends: [(&str, End, ControlLost); 5] = [
        ("left", |robot, _| robot.disconnect("S1"), ControlLost::Left),
        ("replaced", |robot, _| robot.input(Input::ParticipantActive(who("ann", "S9", 2000))), ControlLost::Left),
        ("reset", |robot, ann| robot.reset(ann), ControlLost::Reset),
        ("room lost", |robot, _| robot.input(Input::Left), ControlLost::RoomLost),
        (
            "reconnected",
            |robot, _| robot.input(Input::Reconnected { participants: vec![who("ann", "S1", 1000)] }),
            ControlLost::RoomLost,
        ),
    ];
    for (name, end, reason) in ends {
        let mut robot = leasing(|_| {});
        let ann = robot.viewer("ann", "S1");
        robot.control("S1", TAKE_CONTROL).unwrap();
        robot.take();
        end(&mut robot, ann);
        assert_eq!(robot.control_events(), [Step::Lost(ann, reason)], "{name}");
        assert!(robot.core.control_holder().is_none(), "{name}");
        robot.pass(seconds(10));
        assert_eq!(robot.control_events(), [], "{name}: told once");
    }
}

const LAPSED: &str =
    "You lost control without giving it up; take it again with /telelink/control/take before you go on";

#[test]
fn lease_that_was_not_given_up_keeps_what_is_still_on_its_way_out() {
    type End = fn(&mut Robot, ClientId);
    let ends: [(&str, End); 3] = [
        ("silent", |robot, _| robot.pass(seconds(3))),
        ("reset", |robot, ann| robot.reset(ann)),
        ("reconnected", |robot, _| {
            let participants = vec![who("ann", "S1", 1000), who("bob", "S2", 1000)];
            robot.input(Input::Reconnected { participants });
            robot.pass(seconds(30));
        }),
    ];
    for (name, end) in ends {
        let mut robot = leasing(|options| options.control_lease.as_mut().unwrap().publish = vec!["/t1".into()]);
        let ann = robot.viewer("ann", "S1");
        robot.viewer("bob", "S2");
        robot.says("S1", advertise(&[1, 2]));
        robot.says("S2", advertise(&[1]));
        robot.control("S1", TAKE_CONTROL).unwrap();
        robot.says("S1", publish(1));
        end(&mut robot, ann);
        let (ann, bob) = (robot.current("S1").unwrap(), robot.current("S2").unwrap());
        // Those who are registered anew have no channels.
        for sid in ["S1", "S2"] {
            robot.says(sid, advertise(&[1, 2]));
        }
        robot.take();
        robot.says("S1", publish(1));
        assert_eq!(robot.take(), [Step::Sent(ann, error(LAPSED))], "{name}");
        robot.says("S1", publish(2));
        robot.says("S2", publish(1));
        assert_eq!(robot.events(), [Told::Message(ann, 2), Told::Message(bob, 1)], "{name}");
        // The next lease, of whomever.
        robot.control("S2", TAKE_CONTROL).unwrap();
        robot.control("S2", RELEASE_CONTROL).unwrap();
        robot.pass(seconds(1));
        robot.take();
        robot.says("S1", publish(1));
        assert_eq!(robot.take(), [Step::Sent(ann, error(LAPSED))], "{name}");
        robot.control("S1", TAKE_CONTROL).unwrap();
        robot.take();
        robot.says("S1", publish(1));
        robot.control("S1", RELEASE_CONTROL).unwrap();
        robot.says("S1", publish(1));
        assert_eq!(robot.events(), [Told::Message(ann, 1), Told::Message(ann, 1)], "{name}: given up, all may act");
    }
}

#[test]
fn lease_is_shown_to_viewers_that_come_later() {
    let mut robot = leasing(|_| {});
    robot.viewer("ann", "S1");
    robot.control("S1", TAKE_CONTROL).unwrap();
    let bob = robot.viewer("bob", "S2");
    assert_eq!(shown(&robot, bob), holding("ann"));
    robot.disconnect("S1");
    assert_eq!(shown(&robot, bob), None);
    let eve = robot.viewer("eve", "S3");
    assert_eq!(shown(&robot, eve), None);
}

#[test]
fn lease_keeps_its_names_from_the_application() {
    let mut robot = leasing(|_| {});
    robot.viewer("ann", "S1");
    let mine = || Service::new("/telelink/control/take", "", |_, _| {});
    let refused = robot.try_input(Input::AddServices(vec![mine()])).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidValue);
    let options = |lease| SessionOptions {
        services: vec![mine()],
        supported_encodings: vec!["json".into()],
        control_lease: lease,
        ..Default::default()
    };
    let refused = options(Some(ControlLeaseOptions::default())).validated().unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidValue);
    assert!(options(None).validated().is_ok(), "without a lease the names are free");
    robot.input(Input::RemoveServices(vec!["/telelink/control/take".into()]));
    assert!(robot.control("S1", TAKE_CONTROL).is_ok(), "it cannot remove them either");
}

#[test]
fn lease_timeout_has_a_range() {
    for (ms, fine) in [(499, false), (500, true), (60_000, true), (60_001, false)] {
        let lease = ControlLeaseOptions { timeout: Duration::from_millis(ms), ..Default::default() };
        let options = SessionOptions { control_lease: Some(lease), ..Default::default() };
        assert_eq!(options.validated().is_ok(), fine, "{ms}");
    }
}

#[test]
fn lease_services_are_subject_to_rights() {
    let mut robot = leasing(|options| {
        let driver = RoleRules { call: vec!["/telelink/control/*".into()], ..Default::default() };
        let guest = RoleRules { call: vec!["/telelink/control/state".into()], ..Default::default() };
        options.policy = Some(Policy { roles: [("driver".to_owned(), driver)].into(), default_role: guest });
    });
    let mut ann = who("ann", "S1", 1000);
    ann.attributes.insert("telelink.role".into(), "driver".into());
    robot.active(ann);
    robot.viewer("bob", "S2");
    let no_services = Err("Server does not support services".to_owned());
    assert_eq!(robot.control("S2", TAKE_CONTROL), no_services);
    assert_eq!(robot.control("S2", CONTROL_STATE), state(None, false));
    assert!(robot.control("S1", TAKE_CONTROL).is_ok());
    assert_eq!(robot.hand_over("S1", "bob"), Err("bob may not have control".into()), "nor be given it");
}

#[test]
fn lease_that_is_off_offers_nothing() {
    let mut robot = Robot::with(|options| options.capabilities = vec![SessionCapability::Services]);
    let ann = robot.viewer("ann", "S1");
    assert!(!robot.view(ann).frames.iter().any(|m| matches!(m, ToViewer::AdvertiseServices { .. })));
    robot.pass(seconds(10));
    assert_eq!(robot.control_events(), []);
}
