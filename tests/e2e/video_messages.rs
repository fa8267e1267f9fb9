//! Image messages of every serialization and format over a real server, decoded by LiveKit's Python SDK: colours within 6 of
//! the source, order, ages.

#[allow(dead_code, unused_imports, unreachable_pub, reason = "written for tests/video, which use all of it")]
#[path = "../video/wire.rs"]
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use image_webp::{ColorType, WebPEncoder};
use parking_lot::Mutex;
use telelink::context::{Channel, Schema};
use telelink::session::{CaptureTimes, SessionOptions};
use telelink::video::{ImageKind, Layout, Wire};
use wire::{Body, Message, WIRES};

use crate::rig::Robot;
use crate::watching::{
    assert_live, colours_are, pattern, size_is, steady, yuv, Camera, Watcher, LEFT, RIGHT, TOLERANCE,
};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
/// S-243, every name.
const RAW: [&str; 19] = [
    "rgb8",
    "rgba8",
    "bgr8",
    "8UC3",
    "bgra8",
    "mono8",
    "8UC1",
    "mono16",
    "16UC1",
    "32FC1",
    "yuv422",
    "uyvy",
    "yuv422_yuy2",
    "yuyv",
    "nv12",
    "bayer_bggr8",
    "bayer_gbrg8",
    "bayer_grbg8",
    "bayer_rggb8",
];
/// S-246, and the forms of ROS.
const COMPRESSED: [&str; 6] = ["jpeg", "jpg", "PNG", " webp ", "rgb8; jpeg compressed bgr8", "bgr8; png compressed"];

/// Message encoding and schema names of the table of S-229.
fn names(wire: Wire, layout: Layout) -> (&'static str, &'static str) {
    let raw = layout == Layout::Raw;
    match wire {
        Wire::Protobuf => ("protobuf", if raw { "foxglove.RawImage" } else { "foxglove.CompressedImage" }),
        Wire::Json => ("json", if raw { "foxglove.RawImage" } else { "foxglove.CompressedImage" }),
        Wire::Flatbuffer => ("flatbuffer", if raw { "foxglove.RawImage" } else { "foxglove.CompressedImage" }),
        Wire::Ros1 => ("ros1", if raw { "sensor_msgs/Image" } else { "sensor_msgs/CompressedImage" }),
        Wire::Ros2 => ("cdr", if raw { "sensor_msgs/msg/Image" } else { "sensor_msgs/msg/CompressedImage" }),
        Wire::OmgIdl => ("cdr", if raw { "foxglove::RawImage" } else { "foxglove::CompressedImage" }),
    }
}

fn topic(kind: ImageKind) -> String {
    format!("/{:?}/{:?}", kind.wire, kind.layout).to_lowercase()
}

/// Luma of a pixel, 0 to 1.
fn luma([r, g, b]: [u8; 3]) -> f64 {
    (0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)) / 255.0
}

