//! Lost links: resume, full reconnect, giving up, vanishing.

use std::sync::Arc;

use tokio::time::sleep;

use super::connection::{ConnId, Link};
use super::server::{MemoryServer, State};
use super::tracks::TrackAction;
use crate::room::{DisconnectReason, Participant, RoomError, RoomEvent, Sid};

impl MemoryServer {
    /// Waits until the link of a connection is up. Fails when the connection is gone.
    pub(super) async fn link_up(&self, id: ConnId) -> Result<(), RoomError> {
        let link = |server: &Self| server.look(|state| state.connections.get(&id).map(|connection| connection.link));
        self.until(|server| !matches!(link(server), Some(Link::Down | Link::Dead))).await;
        link(self).map(|_| ()).ok_or(RoomError::Closed)
    }

    /// The server can be reached, or not. Unreachable: joins fail, every room goes through Reconnecting to
    /// Disconnected with [`DisconnectReason::ConnectionLost`], unless the server is back before that; then they
    /// reconnect fully, as after a restart of the server.
    pub fn set_reachable(self: &Arc<Self>, reachable: bool) {
        self.with(|state| {
            if std::mem::replace(&mut state.reachable, reachable) == reachable {
                return;
            }
            for id in state.connections.keys().copied().collect::<Vec<_>>() {
                if reachable {
                    state.restore_link(self, id, true);
                } else {
                    state.lose_link(self, id);
                }
            }
        });
    }

    /// The link of a participant is lost: it sees Reconnecting, its writes wait, its frames are lost. After the give-up
    /// time (see [`MemoryServer::set_give_up_after`]) it is disconnected with [`DisconnectReason::ConnectionLost`].
    pub fn lose_link(self: &Arc<Self>, identity: &str) {
        self.for_each(identity, |state, id| state.lose_link(self, id));
    }

    /// The lost link is back, as a resume or as a full reconnect under a new SID. Does nothing to a link that is up.
    pub fn restore_link(self: &Arc<Self>, identity: &str, full: bool) {
        self.for_each(identity, |state, id| state.restore_link(self, id, full));
    }

    /// The signal link is lost and comes back after the reconnect time: a resume, everything survives.
    pub fn signal_reconnect(self: &Arc<Self>, identity: &str) {
        self.for_each(identity, |state, id| state.reconnect(self, id, false));
    }

    /// Everything is lost and comes back after the reconnect time under a new SID. The others see the participant leave
    /// and come; its open streams are void in both directions (S-27): writes still succeed, nothing arrives, readers
    /// end; its data tracks are republished under new SIDs.
    pub fn full_reconnect(self: &Arc<Self>, identity: &str) {
        self.for_each(identity, |state, id| state.reconnect(self, id, true));
    }

    /// The server ends a connection; the others learn at once.
    pub fn disconnect(&self, identity: &str, reason: DisconnectReason) {
        self.for_each(identity, |state, id| state.leave(id, Some(reason)));
    }

    /// The participant's process vanishes. It hears nothing any more; the others learn after the kill time-out
    /// (see [`MemoryServer::set_kill_timeout`]), or when the same identity joins again. Until then streams to it take
    /// what is written, up to what the way holds.
    pub fn kill(self: &Arc<Self>, identity: &str) {
        self.for_each(identity, |state, id| state.kill(self, id));
    }

    pub(super) fn for_each(&self, identity: &str, mut change: impl FnMut(&mut State, ConnId)) {
        self.with(|state| {
            for id in state.connections_of(&identity.into()) {
                change(state, id);
            }
        });
    }
}

impl State {
    pub(super) fn reconnect(&mut self, server: &Arc<MemoryServer>, id: ConnId, full: bool) {
        self.lose_link(server, id);
        let time = self.faults.reconnect_time;
        if time.is_zero() {
            self.restore_link(server, id, full);
            return;
        }
        let Some(connection) = self.connections.get(&id) else { return };
        let (server, outage) = (server.clone(), connection.outage);
        connection.runtime.spawn(async move {
            sleep(time).await;
            server.with(|state| {
                if state.connections.get(&id).is_some_and(|connection| connection.outage == outage) {
                    state.restore_link(&server, id, full);
                }
            });
        });
    }

