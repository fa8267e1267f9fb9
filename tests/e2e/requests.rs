//! What viewers ask of a robot, through a real server: parameters, assets, services.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use telelink::session::{
    GetParametersRequest, Parameter, ParameterHandler, ParameterResponder, ParameterValue, Service, SessionOptions,
    SetParametersRequest,
};
use telelink_viewer_client::ViewerError;

use crate::rig::{Robot, LIMIT};
use crate::support::wait_until;

/// Keeps what viewers set.
#[derive(Default)]
struct Store(Mutex<BTreeMap<String, Parameter>>);

impl ParameterHandler for Store {
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder) {
        let store = self.0.lock();
        let wanted = |p: &&Parameter| request.names.is_empty() || request.names.contains(&p.name);
        responder.respond(store.values().filter(wanted).cloned().collect()).unwrap();
    }

    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        let mut store = self.0.lock();
        for parameter in &request.parameters {
            match parameter.value {
                Some(_) => store.insert(parameter.name.clone(), parameter.clone()),
                None => store.remove(&parameter.name),
            };
        }
        responder.respond(request.parameters).unwrap();
    }
}

/// One of every kind of section 11, and the edges of each.
fn one_of_each() -> Vec<Parameter> {
    use ParameterValue::{Array, Bool, Dict, Float, Integer, String};
    let text = |text: &str| String(text.to_owned());
    let dict = [("a".to_owned(), Integer(1)), ("b".to_owned(), Dict([("c".to_owned(), text("x"))].into()))];
    vec![
        Parameter::new("int", Integer(42)),
        Parameter::new("int_min", Integer(i64::MIN)),
        Parameter::new("int_max", Integer(i64::MAX)),
        Parameter::new("float", Float(1.5)),
        Parameter::new("float_whole", Float(2.0)),
        Parameter::new("float_tiny", Float(5e-324)),
        Parameter::new("float_max", Float(f64::MAX)),
        Parameter::new("float_minus_zero", Float(-0.0)),
        Parameter::new("bool", Bool(false)),
        Parameter::new("string", text("h\u{e9}llo \u{1f916} \"\\\n\u{0}")),
        Parameter::new("string_empty", text("")),
        Parameter::byte_array("bytes", &[0, 1, 255]),
        Parameter::byte_array("bytes_empty", &[]),
        Parameter::new("ints", Array(vec![Integer(1), Integer(2), Integer(3)])),
        Parameter::float_array("floats", &[1.0, 2.5]),
        Parameter::float_array("floats_empty", &[]),
        Parameter::new("strings", Array(vec![text("a"), text("b")])),
        Parameter::new("bools", Array(vec![Bool(true), Bool(false)])),
        Parameter::new("empty", Array(vec![])),
        Parameter::new("nested", Array(vec![Array(vec![Integer(1), text("mixed")]), Dict(BTreeMap::new())])),
        Parameter::new("dict", Dict(dict.into())),
    ]
}

#[tokio::test]
async fn parameters_of_every_type_go_there_and_back_unchanged() {
    let options = SessionOptions { parameter_handler: Some(Arc::<Store>::default()), ..Default::default() };
    let robot = Robot::start("parameters", options);
    let viewer = robot.ready_viewer("v").await;
    let all = one_of_each();
    assert_eq!(viewer.set_parameters(all.clone(), LIMIT).await.unwrap(), all, "the echo");
    for parameter in &all {
        let got = viewer.get_parameters(&[&parameter.name], LIMIT).await.unwrap();
        assert_eq!(got, std::slice::from_ref(parameter));
    }
    let got = viewer.get_parameters(&[], LIMIT).await.unwrap();
    assert_eq!(got.len(), all.len(), "no names: all");
    viewer.set_parameters(vec![Parameter::unset("int")], LIMIT).await.unwrap();
    assert_eq!(viewer.get_parameters(&["int", "unknown"], LIMIT).await.unwrap(), []);
}

/// Eight, because the transport takes 1.3 s for each; 32 at once are a test on the memory room.
#[tokio::test]
async fn s_219_large_assets_at_once_and_the_data_beside_them() {
    const SIZE: usize = 3 << 20;
    let options = SessionOptions {
        asset_handler: Some(Arc::new(|request, responder| {
            let byte = request.uri.as_bytes().last().copied().unwrap_or_default();
            responder.respond(vec![byte; SIZE]).unwrap();
        })),
        ..Default::default()
    };
    let robot = Robot::start("assets", options);
    let lossy = robot.context.channel("/l").encoding("json").open().unwrap();
    let (viewer, other) = (robot.ready_viewer("v").await, robot.ready_viewer("o").await);
    other.wait_channel("/l", LIMIT).await.unwrap();
    other.subscribe(["/l"]).unwrap();
    other.ping(LIMIT).await.unwrap();
    let uris: Vec<String> = (0..8).map(|n| format!("package://r/{}", (b'A' + n) as char)).collect();
    let fetches = uris.iter().map(|uri| viewer.fetch_asset(uri, LIMIT * 3));
    let assets = futures_util::future::join_all(fetches);
    let beside = async {
        // The other viewer's data flow on meanwhile.
        for n in 0..20u32 {
            lossy.log(&n.to_le_bytes()).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        other.next_message(LIMIT).await.unwrap();
    };
    let (assets, ()) = tokio::join!(assets, beside);
    for (uri, asset) in uris.iter().zip(assets) {
        let asset = asset.unwrap();
        assert!(asset.len() == SIZE && asset.iter().all(|byte| *byte == *uri.as_bytes().last().unwrap()), "{uri}");
    }
    assert_eq!(robot.session.stats().unwrap().viewer_resets(), 0);
}

/// S-102.
#[tokio::test]
async fn s_196_the_33rd_call_fails_at_once_and_the_others_are_answered() {
    let waiting = Arc::new(Mutex::new(Vec::new()));
    let keep = waiting.clone();
    let service = Service::new("/wait", "t", move |_, responder| keep.lock().push(responder));
    let options =
        SessionOptions { services: vec![service], supported_encodings: vec!["json".into()], ..Default::default() };
    let robot = Robot::start("calls", options);
    let viewer = robot.ready_viewer("v").await;
    let calls = (0..32).map(|n| viewer.call_service("/wait", "json", format!("{n}"), LIMIT));
    let calls = futures_util::future::join_all(calls);
    let refused = async {
        wait_until("all calls wait", LIMIT, || waiting.lock().len() == 32).await;
        let refused = viewer.call_service("/wait", "json", "33", LIMIT).await;
        assert!(matches!(&refused, Err(ViewerError::Declined(text)) if text == "Too many requests"), "{refused:?}");
        for responder in waiting.lock().drain(..) {
            responder.respond("done").unwrap();
        }
    };
    let (answers, ()) = tokio::join!(calls, refused);
    assert!(answers.into_iter().all(|answer| &answer.unwrap().payload[..] == b"done"));
}
