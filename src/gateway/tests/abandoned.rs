//! Tests of direct mode on the memory room, with tokio's clock paused.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::room::memory::{Gate, MemoryServer};
use crate::room::{DisconnectReason, JoinErrorKind};
use crate::session::{ConnectionStatus, Control, ErrorKind, SessionOptions};

use super::super::direct::Direct;
use super::super::{DirectOptions, TokenSource};

/// A robot in the room "yard".
struct Robot {
    server: Arc<MemoryServer>,
    control: Arc<Control>,
    stop: CancellationToken,
    gateway: JoinHandle<()>,
    driver: JoinHandle<()>,
    _context: Context,
}

impl Robot {
    async fn start() -> Self {
        let server = MemoryServer::new();
        let token = server.token("yard", "robot").build();
        let mut options = DirectOptions::new("memory://", TokenSource::Static(token));
        options.connector = Some(server.connector());
        let context = Context::new();
        let (control, driver) = Control::start(&context, SessionOptions::default()).unwrap();
        let stop = CancellationToken::new();
        let driver = tokio::spawn(driver);
        let gateway = tokio::spawn(Direct::new(options).unwrap().run(control.clone(), stop.clone()));
        let robot = Self { server, control, stop, gateway, driver, _context: context };
        robot.joined(1).await;
        robot
    }

    /// Waits for the `count`th room; answers how long that took.
    async fn joined(&self, count: u64) -> Duration {
        let start = Instant::now();
        let joined = self.server.until(|server| server.joins("robot") >= count);
        tokio::time::timeout(Duration::from_secs(60), joined).await.expect("the robot joins");
        start.elapsed()
    }

    async fn finish(self) {
        self.stop.cancel();
        self.gateway.await.unwrap();
        self.driver.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn p_208_joining_again_does_not_wait_for_the_old_rooms_close() {
    let robot = Robot::start().await;
    robot.server.shut(Gate::Close, "robot");
    robot.server.disconnect("robot", DisconnectReason::ConnectionLost);
    // The close of a lost room is given up after 5 s; the first pause before a join is 0.5 s ± 20 %.
    let took = robot.joined(2).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    robot.server.open(Gate::Close, "robot");
    robot.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_48_a_second_robot_of_this_identity_ends_the_session_and_our_own_ghost_does_not() {
    let robot = Robot::start().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    robot.server.disconnect("robot", DisconnectReason::ConnectionLost);
    robot.joined(2).await;
    robot.server.disconnect("robot", DisconnectReason::DuplicateIdentity);
    robot.joined(3).await;
    assert_ne!(robot.control.status(), ConnectionStatus::Shutdown);
    // Long after any attempt of ours it is somebody else.
    tokio::time::sleep(Duration::from_secs(60)).await;
    robot.server.disconnect("robot", DisconnectReason::DuplicateIdentity);
    robot.gateway.await.unwrap();
    assert_eq!(robot.control.last_error().unwrap().kind, ErrorKind::DuplicateIdentity);
    robot.driver.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn s_48_an_attempt_given_up_is_a_ghost_as_long_as_the_server_may_carry_it_out() {
    let robot = Robot::start().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    for _ in 0..13 {
        robot.server.fail_next_join("robot", JoinErrorKind::Timeout);
    }
    robot.server.disconnect("robot", DisconnectReason::ConnectionLost);
    // More than 30 s of attempts lie between the loss and the room that the ghost ends.
    let took = robot.joined(2).await;
    assert!(took > Duration::from_secs(30), "{took:?}");
    robot.server.disconnect("robot", DisconnectReason::DuplicateIdentity);
    // The server answers again: the pause is not the one after all those attempts.
    let took = robot.joined(3).await;
    assert!(took < Duration::from_millis(1300), "{took:?}");
    robot.finish().await;
}

#[tokio::test(start_paused = true)]
async fn s_48_two_robots_that_take_each_other_for_a_ghost_do_not_fight_for_ever() {
    let robot = Robot::start().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    robot.server.disconnect("robot", DisconnectReason::ConnectionLost);
    let start = Instant::now();
    // A rival that was lost at the same time, and comes back each time.
    let mut thrown_out = 1;
    while !robot.gateway.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(40), "still fighting after {thrown_out} joins");
        if robot.server.joins("robot") > thrown_out {
            thrown_out += 1;
            robot.server.disconnect("robot", DisconnectReason::DuplicateIdentity);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(start.elapsed() > Duration::from_secs(25), "{:?}", start.elapsed());
    assert_eq!(robot.control.last_error().unwrap().kind, ErrorKind::DuplicateIdentity);
    robot.driver.await.unwrap();
}
