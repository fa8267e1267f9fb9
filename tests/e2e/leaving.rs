//! Leaving the room: what the others see of a robot whose process ends right after its session, and of an idle one.

use std::net::TcpListener;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use telelink::context::Qos;
use telelink::gateway::{AfterIdle, DirectOptions, Session, TokenSource};
use telelink::room::Secret;
use telelink::session::{ConnectionStatus, SessionOptions};

use crate::rig::{join, library_file, room_name, url, Robot, LIMIT};
use crate::support::{self, wait_until, Server, TokenOptions};

/// What a server needs to find out by itself that a participant is gone is far longer.
const AT_ONCE: Duration = Duration::from_secs(3);

/// How the robot's process ends.
const ENDINGS: [&str; 3] = ["close", "drop", "idle"];

/// This test, once more, as the robot's process.
fn robot_process(ending: &str, room: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leaving::a_process_that_ends_right_after_its_session_leaves_no_ghost", "--nocapture"])
        .env("E2E_LEAVING", ending)
        .env("E2E_LEAVING_ROOM", room)
        .env("E2E_LEAVING_URL", url())
        .spawn()
        .unwrap()
}

/// The robot: joins, waits until it may go, ends its session, and its process in the next moment.
fn be_a_robot(ending: &str) -> ! {
    let (room, url) = (std::env::var("E2E_LEAVING_ROOM").unwrap(), std::env::var("E2E_LEAVING_URL").unwrap());
    let token = support::token(&room, "robot", &TokenOptions::default());
    let mut direct = DirectOptions::new(url, TokenSource::Static(Secret::new(token)));
    direct.livekit_library = Some(library_file());
    if ending == "idle" {
        direct.idle_window = Some(Duration::from_secs(2));
        direct.after_idle = AfterIdle::End;
    }
    let context = telelink::context::Context::new();
    let session = Session::start(&context, SessionOptions::default(), direct).expect("the session starts");
    let start = Instant::now();
    let wanted = if ending == "idle" { ConnectionStatus::Shutdown } else { ConnectionStatus::Connected };
    // Seen by the others, too: joined is what the status says.
    while session.status() != wanted {
        assert!(start.elapsed() < LIMIT, "not {wanted}");
        std::thread::sleep(Duration::from_millis(5));
    }
    match ending {
        "drop" => drop(session),
        _ => session.close_timeout(LIMIT).unwrap(),
    }
    std::process::exit(0);
}

#[test]
fn a_process_that_ends_right_after_its_session_leaves_no_ghost() {
    if let Ok(ending) = std::env::var("E2E_LEAVING") {
        be_a_robot(&ending);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for ending in ENDINGS {
            let room = room_name(ending);
            // A participant that is no viewer: it keeps nobody from being idle.
            let options =
                TokenOptions { attributes: [("protocolVersion".into(), "1.0.0".into())].into(), ..Default::default() };
            let watcher = join(Secret::new(support::token(&room, "watcher", &options))).await;
            let mut robot = robot_process(ending, &room);
            let ended = tokio::task::spawn_blocking(move || robot.wait().unwrap()).await.unwrap();
            assert!(ended.success(), "{ending}: {ended}");
            let there = || watcher.room().participants().iter().any(|p| p.identity.as_str() == "robot");
            wait_until(&format!("{ending}: no ghost"), AT_ONCE, || !there()).await;
            // It does not come late either: whoever joins now finds nobody.
            let later = join(Secret::new(support::token(&room, "later", &options))).await;
            let others = later.room().participants();
            assert!(others.iter().all(|p| p.identity.as_str() != "robot"), "{ending}: {others:?}");
        }
    });
}

/// Closes the session, which has to leave in order; answers how long that took.
async fn close(robot: Robot) -> Duration {
    let start = Instant::now();
    let (session, diary) = (robot.session, robot.diary);
    tokio::task::spawn_blocking(move || session.close_timeout(LIMIT)).await.unwrap().unwrap();
    let lines = diary.lines();
    assert_eq!(lines[lines.len() - 1], "shutdown", "{lines:?}");
    let count = |what: &str| lines.iter().filter(|line| *line == what).count();
    assert_eq!(count("subscribe /r"), count("unsubscribe /r"), "{lines:?}");
    start.elapsed()
}

#[tokio::test]
async fn a_stop_while_the_server_does_not_answer_ends_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let robot = Robot::start_at(&format!("ws://{}", silent.local_addr().unwrap()), "join", SessionOptions::default());
    // The robot's attempt is under way. It is never answered.
    let attempt = tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    let took = close(robot).await;
    assert!(took < AT_ONCE, "{took:?}");
    drop(attempt);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_moment_of_a_reconnection_ends_in_order() {
    // The moments are what is tested, so they are times: the transport has lost its link at once and tries, again and again.
    for moment in [0, 20, 200, 1000, 3000].map(Duration::from_millis) {
        let mut server = Server::start();
        let robot = Robot::start_at(&server.url, "reconnection", SessionOptions::default());
        let _channel = robot.context.channel("/r").encoding("bin").qos(Qos::Reliable).open().unwrap();
        let viewer = robot.ready_viewer("v").await;
        viewer.wait_channel("/r", LIMIT).await.unwrap();
        viewer.subscribe(["/r"]).unwrap();
        robot.wait_status("subscribe /r").await;
        server.kill();
        tokio::time::sleep(moment).await;
        let took = close(robot).await;
        // S-33: leaving is given up after 5 s.
        assert!(took < Duration::from_secs(7), "{moment:?} after the loss: {took:?}");
    }
}

#[tokio::test]
async fn s_28_s_46_an_idle_robot_leaves_the_real_room_and_comes_back_for_a_viewer() {
    let room = room_name("idle");
    let token = support::token(&room, "robot", &TokenOptions::default());
    let robot = Robot::start_direct(
        url(),
        room,
        TokenSource::Static(Secret::new(token)),
        SessionOptions::default(),
        |direct| {
            direct.idle_window = Some(Duration::from_secs(1));
        },
    );
    robot.wait_status("connecting (Idle)").await;
    let viewer = robot.viewer("v", None).await;
    assert!(viewer.room().participants().is_empty());
    robot.session.resume().unwrap();
    viewer.ready(LIMIT).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    viewer.ping(LIMIT).await.expect("a viewer keeps it in the room");
    assert_eq!(robot.diary.lines(), ["connecting", "connected", "connecting (Idle)", "connected"]);
}
