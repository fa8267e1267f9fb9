//! Byte streams: the pump that writes an outgoing one, and the table entry that reads an incoming one.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::dispatch::{self, dispatcher, Answer};
use super::handle::Handle;
use super::library::Library;
use super::messages::{
    ByteStreamOpenCallback, ByteStreamOpenRequest, ByteStreamOpened, ByteStreamReaderEvent,
    ByteStreamReaderReadIncrementalRequest, ByteStreamWriterCloseRequest, ByteStreamWriterWriteRequest, FfiRequest,
    StreamByteOptions,
};
use super::room::{Life, RoomState, REQUEST_LIMIT};
use crate::room::{byte_pipe, ByteSink, ByteSource, ByteStream, Fill, Identity, RoomError, RoomEvent};

/// Most bytes of one write: the library cuts there, so such a write travels as one packet (livekit-ffi.md 5.2).
const WRITE_LIMIT: usize = 15_000;

/// A write without an answer for so long ends its stream (S-116). During a reconnection writes wait up to 16 s.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Bytes of one incoming stream that may wait for our reader. The transport has no credit and the library would buffer
/// without limit (livekit-ffi.md 5.2); 32 MiB is twice the largest message of the protocol.
const READ_LIMIT: usize = 32 << 20;

/// Incoming streams that one participant may have open at a time. A viewer of the protocol uses one or two.
const OPEN_LIMIT: usize = 64;

/// How much later than it happened a leave may be announced: the server collects the news of participants that publish
/// nothing for up to about 3 s (livekit-ffi.md 5.1).
const NOTICE_LAG: Duration = Duration::from_secs(5);

/// Who has opened a stream and is not announced for so long was gone before the announcement was due.
const ANNOUNCE_LIMIT: Duration = Duration::from_secs(15);

/// A stream of somebody who has left is over when nothing came for so long: what the server still holds arrives first.
const QUIET: Duration = Duration::from_secs(2);

/// Opens a byte stream and starts its pump.
pub(super) async fn open(
    room: Arc<RoomState>,
    topic: String,
    to: Vec<Identity>,
    source: Arc<dyn ByteSource>,
) -> Result<ByteStream, RoomError> {
    room.check_open()?;
    let life = room.life.subscribe();
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
    let writer = opened.map_err(|error| room.check_open().err().unwrap_or(error))?;
    let (stream, ended) = ByteStream::new();
    let since = *life.borrow();
    let pump = Pump { since, life, writer, source, room: room.clone() };
    room.runtime.spawn(pump.run(ended));
    Ok(stream)
}

/// Carries one source into one stream. One write is in flight, because the library may reorder more (livekit-ffi.md 5.2).
struct Pump {
    room: Arc<RoomState>,
    life: watch::Receiver<Life>,
    /// The room's life when the stream was opened.
    since: Life,
    writer: Writer,
    source: Arc<dyn ByteSource>,
}

impl Pump {
    async fn run(mut self, mut ended: oneshot::Sender<Result<(), RoomError>>) {
        let (since, mut life) = (self.since, self.life.clone());
        let cut_off = async move {
            // Fails only when the room's state is gone, which `self.room` holds. What it returns holds the lock of `life`,
            // and must be gone before anybody looks at `life` again: a writer between two readers would stop both.
            drop(life.wait_for(|now| *now != since).await);
        };
        let result = tokio::select! {
            biased;
            () = ended.closed() => None,
            () = cut_off => Some(Err(self.cut_off())),
            result = self.pump() => Some(result),
        };
        // A broken or abandoned stream is closed as well: the other side must not wait for the rest.
        let reason = (!matches!(result, Some(Ok(())))).then_some(UNFINISHED);
        let closed = self.close(reason).await;
        if let Some(result) = result {
            // Nobody waits for the answer: then there is nobody to tell.
            let _ = ended.send(result.and(closed));
        }
    }

    /// Why the stream ends without the source's doing.
    fn cut_off(&self) -> RoomError {
        match self.room.check_open() {
            Err(closed) => closed,
            Ok(()) => RoomError::Transport("the room was joined anew; streams opened before are void".into()),
        }
    }

