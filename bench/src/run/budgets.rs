//! The budgets of design.md section 6, judged.

use serde::Serialize;

use super::log_cost::LogCost;
use super::process::Kind;
use super::results::{Measured, Scale, Table, Who};
use super::scenarios::{
    BURST, FLOW, LOSSY_IDLE, LOSSY_OVERLOAD, LOSSY_PACED, LOSSY_SPREAD, LOSSY_TOGETHER, RELIABLE_IDLE, RELIABLE_PACED,
};
use super::video::{self, Video};

/// One budget.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) work: String,
    pub(crate) budget: String,
    pub(crate) measured: String,
    /// `None`: not measured in this run.
    pub(crate) met: Option<bool>,
}

#[derive(Default)]
struct Verdicts(Vec<Verdict>);

impl Verdicts {
    /// `value` in `unit` may be at most `limit`.
    fn at_most(&mut self, work: &str, value: Option<f64>, limit: f64, unit: &str) {
        self.judge(work, format!("<= {}{unit}", short(limit)), value, unit, |value| value <= limit);
    }

    fn at_least(&mut self, work: &str, value: Option<f64>, limit: f64, unit: &str) {
        self.judge(work, format!(">= {}{unit}", short(limit)), value, unit, |value| value >= limit);
    }

    fn judge(&mut self, work: &str, budget: String, value: Option<f64>, unit: &str, fits: impl Fn(f64) -> bool) {
        let value = value.filter(|value| value.is_finite());
        let measured = value.map_or_else(|| "not measured".into(), |value| format!("{}{unit}", short(value)));
        self.0.push(Verdict { work: work.into(), budget, measured, met: value.map(fits) });
    }
}

/// Three digits, more if there are more before the point.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        x if x >= 100.0 => format!("{value:.0}"),
        x if x >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

pub(crate) fn judge(log: &LogCost, table: &Table, scale: &[Scale], videos: &[Video], viewers: usize) -> Vec<Verdict> {
    let mut verdicts = Verdicts::default();
    log_rows(&mut verdicts, log, table);
    reliable_rows(&mut verdicts, table, viewers);
    lossy_rows(&mut verdicts, table);
    latency_rows(&mut verdicts, table);
    scale_rows(&mut verdicts, scale);
    video_rows(&mut verdicts, log, videos);
    verdicts.0
}

fn log_rows(v: &mut Verdicts, log: &LogCost, table: &Table) {
    let ns = |name: &str| log.ns.get(name).copied();
    v.at_most("log, nobody subscribed", ns("nobody/100B"), 10.0, " ns");
    v.at_most("the same, allocations", log.allocations.get("nobody/100B").copied(), 0.0, "");
    v.at_most("the same, C call", log.c_ns.get("nobody/100B").copied(), 10.0, " ns");
    v.at_most("log 100 B, writer awake", ns("reliable/1/100B"), 400.0, " ns");
    v.at_most("log 100 B, pacer awake", ns("lossy/1/100B"), 400.0, " ns");
    let further = ns("reliable/5/100B").zip(ns("reliable/1/100B")).map(|(five, one)| (five - one) / 4.0);
    v.at_most("each further viewer", further, 60.0, " ns");
    let copies = log.allocated_bytes.get("reliable/5/64KiB").map(|bytes| bytes / 65_536.0);
    v.at_most("bytes allocated / payload, 64 KiB to 5 viewers", copies, 1.05, "");
    let wake = |path: &str| log.wake_p50_ns.get(path).map(|ns| ns / 1e3);
    v.at_most("log that wakes an idle writer, memory room, p50", wake("reliable/1"), 5.0, " us");
    v.at_most("log that wakes an idle pacer, memory room, p50", wake("lossy/1"), 5.0, " us");
    let real = |scenario| table.get(scenario, 100, 1, Who::Telelink).map(|m| m.call_p50_ns / 1e3);
    v.at_most("log that wakes an idle writer, LiveKit, p50", real(RELIABLE_IDLE), 5.0, " us");
    v.at_most("log that wakes an idle pacer, LiveKit, p50", real(LOSSY_IDLE), 5.0, " us");
}

/// A figure of ours divided by another's.
fn ratio(table: &Table, case: (&str, usize, usize), other: Who, field: impl Fn(&Measured) -> f64) -> Option<f64> {
    let (scenario, size, viewers) = case;
    let ours = field(&table.get(scenario, size, viewers, Who::Telelink)?);
    Some(ours / field(&table.get(scenario, size, viewers, other)?))
}

