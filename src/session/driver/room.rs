//! Entering and leaving a room, and what happens in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::context::ChannelId;
use crate::protocol::CONTROL_TOPIC;
use crate::room::{ConnectionQuality, DisconnectReason, Identity, Joined, Room, RoomEvent, RoomEvents, VideoTrack};
use crate::session::core::{Input, PublisherId};
use crate::session::inbox::Inboxes;
use crate::session::inputs::{EndReason, RoomEnd};
use crate::session::tracks::publish_slots;
use crate::throttle::Throttle;

use super::statistics::Measured;
use super::Driver;

/// S-33: how long leaving a room may take before it is given up.
pub(in crate::session) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Refusals under way at once; a flood of incompatible joins cannot pile up more streams (S-132).
const REFUSING: usize = 64;
/// Refusals under way and waiting for that. Further ones are not sent.
const MAX_REFUSALS: usize = 1024;
/// How often the log tells of streams that viewers should not have opened, and of a link that comes and goes.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// The room the session is in.
pub(super) struct InRoom {
    pub(super) room: Arc<dyn Room>,
    pub(super) events: RoomEvents,
    pub(super) inboxes: Inboxes,
    /// Streams, refusals, tracks: all end with the room (S-37).
    pub(super) tasks: JoinSet<()>,
    pub(super) refusals: Arc<tokio::sync::Semaphore>,
    pub(super) refusing: Arc<tokio::sync::Semaphore>,
    pub(super) other_topics: Throttle,
    pub(super) excess_streams: Throttle,
    /// Since when the transport reconnects.
    pub(super) reconnecting: Option<Instant>,
    pub(super) lost_links: Throttle,
    pub(super) found_links: Throttle,
    /// Our video tracks.
    pub(super) videos: HashMap<PublisherId, Arc<dyn VideoTrack>>,
    pub(super) publish_slots: Arc<tokio::sync::Semaphore>,
    pub(super) end: tokio::sync::oneshot::Sender<RoomEnd>,
    pub(super) entered: Instant,
    pub(super) local: Identity,
    pub(super) quality: Option<ConnectionQuality>,
    pub(super) measured: Arc<parking_lot::Mutex<Measured>>,
}

/// The end of a room, and who waits for it.
struct Ended {
    end: RoomEnd,
    to: tokio::sync::oneshot::Sender<RoomEnd>,
}

impl Ended {
    fn report(self) {
        // The gateway may have been stopped meanwhile.
        let _ = self.to.send(self.end);
    }
}

impl Driver {
    pub(super) fn enter(&mut self, joined: Joined, end: tokio::sync::oneshot::Sender<RoomEnd>) {
        // A gateway joins when it has learned of the end of the room before. Should it be early, that room ends here:
        // two rooms would share the viewers' registrations.
        self.lose_room(DisconnectReason::Other);
        self.joins += 1;
        // What was asked for before this room is done.
        self.shared.resumed.send_replace(false);
        tracing::info!(identity = %joined.local.identity, sid = %joined.local.sid, "joined the room");
        *self.shared.room.lock() = Some(joined.room.clone());
        self.room = Some(InRoom {
            room: joined.room,
            events: joined.events,
            inboxes: Inboxes::default(),
            tasks: JoinSet::new(),
            refusals: Arc::new(tokio::sync::Semaphore::new(MAX_REFUSALS)),
            refusing: Arc::new(tokio::sync::Semaphore::new(REFUSING)),
            other_topics: Throttle::default(),
            excess_streams: Throttle::default(),
            reconnecting: None,
            lost_links: Throttle::default(),
            found_links: Throttle::default(),
            videos: HashMap::new(),
            publish_slots: publish_slots(),
            end,
            entered: Instant::now(),
            local: joined.local.identity,
            quality: None,
            measured: Arc::default(),
        });
        self.tell(Input::Joined { participants: joined.participants });
    }

    /// Leaves the room, if there is one, and answers when it and those before it have been left, each within
    /// [`CLOSE_TIMEOUT`]: a process that exits then leaves no ghost behind.
    pub(super) fn leave(&mut self, done: tokio::sync::oneshot::Sender<()>) {
        let end = self.end_room(EndReason::Disconnected(DisconnectReason::ClientInitiated));
        if let Some((room, end)) = end {
            end.report();
            self.close(room, None);
        }
        let closing = std::mem::take(&mut self.closing);
        tokio::spawn(async move {
            for room in closing {
                let _ = room.await;
            }
            let _ = done.send(());
        });
    }

    /// The idle window has passed. The gateway hears of it when the room has been left.
    pub(super) fn leave_idle(&mut self) {
        if let Some((room, end)) = self.end_room(EndReason::Idle) {
            self.close(room, Some(end));
        }
    }

    /// The application wants the session to stay in the room, or to come back to it.
    pub(super) fn resume(&mut self) {
        if self.room.is_some() {
            self.tell(Input::Stay);
        } else {
            self.shared.resumed.send_replace(true);
        }
    }

    /// Closes a room in the background, at most [`CLOSE_TIMEOUT`] long, and reports its end then if that is still to do.
    fn close(&mut self, room: Arc<dyn Room>, end: Option<Ended>) {
        self.closing.retain(|room| !room.is_finished());
        self.closing.push(tokio::spawn(async move {
            if tokio::time::timeout(CLOSE_TIMEOUT, room.close()).await.is_err() {
                let seconds = CLOSE_TIMEOUT.as_secs();
                tracing::warn!(seconds, "the room was not left in time; the server will find out by itself");
            }
            end.into_iter().for_each(Ended::report);
        }));
    }

