//! Streams of raw bytes, for tests that are not polite.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use telelink::room::ByteStream;
use tokio::time::timeout;

use crate::control::Outbox;
use crate::error::ViewerError;

/// A byte stream opened with [`Viewer::open_stream`](crate::Viewer::open_stream). Dropping it discards what is not written.
pub struct RawStream {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) stream: ByteStream,
}

impl RawStream {
    /// Queues bytes.
    ///
    /// # Errors
    ///
    /// [`ViewerError::QueueFull`] when too many wait to be written ([`ViewerOptions::outbox_bytes`](crate::ViewerOptions)).
    pub fn write(&self, bytes: impl Into<Bytes>) -> Result<(), ViewerError> {
        self.outbox.push(bytes.into())
    }

    /// Closes the stream and waits until all is written.
    ///
    /// # Errors
    ///
    /// [`ViewerError::Timeout`], or [`ViewerError::Room`] if the stream broke.
    pub async fn finish(self, limit: Duration) -> Result<(), ViewerError> {
        self.outbox.end();
        match timeout(limit, self.stream.ended()).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(ViewerError::Timeout("the end of the stream".into())),
        }
    }
}
