//! Controls over joining and over what the others hear of it.

use std::collections::BTreeMap;
use std::time::Duration;

use telelink::room::memory::{Gate, HeldEvent};
use telelink::room::{
    ConnectionQuality, DisconnectReason, JoinErrorKind, JoinRequest, ParticipantKind, RoomEvent, RoomOptions,
};
use tokio::time::Instant;

use crate::stage::{join, request, soon, Stage};
use crate::{pair, waiting_events, Memory};

async fn join_error(server: &Memory) -> JoinErrorKind {
    let request = request(server, server.0.token("yard", "robot").build());
    Stage::connector(server).join(request).await.err().expect("the join fails").kind
}

#[tokio::test(start_paused = true)]
async fn a_token_carries_what_was_put_in() {
    let server = Memory::new();
    let _robot = join(&server, "yard", "robot").await;
    let token = server.0.token("yard", "agent").name("An agent").kind(ParticipantKind::Service).attribute("k", "v");
    let joined = server.0.connector().join(request(&server, token.build())).await.expect("joins");
    assert_eq!((joined.local.name.as_str(), joined.local.kind), ("An agent", ParticipantKind::Service));
    assert_eq!(joined.local.attributes, BTreeMap::from([("k".to_owned(), "v".to_owned())]));
    assert_eq!(server.in_room("yard")[1], joined.local);
}

#[tokio::test(start_paused = true)]
async fn unknown_and_expired_tokens_are_unauthorized() {
    let server = Memory::new();
    let unknown = request(&server, telelink::room::Secret::new("guess"));
    let error = server.0.connector().join(unknown).await.err().expect("refused");
    assert_eq!(error.kind, JoinErrorKind::Unauthorized);
    let token = server.0.token("yard", "robot").build();
    let _robot = server.0.connector().join(request(&server, token.clone())).await.expect("joins");
    server.expire(&token);
    let error = server.0.connector().join(request(&server, token)).await.err().expect("refused");
    assert_eq!(error.kind, JoinErrorKind::Unauthorized);
    assert_eq!(server.in_room("yard").len(), 1, "a refused join kicks nobody");
}

