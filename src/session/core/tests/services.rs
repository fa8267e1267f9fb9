//! Services (P-87 to P-91, S-193 to S-200).

use super::*;

use crate::protocol::ServiceCall;
use crate::session::{ErrorKind, MessageSchema};

fn serving() -> Robot {
    Robot::with(|options| {
        options.capabilities = vec![SessionCapability::Services];
        options.supported_encodings = vec!["json".into()];
    })
}

fn plain(name: &str) -> Service {
    Service::new(name, "type", |_, _| {})
}

fn json_schema(encoding: &str) -> MessageSchema {
    let schema = Schema { name: "R".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"{}") };
    MessageSchema { encoding: encoding.into(), schema }
}

fn call(service: &Service, call_id: u32, encoding: &str) -> FromViewer {
    FromViewer::ServiceCallRequest(ServiceCall {
        service_id: service.id(),
        call_id,
        encoding: encoding.into(),
        payload: Bytes::from_static(b"in"),
    })
}

fn failure(service: &Service, call_id: u32, message: &str) -> ToViewer {
    ToViewer::ServiceCallFailure { service_id: service.id(), call_id, message: message.into() }
}

fn response(encoding: Option<&str>) -> ServiceAnswer {
    ServiceAnswer::Response { encoding: encoding.map(Into::into), payload: Bytes::from_static(b"out") }
}

/// At the start of a session; for services that come later see below.
#[test]
fn p_114_options_without_a_request_encoding_are_refused() {
    let refused = |services: Vec<Service>, encodings: &[&str]| {
        let supported_encodings = encodings.iter().map(|&encoding| encoding.to_owned()).collect();
        let options = SessionOptions { services, supported_encodings, ..Default::default() };
        options.validated().err().map(|error| (error.kind, error.message))
    };
    let declares = |name, encoding| plain(name).request(json_schema(encoding));
    let text = "service /plain declares no request encoding, so supported_encodings must not be empty";
    let invalid = |text: &str| Some((ErrorKind::InvalidValue, text.to_owned()));
    assert_eq!(refused(vec![plain("/plain")], &[]), invalid(text));
    assert_eq!(refused(vec![plain("/plain")], &["json"]), None);
    assert_eq!(refused(vec![plain("/plain"), declares("/other", "json")], &[]), None, "that of the other one");
    let text = "supported_encodings contains an empty string";
    assert_eq!(refused(vec![], &["json", ""]), invalid(text));
    assert_eq!(refused(vec![declares("/s", "")], &[]), invalid(text));
}

/// S-194.
#[test]
fn p_87_the_checks_in_their_order() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    let service = plain("/s");
    robot.says("S1", call(&service, 7, "xml"));
    assert_eq!(robot.last(ann), &failure(&service, 7, "Server does not support services"));

    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", call(&service, 7, "xml"));
    assert_eq!(robot.last(ann), &failure(&service, 7, "Unknown service"));
    robot.input(Input::AddServices(vec![service.clone()]));
    robot.says("S1", call(&service, 7, "xml"));
    assert_eq!(robot.last(ann), &failure(&service, 7, "Unsupported encoding"));
    for call_id in 0..32 {
        robot.says("S1", call(&service, call_id, "json"));
    }
    robot.take();
    robot.says("S1", call(&service, 32, "json"));
    assert_eq!(robot.take(), [Step::Sent(ann, failure(&service, 32, "Too many requests"))]);
    assert_eq!(robot.calls.len(), 32);
    // S-196: after any completion the next succeeds. Another viewer is not affected at all.
    let (_, key) = robot.calls[3].clone();
    robot.answer(&key, response(None));
    robot.says("S1", call(&service, 33, "json"));
    robot.viewer("bob", "S2");
    robot.says("S2", call(&service, 1, "json"));
    assert_eq!(robot.calls.len(), 34);
}

/// S-195.
#[test]
fn p_88_a_declared_request_encoding_must_match_exactly() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    let service = plain("/s").request(json_schema("cdr"));
    robot.input(Input::AddServices(vec![service.clone()]));
    for encoding in ["json", "CDR", ""] {
        robot.says("S1", call(&service, 1, encoding));
        assert_eq!(robot.last(ann), &failure(&service, 1, "Unsupported encoding"));
    }
    robot.says("S1", call(&service, 1, "cdr"));
    assert_eq!(robot.calls.len(), 1);
}

