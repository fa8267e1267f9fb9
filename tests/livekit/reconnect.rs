//! Reconnections and losses.

use std::sync::Arc;
use std::time::Duration;

use telelink::room::{DisconnectReason, Identity, Joined, RoomError, RoomEvent, Scenario};

use crate::rig::{event, event_within, room_name, shared, Rig, LIMIT};
use crate::streams::Feed;
use crate::support::{token, wait_until, within, Server, TokenOptions};

async fn reconnected(joined: &mut Joined) -> bool {
    event(joined, "the loss", |event| matches!(event, RoomEvent::Reconnecting).then_some(())).await;
    event(joined, "the return", |event| match event {
        RoomEvent::Reconnected { full } => Some(full),
        RoomEvent::Disconnected { reason } => panic!("lost: {reason:?}"),
        _ => None,
    })
    .await
}

pub async fn a_full_reconnect_changes_the_sid_and_voids_open_streams(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("full");
    let mut viewer = rig.join(&name, "viewer").await;
    let mut robot = rig.join(&name, "robot").await;
    let feed = Arc::new(Feed::default());
    let opening = robot.room.open_byte_stream("t", &[Identity::from("viewer")], feed.clone());
    let stream = within("opening", LIMIT, opening).await.expect("opens");
    feed.put(b"hello");
    let opened = event(&mut viewer, "the stream", |event| match event {
        RoomEvent::ByteStreamOpened { reader, .. } => Some(reader),
        _ => None,
    });
    let mut reader = opened.await;
    assert_eq!(&within("hello", LIMIT, reader.next()).await.expect("a chunk").expect("bytes")[..], b"hello");

    let opening = viewer.room.open_byte_stream("t", &[Identity::from("robot")], Arc::new(Feed::default()));
    let _viewers = within("opening", LIMIT, opening).await.expect("opens");
    let opened = event(&mut robot, "the viewer's stream", |event| match event {
        RoomEvent::ByteStreamOpened { reader, .. } => Some(reader),
        _ => None,
    });
    let mut inward = opened.await;

    let before = robot.room.local().sid;
    within("the simulation", LIMIT, robot.room.simulate(Scenario::FullReconnect)).await.expect("simulates");
    assert!(reconnected(&mut robot).await, "a full reconnect is reported as one");
    assert_ne!(robot.room.local().sid, before);
    assert!(robot.room.participant(&"viewer".into()).is_some());

    // Writes on the old stream would succeed for ever and arrive nowhere.
    let ended = within("the end of the old stream", LIMIT, stream.ended()).await;
    assert!(matches!(ended, Err(RoomError::Transport(_))), "{ended:?}");
    let rest = within("the end at the reader", LIMIT, reader.next()).await;
    assert_eq!(rest, Some(Err(RoomError::SenderGone)));

    // Nor does what others had opened to us go on.
    assert_eq!(within("the end of the viewer's stream", LIMIT, inward.next()).await, Some(Err(RoomError::SenderGone)));

    // A new one works.
    let feed = Arc::new(Feed::default());
    let opening = robot.room.open_byte_stream("t", &[Identity::from("viewer")], feed.clone());
    let stream = within("opening again", LIMIT, opening).await.expect("opens");
    feed.put(b"again");
    feed.end();
    let opened = event(&mut viewer, "the new stream", |event| match event {
        RoomEvent::ByteStreamOpened { reader, .. } => Some(reader),
        _ => None,
    });
    let mut reader = opened.await;
    assert_eq!(&within("again", LIMIT, reader.next()).await.expect("a chunk").expect("bytes")[..], b"again");
    assert_eq!(within("the end", LIMIT, reader.next()).await, None);
    within("the sender's end", LIMIT, stream.ended()).await.expect("all written");
    robot.room.close().await;
    viewer.room.close().await;
}

pub async fn a_full_reconnect_alone_in_the_room_is_seen_too(rig: &Rig) {
    let _shared = shared().await;
    let mut robot = rig.join(&room_name("alone"), "robot").await;
    let before = robot.room.local().sid;
    within("the simulation", LIMIT, robot.room.simulate(Scenario::FullReconnect)).await.expect("simulates");
    assert!(reconnected(&mut robot).await);
    assert_ne!(robot.room.local().sid, before);
    robot.room.close().await;
}

