//! Subscriptions and the messages they bring, over both paths.

mod robot;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use robot::*;
use telelink::protocol::{FromViewer, ToViewer};
use telelink::room::{RemoteDataTrack, RoomError, RoomEvent};
use telelink_client::{Event, Overflow, Selector, Via, ViewerError, ViewerOptions};

/// A viewer whose wall clock stands at `now`.
fn at(now: u64) -> ViewerOptions {
    ViewerOptions { clock: Arc::new(move || now), ..Default::default() }
}

#[tokio::test(start_paused = true)]
async fn p_130_reliable_messages_come_over_the_control_stream() {
    let (_server, mut robot, viewer) = scene_with(at(2_000_000_000)).await;
    robot.greet(vec![reliable(30, "/log")]).await;
    viewer.wait_channel("/log", LIMIT).await.unwrap();
    assert_eq!(viewer.subscribe(["/log"]).unwrap(), [30]);
    assert_eq!(subscribed(robot.hear().await), [30]);
    robot.say(data(30, 1_990_000_000, b"hello"));
    robot.say(data(30, 0, b""));
    let message = viewer.next_message(LIMIT).await.unwrap();
    assert_eq!((message.channel_id, &*message.topic, message.via), (30, "/log", Via::Control));
    assert_eq!(
        (message.log_time, message.receive_time, &*message.payload),
        (1_990_000_000, 2_000_000_000, &b"hello"[..])
    );
    assert_eq!(&*viewer.next_message(LIMIT).await.unwrap().payload, b"");
    let stats = viewer.stats(30);
    assert_eq!((stats.received, stats.received_on_track, stats.bytes, stats.lost), (2, 0, 5, 0));
    // The second one did not say when it was logged.
    assert_eq!(stats.latency.count(), 1);
    let p50 = stats.latency.quantile(0.5).unwrap().as_micros();
    assert!((10_000..=10_100).contains(&p50), "{p50}");
}

