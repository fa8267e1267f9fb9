//! Faults of data tracks.

use std::sync::Arc;
use std::time::Duration;

use telelink::room::memory::{FrameSlot, Gate, TrackAction};
use telelink::room::{DataTrack, DropCause, FrameReceiver, PublishError, RoomError};
use tokio::time::Instant;

use crate::stage::{join, soon, Member};
use crate::{pair, waiting_events, Memory};

/// A track of the robot and the viewer's subscription to it.
async fn subscribed(
    robot: &Member,
    viewer: &mut Member,
    name: &str,
    buffer: usize,
) -> (Arc<FrameSlot>, Arc<dyn DataTrack>, FrameReceiver) {
    let slot = Arc::new(FrameSlot::new());
    let track = robot.room.publish_data_track(name, slot.clone()).await.expect("publishes");
    let remote = viewer.track(name).await;
    let frames = viewer.room.subscribe_data_track(&remote, buffer).expect("subscribes");
    (slot, track, frames)
}

/// Puts a frame in and waits until the pacer has taken it.
async fn send(slot: &FrameSlot, track: &dyn DataTrack, n: u64) {
    slot.put("x", n);
    track.notify();
    while slot.is_full() {
        tokio::task::yield_now().await;
    }
}

async fn stamps(frames: &mut FrameReceiver, count: usize) -> Vec<u64> {
    let mut stamps = Vec::new();
    for _ in 0..count {
        stamps.push(soon("a frame", frames.recv()).await.expect("a frame").user_timestamp);
    }
    stamps
}

