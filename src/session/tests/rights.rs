//! Rights and the control lease with real threads: who is delayed by whom.

use std::sync::mpsc::{channel, Receiver, Sender};

use super::*;

use crate::protocol::frame::text_frame;
use crate::protocol::ServiceCall;

/// An authorizer that says who is asked and, for `ann`, waits until the other end of `gate` is dropped.
fn blocking_for_ann(asked: Sender<String>, gate: Receiver<()>) -> Authorizer {
    let gate = Mutex::new(gate);
    Arc::new(move |client, action, subject| {
        asked.send(format!("{} {action} {subject}", client.identity)).unwrap();
        if client.identity.as_str() == "ann" {
            let _ = gate.lock().recv();
        }
        true
    })
}

async fn heard(questions: &Arc<Mutex<Receiver<String>>>) -> String {
    let questions = questions.clone();
    let wait = move || questions.lock().recv_timeout(Duration::from_secs(60)).expect("a question");
    tokio::task::spawn_blocking(wait).await.unwrap()
}

// The clock runs: paused, it would jump to the end of the patience while a handler thread works.
#[tokio::test]
async fn s_128_an_authorizer_that_blocks_for_one_viewer_delays_no_other() {
    let ((asked, questions), (open, gate)) = (channel(), channel());
    let stage = Stage::with(|options| options.authorizer = Some(blocking_for_ann(asked, gate))).await;
    let questions = Arc::new(Mutex::new(questions));
    let channel = stage.reliable("/r");
    let (mut ann, mut bob) = (stage.viewer("ann").await, stage.viewer("bob").await);
    bob.barrier().await;
    ann.subscribe(&[&channel]);
    assert_eq!(heard(&questions).await, "ann subscribe /r");
    bob.subscribe(&[&channel]);
    assert_eq!(heard(&questions).await, "bob subscribe /r");
    assert_eq!(bob.barrier().await, [], "nothing was refused");
    channel.log(b"first").unwrap();
    assert_eq!(bob.data().await, ["first"]);
    assert!(!stage.log.lines().contains(&format!("+ {} /r", ann.sid)), "she is not subscribed meanwhile");
    drop(open);
    // Her messages stayed in order: the pong comes after the subscription was decided.
    ann.barrier().await;
    stage.log.wait(&format!("+ {} /r", ann.sid)).await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_128_an_authorizer_that_never_answers_refuses_after_two_seconds() {
    let ((asked, questions), (open, gate)) = (channel(), channel());
    let stage = Stage::with(|options| options.authorizer = Some(blocking_for_ann(asked, gate))).await;
    let questions = Arc::new(Mutex::new(questions));
    let channel = stage.reliable("/r");
    let mut ann = stage.viewer("ann").await;
    let began = tokio::time::Instant::now();
    ann.subscribe(&[&channel]);
    assert_eq!(heard(&questions).await, "ann subscribe /r");
    assert_eq!(ann.status(StatusLevel::Error).await, format!("Unknown channel ID: {}", channel.id()));
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!channel.is_wanted());
    drop(open);
    stage.finish().await;
}

// The clock runs: paused, it would jump to the end of the patience while a handler thread works.
#[tokio::test]
async fn s_128_an_authorizer_that_panics_refuses_that_subject() {
    let stage = Stage::with(|options| {
        options.authorizer = Some(Arc::new(|_, _, subject| {
            assert_ne!(subject, "/bad", "a bug of the application");
            true
        }));
    })
    .await;
    let (good, bad) = (stage.reliable("/good"), stage.reliable("/bad"));
    let mut ann = stage.viewer("ann").await;
    ann.subscribe(&[&bad, &good]);
    assert_eq!(ann.status(StatusLevel::Error).await, format!("Unknown channel ID: {}", bad.id()));
    ann.barrier().await;
    assert!(good.is_wanted() && !bad.is_wanted());
    assert_eq!(stage.stats().await.callback_panics, 1);
    stage.finish().await;
}

