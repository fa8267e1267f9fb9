//! What `Channel::log` costs the thread that calls it, ns per call, by path, viewers and size.
//!
//! On the memory room, with the writers (or the pacer) awake: inside a write, which is where they are most of the time
//! with a real room. What waking an idle one costs, and the allocations, are counted afterwards (`counts`).

mod counts;
mod rig;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{criterion_group, BenchmarkId, Criterion, Throughput};
use rig::{batch, Recording, Rig, SIZES};
use telelink::context::Qos;

fn nobody(c: &mut Criterion) {
    let rig = Rig::new(Qos::Reliable, 0);
    let mut group = c.benchmark_group("log/nobody");
    for (name, size) in SIZES {
        let payload = vec![7; size];
        group.bench_function(name, |b| b.iter(|| rig.channel.log(black_box(&payload))));
    }
    group.finish();
}

fn reliable(c: &mut Criterion) {
    for viewers in [1, 5] {
        let mut rig = Rig::new(Qos::Reliable, viewers);
        let mut group = c.benchmark_group(format!("log/reliable/{viewers}"));
        for (name, size) in SIZES {
            let payload = vec![7; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter_custom(|iterations| {
                    let mut spent = Duration::ZERO;
                    let mut left = iterations;
                    while left > 0 {
                        let now = left.min(batch(size));
                        rig.hold_writers();
                        let start = Instant::now();
                        for _ in 0..now {
                            let _ = black_box(rig.channel.log(black_box(&payload)));
                        }
                        spent += start.elapsed();
                        rig.count_logged(now);
                        rig.release_writers();
                        left -= now;
                    }
                    spent
                });
            });
        }
        group.finish();
    }
}

fn lossy(c: &mut Criterion) {
    for viewers in [1, 5] {
        let mut rig = Rig::new(Qos::Lossy, viewers);
        rig.slow_pacer();
        let mut group = c.benchmark_group(format!("log/lossy/{viewers}"));
        for (name, size) in SIZES {
            let payload = vec![7; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| rig.channel.log(black_box(&payload)));
            });
        }
        group.finish();
    }
}

/// Nobody but an MCAP writer, whose queue never fills: in batches, with the writing thread idle in between.
fn recorder(c: &mut Criterion) {
    let recording = Recording::new();
    let mut group = c.benchmark_group("log/recorder");
    for (name, size) in SIZES {
        let payload = vec![7; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                let mut left = iterations;
                while left > 0 {
                    let now = left.min(batch(size));
                    let start = Instant::now();
                    for _ in 0..now {
                        let _ = black_box(recording.channel.log(black_box(&payload)));
                    }
                    spent += start.elapsed();
                    recording.drain();
                    left -= now;
                }
                spent
            });
        });
    }
    group.finish();
    recording.expect_no_drops();
}

criterion_group!(benches, nobody, reliable, lossy, recorder);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    counts::write();
}
