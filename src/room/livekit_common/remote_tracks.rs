//! Data tracks of others: what a subscription needs of each, bounded per publisher.

use std::collections::HashMap;

use crate::room::{Identity, Sid};

/// Remote tracks kept per publisher; what comes beyond is not reported. Four times what the largest robot of our own
/// budgets publishes (design.md section 6).
const TRACKS_PER_PUBLISHER: usize = 4096;

/// The frames that may wait for a reader, bounds of the port.
pub(in crate::room) const BUFFER: std::ops::RangeInclusive<usize> = 1..=4096;

/// Data tracks of others, each with the library's handle.
pub(in crate::room) struct RemoteTracks<H> {
    tracks: HashMap<Sid, (Identity, H)>,
    per_publisher: HashMap<Identity, usize>,
}

impl<H> Default for RemoteTracks<H> {
    fn default() -> Self {
        Self { tracks: HashMap::new(), per_publisher: HashMap::new() }
    }
}

impl<H> RemoteTracks<H> {
    /// `false`: the publisher has too many.
    pub(in crate::room) fn add(&mut self, sid: Sid, publisher: Identity, handle: H) -> bool {
        let count = self.per_publisher.entry(publisher.clone()).or_default();
        if *count >= TRACKS_PER_PUBLISHER {
            return false;
        }
        if self.tracks.insert(sid, (publisher, handle)).is_none() {
            *count += 1;
        }
        true
    }

    pub(in crate::room) fn remove(&mut self, sid: &Sid) -> Option<H> {
        let (publisher, handle) = self.tracks.remove(sid)?;
        if let Some(count) = self.per_publisher.get_mut(&publisher) {
            *count -= 1;
            if *count == 0 {
                self.per_publisher.remove(&publisher);
            }
        }
        Some(handle)
    }

    pub(in crate::room) fn get(&self, sid: &Sid) -> Option<&H> {
        self.tracks.get(sid).map(|(_, handle)| handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_publisher_has_a_bound_and_a_gone_track_frees_its_place() {
        let mut tracks = RemoteTracks::default();
        let sid = |n: usize| Sid::from(format!("DTR_{n}"));
        for n in 0..TRACKS_PER_PUBLISHER {
            assert!(tracks.add(sid(n), "robot".into(), n));
        }
        assert!(!tracks.add(sid(TRACKS_PER_PUBLISHER), "robot".into(), 0));
        assert!(tracks.add("DTR_other".into(), "other".into(), 7));
        assert_eq!((tracks.remove(&sid(3)), tracks.remove(&sid(3)), tracks.get(&sid(3))), (Some(3), None, None));
        assert!(tracks.add(sid(TRACKS_PER_PUBLISHER), "robot".into(), 9));
        assert_eq!(tracks.get(&sid(TRACKS_PER_PUBLISHER)), Some(&9));
    }
}
