//! Data tracks: publishing, reading, and what becomes of them. pacer.rs has the rates.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use telelink::room::{
    DataFrame, DataTrack, DropCause, FrameReceiver, FrameSource, Joined, PublishError, RemoteDataTrack, RoomError,
    RoomEvent, Scenario,
};

use crate::rig::{event, room_name, shared, NoFrames, Rig, LIMIT};
use crate::support::{wait_until, within};

/// A newest-wins slot, as a channel has one.
#[derive(Default)]
pub struct Slot {
    pub frame: Mutex<Option<DataFrame>>,
    pub overwritten: AtomicU64,
    dropped: Mutex<Vec<DropCause>>,
}

impl Slot {
    pub fn put(&self, number: u64, size: usize) {
        let mut payload = vec![0_u8; size.max(8)];
        payload[..8].copy_from_slice(&number.to_le_bytes());
        let frame = DataFrame { payload: Bytes::from(payload), user_timestamp: number + 1 };
        if self.frame.lock().replace(frame).is_some() {
            self.overwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn dropped(&self) -> Vec<DropCause> {
        self.dropped.lock().clone()
    }
}

impl FrameSource for Slot {
    fn take(&self) -> Option<DataFrame> {
        self.frame.lock().take()
    }

    fn dropped(&self, cause: DropCause) {
        self.dropped.lock().push(cause);
    }
}

pub async fn publish(joined: &Joined, name: &str, source: &Arc<Slot>) -> Arc<dyn DataTrack> {
    within("publishing", LIMIT, joined.room.publish_data_track(name, source.clone())).await.expect("publishes")
}

pub async fn published(joined: &mut Joined) -> RemoteDataTrack {
    event(joined, "a data track", |event| match event {
        RoomEvent::DataTrackPublished(track) => Some(track),
        _ => None,
    })
    .await
}

pub fn number(frame: &DataFrame) -> u64 {
    u64::from_le_bytes(frame.payload[..8].try_into().expect("eight bytes"))
}

/// Number of frames that only find out whether the track carries data.
pub const WARM_UP: u64 = u64::MAX / 2;

/// Sends until the subscription carries data: what is sent before the server has it is lost by design.
pub async fn flowing(slot: &Slot, track: &Arc<dyn DataTrack>, receiver: &mut FrameReceiver) {
    let start = Instant::now();
    loop {
        slot.put(WARM_UP, 8);
        track.notify();
        if let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(50), receiver.recv()).await {
            break;
        }
        assert!(start.elapsed() < LIMIT, "no frame arrives");
    }
}

/// Waits for the end of the frames; some of the warm-up may still be there.
async fn ended(receiver: &mut FrameReceiver) {
    while let Some(frame) = within("the end of the frames", LIMIT, receiver.recv()).await {
        assert_eq!(number(&frame), WARM_UP);
    }
}

/// Takes what is still under way of the warm-up.
pub async fn drain(receiver: &mut FrameReceiver) {
    while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(300), receiver.recv()).await {}
}

