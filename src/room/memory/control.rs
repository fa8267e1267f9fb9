//! The controls a test turns, and what it can read off the server afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use super::connection::ConnId;
use super::faults::{Chunking, Dice, HeldEvent};
use super::server::MemoryServer;
use super::streams::WAY_BYTES;
use super::tracks::TrackLogEntry;
use crate::room::{DropCause, Identity, JoinErrorKind, Participant, PublishError, RoomEvent};

/// A longer delay could not be added to every point in time.
const MAX_DELAY: Duration = Duration::from_secs(86_400);

/// Joining and what the others hear of it.
impl MemoryServer {
    /// The next one to join gets this join time (milliseconds since the Unix epoch); each later one 1 ms more than the
    /// one before. So equal and older join times can be made.
    pub fn set_next_joined_at(&self, ms: i64) {
        self.with(|state| state.next_joined_at = ms);
    }

    /// Every join takes this long. Default 0.
    pub fn set_join_delay(&self, delay: Duration) {
        self.with(|state| state.faults.join_delay = delay);
    }

    /// The next join of `identity` fails in this way. Several calls make several failures, in order.
    pub fn fail_next_join(&self, identity: &str, kind: JoinErrorKind) {
        self.with(|state| state.faults.join_failures.entry(identity.into()).or_default().push_back(kind));
    }

    /// Those who are in `room` hear of a joiner this much later. LiveKit may take 3 s (livekit-ffi.md 5.1). Default 0.
    /// Data is not delayed by it.
    pub fn set_announce_delay(&self, room: &str, delay: Duration) {
        self.with(|state| state.faults.announce_delays.insert(room.to_owned(), delay));
    }

    /// Holds back events about `identity` from everybody. While Connected is held, a joiner does not find `identity`
    /// in its list; while Active is held, it finds it there as not active.
    pub fn hold(&self, identity: &str, kind: HeldEvent) {
        self.with(|state| state.faults.start_hold(&identity.into(), kind));
    }

    /// Ends a hold and delivers what was held, in order, to those who are still there.
    pub fn release(&self, identity: &str, kind: HeldEvent) {
        self.with(|state| {
            for (to, event) in state.faults.end_hold(&identity.into(), kind) {
                state.event(to, event);
            }
        });
    }

    /// How many events of a hold wait.
    pub fn held(&self, identity: &str, kind: HeldEvent) -> usize {
        self.look(|state| state.faults.held(&identity.into(), kind))
    }

    /// Says once more to the others that `identity` is active, as LiveKit does for those it had listed at join.
    pub fn repeat_active(&self, identity: &str) {
        self.tell_others(identity, RoomEvent::ParticipantActive);
    }

    /// Changes the attributes of `identity`; the others hear it.
    pub fn set_attributes(&self, identity: &str, attributes: BTreeMap<String, String>) {
        self.for_each(identity, |state, id| {
            if let Some(connection) = state.connections.get_mut(&id) {
                connection.local.attributes = attributes.clone();
            }
        });
        self.tell_others(identity, RoomEvent::ParticipantUpdated);
    }

    fn tell_others(&self, identity: &str, event: impl Fn(Participant) -> RoomEvent) {
        self.for_each(identity, |state, id| {
            let Some(subject) = state.connections.get(&id).map(|connection| connection.local.clone()) else { return };
            for to in state.others(id) {
                let told = state.connections.get(&to).is_some_and(|c| !c.unannounced.contains(&subject.sid));
                if told {
                    state.event(to, event(subject.clone()));
                }
            }
        });
    }

    /// Puts an event into the events of `identity`, whatever it is: quality, tokens, video tracks, nonsense.
    pub fn inject(&self, identity: &str, event: RoomEvent) {
        self.with(|state| {
            if let Some(id) = state.connections_of(&identity.into()).first().copied() {
                state.event(id, event);
            }
        });
    }
}

/// Byte streams and links.
impl MemoryServer {
    /// The next `count` openings of a stream to `to` fail.
    pub fn fail_opens(&self, to: &str, count: u32) {
        self.with(|state| set_count(&mut state.faults.open_failures, to.into(), count));
    }

    /// The next `count` writes towards `to` fail and break their streams.
    pub fn fail_writes(&self, to: &str, count: u32) {
        self.with(|state| set_count(&mut state.faults.write_failures, to.into(), count));
    }

    /// The most bytes one write takes from its source: 1 to 1 MiB (clamped). Default 15,000, as LiveKit cuts.
    pub fn set_max_write(&self, bytes: usize) {
        self.with(|state| state.faults.max_write = bytes.clamp(1, WAY_BYTES / 2));
    }

    /// How streams opened from now on are cut.
    pub fn set_chunking(&self, chunking: Chunking) {
        self.with(|state| state.faults.chunking = chunking);
    }

    /// How many unread bytes a stream opened from now on may hold before it ends with an overflow. Default 32 MiB.
    pub fn set_pipe_limit(&self, bytes: usize) {
        self.with(|state| state.faults.pipe_limit = bytes);
    }

    /// Delay of streams and frames from one participant to another, at most a day, beating
    /// [`MemoryServer::set_delay_everywhere`].
    pub fn set_delay(&self, from: &str, to: &str, delay: Duration) {
        self.with(|state| state.faults.link(&from.into(), &to.into()).delay = Some(delay.min(MAX_DELAY)));
    }

