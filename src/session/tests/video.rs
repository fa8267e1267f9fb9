//! Pictures through the whole session, on the memory room, whose video tracks show what was captured as it was.
//!
//! Conversions run on real threads, so these tests run on the real clock and wait for conditions.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::context::{VideoFormat, VideoImage, VideoSource, VideoSourceKind, VideoSourceOptions};
use crate::protocol::data_track::{data_track_name, video_track_name};
use crate::protocol::schema::{HAS_VIDEO_TRACK_KEY, VIDEO_FRAME_ID_KEY, VIDEO_SOURCE_ENCODING_KEY};
use crate::protocol::ChannelAdvertisement;
use crate::room::memory::{Gate, TrackAction};
use crate::room::{PublishError, RoomError, VideoFrame, VideoReceiver};
use crate::video::{image_kind, Converter};

const LIMIT: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, wait: impl std::future::Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("no {what}"))
}

impl Viewer {
    fn ask_video(&self, id: u64) {
        self.say(&FromViewer::Subscribe { channels: vec![SubscribeChannel { id, request_video_track: true }] });
    }

    /// The video track of a channel, as soon as it is published.
    async fn video_track(&mut self, id: u64) -> RemoteVideoTrack {
        let name = video_track_name(id);
        let search = async {
            loop {
                if let Some(track) = self.videos.iter().find(|track| track.name == name) {
                    return track.clone();
                }
                let event = self.events.recv().await.expect("still in the room");
                self.event(event);
            }
        };
        soon("video track", search).await
    }

    async fn watch(&mut self, id: u64) -> VideoReceiver {
        self.ask_video(id);
        let track = self.video_track(id).await;
        // The track may be seen before the robot's owner has done all that the subscription takes.
        self.barrier().await;
        self.room.subscribe_video_track(&track, 64).await.unwrap()
    }

    /// The advertisements of a channel until one that `wanted` takes.
    async fn advertised(&mut self, id: u64, wanted: impl Fn(&ChannelAdvertisement) -> bool) -> ChannelAdvertisement {
        self.until(|message| match message {
            ToViewer::Advertise(advertise) => advertise.channels.into_iter().find(|c| c.id == id && wanted(c)),
            _ => None,
        })
        .await
    }
}

impl Stage {
    fn source(&self, topic: &str, kind: VideoSourceKind) -> VideoSource {
        let options = VideoSourceOptions { kind, frame_id: "front".into() };
        self.context.video_source(topic, options).unwrap()
    }

    async fn video_stats(&self, id: u64) -> VideoStats {
        let stats = self.stats().await;
        stats.channels.into_iter().find(|channel| channel.id == id).and_then(|channel| channel.video).expect("watched")
    }

    async fn until_counts(&self, id: u64, wanted: impl Fn(&VideoCounts) -> bool) -> VideoCounts {
        let wait = async {
            loop {
                let counts = self.video_stats(id).await.counts;
                if wanted(&counts) {
                    return counts;
                }
                tokio::task::yield_now().await;
            }
        };
        soon("such counts", wait).await
    }

    fn video_log(&self, id: u64) -> Vec<TrackAction> {
        let name = video_track_name(id);
        self.server.track_log().into_iter().filter(|entry| entry.name == name).map(|entry| entry.action).collect()
    }

    async fn until_video_log(&self, id: u64, expected: &[TrackAction]) {
        soon("such a history", self.server.until(|_| self.video_log(id) == expected)).await;
    }
}

fn id_of(source: &VideoSource) -> u64 {
    source.channel_ref().id().get()
}

fn grey(level: u8) -> Vec<u8> {
    vec![level; 32 * 24 * 3]
}

fn rgb(data: &[u8], time_ns: u64) -> VideoImage<'_> {
    VideoImage { format: VideoFormat::Rgb8, width: 32, height: 24, stride: 0, data, time_ns, key_frame: false }
}

