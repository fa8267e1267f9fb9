//! Ping, pong and round trips (P-93, P-94, P-138, S-255 to S-258).

use crate::protocol::ToViewer;
use crate::session::RttStats;

use super::{ClientId, Core, Now};

/// Smoothing factor of the moving average (P-94).
const ALPHA: f64 = 0.3;
/// Round trips above this are a lie or a stopped process (S-258).
const MAX_RTT_MS: u64 = 60_000;
/// How many device times of pongs are remembered per viewer, to recognise acks of pongs never sent.
const PONGS: usize = 16;

/// Mean and deviation of round trips: the first sample is kept out, the second starts the mean (S-257).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct RttTracker {
    samples: u64,
    latest: f64,
    mean: f64,
    variance: f64,
}

impl RttTracker {
    pub(crate) fn add(&mut self, sample_ms: f64) {
        self.samples = self.samples.saturating_add(1);
        self.latest = sample_ms;
        match self.samples {
            1 => {}
            2 => (self.mean, self.variance) = (sample_ms, 0.0),
            _ => {
                let d = sample_ms - self.mean;
                self.mean += ALPHA * d;
                self.variance = (1.0 - ALPHA) * (self.variance + ALPHA * d * d);
            }
        }
    }

    /// The figures, once there is a mean.
    pub(crate) fn stats(&self) -> Option<RttStats> {
        let stats = RttStats { latest: self.latest, mean: self.mean, deviation: self.variance.sqrt() };
        (self.samples > 1).then_some(stats)
    }
}

/// The device times of the last pongs of one viewer, and its round trips.
#[derive(Debug, Clone, Default)]
pub(crate) struct PongLog {
    sent: [u64; PONGS],
    next: usize,
    pub(super) rtt: RttTracker,
}

impl PongLog {
    fn sent(&mut self, device_ms: u64) {
        self.sent[self.next % PONGS] = device_ms;
        self.next = self.next.wrapping_add(1);
    }
}

impl Core {
    pub(super) fn ping(&mut self, id: ClientId, app_timestamp: [u8; 8], now: Now) {
        let device_timestamp_ms = now.unix_ns / 1_000_000;
        if let Some(registration) = self.clients.get_mut(&id) {
            registration.pongs.sent(device_timestamp_ms);
        }
        self.send(id, &ToViewer::Pong { app_timestamp, device_timestamp_ms });
    }

    pub(super) fn ping_ack(&mut self, id: ClientId, device_timestamp_ms: u64, now: Now) {
        let Some(registration) = self.clients.get_mut(&id) else { return };
        // Only times this viewer was sent count: it cannot make up a round trip (S-258).
        if device_timestamp_ms == 0 || !registration.pongs.sent.contains(&device_timestamp_ms) {
            return;
        }
        let Some(rtt) = (now.unix_ns / 1_000_000).checked_sub(device_timestamp_ms) else { return };
        if rtt <= MAX_RTT_MS {
            registration.pongs.rtt.add(rtt as f64);
            self.rtt.add(rtt as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RttTracker;

    #[test]
    fn s_257_ten_samples_of_100_then_500_give_a_mean_of_220() {
        let mut rtt = RttTracker::default();
        for _ in 0..10 {
            rtt.add(100.0);
        }
        rtt.add(500.0);
        let stats = rtt.stats().unwrap();
        assert_eq!((stats.mean, stats.latest), (220.0, 500.0));
    }

    #[test]
    fn s_257_the_first_sample_is_not_in_the_mean() {
        let mut rtt = RttTracker::default();
        rtt.add(1000.0);
        assert_eq!(rtt.stats(), None);
        rtt.add(10.0);
        let stats = rtt.stats().unwrap();
        assert_eq!((stats.mean, stats.deviation), (10.0, 0.0));
    }
}
