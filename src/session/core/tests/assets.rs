//! Assets (P-108 to P-111, S-216 to S-219).

use super::*;

use crate::protocol::{texts, FetchAssetResponse};
use crate::session::asset::{AssetAnswer, MAX_ASSET};

fn serving() -> Robot {
    Robot::with(|options| options.asset_handler = Some(Arc::new(|_, _| {})))
}

fn fetch(request_id: u32, uri: &str) -> FromViewer {
    FromViewer::FetchAsset { request_id, uri: uri.into() }
}

fn response(request_id: u32, result: Result<&'static [u8], &str>) -> ToViewer {
    let result = result.map(Bytes::from_static).map_err(str::to_owned);
    ToViewer::FetchAssetResponse(FetchAssetResponse { request_id, result })
}

impl Robot {
    /// The application answers the oldest fetch.
    fn serve(&mut self, answer: AssetAnswer) -> String {
        let (request, Work::Asset { request: asked, reply, .. }) = self.work.remove(0) else { panic!("not a fetch") };
        self.input(Input::Answered { request, outcome: Outcome::Frame(reply.encode(answer)) });
        asked.uri
    }
}

#[test]
fn p_108_without_the_capability_a_status_and_no_response() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", fetch(5, "package://a/b"));
    assert_eq!(robot.take(), [Step::Sent(ann, error(texts::NO_ASSETS))]);
}

#[test]
fn p_67_the_capability_needs_a_handler() {
    let options = SessionOptions { capabilities: vec![SessionCapability::Assets], ..Default::default() };
    assert_eq!(options.validated().err().map(|error| error.kind), Some(crate::session::ErrorKind::InvalidValue));
}

#[test]
fn p_110_data_errors_and_dropped_responders() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    let dropped = "Internal server error: asset handler failed to send a response";
    let cases = [
        (AssetAnswer::Data(Bytes::from_static(b"urdf")), response(0, Ok(b"urdf"))),
        (AssetAnswer::Data(Bytes::new()), response(1, Ok(b""))),
        (AssetAnswer::Failure("no such file".into()), response(2, Err("no such file"))),
        (AssetAnswer::Dropped, response(3, Err(dropped))),
    ];
    for (request_id, (answer, expected)) in (0..).zip(cases) {
        // P-111: the URI is passed through as it is, whatever it is.
        let uri = ["package://a/b", "file:///x y", "", "\u{0}../"][request_id as usize];
        robot.says("S1", fetch(request_id, uri));
        assert_eq!(robot.serve(answer), uri);
        assert_eq!(robot.last(ann), &expected);
    }
}

/// S-102.
#[test]
fn p_109_the_33rd_fetch_is_refused_until_one_was_answered() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    for request_id in 0..33 {
        robot.says("S1", fetch(request_id, "x"));
    }
    assert_eq!(robot.last(ann), &response(32, Err(texts::TOO_MANY_ASSET_REQUESTS)));
    // The limit is per viewer.
    robot.viewer("bob", "S2");
    robot.says("S2", fetch(0, "x"));
    assert_eq!(robot.work.len(), 33);
    robot.serve(AssetAnswer::Dropped);
    robot.says("S1", fetch(34, "x"));
    assert_eq!(robot.work.len(), 33);
}

#[test]
fn s_217_a_slot_is_held_until_the_answer_is_queued() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    robot.holds_slots = true;
    for request_id in 0..32 {
        robot.says("S1", fetch(request_id, "x"));
        robot.serve(AssetAnswer::Data(Bytes::from_static(b"x")));
    }
    robot.says("S1", fetch(99, "x"));
    assert_eq!(robot.last(ann), &response(99, Err(texts::TOO_MANY_ASSET_REQUESTS)), "all answered, none queued yet");
    robot.slots.clear();
    robot.says("S1", fetch(100, "x"));
    assert_eq!(robot.work.len(), 1);
}

#[test]
fn s_219_an_asset_that_no_frame_holds_is_an_error() {
    let mut robot = serving();
    let ann = robot.viewer("ann", "S1");
    for (size, fits) in [(MAX_ASSET, true), (MAX_ASSET + 1, false)] {
        robot.says("S1", fetch(1, "x"));
        robot.serve(AssetAnswer::Data(Bytes::from(vec![7; size])));
        let ToViewer::FetchAssetResponse(response) = robot.last(ann) else { panic!() };
        match &response.result {
            Ok(data) => assert!(fits && data.len() == size),
            Err(text) => assert!(!fits && text.contains("16777206"), "{text}"),
        }
    }
    // So does an error text that is too long.
    robot.says("S1", fetch(2, "x"));
    robot.serve(AssetAnswer::Failure("x".repeat(17 << 20)));
    let ToViewer::FetchAssetResponse(response) = robot.last(ann) else { panic!() };
    assert!(response.result.as_ref().unwrap_err().starts_with("Internal server error: "));
}
