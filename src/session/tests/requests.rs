//! Requests of viewers through the whole session: large answers, slow readers, stuck handlers (S-196, S-215, S-217 to
//! S-219, design.md decision 6 and section 4). Handlers run on real threads, so the clock is not paused here: it would jump
//! over every time-out while they work.

use super::*;

use std::sync::mpsc;

use crate::protocol::{texts, FetchAssetResponse, Parameter, ParameterValue, ServiceCall};

const MIB: usize = 1 << 20;

fn fetch(request_id: u32) -> FromViewer {
    FromViewer::FetchAsset { request_id, uri: format!("package://r/{request_id}") }
}

fn asset(message: ToViewer) -> Option<FetchAssetResponse> {
    match message {
        ToViewer::FetchAssetResponse(response) => Some(response),
        _ => None,
    }
}

#[tokio::test]
async fn s_219_32_assets_of_3_mib_at_once_arrive_without_a_reset() {
    let stage = Stage::with(|options| {
        options.asset_handler = Some(Arc::new(|request, responder| {
            let byte = request.uri.len() as u8;
            responder.respond(vec![byte; 3 * MIB]).unwrap();
        }));
    })
    .await;
    let mut viewer = stage.viewer("ann").await;
    for request_id in 0..32 {
        viewer.say(&fetch(request_id));
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 32 {
        let response = viewer.until(asset).await;
        let expected = format!("package://r/{}", response.request_id).len() as u8;
        let data = response.result.unwrap();
        assert!(data.len() == 3 * MIB && data.iter().all(|byte| *byte == expected));
        assert!(seen.insert(response.request_id));
    }
    // All slots are free again.
    for request_id in 100..132 {
        viewer.say(&fetch(request_id));
    }
    for _ in 0..32 {
        assert!(viewer.until(asset).await.result.is_ok());
    }
    assert_eq!((viewer.streams, stage.stats().await.viewer_resets()), (1, 0));
    stage.finish().await;
}

#[tokio::test]
async fn a_viewer_that_does_not_read_its_answers_gets_no_more_of_them_made() {
    let (gate, open, entered) = Gate::new();
    let (tell, answered) = std::sync::mpsc::channel();
    let stage = Stage::with(|options| {
        options.asset_handler = Some(Arc::new(move |_, responder| {
            gate.pass();
            responder.respond(vec![1; 15 * MIB]).unwrap();
            let _ = tell.send(());
        }));
    })
    .await;
    let slow = stage.viewer("slow").await;
    stage.server.set_delay("robot", "slow", Duration::from_secs(60));
    for request_id in 0..32 {
        slow.say(&fetch(request_id));
    }
    let waits = tokio::task::spawn_blocking(move || {
        (0..24).for_each(|_| entered.recv_timeout(Duration::from_secs(60)).unwrap());
        entered
    });
    let entered = waits.await.unwrap();
    // Two fit its queue of 32 MiB, the others are parked. Threads that are free by then may have taken the next jobs: at
    // most these four.
    (0..4).for_each(|_| open.send(()).unwrap());
    let waits = tokio::task::spawn_blocking(move || {
        (0..4).for_each(|_| answered.recv_timeout(Duration::from_secs(60)).unwrap());
    });
    waits.await.unwrap();
    let mut other = stage.viewer("other").await;
    settle(&mut other).await;
    // All the others end. What still waits is not started, and the other viewer is served.
    drop(open);
    settle(&mut other).await;
    let more = entered.try_iter().count();
    assert!(more <= 4, "{more} more assets were made for a viewer that does not take them");
    drop(slow);
    stage.finish().await;
}

/// Gives the owner and the handlers time for whatever they might do, right or wrong.
async fn settle(viewer: &mut Viewer) {
    for _ in 0..30 {
        viewer.barrier().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Blocks every request until the test drops the sender.
struct Gate(Mutex<mpsc::Receiver<()>>, mpsc::Sender<()>);

impl Gate {
    fn new() -> (Arc<Self>, mpsc::Sender<()>, mpsc::Receiver<()>) {
        let ((open, gate), (entered, seen)) = (mpsc::channel(), mpsc::channel());
        (Arc::new(Self(Mutex::new(gate), entered)), open, seen)
    }

    fn pass(&self) {
        let _ = self.1.send(());
        let _ = self.0.lock().recv();
    }
}

/// A listener whose every event of one viewer blocks.
struct Stuck {
    gate: Arc<Gate>,
}

impl Listener for Stuck {
    fn on_client_advertise(&self, _: &Client, _: &ClientChannel) {
        self.gate.pass();
    }
}

/// S-263.
#[tokio::test]
async fn blocked_handlers_and_listeners_of_one_viewer_do_not_touch_another() {
    let (gate, open, entered) = Gate::new();
    let (service_gate, asset_gate) = (gate.clone(), gate.clone());
    let listener = Arc::new(Stuck { gate: gate.clone() });
    let service = Service::new("/block", "t", move |_, _| service_gate.pass());
    let service_id = service.id();
    let stage = Stage::with(|options| {
        options.listener = Some(listener);
        options.services = vec![service];
        options.supported_encodings = vec!["json".into()];
        options.asset_handler = Some(Arc::new(move |_, _| asset_gate.pass()));
    })
    .await;
    let (reliable, lossy) = (stage.reliable("/r"), stage.lossy("/l"));
    let bad = stage.viewer("bad").await;
    bad.raw(input::advertise(1));
    for call_id in 0..32 {
        let encoding = "json".to_owned();
        bad.say(&FromViewer::ServiceCallRequest(ServiceCall { service_id, call_id, encoding, payload: Bytes::new() }));
        bad.say(&fetch(call_id));
    }
    let blocked = move || (0..1 + 24).for_each(|_| entered.recv_timeout(Duration::from_secs(60)).unwrap());
    tokio::task::spawn_blocking(blocked).await.unwrap();

    // The listener and all the threads that one viewer can have are stuck. Another one joins, subscribes, gets data.
    let mut good = stage.viewer("good").await;
    good.subscribe(&[&reliable, &lossy]);
    good.barrier().await;
    reliable.log(b"first").unwrap();
    assert_eq!(good.data().await, ["first"]);
    assert!(lossy.is_wanted());
    // Its own requests are run too.
    good.say(&fetch(7));
    drop(open);
    let response = good.until(asset).await;
    assert_eq!((response.request_id, response.result), (7, Err(texts::ASSET_HANDLER_DROPPED.to_owned())));
    drop(bad);
    stage.control.leave().await;
    stage.control.finish(None);
    stage.driver.await.unwrap();
}

/// Remembers values, and answers gets on another thread.
#[derive(Default)]
struct Values(Mutex<std::collections::BTreeMap<String, Parameter>>);

impl ParameterHandler for Values {
    fn get(&self, request: GetParametersRequest, responder: ParameterResponder) {
        let values = self.0.lock().values().filter(|p| request.names.contains(&p.name)).cloned().collect();
        std::thread::spawn(move || responder.respond(values).unwrap());
    }

    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        for parameter in &request.parameters {
            self.0.lock().insert(parameter.name.clone(), parameter.clone());
        }
        responder.respond(request.parameters).unwrap();
        assert_eq!(responder.respond(vec![]).unwrap_err().kind, ErrorKind::AlreadyResponded);
    }
}

fn values(message: ToViewer) -> Option<(Option<String>, Vec<Parameter>)> {
    match message {
        ToViewer::ParameterValues { parameters, id } => Some((id, parameters)),
        _ => None,
    }
}

#[tokio::test]
async fn parameter_requests_of_a_viewer_take_effect_in_order() {
    let stage = Stage::with(|options| options.parameter_handler = Some(Arc::new(Values::default()))).await;
    let mut viewer = stage.viewer("ann").await;
    for n in 0..100 {
        let parameter = Parameter::new("n", ParameterValue::Integer(n));
        viewer.say(&FromViewer::SetParameters { parameters: vec![parameter.clone()], id: None });
        viewer.say(&FromViewer::GetParameters { names: vec!["n".into()], id: Some(n.to_string()) });
        assert_eq!(viewer.until(values).await, (Some(n.to_string()), vec![parameter]));
    }
    stage.finish().await;
}

/// The listener's own parameter callbacks.
struct Legacy(Arc<Log>);

impl Listener for Legacy {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        self.0.on_status(status, reason);
    }
    fn on_parameters_subscribe(&self, names: &[String]) {
        self.0.add(format!("+ parameters {}", names.join(",")));
    }
    fn on_parameters_unsubscribe(&self, names: &[String]) {
        self.0.add(format!("- parameters {}", names.join(",")));
    }
    fn on_get_parameters(&self, _: &Client, names: &[String], _: Option<&str>) -> Option<Vec<Parameter>> {
        Some(names.iter().map(|name| Parameter::new(name.clone(), ParameterValue::Bool(true))).collect())
    }
    fn on_set_parameters(&self, _: &Client, parameters: &[Parameter], _: Option<&str>) -> Option<Vec<Parameter>> {
        (parameters.len() == 1).then(|| vec![Parameter::new("a", ParameterValue::Integer(42))])
    }
}

#[tokio::test]
async fn s_208_s_209_listener_style_parameters() {
    let log = Arc::new(Log::default());
    let listener = Arc::new(Legacy(log.clone()));
    let stage = Stage::with(|options| {
        options.listener = Some(listener);
        options.capabilities.push(SessionCapability::Parameters);
    })
    .await;
    let mut viewer = stage.viewer("ann").await;
    viewer.say(&FromViewer::SubscribeParameterUpdates { names: vec!["a".into()] });
    viewer.say(&FromViewer::GetParameters { names: vec!["x".into()], id: Some("g".into()) });
    assert_eq!(viewer.until(values).await, (Some("g".into()), vec![Parameter::new("x", ParameterValue::Bool(true))]));
    let a = |n| Parameter::new("a", ParameterValue::Integer(n));
    viewer.say(&FromViewer::SetParameters { parameters: vec![a(1)], id: Some("s".into()) });
    assert_eq!(viewer.until(values).await, (Some("s".into()), vec![a(42)]), "the echo");
    assert_eq!(viewer.until(values).await, (None, vec![a(42)]), "then the update");
    viewer.say(&FromViewer::SetParameters { parameters: vec![a(7), Parameter::unset("b")], id: Some("s".into()) });
    assert_eq!(viewer.until(values).await, (None, vec![a(7)]), "not handled: passed on as it came, no echo");
    stage.control.publish_parameters(vec![a(8)]).unwrap();
    assert_eq!(viewer.until(values).await, (None, vec![a(8)]));
    viewer.say(&FromViewer::UnsubscribeParameterUpdates { names: vec!["a".into()] });
    log.wait("- parameters a").await;
    drop(viewer);
    stage.control.leave().await;
    stage.control.finish(None);
    stage.driver.await.unwrap();
    log.wait("status shutdown").await;
    log.assert_balanced();
}

#[tokio::test]
async fn publishing_parameters_needs_the_capability() {
    let stage = Stage::new().await;
    assert_eq!(stage.control.publish_parameters(vec![]).unwrap_err().kind, ErrorKind::NotSupported);
    stage.finish().await;
}

#[tokio::test]
async fn a_responder_kept_beyond_the_session_answers_nobody_and_harms_nothing() {
    let (keep, kept) = mpsc::channel();
    let keep = Mutex::new(keep);
    let stage = Stage::with(|options| {
        options.asset_handler = Some(Arc::new(move |_, responder| keep.lock().send(responder).unwrap()));
    })
    .await;
    let viewer = stage.viewer("ann").await;
    viewer.say(&fetch(1));
    viewer.say(&fetch(2));
    let take = move || [(); 2].map(|()| kept.recv_timeout(Duration::from_secs(60)).unwrap());
    let [first, second] = tokio::task::spawn_blocking(take).await.unwrap();
    stage.finish().await;
    first.respond("late").unwrap();
    assert_eq!(first.fail("again").unwrap_err().kind, ErrorKind::AlreadyResponded);
    drop(second);
}

#[tokio::test]
async fn toggling_parameter_subscriptions_with_a_stuck_listener_grows_nothing() {
    let (gate, open, entered) = Gate::new();
    let stage = Stage::with(|options| {
        options.listener = Some(Arc::new(Stuck { gate }));
        options.capabilities.push(SessionCapability::Parameters);
    })
    .await;
    let mut viewer = stage.viewer("bad").await;
    viewer.raw(input::advertise(1));
    tokio::task::spawn_blocking(move || entered.recv_timeout(Duration::from_secs(60)).unwrap()).await.unwrap();
    let names: Vec<String> = (0..500).map(|n| format!("p{n}")).collect();
    for _ in 0..50 {
        viewer.say(&FromViewer::SubscribeParameterUpdates { names: names.clone() });
        viewer.say(&FromViewer::UnsubscribeParameterUpdates { names: names.clone() });
        viewer.barrier().await;
    }
    assert!(stage.control.callbacks.waiting() < 10, "{} events wait", stage.control.callbacks.waiting());
    drop(open);
    drop(viewer);
    stage.control.leave().await;
    stage.control.finish(None);
    stage.driver.await.unwrap();
}
