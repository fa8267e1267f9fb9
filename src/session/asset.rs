//! Assets: files that viewers ask for by URI (S-216 to S-219).

use std::sync::Arc;

use bytes::Bytes;

use super::responder::OneShot;
use super::{Client, Error};

/// Largest asset, bytes: what one frame of 16 MiB holds beside its 10 bytes of header (S-219, P-33).
pub const MAX_ASSET: usize = (16 << 20) - 10;

/// Serves assets. Runs on the session's handler pool and may block; it may also keep the responder and return.
pub type AssetHandler = Arc<dyn Fn(AssetRequest, AssetResponder) + Send + Sync>;

/// One request for an asset.
#[derive(Debug, Clone)]
pub struct AssetRequest {
    /// Who asks.
    pub client: Client,
    /// The URI exactly as the viewer wrote it: `package://…`, `file://…`, anything (P-111).
    pub uri: String,
}

/// The answer of an asset request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AssetAnswer {
    Data(Bytes),
    Failure(String),
    /// The responder was dropped unanswered (P-110).
    Dropped,
}

/// Answers one request, once, from any thread, also after the handler returned. Dropped unanswered, the viewer gets an
/// error. Answers to a viewer that has left are dropped. One that the viewer has no room for yet waits for it and never
/// resets the viewer.
#[derive(Debug)]
pub struct AssetResponder(OneShot<AssetAnswer>);

impl AssetResponder {
    pub(crate) fn new(sink: impl Fn(AssetAnswer) + Send + Sync + 'static) -> Self {
        Self(OneShot::new(sink, || AssetAnswer::Dropped))
    }

    /// Answers with the asset's bytes. More than [`MAX_ASSET`] reach the viewer as an error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyResponded`](super::ErrorKind::AlreadyResponded): the request was answered before.
    pub fn respond(&self, data: impl Into<Bytes>) -> Result<(), Error> {
        self.0.answer(AssetAnswer::Data(data.into()))
    }

    /// Answers with an error that shows `message` to the viewer.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn fail(&self, message: impl Into<String>) -> Result<(), Error> {
        self.0.answer(AssetAnswer::Failure(message.into()))
    }
}