/// Says what it is told, on whatever thread that is.
#[derive(Default)]
struct ControlLog(Log);

impl ControlListener for ControlLog {
    fn on_control_taken(&self, client: &Client) {
        self.0.add(format!("taken {} {}", client.identity, std::thread::current().name().unwrap_or_default()));
    }
    fn on_control_lost(&self, client: &Client, reason: ControlLost) {
        self.0.add(format!("lost {}: {reason}", client.identity));
    }
}

/// A listener that blocks in its first callback about a viewer until the other end of the gate is dropped.
struct Stuck(Mutex<Receiver<()>>, Sender<()>);

impl Listener for Stuck {
    fn on_subscribe(&self, _: &Client, _: &ChannelRef) {
        self.1.send(()).unwrap();
        let _ = self.0.lock().recv();
    }
}

impl ControlLog {
    async fn wait(self: &Arc<Self>, line: &str) {
        let (log, line) = (self.clone(), line.to_owned());
        let wait = move || {
            let mut lines = log.0.lines.lock();
            while !lines.contains(&line) {
                let timeout = log.0.changed.wait_for(&mut lines, Duration::from_secs(60)).timed_out();
                assert!(!timeout, "no {line:?} in {lines:?}");
            }
        };
        tokio::task::spawn_blocking(wait).await.unwrap();
    }
}

impl Viewer {
    async fn service(&mut self, name: &str) -> u32 {
        self.until(|message| match message {
            ToViewer::AdvertiseServices { services } => services.iter().find(|s| s.name == name).map(|s| s.id),
            _ => None,
        })
        .await
    }

    async fn call(&mut self, service_id: u32) -> Result<Bytes, String> {
        let call = ServiceCall { service_id, call_id: 1, encoding: "json".into(), payload: Bytes::from_static(b"{}") };
        self.say(&FromViewer::ServiceCallRequest(call));
        self.until(|message| match message {
            ToViewer::ServiceCallResponse(answer) => Some(Ok(answer.payload)),
            ToViewer::ServiceCallFailure { message, .. } => Some(Err(message)),
            _ => None,
        })
        .await
    }
}

