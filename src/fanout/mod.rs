//! The hot path: from a logged message to the viewers' queues and tracks, without a lock of the control plane.
//!
//! A channel with subscribers has one [`Route`], swapped whole by the session when subscriptions change. A route names
//! the [`ViewerQueue`]s of its reliable subscribers and the [`LossySlot`] of its data track. The payload is copied once,
//! however many viewers.

mod admission;
mod budget;
mod drops;
mod queue;
mod route;
mod signals;
mod slot;
pub(crate) mod sync;
#[cfg(test)]
mod tests;
mod video;

pub use admission::{Admission, ByteAdmission, Held, Slot};
pub use budget::Budget;
pub use drops::{ChannelCounters, DropCounts};
pub use queue::{Push, QueueLimits, QueueStats, ViewerQueue};
pub use route::Route;
pub use signals::{ResetCause, Signals, SignalsTaken};
pub use slot::LossySlot;
pub use video::{
    PictureKind, PixelLayout, VideoCounters, VideoCounts, VideoOutcome, VideoQueue, VideoTap, WaitingPicture,
};
