//! Byte streams: the crates' end of an outgoing one, and the task that reads an incoming one.
//!
//! The crates' writer needs the same care as the prebuilt library: writes on one stream that are not awaited one by one may
//! change places, and a write is cut at 15,000 bytes (livekit-ffi.md 5.2). A writer that is merely dropped ends its stream as
//! if it were complete, so every way out of here closes it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use livekit::id::ParticipantIdentity;
use livekit::{ByteStreamReader, ByteStreamWriter, StreamByteOptions, StreamError, StreamWriter};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::room::{RoomState, REQUEST_LIMIT};
use super::runtime::carry_out;
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
    room.check_open()?;
    let life = room.core.life.subscribe();
    let to = to.iter().map(|identity| ParticipantIdentity::from(identity.as_str())).collect();
    let options = StreamByteOptions::new_with_topic(topic).with_destination_identities(to);
    let (local, runtime) = (room.room.local_participant(), room.core.runtime.clone());
    let opening = async move {
        let writer = local.stream_bytes(options).await?;
        Ok::<_, StreamError>(Writer { writer: Some(writer), runtime })
    };
    let opened = carry_out(&room.core.runtime, "opening a stream", REQUEST_LIMIT, opening).await?;
    let writer = opened.map_err(|error| room.check_open().err().unwrap_or_else(|| transport(&error)))?;
    Ok(outgoing::start(&room.core, life, writer, source))
}

fn transport(error: &StreamError) -> RoomError {
    RoomError::Transport(error.to_string())
}

/// An open stream of ours. Dropping it ends the stream as unfinished.
struct Writer {
    /// `None` once closed.
    writer: Option<ByteStreamWriter>,
    runtime: Handle,
}

impl outgoing::Writer for Writer {
    async fn write(&self, bytes: &Bytes) -> Result<(), RoomError> {
        let Some(writer) = &self.writer else { return Err(RoomError::Closed) };
        match timeout(WRITE_DEADLINE, writer.write(bytes)).await {
            Ok(written) => written.map_err(|error| transport(&error)),
            Err(_) => Err(RoomError::Timeout("a write")),
        }
    }

    async fn close(mut self, reason: Option<&'static str>) -> Result<(), RoomError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        match timeout(WRITE_DEADLINE, writer.close_with_options(reason, None)).await {
            Ok(closed) => closed.map_err(|error| transport(&error)),
            Err(_) => Err(RoomError::Timeout("closing a stream")),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.runtime.spawn(async move {
                // Nobody waits for the answer.
                let _ = timeout(WRITE_DEADLINE, writer.close_with_reason(UNFINISHED)).await;
            });
        }
    }
}

/// The incoming streams of one room.
#[derive(Default)]
pub(super) struct Readers {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Reader>>,
}

/// One of them, and the task that reads it, which ends with the entry.
struct Reader {
    incoming: Arc<Incoming>,
    task: AbortHandle,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Dropping the crates' reader, which the task has, refuses the rest of the stream.
        self.task.abort();
    }
}

impl incoming::Readers for Arc<Readers> {
    fn take(&self, wanted: &mut dyn FnMut(&Incoming) -> bool) -> Vec<Arc<Incoming>> {
        let mut open = self.open.lock();
        let numbers: Vec<u64> = open.iter().filter(|(_, r)| wanted(&r.incoming)).map(|(&number, _)| number).collect();
        let taken: Vec<Reader> = numbers.iter().filter_map(|number| open.remove(number)).collect();
        drop(open);
        taken.iter().map(|reader| reader.incoming.clone()).collect()
    }
}

/// Somebody opened a stream to us. Reading starts at once: the sender needs no leave, and the crates buffer without limit
/// until somebody reads.
pub(super) fn accept(room: &Arc<RoomState>, mut stream: ByteStreamReader, topic: String, sender: Identity) {
    let Some((incoming, reader)) = Incoming::offered(&room.core, &sender) else { return };
    let incoming = Arc::new(incoming);
    let number = room.readers.next.fetch_add(1, Ordering::Relaxed);
    let (readers, sink) = (room.readers.clone(), incoming.clone());
    let reading = async move {
        // A refused stream is read on: it counts as open until its sender ends it.
        let result = loop {
            match stream.next().await {
                Some(Ok(chunk)) => sink.push(chunk),
                Some(Err(_)) => break Err(RoomError::SenderGone),
                None => break Ok(()),
            }
        };
        sink.end(result);
        drop(sink);
        let read = readers.open.lock().remove(&number);
        drop(read);
    };
    // Held while the task starts: it must find its entry when it ends.
    let mut open = room.readers.open.lock();
    let task = room.core.runtime.spawn(reading).abort_handle();
    open.insert(number, Reader { incoming, task });
    drop(open);
    incoming::announce(&room.core, topic, sender, reader);
}
