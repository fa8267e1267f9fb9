//! Questions, answers, and what a viewer says by itself.

mod robot;

use std::time::Duration;

use bytes::Bytes;
use robot::*;
use telelink::protocol::{
    ClientChannel, ConnectionGraphUpdate, FetchAssetResponse, FromViewer, GraphEntry, Parameter, ParameterValue,
    ServiceAdvertisement, ServiceCall, ToViewer,
};
use telelink_client::{Event, Problem, ViewerError, ViewerOptions};
use tokio::time::sleep;

fn service(id: u32, name: &str) -> ToViewer {
    let service = ServiceAdvertisement { id, name: name.into(), type_name: "T".into(), request: None, response: None };
    ToViewer::AdvertiseServices { services: vec![service] }
}

fn parameter(name: &str, value: i64) -> Parameter {
    Parameter { name: name.into(), kind: None, value: Some(ParameterValue::Integer(value)) }
}

#[tokio::test(start_paused = true)]
async fn p_139_a_ping_is_measured_and_acknowledged() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    server.set_delay("robot", "viewer", Duration::from_millis(20));
    robot.open_control().await;
    robot.say(server_info("robot"));
    viewer.wait_sessions(2, LIMIT).await.unwrap();
    let pong = |message| match message {
        FromViewer::Ping { app_timestamp } => Some(ToViewer::Pong { app_timestamp, device_timestamp_ms: 77 }),
        other => panic!("{other:?}"),
    };
    let rtt = robot.serve(viewer.ping(LIMIT), pong).await.unwrap();
    assert_eq!(rtt.device_time_ms, 77);
    assert!(rtt.round_trip >= Duration::from_millis(20), "{rtt:?}");
    assert_eq!(robot.hear().await, FromViewer::PingAck { device_timestamp_ms: 77 });
}

#[tokio::test(start_paused = true)]
async fn a_ping_without_answer_times_out_and_leaves_nothing_behind() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    assert!(matches!(viewer.ping(SECOND).await, Err(ViewerError::Timeout(_))));
    let FromViewer::Ping { app_timestamp } = robot.hear().await else { panic!() };
    robot.say(ToViewer::Pong { app_timestamp, device_timestamp_ms: 1 });
    let unexpected = |event: &Event| match event {
        Event::Problem(problem) => Some(problem.clone()),
        _ => None,
    };
    let problem = viewer.find_event("a problem", LIMIT, unexpected).await.unwrap();
    assert_eq!(problem, Problem::UnexpectedAnswer("pong"));
    robot.assert_silence();
}

#[tokio::test(start_paused = true)]
async fn p_89_p_90_services_answer_or_decline() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    robot.say(service(4, "/double"));
    viewer.wait_until("the service", LIMIT, |p, _| !p.services().is_empty()).await.unwrap();
    let double = |message| match message {
        FromViewer::ServiceCallRequest(call) if call.payload.is_empty() => Some(ToViewer::ServiceCallFailure {
            service_id: call.service_id,
            call_id: call.call_id,
            message: "nothing to double".into(),
        }),
        FromViewer::ServiceCallRequest(call) => {
            let payload = Bytes::from([&*call.payload, &*call.payload].concat());
            Some(ToViewer::ServiceCallResponse(ServiceCall { payload, ..call }))
        }
        other => panic!("{other:?}"),
    };
    let reply = robot.serve(viewer.call_service("/double", "json", "12", LIMIT), double).await.unwrap();
    assert_eq!((reply.encoding.as_str(), &*reply.payload), ("json", &b"1212"[..]));
    let declined = robot.serve(viewer.call_service("/double", "json", "", LIMIT), double).await;
    assert!(matches!(declined, Err(ViewerError::Declined(text)) if text == "nothing to double"));
    assert!(matches!(viewer.call_service("/none", "json", "", LIMIT).await, Err(ViewerError::NoSuchService(_))));
}

#[tokio::test(start_paused = true)]
async fn p_91_answers_come_in_any_order() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    let mut first = None;
    let both = async {
        tokio::join!(viewer.call_service_id(1, "a", "first", LIMIT), viewer.call_service_id(1, "a", "second", LIMIT))
    };
    let (a, b) = {
        tokio::pin!(both);
        let mut calls = Vec::new();
        while calls.len() < 2 {
            tokio::select! {
                _ = &mut both => panic!("answered by nobody"),
                message = robot.hear() => calls.push(message),
            }
        }
        for call in calls.into_iter().rev() {
            let FromViewer::ServiceCallRequest(call) = call else { panic!() };
            first.get_or_insert(call.payload.clone());
            robot.say(ToViewer::ServiceCallResponse(call));
        }
        both.await
    };
    assert_eq!(first.as_deref(), Some(&b"second"[..]));
    assert_eq!((&*a.unwrap().payload, &*b.unwrap().payload), (&b"first"[..], &b"second"[..]));
}

