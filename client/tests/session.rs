//! Sessions: how they begin, end and begin again.

mod robot;

use robot::*;
use telelink::protocol::{FrameError, FromViewer, Status, StatusLevel, ToViewer};
use telelink::room::memory::HeldEvent;
use telelink::room::{DisconnectReason, RoomError, RoomEvent};
use telelink_client::{Event, Problem, ViewerError, ViewerOptions};

fn status(level: StatusLevel, message: &str, id: Option<&str>) -> ToViewer {
    ToViewer::Status(Status { level, message: message.into(), id: id.map(Into::into) })
}

#[tokio::test(start_paused = true)]
async fn p_5_frames_are_put_together_from_single_bytes() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a"), lossy(2, "/b")]).await;
    let info = viewer.ready(LIMIT).await.unwrap();
    assert_eq!(info.name, "robot");
    viewer.wait_channel("/b", LIMIT).await.unwrap();
    let channels = viewer.channels();
    assert_eq!(channels.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert!(channels[&1].reliable() && !channels[&2].reliable());
    assert_eq!(viewer.robot().unwrap().as_str(), "robot");
    assert_eq!((viewer.totals().server_infos, viewer.totals().control_frames), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn p_15_a_viewer_that_is_turned_away_learns_why() {
    let (server, mut robot, viewer) = scene().await;
    robot.open_control().await;
    robot.say(status(StatusLevel::Error, "not compatible", None));
    robot.end_control().await;
    match viewer.ready(LIMIT).await {
        Err(ViewerError::Declined(text)) => assert_eq!(text, "not compatible"),
        other => panic!("{other:?}"),
    }
    // P-16: nothing is written to a robot that has not said serverInfo.
    assert!(matches!(viewer.send_raw("x"), Err(ViewerError::NoSession)));
    assert_eq!(server.streams_opened_by("viewer"), 0);
    // A robot that accepts the viewer after all is believed.
    robot.greet(vec![]).await;
    viewer.wait_sessions(1, LIMIT).await.unwrap();
    assert_eq!(viewer.ready(LIMIT).await.unwrap().name, "robot");
}

#[tokio::test(start_paused = true)]
async fn p_19_nothing_is_written_before_server_info() {
    let (server, mut robot, viewer) = scene().await;
    viewer.subscribe(["/a"]).unwrap();
    robot.open_control().await;
    viewer.find_event("the stream", LIMIT, |e| matches!(e, Event::StreamOpened { .. }).then_some(())).await.unwrap();
    assert!(matches!(viewer.ping(SECOND).await, Err(ViewerError::NoSession)));
    assert!(matches!(viewer.ready(SECOND).await, Err(ViewerError::Timeout(_))));
    assert_eq!(server.streams_opened_by("viewer"), 0);
    robot.say(server_info("robot"));
    robot.say(advertise(vec![reliable(1, "/a")]));
    assert_eq!(subscribed(robot.hear().await), [1]);
    assert_eq!(server.streams_opened_by("viewer"), 1);
}

#[tokio::test(start_paused = true)]
async fn p_112_what_comes_before_server_info_is_a_problem_and_ignored() {
    let (_server, mut robot, viewer) = scene().await;
    robot.open_control().await;
    robot.say(advertise(vec![reliable(1, "/a")]));
    robot.say(data(1, 5, b"x"));
    robot.say(server_info("robot"));
    robot.say(advertise(vec![reliable(2, "/b")]));
    viewer.wait_channel("/b", LIMIT).await.unwrap();
    assert_eq!(viewer.channels().len(), 1);
    assert_eq!((viewer.totals().problems, viewer.waiting_messages()), (2, 0));
    let problem = |event: &Event| match event {
        Event::Problem(problem) => Some(problem.clone()),
        _ => None,
    };
    let first = viewer.find_event("a problem", LIMIT, problem).await.unwrap();
    assert_eq!(first, Problem::BeforeServerInfo("advertise"));
}

#[tokio::test(start_paused = true)]
async fn p_27_a_second_stream_is_a_fresh_session() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a"), reliable(2, "/old")]).await;
    viewer.subscribe(["/a"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1]);
    let asked = viewer.get_parameters(&[], LIMIT);
    let (old, _old_stream) = {
        tokio::pin!(asked);
        tokio::select! {
            result = &mut asked => panic!("{result:?}"),
            message = robot.hear() => assert!(matches!(message, FromViewer::GetParameters { .. })),
        }
        let old = robot.reopen_control().await;
        // The question died with its session.
        assert!(matches!(asked.await, Err(ViewerError::SessionEnded)));
        old
    };
    assert!(viewer.channels().is_empty() && viewer.server_info().is_none());
    robot.say(server_info("again"));
    // Frames of the old stream are nobody's.
    old.push(advertise(vec![reliable(9, "/ghost")]).to_frame().unwrap()).unwrap();
    robot.say(advertise(vec![reliable(3, "/other"), reliable(1, "/a")]));
    assert_eq!(subscribed(robot.hear().await), [1], "asked for again, unasked");
    assert_eq!(viewer.channels().keys().copied().collect::<Vec<_>>(), [1, 3]);
    assert_eq!((viewer.totals().streams, viewer.totals().server_infos), (2, 2));
    robot.say(data(1, 7, b"new"));
    assert_eq!(&*viewer.next_message(LIMIT).await.unwrap().payload, b"new");
}

#[tokio::test(start_paused = true)]
async fn p_27_without_restore_a_fresh_session_is_asked_for_nothing() {
    let (_server, mut robot, viewer) = scene_with(ViewerOptions { restore: false, ..Default::default() }).await;
    viewer.subscribe(["/a"]).unwrap();
    robot.greet(vec![reliable(1, "/a")]).await;
    assert_eq!(subscribed(robot.hear().await), [1], "the first session is asked");
    let _old = robot.reopen_control().await;
    robot.say(server_info("again"));
    robot.say(advertise(vec![reliable(1, "/a")]));
    viewer
        .wait_until("channels", LIMIT, |p, totals| totals.server_infos == 2 && p.channels().len() == 1)
        .await
        .unwrap();
    viewer.try_send(&FromViewer::PingAck { device_timestamp_ms: 1 }).unwrap();
    assert!(matches!(robot.hear().await, FromViewer::PingAck { .. }), "and nothing before that");
}

#[tokio::test(start_paused = true)]
async fn p_39_to_p_45_malformed_frames_are_events_and_the_stream_goes_on() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    let text = |json: &[u8]| [&[1][..], &(json.len() as u32).to_le_bytes(), json].concat();
    let binary = |body: &[u8]| [&[2][..], &(body.len() as u32).to_le_bytes(), body].concat();
    let garbage = [
        text(b"\xff\xfe"),
        text(b"{"),
        text(b""),
        text(br#"{"op":"nonsense"}"#),
        text(br#"{"op":"advertise","channels":[{"id":-1}]}"#),
        binary(b""),
        binary(b"\xee"),
        binary(b"\x01\x00"),
        binary(b"\x03\x01\0\0\0\x01\0\0\0\xff\xff\xff\xff"),
    ];
    let count = garbage.len() as u64;
    for bytes in garbage {
        robot.say_bytes(bytes);
    }
    robot.say(advertise(vec![reliable(1, "/alive")]));
    viewer.wait_channel("/alive", LIMIT).await.unwrap();
    assert_eq!(viewer.totals().problems, count);
    for _ in 0..count {
        let reason = |event: &Event| matches!(event, Event::Malformed { .. }).then_some(());
        viewer.find_event("malformed", LIMIT, reason).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn p_52_an_unknown_frame_kind_ends_the_session_until_the_next_stream() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a")]).await;
    viewer.wait_channel("/a", LIMIT).await.unwrap();
    robot.say_bytes(&b"\x07\x02\0\0\0xx"[..]);
    let unreadable = |event: &Event| match event {
        Event::Unreadable(error) => Some(*error),
        _ => None,
    };
    let error = viewer.find_event("the end of the stream", LIMIT, unreadable).await.unwrap();
    assert_eq!(error, FrameError::UnknownKind(7));
    assert!(viewer.channels().is_empty() && viewer.server_info().is_none());
    robot.greet(vec![reliable(2, "/b")]).await;
    viewer.wait_channel("/b", LIMIT).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn p_32_a_frame_beyond_the_limit_ends_the_session() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    robot.say_bytes([&[2][..], &u32::MAX.to_le_bytes()].concat());
    let unreadable = |event: &Event| matches!(event, Event::Unreadable(FrameError::TooLarge { .. })).then_some(());
    viewer.find_event("the end of the stream", LIMIT, unreadable).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn p_35_a_stream_that_ends_inside_a_frame_says_so() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    robot.say_bytes(&b"\x01\x10\0\0\0abc"[..]);
    robot.end_control().await;
    let ended = |event: &Event| match event {
        Event::StreamEnded { error, mid_frame } => Some((error.clone(), *mid_frame)),
        _ => None,
    };
    assert_eq!(viewer.find_event("the end", LIMIT, ended).await.unwrap(), (None, true));
    assert!(viewer.server_info().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_robot_leaves_and_another_comes() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    subscribed(robot.hear().await);
    robot.leave().await;
    viewer.find_event("leaving", LIMIT, |e| matches!(e, Event::RobotLeft).then_some(())).await.unwrap();
    assert!(viewer.channels().is_empty() && viewer.robot().is_none());
    let mut robot = Robot::join(&server).await;
    robot.greet(vec![reliable(7, "/a")]).await;
    assert_eq!(subscribed(robot.hear().await), [7]);
}

#[tokio::test(start_paused = true)]
async fn the_late_end_of_an_old_connection_does_not_end_the_new_session() {
    let (server, mut old, viewer) = scene().await;
    old.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    server.hold("robot", HeldEvent::Disconnected);
    let mut robot = Robot::join(&server).await;
    robot.greet(vec![reliable(1, "/a")]).await;
    viewer.wait_channel("/a", LIMIT).await.unwrap();
    soon("the eviction", server.until(|server| server.held("robot", HeldEvent::Disconnected) > 0)).await;
    server.release("robot", HeldEvent::Disconnected);
    robot.say(advertise(vec![reliable(2, "/b")]));
    viewer.wait_channel("/b", LIMIT).await.unwrap();
    assert_eq!((viewer.channels().len(), viewer.totals().streams), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_overtakes_the_news_of_its_connection_survives_the_end_of_the_old_one() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a")]).await;
    viewer.ready(LIMIT).await.unwrap();
    // As measured with LiveKit after a silent link: the new stream came first and was counted as one of the old connection.
    let sid = server.in_room("room").iter().find(|p| p.identity.as_str() == "robot").unwrap().sid.clone();
    server.inject("viewer", RoomEvent::ParticipantDisconnected { identity: "robot".into(), sid });
    robot.say(advertise(vec![reliable(2, "/b")]));
    viewer.wait_channel("/b", LIMIT).await.unwrap();
    assert_eq!((viewer.channels().len(), viewer.totals().streams), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_full_reconnect_of_the_viewer_is_a_fresh_session_on_new_streams() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1]);
    let before = viewer.local().sid;
    server.full_reconnect("viewer");
    let full = |event: &Event| matches!(event, Event::Reconnected { full: true }).then_some(());
    viewer.find_event("the reconnect", LIMIT, full).await.unwrap();
    assert_ne!(viewer.local().sid, before);
    assert!(viewer.server_info().is_none());
    robot.greet(vec![reliable(1, "/a")]).await;
    let (sid, message) = soon("a message", robot.received.recv()).await.unwrap();
    assert_eq!((sid, subscribed(message)), (viewer.local().sid, vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_resume_keeps_the_session() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    server.signal_reconnect("viewer");
    let resumed = |event: &Event| matches!(event, Event::Reconnected { full: false }).then_some(());
    viewer.find_event("the resume", LIMIT, resumed).await.unwrap();
    robot.say(advertise(vec![reliable(1, "/a")]));
    viewer.wait_channel("/a", LIMIT).await.unwrap();
    assert_eq!(viewer.totals().streams, 1);
}

#[tokio::test(start_paused = true)]
async fn streams_of_others_than_the_robot_are_ignored() {
    let options = ViewerOptions { robot: Some("robot".into()), ..Default::default() };
    let (server, mut robot, viewer) = scene_with(options).await;
    let other = server.connector();
    let impostor = telelink::room::Connector::join(&*other, request(&server, "impostor")).await.unwrap();
    let lie = telelink::room::memory::ScriptedSource::bytes(server_info("impostor").to_frame().unwrap());
    let opening = impostor.room.open_byte_stream("control", &["viewer".into()], std::sync::Arc::new(lie));
    soon("the stream", opening).await.unwrap().ended().await.unwrap();
    robot.greet(vec![]).await;
    assert_eq!(viewer.ready(LIMIT).await.unwrap().name, "robot");
    assert_eq!(viewer.totals().streams, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_room_ends_everything() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    let waiting = viewer.wait_channel("/never", LIMIT);
    server.disconnect("viewer", DisconnectReason::ParticipantRemoved);
    assert!(matches!(waiting.await, Err(ViewerError::Closed)));
    let lost = |event: &Event| match event {
        Event::Disconnected(reason) => Some(*reason),
        _ => None,
    };
    assert_eq!(viewer.find_event("the end", LIMIT, lost).await.unwrap(), DisconnectReason::ParticipantRemoved);
    assert!(matches!(viewer.next_message(LIMIT).await, Err(ViewerError::Closed)));
    assert!(matches!(viewer.ping(LIMIT).await, Err(ViewerError::Closed)));
    assert!(matches!(viewer.subscribe(["/a"]), Err(ViewerError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn closing_and_dropping_leave_the_room() {
    let (server, _robot, viewer) = scene().await;
    viewer.close(LIMIT).await.unwrap();
    assert_eq!(server.in_room("room").len(), 1);
    let second = robot::viewer(&server, ViewerOptions::default()).await;
    assert_eq!(server.in_room("room").len(), 2);
    drop(second);
    soon("the viewer to leave", server.until(|server| server.in_room("room").len() == 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_to_the_robot_that_breaks_is_an_event() {
    let (server, mut robot, viewer) = scene().await;
    server.fail_opens("robot", 1);
    robot.greet(vec![]).await;
    let failed = |event: &Event| match event {
        Event::WriterFailed(error) => Some(error.clone()),
        _ => None,
    };
    let error: RoomError = viewer.find_event("the failure", LIMIT, failed).await.unwrap();
    assert!(matches!(error, RoomError::Transport(_)), "{error:?}");
    assert!(matches!(viewer.try_send(&FromViewer::SubscribeConnectionGraph), Err(ViewerError::NoSession)));
}

#[tokio::test(start_paused = true)]
async fn after_a_full_reconnect_only_a_stream_opened_since_the_loss_is_good() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/old")]).await;
    viewer.wait_channel("/old", LIMIT).await.unwrap();
    let full = |event: &Event| matches!(event, Event::Reconnected { full: true }).then_some(());
    // A library that announces nobody anew: the old stream is void without a word.
    server.inject("viewer", RoomEvent::Reconnecting);
    server.inject("viewer", RoomEvent::Reconnected { full: true });
    viewer.find_event("the reconnect", LIMIT, full).await.unwrap();
    viewer.wait_until("the session to end", LIMIT, |p, _| p.server_info().is_none()).await.unwrap();
    // The new stream comes before the library says that it is back.
    server.inject("viewer", RoomEvent::Reconnecting);
    viewer.find_event("the loss", LIMIT, |e| matches!(e, Event::Reconnecting).then_some(())).await.unwrap();
    robot.greet(vec![reliable(2, "/new")]).await;
    viewer.wait_channel("/new", LIMIT).await.unwrap();
    server.inject("viewer", RoomEvent::Reconnected { full: true });
    viewer.find_event("the reconnect", LIMIT, full).await.unwrap();
    robot.say(advertise(vec![reliable(3, "/more")]));
    viewer.wait_channel("/more", LIMIT).await.unwrap();
    assert_eq!((viewer.channels().len(), viewer.totals().streams), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn p_204_a_second_server_info_on_one_stream_starts_afresh() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a"), reliable(2, "/old")]).await;
    viewer.subscribe(["/a"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1]);
    robot.say(server_info("second"));
    robot.say(advertise(vec![reliable(1, "/a")]));
    assert_eq!(subscribed(robot.hear().await), [1]);
    assert_eq!((viewer.channels().len(), viewer.server_info().unwrap().name.as_str()), (1, "second"));
    assert_eq!((viewer.totals().streams, viewer.totals().server_infos), (1, 2));
}
