//! Races that need the driver and its streams: orders of wake-ups, streams that are opening, bounds of what is held
//! (session.md section 9). Those of video tracks are in video.rs here and in the core's tests.

use super::*;

use crate::protocol::frame::MAX_PAYLOAD;
use crate::room::memory::{Gate, HeldEvent};

/// More than the history of resets remembers.
const FORGIVEN: Duration = Duration::from_secs(61);

/// S-24.
#[tokio::test(start_paused = true)]
async fn s_143_a_reset_asked_for_while_other_things_happen_is_not_lost() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let (mut viewer, mut other) = (stage.viewer("ann").await, stage.viewer("bob").await);
    viewer.barrier().await;
    other.barrier().await;
    // Which of them wakes the owner first is up to the runtime: several rounds.
    for round in 2..12 {
        viewer.subscribe(&[&channel]);
        viewer.barrier().await;
        stage.server.fail_writes("ann", 1);
        channel.log(b"lost").unwrap();
        stage.server.repeat_active("bob");
        other.say(&FromViewer::Ping { app_timestamp: [0; 8] });
        stage.control.publish_status(Status { level: StatusLevel::Info, message: "x".into(), id: None }).unwrap();
        viewer.until(|message| matches!(message, ToViewer::ServerInfo(_)).then_some(())).await;
        assert_eq!(viewer.streams, round);
        other.barrier().await;
        tokio::time::sleep(FORGIVEN).await;
    }
    assert_eq!((other.streams, stage.stats().await.viewer_resets()), (1, 10));
    stage.finish().await;
}

/// S-34, S-35, S-110.
#[tokio::test(start_paused = true)]
async fn s_163_leaving_while_a_stream_opens_and_a_reset_waits_leaves_nothing() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut waits = stage.viewer("waits").await;
    waits.subscribe(&[&channel]);
    waits.barrier().await;
    // Two resets in a row: the second one waits.
    for _ in 0..2 {
        stage.server.fail_writes("waits", 1);
        waits.say(&FromViewer::Ping { app_timestamp: [0; 8] });
        stage.log.wait(&format!("- {} /r", waits.sid)).await;
        stage.server.until(|server| server.streams_opened_to("waits") == 2).await;
    }
    stage.server.shut(Gate::Open, "opening");
    let _opening = Viewer::join(&stage.server, "opening").await;
    stage.server.until_waiting(Gate::Open, "opening", 1).await;
    stage.control.leave().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(stage.server.waiting(Gate::Open, "opening"), 0, "nobody opens any more");
    stage.server.open(Gate::Open, "opening");
    assert!(stage.stats().await.viewers.is_empty());
    tokio::time::sleep(FORGIVEN).await;
    assert_eq!(stage.server.streams_opened_to("waits"), 2);
    stage.finish().await;
}

