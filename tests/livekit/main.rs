//! The LiveKit adapter against a real server. Needs `LIVEKIT_SERVER` and `TELELINK_LIVEKIT_LIBRARY`.

#![allow(unreachable_pub, reason = "a test target has no outside")]

#[path = "../support/mod.rs"]
mod support;

mod data_tracks;
mod descriptors;
mod pacer;
mod rig;

mod reconnect;
mod rooms;
mod streams;
mod video;
