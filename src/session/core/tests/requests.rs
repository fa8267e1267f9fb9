//! What all requests share: departed viewers, time-outs (P-91, S-125, S-202, S-203, S-215).

use super::*;

use crate::protocol::{texts, FetchAssetResponse, Parameter, ServiceCall};
use crate::session::parameter::ParameterAnswer;
use crate::session::ParameterHandler;

struct Silent;

impl ParameterHandler for Silent {
    fn get(&self, _: crate::session::GetParametersRequest, _: crate::session::ParameterResponder) {}
    fn set(&self, _: crate::session::SetParametersRequest, _: crate::session::ParameterResponder) {}
}

fn robot(timeout: Option<Duration>) -> Robot {
    Robot::with(|options| {
        options.supported_encodings = vec!["json".into()];
        options.capabilities = vec![SessionCapability::Services];
        options.asset_handler = Some(Arc::new(|_, _| {}));
        options.parameter_handler = Some(Arc::new(Silent));
        options.request_timeout = timeout;
    })
}

fn call(service: &Service, call_id: u32) -> FromViewer {
    let (service_id, encoding) = (service.id(), "json".to_owned());
    FromViewer::ServiceCallRequest(ServiceCall { service_id, call_id, encoding, payload: Bytes::new() })
}

fn get() -> FromViewer {
    FromViewer::GetParameters { names: vec![], id: Some("g".into()) }
}

#[test]
fn p_91_answers_to_a_viewer_that_left_or_was_reset_go_nowhere() {
    let mut robot = robot(None);
    robot.viewer("ann", "S1");
    robot.says("S1", FromViewer::FetchAsset { request_id: 1, uri: String::new() });
    robot.says("S1", get());
    let old = robot.current("S1").unwrap();
    robot.reset(old);
    assert_ne!(robot.current("S1"), Some(old));
    robot.take();
    for (request, work) in std::mem::take(&mut robot.work) {
        let outcome = match work {
            Work::Asset { reply, .. } => {
                Outcome::Frame(reply.encode(crate::session::asset::AssetAnswer::Data(Bytes::new())))
            }
            _ => Outcome::Parameters(ParameterAnswer::Values(vec![])),
        };
        robot.input(Input::Answered { request, outcome });
    }
    assert_eq!(robot.take(), [], "the new registration asked for nothing");
}

#[test]
fn s_202_a_call_that_takes_too_long_fails_and_its_late_answer_is_dropped() {
    let mut robot = robot(None);
    let ann = robot.viewer("ann", "S1");
    let quick = Service::new("/q", "t", |_, _| {}).timeout(seconds(30));
    let patient = Service::new("/p", "t", |_, _| {});
    robot.input(Input::AddServices(vec![quick.clone(), patient.clone()]));
    for call_id in 0..31 {
        robot.says("S1", call(&quick, call_id));
    }
    robot.says("S1", call(&patient, 99));
    robot.take();
    robot.pass(seconds(29));
    assert_eq!(robot.take(), []);
    robot.pass(seconds(1));
    let failed = robot.take();
    assert_eq!(failed.len(), 31);
    assert!(failed.contains(&Step::Sent(
        ann,
        ToViewer::ServiceCallFailure { service_id: quick.id(), call_id: 7, message: texts::SERVICE_TIMED_OUT.into() }
    )));
    // The slots are free again, and late answers, twice even, are nobody's.
    let calls = std::mem::take(&mut robot.calls);
    for (_, key) in &calls[..31] {
        robot.answer(key, ServiceAnswer::Failure("late".into()));
    }
    assert_eq!(robot.take(), []);
    for call_id in 0..31 {
        robot.says("S1", call(&quick, call_id));
    }
    assert_eq!(robot.calls.len(), 31, "31 and the patient one are 32");
    robot.answer(&calls[31].1, ServiceAnswer::Failure("at last".into()));
    assert!(matches!(robot.last(ann), ToViewer::ServiceCallFailure { call_id: 99, .. }));
}

#[test]
fn s_215_parameter_and_asset_requests_time_out_too() {
    let mut robot = robot(Some(seconds(5)));
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", FromViewer::FetchAsset { request_id: 7, uri: String::new() });
    robot.pass(seconds(1));
    robot.says("S1", get());
    robot.says("S1", FromViewer::SetParameters { parameters: vec![Parameter::unset("x")], id: None });
    robot.take();
    robot.pass(seconds(4));
    let late = ToViewer::FetchAssetResponse(FetchAssetResponse {
        request_id: 7,
        result: Err(texts::ASSET_TIMED_OUT.to_owned()),
    });
    assert_eq!(robot.take(), [Step::Sent(ann, late)]);
    robot.pass(seconds(1));
    let late = Step::Sent(ann, error(texts::PARAMETERS_TIMED_OUT));
    assert_eq!(robot.take(), [late.clone(), late]);
    // A viewer that left has no deadlines.
    robot.says("S1", get());
    robot.disconnect("S1");
    assert_eq!(robot.core.deadline(), None);
}