    /// Delay of all links that have none of their own. Default 0.
    pub fn set_delay_everywhere(&self, delay: Duration) {
        self.with(|state| state.faults.everywhere.delay = Some(delay.min(MAX_DELAY)));
    }

    /// Share of data-track frames (0 to 1) lost from one participant to another, beating
    /// [`MemoryServer::set_loss_everywhere`]. Streams lose nothing.
    pub fn set_loss(&self, from: &str, to: &str, share: f64) {
        self.with(|state| state.faults.link(&from.into(), &to.into()).loss = Some(share));
    }

    /// Share of frames lost on all links that have none of their own. Default 0.
    pub fn set_loss_everywhere(&self, share: f64) {
        self.with(|state| state.faults.everywhere.loss = Some(share));
    }

    /// Seed of the losses. The same seed and the same frames lose the same frames.
    pub fn set_loss_seed(&self, seed: u64) {
        self.with(|state| state.faults.dice = Dice::new(seed));
    }

    /// Round trip that the statistics report, milliseconds; `None`: not measured. Default 1 ms.
    pub fn set_rtt_ms(&self, rtt_ms: Option<f64>) {
        self.with(|state| state.faults.rtt_ms = rtt_ms);
    }
}

/// Data tracks and times.
impl MemoryServer {
    /// The next publication of a data track by `identity` fails in this way. Several calls make several failures.
    pub fn fail_next_publish(&self, identity: &str, error: PublishError) {
        self.with(|state| state.faults.publish_failures.entry(identity.into()).or_default().push_back(error));
    }

    /// The next `count` frames of `identity` are refused and given back as dropped for `cause`.
    pub fn refuse_frames(&self, identity: &str, count: u32, cause: DropCause) {
        self.with(|state| state.faults.refused_frames.insert(identity.into(), (count, cause)));
    }

    /// The server takes a data track of `identity` away: the others see it go, its owner hears LocalDataTrackLost.
    /// Says whether there was such a track.
    pub fn lose_data_track(&self, identity: &str, name: &str) -> bool {
        let mut lost = false;
        self.for_each(identity, |state, id| lost |= state.lose_track(id, name));
        lost
    }

    /// Time between two frames taken from the sources of one room. Default 0.
    pub fn set_frame_spacing(&self, spacing: Duration) {
        self.with(|state| state.faults.frame_spacing = spacing);
    }

    /// How long unpublishing takes; the name stays taken meanwhile. Default 0.
    pub fn set_unpublish_delay(&self, delay: Duration) {
        self.with(|state| state.faults.unpublish_delay = delay);
    }

    /// How long [`MemoryServer::signal_reconnect`] and [`MemoryServer::full_reconnect`] take. Default 0.
    pub fn set_reconnect_time(&self, time: Duration) {
        self.with(|state| state.faults.reconnect_time = time);
    }

    /// How long a participant tries to get a lost link back. Default 16 s, as measured with LiveKit.
    pub fn set_give_up_after(&self, time: Duration) {
        self.with(|state| state.faults.give_up_after = time);
    }

    /// When the others learn that a killed participant is gone. Default 15 s.
    pub fn set_kill_timeout(&self, time: Duration) {
        self.with(|state| state.faults.kill_timeout = time);
    }
}

/// What happened.
impl MemoryServer {
    /// Byte streams opened towards `identity` so far, the broadcast ones not among them.
    pub fn streams_opened_to(&self, identity: &str) -> u64 {
        self.look(|state| count(&state.counters.streams_to, identity))
    }

    /// Byte streams opened by `identity` so far.
    pub fn streams_opened_by(&self, identity: &str) -> u64 {
        self.look(|state| count(&state.counters.streams_by, identity))
    }

    /// Streams refused because their sender had too many open to one receiver.
    pub fn streams_refused(&self) -> u64 {
        self.look(|state| state.counters.streams_refused)
    }

    /// Successful joins of `identity` so far.
    pub fn joins(&self, identity: &str) -> u64 {
        self.look(|state| count(&state.counters.joins, identity))
    }

    /// Data tracks published and unpublished, oldest first; the newest 65,536 entries.
    pub fn track_log(&self) -> Vec<TrackLogEntry> {
        self.look(|state| state.counters.tracks.entries.iter().cloned().collect())
    }

    /// Frames lost between a publisher and a subscriber: by loss, a lost link, or a full way.
    pub fn frames_lost(&self) -> u64 {
        self.look(|state| state.counters.frames_lost)
    }

    /// Who is in `room`, as the server knows it, in the order of joining.
    pub fn in_room(&self, room: &str) -> Vec<Participant> {
        self.look(|state| {
            let connections: &BTreeMap<ConnId, _> = &state.connections;
            connections.values().filter(|c| c.room == room).map(|c| c.local.clone()).collect()
        })
    }
}

type Counts<N> = std::collections::HashMap<Identity, N>;

fn count(counts: &Counts<u64>, identity: &str) -> u64 {
    counts.get(&Identity::from(identity)).copied().unwrap_or(0)
}

fn set_count(counts: &mut Counts<u32>, identity: Identity, count: u32) {
    if count == 0 {
        counts.remove(&identity);
    } else {
        counts.insert(identity, count);
    }
}