#[tokio::test(start_paused = true)]
async fn join_failures_come_in_order_and_end() {
    let server = Memory::new();
    server.fail_next_join("robot", JoinErrorKind::Other);
    server.fail_next_join("robot", JoinErrorKind::Timeout);
    assert_eq!(join_error(&server).await, JoinErrorKind::Other);
    assert_eq!(join_error(&server).await, JoinErrorKind::Timeout);
    join(&server, "yard", "robot").await;
    assert_eq!(server.joins("robot"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_refuses_joins() {
    let server = Memory::new();
    server.set_reachable(false);
    assert_eq!(join_error(&server).await, JoinErrorKind::Unreachable);
    server.set_reachable(true);
    join(&server, "yard", "robot").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_join_meets_its_time_out_and_leaves_nothing() {
    let server = Memory::new();
    server.set_join_delay(Duration::from_secs(6));
    let start = Instant::now();
    assert_eq!(join_error(&server).await, JoinErrorKind::Timeout);
    assert_eq!(start.elapsed(), RoomOptions::default().connect_timeout);
    assert!(server.in_room("yard").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_join_leaves_nothing() {
    let server = Memory::new();
    server.shut(Gate::Join, "robot");
    let request = request(&server, server.0.token("yard", "robot").build());
    let joining = tokio::spawn(server.0.connector().join(request));
    soon("the joiner at the gate", server.until_waiting(Gate::Join, "robot", 1)).await;
    joining.abort();
    assert!(joining.await.err().expect("aborted").is_cancelled());
    assert_eq!(server.waiting(Gate::Join, "robot"), 0);
    server.open(Gate::Join, "robot");
    assert!(server.in_room("yard").is_empty());
    assert_eq!(server.joins("robot"), 0);
}

#[tokio::test(start_paused = true)]
async fn join_times_can_be_equal_and_older() {
    let server = Memory::new();
    let a = join(&server, "yard", "a").await;
    server.set_next_joined_at(a.local.joined_at_ms);
    let b = join(&server, "yard", "b").await;
    let c = join(&server, "yard", "c").await;
    server.set_next_joined_at(1000);
    let d = join(&server, "yard", "d").await;
    assert_eq!(a.local.joined_at_ms, b.local.joined_at_ms);
    assert_eq!(c.local.joined_at_ms, b.local.joined_at_ms + 1);
    assert_eq!(d.local.joined_at_ms, 1000);
}

#[tokio::test(start_paused = true)]
async fn an_announcement_takes_its_delay() {
    let server = Memory::new();
    server.set_announce_delay("yard", Duration::from_secs(3));
    let mut robot = join(&server, "yard", "robot").await;
    let start = Instant::now();
    let viewer = join(&server, "yard", "viewer").await;
    assert_eq!(viewer.listed.len(), 1, "the joiner sees the others at once");
    assert!(robot.room.participants().is_empty());
    robot.active("viewer").await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    // One that leaves unannounced was never there.
    let shy = join(&server, "yard", "shy").await;
    drop(shy);
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::task::yield_now().await;
    assert_eq!(waiting_events(&mut robot), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn active_of_the_new_before_disconnect_of_the_old() {
    let server = Memory::new();
    let (mut robot, old) = pair(&server).await;
    server.hold("viewer", HeldEvent::Disconnected);
    let new = join(&server, "yard", "viewer").await;
    let (old, new) = (&old.local.sid, &new.local.sid);
    assert_eq!(waiting_events(&mut robot), [format!("connected viewer {new}"), format!("active viewer {new}")]);
    assert_eq!(server.held("viewer", HeldEvent::Disconnected), 1);
    server.release("viewer", HeldEvent::Disconnected);
    assert_eq!(waiting_events(&mut robot), [format!("disconnected viewer {old}")]);
    let known = robot.room.participant(&"viewer".into()).expect("a late goodbye of the old one");
    assert_eq!(known.sid, *new);
}

#[tokio::test(start_paused = true)]
async fn actives_out_of_order() {
    let server = Memory::new();
    let mut robot = join(&server, "yard", "robot").await;
    server.hold("viewer", HeldEvent::Active);
    let old = join(&server, "yard", "viewer").await;
    assert!(!robot.room.participant(&"viewer".into()).expect("announced").active);
    let third = join(&server, "yard", "third").await;
    assert!(!third.listed.iter().find(|p| p.identity.as_str() == "viewer").expect("listed").active);
    let new = join(&server, "yard", "viewer").await;
    waiting_events(&mut robot);
    server.release("viewer", HeldEvent::Active);
    let expected = [format!("active viewer {}", old.local.sid), format!("active viewer {}", new.local.sid)];
    assert_eq!(waiting_events(&mut robot), expected);
    server.repeat_active("viewer");
    assert_eq!(waiting_events(&mut robot), expected[1..]);
}

#[tokio::test(start_paused = true)]
async fn a_held_announcement_hides_from_joiners_too() {
    let server = Memory::new();
    let _robot = join(&server, "yard", "robot").await;
    server.hold("robot", HeldEvent::Connected);
    let mut viewer = join(&server, "yard", "viewer").await;
    assert!(viewer.listed.is_empty());
    let robot = &server.in_room("yard")[0].sid;
    assert_eq!(waiting_events(&mut viewer), [format!("active robot {robot}")]);
    server.release("robot", HeldEvent::Connected);
    assert_eq!(waiting_events(&mut viewer), [format!("connected robot {robot}")]);
}

#[tokio::test(start_paused = true)]
async fn attributes_change() {
    let server = Memory::new();
    let (robot, viewer) = pair(&server).await;
    let mut robot = robot;
    waiting_events(&mut robot);
    let attributes = BTreeMap::from([("role".to_owned(), "driver".to_owned())]);
    server.set_attributes("viewer", attributes.clone());
    assert_eq!(waiting_events(&mut robot), [r#"updated viewer {"role": "driver"}"#]);
    assert_eq!(robot.room.participant(&"viewer".into()).unwrap().attributes, attributes);
    assert_eq!(viewer.room.local().attributes, attributes);
}

#[tokio::test(start_paused = true)]
async fn the_server_disconnects_with_its_reason() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    waiting_events(&mut viewer);
    server.disconnect("viewer", DisconnectReason::ParticipantRemoved);
    assert_eq!(waiting_events(&mut viewer), ["end ParticipantRemoved"]);
    assert!(viewer.events.recv().await.is_none(), "nothing after the end");
    assert_eq!(waiting_events(&mut robot), [format!("disconnected viewer {}", viewer.local.sid)]);
}

#[tokio::test(start_paused = true)]
async fn any_event_can_be_injected() {
    let server = Memory::new();
    let mut robot = join(&server, "yard", "robot").await;
    let quality = RoomEvent::QualityChanged { identity: "robot".into(), quality: ConnectionQuality::Poor };
    server.inject("robot", quality);
    server.inject("robot", RoomEvent::TokenRefreshed(telelink::room::Secret::new("new")));
    assert_eq!(waiting_events(&mut robot), ["quality robot Poor", "token"]);
}

#[tokio::test(start_paused = true)]
async fn a_close_can_be_made_to_hang() {
    let server = Memory::new();
    let robot = join(&server, "yard", "robot").await;
    server.shut(Gate::Close, "robot");
    let close = tokio::spawn(robot.room.close());
    soon("the close at the gate", server.until_waiting(Gate::Close, "robot", 1)).await;
    assert_eq!(server.in_room("yard").len(), 1);
    server.open(Gate::Close, "robot");
    soon("the close", close).await.unwrap();
    assert!(server.in_room("yard").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_room_is_left() {
    let server = Memory::new();
    let (mut robot, viewer) = pair(&server).await;
    let sid = viewer.local.sid.to_string();
    drop(viewer);
    robot.gone(&sid).await;
    let request = JoinRequest { url: "ws://anything".into(), ..request(&server, server.0.token("yard", "x").build()) };
    assert!(server.0.connector().join(request).await.is_ok(), "any URL will do");
}

#[tokio::test(start_paused = true)]
async fn controls_work_from_threads_without_a_runtime() {
    let server = Memory::new();
    let (mut robot, viewer) = pair(&server).await;
    let controls = server.0.clone();
    let control = move || {
        controls.set_reconnect_time(Duration::from_secs(1));
        controls.signal_reconnect("robot");
        controls.kill("viewer");
        controls.set_delay_everywhere(Duration::MAX);
        controls.set_next_joined_at(i64::MAX);
    };
    std::thread::spawn(control).join().expect("no runtime is needed");
    robot.gone(viewer.local.sid.as_str()).await;
    assert_eq!(join(&server, "yard", "last").await.local.joined_at_ms, i64::MAX);
}
