//! Video sources over a real server, decoded by viewers that are not ours: colours, sizes, order, ages.

use std::sync::Arc;

use parking_lot::Mutex;
use telelink::context::{VideoFormat, VideoImage, VideoSource, VideoSourceKind, VideoSourceOptions};
use telelink::session::{CaptureTimes, ChannelStats, SessionOptions, VideoCodec};

use crate::rig::{Robot, LIMIT};
use crate::support::wait_until;
use crate::watching::{
    assert_fresh, assert_live, colours_are, pattern, size_is, steady, yuv, Camera, Watcher, LEFT, RIGHT, TOLERANCE,
};

const COLOURS: [[u8; 3]; 2] = [LEFT, RIGHT];

/// A colour without its colour.
fn grey([r, g, b]: [u8; 3]) -> [u8; 3] {
    [(0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)).round() as u8; 3]
}

/// The pattern of `rgb` in another format.
fn as_format(format: VideoFormat, width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let at = ((y * width + x) * 3) as usize;
        [rgb[at], rgb[at + 1], rgb[at + 2]]
    };
    let each = |bytes: &dyn Fn([u8; 3]) -> Vec<u8>| rgb.chunks(3).flat_map(|p| bytes([p[0], p[1], p[2]])).collect();
    // Two pixels side by side share their colour.
    let two = |bytes: &dyn Fn([u8; 3], [u8; 3]) -> [u8; 4]| {
        rgb.chunks(6).flat_map(|p| bytes(yuv([p[0], p[1], p[2]]), yuv([p[3], p[4], p[5]]))).collect()
    };
    match format {
        VideoFormat::Rgba8 => each(&|[r, g, b]| vec![r, g, b, 7]),
        VideoFormat::Bgra8 => each(&|[r, g, b]| vec![b, g, r, 7]),
        VideoFormat::Mono8 => each(&|pixel| vec![grey(pixel)[0]]),
        VideoFormat::Yuyv => two(&|a, b| [a[0], a[1], b[0], a[2]]),
        VideoFormat::Uyvy => two(&|a, b| [a[1], a[0], a[2], b[0]]),
        VideoFormat::Bgr8 => rgb.chunks(3).flat_map(|p| [p[2], p[1], p[0]]).collect(),
        VideoFormat::I420 | VideoFormat::Nv12 => {
            let mut data: Vec<u8> = rgb.chunks(3).map(|p| yuv([p[0], p[1], p[2]])[0]).collect();
            let chroma: Vec<[u8; 3]> = (0..height.div_ceil(2))
                .flat_map(|y| (0..width.div_ceil(2)).map(move |x| (x, y)))
                .map(|(x, y)| yuv(pixel(2 * x, 2 * y)))
                .collect();
            if format == VideoFormat::I420 {
                data.extend(chroma.iter().map(|p| p[1]));
                data.extend(chroma.iter().map(|p| p[2]));
            } else {
                data.extend(chroma.iter().flat_map(|p| [p[1], p[2]]));
            }
            data
        }
        VideoFormat::Mjpeg => {
            let mut file = Vec::new();
            let encoder = jpeg_encoder::Encoder::new(&mut file, 90);
            encoder.encode(rgb, width as u16, height as u16, jpeg_encoder::ColorType::Rgb).expect("a JPEG");
            file
        }
        _ => rgb.to_vec(),
    }
}

/// What a camera shows, and in what size.
type Show = Arc<Mutex<(VideoFormat, u32, u32)>>;

fn source(robot: &Robot, topic: &str, kind: VideoSourceKind) -> VideoSource {
    robot.context.video_source(topic, VideoSourceOptions { kind, frame_id: "mast".into() }).expect("opens")
}

fn camera(source: VideoSource, show: &Show) -> Camera {
    let show = show.clone();
    Camera::start(move |counter, taken| {
        let (format, width, height) = *show.lock();
        let data = as_format(format, width, height, &pattern(width, height, counter, COLOURS));
        let time_ns = taken() * 1000;
        let image = VideoImage { format, width, height, stride: 0, data: &data, time_ns, key_frame: false };
        source.push(&image).expect("a picture that fits its size");
    })
}

fn shown(format: VideoFormat, width: u32, height: u32) -> Show {
    Arc::new(Mutex::new((format, width, height)))
}

fn stats(robot: &Robot, topic: &str) -> ChannelStats {
    let stats = robot.session.stats().expect("stats");
    stats.channels.into_iter().find(|channel| channel.topic == topic).expect("the channel")
}

