//! The slot between `log` and a data track.

use super::*;

use crate::room::{BoxFuture, DataTrack, DropCause, FrameSource};

#[derive(Default)]
struct Track(AtomicUsize);

impl DataTrack for Track {
    fn notify(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn unpublish(&self) -> BoxFuture<()> {
        Box::pin(async {})
    }
}

struct Made {
    slot: LossySlot,
    track: Arc<Track>,
    counters: Arc<ChannelCounters>,
    signals: Arc<Signals>,
}

fn made(limit: usize) -> Made {
    let (counters, signals) = (Arc::<ChannelCounters>::default(), Arc::<Signals>::default());
    Made { slot: LossySlot::new(7, limit, counters.clone(), signals.clone()), track: Arc::default(), counters, signals }
}

impl Made {
    fn attached(limit: usize) -> Self {
        let made = made(limit);
        made.slot.attach(made.track.clone());
        made
    }

    /// Number, payload and time stamp of the frame that waits.
    fn take(&self) -> Option<(u32, Vec<u8>, u64)> {
        let frame = self.slot.take()?;
        assert_eq!(frame.payload[..4], [0, 0, 8, 0]);
        let number = u32::from_le_bytes(frame.payload[4..8].try_into().unwrap());
        Some((number, frame.payload[8..].to_vec(), frame.user_timestamp))
    }

