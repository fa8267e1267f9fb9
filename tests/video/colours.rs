//! Colours: within ±2 of the exact ones for every format (S-245).

use telelink::video::{Converter, Frame, Picture, RawFormat, RawPicture};

use crate::reference::{Source, ALL_FORMATS};

/// What the issue allows; rounding alone takes half of one.
const TOLERANCE: f64 = 2.0;

fn convert(picture: RawPicture<'_>) -> Frame {
    Converter::new().convert_picture(&Picture::Raw(picture)).expect("a good picture")
}

#[test]
fn s_245_noise_in_every_format_is_within_two_of_exact() {
    for format in ALL_FORMATS {
        for big_endian in [false, true] {
            let source = Source::noise(128, 96, format, 0, big_endian);
            let context = format!("{format:?}, big endian {big_endian}");
            source.expected().assert_shown(&convert(source.picture()), TOLERANCE, &context);
        }
    }
}

/// The corners of the colour cube, where sums overflow first.
#[test]
fn s_245_the_corners_of_the_colour_cube_are_within_two_of_exact() {
    let corners = (0..8_u8).map(|corner| [0, 1, 2].map(|bit| (corner >> bit & 1) * 255));
    for [red, green, blue] in corners {
        for format in [RawFormat::Rgb8, RawFormat::Bgr8, RawFormat::Rgba8, RawFormat::Bgra8] {
            let pixel: &[u8] = match format {
                RawFormat::Rgb8 => &[red, green, blue],
                RawFormat::Bgr8 => &[blue, green, red],
                RawFormat::Rgba8 => &[red, green, blue, 0],
                _ => &[blue, green, red, 255],
            };
            let stride = 34 * pixel.len() as u32;
            let data = pixel.repeat(34 * 18);
            let source = Source { width: 34, height: 18, format, stride, big_endian: false, data };
            let context = format!("{format:?} {pixel:?}");
            source.expected().assert_shown(&convert(source.picture()), TOLERANCE, &context);
        }
        for (format, cell) in [
            (RawFormat::BayerRggb8, [red, green, green, blue]),
            (RawFormat::BayerBggr8, [blue, green, green, red]),
            (RawFormat::BayerGrbg8, [green, red, blue, green]),
            (RawFormat::BayerGbrg8, [green, blue, red, green]),
        ] {
            let data = [cell[..2].repeat(17), cell[2..].repeat(17)].concat().repeat(9);
            let source = Source { width: 34, height: 18, format, stride: 34, big_endian: false, data };
            let context = format!("{format:?} {cell:?}");
            source.expected().assert_shown(&convert(source.picture()), TOLERANCE, &context);
            // and the same frame as that colour in RGB
            let rgb =
                Source { format: RawFormat::Rgb8, data: [red, green, blue].repeat(34 * 18), stride: 102, ..source };
            rgb.expected().assert_shown(&convert(source_of(format, cell).picture()), TOLERANCE, &context);
        }
    }
}

fn source_of(format: RawFormat, cell: [u8; 4]) -> Source {
    let data = [cell[..2].repeat(17), cell[2..].repeat(17)].concat().repeat(9);
    Source { width: 34, height: 18, format, stride: 34, big_endian: false, data }
}

/// S-245's rule, written out for one cell of each mosaic.
#[test]
fn s_245_a_bayer_cell_shares_red_and_blue_and_keeps_a_green_per_row() {
    let (red, upper, lower, blue) = (200, 100, 20, 50);
    for (format, cell) in [
        (RawFormat::BayerRggb8, [red, upper, lower, blue]),
        (RawFormat::BayerBggr8, [blue, upper, lower, red]),
        (RawFormat::BayerGrbg8, [upper, red, blue, lower]),
        (RawFormat::BayerGbrg8, [upper, blue, red, lower]),
    ] {
        let frame = convert(source_of(format, cell).picture());
        // 16 + 219/255 × (0.2126 × 200 + 0.7152 × green + 0.0722 × 50)
        let rows: Vec<&[u8]> = frame.y().data.chunks(34).collect();
        assert!(rows[0].iter().all(|&y| y.abs_diff(117) <= 1), "{format:?} {:?}", rows[0]);
        assert!(rows[1].iter().all(|&y| y.abs_diff(68) <= 1), "{format:?} {:?}", rows[1]);
    }
}

#[test]
fn s_245_mono_is_rounded_exactly() {
    let mut data: Vec<u8> = (0..=255).collect();
    data.resize(256 * 16, 0);
    fn picture(format: RawFormat, stride: u32, data: &[u8]) -> RawPicture<'_> {
        RawPicture { width: 256, height: 16, format, stride, big_endian: false, data }
    }
    let exact = |value: f64| (16.0 + value * 219.0).round() as u8;
    let frame = convert(picture(RawFormat::Mono8, 256, &data));
    for value in 0..=255_u8 {
        assert_eq!(frame.y().data[usize::from(value)], exact(f64::from(value) / 255.0), "mono8 {value}");
    }
    for start in (0..=u16::MAX).step_by(256) {
        let mut data: Vec<u8> = (0..256).flat_map(|at| (start + at).to_le_bytes()).collect();
        data.resize(512 * 16, 0);
        let frame = convert(picture(RawFormat::Mono16, 512, &data));
        for at in 0..256_u16 {
            let value = start + at;
            assert_eq!(frame.y().data[usize::from(at)], exact(f64::from(value) / 65_535.0), "mono16 {value}");
        }
    }
    assert!(frame.u().data.iter().chain(frame.v().data).all(|&chroma| chroma == 128));
}

#[test]
fn s_245_float_is_clamped_and_what_is_no_number_is_black() {
    let values = [f32::NAN, -f32::NAN, f32::NEG_INFINITY, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, f32::MAX, f32::INFINITY];
    let expected = [16, 16, 16, 16, 16, 16, 126, 235, 235, 235, 235]; // 16 + 0.5 × 219 = 125.5
    for big_endian in [false, true] {
        let bytes = |value: &f32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut data: Vec<u8> = values.iter().flat_map(bytes).collect();
        data.resize(16 * 16 * 4, 0);
        let format = RawFormat::Mono32F;
        let frame = convert(RawPicture { width: 16, height: 16, format, stride: 64, big_endian, data: &data });
        assert_eq!(frame.y().data[..values.len()], expected, "big endian {big_endian}");
    }
}

/// The range of 4:2:2 and of planes is what it is; only chroma is halved.
#[test]
fn s_245_planes_are_copied_without_a_change_of_range() {
    let mut data: Vec<u8> = (0..=255).collect(); // 16×16 of Y, full range
    data.extend((0..128).map(|at| if at % 2 == 0 { 0 } else { 255 }));
    let frame = convert(RawPicture {
        width: 16,
        height: 16,
        format: RawFormat::Nv12,
        stride: 16,
        big_endian: false,
        data: &data,
    });
    assert_eq!(frame.y().data, &data[..256]);
    assert!(frame.u().data.iter().all(|&u| u == 0) && frame.v().data.iter().all(|&v| v == 255));
}
