//! Where threads run: ours are set by the hook, those of LiveKit's library inherit.

use std::sync::Arc;

use telelink::context::{Context, Qos};
use telelink::threads::{set_thread_hook, ThreadRole};

use crate::robot::{is_robot_that, stay, Robot};
use crate::support::Server;

/// Lets the calling thread run on these processors only.
fn pin(processors: &[usize]) {
    // SAFETY: plain old data, for which all zeros is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is live, and the numbers are small.
    processors.iter().for_each(|&processor| unsafe { libc::CPU_SET(processor, &mut set) });
    // SAFETY: reads as many bytes as it is told of a live value; 0 is the calling thread.
    let done = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

/// Name and processors of each thread of this process.
fn threads() -> Vec<(String, String)> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc").flatten();
    let read = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let line = |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
        Some((line("Name:")?, line("Cpus_allowed_list:")?))
    };
    tasks.filter_map(read).collect()
}

/// The robot: its own threads on processor 1, those of LiveKit's library on processor 0, the others where they like.
fn robot() -> Result<(), String> {
    set_thread_hook(Some(Arc::new(|role| pin(if role == ThreadRole::Pacer { &[0, 1] } else { &[1] }))));
    pin(&[0]);
    let context = Context::new();
    let lossy = context.channel("/lossy").encoding("json").qos(Qos::Lossy).open().map_err(|error| error.to_string())?;
    stay(
        &context,
        |_| (),
        || {
            let start = std::time::Instant::now();
            // The pacer starts with the first data track, which is published soon after the join.
            while !threads().iter().any(|(name, _)| name == "tl-pacer") {
                assert!(start.elapsed() < std::time::Duration::from_secs(20), "no pacer: {:?}", threads());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let _ = lossy.log(b"{}");
            for (name, processors) in threads() {
                println!("thread {name} {processors}");
            }
        },
    )
}

#[test]
fn the_hook_places_our_threads_and_livekits_inherit() {
    const ME: &str = "affinity::the_hook_places_our_threads_and_livekits_inherit";
    if is_robot_that(robot) {
        return;
    }
    assert!(std::thread::available_parallelism().is_ok_and(|n| n.get() >= 2), "this test needs two processors");
    let server = Server::start();
    let robot = Robot::run(ME, &server.url, &[]);
    let threads: Vec<(&str, &str)> =
        robot.joined().lines().filter_map(|line| line.strip_prefix("thread ")?.rsplit_once(' ')).collect();
    let of = |wanted: &str| -> Vec<&str> {
        let named = threads.iter().filter(|(name, _)| *name == wanted);
        named.map(|(_, processors)| *processors).collect()
    };
    assert_eq!(of("tl-core")[..2], ["1", "1"], "{threads:?}");
    assert_eq!(of("tl-events"), ["1"], "{threads:?}");
    assert_eq!(of("tl-pacer"), ["0-1"], "{threads:?}");
    // What is not ours and not of the test's harness came from LiveKit's library.
    let livekit = of("tokio-rt-worker");
    assert!(!livekit.is_empty() && livekit.iter().all(|processors| *processors == "0"), "{threads:?}");
    let foreign =
        threads.iter().filter(|(name, _)| !name.starts_with("tl-") && *name != "network" && !name.contains("::"));
    println!("{:?}", foreign.collect::<Vec<_>>());
}
