//! Data tracks: the pacer that empties the sources, what is lost on the way, subscriptions.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, Notify};
use tokio::time::{sleep, sleep_until, timeout, Instant};
use tokio_util::sync::CancellationToken;

use super::connection::{ConnId, Link};
use super::gates::Gate;
use super::server::{MemoryServer, State};
use crate::room::{
    frame_pipe, BoxFuture, DataFrame, DataTrack, DropCause, FrameReceiver, FrameSink, FrameSource, Identity,
    PublishError, RemoteDataTrack, RoomError, RoomEvent, Sid,
};

const PUBLISH_DEADLINE: Duration = Duration::from_secs(30);
/// Frames on their way to one subscriber while a link has a delay; more are lost.
const WAY_FRAMES: usize = 4096;
/// Entries of the track log; the oldest go first.
const MAX_LOG: usize = 65_536;

/// What happened to a data track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackAction {
    /// Published by its owner.
    Published,
    /// Published again by the server after a full reconnect, under the SID of this entry.
    Republished,
    /// Gone: unpublished, taken away, or its owner left.
    Unpublished,
}

/// One line of [`MemoryServer::track_log`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackLogEntry {
    /// Who published the track.
    pub identity: Identity,
    /// Name of the track.
    pub name: String,
    /// SID of the track.
    pub sid: Sid,
    /// What happened.
    pub action: TrackAction,
}

#[derive(Default)]
pub(super) struct TrackLog {
    pub(super) entries: VecDeque<TrackLogEntry>,
}

impl TrackLog {
    pub(super) fn add(&mut self, identity: &Identity, name: &str, sid: &Sid, action: TrackAction) {
        if self.entries.len() == MAX_LOG {
            self.entries.pop_front();
        }
        let (identity, name, sid) = (identity.clone(), name.to_owned(), sid.clone());
        self.entries.push_back(TrackLogEntry { identity, name, sid, action });
    }
}

/// A published track, as the server has it.
pub(super) struct Track {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) sid: Sid,
    /// Being unpublished: the name is still taken, frames are refused.
    ending: bool,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    number: u64,
    who: ConnId,
    way: mpsc::Sender<(Instant, DataFrame)>,
}

impl Track {
    pub(super) fn remote(&self, publisher: &Identity) -> RemoteDataTrack {
        RemoteDataTrack { sid: self.sid.clone(), name: self.name.clone(), publisher: publisher.clone() }
    }

    pub(super) fn forget_subscriber(&mut self, id: ConnId) {
        self.subscribers.retain(|subscriber| subscriber.who != id);
    }

    /// A full reconnect: a new SID, and everybody has to subscribe again.
    pub(super) fn renew(&mut self, sid: Sid) {
        self.sid = sid;
        self.subscribers.clear();
    }
}

/// Where the frames of one track come from.
struct Feed {
    number: u64,
    source: Arc<dyn FrameSource>,
    queued: AtomicBool,
}

/// Takes frames from the tracks of one room in turn, as the one pacer of the LiveKit adapter does (design.md section 4).
#[derive(Default)]
pub(super) struct Pacer {
    /// Feeds that may have a frame, each at most once; `None` when the room has been left.
    ready: Mutex<Option<VecDeque<Arc<Feed>>>>,
    closed: AtomicBool,
    wake: Notify,
}

