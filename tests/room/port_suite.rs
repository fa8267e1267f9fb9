//! What every adapter of the room port must do. Each function is one test; `port_suite!` makes them for one adapter.

use std::sync::Arc;

use telelink::room::memory::{ChannelSource, FrameSlot, ScriptedSource};
use telelink::room::{
    DataFrame, DisconnectReason, FrameReceiver, Identity, JoinErrorKind, PublishError, RoomError, RoomEvent,
};

use crate::stage::{join, read_all, read_exact, request, soon, Member, Stage};

/// Makes the suite's tests for one adapter: `port_suite!(#[tokio::test(..)], make_stage())`.
#[macro_export]
macro_rules! port_suite {
    (#[$test:meta], $stage:expr) => {
        $crate::port_suite!(@ #[$test], $stage,
            a_bad_token_is_unauthorized, an_empty_url_is_refused, a_joiner_lists_who_is_there, a_joiner_is_announced,
            leaving_is_told, close_ends_everything, the_same_identity_replaces, rooms_are_apart,
            bytes_arrive_in_order, a_stream_names_topic_and_sender, both_directions_and_streams_are_independent,
            streams_go_only_to_the_named, dropping_a_stream_breaks_it, a_leaver_breaks_its_streams,
            a_stream_to_nobody_opens, a_dropped_reader_does_not_stop_the_writer, frames_arrive,
            a_known_track_is_announced_after_join, unpublishing_ends_a_subscription, a_dropped_track_is_unpublished,
            a_name_is_taken_once, an_unknown_track_cannot_be_subscribed, a_left_room_refuses, stats_answer
        );
    };
    (@ #[$test:meta], $stage:expr, $($name:ident),+) => {
        $(#[$test] async fn $name() { $crate::port_suite::$name(&$stage).await; })+
    };
}

async fn pair(stage: &dyn Stage, room: &str) -> (Member, Member) {
    let mut robot = join(stage, room, "robot").await;
    let viewer = join(stage, room, "viewer").await;
    robot.active("viewer").await;
    (robot, viewer)
}

fn ids(names: &[&str]) -> Vec<Identity> {
    names.iter().map(|name| Identity::from(*name)).collect()
}

pub(crate) async fn a_bad_token_is_unauthorized(stage: &dyn Stage) {
    let bad = stage.bad_token("bad", "robot");
    let text = bad.expose().to_owned();
    let error = soon("a refusal", stage.connector().join(request(stage, bad))).await.err().expect("refused");
    assert_eq!(error.kind, JoinErrorKind::Unauthorized, "{error}");
    assert!(!error.to_string().contains(&text), "the message shows the token");
}

pub(crate) async fn an_empty_url_is_refused(stage: &dyn Stage) {
    let mut request = request(stage, stage.token("url", "robot"));
    request.url.clear();
    let error = soon("a refusal", stage.connector().join(request)).await.err().expect("refused");
    assert_eq!(error.kind, JoinErrorKind::Invalid, "{error}");
}

pub(crate) async fn a_joiner_lists_who_is_there(stage: &dyn Stage) {
    let robot = join(stage, "list", "robot").await;
    assert!(robot.listed.is_empty());
    let viewer = join(stage, "list", "viewer").await;
    assert_eq!(viewer.listed.len(), 1, "{:?}", viewer.listed);
    let listed = &viewer.listed[0];
    assert_eq!((&listed.identity, &listed.sid), (&robot.local.identity, &robot.local.sid));
    assert!(viewer.local.joined_at_ms >= listed.joined_at_ms);
    assert_eq!(viewer.room.participant(&"robot".into()).map(|p| p.sid), Some(robot.local.sid.clone()));
    assert_eq!(viewer.room.participant(&"viewer".into()), None, "oneself is not among the remote ones");
    assert_eq!(viewer.room.local().sid, viewer.local.sid);
}

pub(crate) async fn a_joiner_is_announced(stage: &dyn Stage) {
    let mut robot = join(stage, "announce", "robot").await;
    let viewer = join(stage, "announce", "viewer").await;
    let announced = robot.event("the announcement", |event| match event {
        RoomEvent::ParticipantConnected(p) => Some(p),
        RoomEvent::ParticipantActive(p) => panic!("{} is active before it is announced", p.identity),
        _ => None,
    });
    assert_eq!(announced.await.sid, viewer.local.sid);
    let active = robot.active("viewer").await;
    assert!(active.active);
    assert_eq!(active.sid, viewer.local.sid);
    assert_eq!(active.joined_at_ms, viewer.local.joined_at_ms);
    assert_eq!(robot.room.participants().len(), 1);
}

pub(crate) async fn leaving_is_told(stage: &dyn Stage) {
    let (mut robot, viewer) = pair(stage, "leave").await;
    soon("the close", viewer.room.close()).await;
    robot.gone(viewer.local.sid.as_str()).await;
    assert_eq!(robot.room.participant(&"viewer".into()), None);
}

pub(crate) async fn close_ends_everything(stage: &dyn Stage) {
    let (mut robot, mut viewer) = pair(stage, "close").await;
    soon("two closes", async { tokio::join!(viewer.room.close(), viewer.room.close()) }).await;
    soon("a later close", viewer.room.close()).await;
    soon("the end of the events", async { while viewer.events.recv().await.is_some() {} }).await;
    robot.gone(viewer.local.sid.as_str()).await;
}

pub(crate) async fn the_same_identity_replaces(stage: &dyn Stage) {
    let (mut robot, mut old) = pair(stage, "duplicate").await;
    let new = join(stage, "duplicate", "viewer").await;
    assert_ne!(new.local.sid, old.local.sid);
    let reason = old.event("the end", |event| match event {
        RoomEvent::Disconnected { reason } => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, DisconnectReason::DuplicateIdentity);
    // The order of the two is LiveKit's own affair.
    let (mut left, mut came) = (false, false);
    soon("old out, new in", async {
        while !(left && came) {
            match robot.events.recv().await.expect("the robot stays") {
                RoomEvent::ParticipantDisconnected { sid, .. } if sid == old.local.sid => left = true,
                RoomEvent::ParticipantActive(p) if p.sid == new.local.sid => came = true,
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(robot.room.participant(&"viewer".into()).map(|p| p.sid), Some(new.local.sid.clone()));
}

pub(crate) async fn rooms_are_apart(stage: &dyn Stage) {
    let here = join(stage, "here", "robot").await;
    let there = join(stage, "there", "viewer").await;
    assert!(there.listed.is_empty());
    assert!(here.room.participants().is_empty());
}

pub(crate) async fn bytes_arrive_in_order(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "bytes").await;
    let source = Arc::new(ChannelSource::new());
    let opening = robot.room.open_byte_stream("t", &ids(&["viewer"]), source.clone());
    let stream = soon("an open stream", opening).await.expect("opens");
    // Sizes around the packet limit, and one of many packets.
    let pieces: Vec<Vec<u8>> = [1usize, 14_999, 15_000, 15_001, 262_144, 7]
        .iter()
        .enumerate()
        .map(|(n, size)| (0..*size).map(|i| (i * 31 + n) as u8).collect())
        .collect();
    for piece in &pieces {
        source.push(piece.clone()).expect("room for it");
    }
    source.end();
    soon("everything written", stream.ended()).await.expect("an orderly end");
    let (bytes, end) = read_all(&mut viewer.stream().await.reader).await;
    assert_eq!(end, Ok(()));
    assert!(bytes == pieces.concat(), "{} bytes differ from the {} sent", bytes.len(), pieces.concat().len());
}

pub(crate) async fn a_stream_names_topic_and_sender(stage: &dyn Stage) {
    let (mut robot, viewer) = pair(stage, "names").await;
    let source = Arc::new(ScriptedSource::bytes("hello"));
    let opening = viewer.room.open_byte_stream("any topic/ü", &ids(&["robot"]), source);
    let _stream = soon("an open stream", opening).await.expect("opens");
    let stream = robot.stream().await;
    assert_eq!((stream.topic.as_str(), &stream.sender), ("any topic/ü", &viewer.identity()));
    assert_eq!(stream.sender_sid.as_deref(), Some(viewer.local.sid.as_str()));
}

pub(crate) async fn both_directions_and_streams_are_independent(stage: &dyn Stage) {
    let (mut robot, mut viewer) = pair(stage, "directions").await;
    let (down, up, second) = (ChannelSource::new(), ChannelSource::new(), ChannelSource::new());
    let (down, up, second) = (Arc::new(down), Arc::new(up), Arc::new(second));
    let _a = soon("a", robot.room.open_byte_stream("down", &ids(&["viewer"]), down.clone())).await.expect("opens");
    let mut at_viewer = viewer.stream().await;
    let _b = soon("b", robot.room.open_byte_stream("second", &ids(&["viewer"]), second.clone())).await.expect("opens");
    let mut at_viewer_second = viewer.stream().await;
    let _c = soon("c", viewer.room.open_byte_stream("up", &ids(&["robot"]), up.clone())).await.expect("opens");
    let mut at_robot = robot.stream().await;
    up.push("up").unwrap();
    assert_eq!(read_exact(&mut at_robot.reader, 2).await, "up");
    second.push("second").unwrap();
    second.end();
    let (bytes, end) = read_all(&mut at_viewer_second.reader).await;
    assert_eq!((&bytes[..], end), (&b"second"[..], Ok(())));
    down.push("down").unwrap();
    assert_eq!(read_exact(&mut at_viewer.reader, 4).await, "down", "its sibling's end does not end it");
}

/// S-70.
pub(crate) async fn streams_go_only_to_the_named(stage: &dyn Stage) {
    let (mut robot, mut viewer) = pair(stage, "named").await;
    let mut other = join(stage, "named", "other").await;
    robot.active("other").await;
    let secret = Arc::new(ScriptedSource::bytes("secret"));
    let _a = soon("a", robot.room.open_byte_stream("secret", &ids(&["viewer"]), secret)).await.expect("opens");
    let both = Arc::new(ScriptedSource::bytes("both"));
    let _b = soon("b", robot.room.open_byte_stream("both", &ids(&["viewer", "other"]), both)).await.expect("opens");
    let mut first = viewer.stream().await;
    assert_eq!((first.topic.as_str(), &read_all(&mut first.reader).await.0[..]), ("secret", &b"secret"[..]));
    assert_eq!(viewer.stream().await.topic, "both");
    let mut first = other.stream().await;
    assert_eq!((first.topic.as_str(), &read_all(&mut first.reader).await.0[..]), ("both", &b"both"[..]));
}

/// S-112.
pub(crate) async fn dropping_a_stream_breaks_it(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "drop").await;
    let source = Arc::new(ChannelSource::new());
    let stream = soon("open", robot.room.open_byte_stream("t", &ids(&["viewer"]), source.clone())).await.unwrap();
    let mut incoming = viewer.stream().await;
    source.push("first").unwrap();
    assert_eq!(read_exact(&mut incoming.reader, 5).await, "first");
    drop(stream);
    let (rest, end) = read_all(&mut incoming.reader).await;
    assert!(rest.is_empty());
    assert_eq!(end, Err(RoomError::SenderGone), "what was not finished must not look complete");
}

pub(crate) async fn a_leaver_breaks_its_streams(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "breaks").await;
    let source = Arc::new(ChannelSource::new());
    let stream = soon("open", robot.room.open_byte_stream("t", &ids(&["viewer"]), source.clone())).await.unwrap();
    let mut incoming = viewer.stream().await;
    source.push("first").unwrap();
    assert_eq!(read_exact(&mut incoming.reader, 5).await, "first");
    soon("close", robot.room.close()).await;
    assert_eq!(read_all(&mut incoming.reader).await.1, Err(RoomError::SenderGone));
    assert!(soon("the stream's end", stream.ended()).await.is_err());
}

/// S-121.
pub(crate) async fn a_stream_to_nobody_opens(stage: &dyn Stage) {
    let robot = join(stage, "nobody", "robot").await;
    let source = Arc::new(ScriptedSource::bytes("to whom?"));
    let stream = soon("open", robot.room.open_byte_stream("t", &ids(&["nobody"]), source)).await.expect("opens");
    soon("everything written", stream.ended()).await.expect("writes succeed");
}

pub(crate) async fn a_dropped_reader_does_not_stop_the_writer(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "reader").await;
    let source = Arc::new(ChannelSource::new());
    let stream = soon("open", robot.room.open_byte_stream("t", &ids(&["viewer"]), source.clone())).await.unwrap();
    drop(viewer.stream().await);
    source.push(vec![0; 200_000]).unwrap();
    source.end();
    soon("everything written", stream.ended()).await.expect("the writer never feels the reader");
}

/// Sends `count` numbered frames, each after the one before has arrived.
async fn exchange(track: &dyn telelink::room::DataTrack, slot: &FrameSlot, frames: &mut FrameReceiver, count: u64) {
    for n in 0..count {
        // A lossy path may lose one (livekit-ffi.md 5.3): send it again until it is there.
        let frame: DataFrame = soon("a frame", async {
            loop {
                slot.put(n.to_be_bytes().to_vec(), n + 1);
                track.notify();
                let patience = std::time::Duration::from_millis(500);
                match tokio::time::timeout(patience, frames.recv()).await {
                    Ok(frame) => {
                        let frame = frame.expect("the track is still there");
                        if frame.user_timestamp == n + 1 {
                            return frame;
                        }
                    }
                    Err(_) => continue,
                }
            }
        })
        .await;
        assert_eq!(frame.payload[..], n.to_be_bytes());
    }
}

pub(crate) async fn frames_arrive(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "frames").await;
    let slot = Arc::new(FrameSlot::new());
    let track = soon("publish", robot.room.publish_data_track("/imu", slot.clone())).await.expect("publishes");
    let remote = viewer.track("/imu").await;
    assert_eq!(remote.publisher, robot.identity());
    let mut frames = viewer.room.subscribe_data_track(&remote, 16).expect("subscribes");
    exchange(&*track, &slot, &mut frames, 20).await;
    assert_eq!(frames.dropped(), 0);
}

pub(crate) async fn a_known_track_is_announced_after_join(stage: &dyn Stage) {
    let robot = join(stage, "known", "robot").await;
    let slot = Arc::new(FrameSlot::new());
    let track = soon("publish", robot.room.publish_data_track("/imu", slot.clone())).await.expect("publishes");
    let mut viewer = join(stage, "known", "viewer").await;
    let remote = viewer.track("/imu").await;
    let mut frames = viewer.room.subscribe_data_track(&remote, 16).expect("subscribes");
    exchange(&*track, &slot, &mut frames, 3).await;
}

pub(crate) async fn unpublishing_ends_a_subscription(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "unpublish").await;
    let track = soon("publish", robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new()))).await.unwrap();
    let remote = viewer.track("/imu").await;
    let mut frames = viewer.room.subscribe_data_track(&remote, 16).expect("subscribes");
    soon("unpublish", track.unpublish()).await;
    soon("unpublish again", track.unpublish()).await;
    let gone = viewer.event("the track's end", |event| match event {
        RoomEvent::DataTrackUnpublished { sid } => Some(sid),
        _ => None,
    });
    assert_eq!(gone.await, remote.sid);
    assert_eq!(soon("the end of the frames", frames.recv()).await, None);
}

