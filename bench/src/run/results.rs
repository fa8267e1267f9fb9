//! What a run measured.

use std::collections::BTreeMap;

use serde::Serialize;

use super::process::Kind;

/// Declares `Measured` with a list of its fields, so that medians and JSON need no second list.
macro_rules! measured {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// One burst, measured at both ends. `NaN`, in JSON null: does not apply.
        #[derive(Debug, Clone, Copy, Serialize)]
        pub(crate) struct Measured {
            $($(#[$doc])* pub(crate) $field: f64,)*
        }

        impl Measured {
            /// Field by field the median.
            pub(crate) fn median(rounds: &[Self]) -> Self {
                Self { $($field: median(rounds.iter().map(|round| round.$field)),)* }
            }
        }
    };
}

measured! {
    /// Messages logged.
    logged,
    /// Of these, received by each viewer on average, percent.
    delivered_percent,
    /// The same of the worst channel of the worst viewer.
    worst_channel_percent,
    /// The same of the best channel of the best viewer.
    best_channel_percent,
    /// Gaps in the sequence numbers, each viewer on average.
    lost_seen,
    /// Of these, dropped in the receiver, because it was too slow; all viewers.
    overrun,
    /// Messages a viewer received in a second.
    messages_per_s,
    /// Message bytes a viewer received in a second.
    bytes_per_s,
    /// Processor time of the robot for one logged message, microseconds.
    cpu_us_per_message,
    /// Processor time of the robot for one message that a viewer received, microseconds.
    cpu_us_per_delivered,
    /// One-way latency, from log time to receipt, milliseconds.
    latency_p50_ms,
    /// See `latency_p50_ms`.
    latency_p99_ms,
    /// Cost of one `log` call, ns; only of paced bursts.
    call_p50_ns,
    /// See `call_p50_ns`.
    call_p99_ns,
    /// Wall time of an unpaced burst, by message, ns. With a window it includes waiting for acknowledgements.
    call_mean_ns,
    /// Sessions that the robot began anew with its viewers.
    resets,
}

/// The middle of what is finite; `NaN` if nothing is.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// What was done: the part of a row that does not depend on the robot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Case {
    /// `reliable flow`, `lossy paced` and so on.
    pub(crate) scenario: &'static str,
    /// Message size, bytes.
    pub(crate) size: usize,
    /// Subscribed viewers.
    pub(crate) viewers: usize,
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    Telelink,
    Peer,
    /// LiveKit with writes filled up to 15,000 bytes; for data tracks: LiveKit.
    Raw,
    /// LiveKit with one message a write.
    Single,
}

impl Who {
    pub(crate) const ALL: [Self; 4] = [Self::Telelink, Self::Peer, Self::Raw, Self::Single];

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Telelink => Kind::Telelink,
            Self::Peer => Kind::Peer,
            Self::Raw | Self::Single => Kind::Raw,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Telelink => "telelink",
            Self::Peer => "peer",
            Self::Raw => "raw",
            Self::Single => "raw, single",
        }
    }
}

/// One row of the results.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) case: Case,
    pub(crate) robot: Who,
    pub(crate) rounds: Vec<Measured>,
    pub(crate) median: Measured,
}

/// All rows.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rounds: BTreeMap<(Case, Who), Vec<Measured>>,
}

impl Table {
    pub(crate) fn add(&mut self, case: Case, who: Who, measured: Measured) {
        self.rounds.entry((case, who)).or_default().push(measured);
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let row = |((case, robot), rounds): (&(Case, Who), &Vec<Measured>)| Row {
            case: case.clone(),
            robot: *robot,
            rounds: rounds.clone(),
            median: Measured::median(rounds),
        };
        self.rounds.iter().map(row).collect()
    }

    /// Medians of one row, if it was measured.
    pub(crate) fn get(&self, scenario: &str, size: usize, viewers: usize, who: Who) -> Option<Measured> {
        let matches = |case: &Case| case.scenario == scenario && case.size == size && case.viewers == viewers;
        let found = self.rounds.iter().find(|((case, w), _)| matches(case) && *w == who);
        found.map(|(_, rounds)| Measured::median(rounds))
    }
}

/// What was measured once, of 1,000 channels.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Scale {
    pub(crate) robot: Kind,
    /// Channels.
    pub(crate) channels: usize,
    /// Idle viewers.
    pub(crate) viewers: usize,
    /// Resident memory before the channels, MiB.
    pub(crate) rss_before_mib: f64,
    /// With the channels, MiB.
    pub(crate) rss_after_mib: f64,
    /// From the command until a viewer knew all the lossy channels, ms.
    pub(crate) added_ms: f64,
    /// From `serverInfo` until a joining viewer knew all channels, ms.
    pub(crate) advertised_ms: f64,
    /// `advertise` messages that it took.
    pub(crate) advertise_messages: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_what_was_not_measured() {
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert!(median([f64::NAN].into_iter()).is_nan());
    }
}
