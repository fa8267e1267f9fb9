//! What viewers send, on its way to the owner: one bounded inbox per incoming control stream, drained round-robin.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::protocol::frame::MAX_PAYLOAD;
use crate::protocol::{Frame, FrameDecoder, FrameKind, FromViewer};
use crate::room::{ByteReader, Identity, RoomError, Sid};

use super::inputs::Inputs;
use super::panics::contain_task;

/// Messages of one stream that wait for the owner; then its reader waits.
const MAX_MESSAGES: usize = 64;
/// Bytes of one stream that wait, also for a viewer that is not registered yet (S-74b). One larger message passes.
const MAX_BYTES: usize = 1 << 20;
/// Control streams one connection may have open (S-72).
const MAX_STREAMS: usize = 4;
/// Bytes of unfinished frames over all streams of one connection (S-72).
const MAX_ASSEMBLING: usize = 32 << 20;
/// Of messages with more bytes a connection has one at a time: read, JSON can take several times its size. Reading it can
/// take long, too, so that happens on a thread for blocking work and delays nobody's stream.
const LARGE: usize = 64 << 10;
/// How long the frames of a viewer that is not registered are held (S-74b).
const HOLD: Duration = Duration::from_secs(10);

/// One thing read from a stream.
pub(crate) enum Received {
    Message(FromViewer),
    /// Not readable; the text says why.
    Malformed(String),
}

struct Inbox {
    identity: Identity,
    /// The connection the stream is bound to, once known (S-74b).
    sid: Option<Sid>,
    shared: Arc<Shared>,
    reader: tokio::task::AbortHandle,
    /// Since when nobody is registered to speak for the stream. A reset makes its viewer unknown for a while; the
    /// stream lives on (S-74c).
    unknown_since: Option<Instant>,
}

struct Shared {
    queue: Mutex<Queue>,
    space: Notify,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    last_ping: Option<Instant>,
    ended: bool,
}

struct Item {
    received: Received,
    size: usize,
    /// Given back when the owner takes the message.
    _turn: Option<OwnedSemaphorePermit>,
}

/// What the streams of one connection share.
#[derive(Clone)]
struct Allowance {
    /// Bytes of unfinished frames, and of frames that wait to be read.
    assembling: Arc<AtomicUsize>,
    /// The turn for a large message.
    large: Arc<Semaphore>,
}

/// The inboxes of a room.
#[derive(Default)]
pub(crate) struct Inboxes {
    open: Vec<Inbox>,
    allowances: Vec<(Identity, Allowance)>,
    turn: usize,
    /// Connections whose last stream has ended since somebody asked.
    hung_up: Vec<Sid>,
}

/// What the owner knows about the sender of an inbox.
pub(crate) enum Sender {
    /// Registered, and its queue has room for answers.
    Ready,
    /// Registered, but it does not read its answers; its requests wait.
    Busy,
    /// Not registered yet.
    Unknown,
    /// Left, or refused: the stream is given up.
    Gone,
}

impl Inboxes {
    /// Starts reading a control stream. `false`: the connection has too many.
    pub(crate) fn open(
        &mut self,
        identity: Identity,
        sid: Option<Sid>,
        reader: ByteReader,
        inputs: &Arc<Inputs>,
        panics: &Arc<AtomicU64>,
    ) -> bool {
        if self.open.iter().filter(|i| i.identity == identity && i.sid == sid && !i.ended()).count() >= MAX_STREAMS {
            return false;
        }
        let allowance = match self.allowances.iter().find(|(known, _)| *known == identity) {
            Some((_, allowance)) => allowance.clone(),
            None => {
                let allowance = Allowance { assembling: Arc::default(), large: Arc::new(Semaphore::new(1)) };
                self.allowances.push((identity.clone(), allowance.clone()));
                allowance
            }
        };
        let shared = Arc::new(Shared { queue: Mutex::default(), space: Notify::new() });
        let task = tokio::spawn(read(reader, shared.clone(), inputs.clone(), allowance, panics.clone()));
        self.open.push(Inbox { identity, sid, shared, reader: task.abort_handle(), unknown_since: None });
        true
    }

