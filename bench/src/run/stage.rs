//! One robot in a room of its own, with viewers, and one burst measured.

use std::time::{Duration, Instant};

use crate::commands::{Burst, BurstDone, Command, Done};
use telelink::room::livekit::LivekitConnector;
use telelink::room::{JoinRequest, RoomOptions, Secret};
use telelink_client::{ChannelStats, Latency, Viewer, ViewerOptions};

use super::process::{Kind, Paths, Result, Robot, Server};
use super::results::Measured;

/// How long anything may take before the run gives up.
const LIMIT: Duration = Duration::from_secs(60);
/// A receiver that got nothing for so long has got all that it will get: of data tracks, and of byte streams, which
/// rest for seconds when a busy machine makes the transport lose packets.
const QUIET_LOSSY: Duration = Duration::from_secs(1);
const QUIET_RELIABLE: Duration = Duration::from_secs(8);
/// Longest wait for the rest of a burst.
const SETTLE: Duration = Duration::from_secs(30);

/// A robot and its viewers.
pub(crate) struct Stage {
    pub(crate) kind: Kind,
    pub(crate) robot: Robot,
    pub(crate) viewers: Vec<Viewer>,
    room: String,
    connector: std::sync::Arc<LivekitConnector>,
    next_prefix: u32,
}

/// Channels made for one scenario, and who subscribed to them.
pub(crate) struct Channels {
    pub(crate) prefix: String,
    pub(crate) ids: Vec<u64>,
    pub(crate) viewers: usize,
    reliable: bool,
}

impl Stage {
    pub(crate) async fn start(
        kind: Kind,
        paths: &Paths,
        server: &Server,
        connector: &std::sync::Arc<LivekitConnector>,
        viewers: usize,
    ) -> Result<Self> {
        let room = format!("bench-{}-{}", kind.name(), std::process::id());
        let robot = Robot::start(kind, paths, server, &room).await?;
        let mut stage = Self { kind, robot, viewers: Vec::new(), room, connector: connector.clone(), next_prefix: 0 };
        for _ in 0..viewers {
            let viewer = stage.join(server).await?;
            stage.viewers.push(viewer);
        }
        Ok(stage)
    }

    /// One more viewer; it has got `serverInfo`.
    pub(crate) async fn join(&mut self, server: &Server) -> Result<Viewer> {
        self.next_prefix += 1;
        let identity = format!("viewer-{}", self.next_prefix);
        let request = JoinRequest {
            url: server.url.clone(),
            token: Secret::new(server.token(&self.room, &identity)),
            options: RoomOptions::default(),
        };
        // Messages are counted and timed as they come; nobody takes them.
        let options = ViewerOptions { message_limit: 1, ..ViewerOptions::default() };
        let viewer = Viewer::join(self.connector.clone(), request, options).await?;
        viewer.ready(LIMIT).await.map_err(|error| format!("{}: no serverInfo: {error}", self.kind.name()))?;
        Ok(viewer)
    }

    /// Opens channels; the first `viewers` viewers subscribe to them and have got data when this returns.
    pub(crate) async fn open(&mut self, count: usize, reliable: bool, viewers: usize) -> Result<Channels> {
        self.next_prefix += 1;
        let prefix = format!("/c{}", self.next_prefix);
        let command = Command::Add { prefix: prefix.clone(), count, reliable };
        let _: Done = self.robot.process.ask(&command).await?;
        let mut ids = Vec::new();
        for (n, viewer) in self.viewers[..viewers].iter().enumerate() {
            let topics: Vec<String> = (0..count).map(|c| format!("{prefix}/{c}")).collect();
            for topic in &topics {
                let channel = viewer.wait_channel(topic, LIMIT).await?;
                if n == 0 {
                    ids.push(channel.id);
                }
            }
            viewer.subscribe(topics)?;
            if !reliable {
                for &id in &ids {
                    viewer.wait_attached(id, LIMIT).await?;
                }
            }
        }
        let channels = Channels { prefix, ids, viewers, reliable };
        self.warm_up(&channels).await?;
        Ok(channels)
    }

    /// Bursts until every viewer has got something on every channel: subscriptions are not confirmed (P-70).
    async fn warm_up(&mut self, channels: &Channels) -> Result<()> {
        let start = Instant::now();
        let count = channels.ids.len() as u64;
        let burst = Burst { rate: (count as f64 * 20.0).min(1000.0), ..channels.burst(count * 4, 100) };
        loop {
            let _: BurstDone = self.robot.process.ask(&Command::Burst(burst.clone())).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
            let viewers = &self.viewers[..channels.viewers];
            if viewers.iter().all(|viewer| channels.ids.iter().all(|&id| viewer.stats(id).received > 0)) {
                // What is still on its way must not be counted with the first burst.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return Ok(());
            }
            if start.elapsed() > LIMIT {
                return Err(format!("{}: no data on {}", self.kind.name(), channels.prefix).into());
            }
        }
    }

    pub(crate) async fn close(&mut self, channels: Channels) -> Result<()> {
        for viewer in &self.viewers[..channels.viewers] {
            viewer.unsubscribe(channels.topics())?;
        }
        let _: Done = self.robot.process.ask(&Command::Remove { prefix: channels.prefix.clone() }).await?;
        for viewer in &self.viewers {
            let gone = |id: &u64| channels.ids.contains(id);
            viewer.wait_until("channels to go", LIMIT, |picture, _| !picture.channels().keys().any(gone)).await?;
        }
        Ok(())
    }

