//! Byte streams: the library's end of an outgoing one, and the table entry that reads an incoming one.

use std::sync::Arc;

use bytes::Bytes;

use super::dispatch::{self, dispatcher, Answer};
use super::handle::Handle;
use super::library::Library;
use super::messages::{
    ByteStreamOpenCallback, ByteStreamOpenRequest, ByteStreamOpened, ByteStreamReaderEvent,
    ByteStreamReaderReadIncrementalRequest, ByteStreamWriterCloseRequest, ByteStreamWriterWriteRequest, FfiRequest,
    StreamByteOptions,
};
use super::room::{RoomState, REQUEST_LIMIT};
use crate::room::livekit_common::incoming::{self, Incoming};
use crate::room::livekit_common::outgoing::{self, UNFINISHED, WRITE_DEADLINE};
use crate::room::{ByteSource, ByteStream, Identity, RoomError};

/// Opens a byte stream and starts its pump.
pub(super) async fn open(
    room: Arc<RoomState>,
    topic: String,
    to: Vec<Identity>,
    source: Arc<dyn ByteSource>,
) -> Result<ByteStream, RoomError> {
    room.core.check_open()?;
    let life = room.core.life.subscribe();
    let library = room.library.clone();
    let request = |id| FfiRequest {
        byte_stream_open: Some(ByteStreamOpenRequest {
            local_participant_handle: room.local_handle,
            options: StreamByteOptions {
                topic,
                destination_identities: to.iter().map(|identity| identity.as_str().to_owned()).collect(),
            },
            request_async_id: Some(id),
        }),
        ..Default::default()
    };
    let make = move |answer| match answer {
        Answer::StreamOpened(ByteStreamOpenCallback { writer: Some(writer), .. }) => {
            Ok(Writer::new(library, writer.handle))
        }
        Answer::StreamOpened(failed) => Err(RoomError::Transport(failed.error.unwrap_or_default().description)),
        other => Err(other.unexpected()),
    };
    let opened = dispatch::ask_for(&room.library, "opening a stream", REQUEST_LIMIT, request, make).await?;
    let writer = opened.map_err(|error| room.core.check_open().err().unwrap_or(error))?;
    Ok(outgoing::start(&room.core, life, writer, source))
}

/// An open stream of ours. Dropping it ends the stream as unfinished.
pub(super) struct Writer {
    library: Arc<Library>,
    handle: Option<Handle>,
}

impl Writer {
    pub(super) fn new(library: Arc<Library>, handle: Handle) -> Self {
        Self { library, handle: Some(handle) }
    }
}

impl outgoing::Writer for Writer {
    async fn write(&self, bytes: &Bytes) -> Result<(), RoomError> {
        let answer = dispatch::ask(&self.library, "a write", WRITE_DEADLINE, |id| FfiRequest {
            byte_stream_write: Some(ByteStreamWriterWriteRequest {
                writer_handle: self.handle.as_ref().map_or(0, Handle::id),
                bytes: bytes.clone(),
                request_async_id: Some(id),
            }),
            ..Default::default()
        });
        answer.await.and_then(Answer::done)
    }

    async fn close(mut self, reason: Option<&'static str>) -> Result<(), RoomError> {
        let handle = self.handle.take().unwrap_or_default();
        let request = |id| close_request(handle.id(), reason, Some(id));
        let answer = dispatch::ask(&self.library, "closing a stream", WRITE_DEADLINE, request).await;
        // The request consumes the writer; a library that rejects it has none.
        handle.consumed();
        answer.and_then(Answer::done)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        // Nobody waits for the answer. A rejected request means that the library has no such writer any more.
        let _ = self.library.request(&close_request(handle.id(), Some(UNFINISHED), None));
        handle.consumed();
    }
}

fn close_request(writer_handle: u64, reason: Option<&str>, request_async_id: Option<u64>) -> FfiRequest {
    let reason = reason.map(str::to_owned);
    let close = ByteStreamWriterCloseRequest { writer_handle, reason, request_async_id };
    FfiRequest { byte_stream_close: Some(close), ..Default::default() }
}

/// One incoming stream in the dispatcher's table.
pub(super) struct Reader {
    incoming: Arc<Incoming>,
    /// Handle number of the room it belongs to.
    room: u64,
}

impl Reader {
    /// Takes one event of this stream. They come one after another.
    pub(super) fn on_event(&self, event: ByteStreamReaderEvent) {
        if let Some(chunk) = event.chunk_received {
            self.incoming.push(chunk.content);
        }
        if let Some(eos) = event.eos {
            drop(dispatcher().remove_reader(event.reader_handle));
            // The library's words for an unfinished stream differ; what matters is that the sender did not end it (P-207).
            self.end(eos.error.map_or(Ok(()), |_| Err(RoomError::SenderGone)));
        }
    }

    /// Ends the stream for its reader.
    pub(super) fn end(&self, result: Result<(), RoomError>) {
        self.incoming.end(result);
    }
}

/// The incoming streams of one room, which are in the dispatcher's table.
pub(super) struct Readers {
    room: u64,
}

impl Readers {
    /// Those of the room with this handle number.
    pub(super) fn of(room: u64) -> Self {
        Self { room }
    }
}

impl incoming::Readers for Readers {
    fn take(&self, wanted: &mut dyn FnMut(&Incoming) -> bool) -> Vec<Arc<Incoming>> {
        let taken = dispatcher().take_readers(|reader| reader.room == self.room && wanted(&reader.incoming));
        taken.iter().map(|reader| reader.incoming.clone()).collect()
    }
}

/// Somebody opened a stream to us. Reading starts at once: the sender needs no leave, and the library buffers without
/// limit until somebody reads.
pub(super) fn accept(room: &Arc<RoomState>, opened: ByteStreamOpened) {
    let sender = Identity::from(opened.participant_identity);
    let Some((incoming, reader)) = Incoming::offered(&room.core, &sender) else { return };
    let handle = opened.reader.handle;
    let id = handle.id();
    dispatcher().add_reader(id, Arc::new(Reader { incoming: Arc::new(incoming), room: room.id }));
    let read = ByteStreamReaderReadIncrementalRequest { reader_handle: id };
    match room.library.request(&FfiRequest { byte_read_incremental: Some(read), ..Default::default() }) {
        Ok(_) => handle.consumed(),
        Err(error) => {
            drop(dispatcher().remove_reader(id));
            tracing::warn!(target: "telelink::livekit", %sender, "a stream could not be read: {error}");
            return;
        }
    }
    incoming::announce(&room.core, opened.reader.info.topic, sender, reader);
}
