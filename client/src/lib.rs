//! The viewer's side of a telelink session: joins a room, finds the robot in it, and speaks the remote access protocol with it.
//!
//! Used by session tests (memory room, paused clock), end-to-end tests and benchmarks (real LiveKit library), and by command-line
//! viewing. It works over the room port ([`telelink::room`]) alone.
//!
//! ```no_run
//! # async fn run(connector: std::sync::Arc<dyn telelink::room::Connector>, request: telelink::room::JoinRequest)
//! # -> Result<(), telelink_client::ViewerError> {
//! use std::time::Duration;
//! use telelink_client::{Viewer, ViewerOptions};
//!
//! let viewer = Viewer::join(connector, request, ViewerOptions::default()).await?;
//! viewer.ready(Duration::from_secs(5)).await?;
//! viewer.subscribe(["/battery"])?;
//! let message = viewer.next_message(Duration::from_secs(5)).await?;
//! println!("{}: {} bytes", message.topic, message.payload.len());
//! viewer.close(Duration::from_secs(5)).await
//! # }
//! ```
//!
//! - [`Viewer`] is the handle; one task folds what happens in the room into its picture of the robot ([`Picture`], pure).
//! - Every queue is bounded, every wait takes a time limit, and time is tokio's: a paused clock drives all of it.
//! - Whatever the robot sends wrong is an [`Event`], never a panic.

mod calls;
mod control;
mod driver;
mod error;
mod event;
mod options;
mod publish;
mod queue;
mod session;
mod shared;
mod state;
mod stats;
mod stream;
mod tracks;
mod viewer;
mod waits;

pub use calls::{Rtt, ServiceReply};
pub use error::ViewerError;
pub use event::{Event, Message, Via};
pub use options::{Overflow, Selector, ViewerOptions};
pub use state::{Channel, Graph, Limits, Picture, Problem, Schema};
pub use stats::{ChannelStats, Latency, Totals};
pub use stream::RawStream;
pub use viewer::Viewer;
