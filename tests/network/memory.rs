//! What a robot's memory comes to when it joins and leaves with video again and again (livekit-ffi.md 5.6).

use std::sync::Arc;
use std::time::Duration;

use telelink::room::livekit::{set_malloc_arenas, Library, LibraryOptions, LivekitConnector};
use telelink::room::{
    Connector, JoinRequest, RoomOptions, Secret, VideoCodec, VideoEncoder, VideoPicture, VideoTrackOptions,
};

use crate::robot::{is_robot_that, literal, Robot};
use crate::support::{token, Server, TokenOptions};

/// Rooms that a robot joins; `MEMORY_CYCLES` in the environment makes it more, for the figures of docs/memory.md.
const CYCLES: usize = 6;

/// Resident memory, KiB, and arenas, each a mapping of up to 64 MiB that glibc aligns to that.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    line.expect("VmRSS")
}

fn arenas() -> usize {
    const SIZE: u64 = 64 << 20;
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    let ranges: Vec<(u64, u64, bool)> = maps
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (from, to) = words.next()?.split_once('-')?;
            let writable = words.next()?.starts_with("rw");
            let number = |text| u64::from_str_radix(text, 16).ok();
            // A mapping without a file has five words.
            (words.count() == 3).then_some((number(from)?, number(to)?, writable))
        })
        .collect();
    let heap = |pair: &[(u64, u64, bool)]| {
        let [(from, middle, true), (next, to, false)] = *pair else { return false };
        from % SIZE == 0 && middle == next && to - from == SIZE
    };
    ranges.windows(2).filter(|pair| heap(pair)).count()
}

/// One stay in a room, with pictures at 30 per second that nobody watches.
async fn stay(library: Arc<Library>, room: &str) {
    let token = Secret::new(token(room, "robot", &TokenOptions::default()));
    let url = std::env::var("LIVEKIT_URL").expect("the server");
    let request = JoinRequest { url, token, options: RoomOptions { ice_servers: literal(), ..RoomOptions::default() } };
    let joined = LivekitConnector::new(library).join(request).await.expect("joins");
    let (width, height) = (640, 360);
    let options = VideoTrackOptions {
        codec: VideoCodec::Vp8,
        encoder: VideoEncoder::Software,
        limits: None,
        encoded: false,
        capture_times: false,
        size: (width, height),
    };
    let track = joined.room.publish_video_track("/camera", &options).await.expect("a video track");
    let mut ticks = tokio::time::interval(Duration::from_millis(33));
    for n in 0..10 {
        ticks.tick().await;
        let data = vec![n as u8 * 20; (width * height * 3 / 2) as usize];
        track.capture(&VideoPicture { width, height, data: &data, timestamp_us: n }).expect("a picture is taken");
    }
    joined.room.close().await;
}

fn robot() -> Result<(), String> {
    if std::env::var_os("MEMORY_CALL").is_some() {
        assert!(set_malloc_arenas(1), "glibc takes the bound");
    }
    let cycles = std::env::var("MEMORY_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(CYCLES);
    let library = Library::load(&LibraryOptions::default()).map_err(|error| error.to_string())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    for cycle in 1..=cycles {
        runtime.block_on(stay(library.clone(), &format!("memory-{}-{cycle}", std::process::id())));
        eprintln!("cycle {cycle}: {} KiB, {} arenas", resident(), arenas());
    }
    println!("\nresident: {}\narenas: {}", resident(), arenas());
    Ok(())
}

#[test]
fn a_bound_of_arenas_holds() {
    const ME: &str = "memory::a_bound_of_arenas_holds";
    if is_robot_that(robot) {
        return;
    }
    let server = Server::start();
    let run = |environment: &[(&str, &str)]| {
        let robot = Robot::run(ME, &server.url, environment);
        (robot.joined().number("resident"), robot.number("arenas"))
    };
    let free = run(&[]);
    let called = run(&[("MEMORY_CALL", "1")]);
    let set = run(&[("TELELINK_MALLOC_ARENAS", "1")]);
    println!("(KiB, arenas): {free:?} by default, {called:?} and {set:?} with one arena");
    assert!(free.1 >= 4, "without a bound there are arenas: {free:?}");
    // Beside the main one there is that of the test's own thread, made before.
    assert!(called.1 <= 1 && set.1 <= 1, "{called:?}, {set:?}");
}
