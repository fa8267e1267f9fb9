//! The life of data tracks (P-149, P-150, S-160 to S-162, S-276).

use super::captured::Captured;
use super::*;

use crate::context::Schema;
use crate::protocol::data_track::data_track_name;
use crate::protocol::MAX_MESSAGE_DATA;
use crate::room::memory::{Gate, TrackAction};
use crate::room::{PublishError, RoomError};

/// What happened to the track of a channel, oldest first.
fn history(stage: &Stage, channel: &Channel) -> Vec<TrackAction> {
    let name = data_track_name(channel.id().get());
    stage.server.track_log().into_iter().filter(|entry| entry.name == name).map(|entry| entry.action).collect()
}

async fn until_history(stage: &Stage, channel: &Channel, expected: &[TrackAction]) {
    let reached = stage.server.until(|_| history(stage, channel) == expected);
    let reached = tokio::time::timeout(Duration::from_secs(60), reached).await;
    assert!(reached.is_ok(), "{:?}", history(stage, channel));
}

/// Subscribes to the channel's data and to its track, and receives one message.
async fn receive(stage: &Stage, channel: &Channel, viewer: &mut Viewer) -> Bytes {
    viewer.barrier().await;
    let name = data_track_name(channel.id().get());
    let track = viewer.tracks.iter().find(|track| track.name == name).expect("published").clone();
    let mut frames = viewer.room.subscribe_data_track(&track, 8).unwrap();
    viewer.subscribe(&[channel]);
    viewer.barrier().await;
    channel.log_at(b"hello", 42).unwrap();
    let frame = tokio::time::timeout(Duration::from_secs(5), frames.recv()).await.unwrap().unwrap();
    assert_eq!((frame.user_timestamp, &frame.payload[8..]), (42, &b"hello"[..]));
    assert_eq!(stage.stats().await.channels[0].counts.not_ready, 0);
    frame.payload
}

use TrackAction::{Published, Unpublished};

/// S-221, S-223.
#[tokio::test(start_paused = true)]
async fn p_149_a_track_is_published_with_its_channel_and_unpublished_with_it() {
    let stage = Stage::new().await;
    let channel = stage.lossy("/l");
    let mut viewer = stage.viewer("ann").await;
    let payload = receive(&stage, &channel, &mut viewer).await;
    assert_eq!(&payload[..8], [0, 0, 8, 0, 0, 0, 0, 0], "flags, offset, sequence 0 (P-152)");
    channel.close();
    until_history(&stage, &channel, &[Published, Unpublished]).await;
    stage.finish().await;
}

/// Nothing compresses clouds yet (session.md section 18), so nothing may tell viewers that something does.
#[tokio::test(start_paused = true)]
async fn s_170_raw_point_clouds_are_not_advertised_as_compressed() {
    let stage = Stage::new().await;
    let mut viewer = stage.viewer("ann").await;
    for (topic, encoding, name) in
        [("/p", "protobuf", "foxglove.PointCloud"), ("/c", "cdr", "sensor_msgs/msg/PointCloud2")]
    {
        let schema = Schema { name: name.into(), encoding: "x".into(), data: Bytes::from_static(b"y") };
        let channel = stage.context.channel(topic).encoding(encoding).schema(schema).open().unwrap();
        let advertise = viewer
            .until(|message| match message {
                ToViewer::Advertise(advertise) => Some(advertise),
                _ => None,
            })
            .await;
        let [told] = &advertise.channels[..] else { panic!("{advertise:?}") };
        assert_eq!((told.topic.as_str(), told.encoding.as_str()), (topic, encoding));
        assert!(told.metadata.is_empty(), "{told:?}");
        let names: Vec<&str> = advertise.schemas.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, [name]);
        until_history(&stage, &channel, &[Published]).await;
        receive(&stage, &channel, &mut viewer).await;
        channel.close();
    }
    stage.finish().await;
}

