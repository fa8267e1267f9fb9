//! Who is registered: joining, replacing, leaving (S-101 to S-110, S-117 to S-132, S-134 to S-139).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::context::ChannelId;
use crate::fanout::ResetCause;
use crate::protocol::{version, Status, StatusLevel, ToViewer, ViewerVersion};
use crate::room::{Identity, Participant, ParticipantKind, Sid};
use crate::session::ControlLost;
use crate::throttle::Throttle;

use super::channels::SchemaTable;
use super::lease::Refusals;
use super::parameters::FollowedParameters;
use super::ping::PongLog;
use super::requests::Slots;
use super::rights::ViewerRights;
use super::subscriptions::Mode;
use super::{Client, ClientChannel, ClientId, Core, Effect, Event, Now};

/// At most one status about unreadable input, one about dropped messages, and one line of the log about either, per viewer
/// and second (S-74a).
pub(super) const NOTICE_INTERVAL: Duration = Duration::from_secs(1);

/// One registered connection instance of a viewer.
pub(super) struct Registration {
    pub(super) client: Arc<Client>,
    pub(super) version: ViewerVersion,
    pub(super) schemas: SchemaTable,
    pub(super) subscriptions: IndexMap<ChannelId, Mode>,
    pub(super) channels: IndexMap<u32, Arc<ClientChannel>>,
    pub(super) slots: Slots,
    pub(super) parameters: FollowedParameters,
    pub(super) pongs: PongLog,
    pub(super) rights: ViewerRights,
    pub(super) refusals: Refusals,
    /// A message has come from this registration.
    pub(super) spoke: bool,
    malformed: Throttle,
    overflow: Throttle,
    pub(super) bad_schemas: Throttle,
    pub(super) playback: Throttle,
}

/// Process-wide, from 1; 0 is skipped should the counter ever wrap (S-124).
fn next_client_id() -> ClientId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    loop {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        if id != 0 {
            return ClientId(id);
        }
    }
}

impl Core {
    pub(super) fn joined(&mut self, participants: Vec<Participant>, now: Now) {
        self.in_room = true;
        self.start_eager_tracks();
        for participant in &participants {
            self.note_present(participant);
        }
        // Those present at the join are treated like those who become active later (S-20), a moment after it.
        if !participants.is_empty() {
            self.greet_later(None, now);
        }
    }

    /// The room is gone: every viewer is cleaned up as if it had left (S-36), in-room state is forgotten.
    pub(super) fn left(&mut self) {
        self.in_room = false;
        self.end_control_with_room();
        self.drop_graph_subscribers();
        self.note_speakers();
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        for client in clients {
            self.remove(client);
        }
        self.leave_videos();
        self.stop_tracks();
        self.present.clear();
        self.refused.clear();
        self.resets.clear();
        self.recalls.left();
        self.forget_all_lapsed();
    }

    /// Every stream is void: all viewers start anew, outside the rate limit of resets (S-27).
    pub(super) fn reconnected(&mut self, participants: Vec<Participant>, now: Now) {
        self.end_control_with_room();
        self.note_speakers();
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        for client in clients {
            self.remove(client);
        }
        self.resets.clear();
        self.present = participants.into_iter().map(|p| (p.identity.clone(), p)).collect();
        self.greet_later(Some(ResetCause::TransportReconnect), now);
    }

    pub(super) fn participant_connected(&mut self, participant: Participant) {
        let known = self.present(&participant.identity).is_some_and(|known| known.sid == participant.sid);
        if !known {
            self.recalls.announced(&participant.sid);
        }
        self.note_present(&participant);
    }

    pub(super) fn participant_active(&mut self, participant: Participant, now: Now) {
        if !self.note_present(&participant) {
            tracing::debug!(identity = %participant.identity, "a stale event of an older connection was ignored");
            return;
        }
        self.recalls.active(&participant.sid);
        if self.recalls.is_greeting_due() {
            return;
        }
        let current = self.by_identity.get(&participant.identity).and_then(|id| self.clients.get(id));
        match current.map(|r| r.client.clone()) {
            // The same instance again: nothing to do (S-138).
            Some(client) if client.sid == participant.sid => return,
            // Delayed event of an older instance (S-136). Equal times: the later arrival wins (S-137).
            Some(client) if client.joined_at_ms > participant.joined_at_ms => return,
            _ => {}
        }
        // A reset that waits for its time applies to an instance that is gone now (S-277).
        self.resets.cancel_if_superseded(&participant);
        if self.resets.is_waiting(&participant.identity) || self.resets.is_banned(&participant) {
            return;
        }
        self.register_if_accepted(&participant, None, now);
    }