fn actions(server: &Memory) -> Vec<(String, TrackAction)> {
    server.track_log().into_iter().map(|entry| (entry.name, entry.action)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_publication_waits_at_its_gate() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    server.shut(Gate::Publish, "robot");
    let publish = tokio::spawn(robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new())));
    soon("the publication at the gate", server.until_waiting(Gate::Publish, "robot", 1)).await;
    assert!(actions(&server).is_empty());
    server.open(Gate::Publish, "robot");
    let track = soon("the publication", publish).await.unwrap().expect("publishes");
    assert_eq!(actions(&server), [("/imu".into(), TrackAction::Published)]);
    drop(track);
    assert_eq!(actions(&server)[1..], [("/imu".into(), TrackAction::Unpublished)]);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_publication_leaves_nothing() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    server.shut(Gate::Publish, "robot");
    let publish = tokio::spawn(robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new())));
    soon("the publication at the gate", server.until_waiting(Gate::Publish, "robot", 1)).await;
    publish.abort();
    let _ = publish.await;
    server.open(Gate::Publish, "robot");
    let again = robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new())).await;
    assert!(again.is_ok(), "the name was never taken");
    assert_eq!(server.track_log().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn publications_fail_as_told() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    let publish = || robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new()));
    server.fail_next_publish("robot", PublishError::NameInUse("/imu".into()));
    server.fail_next_publish("robot", PublishError::Room(RoomError::Transport("no".into())));
    assert_eq!(publish().await.err(), Some(PublishError::NameInUse("/imu".into())));
    assert_eq!(publish().await.err(), Some(PublishError::Room(RoomError::Transport("no".into()))));
    assert!(publish().await.is_ok());
    let token = server.0.token("yard", "mute").without_publishing().build();
    let mute = server.0.connector().join(crate::stage::request(&server, token)).await.expect("joins");
    let refused = mute.room.publish_data_track("/imu", Arc::new(FrameSlot::new())).await;
    assert_eq!(refused.err(), Some(PublishError::NotAllowed));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_free_only_when_unpublishing_is_done() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let (slot, track, mut frames) = subscribed(&robot, &mut viewer, "/imu", 8).await;
    server.set_unpublish_delay(Duration::from_secs(2));
    server.shut(Gate::Unpublish, "robot");
    let unpublish = tokio::spawn(track.unpublish());
    soon("the end at its gate", server.until_waiting(Gate::Unpublish, "robot", 1)).await;
    let publish = || robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new()));
    assert_eq!(publish().await.err(), Some(PublishError::NameInUse("/imu".into())));
    send(&slot, &*track, 1).await;
    soon("the refused frame", async {
        while slot.dropped().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(slot.dropped(), [DropCause::NotPublished]);
    assert_eq!(waiting_events(&mut viewer), Vec::<String>::new(), "not told before it is done");
    let start = Instant::now();
    server.open(Gate::Unpublish, "robot");
    soon("the end", unpublish).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(soon("the end of the frames", frames.recv()).await, None);
    assert!(publish().await.is_ok());
    // The old object has nothing more to unpublish.
    drop(track);
    assert_eq!(actions(&server).iter().filter(|(_, action)| *action == TrackAction::Unpublished).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn frames_are_taken_in_turn_and_spaced() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let (a, a_track, mut a_frames) = subscribed(&robot, &mut viewer, "/a", 8).await;
    let (b, b_track, mut b_frames) = subscribed(&robot, &mut viewer, "/b", 8).await;
    server.set_frame_spacing(Duration::from_millis(10));
    let start = Instant::now();
    for n in 1..=3 {
        a.put("a", n);
        b.put("b", n);
        a_track.notify();
        b_track.notify();
        b_track.notify();
    }
    // Only the newest waited: a first, then b.
    assert_eq!((a.overwritten(), b.overwritten()), (2, 2));
    assert_eq!(stamps(&mut a_frames, 1).await, [3]);
    assert_eq!(start.elapsed(), Duration::ZERO, "the first after idle goes at once");
    assert_eq!(stamps(&mut b_frames, 1).await, [3]);
    assert_eq!(start.elapsed(), Duration::from_millis(10));
    assert_eq!(robot.room.stats().await.unwrap().pacer_spacing_us, Some(10_000));
    assert_eq!(robot.room.stats().await.unwrap().data_frames_pushed, 2);
}

#[tokio::test(start_paused = true)]
async fn loss_is_seeded_counted_and_per_link() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let server = Memory::new();
        let (robot, mut viewer) = pair(&server).await;
        let mut lucky = join(&server, "yard", "lucky").await;
        server.set_loss_everywhere(1.0);
        server.set_loss("robot", "viewer", 0.3);
        server.set_loss("robot", "lucky", 0.0);
        server.set_loss_seed(seed);
        let (slot, track, mut frames) = subscribed(&robot, &mut viewer, "/imu", 4096).await;
        let remote = lucky.track("/imu").await;
        let mut all = lucky.room.subscribe_data_track(&remote, 4096).expect("subscribes");
        for n in 1..=1000 {
            send(&slot, &*track, n).await;
        }
        drop(track);
        let mut got = Vec::new();
        while let Some(frame) = soon("a frame", frames.recv()).await {
            got.push(frame.user_timestamp);
        }
        assert_eq!(got.len() as u64 + server.frames_lost(), 1000);
        assert!((640..760).contains(&got.len()), "{} of 1000 with 30 % loss", got.len());
        assert!(got.is_sorted());
        assert_eq!(stamps(&mut all, 1000).await, (1..=1000).collect::<Vec<_>>());
        runs.push(got);
    }
    assert_eq!(runs[0], runs[1], "the same seed loses the same frames");
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn frames_take_the_delay_of_their_link() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    server.set_delay("robot", "viewer", Duration::from_millis(150));
    let (slot, track, mut frames) = subscribed(&robot, &mut viewer, "/imu", 8).await;
    let start = Instant::now();
    send(&slot, &*track, 1).await;
    send(&slot, &*track, 2).await;
    assert_eq!(stamps(&mut frames, 2).await, [1, 2]);
    assert_eq!(start.elapsed(), Duration::from_millis(150));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_the_new_frames() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let (slot, track, mut frames) = subscribed(&robot, &mut viewer, "/imu", 2).await;
    for n in 1..=5 {
        send(&slot, &*track, n).await;
    }
    soon("three dropped", async {
        while frames.dropped() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(stamps(&mut frames, 2).await, [1, 2]);
    assert_eq!(frames.dropped(), 3);
}

/// S-225.
#[tokio::test(start_paused = true)]
async fn refused_frames_come_back_with_their_cause() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let (slot, track, mut frames) = subscribed(&robot, &mut viewer, "/imu", 8).await;
    server.refuse_frames("robot", 2, DropCause::TransportFull);
    for n in 1..=3 {
        send(&slot, &*track, n).await;
    }
    assert_eq!(stamps(&mut frames, 1).await, [3]);
    assert_eq!(slot.dropped(), [DropCause::TransportFull; 2]);
    let stats = robot.room.stats().await.unwrap();
    assert_eq!((stats.data_frames_refused, stats.data_frames_pushed), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_server_takes_a_track_away() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    let (slot, track, mut frames) = subscribed(&robot, &mut viewer, "/imu", 8).await;
    assert!(!server.lose_data_track("robot", "/none"));
    assert!(server.lose_data_track("robot", "/imu"));
    assert_eq!(waiting_events(&mut robot), ["lost /imu"]);
    assert!(waiting_events(&mut viewer)[0].starts_with("unpublished DTR_"));
    assert_eq!(soon("the end of the frames", frames.recv()).await, None);
    send(&slot, &*track, 1).await;
    let again = robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new())).await;
    assert!(again.is_ok(), "its name is free");
    assert_eq!(slot.dropped(), [DropCause::NotPublished]);
    // The old object must not take the new track with it.
    drop(track);
    assert_eq!(actions(&server).last(), Some(&("/imu".into(), TrackAction::Published)));
}

#[tokio::test(start_paused = true)]
async fn a_late_announcement_brings_its_tracks() {
    let server = Memory::new();
    server.set_announce_delay("yard", Duration::from_secs(3));
    let mut viewer = join(&server, "yard", "viewer").await;
    let robot = join(&server, "yard", "robot").await;
    let _track = robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new())).await.expect("publishes");
    assert_eq!(waiting_events(&mut viewer), Vec::<String>::new());
    viewer.active("robot").await;
    viewer.track("/imu").await;
}

#[tokio::test(start_paused = true)]
async fn a_leaver_takes_its_tracks_and_its_subscriptions() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let (slot, track, mut frames) = subscribed(&robot, &mut viewer, "/imu", 8).await;
    viewer.room.close().await;
    assert_eq!(soon("the end of the frames", frames.recv()).await, None);
    let mut second = join(&server, "yard", "second").await;
    second.track("/imu").await;
    robot.room.close().await;
    let events = waiting_events(&mut second);
    assert!(events[0].starts_with("unpublished") && events[1].starts_with("disconnected robot"), "{events:?}");
    slot.put("late", 1);
    track.notify();
    soon("nothing", track.unpublish()).await;
    assert!(slot.is_full(), "nobody takes frames for a room that was left");
}
