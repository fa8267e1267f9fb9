//! Data tracks of the robot: which exist, which are read, and the reading.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use telelink::protocol::data_track;
use telelink::room::{DataFrame, FrameReceiver, Identity, RemoteDataTrack, RoomError, Sid};
use tokio::time::sleep;

use crate::event::{Event, Via};
use crate::shared::{Inner, Shared, Task};
use crate::stats::{Observed, SequenceTracker};

/// Attempts to read a track that yields nothing before it is left alone until it changes.
const MAX_ATTEMPTS: u32 = 10;
const FIRST_DELAY: Duration = Duration::from_millis(250);
const MAX_DELAY: Duration = Duration::from_secs(4);

/// A track is known by its publisher and its name, which says the channel (P-148). Its SID changes when the robot reconnects,
/// and it may be published before or after its channel is advertised (P-194).
#[derive(Default)]
pub(crate) struct Tracks {
    published: HashMap<(Identity, u64), RemoteDataTrack>,
    attached: HashMap<u64, Attached>,
    /// Channels whose track is to be read without a subscription of the channel.
    manual: BTreeSet<u64>,
}

struct Attached {
    sid: Sid,
    live: bool,
    _task: Task,
}

impl Tracks {
    /// Notes a published track; the channel it belongs to, if it is one of a channel.
    pub(crate) fn publish(&mut self, track: RemoteDataTrack, limit: usize) -> Option<u64> {
        let channel_id = data_track::parse_data_track_name(&track.name)?;
        let key = (track.publisher.clone(), channel_id);
        if self.published.len() >= limit && !self.published.contains_key(&key) {
            return None;
        }
        self.published.insert(key, track);
        Some(channel_id)
    }

    /// Forgets a track; the channel it belonged to.
    pub(crate) fn unpublish(&mut self, sid: &Sid) -> Option<u64> {
        let key = self.published.iter().find(|(_, track)| track.sid == *sid).map(|(key, _)| key.clone())?;
        self.published.remove(&key);
        Some(key.1)
    }

    pub(crate) fn detach_all(&mut self) {
        self.attached.clear();
        self.manual.clear();
    }

    pub(crate) fn is_live(&self, channel_id: u64) -> bool {
        self.attached.get(&channel_id).is_some_and(|attached| attached.live)
    }

    pub(crate) fn want_manually(&mut self, channel_id: u64) {
        self.manual.insert(channel_id);
    }

    pub(crate) fn forget_manual(&mut self, channel_id: u64) {
        self.manual.remove(&channel_id);
    }
}

/// Starts or stops reading the track of a channel, as its channel, its subscription and its track now are.
pub(crate) fn reconcile(shared: &Arc<Shared>, inner: &mut Inner, channel_id: u64) {
    let Inner { session, picture, robot, tracks, .. } = inner;
    // Without an advertised channel nobody could say what a frame means; a Reliable one has no track (P-131).
    let lossy = picture.channels().get(&channel_id).is_some_and(|channel| !channel.reliable());
    let subscribed = session.as_ref().is_some_and(|session| session.subscribed.contains(&channel_id));
    let wanted = lossy && (subscribed || tracks.manual.contains(&channel_id));
    let track = robot.as_ref().filter(|_| wanted).and_then(|robot| tracks.published.get(&(robot.clone(), channel_id)));
    match (track, tracks.attached.get(&channel_id)) {
        (None, _) => {
            tracks.attached.remove(&channel_id);
        }
        (Some(track), Some(attached)) if attached.sid == track.sid => {}
        (Some(track), _) => {
            let track = track.clone();
            let sid = track.sid.clone();
            let task = Task::spawn(read(shared.clone(), channel_id, track));
            tracks.attached.insert(channel_id, Attached { sid, live: false, _task: task });
        }
    }
}

/// Reads a track, and subscribes again when the subscription ends although the track is still there. Ends with its [`Attached`].
async fn read(shared: Arc<Shared>, channel_id: u64, track: RemoteDataTrack) {
    let mut delay = FIRST_DELAY;
    let mut attempts = 0;
    loop {
        let error = match shared.room.subscribe_data_track(&track, shared.options.track_buffer.clamp(1, 4096)) {
            Ok(receiver) => {
                set_live(&shared, channel_id, &track.sid, true);
                if read_frames(&shared, channel_id, receiver).await {
                    (delay, attempts) = (FIRST_DELAY, 0);
                }
                set_live(&shared, channel_id, &track.sid, false);
                RoomError::SenderGone
            }
            Err(error) => error,
        };
        shared.events.push_dropping(Event::TrackFailed { channel_id, error }, 0);
        attempts += 1;
        if attempts == MAX_ATTEMPTS {
            return;
        }
        sleep(delay).await;
        delay = (delay * 2).min(MAX_DELAY);
    }
}

fn set_live(shared: &Shared, channel_id: u64, sid: &Sid, live: bool) {
    let mut inner = shared.inner.lock();
    // The track may have been replaced, and this task be about to end.
    let Some(attached) = inner.tracks.attached.get_mut(&channel_id).filter(|attached| attached.sid == *sid) else {
        return;
    };
    attached.live = live;
    if live {
        shared.count(channel_id, |stats| stats.attached += 1);
        shared.events.push_dropping(Event::TrackAttached { channel_id }, 0);
    }
    drop(inner);
    shared.changed();
}

/// Reads frames until the subscription ends; whether there were any.
async fn read_frames(shared: &Shared, channel_id: u64, mut receiver: FrameReceiver) -> bool {
    // A subscription may begin anywhere in the sequence of its track, and every published track has its own (P-155).
    let mut sequence = SequenceTracker::default();
    let mut overrun = 0;
    let mut any = false;
    while let Some(frame) = receiver.recv().await {
        any = true;
        let dropped = receiver.dropped();
        if dropped > overrun {
            shared.count(channel_id, |stats| stats.overrun += dropped - overrun);
            overrun = dropped;
        }
        deliver(shared, channel_id, frame, &mut sequence).await;
    }
    any
}

async fn deliver(shared: &Shared, channel_id: u64, frame: DataFrame, tracker: &mut SequenceTracker) {
    let log_time = frame.user_timestamp;
    let frame = match data_track::decode(&frame.payload) {
        Ok(frame) => frame,
        Err(error) => {
            shared.count(channel_id, |stats| stats.malformed += 1);
            let event = Event::MalformedTrackFrame { channel_id, reason: error.to_string() };
            shared.events.push_dropping(event, 256);
            return;
        }
    };
    let observed: Observed = tracker.observe(frame.sequence);
    let first = shared.count(channel_id, |stats| stats.sequence(observed));
    let topic = shared.inner.lock().picture.channels().get(&channel_id).map(|channel| channel.topic.clone());
    if let (true, Some(topic)) = (first, topic) {
        shared.deliver(channel_id, topic, log_time, frame.data, Via::Track { sequence: frame.sequence }).await;
    }
}
