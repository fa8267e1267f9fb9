//! Notices a link that has died without a word, before or where the library does not (docs/reliability.md has the times).
//!
//! The library itself notices a signal connection that answers no more (10 to 15 s) and a path that answers no checks
//! (about 16 s), and then reconnects. What it does not notice is a path that answers its checks while data is lost: after
//! the robot's address has changed the server goes on sending to the old one. Statistics show that at once: what we send
//! is not acknowledged. Then the library is made to resume, which finds a new path and keeps all streams.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use crate::room::{DisconnectReason, RoomError, Scenario};

/// How often a room that sends is looked at. Asking takes the library about a millisecond.
const EVERY: Duration = Duration::from_secs(1);
/// How often one that sends nothing is looked at, in looks at one that does.
const IDLE_LOOKS: u32 = 4;
/// An answer of the path so long after the first unacknowledged message is no late one: the path lives. (Checks go out every
/// 2.5 s, on a new path more often; what is sent is acknowledged within a round trip and 0.2 s.)
const ANSWERING: Duration = Duration::from_millis(1500);
/// How long a path that lives may leave data unacknowledged. When a link that was away is back, its retransmission timer may
/// take a while longer than its checks.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);
/// Neither data nor answers for so long, and not a word from the library, which needs up to 16 s where the signal connection
/// lives.
const SILENT: Duration = Duration::from_secs(12);
/// How long a resumption that we asked for may take to show. Then a new join is quicker: a server that was stopped for 20 s
/// while data was under way kept the library busy for 36 s more (measured, half of the times). The path is alive then, but
/// no write ends, and the library does not say that it reconnects.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ten attempts of the library on a link that swallows everything take 110 s; after this it has forgotten us.
const RECONNECTING: Duration = Duration::from_secs(180);

/// The counters of one look; all only grow while a connection lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::room) struct Counters {
    /// Messages given to the data channels.
    pub(in crate::room) sent: u64,
    /// Bytes received: acknowledgements, and data of others.
    pub(in crate::room) received: u64,
    /// Answers to checks of the paths.
    pub(in crate::room) answers: u64,
}

/// A room that can be watched.
pub(in crate::room) trait Watched: Send + Sync + 'static {
    fn core(&self) -> &Core;
    /// Reads the library's statistics, over both directions. `None`: it did not answer.
    fn look(&self) -> impl Future<Output = Option<Counters>> + Send;
    /// Makes the library behave as if this had happened to its connection.
    fn simulate(&self, scenario: Scenario) -> impl Future<Output = Result<(), RoomError>> + Send;
    /// Gives the room up.
    fn end(&self, reason: DisconnectReason);
}

/// What to do about what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// Make the library resume its connection; the text says why.
    Resume(&'static str),
    /// The room is lost; the text says why.
    Lost(&'static str),
}

/// Judges the looks at one room. No clock of its own: times count from some fixed moment.
#[derive(Default)]
struct Judge {
    last: Option<Counters>,
    /// When something was sent that nothing received has followed.
    unacknowledged: Option<Duration>,
    /// When the path answered all the same.
    answered: Option<Duration>,
    /// When anything came in.
    heard: Duration,
    asked: Option<Asked>,
    reconnecting: Option<Duration>,
    writes: Writes,
}

/// Writes on streams: how many have begun, and ended.
#[derive(Debug, Clone, Copy, Default)]
struct Writes {
    begun: u64,
    ended: u64,
}

/// The library was asked to resume, or should have begun to.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Duration,
    /// Writes that had ended.
    ended: u64,
}

impl Judge {
    /// The library is reconnecting: it is in charge, as long as it can be believed.
    fn reconnecting(&mut self, now: Duration) -> Verdict {
        let since = *self.reconnecting.get_or_insert(now);
        if now - since >= RECONNECTING {
            return Verdict::Lost("the library has been reconnecting for too long");
        }
        Verdict::Fine
    }

