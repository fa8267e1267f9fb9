//! Joining, leaving, losing the room; panics of the application.

use super::*;

use crate::room::memory::Gate;
use crate::room::{
    BoxFuture, ByteSource, DataTrack, DisconnectReason, FrameReceiver, FrameSource, Identity, Participant,
    PublishError, RoomError, RoomStats,
};

/// P-76.
#[tokio::test(start_paused = true)]
async fn a_viewer_sees_server_info_channels_and_data() {
    let stage = Stage::new().await;
    let (reliable, early) = (stage.reliable("/r"), stage.lossy("/early"));
    let mut viewer = stage.viewer("ann").await;
    let ToViewer::Advertise(advertise) = viewer.next().await else { panic!() };
    let ids: Vec<u64> = advertise.channels.iter().map(|channel| channel.id).collect();
    assert_eq!(ids, [reliable.id().get(), early.id().get()]);
    reliable.log(b"before").unwrap();
    viewer.subscribe(&[&reliable]);
    viewer.barrier().await;
    reliable.log(b"one").unwrap();
    reliable.log(b"two").unwrap();
    assert_eq!(viewer.data().await, ["one", "two"], "nothing from before the subscription (S-38)");
    stage.finish().await;
}

/// S-25.
#[tokio::test(start_paused = true)]
async fn s_36_stopping_leaves_the_room_and_ends_every_event() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.raw(super::input::advertise(5));
    viewer.say(&FromViewer::MessageData { channel_id: 5, data: Bytes::new() });
    viewer.barrier().await;
    let sid = viewer.sid.clone();
    let log = stage.finish().await;
    let expected = [
        format!("+ {sid} /r"),
        format!("+ {sid} client 5"),
        format!("message {sid} client 5"),
        format!("- {sid} /r"),
        format!("- {sid} client 5"),
        "status shutdown".to_owned(),
    ];
    assert_eq!(log.lines(), expected);
    assert!(!channel.is_wanted(), "the session is off the context");
}

#[tokio::test(start_paused = true)]
async fn s_33_a_room_that_does_not_let_go_is_given_up_after_five_seconds() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Close, "robot");
    let before = tokio::time::Instant::now();
    stage.control.leave().await;
    assert_eq!(before.elapsed(), Duration::from_secs(5));
    stage.server.open(Gate::Close, "robot");
    stage.control.leave().await;
    stage.server.until(|server| server.in_room("yard").is_empty()).await;
    stage.finish().await;
}

/// S-25.
#[tokio::test(start_paused = true)]
async fn a_lost_room_ends_with_its_reason_and_the_next_one_starts_anew() {
    let mut stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    stage.server.disconnect("robot", DisconnectReason::ServerShutdown);
    let end = (&mut stage.end).await.unwrap();
    assert_eq!(end.reason, EndReason::Disconnected(DisconnectReason::ServerShutdown));
    stage.log.wait(&format!("- {} /r", viewer.sid)).await;
    assert!(!channel.is_wanted());
    let late = stage.reliable("/late");
    stage.end = enter(&stage.server, &stage.control).await;
    viewer.server_info().await;
    let ToViewer::Advertise(advertise) = viewer.next().await else { panic!() };
    let ids: Vec<u64> = advertise.channels.iter().map(|channel| channel.id).collect();
    assert_eq!(ids, [channel.id().get(), late.id().get()], "ids stay (P-28)");
    viewer.open().await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    channel.log(b"again").unwrap();
    assert_eq!(viewer.data().await, ["again"]);
    assert_eq!(stage.stats().await.joins, 2);
    stage.finish().await;
}

/// A room whose events pass through the test: what it sends is an event of the room, and without the task there are none
/// any more.
async fn enter_relayed(
    stage: &mut Stage,
) -> (tokio::sync::mpsc::UnboundedSender<RoomEvent>, tokio::task::JoinHandle<()>) {
    stage.control.leave().await;
    let mut joined = join(&stage.server, stage.server.token("yard", "robot").build()).await;
    let (sender, relayed) = tokio::sync::mpsc::unbounded_channel();
    let mut events = std::mem::replace(&mut joined.events, relayed);
    stage.end = stage.control.enter(joined);
    let to = sender.clone();
    let relay = async move {
        while let Some(event) = events.recv().await {
            let _ = to.send(event);
        }
    };
    (sender, tokio::spawn(relay))
}