#[tokio::test(start_paused = true)]
async fn lease_dead_man_waits_for_no_listener_and_no_handler() {
    let control = Arc::<ControlLog>::default();
    let ((stuck, reached), (open, gate)) = (channel(), channel());
    let (handler_open, handler_gate) = channel::<()>();
    let handler_gate = Arc::new(Mutex::new(handler_gate));
    let (started, running) = channel();
    let lease = ControlLeaseOptions { listener: Some(control.clone()), ..Default::default() };
    let stage = Stage::with(|options| {
        options.listener = Some(Arc::new(Stuck(Mutex::new(gate), stuck)));
        options.control_lease = Some(lease);
        options.services = vec![Service::new("/block", "", move |_, _| {
            started.send(()).unwrap();
            let _ = handler_gate.lock().recv();
        })];
    })
    .await;
    let channel = stage.reliable("/r");
    let mut ann = Viewer::join(&stage.server, "ann").await;
    ann.open().await;
    let advertised = ann
        .until(|message| match message {
            ToViewer::AdvertiseServices { services } => Some(services),
            _ => None,
        })
        .await;
    let id = |name: &str| advertised.iter().find(|service| service.name == name).unwrap().id;
    ann.subscribe(&[&channel]);
    for call_id in 0..32 {
        let payload = Bytes::from_static(b"{}");
        let call = ServiceCall { service_id: id("/block"), call_id, encoding: "json".into(), payload };
        ann.say(&FromViewer::ServiceCallRequest(call));
    }
    tokio::task::spawn_blocking(move || {
        reached.recv().unwrap();
        (0..24).for_each(|_| running.recv().unwrap());
        (reached, running)
    })
    .await
    .unwrap();
    let taken = ann.call(id(TAKE_CONTROL)).await.unwrap();
    assert_eq!(taken, r#"{"holder":"ann","you":true,"timeout_ms":3000}"#);
    control.wait("taken ann tl-deadman").await;
    // No ping comes: the limit passes.
    tokio::time::sleep(Duration::from_millis(3050)).await;
    control.wait("lost ann: its holder's heartbeat stopped").await;
    drop((open, handler_open));
    stage.control.leave().await;
    stage.control.finish(None);
    stage.driver.await.unwrap();
    let finished = move || stage.control.wait_finished(Instant::now() + Duration::from_secs(60));
    assert!(tokio::task::spawn_blocking(finished).await.unwrap());
    assert_eq!(control.0.lines().len(), 2, "each is told once");
}

/// Until the result is dropped, the paused clock does not jump to the next timer while a handler thread works.
fn clock_stands_still() -> Sender<()> {
    let (tx, rx) = channel::<()>();
    tokio::task::spawn_blocking(move || rx.recv());
    tx
}

#[tokio::test(start_paused = true)]
async fn lease_pings_count_while_the_holders_messages_wait() {
    let control = Arc::<ControlLog>::default();
    let ((asked, questions), (open, gate)) = (channel(), channel());
    let stage = Stage::with(|options| {
        let timeout = Duration::from_millis(1500);
        options.control_lease =
            Some(ControlLeaseOptions { timeout, listener: Some(control.clone()), ..Default::default() });
        let block = blocking_for_ann(asked, gate);
        options.authorizer = Some(Arc::new(move |client, action, subject| {
            action != Action::Subscribe || block(client, action, subject)
        }));
    })
    .await;
    let channel = stage.reliable("/r");
    let mut ann = Viewer::join(&stage.server, "ann").await;
    ann.open().await;
    let take = ann.service(TAKE_CONTROL).await;
    let still = clock_stands_still();
    ann.call(take).await.unwrap();
    drop(still);
    control.wait("taken ann tl-deadman").await;
    // Her next message is stuck for two seconds, longer than the limit; her pings behind it are heard all the same.
    ann.subscribe(&[&channel]);
    assert_eq!(heard(&Arc::new(Mutex::new(questions))).await, "ann subscribe /r");
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        ann.say(&FromViewer::Ping { app_timestamp: [0; 8] });
    }
    ann.status(StatusLevel::Error).await;
    assert_eq!(control.0.lines(), ["taken ann tl-deadman"], "control is still held");
    drop(open);
    stage.finish().await;
    assert_eq!(control.0.lines(), ["taken ann tl-deadman", "lost ann: the room was lost"]);
}

#[tokio::test(start_paused = true)]
async fn lease_ends_when_the_connection_of_its_holder_is_lost() {
    let control = Arc::<ControlLog>::default();
    let lease = ControlLeaseOptions { listener: Some(control.clone()), ..Default::default() };
    let stage = Stage::with(|options| options.control_lease = Some(lease)).await;
    let mut ann = Viewer::join(&stage.server, "ann").await;
    ann.open().await;
    let take = ann.service(TAKE_CONTROL).await;
    ann.call(take).await.unwrap();
    ann.room.close().await;
    control.wait("lost ann: its holder left").await;
    stage.finish().await;
}

/// Stands still in its first message until the other end of the gate is dropped.
struct Driving {
    log: Arc<Log>,
    gate: Mutex<Receiver<()>>,
}

impl Listener for Driving {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        self.log.on_status(status, reason);
    }
    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {
        self.log.on_client_advertise(client, channel);
    }
    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {
        self.log.on_client_unadvertise(client, channel);
    }
    fn on_message(&self, client: &Client, channel: &ClientChannel, message: &ClientMessage) {
        self.log.on_message(client, channel, message);
        let text = std::str::from_utf8(&message.payload).unwrap();
        self.log.add(format!("{} {} {text}", client.identity, channel.topic));
        let _ = self.gate.lock().recv();
    }
}

