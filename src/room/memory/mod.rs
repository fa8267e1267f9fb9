//! A room in this process: an imaginary LiveKit server with gates, faults, loss and delay.
//!
//! Always compiled in. Unit tests of telelink and its users' own tests run on it, without a network. All times go
//! through tokio's clock, so a test with a paused clock (`start_paused = true`) is exact and repeatable: given the same
//! calls in the same order on a current-thread runtime, the same things happen in the same order.
//!
//! It behaves as LiveKit was measured to behave (livekit-ffi.md): a stream's writer never feels a slow reader, writes
//! on a stream void after a full reconnect still succeed, data-track frames are lost without a word.
//!
//! ```
//! use telelink::room::{memory::MemoryServer, Connector, JoinRequest, RoomOptions};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let server = MemoryServer::new();
//! let token = server.token("yard", "robot").attribute("kind", "arm").build();
//! let request = JoinRequest { url: "memory://".into(), token, options: RoomOptions::default() };
//! let joined = server.connector().join(request).await.unwrap();
//! assert_eq!(joined.local.identity.as_str(), "robot");
//! # }
//! ```
//!
//! Threads: every method of [`MemoryServer`] may be called from any thread, inside or outside a runtime; joining needs a
//! tokio runtime with timers, and everything of that connection then runs there.

mod connection;
mod control;
mod faults;
mod gates;
mod reconnect;
mod room;
mod server;
mod sources;
mod streams;
mod tracks;
mod video;

pub use faults::{Chunking, HeldEvent};
pub use gates::Gate;
pub use server::{MemoryServer, TokenBuilder};
pub use sources::{ChannelSource, FrameSlot, ScriptStep, ScriptedSource};
pub use tracks::{TrackAction, TrackLogEntry};