/// P-8.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_of_livekits_own_sees_the_right_colours_in_order_and_soon() {
    let mut options = SessionOptions::default();
    options.video.capture_times = CaptureTimes::Always;
    let robot = Robot::start("video-colours", options);
    let show = shown(VideoFormat::Rgb8, 640, 360);
    let camera = camera(source(&robot, "/camera", VideoSourceKind::Pixels), &show);
    let watcher = Watcher::python(&robot, &["/camera"]);
    // A size of its own for each, so that it is seen which one is shown.
    let formats = [
        (VideoFormat::Rgb8, 640, 360),
        (VideoFormat::Bgr8, 480, 272),
        (VideoFormat::I420, 400, 304),
        (VideoFormat::Nv12, 352, 288),
        (VideoFormat::Rgba8, 416, 256),
        (VideoFormat::Bgra8, 384, 240),
        (VideoFormat::Mono8, 368, 224),
        (VideoFormat::Yuyv, 336, 208),
        (VideoFormat::Uyvy, 320, 192),
    ];
    for (format, width, height) in formats {
        *show.lock() = (format, width, height);
        let colours = if format == VideoFormat::Mono8 { COLOURS.map(grey) } else { COLOURS };
        let right = |line: &serde_json::Value| size_is(line, width, height) && colours_are(line, colours, TOLERANCE);
        watcher.frame(&format!("right colours of {format:?}"), |line| right(line) && !line["capture_us"].is_null());
        assert_live(&steady(&watcher, "/camera", 20, &camera.times, right));
    }
    let video = stats(&robot, "/camera").video.expect("watched");
    assert!(video.counts.sent > 60 && video.counts.failed == 0, "{video:?}");
    let encoder = video.encoder.as_ref().expect("measured by now");
    assert!(!encoder.encoder.is_empty() && encoder.frames_encoded > 0 && encoder.bytes_sent > 0, "{encoder:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_of_jpegs_is_seen_by_a_viewer_of_livekits_own() {
    let robot = Robot::start("video-mjpeg", SessionOptions::default());
    let show = shown(VideoFormat::Mjpeg, 641, 361);
    let camera = camera(source(&robot, "/camera", VideoSourceKind::Mjpeg), &show);
    let watcher = Watcher::python(&robot, &["/camera"]);
    let right = |line: &serde_json::Value| size_is(line, 640, 360) && colours_are(line, COLOURS, TOLERANCE);
    watcher.frame("right colours", right);
    assert_live(&steady(&watcher, "/camera", 20, &camera.times, right));
}

