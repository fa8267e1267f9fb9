//! What a connection cannot give back before it is made anew: LiveKit's library keeps some things until then.

use std::sync::atomic::{AtomicU32, Ordering};

/// Each resumption leaves one or two sockets open (measured): a robot on a bad link must not run out of descriptors.
const RESUMPTIONS: u32 = 50;
/// What ended video tracks may keep.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// Each keeps a thread, some keep two.
    tracks: u32,
    mib: u32,
}
/// Where nobody else is in the room a new connection disturbs nobody.
const ALONE: Bound = Bound { tracks: 16, mib: 64 };
/// In company it ends everybody's subscriptions; losing the robot to its memory would be worse.
const IN_COMPANY: Bound = Bound { tracks: 128, mib: 256 };

/// Counts, for one room, what its connection has kept.
#[derive(Default)]
pub(in crate::room) struct Wear {
    resumptions: AtomicU32,
    tracks: AtomicU32,
    /// What the library keeps of them, MiB (`remains`).
    mib: AtomicU32,
}

impl Wear {
    /// The connection was resumed.
    pub(in crate::room) fn resumed(&self) {
        self.resumptions.fetch_add(1, Ordering::Relaxed);
    }

    /// A video track of ours has ended; the library keeps so much of it, MiB.
    pub(in crate::room) fn unpublished(&self, mib: u32) {
        self.tracks.fetch_add(1, Ordering::Relaxed);
        let add = |sum: u32| Some(sum.saturating_add(mib));
        // Always answers with a number, so there is no other case.
        let _ = self.mib.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// The connection is a new one.
    pub(in crate::room) fn renewed(&self) {
        self.resumptions.store(0, Ordering::Relaxed);
        self.tracks.store(0, Ordering::Relaxed);
        self.mib.store(0, Ordering::Relaxed);
    }

    /// Why the connection should be made anew, if it should. Counting begins again with the answer, so that an attempt that
    /// fails is not repeated at once.
    pub(in crate::room) fn take_reason(&self, alone: bool) -> Option<String> {
        let resumptions = self.resumptions.load(Ordering::Relaxed);
        let (tracks, mib) = (self.tracks.load(Ordering::Relaxed), self.mib.load(Ordering::Relaxed));
        let bound = if alone { ALONE } else { IN_COMPANY };
        let reason = if resumptions >= RESUMPTIONS {
            format!("it was resumed {resumptions} times")
        } else if tracks >= bound.tracks || mib >= bound.mib {
            format!("the LiveKit library still holds the {tracks} video tracks that ended in it, about {mib} MiB")
        } else {
            return None;
        };
        self.renewed();
        Some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worn(resumptions: u32, tracks: u32, mib_each: u32) -> Wear {
        let wear = Wear::default();
        (0..resumptions).for_each(|_| wear.resumed());
        (0..tracks).for_each(|_| wear.unpublished(mib_each));
        wear
    }

    #[test]
    fn a_connection_is_made_anew_after_many_resumptions_or_tracks() {
        for (resumptions, tracks, mib_each, alone, anew) in [
            (0, 0, 1, true, false),
            (49, 15, 1, true, false),
            (50, 0, 1, false, true),
            (0, 16, 1, true, true),
            (0, 6, 10, true, false),
            (0, 7, 10, true, true),
            (0, 127, 1, false, false),
            (0, 128, 1, false, true),
            (0, 12, 20, false, false),
            (0, 13, 20, false, true),
            (0, 2, u32::MAX, false, true),
        ] {
            let wear = worn(resumptions, tracks, mib_each);
            let reason = wear.take_reason(alone);
            let case = format!("{resumptions} resumptions, {tracks} tracks of {mib_each} MiB, alone: {alone}");
            assert_eq!(reason.is_some(), anew, "{case}: {reason:?}");
            assert_eq!(wear.take_reason(alone), None, "asked for once");
        }
    }

    #[test]
    fn a_new_connection_counts_from_zero() {
        let wear = worn(49, 127, 2);
        wear.renewed();
        wear.resumed();
        wear.unpublished(1);
        assert_eq!(wear.take_reason(true), None);
    }
}
