//! Video tracks over a real server: published, decoded by a viewer, renewed, taken back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use telelink::room::{
    EncodedPicture, Joined, RemoteVideoTrack, RoomEvent, Scenario, Sid, VideoCodec, VideoEncoder, VideoFrame,
    VideoPicture, VideoReceiver, VideoTrack, VideoTrackOptions,
};

use crate::rig::{event, room_name, shared, Rig, LIMIT};
use crate::support::{within, TokenOptions};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;

fn options(codec: VideoCodec) -> VideoTrackOptions {
    VideoTrackOptions {
        codec,
        encoder: VideoEncoder::Auto,
        limits: None,
        encoded: false,
        size: (WIDTH, HEIGHT),
        capture_times: true,
    }
}

/// A picture of one colour.
fn plain(y: u8, u: u8, v: u8) -> Vec<u8> {
    let luma = (WIDTH * HEIGHT) as usize;
    let mut data = vec![y; luma];
    data.resize(luma + luma / 4, u);
    data.resize(luma + luma / 2, v);
    data
}

/// Pictures at 30 per second until stopped, on a thread as a session has them.
struct Camera {
    stop: Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    fn start(track: &Arc<dyn VideoTrack>, data: Vec<u8>) -> Self {
        let (stop, track) = (Arc::<std::sync::atomic::AtomicBool>::default(), track.clone());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                let timestamp_us = now_us();
                let picture = VideoPicture { width: WIDTH, height: HEIGHT, data: &data, timestamp_us };
                // Fails after the end of the track, which some tests bring about.
                let _ = track.capture(&picture);
                std::thread::sleep(Duration::from_millis(33));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_micros()).expect("before the year 292,277")
}

async fn remote(viewer: &mut Joined, name: &str) -> RemoteVideoTrack {
    event(viewer, "the video track", |event| match event {
        RoomEvent::VideoTrackPublished(track) if track.name == name => Some(track),
        _ => None,
    })
    .await
}

async fn gone(viewer: &mut Joined, sid: &Sid) {
    event(viewer, "the end of the video track", |event| match event {
        RoomEvent::VideoTrackUnpublished { sid: gone } if gone == *sid => Some(()),
        _ => None,
    })
    .await;
}

/// The first picture that `wanted` takes.
async fn picture(frames: &mut VideoReceiver, wanted: impl Fn(&VideoFrame) -> bool) -> VideoFrame {
    within("a picture", LIMIT, async {
        loop {
            let frame = frames.recv().await.expect("the pictures go on");
            if wanted(&frame) {
                return frame;
            }
        }
    })
    .await
}

/// Means of the three planes.
fn colour(frame: &VideoFrame) -> [f64; 3] {
    let luma = (frame.width * frame.height) as usize;
    let mean = |plane: &[u8]| plane.iter().map(|&b| f64::from(b)).sum::<f64>() / plane.len() as f64;
    let chroma = (frame.width.div_ceil(2) * frame.height.div_ceil(2)) as usize;
    [mean(&frame.data[..luma]), mean(&frame.data[luma..luma + chroma]), mean(&frame.data[luma + chroma..])]
}