/// `settled`: how far colours may be off once a size has settled; `always`: in the pictures after the first such one.
async fn chromium_shows(codec: VideoCodec, settled: f64, always: f64) {
    let mut options = SessionOptions::default();
    options.video.codec = Some(codec);
    let robot = Robot::start("video-chromium", options);
    let show = shown(VideoFormat::Rgb8, 640, 360);
    let camera = camera(source(&robot, "/camera", VideoSourceKind::Pixels), &show);
    let watcher = Watcher::chromium(&robot, "/camera");
    // The last two are odd: LiveKit's library makes both sides a multiple of four. They have as many macroblocks.
    for (width, height) in [(640, 360), (1280, 720), (321, 241), (323, 237)] {
        *show.lock() = (VideoFormat::Rgb8, width, height);
        let right = |line: &serde_json::Value, tolerance| {
            size_is(line, width & !3, height & !3) && colours_are(line, COLOURS, tolerance)
        };
        watcher.frame(&format!("right colours of {width}×{height}"), |line| right(line, settled));
        assert_live(&steady(&watcher, "/camera", 20, &camera.times, |line| right(line, always)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_shows_h264() {
    chromium_shows(VideoCodec::H264, TOLERANCE, TOLERANCE).await;
}

/// Browsers take VP8, which has no place to say it, as BT.601: these colours are off by up to 13. For some pictures after a
/// change of size it is coarser than that, which is still no mistake in the order of channels or planes.
#[tokio::test(flavor = "multi_thread")]
async fn chromium_shows_vp8() {
    chromium_shows(VideoCodec::Vp8, 16.0, 48.0).await;
}

/// LiveKit's library makes every side a multiple of four, whatever the codec.
async fn sizes_are_shown(codec: VideoCodec, sizes: &[(u32, u32)]) {
    let mut options = SessionOptions::default();
    options.video.codec = Some(codec);
    let robot = Robot::start("video-sizes", options);
    let show = shown(VideoFormat::Rgb8, sizes[0].0, sizes[0].1);
    let _camera = camera(source(&robot, "/camera", VideoSourceKind::Pixels), &show);
    let watcher = Watcher::python(&robot, &["/camera"]);
    for &(width, height) in sizes {
        *show.lock() = (VideoFormat::Rgb8, width, height);
        watcher.frame(&format!("picture of {width}×{height}"), |line| {
            let coloured = width < 64 || height < 48 || colours_are(line, COLOURS, TOLERANCE);
            size_is(line, width & !3, height & !3) && coloured
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_240_odd_and_tiny_sizes_are_shown_with_vp8() {
    sizes_are_shown(VideoCodec::Vp8, &[(641, 481), (17, 17), (16, 16), (33, 65), (321, 241), (19, 131)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s_240_odd_and_tiny_sizes_are_shown_with_h264() {
    // The last one has as many macroblocks as the one before.
    sizes_are_shown(VideoCodec::H264, &[(641, 481), (17, 17), (16, 16), (321, 241), (19, 131), (17, 125)]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "times mean something on a machine without other work: scripts/test-video.sh"]
async fn no_picture_is_old_in_steady_state() {
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let mut options = SessionOptions::default();
        options.video.codec = Some(codec);
        let robot = Robot::start("video-ages", options);
        let show = shown(VideoFormat::Rgb8, 640, 360);
        let camera = camera(source(&robot, "/camera", VideoSourceKind::Pixels), &show);
        for watcher in [Watcher::python(&robot, &["/camera"]), Watcher::chromium(&robot, "/camera")] {
            let right = |line: &serde_json::Value| colours_are(line, COLOURS, 16.0);
            watcher.frame("right colours", right);
            assert_fresh(&steady(&watcher, "/camera", 300, &camera.times, right));
        }
    }
}

/// Every odd width with one of the odd heights, so that each of both is there. The tests beside this one, and
/// tests/video/sizes.rs, take all sizes where they differ most.
fn odd_sizes() -> Vec<(u32, u32)> {
    let heights = (17..=481).step_by(2).cycle();
    (17..=641).step_by(2).zip(heights.skip(7)).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/test-video.sh"]
async fn s_240_every_odd_width_and_height_is_shown_with_h264() {
    sizes_are_shown(VideoCodec::H264, &odd_sizes()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/test-video.sh"]
async fn s_240_every_odd_width_and_height_is_shown_with_vp8() {
    sizes_are_shown(VideoCodec::Vp8, &odd_sizes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_are_told_what_the_pictures_are() {
    let robot = Robot::start("video-metadata", SessionOptions::default());
    let _camera = camera(source(&robot, "/camera", VideoSourceKind::Pixels), &shown(VideoFormat::Rgb8, 640, 360));
    let watcher = Watcher::python(&robot, &["/camera"]);
    let first = watcher.until("an advertisement", |line| line["op"] == "metadata");
    assert_eq!(first["metadata"]["foxglove.hasVideoTrack"], "true");
    let known = watcher.until("the metadata of the pictures", |line| {
        line["op"] == "metadata" && !line["metadata"]["foxglove.videoSourceEncoding"].is_null()
    });
    assert_eq!(known["metadata"]["foxglove.videoSourceEncoding"], "rgb8");
    assert_eq!(known["metadata"]["foxglove.videoFrameId"], "mast");
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_of_several_cameras_come_and_go() {
    let robot = Robot::start("video-several", SessionOptions::default());
    let topics = ["/a", "/b", "/c"];
    let sizes = [(320, 240), (400, 304), (352, 288)];
    let cameras: Vec<Camera> = topics
        .iter()
        .zip(sizes)
        .map(|(topic, (width, height))| {
            camera(source(&robot, topic, VideoSourceKind::Pixels), &shown(VideoFormat::Rgb8, width, height))
        })
        .collect();
    let sees = |watcher: &Watcher, at: usize| {
        let (width, height) = sizes[at];
        watcher.frame(topics[at], |line| {
            line["topic"] == topics[at]
                && size_is(line, width, height)
                && colours_are(line, COLOURS, TOLERANCE)
                && !line["counter"].is_null()
        });
    };
    let all = Watcher::python(&robot, &topics);
    (0..3).for_each(|at| sees(&all, at));
    {
        // One who comes later, and leaves again without a word to the others' pictures.
        let mut second = Watcher::python(&robot, &["/b", "/c"]);
        sees(&second, 1);
        sees(&second, 2);
        second.tell("unsubscribe");
        all.skip();
        (0..3).for_each(|at| sees(&all, at));
        second.tell("subscribe");
        second.skip();
        sees(&second, 1);
    }
    all.skip();
    (0..3).for_each(|at| sees(&all, at));
    let active = |topic: &str| stats(&robot, topic).video.is_some_and(|video| video.active);
    assert!(topics.iter().all(|topic| active(topic)));
    drop(all);
    wait_until("every track to end", LIMIT, || !topics.iter().any(|topic| active(topic))).await;
    drop(cameras);
}
