//! What is measured end to end: a list of cases, each run by every robot in turn, round by round.

use std::collections::BTreeMap;

use crate::commands::Burst;

use super::process::{Kind, Result};
use super::results::{Case, Table, Who};
use super::stage::{Channels, Stage};

/// As many messages at a time as any of the three can: how much a robot can carry.
pub(crate) const FLOW: &str = "reliable flow";
/// Evenly spaced messages, one a write: what a message costs alone.
pub(crate) const RELIABLE_PACED: &str = "reliable paced";
/// Few messages: latency without load.
pub(crate) const RELIABLE_IDLE: &str = "reliable idle";
/// All at once.
pub(crate) const BURST: &str = "reliable burst";
/// One data track.
pub(crate) const LOSSY_PACED: &str = "lossy paced";
/// One data track, few messages.
pub(crate) const LOSSY_IDLE: &str = "lossy idle";
/// 50 data tracks at 20 Hz, evenly spaced.
pub(crate) const LOSSY_SPREAD: &str = "lossy 50 x 20 Hz, spread";
/// The same, all 50 in the same instant, as a robot does that logs everything in one loop.
pub(crate) const LOSSY_TOGETHER: &str = "lossy 50 x 20 Hz, together";
/// 50 data tracks with about three times what a room carries.
pub(crate) const LOSSY_OVERLOAD: &str = "lossy 50 x 100 Hz";

pub(crate) const SIZES: [usize; 3] = [100, 1024, 65_536];

/// Channels of the scenarios with many data tracks.
pub(crate) const MANY_CHANNELS: usize = 50;

/// How much to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Viewers of the scenarios with many, 5 in a full run.
    pub(crate) viewers: usize,
    /// Scales counts and times.
    pub(crate) share: f64,
    pub(crate) smoke: bool,
}

impl Effort {
    pub(crate) const FULL: Self = Self { rounds: 3, viewers: 5, share: 1.0, smoke: false };
    pub(crate) const SMOKE: Self = Self { rounds: 1, viewers: 2, share: 0.1, smoke: true };

    fn count(self, count: u64) -> u64 {
        ((count as f64 * self.share) as u64).max(MANY_CHANNELS as u64)
    }
}

/// One case and how to run it.
struct Scenario {
    case: Case,
    who: &'static [Who],
    channels: usize,
    reliable: bool,
    burst: Burst,
}

fn scenarios(effort: Effort) -> Vec<Scenario> {
    use Who::{Peer, Raw, Single, Telelink};
    let template = Burst {
        prefix: String::new(),
        channels: 1,
        count: 0,
        size: 0,
        rate: 0.0,
        window: 0,
        seconds: 0.0,
        coalesce: true,
        group: 1,
    };
    let many = effort.viewers;
    let mut list = Vec::new();
    let mut add = |scenario, size, viewers, who, channels, burst: Burst| {
        let reliable = [FLOW, RELIABLE_PACED, RELIABLE_IDLE, BURST].contains(&scenario);
        let burst = Burst { size, channels, ..burst };
        list.push(Scenario { case: Case { scenario, size, viewers }, who, channels, reliable, burst });
    };
    let sizes: &[usize] = if effort.smoke { &SIZES[..1] } else { &SIZES };
    for &size in sizes {
        // Half of our queue and of the peer's, which are of the same length, but not more than what the transport carries
        // in a fifth of a second: it must never run dry, and what still waits at the end takes its time.
        let window = ((1 << 19) as f64 * effort.share) as u64 / size as u64;
        let window = window.clamp(8, 8192);
        let flow = Burst { window, seconds: 1.5 * effort.share.sqrt(), count: u64::MAX, ..template.clone() };
        add(FLOW, size, 1, &[Telelink, Peer, Raw, Single], 1, flow.clone());
        add(FLOW, size, many, &[Telelink, Peer, Raw], 1, flow);
    }
    for &size in sizes {
        let idle = Burst { rate: 50.0, count: effort.count(100), ..template.clone() };
        add(RELIABLE_IDLE, size, 1, &[Telelink, Peer, Single], 1, idle.clone());
        add(LOSSY_IDLE, size, 1, &[Telelink, Peer, Raw], 1, idle);
        // 64 KiB is five packets; 50/s of them are what the transport carries without loss (livekit-ffi.md 5.3).
        let rate = if size < 10_000 { 500.0 } else { 50.0 };
        let paced = Burst { rate, count: effort.count((rate * 2.0) as u64), ..template.clone() };
        if size < 10_000 {
            add(RELIABLE_PACED, size, 1, &[Telelink, Peer, Single], 1, paced.clone());
        }
        add(LOSSY_PACED, size, 1, &[Telelink, Peer, Raw], 1, paced.clone());
        // A smoke leaves out what differs from another scenario by a number only.
        if !effort.smoke {
            add(LOSSY_PACED, size, many, &[Telelink, Peer, Raw], 1, paced);
        }
    }
    let burst = Burst { count: effort.count(5000), ..template.clone() };
    add(BURST, 100, 1, &[Telelink, Peer, Raw], 1, burst.clone());
    let burst = Burst { count: effort.count(1000), ..burst };
    add(BURST, 1024, many.min(4), &[Telelink, Peer, Raw], 1, burst);
    let channels = MANY_CHANNELS as u64;
    let tick = Burst { rate: 1000.0, count: effort.count(4000), ..template.clone() };
    add(LOSSY_SPREAD, 100, 1, &[Telelink, Peer, Raw], MANY_CHANNELS, tick.clone());
    if !effort.smoke {
        add(LOSSY_TOGETHER, 100, 1, &[Telelink, Peer, Raw], MANY_CHANNELS, Burst { group: channels, ..tick });
    }
    let overload = Burst { rate: 5000.0, count: effort.count(10_000), ..template };
    add(LOSSY_OVERLOAD, 100, 1, &[Telelink, Peer, Raw], MANY_CHANNELS, overload);
    list
}

