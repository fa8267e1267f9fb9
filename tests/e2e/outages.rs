//! Outages short enough for every run: the server freezes, or dies and comes back. The long ones, and those of the link, are
//! in tests/outage.

use std::time::{Duration, Instant};

use telelink::context::Qos;
use telelink::session::{ErrorKind, SessionOptions};
use telelink_viewer_client::{Message, Viewer};

use crate::rig::{Robot, LIMIT};
use crate::support::Server;

/// S-27, design.md decision 10: a viewer that follows the protocol gets data within this time of the link's return.
const BACK: Duration = Duration::from_secs(10);

async fn subscribe(viewer: &Viewer) {
    viewer.wait_channel("/r", LIMIT).await.unwrap();
    viewer.subscribe(["/r"]).unwrap();
    viewer.ping(LIMIT).await.unwrap();
}

fn number(message: &Message) -> u32 {
    u32::from_le_bytes(message.payload[..].try_into().unwrap())
}

/// Takes what was logged before `end`; `false` if the rest does not come.
async fn take(viewer: &Viewer, end: u32, seen: &mut Vec<u32>) -> bool {
    while seen.last().is_some_and(|last| last + 1 < end) {
        let Ok(message) = viewer.next_message(Duration::from_secs(2)).await else { return false };
        seen.push(number(&message));
    }
    true
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
    assert_eq!((robot.session.stats().unwrap().joins, robot.session.stats().unwrap().viewer_resets()), (1, 0));
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
    let (mut n, mut seen, mut first_data) = (0_u32, Vec::new(), None);
    loop {
        channel.log(&n.to_le_bytes()).unwrap();
        n += 1;
        match viewer.next_message(Duration::from_millis(50)).await {
            Ok(message) => seen.push(number(&message)),
            Err(error) => {
                let told = robot.diary.lines();
                assert!(returned.elapsed() < LIMIT, "{error}; seen {seen:?} of {n}, {:?}, {told:?}", viewer.totals());
                continue;
            }
        }
        first_data.get_or_insert(returned.elapsed());
        if seen.len() >= 20 && take(&viewer, n, &mut seen).await {
            break;
        }
    }
    assert!(first_data.unwrap() < BACK, "{first_data:?}");
    // None is missing within a session. What was under way when the server died may still arrive as the end of the old one;
    // and the new one is begun again if its stream overtook the server's news of the robot's new connection.
    let (totals, told) = (viewer.totals(), robot.diary.lines());
    let gaps = seen.windows(2).filter(|pair| pair[0] + 1 != pair[1]).count() as u64;
    assert!(totals.server_infos >= 2, "the session is another one: {totals:?}, seen {seen:?} of {n}, {told:?}");
    assert!(gaps < totals.server_infos, "{totals:?}, seen {seen:?} of {n}, {told:?}");
    // S-36: one more is open than has ended.
    let (begun, ended) = (count(&robot, "subscribe /r"), count(&robot, "unsubscribe /r"));
    assert_eq!(begun, ended + 1);
    let (session, diary) = (robot.session, robot.diary);
    tokio::task::spawn_blocking(move || session.close_timeout(LIMIT)).await.unwrap().unwrap();
    let lines = diary.lines();
    let count = |what: &str| lines.iter().filter(|line| *line == what).count();
    assert_eq!(count("subscribe /r"), count("unsubscribe /r"));
}
