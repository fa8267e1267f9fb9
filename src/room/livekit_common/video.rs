//! What both adapters say of video tracks: bounds, and what is a picture at all.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::room::{PublishError, RoomError, VideoPicture};

/// Bound of a publication; it needs a negotiation with the server, some 100 ms. During a reconnection it waits.
pub(in crate::room) const PUBLISH_LIMIT: Duration = Duration::from_secs(20);
/// Bound of a subscription; it needs a negotiation with the server.
pub(in crate::room) const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(20);
/// Remote video tracks kept per publisher; what comes beyond is not reported.
pub(in crate::room) const TRACKS_PER_PUBLISHER: usize = 1024;
/// Pictures that may wait for a reader.
pub(in crate::room) const BUFFER: RangeInclusive<usize> = 1..=64;
/// Pictures that may wait inside the library: its reader takes them at once.
pub(in crate::room) const LIBRARY_QUEUE: u8 = 2;

/// Lengths of a picture's luma plane and of each chroma plane. The library believes its sizes; a picture that does not hold
/// them would let it read elsewhere.
pub(in crate::room) fn planes(picture: &VideoPicture<'_>) -> Result<(usize, usize), RoomError> {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let (luma, chroma) = (width * height, width * height / 4);
    if width % 2 + height % 2 != 0 || luma == 0 || picture.data.len() != luma + 2 * chroma {
        return Err(RoomError::Transport("a picture whose size does not fit its data".into()));
    }
    Ok((luma, chroma))
}

/// Sorts a failed publication. Error texts are not a contract (livekit-ffi.md section 6): an unknown one is tried again like
/// any other.
pub(in crate::room) fn publish_failure(text: String) -> PublishError {
    let refused = ["permission", "not allowed"].iter().any(|word| text.to_ascii_lowercase().contains(word));
    if refused {
        PublishError::NotAllowed
    } else {
        RoomError::Transport(text).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_even_sides_and_exactly_its_planes() {
        let check = |width, height, len: usize| {
            planes(&VideoPicture { width, height, data: &vec![0; len], timestamp_us: 0 }).is_ok()
        };
        assert!(check(4, 2, 12));
        for (width, height, len) in [(0, 0, 0), (3, 2, 9), (4, 1, 6), (4, 2, 11), (4, 2, 13)] {
            assert!(!check(width, height, len), "{width}×{height} in {len} bytes");
        }
    }

    #[test]
    fn only_a_refusal_is_not_tried_again() {
        assert_eq!(publish_failure("request error: NotAllowed - not allowed".into()), PublishError::NotAllowed);
        assert!(matches!(publish_failure("timeout".into()), PublishError::Room(RoomError::Transport(_))));
    }
}