    /// Runs one burst and measures it at both ends.
    pub(crate) async fn measure(&mut self, channels: &Channels, burst: &Burst) -> Result<Measured> {
        let viewers = &self.viewers[..channels.viewers];
        let resets_before: u64 = viewers.iter().map(|viewer| viewer.totals().server_infos).sum();
        viewers.iter().for_each(Viewer::reset_stats);
        let before = self.robot.process.usage()?;
        let start = Instant::now();
        self.robot.process.tell(&Command::Burst(burst.clone())).await?;
        let received = |viewer: &Viewer| channels.ids.iter().map(|&id| viewer.stats(id).received).sum::<u64>();
        // Acknowledging is what bounds a windowed burst, so it goes on often; counting alone need not disturb.
        let period = Duration::from_millis(if burst.window > 0 { 2 } else { 20 });
        let quiet_after = if channels.reliable { QUIET_RELIABLE } else { QUIET_LOSSY };
        let mut slowest = 0;
        let mut last_change = start;
        let mut done: Option<BurstDone> = None;
        let mut done_at = start;
        loop {
            if done.is_none() {
                // Dropping the future between lines loses nothing: `Lines` keeps what it has read.
                if let Ok(answer) = tokio::time::timeout(period, self.robot.process.answer::<BurstDone>()).await {
                    done = Some(answer?);
                    done_at = Instant::now();
                }
            } else {
                tokio::time::sleep(period).await;
            }
            let now = self.viewers[..channels.viewers].iter().map(received).min().unwrap_or_default();
            if now != slowest {
                slowest = now;
                last_change = Instant::now();
                if burst.window > 0 && done.is_none() {
                    self.robot.process.tell(&Command::Ack { received: now }).await?;
                }
            }
            if let Some(done) = &done {
                let quiet = last_change.elapsed().min(done_at.elapsed()) > quiet_after;
                if slowest >= done.logged || quiet || done_at.elapsed() > SETTLE {
                    break;
                }
            }
        }
        let after = self.robot.process.usage()?;
        let stats: Vec<Vec<ChannelStats>> = (self.viewers[..channels.viewers].iter())
            .map(|viewer| channels.ids.iter().map(|&id| viewer.stats(id)).collect())
            .collect();
        let lost_seen = if channels.reliable { 0.0 } else { self.lost_seen(channels).await? };
        let viewers = &self.viewers[..channels.viewers];
        let resets: u64 = viewers.iter().map(|viewer| viewer.totals().server_infos).sum();
        let done = done.unwrap_or_default();
        let mut latency = Latency::default();
        stats.iter().flatten().for_each(|stats| latency.merge(&stats.latency));
        let seconds = (last_change - start).as_secs_f64().max(1e-3);
        let ms = |share| latency.quantile(share).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3);
        let received: u64 = stats.iter().flatten().map(|stats| stats.received).sum();
        let per_viewer = received as f64 / channels.viewers as f64;
        let logged = done.logged.max(1) as f64;
        let cpu_s = after.cpu_s_since(&before);
        // Each viewer's share of each channel.
        let each = logged / channels.ids.len() as f64;
        let shares = stats.iter().flatten().map(|stats| stats.received as f64 / each);
        Ok(Measured {
            logged: done.logged as f64,
            delivered_percent: 100.0 * per_viewer / logged,
            worst_channel_percent: 100.0 * shares.clone().fold(f64::INFINITY, f64::min),
            best_channel_percent: 100.0 * shares.fold(0.0, f64::max),
            lost_seen,
            overrun: stats.iter().flatten().map(|stats| stats.overrun).sum::<u64>() as f64,
            messages_per_s: per_viewer / seconds,
            bytes_per_s: per_viewer * burst.size as f64 / seconds,
            cpu_us_per_message: cpu_s * 1e6 / logged,
            cpu_us_per_delivered: cpu_s * 1e6 / per_viewer.max(1.0),
            latency_p50_ms: ms(0.5),
            latency_p99_ms: ms(0.99),
            call_p50_ns: done.call_p50_ns as f64,
            call_p99_ns: done.call_p99_ns as f64,
            call_mean_ns: if burst.rate > 0.0 { f64::NAN } else { done.wall_ns as f64 / logged },
            resets: (resets - resets_before) as f64,
        })
    }

    /// Frames that the viewers know are missing, each on average. A last message on every channel makes a gap at the end
    /// of a burst one that can be seen.
    async fn lost_seen(&mut self, channels: &Channels) -> Result<f64> {
        let tail = Burst { rate: 100.0, ..channels.burst(channels.ids.len() as u64, 100) };
        let _: BurstDone = self.robot.process.ask(&Command::Burst(tail)).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let viewers = &self.viewers[..channels.viewers];
        let lost: u64 = viewers.iter().flat_map(|viewer| channels.ids.iter().map(|&id| viewer.stats(id).lost)).sum();
        Ok(lost as f64 / channels.viewers as f64)
    }

    /// Leaves the room, viewers first.
    pub(crate) async fn end(self) -> Result<()> {
        for viewer in &self.viewers {
            viewer.close(LIMIT).await?;
        }
        self.robot.process.quit().await
    }
}

impl Channels {
    /// A burst over these channels without pace or bound.
    pub(crate) fn burst(&self, count: u64, size: usize) -> Burst {
        Burst {
            prefix: self.prefix.clone(),
            channels: self.ids.len(),
            count,
            size,
            rate: 0.0,
            group: 1,
            window: 0,
            seconds: 0.0,
            coalesce: false,
        }
    }

    fn topics(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.ids.len()).map(|n| format!("{}/{n}", self.prefix))
    }
}