fn h264(data: &[u8], key_frame: bool) -> VideoImage<'_> {
    VideoImage { format: VideoFormat::H264, width: 640, height: 480, stride: 0, data, time_ns: 9_000, key_frame }
}

async fn next(frames: &mut VideoReceiver) -> VideoFrame {
    soon("picture", frames.recv()).await.expect("the pictures go on")
}

/// Luma of a grey picture, BT.709 limited range.
fn luma(level: u8) -> u8 {
    (16.0 + f64::from(level) / 255.0 * 219.0).round() as u8
}

fn near(frame: &VideoFrame, y: u8) -> bool {
    frame.data[..(frame.width * frame.height) as usize].iter().all(|&got| got.abs_diff(y) <= 2)
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_a_source_are_seen_with_their_times_and_metadata() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    assert!(!source.is_wanted());
    let mut frames = viewer.watch(id).await;
    assert!(source.is_wanted());
    source.push(&rgb(&grey(90), 1_700_000_000_123_456_789)).unwrap();
    let frame = next(&mut frames).await;
    assert_eq!((frame.width, frame.height, frame.capture_time_us), (32, 24, Some(1_700_000_000_123_456)));
    assert!(near(&frame, luma(90)));
    let advertised = viewer.advertised(id, |c| c.metadata.contains_key(VIDEO_SOURCE_ENCODING_KEY)).await;
    assert_eq!(advertised.metadata[VIDEO_SOURCE_ENCODING_KEY], "rgb8");
    assert_eq!(advertised.metadata[VIDEO_FRAME_ID_KEY], "front");
    assert_eq!(advertised.metadata[HAS_VIDEO_TRACK_KEY], "true");
    // The viewer can see a picture before the thread that sent it has counted it.
    let counts = stage.until_counts(id, |counts| counts.sent == 1).await;
    assert_eq!((counts.frames_in, counts.converted), (1, 1));
    assert!(stage.video_stats(id).await.active);
    viewer.say(&FromViewer::Unsubscribe { channel_ids: vec![id] });
    stage.until_video_log(id, &[TrackAction::Published, TrackAction::Unpublished]).await;
    viewer.barrier().await;
    assert!(!source.is_wanted());
    source.push(&rgb(&grey(1), 0)).unwrap();
    assert_eq!(stage.video_stats(id).await.counts.frames_in, 1, "nobody watches");
    stage.finish().await;
}

