//! Joining, participants, leaving.

use std::fs;

use telelink::room::{DisconnectReason, JoinErrorKind, Joined, Participant, RoomError, RoomEvent};

use crate::rig::{self, event, quiet, room_name, shared, url, Rig, LIMIT};
use crate::support::{self, wait_until, within, TokenOptions};

async fn announced(joined: &mut Joined, who: &str) -> Participant {
    event(joined, "the announcement", |event| match event {
        RoomEvent::ParticipantConnected(participant) if participant.identity.as_str() == who => Some(participant),
        _ => None,
    })
    .await
}

async fn gone(joined: &mut Joined, who: &Participant) {
    event(joined, "the leave", |event| match event {
        RoomEvent::ParticipantDisconnected { identity, sid } if identity == who.identity => {
            assert_eq!(sid, who.sid, "the connection that was announced");
            Some(())
        }
        _ => None,
    })
    .await;
}

pub async fn both_sides_see_each_other_join_and_leave(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("join");
    let mut a = rig.join(&name, "a").await;
    let options = TokenOptions {
        attributes: [("lang".to_owned(), "de".to_owned())].into(),
        name: "Bee".into(),
        ..TokenOptions::default()
    };
    let b = rig.join_with(&name, "b", &options).await;

    // Who was there before comes with the join, complete.
    assert_eq!(a.participants, []);
    assert_eq!(b.participants.len(), 1);
    assert_eq!(b.participants[0].identity, a.local.identity);
    assert_eq!(b.participants[0].sid, a.local.sid);
    assert!(b.participants[0].joined_at_ms > 1_500_000_000_000);

    // Who comes later is announced, then active.
    let seen = announced(&mut a, "b").await;
    assert_eq!(seen.sid, b.local.sid);
    assert_eq!(seen.name, "Bee");
    assert_eq!(seen.attributes.get("lang").map(String::as_str), Some("de"));
    assert_eq!(seen.joined_at_ms, b.local.joined_at_ms);
    let active = event(&mut a, "b active", |event| match event {
        RoomEvent::ParticipantActive(participant) => Some(participant),
        _ => None,
    });
    let active = active.await;
    assert_eq!((active.sid.clone(), active.active), (b.local.sid.clone(), true));
    assert_eq!(a.room.participant(&"b".into()), Some(active));

    // close returns when the room has been left, and the other side sees it.
    within("close", LIMIT, b.room.close()).await;
    gone(&mut a, &seen).await;
    assert_eq!(a.room.participants(), []);
    within("close", LIMIT, a.room.close()).await;
}

pub async fn a_closed_room_ends_its_events_and_refuses_calls(rig: &Rig) {
    let _shared = shared().await;
    let mut joined = rig.join(&room_name("closed"), "a").await;
    within("close", LIMIT, joined.room.close()).await;
    within("a second close", LIMIT, joined.room.close()).await;
    within("the end of events", LIMIT, async { while joined.events.recv().await.is_some() {} }).await;
    assert_eq!(joined.room.stats().await.unwrap_err(), RoomError::Closed);
    let source = std::sync::Arc::new(crate::streams::Feed::default());
    let opened = joined.room.open_byte_stream("t", &[], source).await;
    assert_eq!(opened.err(), Some(RoomError::Closed));
}

pub async fn dropping_a_room_leaves_it(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("drop");
    let b = rig.join(&name, "b").await;
    let mut a = rig.join(&name, "a").await;
    let b_seen = a.participants[0].clone();
    drop(b);
    gone(&mut a, &b_seen).await;
    a.room.close().await;
}

pub async fn an_abandoned_join_leaves_nothing_behind(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("abandoned");
    let mut a = rig.join(&name, "a").await;
    for _ in 0..5 {
        let token = support::token(&name, "ghost", &TokenOptions::default());
        // Long enough for the request to leave, too short for the answer.
        let attempt = tokio::time::timeout(std::time::Duration::from_millis(5), rig.try_join(url(), token)).await;
        if let Ok(Ok(joined)) = attempt {
            joined.room.close().await;
        }
    }
    // The ghost may be seen coming; then it must be seen going. A later joiner must find nobody but `a`.
    wait_until("the ghosts are gone", LIMIT, || {
        while a.events.try_recv().is_ok() {}
        a.room.participant(&"ghost".into()).is_none()
    })
    .await;
    let mut found = usize::MAX;
    let start = std::time::Instant::now();
    while found != 1 {
        assert!(start.elapsed() < LIMIT, "{found} participants are left in the room");
        let witness = rig.join(&name, "witness").await;
        found = witness.participants.len();
        witness.room.close().await;
    }
    a.room.close().await;
}

