//! The viewer over the real LiveKit library and a real server. Needs `LIVEKIT_SERVER` and `TELELINK_LIVEKIT_LIBRARY`.

#![allow(unreachable_pub, reason = "a test target has no outside")]

mod robot;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::Stdio;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use robot::{advertise, lossy, reliable, server_info, subscribed, Robot, Track, LIMIT};
use support::{required_file, token, Server, TokenOptions};
use telelink::protocol::{FetchAssetResponse, FromViewer, ToViewer};
use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{Connector, JoinRequest, RoomOptions, Scenario, Secret};
use telelink_client::{Selector, Via, Viewer, ViewerOptions};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn connector() -> Arc<LivekitConnector> {
    required_file("TELELINK_LIVEKIT_LIBRARY");
    Arc::new(LivekitConnector::new(Library::load(&LibraryOptions::default()).expect("the LiveKit library loads")))
}

fn request(room: &str, identity: &str) -> JoinRequest {
    let attributes = [("protocolVersion".to_owned(), "2.3.0".to_owned())].into();
    let token = token(room, identity, &TokenOptions { attributes, ..Default::default() });
    JoinRequest { url: SERVER.url.clone(), token: Secret::new(token), options: RoomOptions::default() }
}

async fn robot(room: &str) -> Robot {
    Robot::start(connector().join(request(room, "robot")).await.unwrap())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

fn pong(message: FromViewer) -> Option<ToViewer> {
    match message {
        FromViewer::Ping { app_timestamp } => Some(ToViewer::Pong { app_timestamp, device_timestamp_ms: 5 }),
        _ => None,
    }
}

/// Sends on a track, slowly enough for the library (livekit-ffi.md 5.3), until `done`.
async fn send_until(track: &Track, mut done: impl FnMut() -> bool) {
    let mut sequence = 0;
    while !done() {
        track.send(sequence, b"lossy", now());
        sequence += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn data_comes_over_both_paths_with_times_and_without_loss_of_reliable_messages() {
    let mut robot = robot("both-paths").await;
    let viewer = Viewer::join(connector(), request("both-paths", "viewer"), ViewerOptions::default()).await.unwrap();
    let track = robot.track("data-ch-2").await;
    robot.greet(vec![reliable(1, "/log"), lossy(2, "/imu")]).await;
    viewer.ready(LIMIT).await.unwrap();
    viewer.subscribe([Selector::All]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1, 2]);
    let rtt = robot.serve(viewer.ping(LIMIT), pong).await.unwrap();
    assert!(rtt.round_trip > Duration::ZERO);
    viewer.wait_attached(2, LIMIT).await.unwrap();
    for n in 0..1000_u32 {
        robot.say(ToViewer::MessageData { channel_id: 1, log_time: now(), data: n.to_le_bytes().to_vec().into() });
    }
    let mut next = 0_u32;
    while next < 1000 {
        let message = viewer.next_message(LIMIT).await.unwrap();
        assert_eq!((message.via, &*message.payload), (Via::Control, &next.to_le_bytes()[..]), "complete and in order");
        next += 1;
    }
    let arrived = || viewer.stats(2).received >= 50;
    support::within("50 lossy messages", LIMIT, send_until(&track, arrived)).await;
    let (log, imu) = (viewer.stats(1), viewer.stats(2));
    assert_eq!((log.received, log.lost, log.latency.count()), (1000, 0, 1000));
    assert_eq!((imu.malformed, imu.duplicates, imu.latency.count()), (0, 0, imu.received));
    assert_eq!(viewer.totals().problems, 0);
    viewer.close(LIMIT).await.unwrap();
}

#[tokio::test]
async fn p_27_a_full_reconnect_of_the_viewer_brings_a_fresh_session_and_its_tracks() {
    let mut robot = robot("reconnect").await;
    let viewer = Viewer::join(connector(), request("reconnect", "viewer"), ViewerOptions::default()).await.unwrap();
    let track = robot.track("data-ch-2").await;
    robot.greet(vec![lossy(2, "/imu")]).await;
    viewer.subscribe(["/imu"]).unwrap();
    viewer.wait_attached(2, LIMIT).await.unwrap();
    viewer.room().simulate(Scenario::FullReconnect).await.unwrap();
    let full = |event: &telelink_client::Event| {
        matches!(event, telelink_client::Event::Reconnected { full: true }).then_some(())
    };
    viewer.find_event("the reconnect", LIMIT, full).await.unwrap();
    robot.greet(vec![lossy(2, "/imu")]).await;
    viewer.wait_sessions(2, LIMIT).await.unwrap();
    viewer.wait_attached(2, LIMIT).await.unwrap();
    let before = viewer.stats(2).received;
    support::within("data", LIMIT, send_until(&track, || viewer.stats(2).received > before)).await;
}

#[tokio::test]
async fn telelink_view_prints_what_came() {
    let mut robot = robot("command-line").await;
    let token = request("command-line", "viewer").token;
    let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_telelink-view"))
        .args(["--url", &SERVER.url, "--topic", "/log", "--once", "2", "--json"])
        .env("LIVEKIT_TOKEN", token.expose())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    support::wait_until("the viewer to join", LIMIT, || robot.room.participant(&"viewer".into()).is_some()).await;
    robot.open_control().await;
    robot.say(server_info("robot"));
    robot.say(advertise(vec![reliable(1, "/log"), reliable(2, "/other")]));
    assert_eq!(subscribed(robot.hear().await), [1]);
    robot.say(ToViewer::MessageData { channel_id: 1, log_time: now(), data: "hello".into() });
    let output = support::within("the program to end", LIMIT, child.wait_with_output()).await.unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{value}");
    assert_eq!((&value["robot"], &value["sessions"]), (&"robot".into(), &1.into()));
    assert_eq!(value["channels"].as_array().unwrap().len(), 1, "{value}");
    let log = &value["channels"][0];
    assert_eq!((&log["topic"], &log["messages"], &log["bytes"]), (&"/log".into(), &1.into(), &5.into()));
    assert!(log["latency_p50_ms"].is_number());
}

/// The output of `telelink-view` with these arguments, of which a robot hears one question that it answers.
async fn ask(room: &str, arguments: &[&str], answer: impl FnOnce(FromViewer) -> ToViewer) -> std::process::Output {
    let mut robot = robot(room).await;
    let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_telelink-view"))
        .args(["--url", &SERVER.url])
        .args(arguments)
        .env("LIVEKIT_TOKEN", request(room, "viewer").token.expose())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    support::wait_until("the viewer to join", LIMIT, || robot.room.participant(&"viewer".into()).is_some()).await;
    robot.open_control().await;
    robot.say(server_info("robot"));
    let question = robot.hear().await;
    robot.say(answer(question));
    support::within("the program to end", LIMIT, child.wait_with_output()).await.unwrap()
}

fn asset(question: FromViewer, result: Result<&str, &str>) -> ToViewer {
    let FromViewer::FetchAsset { request_id, uri } = question else { panic!("{question:?}") };
    assert_eq!(uri, "package://arm/arm.urdf");
    let result = result.map(|data| data.to_owned().into()).map_err(str::to_owned);
    ToViewer::FetchAssetResponse(FetchAssetResponse { request_id, result })
}

#[tokio::test]
async fn telelink_view_prints_the_answer_to_one_question() {
    let fetch = ["fetch", "package://arm/arm.urdf"];
    let output = ask("asks", &fetch, |question| asset(question, Ok("<robot/>"))).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"<robot/>", "as it is, without a line end");
    let output = ask("asks-in-vain", &fetch, |question| asset(question, Err("no such file"))).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "telelink-view: the robot declined: no such file\n");
}