/// S-89.
#[tokio::test(flavor = "multi_thread")]
async fn s_090_a_message_goes_both_ways() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let (mut watcher, mut reader) = (stage.viewer("watcher").await, stage.viewer("reader").await);
    let mut frames = watcher.watch(id).await;
    let track = loop {
        if let Some(track) = reader.tracks.iter().find(|track| track.name == data_track_name(id)) {
            break track.clone();
        }
        reader.barrier().await;
    };
    let mut data = reader.room.subscribe_data_track(&track, 8).unwrap();
    reader.say(&FromViewer::Subscribe { channels: vec![SubscribeChannel { id, request_video_track: false }] });
    reader.barrier().await;
    // Pictures that no message format has are told as one that it has.
    let mut planes = vec![100_u8; 33 * 25];
    planes.extend([90_u8; 17 * 13]);
    planes.extend([200_u8; 17 * 13]);
    let image = VideoImage {
        format: VideoFormat::I420,
        width: 33,
        height: 25,
        stride: 0,
        data: &planes,
        time_ns: 5_000_000_001,
        key_frame: false,
    };
    source.push(&image).unwrap();
    let frame = next(&mut frames).await;
    let message = soon("message", data.recv()).await.unwrap();
    assert_eq!(message.user_timestamp, 5_000_000_001);
    let kind = image_kind("protobuf", "foxglove.RawImage").unwrap();
    let converted = Converter::new().convert(kind, &message.payload[8..], 0).unwrap();
    assert_eq!((converted.metadata.source_encoding, &*converted.metadata.frame_id), ("nv12", "front"));
    assert_eq!(converted.timestamp_us, 5_000_000);
    assert_eq!((converted.frame.width(), converted.frame.height()), (32, 24));
    assert_eq!(converted.frame.data(), frame.data, "the same picture by both ways");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_become_video_and_what_cannot_be_shown_is_told_and_withdrawn() {
    let stage = Stage::new().await;
    let schema = crate::context::Schema {
        name: "foxglove.RawImage".into(),
        encoding: "jsonschema".into(),
        data: Bytes::from_static(b"{}"),
    };
    let channel = stage.context.channel("/camera").encoding("json").schema(schema).open().unwrap();
    let id = channel.id().get();
    let mut viewer = stage.viewer("ann").await;
    let mut frames = viewer.watch(id).await;
    let pixels = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![77_u8; 16 * 16]);
    let good = format!(
        r#"{{"timestamp":{{"sec":3,"nsec":7000}},"frame_id":"cam","width":16,"height":16,"encoding":"mono8","step":16,"data":"{pixels}"}}"#
    );
    channel.log(good.as_bytes()).unwrap();
    let frame = next(&mut frames).await;
    assert_eq!(frame.capture_time_us, Some(3_000_007));
    assert!(near(&frame, luma(77)));
    // One at a time, so that none pushes another out.
    for n in 1..=10 {
        channel.log(b"{no image").unwrap();
        stage.until_counts(id, |counts| counts.failed == n).await;
    }
    let text = viewer.status(StatusLevel::Warning).await;
    assert!(text.starts_with("The images on topic /camera cannot be shown as video: "), "{text}");
    channel.log(good.as_bytes()).unwrap();
    next(&mut frames).await;
    let removed = viewer.until(|message| match message {
        ToViewer::RemoveStatus { status_ids } => Some(status_ids),
        _ => None,
    });
    assert_eq!(removed.await, [format!("video-{id}")]);
    let counts = stage.until_counts(id, |counts| counts.sent == 2).await;
    assert_eq!((counts.frames_in, counts.converted, counts.failed), (12, 2, 10));
    stage.finish().await;
}