    async fn pump(&mut self) -> Result<(), RoomError> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match poll_fn(|cx| self.source.poll_fill(cx, WRITE_LIMIT, &mut buffer)).await {
                Fill::End => return Ok(()),
                Fill::Bytes => self.write(&mut buffer).await?,
            }
        }
    }

    async fn write(&mut self, buffer: &mut Vec<u8>) -> Result<(), RoomError> {
        // The request borrows the buffer's memory and gives it back: no copy but the encoding itself.
        let bytes = bytes::Bytes::from(std::mem::take(buffer));
        self.room.writes.fetch_add(1, Ordering::Relaxed);
        let answer = dispatch::ask(&self.room.library, "a write", WRITE_DEADLINE, |id| FfiRequest {
            byte_stream_write: Some(ByteStreamWriterWriteRequest {
                writer_handle: self.writer.id(),
                bytes: bytes.clone(),
                request_async_id: Some(id),
            }),
            ..Default::default()
        });
        let result = answer.await.and_then(Answer::done);
        if let Ok(memory) = bytes.try_into_mut() {
            *buffer = memory.into();
        }
        result.map_err(|error| match error {
            RoomError::Timeout(_) => RoomError::Stalled(WRITE_DEADLINE.as_secs()),
            _ if self.room.check_open().is_err() => RoomError::Closed,
            other => other,
        })
    }

    /// Closes the stream.
    async fn close(self, reason: Option<&str>) -> Result<(), RoomError> {
        let handle = self.writer.into_handle();
        let request = |id| close_request(handle.id(), reason, Some(id));
        let answer = dispatch::ask(&self.room.library, "closing a stream", WRITE_DEADLINE, request).await;
        // The request consumes the writer; a library that rejects it has none.
        handle.consumed();
        answer.and_then(Answer::done)
    }
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

    fn id(&self) -> u64 {
        self.handle.as_ref().map_or(0, Handle::id)
    }

    fn into_handle(mut self) -> Handle {
        self.handle.take().unwrap_or_default()
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

/// Reason given to the other side for a stream that its source has not ended: without one, what has arrived would look
/// complete.
const UNFINISHED: &str = "unfinished";

fn close_request(writer_handle: u64, reason: Option<&str>, request_async_id: Option<u64>) -> FfiRequest {
    let reason = reason.map(str::to_owned);
    let close = ByteStreamWriterCloseRequest { writer_handle, reason, request_async_id };
    FfiRequest { byte_stream_close: Some(close), ..Default::default() }
}

/// One incoming stream: chunks go into the pipe whose reader the session has.
pub(super) struct Incoming {
    /// `None` once refused: what still comes is dropped, and the stream counts as open until its sender ends it.
    sink: Mutex<Option<ByteSink>>,
    room: u64,
    /// Number of reconnections of the room before it was opened.
    epoch: u64,
    opened: Instant,
    last_chunk: Mutex<Instant>,
    slot: Slot,
}

impl Incoming {
    /// Handle number of the room it belongs to.
    pub(super) fn room(&self) -> u64 {
        self.room
    }

    /// Takes one event of this stream. They come one after another.
    pub(super) fn on_event(&self, event: ByteStreamReaderEvent) {
        if let Some(chunk) = event.chunk_received {
            *self.last_chunk.lock() = Instant::now();
            let mut sink = self.sink.lock();
            if sink.as_ref().is_some_and(|sink| sink.push(chunk.content).is_err()) {
                *sink = None;
            }
        }
        if let Some(eos) = event.eos {
            drop(dispatcher().remove_reader(event.reader_handle));
            // The library's words for an unfinished stream differ; what matters is that the sender did not end it (P-207).
            self.end(eos.error.map_or(Ok(()), |_| Err(RoomError::SenderGone)));
        }
    }

    /// Ends the stream for its reader.
    pub(super) fn end(&self, result: Result<(), RoomError>) {
        if let Some(sink) = self.sink.lock().take() {
            sink.finish(result);
        }
    }
}

/// How many incoming streams each participant has open.
#[derive(Default)]
pub(super) struct OpenCounts {
    open: Mutex<HashMap<Identity, usize>>,
    refused: Mutex<Refused>,
}

#[derive(Default)]
struct Refused {
    count: u64,
    told: Option<Instant>,
}

impl OpenCounts {
    fn take(self: &Arc<Self>, sender: &Identity) -> Option<Slot> {
        let mut open = self.open.lock();
        let count = open.entry(sender.clone()).or_default();
        if *count >= OPEN_LIMIT {
            return None;
        }
        *count += 1;
        Some(Slot { counts: self.clone(), sender: sender.clone() })
    }

    fn refuse(&self, sender: &Identity) {
        /// A flood must not become a flood of log lines.
        const LOG_EVERY: Duration = Duration::from_secs(10);
        let mut refused = self.refused.lock();
        refused.count += 1;
        if refused.told.is_none_or(|told| told.elapsed() >= LOG_EVERY) {
            refused.told = Some(Instant::now());
            tracing::warn!(
                target: "telelink::livekit",
                %sender,
                refused = refused.count,
                "refused a stream: its sender has {OPEN_LIMIT} open"
            );
        }
    }
}

/// One open stream of one participant.
struct Slot {
    counts: Arc<OpenCounts>,
    sender: Identity,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.counts.open.lock();
        if let Some(count) = open.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.sender);
            }
        }
    }
}