    /// The room announced who an identity is: streams that came before are bound now.
    pub(crate) fn bind(&mut self, identity: &Identity, sid: &Sid) {
        for inbox in self.open.iter_mut().filter(|i| i.identity == *identity && i.sid.is_none()) {
            inbox.sid = Some(sid.clone());
        }
    }

    /// A connection has left the room: its streams end, and what they still hold is nobody's (S-74c).
    pub(crate) fn forget(&mut self, sid: &Sid) {
        self.open.retain(|inbox| inbox.sid.as_ref() != Some(sid));
        self.forget_idle();
    }

    /// The next message, one per stream in turn.
    pub(crate) fn next(
        &mut self,
        mut sender: impl FnMut(&Identity, Option<&Sid>) -> Sender,
    ) -> Option<(Sid, Received)> {
        let mut looked = 0;
        while looked < self.open.len() {
            let turn = self.turn % self.open.len();
            let inbox = &mut self.open[turn];
            let state = sender(&inbox.identity, inbox.sid.as_ref());
            let give_up = match state {
                Sender::Gone => true,
                Sender::Unknown => inbox.unknown_since.get_or_insert_with(Instant::now).elapsed() > HOLD,
                Sender::Ready | Sender::Busy => {
                    inbox.unknown_since = None;
                    false
                }
            };
            if give_up || inbox.drained() {
                if give_up && !inbox.drained() {
                    tracing::debug!(identity = %inbox.identity, "the frames of an unregistered viewer were dropped");
                }
                let sid = self.open.remove(turn).sid.clone();
                let is_last =
                    |sid: &Sid| !self.open.iter().any(|inbox| inbox.sid.as_ref() == Some(sid) && !inbox.ended());
                self.hung_up.extend(sid.filter(is_last));
                self.forget_idle();
                continue;
            }
            self.turn = turn + 1;
            looked += 1;
            if let (Sender::Ready, Some(sid)) = (state, inbox.sid.clone()) {
                if let Some(received) = inbox.take() {
                    return Some((sid, received));
                }
            }
        }
        None
    }

    /// When the last ping of this connection was read.
    pub(crate) fn last_ping(&self, sid: &Sid) -> Option<Instant> {
        let own = self.open.iter().filter(|inbox| inbox.sid.as_ref() == Some(sid));
        own.filter_map(|inbox| inbox.shared.queue.lock().last_ping).max()
    }

    /// The connections whose last stream has ended since the last time.
    pub(crate) fn take_hung_up(&mut self) -> Vec<Sid> {
        std::mem::take(&mut self.hung_up)
    }

    /// When an inbox of an unregistered viewer is to be given up.
    pub(crate) fn deadline(&self, registered: impl Fn(&Sid) -> bool) -> Option<Instant> {
        self.open
            .iter()
            .filter(|inbox| !inbox.sid.as_ref().is_some_and(&registered))
            .map(|inbox| inbox.unknown_since.unwrap_or_else(Instant::now) + HOLD + Duration::from_millis(1))
            .min()
    }

    /// Messages and bytes that wait for the owner.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let queues = self.open.iter().map(|inbox| inbox.shared.queue.lock());
        queues.fold((0, 0), |(items, bytes), queue| (items + queue.items.len(), bytes + queue.bytes))
    }

    fn forget_idle(&mut self) {
        let open = &self.open;
        self.allowances.retain(|(identity, _)| open.iter().any(|inbox| inbox.identity == *identity));
    }
}

impl Inbox {
    fn ended(&self) -> bool {
        self.shared.queue.lock().ended
    }

    fn drained(&self) -> bool {
        let queue = self.shared.queue.lock();
        queue.ended && queue.items.is_empty()
    }