    fn lose_link(&mut self, server: &Arc<MemoryServer>, id: ConnId) {
        let give_up_after = self.faults.give_up_after;
        let Some(connection) = self.connections.get_mut(&id).filter(|c| c.link == Link::Up) else { return };
        connection.link = Link::Down;
        connection.outage += 1;
        connection.deliver(RoomEvent::Reconnecting);
        let (server, outage) = (server.clone(), connection.outage);
        connection.runtime.spawn(async move {
            sleep(give_up_after).await;
            server.with(|state| {
                let lost = state.connections.get(&id).is_some_and(|c| c.link == Link::Down && c.outage == outage);
                if lost {
                    state.leave(id, Some(DisconnectReason::ConnectionLost));
                }
            });
        });
    }

    fn restore_link(&mut self, server: &Arc<MemoryServer>, id: ConnId, full: bool) {
        let Some(connection) = self.connections.get_mut(&id).filter(|c| c.link == Link::Down) else { return };
        connection.link = Link::Up;
        if full {
            self.join_again(server, id);
            return;
        }
        let backlog = std::mem::take(&mut connection.backlog);
        connection.deliver(RoomEvent::Reconnected { full: false });
        for event in backlog {
            connection.deliver(event);
        }
    }

    /// A full reconnect, in the order measured (livekit-ffi.md section 6).
    fn join_again(&mut self, server: &Arc<MemoryServer>, id: ConnId) {
        self.renounce(id);
        let others = self.others(id);
        for other in &others {
            if let Some(other) = self.connections.get_mut(other) {
                other.end_incoming(Some(id), &RoomError::SenderGone);
                other.tracks.iter_mut().for_each(|track| track.forget_subscriber(id));
                other.videos.iter_mut().for_each(|video| video.forget_subscriber(id));
            }
        }
        // Tracks it knew of: those of the others now; what went meanwhile was in the backlog, and so were goodbyes.
        let tracks: Vec<Sid> = others
            .iter()
            .filter_map(|other| self.connections.get(other))
            .flat_map(|other| other.tracks.iter().map(|track| track.sid.clone()))
            .collect();
        let videos: Vec<Sid> = others
            .iter()
            .filter_map(|other| self.connections.get(other))
            .flat_map(|other| other.videos.iter().map(|video| video.sid.clone()))
            .collect();
        let (sid, joined_at_ms) = (format!("PA_{}", self.number()).into(), self.join_time());
        let first_track = self.next_track_number();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.end_incoming(None, &RoomError::SenderGone);
        connection.unannounced.clear();
        let backlog = std::mem::take(&mut connection.backlog);
        let gone = |event: &RoomEvent| {
            matches!(event, RoomEvent::DataTrackUnpublished { .. } | RoomEvent::VideoTrackUnpublished { .. })
        };
        for event in backlog.into_iter().filter(gone) {
            connection.deliver(event);
        }
        for sid in tracks {
            connection.deliver(RoomEvent::DataTrackUnpublished { sid });
        }
        for sid in videos {
            connection.deliver(RoomEvent::VideoTrackUnpublished { sid });
        }
        let known: Vec<Participant> = connection.known.values().cloned().collect();
        for Participant { identity, sid, .. } in known {
            connection.deliver(RoomEvent::ParticipantDisconnected { identity, sid });
        }
        connection.local.sid = sid;
        connection.local.joined_at_ms = joined_at_ms;
        for (place, track) in connection.tracks.iter_mut().enumerate() {
            let log = &mut self.counters.tracks;
            let identity = &connection.local.identity;
            log.add(identity, &track.name, &track.sid, TrackAction::Unpublished);
            track.renew(format!("DTR_{first_track}_{place}").into());
            log.add(identity, &track.name, &track.sid, TrackAction::Republished);
        }
        let renewed = self.renew_videos(id);
        self.announce(server, id);
        for other in others {
            self.introduce(id, other, false);
        }
        self.event(id, RoomEvent::Reconnected { full: true });
        for event in renewed {
            self.event(id, event);
        }
    }

    fn next_track_number(&mut self) -> u64 {
        self.number()
    }

    fn kill(&mut self, server: &Arc<MemoryServer>, id: ConnId) {
        let after = self.faults.kill_timeout;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.link = Link::Dead;
        let server = server.clone();
        connection.runtime.spawn(async move {
            sleep(after).await;
            server.with(|state| state.leave(id, None));
        });
    }
}