/// Somebody opened a stream to us. Reading starts at once: the sender needs no leave, and the library buffers without
/// limit until somebody reads.
pub(super) fn accept(room: &Arc<RoomState>, opened: ByteStreamOpened) {
    let sender = Identity::from(opened.participant_identity);
    let Some(slot) = room.open_streams.take(&sender) else {
        return room.open_streams.refuse(&sender);
    };
    let (sink, reader) = byte_pipe(READ_LIMIT);
    let handle = opened.reader.handle;
    let id = handle.id();
    let now = Instant::now();
    let incoming = Incoming {
        sink: Mutex::new(Some(sink)),
        room: room.id,
        epoch: room.epoch.load(Ordering::Relaxed),
        opened: now,
        last_chunk: Mutex::new(now),
        slot,
    };
    dispatcher().add_reader(id, Arc::new(incoming));
    let read = ByteStreamReaderReadIncrementalRequest { reader_handle: id };
    match room.library.request(&FfiRequest { byte_read_incremental: Some(read), ..Default::default() }) {
        Ok(_) => handle.consumed(),
        Err(error) => {
            drop(dispatcher().remove_reader(id));
            tracing::warn!(target: "telelink::livekit", %sender, "a stream could not be read: {error}");
            return;
        }
    }
    let sender_sid = room.participants.lock().get(&sender).map(|participant| participant.sid.clone());
    if sender_sid.is_none() {
        end_orphans(room, &sender, ANNOUNCE_LIMIT);
    }
    room.emit(RoomEvent::ByteStreamOpened { topic: opened.reader.info.topic, sender, sender_sid, reader });
}

/// A connection of somebody has ended. The library says nothing about the streams that it leaves unfinished.
///
/// The news may come late, when the same identity is connected again and has opened new streams, so streams are ended
/// only if they must be of the old connection: nobody of that identity is there, or they were opened long before.
pub(super) fn sender_left(room: &Arc<RoomState>, sender: &Identity) {
    if room.open_streams.open.lock().contains_key(sender) {
        end_orphans(room, sender, NOTICE_LAG);
    }
}

/// After `delay`, ends the streams opened by `sender` until now that nobody writes any more.
fn end_orphans(room: &Arc<RoomState>, sender: &Identity, delay: Duration) {
    let noticed = Instant::now();
    let (weak, sender) = (Arc::downgrade(room), sender.clone());
    room.runtime.spawn(async move {
        tokio::time::sleep(delay).await;
        loop {
            let Some(room) = weak.upgrade() else { return };
            let returned = room.participants.lock().get(&sender).is_some();
            let orphaned = |reader: &Incoming| {
                reader.room == room.id
                    && reader.slot.sender == sender
                    && reader.opened <= noticed
                    && (!returned || noticed.duration_since(reader.opened) > NOTICE_LAG)
            };
            let mut waiting = false;
            let quiet = dispatcher().take_readers(|reader| {
                let quiet = reader.last_chunk.lock().elapsed() >= QUIET;
                let orphaned = orphaned(reader);
                waiting |= orphaned && !quiet;
                orphaned && quiet
            });
            quiet.iter().for_each(|reader| reader.end(Err(RoomError::SenderGone)));
            if !waiting {
                return;
            }
            drop(room);
            tokio::time::sleep(QUIET).await;
        }
    });
}

/// We are connected anew: streams opened before the link was lost have holes or no sender.
pub(super) fn void_old(room: &RoomState) {
    let epoch = room.epoch.load(Ordering::Relaxed);
    for reader in dispatcher().take_readers(|reader| reader.room == room.id && reader.epoch < epoch) {
        reader.end(Err(RoomError::SenderGone));
    }
}