#[tokio::test(start_paused = true)]
async fn p_110_assets_are_fetched_or_refused() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    let asset = |message| match message {
        FromViewer::FetchAsset { request_id, uri } => {
            let result =
                if uri == "package://a" { Ok(Bytes::from_static(b"mesh")) } else { Err("no such file".into()) };
            Some(ToViewer::FetchAssetResponse(FetchAssetResponse { request_id, result }))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(&*robot.serve(viewer.fetch_asset("package://a", LIMIT), asset).await.unwrap(), b"mesh");
    let refused = robot.serve(viewer.fetch_asset("package://b", LIMIT), asset).await;
    assert!(matches!(refused, Err(ViewerError::Declined(text)) if text == "no such file"));
}

#[tokio::test(start_paused = true)]
async fn p_96_p_101_parameters_are_got_and_set() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    let values = |message| match message {
        FromViewer::GetParameters { names, id } => {
            assert_eq!(names, ["gain"]);
            Some(ToViewer::ParameterValues { parameters: vec![parameter("gain", 2)], id })
        }
        FromViewer::SetParameters { parameters, id } => Some(ToViewer::ParameterValues { parameters, id }),
        other => panic!("{other:?}"),
    };
    let got = robot.serve(viewer.get_parameters(&["gain"], LIMIT), values).await.unwrap();
    assert_eq!(got, [parameter("gain", 2)]);
    let set = robot.serve(viewer.set_parameters(vec![parameter("gain", 3)], LIMIT), values).await.unwrap();
    assert_eq!(set, [parameter("gain", 3)]);
    assert_eq!(viewer.parameters()["gain"], parameter("gain", 3));
}

#[tokio::test(start_paused = true)]
async fn p_27_what_the_viewer_told_one_session_is_told_the_next() {
    let (_server, mut robot, viewer) = scene().await;
    let channel = ClientChannel {
        id: 1,
        topic: "/cmd".into(),
        encoding: "json".into(),
        schema_name: String::new(),
        schema_encoding: None,
        schema: None,
    };
    // Before there is a session at all.
    viewer.advertise(channel.clone()).unwrap();
    viewer.advertise(ClientChannel { id: 2, ..channel.clone() }).unwrap();
    viewer.subscribe_parameters(&["gain", "old"]).unwrap();
    viewer.subscribe_graph().unwrap();
    assert!(matches!(viewer.publish(1, "x"), Err(ViewerError::NoSession)));
    for round in 0..2 {
        robot.greet(vec![]).await;
        let channels = match round {
            0 => vec![channel.clone(), ClientChannel { id: 2, ..channel.clone() }],
            _ => vec![channel.clone()],
        };
        let names: &[&str] = if round == 0 { &["gain", "old"] } else { &["gain"] };
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(robot.hear().await, FromViewer::Advertise { channels });
        assert_eq!(robot.hear().await, FromViewer::SubscribeParameterUpdates { names });
        assert_eq!(robot.hear().await, FromViewer::SubscribeConnectionGraph);
        viewer.publish(1, "go").unwrap();
        assert_eq!(robot.hear().await, FromViewer::MessageData { channel_id: 1, data: Bytes::from_static(b"go") });
        viewer.unadvertise(&[2]).unwrap();
        assert_eq!(robot.hear().await, FromViewer::Unadvertise { channel_ids: vec![2] });
        viewer.unsubscribe_parameters(&["old"]).unwrap();
        assert!(matches!(robot.hear().await, FromViewer::UnsubscribeParameterUpdates { .. }));
    }
    let entry = GraphEntry { name: "/a".into(), ids: vec!["p".into()] };
    robot.say(ToViewer::ConnectionGraphUpdate(ConnectionGraphUpdate {
        published_topics: vec![entry],
        ..Default::default()
    }));
    viewer.wait_until("the graph", LIMIT, |p, _| p.graph().published.contains_key("/a")).await.unwrap();
    assert!(viewer.graph().published["/a"].contains("p"));
    viewer.unsubscribe_graph().unwrap();
    assert_eq!(robot.hear().await, FromViewer::UnsubscribeConnectionGraph);
}

#[tokio::test(start_paused = true)]
async fn streams_and_bytes_of_any_kind_can_be_sent() {
    let (server, mut robot, viewer) = scene().await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    let frame = FromViewer::SubscribeConnectionGraph.to_frame().unwrap();
    for byte in frame.iter() {
        viewer.send_raw(vec![*byte]).unwrap();
    }
    assert_eq!(robot.hear().await, FromViewer::SubscribeConnectionGraph);
    let stream = viewer.open_stream("control", &["robot".into()], LIMIT).await.unwrap();
    stream.write(frame).unwrap();
    stream.finish(LIMIT).await.unwrap();
    assert_eq!(robot.hear().await, FromViewer::SubscribeConnectionGraph);
    assert_eq!(server.streams_opened_by("viewer"), 2);
}

#[tokio::test(start_paused = true)]
async fn sending_waits_for_room_and_no_longer_than_allowed() {
    let (server, mut robot, viewer) = scene_with(ViewerOptions { outbox_bytes: 1000, ..Default::default() }).await;
    robot.greet(vec![]).await;
    viewer.ready(LIMIT).await.unwrap();
    server.shut(telelink::room::memory::Gate::Write, "robot");
    let message = FromViewer::MessageData { channel_id: 1, data: vec![0; 600].into() };
    // One may be in flight already, one waits, then there is no room.
    let mut sent = 0;
    while viewer.send(&message, SECOND).await.is_ok() {
        sent += 1;
        assert!(sent < 10);
    }
    assert!(matches!(viewer.try_send(&message), Err(ViewerError::QueueFull(_))));
    let waiting = viewer.send(&message, LIMIT);
    let opening = async {
        sleep(SECOND).await;
        server.open(telelink::room::memory::Gate::Write, "robot");
    };
    let (result, ()) = tokio::join!(waiting, opening);
    result.unwrap();
    for _ in 0..=sent {
        assert_eq!(robot.hear().await, message);
    }
}