/// S-197.
#[test]
fn p_89_the_encoding_of_the_answer() {
    let cases = [(Some("own"), true, "own"), (None, true, "declared"), (None, false, "json"), (Some("x"), false, "x")];
    for (answered, declared, expected) in cases {
        let mut robot = serving();
        let ann = robot.viewer("ann", "S1");
        let service = plain("/s");
        let service = if declared { service.response(json_schema("declared")) } else { service };
        robot.input(Input::AddServices(vec![service.clone()]));
        robot.says("S1", call(&service, 9, "json"));
        let (request, key) = robot.calls.remove(0);
        assert_eq!((&*request.service, request.call_id, &request.payload[..]), ("/s", 9, &b"in"[..]));
        assert_eq!(request.client.id, ann);
        robot.answer(&key, response(answered));
        let ToViewer::ServiceCallResponse(answer) = robot.last(ann) else { panic!() };
        assert_eq!((answer.service_id, answer.call_id, &*answer.encoding), (service.id(), 9, expected));
        assert_eq!(&answer.payload[..], b"out");
    }
}

/// S-198.
#[test]
fn p_90_failures_and_dropped_responders() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    let service = plain("/s");
    robot.input(Input::AddServices(vec![service.clone()]));
    let cases = [
        (ServiceAnswer::Failure("no".into()), "no"),
        (ServiceAnswer::Dropped, "Internal server error: service failed to send a response"),
    ];
    for (answer, text) in cases {
        robot.says("S1", call(&service, 1, "json"));
        let (_, key) = robot.calls.remove(0);
        robot.answer(&key, answer);
        assert_eq!(robot.last(ann), &failure(&service, 1, text));
    }
}

#[test]
fn p_33_a_response_over_the_frame_limit_is_a_failure_the_viewer_can_read() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    let service = plain("/s");
    robot.input(Input::AddServices(vec![service.clone()]));
    robot.says("S1", call(&service, 1, "json"));
    let (_, key) = robot.calls.remove(0);
    let answer = ServiceAnswer::Response { encoding: None, payload: vec![0; 17 << 20].into() };
    robot.answer(&key, answer);
    let ToViewer::ServiceCallFailure { message, .. } = robot.last(ann) else { panic!() };
    assert!(message.starts_with("Internal server error: "), "{message}");
}

/// S-198.
#[test]
fn p_91_an_answer_for_somebody_who_left_or_was_reset_is_dropped() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    let service = plain("/s");
    robot.input(Input::AddServices(vec![service.clone()]));
    for call_id in 0..32 {
        robot.says("S1", call(&service, call_id, "json"));
    }
    robot.reset(ann);
    robot.take();
    for (_, key) in std::mem::take(&mut robot.calls) {
        robot.answer(&key, response(None));
    }
    assert_eq!(robot.take(), []);
    for call_id in 0..32 {
        robot.says("S1", call(&service, call_id, "json"));
    }
    assert_eq!(robot.calls.len(), 32, "the new registration has all its slots");
}

/// P-114.
#[test]
fn s_200_services_are_added_all_or_none() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    robot.input(Input::AddServices(vec![]));
    robot.input(Input::AddServices(vec![plain("/a"), plain("/b")]));
    assert_eq!(robot.view(ann).count(|frame| matches!(frame, ToViewer::AdvertiseServices { .. })), 1);
    for batch in [vec![plain("/c"), plain("/a")], vec![plain("/c"), plain("/c")]] {
        assert_eq!(robot.try_input(Input::AddServices(batch)).unwrap_err().kind, ErrorKind::Duplicate);
    }
    let names: Vec<_> = robot.view(ann).services.values().map(|service| service.name.clone()).collect();
    assert_eq!(names, ["/a", "/b"]);

    let error = Robot::new().try_input(Input::AddServices(vec![plain("/a")])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotSupported);
    let mut mute = Robot::with(|options| options.capabilities = vec![SessionCapability::Services]);
    let error = mute.try_input(Input::AddServices(vec![plain("/a")])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidValue);
    mute.input(Input::AddServices(vec![plain("/a").request(json_schema("json"))]));
}

