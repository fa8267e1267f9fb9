//! How a session gets a room. [`Session`] is the application's handle: a session with a gateway behind it.
//!
//! `direct`: the application names a LiveKit server and gives a token, a token callback, or an API key.

mod direct;
mod environment;
mod options;
mod session;
#[cfg(test)]
mod tests;
mod token;

pub use options::{AfterIdle, ApiKey, DirectOptions, TokenCallback, TokenSource};
pub use session::Session;

// What the LiveKit library costs in memory.
pub use crate::room::livekit::set_malloc_arenas;
// Parts of DirectOptions.
pub use crate::room::{IceServer, Secret};

use std::sync::Arc;

use crate::room::livekit::{Library, LibraryOptions, LivekitConnector};
use crate::room::Connector;
use crate::session::{Error, ErrorKind};

/// The official LiveKit library, loaded once per process.
fn livekit_connector(options: &DirectOptions) -> Result<Arc<dyn Connector>, Error> {
    let library = Library::load(&LibraryOptions { path: options.livekit_library.clone() })
        .map_err(|error| Error::new(ErrorKind::LibraryMissing, error.to_string()))?;
    Ok(Arc::new(LivekitConnector::new(library)))
}
