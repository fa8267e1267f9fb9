//! What is wrong with this server: held events, injected failures, delays, loss. Plain data; control.rs sets it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::connection::ConnId;
use crate::room::{DropCause, Identity, JoinErrorKind, PublishError, RoomError, RoomEvent};

/// How many events one hold keeps; beyond it the oldest is let through, so that a forgotten hold cannot grow for ever.
const MAX_HELD: usize = 4096;

/// Events about a participant that can be held back and released later, so that a test can reorder them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeldEvent {
    /// [`RoomEvent::ParticipantConnected`].
    Connected,
    /// [`RoomEvent::ParticipantActive`].
    Active,
    /// [`RoomEvent::ParticipantDisconnected`].
    Disconnected,
}

/// How the bytes of a stream are cut on their way. LiveKit promises nothing about chunk edges (P-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chunking {
    /// One chunk for each write.
    #[default]
    AsWritten,
    /// Chunks of at most this many bytes (at least 1).
    Split(usize),
    /// Writes that wait together arrive as one chunk of up to this many bytes.
    Merge(usize),
}

/// Faults of one direction between two participants.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LinkFaults {
    pub(super) delay: Option<Duration>,
    pub(super) loss: Option<f64>,
}

pub(super) struct Faults {
    pub(super) join_delay: Duration,
    pub(super) join_failures: HashMap<Identity, VecDeque<JoinErrorKind>>,
    pub(super) open_failures: HashMap<Identity, u32>,
    pub(super) write_failures: HashMap<Identity, u32>,
    pub(super) publish_failures: HashMap<Identity, VecDeque<PublishError>>,
    pub(super) refused_frames: HashMap<Identity, (u32, DropCause)>,
    pub(super) max_write: usize,
    pub(super) pipe_limit: usize,
    pub(super) chunking: Chunking,
    pub(super) frame_spacing: Duration,
    pub(super) unpublish_delay: Duration,
    pub(super) reconnect_time: Duration,
    pub(super) give_up_after: Duration,
    pub(super) kill_timeout: Duration,
    pub(super) rtt_ms: Option<f64>,
    /// For every link without a delay or loss of its own.
    pub(super) everywhere: LinkFaults,
    pub(super) links: HashMap<(Identity, Identity), LinkFaults>,
    pub(super) announce_delays: HashMap<String, Duration>,
    pub(super) dice: Dice,
    pub(super) video: super::video::VideoFaults,
    held: BTreeMap<(Identity, HeldEvent), VecDeque<(ConnId, RoomEvent)>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            join_delay: Duration::ZERO,
            join_failures: HashMap::new(),
            open_failures: HashMap::new(),
            write_failures: HashMap::new(),
            publish_failures: HashMap::new(),
            refused_frames: HashMap::new(),
            max_write: 15_000,
            pipe_limit: 32 << 20,
            chunking: Chunking::AsWritten,
            frame_spacing: Duration::ZERO,
            unpublish_delay: Duration::ZERO,
            reconnect_time: Duration::ZERO,
            // Measured: ten attempts, 16 s (livekit-ffi.md section 6).
            give_up_after: Duration::from_secs(16),
            kill_timeout: Duration::from_secs(15),
            rtt_ms: Some(1.0),
            everywhere: LinkFaults::default(),
            links: HashMap::new(),
            announce_delays: HashMap::new(),
            dice: Dice::new(1),
            video: super::video::VideoFaults::default(),
            held: BTreeMap::new(),
        }
    }
}

impl Faults {
    pub(super) fn announce_delay(&self, room: &str) -> Duration {
        self.announce_delays.get(room).copied().unwrap_or_default()
    }

    pub(super) fn link(&mut self, from: &Identity, to: &Identity) -> &mut LinkFaults {
        self.links.entry((from.clone(), to.clone())).or_default()
    }

    pub(super) fn delay(&self, from: &Identity, to: &Identity) -> Duration {
        let own = self.links.get(&(from.clone(), to.clone())).and_then(|link| link.delay);
        own.or(self.everywhere.delay).unwrap_or_default()
    }

    /// Throws the dice for one frame.
    pub(super) fn loses_frame(&mut self, from: &Identity, to: &Identity) -> bool {
        let own = self.links.get(&(from.clone(), to.clone())).and_then(|link| link.loss);
        let loss = own.or(self.everywhere.loss).unwrap_or(0.0);
        // No throw on a lossless link: setting a loss elsewhere does not change what is lost here.
        loss > 0.0 && self.dice.throw() < loss
    }

    pub(super) fn start_hold(&mut self, subject: &Identity, kind: HeldEvent) {
        self.held.entry((subject.clone(), kind)).or_default();
    }

    pub(super) fn end_hold(&mut self, subject: &Identity, kind: HeldEvent) -> VecDeque<(ConnId, RoomEvent)> {
        self.held.remove(&(subject.clone(), kind)).unwrap_or_default()
    }

    pub(super) fn holds(&self, subject: &Identity, kind: HeldEvent) -> bool {
        self.held.contains_key(&(subject.clone(), kind))
    }

    pub(super) fn held(&self, subject: &Identity, kind: HeldEvent) -> usize {
        self.held.get(&(subject.clone(), kind)).map_or(0, VecDeque::len)
    }

    /// Keeps an event that is held and gives back what may pass now.
    pub(super) fn hold(
        &mut self,
        subject: &Identity,
        kind: HeldEvent,
        to: ConnId,
        event: RoomEvent,
    ) -> Option<(ConnId, RoomEvent)> {
        let Some(held) = self.held.get_mut(&(subject.clone(), kind)) else { return Some((to, event)) };
        held.push_back((to, event));
        if held.len() > MAX_HELD {
            held.pop_front()
        } else {
            None
        }
    }

    /// Whether the next opening or write to `to` was told to fail.
    pub(super) fn take_failure(failures: &mut HashMap<Identity, u32>, to: &Identity) -> Result<(), RoomError> {
        let Some(left) = failures.get_mut(to) else { return Ok(()) };
        if *left <= 1 {
            failures.remove(to);
        } else {
            *left -= 1;
        }
        Err(RoomError::Transport(format!("injected failure towards {to}")))
    }
}

/// A small seeded generator (SplitMix64): loss must be the same in every run, whatever version a crate has.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform in 0..1.
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // 53 bits: what a double holds exactly.
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
