//! What a run prints: the figures with their ratios, and the budgets.

use std::fmt::Write;

use super::budgets::{short, Verdict};
use super::log_cost::LogCost;
use super::results::{Row, Scale, Who};
use super::video::{self, Video};

/// Everything as Markdown, which docs/performance.md takes over.
pub(crate) fn markdown(log: &LogCost, rows: &[Row], scale: &[Scale], videos: &[Video], verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(out, "{}{}{}{}", budgets(verdicts), log_table(log), end_to_end(rows), scale_table(scale));
    out += &video::table(videos);
    out
}

fn budgets(verdicts: &[Verdict]) -> String {
    let mut out = String::from("### Budgets\n\n| Work | Budget | Measured | |\n|---|---|---|---|\n");
    for Verdict { work, budget, measured, met } in verdicts {
        let met = match met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "-",
        };
        let _ = writeln!(out, "| {work} | {budget} | {measured} | {met} |");
    }
    out
}

fn log_table(log: &LogCost) -> String {
    let mut out = String::from(
        "\n### One `log` call (memory room)\n\n| Path / viewers / size | ns | allocations | bytes allocated |\n|---|---|---|---|\n",
    );
    for (name, ns) in &log.ns {
        let get = |map: &std::collections::BTreeMap<String, f64>| map.get(name).map_or("-".into(), |v| short(*v));
        let _ =
            writeln!(out, "| {name} | {} | {} | {} |", short(*ns), get(&log.allocations), get(&log.allocated_bytes));
    }
    for (name, ns) in &log.c_ns {
        let _ = writeln!(out, "| {name}, C call | {} | | |", short(*ns));
    }
    for (path, ns) in &log.wake_p50_ns {
        let what = if path == "unpark" { "waking a bare thread" } else { "100 B, wakes an idle thread" };
        let _ = writeln!(out, "| {path}: {what} (p50) | {} | | |", short(*ns));
    }
    out
}

fn end_to_end(rows: &[Row]) -> String {
    let mut out = String::from(
        "\n### Through a LiveKit server\n\n\
         | Scenario | size | viewers | robot | messages/s | MB/s | delivered % | worst channel % | CPU us/message | \
         p50 ms | p99 ms | `log` p50 us |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let m = row.median;
        // Beside each figure of another robot: ours divided by it.
        let ours =
            rows.iter().find(|ours| ours.case == row.case && ours.robot == Who::Telelink).map(|ours| ours.median);
        let with_ratio = |value: f64, ours: Option<f64>| match ours.filter(|_| row.robot != Who::Telelink) {
            Some(ours) if value > 0.0 && ours.is_finite() => format!("{} (x{})", short(value), short(ours / value)),
            _ => short(value),
        };
        let call = if m.call_p50_ns > 0.0 { short(m.call_p50_ns / 1e3) } else { "-".into() };
        let resets = if m.resets > 0.0 { format!(", {} resets", m.resets) } else { String::new() };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {}{resets} | {} | {} | {} | {} | {} | {} | {} | {call} |",
            row.case.scenario,
            row.case.size,
            row.case.viewers,
            row.robot.name(),
            with_ratio(m.messages_per_s, ours.map(|o| o.messages_per_s)),
            short(m.bytes_per_s / 1e6),
            short(m.delivered_percent),
            short(m.worst_channel_percent),
            with_ratio(m.cpu_us_per_message, ours.map(|o| o.cpu_us_per_message)),
            with_ratio(m.latency_p50_ms, ours.map(|o| o.latency_p50_ms)),
            with_ratio(m.latency_p99_ms, ours.map(|o| o.latency_p99_ms)),
        );
    }
    out
}

fn scale_table(scale: &[Scale]) -> String {
    let mut out = String::from(
        "\n### Many channels\n\n| Robot | channels | viewers | RSS before MiB | RSS after MiB | added ms | advertised to a \
         joiner ms | advertise messages |\n|---|---|---|---|---|---|---|---|\n",
    );
    for s in scale {
        let number = |value: f64| if value.is_finite() { short(value) } else { "-".into() };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            s.robot.name(),
            s.channels,
            s.viewers,
            short(s.rss_before_mib),
            short(s.rss_after_mib),
            number(s.added_ms),
            number(s.advertised_ms),
            number(s.advertise_messages),
        );
    }
    out
}
