//! Byte streams: a pump at the sender, a courier for each receiver, and a bounded way between them.
//!
//! The way holds what LiveKit's channel holds before it slows its writer (2 MiB). The courier never waits for a reader:
//! the transport has no credit (livekit-ffi.md 5.2).

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep_until, timeout, Instant};
use tokio_util::sync::CancellationToken;

use super::connection::{ConnId, Incoming, Link};
use super::faults::{Chunking, Faults};
use super::gates::Gate;
use super::server::{MemoryServer, State};
use crate::room::{byte_pipe, ByteReader, ByteSink, ByteSource, ByteStream, Fill, Identity, RoomError, RoomEvent, Sid};

/// A write without progress for this long ends its stream (S-116).
const STALL_SECONDS: u64 = 30;
/// Bound of opening a stream: an open without an answer must end, whatever the caller does.
const OPEN_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes on their way to one receiver of one stream: LiveKit's own threshold.
pub(super) const WAY_BYTES: usize = 2 << 20;
const WAY_PARCELS: usize = 4096;
/// Streams of one sender that one receiver has not dropped yet. More are refused unseen, so that a sender cannot grow
/// the receiver's event queue at will.
pub(super) const MAX_STREAMS_PER_SENDER: usize = 256;

enum Parcel {
    Data { due: Instant, bytes: Bytes, _room: OwnedSemaphorePermit },
    End { due: Instant },
}

/// The way to one receiver, at the sender's end.
struct Way {
    to: Identity,
    parcels: mpsc::Sender<Parcel>,
    room: Arc<Semaphore>,
}

/// One end of a stream at a receiver, with the way's other end.
struct Courier {
    server: Arc<MemoryServer>,
    from: ConnId,
    from_sid: Sid,
    from_identity: Identity,
    to: ConnId,
    parcels: mpsc::Receiver<Parcel>,
    sink: Arc<ByteSink>,
    chunking: Chunking,
    /// The announcement, while it has not been made: when it is due, the topic and the reader.
    letter: Option<(Instant, String, ByteReader)>,
}

pub(super) async fn open(
    server: Arc<MemoryServer>,
    id: ConnId,
    topic: String,
    to: Vec<Identity>,
    source: Arc<dyn ByteSource>,
) -> Result<ByteStream, RoomError> {
    let gone = server.look(|state| state.connections.get(&id).map(|c| c.gone.clone())).ok_or(RoomError::Closed)?;
    let ready = async {
        for identity in &to {
            server.pass(Gate::Open, identity, &gone).await?;
        }
        server.link_up(id).await
    };
    timeout(OPEN_DEADLINE, ready).await.map_err(|_| RoomError::Timeout("opening a byte stream"))??;

    let (couriers, ways) = server.with(|state| state.open_stream(&server, id, &topic, &to))?;
    for (runtime, courier) in couriers {
        runtime.spawn(courier.run());
    }
    let (stream, done) = ByteStream::new();
    tokio::spawn(pump(Outgoing { server, id, to, source, ways }, gone, done));
    Ok(stream)
}

type Opened = (Vec<(tokio::runtime::Handle, Courier)>, Vec<Way>);

