//! The owner task's mailbox: what other threads ask of it. Bounded; nobody holds it while waiting.

use std::collections::VecDeque;
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::map::Entry;
use indexmap::IndexMap;
use tokio::sync::oneshot;

use crate::context::{ChannelId, ChannelRef};
use crate::fanout::sync::{Condvar, Mutex, Notify};
use crate::room::{DisconnectReason, Joined, PublishError, VideoTrack};

use super::core::{ChannelAdded, Input, Outcome, PublisherId, QuestionKey, RequestId, VideoNews};
use super::stats::SessionStats;
use super::{Client, ConnectionStatus, Error, ErrorKind, Parameter, ParameterPublisher};

/// Calls of the application that wait for the owner; more callers wait for room, with their deadline.
const MAX_CALLS: usize = if cfg!(telelink_loom) { 1 } else { 1024 };

/// How a room ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomEnd {
    pub(crate) reason: EndReason,
    /// How long the session was in the room.
    pub(crate) lived: Duration,
}

/// Why a room ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// It was lost, or left because it was asked for.
    Disconnected(DisconnectReason),
    /// There was no viewer for the idle window (S-28); the room has been left.
    Idle,
}

/// What the application or the gateway asks.
pub(crate) enum Call {
    /// An input of the core, with where to answer.
    Core(Input, Option<SyncSender<Result<(), Error>>>),
    /// Who is this client?
    Client(u32, SyncSender<Option<Client>>),
    /// Statistics.
    Stats(SyncSender<SessionStats>),
    /// Tests: messages and bytes of viewers that wait for the owner.
    #[cfg(test)]
    Held(SyncSender<(usize, usize)>),
    /// Tests: run this on the owner task.
    #[cfg(test)]
    Run(Box<dyn FnOnce() + Send>),
    /// The gateway: the connection changed.
    Status(ConnectionStatus, Option<Error>),
    /// The gateway: here is a room. Answers when it ended.
    Enter(Box<Joined>, oneshot::Sender<RoomEnd>),
    /// The gateway: leave the room. Answers when it has been left.
    Leave(oneshot::Sender<()>),
    /// The application: stay in the room, or come back from the idle window's end.
    Resume,
    /// The gateway: nothing more will come.
    Finish,
}

/// The mailbox.
#[derive(Default)]
pub(crate) struct Inputs {
    state: Mutex<State>,
    space: Condvar,
    wake: Notify,
}

/// What was waiting when the owner looked.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) calls: VecDeque<Call>,
    pub(crate) added: Vec<ChannelAdded>,
    pub(crate) removed: Vec<ChannelRef>,
    pub(crate) answers: Vec<(RequestId, Outcome)>,
    pub(crate) authorized: Vec<(QuestionKey, Vec<bool>)>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) published: Vec<Published>,
    pub(crate) news: Vec<VideoNews>,
}

/// What became of a publication of a video track.
pub(crate) type Published = (PublisherId, Result<Arc<dyn VideoTrack>, PublishError>);

#[derive(Default)]
struct State {
    calls: VecDeque<Call>,
    added: IndexMap<ChannelId, ChannelAdded>,
    removed: Vec<ChannelRef>,
    answers: Vec<(RequestId, Outcome)>,
    authorized: Vec<(QuestionKey, Vec<bool>)>,
    parameters: IndexMap<String, Parameter>,
    published: Vec<Published>,
    news: IndexMap<ChannelId, VideoNews>,
    closed: bool,
}

