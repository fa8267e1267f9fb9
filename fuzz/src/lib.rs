//! What the targets share.

pub mod session;

use bytes::Bytes;
use telelink::protocol::{
    DecodeError, EncodeError, Frame, FrameDecoder, FrameKind, FromViewer, Parameter, ParameterValue, ToViewer,
};

/// A message of either direction.
pub trait Message: Sized + std::fmt::Debug {
    /// Reads a frame.
    fn decode(frame: &Frame) -> Result<Self, DecodeError>;
    /// Writes a frame.
    fn to_frame(&self) -> Result<Bytes, EncodeError>;
    /// The parameters in it.
    fn parameters(&self) -> &[Parameter];
}

impl Message for FromViewer {
    fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        Self::decode(frame)
    }

    fn to_frame(&self) -> Result<Bytes, EncodeError> {
        self.to_frame()
    }

    fn parameters(&self) -> &[Parameter] {
        match self {
            Self::SetParameters { parameters, .. } => parameters,
            _ => &[],
        }
    }
}

impl Message for ToViewer {
    fn decode(frame: &Frame) -> Result<Self, DecodeError> {
        Self::decode(frame)
    }

    fn to_frame(&self) -> Result<Bytes, EncodeError> {
        self.to_frame()
    }

    fn parameters(&self) -> &[Parameter] {
        match self {
            Self::ParameterValues { parameters, .. } => parameters,
            _ => &[],
        }
    }
}

/// Reads a payload; what can be read must come back the same when written and read again, and errors must be fit to be logged.
pub fn round_trip<M: Message>(kind: FrameKind, payload: &[u8]) -> Option<M> {
    let frame = Frame { kind, payload: Bytes::copy_from_slice(payload) };
    let message = match M::decode(&frame) {
        Ok(message) => message,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 1000 && !text.chars().any(char::is_control), "unfit error text {text:?}");
            return None;
        }
    };
    let written = match message.to_frame() {
        Ok(written) => written,
        Err(error) => {
            // Readable only once: integers beyond i64 beside other values became floats (P-176).
            assert!(message.parameters().iter().any(mixes_floats_and_others), "{error} for {message:?}");
            return Some(message);
        }
    };
    let mut decoder = FrameDecoder::default();
    decoder.push(written.clone());
    let frame = decoder.next().expect("our own frame").expect("a whole frame");
    assert_eq!(frame.kind, kind);
    assert_eq!(decoder.buffered(), 0);
    let again = M::decode(&frame).unwrap_or_else(|error| panic!("{error} reading back {message:?}"));
    // Compared as bytes: NaN speeds are equal, and type hints that were only implied are written by now.
    let rewritten = again.to_frame().expect("what was written once");
    assert_eq!(rewritten, written, "{message:?} read back as {again:?}");
    if let (FrameKind::Text, Ok(text)) = (kind, std::str::from_utf8(&written[5..])) {
        assert!(text.starts_with("{\"op\":\""), "op comes first: {text}");
    }
    Some(message)
}

fn mixes_floats_and_others(parameter: &Parameter) -> bool {
    match &parameter.value {
        Some(ParameterValue::Array(values)) => {
            values.iter().any(|value| matches!(value, ParameterValue::Float(_)))
                && values.iter().any(|value| value.as_float().is_none())
        }
        _ => false,
    }
}