/// S-221.
#[tokio::test(start_paused = true)]
async fn s_160_a_name_still_taken_and_other_failures_are_tried_again() {
    let stage = Stage::new().await;
    for error in [PublishError::NameInUse("x".into()), PublishError::NameInUse("x".into())] {
        stage.server.fail_next_publish("robot", error);
    }
    let before = tokio::time::Instant::now();
    let channel = stage.lossy("/l");
    until_history(&stage, &channel, &[Published]).await;
    assert_eq!(before.elapsed().as_millis() / 10, 30, "after 100 ms, and 200 ms more (P-150)");
    let mut viewer = stage.viewer("ann").await;
    receive(&stage, &channel, &mut viewer).await;
    stage.finish().await;
}

/// Waits for the next attempt to publish and lets it through the gate.
async fn attempt(stage: &Stage) -> tokio::time::Instant {
    let waits = stage.server.until_waiting(Gate::Publish, "robot", 1);
    tokio::time::timeout(Duration::from_secs(60), waits).await.expect("another attempt");
    assert!(stage.server.let_through(Gate::Publish, "robot", 0));
    tokio::time::Instant::now()
}

#[tokio::test(start_paused = true)]
async fn s_221_whatever_fails_is_tried_again_after_a_pause_that_doubles_up_to_three_seconds() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Publish, "robot");
    let transport = || PublishError::Room(RoomError::Transport("x".into()));
    let errors = [
        transport(),
        PublishError::NameInUse("x".into()),
        PublishError::Room(RoomError::Timeout("x")),
        PublishError::NotAllowed,
        transport(),
        PublishError::NameInUse("x".into()),
        transport(),
        transport(),
    ];
    for error in errors {
        stage.server.fail_next_publish("robot", error);
    }
    let channel = stage.lossy("/l");
    let mut last = attempt(&stage).await;
    for pause in [100, 200, 400, 800, 1600, 3000, 3000, 3000] {
        let next = attempt(&stage).await;
        assert_eq!((next - last).as_millis() / 10, pause / 10);
        last = next;
    }
    until_history(&stage, &channel, &[Published]).await;
    // The next trouble begins with the first pause again.
    assert!(stage.server.lose_data_track("robot", &data_track_name(channel.id().get())));
    let lost = tokio::time::Instant::now();
    assert_eq!((attempt(&stage).await - lost).as_millis() / 10, 10);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_222_a_channel_closed_during_the_pause_is_not_tried_again() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Publish, "robot");
    stage.server.fail_next_publish("robot", PublishError::Room(RoomError::Transport("x".into())));
    let channel = stage.lossy("/l");
    attempt(&stage).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    channel.close();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(stage.server.waiting(Gate::Publish, "robot"), 0, "no second attempt");
    assert_eq!(history(&stage, &channel), []);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_222_a_channel_closed_while_its_track_waits_for_its_turn_is_never_published() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Publish, "robot");
    let others: Vec<Channel> = (0..16).map(|n| stage.lossy(&format!("/{n}"))).collect();
    stage.server.until_waiting(Gate::Publish, "robot", 16).await;
    let (closed, kept) = (stage.lossy("/closed"), stage.lossy("/kept"));
    let mut viewer = stage.viewer("ann").await;
    viewer.barrier().await;
    assert_eq!(stage.server.waiting(Gate::Publish, "robot"), 16, "no more at a time");
    closed.close();
    viewer.barrier().await;
    stage.server.open(Gate::Publish, "robot");
    for channel in others.iter().chain([&kept]) {
        until_history(&stage, channel, &[Published]).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(history(&stage, &closed), []);
    stage.finish().await;
}

/// S-222.
#[tokio::test(start_paused = true)]
async fn s_161_a_channel_removed_while_its_track_is_being_published() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Publish, "robot");
    let channel = stage.lossy("/l");
    stage.server.until_waiting(Gate::Publish, "robot", 1).await;
    let mut viewer = stage.viewer("ann").await;
    channel.close();
    viewer.barrier().await;
    assert_eq!(stage.server.waiting(Gate::Publish, "robot"), 1, "the attempt is not interrupted");
    stage.server.open(Gate::Publish, "robot");
    until_history(&stage, &channel, &[Published, Unpublished]).await;
    stage.finish().await;
}

