//! The way out for the events of one room, and the answer to "is this the old connection or a new one?".

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::wear::Wear;
use crate::room::{DisconnectReason, Participant, RoomEvent, Sid};

/// How long after the library's `reconnected` the room's word about our own SID is waited for. In a resumed connection it
/// comes before `reconnected`; in a new one within milliseconds, or with the next change of the room.
pub(in crate::room) const SID_LIMIT: Duration = Duration::from_millis(300);

/// Sends events on, in order.
///
/// The library has no flag that tells a resumed connection from a new one (livekit-ffi.md section 6); the own SID
/// decides. But the room may name the new SID only after `reconnected`, so where nothing proves that the connection is
/// the old one, that event waits for the next word about us. Without any word the connection counts as new: streams taken
/// for void are opened again, streams wrongly kept would be dead for ever.
///
/// What happens after `reconnecting` belongs to the connection that comes next, so it is held back and follows the report
/// of that connection: whoever takes such a report as the end of all streams must not have opened new ones yet.
pub(in crate::room) struct Outbox {
    /// `None` once no further event may follow.
    sender: Option<mpsc::UnboundedSender<RoomEvent>>,
    /// The own SID of the last connection that was reported.
    sid: Sid,
    /// A new connection was reported before its SID was known.
    sid_due: bool,
    /// Between the library's `reconnecting` and `reconnected`.
    under_way: bool,
    /// Since `reconnecting`: the room has repeated what it knows about us.
    confirmed: bool,
    /// The connections there at `reconnecting` that have not been taken back since. A new connection of ours takes all of
    /// them back first; then it announces those that are there, mostly the same ones under the same SIDs.
    company: Vec<Sid>,
    /// Whether anybody was there at `reconnecting`.
    had_company: bool,
    /// `reconnected` came and waits for a word about us, at most for [`SID_LIMIT`].
    waiting: bool,
    /// What the connection has kept.
    wear: Arc<Wear>,
    /// What follows the report of the reconnection. The library reconnects or gives up within some 16 s.
    held: Option<Vec<RoomEvent>>,
}

/// What [`Outbox::reconnected`] came to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::room) enum Verdict {
    /// Reported; the flag says whether the connection is a new one.
    Reported(bool),
    /// Not certain: call [`Outbox::release`] after [`SID_LIMIT`].
    Waiting,
}

impl Outbox {
    pub(in crate::room) fn new(sender: mpsc::UnboundedSender<RoomEvent>, sid: Sid, wear: Arc<Wear>) -> Self {
        Self {
            sender: Some(sender),
            sid,
            sid_due: false,
            under_way: false,
            confirmed: false,
            company: Vec::new(),
            had_company: false,
            waiting: false,
            wear,
            held: None,
        }
    }

    pub(in crate::room) fn emit(&mut self, event: RoomEvent) {
        if let Some(held) = &mut self.held {
            held.push(event);
        } else if let Some(sender) = &self.sender {
            // An error means that nobody listens: then the event has no use either.
            let _ = sender.send(event);
        }
    }

    /// The last event. Later ones go nowhere.
    pub(in crate::room) fn end(&mut self, reason: DisconnectReason) {
        self.release();
        self.flush(None);
        self.emit(RoomEvent::Disconnected { reason });
        self.sender = None;
    }

    /// Ends the events without a last one.
    pub(in crate::room) fn close(&mut self) {
        self.sender = None;
        self.held = None;
    }

    /// The library has lost its link. Answers whether that made a waiting reconnection be reported as a full one.
    pub(in crate::room) fn reconnecting(&mut self, company: Vec<Sid>) -> bool {
        // One that follows on the heels of another is a reconnection of its own.
        let full = self.release();
        (self.under_way, self.confirmed, self.had_company, self.company) = (true, false, !company.is_empty(), company);
        // Lost again before it came back: what was held is still to be said after the next report.
        let held = self.held.take();
        self.emit(RoomEvent::Reconnecting);
        self.held = Some(held.unwrap_or_default());
        full
    }

    /// Between the library's `reconnecting` and `reconnected`.
    pub(in crate::room) fn is_reconnecting(&self) -> bool {
        self.under_way
    }

    /// The room has taken somebody's connection back.
    pub(in crate::room) fn left(&mut self, sid: &Sid) {
        self.company.retain(|known| known != sid);
    }

    /// The library has its link back.
    pub(in crate::room) fn reconnected(&mut self, sid: &Sid, remote: &[Participant]) -> Verdict {
        let company = std::mem::take(&mut self.company);
        let stayed = remote.iter().any(|participant| company.contains(&participant.sid));
        (self.under_way, self.waiting) = (false, true);
        self.held.get_or_insert_default();
        if *sid != self.sid || self.confirmed || stayed {
            return Verdict::Reported(self.report(sid));
        }
        // A resumed connection would have told us about those who were there, and about us.
        if self.had_company {
            return Verdict::Reported(self.release());
        }
        Verdict::Waiting
    }

