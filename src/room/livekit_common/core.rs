//! One room of either adapter: who is in it, what it carries, and what the library's events about it mean for the port.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::watch;

use super::incoming::{self, OpenCounts, Readers};
use super::outbox::{Outbox, Verdict, SID_LIMIT};
use super::pacer::{Meter, Pacer};
use super::participants::Participants;
use super::wear::Wear;
use crate::room::{DisconnectReason, Identity, Participant, RoomError, RoomEvent, RoomEvents};

/// What streams and tracks watch of their room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::room) struct Life {
    /// Counts full reconnections: whatever was open before one is void (S-27).
    pub(in crate::room) generation: u64,
    /// The room was left or lost.
    pub(in crate::room) gone: bool,
}

/// State of one room that does not depend on how its library is reached.
pub(in crate::room) struct Core {
    /// Where pumps and waits run.
    pub(in crate::room) runtime: runtime::Handle,
    pub(in crate::room) participants: Mutex<Participants>,
    pub(in crate::room) outbox: Mutex<Outbox>,
    pub(in crate::room) wear: Arc<Wear>,
    pub(in crate::room) life: watch::Sender<Life>,
    /// Counts reconnections, from the moment the link is lost.
    pub(in crate::room) epoch: AtomicU64,
    /// Counts writes on streams: whether the room sends anything.
    pub(in crate::room) writes: AtomicU64,
    /// How many of them have ended.
    pub(in crate::room) writes_ended: AtomicU64,
    pub(in crate::room) open_streams: Arc<OpenCounts>,
    pub(in crate::room) readers: Box<dyn Readers>,
    pub(in crate::room) pacer: Arc<Pacer>,
    /// Panics stopped in the adapter.
    pub(in crate::room) panics: Arc<AtomicU64>,
}

impl Core {
    /// A room that was just joined, and its events.
    pub(in crate::room) fn new(
        runtime: runtime::Handle,
        panics: Arc<AtomicU64>,
        participants: Participants,
        meter: Box<dyn Meter>,
        readers: Box<dyn Readers>,
    ) -> (Arc<Self>, RoomEvents) {
        let (events, receiver) = tokio::sync::mpsc::unbounded_channel();
        let wear = Arc::<Wear>::default();
        let outbox = Outbox::new(events, participants.local.sid.clone(), wear.clone());
        let core = Self {
            runtime,
            participants: Mutex::new(participants),
            outbox: Mutex::new(outbox),
            wear,
            life: watch::Sender::default(),
            epoch: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            writes_ended: AtomicU64::new(0),
            open_streams: Arc::default(),
            readers,
            pacer: Arc::new(Pacer::new(meter, panics.clone())),
            panics,
        };
        (Arc::new(core), receiver)
    }

    pub(in crate::room) fn emit(&self, event: RoomEvent) {
        self.outbox.lock().emit(event);
    }

    pub(in crate::room) fn check_open(&self) -> Result<(), RoomError> {
        if self.life.borrow().gone {
            return Err(RoomError::Closed);
        }
        Ok(())
    }

    /// Ends the room with its last event; later calls do nothing. The adapter then winds up what is its own.
    pub(in crate::room) fn end(&self, reason: DisconnectReason) {
        self.outbox.lock().end(reason);
        self.wind_up();
    }

    /// Stops everything that lives on this room.
    pub(in crate::room) fn wind_up(&self) {
        self.life.send_modify(|life| life.gone = true);
        self.pacer.stop();
        for reader in self.readers.take(&mut |_| true) {
            reader.end(Err(RoomError::Closed));
        }
    }

    /// Why the connection should be made anew, if it should; said once.
    pub(in crate::room) fn worn(&self) -> Option<String> {
        let alone = self.participants.lock().remote().is_empty();
        self.wear.take_reason(alone)
    }

    /// Somebody was announced.
    pub(in crate::room) fn connected(self: &Arc<Self>, new: Participant) {
        let replaced = self.participants.lock().connected(&new);
        if let Some(old) = replaced {
            incoming::sender_left(self, &old.identity);
            self.emit(RoomEvent::ParticipantDisconnected { identity: old.identity, sid: old.sid });
        }
        self.emit(RoomEvent::ParticipantConnected(new));
    }

    /// Somebody's data path is up.
    pub(in crate::room) fn active(&self, identity: &Identity) {
        let active = self.participants.lock().active(identity);
        if let Some(participant) = active {
            self.emit(RoomEvent::ParticipantActive(participant));
        }
    }

    /// The room repeats what it knows of somebody, perhaps of us.
    pub(in crate::room) fn updated(&self, participant: Participant) {
        let own = participant.identity == self.participants.lock().local.identity;
        let changed = self.participants.lock().updated(participant);
        self.emit_updated(changed);
        if own {
            self.own_update();
        }
    }

    /// Changes what is known of one participant.
    pub(in crate::room) fn edit(&self, identity: &str, change: impl FnOnce(&mut Participant)) {
        let changed = self.participants.lock().edit(identity, change);
        self.emit_updated(changed);
    }

    fn emit_updated(&self, changed: Option<Participant>) {
        if let Some(participant) = changed {
            self.emit(RoomEvent::ParticipantUpdated(participant));
        }
    }

    /// Somebody left.
    pub(in crate::room) fn disconnected(self: &Arc<Self>, identity: &Identity) {
        let gone = self.participants.lock().disconnected(identity);
        let Some(gone) = gone else { return };
        incoming::sender_left(self, identity);
        self.outbox.lock().left(&gone.sid);
        self.emit(RoomEvent::ParticipantDisconnected { identity: gone.identity, sid: gone.sid });
    }

    /// The library has lost its link.
    pub(in crate::room) fn reconnecting(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        let remote = self.participants.lock().remote();
        let full = self.outbox.lock().reconnecting(remote.into_iter().map(|participant| participant.sid).collect());
        self.on_reconnected(full);
    }

    /// The library has its link back.
    pub(in crate::room) fn reconnected(self: &Arc<Self>) {
        let participants = self.participants.lock();
        let (sid, remote) = (participants.local.sid.clone(), participants.remote());
        drop(participants);
        match self.outbox.lock().reconnected(&sid, &remote) {
            Verdict::Reported(full) => return self.on_reconnected(full),
            Verdict::Waiting => (),
        }
        let weak = Arc::downgrade(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(SID_LIMIT).await;
            if let Some(core) = weak.upgrade() {
                let full = core.outbox.lock().release();
                core.on_reconnected(full);
            }
        });
    }

    fn own_update(&self) {
        let sid = self.participants.lock().local.sid.clone();
        let full = self.outbox.lock().own_update(&sid);
        self.on_reconnected(full);
    }

    /// The room is connected again. A full reconnection has made every open stream void, although the library accepts
    /// writes on them for ever (livekit-ffi.md section 6).
    fn on_reconnected(&self, full: bool) {
        if full {
            self.life.send_modify(|life| life.generation += 1);
            incoming::void_old(self);
        }
    }
}