    fn notified(&self) -> usize {
        self.track.0.load(Ordering::Relaxed)
    }
}

#[test]
fn s_227_the_newest_message_before_the_track_is_kept_and_sent_first() {
    let mut made = made(100);
    made.slot = made.slot.latching(true);
    for n in 1..=3u8 {
        made.slot.log(&[n], n.into());
    }
    assert_eq!((made.counters.read().not_ready, made.counters.read().lossy_messages), (2, 0));
    made.slot.attach(made.track.clone());
    assert_eq!(made.notified(), 1);
    assert_eq!(made.take(), Some((0, vec![3], 3)));
    made.slot.log(b"d", 4);
    assert_eq!(made.take(), Some((1, b"d".to_vec(), 4)));
    let counts = made.counters.read();
    assert_eq!((counts.not_ready, counts.lossy_messages, counts.lossy_bytes), (2, 2, 2));
    // Nothing of before is sent by the next track, and what ends with the slot is counted.
    made.slot.detach();
    made.slot.log(b"e", 5);
    made.slot.detach();
    made.slot.attach(made.track.clone());
    assert_eq!((made.take(), made.counters.read().not_ready), (None, 3));
}

/// S-223.
#[test]
fn p_155_numbers_count_from_zero_and_show_what_was_pushed_out() {
    let made = Made::attached(100);
    made.slot.log(b"a", 1);
    assert_eq!(made.take(), Some((0, b"a".to_vec(), 1)));
    for n in 1..=10u8 {
        made.slot.log(&[n], n.into());
    }
    assert_eq!(made.counters.read().overwritten, 2, "eight frames wait");
    let taken: Vec<u32> = std::iter::from_fn(|| made.take()).map(|(number, ..)| number).collect();
    assert!(taken.iter().all(|number| *number >= 3) && taken.is_sorted(), "{taken:?}");
    assert_eq!(taken.last(), Some(&10), "the newest always comes");
    let counts = made.counters.read();
    assert_eq!((counts.lossy_messages, counts.lossy_bytes), (11, 11));
    assert_eq!(counts.overwritten + taken.len() as u64, 10, "every gap is counted, stale frames too");
}

#[test]
fn s_223_numbers_wrap_after_the_last() {
    let made = Made::attached(100);
    made.slot.set_next_sequence(u32::MAX);
    made.slot.log(b"last", 1);
    assert_eq!(made.take(), Some((u32::MAX, b"last".to_vec(), 1)));
    made.slot.log(b"first", 2);
    assert_eq!(made.take(), Some((0, b"first".to_vec(), 2)));
}

#[test]
fn what_waits_is_bounded_by_bytes_and_one_frame_always_fits() {
    let made = Made::attached(1 << 20);
    for n in 0..3u8 {
        made.slot.log(&vec![n; 100 << 10], 0);
    }
    assert_eq!(made.take().unwrap().0, 2);
    made.slot.log(&vec![9; 1 << 20], 0);
    assert_eq!((made.take().unwrap().0, made.counters.read().overwritten), (3, 2));
}

#[test]
fn a_stale_frame_goes_when_a_newer_one_is_there_and_stays_when_it_is_the_newest() {
    let made = Made::attached(100);
    made.slot.log(b"old", 0);
    std::thread::sleep(std::time::Duration::from_millis(25));
    made.slot.log(b"new", 0);
    assert_eq!(made.take(), Some((1, b"new".to_vec(), 0)));
    assert_eq!((made.take(), made.counters.read().overwritten), (None, 1));
    made.slot.log(b"alone", 0);
    std::thread::sleep(std::time::Duration::from_millis(25));
    assert_eq!(made.take().unwrap().0, 2);
}

#[test]
fn the_room_is_notified_once_for_each_turn_of_the_channel() {
    let made = Made::attached(100);
    for _ in 0..5 {
        made.slot.log(b"x", 0);
    }
    assert_eq!(made.notified(), 1);
    let mut turns = 0;
    while made.take().is_some() {
        turns += 1;
    }
    assert_eq!(made.notified(), turns, "what still waits after a turn is announced again");
    made.slot.log(b"x", 0);
    assert_eq!(made.notified(), turns + 1);
}

/// S-225.
#[test]
fn p_150_messages_without_a_track_are_counted_and_take_no_number() {
    let made = made(100);
    made.slot.log(b"early", 0);
    assert_eq!((made.counters.read().not_ready, made.take()), (1, None));
    made.slot.attach(made.track.clone());
    assert_eq!(made.take(), None, "nothing from before the track");
    made.slot.log(b"x", 0);
    assert_eq!(made.take().unwrap().0, 0);
}

/// S-223.
#[test]
fn p_155_a_new_track_counts_from_zero_and_a_frame_that_waited_is_counted_as_lost() {
    let made = Made::attached(100);
    made.slot.log(b"a", 0);
    made.take();
    made.slot.log(b"b", 0);
    assert!(made.slot.detach().is_some());
    assert!(made.slot.detach().is_none());
    assert_eq!((made.take(), made.counters.read().not_ready), (None, 1));
    made.slot.attach(made.track.clone());
    made.slot.log(b"c", 0);
    assert_eq!(made.take().unwrap(), (0, b"c".to_vec(), 0));
}

/// S-93, S-224.
#[test]
fn p_156_exactly_the_limit_passes_and_more_is_reported_once_until_the_owner_looks() {
    let made = Made::attached(4);
    made.slot.log(b"1234", 0);
    assert_eq!(made.take().unwrap().0, 0);
    for _ in 0..3 {
        made.slot.log(b"12345", 0);
    }
    assert_eq!(made.take(), None);
    assert_eq!(made.signals.take().oversize.into_iter().collect::<Vec<_>>(), [(7, 3)]);
    assert!(made.signals.take().oversize.is_empty());
    made.slot.log(b"12345", 0);
    assert_eq!(made.signals.take().oversize.len(), 1, "told again");
    made.slot.log(b"ok", 0);
    assert_eq!(made.take().unwrap().0, 1, "no number was spent");
    assert_eq!(made.counters.read().oversize, 4);
}

/// S-227.
#[test]
fn what_the_room_could_not_send_is_counted_by_cause() {
    let made = Made::attached(100);
    made.slot.dropped(DropCause::TransportFull);
    made.slot.dropped(DropCause::TransportFull);
    made.slot.dropped(DropCause::NotPublished);
    made.slot.dropped(DropCause::Refused);
    let counts = made.counters.read();
    assert_eq!((counts.transport_full, counts.not_ready, counts.refused), (2, 1, 1));
}

#[test]
fn threads_that_log_and_take_at_the_same_time_account_for_every_message() {
    let made = Made::attached(100);
    let mut taken = 0;
    std::thread::scope(|scope| {
        let loggers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| (0..2000u64).for_each(|n| made.slot.log(&n.to_le_bytes(), n)))).collect();
        let mut last = None;
        while !loggers.iter().all(|logger| logger.is_finished()) {
            if let Some((number, ..)) = made.take() {
                assert!(last.is_none_or(|last| number > last), "numbers only grow");
                last = Some(number);
                taken += 1;
            }
        }
    });
    taken += std::iter::from_fn(|| made.take()).count() as u64;
    let counts = made.counters.read();
    assert_eq!((counts.lossy_messages, counts.overwritten + taken), (6000, 6000));
    assert!(made.notified() as u64 >= taken, "every frame taken was announced");
}
