//! Why an image did not become a frame.

use std::borrow::Cow;

use super::size::{MAX_PIXELS, MAX_SIDE, MIN_SIDE};

/// Why an image did not become a frame. The text is made for a log line or a viewer's status: one line, bounded length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// A side is zero once rounded down to even, so that there is nothing to show (S-239).
    #[error("image of {width}×{height} pixels has nothing to show")]
    ZeroSized {
        /// As the message says, in pixels.
        width: u32,
        /// As the message says, in pixels.
        height: u32,
    },
    /// A side is below what encoders take (S-239).
    #[error("image of {width}×{height} pixels is smaller than {MIN_SIDE}×{MIN_SIDE}")]
    TooSmall {
        /// As the message says, in pixels.
        width: u32,
        /// As the message says, in pixels.
        height: u32,
    },
    /// More pixels than we spend memory on: most likely a decompression bomb or garbage.
    #[error("image of {width}×{height} pixels is over the limit of {MAX_SIDE} per side and {MAX_PIXELS} in all")]
    TooLarge {
        /// As the message says, in pixels.
        width: u32,
        /// As the message says, in pixels.
        height: u32,
    },
    /// An image that may well be correct, in a format we do not show.
    #[error("unsupported {what}: {detail}")]
    Unsupported {
        /// What kind of thing is not supported, such as `raw encoding`.
        what: &'static str,
        /// The value that was met.
        detail: Cow<'static, str>,
    },
    /// Bytes that contradict their own format.
    #[error("malformed {what}: {detail}")]
    Malformed {
        /// The format that is broken, such as `ROS 1 message` or `JPEG`.
        what: &'static str,
        /// What is wrong with it.
        detail: Cow<'static, str>,
    },
}

impl VideoError {
    pub(super) fn malformed(what: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { what, detail: cut(detail.into()) }
    }

    pub(super) fn unsupported(what: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported { what, detail: cut(detail.into()) }
    }
}

/// Decoders quote what they met, at any length, and end their texts in new lines.
fn cut(detail: Cow<'static, str>) -> Cow<'static, str> {
    const LONGEST: usize = 200;
    if detail.chars().nth(LONGEST).is_none() && !detail.contains(char::is_control) {
        return detail;
    }
    let line = detail.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut text: String = line.take(LONGEST).collect();
    if detail.trim().chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text.into()
}

/// Text of a sender for one of our lines: quoted, escaped, cut.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 48;
    let mut characters = text.chars();
    let shown: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        format!("{shown:?}…")
    } else {
        format!("{shown:?}")
    }
}
