//! What Criterion does not measure of `Channel::log`: allocations of the calling thread, and the cost of the one call
//! that wakes an idle writer or pacer.
//!
//! Writes `log_counts.json` into the folder that `TELELINK_BENCH_OUT` names, default `build/bench`.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{json, Map, Value};
use telelink::context::Qos;

use crate::rig::{batch, Rig, SIZES};

/// Calls over which allocations are averaged.
const CALLS: u64 = 1000;

/// Long enough that writers, pacer and their threads are asleep again.
const REST: Duration = Duration::from_micros(500);

pub(crate) fn write() {
    // `cargo test --benches` must not take minutes; `cargo bench` passes `--bench`.
    let smoke = std::env::var_os("SMOKE").is_some_and(|v| v == "1") || !std::env::args().any(|a| a == "--bench");
    let mut allocations = Map::new();
    let mut wakes = Map::new();
    for (path, qos, viewers) in [
        ("nobody", Qos::Reliable, 0),
        ("reliable/1", Qos::Reliable, 1),
        ("reliable/5", Qos::Reliable, 5),
        ("lossy/1", Qos::Lossy, 1),
        ("lossy/5", Qos::Lossy, 5),
    ] {
        let mut rig = Rig::new(qos, viewers);
        if viewers > 0 {
            wakes.insert(path.into(), wake_cost(&mut rig, if smoke { 50 } else { 3000 }));
        }
        if viewers > 0 && qos == Qos::Lossy {
            rig.slow_pacer();
        }
        for (name, size) in SIZES {
            let mut found = Value::Null;
            // Twice: in the first the queues grow to what they need.
            for _ in 0..2 {
                let hold = viewers > 0 && qos == Qos::Reliable;
                if hold {
                    rig.hold_writers();
                }
                found = allocations_per_call(&mut rig, size);
                if hold {
                    rig.release_writers();
                }
            }
            allocations.insert(format!("{path}/{name}"), found);
        }
    }
    wakes.insert("unpark".into(), unpark_cost(if smoke { 50 } else { 3000 }));
    let out = json!({ "allocations": allocations, "wake": wakes });
    println!("{out:#}");
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os("TELELINK_BENCH_OUT").map_or_else(|| root.join("build/bench"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("the output folder can be made");
    std::fs::write(folder.join("log_counts.json"), out.to_string()).expect("the result can be written");
}

/// Allocations, and bytes allocated, of one call, on average.
fn allocations_per_call(rig: &mut Rig, size: usize) -> Value {
    let payload = vec![7; size];
    let calls = CALLS.min(batch(size));
    let info = allocation_counter::measure(|| {
        for _ in 0..calls {
            let _ = black_box(rig.channel.log(black_box(&payload)));
        }
    });
    rig.count_logged(calls);
    json!({
        "count": info.count_total as f64 / calls as f64,
        "bytes": info.bytes_total as f64 / calls as f64,
    })
}

/// Nanoseconds of a call that finds everything asleep.
fn wake_cost(rig: &mut Rig, samples: usize) -> Value {
    let payload = [7; 100];
    let costs = (0..samples)
        .map(|_| {
            std::thread::sleep(REST);
            let start = Instant::now();
            rig.log(black_box(&payload));
            let cost = start.elapsed().as_nanos() as u64;
            rig.drain();
            cost
        })
        .collect();
    quantiles(costs)
}

/// The same of waking a thread that does nothing else: what the machine takes for any wake-up.
fn unpark_cost(samples: usize) -> Value {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = stop.clone();
    let sleeper = std::thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            std::thread::park();
        }
    });
    let costs = (0..samples)
        .map(|_| {
            std::thread::sleep(REST);
            let start = Instant::now();
            sleeper.thread().unpark();
            start.elapsed().as_nanos() as u64
        })
        .collect();
    stop.store(true, Ordering::Relaxed);
    sleeper.thread().unpark();
    sleeper.join().expect("the sleeper does not panic");
    quantiles(costs)
}

fn quantiles(mut costs: Vec<u64>) -> Value {
    costs.sort_unstable();
    let at = |share: f64| costs[((costs.len() - 1) as f64 * share) as usize];
    json!({ "p50_ns": at(0.5), "p99_ns": at(0.99), "samples": costs.len() })
}