pub(crate) async fn a_dropped_track_is_unpublished(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "dropped track").await;
    let track = soon("publish", robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new()))).await.unwrap();
    let remote = viewer.track("/imu").await;
    drop(track);
    let gone = viewer.event("the track's end", |event| match event {
        RoomEvent::DataTrackUnpublished { sid } => Some(sid),
        _ => None,
    });
    assert_eq!(gone.await, remote.sid);
}

pub(crate) async fn a_name_is_taken_once(stage: &dyn Stage) {
    let robot = join(stage, "taken", "robot").await;
    let publish = || robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new()));
    let first = soon("publish", publish()).await.expect("publishes");
    let error = soon("a refusal", publish()).await.err().expect("the name is taken");
    assert_eq!(error, PublishError::NameInUse("/imu".into()));
    soon("unpublish", first.unpublish()).await;
    // A real server may need a moment more (S-160).
    soon("the name to be free", async {
        loop {
            match publish().await {
                Ok(_) => return,
                Err(PublishError::NameInUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await;
}

pub(crate) async fn an_unknown_track_cannot_be_subscribed(stage: &dyn Stage) {
    let (_robot, viewer) = pair(stage, "unknown").await;
    let track =
        telelink::room::RemoteDataTrack { sid: "DTR_none".into(), name: "/none".into(), publisher: "robot".into() };
    let error = viewer.room.subscribe_data_track(&track, 16).err().expect("no such track");
    assert!(matches!(error, RoomError::NoSuchTrack(_)), "{error}");
}

pub(crate) async fn a_left_room_refuses(stage: &dyn Stage) {
    let robot = join(stage, "left", "robot").await;
    soon("close", robot.room.close()).await;
    let source = Arc::new(ScriptedSource::bytes("late"));
    let opening = soon("a refusal", robot.room.open_byte_stream("t", &ids(&["viewer"]), source)).await;
    assert_eq!(opening.err(), Some(RoomError::Closed));
    let publishing = soon("a refusal", robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new()))).await;
    assert_eq!(publishing.err(), Some(PublishError::Room(RoomError::Closed)));
    assert_eq!(robot.room.local().sid, robot.local.sid);
    assert!(robot.room.participants().is_empty());
}

pub(crate) async fn stats_answer(stage: &dyn Stage) {
    let (robot, mut viewer) = pair(stage, "stats").await;
    let source = Arc::new(ScriptedSource::bytes(vec![1; 5_000]));
    let stream = soon("open", robot.room.open_byte_stream("t", &ids(&["viewer"]), source)).await.unwrap();
    soon("written", stream.ended()).await.unwrap();
    assert_eq!(read_all(&mut viewer.stream().await.reader).await.0.len(), 5_000);
    let stats = soon("stats", robot.room.stats()).await.expect("stats");
    assert!(stats.bytes_sent.is_some_and(|bytes| bytes >= 5_000), "{stats:?}");
    assert_eq!(stats.data_frames_refused, 0);
}
