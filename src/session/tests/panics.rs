//! Panics of the library itself (S-266, S-267): each ends in Shutdown with a reason, or is counted and the session lives.

use super::*;

use crate::context::{VideoFormat, VideoImage, VideoSourceOptions};
use crate::gateway::{DirectOptions, Session, TokenSource};

/// Says when it is dropped: what the application handed over is dropped exactly once.
struct Dropped(Arc<Log>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add("dropped".into());
    }
}

struct Told {
    log: Arc<Log>,
    _dropped: Dropped,
}

impl Listener for Told {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        let reason = reason.map_or(String::new(), |error| format!(" ({:?})", error.kind));
        self.log.add(format!("status {status}{reason}"));
    }
    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {
        self.log.on_subscribe(client, channel);
    }
    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {
        self.log.on_unsubscribe(client, channel);
    }
    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {
        self.log.on_client_advertise(client, channel);
    }
    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {
        self.log.on_client_unadvertise(client, channel);
    }
    fn on_connection_graph_subscribe(&self, client: &Client) {
        self.log.on_connection_graph_subscribe(client);
    }
    fn on_connection_graph_unsubscribe(&self, client: &Client) {
        self.log.on_connection_graph_unsubscribe(client);
    }
    fn on_parameters_subscribe(&self, names: &[String]) {
        names.iter().for_each(|name| self.log.add(format!("+ parameter {name}")));
    }
    fn on_parameters_unsubscribe(&self, names: &[String]) {
        names.iter().for_each(|name| self.log.add(format!("- parameter {name}")));
    }
}

/// A whole session with its gateway and runtime, on the real clock.
struct Robot {
    server: Arc<MemoryServer>,
    session: Session,
    log: Arc<Log>,
    channel: Channel,
    _context: Context,
}

impl Robot {
    async fn start() -> Self {
        let (server, context, log) = (MemoryServer::new(), Context::new(), Arc::new(Log::default()));
        let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
        direct.connector = Some(server.connector());
        let listener = Arc::new(Told { log: log.clone(), _dropped: Dropped(log.clone()) });
        let mut options = SessionOptions { listener: Some(listener), ..Default::default() };
        options.supported_encodings = vec!["json".into()];
        options.capabilities =
            vec![SessionCapability::ClientPublish, SessionCapability::ConnectionGraph, SessionCapability::Parameters];
        options.services = vec![Service::new("/s", "t", |_, responder| drop(responder.respond("answer")))];
        let session = Session::start(&context, options, direct).unwrap();
        let channel = context.channel("/r").encoding("json").qos(Qos::Reliable).open().unwrap();
        log.wait("status connected").await;
        Self { server, session, log, channel, _context: context }
    }

    async fn viewer(&self, identity: &str) -> Viewer {
        let mut viewer = Viewer::join(&self.server, identity).await;
        viewer.open().await;
        viewer.server_info().await;
        viewer
    }

    fn panics(&self) -> u64 {
        self.session.stats().unwrap().callback_panics
    }

    /// Frees the session on a thread that may block, and checks that it ends: with these lines last, and once.
    async fn free(self, last: &[&str]) {
        let (session, log, server) = (self.session, self.log, self.server);
        tokio::task::spawn_blocking(move || drop(session)).await.unwrap();
        let lines = log.lines();
        assert_eq!(lines[lines.len() - last.len()..], *last, "{lines:?}");
        for line in last {
            assert_eq!(lines.iter().filter(|known| known == line).count(), 1, "{lines:?}");
        }
        assert!(server.in_room("yard").iter().all(|p| p.identity.as_str() != "robot"), "the room has been left");
    }
}

const CLEAN: [&str; 2] = ["status shutdown", "dropped"];
const PANICKED: [&str; 3] = ["status shutting down (Panic)", "status shutdown (Panic)", "dropped"];