/// Runs everything; what a robot could not do is told in the list returned.
pub(crate) async fn run(
    stages: &mut BTreeMap<Kind, Stage>,
    effort: Effort,
    only: &str,
    table: &mut Table,
) -> Vec<String> {
    let mut failures = Vec::new();
    for scenario in scenarios(effort).into_iter().filter(|scenario| scenario.case.scenario.contains(only)) {
        let Case { scenario: name, size, viewers } = scenario.case;
        eprintln!("{name}, {size} B, {viewers} viewer(s)");
        let mut open: BTreeMap<Kind, Channels> = BTreeMap::new();
        for (kind, stage) in stages.iter_mut() {
            if !scenario.who.iter().any(|who| who.kind() == *kind) {
                continue;
            }
            match stage.open(scenario.channels, scenario.reliable, viewers).await {
                Ok(channels) => drop(open.insert(*kind, channels)),
                Err(error) => failures.push(format!("{name}, {size} B, {viewers}: {error}")),
            }
        }
        for _ in 0..effort.rounds {
            // Robot after robot within a round: what else the machine does meets all of them alike.
            for &who in scenario.who {
                let Some((stage, channels)) = stages.get_mut(&who.kind()).zip(open.get(&who.kind())) else { continue };
                if let Err(error) = round(stage, channels, &scenario, who, table).await {
                    failures.push(format!("{name}, {size} B, {viewers}, {}: {error}", who.name()));
                }
            }
        }
        for (kind, channels) in open {
            if let Some(stage) = stages.get_mut(&kind) {
                if let Err(error) = stage.close(channels).await {
                    failures.push(format!("{name}, {}: {error}", kind.name()));
                }
            }
        }
    }
    failures
}

async fn round(stage: &mut Stage, channels: &Channels, scenario: &Scenario, who: Who, table: &mut Table) -> Result<()> {
    let burst = Burst { prefix: channels.prefix.clone(), coalesce: who != Who::Single, ..scenario.burst.clone() };
    let measured = stage.measure(channels, &burst).await?;
    eprintln!(
        "  {:11} {:9.0}/s {:6.1} % cpu {:7.1} us  latency {:.2} / {:.2} ms",
        who.name(),
        measured.messages_per_s,
        measured.delivered_percent,
        measured.cpu_us_per_message,
        measured.latency_p50_ms,
        measured.latency_p99_ms
    );
    table.add(scenario.case.clone(), who, measured);
    Ok(())
}