    /// Forgets the room: every viewer is cleaned up, every task of the room ends.
    fn end_room(&mut self, reason: EndReason) -> Option<(Arc<dyn Room>, Ended)> {
        self.room.as_ref()?;
        self.tell(Input::Left);
        let mut ended = self.room.take()?;
        *self.shared.room.lock() = None;
        // Tracks and streams go with the room; what is in flight is dropped (S-162).
        ended.tasks.abort_all();
        for channel in self.channels.values_mut() {
            channel.track = None;
            if let Some(slot) = &channel.slot {
                slot.detach();
            }
        }
        let end = RoomEnd { reason, lived: ended.entered.elapsed() };
        Some((ended.room, Ended { end, to: ended.end }))
    }

    pub(super) fn take_room_events(&mut self) {
        while let Some(event) = self.room.as_mut().and_then(|room| room.events.try_recv().ok()) {
            self.room_event(Some(event));
        }
    }

    pub(super) fn room_event(&mut self, event: Option<RoomEvent>) {
        let Some(event) = event else {
            // The adapter ended the events without a last word.
            self.lose_room(DisconnectReason::Other);
            return;
        };
        let Some(room) = &mut self.room else { return };
        match event {
            RoomEvent::ParticipantConnected(participant) => {
                room.inboxes.bind(&participant.identity, &participant.sid);
                self.tell(Input::ParticipantConnected(participant));
            }
            RoomEvent::ParticipantActive(participant) => {
                room.inboxes.bind(&participant.identity, &participant.sid);
                self.tell(Input::ParticipantActive(participant));
            }
            RoomEvent::ParticipantDisconnected { sid, .. } => {
                room.inboxes.forget(&sid);
                self.tell(Input::ParticipantDisconnected { sid });
            }
            RoomEvent::ByteStreamOpened { topic, sender, sender_sid, reader } => {
                if topic != CONTROL_TOPIC {
                    if let Some(count) = room.other_topics.pass(1, LOG_INTERVAL, Instant::now().into_std()) {
                        tracing::warn!(topic, identity = %sender, count, "a byte stream of another topic was ignored");
                    }
                } else if !room.inboxes.open(
                    sender.clone(),
                    sender_sid.clone(),
                    reader,
                    &self.shared.inputs,
                    &self.shared.panics,
                ) {
                    if let Some(count) = room.excess_streams.pass(1, LOG_INTERVAL, Instant::now().into_std()) {
                        tracing::warn!(identity = %sender, count, "one control stream too many was refused");
                    }
                    if let Some(sid) = sender_sid {
                        let reason = "too many control streams are open".to_owned();
                        self.tell(Input::Malformed { sid, reason });
                    }
                }
            }
            RoomEvent::LocalDataTrackLost { name } => {
                let channel = crate::protocol::data_track::parse_data_track_name(&name).map(ChannelId::from);
                if let Some(track) = channel.and_then(|id| self.channels.get(&id)).and_then(|io| io.track.as_ref()) {
                    track.lost.notify_one();
                }
            }
            RoomEvent::LocalVideoTrackRepublished { previous, sid, .. } => {
                self.tell(Input::VideoRenewed { previous, sid });
            }
            RoomEvent::LocalVideoTrackLost { sid, .. } => self.tell(Input::VideoLost { sid }),
            RoomEvent::Reconnecting => {
                room.reconnecting.get_or_insert_with(Instant::now);
                if let Some(count) = room.lost_links.pass(1, LOG_INTERVAL, Instant::now().into_std()) {
                    tracing::warn!(count, "the transport lost its link and reconnects");
                }
            }
            RoomEvent::Reconnected { full } => {
                let took_ms = room.reconnecting.take().map(|since| since.elapsed().as_millis() as u64);
                if let Some(count) = room.found_links.pass(1, LOG_INTERVAL, Instant::now().into_std()) {
                    tracing::info!(full, took_ms, count, "the transport reconnected");
                }
                self.reconnects += 1;
                if full {
                    let participants = room.room.participants();
                    self.tell(Input::Reconnected { participants });
                }
            }
            RoomEvent::QualityChanged { identity, quality } => {
                if identity == room.local {
                    tracing::info!(?quality, "connection quality");
                    room.quality = Some(quality);
                }
            }
            RoomEvent::Disconnected { reason } => {
                tracing::info!(?reason, "the room is lost");
                self.lose_room(reason);
            }
            // A reset reads the attributes as they are then (P-13).
            RoomEvent::ParticipantUpdated(participant) => self.tell(Input::ParticipantConnected(participant)),
            RoomEvent::DataTrackPublished(_)
            | RoomEvent::DataTrackUnpublished { .. }
            | RoomEvent::VideoTrackPublished(_)
            | RoomEvent::VideoTrackUnpublished { .. }
            | RoomEvent::TokenRefreshed(_) => {}
        }
    }

    /// The room ended by itself. It is closed in the background: joining again never waits for it (P-208).
    fn lose_room(&mut self, reason: DisconnectReason) {
        if let Some((room, end)) = self.end_room(EndReason::Disconnected(reason)) {
            end.report();
            self.close(room, None);
        }
    }
}

pub(super) async fn next_event(room: &mut Option<InRoom>) -> Option<RoomEvent> {
    match room {
        Some(room) => room.events.recv().await,
        None => std::future::pending().await,
    }
}