    /// The room has repeated what it knows about us. Answers whether that reveals a new connection.
    pub(in crate::room) fn own_update(&mut self, sid: &Sid) -> bool {
        self.confirmed = true;
        if self.waiting {
            return self.report(sid);
        }
        // While it reconnects, `reconnected` is still to come. At any other time another SID means a new connection,
        // whatever the library says or does not say about it.
        if self.under_way || *sid == self.sid {
            return false;
        }
        if std::mem::take(&mut self.sid_due) {
            self.sid = sid.clone();
            return false;
        }
        self.report(sid)
    }

    /// Ends the wait for a word about us, if there is one. Answers whether a full reconnection was reported.
    pub(in crate::room) fn release(&mut self) -> bool {
        if !std::mem::take(&mut self.waiting) {
            return false;
        }
        self.sid_due = true;
        self.flush(Some(true));
        true
    }

    /// Reports the connection with this SID. Answers whether it is a new one.
    fn report(&mut self, sid: &Sid) -> bool {
        let full = self.sid != *sid;
        self.sid = sid.clone();
        (self.sid_due, self.waiting) = (false, false);
        self.flush(Some(full));
        full
    }

    /// Sends what was held, after the report of a connection if there is one.
    fn flush(&mut self, connection: Option<bool>) {
        let mut held = self.held.take().unwrap_or_default();
        if let Some(full) = connection {
            if full {
                drop_returns(&mut held);
                self.wear.renewed();
            } else {
                self.wear.resumed();
            }
            self.emit(RoomEvent::Reconnected { full });
        }
        for event in held {
            self.emit(event);
        }
    }
}

