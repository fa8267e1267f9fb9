//! Image messages become planar frames for the video encoder: parse, decode, convert; never scaled.
//!
//! No rooms, sessions or threads here: bytes in, [`Frame`] out. [`Converter`] is the way in, one per channel:
//!
//! ```text
//! message bytes --message--> ImageMessage --format--> Picture --decode--> pixels --convert--> Frame
//! ```
//!
//! Whatever comes in is taken for hostile: sizes are checked before memory is asked for, and nothing here panics on bad
//! input. In steady state nothing of ours allocates per frame (S-242): frames come from a bounded pool, decoded pixels
//! and base64 live in buffers that are used again. The JPEG, PNG and WebP decoders do allocate their working memory.

mod convert;
mod converter;
mod decode;
mod detect;
mod error;
mod format;
mod frame;
mod message;
mod pool;
mod size;

pub use convert::RawPicture;
pub use converter::{Converted, Converter, Metadata, Picture, MAX_FRAME_ID};
pub use detect::{image_kind, ImageKind, Layout, Wire};
pub use error::VideoError;
pub use format::{Codec, RawFormat};
pub use frame::{Frame, Plane};
pub use size::{MAX_PIXELS, MAX_SIDE, MIN_SIDE};