    /// The library has not answered. That says nothing about the link, but it is no news from the other side either.
    fn unseen(&mut self, now: Duration) -> Verdict {
        if self.last.is_some() && self.asked.is_none() && now - self.heard >= SILENT {
            // It is busy with its connection already, or it cannot be asked to be.
            self.asked = Some(Asked { at: now, ended: self.writes.ended });
        }
        self.patience(now)
    }

    fn is_waiting(&self) -> bool {
        self.writes.begun > self.writes.ended
    }

    /// No write has ended since the library was asked.
    fn is_stuck(&self) -> bool {
        self.is_waiting() && self.asked.is_some_and(|asked| asked.ended == self.writes.ended)
    }

    fn patience(&self, now: Duration) -> Verdict {
        match self.asked {
            Some(asked) if now - asked.at >= PATIENCE => Verdict::Lost("a resumption has not helped"),
            _ => Verdict::Fine,
        }
    }

    fn seen(&mut self, counters: Counters, now: Duration) -> Verdict {
        if self.reconnecting.take().is_some() {
            *self = Self::default();
        }
        let Some(last) = self.last.replace(counters) else {
            self.heard = now;
            return Verdict::Fine;
        };
        // Counters fall when a path or a connection is given up, which is no news from the other side.
        if counters.answers > last.answers {
            self.heard = now;
            if self.unacknowledged.is_some_and(|since| now - since >= ANSWERING) {
                self.answered.get_or_insert(now);
            }
        }
        if counters.received > last.received {
            self.heard = now;
            (self.unacknowledged, self.answered) = (None, None);
            // What comes in means nothing where nothing goes out.
            if !self.is_stuck() {
                self.asked = None;
            }
        } else if counters.sent != last.sent || self.is_waiting() {
            self.unacknowledged.get_or_insert(now);
        }
        let deaf = self.answered.is_some_and(|since| now - since >= UNACKNOWLEDGED);
        let silent = now - self.heard >= SILENT;
        match (deaf || silent, self.asked) {
            (_, Some(_)) if self.is_stuck() => self.patience(now),
            (false, _) => Verdict::Fine,
            (true, None) => {
                self.asked = Some(Asked { at: now, ended: self.writes.ended });
                Verdict::Resume(if deaf {
                    "the path answers, but nothing that is sent is acknowledged"
                } else {
                    "nothing comes in any more"
                })
            }
            (true, Some(_)) => self.patience(now),
        }
    }
}

/// Starts watching a room, until it is left or lost.
pub(in crate::room) fn start<R: Watched>(room: &Arc<R>) {
    room.core().runtime.spawn(watch(Arc::downgrade(room)));
}

