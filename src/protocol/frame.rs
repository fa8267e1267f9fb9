//! Framing of the control stream (section 3): 1 byte kind, u32 LE payload length, payload.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::error::EncodeError;

/// Size of a frame header in bytes (P-30).
pub const HEADER_LEN: usize = 5;

/// Largest payload of a frame in bytes, in both directions (P-32, P-33).
pub const MAX_PAYLOAD: usize = 16 * 1024 * 1024;

/// What the payload of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// UTF-8 JSON.
    Text = 1,
    /// A message opcode and its body.
    Binary = 2,
}

/// One frame of the control stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is.
    pub kind: FrameKind,
    /// The payload, without the header.
    pub payload: Bytes,
}

/// Why a stream cannot be read any further; it is to be abandoned (P-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The header declares more than the limit (P-37). Known as soon as the header is there.
    #[error("frame payload of {len} bytes exceeds the limit of {max} bytes")]
    TooLarge {
        /// Declared payload size in bytes.
        len: usize,
        /// The limit of this decoder.
        max: usize,
    },
    /// The frame kind is neither text nor binary (P-38); a newer peer may be the cause. Known once the payload has gone by.
    #[error("unknown frame kind {0}, the peer may speak a newer protocol")]
    UnknownKind(u8),
}

/// Cuts the bytes of one stream into frames, however they are chunked (P-5).
///
/// Call [`push`](Self::push) with each chunk, then [`next`](Self::next) until it says `Ok(None)` or fails. A frame that lies within
/// one chunk is a slice of it; any other is assembled in a buffer that never grows beyond twice the bytes that arrived nor beyond
/// the frame itself, whatever length the header declares (S-72).
#[derive(Debug)]
pub struct FrameDecoder {
    max_payload: usize,
    chunks: Chunks,
    state: State,
}

#[derive(Debug)]
enum State {
    Header {
        bytes: [u8; HEADER_LEN],
        have: usize,
    },
    Payload {
        kind: FrameKind,
        len: usize,
        partial: Vec<u8>,
    },
    /// The payload of a frame of unknown kind is read past without being kept.
    Skip {
        kind: u8,
        left: usize,
    },
    Failed(FrameError),
}

impl State {
    const START: State = State::Header { bytes: [0; HEADER_LEN], have: 0 };
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new(MAX_PAYLOAD)
    }
}

impl FrameDecoder {
    /// A decoder at the start of a stream that accepts payloads up to and including `max_payload` bytes.
    pub fn new(max_payload: usize) -> Self {
        Self { max_payload, chunks: Chunks::default(), state: State::START }
    }

    /// Takes the next bytes of the stream. After a failure they are dropped.
    pub fn push(&mut self, chunk: Bytes) {
        if !matches!(self.state, State::Failed(_)) {
            self.chunks.push(chunk);
        }
    }

    /// The next complete frame, or `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`FrameError`] when the stream has become unreadable. The decoder then drops what it holds and gives the same error for ever.
    #[expect(clippy::should_implement_trait, reason = "None means 'not yet', not the end, so this is no iterator")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match &mut self.state {
                State::Header { bytes, have } => {
                    *have += self.chunks.copy_to(&mut bytes[*have..]);
                    if *have < HEADER_LEN {
                        return Ok(None);
                    }
                    let [kind, len @ ..] = *bytes;
                    match self.begin(kind, u32::from_le_bytes(len) as usize) {
                        Ok(state) => self.state = state,
                        Err(error) => return Err(self.fail(error)),
                    }
                }
                State::Payload { kind, len, partial } => {
                    let kind = *kind;
                    let whole = if partial.is_empty() { self.chunks.slice(*len) } else { None };
                    let payload = match whole {
                        Some(payload) => payload,
                        None if self.chunks.append_to(partial, *len) => Bytes::from(std::mem::take(partial)),
                        None => return Ok(None),
                    };
                    self.state = State::START;
                    return Ok(Some(Frame { kind, payload }));
                }
                State::Skip { kind, left } => {
                    *left -= self.chunks.skip(*left);
                    if *left > 0 {
                        return Ok(None);
                    }
                    let error = FrameError::UnknownKind(*kind);
                    return Err(self.fail(error));
                }
                State::Failed(error) => return Err(*error),
            }
        }
    }

    /// Bytes held: chunks not looked at yet and the part of a frame that is there. What a cap on assembly counts (S-72).
    pub fn buffered(&self) -> usize {
        let assembled = match &self.state {
            State::Header { have, .. } => *have,
            State::Payload { partial, .. } => partial.len(),
            State::Skip { .. } | State::Failed(_) => 0,
        };
        self.chunks.len + assembled
    }

    /// Whether the stream would end inside a frame if it ended now (P-35). False after a failure.
    pub fn is_mid_frame(&self) -> bool {
        match &self.state {
            State::Header { have, .. } => *have > 0 || self.chunks.len > 0,
            State::Payload { .. } | State::Skip { .. } => true,
            State::Failed(_) => false,
        }
    }

    /// The state after a complete header.
    fn begin(&self, kind: u8, len: usize) -> Result<State, FrameError> {
        if len > self.max_payload {
            return Err(FrameError::TooLarge { len, max: self.max_payload });
        }
        Ok(match kind {
            1 => State::Payload { kind: FrameKind::Text, len, partial: Vec::new() },
            2 => State::Payload { kind: FrameKind::Binary, len, partial: Vec::new() },
            kind => State::Skip { kind, left: len },
        })
    }

    fn fail(&mut self, error: FrameError) -> FrameError {
        self.state = State::Failed(error);
        self.chunks = Chunks::default();
        error
    }
}

