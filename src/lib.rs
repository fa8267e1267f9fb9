//! telelink links a robot to remote viewers through any LiveKit server.
//!
//! Layers, from the application down (docs/architecture.md has the picture):
//!
//! - [`context`]: channels, schemas, sinks: what the application logs into.
//! - [`mcap`]: a sink that records to a file.
//! - [`gateway`]: how a session gets a room.
//! - [`session`]: the control plane; `session::core` takes every decision.
//! - [`fanout`]: the hot path from `log` to the viewers.
//! - [`video`]: image messages to frames for the video encoder.
//! - [`protocol`]: bytes to messages and back.
//! - [`room`]: the port a session needs of a room, and its adapters.
//!
//! Beside the layers: [`threads`], the library's threads and the hook that sees them start.

pub mod capi;
pub mod context;
mod environment;
pub mod fanout;
pub mod gateway;
pub mod mcap;
pub mod protocol;
pub mod room;
pub mod session;
pub mod threads;
mod throttle;
pub mod video;