impl Viewer {
    /// Advertises /cmd_vel as 1 and /note as 2.
    async fn advertise_both(&mut self) {
        let channel = |id, topic| format!(r#"{{"id":{id},"topic":"{topic}","encoding":"json","schemaName":""}}"#);
        let json = format!(r#"{{"op":"advertise","channels":[{},{}]}}"#, channel(1, "/cmd_vel"), channel(2, "/note"));
        self.raw(text_frame(json.as_bytes()).unwrap());
        self.barrier().await;
    }

    async fn publish(&mut self, channel_id: u32, text: &'static str) {
        self.say(&FromViewer::MessageData { channel_id, data: Bytes::from_static(text.as_bytes()) });
        self.barrier().await;
    }
}

#[tokio::test(start_paused = true)]
async fn lease_messages_that_wait_do_not_begin_once_the_robot_heard_that_control_is_lost() {
    for reason in [ControlLost::Released, ControlLost::HandedOver, ControlLost::Left, ControlLost::Silent] {
        let (control, (open, gate)) = (Arc::<ControlLog>::default(), channel::<()>());
        let log = Arc::<Log>::default();
        let listener = Driving { log: log.clone(), gate: Mutex::new(gate) };
        let stage = Stage::with(|options| {
            options.listener = Some(Arc::new(listener));
            let publish = vec!["/cmd_vel".into()];
            options.control_lease =
                Some(ControlLeaseOptions { publish, listener: Some(control.clone()), ..Default::default() });
        })
        .await;
        let (mut ann, mut bob) = (Viewer::join(&stage.server, "ann").await, Viewer::join(&stage.server, "bob").await);
        ann.open().await;
        bob.open().await;
        let take = ann.service(TAKE_CONTROL).await;
        let give_up = give_up_services(&mut bob).await;
        ann.advertise_both().await;
        bob.advertise_both().await;
        ann.call(take).await.unwrap();
        for text in ["1", "2", "3"] {
            ann.publish(1, text).await;
        }
        ann.publish(2, "4").await;
        log.wait("ann /cmd_vel 1").await;
        match reason {
            ControlLost::Released => drop(ann.call(give_up[0]).await.unwrap()),
            ControlLost::HandedOver => {
                let payload = Bytes::from_static(br#"{"identity":"bob"}"#);
                let call = ServiceCall { service_id: give_up[1], call_id: 2, encoding: "json".into(), payload };
                ann.say(&FromViewer::ServiceCallRequest(call));
            }
            ControlLost::Left => ann.room.close().await,
            _ => tokio::time::sleep(Duration::from_millis(3050)).await,
        }
        control.wait(&format!("lost ann: {reason}")).await;
        // The next lease, of her or of another: its messages are delivered.
        let again = matches!(reason, ControlLost::Released | ControlLost::Silent);
        let next = if again { &mut ann } else { &mut bob };
        if reason != ControlLost::HandedOver {
            next.call(take).await.unwrap();
        }
        next.publish(1, "5").await;
        assert_eq!(stage.stats().await.listener_messages_discarded, 2, "{reason}");
        drop(open);
        let last = if again { "ann /cmd_vel 5" } else { "bob /cmd_vel 5" };
        log.wait(last).await;
        let lines: Vec<_> = log.lines().into_iter().filter(|line| line.contains(" /")).collect();
        assert_eq!(lines, ["ann /cmd_vel 1", "ann /note 4", last], "{reason}");
        stage.control.leave().await;
        stage.control.finish(None);
        stage.driver.await.unwrap();
        log.wait("status shutdown").await;
        log.assert_balanced();
    }
}

/// The ids of releasing and of handing over.
async fn give_up_services(viewer: &mut Viewer) -> [u32; 2] {
    viewer
        .until(|message| match message {
            ToViewer::AdvertiseServices { services } => {
                let id = |name: &str| services.iter().find(|service| service.name == name).map(|service| service.id);
                Some([id(RELEASE_CONTROL)?, id(HAND_OVER_CONTROL)?])
            }
            _ => None,
        })
        .await
}
