//! The direct gateway on the memory room, with tokio's clock paused (S-10, S-12, S-14, S-28 to S-31, S-45 to S-48).

mod abandoned;
mod options;
mod token;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::direct::Direct;
use super::{AfterIdle, DirectOptions, Secret, TokenSource};
use crate::context::Context;
use crate::room::memory::{Gate, HeldEvent, MemoryServer};
use crate::room::{BoxFuture, Connector, DisconnectReason, JoinError, JoinErrorKind, JoinRequest, Joined, RoomEvent};
use crate::session::{ConnectionStatus, Control, Error, ErrorKind, Listener, SessionOptions};

/// What the listener was told of the connection, in order.
#[derive(Default)]
struct Diary {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Listener for Diary {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        let reason = reason.map_or(String::new(), |error| format!(" ({:?})", error.kind));
        self.say(&format!("{status}{reason}"));
    }
}

impl Diary {
    fn say(&self, line: &str) {
        self.lines.lock().push(line.to_owned());
        self.changed.notify_all();
    }

    /// Waits until this line has come.
    async fn has(self: &Arc<Self>, line: &'static str) {
        let diary = self.clone();
        let waiting = tokio::task::spawn_blocking(move || {
            let mut lines = diary.lines.lock();
            while !lines.iter().any(|known| known == line) {
                let timeout = diary.changed.wait_for(&mut lines, Duration::from_secs(60)).timed_out();
                assert!(!timeout, "{lines:?}");
            }
        });
        waiting.await.unwrap();
    }

    /// Waits until the last of these lines has come, and compares. A minute of real time without them fails the test.
    /// While the blocking task waits, the clock stands still.
    async fn is(self: &Arc<Self>, expected: &[&str]) {
        let diary = self.clone();
        let count = expected.len();
        let lines = tokio::task::spawn_blocking(move || {
            let mut lines = diary.lines.lock();
            while lines.len() < count {
                let timeout = diary.changed.wait_for(&mut lines, Duration::from_secs(60)).timed_out();
                assert!(!timeout, "{lines:?}");
            }
            lines.clone()
        });
        assert_eq!(lines.await.unwrap(), expected);
    }
}

/// The memory server's connector, with a note of when a join was tried.
struct Counting {
    inner: Arc<dyn Connector>,
    tries: Mutex<Vec<Instant>>,
    /// Joins that fail before they reach the server, with these words.
    failures: Mutex<VecDeque<&'static str>>,
}

impl Connector for Counting {
    fn join(&self, request: JoinRequest) -> BoxFuture<Result<Joined, JoinError>> {
        self.tries.lock().push(Instant::now());
        if let Some(message) = self.failures.lock().pop_front() {
            let error = JoinError::new(JoinErrorKind::Unreachable, message);
            return Box::pin(std::future::ready(Err(error)));
        }
        self.inner.join(request)
    }
}

struct Stage {
    server: Arc<MemoryServer>,
    connector: Arc<Counting>,
    control: Arc<Control>,
    stop: CancellationToken,
    diary: Arc<Diary>,
    gateway: tokio::task::JoinHandle<()>,
    _context: Context,
}

impl Stage {
    fn new(change: impl FnOnce(&mut DirectOptions)) -> Self {
        Self::on(MemoryServer::new(), change)
    }

    fn on(server: Arc<MemoryServer>, change: impl FnOnce(&mut DirectOptions)) -> Self {
        let connector =
            Arc::new(Counting { inner: server.connector(), tries: Mutex::default(), failures: Mutex::default() });
        let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
        direct.connector = Some(connector.clone());
        change(&mut direct);
        let (context, diary) = (Context::new(), Arc::new(Diary::default()));
        let options = SessionOptions { listener: Some(diary.clone()), ..Default::default() };
        let (control, driver) = Control::start(&context, options).unwrap();
        tokio::spawn(driver);
        let stop = CancellationToken::new();
        let gateway = tokio::spawn(Direct::new(direct).unwrap().run(control.clone(), stop.clone()));
        Self { server, connector, control, stop, diary, gateway, _context: context }
    }

