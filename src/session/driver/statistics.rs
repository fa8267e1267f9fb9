//! Statistics: the snapshot for the application, and the line in the log every 30 s (S-259, S-260).

use std::sync::atomic::Ordering;

use crate::room::RoomStats;
use crate::session::core::RttTracker;
use crate::session::stats::{ChannelStats, SessionStats, ViewerStats};

use super::room::CLOSE_TIMEOUT;
use super::{ChannelIo, Driver};

/// What was measured of a room so far.
#[derive(Default)]
pub(super) struct Measured {
    /// The last measurement.
    latest: Option<RoomStats>,
    /// Round trips of the nominated ICE candidate pair.
    ice: RttTracker,
}

impl Driver {
    pub(super) fn stats(&self) -> SessionStats {
        let viewers = self.core.clients().filter_map(|client| {
            let queue = self.viewers.get(&client.id)?.queue.stats();
            Some(ViewerStats {
                client: (**client).clone(),
                queue,
                ping_rtt_ms: self.core.rtt_of(client.id),
                subscriptions: self.core.subscriptions_of(client.id),
                resets: self.core.resets_of(client.id),
            })
        });
        let channels = self.channels.values().map(|io| {
            let (data_subscribers, video_subscribers) = self.core.subscribers_of(io.channel.id());
            ChannelStats {
                id: io.channel.id().get(),
                topic: io.channel.topic().to_owned(),
                counts: io.counters.read(),
                data_subscribers,
                video_subscribers,
                video: io.video_stats(),
            }
        });
        let mut channels: Vec<_> = channels.collect();
        channels.sort_unstable_by_key(|channel| channel.id);
        SessionStats {
            status: self.status,
            // The session's handle knows it, also when the state did not change with it.
            last_error: None,
            uptime: self.started.elapsed(),
            joins: self.joins,
            reconnects: self.reconnects,
            reconnecting: self.room.as_ref().is_some_and(|room| room.reconnecting.is_some()),
            subscriptions: self.core.subscription_count(),
            backlog_bytes: self.budget.used(),
            ping_rtt_ms: self.core.rtt().map(|rtt| rtt.mean),
            room: self.room.as_ref().and_then(|room| room.measured.lock().latest.clone()),
            ice_rtt: self.room.as_ref().and_then(|room| room.measured.lock().ice.stats()),
            quality: self.room.as_ref().and_then(|room| room.quality),
            listener_messages_dropped: self.shared.callbacks.dropped(),
            listener_messages_discarded: self.shared.callbacks.discarded(),
            callback_panics: self.shared.panics.load(Ordering::Relaxed),
            overflow_resets: self.overflow_resets,
            write_failure_resets: self.write_failure_resets,
            viewers: viewers.collect(),
            channels,
            closed_channels: self.closed_channels,
        }
    }

    /// S-259: one line every 30 s; the room's figures are taken in the background.
    pub(super) fn log_stats(&mut self) {
        self.channels.values_mut().for_each(ChannelIo::log_drops);
        let Some(room) = &mut self.room else { return };
        let session_id = self.core.session_id().to_owned();
        let viewers = self.viewers.len();
        let subscriptions = self.core.subscription_count();
        let video_tracks = self.core.video_track_count();
        let (ping, quality, backlog) = (self.core.rtt().map(|rtt| rtt.mean), room.quality, self.budget.used());
        let (measure, kept) = (room.room.stats(), room.measured.clone());
        room.tasks.spawn(async move {
            let measured = match tokio::time::timeout(CLOSE_TIMEOUT, measure).await {
                Ok(Ok(measured)) => measured,
                Ok(Err(error)) => return tracing::warn!(%error, "the room could not be measured"),
                Err(_) => return tracing::warn!("measuring the room took too long"),
            };
            let mut kept = kept.lock();
            if let Some(rtt) = measured.ice_rtt_ms {
                kept.ice.add(rtt);
            }
            tracing::info!(
                session_id,
                viewers,
                subscriptions,
                video_tracks,
                backlog_bytes = backlog,
                ping_rtt_ms = ping,
                ice_rtt_ms = measured.ice_rtt_ms,
                ice_rtt_mean_ms = kept.ice.stats().map(|rtt| rtt.mean),
                bytes_sent = measured.bytes_sent,
                video_bytes_sent = measured.video_bytes_sent,
                ?quality,
                "session statistics"
            );
            kept.latest = Some(measured);
        });
    }
}

impl ChannelIo {
    /// S-225: a line about what a track has dropped since the last one. Read from the counters, so that `log` pays nothing.
    pub(super) fn log_drops(&mut self) {
        let counts = self.counters.read();
        let (not_ready, transport_full) = (counts.not_ready, counts.transport_full);
        let (old_not_ready, old_full) = std::mem::replace(&mut self.logged_drops, (not_ready, transport_full));
        let (not_ready, transport_full) = (not_ready - old_not_ready, transport_full - old_full);
        if not_ready + transport_full > 0 {
            let topic = self.channel.topic();
            tracing::debug!(topic, not_ready, transport_full, "messages were dropped on their way to the data track");
        }
    }
}