impl State {
    fn open_stream(
        &mut self,
        server: &Arc<MemoryServer>,
        id: ConnId,
        topic: &str,
        to: &[Identity],
    ) -> Result<Opened, RoomError> {
        let sender = self.connections.get(&id).ok_or(RoomError::Closed)?;
        let (room, from_identity, from_sid) =
            (sender.room.clone(), sender.local.identity.clone(), sender.local.sid.clone());
        for identity in to {
            Faults::take_failure(&mut self.faults.open_failures, identity)?;
            *self.counters.streams_to.entry(identity.clone()).or_default() += 1;
        }
        *self.counters.streams_by.entry(from_identity.clone()).or_default() += 1;
        // Nobody named means everybody, as in LiveKit. Whoever is named and absent gets nothing, also if it joins later.
        let receivers = match to {
            [] => self.others(id),
            _ => to.iter().filter_map(|identity| self.find(&room, identity)).filter(|to| *to != id).collect(),
        };
        let mut opened: Opened = Default::default();
        for receiver in receivers {
            let delay = self.connections.get(&receiver).map(|c| self.faults.delay(&from_identity, &c.local.identity));
            let Some(connection) = self.connections.get_mut(&receiver) else { continue };
            connection.incoming.retain(|stream| !stream.sink.reader_gone());
            if connection.incoming.iter().filter(|stream| stream.from == id).count() >= MAX_STREAMS_PER_SENDER {
                self.counters.streams_refused += 1;
                continue;
            }
            let (sink, reader) = byte_pipe(self.faults.pipe_limit);
            let sink = Arc::new(sink);
            connection.incoming.push(Incoming { from: id, sink: sink.clone() });
            let (tx, parcels) = mpsc::channel(WAY_PARCELS);
            opened.1.push(Way {
                to: connection.local.identity.clone(),
                parcels: tx,
                room: Arc::new(Semaphore::new(WAY_BYTES)),
            });
            let mut courier = Courier {
                server: server.clone(),
                from: id,
                from_sid: from_sid.clone(),
                from_identity: from_identity.clone(),
                to: receiver,
                parcels,
                sink,
                chunking: self.faults.chunking,
                letter: Some((Instant::now() + delay.unwrap_or_default(), topic.to_owned(), reader)),
            };
            let runtime = connection.runtime.clone();
            // Without delay the announcement takes its place among the events in the order of the calls.
            if delay.is_none_or(|delay| delay.is_zero()) && connection.link == Link::Up {
                courier.announce(self);
            }
            opened.0.push((runtime, courier));
        }
        Ok(opened)
    }
}

impl Courier {
    async fn run(mut self) {
        let end = self.carry().await;
        self.sink.finish(end);
    }

    /// Brings parcels to the reader until the end, or until nobody wants them.
    async fn carry(&mut self) -> Result<(), RoomError> {
        if let Some((due, ..)) = self.letter {
            sleep_until(due).await;
            self.server.link_up(self.to).await?;
            let server = self.server.clone();
            server.with(|state| self.announce(state));
        }
        let mut held = None;
        loop {
            let next = match held.take() {
                Some(parcel) => Some(parcel),
                None => self.parcels.recv().await,
            };
            let (due, bytes) = match next {
                Some(Parcel::Data { due, bytes, .. }) => (due, Some(bytes)),
                Some(Parcel::End { due }) => (due, None),
                None => return Err(RoomError::SenderGone),
            };
            if due > Instant::now() {
                sleep_until(due).await;
            }
            self.server.link_up(self.to).await?;
            let Some(bytes) = bytes else { return Ok(()) };
            let length = bytes.len() as u64;
            let delivered = match self.chunking {
                Chunking::AsWritten => self.sink.push(bytes),
                Chunking::Split(size) => self.split(bytes, size.max(1)),
                Chunking::Merge(size) => {
                    let merged = self.merge(bytes, size, &mut held);
                    self.sink.push(merged)
                }
            };
            // The reader is gone, over its limit, or the stream void: the sender is not told.
            delivered.map_err(|_| RoomError::Closed)?;
            self.server.with(|state| {
                if let Some(connection) = state.connections.get_mut(&self.to) {
                    connection.traffic.bytes_received += length;
                }
            });
        }
    }

    /// Makes the event, if the sender is still the connection that opened the stream.
    fn announce(&mut self, state: &mut State) {
        let Some((_, topic, reader)) = self.letter.take() else { return };
        if state.connections.get(&self.from).is_none_or(|from| from.local.sid != self.from_sid) {
            return;
        }
        if let Some(connection) = state.connections.get_mut(&self.to) {
            let sender_sid = connection.known.get(&self.from_identity).map(|known| known.sid.clone());
            let sender = self.from_identity.clone();
            connection.tell(RoomEvent::ByteStreamOpened { topic, sender, sender_sid, reader });
        }
    }

    fn split(&self, mut bytes: Bytes, size: usize) -> Result<(), crate::room::PipeFull> {
        while bytes.len() > size {
            self.sink.push(bytes.split_to(size))?;
        }
        self.sink.push(bytes)
    }