    async fn joins(&self, count: u64) {
        let joined = self.server.until(|server| server.joins("robot") == count);
        tokio::time::timeout(Duration::from_secs(300), joined).await.expect("the robot joins");
    }

    async fn empty(&self) {
        let empty = self.server.until(|server| !robot_is_in(server));
        tokio::time::timeout(Duration::from_secs(300), empty).await.expect("the robot leaves");
    }

    fn pauses(&self) -> Vec<Duration> {
        self.connector.tries.lock().windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Stops, and says what the listener heard after `expected`.
    async fn stop(self, expected: &[&str]) {
        self.stop.cancel();
        self.gateway.await.unwrap();
        assert!(!robot_is_in(&self.server), "the room has been left");
        self.diary.is(&[expected, &["shutting down", "shutdown"]].concat()).await;
    }
}

fn robot_is_in(server: &MemoryServer) -> bool {
    server.in_room("yard").iter().any(|participant| participant.identity.as_str() == "robot")
}

fn idle(after_idle: AfterIdle) -> impl FnOnce(&mut DirectOptions) {
    move |direct| {
        direct.idle_window = Some(Duration::from_secs(30));
        direct.after_idle = after_idle;
    }
}

async fn viewer(server: &Arc<MemoryServer>) -> Joined {
    let token = server.token("yard", "ann").build();
    let request = JoinRequest { url: "memory://".into(), token, options: Default::default() };
    server.connector().join(request).await.map_err(|error| error.message).unwrap()
}

/// S-9, S-15.
#[tokio::test(start_paused = true)]
async fn s_12_a_clean_run_is_four_statuses() {
    let stage = Stage::new(|_| {});
    stage.joins(1).await;
    stage.diary.is(&["connecting", "connected"]).await;
    stage.stop(&["connecting", "connected"]).await;
}

#[tokio::test(start_paused = true)]
async fn s_28_s_46_an_idle_session_leaves_and_comes_back_when_it_is_asked_to() {
    let before = Instant::now();
    let stage = Stage::new(idle(AfterIdle::Wait));
    stage.joins(1).await;
    stage.empty().await;
    assert_eq!(before.elapsed().as_secs(), 30);
    let told = ["connecting", "connected", "connecting (Idle)"];
    stage.diary.is(&told).await;
    assert_eq!(stage.control.last_error().unwrap().message, "no viewer for 30 s; the room was left");
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!((stage.server.joins("robot"), stage.control.status()), (1, ConnectionStatus::Connecting));
    // Asked to, it joins at once, and the window counts anew.
    let asked = Instant::now();
    stage.control.resume().unwrap();
    stage.joins(2).await;
    assert_eq!(asked.elapsed(), Duration::ZERO);
    let _viewer = viewer(&stage.server).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(robot_is_in(&stage.server), "a viewer keeps it");
    let told = [&told[..], &["connected"]].concat();
    stage.stop(&told).await;
}

#[tokio::test(start_paused = true)]
async fn s_46_a_resume_in_the_room_starts_the_countdown_anew_and_is_not_kept_for_later() {
    let stage = Stage::new(idle(AfterIdle::Wait));
    stage.joins(1).await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    stage.control.resume().unwrap();
    let asked = Instant::now();
    stage.empty().await;
    assert_eq!(asked.elapsed().as_secs(), 30);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(stage.server.joins("robot"), 1);
    stage.stop(&["connecting", "connected", "connecting (Idle)"]).await;
}

/// S-25.
#[tokio::test(start_paused = true)]
async fn s_46_or_the_idle_session_ends_with_a_reason() {
    let stage = Stage::new(idle(AfterIdle::End));
    let Stage { gateway, diary, control, server, .. } = stage;
    gateway.await.unwrap();
    diary.is(&["connecting", "connected", "shutting down (Idle)", "shutdown (Idle)"]).await;
    assert_eq!(control.last_error().unwrap().kind, ErrorKind::Idle);
    assert!(!robot_is_in(&server));
    assert_eq!(control.resume().unwrap_err().kind, ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn s_31_a_viewer_that_comes_in_the_very_moment_keeps_the_session() {
    // The order in which the driver hears of the two is up to the runtime: several rounds.
    for _ in 0..20 {
        let stage = Stage::new(idle(AfterIdle::End));
        stage.joins(1).await;
        stage.diary.is(&["connecting", "connected"]).await;
        stage.server.hold("ann", HeldEvent::Connected);
        stage.server.hold("ann", HeldEvent::Active);
        let _viewer = viewer(&stage.server).await;
        tokio::time::sleep(Duration::from_secs(29)).await;
        // Both are there when the driver is polled next.
        stage.server.release("ann", HeldEvent::Connected);
        stage.server.release("ann", HeldEvent::Active);
        tokio::time::advance(Duration::from_secs(5)).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(robot_is_in(&stage.server));
        stage.stop(&["connecting", "connected"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn stop_while_it_waits_for_a_resume() {
    let stage = Stage::new(idle(AfterIdle::Wait));
    stage.joins(1).await;
    stage.empty().await;
    stage.diary.is(&["connecting", "connected", "connecting (Idle)"]).await;
    stage.stop(&["connecting", "connected", "connecting (Idle)"]).await;
}

#[tokio::test(start_paused = true)]
async fn s_16_a_stop_wins_over_a_resume_in_the_same_moment() {
    // Were the choice between the two a coin's, some round would join.
    for _ in 0..20 {
        let stage = Stage::new(idle(AfterIdle::Wait));
        stage.joins(1).await;
        stage.empty().await;
        let told = ["connecting", "connected", "connecting (Idle)"];
        stage.diary.is(&told).await;
        let connector = stage.connector.clone();
        // The owner takes the resume first, then the gateway is polled and finds both.
        stage.control.resume().unwrap();
        stage.stop(&told).await;
        assert_eq!(connector.tries.lock().len(), 1, "no join after the stop");
    }
}

#[test]
fn an_idle_window_that_nobody_could_meet_is_refused() {
    let mut direct = DirectOptions::new("ws://x", TokenSource::Static(Secret::new("t")));
    direct.idle_window = Some(Duration::from_millis(999));
    let Err(error) = Direct::new(direct) else { panic!("accepted") };
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::InvalidValue, "options.idle_window is 0.999 s, less than 1 s")
    );
}

/// S-17.
#[tokio::test(start_paused = true)]
async fn s_46_the_pauses_double_up_to_four_seconds_with_jitter() {
    let server = MemoryServer::new();
    for _ in 0..40 {
        server.fail_next_join("robot", JoinErrorKind::Unreachable);
    }
    let stage = Stage::on(server, |_| {});
    stage.joins(1).await;
    let pauses = stage.pauses();
    assert_eq!(pauses.len(), 40);
    for (n, pause) in pauses.iter().enumerate() {
        let middle = (500u64 << n.min(3)) as f64;
        let ms = pause.as_secs_f64() * 1000.0;
        assert!(ms >= middle * 0.8 - 2.0 && ms <= middle * 1.2 + 2.0, "pause {n}: {ms} ms");
    }
    let late: std::collections::BTreeSet<_> = pauses[4..].iter().map(|pause| pause.as_millis() / 10).collect();
    assert!(late.len() > 5, "there is jitter: {late:?}");
    stage.stop(&["connecting", "connecting (ConnectFailed)", "connected"]).await;
}

#[tokio::test(start_paused = true)]
async fn s_46_a_room_of_ten_seconds_was_healthy_and_a_shorter_one_was_not() {
    for (lived, middle) in [(9_900, 4000.0), (10_100, 500.0)] {
        let server = MemoryServer::new();
        for _ in 0..5 {
            server.fail_next_join("robot", JoinErrorKind::Unreachable);
        }
        let stage = Stage::on(server, |_| {});
        stage.joins(1).await;
        tokio::time::sleep(Duration::from_millis(lived)).await;
        let lost = Instant::now();
        stage.server.disconnect("robot", DisconnectReason::ServerShutdown);
        stage.joins(2).await;
        let ms = lost.elapsed().as_secs_f64() * 1000.0;
        assert!(ms >= middle * 0.8 - 2.0 && ms <= middle * 1.2 + 2.0, "after {lived} ms: {ms} ms");
        let told = ["connecting", "connecting (ConnectFailed)", "connected", "connecting (ConnectFailed)", "connected"];
        stage.diary.is(&told).await;
        stage.stop(&told).await;
    }
}

#[tokio::test(start_paused = true)]
async fn s_10_why_the_first_join_fails_is_told_once_per_reason() {
    let stage = Stage::new(|_| {});
    stage.connector.failures.lock().extend(["refused", "refused", "no route", "no route"]);
    let told = ["connecting", "connecting (ConnectFailed)", "connecting (ConnectFailed)", "connected"];
    for (tries, lines) in [(1, 2), (2, 2), (3, 3), (4, 3), (5, 4)] {
        while stage.connector.tries.lock().len() < tries {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stage.diary.is(&told[..lines]).await;
    }
    stage.stop(&told).await;
}

/// A token callback that fails its first time.
fn moody(server: &Arc<MemoryServer>, asked: &Arc<AtomicUsize>) -> TokenSource {
    let (secret, asked) = (server.token("yard", "robot").build(), asked.clone());
    TokenSource::Callback(Arc::new(move || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Err("the token server is asleep".to_owned()),
        _ => Ok(secret.clone()),
    }))
}

// On the real clock: the callback runs on a thread of its own, and a clock that stands still would run on meanwhile.
#[tokio::test]
async fn s_45_s_46_the_token_callback_is_asked_before_each_join() {
    let (server, asked) = (MemoryServer::new(), Arc::new(AtomicUsize::new(0)));
    server.fail_next_join("robot", JoinErrorKind::Unauthorized);
    let token = moody(&server, &asked);
    let stage = Stage::on(server, |direct| direct.token = token);
    stage.joins(1).await;
    assert_eq!(asked.load(Ordering::SeqCst), 3, "it failed, its token was rejected, it was accepted");
    stage.server.disconnect("robot", DisconnectReason::RoomDeleted);
    stage.joins(2).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    let (failed, rejected) = ("connecting (ConnectFailed)", "connecting (Unauthorized)");
    let told = ["connecting", failed, rejected, "connected", failed, "connected"];
    stage.diary.is(&told).await;
    assert_eq!(stage.connector.tries.lock().len(), 3);
    stage.stop(&told).await;
}

/// How a session ends by itself.
async fn ends(server: Arc<MemoryServer>, change: impl FnOnce(&mut DirectOptions), kind: ErrorKind, told: &[&str]) {
    let stage = Stage::on(server, change);
    let gateway = tokio::time::timeout(Duration::from_secs(300), stage.gateway);
    gateway.await.expect("the session ends").unwrap();
    let last = [format!("shutting down ({kind:?})"), format!("shutdown ({kind:?})")];
    stage.diary.is(&[told, &[&*last[0], &*last[1]]].concat()).await;
    assert_eq!(stage.control.last_error().unwrap().kind, kind);
    assert_eq!(stage.control.status(), ConnectionStatus::Shutdown);
}

#[tokio::test(start_paused = true)]
async fn s_14_s_46_what_cannot_get_better_ends_the_session_with_its_reason() {
    let rows = [
        (JoinErrorKind::Unauthorized, ErrorKind::Unauthorized),
        (JoinErrorKind::Invalid, ErrorKind::InvalidValue),
        (JoinErrorKind::Library, ErrorKind::LibraryMissing),
    ];
    for (join, kind) in rows {
        let server = MemoryServer::new();
        server.fail_next_join("robot", join);
        ends(server, |_| {}, kind, &["connecting"]).await;
    }
    // Without auto_reconnect every failure is the last.
    let server = MemoryServer::new();
    server.fail_next_join("robot", JoinErrorKind::Unreachable);
    ends(server, |direct| direct.auto_reconnect = false, ErrorKind::ConnectFailed, &["connecting"]).await;
}

#[tokio::test(start_paused = true)]
async fn s_46_s_48_a_removed_and_a_doubled_robot_do_not_come_back() {
    let rows = [
        (DisconnectReason::DuplicateIdentity, ErrorKind::DuplicateIdentity),
        (DisconnectReason::ParticipantRemoved, ErrorKind::Removed),
    ];
    for (reason, kind) in rows {
        let server = MemoryServer::new();
        let cut = server.clone();
        tokio::spawn(async move {
            cut.until(robot_is_in).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            cut.disconnect("robot", reason);
        });
        ends(server, |_| {}, kind, &["connecting", "connected"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn s_48_our_own_ghost_is_no_rival() {
    let stage = Stage::new(|_| {});
    stage.joins(1).await;
    stage.server.disconnect("robot", DisconnectReason::ServerShutdown);
    stage.joins(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.server.disconnect("robot", DisconnectReason::DuplicateIdentity);
    stage.joins(3).await;
    let lost = "connecting (ConnectFailed)";
    let told = ["connecting", "connected", lost, "connected", lost, "connected"];
    stage.diary.is(&told).await;
    stage.stop(&told).await;
}

#[tokio::test(start_paused = true)]
async fn s_174_a_stop_before_the_first_step_still_ends_in_order() {
    let server = MemoryServer::new();
    let mut direct = DirectOptions::new("memory://", TokenSource::Static(server.token("yard", "robot").build()));
    direct.connector = Some(server.connector());
    let diary = Arc::new(Diary::default());
    let options = SessionOptions { listener: Some(diary.clone()), ..Default::default() };
    let (control, driver) = Control::start(&Context::new(), options).unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    let gateway = tokio::spawn(Direct::new(direct).unwrap().run(control.clone(), stop));
    tokio::spawn(driver);
    gateway.await.unwrap();
    let finished = move || control.wait_finished(std::time::Instant::now() + Duration::from_secs(60));
    assert!(tokio::task::spawn_blocking(finished).await.unwrap());
    let mut lines = diary.lines.lock().clone();
    // The join may have been quicker.
    lines.retain(|line| line != "connecting" && line != "connected");
    assert_eq!(lines, ["shutting down", "shutdown"]);
    assert!(!robot_is_in(&server));
}

/// S-43.
#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_lost_room_that_is_still_being_left() {
    for opens in [true, false] {
        let stage = Stage::new(|_| {});
        stage.joins(1).await;
        stage.server.shut(Gate::Close, "robot");
        // Lost as the robot sees it, while the server still has it in the room.
        stage.server.inject("robot", RoomEvent::Disconnected { reason: DisconnectReason::Other });
        stage.server.until_waiting(Gate::Close, "robot", 1).await;
        let before = Instant::now();
        stage.stop.cancel();
        if opens {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(!stage.gateway.is_finished());
            stage.server.open(Gate::Close, "robot");
        }
        stage.gateway.await.unwrap();
        // Left, or given up after the five seconds of S-33.
        assert_eq!(before.elapsed().as_secs(), if opens { 1 } else { 5 });
        stage.diary.is(&["connecting", "connected", "connecting (ConnectFailed)", "shutting down", "shutdown"]).await;
    }
}

/// S-16.
#[tokio::test(start_paused = true)]
async fn a_stop_while_joining_leaves_the_room_that_was_just_entered() {
    let stage = Stage::on(MemoryServer::new(), |_| {});
    stage.server.shut(Gate::Join, "robot");
    stage.server.until_waiting(Gate::Join, "robot", 1).await;
    stage.stop.cancel();
    stage.server.open(Gate::Join, "robot");
    stage.gateway.await.unwrap();
    assert!(!robot_is_in(&stage.server));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!robot_is_in(&stage.server), "nor later");
}