#[test]
fn p_144_removing_services() {
    let mut robot = serving();
    let (a, b) = (plain("/a"), plain("/b"));
    robot.input(Input::AddServices(vec![a.clone(), b.clone()]));
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", call(&a, 1, "json"));
    robot.take();
    robot.input(Input::RemoveServices(vec!["/none".into()]));
    assert_eq!(robot.take(), []);
    robot.input(Input::RemoveServices(vec!["/a".into(), "/none".into(), "/b".into()]));
    let gone = ToViewer::UnadvertiseServices { service_ids: vec![a.id(), b.id()] };
    assert_eq!(robot.take(), [Step::Sent(ann, gone)]);
    robot.says("S1", call(&a, 2, "json"));
    assert_eq!(robot.last(ann), &failure(&a, 2, "Unknown service"));
    // A call under way is still answered.
    let (_, key) = robot.calls.remove(0);
    robot.answer(&key, response(None));
    assert!(matches!(robot.last(ann), ToViewer::ServiceCallResponse(_)));
    // The name is free again, and the map outlives the room.
    robot.input(Input::AddServices(vec![plain("/a")]));
    robot.input(Input::Left);
    robot.joined(vec![who("bob", "S2", 1)]);
    let bob = robot.current("S2").unwrap();
    assert_eq!(robot.view(bob).services.len(), 1);
}

fn with_text_schema(name: &str, data: impl Into<Bytes>) -> Service {
    let schema = Schema { name: "R".into(), encoding: "jsonschema".into(), data: data.into() };
    plain(name).response(MessageSchema { encoding: "json".into(), schema })
}

fn not_utf8(name: &str) -> Service {
    with_text_schema(name, &b"\xff"[..])
}

/// Each fits a frame alone; control characters take six bytes in JSON.
fn too_large(name: &str) -> Service {
    with_text_schema(name, vec![1; 3 << 20])
}

fn names(robot: &Robot, client: ClientId) -> Vec<&str> {
    robot.view(client).services.values().map(|service| &*service.name).collect()
}

#[test]
fn p_143_a_service_that_cannot_be_shown_is_left_out_at_the_start_and_the_others_are_not() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    robot.input(Input::OfferServices(vec![not_utf8("/bad")]));
    assert_eq!(robot.take(), [], "none is left, so nothing is sent");
    let late = not_utf8("/late");
    robot.input(Input::OfferServices(vec![plain("/a"), late.clone(), too_large("/large"), plain("/b")]));
    assert_eq!(names(&robot, ann), ["/a", "/b"]);
    let bob = robot.viewer("bob", "S2");
    assert_eq!(names(&robot, bob), ["/a", "/b"]);
    robot.says("S1", call(&late, 1, "json"));
    assert_eq!(robot.last(ann), &failure(&late, 1, "Unknown service"));
    // Its name is free.
    robot.input(Input::AddServices(vec![plain("/late")]));
    assert_eq!(names(&robot, ann), ["/a", "/b", "/late"]);
}

#[test]
fn s_200_one_that_cannot_be_shown_is_named_and_nothing_is_added() {
    let mut robot = serving();
    robot.viewer("ann", "S1");
    let cases = [
        (not_utf8("/bad"), "schema R of service /bad: "),
        (too_large("/large"), "service /large: "),
        (
            with_text_schema("/huge", vec![b' '; (8 << 20) + 1]),
            "schema R of service /huge: the schema has 8388609 bytes",
        ),
    ];
    for (service, text) in cases {
        let error = robot.try_input(Input::AddServices(vec![plain("/a"), service])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidValue);
        assert!(error.message.starts_with(text), "{error}");
        assert_eq!(robot.take(), []);
    }
}

#[test]
fn p_33_services_that_are_too_much_for_one_frame_come_in_several() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    let service = |n: usize| with_text_schema(&format!("/{n}"), vec![b' '; 5 << 20]);
    // 20 MiB together, and small ones that share a message.
    let services = (0..4).map(service).chain([plain("/x"), plain("/y")]).collect();
    robot.input(Input::AddServices(services));
    // P-18: the first frames of a stream are one entry of its queue, `View` checks their order.
    let now = robot.now();
    robot.core.handle(Input::ParticipantActive(who("bob", "S2", 1000)), now).unwrap();
    let effects = robot.core.take_effects();
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count(), 1);
    effects.into_iter().for_each(|effect| robot.fold(effect));
    for client in [ann, robot.current("S2").unwrap()] {
        let sizes: Vec<usize> = robot
            .view(client)
            .frames
            .iter()
            .filter_map(|frame| match frame {
                ToViewer::AdvertiseServices { services } => Some(services.len()),
                _ => None,
            })
            .collect();
        assert_eq!(sizes, [1, 1, 1, 1, 2]);
        assert_eq!(robot.view(client).services.len(), 6);
    }
}