impl Pacer {
    fn notify(&self, feed: &Arc<Feed>) {
        if self.closed.load(Ordering::Acquire) || feed.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        self.ready.lock().get_or_insert_with(VecDeque::new).push_back(feed.clone());
        self.wake.notify_one();
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn next(&self) -> Option<Arc<Feed>> {
        self.ready.lock().as_mut()?.pop_front()
    }
}

/// Runs for as long as the connection lives.
pub(super) async fn pace(server: Arc<MemoryServer>, id: ConnId, pacer: Arc<Pacer>, gone: CancellationToken) {
    while !gone.is_cancelled() {
        let Some(feed) = pacer.next() else {
            tokio::select! {
                () = gone.cancelled() => {}
                () = pacer.wake.notified() => {}
            }
            continue;
        };
        // Cleared before the take: a frame that comes meanwhile queues the feed again.
        feed.queued.store(false, Ordering::Release);
        let Some(frame) = feed.source.take() else { continue };
        if let Err(cause) = server.with(|state| state.transmit(id, feed.number, frame)) {
            feed.source.dropped(cause);
        }
        pacer.notify(&feed);
        let spacing = server.look(|state| state.faults.frame_spacing);
        if spacing.is_zero() {
            // A source that always has a frame must not keep the runtime from everything else.
            tokio::task::yield_now().await;
        } else {
            sleep(spacing).await;
        }
    }
    // Feeds hold foreign code: let go of them here and not in whoever drops the pacer last.
    drop(pacer.ready.lock().take());
}

pub(super) async fn publish(
    server: Arc<MemoryServer>,
    id: ConnId,
    name: String,
    source: Arc<dyn FrameSource>,
) -> Result<Arc<dyn DataTrack>, PublishError> {
    let found = server.look(|state| state.connections.get(&id).map(|c| (c.local.identity.clone(), c.gone.clone())));
    let (identity, gone) = found.ok_or(RoomError::Closed)?;
    let ready = async {
        server.pass(Gate::Publish, &identity, &gone).await?;
        server.link_up(id).await
    };
    timeout(PUBLISH_DEADLINE, ready).await.map_err(|_| RoomError::Timeout("publishing a data track"))??;
    let (number, pacer) = server.with(|state| state.add_track(id, &name))?;
    let feed = Arc::new(Feed { number, source, queued: AtomicBool::new(false) });
    Ok(Arc::new(MemoryTrack { server, id, feed, pacer }))
}

struct MemoryTrack {
    server: Arc<MemoryServer>,
    id: ConnId,
    feed: Arc<Feed>,
    pacer: Arc<Pacer>,
}

impl DataTrack for MemoryTrack {
    fn notify(&self) {
        self.pacer.notify(&self.feed);
    }

    fn unpublish(&self) -> BoxFuture<()> {
        let (server, id, number) = (self.server.clone(), self.id, self.feed.number);
        server.with(|state| state.start_unpublish(&server, id, number));
        Box::pin(async move { server.until(|server| server.look(|state| !state.has_track(id, number))).await })
    }
}

impl Drop for MemoryTrack {
    fn drop(&mut self) {
        self.server.with(|state| state.start_unpublish(&self.server, self.id, self.feed.number));
    }
}

impl State {
    fn add_track(&mut self, id: ConnId, name: &str) -> Result<(u64, Arc<Pacer>), PublishError> {
        let number = self.number();
        let connection = self.connections.get_mut(&id).ok_or(RoomError::Closed)?;
        let identity = connection.local.identity.clone();
        if let Some(error) = self.faults.publish_failures.get_mut(&identity).and_then(|errors| errors.pop_front()) {
            return Err(error);
        }
        if !connection.can_publish {
            return Err(PublishError::NotAllowed);
        }
        if connection.tracks.iter().any(|track| track.name == name) {
            return Err(PublishError::NameInUse(name.to_owned()));
        }
        let sid: Sid = format!("DTR_{number}").into();
        let track = Track { number, name: name.to_owned(), sid, ending: false, subscribers: Vec::new() };
        let (remote, own_sid) = (track.remote(&identity), connection.local.sid.clone());
        self.counters.tracks.add(&identity, name, &track.sid, TrackAction::Published);
        connection.tracks.push(track);
        let pacer = connection.pacer.clone();
        for to in self.others(id) {
            let Some(other) = self.connections.get_mut(&to) else { continue };
            // Whoever has not been told of the publisher yet hears of its tracks together with it.
            if !other.unannounced.contains(&own_sid) {
                other.tell(RoomEvent::DataTrackPublished(remote.clone()));
            }
        }
        Ok((number, pacer))
    }

    fn has_track(&self, id: ConnId, number: u64) -> bool {
        self.connections.get(&id).is_some_and(|c| c.tracks.iter().any(|track| track.number == number))
    }

    /// Starts unpublishing. The name is free only when it is done (S-160).
    fn start_unpublish(&mut self, server: &Arc<MemoryServer>, id: ConnId, number: u64) {
        let delay = self.faults.unpublish_delay;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(track) = connection.tracks.iter_mut().find(|track| track.number == number) else { return };
        if std::mem::replace(&mut track.ending, true) {
            return;
        }
        let (identity, gone) = (connection.local.identity.clone(), connection.gone.clone());
        if delay.is_zero() && !self.gates.is_shut(Gate::Unpublish, &identity) {
            self.remove_track(id, number);
            return;
        }
        let server = server.clone();
        connection.runtime.spawn(async move {
            if server.pass(Gate::Unpublish, &identity, &gone).await.is_ok() {
                sleep(delay).await;
                server.with(|state| state.remove_track(id, number));
            }
        });
    }

