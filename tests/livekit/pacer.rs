//! The pacer under many channels and under overload, and what it says about losses.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use telelink::room::{DataFrame, DataTrack, DropCause, FrameReceiver, FrameSource, Joined, RoomOptions};

use crate::data_tracks::{drain, flowing, number, publish, published, Slot, WARM_UP};
use crate::rig::{quiet, room_name, url, Rig, LIMIT};
use crate::support::{self, wait_until, within, TokenOptions};

const CHANNELS: usize = 50;
const TICKS: u64 = 60;

/// Three seconds of every channel sending together 20 times a second.
#[derive(Debug)]
#[allow(dead_code, reason = "read through Debug when the test fails")]
struct Round {
    delivered: Vec<u64>,
    overwritten: u64,
    pushed: u64,
    sent: u64,
    spacing_us: Option<u64>,
}

impl Round {
    async fn run(
        robot: &Joined,
        tracks: &[(Arc<dyn DataTrack>, Arc<Slot>)],
        receivers: &mut HashMap<usize, FrameReceiver>,
    ) -> Self {
        for receiver in receivers.values_mut() {
            while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(5), receiver.recv()).await {}
        }
        let overwritten = || tracks.iter().map(|(_, slot)| slot.overwritten.load(Ordering::Relaxed)).sum::<u64>();
        let before = robot.room.stats().await.expect("statistics");
        let overwritten_before = overwritten();
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        for number in 0..TICKS {
            tick.tick().await;
            for (track, slot) in tracks {
                slot.put(number, 100);
                track.notify();
            }
        }
        let taken = || tracks.iter().all(|(_, slot)| slot.frame.lock().is_none());
        wait_until("the last frames are taken", LIMIT, taken).await;
        let mut delivered = Vec::new();
        for channel in 0..CHANNELS {
            let receiver = receivers.get_mut(&channel).expect("subscribed");
            let (mut count, mut last) = (0, None);
            while last != Some(TICKS - 1) {
                let Ok(Some(frame)) = tokio::time::timeout(Duration::from_millis(300), receiver.recv()).await else {
                    break;
                };
                if number(&frame) == WARM_UP {
                    continue;
                }
                assert!(last < Some(number(&frame)), "frames of one channel arrive in order");
                assert_eq!((frame.user_timestamp, frame.payload.len()), (number(&frame) + 1, 100));
                last = Some(number(&frame));
                count += 1;
            }
            delivered.push(count);
            assert_eq!(receiver.dropped(), 0);
        }
        // WebRTC answers with figures up to 50 ms old.
        let (arrived, start) = (delivered.iter().sum::<u64>(), Instant::now());
        let stats = loop {
            let stats = robot.room.stats().await.expect("statistics");
            let sent = stats.data_packets_sent.expect("counted") - before.data_packets_sent.expect("counted");
            if sent >= arrived {
                break stats;
            }
            assert!(start.elapsed() < LIMIT, "{arrived} frames arrived, but only {sent} are said to be sent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let round = Self {
            delivered,
            overwritten: overwritten() - overwritten_before,
            pushed: stats.data_frames_pushed - before.data_frames_pushed,
            sent: stats.data_packets_sent.expect("counted") - before.data_packets_sent.expect("counted"),
            spacing_us: stats.pacer_spacing_us,
        };
        // Every frame that went in is accounted for: in the slots, as accepted, as sent. One frame may have been under way
        // when the round began.
        let expected = TICKS * CHANNELS as u64;
        assert_eq!(round.pushed + round.overwritten, expected, "{round:?}");
        assert!(round.sent <= round.pushed + 1, "{round:?}");
        round
    }

    /// In all (design.md section 6 wants 99 %), and of no channel less but for one frame of its 60.
    fn delivered_at_least(&self, percent: u64) -> bool {
        let total: u64 = self.delivered.iter().sum();
        total * 100 >= TICKS * CHANNELS as u64 * percent
            && self.delivered.iter().all(|&count| (count + 1) * 100 >= TICKS * percent)
    }
}