    /// Adds what has already arrived, up to `size` bytes. A parcel that does not fit is put into `held`.
    fn merge(&mut self, first: Bytes, size: usize, held: &mut Option<Parcel>) -> Bytes {
        let mut merged = BytesMut::from(first);
        while let Ok(parcel) = self.parcels.try_recv() {
            match &parcel {
                Parcel::Data { due, bytes, .. } if *due <= Instant::now() && merged.len() + bytes.len() <= size => {
                    merged.extend_from_slice(bytes);
                }
                _ => {
                    *held = Some(parcel);
                    break;
                }
            }
        }
        merged.freeze()
    }
}

/// A stream at its sender.
struct Outgoing {
    server: Arc<MemoryServer>,
    id: ConnId,
    to: Vec<Identity>,
    source: Arc<dyn ByteSource>,
    ways: Vec<Way>,
}

async fn pump(stream: Outgoing, gone: CancellationToken, mut done: oneshot::Sender<Result<(), RoomError>>) {
    let result = tokio::select! {
        biased;
        // Dropping the ways ends the readers with SenderGone, after what was written.
        () = gone.cancelled() => Err(RoomError::Closed),
        // So does nobody wanting the stream any more: it is unfinished.
        () = done.closed() => return,
        result = stream.carry(&gone) => result,
    };
    let _ = done.send(result);
}

impl Outgoing {
    async fn carry(&self, gone: &CancellationToken) -> Result<(), RoomError> {
        loop {
            let max = self.server.look(|state| state.faults.max_write);
            let mut bytes = Vec::new();
            match poll_fn(|cx| self.source.poll_fill(cx, max, &mut bytes)).await {
                Fill::End => {
                    self.end().await;
                    return Ok(());
                }
                Fill::Bytes if bytes.is_empty() || bytes.len() > max => {
                    let message = format!("the source filled {} of 1 to {max} bytes", bytes.len());
                    return Err(RoomError::Transport(message));
                }
                Fill::Bytes => {
                    let write = timeout(Duration::from_secs(STALL_SECONDS), self.write(bytes.into(), gone));
                    write.await.map_err(|_| RoomError::Stalled(STALL_SECONDS))??;
                }
            }
        }
    }

    /// One write: done when the bytes are on their way, not when they have arrived.
    async fn write(&self, bytes: Bytes, gone: &CancellationToken) -> Result<(), RoomError> {
        self.server.link_up(self.id).await?;
        for identity in self.destinations() {
            self.server.pass(Gate::Write, identity, gone).await?;
            self.server.with(|state| Faults::take_failure(&mut state.faults.write_failures, identity))?;
        }
        self.server.with(|state| {
            if let Some(connection) = state.connections.get_mut(&self.id) {
                connection.traffic.bytes_sent += bytes.len() as u64;
            }
        });
        for way in &self.ways {
            if way.parcels.is_closed() {
                continue;
            }
            // The semaphore is never closed; a courier that has gone gives its parcels' room back.
            let Ok(room) = way.room.clone().acquire_many_owned(bytes.len() as u32).await else { continue };
            // An error means that the courier has ended: nobody wants the bytes, and the writer is not told.
            let _ = way.parcels.send(Parcel::Data { due: self.due(way), bytes: bytes.clone(), _room: room }).await;
        }
        Ok(())
    }

    async fn end(&self) {
        for way in &self.ways {
            let _ = way.parcels.send(Parcel::End { due: self.due(way) }).await;
        }
    }

    /// Everybody whose gate and failures count: those named, absent ones too, or all receivers of a broadcast.
    fn destinations(&self) -> impl Iterator<Item = &Identity> {
        let named = self.to.iter();
        named.chain(self.ways.iter().map(|way| &way.to).filter(|_| self.to.is_empty()))
    }

    fn due(&self, way: &Way) -> Instant {
        let delay = self.server.look(|state| {
            let from = state.connections.get(&self.id).map(|c| &c.local.identity);
            from.map(|from| state.faults.delay(from, &way.to))
        });
        Instant::now() + delay.unwrap_or_default()
    }
}
