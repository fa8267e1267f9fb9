//! What a connection cannot give back before it is made anew: LiveKit's library keeps some things until then.

use std::sync::atomic::{AtomicU32, Ordering};

/// Each resumption leaves one or two sockets open (measured): a robot on a bad link must not run out of descriptors.
const RESUMPTIONS: u32 = 50;
/// Each video track that was unpublished leaves its sender, which is a thread and the encoder's 3 to 9 MiB (livekit/rust-sdks
/// issue 612). Where nobody else is in the room a new connection disturbs nobody.
const TRACKS_ALONE: u32 = 16;
/// In company it ends everybody's subscriptions; losing the robot to its memory would be worse.
const TRACKS: u32 = 128;

/// Counts, for one room, what its connection has kept.
#[derive(Default)]
pub(in crate::room) struct Wear {
    resumptions: AtomicU32,
    tracks: AtomicU32,
}

impl Wear {
    /// The connection was resumed.
    pub(in crate::room) fn resumed(&self) {
        self.resumptions.fetch_add(1, Ordering::Relaxed);
    }

    /// A video track of ours was unpublished.
    pub(in crate::room) fn unpublished(&self) {
        self.tracks.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection is a new one.
    pub(in crate::room) fn renewed(&self) {
        self.resumptions.store(0, Ordering::Relaxed);
        self.tracks.store(0, Ordering::Relaxed);
    }

    /// Why the connection should be made anew, if it should. Counting begins again with the answer, so that an attempt that
    /// fails is not repeated at once.
    pub(in crate::room) fn take_reason(&self, alone: bool) -> Option<String> {
        let (resumptions, tracks) = (self.resumptions.load(Ordering::Relaxed), self.tracks.load(Ordering::Relaxed));
        let reason = if resumptions >= RESUMPTIONS {
            format!("it was resumed {resumptions} times")
        } else if tracks >= TRACKS || (alone && tracks >= TRACKS_ALONE) {
            format!("the LiveKit library still holds the {tracks} video tracks that ended in it")
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

    fn worn(resumptions: u32, tracks: u32) -> Wear {
        let wear = Wear::default();
        (0..resumptions).for_each(|_| wear.resumed());
        (0..tracks).for_each(|_| wear.unpublished());
        wear
    }

    #[test]
    fn a_connection_is_made_anew_after_many_resumptions_or_tracks() {
        for (resumptions, tracks, alone, anew) in [
            (0, 0, true, false),
            (49, 15, true, false),
            (50, 0, false, true),
            (0, 16, true, true),
            (0, 127, false, false),
            (0, 128, false, true),
        ] {
            let wear = worn(resumptions, tracks);
            let reason = wear.take_reason(alone);
            assert_eq!(
                reason.is_some(),
                anew,
                "{resumptions} resumptions, {tracks} tracks, alone: {alone}: {reason:?}"
            );
            assert_eq!(wear.take_reason(alone), None, "asked for once");
        }
    }

    #[test]
    fn a_new_connection_counts_from_zero() {
        let wear = worn(49, 127);
        wear.renewed();
        wear.resumed();
        wear.unpublished();
        assert_eq!(wear.take_reason(true), None);
    }
}