pub async fn fifty_channels_notified_together_arrive(rig: &Rig) {
    let _quiet = quiet().await;
    let name = room_name("fifty");
    let mut viewer = rig.join(&name, "viewer").await;
    let robot = rig.join(&name, "robot").await;
    let mut tracks = Vec::new();
    for channel in 0..CHANNELS {
        let slot = Arc::new(Slot::default());
        tracks.push((publish(&robot, &format!("ch-{channel}"), &slot).await, slot));
    }
    let mut receivers = HashMap::new();
    while receivers.len() < CHANNELS {
        let track = published(&mut viewer).await;
        let channel: usize = track.name.strip_prefix("ch-").and_then(|n| n.parse().ok()).expect("our name");
        assert_eq!(track.publisher.as_str(), "robot");
        receivers.insert(channel, viewer.room.subscribe_data_track(&track, 256).expect("subscribes"));
    }
    for (channel, (track, slot)) in tracks.iter().enumerate() {
        flowing(slot, track, receivers.get_mut(&channel).expect("subscribed")).await;
    }
    // Other work on the machine takes the library's threads away for longer than any gap lasts, which loses frames and
    // proves nothing: the machine gets several chances to be quiet for three seconds. On one that never is, most have to
    // arrive all the same: 84 % at a load of 5, and 5 % where nobody paces (livekit-ffi.md 5.3).
    let mut rounds = Vec::new();
    loop {
        let round = Round::run(&robot, &tracks, &mut receivers).await;
        if round.delivered_at_least(99) {
            break;
        }
        rounds.push(round);
        if rounds.len() == 8 {
            assert!(rounds.iter().any(|round| round.delivered_at_least(70)), "no round delivered 70 %: {rounds:#?}");
            break;
        }
    }
    robot.room.close().await;
    viewer.room.close().await;
}

/// Counts the frames of a subscription in the background.
fn count_frames(mut receiver: FrameReceiver) -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        while receiver.recv().await.is_some() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    count
}

/// Two seconds of more frames than the room can carry.
#[derive(Debug)]
#[allow(dead_code, reason = "read through Debug when the test fails")]
struct Overload {
    logged: u64,
    overwritten: u64,
    pushed: u64,
    sent: u64,
    received: Vec<u64>,
    spacing_us: Option<u64>,
}

impl Overload {
    async fn run(
        robot: &Joined,
        slots: &[Arc<Slot>],
        tracks: &[Arc<dyn DataTrack>],
        counts: &[Arc<AtomicU64>],
    ) -> Self {
        let overwritten = || slots.iter().map(|slot| slot.overwritten.load(Ordering::Relaxed)).sum::<u64>();
        let received = || counts.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let (overwritten_before, received_before) = (overwritten(), received());
        let before = robot.room.stats().await.expect("statistics");
        let start = Instant::now();
        let mut logged = 0_u64;
        while start.elapsed() < Duration::from_secs(2) {
            for (slot, track) in slots.iter().zip(tracks) {
                slot.put(logged, 100);
                track.notify();
                logged += 1;
            }
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        let taken = || slots.iter().all(|slot| slot.frame.lock().is_none());
        wait_until("the last frames are taken", LIMIT, taken).await;
        // Delivery is over when a while brings nothing new.
        let mut last = received();
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if received() == last {
                break;
            }
            last = received();
        }
        let stats = robot.room.stats().await.expect("statistics");
        let round = Self {
            logged,
            overwritten: overwritten() - overwritten_before,
            pushed: stats.data_frames_pushed - before.data_frames_pushed,
            sent: stats.data_packets_sent.expect("counted") - before.data_packets_sent.expect("counted"),
            received: last.iter().zip(received_before).map(|(now, before)| now - before).collect(),
            spacing_us: stats.pacer_spacing_us,
        };
        // Nothing vanishes without a count: what was logged was overwritten or accepted (or refused by a full queue).
        let refused = stats.data_frames_refused - before.data_frames_refused;
        let known = round.pushed + round.overwritten;
        assert!(known <= logged && logged - known <= refused, "{refused} refused, {round:?}");
        assert!(round.sent <= round.pushed + 2, "{round:?}");
        round
    }