pub async fn a_signal_reconnect_keeps_streams(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("signal");
    let mut viewer = rig.join(&name, "viewer").await;
    let mut robot = rig.join(&name, "robot").await;
    let feed = Arc::new(Feed::default());
    let opening = robot.room.open_byte_stream("t", &[Identity::from("viewer")], feed.clone());
    let stream = within("opening", LIMIT, opening).await.expect("opens");
    let opened = event(&mut viewer, "the stream", |event| match event {
        RoomEvent::ByteStreamOpened { reader, .. } => Some(reader),
        _ => None,
    });
    let mut reader = opened.await;
    let before = robot.room.local().sid;
    within("the simulation", LIMIT, robot.room.simulate(Scenario::SignalReconnect)).await.expect("simulates");
    assert!(!reconnected(&mut robot).await, "a resume is not a full reconnect");
    assert_eq!(robot.room.local().sid, before);
    feed.put(b"still here");
    feed.end();
    assert_eq!(&within("the rest", LIMIT, reader.next()).await.expect("a chunk").expect("bytes")[..], b"still here");
    assert_eq!(within("the end", LIMIT, reader.next()).await, None);
    within("the sender's end", LIMIT, stream.ended()).await.expect("all written");
    robot.room.close().await;
    viewer.room.close().await;
}

pub async fn a_server_that_sends_us_away_ends_the_room(rig: &Rig) {
    let _shared = shared().await;
    let mut robot = rig.join(&room_name("leave"), "robot").await;
    within("the simulation", LIMIT, robot.room.simulate(Scenario::ServerLeave)).await.expect("simulates");
    let outcome = event(&mut robot, "the consequence", |event| match event {
        RoomEvent::Disconnected { reason } => Some(Some(reason)),
        RoomEvent::Reconnected { .. } => Some(None),
        _ => None,
    });
    // The simulated leave tells the client that the server shuts down and that it should not come back.
    assert_eq!(outcome.await, Some(DisconnectReason::ServerShutdown));
    assert!(robot.events.recv().await.is_none(), "Disconnected is the last event");
    robot.room.close().await;
}

pub async fn a_server_that_comes_back_is_a_full_reconnect(rig: &Rig) {
    let _shared = shared().await;
    let mut server = Server::start();
    let mut robot = rig.try_join(&server.url, token("back", "robot", &TokenOptions::default())).await.expect("joins");
    let before = robot.room.local().sid;
    let server = tokio::task::spawn_blocking(move || {
        server.restart(Duration::from_secs(2));
        server
    });
    assert!(reconnected(&mut robot).await);
    let server = server.await.expect("the server is back");
    let viewer = rig.try_join(&server.url, token("back", "viewer", &TokenOptions::default())).await.expect("joins");
    assert_eq!(viewer.participants.len(), 1);
    assert_ne!(viewer.participants[0].sid, before);
    // The library learns the new SID with the next change of the room.
    wait_until("the new SID", LIMIT, || robot.room.local().sid == viewer.participants[0].sid).await;
    robot.room.close().await;
    viewer.room.close().await;
}

pub async fn a_server_that_stays_away_ends_the_room_and_its_streams(rig: &Rig) {
    let _shared = shared().await;
    let mut server = Server::start();
    let viewer = rig.try_join(&server.url, token("away", "viewer", &TokenOptions::default())).await.expect("joins");
    let mut robot = rig.try_join(&server.url, token("away", "robot", &TokenOptions::default())).await.expect("joins");
    let feed = Arc::new(Feed::default());
    let opening = robot.room.open_byte_stream("t", &[Identity::from("viewer")], feed.clone());
    let stream = within("opening", LIMIT, opening).await.expect("opens");
    tokio::task::spawn_blocking(move || server.kill()).await.expect("the server is gone");
    feed.put(b"nobody reads this");
    // Ten attempts of the library, about 16 s (livekit-ffi.md section 6); seen: 11 to 25 s, more on a busy machine.
    let reason = event_within(LIMIT * 3, &mut robot, "the loss", |event| match event {
        RoomEvent::Disconnected { reason } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, DisconnectReason::ConnectionLost);
    let after = within("the end of the events", LIMIT, robot.events.recv()).await;
    assert!(after.is_none(), "Disconnected is the last event");
    // Which of the two is seen first, the room's end or the failed write, is the library's choice.
    let ended = within("the end of the stream", LIMIT, stream.ended()).await;
    assert!(matches!(ended, Err(RoomError::Closed | RoomError::Transport(_))), "{ended:?}");
    within("close", LIMIT, robot.room.close()).await;
    within("close", LIMIT, viewer.room.close()).await;
}
