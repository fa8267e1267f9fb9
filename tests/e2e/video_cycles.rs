//! What a video track leaves behind: nothing of ours. Alone in its process (scripts/test-video.sh), because it counts threads,
//! descriptors and memory.
//!
//! LiveKit's library does leave something, whoever calls it (livekit/rust-sdks issue 612; its Python SDK measured beside
//! us does the same): the sender of a track that was unpublished lives until the connection ends, with its thread
//! `VideoEncoderQueue` and the encoder's memory. The adapter makes the connection anew when nobody else is in the room.

use std::fs::read_dir;

use telelink::context::{VideoFormat, VideoImage, VideoSourceOptions};
use telelink::session::{ConnectionStatus, SessionOptions};

use crate::rig::{Robot, LIMIT};
use crate::support::wait_until;
use crate::watching::{pattern, size_is, Camera, Watcher, LEFT, RIGHT};

const CYCLES: usize = 100;
const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;

#[derive(Debug, Clone, Copy)]
struct Reading {
    /// All but the encoders'.
    threads: f64,
    encoders: f64,
    descriptors: f64,
    resident_mib: f64,
}

impl Reading {
    fn take() -> Self {
        let entries = |folder: &str| read_dir(folder).expect("/proc").count() as f64;
        let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
        let resident: f64 = pages.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number of pages");
        let resident_mib = resident * 4096.0 / f64::from(1 << 20);
        let (encoders, threads): (Vec<String>, Vec<String>) =
            thread_names().into_iter().partition(|name| name.starts_with("VideoEncoder"));
        let (encoders, threads) = (encoders.len() as f64, threads.len() as f64);
        Self { threads, encoders, descriptors: entries("/proc/self/fd"), resident_mib }
    }
}

fn thread_names() -> Vec<String> {
    let tasks = read_dir("/proc/self/task").expect("/proc").flatten();
    // A thread may end between the two looks.
    tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok()).collect()
}

fn mean(readings: &[Reading], of: impl Fn(&Reading) -> f64) -> f64 {
    readings.iter().map(of).sum::<f64>() / readings.len() as f64
}

/// From the first video subscriber to the last, a hundred times, with pictures that somebody decodes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "alone in its process: scripts/test-video.sh"]
async fn a_hundred_lives_of_a_video_track_leave_nothing_behind() {
    // livekit-ffi.md 5.6: without it the C library's arenas grow, and hide what is lost.
    assert_eq!(std::env::var("MALLOC_ARENA_MAX").as_deref(), Ok("1"), "scripts/test-video.sh sets it");
    let robot = Robot::start("video-cycles", SessionOptions::default());
    let source = robot.context.video_source("/camera", VideoSourceOptions::default()).expect("opens");
    let data = pattern(WIDTH, HEIGHT, 0, [LEFT, RIGHT]);
    let camera = Camera::start(move |_, taken| {
        let (format, time_ns) = (VideoFormat::Rgb8, taken() * 1000);
        let image =
            VideoImage { format, width: WIDTH, height: HEIGHT, stride: 0, data: &data, time_ns, key_frame: false };
        source.push(&image).expect("a picture that fits its size");
    });
    let active = || {
        let stats = robot.session.stats().expect("stats");
        stats.channels.iter().any(|channel| channel.video.as_ref().is_some_and(|video| video.active))
    };
    let mut watcher = Watcher::python(&robot, &["/camera"]);
    let mut readings = Vec::new();
    for cycle in 0..CYCLES {
        if cycle > 0 {
            watcher.tell("subscribe");
        }
        watcher.frame("pictures", |line| size_is(line, WIDTH, HEIGHT));
        watcher.tell("unsubscribe");
        wait_until("the end of the track", LIMIT, || !active()).await;
        watcher.until("the end of the pictures", |line| line["op"] == "track ended");
        let reading = Reading::take();
        if cycle % 10 == 9 {
            println!("after {} cycles: {reading:?}", cycle + 1);
        }
        readings.push(reading);
    }
    let (first, last) = (&readings[..CYCLES / 3], &readings[CYCLES - CYCLES / 3..]);
    let growth = |of: fn(&Reading) -> f64| mean(last, of) - mean(first, of);
    let (threads, descriptors, memory) = (growth(|r| r.threads), growth(|r| r.descriptors), growth(|r| r.resident_mib));
    let encoders = growth(|r| r.encoders);
    println!(
        "last third over first third: {threads:+.2} threads, {descriptors:+.2} descriptors, {encoders:+.2} encoders of the \
         library, {memory:+.2} MiB"
    );
    // A thread or descriptor lost in each cycle would make 67 between the two.
    assert!(threads.abs() < 3.0, "threads: {threads:+.2}");
    assert!(descriptors.abs() < 3.0, "descriptors: {descriptors:+.2}");
    // The library's share, and no more: one sender for each track, with its encoder.
    assert!(encoders < 70.0, "encoders: {encoders:+.2}");
    assert!(memory < 67.0 * 6.0, "memory: {memory:+.2} MiB");
    // Once nobody is there any more the connection is made anew, and everything given back.
    drop(watcher);
    let left = || thread_names().iter().filter(|name| name.starts_with("VideoEncoder")).count();
    wait_until("the end of the library's encoders", LIMIT, || left() == 0).await;
    assert_eq!(robot.session.status(), ConnectionStatus::Connected);
    println!("after the new connection: {:?}", Reading::take());
    // And the camera can be watched as before.
    let watcher = Watcher::python(&robot, &["/camera"]);
    watcher.frame("pictures", |line| size_is(line, WIDTH, HEIGHT));
    drop(camera);
}
