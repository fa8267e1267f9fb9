//! Routes events of the LiveKit library to who waits for them.
//!
//! Runs on the library's own threads and only looks up, moves and returns: one callback that blocks on each of those
//! threads would stop every room (livekit-ffi.md 3.3). There is one dispatcher per process because the library has one
//! callback. What nobody takes is dropped, and every handle inside with it (handle.rs).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prost::Message;
use tokio::sync::oneshot;

use super::data_tracks::Subscription;
use super::handle::Handle;
use super::library::{self, Library};
use super::logs;
use super::messages::{
    ByteStreamOpenCallback, ConnectCallback, DisconnectRequest, FfiEvent, FfiRequest, GetSessionStatsCallback,
    GetStatsCallback, LocalDataTrackUnpublishRequest, PublishDataTrackCallback, PublishTrackCallback,
    ReadyForRoomEventRequest,
};
use super::room::RoomState;
use super::streams::{Reader, Writer};
use super::video_in::Video;
use crate::room::RoomError;

/// Our request ids start here, far above the library's own, which count from 1 (livekit-ffi.md 3.1): logs stay readable.
const FIRST_ID: u64 = 1 << 40;

/// How long the handles of a room that is being left are kept for the library's answer. A disconnect answers within
/// milliseconds; reconnecting rooms take at most 16 s (livekit-ffi.md section 6).
const LEAVE_LIMIT: Duration = Duration::from_secs(30);

/// What the library answered to a request with an id.
pub(super) enum Answer {
    Connected(ConnectCallback),
    Stats(GetSessionStatsCallback),
    StreamOpened(ByteStreamOpenCallback),
    TrackPublished(PublishDataTrackCallback),
    VideoPublished(PublishTrackCallback),
    TrackStats(GetStatsCallback),
    /// Done, or the library's words why not.
    Done(Result<(), String>),
    /// The answer could not be decoded, or the library has panicked.
    Broken(&'static str),
}

impl Answer {
    /// The answer of requests that give nothing back.
    pub(super) fn done(self) -> Result<(), RoomError> {
        match self {
            Self::Done(result) => result.map_err(RoomError::Transport),
            other => Err(other.unexpected()),
        }
    }

    /// The error for an answer that does not fit its question.
    pub(super) fn unexpected(&self) -> RoomError {
        RoomError::Transport(match self {
            Self::Broken(why) => (*why).into(),
            _ => "the LiveKit library gave an answer of the wrong kind".into(),
        })
    }
}

type Deliver = Box<dyn FnOnce(Answer) + Send>;

struct Waiter {
    deliver: Deliver,
    /// Handles that must live until the answer is here.
    held: Vec<Handle>,
    expires: Instant,
}

/// Who waits, by request id.
#[derive(Default)]
struct Waiters {
    map: HashMap<u64, Waiter>,
    swept: Option<Instant>,
}

impl Waiters {
    /// Adds one and answers those whose time has passed. A waiter with a future behind it is removed by that; the rest
    /// only hold handles and are in no hurry.
    fn insert(&mut self, id: u64, waiter: Waiter, now: Instant) -> Vec<Waiter> {
        const SWEEP_EVERY: Duration = Duration::from_secs(1);
        self.map.insert(id, waiter);
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP_EVERY) {
            return Vec::new();
        }
        self.swept = Some(now);
        let overdue: Vec<u64> = self.map.iter().filter(|(_, w)| w.expires < now).map(|(&id, _)| id).collect();
        overdue.iter().filter_map(|id| self.map.remove(id)).collect()
    }
}

/// Who waits for what.
pub(super) struct Dispatcher {
    next_id: AtomicU64,
    waiters: Mutex<Waiters>,
    rooms: Mutex<HashMap<u64, Arc<RoomState>>>,
    readers: Mutex<HashMap<u64, Arc<Reader>>>,
    subscriptions: Mutex<HashMap<u64, Arc<Subscription>>>,
    videos: Mutex<HashMap<u64, Arc<Video>>>,
    /// The room that was left last. What all rooms of the process share goes with the last of them, and once a thread of it
    /// waited for itself then, which aborts the process (docs/reliability.md). So there is always one more.
    left_last: Mutex<Option<Handle>>,
}

static DISPATCHER: LazyLock<Dispatcher> = LazyLock::new(Dispatcher::new);

/// The dispatcher of this process.
pub(super) fn dispatcher() -> &'static Dispatcher {
    &DISPATCHER
}

