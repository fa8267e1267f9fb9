//! What both LiveKit adapters do in the same way, because the same LiveKit code lies under them: `livekit` reaches it through
//! the C surface of the prebuilt library, `livekit_static` through its Rust crates. Names neither of the two.
//!
//! - `core`: one room's state, and what its events mean for the port. `outbox`, `participants`: its parts.
//! - `outgoing`, `incoming`: byte streams. `data_track`, `remote_tracks`: data tracks of ours and of others. `video`: bounds.
//!   `resize`: sizes of pictures that decoders would overlook. `remains`: what the library keeps of an ended one.
//! - `pacer` (with `pace` and `ready`): sends data-track frames. `watchdog`: whether the link still lives.
//!   `wear`: what a connection keeps until it is made anew.
//! - `join`: checks of a URL, sorting of failures. `redact`: no secrets in texts.

pub(in crate::room) mod core;
pub(in crate::room) mod data_track;
mod hints;
pub(in crate::room) mod incoming;
pub(in crate::room) mod join;
pub(in crate::room) mod outbox;
pub(in crate::room) mod outgoing;
mod pace;
pub(in crate::room) mod pacer;
pub(in crate::room) mod participants;
mod ready;
pub(in crate::room) mod redact;
pub(in crate::room) mod remains;
pub(in crate::room) mod remote_tracks;
pub(in crate::room) mod resize;
pub(in crate::room) mod video;
pub(in crate::room) mod watchdog;
pub(in crate::room) mod wear;
