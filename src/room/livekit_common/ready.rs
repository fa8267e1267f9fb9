//! Which tracks have something to send, and whose turn it is.

/// A ring of entries, some of them ready. Marking is O(1) and never allocates; the turn goes round in the order of the
/// ring, so that with more work than time every ready entry is served equally often. (A queue would serve those that are
/// notified first more often: what is overwritten while it waits keeps its place, what was just served goes in front of
/// those notified after it.)
pub(in crate::room) struct Ready<T> {
    entries: Vec<Option<T>>,
    bits: Vec<u64>,
    /// Where the search for the next one begins.
    cursor: usize,
}

impl<T> Default for Ready<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), bits: Vec::new(), cursor: 0 }
    }
}

impl<T: Clone> Ready<T> {
    /// Adds an entry; answers its place.
    pub(in crate::room) fn insert(&mut self, entry: T) -> usize {
        let place = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        if place == self.entries.len() {
            self.entries.push(None);
        }
        self.entries[place] = Some(entry);
        self.bits.resize(self.entries.len().div_ceil(64), 0);
        place
    }

    /// Removes the entry at `place`.
    pub(in crate::room) fn remove(&mut self, place: usize) -> Option<T> {
        if let Some(word) = self.bits.get_mut(place / 64) {
            *word &= !(1 << (place % 64));
        }
        self.entries.get_mut(place).and_then(Option::take)
    }

    /// Removes everything.
    pub(in crate::room) fn clear(&mut self) -> Vec<Option<T>> {
        self.bits.fill(0);
        std::mem::take(&mut self.entries)
    }

    /// The entry at `place` has something to send.
    pub(in crate::room) fn mark(&mut self, place: usize) {
        if self.entries.get(place).is_some_and(Option::is_some) {
            self.bits[place / 64] |= 1 << (place % 64);
        }
    }

    /// The next ready entry, ready no more.
    pub(in crate::room) fn next(&mut self) -> Option<T> {
        let place = self.first_from(self.cursor).or_else(|| self.first_from(0))?;
        self.bits[place / 64] &= !(1 << (place % 64));
        self.cursor = place + 1;
        self.entries[place].clone()
    }

    fn first_from(&self, start: usize) -> Option<usize> {
        let first = start / 64;
        let begin = self.bits.get(first)? & (u64::MAX << (start % 64));
        let words = std::iter::once(begin).chain(self.bits[first + 1..].iter().copied());
        let (index, word) = words.enumerate().find(|(_, word)| *word != 0)?;
        Some((first + index) * 64 + word.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(count: usize) -> Ready<usize> {
        let mut ready = Ready::default();
        for entry in 0..count {
            assert_eq!(ready.insert(entry), entry);
        }
        ready
    }

    #[test]
    fn the_turn_goes_round() {
        let mut ready = ring(130);
        for place in [0, 63, 64, 129] {
            ready.mark(place);
        }
        assert_eq!(std::iter::from_fn(|| ready.next()).collect::<Vec<_>>(), [0, 63, 64, 129]);
        for place in [5, 100] {
            ready.mark(place);
        }
        assert_eq!(ready.next(), Some(5));
        ready.mark(2);
        assert_eq!((ready.next(), ready.next(), ready.next()), (Some(100), Some(2), None));
    }

    #[test]
    fn with_more_work_than_time_everybody_is_served_equally() {
        let mut ready = ring(50);
        let mut served = [0_u32; 50];
        for _ in 0..1000 {
            // Everybody is notified, in the same order each time, and there is time for 43.
            (0..50).for_each(|place| ready.mark(place));
            for _ in 0..43 {
                served[ready.next().unwrap()] += 1;
            }
        }
        assert!(served.iter().all(|&count| count == 860), "{served:?}");
    }

    #[test]
    fn places_are_used_again_and_a_removed_entry_is_not_ready() {
        let mut ready = ring(3);
        ready.mark(1);
        assert_eq!(ready.remove(1), Some(1));
        assert_eq!((ready.remove(1), ready.remove(99)), (None, None));
        ready.mark(1);
        ready.mark(99);
        assert_eq!(ready.next(), None);
        assert_eq!(ready.insert(7), 1);
        ready.mark(1);
        assert_eq!(ready.next(), Some(7));
        ready.mark(0);
        ready.clear();
        assert_eq!(ready.next(), None);
    }
}