/// The bytes of a stream that were pushed and not used yet. No chunk in it is empty.
#[derive(Debug, Default)]
struct Chunks {
    queue: VecDeque<Bytes>,
    len: usize,
}

impl Chunks {
    fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.len += chunk.len();
            self.queue.push_back(chunk);
        }
    }

    /// Hands up to `max` bytes to `take`, chunk by chunk; returns how many there were.
    fn consume(&mut self, max: usize, mut take: impl FnMut(&[u8])) -> usize {
        let mut done = 0;
        while done < max {
            let Some(front) = self.queue.front_mut() else { break };
            let n = front.len().min(max - done);
            take(&front[..n]);
            front.advance(n);
            if front.is_empty() {
                self.queue.pop_front();
            }
            done += n;
        }
        self.len -= done;
        done
    }

    fn copy_to(&mut self, target: &mut [u8]) -> usize {
        let mut at = 0;
        self.consume(target.len(), |part| {
            target[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        })
    }

    fn skip(&mut self, max: usize) -> usize {
        self.consume(max, |_| ())
    }

    /// Moves bytes into `partial` until it has `len`; true when it does.
    fn append_to(&mut self, partial: &mut Vec<u8>, len: usize) -> bool {
        self.consume(len - partial.len(), |part| {
            if partial.capacity() - partial.len() < part.len() {
                // Doubling keeps a stream of single bytes linear; the frame's own size bounds it.
                let target = (partial.capacity() * 2).max(partial.len() + part.len()).min(len);
                partial.reserve_exact(target - partial.len());
            }
            partial.extend_from_slice(part);
        });
        partial.len() == len
    }

    /// The next `len` bytes without copying, if one chunk has them all.
    fn slice(&mut self, len: usize) -> Option<Bytes> {
        if len == 0 {
            return Some(Bytes::new());
        }
        let front = self.queue.front_mut().filter(|front| front.len() >= len)?;
        let slice = front.split_to(len);
        if front.is_empty() {
            self.queue.pop_front();
        }
        self.len -= len;
        Some(slice)
    }
}

/// The whole text frame with `json` as payload.
///
/// # Errors
///
/// [`EncodeError::TooLarge`] beyond [`MAX_PAYLOAD`] (P-33).
pub fn text_frame(json: &[u8]) -> Result<Bytes, EncodeError> {
    copy_into_frame(FrameKind::Text, json)
}

/// The whole binary frame with `payload` (message opcode and body) as payload.
///
/// # Errors
///
/// [`EncodeError::TooLarge`] beyond [`MAX_PAYLOAD`] (P-33).
pub fn binary_frame(payload: &[u8]) -> Result<Bytes, EncodeError> {
    copy_into_frame(FrameKind::Binary, payload)
}

fn copy_into_frame(kind: FrameKind, payload: &[u8]) -> Result<Bytes, EncodeError> {
    let mut frame = begin_frame(kind, payload.len())?;
    frame.extend_from_slice(payload);
    Ok(Bytes::from(frame))
}

/// A buffer with the header for `payload_len` bytes and exactly room for them.
pub(super) fn begin_frame(kind: FrameKind, payload_len: usize) -> Result<Vec<u8>, EncodeError> {
    let len = checked_len(payload_len)?;
    let mut frame = Vec::with_capacity(HEADER_LEN + payload_len);
    frame.push(kind as u8);
    frame.extend_from_slice(&len.to_le_bytes());
    Ok(frame)
}

/// Writes the header into the first [`HEADER_LEN`] bytes of `frame`, whose payload was written behind them.
pub(super) fn finish_frame(kind: FrameKind, mut frame: Vec<u8>) -> Result<Bytes, EncodeError> {
    let len = checked_len(frame.len() - HEADER_LEN)?;
    frame[0] = kind as u8;
    frame[1..HEADER_LEN].copy_from_slice(&len.to_le_bytes());
    Ok(Bytes::from(frame))
}

fn checked_len(payload_len: usize) -> Result<u32, EncodeError> {
    if payload_len > MAX_PAYLOAD {
        return Err(EncodeError::TooLarge { len: payload_len, max: MAX_PAYLOAD });
    }
    Ok(payload_len as u32)
}

/// The frame of a binary message whose body is 8 bytes.
pub(super) fn eight_byte_frame(opcode: u8, body: [u8; 8]) -> Result<Bytes, EncodeError> {
    let mut frame = begin_frame(FrameKind::Binary, 9)?;
    frame.push(opcode);
    frame.extend_from_slice(&body);
    Ok(Bytes::from(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_72_the_buffer_follows_the_bytes_not_the_declared_length() {
        let mut decoder = FrameDecoder::default();
        decoder.push(Bytes::from_static(&[2, 0, 0, 0, 1]));
        for arrived in 0..3000 {
            assert_eq!(decoder.next(), Ok(None));
            let State::Payload { partial, .. } = &decoder.state else { panic!("inside a payload") };
            assert_eq!(partial.len(), arrived);
            assert!(partial.capacity() <= 2 * arrived, "{} for {arrived}", partial.capacity());
            decoder.push(Bytes::from_static(&[7]));
        }
    }

    #[test]
    fn s_72_the_buffer_is_not_larger_than_the_frame() {
        let mut decoder = FrameDecoder::default();
        decoder.push(Bytes::from_static(&[1, 5, 0, 0, 0, b'a', b'b', b'c']));
        assert_eq!(decoder.next(), Ok(None));
        decoder.push(Bytes::from_static(b"d"));
        assert_eq!(decoder.next(), Ok(None));
        let State::Payload { partial, .. } = &decoder.state else { panic!("inside a payload") };
        assert_eq!(partial.capacity(), 5);
    }
}
