//! One session: from the moment the robot opens a control stream until it ends or the robot opens another (P-27).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use telelink::protocol::{FromViewer, StatusLevel, SubscribeChannel, ToViewer, CONTROL_TOPIC};
use telelink::room::{ByteReader, Identity, RoomError, Sid};

use crate::control::{self, Outbox};
use crate::error::ViewerError;
use crate::event::Event;
use crate::shared::{Inner, Session, Shared, Task};
use crate::state::Problem;
use crate::tracks;

/// What became of a message.
pub(crate) enum Arrived {
    /// It is done with.
    Handled,
    /// It is for the application.
    Data { channel_id: u64, topic: Arc<str>, log_time: u64, data: Bytes },
}

impl Shared {
    /// The robot opened a control stream: whatever was before is forgotten (P-27).
    pub(crate) fn begin_session(self: &Arc<Self>, robot: Identity, robot_sid: Option<Sid>, reader: ByteReader) {
        let mut inner = self.inner.lock();
        if inner.closed {
            return;
        }
        self.forget(&mut inner);
        inner.totals.streams += 1;
        let number = inner.totals.streams;
        inner.robot = Some(robot.clone());
        inner.rejection = None;
        self.events.push_dropping(Event::StreamOpened { robot }, 0);
        inner.session = Some(Session {
            number,
            robot_sid,
            began: tokio::time::Instant::now(),
            left: false,
            outbox: None,
            subscribed: BTreeSet::new(),
            suspect: false,
            _reader: Some(Task::spawn(control::read(self.clone(), number, reader))),
            _writer: None,
        });
        drop(inner);
        self.changed();
    }

    /// Ends session `number`, unless another has begun.
    pub(crate) fn end_session(&self, number: u64, event: Option<Event>) {
        let mut inner = self.inner.lock();
        let Some(session) = inner.session(number) else { return };
        let left = session.left;
        self.forget(&mut inner);
        if let Some(event) = event {
            self.events.push_dropping(event, 0);
        }
        let here = |robot: &Identity| self.room.participant(robot).is_some();
        if left && !inner.robot.as_ref().is_some_and(here) {
            inner.robot = self.options.robot.clone();
            self.events.push_dropping(Event::RobotLeft, 0);
        }
        drop(inner);
        self.changed();
    }

    fn forget(&self, inner: &mut Inner) {
        let had_info = inner.picture.server_info().is_some();
        inner.session = None;
        inner.picture.restart();
        inner.tracks.detach_all();
        inner.calls.fail_all();
        if had_info && !self.options.restore {
            inner.wanted = Default::default();
        }
    }

    /// A frame that is no message: reported, and the stream goes on.
    pub(crate) fn malformed(&self, number: u64, reason: String) {
        let mut inner = self.inner.lock();
        if inner.session(number).is_some() {
            inner.totals.control_frames += 1;
            inner.totals.problems += 1;
            let bytes = reason.len();
            self.events.push_dropping(Event::Malformed { reason }, bytes);
        }
    }

    /// Folds a message of session `number` in. `bytes` is its size on the wire.
    pub(crate) fn on_message(self: &Arc<Self>, number: u64, message: ToViewer, bytes: usize) -> Arrived {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let Some(session) = inner.session.as_mut().filter(|session| session.number == number) else {
            return Arrived::Handled;
        };
        inner.totals.control_frames += 1;
        if session.outbox.is_none() && !matches!(message, ToViewer::ServerInfo(_) | ToViewer::Status(_)) {
            self.problems(inner, vec![Problem::BeforeServerInfo(name(&message))]);
            return Arrived::Handled;
        }
        match message {
            ToViewer::MessageData { channel_id, log_time, data } => match inner.picture.channels().get(&channel_id) {
                Some(channel) => Arrived::Data { channel_id, topic: channel.topic.clone(), log_time, data },
                None => {
                    inner.totals.unknown_channel += 1;
                    Arrived::Handled
                }
            },
            message => {
                self.fold(inner, message, bytes);
                drop(guard);
                self.changed();
                Arrived::Handled
            }
        }
    }

    fn fold(self: &Arc<Self>, inner: &mut Inner, message: ToViewer, bytes: usize) {
        match &message {
            ToViewer::ServerInfo(_) => {
                // Streams carry one serverInfo (P-112); should a second come, it means the same as a new stream (P-204).
                inner.tracks.detach_all();
                inner.calls.fail_all();
                inner.totals.server_infos += 1;
            }
            ToViewer::Status(status) if inner.picture.server_info().is_none() && status.level == StatusLevel::Error => {
                inner.rejection = Some(status.message.clone());
            }
            _ => {}
        }
        let answered = inner.calls.resolve(&message);
        if let (true, ToViewer::Pong { device_timestamp_ms, .. }) = (answered, &message) {
            // P-139. An ack that finds no room is worth no error: the robot only keeps statistics of it (P-94).
            let _ = inner.send(&FromViewer::PingAck { device_timestamp_ms: *device_timestamp_ms });
        }
        let mut changes = inner.picture.apply(&message);
        if !answered {
            if let Some(what) = unexpected(&message) {
                changes.problems.push(Problem::UnexpectedAnswer(what));
            }
        }
        let is_info = matches!(message, ToViewer::ServerInfo(_));
        if !answered {
            self.events.push_dropping(Event::Control(Arc::new(message)), bytes);
        }
        self.problems(inner, changes.problems);
        if is_info {
            self.open_outbox(inner);
        }
        for id in &changes.removed {
            if let Some(session) = &mut inner.session {
                session.subscribed.remove(id);
            }
            inner.tracks.forget_manual(*id);
        }
        if let Err(error) = self.subscribe_wanted(inner, &changes.advertised) {
            self.writer_failed(error);
        }
        for id in changes.removed.into_iter().chain(changes.advertised) {
            tracks::reconcile(self, inner, id);
        }
    }