#[tokio::test(start_paused = true)]
async fn s_25_events_that_end_without_a_last_word_end_the_room() {
    let mut stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let (sender, relay) = enter_relayed(&mut stage).await;
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    assert!(channel.is_wanted());
    drop(sender);
    relay.abort();
    let end = tokio::time::timeout(Duration::from_secs(60), &mut stage.end).await.expect("the room ends").unwrap();
    assert_eq!(end.reason, EndReason::Disconnected(DisconnectReason::Other));
    stage.log.wait(&format!("- {} /r", viewer.sid)).await;
    assert!(!channel.is_wanted());
    // The session lives.
    stage.end = enter(&stage.server, &stage.control).await;
    viewer.server_info().await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_35_who_reads_a_stream_ends_with_the_room_and_does_not_wait_for_its_close() {
    let mut stage = Stage::new().await;
    let (sender, relay) = enter_relayed(&mut stage).await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let (sink, reader) = crate::room::byte_pipe(1 << 20);
    let (topic, sid) = (CONTROL_TOPIC.to_owned(), viewer.sid.as_str().into());
    sender
        .send(RoomEvent::ByteStreamOpened { topic, sender: "ann".into(), sender_sid: Some(sid), reader })
        .unwrap_or_else(|_| panic!("the session listens"));
    let frame = FromViewer::Ping { app_timestamp: [0; 8] }.to_frame().unwrap();
    sink.push(frame.slice(..frame.len() / 2)).unwrap();
    viewer.barrier().await;
    assert!(!sink.reader_gone());
    stage.server.shut(Gate::Close, "robot");
    let control = stage.control.clone();
    let leave = tokio::spawn(async move { control.leave().await });
    stage.server.until_waiting(Gate::Close, "robot", 1).await;
    // With the clock paused, a sleep ends when nothing else is left to do.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(sink.reader_gone());
    assert_eq!(stage.server.waiting(Gate::Close, "robot"), 1, "the room is still being closed");
    stage.server.open(Gate::Close, "robot");
    leave.await.unwrap();
    relay.abort();
    stage.finish().await;
}

/// The policies run outside of every lock: they may do what an application does anywhere else.
#[tokio::test(start_paused = true)]
async fn s_84_the_policies_may_open_and_close_channels_and_publish() {
    let session = Arc::new(std::sync::OnceLock::<(Context, Arc<Control>)>::new());
    let reenter = |session: &Arc<std::sync::OnceLock<(Context, Arc<Control>)>>, channel: &ChannelRef, who: &str| {
        if channel.topic() != "/outer" {
            return;
        }
        let (context, control) = session.get().expect("set before the first channel");
        let inner = context.channel(format!("/inner/{who}")).encoding("json").open().unwrap();
        control.publish_status(Status { level: StatusLevel::Info, message: who.to_owned(), id: None }).unwrap();
        inner.close();
    };
    let (filter, classifier) = (session.clone(), session.clone());
    let stage = Stage::with(|options| {
        options.channel_filter = Some(Arc::new(move |channel| {
            reenter(&filter, channel, "filter");
            true
        }));
        options.qos_classifier = Some(Arc::new(move |channel| {
            reenter(&classifier, channel, "classifier");
            Qos::Reliable
        }));
    })
    .await;
    assert!(session.set((stage.context.clone(), stage.control.clone())).is_ok());
    let mut viewer = stage.viewer("ann").await;
    // On a thread of its own, so that a deadlock is a failure and not a test that hangs.
    let (done, opened) = std::sync::mpsc::channel();
    let context = stage.context.clone();
    std::thread::spawn(move || {
        let outer = context.channel("/outer").encoding("json").qos(Qos::Lossy).open().unwrap();
        let _ = done.send(outer);
    });
    let wait = move || opened.recv_timeout(Duration::from_secs(60));
    let outer = tokio::task::spawn_blocking(wait).await.unwrap().expect("a deadlock");
    let mut texts = Vec::new();
    let mut advertised = Vec::new();
    for message in viewer.barrier().await {
        match message {
            ToViewer::Status(status) => texts.push(status.message),
            ToViewer::Advertise(advertise) => advertised.extend(advertise.channels.into_iter().map(|c| c.topic)),
            _ => {}
        }
    }
    assert_eq!(texts, ["filter", "classifier"]);
    assert!(advertised.contains(&"/outer".to_owned()), "{advertised:?}");
    viewer.subscribe(&[&outer]);
    viewer.barrier().await;
    outer.log(b"reliable").unwrap();
    assert_eq!(viewer.data().await, ["reliable"]);
    drop(session);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn p_132_how_a_channel_travels_is_decided_once() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let topics = asked.clone();
    let mut stage = Stage::with(|options| {
        options.qos_classifier = Some(Arc::new(move |channel| {
            let mut topics = topics.lock();
            // Whoever asks again gets another answer.
            let again = topics.iter().any(|topic| topic == channel.topic());
            topics.push(channel.topic().to_owned());
            if again {
                Qos::Lossy
            } else {
                Qos::Reliable
            }
        }));
    })
    .await;
    let (a, b) = (stage.lossy("/a"), stage.lossy("/b"));
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    stage.server.full_reconnect("robot");
    viewer.server_info().await;
    viewer.open().await;
    viewer.barrier().await;
    stage.server.disconnect("robot", DisconnectReason::ServerShutdown);
    (&mut stage.end).await.unwrap();
    stage.end = enter(&stage.server, &stage.control).await;
    viewer.server_info().await;
    viewer.open().await;
    viewer.subscribe(&[&a, &b]);
    viewer.barrier().await;
    a.log(b"a").unwrap();
    b.log(b"b").unwrap();
    assert_eq!(viewer.data().await, ["a", "b"]);
    assert_eq!(*asked.lock(), ["/a", "/b"]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_27_after_a_full_reconnect_viewers_are_served_on_new_streams() {
    let stage = Stage::new().await;
    let (reliable, lossy) = (stage.reliable("/r"), stage.lossy("/l"));
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&reliable]);
    viewer.barrier().await;
    stage.server.full_reconnect("robot");
    viewer.server_info().await;
    viewer.open().await;
    viewer.barrier().await;
    assert!(!reliable.is_wanted(), "subscriptions are gone with the streams");
    viewer.subscribe(&[&reliable, &lossy]);
    viewer.barrier().await;
    reliable.log(b"on").unwrap();
    assert_eq!(viewer.data().await, ["on"]);
    let track = viewer.tracks.last().unwrap().clone();
    let mut frames = viewer.room.subscribe_data_track(&track, 8).unwrap();
    viewer.barrier().await;
    lossy.log(b"x").unwrap();
    let frame = tokio::time::timeout(Duration::from_secs(5), frames.recv()).await.unwrap().unwrap();
    assert_eq!(&frame.payload[8..], b"x", "the transport republished the track by itself");
    stage.finish().await;
}

/// S-26, S-132.
#[tokio::test(start_paused = true)]
async fn p_15_an_incompatible_viewer_gets_one_error_and_the_end_of_its_stream() {
    let stage = Stage::new().await;
    let token = stage.server.token("yard", "old").attribute(ATTRIBUTE, "1.0.0").build();
    let mut joined = join(&stage.server, token).await;
    let reader = loop {
        match joined.events.recv().await.unwrap() {
            RoomEvent::ByteStreamOpened { reader, .. } => break reader,
            _ => continue,
        }
    };
    let (mut reader, mut bytes) = (reader, Vec::new());
    while let Some(chunk) = reader.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let mut decoder = FrameDecoder::new(MAX_PAYLOAD);
    decoder.push(bytes.into());
    let frame = decoder.next().unwrap().unwrap();
    let ToViewer::Status(status) = ToViewer::decode(&frame).unwrap() else { panic!() };
    let text = "Remote access protocol version 1.0.0 is not compatible with this device (supported: 2.3.0)";
    assert_eq!((status.level, status.message.as_str(), status.id), (StatusLevel::Error, text, None));
    assert_eq!(decoder.next().unwrap(), None);
    stage.finish().await;
}

struct Clumsy(Arc<Log>);

impl Listener for Clumsy {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        self.0.on_status(status, reason);
    }
    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {
        self.0.on_subscribe(client, channel);
        panic!("a bug of the application");
    }
    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {
        self.0.on_unsubscribe(client, channel);
    }
}

