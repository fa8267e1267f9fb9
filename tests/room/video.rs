//! Video tracks of the memory room, and their faults.

use std::sync::Arc;
use std::time::Duration;

use telelink::room::memory::{Gate, TrackAction};
use telelink::room::{
    EncodedPicture, PublishError, RemoteVideoTrack, RoomError, RoomEvent, VideoCodec, VideoEncoder, VideoPicture,
    VideoTrack, VideoTrackOptions,
};

use crate::stage::{join, soon, Member};
use crate::{pair, waiting_events, Memory};

const NAME: &str = "video-ch-1";

fn options() -> VideoTrackOptions {
    let (codec, encoder) = (VideoCodec::H264, VideoEncoder::Auto);
    VideoTrackOptions { codec, encoder, limits: None, encoded: false, size: (16, 16), capture_times: true }
}

async fn publish(robot: &Member) -> Arc<dyn VideoTrack> {
    robot.room.publish_video_track(NAME, &options()).await.expect("publishes")
}

async fn seen(viewer: &mut Member) -> RemoteVideoTrack {
    let search = async {
        loop {
            if let RoomEvent::VideoTrackPublished(track) = viewer.events.recv().await.expect("events go on") {
                return track;
            }
        }
    };
    soon("the video track", search).await
}

fn capture(track: &dyn VideoTrack, level: u8) -> Result<(), RoomError> {
    track.capture(&VideoPicture { width: 16, height: 16, data: &[level; 384], timestamp_us: i64::from(level) })
}

fn actions(server: &Memory) -> Vec<TrackAction> {
    server.track_log().into_iter().filter(|entry| entry.name == NAME).map(|entry| entry.action).collect()
}

#[tokio::test(start_paused = true)]
async fn a_viewer_sees_what_is_captured_the_newest_first_to_stay() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let track = publish(&robot).await;
    assert!(capture(&*track, 1).is_ok(), "nobody watches");
    let remote = seen(&mut viewer).await;
    assert_eq!((remote.name.as_str(), remote.publisher.as_str(), &remote.sid), (NAME, "robot", &track.sid()));
    let mut frames = viewer.room.subscribe_video_track(&remote, 2).await.expect("subscribes");
    for level in 2..=5 {
        capture(&*track, level).expect("taken");
    }
    assert_eq!(frames.dropped(), 2);
    for level in [4, 5] {
        let frame = soon("a picture", frames.recv()).await.expect("a picture");
        assert_eq!((frame.width, frame.height, frame.data[0]), (16, 16, level));
        assert_eq!(frame.capture_time_us, Some(u64::from(level)));
    }
    let stats = track.stats().await.expect("measured");
    assert_eq!((stats.frames_encoded, stats.encoder.as_str()), (5, "memory"));
    let wrong = VideoPicture { width: 16, height: 18, data: &[0; 384], timestamp_us: 0 };
    assert!(track.capture(&wrong).is_err());
    track.unpublish().await;
    assert_eq!(soon("the end", frames.recv()).await, None);
    assert!(matches!(capture(&*track, 6), Err(RoomError::NoSuchTrack(_))));
    drop(track);
    assert_eq!(actions(&server), [TrackAction::Published, TrackAction::Unpublished], "once");
}

#[tokio::test(start_paused = true)]
async fn dropping_an_attempt_or_a_track_leaves_nothing() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    server.shut(Gate::PublishVideo, "robot");
    let attempt = tokio::spawn(robot.room.publish_video_track(NAME, &options()));
    soon("the publication at the gate", server.until_waiting(Gate::PublishVideo, "robot", 1)).await;
    attempt.abort();
    let _ = attempt.await;
    server.open(Gate::PublishVideo, "robot");
    assert_eq!(actions(&server), []);
    drop(publish(&robot).await);
    assert_eq!(actions(&server), [TrackAction::Published, TrackAction::Unpublished]);
}

