//! JPEG, PNG and WebP, of our encoders in tests and of libjpeg and libwebp (S-246).

use std::io::Cursor;

use telelink::video::{Codec, Converter, Frame, Picture, RawFormat, VideoError};

use crate::reference::Source;

fn convert(codec: Codec, data: &[u8]) -> Result<Frame, VideoError> {
    Converter::new().convert_picture(&Picture::Compressed { codec, data })
}

fn png(source: &Source, color: png::ColorType) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, source.width, source.height);
    encoder.set_color(color);
    let mut writer = encoder.write_header().expect("a PNG header");
    writer.write_image_data(&source.data).expect("PNG data");
    writer.finish().expect("a PNG end");
    file
}

fn webp(source: &Source, color: image_webp::ColorType) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = image_webp::WebPEncoder::new(Cursor::new(&mut file));
    encoder.encode(&source.data, source.width, source.height, color).expect("a WebP file");
    file
}

fn jpeg(source: &Source, color: jpeg_encoder::ColorType) -> Vec<u8> {
    let mut file = Vec::new();
    let (width, height) = (source.width as u16, source.height as u16);
    jpeg_encoder::Encoder::new(&mut file, 100).encode(&source.data, width, height, color).expect("a JPEG file");
    file
}

/// Slow changes only: JPEG keeps those to a unit or two.
fn ramp(width: u32, height: u32, format: RawFormat) -> Source {
    let at = |x: u32, y: u32| {
        let (x, y) = (x * 255 / (width - 1), y * 255 / (height - 1));
        [x as u8, y as u8, 255 - x as u8, 255 - y as u8]
    };
    let size = match format {
        RawFormat::Mono8 => 1,
        RawFormat::Rgb8 => 3,
        _ => 4,
    };
    let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| at(x, y).into_iter().take(size))).collect();
    Source { width, height, format, stride: width * size as u32, big_endian: false, data }
}

#[test]
fn s_240_every_size_from_16_to_33_is_shown_in_every_codec() {
    for width in 16..=33 {
        for height in 16..=33 {
            let rgb = Source::noise(width, height, RawFormat::Rgb8, 0, false);
            let rgba = Source::noise(width, height, RawFormat::Rgba8, 0, false);
            let mono = Source::noise(width, height, RawFormat::Mono8, 0, false);
            let smooth = ramp(width, height, RawFormat::Rgb8);
            let grey = ramp(width, height, RawFormat::Mono8);
            for (source, codec, file, tolerance) in [
                (&rgb, Codec::Png, png(&rgb, png::ColorType::Rgb), 2.0),
                (&rgba, Codec::Png, png(&rgba, png::ColorType::Rgba), 2.0),
                (&mono, Codec::Png, png(&mono, png::ColorType::Grayscale), 2.0),
                (&rgb, Codec::Webp, webp(&rgb, image_webp::ColorType::Rgb8), 2.0),
                (&rgba, Codec::Webp, webp(&rgba, image_webp::ColorType::Rgba8), 2.0),
                (&smooth, Codec::Jpeg, jpeg(&smooth, jpeg_encoder::ColorType::Rgb), 3.0),
                (&grey, Codec::Jpeg, jpeg(&grey, jpeg_encoder::ColorType::Luma), 3.0),
            ] {
                let context = format!("{width}×{height} {codec:?} {:?}", source.format);
                source.expected().assert_shown(&convert(codec, &file).expect(&context), tolerance, &context);
            }
        }
    }
}

#[test]
fn s_240_the_usual_odd_size_is_shown_in_every_codec() {
    let source = ramp(641, 481, RawFormat::Rgb8);
    for (codec, file, tolerance) in [
        (Codec::Png, png(&source, png::ColorType::Rgb), 2.0),
        (Codec::Webp, webp(&source, image_webp::ColorType::Rgb8), 2.0),
        (Codec::Jpeg, jpeg(&source, jpeg_encoder::ColorType::Rgb), 3.0),
        (Codec::Jpeg, include_bytes!("fixtures/ramp-641x481.jpg").to_vec(), 6.0),
        (Codec::Webp, include_bytes!("fixtures/ramp-641x481.webp").to_vec(), 6.0),
    ] {
        source.expected().assert_shown(&convert(codec, &file).expect("a good file"), tolerance, &format!("{codec:?}"));
    }
}