/// The picture of `rgb` in a raw format, and its step. Numbers of two bytes and more in this byte order.
fn raw(encoding: &str, rgb: &[u8], big_endian: bool) -> (u32, Vec<u8>) {
    let pixels: Vec<[u8; 3]> = rgb.chunks(3).map(|p| [p[0], p[1], p[2]]).collect();
    let planes: Vec<[u8; 3]> = pixels.iter().map(|&pixel| yuv(pixel)).collect();
    let each =
        |make: &dyn Fn([u8; 3]) -> Vec<u8>| -> Vec<u8> { pixels.iter().flat_map(|&pixel| make(pixel)).collect() };
    let two = |make: &dyn Fn([u8; 3], [u8; 3]) -> [u8; 4]| -> Vec<u8> {
        planes.chunks(2).flat_map(|pair| make(pair[0], pair[1])).collect()
    };
    let order = |mut bytes: Vec<u8>| {
        if big_endian {
            bytes.reverse();
        }
        bytes
    };
    // Of each 2×2 cell, which channel of the pixel is kept.
    let mosaic = |cell: [usize; 4]| -> Vec<u8> {
        (0..HEIGHT as usize)
            .flat_map(|y| (0..WIDTH as usize).map(move |x| (x, y)))
            .map(|(x, y)| pixels[y * WIDTH as usize + x][cell[y % 2 * 2 + x % 2]])
            .collect()
    };
    let data = match encoding {
        "rgb8" => rgb.to_vec(),
        "rgba8" => each(&|[r, g, b]| vec![r, g, b, 7]),
        "bgr8" | "8UC3" => each(&|[r, g, b]| vec![b, g, r]),
        "bgra8" => each(&|[r, g, b]| vec![b, g, r, 7]),
        "mono8" | "8UC1" => each(&|pixel| vec![(luma(pixel) * 255.0).round() as u8]),
        "mono16" | "16UC1" => each(&|pixel| order(((luma(pixel) * 65_535.0).round() as u16).to_le_bytes().to_vec())),
        "32FC1" => each(&|pixel| order((luma(pixel) as f32).to_le_bytes().to_vec())),
        "yuv422" | "uyvy" => two(&|a, b| [a[1], a[0], a[2], b[0]]),
        "yuv422_yuy2" | "yuyv" => two(&|a, b| [a[0], a[1], b[0], a[2]]),
        "nv12" => {
            let chroma = (0..HEIGHT as usize / 2).flat_map(|y| (0..WIDTH as usize / 2).map(move |x| (x, y)));
            let at = |(x, y): (usize, usize)| planes[2 * y * WIDTH as usize + 2 * x];
            planes.iter().map(|p| p[0]).chain(chroma.flat_map(|place| [at(place)[1], at(place)[2]])).collect()
        }
        "bayer_bggr8" => mosaic([2, 1, 1, 0]),
        "bayer_gbrg8" => mosaic([1, 2, 0, 1]),
        "bayer_grbg8" => mosaic([1, 0, 2, 1]),
        "bayer_rggb8" => mosaic([0, 1, 1, 2]),
        other => panic!("unknown encoding {other}"),
    };
    let rows = if encoding == "nv12" { HEIGHT * 3 / 2 } else { HEIGHT };
    (data.len() as u32 / rows, data)
}

fn file(format: &str, rgb: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    match format {
        "jpeg" | "jpg" | "rgb8; jpeg compressed bgr8" => {
            let encoder = jpeg_encoder::Encoder::new(&mut file, 90);
            encoder.encode(rgb, WIDTH as u16, HEIGHT as u16, jpeg_encoder::ColorType::Rgb).expect("a JPEG");
        }
        "PNG" | "bgr8; png compressed" => {
            let mut encoder = png::Encoder::new(&mut file, WIDTH, HEIGHT);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_compression(png::Compression::Fastest);
            encoder.write_header().and_then(|mut writer| writer.write_image_data(rgb)).expect("a PNG");
        }
        " webp " => WebPEncoder::new(&mut file).encode(rgb, WIDTH, HEIGHT, ColorType::Rgb8).expect("a WebP"),
        other => panic!("unknown format {other}"),
    }
    file
}

/// One format over one serialization.
#[derive(Debug, Clone, Copy)]
struct Case {
    wire: Wire,
    layout: Layout,
    format: &'static str,
    colours: [[u8; 3]; 2],
}

impl Case {
    fn kind(&self) -> ImageKind {
        ImageKind { wire: self.wire, layout: self.layout }
    }

    /// ROS says the byte order; every second of its messages has the other one.
    fn big_endian(&self, counter: u16) -> bool {
        matches!(self.wire, Wire::Ros1 | Wire::Ros2) && counter % 2 == 1
    }