#[tokio::test(start_paused = true)]
async fn publications_and_captures_fail_as_told() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    server.fail_next_video_publish("robot", PublishError::Room(RoomError::Transport("no".into())));
    let refused = robot.room.publish_video_track(NAME, &options()).await;
    assert_eq!(refused.err(), Some(PublishError::Room(RoomError::Transport("no".into()))));
    let token = server.0.token("yard", "mute").without_publishing().build();
    let mute = server.0.connector().join(crate::stage::request(&server, token)).await.expect("joins");
    assert_eq!(mute.room.publish_video_track(NAME, &options()).await.err(), Some(PublishError::NotAllowed));
    let track = publish(&robot).await;
    server.fail_captures("robot", 2);
    assert!(capture(&*track, 1).is_err() && capture(&*track, 2).is_err() && capture(&*track, 3).is_ok());
    waiting_events(&mut robot);
    waiting_events(&mut viewer);
    assert!(!server.lose_video_track("robot", "video-ch-2"));
    assert!(server.lose_video_track("robot", NAME));
    assert_eq!(waiting_events(&mut robot), [format!("lost video {NAME}")]);
    assert!(waiting_events(&mut viewer)[0].starts_with("no video TR_"));
}

#[tokio::test(start_paused = true)]
async fn s_275_a_full_reconnect_renews_the_track_or_forgets_it() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    let track = publish(&robot).await;
    let remote = seen(&mut viewer).await;
    let mut frames = viewer.room.subscribe_video_track(&remote, 2).await.expect("subscribes");
    waiting_events(&mut robot);
    server.full_reconnect("robot");
    let renewed = track.sid();
    assert_ne!(renewed, remote.sid);
    let last = waiting_events(&mut robot).pop();
    assert_eq!(last, Some(format!("renewed {NAME} {} {renewed}", remote.sid)));
    assert_eq!(soon("the end", frames.recv()).await, None, "who watched has to subscribe again");
    assert_eq!(seen(&mut viewer).await.sid, renewed);
    robot.room.unpublish_video_track(&remote.sid).await;
    assert!(capture(&*track, 1).is_ok(), "that was the old one");
    robot.room.unpublish_video_track(&renewed).await;
    assert!(capture(&*track, 1).is_err());
    let track = publish(&robot).await;
    server.set_reconnect_forgets_video(true);
    server.full_reconnect("robot");
    assert!(capture(&*track, 1).is_err());
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_hears_of_the_track_and_asks_for_a_key_frame() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    let encoded = VideoTrackOptions { encoded: true, ..options() };
    let track = robot.room.publish_video_track(NAME, &encoded).await.expect("publishes");
    assert_eq!(server.video_options("robot", NAME), Some(encoded));
    assert!(track.take_key_frame_request() && !track.take_key_frame_request());
    let mut late = join(&server, "yard", "late").await;
    let remote = seen(&mut late).await;
    let mut frames = late.room.subscribe_video_track(&remote, 2).await.expect("subscribes");
    assert!(track.take_key_frame_request());
    let picture = EncodedPicture { width: 64, height: 48, data: b"unit", key_frame: true, timestamp_us: 7 };
    assert_eq!(track.capture_encoded(&picture), Ok(true));
    assert_eq!(soon("a picture", frames.recv()).await.expect("a picture").data, b"unit");
    let unknown = RemoteVideoTrack { sid: "TR_none".into(), ..remote };
    assert!(matches!(late.room.subscribe_video_track(&unknown, 2).await, Err(RoomError::NoSuchTrack(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_encoder_blocks_who_captures_until_it_is_let_go() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    let track = publish(&robot).await;
    server.shut(Gate::Capture, NAME);
    let capturing = tokio::task::spawn_blocking(move || capture(&*track, 1));
    soon("the picture at the gate", server.until_waiting(Gate::Capture, NAME, 1)).await;
    assert!(!capturing.is_finished());
    server.open(Gate::Capture, NAME);
    tokio::time::timeout(Duration::from_secs(60), capturing).await.expect("goes on").expect("ends").expect("taken");
}
