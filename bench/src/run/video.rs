//! Image messages at 30 a second, watched as video by LiveKit's Python SDK: what that costs the robot. Ours and the peer's,
//! round by round, with the same messages, the same codec, bit rate and viewer.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::commands::{Command, Done, VideoDone, VideoRun};

use super::budgets::short;
use super::process::{Kind, Paths, Process, Result, Robot, Server};
use super::results::median;
use super::scenarios::Effort;

pub(crate) const NAME: &str = "video 1280x720 30 Hz";
const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
const FPS: f64 = 30.0;
/// Messages that are shown again and again, forwards and backwards.
const PICTURES: usize = 12;
/// Until the bandwidth estimation has found its rate, seconds.
const WARM_UP: f64 = 8.0;
const MEASURED: f64 = 12.0;
const TOPIC: &str = "/camera";
/// How long the first picture may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Figures of one robot in one round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Video {
    pub(crate) robot: Kind,
    /// Processor time of the robot's process, percent of one core.
    pub(crate) cpu_percent: f64,
    /// The same for each picture that the viewer decoded, milliseconds.
    pub(crate) cpu_ms_per_picture: f64,
    /// Pictures that the viewer decoded in a second.
    pub(crate) pictures_per_s: f64,
    /// Received by the viewer, kbit/s.
    pub(crate) kbit_per_s: f64,
    /// Size of what it decoded last, pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Cost of one `log` call, microseconds, median.
    pub(crate) log_p50_us: f64,
    /// As the library names it; the peer does not tell.
    pub(crate) encoder: Option<String>,
}

/// A line of the viewer.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Line {
    Frame {
        size: (u32, u32),
    },
    Stats {
        bytes_received: u64,
        frames_decoded: u64,
    },
    #[serde(other)]
    Other,
}

/// Runs all rounds. What a robot could not do is told in the list returned.
pub(crate) async fn run(paths: &Paths, server: &Server, effort: Effort, folder: &Path) -> (Vec<Video>, Vec<String>) {
    let (mut figures, mut failures) = (Vec::new(), Vec::new());
    std::fs::create_dir_all(folder).unwrap_or_else(|error| failures.push(format!("{NAME}: {error}")));
    let frames = folder.join("pictures.bin");
    let size = match write_pictures(&frames) {
        Ok(size) => size,
        Err(error) => return (figures, vec![format!("{NAME}: {}: {error}", frames.display())]),
    };
    eprintln!("{NAME}");
    for round in 0..effort.rounds {
        for kind in [Kind::Telelink, Kind::Peer] {
            match one(paths, server, kind, round, &frames, size, effort.share).await {
                Ok(video) => figures.push(video),
                Err(error) => failures.push(format!("{NAME}, {}: {error}", kind.name())),
            }
        }
    }
    drop(std::fs::remove_file(&frames));
    (figures, failures)
}

async fn one(
    paths: &Paths,
    server: &Server,
    kind: Kind,
    round: usize,
    frames: &Path,
    size: usize,
    share: f64,
) -> Result<Video> {
    let room = format!("bench-video-{}-{round}-{}", kind.name(), std::process::id());
    let mut robot = Robot::start(kind, paths, server, &room).await?;
    let _: Done = robot.process.ask(&Command::AddVideo { topic: TOPIC.into() }).await?;
    let token = server.viewer_token(&room, "viewer");
    let mut command = tokio::process::Command::new(&paths.python);
    command.arg(paths.root.join("tests/e2e/watch_video.py")).args([&server.url, &token, TOPIC]);
    let mut viewer = Process::start("the viewer", &mut command)?;
    let (warm_up, measured) = (WARM_UP * share.sqrt(), MEASURED * share.sqrt());
    // The robot logs from before the viewer is there until after the measurement.
    let video = VideoRun {
        topic: TOPIC.into(),
        frames: PathBuf::from(frames),
        size,
        fps: FPS,
        seconds: LIMIT.as_secs_f64() + warm_up + measured,
    };
    robot.process.tell(&Command::Video(video)).await?;
    let start = Instant::now();
    while !matches!(viewer.answer::<Line>().await?, Line::Frame { .. }) {
        if start.elapsed() > LIMIT {
            return Err("no picture came".into());
        }
    }
    drain(&mut viewer, warm_up).await?;
    let (bytes_before, decoded_before) = stats(&mut viewer).await?;
    let (before, began) = (robot.process.usage()?, Instant::now());
    let (width, height) = drain(&mut viewer, measured).await?;
    let cpu_s = robot.process.usage()?.cpu_s_since(&before);
    let seconds = began.elapsed().as_secs_f64();
    let (bytes_after, decoded_after) = stats(&mut viewer).await?;
    robot.process.tell(&Command::Stop).await?;
    let done: VideoDone = robot.process.answer().await?;
    let pictures = decoded_after.saturating_sub(decoded_before) as f64;
    let video = Video {
        robot: kind,
        cpu_percent: 100.0 * cpu_s / seconds,
        cpu_ms_per_picture: 1e3 * cpu_s / pictures,
        pictures_per_s: pictures / seconds,
        kbit_per_s: bytes_after.saturating_sub(bytes_before) as f64 * 8.0 / 1e3 / seconds,
        width,
        height,
        log_p50_us: done.call_p50_ns as f64 / 1e3,
        encoder: done.encoder,
    };
    eprintln!(
        "  {:11} {:5.1} % of a core, {:5.2} ms a picture, {:4.1}/s of {width}x{height}, {:5.0} kbit/s, {}",
        kind.name(),
        video.cpu_percent,
        video.cpu_ms_per_picture,
        video.pictures_per_s,
        video.kbit_per_s,
        video.encoder.as_deref().unwrap_or("encoder not told"),
    );
    robot.process.quit().await?;
    Ok(video)
}

