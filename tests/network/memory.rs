//! What a robot's memory comes to when it joins and leaves with video again and again (livekit-ffi.md 5.6).

use telelink::context::Context;
use telelink::gateway::set_malloc_arenas;

use crate::robot::{is_robot_that, stay, Robot};
use crate::support::Server;

/// Joins of a robot; `MEMORY_CYCLES` in the environment makes it more, for the figures of docs/memory.md.
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

fn robot() -> Result<(), String> {
    if std::env::var_os("MEMORY_CALL").is_some() {
        assert!(set_malloc_arenas(1), "glibc takes the bound");
    }
    let cycles = std::env::var("MEMORY_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(CYCLES);
    for cycle in 1..=cycles {
        stay(&Context::new(), |_| (), || ())?;
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
    assert!(free.1 >= 2, "without a bound there are arenas: {free:?}");
    assert_eq!(called.1, 0, "the main arena is the only one");
    // The test's own harness has made some before the session starts.
    assert!(set.1 < free.1, "{set:?}, without a bound {free:?}");
}
