//! Statuses: what the application publishes (S-40, S-261) and the drop warnings of channels (P-118 to P-120, S-226).

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::context::{ChannelId, Qos};
use crate::protocol::{texts, Status, StatusLevel, ToViewer, MAX_MESSAGE_DATA};

use super::{ClientId, Core, Error, Now};
use crate::session::options::check_size;
use crate::session::ErrorKind;

/// Statuses with an id kept for viewers that come later (S-40).
const MAX_RETAINED: usize = 64;
/// Bytes of a status text and of its id: as many as are kept fit the smallest backlog (S-51).
const MAX_TEXT: usize = 8 << 10;
const MAX_ID: usize = 256;
/// Ids that are withdrawn at once.
const MAX_REMOVED: usize = 1024;
/// Between two reports of one channel (P-118).
const REPORT_INTERVAL: Duration = Duration::from_secs(30);
/// A warning without a new report for so long is cleared (P-120).
const QUIET: Duration = Duration::from_secs(60);
/// How often warnings are looked at (P-120).
const SWEEP: Duration = Duration::from_secs(15);

/// Retained statuses and active warnings.
#[derive(Default)]
pub(super) struct StatusBoard {
    retained: IndexMap<String, Status>,
    warnings: HashMap<ChannelId, Warning>,
    next_sweep: Option<Instant>,
}

struct Warning {
    status: Status,
    reported_at: Instant,
    /// Dropped since the last report.
    unreported: u64,
}

/// Refuses a status that would not fit what it is sent in.
pub(crate) fn check_status(status: &Status) -> Result<(), Error> {
    check_size("message", status.message.len(), MAX_TEXT)?;
    check_size("id", status.id.as_ref().map_or(0, String::len), MAX_ID)
}

/// The same for ids that are withdrawn.
pub(crate) fn check_status_ids(ids: &[&str]) -> Result<(), Error> {
    if ids.len() > MAX_REMOVED {
        let text = format!("{} ids at once, more than {MAX_REMOVED}", ids.len());
        return Err(Error::new(ErrorKind::InvalidValue, text));
    }
    ids.iter().try_for_each(|id| check_size("an id", id.len(), MAX_ID))
}

impl StatusBoard {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_sweep
    }
}

impl Core {
    pub(super) fn publish_status(&mut self, status: Status) {
        self.broadcast(&ToViewer::Status(status.clone()));
        let Some(id) = status.id.clone() else { return };
        let retained = &mut self.status.retained;
        if retained.len() >= MAX_RETAINED && !retained.contains_key(&id) {
            if let Some((oldest, _)) = retained.shift_remove_index(0) {
                tracing::warn!(
                    id = oldest,
                    "more than {MAX_RETAINED} statuses with an id; the oldest is not kept for later viewers"
                );
            }
        }
        retained.insert(id, status);
    }

    pub(super) fn remove_status(&mut self, status_ids: Vec<String>) {
        for id in &status_ids {
            self.status.retained.shift_remove(id);
        }
        if !status_ids.is_empty() {
            self.broadcast(&ToViewer::RemoveStatus { status_ids });
        }
    }

    pub(super) fn replay_statuses(&mut self, client: ClientId) {
        let retained: Vec<Status> = self.status.retained.values().cloned().collect();
        for status in retained {
            self.send(client, &ToViewer::Status(status));
        }
    }

    /// Messages of a channel were over the limit of its path.
    pub(super) fn oversize(&mut self, id: ChannelId, dropped: u64, now: Now) {
        if dropped == 0 || !self.channels.contains_key(&id) {
            return;
        }
        let due = match self.status.warnings.get_mut(&id) {
            Some(warning) => {
                warning.unreported += dropped;
                now.mono >= warning.reported_at + REPORT_INTERVAL
            }
            None => true,
        };
        if due {
            let count = self.status.warnings.get(&id).map_or(dropped, |warning| warning.unreported);
            self.report_oversize(id, count, now);
        }
        self.status.next_sweep.get_or_insert(now.mono + SWEEP);
    }

    fn report_oversize(&mut self, id: ChannelId, count: u64, now: Now) {
        let Some(state) = self.channels.get(&id) else { return };
        let limit = match state.qos {
            Qos::Lossy => self.config.limits.max_data_track_message_size,
            Qos::Reliable => MAX_MESSAGE_DATA,
        };
        let message = texts::dropped_oversize(count, state.channel.topic(), limit as u64);
        tracing::warn!(channel = %id, message, "oversize messages");
        let status = Status { level: StatusLevel::Warning, message, id: Some(texts::oversize_status_id(id.get())) };
        let subscribers = state.data_subscribers.clone();
        self.status.warnings.insert(id, Warning { status: status.clone(), reported_at: now.mono, unreported: 0 });
        for client in subscribers {
            self.send(client, &ToViewer::Status(status.clone()));
        }
    }

    /// Reports what gathered since the last report, and clears what has been quiet, the 60 s boundary included.
    pub(super) fn tick_warnings(&mut self, now: Now) {
        if self.status.next_sweep.is_none_or(|at| now.mono < at) {
            return;
        }
        let mut due = BTreeMap::new();
        let mut quiet = Vec::new();
        for (id, warning) in &self.status.warnings {
            if warning.unreported > 0 && now.mono >= warning.reported_at + REPORT_INTERVAL {
                due.insert(*id, warning.unreported);
            } else if warning.unreported == 0 && now.mono >= warning.reported_at + QUIET {
                quiet.push(*id);
            }
        }
        for (id, count) in due {
            self.report_oversize(id, count, now);
        }
        self.clear_warnings_of(&quiet);
        self.status.next_sweep = (!self.status.warnings.is_empty()).then(|| now.mono + SWEEP);
    }

    /// Withdraws the warnings of these channels from everybody; only those that are active (design.md section 4).
    pub(super) fn clear_warnings_of(&mut self, channels: &[ChannelId]) {
        let status_ids: Vec<String> =
            channels.iter().filter_map(|id| self.status.warnings.remove(id)).filter_map(|w| w.status.id).collect();
        if !status_ids.is_empty() {
            self.broadcast(&ToViewer::RemoveStatus { status_ids });
        }
    }

    /// Active warnings of channels that a viewer newly subscribed to as data (P-77).
    pub(super) fn replay_warnings(&mut self, client: ClientId, channels: &[ChannelId]) {
        let active: Vec<Status> =
            channels.iter().filter_map(|id| self.status.warnings.get(id)).map(|w| w.status.clone()).collect();
        for status in active {
            self.send(client, &ToViewer::Status(status));
        }
    }

    /// Withdraws from one viewer the warnings of channels it unsubscribed from (P-79).
    pub(super) fn withdraw_warnings(&mut self, client: ClientId, channels: &[ChannelId]) {
        let status_ids: Vec<String> = channels
            .iter()
            .filter_map(|id| self.status.warnings.get(id))
            .filter_map(|warning| warning.status.id.clone())
            .collect();
        if !status_ids.is_empty() {
            self.send(client, &ToViewer::RemoveStatus { status_ids });
        }
    }
}