pub async fn a_track_can_be_unpublished_and_published_again_under_its_name(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("again");
    let mut viewer = rig.join(&name, "viewer").await;
    let robot = rig.join(&name, "robot").await;
    let slot = Arc::new(Slot::default());
    let track = publish(&robot, "t", &slot).await;
    let duplicate = robot.room.publish_data_track("t", Arc::new(NoFrames)).await.err();
    assert_eq!(duplicate, Some(PublishError::NameInUse("t".into())));
    let first = published(&mut viewer).await;
    let mut receiver = viewer.room.subscribe_data_track(&first, 16).expect("subscribes");
    flowing(&slot, &track, &mut receiver).await;

    within("unpublishing", LIMIT, track.unpublish()).await;
    let gone = event(&mut viewer, "the end of the track", |event| match event {
        RoomEvent::DataTrackUnpublished { sid } => Some(sid),
        _ => None,
    });
    assert_eq!(gone.await, first.sid);
    ended(&mut receiver).await;
    let lost = viewer.room.subscribe_data_track(&first, 16).err();
    assert_eq!(lost, Some(RoomError::NoSuchTrack("t".into())));
    slot.put(1, 8);
    track.notify();
    wait_until("the late frame is counted", LIMIT, || slot.dropped() == [DropCause::NotPublished]).await;

    // The name may stay taken for a moment (S-160).
    let start = Instant::now();
    let track = loop {
        match robot.room.publish_data_track("t", slot.clone()).await {
            Ok(track) => break track,
            Err(PublishError::NameInUse(_)) if start.elapsed() < LIMIT => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let second = published(&mut viewer).await;
    assert_eq!(second.name, "t");
    assert_ne!(second.sid, first.sid);
    let mut receiver = viewer.room.subscribe_data_track(&second, 16).expect("subscribes");
    flowing(&slot, &track, &mut receiver).await;

    // Dropping the last reference unpublishes too.
    drop(track);
    let gone = event(&mut viewer, "the end of the second track", |event| match event {
        RoomEvent::DataTrackUnpublished { sid } => Some(sid),
        _ => None,
    });
    assert_eq!(gone.await, second.sid);
    robot.room.close().await;
    viewer.room.close().await;
}

pub async fn tracks_of_a_participant_that_leaves_are_gone(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("leaver");
    let mut viewer = rig.join(&name, "viewer").await;
    let robot = rig.join(&name, "robot").await;
    let slot = Arc::new(Slot::default());
    let track = publish(&robot, "t", &slot).await;
    let remote = published(&mut viewer).await;
    let mut receiver = viewer.room.subscribe_data_track(&remote, 16).expect("subscribes");
    flowing(&slot, &track, &mut receiver).await;
    robot.room.close().await;
    let gone = event(&mut viewer, "the end of the track", |event| match event {
        RoomEvent::DataTrackUnpublished { sid } => Some(sid),
        _ => None,
    });
    assert_eq!(gone.await, remote.sid);
    ended(&mut receiver).await;
    viewer.room.close().await;
}

pub async fn who_joins_later_sees_tracks_that_are_there(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("late");
    let robot = rig.join(&name, "robot").await;
    let slot = Arc::new(Slot::default());
    let track = publish(&robot, "t", &slot).await;
    let mut viewer = rig.join(&name, "viewer").await;
    let remote = published(&mut viewer).await;
    assert_eq!((remote.name.as_str(), remote.publisher.as_str()), ("t", "robot"));
    let mut receiver = viewer.room.subscribe_data_track(&remote, 16).expect("subscribes");
    flowing(&slot, &track, &mut receiver).await;
    // A dropped reader ends its subscription; another one can follow.
    drop(receiver);
    let mut receiver = viewer.room.subscribe_data_track(&remote, 16).expect("subscribes again");
    flowing(&slot, &track, &mut receiver).await;
    robot.room.close().await;
    viewer.room.close().await;
}

pub async fn a_slow_reader_loses_frames_and_counts_them(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("slow");
    let mut viewer = rig.join(&name, "viewer").await;
    let robot = rig.join(&name, "robot").await;
    let slot = Arc::new(Slot::default());
    let track = publish(&robot, "t", &slot).await;
    let remote = published(&mut viewer).await;
    let mut receiver = viewer.room.subscribe_data_track(&remote, 2).expect("subscribes");
    flowing(&slot, &track, &mut receiver).await;
    drain(&mut receiver).await;
    let start = Instant::now();
    let mut sent = 0;
    while receiver.dropped() < 3 {
        assert!(start.elapsed() < LIMIT, "nothing is dropped after {sent} frames");
        slot.put(sent, 8);
        track.notify();
        sent += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Two wait, and what was dropped is newer than both. (Which two is the transport's affair: it may lose some itself.)
    let dropped = receiver.dropped();
    let first = within("a frame", LIMIT, receiver.recv()).await.expect("a frame");
    let second = within("another frame", LIMIT, receiver.recv()).await.expect("a frame");
    let (first, second) = (number(&first), number(&second));
    assert!(first < second && second + dropped < sent, "{first}, {second} of {sent}, {dropped} dropped");
    robot.room.close().await;
    viewer.room.close().await;
}

pub async fn our_tracks_survive_a_full_reconnect(rig: &Rig) {
    let _shared = shared().await;
    let name = room_name("republished");
    let mut viewer = rig.join(&name, "viewer").await;
    let mut robot = rig.join(&name, "robot").await;
    let slot = Arc::new(Slot::default());
    let track = publish(&robot, "t", &slot).await;
    let first = published(&mut viewer).await;
    within("the simulation", LIMIT, robot.room.simulate(Scenario::FullReconnect)).await.expect("simulates");
    let full = event(&mut robot, "the return", |event| match event {
        RoomEvent::Reconnected { full } => Some(full),
        RoomEvent::LocalDataTrackLost { name } => panic!("{name} was lost"),
        _ => None,
    });
    assert!(full.await);
    let second = published(&mut viewer).await;
    assert_eq!(second.name, "t");
    assert_ne!(second.sid, first.sid);
    let mut receiver = viewer.room.subscribe_data_track(&second, 16).expect("subscribes");
    flowing(&slot, &track, &mut receiver).await;
    robot.room.close().await;
    viewer.room.close().await;
}
