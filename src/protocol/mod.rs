//! Pure bytes to messages and back: the Foxglove remote access protocol 2.3, with 2.2 accepted from viewers.
//!
//! No clock, no I/O, no threads, and nothing else of this crate: everything here is a function of its arguments, so every rule of
//! the protocol (`P-n` in the specification) is a unit test. Everything that is decoded is treated as hostile: no allocation is
//! larger than a small multiple of the bytes that really arrived, nesting and list lengths are bounded, and error texts are short
//! enough to log.
//!
//! ```text
//! stream chunks -> frame::FrameDecoder -> Frame -> FromViewer::decode (robot) | ToViewer::decode (viewer)
//! message -> to_frame() -> whole frame, header included, ready to be written to a control stream
//! ```
//!
//! - [`frame`]: the 5-byte framing of the control stream.
//! - [`from_viewer`], [`to_viewer`]: the messages of each direction; [`advertise`], [`services`], [`graph`], [`server_info`],
//!   [`playback`] and [`parameter`] hold the larger parts of them.
//! - [`data_track`]: frames and names of data tracks and video tracks.
//! - [`schema`], [`version`], [`texts`]: schema data, version check, every text a viewer may see.
//!
//! Lists are bounded at [`MAX_ENTRIES`] entries and parameter values at [`parameter::MAX_DEPTH`] levels, in both directions: what
//! this module encodes it also decodes.

pub mod advertise;
mod cursor;
pub mod data_track;
pub mod error;
pub mod frame;
pub mod from_viewer;
pub mod graph;
mod json;
pub mod parameter;
pub mod playback;
pub mod schema;
pub mod server_info;
pub mod services;
pub mod texts;
pub mod to_viewer;
pub mod version;

pub use advertise::{Advertise, AdvertisedSchema, ChannelAdvertisement, InlineSchema, SchemaEntry};
pub use error::{DecodeError, EncodeError};
pub use frame::{Frame, FrameDecoder, FrameError, FrameKind};
pub use from_viewer::{ClientChannel, ClientSchema, FromViewer, SubscribeChannel};
pub use graph::{ConnectionGraphUpdate, GraphEntry};
pub use json::MAX_ENTRIES;
pub use parameter::{Parameter, ParameterType, ParameterValue};
pub use playback::{PlaybackCommand, PlaybackControl, PlaybackState, PlaybackStatus};
pub use schema::{SchemaError, CONTROL_TOPIC};
pub use server_info::{Capability, ServerInfo, Timestamp};
pub use services::{MessageSchema, ServiceAdvertisement, ServiceCall};
pub use to_viewer::{message_data_frame, FetchAssetResponse, Status, StatusLevel, ToViewer, MAX_MESSAGE_DATA};
pub use version::{VersionMismatch, ViewerVersion};
