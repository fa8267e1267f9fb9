//! Connections: who is in a room, what each one has been told about the others, and how one leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::faults::HeldEvent;
use super::server::{MemoryServer, State};
use super::tracks::{Pacer, Track, TrackAction};
use super::video::Video;
use crate::room::{ByteSink, DisconnectReason, Identity, Participant, RemoteDataTrack, RoomError, RoomEvent, Sid};

/// One connection, in the order of joining. Unlike the SID it survives a full reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnId(pub(super) u64);

/// State of a participant's link to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    /// Lost; the participant knows and tries to get it back.
    Down,
    /// The participant's process vanished; the server does not know yet.
    Dead,
}

/// Bytes and frames of one connection, for its statistics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) frames_pushed: u64,
    pub(super) frames_refused: u64,
}

/// A byte stream that arrives here.
pub(super) struct Incoming {
    pub(super) from: ConnId,
    pub(super) sink: Arc<ByteSink>,
}

pub(super) struct Connection {
    pub(super) room: String,
    pub(super) local: Participant,
    pub(super) can_publish: bool,
    /// The others as this participant knows them.
    pub(super) known: BTreeMap<Identity, Participant>,
    /// Connections whose announcement to this one is still on its way.
    pub(super) unannounced: BTreeSet<Sid>,
    pub(super) events: mpsc::UnboundedSender<RoomEvent>,
    /// Events that happened while the link was down.
    pub(super) backlog: Vec<RoomEvent>,
    pub(super) link: Link,
    /// Counts lost links, so that an old outage's give-up does not hit a new one.
    pub(super) outage: u64,
    pub(super) runtime: Handle,
    pub(super) gone: CancellationToken,
    pub(super) incoming: Vec<Incoming>,
    pub(super) tracks: Vec<Track>,
    pub(super) videos: Vec<Video>,
    pub(super) pacer: Arc<Pacer>,
    pub(super) traffic: Traffic,
}

impl Connection {
    /// Delivers an event, or keeps it until the link is back.
    pub(super) fn tell(&mut self, event: RoomEvent) {
        match self.link {
            Link::Up => self.deliver(event),
            Link::Down => self.backlog.push(event),
            Link::Dead => {}
        }
    }

    /// Delivers an event whatever the link is: one that the participant's own library makes.
    pub(super) fn deliver(&mut self, event: RoomEvent) {
        match &event {
            RoomEvent::ParticipantConnected(subject)
            | RoomEvent::ParticipantActive(subject)
            | RoomEvent::ParticipantUpdated(subject) => self.learn(subject),
            RoomEvent::ParticipantDisconnected { identity, sid } => self.forget(identity, sid),
            _ => {}
        }
        // The receiver may be gone: an application that stopped listening.
        let _ = self.events.send(event);
    }

    /// News of an older connection, released late, do not hide the newer one.
    fn learn(&mut self, subject: &Participant) {
        let newer = self
            .known
            .get(&subject.identity)
            .is_some_and(|known| known.sid != subject.sid && known.joined_at_ms > subject.joined_at_ms);
        if !newer {
            self.known.insert(subject.identity.clone(), subject.clone());
        }
    }

    /// A late goodbye of an older connection does not take the newer one.
    fn forget(&mut self, identity: &Identity, sid: &Sid) {
        if self.known.get(identity).is_some_and(|known| known.sid == *sid) {
            self.known.remove(identity);
        }
    }

    pub(super) fn published(&self) -> impl Iterator<Item = RemoteDataTrack> + '_ {
        self.tracks.iter().map(|track| track.remote(&self.local.identity))
    }

    /// Ends the streams that arrive here from `from`, or all of them.
    pub(super) fn end_incoming(&mut self, from: Option<ConnId>, error: &RoomError) {
        self.incoming.retain(|stream| {
            let hit = from.is_none_or(|from| from == stream.from);
            if hit {
                stream.sink.finish(Err(error.clone()));
            }
            !hit
        });
    }
}

impl State {
    pub(super) fn find(&self, room: &str, identity: &Identity) -> Option<ConnId> {
        let mut all = self.connections.iter();
        all.find(|(_, c)| c.room == room && c.local.identity == *identity).map(|(id, _)| *id)
    }

    /// Every connection of an identity, one for each room it is in.
    pub(super) fn connections_of(&self, identity: &Identity) -> Vec<ConnId> {
        let all = self.connections.iter();
        all.filter(|(_, c)| c.local.identity == *identity).map(|(id, _)| *id).collect()
    }

    /// The others in the same room, in the order in which they joined.
    pub(super) fn others(&self, id: ConnId) -> Vec<ConnId> {
        let Some(me) = self.connections.get(&id) else { return Vec::new() };
        let all = self.connections.iter();
        all.filter(|(other, c)| **other != id && c.room == me.room).map(|(other, _)| *other).collect()
    }

    /// Tells `to` something about `subject`, unless such events are held.
    fn tell_about(&mut self, subject: &Identity, kind: HeldEvent, to: ConnId, event: RoomEvent) {
        if let Some((to, event)) = self.faults.hold(subject, kind, to, event) {
            self.event(to, event);
        }
    }