impl Dispatcher {
    fn new() -> Self {
        Self {
            next_id: AtomicU64::new(FIRST_ID),
            waiters: Mutex::default(),
            rooms: Mutex::default(),
            readers: Mutex::default(),
            subscriptions: Mutex::default(),
            videos: Mutex::default(),
            left_last: Mutex::default(),
        }
    }

    /// Registers who takes the answer with the returned id. `held` is dropped with the waiter.
    pub(super) fn expect(
        &self,
        limit: Duration,
        held: Vec<Handle>,
        deliver: impl FnOnce(Answer) + Send + 'static,
    ) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let waiter = Waiter { deliver: Box::new(deliver), held, expires: now + limit };
        let overdue = self.waiters.lock().insert(id, waiter, now);
        drop(overdue);
        id
    }

    /// Nobody waits for this answer any more.
    pub(super) fn forget(&self, id: u64) {
        let waiter = self.waiters.lock().map.remove(&id);
        drop(waiter);
    }

    pub(super) fn add_room(&self, handle: u64, room: Arc<RoomState>) {
        self.rooms.lock().insert(handle, room);
    }

    pub(super) fn remove_room(&self, handle: u64) {
        let room = self.rooms.lock().remove(&handle);
        drop(room);
    }

    pub(super) fn add_reader(&self, handle: u64, reader: Arc<Reader>) {
        self.readers.lock().insert(handle, reader);
    }

    pub(super) fn remove_reader(&self, handle: u64) -> Option<Arc<Reader>> {
        self.readers.lock().remove(&handle)
    }

    /// Removes the incoming streams that `wanted` selects.
    pub(super) fn take_readers(&self, mut wanted: impl FnMut(&Reader) -> bool) -> Vec<Arc<Reader>> {
        let mut readers = self.readers.lock();
        let handles: Vec<u64> = readers.iter().filter(|(_, r)| wanted(r)).map(|(&handle, _)| handle).collect();
        handles.iter().filter_map(|handle| readers.remove(handle)).collect()
    }

    pub(super) fn add_subscription(&self, handle: u64, subscription: Arc<Subscription>) {
        self.subscriptions.lock().insert(handle, subscription);
    }

    pub(super) fn remove_subscription(&self, handle: u64) -> Option<Arc<Subscription>> {
        self.subscriptions.lock().remove(&handle)
    }

    /// Removes the subscriptions made in one room.
    pub(super) fn take_subscriptions(&self, room: u64) -> Vec<Arc<Subscription>> {
        let mut all = self.subscriptions.lock();
        let handles: Vec<u64> = all.iter().filter(|(_, s)| s.room() == room).map(|(&handle, _)| handle).collect();
        handles.iter().filter_map(|handle| all.remove(handle)).collect()
    }

    pub(super) fn add_video(&self, handle: u64, video: Arc<Video>) {
        self.videos.lock().insert(handle, video);
    }

    pub(super) fn remove_video(&self, handle: u64) -> Option<Arc<Video>> {
        self.videos.lock().remove(&handle)
    }

    /// Removes the video subscriptions that `wanted` selects.
    pub(super) fn take_videos(&self, mut wanted: impl FnMut(&Video) -> bool) -> Vec<Arc<Video>> {
        let mut videos = self.videos.lock();
        let handles: Vec<u64> = videos.iter().filter(|(_, v)| wanted(v)).map(|(&handle, _)| handle).collect();
        handles.iter().filter_map(|handle| videos.remove(handle)).collect()
    }

    fn answer(&self, id: u64, answer: Answer) {
        let waiter = self.waiters.lock().map.remove(&id);
        match waiter {
            Some(Waiter { deliver, held, .. }) => {
                deliver(answer);
                drop(held);
            }
            None => self.discard(answer),
        }
    }

    /// Undoes what came too late for anybody to want it.
    pub(super) fn discard(&self, answer: Answer) {
        let Some(library) = library::current() else { return };
        match answer {
            // Dropping a room's handle would leave the participant in the room (livekit-ffi.md 3.2). A room that nobody
            // ever listened to would be reported as a panic 15 s later, so it is told that somebody does (3.4).
            Answer::Connected(ConnectCallback { result: Some(result), .. }) => {
                let ready = ReadyForRoomEventRequest { room_handle: result.room.handle.id() };
                let _ = library.request(&FfiRequest { ready_for_room_event: Some(ready), ..Default::default() });
                self.leave(library, result.room.handle, vec![result.local_participant.handle], |_| ());
            }
            Answer::TrackPublished(PublishDataTrackCallback { track: Some(track), .. }) => {
                let unpublish = LocalDataTrackUnpublishRequest { track_handle: track.handle.id() };
                let request = FfiRequest { local_data_track_unpublish: Some(unpublish), ..Default::default() };
                // A track of a room that is gone is gone too: nothing to report.
                let _ = library.request(&request);
            }
            Answer::StreamOpened(ByteStreamOpenCallback { writer: Some(writer), .. }) => {
                drop(Writer::new(library.clone(), writer.handle));
            }
            other => drop(other),
        }
    }

    /// Leaves a room and drops its handles once the library has answered, the room's own when the next one is left; `done`
    /// runs with the answer.
    pub(super) fn leave(
        &self,
        library: &Library,
        room: Handle,
        others: Vec<Handle>,
        done: impl FnOnce(Answer) + Send + 'static,
    ) {
        let room_handle = room.id();
        let id = self.expect(LEAVE_LIMIT, others, |answer| {
            let before = dispatcher().left_last.lock().replace(room);
            drop(before);
            done(answer);
        });
        let disconnect = DisconnectRequest { room_handle, request_async_id: Some(id) };
        if library.request(&FfiRequest { disconnect: Some(disconnect), ..Default::default() }).is_err() {
            // The library knows no such room (any more), or this is a forked child.
            self.answer(id, Answer::Broken("the room is gone"));
        }
    }

    /// Takes one event, on a thread of the library.
    pub(super) fn on_event(&self, event: &[u8]) {
        // Decoding copies what is kept, for the event is only valid during the call. It skips the rest, which is much: each
        // chunk of a stream comes twice, as a room event too.
        match FfiEvent::decode(event) {
            Ok(event) => self.route(event),
            Err(error) => self.on_undecodable(event, &error),
        }
    }

    fn route(&self, event: FfiEvent) {
        let error = |error: Option<super::messages::StreamError>| match error {
            Some(error) => Answer::Done(Err(error.description)),
            None => Answer::Done(Ok(())),
        };
        if let Some(event) = event.room_event {
            let room = self.rooms.lock().get(&event.room_handle).cloned();
            match room {
                Some(room) => room.on_event(event),
                None => tracing::trace!(target: "telelink::livekit", "an event of a room that was left"),
            }
        } else if let Some(event) = event.byte_stream_reader_event {
            let reader = self.readers.lock().get(&event.reader_handle).cloned();
            if let Some(reader) = reader {
                reader.on_event(event);
            }
        } else if let Some(event) = event.data_track_stream_event {
            let subscription = self.subscriptions.lock().get(&event.stream_handle).cloned();
            if let Some(subscription) = subscription {
                subscription.on_event(event);
            }
        } else if let Some(event) = event.video_stream_event {
            let video = self.videos.lock().get(&event.stream_handle).cloned();
            if let Some(video) = video {
                video.on_event(event);
            }
        } else if let Some(callback) = event.byte_stream_writer_write {
            self.answer(callback.async_id, error(callback.error));
        } else if let Some(callback) = event.byte_stream_writer_close {
            self.answer(callback.async_id, error(callback.error));
        } else if let Some(batch) = event.logs {
            logs::on_batch(batch);
        } else if let Some(callback) = event.connect {
            self.answer(callback.async_id, Answer::Connected(callback));
        } else if let Some(callback) = event.disconnect {
            self.answer(callback.async_id, Answer::Done(Ok(())));
        } else if let Some(callback) = event.get_session_stats {
            self.answer(callback.async_id, Answer::Stats(callback));
        } else if let Some(callback) = event.byte_stream_open {
            self.answer(callback.async_id, Answer::StreamOpened(callback));
        } else if let Some(callback) = event.publish_data_track {
            self.answer(callback.async_id, Answer::TrackPublished(callback));
        } else if let Some(callback) = event.publish_track {
            self.answer(callback.async_id, Answer::VideoPublished(callback));
        } else if let Some(callback) = event.unpublish_track {
            self.answer(callback.async_id, Answer::Done(callback.error.map_or(Ok(()), Err)));
        } else if let Some(callback) = event.get_stats {
            self.answer(callback.async_id, Answer::TrackStats(callback));
        } else if let Some(callback) = event.simulate_scenario {
            self.answer(callback.async_id, Answer::Done(callback.error.map_or(Ok(()), Err)));
        } else if let Some(panic) = event.panic {
            self.on_panic(&panic.message);
        }
    }

    /// Our own handling of an event panicked: it may have been about any room.
    pub(super) fn count_panic(&self) {
        for room in self.rooms.lock().values() {
            room.core.panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The library reports an internal panic: every room is lost, the process lives (livekit-ffi.md 3.4).
    fn on_panic(&self, message: &str) {
        let message = crate::room::livekit_common::redact::error_text(message, "");
        // Not a panic at all: the library has closed one room, to whose events nobody had listened in time (3.4). If we
        // know that room it ends by itself.
        if message.contains("ReadyForRoomEvent") {
            tracing::warn!(target: "telelink::livekit", "the LiveKit library closed a room: {message}");
            return;
        }
        tracing::error!(target: "telelink::livekit", "the LiveKit library panicked: {message}");
        let rooms: Vec<_> = self.rooms.lock().values().cloned().collect();
        for room in rooms {
            room.on_lost();
        }
        self.fail_all("the LiveKit library panicked");
    }

    fn fail_all(&self, why: &'static str) {
        let waiters: Vec<Waiter> = self.waiters.lock().map.drain().map(|(_, waiter)| waiter).collect();
        for waiter in waiters {
            (waiter.deliver)(Answer::Broken(why));
        }
    }

    /// An event that does not decode must not leave its waiter waiting: its id is dug out; if even that fails, every
    /// waiter is told.
    fn on_undecodable(&self, event: &[u8], error: &prost::DecodeError) {
        const WHY: &str = "an answer of the LiveKit library could not be decoded";
        tracing::error!(target: "telelink::livekit", "undecodable event of the LiveKit library: {error}");
        match first_number(event) {
            Some((RoomFields::ROOM, _)) => (),
            Some((RoomFields::READER, handle)) => {
                if let Some(reader) = self.remove_reader(handle) {
                    reader.end(Err(RoomError::Transport(WHY.into())));
                }
            }
            Some((RoomFields::SUBSCRIPTION, handle)) => drop(self.remove_subscription(handle)),
            Some((RoomFields::VIDEO, handle)) => drop(self.remove_video(handle)),
            Some((_, id)) => self.answer(id, Answer::Broken(WHY)),
            None => self.fail_all(WHY),
        }
    }
}

/// Tags of `FfiEvent` whose first field is not a request id.
struct RoomFields;

impl RoomFields {
    const ROOM: u64 = 1;
    const VIDEO: u64 = 3;
    const READER: u64 = 28;
    const SUBSCRIPTION: u64 = 43;
}

/// Tag of the one member of an encoded `FfiEvent`, and the number in field 1 of that member. Every event that concerns
/// one waiter, room or stream begins with its number.
fn first_number(event: &[u8]) -> Option<(u64, u64)> {
    let (key, rest) = varint(event)?;
    let (_, member) = varint(rest)?;
    let (field, member) = varint(member)?;
    // Field 1, wire type 0; the event itself is length-delimited (2).
    (key & 7 == 2 && field == 1 << 3).then_some(())?;
    Some((key >> 3, varint(member)?.0))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// Asks the library something that it answers by an event, and waits no longer than `limit`. The waiter exists before
/// the request leaves, because the event may come before the request returns.
pub(super) async fn ask(
    library: &Library,
    what: &'static str,
    limit: Duration,
    request: impl FnOnce(u64) -> FfiRequest,
) -> Result<Answer, RoomError> {
    ask_for(library, what, limit, request, |answer| answer).await
}

/// As [`ask`], with the answer made into something on the library's thread already. For answers that bring something into
/// being: what `make` returns undoes it when dropped, so that a future dropped at any moment leaves nothing behind.
pub(super) async fn ask_for<T: Send + 'static>(
    library: &Library,
    what: &'static str,
    limit: Duration,
    request: impl FnOnce(u64) -> FfiRequest,
    make: impl FnOnce(Answer) -> T + Send + 'static,
) -> Result<T, RoomError> {
    let (tx, rx) = oneshot::channel();
    let id = dispatcher().expect(limit, Vec::new(), move |answer| drop(tx.send(make(answer))));
    let _forget = Forget(id);
    library.request(&request(id))?;
    await_answer(rx, what, limit).await
}

/// Waits for a sender that the dispatcher holds, at most `limit`.
pub(super) async fn await_answer<T>(
    rx: oneshot::Receiver<T>,
    what: &'static str,
    limit: Duration,
) -> Result<T, RoomError> {
    match tokio::time::timeout(limit, rx).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(RoomError::Closed),
        Err(_) => Err(RoomError::Timeout(what)),
    }
}

/// Removes a waiter when its future ends or is dropped.
pub(super) struct Forget(pub(super) u64);

impl Drop for Forget {
    fn drop(&mut self) {
        dispatcher().forget(self.0);
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