/// Lets the viewer decode for so long; the size of what it decoded last.
async fn drain(viewer: &mut Process, seconds: f64) -> Result<(u32, u32)> {
    let end = tokio::time::Instant::now() + Duration::from_secs_f64(seconds);
    let mut last = (0, 0);
    // Dropping the future between lines loses nothing: `Lines` keeps what it has read.
    while let Ok(line) = tokio::time::timeout_at(end, viewer.answer::<Line>()).await {
        if let Line::Frame { size } = line? {
            last = size;
        }
    }
    Ok(last)
}

/// Bytes received and pictures decoded so far.
async fn stats(viewer: &mut Process) -> Result<(u64, u64)> {
    viewer.tell_text("stats").await?;
    loop {
        if let Line::Stats { bytes_received, frames_decoded } = viewer.answer::<Line>().await? {
            return Ok((bytes_received, frames_decoded));
        }
    }
}

/// Writes the messages, protobuf `foxglove.RawImage` of format rgb8 one after the other; returns the size of each. What they
/// show moves, in large and small structures, as before a robot's camera: an encoder has to work, and can do it.
fn write_pictures(file: &Path) -> std::io::Result<usize> {
    let mut out = BufWriter::new(File::create(file)?);
    let mut size = 0;
    for number in 0..PICTURES {
        let message = message(&pixels(number));
        size = message.len();
        out.write_all(&message)?;
    }
    out.flush()?;
    Ok(size)
}

/// Smooth noise, the same in every run: corners of a grid, interpolated.
fn noise(x: usize, y: usize, cell: usize) -> u32 {
    let corner = |x: usize, y: usize| {
        let mut hash = (x as u32).wrapping_mul(0x9e37_79b9) ^ (y as u32).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
        (hash ^ (hash >> 13)) >> 24
    };
    let (cx, cy, fx, fy) = (x / cell, y / cell, (x % cell) as u32, (y % cell) as u32);
    let cell = cell as u32;
    let top = corner(cx, cy) * (cell - fx) + corner(cx + 1, cy) * fx;
    let bottom = corner(cx, cy + 1) * (cell - fx) + corner(cx + 1, cy + 1) * fx;
    (top * (cell - fy) + bottom * fy) / (cell * cell)
}

fn pixels(number: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            // The camera pans, and something nearer passes the other way.
            let near = y > HEIGHT * 2 / 3;
            let (sx, sy) = if near { (x + 6 * (PICTURES - number), y) } else { (x + 3 * number, y + number) };
            let (coarse, fine) = (noise(sx, sy, 64), noise(sx, sy, 8));
            let value = (coarse * 3 + fine) / 4;
            data.extend([value as u8, (value * 3 / 4 + 30) as u8, if near { 90 } else { 255 - value as u8 }]);
        }
    }
    data
}

/// Protobuf by hand: numbers of four bytes, and texts.
fn message(pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pixels.len() + 64);
    let number = |bytes: &mut Vec<u8>, field: u8, value: usize| {
        bytes.push(field << 3 | 5);
        bytes.extend((value as u32).to_le_bytes());
    };
    let text = |bytes: &mut Vec<u8>, field: u8, value: &[u8]| {
        bytes.push(field << 3 | 2);
        let mut length = value.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(value);
    };
    number(&mut bytes, 2, WIDTH);
    number(&mut bytes, 3, HEIGHT);
    text(&mut bytes, 4, b"rgb8");
    number(&mut bytes, 5, WIDTH * 3);
    text(&mut bytes, 6, pixels);
    text(&mut bytes, 7, b"camera");
    bytes
}

/// Median of a figure of one robot over the rounds.
pub(crate) fn of(videos: &[Video], robot: Kind, field: impl Fn(&Video) -> f64) -> Option<f64> {
    let value = median(videos.iter().filter(|video| video.robot == robot).map(field));
    value.is_finite().then_some(value)
}

/// As Markdown, for docs/performance.md.
pub(crate) fn table(videos: &[Video]) -> String {
    let mut out = format!(
        "\n### Video\n\n{NAME}, medians of the rounds.\n\n| Robot | encoder | % of a core | ms/picture | pictures/s | \
         size | kbit/s | `log` p50 us |\n|---|---|---|---|---|---|---|---|\n"
    );
    for robot in [Kind::Telelink, Kind::Peer] {
        let figure = |field: fn(&Video) -> f64| of(videos, robot, field).map_or("-".into(), short);
        let Some(last) = videos.iter().rev().find(|video| video.robot == robot) else { continue };
        out += &format!(
            "| {} | {} | {} | {} | {} | {}x{} | {} | {} |\n",
            robot.name(),
            last.encoder.as_deref().unwrap_or("not told"),
            figure(|v| v.cpu_percent),
            figure(|v| v.cpu_ms_per_picture),
            figure(|v| v.pictures_per_s),
            last.width,
            last.height,
            figure(|v| v.kbit_per_s),
            figure(|v| v.log_p50_us),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_a_message_that_the_library_reads() {
        let kind = telelink::video::image_kind("protobuf", "foxglove.RawImage").expect("an image");
        let message = message(&pixels(3));
        let converted = telelink::video::Converter::new().convert(kind, &message, 5_000).expect("an image");
        assert_eq!((converted.frame.width(), converted.frame.height()), (1280, 720));
        assert_eq!(converted.timestamp_us, 5);
    }
}
