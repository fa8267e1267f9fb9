//! Changes of size that H.264 decoders overlook.
//!
//! H.264 codes whole macroblocks of 16×16 pixels and says how much of the last ones is cut off. The decoder that browsers and
//! LiveKit's SDKs have (FFmpeg's, inside libwebrtc) looks for a new size only when the number of macroblocks is another one:
//! after 640×356 it would go on showing 356 rows of a picture of 640×360. So the first pictures of such a size lose a row,
//! or a column, of macroblocks; the whole ones that follow then differ.

use std::time::{Duration, Instant};

use super::video::planes;
use crate::room::{RoomError, VideoCodec, VideoPicture};

/// Side of a macroblock, pixels.
const BLOCK: u32 = 16;
/// How long pictures are cut: several at usual rates, for an encoder may leave one out.
const CUT: Duration = Duration::from_millis(100);

/// What one track has sent.
#[derive(Debug)]
pub(in crate::room) struct Resize {
    codec: VideoCodec,
    /// Size of the last picture sent.
    sent: Option<(u32, u32)>,
    /// Pictures of this size are cut until then.
    cutting: Option<((u32, u32), Instant)>,
}

impl Resize {
    pub(in crate::room) fn new(codec: VideoCodec) -> Self {
        Self { codec, sent: None, cutting: None }
    }

    /// The picture as it is to be sent now; a cut one lies in `buffer`.
    pub(in crate::room) fn apply<'a>(
        &mut self,
        picture: &VideoPicture<'a>,
        now: Instant,
        buffer: &'a mut Vec<u8>,
    ) -> Result<VideoPicture<'a>, RoomError> {
        if self.codec != VideoCodec::H264 {
            return Ok(*picture);
        }
        let whole = shown((picture.width, picture.height));
        self.cutting = self.cutting.filter(|(size, until)| *size == whole && now < *until);
        // After pictures that were cut the whole ones have other macroblocks, so this ends.
        let overlooked = |sent: (u32, u32)| sent != whole && blocks(sent) == blocks(whole);
        if self.cutting.is_none() {
            if !self.sent.is_some_and(overlooked) {
                self.sent = Some(whole);
                return Ok(*picture);
            }
            self.cutting = Some((whole, now + CUT));
        }
        let (width, height) = smaller(whole);
        self.sent = Some((width, height));
        cut(picture, width, height, buffer)?;
        Ok(VideoPicture { width, height, data: buffer, timestamp_us: picture.timestamp_us })
    }
}

/// LiveKit's library makes both sides a multiple of four.
fn shown((width, height): (u32, u32)) -> (u32, u32) {
    (width & !3, height & !3)
}

fn blocks((width, height): (u32, u32)) -> (u32, u32) {
    (width.div_ceil(BLOCK), height.div_ceil(BLOCK))
}

/// The same picture without its last row of macroblocks; of the only row, without its last column. A size of one
/// macroblock is its own: no other of at least 16×16 has as many.
fn smaller((width, height): (u32, u32)) -> (u32, u32) {
    match blocks((width, height)) {
        (_, rows @ 2..) => (width, (rows - 1) * BLOCK),
        (columns, _) => ((columns - 1).max(1) * BLOCK, height),
    }
}