/// The variants that cameras and tools write. The tolerances are those of the encoders' losses.
#[test]
fn s_246_files_of_other_encoders_are_shown() {
    let source = ramp(64, 48, RawFormat::Rgb8);
    let grey: Vec<u8> = source.data.chunks(3).map(luma601).collect();
    let grey = Source { format: RawFormat::Mono8, stride: 64, data: grey, ..source.clone() };
    let files: [(&str, Codec, &[u8], &Source, f64); 10] = [
        ("4:2:0", Codec::Jpeg, include_bytes!("fixtures/ramp-420.jpg"), &source, 8.0),
        ("4:2:2", Codec::Jpeg, include_bytes!("fixtures/ramp-422.jpg"), &source, 8.0),
        ("progressive", Codec::Jpeg, include_bytes!("fixtures/ramp-progressive.jpg"), &source, 6.0),
        ("CMYK", Codec::Jpeg, include_bytes!("fixtures/ramp-cmyk.jpg"), &source, 8.0),
        ("grey", Codec::Jpeg, include_bytes!("fixtures/ramp-grey.jpg"), &grey, 6.0),
        ("lossy", Codec::Webp, include_bytes!("fixtures/ramp-lossy.webp"), &source, 8.0),
        ("lossy with alpha", Codec::Webp, include_bytes!("fixtures/ramp-alpha.webp"), &source, 8.0),
        ("lossless with alpha", Codec::Webp, include_bytes!("fixtures/ramp-lossless.webp"), &source, 2.0),
        ("grey and alpha", Codec::Png, include_bytes!("fixtures/ramp-grey-alpha.png"), &grey, 2.0),
        ("16 bits", Codec::Png, include_bytes!("fixtures/ramp-grey16.png"), &grey, 2.0),
    ];
    for (name, codec, file, expected, tolerance) in files {
        expected.expected().assert_shown(&convert(codec, file).expect(name), tolerance, name);
    }
}

/// As Pillow makes grey of RGB.
fn luma601(pixel: &[u8]) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|at| u32::from(pixel[at]));
    ((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16) as u8
}

#[test]
fn s_246_png_of_one_bit_and_of_a_palette_is_shown() {
    let frame = convert(Codec::Png, include_bytes!("fixtures/ramp-1bit.png")).expect("one bit");
    assert!(frame.y().data.iter().all(|y| [16, 235].contains(y)) && frame.y().data.contains(&235));
    let frame = convert(Codec::Png, include_bytes!("fixtures/ramp-palette.png")).expect("a palette");
    // 64 colours of a ramp: each pixel within a step of its own
    ramp(64, 48, RawFormat::Rgb8).expected().assert_shown(&frame, 48.0, "palette");
}

#[test]
fn an_animation_is_no_picture() {
    let error = convert(Codec::Webp, include_bytes!("fixtures/ramp-animated.webp")).expect_err("an animation");
    assert!(matches!(error, VideoError::Unsupported { what: "WebP", .. }), "{error}");
}

#[test]
fn s_239_small_files_are_refused_by_their_size() {
    for (width, height) in [(15, 16), (16, 15), (1, 1), (1, 20)] {
        let source = Source::noise(width, height, RawFormat::Rgb8, 0, false);
        for (codec, file) in [
            (Codec::Png, png(&source, png::ColorType::Rgb)),
            (Codec::Webp, webp(&source, image_webp::ColorType::Rgb8)),
            (Codec::Jpeg, jpeg(&source, jpeg_encoder::ColorType::Rgb)),
        ] {
            let expected = if width == 1 {
                VideoError::ZeroSized { width, height }
            } else {
                VideoError::TooSmall { width, height }
            };
            assert_eq!(convert(codec, &file).expect_err("too small"), expected, "{codec:?}");
        }
    }
}

