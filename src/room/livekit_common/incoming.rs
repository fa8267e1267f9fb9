//! Incoming byte streams: how much of one may wait, how many one participant may have open, and when they are over although
//! nobody says so.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::core::Core;
use crate::room::{byte_pipe, ByteReader, ByteSink, Identity, RoomError, RoomEvent};
use crate::throttle::Throttle;

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

/// Where an adapter keeps the incoming streams of one room.
pub(in crate::room) trait Readers: Send + Sync {
    /// Removes those that `wanted` selects.
    fn take(&self, wanted: &mut dyn FnMut(&Incoming) -> bool) -> Vec<Arc<Incoming>>;
}

/// One incoming stream: chunks go into the pipe whose reader the session has.
pub(in crate::room) struct Incoming {
    /// `None` once refused: what still comes is dropped, and the stream counts as open until its sender ends it.
    sink: Mutex<Option<ByteSink>>,
    /// Number of reconnections of the room before it was opened.
    epoch: u64,
    opened: Instant,
    last_chunk: Mutex<Instant>,
    slot: Slot,
}

impl Incoming {
    /// Somebody opened a stream to us. `None`: its sender has too many.
    pub(in crate::room) fn offered(core: &Core, sender: &Identity) -> Option<(Self, ByteReader)> {
        let Some(slot) = core.open_streams.take(sender) else {
            core.open_streams.refuse(sender);
            return None;
        };
        let (sink, reader) = byte_pipe(READ_LIMIT);
        let now = Instant::now();
        let incoming = Self {
            sink: Mutex::new(Some(sink)),
            epoch: core.epoch.load(Ordering::Relaxed),
            opened: now,
            last_chunk: Mutex::new(now),
            slot,
        };
        Some((incoming, reader))
    }

    /// Takes one chunk. They come one after another.
    pub(in crate::room) fn push(&self, chunk: Bytes) {
        *self.last_chunk.lock() = Instant::now();
        let mut sink = self.sink.lock();
        if sink.as_ref().is_some_and(|sink| sink.push(chunk).is_err()) {
            *sink = None;
        }
    }

    /// Ends the stream for its reader.
    pub(in crate::room) fn end(&self, result: Result<(), RoomError>) {
        if let Some(sink) = self.sink.lock().take() {
            sink.finish(result);
        }
    }
}

/// Tells the session of a stream that is being read.
pub(in crate::room) fn announce(core: &Arc<Core>, topic: String, sender: Identity, reader: ByteReader) {
    let sender_sid = core.participants.lock().get(&sender).map(|participant| participant.sid.clone());
    if sender_sid.is_none() {
        end_orphans(core, &sender, ANNOUNCE_LIMIT);
    }
    core.emit(RoomEvent::ByteStreamOpened { topic, sender, sender_sid, reader });
}

/// How many incoming streams each participant has open.
#[derive(Default)]
pub(in crate::room) struct OpenCounts {
    open: Mutex<HashMap<Identity, usize>>,
    refused: Mutex<Throttle>,
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
        if let Some(count) = self.refused.lock().pass(1, LOG_EVERY, Instant::now()) {
            tracing::warn!(target: "telelink::livekit", %sender, count, "refused a stream: its sender has {OPEN_LIMIT} open");
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

/// A connection of somebody has ended. The library may say nothing about the streams that it leaves unfinished.
///
/// The news may come late, when the same identity is connected again and has opened new streams, so streams are ended
/// only if they must be of the old connection: nobody of that identity is there, or they were opened long before.
pub(in crate::room) fn sender_left(core: &Arc<Core>, sender: &Identity) {
    if core.open_streams.open.lock().contains_key(sender) {
        end_orphans(core, sender, NOTICE_LAG);
    }
}

/// After `delay`, ends the streams opened by `sender` until now that nobody writes any more.
fn end_orphans(core: &Arc<Core>, sender: &Identity, delay: Duration) {
    let noticed = Instant::now();
    let (weak, sender) = (Arc::downgrade(core), sender.clone());
    core.runtime.spawn(async move {
        tokio::time::sleep(delay).await;
        loop {
            let Some(core) = weak.upgrade() else { return };
            let returned = core.participants.lock().get(&sender).is_some();
            let orphaned = |reader: &Incoming| {
                reader.slot.sender == sender
                    && reader.opened <= noticed
                    && (!returned || noticed.duration_since(reader.opened) > NOTICE_LAG)
            };
            let mut waiting = false;
            let quiet = core.readers.take(&mut |reader| {
                let quiet = reader.last_chunk.lock().elapsed() >= QUIET;
                let orphaned = orphaned(reader);
                waiting |= orphaned && !quiet;
                orphaned && quiet
            });
            quiet.iter().for_each(|reader| reader.end(Err(RoomError::SenderGone)));
            if !waiting {
                return;
            }
            drop(core);
            tokio::time::sleep(QUIET).await;
        }
    });
}

/// We are connected anew: streams opened before the link was lost have holes or no sender.
pub(in crate::room) fn void_old(core: &Core) {
    let epoch = core.epoch.load(Ordering::Relaxed);
    for reader in core.readers.take(&mut |reader| reader.epoch < epoch) {
        reader.end(Err(RoomError::SenderGone));
    }
}