/// The upper left corner, planes without padding.
fn cut(picture: &VideoPicture<'_>, width: u32, height: u32, buffer: &mut Vec<u8>) -> Result<(), RoomError> {
    let (luma, chroma) = planes(picture)?;
    let (stride, width, height) = (picture.width as usize, width as usize, height as usize);
    let (luma, colours) = picture.data.split_at(luma);
    let (u, v) = colours.split_at(chroma);
    buffer.clear();
    for (plane, stride, width, height) in
        [(luma, stride, width, height), (u, stride / 2, width / 2, height / 2), (v, stride / 2, width / 2, height / 2)]
    {
        plane.chunks_exact(stride).take(height).for_each(|row| buffer.extend_from_slice(&row[..width]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes in which pictures of these sizes are sent, one every 33 ms.
    fn sent(codec: VideoCodec, sizes: &[(u32, u32)]) -> Vec<(u32, u32)> {
        let (mut resize, mut now) = (Resize::new(codec), Instant::now());
        let mut send = |&(width, height): &(u32, u32)| {
            now += Duration::from_millis(33);
            let data = vec![0; (width * height * 3 / 2) as usize];
            let mut buffer = Vec::new();
            let picture = VideoPicture { width, height, data: &data, timestamp_us: 5 };
            let sent = resize.apply(&picture, now, &mut buffer).expect("a picture");
            assert_eq!((sent.data.len() as u32, sent.timestamp_us), (sent.width * sent.height * 3 / 2, 5));
            (sent.width, sent.height)
        };
        sizes.iter().map(&mut send).collect()
    }

    #[test]
    fn s_240_a_size_of_as_many_macroblocks_is_first_shown_cut() {
        let (before, after, cut) = ((640, 356), (640, 360), (640, 352));
        assert_eq!(
            sent(VideoCodec::H264, &[before, after, after, after, after, after]),
            [before, cut, cut, cut, cut, after]
        );
        assert_eq!(sent(VideoCodec::H264, &[(36, 16), (46, 16)]), [(36, 16), (32, 16)], "one row of macroblocks");
        assert_eq!(sent(VideoCodec::H264, &[(16, 28), (18, 32)]), [(16, 28), (16, 16)], "18 is shown as 16");
    }

    #[test]
    fn s_240_other_changes_are_sent_as_they_are() {
        let sizes = [(640, 480), (640, 496), (320, 240), (320, 240), (322, 242), (16, 16), (18, 18), (34, 16)];
        assert_eq!(sent(VideoCodec::H264, &sizes), sizes);
    }

    #[test]
    fn s_240_other_codecs_know_their_size() {
        assert_eq!(sent(VideoCodec::Vp8, &[(640, 356), (640, 360)]), [(640, 356), (640, 360)]);
    }

    #[test]
    fn s_240_a_change_while_pictures_are_cut_is_measured_by_the_cut_ones() {
        let sizes = [(640, 356), (640, 360), (640, 364), (640, 364)];
        assert_eq!(sent(VideoCodec::H264, &sizes), [(640, 356), (640, 352), (640, 364), (640, 364)]);
        let sizes = [(640, 356), (640, 360), (640, 348)];
        assert_eq!(sent(VideoCodec::H264, &sizes), [(640, 356), (640, 352), (640, 336)], "as many as the cut one");
    }

    #[test]
    fn a_picture_that_does_not_fit_its_data_is_an_error() {
        let mut resize = Resize::new(VideoCodec::H264);
        let (mut now, mut buffer) = (Instant::now(), Vec::new());
        let mut apply = |height, len: usize| {
            now += Duration::from_millis(33);
            let picture = VideoPicture { width: 64, height, data: &vec![0; len], timestamp_us: 0 };
            resize.apply(&picture, now, &mut buffer).map(|sent| sent.height)
        };
        assert_eq!(apply(60, 64 * 60 * 3 / 2).expect("the first"), 60);
        assert!(apply(64, 64 * 64 * 3 / 2 - 1).is_err());
        assert_eq!(apply(64, 64 * 64 * 3 / 2).expect("cut"), 48);
    }

    #[test]
    fn a_cut_picture_is_the_upper_left_corner_of_each_plane() {
        let mut data: Vec<u8> = (0..36 * 20).map(|at| (at % 36) as u8).collect();
        data.extend((0..18 * 10).map(|at| 100 + (at % 18) as u8));
        data.extend((0..18 * 10).map(|at| 200 + (at / 18) as u8));
        let mut buffer = Vec::new();
        cut(&VideoPicture { width: 36, height: 20, data: &data, timestamp_us: 0 }, 32, 16, &mut buffer).expect("cut");
        assert_eq!(buffer.len(), 32 * 16 * 3 / 2);
        assert_eq!((buffer[31], buffer[32]), (31, 0));
        let (u, v) = buffer[32 * 16..].split_at(16 * 8);
        assert_eq!((u[15], u[16], u[127]), (115, 100, 115));
        assert_eq!((v[0], v[16], v[127]), (200, 201, 207));
    }
}