    fn take(&self) -> Option<Received> {
        let mut queue = self.shared.queue.lock();
        let Item { received, size, .. } = queue.items.pop_front()?;
        queue.bytes -= size;
        drop(queue);
        self.shared.space.notify_one();
        Some(received)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Reads one stream to its end: frames, then messages. Parsing happens here, off the owner task.
async fn read(
    mut reader: ByteReader,
    shared: Arc<Shared>,
    inputs: Arc<Inputs>,
    allowance: Allowance,
    panics: Arc<AtomicU64>,
) {
    let mut held = Assembling { counter: allowance.assembling, bytes: 0 };
    let read = read_frames(&mut reader, &shared, &inputs, &mut held, &allowance.large);
    let frames = contain_task("reader", &panics, read).await;
    if let Err(reason) = frames.unwrap_or_else(|| Err("an internal error".to_owned())) {
        push(&shared, &inputs, Received::Malformed(reason), 0, None).await;
    }
    shared.queue.lock().ended = true;
    inputs.wake();
}

/// `Err`: the stream is abandoned (P-37, P-38, P-48); the text goes to the viewer.
async fn read_frames(
    reader: &mut ByteReader,
    shared: &Shared,
    inputs: &Inputs,
    held: &mut Assembling,
    large: &Arc<Semaphore>,
) -> Result<(), String> {
    let mut decoder = FrameDecoder::new(MAX_PAYLOAD);
    while let Some(chunk) = reader.next().await {
        match chunk {
            Ok(chunk) => decoder.push(chunk),
            Err(RoomError::SenderGone | RoomError::Closed) => {
                tracing::debug!("the sender of a control stream went away (P-207)");
                return Ok(());
            }
            Err(error) => return Err(error.to_string()),
        }
        while let Some(frame) = decoder.next().map_err(|error| error.to_string())? {
            let size = frame.payload.len();
            if size <= LARGE {
                let received = decode(&frame);
                if matches!(received, Received::Message(FromViewer::Ping { .. })) {
                    shared.queue.lock().last_ping = Some(Instant::now());
                }
                push(shared, inputs, received, size, None).await;
                continue;
            }
            held.set(decoder.buffered() + size)?;
            // The semaphore is never closed.
            let turn = large.clone().acquire_owned().await.ok();
            let received = match frame.kind {
                FrameKind::Binary => decode(&frame),
                FrameKind::Text => {
                    let decoded = tokio::task::spawn_blocking(move || decode(&frame)).await;
                    decoded.map_err(|error| format!("it could not be read: {error}"))?
                }
            };
            push(shared, inputs, received, size, turn).await;
        }
        held.set(decoder.buffered())?;
    }
    Ok(())
}

fn decode(frame: &Frame) -> Received {
    match FromViewer::decode(frame) {
        Ok(message) => Received::Message(message),
        Err(error) => Received::Malformed(error.to_string()),
    }
}

async fn push(shared: &Shared, inputs: &Inputs, received: Received, size: usize, turn: Option<OwnedSemaphorePermit>) {
    loop {
        {
            let mut queue = shared.queue.lock();
            let room = queue.items.len() < MAX_MESSAGES && queue.bytes + size <= MAX_BYTES;
            if room || queue.items.is_empty() {
                queue.bytes += size;
                queue.items.push_back(Item { received, size, _turn: turn });
                break;
            }
        }
        shared.space.notified().await;
    }
    inputs.wake();
}

/// What one stream holds of its connection's allowance; given back when the reader ends, however it ends.
struct Assembling {
    counter: Arc<AtomicUsize>,
    bytes: usize,
}

impl Assembling {
    /// `Err` when the connection holds too much.
    fn set(&mut self, bytes: usize) -> Result<(), String> {
        self.counter.fetch_add(bytes, Ordering::Relaxed);
        self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
        if self.counter.load(Ordering::Relaxed) > MAX_ASSEMBLING {
            return Err(format!("more than {MAX_ASSEMBLING} bytes of unfinished frames"));
        }
        Ok(())
    }
}

impl Drop for Assembling {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