    fn problems(&self, inner: &mut Inner, problems: Vec<Problem>) {
        inner.totals.problems += problems.len() as u64;
        for problem in problems {
            self.events.push_dropping(Event::Problem(problem), 256);
        }
    }

    fn writer_failed(&self, error: ViewerError) {
        let error = match error {
            ViewerError::QueueFull(bytes) => RoomError::Overflow(bytes),
            other => RoomError::Transport(other.to_string()),
        };
        self.events.push_dropping(Event::WriterFailed(error), 0);
    }

    /// Opens the stream to the robot, not before `serverInfo` (P-19), and asks for what the session before had (P-27).
    fn open_outbox(self: &Arc<Self>, inner: &mut Inner) {
        let (Some(session), Some(robot)) = (&mut inner.session, &inner.robot) else { return };
        let outbox = Outbox::new(self.options.outbox_bytes);
        let writer = control::write(self.clone(), robot.clone(), CONTROL_TOPIC, outbox.clone());
        session._writer = Some(Task::spawn(writer));
        session.outbox = Some(outbox);
        session.subscribed.clear();
        let wanted = &inner.wanted;
        let mut again = Vec::new();
        if !wanted.client_channels.is_empty() {
            again.push(FromViewer::Advertise { channels: wanted.client_channels.values().cloned().collect() });
        }
        if !wanted.parameters.is_empty() {
            again.push(FromViewer::SubscribeParameterUpdates { names: wanted.parameters.iter().cloned().collect() });
        }
        if wanted.graph {
            again.push(FromViewer::SubscribeConnectionGraph);
        }
        if let Some(error) = again.iter().find_map(|message| inner.send(message).err()) {
            self.writer_failed(error);
        }
    }

    /// Subscribes those of `ids` that are wanted, advertised and not subscribed yet; returns them.
    pub(crate) fn subscribe_wanted(&self, inner: &mut Inner, ids: &[u64]) -> Result<Vec<u64>, ViewerError> {
        let Some(session) = inner.session.as_ref().filter(|session| session.outbox.is_some()) else {
            return Ok(Vec::new());
        };
        let channels = inner.picture.channels();
        let wanted = |id: &u64| {
            let channel = channels.get(id)?;
            let matches = |selector: &crate::Selector| selector.matches(*id, &channel.topic);
            (!session.subscribed.contains(id) && inner.wanted.channels.iter().any(matches)).then_some(*id)
        };
        let new: BTreeSet<u64> = ids.iter().filter_map(wanted).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let entries = new.iter().map(|&id| SubscribeChannel { id, request_video_track: false });
        inner.send(&FromViewer::Subscribe { channels: entries.collect() })?;
        if let Some(session) = &mut inner.session {
            session.subscribed.extend(&new);
        }
        Ok(new.into_iter().collect())
    }
}

/// The name of an answer to a single question.
fn unexpected(message: &ToViewer) -> Option<&'static str> {
    match message {
        ToViewer::ServiceCallResponse(_)
        | ToViewer::ServiceCallFailure { .. }
        | ToViewer::FetchAssetResponse(_)
        | ToViewer::Pong { .. } => Some(name(message)),
        _ => None,
    }
}

fn name(message: &ToViewer) -> &'static str {
    match message {
        ToViewer::ServerInfo(_) => "serverInfo",
        ToViewer::Status(_) => "status",
        ToViewer::RemoveStatus { .. } => "removeStatus",
        ToViewer::Advertise(_) => "advertise",
        ToViewer::Unadvertise { .. } => "unadvertise",
        ToViewer::MessageData { .. } => "message data",
        ToViewer::Time { .. } => "time",
        ToViewer::ServiceCallResponse(_) => "service call response",
        ToViewer::FetchAssetResponse(_) => "fetch asset response",
        ToViewer::PlaybackState(_) => "playback state",
        ToViewer::Pong { .. } => "pong",
        ToViewer::ParameterValues { .. } => "parameterValues",
        ToViewer::AdvertiseServices { .. } => "advertiseServices",
        ToViewer::UnadvertiseServices { .. } => "unadvertiseServices",
        ToViewer::ServiceCallFailure { .. } => "serviceCallFailure",
        ToViewer::ConnectionGraphUpdate(_) => "connectionGraphUpdate",
    }
}