fn reliable_rows(v: &mut Verdicts, table: &Table, viewers: usize) {
    let small = (FLOW, 100, 1);
    let rate = table.get(FLOW, 100, 1, Who::Telelink).map(|m| m.messages_per_s);
    v.at_least("reliable 100 B, messages", rate, 10_000.0, "/s");
    v.at_least("the same / awaited single writes", ratio(table, small, Who::Single, |m| m.messages_per_s), 5.0, "x");
    let cpu = |m: &Measured| m.cpu_us_per_message;
    v.at_most("reliable 100 B, CPU per message / peer", ratio(table, small, Who::Peer, cpu), 0.3, "x");
    let kib = (FLOW, 1024, 1);
    v.at_least(
        "reliable 1 KiB, bytes/s / raw 15,000 B writes",
        ratio(table, kib, Who::Raw, |m| m.bytes_per_s),
        0.85,
        "x",
    );
    v.at_most("reliable 1 KiB, CPU per message / peer", ratio(table, kib, Who::Peer, cpu), 0.8, "x");
    let paced = ratio(table, (RELIABLE_PACED, 1024, 1), Who::Peer, cpu);
    v.at_most("the same at 500/s, one message a write", paced, 0.8, "x");
    for (size, to) in [(100, 1), (1024, viewers.min(4))] {
        let count = if size == 100 { "5,000" } else { "1,000" };
        let name = format!("burst of {count} x {size} B to {to}");
        let delivered = table.get(BURST, size, to, Who::Telelink).map(|m| m.worst_channel_percent);
        v.at_least(&format!("{name}, delivered"), delivered, 100.0, " %");
        let p99 = ratio(table, (BURST, size, to), Who::Peer, |m| m.latency_p99_ms);
        v.at_most(&format!("{name}, p99 / peer"), p99, 0.3, "x");
    }
}

fn lossy_rows(v: &mut Verdicts, table: &Table) {
    for scenario in [LOSSY_SPREAD, LOSSY_TOGETHER] {
        let worst = table.get(scenario, 100, 1, Who::Telelink).map(|m| m.worst_channel_percent);
        v.at_least(&format!("{scenario}, worst channel delivered"), worst, 99.0, " %");
    }
    let overload = table.get(LOSSY_OVERLOAD, 100, 1, Who::Telelink);
    let unfair = overload.map(|m| {
        let (worst, best, mean) = (m.worst_channel_percent, m.best_channel_percent, m.delivered_percent);
        100.0 * (best - mean).max(mean - worst) / mean
    });
    v.at_most("overload, farthest channel from its fair share", unfair, 20.0, " %");
    // Frames after the last one received cannot be seen missing: at most a few of each channel.
    let uncounted = overload.map(|m| {
        let delivered = m.logged * m.delivered_percent / 100.0;
        100.0 * (m.logged - delivered - m.lost_seen).abs() / m.logged
    });
    v.at_most("overload, logged but neither received nor seen lost", uncounted, 2.0, " %");
    let cpu = |m: &Measured| m.cpu_us_per_message;
    for size in [100, 1024] {
        let value = ratio(table, (LOSSY_PACED, size, 1), Who::Peer, cpu);
        v.at_most(&format!("lossy {size} B at 500/s, CPU per message / peer"), value, 0.8, "x");
    }
}

fn latency_rows(v: &mut Verdicts, table: &Table) {
    for (scenario, other) in [(RELIABLE_IDLE, Who::Single), (LOSSY_IDLE, Who::Raw)] {
        for size in [100, 1024] {
            let p50 = ratio(table, (scenario, size, 1), other, |m| m.latency_p50_ms);
            let p99 = ratio(table, (scenario, size, 1), other, |m| m.latency_p99_ms);
            v.at_most(&format!("{scenario}, {size} B, latency p50 / raw"), p50, 1.1, "x");
            v.at_most(&format!("{scenario}, {size} B, latency p99 / raw"), p99, 2.0, "x");
        }
    }
}

fn scale_rows(v: &mut Verdicts, scale: &[Scale]) {
    let of = |kind| scale.iter().find(|scale| scale.robot == kind);
    let ours = of(Kind::Telelink);
    let channels = ours.map_or(1000, |scale| scale.channels);
    v.at_most(
        &format!("{channels} channels advertised to a joining viewer"),
        ours.map(|s| s.advertised_ms),
        100.0,
        " ms",
    );
    v.at_most("the same, advertise messages", ours.map(|s| s.advertise_messages), 1.0, "");
    v.at_most(&format!("{channels} lossy channels added"), ours.map(|s| s.added_ms), 500.0, " ms");
    let over = ours.zip(of(Kind::Raw)).map(|(ours, raw)| ours.rss_after_mib - raw.rss_after_mib);
    v.at_most("memory with them and 5 idle viewers, over raw", over, 32.0, " MiB");
}

fn video_rows(v: &mut Verdicts, log: &LogCost, videos: &[Video]) {
    let ns = |name: &str| log.video_ns.get(name).copied();
    v.at_most("1280x720 RGB to encoder input", ns("message").map(|ns| ns / 1e3), 1200.0, " us");
    let ratio = ns("message").zip(ns("yuv crate")).map(|(ours, crates)| ours / crates);
    v.at_most("the same / yuv crate alone", ratio, 1.2, "x");
    let cpu = |robot| video::of(videos, robot, |video| video.cpu_ms_per_picture);
    let ratio = cpu(Kind::Telelink).zip(cpu(Kind::Peer)).map(|(ours, peer)| ours / peer);
    v.at_most(&format!("{}, CPU / peer", video::NAME), ratio, 1.0, "x");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_missed_or_not_measured() {
        let mut verdicts = Verdicts::default();
        verdicts.at_most("a", Some(5.0), 5.0, " us");
        verdicts.at_most("b", Some(5.1), 5.0, " us");
        verdicts.at_least("c", Some(f64::NAN), 5.0, "x");
        let met: Vec<_> = verdicts.0.iter().map(|verdict| verdict.met).collect();
        assert_eq!(met, [Some(true), Some(false), None]);
        assert_eq!(verdicts.0[2].measured, "not measured");
    }
}
