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

/// LiveKit: its official library, loaded once per process. With the feature `livekit-static` the one that is linked in, unless
/// somebody names a library file.
fn livekit_connector(options: &DirectOptions) -> Result<Arc<dyn Connector>, Error> {
    let wanted = LibraryOptions { path: options.livekit_library.clone() };
    #[cfg(feature = "livekit-static")]
    if !wanted.is_named() {
        return Ok(Arc::new(crate::room::livekit_static::LivekitStaticConnector::new()));
    }
    let library = Library::load(&wanted).map_err(|error| Error::new(ErrorKind::LibraryMissing, error.to_string()))?;
    Ok(Arc::new(LivekitConnector::new(library)))
}