/// S-89.
#[tokio::test(flavor = "multi_thread")]
async fn s_237_a_stuck_encoder_delays_neither_log_nor_other_channels() {
    let stage = Stage::new().await;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut viewer = stage.viewer("ann").await;
    let stuck: Vec<VideoSource> =
        (0..=cores).map(|n| stage.source(&format!("/stuck/{n}"), VideoSourceKind::Pixels)).collect();
    let free = stage.source("/free", VideoSourceKind::Pixels);
    for source in &stuck {
        let id = id_of(source);
        stage.server.shut(Gate::Capture, &video_track_name(id));
        viewer.watch(id).await;
        source.push(&rgb(&grey(10), 0)).unwrap();
        stage.server.until_waiting(Gate::Capture, &video_track_name(id), 1).await;
    }
    // More encoders are stuck than there are cores, each with one picture at the gate; pushing goes on.
    for source in &stuck {
        for n in 0..50 {
            source.push(&rgb(&grey(n), 0)).unwrap();
        }
        let counts = stage.video_stats(id_of(source)).await.counts;
        assert_eq!((counts.frames_in, counts.overwritten, counts.sent), (51, 48, 0), "the newest two wait");
    }
    let mut frames = viewer.watch(id_of(&free)).await;
    for n in 1..=5_u8 {
        free.push(&rgb(&grey(n * 40), 0)).unwrap();
        assert!(near(&next(&mut frames).await, luma(n * 40)));
    }
    // One life ends while its encoder is stuck; the session's end waits for none.
    stuck[0].close();
    for source in &stuck[1..] {
        stage.server.open(Gate::Capture, &video_track_name(id_of(source)));
        stage.until_counts(id_of(source), |counts| counts.sent == 3).await;
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s_236_pictures_wait_for_the_track_and_nothing_is_converted_for_nobody() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    stage.server.shut(Gate::PublishVideo, "robot");
    viewer.ask_video(id);
    soon("publication", stage.server.until_waiting(Gate::PublishVideo, "robot", 1)).await;
    viewer.barrier().await;
    for n in 1..=5 {
        source.push(&rgb(&grey(n), 0)).unwrap();
    }
    let counts = stage.video_stats(id).await.counts;
    assert_eq!((counts.frames_in, counts.overwritten, counts.converted), (5, 3, 0));
    stage.server.open(Gate::PublishVideo, "robot");
    stage.until_counts(id, |counts| counts.sent == 2).await;
    stage.finish().await;
}

/// S-85.
#[tokio::test(flavor = "multi_thread")]
async fn s_088_a_channel_with_a_live_track_is_closed_by_a_thread_without_a_runtime() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    let mut frames = viewer.watch(id).await;
    std::thread::spawn(move || drop(source)).join().unwrap();
    stage.until_video_log(id, &[TrackAction::Published, TrackAction::Unpublished]).await;
    let gone = viewer.until(|message| match message {
        ToViewer::Unadvertise { channel_ids } => Some(channel_ids),
        _ => None,
    });
    assert_eq!(gone.await, [id]);
    assert_eq!(soon("end", frames.recv()).await, None);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_234_a_track_that_cannot_be_published_is_tried_again_and_told() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    for _ in 0..3 {
        stage.server.fail_next_video_publish("robot", PublishError::Room(RoomError::Transport("no".into())));
    }
    let before = tokio::time::Instant::now();
    viewer.ask_video(id);
    let text = viewer.status(StatusLevel::Warning).await;
    assert_eq!(text, "Video of topic /camera is not available: no");
    stage.until_video_log(id, &[TrackAction::Published]).await;
    assert_eq!(before.elapsed().as_millis() / 10, 70, "after 100, 200 and 400 ms");
    let removed = viewer.until(|message| match message {
        ToViewer::RemoveStatus { status_ids } => Some(status_ids),
        _ => None,
    });
    assert_eq!(removed.await, [format!("video-{id}")]);
    assert!(stage.server.lose_video_track("robot", &video_track_name(id)));
    stage.until_video_log(id, &[TrackAction::Published, TrackAction::Unpublished, TrackAction::Published]).await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_155_a_teardown_during_the_publication_takes_it_back() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    stage.server.shut(Gate::PublishVideo, "robot");
    viewer.ask_video(id);
    soon("publication", stage.server.until_waiting(Gate::PublishVideo, "robot", 1)).await;
    viewer.say(&FromViewer::Unsubscribe { channel_ids: vec![id] });
    viewer.barrier().await;
    stage.server.open(Gate::PublishVideo, "robot");
    stage.until_video_log(id, &[TrackAction::Published, TrackAction::Unpublished]).await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_156_the_second_publication_stays_and_the_first_goes() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let viewer = stage.viewer("ann").await;
    stage.server.shut(Gate::PublishVideo, "robot");
    viewer.ask_video(id);
    viewer.say(&FromViewer::Unsubscribe { channel_ids: vec![id] });
    viewer.ask_video(id);
    soon("two publications", stage.server.until_waiting(Gate::PublishVideo, "robot", 2)).await;
    assert!(stage.server.let_through(Gate::PublishVideo, "robot", 1));
    stage.until_video_log(id, &[TrackAction::Published]).await;
    let second = stage.server.track_log().into_iter().rfind(|entry| entry.name == video_track_name(id)).unwrap().sid;
    stage.server.open(Gate::PublishVideo, "robot");
    stage.until_video_log(id, &[TrackAction::Published, TrackAction::Published, TrackAction::Unpublished]).await;
    let log = stage.server.track_log();
    let gone = log.iter().rfind(|entry| entry.action == TrackAction::Unpublished).unwrap();
    assert_ne!(gone.sid, second);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_275_after_a_full_reconnect_no_track_is_left_behind() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::Pixels);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    viewer.ask_video(id);
    stage.until_video_log(id, &[TrackAction::Published]).await;
    stage.server.full_reconnect("robot");
    use TrackAction::{Published, Republished, Unpublished};
    stage.until_video_log(id, &[Published, Unpublished, Republished, Unpublished]).await;
    // The viewer has a new session; what it asks for now is what it gets.
    let info = viewer.until(|message| matches!(message, ToViewer::ServerInfo(_)).then_some(()));
    info.await;
    viewer.open().await;
    viewer.ask_video(id);
    stage.until_video_log(id, &[Published, Unpublished, Republished, Unpublished, Published]).await;
    // A renewal that comes when nobody watches any more is undone at once.
    viewer.say(&FromViewer::Unsubscribe { channel_ids: vec![id] });
    viewer.barrier().await;
    stage.finish().await;
}

