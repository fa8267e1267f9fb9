//! How much time the pacer leaves between two packets, and how that adapts. No clock of its own.

use std::time::Duration;

/// The gap after one packet at first: it lost nothing with 8 tracks pushed together (livekit-ffi.md 5.3).
const START: Duration = Duration::from_micros(500);

/// Bounds of the gap. Below 0.3 ms even an idle machine loses a tenth (livekit-ffi.md 5.3); above 4 ms too little gets
/// through to be worth the care.
const MIN: Duration = Duration::from_micros(300);
const MAX: Duration = Duration::from_millis(4);

/// "Queue full" answers come in bunches and are one piece of news.
const QUEUE_FULL_EVERY: Duration = Duration::from_millis(100);

/// One measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::room) struct Window {
    /// How long it took.
    pub(in crate::room) length: Duration,
    /// How much of that no frame was there although the gap was over.
    pub(in crate::room) idle: Duration,
}

/// Adapts the gap to what is measured.
///
/// Loss widens it, but only into time that is idle anyway: with every moment taken, a wider gap would lose more frames
/// in the slots than it saves on the way, unless the loss is heavy. When there is more to send than fits, a window
/// without loss narrows it, and one with little loss takes back what it was widened.
pub(in crate::room) struct Pace {
    gap: Duration,
    meter: LossMeter,
    queue_full: Option<Duration>,
}

impl Pace {
    pub(in crate::room) fn new() -> Self {
        Self { gap: START, meter: LossMeter::default(), queue_full: None }
    }

    pub(in crate::room) fn gap(&self) -> Duration {
        self.gap
    }

    /// The transport's queue was full, `now` after some fixed moment.
    pub(in crate::room) fn queue_full(&mut self, now: Duration) {
        if self.queue_full.is_none_or(|last| now.saturating_sub(last) >= QUEUE_FULL_EVERY) {
            self.queue_full = Some(now);
            self.set(self.gap * 5 / 4);
        }
    }

    /// A measurement: packets accepted from us in all, packets sent in all, and of the time since the last one.
    pub(in crate::room) fn measured(&mut self, accepted: u64, sent: u32, window: Window) {
        /// Loss in per mille from which a wider gap may pay although every moment is taken: a quarter more gap costs a
        /// fifth of what gets through, which light loss can never give back.
        const HEAVY: u64 = 500;
        /// Loss in per mille up to which a narrower gap gets more through.
        const MODERATE: u64 = 100;
        /// Loss in per mille that is worth a reaction.
        const LIGHT: u64 = 10;
        let Some(Loss { packets, per_mille }) = self.meter.measured(accepted, sent) else { return };
        // What each of these packets could have had more, less a margin.
        let spare = window.idle.saturating_sub(window.length / 20) / u32::try_from(packets).unwrap_or(u32::MAX).max(1);
        let full = window.idle < window.length / 50;
        if per_mille > HEAVY {
            self.set(self.gap * 5 / 4);
        } else if per_mille <= MODERATE && self.gap > START && full {
            // Quickly back from where a disturbance has driven it.
            self.set((self.gap * 4 / 5).max(START));
        } else if per_mille > LIGHT {
            self.set(self.gap + spare.min(self.gap / 4));
        } else if spare <= self.gap / 4 {
            // Carefully into the unknown.
            self.set(if self.gap > START { (self.gap * 4 / 5).max(START) } else { self.gap * 19 / 20 });
        }
    }

    fn set(&mut self, gap: Duration) {
        self.gap = gap.clamp(MIN, MAX);
    }
}

/// What was lost in one window.
#[derive(Debug, PartialEq, Eq)]
struct Loss {
    packets: u64,
    per_mille: u64,
}

/// Compares what was accepted from us with what went out.
#[derive(Default)]
struct LossMeter {
    /// Packets accepted from us, and sent by the channel, at the last measurement.
    last: Option<(u64, u32)>,
    /// Packets of the last window that were accepted but not sent: they may still have been under way.
    carried: i64,
}

