//! A viewer that changes its mind ten thousand times a second, over a real server, and what another one notices of it (S-71
//! to S-74). tests/hostile has more kinds of floods, on the memory room, and what they cost in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use telelink::context::{Channel, Qos};
use telelink::protocol::{FromViewer, SubscribeChannel};
use telelink::session::SessionOptions;
use telelink_viewer_client::{Viewer, ViewerError};

use crate::rig::{Robot, LIMIT};
use crate::support::wait_until;

/// Messages of the flood: so many every [`EVERY`], 10,000 a second.
const BURST: u64 = 100;
const EVERY: Duration = Duration::from_millis(10);
/// What the other viewer gets in one measurement, on each path.
const MESSAGES: u32 = 200;
/// The time between two of its messages.
const PAUSE: Duration = Duration::from_millis(10);
/// Below this, a median latency is the machine's and not the flood's: robot, viewers and server share two cores.
const FLOOR: Duration = Duration::from_millis(10);

/// Below this share, lossy messages are lost without a flood, too.
const SOME: f64 = 0.05;
/// Attempts to find a moment in which the machine has nothing else to do.
const ROUNDS: usize = 8;

/// A viewer that behaves, and the channels that it watches.
struct Good {
    viewer: Viewer,
    reliable: Channel,
    lossy: Channel,
}

/// What it got.
#[derive(Debug)]
struct Seen {
    /// Medians.
    reliable: Duration,
    lossy: Duration,
    /// Share of the lossy messages.
    lost: f64,
}

impl Good {
    async fn new(robot: &Robot) -> Self {
        let open = |topic: &str, qos| robot.context.channel(topic).encoding("bin").qos(qos).open().unwrap();
        let (reliable, lossy) = (open("/reliable", Qos::Reliable), open("/lossy", Qos::Lossy));
        let viewer = robot.ready_viewer("good").await;
        for topic in ["/reliable", "/lossy"] {
            viewer.wait_channel(topic, LIMIT).await.unwrap();
        }
        viewer.subscribe(["/reliable", "/lossy"]).unwrap();
        viewer.wait_attached(lossy.id().get(), LIMIT).await.unwrap();
        viewer.ping(LIMIT).await.unwrap();
        Self { viewer, reliable, lossy }
    }

    /// Logs on both paths for a while; nothing reliable may be missing.
    async fn watch(&self) -> Seen {
        self.viewer.reset_stats();
        for n in 0..MESSAGES {
            self.reliable.log(&n.to_le_bytes()).unwrap();
            self.lossy.log(&n.to_le_bytes()).unwrap();
            tokio::time::sleep(PAUSE).await;
            while self.viewer.try_next_message().unwrap().is_some() {}
        }
        let stats = |channel: &Channel| self.viewer.stats(channel.id().get());
        wait_until("every reliable message", LIMIT, || stats(&self.reliable).received == u64::from(MESSAGES)).await;
        // The data before this answer have arrived: the lossy path is the quicker one.
        self.viewer.ping(LIMIT).await.unwrap();
        let (reliable, lossy) = (stats(&self.reliable), stats(&self.lossy));
        let median = |latency: &telelink_viewer_client::Latency| latency.quantile(0.5).expect("some messages came");
        let lost = 1.0 - lossy.received as f64 / f64::from(MESSAGES);
        Seen { reliable: median(&reliable.latency), lossy: median(&lossy.latency), lost }
    }
}

/// Sends bursts until told to end; answers how many messages that were.
async fn flood(viewer: Arc<Viewer>, channels: [u64; 2], ending: Arc<AtomicBool>) -> u64 {
    let entry = |id| SubscribeChannel { id, request_video_track: false };
    let frames = channels.map(|id| {
        let subscribe = FromViewer::Subscribe { channels: vec![entry(id)] }.to_frame().unwrap();
        let unsubscribe = FromViewer::Unsubscribe { channel_ids: vec![id] }.to_frame().unwrap();
        [subscribe, unsubscribe].concat()
    });
    let burst = frames.concat().repeat(BURST as usize / 4);
    let mut ticks = tokio::time::interval(EVERY);
    let mut sent = 0;
    while !ending.load(Ordering::Relaxed) {
        ticks.tick().await;
        match viewer.send_raw(burst.clone()) {
            Ok(()) => sent += BURST,
            // A room that takes no more has slowed the flood down.
            Err(ViewerError::QueueFull(_)) => {}
            Err(error) => panic!("the flood ended: {error}"),
        }
    }
    sent
}

/// One comparison: the time before, the flood, and how many messages that was.
async fn round(good: &Good, hostile: &Arc<Viewer>) -> (Seen, Seen, u64) {
    let quiet = good.watch().await;
    let ending = Arc::new(AtomicBool::new(false));
    let channels = [good.reliable.id().get(), good.lossy.id().get()];
    let flood = tokio::spawn(flood(hostile.clone(), channels, ending.clone()));
    let flooded = good.watch().await;
    ending.store(true, Ordering::Relaxed);
    let sent = flood.await.unwrap();
    // Messages of one stream are handled in order: with this answer, all of them have been.
    hostile.ping(LIMIT).await.unwrap();
    (quiet, flooded, sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_changes_of_mind_a_second_disturb_nobody() {
    let robot = Robot::start("flood", SessionOptions::default());
    let good = Good::new(&robot).await;
    let hostile = Arc::new(robot.ready_viewer("hostile").await);
    good.watch().await;
    // Other work on the machine disturbs more than the flood does, so one undisturbed round is enough. What breaks is
    // broken in every one.
    let mut rounds = Vec::new();
    loop {
        let (quiet, flooded, sent) = round(&good, &hostile).await;
        assert!(sent >= 10_000, "that was no flood: {sent}");
        let undisturbed = flooded.reliable <= FLOOR.max(2 * quiet.reliable)
            && flooded.lossy <= FLOOR.max(2 * quiet.lossy)
            && flooded.lost <= (2.0 * quiet.lost).max(SOME);
        if undisturbed {
            break;
        }
        rounds.push((quiet, flooded));
        assert!(rounds.len() < ROUNDS, "before, and under the flood: {rounds:#?}");
    }
    let stats = robot.session.stats().unwrap();
    assert_eq!((stats.viewer_resets(), good.viewer.totals().server_infos, hostile.totals().server_infos), (0, 1, 1));
}
