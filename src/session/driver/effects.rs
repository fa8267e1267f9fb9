//! What the core wants done.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::context::run_callback;
use crate::context::{ChannelRef, Output};
use crate::fanout::{LossySlot, QueueLimits, ResetCause, Route, VideoTap, ViewerQueue};
use crate::protocol::CONTROL_TOPIC;
use crate::room::{Identity, RoomError};
use crate::session::core::{Effect, Question};
use crate::session::deadman::ControlEvent;
use crate::session::handlers::{Lane, QUESTIONS};
use crate::session::panics::contain_task;
use crate::session::sink::RouteOutput;
use crate::session::tracks::{run_track, TrackControl};
use crate::session::video_publisher::ChannelVideo;
use crate::session::{Client, ClientId};

use super::{now, ChannelIo, Driver, Viewer};

/// S-23: how long a control stream may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a data track whose task panicked is published again.
const TRACK_PAUSE: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Open(client) => self.open_stream(&client),
            Effect::Close(client) => {
                if let Some(viewer) = self.viewers.remove(&client) {
                    viewer.queue.close();
                    viewer.stream.abort();
                }
                self.shared.pool.forget(client);
            }
            Effect::Send { client, frame } => {
                if let Some(viewer) = self.viewers.get(&client) {
                    viewer.queue.push(frame);
                }
            }
            Effect::Answer { client, frame, slot } => self.answer(client, frame, slot),
            Effect::Refuse { identity, frame } => self.refuse(identity, frame),
            Effect::StartTrack(channel) => self.start_track(&channel),
            Effect::StopTrack(channel) => {
                if let Some(track) = self.channels.get_mut(&channel).and_then(|io| io.track.take()) {
                    track.stop.cancel();
                }
            }
            Effect::StartVideo { channel, publisher } => self.start_video(&channel, publisher),
            Effect::PublishVideo { channel, publisher } => self.publish_video(&channel, publisher),
            Effect::AttachVideo { channel, publisher } => self.attach_video(channel, publisher),
            Effect::DropVideo { publisher } => self.drop_video(publisher),
            Effect::StopVideo { channel, publisher } => self.stop_video(channel, publisher),
            Effect::UnpublishOrphan(sid) => self.unpublish_orphan(&sid),
            Effect::Route { channel, reliable, lossy } => self.set_route(&channel, &reliable, lossy),
            Effect::ForgetChannel(channel) => {
                if let Some(mut io) = self.channels.remove(&channel) {
                    io.log_drops();
                    self.closed_channels += io.counters.read();
                }
            }
            Effect::Event(event) => {
                if let Some(overflow) = self.shared.callbacks.event(event) {
                    tracing::debug!(client = %overflow.client, "a viewer's message was dropped: the listener is too slow");
                    self.core.listener_overflow(overflow.client, now());
                }
            }
            Effect::Leave => self.leave_idle(),
            Effect::Call { client, request, work, held } => self.run_request(client, request, work, held),
            Effect::Authorize(question) => self.authorize(question),
            Effect::Control(event) => {
                if let ControlEvent::Lost(client, _) = &event {
                    // First: once the robot has been told, nothing that was sent under this lease may begin.
                    let needs = |topic: &str| self.core.publishing_needs_control(topic);
                    let discarded = self.shared.callbacks.discard_controlled(client.id, needs);
                    if discarded > 0 {
                        tracing::info!(client = %client.id, discarded, "messages that waited for the listener were discarded with control");
                    }
                }
                if let Some(deadman) = &self.shared.deadman {
                    deadman.tell(event);
                }
            }
        }
    }

    fn authorize(&self, question: Question) {
        let Some(authorizer) = self.authorizer.clone() else { return };
        let (inputs, panics) = (self.shared.inputs.clone(), self.shared.panics.clone());
        let ask = move || {
            let mut allowed = Vec::with_capacity(question.subjects.len());
            for subject in question.subjects.iter() {
                if question.abandoned.load(Ordering::Relaxed) {
                    break;
                }
                let answer =
                    run_callback("authorize", &panics, || authorizer(&question.client, question.action, subject));
                // A panic refuses.
                allowed.push(answer.unwrap_or(false));
            }
            inputs.authorized(question.key, allowed);
        };
        self.shared.pool.submit(QUESTIONS, Lane::Parallel, Box::new(ask));
    }

    fn open_stream(&mut self, client: &Client) {
        let Some(room) = &mut self.room else { return };
        let limits = QueueLimits { frames: self.limits.message_backlog_size, bytes: self.limits.message_backlog_bytes };
        let id = client.id;
        let queue = Arc::new(ViewerQueue::new(id.get(), limits, self.budget.clone(), self.signals.clone()));
        let (signals, source) = (self.signals.clone(), queue.clone());
        let open = room.room.open_byte_stream(CONTROL_TOPIC, std::slice::from_ref(&client.identity), source);
        let (panics, switches) = (self.shared.panics.clone(), self.shared.switches.clone());
        let stream = room.tasks.spawn(async move {
            let serve = async {
                switches.room.check();
                match tokio::time::timeout(OPEN_TIMEOUT, open).await {
                    Ok(Ok(stream)) => stream.ended().await,
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(RoomError::Timeout("opening the control stream")),
                }
            };
            let ended = contain_task("control stream", &panics, serve).await;
            let ended = ended.unwrap_or_else(|| Err(RoomError::Transport("an internal error".into())));
            if let Err(error) = ended {
                tracing::warn!(client = %id, %error, "the control stream of a viewer failed");
                signals.reset(id.get(), ResetCause::WriteFailure);
            }
        });
        self.viewers.insert(id, Viewer { queue, stream });
    }

    fn refuse(&mut self, identity: Identity, frame: Bytes) {
        let Some(room) = &mut self.room else { return };
        let Ok(place) = room.refusals.clone().try_acquire_owned() else {
            tracing::warn!(%identity, "too many refusals at once; this one is not sent");
            return;
        };
        let (port, sending, budget) = (room.room.clone(), room.refusing.clone(), self.budget.clone());
        room.tasks.spawn(async move {
            let _place = place;
            // Fails only for a semaphore that is closed, which nobody does.
            let _sending = sending.acquire().await;
            let limits = QueueLimits { frames: 1, bytes: frame.len() };
            let queue = Arc::new(ViewerQueue::new(0, limits, budget, Arc::default()));
            queue.push(frame);
            queue.finish();
            let open = port.open_byte_stream(CONTROL_TOPIC, std::slice::from_ref(&identity), queue);
            let sent = tokio::time::timeout(OPEN_TIMEOUT, async { open.await?.ended().await }).await;
            if !matches!(sent, Ok(Ok(()))) {
                tracing::debug!(%identity, "a refusal could not be delivered");
            }
        });
    }

    pub(super) fn io(&mut self, channel: &ChannelRef) -> &mut ChannelIo {
        self.channels.entry(channel.id()).or_insert_with(|| ChannelIo {
            channel: channel.clone(),
            counters: Arc::default(),
            slot: None,
            track: None,
            video: ChannelVideo::default(),
            publisher: None,
            encoder: Arc::default(),
            logged_drops: (0, 0),
        })
    }

    fn slot(&mut self, channel: &ChannelRef) -> Arc<LossySlot> {
        let (limit, signals) = (self.limits.max_data_track_message_size, self.signals.clone());
        let latch = self.limits.latch_data_tracks;
        let io = self.io(channel);
        let counters = io.counters.clone();
        let new = || Arc::new(LossySlot::new(channel.id().get(), limit, counters, signals).latching(latch));
        io.slot.get_or_insert_with(new).clone()
    }

    fn start_track(&mut self, channel: &ChannelRef) {
        let slot = self.slot(channel);
        let Some(room) = &mut self.room else { return };
        let control = TrackControl::new();
        let (handle, slots) = (room.room.clone(), room.publish_slots.clone());
        let (id, keeper, panics) = (channel.id().get(), control.clone(), self.shared.panics.clone());
        room.tasks.spawn(async move {
            loop {
                let run = run_track(handle.clone(), id, slot.clone(), keeper.clone(), slots.clone());
                if contain_task("data track", &panics, run).await.is_some() {
                    break;
                }
                tokio::time::sleep(TRACK_PAUSE).await;
            }
        });
        if let Some(old) = self.io(channel).track.replace(control) {
            old.stop.cancel();
        }
    }

    fn set_route(&mut self, channel: &ChannelRef, reliable: &[ClientId], lossy: bool) {
        let video = self.channels.get(&channel.id()).and_then(|io| io.publisher.clone());
        let output: Option<Arc<dyn Output>> = if reliable.is_empty() && !lossy && video.is_none() {
            None
        } else {
            let slot = lossy.then(|| self.slot(channel));
            let (counters, signals) = (self.io(channel).counters.clone(), self.signals.clone());
            let video = video.map(|publisher| publisher as Arc<dyn VideoTap>);
            let queues = reliable.iter().filter_map(|id| self.viewers.get(id)).map(|viewer| viewer.queue.clone());
            Some(Arc::new(RouteOutput(Route::new(channel.id().get(), counters, signals, queues, slot, video))))
        };
        channel.set_output(self.shared.sink, output);
    }
}
