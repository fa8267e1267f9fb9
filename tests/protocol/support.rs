//! Frames from text and hex.

use bytes::Bytes;
use telelink::protocol::{DecodeError, Frame, FrameDecoder, FrameKind, FromViewer, ToViewer};

/// The bytes of a hex dump; anything that is no hex digit separates.
pub(crate) fn hex(dump: &str) -> Vec<u8> {
    let digits: Vec<u8> = dump.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    assert_eq!(digits.len() % 2, 0, "whole bytes in {dump}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The only frame in `bytes`.
pub(crate) fn one_frame(bytes: &[u8]) -> Frame {
    let mut decoder = FrameDecoder::default();
    decoder.push(Bytes::copy_from_slice(bytes));
    let frame = decoder.next().expect("a readable frame").expect("a complete frame");
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.buffered(), 0, "nothing behind the frame");
    frame
}

pub(crate) fn text(json: &str) -> Frame {
    Frame { kind: FrameKind::Text, payload: Bytes::copy_from_slice(json.as_bytes()) }
}

pub(crate) fn binary(payload: &[u8]) -> Frame {
    Frame { kind: FrameKind::Binary, payload: Bytes::copy_from_slice(payload) }
}

pub(crate) fn from_viewer(json: &str) -> Result<FromViewer, DecodeError> {
    FromViewer::decode(&text(json))
}

pub(crate) fn to_viewer(json: &str) -> Result<ToViewer, DecodeError> {
    ToViewer::decode(&text(json))
}

/// The JSON of a text frame, checking the header.
pub(crate) fn json_of(frame: &[u8]) -> String {
    let frame = one_frame(frame);
    assert_eq!(frame.kind, FrameKind::Text);
    String::from_utf8(frame.payload.to_vec()).expect("UTF-8")
}

/// Asserts that a message of a known kind is refused, for a reason that contains `reason`.
pub(crate) fn assert_invalid<T: std::fmt::Debug>(result: Result<T, DecodeError>, reason: &str) {
    match result {
        Err(DecodeError::InvalidMessage { detail, .. }) if detail.contains(reason) => {}
        other => panic!("expected an invalid message for {reason:?}, got {other:?}"),
    }
}