/// A new connection of ours takes everybody back and announces those who are there again, under their old SIDs. Nobody
/// left; and whoever takes the report as a new beginning has begun with these connections already, which the taking back
/// would end.
fn drop_returns(held: &mut Vec<RoomEvent>) {
    let mut announced = Vec::new();
    let mut kept: Vec<RoomEvent> = Vec::with_capacity(held.len());
    for event in held.drain(..).rev() {
        match &event {
            RoomEvent::ParticipantConnected(participant) => announced.push(participant.sid.clone()),
            RoomEvent::ParticipantDisconnected { sid, .. } if announced.contains(sid) => continue,
            _ => {}
        }
        kept.push(event);
    }
    kept.reverse();
    *held = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::ParticipantKind;

    fn outbox() -> (Outbox, mpsc::UnboundedReceiver<RoomEvent>) {
        let (tx, rx) = mpsc::unbounded_channel();
        (Outbox::new(tx, "old".into(), Arc::default()), rx)
    }

    fn names(rx: &mut mpsc::UnboundedReceiver<RoomEvent>) -> Vec<&'static str> {
        std::iter::from_fn(|| rx.try_recv().ok())
            .map(|event| match event {
                RoomEvent::Reconnecting => "reconnecting",
                RoomEvent::Reconnected { full: true } => "full",
                RoomEvent::Reconnected { full: false } => "resumed",
                RoomEvent::Disconnected { .. } => "disconnected",
                RoomEvent::DataTrackUnpublished { .. } => "other",
                _ => "unexpected",
            })
            .collect()
    }

    fn other() -> RoomEvent {
        RoomEvent::DataTrackUnpublished { sid: "t".into() }
    }

    fn somebody(sid: &str) -> Participant {
        Participant {
            identity: "x".into(),
            sid: sid.into(),
            name: String::new(),
            kind: ParticipantKind::Standard,
            joined_at_ms: 0,
            attributes: Default::default(),
            active: true,
        }
    }

    #[test]
    fn a_changed_sid_is_a_full_reconnect() {
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec![]);
        assert!(!outbox.own_update(&"new".into()));
        assert_eq!(outbox.reconnected(&"new".into(), &[]), Verdict::Reported(true));
        assert_eq!(names(&mut rx), ["reconnecting", "full"]);
    }

    #[test]
    fn without_proof_the_next_word_about_us_decides() {
        for (sid, report) in [("new", "full"), ("old", "resumed")] {
            let (mut outbox, mut rx) = outbox();
            outbox.reconnecting(vec![]);
            assert_eq!(outbox.reconnected(&"old".into(), &[somebody("new here")]), Verdict::Waiting);
            outbox.emit(other());
            assert_eq!(names(&mut rx), ["reconnecting"]);
            assert_eq!(outbox.own_update(&sid.into()), sid == "new");
            assert_eq!(names(&mut rx), [report, "other"]);
        }
    }

    #[test]
    fn what_belongs_to_the_next_connection_follows_its_report() {
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec![]);
        outbox.emit(other());
        assert!(!outbox.own_update(&"new".into()));
        outbox.reconnecting(vec![]);
        outbox.emit(other());
        assert_eq!(names(&mut rx), ["reconnecting", "reconnecting"]);
        assert_eq!(outbox.reconnected(&"new".into(), &[]), Verdict::Reported(true));
        assert_eq!(names(&mut rx), ["full", "other", "other"]);
    }

    #[test]
    fn company_that_vanished_without_a_word_means_a_new_connection() {
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec!["x".into()]);
        assert_eq!(outbox.reconnected(&"old".into(), &[somebody("y")]), Verdict::Reported(true));
        assert_eq!(names(&mut rx), ["reconnecting", "full"]);
    }

    #[test]
    fn who_is_announced_again_under_the_same_sid_has_not_left() {
        let (mut outbox, mut rx) = outbox();
        let left = |sid: &str| RoomEvent::ParticipantDisconnected { identity: sid.into(), sid: sid.into() };
        outbox.reconnecting(vec!["stays".into(), "goes".into()]);
        for sid in ["stays", "goes"] {
            outbox.left(&sid.into());
            outbox.emit(left(sid));
        }
        outbox.emit(RoomEvent::ParticipantConnected(somebody("stays")));
        assert_eq!(outbox.reconnected(&"old".into(), &[somebody("stays")]), Verdict::Reported(true));
        let mut seen = Vec::new();
        while let Ok(event) = rx.try_recv() {
            match event {
                RoomEvent::ParticipantDisconnected { sid, .. } => seen.push(format!("- {sid}")),
                RoomEvent::ParticipantConnected(participant) => seen.push(format!("+ {}", participant.sid)),
                RoomEvent::Reconnected { full } => seen.push(format!("full {full}")),
                _ => {}
            }
        }
        assert_eq!(seen, ["full true", "- goes", "+ stays"]);
    }

    #[test]
    fn a_reconnection_that_fails_ends_the_room() {
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec![]);
        outbox.emit(other());
        outbox.end(DisconnectReason::ConnectionLost);
        assert_eq!(names(&mut rx), ["reconnecting", "other", "disconnected"]);
    }

    #[test]
    fn company_that_stayed_proves_a_resume() {
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec!["x".into()]);
        assert_eq!(outbox.reconnected(&"old".into(), &[somebody("x")]), Verdict::Reported(false));
        assert_eq!(names(&mut rx), ["reconnecting", "resumed"]);
    }

    #[test]
    fn company_that_was_taken_back_and_announced_again_proves_nothing() {
        // Measured on a link that was silent for 30 s: the viewers had never left, so their SIDs are the same.
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec!["x".into(), "y".into()]);
        outbox.left(&"x".into());
        outbox.left(&"y".into());
        assert_eq!(outbox.reconnected(&"old".into(), &[somebody("x"), somebody("y")]), Verdict::Reported(true));
        assert!(!outbox.own_update(&"new".into()), "the same connection is not reported twice");
        assert_eq!(names(&mut rx), ["reconnecting", "full"]);
        // One who leaves for good while another stays is no sign.
        outbox.reconnecting(vec!["x".into(), "y".into()]);
        outbox.left(&"x".into());
        assert_eq!(outbox.reconnected(&"new".into(), &[somebody("y")]), Verdict::Reported(false));
        assert_eq!(names(&mut rx), ["reconnecting", "resumed"]);
    }

    #[test]
    fn resumptions_wear_a_connection_until_the_next_new_one() {
        let (mut outbox, _rx) = outbox();
        let resume = |outbox: &mut Outbox, sid: &str| {
            outbox.reconnecting(vec![]);
            outbox.own_update(&sid.into());
            outbox.reconnected(&sid.into(), &[]);
        };
        (0..50).for_each(|_| resume(&mut outbox, "old"));
        assert!(outbox.wear.take_reason(false).is_some_and(|why| why.contains("50 times")));
        (0..49).for_each(|_| resume(&mut outbox, "old"));
        resume(&mut outbox, "new");
        resume(&mut outbox, "new");
        assert_eq!(outbox.wear.take_reason(false), None);
    }

    #[test]
    fn without_any_word_the_connection_counts_as_new() {
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec![]);
        assert_eq!(outbox.reconnected(&"old".into(), &[]), Verdict::Waiting);
        assert!(outbox.release());
        assert!(!outbox.release());
        assert_eq!(names(&mut rx), ["reconnecting", "full"]);
        // The word comes at last and says nothing new, then or later.
        assert!(!outbox.own_update(&"new".into()));
        assert!(!outbox.own_update(&"new".into()));
        assert_eq!(names(&mut rx), [""; 0]);
    }

    #[test]
    fn waiting_ends_with_the_room() {
        let (mut outbox, mut rx) = outbox();
        outbox.reconnecting(vec![]);
        assert_eq!(outbox.reconnected(&"old".into(), &[]), Verdict::Waiting);
        outbox.emit(other());
        outbox.end(DisconnectReason::Other);
        outbox.emit(other());
        assert_eq!(names(&mut rx), ["reconnecting", "full", "other", "disconnected"]);
    }

    #[test]
    fn another_sid_out_of_the_blue_is_a_full_reconnect() {
        let (mut outbox, mut rx) = outbox();
        assert!(!outbox.own_update(&"old".into()));
        assert!(outbox.own_update(&"new".into()));
        assert!(!outbox.own_update(&"new".into()));
        assert_eq!(names(&mut rx), ["full"]);
    }
}