#[tokio::test]
async fn s_267_a_panic_of_the_owner_ends_the_session_and_leaves_the_room() {
    let robot = Robot::start().await;
    let mut viewer = robot.viewer("ann").await;
    viewer.begin_everything(&robot.channel).await;
    // What has ended before is not ended again.
    viewer.say(&FromViewer::UnsubscribeParameterUpdates { names: vec!["a".into()] });
    viewer.barrier().await;
    robot.session.inject_panic(PanicPoint::Owner);
    robot.log.wait("dropped").await;
    assert_eq!(robot.session.last_error().unwrap().kind, ErrorKind::Panic);
    assert_eq!(robot.session.status(), ConnectionStatus::Shutdown);
    assert_eq!(robot.session.publish_status(StatusLevel::Info, "x", None).unwrap_err().kind, ErrorKind::Closed);
    assert!(!robot.channel.is_wanted());
    robot.channel.log(b"x").unwrap();
    // S-36: the owner's own record is not to be trusted any more, that of what was told is.
    robot.log.assert_balanced();
    let sid = &viewer.sid;
    let ends = [format!("- {sid} /r"), format!("- {sid} client 7"), "- graph".into(), "- parameter b".into()];
    let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
    robot.free(&[&PANICKED[..1], &ends, &PANICKED[1..]].concat()).await;
}

#[tokio::test]
async fn s_267_a_panic_of_the_owner_while_the_gateway_tries_to_join() {
    let robot = Robot::start().await;
    robot.server.set_reachable(false);
    robot.log.wait("status connecting (ConnectFailed)").await;
    robot.session.inject_panic(PanicPoint::Owner);
    robot.log.wait("dropped").await;
    let joins = robot.server.joins("robot");
    robot.server.set_reachable(true);
    let server = robot.server.clone();
    robot.free(&PANICKED).await;
    assert_eq!(server.joins("robot"), joins, "nobody joins for a session without an owner");
}

/// S-41.
#[tokio::test]
async fn s_267_a_panic_of_the_gateway_ends_the_session() {
    let robot = Robot::start().await;
    let mut viewer = robot.viewer("ann").await;
    viewer.subscribe(&[&robot.channel]);
    viewer.barrier().await;
    robot.session.inject_panic(PanicPoint::Gateway);
    robot.server.disconnect("robot", crate::room::DisconnectReason::RoomDeleted);
    robot.log.wait("dropped").await;
    assert_eq!(robot.session.last_error().unwrap().kind, ErrorKind::Panic);
    robot.log.assert_balanced();
    robot.free(&PANICKED).await;
}

#[tokio::test]
async fn s_267_a_panic_of_the_callback_thread_costs_one_event_and_is_counted() {
    let robot = Robot::start().await;
    robot.session.inject_panic(PanicPoint::Callbacks);
    let mut viewer = robot.viewer("ann").await;
    viewer.subscribe(&[&robot.channel]);
    viewer.barrier().await;
    viewer.say(&FromViewer::Unsubscribe { channel_ids: vec![robot.channel.id().get()] });
    robot.log.wait(&format!("- {} /r", viewer.sid)).await;
    assert!(!robot.log.lines().contains(&format!("+ {} /r", viewer.sid)), "that one was lost");
    assert_eq!(robot.panics(), 1);
    viewer.subscribe(&[&robot.channel]);
    robot.log.wait(&format!("+ {} /r", viewer.sid)).await;
    robot.free(&CLEAN).await;
}

#[tokio::test]
async fn s_267_a_panic_in_the_last_turn_of_the_callback_thread_does_not_keep_free_waiting() {
    let robot = Robot::start().await;
    // Stop is under way; the next turns are ShuttingDown and the end, one of which is lost.
    robot.session.inject_panic(PanicPoint::Callbacks);
    let (session, log) = (robot.session, robot.log);
    tokio::task::spawn_blocking(move || drop(session)).await.unwrap();
    assert_eq!(log.lines().last().unwrap(), "dropped");
}

