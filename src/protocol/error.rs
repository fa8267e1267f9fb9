//! Why a message could not be decoded or encoded. Each text says what was wrong and which message or field it was in.

use thiserror::Error;

/// A frame that is not a valid message.
///
/// The stream itself stays usable: the next frame can be decoded (P-39 to P-45). Texts are at most a few hundred bytes and free of
/// control characters whatever the peer sent, so they can be logged and sent back in a status (S-74a).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The payload of a text frame is not UTF-8 (P-39).
    #[error("text frame is not UTF-8: first invalid byte at offset {valid_up_to}")]
    TextNotUtf8 {
        /// Number of payload bytes before the first invalid one.
        valid_up_to: usize,
    },
    /// A text frame is not a JSON object with exactly one string member `op` (P-40, P-41, P-53).
    #[error("text frame is not a message: {detail}")]
    NotAMessage {
        /// What the JSON reader objected to, with line and column.
        detail: String,
    },
    /// A text frame whose `op` this side does not know (P-40).
    #[error("unknown op \"{op}\"")]
    UnknownOp {
        /// The value of `op`, shortened.
        op: String,
    },
    /// A text frame of a known kind with a missing, ill-typed, repeated or out-of-range member (P-40, P-54 to P-57).
    #[error("invalid {op} message: {detail}")]
    InvalidMessage {
        /// The kind of message.
        op: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A binary frame without a payload (P-42).
    #[error("binary frame is empty")]
    EmptyBinary,
    /// A binary frame with a message opcode this side does not know (P-43).
    #[error("unknown binary message opcode {opcode}")]
    UnknownOpcode {
        /// The first payload byte.
        opcode: u8,
    },
    /// A binary message or data-track frame that ends inside a field (P-44, P-153).
    #[error("{message} is too short: {field} needs {needed} bytes, {available} are left")]
    TooShort {
        /// The kind of message.
        message: &'static str,
        /// The field that is cut off.
        field: &'static str,
        /// Size of the field in bytes.
        needed: usize,
        /// Bytes left for it.
        available: usize,
    },
    /// A string inside a binary message is not UTF-8 (P-45).
    #[error("{message}: {field} is not UTF-8")]
    StringNotUtf8 {
        /// The kind of message.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field of a binary message or data-track frame has a value outside its table (P-45, P-153).
    #[error("{message}: {field} has the invalid value {value}")]
    InvalidValue {
        /// The kind of message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The value found.
        value: u32,
    },
}

/// A message that cannot be put on the wire. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The payload is larger than a peer accepts (P-33).
    #[error("frame payload of {len} bytes exceeds the limit of {max} bytes")]
    TooLarge {
        /// Payload size in bytes, without the frame header.
        len: usize,
        /// The limit, [`MAX_PAYLOAD`](super::frame::MAX_PAYLOAD).
        max: usize,
    },
    /// A list is longer than this module's decoder accepts ([`MAX_ENTRIES`](super::MAX_ENTRIES)).
    #[error("{what} has {len} entries, at most {max} are allowed")]
    TooMany {
        /// The member.
        what: &'static str,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A parameter that has no wire form: a value that is not finite (P-180), does not match its type (P-178), mixes numbers and
    /// others (P-176), or is nested too deeply or too large for a reader.
    #[error("parameter \"{name}\": {reason}")]
    InvalidParameter {
        /// Name of the parameter, shortened.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A schema table entry or reference with id 0; ids start at 1 (P-202).
    #[error("{what} has schema id 0, ids start at 1")]
    SchemaIdZero {
        /// The member.
        what: &'static str,
    },
    /// The JSON writer failed.
    #[error("cannot write {op} as JSON: {detail}")]
    Json {
        /// The kind of message.
        op: &'static str,
        /// The writer's words.
        detail: String,
    },
}

/// Longest piece of a peer's text that is copied into an error, in characters.
const MAX_QUOTED: usize = 160;

/// `text` cut to a length fit for a log line, with control characters escaped: an error text may quote what a peer sent.
pub(super) fn shorten(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == MAX_QUOTED {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn shorten_bounds_length_and_escapes_control_characters() {
        assert_eq!(shorten("a\nb\u{1b}[0m é"), "a\\nb\\u{1b}[0m é");
        let long = shorten(&"é".repeat(100_000));
        assert_eq!(long.chars().count(), super::MAX_QUOTED + 1);
        assert!(long.ends_with('…'));
    }
}