#[tokio::test(start_paused = true)]
async fn p_7_lossy_messages_need_the_subscription_and_the_track() {
    let (_server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-5").await;
    robot.greet(vec![lossy(5, "/imu")]).await;
    viewer.wait_channel("/imu", LIMIT).await.unwrap();
    // The track is there, but nobody asked for it.
    assert!(matches!(viewer.wait_attached(5, SECOND).await, Err(ViewerError::Timeout(_))));
    viewer.subscribe(["/imu"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [5]);
    viewer.wait_attached(5, LIMIT).await.unwrap();
    track.send(0, b"one", 11);
    let message = viewer.next_message(LIMIT).await.unwrap();
    assert_eq!((message.via, message.log_time, &*message.payload), (Via::Track { sequence: 0 }, 11, &b"one"[..]));
    assert_eq!((viewer.stats(5).received_on_track, viewer.stats(5).attached), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn p_194_the_track_may_be_published_after_its_channel_is_advertised() {
    let (_server, mut robot, viewer) = scene().await;
    viewer.subscribe([Selector::All]).unwrap();
    robot.greet(vec![lossy(5, "/imu")]).await;
    assert_eq!(subscribed(robot.hear().await), [5]);
    assert!(matches!(viewer.wait_attached(5, SECOND).await, Err(ViewerError::Timeout(_))));
    let track = robot.track("data-ch-5").await;
    viewer.wait_attached(5, LIMIT).await.unwrap();
    track.send(0, b"x", 1);
    assert_eq!(viewer.next_message(LIMIT).await.unwrap().channel_id, 5);
}

#[tokio::test(start_paused = true)]
async fn p_153_the_message_starts_at_the_data_offset_and_bad_frames_are_dropped() {
    let (_server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.wait_channel("/a", LIMIT).await.unwrap();
    viewer.subscribe([1]).unwrap();
    viewer.wait_attached(1, LIMIT).await.unwrap();
    let bad: [&'static [u8]; 4] = [b"", b"\0\0\x08\0\0\0\0", b"\0\0\x07\0\0\0\0\0abc", b"\0\0\x0c\0\0\0\0\0abc"];
    for frame in bad {
        track.send_raw(Bytes::from_static(frame), 1);
    }
    // Unknown flags, and a header of 12 bytes.
    track.send_raw(Bytes::from_static(b"\xff\xff\x0c\0\x2a\0\0\0????data"), 9);
    let message = viewer.next_message(LIMIT).await.unwrap();
    assert_eq!((message.via, &*message.payload), (Via::Track { sequence: 42 }, &b"data"[..]));
    assert_eq!((viewer.stats(1).malformed, viewer.stats(1).received), (4, 1));
    let malformed = |event: &Event| matches!(event, Event::MalformedTrackFrame { channel_id: 1, .. }).then_some(());
    viewer.find_event("a malformed frame", LIMIT, malformed).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn p_155_gaps_duplicates_and_late_frames_are_counted() {
    let (_server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.wait_channel("/a", LIMIT).await.unwrap();
    viewer.subscribe([1]).unwrap();
    viewer.wait_attached(1, LIMIT).await.unwrap();
    for sequence in [0, 1, 5, 3, 3, 6] {
        track.send(sequence, b"12", 1);
    }
    let mut sequences = Vec::new();
    for _ in 0..5 {
        let Via::Track { sequence } = viewer.next_message(LIMIT).await.unwrap().via else { panic!() };
        sequences.push(sequence);
    }
    assert_eq!(sequences, [0, 1, 5, 3, 6]);
    let stats = viewer.stats(1);
    assert_eq!((stats.received, stats.lost, stats.duplicates, stats.reordered, stats.bytes), (5, 2, 1, 1, 10));
}

#[tokio::test(start_paused = true)]
async fn a_track_is_read_again_when_its_sid_changes() {
    let (server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    viewer.wait_attached(1, LIMIT).await.unwrap();
    track.send(7, b"before", 1);
    assert_eq!(&*viewer.next_message(LIMIT).await.unwrap().payload, b"before");
    // The robot's transport takes the track away; it publishes anew, and its sequence starts again.
    assert!(server.lose_data_track("robot", "data-ch-1"));
    let again = robot.track("data-ch-1").await;
    viewer.wait_until("the second track", LIMIT, |_, _| viewer.stats(1).attached == 2).await.unwrap();
    again.send(0, b"after", 2);
    assert_eq!(&*viewer.next_message(LIMIT).await.unwrap().payload, b"after");
    let stats = viewer.stats(1);
    assert_eq!((stats.received, stats.lost, stats.reordered), (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn tracks_are_read_again_after_a_full_reconnect_of_the_viewer() {
    let (server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    viewer.wait_attached(1, LIMIT).await.unwrap();
    server.full_reconnect("viewer");
    let full = |event: &Event| matches!(event, Event::Reconnected { full: true }).then_some(());
    viewer.find_event("the reconnect", LIMIT, full).await.unwrap();
    assert!(matches!(viewer.wait_attached(1, SECOND).await, Err(ViewerError::Timeout(_))), "no session, no data");
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.wait_attached(1, LIMIT).await.unwrap();
    track.send(3, b"x", 1);
    assert_eq!(viewer.next_message(LIMIT).await.unwrap().channel_id, 1);
}

#[tokio::test(start_paused = true)]
async fn p_125_an_update_keeps_the_subscription() {
    let (_server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1]);
    viewer.wait_attached(1, LIMIT).await.unwrap();
    let mut update = lossy(1, "/a");
    update.metadata.insert("foxglove.videoFrameId".into(), "camera".into());
    robot.say(advertise(vec![update]));
    viewer.wait_until("the update", LIMIT, |p, _| !p.channels()[&1].metadata.is_empty()).await.unwrap();
    track.send(0, b"x", 1);
    viewer.next_message(LIMIT).await.unwrap();
    assert_eq!(viewer.stats(1).attached, 1);
    robot.assert_silence();
}

#[tokio::test(start_paused = true)]
async fn unsubscribing_stops_reading_but_not_what_another_subscription_means() {
    let (_server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a"), reliable(2, "/b")]).await;
    viewer.subscribe(["/a", "/b"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1, 2]);
    viewer.subscribe([2]).unwrap();
    viewer.wait_attached(1, LIMIT).await.unwrap();
    assert_eq!(viewer.unsubscribe(["/a", "/b"]).unwrap(), [1], "2 is still wanted by its id");
    assert_eq!(robot.hear().await, FromViewer::Unsubscribe { channel_ids: vec![1] });
    track.send(0, b"late", 1);
    robot.say(data(2, 1, b"b"));
    assert_eq!(viewer.next_message(LIMIT).await.unwrap().channel_id, 2);
    assert!(matches!(viewer.next_message(SECOND).await, Err(ViewerError::Timeout(_))));
    // Advertised again, it is not asked for again.
    robot.say(advertise(vec![lossy(1, "/a"), lossy(3, "/c")]));
    viewer.wait_channel("/c", LIMIT).await.unwrap();
    robot.assert_silence();
    assert_eq!(viewer.subscribe(["/a"]).unwrap(), [1]);
    viewer.wait_attached(1, LIMIT).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_goes_and_comes_back_is_subscribed_again() {
    let (_server, mut robot, viewer) = scene().await;
    robot.greet(vec![reliable(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1]);
    robot.say(ToViewer::Unadvertise { channel_ids: vec![1] });
    robot.say(data(1, 1, b"ghost"));
    robot.say(advertise(vec![reliable(2, "/a")]));
    assert_eq!(subscribed(robot.hear().await), [2]);
    assert_eq!((viewer.totals().unknown_channel, viewer.waiting_messages()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn p_7_the_track_alone_can_be_read_without_a_subscription() {
    let (_server, mut robot, viewer) = scene().await;
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.wait_channel("/a", LIMIT).await.unwrap();
    viewer.attach(1);
    viewer.wait_attached(1, LIMIT).await.unwrap();
    track.send(0, b"x", 1);
    assert_eq!(viewer.next_message(LIMIT).await.unwrap().channel_id, 1);
    robot.assert_silence();
}

#[tokio::test(start_paused = true)]
async fn the_oldest_waiting_messages_are_dropped_and_counted() {
    let (_server, mut robot, viewer) = scene_with(ViewerOptions { message_limit: 3, ..Default::default() }).await;
    robot.greet(vec![reliable(1, "/a")]).await;
    for n in 0..10 {
        robot.say(data(1, n, b"x"));
    }
    robot.say(advertise(vec![reliable(2, "/end")]));
    viewer.wait_channel("/end", LIMIT).await.unwrap();
    assert_eq!((viewer.totals().messages_dropped, viewer.stats(1).received), (7, 10));
    for n in 7..10 {
        assert_eq!(viewer.next_message(LIMIT).await.unwrap().log_time, n);
    }
}

#[tokio::test(start_paused = true)]
async fn with_back_pressure_nothing_is_dropped_and_the_stream_waits() {
    let options = ViewerOptions { message_limit: 3, overflow: Overflow::Wait, ..Default::default() };
    let (_server, mut robot, viewer) = scene_with(options).await;
    robot.greet(vec![reliable(1, "/a")]).await;
    for n in 0..10 {
        robot.say(data(1, n, b"x"));
    }
    robot.say(advertise(vec![reliable(2, "/end")]));
    assert!(matches!(viewer.wait_channel("/end", SECOND).await, Err(ViewerError::Timeout(_))));
    assert_eq!(viewer.waiting_messages(), 3);
    for n in 0..10 {
        assert_eq!(viewer.next_message(LIMIT).await.unwrap().log_time, n);
    }
    viewer.wait_channel("/end", LIMIT).await.unwrap();
    assert_eq!(viewer.totals().messages_dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_channels_are_asked_for_in_one_message() {
    let (_server, mut robot, viewer) = scene().await;
    viewer.subscribe([Selector::All]).unwrap();
    robot.greet((1..=1000).map(|id| reliable(id, &format!("/{id}"))).collect()).await;
    assert_eq!(subscribed(robot.hear().await).len(), 1000);
    robot.say(ToViewer::Unadvertise { channel_ids: (1..=1000).collect() });
    viewer.wait_until("all to go", LIMIT, |p, _| p.channels().is_empty()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn losses_of_the_room_show_as_gaps() {
    let (server, mut robot, viewer) = scene().await;
    server.set_loss("robot", "viewer", 0.2);
    let track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    viewer.wait_attached(1, LIMIT).await.unwrap();
    for sequence in 0..500 {
        track.send(sequence, b"x", 1);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.set_loss("robot", "viewer", 0.0);
    track.send(500, b"last", 1);
    while &*viewer.next_message(LIMIT).await.unwrap().payload != b"last" {}
    let stats = viewer.stats(1);
    assert!((50..150).contains(&stats.lost), "{}", stats.lost);
    // Frames lost before the first one that came are not known to the viewer.
    assert!(stats.received + stats.lost <= 501 && stats.received + server.frames_lost() == 501);
}

#[tokio::test(start_paused = true)]
async fn p_131_a_track_of_a_reliable_channel_is_not_read() {
    let (_server, mut robot, viewer) = scene().await;
    let _track = robot.track("data-ch-1").await;
    robot.greet(vec![reliable(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    assert_eq!(subscribed(robot.hear().await), [1]);
    assert!(matches!(viewer.wait_attached(1, SECOND).await, Err(ViewerError::Timeout(_))));
}

#[tokio::test(start_paused = true)]
async fn a_track_published_anew_before_the_old_one_is_gone_is_read_instead() {
    let (server, mut robot, viewer) = scene().await;
    let _track = robot.track("data-ch-1").await;
    robot.greet(vec![lossy(1, "/a")]).await;
    viewer.subscribe(["/a"]).unwrap();
    viewer.wait_attached(1, LIMIT).await.unwrap();
    let anew = RemoteDataTrack { sid: "DTR_anew".into(), name: "data-ch-1".into(), publisher: "robot".into() };
    server.inject("viewer", RoomEvent::DataTrackPublished(anew));
    // The memory room knows no such track, which shows that the viewer asked for it.
    let failed = |event: &Event| match event {
        Event::TrackFailed { channel_id: 1, error } => Some(error.clone()),
        _ => None,
    };
    let error = viewer.find_event("the failure", LIMIT, failed).await.unwrap();
    assert_eq!(error, RoomError::NoSuchTrack("data-ch-1".into()));
    // It does not ask for ever.
    let mut attempts = 1;
    while viewer.find_event("another", 10 * SECOND, failed).await.is_ok() {
        attempts += 1;
    }
    assert_eq!(attempts, 10);
}