#[tokio::test(start_paused = true)]
async fn panics_of_callbacks_handlers_and_policies_are_counted_and_the_session_lives() {
    let log = Arc::new(Log::default());
    let listener = Arc::new(Clumsy(log.clone()));
    let mut stage = Stage::with(|options| {
        options.listener = Some(listener);
        options.channel_filter = Some(Arc::new(|channel| channel.topic() != "/boom" || panic!("filter")));
        options.supported_encodings = vec!["json".into()];
        options.services = vec![Service::new("/s", "t", |_, _| panic!("handler"))];
    })
    .await;
    stage.log = log;
    let (channel, _boom) = (stage.reliable("/r"), stage.reliable("/boom"));
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    let service_id = viewer
        .until(|message| match message {
            ToViewer::AdvertiseServices { services } => Some(services[0].id),
            _ => None,
        })
        .await;
    viewer.barrier().await;
    stage.log.wait(&format!("+ {} /r", viewer.sid)).await;
    let call = crate::protocol::ServiceCall { service_id, call_id: 1, encoding: "json".into(), payload: Bytes::new() };
    viewer.say(&FromViewer::ServiceCallRequest(call));
    viewer.barrier().await;
    // The handler runs on a real thread: waiting for its end keeps the clock still.
    let panics = stage.control.panics.clone();
    let counted = move || {
        let deadline = Instant::now() + Duration::from_secs(60);
        while panics.load(Ordering::Relaxed) < 3 {
            assert!(Instant::now() < deadline, "the panics were not counted");
            std::thread::yield_now();
        }
    };
    tokio::task::spawn_blocking(counted).await.unwrap();
    let failure = viewer
        .until(|message| match message {
            ToViewer::ServiceCallFailure { call_id: 1, message, .. } => Some(message),
            _ => None,
        })
        .await;
    assert_eq!(failure, "Internal server error: service failed to send a response");
    channel.log(b"alive").unwrap();
    assert_eq!(viewer.data().await, ["alive"]);
    assert_eq!(stage.stats().await.callback_panics, 3);
    stage.finish().await;
}

