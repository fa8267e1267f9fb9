//! A stream cut into chunks: the first byte seeds the chunk sizes, the rest is the stream.
//!
//! The frames must be the same whatever the chunks are, they must be what a plain reading of the header says, and the decoder must
//! never hold more than it was given.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use telelink::protocol::{Frame, FrameDecoder, FrameError, FrameKind};

/// Small, so that short inputs can exceed it.
const MAX: usize = 300;

fuzz_target!(|input: &[u8]| {
    let Some((&seed, stream)) = input.split_first() else { return };
    let expected = read_plainly(stream);

    let mut decoder = FrameDecoder::new(MAX);
    let mut frames = Vec::new();
    let mut failure = None;
    let mut state = u32::from(seed);
    let mut rest = stream;
    while !rest.is_empty() {
        // Seed 0: one chunk. Otherwise a cheap generator, sizes 1 to 16.
        let n = if seed == 0 { rest.len() } else { (state as usize % 16 + 1).min(rest.len()) };
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) >> 1;
        let (chunk, left) = rest.split_at(n);
        rest = left;
        decoder.push(Bytes::copy_from_slice(chunk));
        // Draining now and then only: chunks may pile up.
        if seed % 3 == 1 && state % 2 == 0 && !rest.is_empty() {
            continue;
        }
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next(), Err(error), "a failed decoder stays failed");
                    assert_eq!(decoder.buffered(), 0, "a failed decoder holds nothing");
                    failure = Some(error);
                    break;
                }
            }
        }
        assert!(decoder.buffered() <= MAX + 5, "holds at most one incomplete frame once drained");
        assert!(decoder.buffered() == 0 || decoder.is_mid_frame());
    }
    assert_eq!((frames, failure), expected);
});

/// What the stream holds, read in one go.
fn read_plainly(mut stream: &[u8]) -> (Vec<Frame>, Option<FrameError>) {
    let mut frames = Vec::new();
    loop {
        let Some((header, rest)) = stream.split_first_chunk::<5>() else { return (frames, None) };
        let len = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if len > MAX {
            return (frames, Some(FrameError::TooLarge { len, max: MAX }));
        }
        let Some((payload, rest)) = rest.split_at_checked(len) else { return (frames, None) };
        stream = rest;
        let kind = match header[0] {
            1 => FrameKind::Text,
            2 => FrameKind::Binary,
            other => return (frames, Some(FrameError::UnknownKind(other))),
        };
        frames.push(Frame { kind, payload: Bytes::copy_from_slice(payload) });
    }
}
