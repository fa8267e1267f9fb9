//! One scenario's world: two hosts, a server, a robot, viewers; and what must be true of all of them at the end.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{sleep, Instant};

use crate::clock::unix_ns;
use crate::net::{Net, Path, HUB, HUB_DEVICE};
use crate::robot::{diary, Report, Robot, LOAD, LOSSY, RELIABLE};
use crate::support::{Place, Server};
use crate::usage::Usage;
use crate::watch::Watch;

/// What every viewer subscribes.
pub(crate) const TOPICS: [&str; 3] = [RELIABLE, LOSSY, LOAD];
/// How long it may take until all is up and running.
const START: Duration = Duration::from_secs(40);
/// Threads of rooms that were given up end with the library's last answer, at most 30 s later; viewers that ended without
/// a word are noticed by the server after some 20 s.
const SETTLE: Duration = Duration::from_secs(60);
/// Sockets that a connection may hold in addition when it has found other paths, and for each time it was resumed: ICE keeps
/// those of the paths before until the connection ends. The adapter makes it anew after 50 times.
const SOCKETS: usize = 4;
const SOCKETS_EACH: usize = 2;

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) robot: Robot,
    pub(crate) watches: Vec<Watch>,
    pub(crate) room: String,
    /// Of the robot, when all was up and running.
    pub(crate) baseline: Usage,
    // Last: the hosts outlive what runs on them.
    pub(crate) net: Net,
}

impl Stage {
    /// Everything up, and data flowing to every viewer over both paths.
    pub(crate) async fn start(name: &str, path: Path, viewers: usize) -> Self {
        Self::start_with(name, path, viewers, |_| ()).await
    }

    /// The same; `prepare` sees the path before the robot starts.
    pub(crate) async fn start_with(name: &str, path: Path, viewers: usize, prepare: impl FnOnce(&Net)) -> Self {
        let mut net = Net::new(path).expect("two hosts; `make tools` installs what that takes");
        let server = Server::start_at(Place { address: HUB, device: HUB_DEVICE });
        net.set_signal_port(server.signal_port());
        prepare(&net);
        let room = format!("outage-{name}");
        let robot = Robot::start(&net.on_robot(), &server.url, &room, 0, output().join(format!("{name}.log")));
        let watches: Vec<Watch> =
            (1..=viewers).map(|n| Watch::start(&server.url, &room, &format!("viewer-{n}"), &TOPICS)).collect();
        let mut stage = Self { server, robot, watches, room, baseline: Usage::default(), net };
        let since = unix_ns();
        assert!(stage.data_since(since, START).await.is_some(), "no data at the start");
        stage.baseline = stage.steady().await;
        stage
    }

    /// The robot's program dies and is started again.
    pub(crate) fn restart_robot(&mut self) {
        const BEHIND: u64 = 1 << 32;
        let log = output().join(format!("{}-again.log", self.room));
        self.robot.kill();
        self.robot = Robot::start(&self.net.on_robot(), &self.server.url, &self.room, BEHIND, log);
    }

    /// Waits for data at every viewer; answers the longest time from `since` on, for the reliable and the lossy path.
    /// `None`: not every viewer got some in time.
    pub(crate) async fn data_since(&self, since: u64, limit: Duration) -> Option<[Duration; 2]> {
        let mut worst = [Duration::ZERO; 2];
        let deadline = Instant::now() + limit;
        for watch in &self.watches {
            let received = watch.data_since(since, deadline.saturating_duration_since(Instant::now())).await?;
            for (worst, received) in worst.iter_mut().zip(received) {
                *worst = (*worst).max(Duration::from_nanos(received.saturating_sub(since)));
            }
        }
        Some(worst)
    }

    /// Data comes to every viewer within 10 s from now.
    pub(crate) async fn expect_data(&self) {
        assert!(self.data_since(unix_ns(), Duration::from_secs(10)).await.is_some(), "no data within 10 s");
    }

    /// What the robot's process holds once that does not change any more.
    async fn steady(&self) -> Usage {
        let mut last = self.robot.usage();
        for _ in 0..10 {
            sleep(Duration::from_secs(1)).await;
            let now = self.robot.usage();
            if (now.threads, now.descriptors) == (last.threads, last.descriptors) {
                return now;
            }
            last = now;
        }
        last
    }

    /// What is wrong at the end: leaks, lost messages, callbacks that do not add up. Empty if nothing is.
    pub(crate) async fn finish(mut self) -> (Vec<String>, Report) {
        let mut wrong = Vec::new();
        let start = Instant::now();
        let expected = (self.watches.len(), self.watches.len() * TOPICS.len());
        let resumed = self.robot.resumptions();
        let sockets = SOCKETS + SOCKETS_EACH * resumed;
        let report = loop {
            let (now, report) = (self.robot.usage(), self.robot.report().await);
            let held = now.threads > self.baseline.threads || now.descriptors > self.baseline.descriptors + sockets;
            let found = (report.viewers, report.subscriptions);
            if !held && found == expected {
                break report;
            }
            if start.elapsed() > SETTLE {
                if held {
                    wrong.push(format!("the robot holds more than before: {now:?}, before {:?}", self.baseline));
                }
                if found != expected {
                    wrong.push(format!("(viewers, subscriptions) are {found:?}, not {expected:?}"));
                }
                break report;
            }
            sleep(Duration::from_millis(500)).await;
        };
        for watch in &self.watches {
            let account = watch.account();
            if !account.gaps.is_empty() || account.disorder > 0 {
                let (gaps, sessions, disorder) = (&account.gaps, account.sessions, account.disorder);
                wrong
                    .push(format!("{}: gaps {gaps:?} in {sessions} sessions, {disorder} out of order", watch.identity));
            }
        }
        let last = self.robot.stop().await;
        if last.status != "shutdown" {
            wrong.push(format!("the stopped session is {}", last.status));
        }
        wrong.extend(diary::imbalances(&last.diary));
        if last.closed_ms.is_none_or(|ms| ms > 6_000) {
            wrong.push(format!("closing took {:?} ms", last.closed_ms));
        }
        (wrong, Report { closed_ms: last.closed_ms, diary: last.diary, ..report })
    }
}

/// Where logs, tables and plots go.
pub(crate) fn output() -> PathBuf {
    let folder = std::env::var_os("TELELINK_OUTAGE_OUT").map_or_else(|| "build/outage".into(), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder for the results");
    folder
}