pub async fn the_same_identity_joining_again_ends_the_first(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("duplicate");
    let mut first = rig.join(&name, "a").await;
    let second = rig.join(&name, "a").await;
    let reason = event(&mut first, "the end", |event| match event {
        RoomEvent::Disconnected { reason } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, DisconnectReason::DuplicateIdentity);
    assert!(first.events.recv().await.is_none(), "Disconnected is the last event");
    assert_eq!(first.room.stats().await.unwrap_err(), RoomError::Closed);
    within("close", LIMIT, first.room.close()).await;
    assert!(second.room.stats().await.is_ok());
    second.room.close().await;
}

pub async fn bad_tokens_are_unauthorized_and_not_quoted(rig: &Rig) {
    let _shared = shared().await;
    let expired = TokenOptions { ttl: -3000, ..TokenOptions::default() };
    let good = support::token(&room_name("bad"), "a", &TokenOptions::default());
    let (body, _) = good.rsplit_once('.').expect("a token has dots");
    for token in ["garbage".to_owned(), format!("{body}.AAAA"), support::token("bad", "a", &expired)] {
        let error = rig.try_join(url(), token.clone()).await.err().expect("a bad token is refused");
        assert_eq!(error.kind, JoinErrorKind::Unauthorized, "{error}");
        assert!(!error.to_string().contains(&token) && !error.to_string().contains("eyJ"), "{error}");
        assert!(error.to_string().contains("refused the access token"), "{error}");
    }
}

pub async fn a_server_that_is_not_there_is_unreachable(rig: &Rig) {
    let _shared = shared().await;
    // Bound but not listening: nobody else can take the port, and connections to it are refused.
    let holder = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let token = support::token("none", "a", &TokenOptions::default());
    let error = rig.try_join(&format!("ws://127.0.0.1:{port}/?secret=1"), token).await.err().expect("nobody there");
    assert_eq!(error.kind, JoinErrorKind::Unreachable, "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

pub async fn a_server_that_never_answers_is_a_timeout(rig: &Rig) {
    let _shared = shared().await;
    // Accepts in the kernel and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let token = support::token("none", "a", &TokenOptions::default());
    let start = std::time::Instant::now();
    let error =
        within("the timeout", LIMIT, rig.try_join(&format!("ws://{address}"), token)).await.err().expect("no room");
    assert_eq!(error.kind, JoinErrorKind::Timeout, "{error}");
    assert!(start.elapsed() < std::time::Duration::from_secs(7), "bounded by connect_timeout and its grace");
}

pub async fn a_wrong_url_is_invalid(rig: &Rig) {
    let _shared = shared().await;
    let error = rig.try_join("localhost:7880", "token".into()).await.err().expect("no scheme");
    assert_eq!(error.kind, JoinErrorKind::Invalid);
}

pub async fn statistics_show_the_link(rig: &Rig) {
    let _shared = shared().await;
    let joined = rig.join(&room_name("stats"), "a").await;
    let start = std::time::Instant::now();
    let stats = loop {
        let stats = joined.room.stats().await.expect("statistics");
        if stats.ice_rtt_ms.is_some() {
            break stats;
        }
        assert!(start.elapsed() < LIMIT, "no round trip in {stats:?}");
        tokio::task::yield_now().await;
    };
    assert!(stats.ice_rtt_ms.is_some_and(|rtt| (0.0..1000.0).contains(&rtt)), "{stats:?}");
    assert!(stats.bytes_sent.is_some_and(|bytes| bytes > 0), "{stats:?}");
    assert!(stats.bytes_received.is_some_and(|bytes| bytes > 0), "{stats:?}");
    assert_eq!(stats.video_bytes_sent, Some(0));
    joined.room.close().await;
}

/// Threads and open files of this process.
fn resources() -> (usize, usize) {
    let count = |dir: &str| fs::read_dir(dir).expect("/proc").count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}

pub async fn joining_and_closing_again_and_again_leaks_nothing(rig: &Rig) {
    let _quiet = quiet().await;
    let name = room_name("cycles");
    let cycle = || async {
        let joined = rig.join(&name, "a").await;
        let track = joined.room.publish_data_track("t", std::sync::Arc::new(rig::NoFrames)).await.expect("publishes");
        track.notify();
        joined.room.close().await;
    };
    for _ in 0..3 {
        cycle().await;
    }
    let (threads, files) = resources();
    for _ in 0..20 {
        cycle().await;
    }
    // Threads that are about to end may linger for a moment.
    wait_until("threads and files are back", LIMIT, || {
        let (now_threads, now_files) = resources();
        now_threads <= threads + 1 && now_files <= files + 1
    })
    .await;
}