    fn message(&self, counter: u16, taken: &dyn Fn() -> u64) -> Vec<u8> {
        let rgb = pattern(WIDTH, HEIGHT, counter, self.colours);
        let big_endian = self.big_endian(counter);
        let body = match self.layout {
            Layout::Raw => {
                let (step, data) = raw(self.format, &rgb, big_endian);
                Body::Raw { width: WIDTH, height: HEIGHT, encoding: self.format.into(), step, big_endian, data }
            }
            Layout::Compressed => Body::Compressed { format: self.format.into(), data: file(self.format, &rgb) },
        };
        let time_us = taken();
        let (sec, nsec) = ((time_us / 1_000_000) as u32, (time_us % 1_000_000 * 1000) as u32);
        Message { time: Some((sec, nsec)), frame_id: "mast".into(), body }.encode(self.wire)
    }

    /// What viewers see: grey formats have lost the colours.
    fn expected(&self) -> [[u8; 3]; 2] {
        match self.format {
            "mono8" | "8UC1" | "mono16" | "16UC1" | "32FC1" => {
                self.colours.map(|colour| [(luma(colour) * 255.0).round() as u8; 3])
            }
            _ => self.colours,
        }
    }
}

/// One camera that shows case after case, each on the channel of its kind; one viewer that watches all of them.
async fn shown(test: &str, cases: Vec<Case>) {
    let mut options = SessionOptions::default();
    options.video.capture_times = CaptureTimes::Always;
    let robot = Robot::start(test, options);
    let mut channels: HashMap<String, Channel> = HashMap::new();
    for case in &cases {
        let (encoding, name) = names(case.wire, case.layout);
        let schema = Schema { name: name.into(), encoding: encoding.into(), data: vec![].into() };
        let topic = topic(case.kind());
        channels
            .entry(topic.clone())
            .or_insert_with(|| robot.context.channel(topic).encoding(encoding).schema(schema).open().expect("opens"));
    }
    let topics: Vec<String> = channels.keys().cloned().collect();
    let show = Arc::new(Mutex::new(cases[0]));
    let shows = show.clone();
    let camera = Camera::start(move |counter, taken| {
        let case = *shows.lock();
        let log_time = 1; // the message has its own time, which counts
        let logged = channels[&topic(case.kind())].log_at(&case.message(counter, taken), log_time);
        logged.expect("the channel is open");
    });
    let watcher = Watcher::python(&robot, &topics.iter().map(String::as_str).collect::<Vec<_>>());
    let mut all = Vec::new();
    for case in &cases {
        *show.lock() = *case;
        let right = |line: &serde_json::Value| {
            line["topic"] == topic(case.kind())
                && size_is(line, WIDTH, HEIGHT)
                && colours_are(line, case.expected(), TOLERANCE)
        };
        watcher.frame(&format!("right colours of {case:?}"), right);
        all.extend(steady(&watcher, &topic(case.kind()), 3, &camera.times, right));
    }
    all.sort_unstable();
    println!("{} cases; ages in ms: median {}, largest {}", cases.len(), all[all.len() / 2], all[all.len() - 1]);
    assert_live(&all);
}

/// Alternating colours, so that what is seen is of this case and not of the one before.
fn cases(list: impl Iterator<Item = (Wire, Layout, &'static str)>) -> Vec<Case> {
    list.enumerate()
        .map(|(n, (wire, layout, format))| {
            let colours = if n % 2 == 0 { [LEFT, RIGHT] } else { [RIGHT, LEFT] };
            Case { wire, layout, format, colours }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_serialization_and_every_format_is_shown() {
    // Each format once, each serialization with several.
    let raw = RAW.iter().enumerate().map(|(n, &format)| (WIRES[n % WIRES.len()], Layout::Raw, format));
    let files = COMPRESSED.iter().enumerate().map(|(n, &format)| (WIRES[n % WIRES.len()], Layout::Compressed, format));
    shown("video-messages", cases(raw.chain(files))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: scripts/test-video.sh"]
async fn every_format_is_shown_over_every_serialization() {
    let raw = |wire| RAW.iter().map(move |&format| (wire, Layout::Raw, format));
    let files = |wire| COMPRESSED.iter().map(move |&format| (wire, Layout::Compressed, format));
    shown("video-matrix", cases(WIRES.into_iter().flat_map(|wire| raw(wire).chain(files(wire))))).await;
}