/// S-277, both orders: the stream of the reset's registration opens before or after the new instance has come.
#[tokio::test(start_paused = true)]
async fn s_277_a_reset_and_a_new_instance_open_their_streams_in_either_order() {
    for reset_first in [true, false] {
        let stage = Stage::new().await;
        let mut old = stage.viewer("ann").await;
        old.barrier().await;
        stage.server.shut(Gate::Open, "ann");
        stage.server.fail_writes("ann", 1);
        old.say(&FromViewer::Ping { app_timestamp: [0; 8] });
        stage.server.until_waiting(Gate::Open, "ann", 1).await;
        if reset_first {
            assert!(stage.server.let_through(Gate::Open, "ann", 0));
            stage.server.until(|server| server.streams_opened_to("ann") == 2).await;
        }
        let mut new = Viewer::join(&stage.server, "ann").await;
        // The one that was opening is given up, or its stream is closed; the newest one waits at the gate.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(stage.server.waiting(Gate::Open, "ann"), 1);
        stage.server.open(Gate::Open, "ann");
        new.server_info().await;
        new.open().await;
        assert_eq!(new.barrier().await, [], "it is not told of its predecessor's reset");
        let sids: Vec<String> = stage.stats().await.viewers.iter().map(|v| v.client.sid.to_string()).collect();
        assert_eq!((sids, new.streams), (vec![new.sid.clone()], 1));
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn s_72_unfinished_frames_of_all_streams_of_a_viewer_are_bounded_together() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut other = stage.viewer("bob").await;
    other.subscribe(&[&channel]);
    other.barrier().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let mut kept = Vec::new();
    // Three streams with just under 16 MiB each: 32 MiB is the most.
    for _ in 0..3 {
        let mut start = vec![1];
        start.extend((MAX_PAYLOAD as u32).to_le_bytes());
        start.resize(MAX_PAYLOAD, b' ');
        viewer.open().await;
        viewer.raw(start);
        kept.push((viewer.stream.take(), viewer.source.clone()));
    }
    let text = viewer.status(StatusLevel::Error).await;
    assert_eq!(text, "Unreadable message: more than 33554432 bytes of unfinished frames");
    // Its other streams live, and so do the others.
    viewer.open().await;
    viewer.barrier().await;
    channel.log(b"calm").unwrap();
    assert_eq!((other.data().await, other.streams, viewer.streams), (vec![Bytes::from("calm")], 1, 1));
    stage.finish().await;
}

/// S-75.
#[tokio::test(start_paused = true)]
async fn s_74_what_is_held_for_an_unregistered_viewer_is_bounded_and_then_handled_in_order() {
    let stage = Stage::new().await;
    for kind in [HeldEvent::Connected, HeldEvent::Active] {
        stage.server.hold("ann", kind);
    }
    let mut viewer = Viewer::join(&stage.server, "ann").await;
    viewer.open().await;
    // 4 MiB of advertisements: the reader stops at 1 MiB, and the rest waits on the viewer's side.
    let padding = "x".repeat(64 << 10);
    for id in 0..64 {
        let json = format!(
            r#"{{"op":"advertise","channels":[{{"id":{id},"topic":"/t","encoding":"json","schemaName":""}}],"x":"{padding}"}}"#
        );
        viewer.raw(crate::protocol::frame::text_frame(json.as_bytes()).unwrap());
    }
    // With the clock paused, a sleep ends when nothing else is left to do.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let control = stage.control.clone();
    let (items, bytes) = tokio::task::spawn_blocking(move || control.held()).await.unwrap();
    assert!(items > 0 && items <= 64 && bytes <= 1 << 20, "{items} messages of {bytes} bytes are held");
    for kind in [HeldEvent::Connected, HeldEvent::Active] {
        stage.server.release("ann", kind);
    }
    viewer.server_info().await;
    viewer.barrier().await;
    let sid = viewer.sid.clone();
    stage.log.wait(&format!("+ {sid} client 63")).await;
    let expected: Vec<String> = (0..64).map(|id| format!("+ {sid} client {id}")).collect();
    assert_eq!(stage.log.lines(), expected, "none is lost, in order");
    stage.finish().await;
}

/// One channel's life on a thread of the application, while a viewer comes and goes on it, a thousand times.
async fn s_99_rounds() {
    const ROUNDS: usize = 1000;
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    let (opened, mut ids) = tokio::sync::mpsc::unbounded_channel();
    let (go, turn) = std::sync::mpsc::channel();
    let context = stage.context.clone();
    let application = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            turn.recv().unwrap();
            let channel = context.channel("/c").encoding("json").qos(Qos::Reliable).open().unwrap();
            opened.send(channel.id().get()).unwrap();
            turn.recv().unwrap();
            let _ = channel.log(b"x");
            channel.close();
        }
    });
    let entry = |id| SubscribeChannel { id, request_video_track: false };
    for round in 0..ROUNDS {
        go.send(()).unwrap();
        let id = ids.recv().await.expect("the application lives");
        let advertised = |message| match message {
            ToViewer::Advertise(advertise) => advertise.channels.iter().any(|c| c.id == id).then_some(()),
            _ => None,
        };
        let subscribe = FromViewer::Subscribe { channels: vec![entry(id)] };
        let unsubscribe = FromViewer::Unsubscribe { channel_ids: vec![id] };
        // The channel is closed before, between and after the two.
        match round % 3 {
            0 => {
                go.send(()).unwrap();
                viewer.say(&subscribe);
                viewer.say(&unsubscribe);
            }
            1 => {
                viewer.say(&subscribe);
                go.send(()).unwrap();
                viewer.say(&unsubscribe);
            }
            _ => {
                viewer.until(advertised).await;
                viewer.say(&subscribe);
                viewer.barrier().await;
                viewer.say(&unsubscribe);
                go.send(()).unwrap();
            }
        }
        viewer.barrier().await;
    }
    application.join().unwrap();
    let log = stage.finish().await;
    let subscribed = log.lines().iter().filter(|line| line.starts_with("+ ")).count();
    assert!(subscribed >= ROUNDS / 3, "{subscribed} subscriptions");
}

#[test]
fn s_99_channels_that_close_while_a_viewer_subscribes_and_unsubscribes_block_nobody() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let rounds = runtime.block_on(async { tokio::time::timeout(FORGIVEN, tokio::spawn(s_99_rounds())).await });
    // Waits for no thread: a deadlock is a failure, not a test that hangs.
    runtime.shutdown_background();
    rounds.expect("a deadlock").unwrap();
}