    pub(super) fn participant_disconnected(&mut self, sid: &Sid) {
        self.present.retain(|_, p| p.sid != *sid);
        self.refused.retain(|_, refused| refused != sid);
        self.resets.forget_instance(sid);
        // Matched by SID alone: a late event of a replaced instance finds nothing (P-23, S-134, S-135).
        if let Some(&client) = self.by_sid.get(sid) {
            self.remove(client);
        }
        self.forget_lapsed(sid);
    }

    /// Records who is in the room; `false` if the event is about an older connection than the one known.
    fn note_present(&mut self, participant: &Participant) -> bool {
        match self.present.get(&participant.identity) {
            Some(known) if known.sid != participant.sid && known.joined_at_ms > participant.joined_at_ms => false,
            _ => {
                self.present.insert(participant.identity.clone(), participant.clone());
                true
            }
        }
    }

    /// The participant of this identity that is in the room now.
    pub(super) fn present(&self, identity: &Identity) -> Option<&Participant> {
        self.present.get(identity)
    }

    /// Registers a participant, or refuses it with one error frame.
    pub(super) fn register_if_accepted(
        &mut self,
        participant: &Participant,
        reset: Option<(ResetCause, u64)>,
        now: Now,
    ) {
        if participant.kind != ParticipantKind::Standard {
            // Recorders, agents and the like are no viewers (S-129).
            tracing::debug!(identity = %participant.identity, "a participant of a service kind is not served");
            return;
        }
        let version = match version::check(participant.attributes.get(version::ATTRIBUTE).map(String::as_str)) {
            Ok(version) => version,
            Err(mismatch) => return self.refuse(participant, mismatch.to_string()),
        };
        let replaces = self.by_identity.contains_key(&participant.identity);
        if !replaces && self.clients.len() >= self.config.limits.max_viewers {
            let text = format!("This device serves at most {} viewers", self.config.limits.max_viewers);
            return self.refuse(participant, text);
        }
        self.refused.remove(&participant.identity);
        if let Some(&old) = self.by_identity.get(&participant.identity) {
            self.remove(old);
        }
        self.register(participant, version, reset, now);
    }

    /// One error frame on a stream of its own, once per instance; the instance is not registered (P-15, P-16).
    pub(super) fn refuse(&mut self, participant: &Participant, message: String) {
        if self.refused.get(&participant.identity) == Some(&participant.sid) {
            return;
        }
        tracing::warn!(identity = %participant.identity, %message, "a viewer was refused");
        self.refused.insert(participant.identity.clone(), participant.sid.clone());
        self.refuse_with(&participant.identity, message);
    }

    fn refuse_with(&mut self, identity: &Identity, message: String) {
        let status = ToViewer::Status(Status { level: StatusLevel::Error, message, id: None });
        match status.to_frame() {
            Ok(frame) => self.effects.push(Effect::Refuse { identity: identity.clone(), frame }),
            Err(error) => tracing::error!(%error, "a refusal could not be encoded"),
        }
    }

    /// Snapshot and registration are one step, so no change of channels or services falls between them (S-154, S-173).
    /// The queue exists from here on; its stream opens in the background (S-23).
    fn register(
        &mut self,
        participant: &Participant,
        version: ViewerVersion,
        reset: Option<(ResetCause, u64)>,
        now: Now,
    ) {
        let client = Arc::new(Client {
            id: next_client_id(),
            identity: participant.identity.clone(),
            sid: participant.sid.clone(),
            name: participant.name.clone(),
            attributes: participant.attributes.clone(),
            joined_at_ms: participant.joined_at_ms,
        });
        let id = client.id;
        tracing::info!(client = %id, identity = %client.identity, sid = %client.sid, %version, "viewer registered");
        let registration = Registration {
            client: client.clone(),
            version,
            schemas: SchemaTable::default(),
            subscriptions: IndexMap::new(),
            channels: IndexMap::new(),
            slots: Slots::default(),
            parameters: FollowedParameters::default(),
            pongs: PongLog::default(),
            rights: ViewerRights::default(),
            refusals: Refusals::default(),
            spoke: false,
            malformed: Throttle::default(),
            overflow: Throttle::default(),
            bad_schemas: Throttle::default(),
            playback: Throttle::default(),
        };
        self.by_identity.insert(client.identity.clone(), id);
        self.by_sid.insert(client.sid.clone(), id);
        self.clients.insert(id, registration);
        self.resets.registered(&client.identity, now);
        self.effects.push(Effect::Open(client));
        let first = self.effects.len();
        // P-18: first on the stream, in this order.
        let info = ToViewer::ServerInfo(self.config.info.clone());
        self.send(id, &info);
        if let Some((cause, discarded)) = reset {
            let message = format!("The session was restarted: {}, {discarded} messages discarded", cause.text());
            self.reply_status(id, StatusLevel::Warning, message);
        }
        self.advertise_all(id);
        self.advertise_services_to(id);
        self.replay_statuses(id);
        self.join_sends(id, first);
    }

