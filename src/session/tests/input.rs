//! What viewers send: splitting, holding, unreadable input, floods (P-34 to P-51, S-71 to S-74).

use super::*;

use crate::protocol::frame::{binary_frame, text_frame};
use crate::protocol::{PlaybackCommand, PlaybackControl};
use crate::room::memory::{Chunking, HeldEvent};

use super::captured::Captured;

/// An `advertise` frame of one client channel.
pub(super) fn advertise(id: u32) -> Bytes {
    let json =
        format!(r#"{{"op":"advertise","channels":[{{"id":{id},"topic":"/t","encoding":"json","schemaName":""}}]}}"#);
    text_frame(json.as_bytes()).unwrap()
}

/// S-68.
#[tokio::test(start_paused = true)]
async fn p_5_frames_split_byte_by_byte_are_reassembled() {
    let stage = Stage::new().await;
    stage.server.set_chunking(Chunking::Split(1));
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    channel.log(b"payload").unwrap();
    assert_eq!(viewer.data().await, ["payload"]);
    stage.finish().await;
}

/// P-192.
#[tokio::test(start_paused = true)]
async fn s_74b_what_a_viewer_says_before_it_is_registered_is_held() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    stage.server.hold("ann", HeldEvent::Connected);
    stage.server.hold("ann", HeldEvent::Active);
    let mut viewer = Viewer::join(&stage.server, "ann").await;
    viewer.open().await;
    viewer.subscribe(&[&channel]);
    stage.server.until(|server| server.held("ann", HeldEvent::Active) == 1).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(viewer.streams, 0);
    stage.server.release("ann", HeldEvent::Connected);
    stage.server.release("ann", HeldEvent::Active);
    viewer.server_info().await;
    viewer.barrier().await;
    channel.log(b"held").unwrap();
    assert_eq!(viewer.data().await, ["held"]);
    stage.finish().await;
}

