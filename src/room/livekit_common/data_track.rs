//! Data tracks of ours: what the pacer needs of one, and the port's face of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::core::Core;
use super::pacer::{Pacer, Pending};
use crate::room::{BoxFuture, DataFrame, DataTrack, FrameSource, RoomEvent};

/// What the library answers to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::room) enum Pushed {
    Accepted,
    QueueFull,
    NotPublished,
    Refused,
}

/// The library's side of a published track. Dropping it gives the library's handle back.
pub(in crate::room) trait Wire: Send + Sync + 'static {
    /// Hands one frame to the library. Does not wait.
    fn push(&self, frame: &DataFrame) -> Pushed;
    /// Unpublishes the track. The library takes the order synchronously and tells the server by itself.
    fn unpublish(&self);
}

/// A published track as the pacer sees it.
pub(in crate::room) struct Track {
    pub(in crate::room) wire: Box<dyn Wire>,
    name: String,
    pub(in crate::room) source: Arc<dyn FrameSource>,
    /// The pacer knows that there is something to send.
    pub(in crate::room) queued: AtomicBool,
    /// Where the pacer has this track.
    place: OnceLock<usize>,
    /// Unpublished, by us or by the room.
    ended: AtomicBool,
    /// The frame that the transport's full queue refused.
    pub(in crate::room) pending: Mutex<Option<Pending>>,
    core: Weak<Core>,
}

impl Track {
    /// A track without a room.
    #[cfg(test)]
    pub(super) fn alone(wire: Box<dyn Wire>, source: Arc<dyn FrameSource>) -> Arc<Self> {
        Arc::new(Self {
            wire,
            name: "alone".into(),
            source,
            queued: AtomicBool::new(false),
            place: OnceLock::new(),
            ended: AtomicBool::new(false),
            pending: Mutex::default(),
            core: Weak::new(),
        })
    }

    /// Puts it into a pacer, as [`published`] does.
    #[cfg(test)]
    pub(super) fn join(self: &Arc<Self>, pacer: &Arc<Pacer>) {
        self.place.get_or_init(|| pacer.add_track(self.clone()));
    }

    /// Tells the pacer that there is something to send.
    pub(in crate::room) fn notify(&self, pacer: &Pacer) {
        if let Some(&place) = self.place.get() {
            pacer.notify(self, place);
        }
    }

    pub(in crate::room) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The transport says that the track is not published. Reported once, and not if we have unpublished it or left.
    pub(in crate::room) fn on_lost(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(core) = self.core.upgrade().filter(|core| core.check_open().is_ok()) {
            core.emit(RoomEvent::LocalDataTrackLost { name: self.name.clone() });
        }
    }
}

/// Gives a track that the library has published to the pacer; answers the port's face of it.
pub(in crate::room) fn published(
    core: &Arc<Core>,
    name: String,
    source: Arc<dyn FrameSource>,
    wire: Box<dyn Wire>,
) -> Arc<dyn DataTrack> {
    let track = Arc::new(Track {
        wire,
        name,
        source,
        queued: AtomicBool::new(false),
        place: OnceLock::new(),
        ended: AtomicBool::new(false),
        pending: Mutex::default(),
        core: Arc::downgrade(core),
    });
    track.place.get_or_init(|| core.pacer.add_track(track.clone()));
    Arc::new(Published { track, core: core.clone() })
}

struct Published {
    track: Arc<Track>,
    core: Arc<Core>,
}

impl Published {
    fn unpublish_now(&self) {
        if !self.track.ended.swap(true, Ordering::AcqRel) {
            self.track.wire.unpublish();
        }
    }
}

impl DataTrack for Published {
    fn notify(&self) {
        self.track.notify(&self.core.pacer);
    }

    fn unpublish(&self) -> BoxFuture<()> {
        self.unpublish_now();
        Box::pin(std::future::ready(()))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        self.unpublish_now();
        if let Some(&place) = self.track.place.get() {
            self.core.pacer.remove_track(place);
        }
    }
}
