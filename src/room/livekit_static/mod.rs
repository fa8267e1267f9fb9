//! The real room a second time: the port over LiveKit's Rust crates, linked in. For users whose build may download the vendor's
//! libwebrtc, which the build of those crates does (docs/livekit-library.md); with the feature `livekit-static` only.
//!
//! Same port, same behaviour as `livekit`: the library behind that one is made of these crates, so what livekit-ffi.md says of
//! it shapes this code too, and what both do in the same way is in `livekit_common`. What differs: events come as Rust values,
//! nothing has handles, and the own SID can be read at any moment.
//!
//! - `runtime`: where LiveKit's tasks run. `connect`, `room`, `events`, `participants`: one room.
//! - `streams`, `data_tracks`, `video`, `video_in`, `stats`: what it carries.

mod connect;
mod data_tracks;
mod events;
mod participants;
mod room;
mod runtime;
mod stats;
mod streams;
mod video;
mod video_in;

pub use connect::LivekitStaticConnector;