    fn remove_track(&mut self, id: ConnId, number: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(place) = connection.tracks.iter().position(|track| track.number == number) else { return };
        let track = connection.tracks.remove(place);
        let (identity, own_sid) = (connection.local.identity.clone(), connection.local.sid.clone());
        self.counters.tracks.add(&identity, &track.name, &track.sid, TrackAction::Unpublished);
        for to in self.others(id) {
            let Some(other) = self.connections.get_mut(&to) else { continue };
            if !other.unannounced.contains(&own_sid) {
                other.tell(RoomEvent::DataTrackUnpublished { sid: track.sid.clone() });
            }
        }
    }

    /// The server takes a track away. Says whether there was one.
    pub(super) fn lose_track(&mut self, id: ConnId, name: &str) -> bool {
        let Some(connection) = self.connections.get(&id) else { return false };
        let Some(track) = connection.tracks.iter().find(|track| track.name == name) else { return false };
        let number = track.number;
        self.remove_track(id, number);
        self.event(id, RoomEvent::LocalDataTrackLost { name: name.to_owned() });
        true
    }

    fn transmit(&mut self, id: ConnId, number: u64, frame: DataFrame) -> Result<(), DropCause> {
        let connection = self.connections.get(&id).ok_or(DropCause::NotPublished)?;
        let from = connection.local.identity.clone();
        let up = connection.link == Link::Up;
        let track = connection.tracks.iter().find(|track| track.number == number && !track.ending);
        let receivers: Vec<_> = track
            .ok_or(DropCause::NotPublished)?
            .subscribers
            .iter()
            .filter_map(|s| Some((self.connections.get(&s.who)?, s.way.clone())))
            .map(|(c, way)| (c.local.identity.clone(), c.link == Link::Up, way))
            .collect();
        if let Some((left, cause)) = self.faults.refused_frames.get_mut(&from).filter(|(left, _)| *left > 0) {
            *left -= 1;
            let cause = *cause;
            self.traffic(id, |traffic| traffic.frames_refused += 1);
            return Err(cause);
        }
        self.traffic(id, |traffic| traffic.frames_pushed += 1);
        for (to, receiver_up, way) in receivers {
            let due = Instant::now() + self.faults.delay(&from, &to);
            // While a link is down pushes succeed and are lost (livekit-ffi.md section 6).
            let lost = !up || !receiver_up || self.faults.loses_frame(&from, &to);
            if lost || way.try_send((due, frame.clone())).is_err() {
                self.counters.frames_lost += 1;
            }
        }
        Ok(())
    }

    fn traffic(&mut self, id: ConnId, change: impl FnOnce(&mut super::connection::Traffic)) {
        if let Some(connection) = self.connections.get_mut(&id) {
            change(&mut connection.traffic);
        }
    }
}

pub(super) fn subscribe(
    server: &Arc<MemoryServer>,
    id: ConnId,
    wanted: &RemoteDataTrack,
    buffer: usize,
) -> Result<FrameReceiver, RoomError> {
    let (sink, receiver) = frame_pipe(buffer.clamp(1, 4096));
    let (way, frames) = mpsc::channel(WAY_FRAMES);
    let (number, runtime) = server.with(|state| {
        let number = state.number();
        let me = state.connections.get(&id).ok_or(RoomError::Closed)?;
        let runtime = me.runtime.clone();
        let missing = || RoomError::NoSuchTrack(wanted.name.clone());
        let publisher = state.find(&me.room, &wanted.publisher).filter(|publisher| *publisher != id);
        let publisher = publisher.and_then(|publisher| state.connections.get_mut(&publisher)).ok_or_else(missing)?;
        let track = publisher.tracks.iter_mut().find(|track| track.sid == wanted.sid && !track.ending);
        track.ok_or_else(missing)?.subscribers.push(Subscriber { number, who: id, way });
        Ok::<_, RoomError>((number, runtime))
    })?;
    let server = server.clone();
    runtime.spawn(async move {
        bring_frames(frames, &sink).await;
        server.with(|state| state.unsubscribe(number));
    });
    Ok(receiver)
}

impl State {
    fn unsubscribe(&mut self, number: u64) {
        for track in self.connections.values_mut().flat_map(|connection| &mut connection.tracks) {
            track.subscribers.retain(|subscriber| subscriber.number != number);
        }
    }
}

async fn bring_frames(mut frames: mpsc::Receiver<(Instant, DataFrame)>, sink: &FrameSink) {
    loop {
        let next = tokio::select! {
            biased;
            () = sink.closed() => None,
            next = frames.recv() => next,
        };
        let Some((due, frame)) = next else { return };
        if due > Instant::now() {
            sleep_until(due).await;
        }
        if sink.push(frame).is_err() {
            return;
        }
    }
}