    /// Little is lost between us and the channel, what it has sent arrives, and each channel has its fair share within
    /// a fifth (design.md section 6).
    fn is_good(&self) -> bool {
        let total: u64 = self.received.iter().sum();
        self.sent * 100 >= self.pushed * 95
            && total * 100 >= self.sent * 98
            && self.received.iter().all(|&count| count * 100 >= total * 40)
    }
}

pub async fn the_pacer_finds_its_pace_when_overloaded(rig: &Rig) {
    let _quiet = quiet().await;
    let name = room_name("overload");
    let mut viewer = rig.join(&name, "viewer").await;
    let robot = rig.join(&name, "robot").await;
    let slots = [Arc::new(Slot::default()), Arc::new(Slot::default())];
    let mut tracks = Vec::new();
    let mut receivers = Vec::new();
    for (index, slot) in slots.iter().enumerate() {
        tracks.push(publish(&robot, &format!("t{index}"), slot).await);
        let track = published(&mut viewer).await;
        receivers.push(viewer.room.subscribe_data_track(&track, 4096).expect("subscribes"));
    }
    for index in 0..2 {
        flowing(&slots[index], &tracks[index], &mut receivers[index]).await;
        drain(&mut receivers[index]).await;
    }
    let counts: Vec<Arc<AtomicU64>> = receivers.into_iter().map(count_frames).collect();
    // The pace is found by measuring, about once a second, and other work on the machine disturbs it.
    let mut rounds = Vec::new();
    loop {
        let round = Overload::run(&robot, &slots, &tracks, &counts).await;
        if round.is_good() {
            break;
        }
        rounds.push(round);
        assert!(rounds.len() < 15, "the pace was not found: {rounds:#?}");
    }
    robot.room.close().await;
    viewer.room.close().await;
}

/// A source whose first frame is a bug.
struct Broken {
    slot: Slot,
    panics: AtomicU64,
}

impl FrameSource for Broken {
    fn take(&self) -> Option<DataFrame> {
        assert_ne!(self.panics.fetch_add(1, Ordering::Relaxed), 0, "a bug in a frame source");
        FrameSource::take(&self.slot)
    }

    fn dropped(&self, cause: DropCause) {
        FrameSource::dropped(&self.slot, cause);
    }
}

pub async fn s_267_a_panic_of_a_frame_source_does_not_end_the_rooms_data_tracks(rig: &Rig) {
    let room = room_name("pacer-panic");
    let options = RoomOptions::default();
    let stopped = options.panics.clone();
    let token = support::token(&room, "robot", &TokenOptions::default());
    let robot = rig.join_by(url(), token, options).await.expect("joins");
    let mut viewer = rig.join(&room, "viewer").await;
    let broken = Arc::new(Broken { slot: Slot::default(), panics: AtomicU64::new(0) });
    let bad =
        within("publishing", LIMIT, robot.room.publish_data_track("bad", broken.clone())).await.expect("publishes");
    let slot = Arc::new(Slot::default());
    let good = publish(&robot, "good", &slot).await;
    let first = published(&mut viewer).await;
    let second = published(&mut viewer).await;
    let remote = [first, second].into_iter().find(|track| track.name == "good").expect("published");
    let mut receiver = viewer.room.subscribe_data_track(&remote, 8).expect("subscribes");
    bad.notify();
    wait_until("the panic is stopped and counted", LIMIT, || stopped.load(Ordering::Relaxed) == 1).await;
    flowing(&slot, &good, &mut receiver).await;
    // The broken one, too, when it is no longer broken.
    broken.slot.put(1, 8);
    bad.notify();
    wait_until("its frame is taken", LIMIT, || broken.slot.frame.lock().is_none()).await;
}