impl Inputs {
    /// Posts a call of the application; waits for room until `deadline`.
    pub(crate) fn call(&self, call: Call, deadline: Instant) -> Result<(), Error> {
        let mut state = self.state.lock();
        while !state.closed && state.calls.len() >= MAX_CALLS {
            if self.space.wait_until(&mut state, deadline).timed_out() {
                return Err(Error::new(ErrorKind::Timeout, "the session's owner task is too busy"));
            }
        }
        if state.closed {
            return Err(Error::new(ErrorKind::Closed, "the session is closed"));
        }
        state.calls.push_back(call);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Posts a call and waits for its answer.
    pub(crate) fn ask<T>(&self, make: impl FnOnce(SyncSender<T>) -> Call, timeout: Duration) -> Result<T, Error> {
        let deadline = Instant::now() + timeout;
        let (tx, rx) = sync_channel(1);
        self.call(make(tx), deadline)?;
        rx.recv_timeout(deadline.saturating_duration_since(Instant::now())).map_err(|error| match error {
            std::sync::mpsc::RecvTimeoutError::Timeout => {
                Error::new(ErrorKind::Timeout, "the session's owner task did not answer in time")
            }
            // The owner dropped the call: it is shutting down.
            std::sync::mpsc::RecvTimeoutError::Disconnected => Error::new(ErrorKind::Closed, "the session is closed"),
        })
    }

    /// Posts a call of the gateway, of which there are only a few: never waits.
    pub(crate) fn post(&self, call: Call) {
        let mut state = self.state.lock();
        if !state.closed {
            state.calls.push_back(call);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Channels came. Bounded by the channels that exist.
    pub(crate) fn channels_added(&self, channels: impl IntoIterator<Item = ChannelAdded>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.added.extend(channels.into_iter().map(|added| (added.channel.id(), added)));
        }
        drop(state);
        self.wake.notify_one();
    }

    /// A channel was closed. One that the owner has not seen yet vanishes without a trace.
    pub(crate) fn channel_removed(&self, channel: &ChannelRef) {
        let mut state = self.state.lock();
        if !state.closed && state.added.shift_remove(&channel.id()).is_none() {
            state.removed.push(channel.clone());
        }
        drop(state);
        self.wake.notify_one();
    }

    /// A request was answered. Bounded by the requests admitted.
    pub(crate) fn answered(&self, request: RequestId, outcome: Outcome) {
        let mut state = self.state.lock();
        if !state.closed {
            state.answers.push((request, outcome));
        }
        drop(state);
        self.wake.notify_one();
    }

    /// The application has answered a question about rights. Bounded by the questions that run.
    pub(crate) fn authorized(&self, question: QuestionKey, allowed: Vec<bool>) {
        let mut state = self.state.lock();
        if !state.closed {
            state.authorized.push((question, allowed));
        }
        drop(state);
        self.wake.notify_one();
    }

    /// A video track was published, or not. Bounded by the image channels: each asks again only when it was answered.
    pub(crate) fn video_published(&self, publisher: PublisherId, result: Result<Arc<dyn VideoTrack>, PublishError>) {
        let mut state = self.state.lock();
        if state.closed {
            // Dropping a track runs code of the adapter.
            drop(state);
            return drop(result);
        }
        state.published.push((publisher, result));
        drop(state);
        self.wake.notify_one();
    }

    /// A conversion has something to say. What it said of the same channel before, and nobody has heard yet, is replaced
    /// (S-248).
    pub(crate) fn video_news(&self, news: VideoNews) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        match state.news.entry(news.channel) {
            Entry::Occupied(mut waiting) => {
                let waiting = waiting.get_mut();
                if waiting.publisher != news.publisher {
                    waiting.failing = None;
                }
                waiting.publisher = news.publisher;
                waiting.metadata = news.metadata.or(waiting.metadata.take());
                waiting.failing = news.failing.or(waiting.failing.take());
            }
            Entry::Vacant(place) => {
                place.insert(news);
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Wakes the owner: something else waits for it.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Resolves after the next post.
    pub(crate) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// Takes everything.
    pub(crate) fn take(&self) -> Taken {
        let mut state = self.state.lock();
        let taken = Taken {
            calls: std::mem::take(&mut state.calls),
            added: std::mem::take(&mut state.added).into_values().collect(),
            removed: std::mem::take(&mut state.removed),
            answers: std::mem::take(&mut state.answers),
            authorized: std::mem::take(&mut state.authorized),
            parameters: std::mem::take(&mut state.parameters).into_values().collect(),
            published: std::mem::take(&mut state.published),
            news: std::mem::take(&mut state.news).into_values().collect(),
        };
        drop(state);
        self.space.notify_all();
        taken
    }

    /// Refuses everything from now on.
    pub(crate) fn close(&self) {
        let closed = State { closed: true, ..State::default() };
        let before = std::mem::replace(&mut *self.state.lock(), closed);
        // Outside the lock: dropping a call can run code of the application, and of a room's adapter.
        drop(before);
        self.space.notify_all();
    }
}

/// Values of a parameter handler's own accord. Bounded by the parameters that exist: of each, the newest is enough.
impl ParameterPublisher for Inputs {
    fn publish(&self, parameters: Vec<Parameter>) {
        let mut state = self.state.lock();
        if !state.closed {
            for parameter in parameters {
                match state.parameters.get_mut(&parameter.name) {
                    Some(waiting) => *waiting = parameter,
                    None => drop(state.parameters.insert(parameter.name.clone(), parameter)),
                }
            }
        }
        drop(state);
        self.wake.notify_one();
    }
}