/// A file of a hundred bytes can claim any size.
#[test]
fn headers_that_claim_huge_pictures_cost_no_memory() {
    let mut huge_jpeg = include_bytes!("fixtures/ramp-420.jpg").to_vec();
    let at = huge_jpeg.windows(2).position(|window| window == [0xff, 0xc0]).expect("a frame header");
    huge_jpeg[at + 5..at + 9].copy_from_slice(&[0x40, 0x00, 0x40, 0x00]); // 16384×16384
    let mut wide_jpeg = huge_jpeg.clone();
    wide_jpeg[at + 5..at + 9].copy_from_slice(&[0x00, 0x64, 0x4e, 0x20]); // 20,000×100
    let mut huge_png = Vec::new();
    let encoder = png::Encoder::new(&mut huge_png, 60_000, 60_000);
    drop(encoder.write_header().expect("a PNG header"));
    let mut huge_webp = include_bytes!("fixtures/ramp-lossless.webp").to_vec();
    let at = huge_webp.windows(4).position(|window| window == b"VP8L").expect("a lossless picture");
    let sides = 16_382_u32 | 16_382 << 14; // less one; the largest that the format has comes out as 0 of image-webp
    huge_webp[at + 9..at + 13].copy_from_slice(&(sides | 1 << 28).to_le_bytes());
    let files = [huge_jpeg, wide_jpeg, huge_png, huge_webp];
    for (codec, file) in [Codec::Jpeg, Codec::Jpeg, Codec::Png, Codec::Webp].into_iter().zip(files) {
        let mut error = None;
        let spent = allocation_counter::measure(|| error = convert(codec, &file).err());
        assert!(matches!(error, Some(VideoError::TooLarge { .. })), "{codec:?}: {error:?}");
        assert!(spent.bytes_max < 4 << 20, "{codec:?}: {spent:?}");
    }
}

#[test]
fn a_file_of_another_codec_is_refused() {
    let source = ramp(64, 48, RawFormat::Rgb8);
    let file = png(&source, png::ColorType::Rgb);
    for (codec, name) in [(Codec::Jpeg, "JPEG"), (Codec::Webp, "WebP")] {
        let error = convert(codec, &file).expect_err("a PNG file");
        assert!(error.to_string().starts_with(&format!("malformed {name}: ")), "{error}");
    }
    assert!(convert(Codec::Png, &file[..file.len() / 2]).is_err(), "half a file");
}

/// Cameras cut pictures short. What is missing is never what another picture left in the buffer.
#[test]
fn half_a_jpeg_is_shown_and_shows_nothing_of_the_picture_before() {
    let file = include_bytes!("fixtures/ramp-641x481.jpg");
    let noise = Source::noise(641, 481, RawFormat::Rgb8, 0, false);
    let (noise, light) = (jpeg(&noise, jpeg_encoder::ColorType::Rgb), vec![255; 641 * 481 * 3]);
    let light = Source { data: light, ..ramp(641, 481, RawFormat::Rgb8) };
    let light = jpeg(&light, jpeg_encoder::ColorType::Rgb);
    for len in [file.len() / 2, file.len() * 3 / 4, file.len() - 2] {
        let shown = [&noise, &light].map(|before| {
            let mut converter = Converter::new();
            converter.convert_picture(&Picture::Compressed { codec: Codec::Jpeg, data: before }).expect("a good file");
            let half = Picture::Compressed { codec: Codec::Jpeg, data: &file[..len] };
            converter.convert_picture(&half).expect("half a file").data().to_vec()
        });
        assert!(shown[0] == shown[1], "{len} of {} bytes", file.len());
    }
}