    /// Makes `about` known to `to`: by events or, when `listing`, by the entry that is given back for a joiner's list.
    pub(super) fn introduce(&mut self, to: ConnId, about: ConnId, listing: bool) -> Option<Participant> {
        let subject = self.connections.get(&about)?;
        let tracks: Vec<_> = subject.published().collect();
        let identity = subject.local.identity.clone();
        let videos: Vec<_> = subject.videos.iter().map(|video| video.remote(&identity)).collect();
        let subject = subject.local.clone();
        let announced = Participant { active: false, ..subject.clone() };
        let active_held = self.faults.holds(&identity, HeldEvent::Active);
        let mut entry = None;
        if listing && !self.faults.holds(&identity, HeldEvent::Connected) {
            let listed = Participant { active: !active_held, ..announced };
            self.connections.get_mut(&to)?.known.insert(identity.clone(), listed.clone());
            entry = Some(listed);
        } else {
            self.tell_about(&identity, HeldEvent::Connected, to, RoomEvent::ParticipantConnected(announced));
        }
        if entry.is_none() || active_held {
            self.tell_about(&identity, HeldEvent::Active, to, RoomEvent::ParticipantActive(subject));
        }
        for track in tracks {
            self.event(to, RoomEvent::DataTrackPublished(track));
        }
        for video in videos {
            self.event(to, RoomEvent::VideoTrackPublished(video));
        }
        entry
    }

    /// Announces a connection to the others, after the announce delay of its room.
    pub(super) fn announce(&mut self, server: &Arc<MemoryServer>, about: ConnId) {
        let Some(subject) = self.connections.get(&about) else { return };
        let sid = subject.local.sid.clone();
        let delay = self.faults.announce_delay(&subject.room);
        for to in self.others(about) {
            if delay.is_zero() {
                self.introduce(to, about, false);
                continue;
            }
            let Some(connection) = self.connections.get_mut(&to) else { continue };
            connection.unannounced.insert(sid.clone());
            let (server, sid) = (server.clone(), sid.clone());
            connection.runtime.spawn(async move {
                sleep(delay).await;
                server.with(|state| state.announce_late(to, about, &sid));
            });
        }
    }

    fn announce_late(&mut self, to: ConnId, about: ConnId, sid: &Sid) {
        let waiting = self.connections.get_mut(&to).is_some_and(|c| c.unannounced.remove(sid));
        if waiting && self.connections.get(&about).is_some_and(|c| c.local.sid == *sid) {
            self.introduce(to, about, false);
        }
    }

    /// Tells the others that a connection is no more. Those who never heard of it hear nothing.
    pub(super) fn renounce(&mut self, about: ConnId) {
        let Some(subject) = self.connections.get(&about) else { return };
        let (identity, sid) = (subject.local.identity.clone(), subject.local.sid.clone());
        let tracks: Vec<Sid> = subject.tracks.iter().map(|track| track.sid.clone()).collect();
        let videos: Vec<Sid> = subject.videos.iter().map(|video| video.sid.clone()).collect();
        for to in self.others(about) {
            let Some(connection) = self.connections.get_mut(&to) else { continue };
            if connection.unannounced.remove(&sid) {
                continue;
            }
            for sid in &tracks {
                connection.tell(RoomEvent::DataTrackUnpublished { sid: sid.clone() });
            }
            for sid in &videos {
                connection.tell(RoomEvent::VideoTrackUnpublished { sid: sid.clone() });
            }
            let event = RoomEvent::ParticipantDisconnected { identity: identity.clone(), sid: sid.clone() };
            self.tell_about(&identity, HeldEvent::Disconnected, to, event);
        }
    }

    /// Ends a connection. With a reason its own participant hears it; without one (a vanished process) it does not.
    pub(super) fn leave(&mut self, id: ConnId, reason: Option<DisconnectReason>) {
        self.renounce(id);
        let Some(mut connection) = self.connections.remove(&id) else { return };
        connection.end_incoming(None, &RoomError::Closed);
        if let Some(reason) = reason {
            connection.deliver(RoomEvent::Disconnected { reason });
        }
        // Its own streams: the pumps see this, and what was written still arrives before the reader's SenderGone.
        connection.gone.cancel();
        connection.pacer.close();
        for other in self.connections.values_mut() {
            other.tracks.iter_mut().for_each(|track| track.forget_subscriber(id));
            other.videos.iter_mut().for_each(|video| video.forget_subscriber(id));
        }
        for track in &connection.tracks {
            self.counters.tracks.add(&connection.local.identity, &track.name, &track.sid, TrackAction::Unpublished);
        }
        for video in &connection.videos {
            self.counters.tracks.add(&connection.local.identity, &video.name, &video.sid, TrackAction::Unpublished);
        }
        self.departed.insert(id, connection.local.clone());
        // Frame sources are foreign code and must not be dropped under the lock.
        self.trash.push(Box::new(connection));
    }
}