/// S-35.
#[tokio::test(start_paused = true)]
async fn s_162_leaving_while_a_track_is_being_published_drops_the_attempt() {
    let stage = Stage::new().await;
    stage.server.shut(Gate::Publish, "robot");
    let channel = stage.lossy("/l");
    stage.server.until_waiting(Gate::Publish, "robot", 1).await;
    stage.control.leave().await;
    tokio::task::yield_now().await;
    assert_eq!(stage.server.waiting(Gate::Publish, "robot"), 0);
    stage.server.open(Gate::Publish, "robot");
    assert_eq!(history(&stage, &channel), []);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_276_a_track_that_the_server_took_away_is_published_again() {
    let stage = Stage::new().await;
    let channel = stage.lossy("/l");
    let mut viewer = stage.viewer("ann").await;
    until_history(&stage, &channel, &[Published]).await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    assert!(stage.server.lose_data_track("robot", &data_track_name(channel.id().get())));
    until_history(&stage, &channel, &[Published, Unpublished, Published]).await;
    let payload = receive(&stage, &channel, &mut viewer).await;
    assert_eq!(&payload[4..8], [0; 4], "a new track counts from 0 (P-155)");
    stage.finish().await;
}

/// S-93.
#[tokio::test(start_paused = true)]
async fn p_118_oversize_messages_are_reported_to_subscribers() {
    let stage = Stage::new().await;
    let channel = stage.lossy("/big");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    channel.log(&vec![0; 102_400]).unwrap();
    assert_eq!(viewer.barrier().await, [], "exactly the limit passes (P-156)");
    channel.log(&vec![0; 102_401]).unwrap();
    let text = viewer.status(StatusLevel::Warning).await;
    assert_eq!(text, "Dropped 1 message on topic /big: exceeds 100 KiB per-message size limit");
    assert_eq!(stage.stats().await.channels[0].counts.oversize, 1);
    stage.finish().await;
}

/// P-133, S-226: OK, because another sink may take it; what no viewer gets, the viewers and the log are told.
#[tokio::test(start_paused = true)]
async fn p_118_a_reliable_message_over_the_frame_limit_is_reported_like_a_lossy_one() {
    let log = Captured::start();
    let stage = Stage::new().await;
    let channel = stage.reliable("/map");
    let mut viewer = stage.viewer("ann").await;
    viewer.subscribe(&[&channel]);
    viewer.barrier().await;
    let big = vec![b' '; MAX_MESSAGE_DATA + 1];
    channel.log(&big[1..]).unwrap();
    assert_eq!(viewer.barrier().await.len(), 1, "exactly the limit passes");
    channel.log(&big).unwrap();
    let text = "Dropped 1 message on topic /map: exceeds 16 MiB per-message size limit";
    assert_eq!(viewer.status(StatusLevel::Warning).await, text);
    assert_eq!(stage.stats().await.channels[0].counts.oversize, 1);
    channel.log(&big).unwrap();
    assert_eq!(viewer.barrier().await, [], "not again within 30 s");
    // Whoever comes now is told too (P-77).
    let mut late = stage.viewer("bob").await;
    late.subscribe(&[&channel]);
    assert_eq!(late.status(StatusLevel::Warning).await, text);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(viewer.status(StatusLevel::Warning).await, text, "what gathered");
    let said = log.lines("WARN").into_iter().filter(|line| line.contains("oversize messages")).count();
    assert_eq!(said, 2, "one line of the log for each report");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_37_a_track_whose_task_is_ended_anywhere_leaves_nothing_behind() {
    let server = crate::room::memory::MemoryServer::new();
    let token = server.token("yard", "robot").build();
    let joined = join(&server, token).await;
    let counters = Arc::default();
    let slot = Arc::new(crate::fanout::LossySlot::new(7, 1200, counters, Arc::default()));
    let control = crate::session::tracks::TrackControl::new();
    let slots = crate::session::tracks::publish_slots();
    let task = tokio::spawn(crate::session::tracks::run_track(joined.room.clone(), 7, slot.clone(), control, slots));
    let published = server.until(|server| server.track_log().len() == 1);
    tokio::time::timeout(Duration::from_secs(60), published).await.unwrap();
    // The task is at its rest now, the track in the slot; slot and track hold each other.
    tokio::task::yield_now().await;
    task.abort();
    let _ = task.await;
    joined.room.close().await;
    drop(joined);
    assert_eq!(Arc::strong_count(&slot), 1, "nobody else holds the slot");
}
