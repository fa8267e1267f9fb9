//! The way in: messages or pictures to frames, one converter per channel.

use std::sync::Arc;

use super::error::quoted;
use super::message::{self, Body, ImageMessage};
use super::pool::{Pool, Scratch};
use super::{decode, Codec, Frame, ImageKind, RawFormat, RawPicture, VideoError};

/// Longest frame id that is told of, bytes: one as long as a message would not fit the advertisement of its channel.
pub const MAX_FRAME_ID: usize = 1024;

/// A picture, apart from how it came.
#[derive(Clone, Copy, Debug)]
pub enum Picture<'a> {
    /// Pixels.
    Raw(RawPicture<'a>),
    /// A file.
    Compressed {
        /// What the file is.
        codec: Codec,
        /// The file.
        data: &'a [u8],
    },
}

impl Picture<'_> {
    /// The canonical name of the source's format, `foxglove.videoSourceEncoding` (P-167).
    pub fn source_encoding(&self) -> &'static str {
        match self {
            Self::Raw(picture) => picture.format.name(),
            Self::Compressed { codec, .. } => codec.name(),
        }
    }
}

/// What viewers are told of a channel's pictures (S-248). Cheap to clone and to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The canonical name of the format, such as `rgb8` or `jpeg`.
    pub source_encoding: &'static str,
    /// The message's frame id; empty if it has none, or one of more than [`MAX_FRAME_ID`] bytes.
    pub frame_id: Arc<str>,
}

/// A message that has become a frame.
#[derive(Debug)]
pub struct Converted {
    /// The picture for the encoder.
    pub frame: Frame,
    /// What the message says of it.
    pub metadata: Metadata,
    /// When it was taken, in microseconds since 1970: by the message's time stamp, else by the log time.
    pub timestamp_us: i64,
}

/// Turns the image messages of one channel into frames. It keeps the buffers of earlier frames, so that a stream of equal
/// pictures allocates nothing.
///
/// Any thread may use it, one at a time. An error leaves it ready for the next message.
#[derive(Debug)]
pub struct Converter {
    pictures: Pictures,
    /// Data of messages that cannot be borrowed from.
    unpacked: Scratch,
    frame_id: Arc<str>,
}

/// The part that knows pixels and no messages.
#[derive(Debug)]
struct Pictures {
    pool: Arc<Pool>,
    decoded: Scratch,
}

impl Pictures {
    fn convert(&mut self, picture: &Picture<'_>) -> Result<Frame, VideoError> {
        match *picture {
            Picture::Raw(raw) => raw.convert(&self.pool),
            Picture::Compressed { codec, data } => decode::decode(codec, data, &mut self.decoded)?.convert(&self.pool),
        }
    }
}

impl Default for Converter {
    fn default() -> Self {
        Self::new()
    }
}

impl Converter {
    /// A converter without any buffer yet.
    pub fn new() -> Self {
        Self {
            pictures: Pictures { pool: Pool::new(), decoded: Scratch::default() },
            unpacked: Scratch::default(),
            frame_id: Arc::from(""),
        }
    }

    /// Converts a message of a channel of this kind; `log_time_ns` is in nanoseconds since 1970 and counts when the
    /// message has no time stamp of its own (S-238).
    ///
    /// # Errors
    ///
    /// [`VideoError::ZeroSized`] and [`VideoError::TooSmall`] for pictures below 16×16 (S-239), otherwise what is wrong with
    /// the message.
    pub fn convert(&mut self, kind: ImageKind, bytes: &[u8], log_time_ns: u64) -> Result<Converted, VideoError> {
        let ImageMessage { timestamp, frame_id, body } = message::read(kind, bytes, &mut self.unpacked)?;
        let picture = picture_of(&body)?;
        let frame = self.pictures.convert(&picture)?;
        let frame_id = if frame_id.len() > MAX_FRAME_ID { "" } else { &*frame_id };
        if *self.frame_id != *frame_id {
            self.frame_id = Arc::from(frame_id);
        }
        let metadata = Metadata { source_encoding: picture.source_encoding(), frame_id: self.frame_id.clone() };
        let log_time_us = i64::try_from(log_time_ns / 1000).unwrap_or(i64::MAX); // never: 2^64 / 1000 < 2^63
        let timestamp_us = timestamp.map_or(log_time_us, message::Timestamp::micros);
        Ok(Converted { frame, metadata, timestamp_us })
    }

    /// Converts a picture that came without a message, from a camera.
    ///
    /// # Errors
    ///
    /// As [`Self::convert`].
    pub fn convert_picture(&mut self, picture: &Picture<'_>) -> Result<Frame, VideoError> {
        self.pictures.convert(picture)
    }
}

/// The picture of a message, with its names understood.
fn picture_of<'a>(body: &Body<'a>) -> Result<Picture<'a>, VideoError> {
    match body {
        &Body::Raw { width, height, ref encoding, step, big_endian, data } => {
            let format = RawFormat::from_encoding(encoding)
                .ok_or_else(|| VideoError::unsupported("raw encoding", quoted(encoding)))?;
            Ok(Picture::Raw(RawPicture { width, height, format, stride: step, big_endian, data }))
        }
        Body::Compressed { format, data } => {
            let codec = Codec::from_format(format)
                .ok_or_else(|| VideoError::unsupported("compressed format", quoted(format)))?;
            Ok(Picture::Compressed { codec, data })
        }
    }
}