/// P-161.
#[tokio::test(flavor = "multi_thread")]
async fn s_230_the_opt_out_is_asked_for_images_only_and_once() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let questions = asked.clone();
    let stage = Stage::with(move |options| {
        options.suppress_video = Some(Arc::new(move |channel: &ChannelRef| {
            questions.lock().push(channel.topic().to_owned());
            assert!(channel.topic() != "/panic", "a policy that panics suppresses nothing");
            channel.topic() == "/depth"
        }));
    })
    .await;
    let sources: Vec<_> =
        ["/depth", "/colour", "/panic"].map(|topic| stage.source(topic, VideoSourceKind::Pixels)).into();
    let schema = crate::context::Schema {
        name: "foxglove.RawImage".into(),
        encoding: "jsonschema".into(),
        data: Bytes::from_static(b"{}"),
    };
    let own = stage.context.channel("/own").encoding("json").schema(schema).video(false).open().unwrap();
    let _plain = stage.lossy("/plain");
    let mut viewer = Viewer::join(&stage.server, "ann").await;
    viewer.open().await;
    // In one message or several: the viewer may have come while the channels did.
    let mut channels = Vec::new();
    while channels.len() < 5 {
        channels.extend(
            viewer
                .until(|message| match message {
                    ToViewer::Advertise(advertise) => Some(advertise.channels),
                    _ => None,
                })
                .await,
        );
    }
    let has_video = |topic: &str| {
        let channel = channels.iter().find(|channel| channel.topic == topic).unwrap();
        channel.metadata.contains_key(HAS_VIDEO_TRACK_KEY)
    };
    assert_eq!(["/depth", "/colour", "/panic", "/own"].map(has_video), [false, true, true, false]);
    assert_eq!(*asked.lock(), ["/depth", "/colour", "/panic"]);
    for id in [id_of(&sources[0]), own.id().get()] {
        viewer.ask_video(id);
        assert_eq!(viewer.status(StatusLevel::Error).await, format!("Channel {id} does not support video transcoding"));
    }
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encoded_pictures_pass_through_from_the_first_key_frame_on() {
    let stage = Stage::with(|options| options.video.codec = Some(VideoCodec::Vp8)).await;
    let source = stage.source("/camera", VideoSourceKind::H264);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    let mut frames = viewer.watch(id).await;
    let options = stage.server.video_options("robot", &video_track_name(id)).unwrap();
    assert_eq!((options.codec, options.encoded), (VideoCodec::H264, true), "whatever others are encoded with");
    assert!(!options.capture_times, "those of H.264 are for viewers that are known to read them");
    assert!(source.take_key_frame_request(), "a new track needs one");
    let push = |data: &[u8], key_frame| source.push(&h264(data, key_frame)).unwrap();
    push(b"middle", false);
    stage.until_counts(id, |counts| counts.not_published == 1).await;
    push(b"key", true);
    assert_eq!(next(&mut frames).await.data, b"key");
    push(b"delta", false);
    let frame = next(&mut frames).await;
    assert_eq!((&frame.data[..], frame.width, frame.height, frame.capture_time_us), (&b"delta"[..], 640, 480, Some(9)));
    let advertised = viewer.advertised(id, |c| c.metadata.contains_key(VIDEO_SOURCE_ENCODING_KEY)).await;
    assert_eq!(advertised.metadata[VIDEO_SOURCE_ENCODING_KEY], "h264");
    let mut second = stage.viewer("bob").await;
    // Those of the first viewer's track are over: its pictures flow.
    source.take_key_frame_request();
    let track = second.video_track(id).await;
    second.ask_video(id);
    let _late = second.room.subscribe_video_track(&track, 8).await.unwrap();
    push(b"delta", false);
    next(&mut frames).await;
    soon("wish for a key frame", async {
        while !source.take_key_frame_request() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_encoded_picture_nothing_is_sent_before_a_key_frame() {
    let stage = Stage::new().await;
    let source = stage.source("/camera", VideoSourceKind::H264);
    let id = id_of(&source);
    let mut viewer = stage.viewer("ann").await;
    let mut frames = viewer.watch(id).await;
    source.push(&h264(b"key", true)).unwrap();
    assert_eq!(next(&mut frames).await.data, b"key");
    while source.take_key_frame_request() {}
    stage.server.shut(Gate::Capture, &video_track_name(id));
    source.push(&h264(b"1", false)).unwrap();
    stage.server.until_waiting(Gate::Capture, &video_track_name(id), 1).await;
    for data in [b"2", b"3", b"4"] {
        source.push(&h264(data, false)).unwrap();
    }
    stage.server.open(Gate::Capture, &video_track_name(id));
    assert_eq!(next(&mut frames).await.data, b"1");
    let counts = stage.until_counts(id, |counts| counts.not_published == 2).await;
    assert_eq!((counts.overwritten, counts.sent), (1, 2));
    assert!(source.take_key_frame_request());
    source.push(&h264(b"new key", true)).unwrap();
    assert_eq!(next(&mut frames).await.data, b"new key");
    // A picture that the encoder refused is as lost.
    stage.server.fail_captures("robot", 1);
    source.push(&h264(b"refused", false)).unwrap();
    source.push(&h264(b"useless", false)).unwrap();
    let counts = stage.until_counts(id, |counts| counts.not_published == 3).await;
    assert_eq!(counts.refused, 1);
    assert!(source.take_key_frame_request());
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_viewers_of_several_cameras_come_and_go() {
    let stage = Stage::new().await;
    let sources: Vec<_> = (0..4).map(|n| stage.source(&format!("/camera/{n}"), VideoSourceKind::Pixels)).collect();
    let pushed = AtomicU32::new(0);
    for round in 0..3 {
        let mut viewers = Vec::new();
        for name in ["ann", "bob", "cid"] {
            viewers.push(stage.viewer(name).await);
        }
        for source in &sources {
            let id = id_of(source);
            let mut views = Vec::new();
            for viewer in &mut viewers {
                viewer.ask_video(id);
                let track = viewer.video_track(id).await;
                viewer.barrier().await;
                views.push(viewer.room.subscribe_video_track(&track, 8).await.unwrap());
            }
            let level = 20 + 10 * pushed.fetch_add(1, Ordering::Relaxed) as u8;
            source.push(&rgb(&grey(level), 0)).unwrap();
            for frames in &mut views {
                assert!(near(&next(frames).await, luma(level)), "round {round}");
            }
        }
        for viewer in viewers {
            viewer.room.close().await;
        }
        for source in &sources {
            let expected = [TrackAction::Published, TrackAction::Unpublished].repeat(round + 1);
            stage.until_video_log(id_of(source), &expected).await;
        }
    }
    stage.finish().await;
}
