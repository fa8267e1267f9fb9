//! Lost links.

use std::sync::Arc;
use std::time::Duration;

use telelink::room::memory::{ChannelSource, FrameSlot, TrackAction};
use telelink::room::{RoomError, Scenario};
use tokio::time::Instant;

use crate::stage::{join, read_all, read_exact, soon};
use crate::{pair, waiting_events, Memory};

#[tokio::test(start_paused = true)]
async fn a_resume_keeps_everything() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    let source = Arc::new(ChannelSource::new());
    let stream = robot.room.open_byte_stream("t", &["viewer".into()], source.clone()).await.expect("opens");
    let mut incoming = viewer.stream().await;
    waiting_events(&mut robot);
    server.set_reconnect_time(Duration::from_secs(3));
    let start = Instant::now();
    server.signal_reconnect("robot");
    source.push("held").unwrap();
    // What happens meanwhile is heard afterwards.
    let _late = join(&server, "yard", "late").await;
    assert_eq!(waiting_events(&mut robot), ["reconnecting"]);
    assert_eq!(read_exact(&mut incoming.reader, 4).await, "held");
    assert_eq!(start.elapsed(), Duration::from_secs(3), "the write waited for the link");
    let events = waiting_events(&mut robot);
    assert_eq!(events[0], "reconnected full=false");
    assert!(events[1].starts_with("connected late") && events[2].starts_with("active late"), "{events:?}");
    assert_eq!(robot.room.local().sid, robot.local.sid);
    source.end();
    assert_eq!(stream.ended().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_full_reconnect_voids_streams_and_renews_tracks() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    let (down, up) = (Arc::new(ChannelSource::new()), Arc::new(ChannelSource::new()));
    let down_stream = robot.room.open_byte_stream("down", &["viewer".into()], down.clone()).await.expect("opens");
    let up_stream = viewer.room.open_byte_stream("up", &["robot".into()], up.clone()).await.expect("opens");
    let (mut at_viewer, mut at_robot) = (viewer.stream().await, robot.stream().await);
    let slot = Arc::new(FrameSlot::new());
    let track = robot.room.publish_data_track("/imu", slot.clone()).await.expect("publishes");
    let before = viewer.track("/imu").await;
    let mut frames = viewer.room.subscribe_data_track(&before, 8).expect("subscribes");
    waiting_events(&mut robot);

    server.full_reconnect("robot");

    let (old, new) = (robot.local.sid.clone(), robot.room.local().sid);
    assert_ne!(old, new);
    assert!(robot.room.local().joined_at_ms > viewer.local.joined_at_ms);
    let v = &viewer.local.sid;
    let expected = [
        "reconnecting".to_owned(),
        format!("disconnected viewer {v}"),
        format!("connected viewer {v}"),
        format!("active viewer {v}"),
        "reconnected full=true".to_owned(),
    ];
    assert_eq!(waiting_events(&mut robot), expected);
    let renewed = server.track_log().last().cloned().expect("logged");
    assert_eq!((renewed.action, renewed.name.as_str()), (TrackAction::Republished, "/imu"));
    let expected = [
        format!("unpublished {}", before.sid),
        format!("disconnected robot {old}"),
        format!("connected robot {new}"),
        format!("active robot {new}"),
        format!("published /imu {}", renewed.sid),
    ];
    assert_eq!(waiting_events(&mut viewer), expected);

    // Writes still succeed, nothing arrives, the readers end.
    for (source, stream, reader) in [(down, down_stream, &mut at_viewer.reader), (up, up_stream, &mut at_robot.reader)]
    {
        source.push("into the void").unwrap();
        source.end();
        assert_eq!(soon("the writes", stream.ended()).await, Ok(()));
        assert_eq!(read_all(reader).await, ("".into(), Err(RoomError::SenderGone)));
    }

    // The same track object sends on; the viewer has to subscribe again.
    assert_eq!(soon("the old subscription's end", frames.recv()).await, None);
    assert!(matches!(viewer.room.subscribe_data_track(&before, 8).err(), Some(RoomError::NoSuchTrack(_))));
    let mut again = before.clone();
    again.sid = renewed.sid;
    let mut frames = viewer.room.subscribe_data_track(&again, 8).expect("subscribes");
    slot.put("after", 1);
    track.notify();
    assert_eq!(soon("a frame", frames.recv()).await.expect("a frame").payload, "after");
    // And a new stream works.
    let source = Arc::new(ChannelSource::new());
    let _stream = robot.room.open_byte_stream("new", &["viewer".into()], source.clone()).await.expect("opens");
    source.push("hello").unwrap();
    assert_eq!(read_exact(&mut viewer.stream().await.reader, 5).await, "hello");
}

