//! Video over a real server, decoded by LiveKit's own Python SDK (watch_video.py): colours, sizes, order, times.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use telelink::context::{VideoFormat, VideoImage, VideoSource, VideoSourceOptions};
use telelink::protocol::version;
use telelink::session::{SessionOptions, VideoCodec};

use crate::rig::{library_file, url, Robot};
use crate::support::{self, TokenOptions};

/// A Python process has to start, and a picture to get sharp, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How far a decoded colour may be from what was sent, per channel.
const TOLERANCE: f64 = 6.0;
/// Two colours that no mistake in the order of channels or planes leaves as they are.
const LEFT: [u8; 3] = [200, 60, 40];
const RIGHT: [u8; 3] = [30, 110, 190];

/// The other viewer. Ends with the value.
struct Watcher {
    process: Child,
    lines: Receiver<Value>,
}

impl Watcher {
    fn start(robot: &Robot, topic: &str) -> Self {
        let mut options = TokenOptions::default();
        options.attributes.insert(version::ATTRIBUTE.to_owned(), version::SPOKEN.to_owned());
        let token = support::token(&robot.room, "watcher", &options);
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".tools/venv/bin/python");
        assert!(python.is_file(), "{} is missing: run scripts/tools.sh venv", python.display());
        let mut process = Command::new(python)
            .args([root.join("tests/e2e/watch_video.py").as_os_str()])
            .args([url(), &token, topic])
            .env("LIVEKIT_LIB_PATH", library_file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (tx, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tx.send(serde_json::from_str(&line).expect("JSON")).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    /// The next line that `wanted` takes; the last ones seen if none comes.
    fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LIMIT;
        let mut last = Value::Null;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => last = line,
                Err(error) => panic!("no {what} ({error}); the last line was {last}"),
            }
        }
    }

    fn frame(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |line| line["op"] == "frame" && wanted(line))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Its input ends, and so does it; a stuck one is ended by force.
        drop(self.process.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The test pattern in RGB: two halves, and the bits of `counter` as blocks along the lower edge.
fn pattern(width: u32, height: u32, counter: u16) -> Vec<u8> {
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let block = width >= 320 && y >= height - 16 && x < 256;
            let colour = match (block, x < width / 2) {
                (true, _) if counter >> (x / 16) & 1 == 1 => [235; 3],
                (true, _) => [20; 3],
                (false, true) => LEFT,
                (false, false) => RIGHT,
            };
            data.extend_from_slice(&colour);
        }
    }
    data
}

/// BT.709, limited range.
fn yuv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(|v| f64::from(v) / 255.0);
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (u, v) = ((b - y) / 1.8556, (r - y) / 1.5748);
    [16.0 + 219.0 * y, 128.0 + 224.0 * u, 128.0 + 224.0 * v].map(|value| value.round() as u8)
}

/// The pattern of `rgb` in another format.
fn as_format(format: VideoFormat, width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let at = ((y * width + x) * 3) as usize;
        [rgb[at], rgb[at + 1], rgb[at + 2]]
    };
    match format {
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
        _ => rgb.to_vec(),
    }
}

