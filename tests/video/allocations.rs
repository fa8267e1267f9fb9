//! What a steady stream of pictures allocates: nothing of ours (S-242).

use telelink::video::{Codec, Converter, Picture, RawFormat, Wire};

use crate::reference::{Source, ALL_FORMATS};
use crate::wire::{Body, Message, WIRES};

#[test]
fn s_242_raw_pictures_of_every_format_allocate_nothing_after_the_first() {
    for format in ALL_FORMATS {
        let source = Source::noise(65, 49, format, 3, false);
        let mut converter = Converter::new();
        drop(converter.convert_picture(&Picture::Raw(source.picture())).expect("a good picture"));
        let spent = allocation_counter::measure(|| {
            for _ in 0..100 {
                drop(converter.convert_picture(&Picture::Raw(source.picture())).expect("a good picture"));
            }
        });
        assert_eq!(spent.count_total, 0, "{format:?}: {spent:?}");
    }
}

#[test]
fn s_242_messages_of_every_serialization_allocate_nothing_after_the_first() {
    let source = Source::noise(64, 48, RawFormat::Rgb8, 0, false);
    let body = Body::Raw {
        width: 64,
        height: 48,
        encoding: "rgb8".into(),
        step: source.stride,
        big_endian: false,
        data: source.data.clone(),
    };
    let message = Message { time: Some((1, 2)), frame_id: "camera".into(), body };
    for wire in WIRES {
        let bytes = message.encode(wire);
        let kind = message.kind(wire);
        let mut converter = Converter::new();
        // A frame is with the encoder while the next one is made.
        let mut held = converter.convert(kind, &bytes, 0).expect("a good message");
        held = replace(&mut converter, held, &message, wire, &bytes);
        let spent = allocation_counter::measure(|| {
            for _ in 0..100 {
                let next = converter.convert(kind, &bytes, 0).expect("a good message");
                held = next;
            }
        });
        assert_eq!(spent.count_total, 0, "{wire:?}: {spent:?}");
        assert_eq!(held.frame.width(), 64);
    }
}

/// The second buffer of the pool comes to life here.
fn replace(
    converter: &mut Converter,
    held: telelink::video::Converted,
    message: &Message,
    wire: Wire,
    bytes: &[u8],
) -> telelink::video::Converted {
    let next = converter.convert(message.kind(wire), bytes, 0).expect("a good message");
    drop(held);
    next
}

/// The decoders allocate working memory for each file, but never the pixels, nor more with every file.
#[test]
fn s_242_decoding_allocates_no_pictures() {
    let files: [(Codec, &[u8]); 2] = [
        (Codec::Jpeg, include_bytes!("fixtures/ramp-641x481.jpg")),
        (Codec::Webp, include_bytes!("fixtures/ramp-641x481.webp")),
    ];
    let picture = 641 * 481 * 3;
    for (codec, data) in files {
        let mut converter = Converter::new();
        let picture_of = Picture::Compressed { codec, data };
        drop(converter.convert_picture(&picture_of).expect("a good file"));
        let spent = allocation_counter::measure(|| {
            drop(converter.convert_picture(&picture_of).expect("a good file"));
        });
        println!("{codec:?}: {spent:?}");
        assert_eq!(spent.count_current, 0, "{codec:?}: {spent:?}");
        assert!(spent.bytes_max < picture, "{codec:?}: {spent:?}");
    }
}