#[tokio::test(start_paused = true)]
async fn a_full_reconnect_announces_the_tracks_of_others_again() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let _track = robot.room.publish_data_track("/imu", Arc::new(FrameSlot::new())).await.expect("publishes");
    let track = viewer.track("/imu").await;
    server.full_reconnect("viewer");
    let events = waiting_events(&mut viewer);
    let unpublished = events.iter().position(|e| *e == format!("unpublished {}", track.sid)).expect("gone");
    let published = events.iter().position(|e| *e == format!("published /imu {}", track.sid)).expect("back");
    assert!(unpublished < published, "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("reconnected full=true"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_server_ends_in_connection_lost() {
    let server = Memory::new();
    let (mut robot, viewer) = pair(&server).await;
    let source = Arc::new(ChannelSource::new());
    let stream = robot.room.open_byte_stream("t", &["viewer".into()], source.clone()).await.expect("opens");
    waiting_events(&mut robot);
    let start = Instant::now();
    server.set_reachable(false);
    source.push("pending").unwrap();
    assert_eq!(waiting_events(&mut robot), ["reconnecting"]);
    assert_eq!(soon("the stream's end", stream.ended()).await, Err(RoomError::Closed));
    assert_eq!(start.elapsed(), Duration::from_secs(16));
    assert_eq!(waiting_events(&mut robot), ["end ConnectionLost"], "nobody hears of the others' end");
    assert!(robot.events.recv().await.is_none());
    soon("the viewer's end", server.until(|server| server.in_room("yard").is_empty())).await;
    drop(viewer);
}

#[tokio::test(start_paused = true)]
async fn a_server_back_in_time_is_a_full_reconnect() {
    let server = Memory::new();
    let (mut robot, viewer) = pair(&server).await;
    server.set_reachable(false);
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.set_reachable(true);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.in_room("yard").len(), 2, "the give-up of an outage that is over does nothing");
    assert_ne!(robot.room.local().sid, robot.local.sid);
    let known = robot.room.participant(&"viewer".into()).expect("the viewer is back too");
    assert_eq!(known.sid, viewer.room.local().sid);
    assert!(waiting_events(&mut robot).contains(&"reconnected full=true".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_killed_participant_is_missed_late() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    let source = Arc::new(ChannelSource::new());
    let _stream = viewer.room.open_byte_stream("t", &["robot".into()], source.clone()).await.expect("opens");
    source.push("last words").unwrap();
    let mut incoming = robot.stream().await;
    assert_eq!(read_exact(&mut incoming.reader, 10).await, "last words");
    waiting_events(&mut viewer);
    let start = Instant::now();
    server.kill("viewer");
    assert!(robot.room.participant(&"viewer".into()).is_some());
    robot.gone(viewer.local.sid.as_str()).await;
    assert_eq!(start.elapsed(), Duration::from_secs(15));
    assert_eq!(read_all(&mut incoming.reader).await.1, Err(RoomError::SenderGone));
    assert_eq!(waiting_events(&mut viewer), Vec::<String>::new(), "a dead process hears nothing");
}

#[tokio::test(start_paused = true)]
async fn a_killed_participant_that_returns_replaces_itself_at_once() {
    let server = Memory::new();
    let (mut robot, old) = pair(&server).await;
    server.kill("viewer");
    let start = Instant::now();
    let new = join(&server, "yard", "viewer").await;
    let (old, new) = (&old.local.sid, &new.local.sid);
    let expected = ["disconnected", "connected", "active"].map(|what| {
        let sid = if what == "disconnected" { old } else { new };
        format!("{what} viewer {sid}")
    });
    assert_eq!(waiting_events(&mut robot), expected);
    assert_eq!(start.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(waiting_events(&mut robot), Vec::<String>::new(), "the old kill does not hit the new connection");
}

#[tokio::test(start_paused = true)]
async fn scenarios_of_the_port() {
    let server = Memory::new();
    let mut robot = join(&server, "yard", "robot").await;
    for (scenario, expected) in [
        (Scenario::SignalReconnect, vec!["reconnecting", "reconnected full=false"]),
        (Scenario::FullReconnect, vec!["reconnecting", "reconnected full=true"]),
        (Scenario::ServerLeave, vec!["end ServerShutdown"]),
    ] {
        robot.room.simulate(scenario).await.expect("supported");
        assert_eq!(waiting_events(&mut robot), expected);
    }
    assert_eq!(robot.room.simulate(Scenario::SignalReconnect).await, Err(RoomError::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_can_be_restored_by_hand() {
    let server = Memory::new();
    let mut robot = join(&server, "yard", "robot").await;
    server.lose_link("robot");
    server.lose_link("robot");
    assert_eq!(robot.room.stats().await.expect("stats").ice_rtt_ms, None);
    server.restore_link("robot", false);
    server.restore_link("robot", true);
    assert_eq!(waiting_events(&mut robot), ["reconnecting", "reconnected full=false"]);
}
