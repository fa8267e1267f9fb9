//! Counters of what came, per channel and in all.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::event::Via;

/// What came on one channel since the viewer joined or [`Viewer::reset_stats`](crate::Viewer::reset_stats), whether anybody
/// took the messages or not. It outlives sessions: channel ids stay the same for the life of the robot's process (P-28).
#[derive(Debug, Clone, Default)]
pub struct ChannelStats {
    /// Messages received, both paths.
    pub received: u64,
    /// Of these, messages that came on the data track.
    pub received_on_track: u64,
    /// Message bytes received.
    pub bytes: u64,
    /// Frames that were sent and never came: gaps of the sequence (P-155) less what came late.
    pub lost: u64,
    /// Frames that came twice. They are counted here only.
    pub duplicates: u64,
    /// Frames that came after a later one. They are counted in `received` as well.
    pub reordered: u64,
    /// Frames of the data track that could not be read (P-153).
    pub malformed: u64,
    /// Frames dropped in this process because the viewer was slower than the track. They show in `lost` too.
    pub overrun: u64,
    /// Times the data track was attached.
    pub attached: u64,
    /// Receive time less log time, by the wall clock.
    pub latency: Latency,
}

impl ChannelStats {
    pub(crate) fn message(&mut self, bytes: usize, log_time: u64, receive_time: u64, via: Via) {
        self.received += 1;
        self.received_on_track += u64::from(matches!(via, Via::Track { .. }));
        self.bytes += bytes as u64;
        if log_time != 0 {
            self.latency.record(log_time, receive_time);
        }
    }

    /// Counts a frame by its sequence number; false if it came before.
    pub(crate) fn sequence(&mut self, observed: Observed) -> bool {
        match observed {
            Observed::Next => {}
            Observed::After { missing } => self.lost += u64::from(missing),
            Observed::Late => {
                self.reordered += 1;
                self.lost = self.lost.saturating_sub(1);
            }
            Observed::Stale => self.reordered += 1,
            Observed::Duplicate => {
                self.duplicates += 1;
                return false;
            }
        }
        true
    }

    /// Lost frames as a share of those sent on the track, 0 to 1; 0 if there were none.
    pub fn loss(&self) -> f64 {
        let sent = self.received_on_track + self.lost;
        if sent == 0 {
            return 0.0;
        }
        self.lost as f64 / sent as f64
    }
}

/// Counters of the viewer as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Control streams the robot opened to this viewer.
    pub streams: u64,
    /// `serverInfo` messages received: sessions (P-27, P-112).
    pub server_infos: u64,
    /// Bytes of control streams received.
    pub control_bytes: u64,
    /// Frames of control streams received.
    pub control_frames: u64,
    /// Control messages that broke a rule, malformed ones included.
    pub problems: u64,
    /// Channel messages for ids that are not advertised. They are thrown away.
    pub unknown_channel: u64,
    /// Messages dropped because nobody took them in time.
    pub messages_dropped: u64,
    /// Events dropped because nobody took them in time.
    pub events_dropped: u64,
}

/// Distribution of one-way latencies: microseconds to one hour, 1 % wide. Empty ones take no memory.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    histogram: Option<Box<Histogram<u32>>>,
    negative: u64,
}

const MAX_MICROS: u64 = 3_600_000_000;

impl Latency {
    /// Records one latency, both times in ns since the Unix epoch.
    pub fn record(&mut self, from: u64, to: u64) {
        self.negative += u64::from(to < from);
        let micros = to.saturating_sub(from) / 1_000;
        self.histogram().saturating_record(micros);
    }

    fn histogram(&mut self) -> &mut Histogram<u32> {
        self.histogram.get_or_insert_with(|| {
            Box::new(Histogram::new_with_bounds(1, MAX_MICROS, 2).expect("constant bounds that hdrhistogram accepts"))
        })
    }

    /// Latencies recorded.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |h| h.len())
    }

    /// Of these, negative ones: the two clocks disagree. They are recorded as 0.
    pub fn negative(&self) -> u64 {
        self.negative
    }

    /// The latency that `share` (0 to 1) of the messages met; `None` if nothing was recorded.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let histogram = self.histogram.as_ref().filter(|h| !h.is_empty())?;
        Some(Duration::from_micros(histogram.value_at_quantile(share.clamp(0.0, 1.0))))
    }

    /// The mean; `None` if nothing was recorded.
    pub fn mean(&self) -> Option<Duration> {
        let histogram = self.histogram.as_ref().filter(|h| !h.is_empty())?;
        Some(Duration::from_secs_f64(histogram.mean() / 1e6))
    }

    /// Adds what another one recorded.
    pub fn merge(&mut self, other: &Self) {
        self.negative += other.negative;
        if let Some(other) = &other.histogram {
            self.histogram().add(other.as_ref()).expect("all histograms have the same bounds");
        }
    }
}

/// Finds gaps, duplicates and late frames in the sequence numbers of one subscription of one published track (P-155).
///
/// It remembers the last [`WINDOW`] numbers, and starts with the first frame that comes.
#[derive(Debug)]
pub(crate) struct SequenceTracker {
    next: Option<u32>,
    /// How many numbers before `next` are known to be seen or missed.
    known: u32,
    /// Bit `n % WINDOW`: number `n` was seen. `WINDOW` divides 2^32, so wrapping changes nothing.
    seen: [u64; (WINDOW / 64) as usize],
}

