//! Outages short enough for every run: the server freezes, or dies and comes back. The long ones, and those of the link, are
//! in tests/outage.

use std::time::{Duration, Instant};

use telelink::context::Qos;
use telelink::session::{ErrorKind, SessionOptions};
use telelink_viewer_client::Viewer;

use crate::rig::{Robot, LIMIT};
use crate::support::Server;

/// S-27, design.md decision 10: a viewer that follows the protocol gets data within this time of the link's return.
const BACK: Duration = Duration::from_secs(10);

async fn subscribe(viewer: &Viewer) {
    viewer.wait_channel("/r", LIMIT).await.unwrap();
    viewer.subscribe(["/r"]).unwrap();
    viewer.ping(LIMIT).await.unwrap();
}

fn count(robot: &Robot, line: &str) -> usize {
    robot.diary.lines().iter().filter(|known| *known == line).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_27_a_server_frozen_for_five_seconds_loses_nothing_and_resets_nobody() {
    let server = Server::start();
    let robot = Robot::start_at(&server.url, "frozen", SessionOptions::default());
    let channel = robot.context.channel("/r").encoding("bin").qos(Qos::Reliable).open().unwrap();
    let viewer = robot.ready_viewer("v").await;
    subscribe(&viewer).await;
    server.freeze();
    let frozen = Instant::now();
    let mut logged = 0_u32;
    while frozen.elapsed() < Duration::from_secs(5) {
        channel.log(&logged.to_le_bytes()).unwrap();
        logged += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.thaw();
    let thawed = Instant::now();
    for n in 0..logged {
        assert_eq!(viewer.next_message(LIMIT).await.unwrap().payload[..], n.to_le_bytes());
    }
    assert!(thawed.elapsed() < BACK, "{:?}", thawed.elapsed());
    assert_eq!(viewer.totals().server_infos, 1, "the session went on");
    assert_eq!((robot.session.stats().unwrap().joins, robot.session.stats().unwrap().viewer_resets), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_robot_that_starts_at_a_frozen_server_is_there_soon_after_it_goes_on() {
    let server = Server::start();
    server.freeze();
    let robot = Robot::start_at(&server.url, "early", SessionOptions::default());
    let channel = robot.context.channel("/r").encoding("bin").qos(Qos::Reliable).open().unwrap();
    // Several attempts were given up by then. The kernel has taken their connections, so the server will see them.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(robot.session.last_error().unwrap().kind, ErrorKind::ConnectFailed);
    server.thaw();
    let thawed = Instant::now();
    let viewer = robot.viewer("v", Some(telelink::protocol::version::SPOKEN)).await;
    viewer.ready(LIMIT).await.unwrap();
    subscribe(&viewer).await;
    channel.log(b"here").unwrap();
    assert_eq!(viewer.next_message(LIMIT).await.unwrap().payload[..], *b"here");
    assert!(thawed.elapsed() < BACK, "{:?}: {:?}", thawed.elapsed(), robot.diary.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_27_a_server_that_dies_and_returns_is_found_again_by_robot_and_viewer() {
    let mut server = Server::start();
    let robot = Robot::start_at(&server.url, "died", SessionOptions::default());
    let channel = robot.context.channel("/r").encoding("bin").qos(Qos::Reliable).open().unwrap();
    let viewer = robot.ready_viewer("v").await;
    subscribe(&viewer).await;
    tokio::task::block_in_place(|| server.restart(Duration::from_secs(1)));
    let returned = Instant::now();
    // The viewer's own transport comes back by itself, and its client asks the new session for what the old one had.
    // A stream that overtook the server's news of the robot's new connection is opened again; then it begins once more.
    let (mut n, mut run, mut last, mut seen) = (0_u32, 0, None, Vec::new());
    while run < 20 {
        channel.log(&n.to_le_bytes()).unwrap();
        n += 1;
        match viewer.next_message(Duration::from_millis(50)).await {
            Ok(message) => {
                let number = u32::from_le_bytes(message.payload[..].try_into().unwrap());
                run = if last.is_none_or(|last| number == last + 1) { run + 1 } else { 1 };
                last = Some(number);
                seen.push(number);
            }
            Err(error) => assert!(returned.elapsed() < BACK, "no data: {error}; {:?}", robot.diary.lines()),
        }
    }
    assert!(returned.elapsed() < BACK, "{:?}", returned.elapsed());
    // None is missing from then on.
    for expected in last.unwrap() + 1..n {
        assert_eq!(viewer.next_message(LIMIT).await.unwrap().payload[..], expected.to_le_bytes());
    }
    let (totals, told) = (viewer.totals(), robot.diary.lines());
    assert!(totals.server_infos >= 2, "the session is another one: {totals:?}, seen {seen:?} of {n}, {told:?}");
    // S-36: one more is open than has ended.
    let (begun, ended) = (count(&robot, "subscribe /r"), count(&robot, "unsubscribe /r"));
    assert_eq!(begun, ended + 1);
    let (session, diary) = (robot.session, robot.diary);
    tokio::task::spawn_blocking(move || session.close_timeout(LIMIT)).await.unwrap().unwrap();
    let lines = diary.lines();
    let count = |what: &str| lines.iter().filter(|line| *line == what).count();
    assert_eq!(count("subscribe /r"), count("unsubscribe /r"));
}