pub async fn a_viewer_sees_what_was_captured_and_when(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video");
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let (robot, mut viewer) = (rig.join(&room, "robot").await, rig.join(&room, "viewer").await);
        let track = robot.room.publish_video_track("video-ch-7", &options(codec)).await.expect("publishes");
        let _camera = Camera::start(&track, plain(120, 90, 170));
        let seen = remote(&mut viewer, "video-ch-7").await;
        assert_eq!((&seen.sid, seen.publisher.as_str()), (&track.sid(), "robot"));
        let mut frames = viewer.room.subscribe_video_track(&seen, 4).await.expect("subscribes");
        // The first pictures are coarse; the encoder gets there, or the test runs out of time.
        let right =
            |frame: &VideoFrame| colour(frame).iter().zip([120.0, 90.0, 170.0]).all(|(a, b)| (a - b).abs() < 2.0);
        picture(&mut frames, |frame| (frame.width, frame.height) == (WIDTH, HEIGHT) && right(frame)).await;
        let frame = picture(&mut frames, |frame| frame.capture_time_us.is_some()).await;
        let age = now_us() - i64::try_from(frame.capture_time_us.unwrap()).unwrap();
        assert!((0..10_000_000).contains(&age), "{age} µs old");
        let stats = within("the encoder's name", LIMIT, async {
            loop {
                let stats = track.stats().await.expect("measured");
                if !stats.encoder.is_empty() && stats.frames_encoded > 0 {
                    return stats;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        let known = if codec == VideoCodec::H264 { "OpenH264" } else { "libvpx" };
        assert!(stats.encoder.contains(known) || stats.hardware, "{stats:?}");
        assert!(stats.bytes_sent > 0 && stats.key_frames > 0, "{stats:?}");
        track.unpublish().await;
        gone(&mut viewer, &seen.sid).await;
        robot.room.close().await;
    }
}

pub async fn dropping_a_track_unpublishes_it_and_it_comes_back(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video-again");
    let (robot, mut viewer) = (rig.join(&room, "robot").await, rig.join(&room, "viewer").await);
    let mut sids = Vec::new();
    for _ in 0..3 {
        let track = robot.room.publish_video_track("video-ch-1", &options(VideoCodec::H264)).await.expect("publishes");
        let seen = remote(&mut viewer, "video-ch-1").await;
        drop(track);
        gone(&mut viewer, &seen.sid).await;
        sids.push(seen.sid);
    }
    sids.dedup();
    assert_eq!(sids.len(), 3, "each publication has its own SID");
}

pub async fn an_abandoned_publication_is_taken_back(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video-abandoned");
    let (robot, mut viewer) = (rig.join(&room, "robot").await, rig.join(&room, "viewer").await);
    let publish = robot.room.publish_video_track("video-ch-1", &options(VideoCodec::H264));
    assert!(publish.now_or_never().is_none(), "a publication takes longer");
    let track = robot.room.publish_video_track("video-ch-2", &options(VideoCodec::H264)).await.expect("publishes");
    let _camera = Camera::start(&track, plain(60, 128, 128));
    // A server announces a track with its first packet: one that is taken back before that is never seen.
    let mut abandoned = None;
    let wanted = event(&mut viewer, "the wanted track", |event| match event {
        RoomEvent::VideoTrackPublished(track) if track.name == "video-ch-2" => Some(track),
        RoomEvent::VideoTrackPublished(track) => {
            abandoned = Some(track.sid);
            None
        }
        RoomEvent::VideoTrackUnpublished { sid } => {
            abandoned.take_if(|abandoned| *abandoned == sid);
            None
        }
        _ => None,
    })
    .await;
    if let Some(sid) = abandoned {
        gone(&mut viewer, &sid).await;
    }
    let mut frames = viewer.room.subscribe_video_track(&wanted, 2).await.expect("subscribes");
    picture(&mut frames, |frame| (colour(frame)[0] - 60.0).abs() < 4.0).await;
    // Who comes later is told of all there is.
    let mut late = rig.join(&room, "late").await;
    event(&mut late, "the wanted track", |event| match event {
        RoomEvent::VideoTrackPublished(track) if track.name == "video-ch-1" => panic!("{track:?} is still there"),
        RoomEvent::VideoTrackPublished(track) => Some(track),
        _ => None,
    })
    .await;
}

pub async fn s_275_a_full_reconnect_renews_the_track(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video-renewed");
    let (mut robot, mut viewer) = (rig.join(&room, "robot").await, rig.join(&room, "viewer").await);
    let track = robot.room.publish_video_track("video-ch-1", &options(VideoCodec::H264)).await.expect("publishes");
    let _camera = Camera::start(&track, plain(60, 128, 128));
    let first = remote(&mut viewer, "video-ch-1").await;
    robot.room.simulate(Scenario::FullReconnect).await.expect("reconnects");
    let renewed = event(&mut robot, "the new SID", |event| match event {
        RoomEvent::LocalVideoTrackRepublished { name, previous, sid } => Some((name, previous, sid)),
        RoomEvent::LocalVideoTrackLost { .. } => panic!("a renewed track is not lost"),
        _ => None,
    })
    .await;
    assert_eq!((renewed.0.as_str(), &renewed.1), ("video-ch-1", &first.sid));
    assert_eq!(track.sid(), renewed.2);
    let second = event(&mut viewer, "the renewed track", |event| match event {
        RoomEvent::VideoTrackPublished(track) if track.sid == renewed.2 => Some(track),
        _ => None,
    })
    .await;
    let mut frames = viewer.room.subscribe_video_track(&second, 2).await.expect("subscribes");
    picture(&mut frames, |frame| (colour(frame)[0] - 60.0).abs() < 4.0).await;
    track.unpublish().await;
    gone(&mut viewer, &second.sid).await;
}

pub async fn a_publication_that_no_track_stands_for_can_be_taken_back(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video-orphan");
    let (robot, mut viewer) = (rig.join(&room, "robot").await, rig.join(&room, "viewer").await);
    let track = robot.room.publish_video_track("video-ch-1", &options(VideoCodec::H264)).await.expect("publishes");
    let seen = remote(&mut viewer, "video-ch-1").await;
    robot.room.unpublish_video_track(&track.sid()).await;
    gone(&mut viewer, &seen.sid).await;
    robot.room.unpublish_video_track(&"TR_unknown".into()).await;
}

pub async fn pictures_with_times_that_stand_still_or_jump_are_shown(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video-times");
    let (robot, mut viewer) = (rig.join(&room, "robot").await, rig.join(&room, "viewer").await);
    let track = robot.room.publish_video_track("video-ch-1", &options(VideoCodec::H264)).await.expect("publishes");
    let seen = remote(&mut viewer, "video-ch-1").await;
    let mut frames = viewer.room.subscribe_video_track(&seen, 2).await.expect("subscribes");
    // All zero, as drivers without a clock send; then the present; then a bag of last year played again.
    for (times, y) in [([0_i64; 3], 50_u8), ([now_us(); 3], 120), ([1_600_000_000_000_000; 3], 200)] {
        let data = plain(y, 128, 128);
        let shown = within("the colour", LIMIT, async {
            loop {
                for timestamp_us in times {
                    track
                        .capture(&VideoPicture { width: WIDTH, height: HEIGHT, data: &data, timestamp_us })
                        .expect("taken");
                }
                let next = tokio::time::timeout(Duration::from_millis(50), frames.recv()).await;
                if let Ok(Some(frame)) = next {
                    if (colour(&frame)[0] - f64::from(y)).abs() < 4.0 {
                        return true;
                    }
                }
            }
        });
        assert!(shown.await);
    }
}

pub async fn wrong_pictures_and_tokens_are_refused(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video-wrong");
    let robot = rig.join(&room, "robot").await;
    let track = robot.room.publish_video_track("video-ch-1", &options(VideoCodec::H264)).await.expect("publishes");
    let data = plain(1, 2, 3);
    for (width, height) in [(0, 0), (WIDTH - 1, HEIGHT), (WIDTH + 2, HEIGHT), (16, 16)] {
        assert!(track.capture(&VideoPicture { width, height, data: &data, timestamp_us: 0 }).is_err());
    }
    robot.room.close().await;
    assert!(track.capture(&VideoPicture { width: WIDTH, height: HEIGHT, data: &data, timestamp_us: 0 }).is_err());
    let mute = TokenOptions { can_publish: false, ..TokenOptions::default() };
    let mute = rig.join_with(&room, "mute", &mute).await;
    assert!(mute.room.publish_video_track("video-ch-1", &options(VideoCodec::H264)).await.is_err());
}

/// A key frame of 128×96 pixels of one colour, in H.264 without compression: every macroblock is I_PCM.
fn uncompressed_h264(y: u8, u: u8, v: u8) -> Vec<u8> {
    const SEQUENCE: [u8; 11] = [0, 0, 0, 1, 0x67, 0x42, 0x00, 0x0a, 0xf8, 0x41, 0xa2];
    const PICTURE: [u8; 8] = [0, 0, 0, 1, 0x68, 0xce, 0x38, 0x80];
    const SLICE: [u8; 9] = [0, 0, 0, 1, 0x65, 0x88, 0x84, 0x08, 0x68];
    const NEXT_BLOCK: [u8; 2] = [0x0d, 0x00];
    assert!([y, u, v].iter().all(|&byte| byte > 3), "no bytes that would have to be escaped");
    let mut unit = [&SEQUENCE[..], &PICTURE, &SLICE].concat();
    for block in 0..(128 / 16) * (96 / 16) {
        if block > 0 {
            unit.extend(NEXT_BLOCK);
        }
        unit.extend([y; 256]);
        unit.extend([u; 64]);
        unit.extend([v; 64]);
    }
    unit.push(0x80);
    unit
}

pub async fn pictures_that_come_encoded_pass_through(rig: &Rig) {
    let _turn = shared().await;
    let room = room_name("video-encoded");
    let (robot, mut viewer) = (rig.join(&room, "robot").await, rig.join(&room, "viewer").await);
    let options = VideoTrackOptions { encoded: true, size: (128, 96), ..options(VideoCodec::H264) };
    let track = robot.room.publish_video_track("video-ch-1", &options).await.expect("publishes");
    let seen = remote(&mut viewer, "video-ch-1").await;
    let mut frames = viewer.room.subscribe_video_track(&seen, 2).await.expect("subscribes");
    let unit = uncompressed_h264(90, 150, 110);
    let sending = async {
        loop {
            let picture =
                EncodedPicture { width: 128, height: 96, data: &unit, key_frame: true, timestamp_us: now_us() };
            track.capture_encoded(&picture).expect("the track is there");
            track.take_key_frame_request();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let watching = picture(&mut frames, |frame| {
        (frame.width, frame.height) == (128, 96)
            && colour(frame).iter().zip([90.0, 150.0, 110.0]).all(|(a, b)| (a - b).abs() < 1.0)
    });
    tokio::select! {
        () = sending => {}
        _ = watching => {}
    }
}