async fn watch<R: Watched>(room: Weak<R>) {
    let (mut judge, started) = (Judge::default(), Instant::now());
    let (mut activity, mut idle) = (0, 0);
    loop {
        // Closer looks while something is open.
        tokio::time::sleep(if judge.unacknowledged.is_some() { EVERY / 2 } else { EVERY }).await;
        let Some(room) = room.upgrade() else { return };
        if room.core().check_open().is_err() {
            return;
        }
        let verdict = if room.core().outbox.lock().is_reconnecting() {
            judge.reconnecting(started.elapsed())
        } else if let Some(why) = room.core().worn() {
            tracing::warn!(target: "telelink::livekit", "the connection is made anew: {why}");
            if let Err(error) = room.simulate(Scenario::FullReconnect).await {
                tracing::warn!(target: "telelink::livekit", %error, "the connection cannot be made anew");
            }
            continue;
        } else {
            // The ended ones first: none of them can be missing among the begun.
            let ended = room.core().writes_ended.load(Ordering::Relaxed);
            judge.writes = Writes { begun: room.core().writes.load(Ordering::Relaxed), ended };
            let sent = judge.writes.begun + room.core().pacer.stats().pushed;
            let waiting = judge.unacknowledged.is_some() || judge.asked.is_some();
            idle = if sent == activity && !waiting { idle + 1 } else { 0 };
            activity = sent;
            if idle % IDLE_LOOKS != 0 {
                continue;
            }
            let looked = room.look().await;
            tracing::trace!(target: "telelink::livekit", ?looked, "a look at the link");
            match looked {
                Some(counters) => judge.seen(counters, started.elapsed()),
                None => judge.unseen(started.elapsed()),
            }
        };
        match verdict {
            Verdict::Fine => {}
            Verdict::Resume(why) => {
                tracing::warn!(target: "telelink::livekit", "the link is silent: {why}; resuming the connection");
                if let Err(error) = room.simulate(Scenario::SignalReconnect).await {
                    tracing::warn!(target: "telelink::livekit", %error, "the connection cannot be resumed");
                }
            }
            Verdict::Lost(why) => {
                tracing::warn!(target: "telelink::livekit", "the link is silent: {why}; the room is given up");
                room.end(DisconnectReason::ConnectionLost);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at a link every second; `look` makes the counters of the second. The first verdict that is not fine.
    fn first(seconds: u64, look: impl Fn(u64) -> Counters) -> Option<(u64, Verdict)> {
        let mut judge = Judge::default();
        (0..seconds)
            .map(|second| (second, judge.seen(look(second), Duration::from_secs(second))))
            .find(|(_, verdict)| *verdict != Verdict::Fine)
    }

    fn resume(verdict: Option<(u64, Verdict)>) -> Option<u64> {
        verdict.map(|(second, verdict)| {
            assert!(matches!(verdict, Verdict::Resume(_)), "{verdict:?}");
            second
        })
    }

    #[test]
    fn a_link_that_works_or_has_nothing_to_do_is_left_alone() {
        assert_eq!(first(600, |s| Counters { sent: s, received: s, answers: s / 3 }), None);
        // Nothing to send: the checks of the path are all there is.
        assert_eq!(first(600, |s| Counters { sent: 7, received: 9, answers: s / 3 }), None);
    }

    #[test]
    fn data_that_is_not_acknowledged_on_a_path_that_answers_is_noticed_within_seven_seconds() {
        // Measured after a change of address, from second 10 on.
        let moved = |s: u64| Counters { sent: s * 90, received: s.min(10) * 2900, answers: s / 3 };
        assert_eq!(resume(first(60, moved)), Some(17));
        // One message is enough.
        let once = |s: u64| Counters { sent: s.min(11), received: s.min(10), answers: s / 3 };
        assert_eq!(resume(first(60, once)), Some(17));
    }

    #[test]
    fn a_pause_of_a_bad_link_is_no_silence() {
        // Acknowledgements every two seconds, as the retransmission timer lets them come.
        assert_eq!(first(600, |s| Counters { sent: s, received: s / 2, answers: s / 3 }), None);
    }

    #[test]
    fn a_link_that_comes_back_may_answer_checks_before_it_acknowledges() {
        // Away for 8 s; the retransmission timer is up a second after the first check has been answered.
        let back = |s: u64| Counters {
            sent: s * 90,
            received: if (10..20).contains(&s) { 10 } else { s },
            answers: if (10..19).contains(&s) { 10 } else { s },
        };
        assert_eq!(first(60, back), None);
    }

    #[test]
    fn a_link_that_swallows_everything_is_the_librarys_business_at_first() {
        let dead = |s: u64| Counters { sent: s, received: s.min(10), answers: s.min(10) };
        assert_eq!(resume(first(60, dead)), Some(22));
        // Also when there is nothing to send.
        let idle = |s: u64| Counters { sent: 3, received: s.min(10), answers: s.min(10) };
        assert_eq!(resume(first(60, idle)), Some(22));
    }

    #[test]
    fn a_resumption_that_does_not_help_ends_the_room_and_one_that_does_is_forgotten() {
        let mut judge = Judge::default();
        let mut verdicts = Vec::new();
        for s in 0..60_u64 {
            let verdict = judge.seen(Counters { sent: s, received: 5, answers: s }, Duration::from_secs(s));
            if verdict != Verdict::Fine {
                verdicts.push((s, matches!(verdict, Verdict::Lost(_))));
            }
        }
        assert_eq!(verdicts[..2], [(5, false), (15, true)]);

        let mut judge = Judge::default();
        let mut asked = 0;
        for s in 0..200_u64 {
            // Deaf for ten seconds out of forty.
            let received = if s % 40 < 10 { s / 40 * 40 } else { s };
            let verdict = judge.seen(Counters { sent: s, received, answers: s }, Duration::from_secs(s));
            assert!(!matches!(verdict, Verdict::Lost(_)), "{s}: {verdict:?}");
            asked += u32::from(verdict != Verdict::Fine);
        }
        assert_eq!(asked, 5);
    }

    #[test]
    fn a_library_that_answers_no_more_is_not_waited_for_when_the_link_was_silent() {
        let at = Duration::from_secs;
        let mut judge = Judge::default();
        assert_eq!(judge.unseen(at(40)), Verdict::Fine, "it has never answered: nothing is known");
        judge.seen(Counters { sent: 1, received: 1, answers: 1 }, at(41));
        assert_eq!(judge.unseen(at(52)), Verdict::Fine);
        // Answers again, and falls silent for good.
        judge.seen(Counters { sent: 2, received: 2, answers: 2 }, at(60));
        let lost = (61..200).find(|&s| judge.unseen(at(s)) != Verdict::Fine);
        assert_eq!(lost, Some(60 + 12 + 10));

        // Asked to resume, it gives its connection up, which lets the counters fall, and says nothing more.
        let mut judge = Judge::default();
        let dead = |s: u64| Counters { sent: s, received: s.min(10), answers: s.min(10) };
        let asked = (0..60).find(|&s| judge.seen(dead(s), at(s)) != Verdict::Fine);
        assert_eq!(asked, Some(22));
        assert_eq!(judge.seen(Counters::default(), at(25)), Verdict::Fine);
        let lost = (26..200).find(|&s| matches!(judge.unseen(at(s)), Verdict::Lost(_)));
        assert_eq!(lost, Some(32));
    }

    /// What was measured when a server was stopped from second 10 to 30 while data was under way.
    #[test]
    fn a_path_that_lives_again_is_no_news_while_the_same_write_is_under_way() {
        let looks = |writes: fn(u64) -> Writes| {
            let mut judge = Judge::default();
            (0..120)
                .filter_map(|s| {
                    let received = if s < 30 { s.min(10) * 2900 } else { 29_390 };
                    let answers = if s < 30 { s.min(10) } else { s - 25 };
                    judge.writes = writes(s);
                    let counters = Counters { sent: s.min(12) * 400, received, answers };
                    let verdict = judge.seen(counters, Duration::from_secs(s));
                    (verdict != Verdict::Fine).then_some((s, matches!(verdict, Verdict::Lost(_))))
                })
                .take(2)
                .collect::<Vec<_>>()
        };
        let stuck = looks(|s| Writes { begun: s.min(12) * 10, ended: (s.min(12) * 10).saturating_sub(1) });
        assert_eq!(stuck, [(22, false), (32, true)]);
        let goes_on = looks(|s| Writes { begun: s * 10, ended: s * 10 - s.min(1) });
        assert_eq!(goes_on.first(), Some(&(22, false)));
        assert_ne!(goes_on.get(1), Some(&(32, true)), "writes end: the link lives");
    }

    #[test]
    fn while_the_library_reconnects_it_is_left_alone_for_three_minutes() {
        let mut judge = Judge::default();
        judge.seen(Counters { sent: 1, received: 1, answers: 1 }, Duration::ZERO);
        for s in 1..181 {
            assert_eq!(judge.reconnecting(Duration::from_secs(s)), Verdict::Fine);
        }
        assert!(matches!(judge.reconnecting(Duration::from_secs(181)), Verdict::Lost(_)));
        // Back again: a new connection counts from zero and is not judged by the old one.
        assert_eq!(judge.seen(Counters::default(), Duration::from_secs(182)), Verdict::Fine);
        assert_eq!(judge.seen(Counters { sent: 9, ..Default::default() }, Duration::from_secs(183)), Verdict::Fine);
    }
}
