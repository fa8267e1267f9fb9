//! The life of one channel's data track: one task from start to stop (P-149, P-150, S-160 to S-162, S-221, S-222, S-276).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::fanout::LossySlot;
use crate::protocol::data_track::data_track_name;
use crate::room::{DataTrack, PublishError, Room};

/// P-150: first pause between attempts to publish, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// Publications under way at once; more would only wait inside the transport.
const CONCURRENT: usize = 16;

/// Limits how many tracks are being published at the same time.
pub(crate) fn publish_slots() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CONCURRENT))
}

/// The switches of one track's task.
#[derive(Debug, Clone)]
pub(crate) struct TrackControl {
    /// The track is not wanted any more. An attempt under way is finished, and undone (S-161).
    pub(crate) stop: CancellationToken,
    /// The room lost the track: publish it again (S-276).
    pub(crate) lost: Arc<tokio::sync::Notify>,
}

impl TrackControl {
    pub(crate) fn new() -> Self {
        Self { stop: CancellationToken::new(), lost: Arc::default() }
    }
}

/// Publishes the track, keeps it published, and unpublishes it when stopped.
pub(crate) async fn run_track(
    room: Arc<dyn Room>,
    channel: u64,
    slot: Arc<LossySlot>,
    control: TrackControl,
    slots: Arc<Semaphore>,
) {
    let name = data_track_name(channel);
    let mut pause = FIRST_PAUSE;
    loop {
        let result = {
            // The semaphore is never closed, so an error cannot happen; it would only mean "no limit".
            let _slot = tokio::select! {
                _ = control.stop.cancelled() => return,
                permit = slots.acquire() => permit.ok(),
            };
            room.publish_data_track(&name, slot.clone()).await
        };
        match result {
            Ok(track) => {
                pause = FIRST_PAUSE;
                if control.stop.is_cancelled() {
                    track.unpublish().await;
                    return;
                }
                let attached = Attached::new(&slot, track.clone());
                tokio::select! {
                    _ = control.stop.cancelled() => {
                        drop(attached);
                        track.unpublish().await;
                        return;
                    }
                    _ = control.lost.notified() => {
                        drop(attached);
                        tracing::warn!(channel, "the data track was unpublished by the room; publishing it again");
                    }
                }
            }
            Err(PublishError::NameInUse(_)) => tracing::debug!(channel, "the data track's name is still in use"),
            Err(error) => tracing::error!(channel, %error, "the data track could not be published"),
        }
        tokio::select! {
            _ = control.stop.cancelled() => return,
            _ = tokio::time::sleep(pause) => pause = (pause * 2).min(MAX_PAUSE),
        }
    }
}

/// A track in its slot, until dropped: also when the task is ended with its room, at whatever point. Slot and track hold
/// each other, so one left behind would never be freed.
struct Attached<'a> {
    slot: &'a LossySlot,
    track: Arc<dyn DataTrack>,
}

impl<'a> Attached<'a> {
    fn new(slot: &'a LossySlot, track: Arc<dyn DataTrack>) -> Self {
        slot.attach(track.clone());
        Self { slot, track }
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        // The slot lives longer than a room: it may belong to a track of the next one already.
        self.slot.detach_if(&self.track);
    }
}