    /// Makes one piece of the first messages: as the only thing in a new queue it always fits, however small the
    /// backlog. In pieces they could overflow it, and the viewer would be reset for ever (S-51).
    fn join_sends(&mut self, client: ClientId, first: usize) {
        let frames: Vec<_> = self
            .effects
            .drain(first..)
            .filter_map(|effect| match effect {
                Effect::Send { frame, .. } => Some(frame),
                _ => None,
            })
            .collect();
        self.effects.push(Effect::Send { client, frame: frames.concat().into() });
    }

    /// Ends a registration, with everything that belongs to it and nothing else (S-117, S-118).
    pub(super) fn remove(&mut self, id: ClientId) {
        let Some(registration) = self.clients.shift_remove(&id) else { return };
        self.forget_question(&registration.rights);
        self.end_control_of(id, ControlLost::Left);
        self.recalls.forget(id);
        let client = registration.client;
        tracing::info!(client = %id, identity = %client.identity, "viewer removed");
        if self.by_identity.get(&client.identity) == Some(&id) {
            self.by_identity.remove(&client.identity);
        }
        if self.by_sid.get(&client.sid) == Some(&id) {
            self.by_sid.remove(&client.sid);
        }
        self.effects.push(Effect::Close(id));
        let mut routes = BTreeSet::new();
        for channel in registration.subscriptions.keys() {
            if self.drop_subscriber(*channel, id) {
                routes.insert(*channel);
            }
        }
        self.update_routes(&routes);
        self.requests.forget(id);
        self.forget_parameters(id, registration.parameters);
        self.drop_graph_subscriber(client.clone());
        for channel in registration.subscriptions.keys() {
            if let Some(state) = self.channels.get(channel) {
                let channel = state.channel.clone();
                self.event(Event::Unsubscribe(client.clone(), channel));
            }
        }
        for channel in registration.channels.into_values() {
            self.event(Event::ClientUnadvertise(client.clone(), channel));
        }
    }

    pub(super) fn malformed(&mut self, sid: &Sid, reason: &str, now: Now) {
        let registration = self.by_sid.get(sid).and_then(|id| self.clients.get_mut(id));
        let (id, throttle) = match registration {
            Some(registration) => (Some(registration.client.id), &mut registration.malformed),
            None => (None, &mut self.malformed_of_others),
        };
        let Some(count) = throttle.pass(1, NOTICE_INTERVAL, now.mono) else { return };
        tracing::error!(%sid, reason, count, "unreadable input from a viewer");
        if let Some(id) = id {
            self.reply_status(id, StatusLevel::Error, format!("Unreadable message: {reason}"));
        }
    }

    /// A message of this viewer was dropped because the robot's listener is too slow (design.md decision 6).
    pub(crate) fn listener_overflow(&mut self, id: ClientId, now: Now) {
        let Some(registration) = self.clients.get_mut(&id) else { return };
        if registration.overflow.pass(1, NOTICE_INTERVAL, now.mono).is_some() {
            let text = "The robot is too slow for your messages; the oldest ones are dropped";
            self.reply_status(id, StatusLevel::Warning, text);
        }
    }

    /// Whether this instance was refused.
    pub(crate) fn is_refused(&self, identity: &Identity, sid: &Sid) -> bool {
        self.refused.get(identity) == Some(sid)
    }
}
