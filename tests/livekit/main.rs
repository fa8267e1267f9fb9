//! The LiveKit adapter against a real server. Needs `LIVEKIT_SERVER` and `TELELINK_LIVEKIT_LIBRARY`.

#[path = "../support/mod.rs"]
mod support;

mod rig;

mod rooms;
mod streams;