#[tokio::test]
async fn s_267_a_panic_of_a_handler_thread_fails_its_request_and_no_other() {
    let robot = Robot::start().await;
    let mut viewer = robot.viewer("ann").await;
    let service_id = viewer
        .until(|message| match message {
            ToViewer::AdvertiseServices { services } => Some(services[0].id),
            _ => None,
        })
        .await;
    robot.session.inject_panic(PanicPoint::Handlers);
    for call_id in [1, 2] {
        let call = crate::protocol::ServiceCall { service_id, call_id, encoding: "json".into(), payload: Bytes::new() };
        viewer.say(&FromViewer::ServiceCallRequest(call));
        let answer = viewer
            .until(|message| match message {
                ToViewer::ServiceCallFailure { message, .. } => Some(message),
                ToViewer::ServiceCallResponse(answer) => Some(String::from_utf8(answer.payload.to_vec()).unwrap()),
                _ => None,
            })
            .await;
        let expected = ["Internal server error: service failed to send a response", "answer"];
        assert_eq!(answer, expected[call_id as usize - 1]);
    }
    // The answer goes out while the thread unwinds; the count comes after.
    let counted = async {
        while robot.panics() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counted).await.expect("the panic is counted");
    assert_eq!(robot.panics(), 1);
    robot.free(&CLEAN).await;
}

/// S-21.
#[tokio::test]
async fn s_267_a_panic_of_a_stream_task_resets_its_viewer_and_no_other() {
    let robot = Robot::start().await;
    let mut other = robot.viewer("bob").await;
    other.subscribe(&[&robot.channel]);
    other.barrier().await;
    robot.session.inject_panic(PanicPoint::Room);
    let mut viewer = robot.viewer("ann").await;
    let text = viewer.status(StatusLevel::Warning).await;
    assert!(text.starts_with("The session was restarted: write failure"), "{text}");
    viewer.barrier().await;
    robot.channel.log(b"still").unwrap();
    assert_eq!((other.data().await, other.streams), (vec![Bytes::from("still")], 1));
    assert_eq!(robot.panics(), 1);
    robot.free(&CLEAN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s_237_a_panic_over_a_picture_costs_that_picture_and_no_other() {
    let robot = Robot::start().await;
    let source = robot._context.video_source("/camera", VideoSourceOptions::default()).unwrap();
    let id = source.channel_ref().id().get();
    let mut viewer = robot.viewer("ann").await;
    let channels = vec![SubscribeChannel { id, request_video_track: true }];
    viewer.say(&FromViewer::Subscribe { channels });
    viewer.barrier().await;
    let pixels = vec![100; 32 * 24 * 3];
    let push = || {
        let image = VideoImage {
            format: VideoFormat::Rgb8,
            width: 32,
            height: 24,
            stride: 0,
            data: &pixels,
            time_ns: 0,
            key_frame: false,
        };
        source.push(&image).unwrap();
    };
    let counts = || {
        let stats = robot.session.stats().unwrap();
        let channel = stats.channels.into_iter().find(|channel| channel.id == id);
        channel.and_then(|channel| channel.video).map(|video| video.counts).unwrap_or_default()
    };
    let until = async |wanted: &dyn Fn(&VideoCounts) -> bool| {
        let wait = async {
            while !wanted(&counts()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("{:?}", counts()));
    };
    for (n, point) in [(1, PanicPoint::Picture), (2, PanicPoint::Capture)] {
        robot.session.inject_panic(point);
        push();
        until(&|counts| counts.failed == n).await;
        assert_eq!(robot.panics(), n, "{point:?} is counted");
        push();
        until(&|counts| counts.sent == n).await;
    }
    assert_eq!(counts().failed, 2);
    robot.free(&CLEAN).await;
}

#[tokio::test]
async fn s_267_a_panic_of_a_token_callback_is_counted_and_asked_again() {
    let (server, log) = (MemoryServer::new(), Arc::new(Log::default()));
    let token = server.token("yard", "robot").build();
    let first = std::sync::atomic::AtomicBool::new(true);
    let source = TokenSource::Callback(Arc::new(move || {
        assert!(!first.swap(false, Ordering::Relaxed), "a bug of the application");
        Ok(token.clone())
    }));
    let mut direct = DirectOptions::new("memory://", source);
    direct.connector = Some(server.connector());
    let options = SessionOptions { listener: Some(log.clone()), ..Default::default() };
    let session = Session::start(&Context::new(), options, direct).unwrap();
    log.wait("status connected").await;
    assert_eq!(session.stats().unwrap().callback_panics, 1);
    assert_eq!(session.last_error().unwrap().message, "the token callback panicked");
    tokio::task::spawn_blocking(move || drop(session)).await.unwrap();
}