/// A room that panics where a session does not expect it.
struct Broken(Participant);

impl Room for Broken {
    fn local(&self) -> Participant {
        self.0.clone()
    }
    fn participants(&self) -> Vec<Participant> {
        Vec::new()
    }
    fn participant(&self, _: &Identity) -> Option<Participant> {
        None
    }
    fn open_byte_stream(
        &self,
        _: &str,
        _: &[Identity],
        _: Arc<dyn ByteSource>,
    ) -> BoxFuture<Result<ByteStream, RoomError>> {
        panic!("a bug of the library");
    }
    fn publish_data_track(
        &self,
        _: &str,
        _: Arc<dyn FrameSource>,
    ) -> BoxFuture<Result<Arc<dyn DataTrack>, PublishError>> {
        Box::pin(std::future::pending())
    }
    fn subscribe_data_track(&self, _: &RemoteDataTrack, _: usize) -> Result<FrameReceiver, RoomError> {
        Err(RoomError::Closed)
    }
    fn stats(&self) -> BoxFuture<Result<RoomStats, RoomError>> {
        Box::pin(std::future::ready(Err(RoomError::Closed)))
    }
    fn close(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(start_paused = true)]
async fn s_267_an_internal_panic_ends_in_shutdown_and_off_the_context() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    assert!(channel.is_wanted());
    let local = viewer.room.local();
    let (_events, receiver) = tokio::sync::mpsc::unbounded_channel();
    let room = Arc::new(Broken(local.clone()));
    let other = Participant { sid: "PA_other".into(), identity: "other".into(), ..local.clone() };
    let end = stage.control.enter(Joined { room, local, participants: vec![other], events: receiver });
    assert!(end.await.is_err(), "the gateway learns that the owner is gone");
    stage.log.wait("status shutdown").await;
    assert_eq!(stage.control.last_error().unwrap().kind, ErrorKind::Panic);
    assert_eq!(stage.control.status(), ConnectionStatus::Shutdown);
    assert!(!channel.is_wanted(), "nobody would empty the viewers' queues any more");
    channel.log(b"x").unwrap();
    assert_eq!(stage.control.add_services(vec![]).unwrap_err().kind, ErrorKind::Closed);
    stage.driver.await.unwrap();
}
