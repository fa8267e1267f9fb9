//! What LiveKit's library keeps of a video track that has ended, and how to make that little.
//!
//! The sender of an unpublished track lives until its connection ends (livekit/rust-sdks issue 612), and with it a thread and
//! the encoder, whose memory grows with the picture: 155 MiB for VP9 at 1920×1080. But an encoder that gets a picture of
//! another size begins anew for that size. So the last picture of each track is a tiny one: libvpx and libaom are left with
//! what that takes, and OpenH264, which refuses it, with nothing.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::time::sleep;

use crate::room::{RoomError, VideoCodec, VideoPicture, VideoTrackOptions, VideoTrackStats};

/// How long a track that ends waits to learn which encoder it has; usually 2 ms.
pub(in crate::room) const ENCODER_LIMIT: Duration = Duration::from_millis(250);
/// How often, and how many times, to look whether the picture before the last is in.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: u32 = 100;
/// Side of the last picture, pixels. LiveKit's library takes multiples of four; at 2 it aborts.
const SIDE: u32 = 8;
const PIXELS: usize = (SIDE * SIDE) as usize;
const BLACK: [u8; PIXELS * 3 / 2] = {
    let mut planes = [128; PIXELS * 3 / 2];
    let mut at = 0;
    while at < PIXELS {
        planes[at] = 16;
        at += 1;
    }
    planes
};

/// The encoders that were seen to take such a picture, or to refuse it, in peace. What a hardware encoder and its driver
/// would do with it is anybody's guess.
const KNOWN: [&str; 3] = ["OpenH264", "libvpx", "libaom"];

/// MiB that a track of which nothing is known may have left.
pub(in crate::room) const UNKNOWN: u32 = 25;

/// Gives a track its last picture, if that is wise. `stats` tells of its encoder, `under_way` is locked while another picture
/// goes in. Answers how many MiB the library will keep of the track.
pub(in crate::room) async fn empty<T>(
    options: &VideoTrackOptions,
    stats: impl Future<Output = Result<VideoTrackStats, RoomError>>,
    under_way: &Mutex<T>,
    capture: impl Fn(&VideoPicture<'_>) -> Result<(), RoomError>,
) -> u32 {
    let stats = if options.encoded { None } else { stats.await.ok() };
    let emptied = match stats.as_ref().and_then(last_picture) {
        Some(picture) => capture_last(under_way, || capture(&picture)).await,
        None => false,
    };
    kept(options, emptied)
}

/// The last picture of a track whose encoder is this one; `None`: leave it alone.
fn last_picture(stats: &VideoTrackStats) -> Option<VideoPicture<'static>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp_us = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    let picture = VideoPicture { width: SIDE, height: SIDE, data: &BLACK, timestamp_us };
    (KNOWN.contains(&stats.encoder.as_str()) && !stats.hardware).then_some(picture)
}

/// Hands the last picture in, after the one that may be under way, which holds the lock: its thread may be slow, and the
/// caller's must not wait. Says whether the library took it.
async fn capture_last<T>(under_way: &Mutex<T>, capture: impl Fn() -> Result<(), RoomError>) -> bool {
    for _ in 0..LOOKS {
        if let Some(_none) = under_way.try_lock() {
            return capture().is_ok();
        }
        sleep(LOOK).await;
    }
    false
}

/// About how many MiB the library keeps of a track that has ended. Measured from 640×360 to 1920×1080 with LiveKit's library
/// 1.2.1; a hardware encoder, which was not, counts like OpenH264.
pub(in crate::room) fn kept(options: &VideoTrackOptions, emptied: bool) -> u32 {
    let (least, bytes_per_pixel) = match options.codec {
        VideoCodec::H264 | VideoCodec::H265 => (1, 12),
        VideoCodec::Vp8 => (1, 37),
        VideoCodec::Vp9 => (20, 70),
        VideoCodec::Av1 => (6, 16),
    };
    if emptied || options.encoded {
        return least;
    }
    let (width, height) = options.size;
    let bytes = (u64::from(width) * u64::from(height)).saturating_mul(bytes_per_pixel);
    least.saturating_add(u32::try_from(bytes >> 20).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::*;
    use crate::room::livekit_common::video::planes;
    use crate::room::VideoEncoder;

    #[test]
    fn only_encoders_that_are_known_to_bear_it_get_a_tiny_last_picture() {
        let last = |encoder: &str, hardware| {
            last_picture(&VideoTrackStats { encoder: encoder.into(), hardware, ..Default::default() })
        };
        for encoder in ["OpenH264", "libvpx", "libaom"] {
            let picture = last(encoder, false).expect(encoder);
            let (luma, chroma) = planes(&picture).expect("a picture");
            assert_eq!((luma, chroma), (64, 16));
            let (luma, colours) = picture.data.split_at(luma);
            assert!(luma.iter().all(|y| *y == 16) && colours.iter().all(|c| *c == 128), "black");
        }
        for (encoder, hardware) in [("", false), ("NvEncoder", true), ("libvpx (fallback from: NvEncoder)", false)] {
            assert!(last(encoder, hardware).is_none(), "{encoder}");
        }
        assert!(last("OpenH264", true).is_none());
    }

    #[test]
    fn the_last_picture_comes_after_one_that_is_under_way() {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let under_way = Mutex::new(());
        let held = under_way.lock();
        let mut last = Box::pin(capture_last(&under_way, || Ok(())));
        let early = runtime.block_on(async { timeout(LOOK * 3, &mut last).await });
        assert!(early.is_err(), "it waits");
        drop(held);
        assert!(runtime.block_on(last));
        assert!(!runtime.block_on(capture_last(&under_way, || Err(RoomError::Closed))), "not taken");
        let _stuck = under_way.lock();
        assert!(!runtime.block_on(capture_last(&under_way, || Ok(()))), "given up");
    }

    #[test]
    fn what_is_kept_is_about_what_was_measured() {
        let of = |codec, size, encoded, emptied| {
            let encoder = VideoEncoder::Auto;
            kept(&VideoTrackOptions { codec, encoder, limits: None, encoded, size, capture_times: false }, emptied)
        };
        for (codec, size, measured) in [
            (VideoCodec::H264, (640, 360), 3.4),
            (VideoCodec::H264, (1920, 1080), 23.0),
            (VideoCodec::Vp8, (1280, 720), 32.5),
            (VideoCodec::Vp9, (1920, 1080), 155.0),
            (VideoCodec::Av1, (1280, 720), 19.0),
        ] {
            let kept = f64::from(of(codec, size, false, false));
            assert!((kept / measured - 1.0).abs() < 0.2, "{codec:?} {size:?}: {kept}");
        }
        assert_eq!(of(VideoCodec::H264, (1920, 1080), false, true), 1);
        assert_eq!(of(VideoCodec::H264, (1920, 1080), true, false), 1, "pass-through has no encoder");
        assert_eq!(of(VideoCodec::Vp8, (u32::MAX, u32::MAX), false, false), u32::MAX);
    }
}