const WINDOW: u32 = 1024;

/// What a sequence number says about its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Observed {
    /// The one expected.
    Next,
    /// Later than expected: `missing` frames are lost, or come late.
    After { missing: u32 },
    /// One of those that were missing.
    Late,
    /// Older than can be judged.
    Stale,
    /// Seen before.
    Duplicate,
}

impl Default for SequenceTracker {
    fn default() -> Self {
        Self { next: None, known: 0, seen: [0; (WINDOW / 64) as usize] }
    }
}

impl SequenceTracker {
    pub(crate) fn observe(&mut self, sequence: u32) -> Observed {
        let Some(next) = self.next else {
            self.advance(sequence, 0);
            return Observed::Next;
        };
        let ahead = sequence.wrapping_sub(next);
        if ahead < u32::MAX / 2 {
            self.advance(sequence, ahead);
            return if ahead == 0 { Observed::Next } else { Observed::After { missing: ahead } };
        }
        let behind = next.wrapping_sub(sequence);
        if behind > self.known {
            return Observed::Stale;
        }
        let (word, bit) = Self::place(sequence);
        if self.seen[word] & bit != 0 {
            return Observed::Duplicate;
        }
        self.seen[word] |= bit;
        Observed::Late
    }

    fn advance(&mut self, sequence: u32, missing: u32) {
        for n in 1..=missing.min(WINDOW) {
            let (word, bit) = Self::place(sequence.wrapping_sub(n));
            self.seen[word] &= !bit;
        }
        let (word, bit) = Self::place(sequence);
        self.seen[word] |= bit;
        self.known = self.known.saturating_add(missing).saturating_add(1).min(WINDOW);
        self.next = Some(sequence.wrapping_add(1));
    }

    fn place(sequence: u32) -> (usize, u64) {
        let n = sequence % WINDOW;
        ((n / 64) as usize, 1 << (n % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(sequences: impl IntoIterator<Item = u32>) -> ChannelStats {
        let (mut tracker, mut stats) = (SequenceTracker::default(), ChannelStats::default());
        for sequence in sequences {
            let observed = tracker.observe(sequence);
            if stats.sequence(observed) {
                stats.message(10, 0, 0, Via::Track { sequence });
            }
        }
        stats
    }

    fn summary(stats: &ChannelStats) -> (u64, u64, u64, u64) {
        (stats.received, stats.lost, stats.duplicates, stats.reordered)
    }

    #[test]
    fn p_155_a_gap_is_a_loss() {
        assert_eq!(summary(&count([0, 1, 4, 5])), (4, 2, 0, 0));
        assert_eq!(count([0, 1, 4, 5]).loss(), 2.0 / 6.0);
    }

    #[test]
    fn p_155_the_first_frame_seen_need_not_be_number_zero() {
        assert_eq!(summary(&count([900, 901])), (2, 0, 0, 0));
        // Sent before the viewer was attached: nothing is known of its neighbours.
        assert_eq!(summary(&count([900, 901, 899])), (3, 0, 0, 1));
    }

    #[test]
    fn p_155_the_sequence_wraps() {
        assert_eq!(summary(&count([u32::MAX - 1, u32::MAX, 0, 1])), (4, 0, 0, 0));
        assert_eq!(summary(&count([u32::MAX - 1, 1, 0, u32::MAX, 0])), (4, 0, 1, 2));
    }

    #[test]
    fn a_late_frame_is_not_lost_and_a_second_one_is_a_duplicate() {
        assert_eq!(summary(&count([0, 2, 1, 1, 3])), (4, 0, 1, 1));
        assert_eq!(summary(&count((0..2000).chain([1999, 1500]))), (2000, 0, 2, 0));
        assert_eq!(summary(&count((0..2000).chain([900]))), (2001, 0, 0, 1));
    }

    #[test]
    fn a_jump_clears_the_window() {
        assert_eq!(summary(&count([0, 5000, 4500, 4500])), (3, 4998, 1, 1));
        assert_eq!(summary(&count([5, 1029, 1028, 1028])), (3, 1022, 1, 1));
    }

    #[test]
    fn latencies_are_recorded_clamped_and_merged() {
        let mut latency = Latency::default();
        assert_eq!((latency.count(), latency.quantile(0.5), latency.mean()), (0, None, None));
        for ms in 1..=100_u64 {
            latency.record(1_000_000_000, 1_000_000_000 + ms * 1_000_000);
        }
        let p50 = latency.quantile(0.5).unwrap().as_micros();
        assert!((50_000..=50_500).contains(&p50), "{p50}");
        let mut other = Latency::default();
        other.record(5, 4);
        other.record(1, u64::MAX);
        latency.merge(&other);
        latency.merge(&Latency::default());
        assert_eq!((latency.count(), latency.negative()), (102, 1));
        let max = latency.quantile(1.0).unwrap().as_secs_f64();
        assert!((3_600.0..3_640.0).contains(&max), "{max}");
        assert_eq!(latency.quantile(0.0), Some(Duration::ZERO));
    }
}