/// What is unreadable is so before anybody asks who said it.
#[tokio::test(start_paused = true)]
async fn p_49_an_unreadable_frame_before_the_registration_is_told_and_the_next_one_counts() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    stage.server.hold("ann", HeldEvent::Active);
    let mut viewer = Viewer::join(&stage.server, "ann").await;
    viewer.open().await;
    viewer.raw(text_frame(b"{broken").unwrap());
    viewer.subscribe(&[&channel]);
    stage.server.until(|server| server.held("ann", HeldEvent::Active) == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.server.release("ann", HeldEvent::Active);
    viewer.server_info().await;
    let told = viewer.barrier().await;
    let texts: Vec<&str> = told
        .iter()
        .filter_map(|message| match message {
            ToViewer::Status(status) => Some(status.message.as_str()),
            _ => None,
        })
        .collect();
    assert!(matches!(texts[..], [text] if text.starts_with("Unreadable message: ")), "{told:?}");
    assert!(channel.is_wanted());
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn p_6_streams_of_other_topics_are_ignored_and_take_no_place() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let entry = SubscribeChannel { id: channel.id().get(), request_video_track: false };
    let frame = FromViewer::Subscribe { channels: vec![entry] }.to_frame().unwrap();
    let mut kept = Vec::new();
    for _ in 0..10 {
        let source = Arc::new(ChannelSource::new());
        source.push(frame.clone()).unwrap();
        let open = viewer.room.open_byte_stream("chat", &["robot".into()], source.clone());
        kept.push((open.await.unwrap(), source));
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(viewer.barrier().await, [], "no reply");
    assert!(!channel.is_wanted());
    // Four control streams are what a connection may have.
    let mut own = vec![viewer.stream.take()];
    for _ in 0..3 {
        viewer.open().await;
        assert_eq!(viewer.barrier().await, []);
        own.push(viewer.stream.take());
    }
    assert!(!channel.is_wanted());
    stage.finish().await;
}

/// What viewers do wrong a thousand times in a second is one line of the log, with the count in the next.
#[tokio::test(start_paused = true)]
async fn a_flood_of_bad_input_is_no_flood_of_log_lines() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let log = Captured::start();
    let control =
        PlaybackControl { command: PlaybackCommand::Play, speed: 1.0, seek_time: None, request_id: String::new() };
    let (broken, playback) = (text_frame(b"{").unwrap(), FromViewer::PlaybackControl(control).to_frame().unwrap());
    let flood = [broken.repeat(1000), playback.repeat(1000)].concat();
    for _ in 0..2 {
        viewer.raw(flood.clone());
        for _ in 0..20 {
            let source = Arc::new(ChannelSource::new());
            drop(viewer.room.open_byte_stream("chat", &["robot".into()], source).await.unwrap());
        }
        viewer.barrier().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (errors, warnings) = (log.lines("ERROR"), log.lines("WARN"));
    assert_eq!((errors.len(), warnings.len()), (2, 4), "{errors:?} {warnings:?}");
    assert!(errors[1].contains("count=1000"), "{errors:?}");
    assert!(warnings.iter().any(|line| line.contains("playback") && line.contains("count=1000")), "{warnings:?}");
    assert!(warnings.iter().any(|line| line.contains("another topic") && line.contains("count=20")), "{warnings:?}");
    stage.finish().await;
}

/// P-192.
#[tokio::test(start_paused = true)]
async fn s_74b_after_ten_seconds_what_was_held_is_dropped_and_a_new_stream_works() {
    let stage = Stage::new().await;
    let channel = stage.reliable("/r");
    stage.server.hold("ann", HeldEvent::Connected);
    stage.server.hold("ann", HeldEvent::Active);
    let mut viewer = Viewer::join(&stage.server, "ann").await;
    viewer.open().await;
    viewer.subscribe(&[&channel]);
    tokio::time::sleep(Duration::from_secs(11)).await;
    stage.server.release("ann", HeldEvent::Connected);
    stage.server.release("ann", HeldEvent::Active);
    viewer.server_info().await;
    viewer.open().await;
    viewer.barrier().await;
    assert!(!channel.is_wanted(), "the subscription was dropped");
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    assert!(channel.is_wanted());
    stage.finish().await;
}

/// S-73.
#[tokio::test(start_paused = true)]
async fn unreadable_messages_are_skipped_and_the_stream_goes_on() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let service_call = [&[2u8][..], &[0; 8], &[1, 0, 0, 0], &[0xff]].concat();
    let rows: [(&str, Bytes); 12] = [
        ("P-39 not UTF-8", text_frame(b"\xff\xfe").unwrap()),
        ("P-40 bad JSON", text_frame(b"{").unwrap()),
        ("P-40 unknown op", text_frame(br#"{"op":"dance"}"#).unwrap()),
        ("P-40 no op", text_frame(br#"{"channels":[]}"#).unwrap()),
        ("P-40 missing member", text_frame(br#"{"op":"subscribe"}"#).unwrap()),
        ("P-40 ill-typed member", text_frame(br#"{"op":"subscribe","channels":[{"id":"7"}]}"#).unwrap()),
        ("P-41 empty text", Bytes::from_static(&[1, 0, 0, 0, 0])),
        ("P-42 empty binary", Bytes::from_static(&[2, 0, 0, 0, 0])),
        ("P-43 unknown opcode", binary_frame(&[99, 1]).unwrap()),
        ("P-44 short body", binary_frame(&[1, 0]).unwrap()),
        ("P-45 inner string", binary_frame(&service_call).unwrap()),
        ("P-45 bad enum", binary_frame(&[&[3u8, 9][..], &[0; 17]].concat()).unwrap()),
    ];
    for (row, frame) in rows {
        // S-74a: one status per second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        viewer.raw(frame);
        let answers = viewer.barrier().await;
        let [ToViewer::Status(status)] = &answers[..] else { panic!("{row}: {answers:?}") };
        assert!(status.message.starts_with("Unreadable message: "), "{row}: {}", status.message);
        assert_eq!(status.level, StatusLevel::Error);
    }
    // P-47: understood, but nothing a robot does. No answer, and the stream goes on.
    viewer.raw(binary_frame(&[&[3u8, 0][..], &[0; 17]].concat()).unwrap());
    assert_eq!(viewer.barrier().await, []);
    assert_eq!((viewer.streams, stage.server.streams_opened_by("ann")), (1, 1));
    stage.finish().await;
}

/// S-73, P-50, P-191.
#[tokio::test(start_paused = true)]
async fn p_48_an_abandoned_stream_ends_alone() {
    let endings: [(&str, &[u8], bool); 4] = [
        ("P-37 too large", &[1, 1, 0, 0, 1], true),
        ("P-38 unknown kind", &[3, 1, 0, 0, 0, 7], true),
        ("P-34 end on a boundary", &[], false),
        ("P-35 end inside a payload", &[1, 9, 0, 0, 0, b'{'], false),
    ];
    for (row, bytes, told) in endings {
        let stage = Stage::new().await;
        let channel = stage.reliable("/r");
        let mut viewer = stage.viewer("ann").await;
        viewer.subscribe(&[&channel]);
        viewer.barrier().await;
        viewer.raw(bytes.to_vec());
        if told {
            assert!(viewer.status(StatusLevel::Error).await.starts_with("Unreadable message: "), "{row}");
            // Nobody reads this any more.
            viewer.say(&FromViewer::Unsubscribe { channel_ids: vec![channel.id().get()] });
        } else {
            viewer.source.end();
        }
        let first = viewer.stream.take();
        viewer.open().await;
        assert_eq!(viewer.barrier().await, [], "{row}");
        channel.log(b"still").unwrap();
        assert_eq!(viewer.data().await, ["still"], "{row}: the subscription stays");
        assert_eq!(viewer.streams, 1, "{row}: the robot's own stream stays");
        drop(first);
        stage.finish().await;
    }
}

/// S-75.
#[tokio::test(start_paused = true)]
async fn many_pings_in_one_chunk_reset_nobody() {
    let stage = Stage::with(|options| options.limits.message_backlog_size = 16).await;
    stage.server.set_pipe_limit(64 << 20);
    let mut viewer = stage.viewer("ann").await;
    let mut chunk = Vec::new();
    for n in 0..5000u64 {
        let ping = FromViewer::Ping { app_timestamp: (1_000_000 + n).to_le_bytes() };
        chunk.extend_from_slice(&ping.to_frame().unwrap());
    }
    viewer.raw(chunk);
    let pongs = viewer.barrier().await;
    let stamps: Vec<u64> = pongs
        .iter()
        .map(|pong| match pong {
            ToViewer::Pong { app_timestamp, .. } => u64::from_le_bytes(*app_timestamp),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(stamps, (1_000_000..1_005_000).collect::<Vec<_>>(), "each answered, in order");
    assert_eq!((viewer.streams, stage.stats().await.viewer_resets()), (1, 0));
    stage.finish().await;
}

/// S-75.
#[tokio::test(start_paused = true)]
async fn a_flood_of_one_viewer_does_not_delay_another() {
    let stage = Stage::new().await;
    let (mut flood, mut calm) = (stage.viewer("flood").await, stage.viewer("calm").await);
    let mut chunk = Vec::new();
    for _ in 0..20_000 {
        chunk.extend_from_slice(&FromViewer::Unsubscribe { channel_ids: vec![1] }.to_frame().unwrap());
    }
    flood.raw(chunk);
    flood.raw(FromViewer::Ping { app_timestamp: [7; 8] }.to_frame().unwrap());
    calm.barrier().await;
    flood.barrier().await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_72_the_fifth_open_stream_is_refused_and_said_so() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(viewer.stream.take());
        viewer.open().await;
    }
    let text = viewer.status(StatusLevel::Error).await;
    assert_eq!(text, "Unreadable message: too many control streams are open");
    // Closing the others makes room. With the clock paused, a sleep ends when nothing else is left to do.
    kept.clear();
    tokio::time::sleep(Duration::from_millis(1)).await;
    viewer.open().await;
    viewer.barrier().await;
    stage.finish().await;
}

/// A listener that stands still in its first client channel until the test lets it go on.
struct Blocked(Mutex<Option<std::sync::mpsc::Receiver<()>>>);

impl Listener for Blocked {
    fn on_client_advertise(&self, _: &Client, _: &ClientChannel) {
        if let Some(go) = self.0.lock().take() {
            let _ = go.recv();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_learns_at_once_that_the_listener_is_too_slow() {
    let (go, wait) = std::sync::mpsc::channel();
    let listener = Arc::new(Blocked(Mutex::new(Some(wait))));
    let stage = Stage::with(|options| options.listener = Some(listener)).await;
    let mut viewer = stage.viewer("ann").await;
    viewer.raw(advertise(5));
    // One more than a channel may have waiting, and nothing after it that would wake the session by chance.
    let message = FromViewer::MessageData { channel_id: 5, data: Bytes::new() }.to_frame().unwrap();
    viewer.raw(message.repeat(1025));
    let text = viewer.status(StatusLevel::Warning).await;
    assert_eq!(text, "The robot is too slow for your messages; the oldest ones are dropped");
    assert_eq!(stage.stats().await.listener_messages_dropped, 1);
    go.send(()).unwrap();
    stage.control.leave().await;
    stage.control.finish(None);
    stage.driver.await.unwrap();
}
