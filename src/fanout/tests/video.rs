//! The queue in front of the conversion (S-236).

use std::sync::Arc;

use crate::fanout::{PictureKind, VideoCounters, VideoOutcome, VideoQueue};

fn queue() -> (VideoQueue, Arc<VideoCounters>) {
    let counters = Arc::<VideoCounters>::default();
    (VideoQueue::new(counters.clone()), counters)
}

/// P-165.
#[test]
fn s_236_the_newest_two_wait_and_the_oldest_is_dropped_and_counted() {
    let (queue, counters) = queue();
    for n in 1..=5_u8 {
        assert!(queue.push(PictureKind::Message, &[n; 4], u64::from(n)));
    }
    let first = queue.pop().unwrap();
    assert_eq!((first.log_time, &first.data[..]), (4, &[4; 4][..]));
    assert_eq!(queue.pop().unwrap().log_time, 5);
    assert!(queue.pop().is_none() && queue.is_empty());
    assert_eq!((counters.read().frames_in, counters.read().overwritten), (5, 3));
}

#[test]
fn the_picture_after_a_dropped_one_says_so() {
    let (queue, _) = queue();
    for n in 1..=3 {
        queue.push(PictureKind::Message, b"a", n);
    }
    let gaps: Vec<_> =
        std::iter::from_fn(|| queue.pop()).map(|picture| (picture.log_time, picture.after_gap)).collect();
    assert_eq!(gaps, [(2, true), (3, false)]);
}

#[test]
fn s_242_buffers_are_used_again() {
    let (queue, _) = queue();
    queue.push(PictureKind::Jpeg, &[1; 100], 1);
    let picture = queue.pop().unwrap();
    let address = picture.data.as_ptr();
    queue.recycle(picture);
    queue.push(PictureKind::Jpeg, &[2; 90], 2);
    let picture = queue.pop().unwrap();
    assert_eq!((picture.data.as_ptr(), picture.data.len(), picture.kind), (address, 90, PictureKind::Jpeg));
    // What is pushed out is used again too.
    for n in 0..3 {
        queue.push(PictureKind::Jpeg, &[n; 10], 3);
    }
    assert_eq!((queue.pop().unwrap().data[0], queue.pop().unwrap().data[0]), (1, 2));
}

#[test]
fn a_closed_queue_takes_nothing_and_counts_what_it_held() {
    let (queue, counters) = queue();
    queue.push(PictureKind::Message, b"a", 1);
    queue.push(PictureKind::Message, b"b", 2);
    let out = queue.pop().unwrap();
    queue.close();
    queue.recycle(out);
    assert!(!queue.push(PictureKind::Message, b"c", 3));
    assert!(queue.pop().is_none());
    assert_eq!(counters.read().not_published, 1);
    counters.count(VideoOutcome::Sent);
    assert_eq!(counters.read().sent, 1);
}

#[test]
fn a_picture_no_encoder_could_take_is_not_copied() {
    let (queue, counters) = queue();
    assert!(!queue.push(PictureKind::Message, &vec![0; (256 << 20) + (64 << 10) + 1], 1));
    assert!(queue.is_empty());
    assert_eq!(counters.read().oversize, 1);
}
