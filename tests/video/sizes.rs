//! Which sizes are shown, and how (S-239, S-240, S-244).

use telelink::video::{Converter, Frame, Picture, RawFormat, RawPicture, VideoError, MAX_SIDE};

use crate::reference::{Source, ALL_FORMATS};

fn convert(picture: RawPicture<'_>) -> Result<Frame, VideoError> {
    Converter::new().convert_picture(&Picture::Raw(picture))
}

/// P-163: Rows of noise lie between the pixels, so that a wrong stride or a column too many shows.
#[test]
fn s_240_every_size_from_16_to_33_is_shown_in_every_format() {
    let mut converter = Converter::new();
    for format in ALL_FORMATS {
        for width in 16..=33 {
            for height in 16..=33 {
                let source = Source::noise(width, height, format, (width + 2 * height) % 5, height % 2 == 0);
                let context = format!("{width}×{height} {format:?}");
                let frame = converter.convert_picture(&Picture::Raw(source.picture()));
                source.expected().assert_shown(&frame.expect(&context), 2.0, &context);
            }
        }
    }
}

/// P-163.
#[test]
fn s_240_the_usual_odd_size_is_shown_in_every_format() {
    for format in ALL_FORMATS {
        let source = Source::noise(641, 481, format, 0, false);
        let frame = convert(source.picture()).expect("an odd size is shown");
        assert_eq!((frame.width(), frame.height()), (640, 480));
        source.expected().assert_shown(&frame, 2.0, &format!("{format:?}"));
    }
}

/// P-163.
#[test]
fn s_239_boundaries() {
    let data = vec![0; 64 * 64 * 4];
    let result = |width, height| {
        let picture =
            RawPicture { width, height, format: RawFormat::Rgb8, stride: 192, big_endian: false, data: &data };
        convert(picture).map(|frame| (frame.width(), frame.height()))
    };
    assert_eq!(result(16, 16), Ok((16, 16)));
    assert_eq!(result(17, 17), Ok((16, 16)));
    for (width, height) in [(15, 16), (16, 15), (15, 17), (17, 15), (2, 2), (3, 40), (40, 14)] {
        assert_eq!(result(width, height), Err(VideoError::TooSmall { width, height }));
    }
    for (width, height) in [(1, 1), (0, 20), (20, 0), (0, 0), (1, 40), (40, 1)] {
        assert_eq!(result(width, height), Err(VideoError::ZeroSized { width, height }));
    }
    for (width, height) in [(MAX_SIDE + 1, 16), (16, MAX_SIDE + 1), (8192, 8194), (u32::MAX, u32::MAX)] {
        assert_eq!(result(width, height), Err(VideoError::TooLarge { width, height }));
    }
}

#[test]
fn a_line_scan_as_long_as_allowed_is_shown() {
    let source = Source::noise(MAX_SIDE, 16, RawFormat::Mono8, 0, false);
    let frame = convert(source.picture()).expect("within the limits");
    source.expected().assert_shown(&frame, 1.0, "line scan");
}

#[test]
fn s_244_a_stride_below_the_row_is_refused() {
    for format in ALL_FORMATS {
        let mut source = Source::noise(32, 32, format, 0, false);
        source.stride -= 1;
        let error = convert(source.picture()).expect_err("a stride too short");
        assert!(matches!(&error, VideoError::Malformed { detail, .. } if detail.contains("step")), "{error}");
    }
}

/// Every byte counts: of odd sizes too, where all rows but the chroma of the one cut off have to be there.
#[test]
fn s_244_data_has_to_be_complete_and_may_be_longer() {
    for format in ALL_FORMATS {
        let mut source = Source::noise(32, 32, format, 3, false);
        let whole = convert(source.picture()).expect("complete").data().to_vec();
        source.data.push(99);
        let longer = convert(source.picture()).expect("longer").data().to_vec();
        assert_eq!(whole, longer, "{format:?}");
        source.data.truncate(source.data.len() - 2);
        let error = convert(source.picture()).expect_err("a byte is missing");
        assert!(matches!(&error, VideoError::Malformed { detail, .. } if detail.contains("bytes of data")), "{error}");
    }
}

#[test]
fn a_stride_that_overflows_is_refused() {
    let data = [0; 4096];
    for format in ALL_FORMATS {
        for (width, height, stride) in [(16, MAX_SIDE, u32::MAX), (MAX_SIDE, 16, u32::MAX), (16, 16, u32::MAX - 1)] {
            let error = convert(RawPicture { width, height, format, stride, big_endian: false, data: &data })
                .expect_err("no such data");
            assert!(matches!(error, VideoError::Malformed { .. }), "{error}");
        }
    }
}
