//! What advertising channels and services has in common: frames of a bounded size (P-33).

use bytes::Bytes;

use crate::protocol::{EncodeError, ToViewer};

/// An advertisement grows to about this many bytes before the next one starts: well below the frame limit of 16 MiB, JSON
/// escapes included.
const ADVERTISE_BYTES: usize = 2 << 20;

/// Parts of a bounded size, in order. What does not fit any frame was refused when it was added ([`check_fits`]).
pub(super) fn parts<T>(items: impl Iterator<Item = T>, size: impl Fn(&T) -> usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.peekable();
    std::iter::from_fn(move || {
        let mut part = vec![items.next()?];
        let mut total = size(&part[0]);
        while let Some(item) = items.next_if(|item| total + size(item) <= ADVERTISE_BYTES) {
            total += size(&item);
            part.push(item);
        }
        Some(part)
    })
}

/// The advertisement of one thing alone must fit a frame, or a later one would fail for every viewer.
pub(super) fn check_fits(alone: &ToViewer) -> Result<(), EncodeError> {
    alone.to_frame().map(drop)
}

/// The parts as frames.
pub(super) fn encode_parts(parts: impl Iterator<Item = ToViewer>) -> Vec<Bytes> {
    parts
        .filter_map(|part| match part.to_frame() {
            Ok(frame) => Some(frame),
            Err(error) => {
                tracing::error!(%error, "an advertisement could not be encoded and was not sent");
                None
            }
        })
        .collect()
}