/// A camera at 30 pictures per second until dropped, of what it is told to show.
struct Camera {
    show: Arc<Mutex<(VideoFormat, u32, u32)>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    fn start(source: VideoSource) -> Self {
        let show = Arc::new(Mutex::new((VideoFormat::Rgb8, 640, 360)));
        let stop = Arc::new(AtomicBool::new(false));
        let (shown, stopped) = (show.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut counter = 0_u16;
            while !stopped.load(Ordering::Relaxed) {
                let (format, width, height) = *shown.lock();
                let rgb = pattern(width, height, counter);
                let data = as_format(format, width, height, &rgb);
                let image = VideoImage { format, width, height, stride: 0, data: &data, time_ns: 0, key_frame: false };
                source.push(&image).expect("a picture that fits its size");
                counter = counter.wrapping_add(1);
                std::thread::sleep(Duration::from_millis(33));
            }
        });
        Self { show, stop, thread: Some(thread) }
    }

    fn show(&self, format: VideoFormat, width: u32, height: u32) {
        *self.show.lock() = (format, width, height);
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn start(test: &str, options: SessionOptions) -> (Robot, Camera, Watcher, u64) {
    let robot = Robot::start(test, options);
    let options = VideoSourceOptions { frame_id: "mast".into(), ..Default::default() };
    let source = robot.context.video_source("/camera", options).expect("opens");
    let id = source.channel_ref().id().get();
    let watcher = Watcher::start(&robot, "/camera");
    (robot, Camera::start(source), watcher, id)
}

fn size_is(line: &Value, width: u32, height: u32) -> bool {
    line["size"][0] == width && line["size"][1] == height
}

fn near(line: &Value, half: &str, colour: [u8; 3]) -> bool {
    let got = line[half].as_array().expect("a colour");
    got.iter().zip(colour).all(|(got, sent)| (got.as_f64().unwrap() - f64::from(sent)).abs() <= TOLERANCE)
}

fn right_colours(line: &Value) -> bool {
    near(line, "left", LEFT) && near(line, "right", RIGHT)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_of_livekits_own_sees_the_right_colours_in_order_and_soon() {
    let (robot, camera, watcher, id) = start("video-colours", SessionOptions::default());
    for format in [VideoFormat::Rgb8, VideoFormat::Bgr8, VideoFormat::I420, VideoFormat::Nv12] {
        // A size of its own for each, so that it is seen which one is shown.
        let (width, height) = match format {
            VideoFormat::Rgb8 => (640, 360),
            VideoFormat::Bgr8 => (480, 272),
            VideoFormat::I420 => (400, 304),
            _ => (352, 288),
        };
        camera.show(format, width, height);
        watcher
            .frame(&format!("right colours of {format:?}"), |line| size_is(line, width, height) && right_colours(line));
        let mut last = watcher.frame("a counter", |line| size_is(line, width, height))["counter"].as_u64().unwrap();
        let mut ages = Vec::new();
        for _ in 0..20 {
            let frame = watcher.frame("one more picture", |line| size_is(line, width, height));
            assert!(right_colours(&frame), "{format:?}: {frame}");
            let counter = frame["counter"].as_u64().unwrap();
            // The receiver may show a picture twice, never an older one.
            assert!(counter >= last, "{counter} after {last}");
            last = counter;
            if let Some(taken) = frame["capture_us"].as_i64() {
                ages.push(frame["time_us"].as_i64().unwrap() - taken);
            }
        }
        assert!(ages.iter().all(|age| (0..5_000_000).contains(age)), "ages in µs: {ages:?}");
    }
    let stats = robot.session.stats().expect("stats");
    let video = stats.channels.iter().find(|channel| channel.id == id).and_then(|channel| channel.video.as_ref());
    let video = video.expect("watched");
    assert!(video.counts.sent > 60 && video.counts.failed == 0, "{video:?}");
    let encoder = video.encoder.as_ref().expect("measured by now");
    assert!(!encoder.encoder.is_empty() && encoder.frames_encoded > 0 && encoder.bytes_sent > 0, "{encoder:?}");
}

/// LiveKit's library makes every side a multiple of four, whatever the codec.
async fn sizes_are_shown(codec: VideoCodec, sizes: &[(u32, u32)]) {
    let mut options = SessionOptions::default();
    options.video.codec = Some(codec);
    let (_robot, camera, watcher, _) = start("video-sizes", options);
    for &(width, height) in sizes {
        camera.show(VideoFormat::Rgb8, width, height);
        watcher.frame(&format!("picture of {width}×{height}"), |line| {
            size_is(line, width & !3, height & !3) && (width < 64 || right_colours(line))
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_and_tiny_sizes_are_shown_with_vp8() {
    sizes_are_shown(VideoCodec::Vp8, &[(641, 481), (17, 17), (16, 16), (33, 65), (321, 241), (19, 131)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_and_tiny_sizes_are_shown_with_h264() {
    sizes_are_shown(VideoCodec::H264, &[(641, 481), (17, 17), (321, 241), (19, 131)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_are_told_what_the_pictures_are() {
    let (_robot, _camera, watcher, _) = start("video-metadata", SessionOptions::default());
    let first = watcher.until("an advertisement", |line| line["op"] == "metadata");
    assert_eq!(first["metadata"]["foxglove.hasVideoTrack"], "true");
    let known = watcher.until("the metadata of the pictures", |line| {
        line["op"] == "metadata" && !line["metadata"]["foxglove.videoSourceEncoding"].is_null()
    });
    assert_eq!(known["metadata"]["foxglove.videoSourceEncoding"], "rgb8");
    assert_eq!(known["metadata"]["foxglove.videoFrameId"], "mast");
}