impl LossMeter {
    /// `None`: nothing can be said about this window.
    fn measured(&mut self, accepted: u64, sent: u32) -> Option<Loss> {
        /// Fewer packets say nothing: one under way would look like loss.
        const ENOUGH: i64 = 20;
        /// The most that can be under way: the frame in the library's hand and the one it puts into the channel.
        const UNDER_WAY: i64 = 2;
        let (last_accepted, last_sent) = self.last.replace((accepted, sent))?;
        let window = i64::try_from(accepted.saturating_sub(last_accepted)).ok()?;
        // The counter of the library has 32 bits and may wrap; one that falls belongs to a new connection.
        let went_out = i64::from(sent.wrapping_sub(last_sent).cast_signed());
        if went_out < 0 {
            self.carried = 0;
            return None;
        }
        let missing = window - went_out + self.carried;
        self.carried = missing.clamp(-UNDER_WAY, UNDER_WAY);
        if window < ENOUGH {
            return None;
        }
        let lost = (missing - self.carried).max(0);
        Some(Loss { packets: window.unsigned_abs(), per_mille: (lost * 1000 / window).unsigned_abs() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    /// What a sleep takes longer than asked, and a push.
    const OVERHEAD: Duration = Duration::from_micros(150);

    /// Seconds in which `offered` packets want to go and the library loses some per mille of those that went; answers how
    /// many went in the last one.
    fn seconds(pace: &mut Pace, count: u32, offered: u32, per_mille: u32) -> u32 {
        let (mut accepted, mut sent, mut went) = (0, 0, 0);
        pace.measured(accepted, sent, Window::default());
        for _ in 0..count {
            let each = pace.gap() + OVERHEAD;
            went = offered.min((SECOND.as_nanos() / each.as_nanos()) as u32);
            let idle = if went < offered { Duration::ZERO } else { SECOND.saturating_sub(each * went) };
            (accepted, sent) = (accepted + u64::from(went), sent + went - went * per_mille / 1000);
            pace.measured(accepted, sent, Window { length: SECOND, idle });
        }
        went
    }

    fn loss(meter: &mut LossMeter, accepted: u64, sent: u32) -> Option<u64> {
        meter.measured(accepted, sent).map(|loss| loss.per_mille)
    }

    #[test]
    fn loss_is_what_was_accepted_and_not_sent() {
        let mut meter = LossMeter::default();
        assert_eq!(loss(&mut meter, 1000, 990), None);
        assert_eq!(loss(&mut meter, 2000, 1990), Some(0));
        assert_eq!(loss(&mut meter, 3000, 2788), Some(200));
        assert_eq!(loss(&mut meter, 4000, 3790), Some(0));
    }

    #[test]
    fn a_packet_under_way_is_not_lost() {
        let mut meter = LossMeter::default();
        loss(&mut meter, 0, 0);
        assert_eq!(loss(&mut meter, 50, 49), Some(0));
        assert_eq!(loss(&mut meter, 100, 100), Some(0));
    }

    #[test]
    fn a_new_connection_starts_over_and_a_wrapped_counter_does_not() {
        let mut meter = LossMeter::default();
        loss(&mut meter, 1000, 1000);
        assert_eq!(loss(&mut meter, 1100, 10), None);
        assert_eq!(loss(&mut meter, 1200, 110), Some(0));
        let mut meter = LossMeter::default();
        loss(&mut meter, 0, u32::MAX - 10);
        assert_eq!(loss(&mut meter, 100, 89), Some(0));
    }

    #[test]
    fn a_quiet_window_decides_nothing() {
        let mut pace = Pace::new();
        pace.measured(0, 0, Window { length: SECOND, idle: SECOND });
        pace.measured(5, 0, Window { length: SECOND, idle: SECOND });
        assert_eq!(pace.gap(), START);
    }

    #[test]
    fn light_loss_widens_into_idle_time_only() {
        let mut pace = Pace::new();
        assert_eq!(seconds(&mut pace, 20, 1000, 50), 1000);
        // 1000 packets in a second leave 1 ms each, less the margin and what a push takes.
        let gap = pace.gap() + OVERHEAD;
        assert!((930..=950).contains(&gap.as_micros()), "{gap:?}");
    }

    #[test]
    fn a_wider_gap_is_taken_back_when_more_comes_although_some_is_lost() {
        let mut pace = Pace::new();
        seconds(&mut pace, 20, 500, 50);
        assert!(pace.gap() > Duration::from_micros(1500));
        assert_eq!(seconds(&mut pace, 20, 1000, 50), 1000);
    }

    #[test]
    fn light_loss_when_every_moment_is_taken_changes_nothing() {
        let mut pace = Pace::new();
        seconds(&mut pace, 20, 3000, 50);
        assert_eq!(pace.gap(), START);
    }

    #[test]
    fn heavy_loss_widens_to_the_bound_and_clean_windows_bring_it_back() {
        let mut pace = Pace::new();
        seconds(&mut pace, 20, 1000, 600);
        assert_eq!(pace.gap(), MAX);
        seconds(&mut pace, 20, 5000, 0);
        assert!(pace.gap() < START, "{:?}", pace.gap());
        assert!(pace.gap() >= MIN);
    }

    #[test]
    fn a_bunch_of_full_queues_counts_once() {
        let mut pace = Pace::new();
        for ms in 0..100 {
            pace.queue_full(Duration::from_millis(ms));
        }
        assert_eq!(pace.gap(), START * 5 / 4);
        pace.queue_full(Duration::from_millis(100));
        assert!(pace.gap() > START * 5 / 4);
    }
}
