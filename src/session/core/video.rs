//! Video tracks of image channels: when they live, what viewers are told of them (S-231 to S-235, S-241, S-248 to S-250,
//! P-159 to P-166).
//!
//! A *publisher* is one life of a channel's track, from its first video subscriber to its last. Each publication carries
//! the publisher it was asked for, so that a late answer is told from a current one (S-155, S-156).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexSet;

use crate::context::ChannelId;
use crate::protocol::schema::{VIDEO_FRAME_ID_KEY, VIDEO_SOURCE_ENCODING_KEY};
use crate::protocol::{texts, Status, StatusLevel, ToViewer};
use crate::room::Sid;
use crate::video::MAX_FRAME_ID;

use super::channels::VideoCapability;
use super::{ClientId, Core, Effect, Now};

/// S-234: first pause between attempts to publish, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// S-234: so many failures, and the viewers are told.
const TELL_AFTER: u32 = 3;
/// S-249: after viewers were told of changed pictures, further changes are collected for so long. A stream of messages that
/// each name another frame must not become a stream of advertisements to everybody.
const METADATA_INTERVAL: Duration = Duration::from_secs(1);
/// LiveKit's library keeps a thread and some MiB of each track that was published until the connection ends
/// (livekit/rust-sdks issue 612), so viewers who turn video on and off as fast as they can must not set the pace: so many
/// publications at once, of all channels together, and one more for each interval.
const STARTS: u32 = 64;
const START_INTERVAL: Duration = Duration::from_secs(1);
/// Publications of nobody, remembered while answers are under way that may claim them.
const MAX_ORPHANS: usize = 64;

/// One life of a channel's track. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PublisherId(pub(crate) u64);

/// What viewers are told of a channel's pictures (S-248).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VideoMetadata {
    pub(crate) source_encoding: &'static str,
    pub(crate) frame_id: Arc<str>,
}

/// What the conversion has to say of one channel, since it last said something.
#[derive(Debug, Clone)]
pub(crate) struct VideoNews {
    pub(crate) channel: ChannelId,
    pub(crate) publisher: PublisherId,
    pub(crate) metadata: Option<VideoMetadata>,
    /// Whether pictures fail persistently, and why (S-241).
    pub(crate) failing: Option<Option<String>>,
}

#[derive(Debug, PartialEq)]
enum Phase {
    /// A publication is under way.
    Publishing,
    /// The last one failed, or too many began lately; the next is due then.
    Waiting(Instant),
    Published(Sid),
}

struct Publisher {
    id: PublisherId,
    phase: Phase,
    failures: u32,
}

/// How many publications may begin now.
struct StartBudget {
    left: u32,
    /// The next one is earned an interval after this.
    since: Option<Instant>,
}

impl Default for StartBudget {
    fn default() -> Self {
        Self { left: STARTS, since: None }
    }
}

impl StartBudget {
    fn earn(&mut self, now: Instant) {
        let since = self.since.get_or_insert(now);
        while self.left < STARTS && now >= *since + START_INTERVAL {
            *since += START_INTERVAL;
            self.left += 1;
        }
        if self.left == STARTS {
            *since = now;
        }
    }

    /// Takes one, or answers when the next will be there.
    fn take(&mut self) -> Result<(), Instant> {
        match (self.left.checked_sub(1), self.since) {
            (None, Some(since)) => Err(since + START_INTERVAL),
            (left, _) => {
                self.left = left.unwrap_or_default();
                Ok(())
            }
        }
    }
}

/// Publishers, and what was last said of each channel's pictures.
#[derive(Default)]
pub(super) struct Videos {
    publishers: HashMap<ChannelId, Publisher>,
    /// Publishers with a publication that was asked for and not answered, ended ones too.
    in_flight: HashSet<PublisherId>,
    metadata: HashMap<ChannelId, VideoMetadata>,
    /// Channels whose metadata changed and was not told yet, oldest change first.
    untold: IndexSet<ChannelId>,
    /// Changes are collected until then.
    quiet_until: Option<Instant>,
    warnings: HashMap<ChannelId, Status>,
    /// Renewed publications that no publisher claims yet (S-275).
    orphans: Vec<Sid>,
    starts: StartBudget,
    next: u64,
}

impl Videos {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.publishers.values().filter_map(|publisher| match publisher.phase {
            Phase::Waiting(at) => Some(at),
            Phase::Publishing | Phase::Published(_) => None,
        });
        let telling = self.quiet_until.filter(|_| !self.untold.is_empty());
        due.chain(telling).min()
    }

    /// Tracks that are published now (S-259).
    pub(super) fn published(&self) -> usize {
        self.publishers.values().filter(|publisher| matches!(publisher.phase, Phase::Published(_))).count()
    }

    /// What is known of a channel's pictures, for its advertisement.
    pub(super) fn metadata(&self, channel: ChannelId) -> impl Iterator<Item = (String, String)> {
        let known = self.metadata.get(&channel);
        let encoding = known.map(|m| (VIDEO_SOURCE_ENCODING_KEY.to_owned(), m.source_encoding.to_owned()));
        // One as long as a message would not fit the advertisement.
        let frame_id = known.filter(|m| (1..=MAX_FRAME_ID).contains(&m.frame_id.len()));
        let frame_id = frame_id.map(|m| (VIDEO_FRAME_ID_KEY.to_owned(), m.frame_id.to_string()));
        encoding.into_iter().chain(frame_id)
    }

    fn by_id(&mut self, id: PublisherId) -> Option<(ChannelId, &mut Publisher)> {
        self.publishers.iter_mut().find(|(_, publisher)| publisher.id == id).map(|(channel, p)| (*channel, p))
    }
}

fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(MAX_PAUSE)
}

impl Core {
    /// Starts or ends the channel's track as its video subscribers want it (S-231).
    pub(super) fn update_video(&mut self, id: ChannelId) {
        let Some(state) = self.channels.get(&id) else { return };
        let wanted = self.in_room && state.video == VideoCapability::Yes && !state.video_subscribers.is_empty();
        let channel = state.channel.clone();
        if wanted && !self.videos.publishers.contains_key(&id) {
            self.videos.next += 1;
            let publisher = PublisherId(self.videos.next);
            let entry = Publisher { id: publisher, phase: Phase::Publishing, failures: 0 };
            self.videos.publishers.insert(id, entry);
            self.effects.push(Effect::StartVideo { channel: channel.clone(), publisher });
            self.publish_video(id);
        } else if !wanted {
            self.stop_video(id);
        }
    }

    /// Ends the channel's track, if it has one (S-235).
    pub(super) fn stop_video(&mut self, id: ChannelId) {
        self.videos.warnings.remove(&id);
        let Some(publisher) = self.videos.publishers.remove(&id) else { return };
        self.effects.push(Effect::StopVideo { channel: id, publisher: publisher.id });
    }

    /// The channel is gone, and what was known of it (S-250).
    pub(super) fn forget_video(&mut self, id: ChannelId) {
        let warned = self.videos.warnings.get(&id).and_then(|status| status.id.clone());
        self.stop_video(id);
        self.videos.metadata.remove(&id);
        self.videos.untold.shift_remove(&id);
        if let Some(status_id) = warned {
            self.broadcast(&ToViewer::RemoveStatus { status_ids: vec![status_id] });
        }
    }

    /// The room is gone, and with it whatever is under way.
    pub(super) fn leave_videos(&mut self) {
        self.videos.in_flight.clear();
        self.videos.orphans.clear();
        self.videos.untold.clear();
    }

    fn publish_video(&mut self, id: ChannelId) {
        let (Some(publisher), Some(state)) = (self.videos.publishers.get_mut(&id), self.channels.get(&id)) else {
            return;
        };
        if let Err(at) = self.videos.starts.take() {
            publisher.phase = Phase::Waiting(at);
            return;
        }
        publisher.phase = Phase::Publishing;
        self.videos.in_flight.insert(publisher.id);
        self.effects.push(Effect::PublishVideo { channel: state.channel.clone(), publisher: publisher.id });
    }

    /// A publication was answered. One that nobody waits for any more is taken back at once (S-155, S-156, S-233).
    pub(super) fn video_published(&mut self, id: PublisherId, result: Result<Sid, String>, now: Now) {
        self.videos.in_flight.remove(&id);
        if let Ok(sid) = &result {
            self.videos.orphans.retain(|orphan| orphan != sid);
        }
        match (self.videos.by_id(id), result) {
            (Some((channel, publisher)), Ok(sid)) => {
                (publisher.phase, publisher.failures) = (Phase::Published(sid), 0);
                self.effects.push(Effect::AttachVideo { channel, publisher: id });
                self.clear_video_warning(channel);
            }
            (Some((channel, _)), Err(reason)) => self.video_failed(channel, &reason, now),
            (None, Ok(_)) => self.effects.push(Effect::DropVideo { publisher: id }),
            (None, Err(reason)) => {
                tracing::debug!(reason, "a video track that is not wanted any more failed to publish")
            }
        }
        if self.videos.in_flight.is_empty() {
            let orphans = std::mem::take(&mut self.videos.orphans);
            self.effects.extend(orphans.into_iter().map(Effect::UnpublishOrphan));
        }
    }

    fn video_failed(&mut self, id: ChannelId, reason: &str, now: Now) {
        let (Some(publisher), Some(state)) = (self.videos.publishers.get_mut(&id), self.channels.get(&id)) else {
            return;
        };
        publisher.failures = publisher.failures.saturating_add(1);
        let pause = pause(publisher.failures);
        publisher.phase = Phase::Waiting(now.mono + pause);
        let failures = publisher.failures;
        let topic = state.channel.topic();
        // The first failures one by one, then what a log can bear.
        if failures <= TELL_AFTER || failures.is_power_of_two() {
            tracing::error!(channel = %id, topic, reason, failures, "the video track could not be published");
        }
        if failures == TELL_AFTER {
            let text = texts::video_not_published(topic, reason);
            self.warn_of_video(id, text);
        }
    }

    /// The transport gave a publication a new SID (S-275). After a full reconnection nobody is subscribed, and no track is
    /// wanted, until viewers have subscribed anew (S-27); what the transport renews all the same is taken back.
    pub(super) fn video_renewed(&mut self, previous: &Sid, sid: Sid) {
        let current = self.videos.publishers.values_mut().find(|publisher| match &publisher.phase {
            Phase::Published(known) => known == previous || *known == sid,
            Phase::Publishing | Phase::Waiting(_) => false,
        });
        match current {
            Some(publisher) => publisher.phase = Phase::Published(sid),
            // An answer under way may be about this publication.
            None if !self.videos.in_flight.is_empty() && self.videos.orphans.len() < MAX_ORPHANS => {
                self.videos.orphans.push(sid)
            }
            None => self.effects.push(Effect::UnpublishOrphan(sid)),
        }
    }

    /// The server took a publication away.
    pub(super) fn video_lost(&mut self, sid: &Sid, now: Now) {
        let lost = self.videos.publishers.iter().find(|(_, publisher)| match &publisher.phase {
            Phase::Published(known) => known == sid,
            Phase::Publishing | Phase::Waiting(_) => false,
        });
        let Some((&channel, publisher)) = lost else { return };
        self.effects.push(Effect::DropVideo { publisher: publisher.id });
        self.video_failed(channel, "the server unpublished it", now);
    }

    /// Time has passed: viewers may have further tracks started.
    pub(super) fn earn_video_starts(&mut self, now: Now) {
        self.videos.starts.earn(now.mono);
    }

    pub(super) fn tick_videos(&mut self, now: Now) {
        let due = |publisher: &Publisher| matches!(publisher.phase, Phase::Waiting(at) if now.mono >= at);
        let due: Vec<ChannelId> = self
            .videos
            .publishers
            .iter()
            .filter(|(_, publisher)| due(publisher))
            .map(|(channel, _)| *channel)
            .collect();
        for channel in due {
            self.publish_video(channel);
        }
        self.tell_metadata(now);
    }

    /// What the conversions had to say.
    pub(super) fn video_news(&mut self, news: Vec<VideoNews>, now: Now) {
        for VideoNews { channel, publisher, metadata, failing } in news {
            // S-157: nothing is kept, and nobody told, of a channel that is gone.
            if !self.channels.contains_key(&channel) {
                continue;
            }
            if let Some(metadata) = metadata {
                if self.videos.metadata.get(&channel) != Some(&metadata) {
                    self.videos.metadata.insert(channel, metadata);
                    self.videos.untold.insert(channel);
                    // Whoever comes while changes are collected is told the newest.
                    let keys: Vec<_> = self.videos.metadata(channel).collect();
                    if let Some(state) = self.channels.get_mut(&channel) {
                        state.set_video_metadata(keys);
                    }
                }
            }
            let current = self.videos.publishers.get(&channel).is_some_and(|current| current.id == publisher);
            match failing.filter(|_| current) {
                Some(Some(reason)) => {
                    let topic = self.channels.get(&channel).map_or("", |state| state.channel.topic()).to_owned();
                    self.warn_of_video(channel, texts::video_not_converted(&topic, &reason));
                }
                Some(None) => self.clear_video_warning(channel),
                None => {}
            }
        }
        self.tell_metadata(now);
    }

    /// One advertisement for all channels whose pictures changed (S-249), however often they did, and not too often.
    fn tell_metadata(&mut self, now: Now) {
        if self.videos.untold.is_empty() || self.videos.quiet_until.is_some_and(|until| now.mono < until) {
            return;
        }
        self.videos.quiet_until = now.mono.checked_add(METADATA_INTERVAL);
        let changed: Vec<ChannelId> = std::mem::take(&mut self.videos.untold).into_iter().collect();
        let clients: Vec<ClientId> = self.clients.keys().copied().collect();
        self.advertise(&clients, &changed);
    }

    fn warn_of_video(&mut self, id: ChannelId, message: String) {
        let status = Status { level: StatusLevel::Warning, message, id: Some(texts::video_status_id(id.get())) };
        self.videos.warnings.insert(id, status.clone());
        for client in self.video_subscribers(id) {
            self.send(client, &ToViewer::Status(status.clone()));
        }
    }

    fn clear_video_warning(&mut self, id: ChannelId) {
        let Some(status) = self.videos.warnings.remove(&id) else { return };
        let status_ids: Vec<String> = status.id.into_iter().collect();
        for client in self.video_subscribers(id) {
            self.send(client, &ToViewer::RemoveStatus { status_ids: status_ids.clone() });
        }
    }

    fn video_subscribers(&self, id: ChannelId) -> Vec<ClientId> {
        self.channels.get(&id).map(|state| state.video_subscribers.clone()).unwrap_or_default()
    }

    /// Active warnings of channels that a viewer newly watches.
    pub(super) fn replay_video_warnings(&mut self, client: ClientId, channels: &[ChannelId]) {
        let active: Vec<Status> = channels.iter().filter_map(|id| self.videos.warnings.get(id)).cloned().collect();
        for status in active {
            self.send(client, &ToViewer::Status(status));
        }
    }

    /// Withdraws from one viewer the warnings of channels that it watches no more; before the tracks are updated.
    pub(super) fn withdraw_video_warnings(&mut self, client: ClientId, channels: &[ChannelId]) {
        let status_ids: Vec<String> = channels
            .iter()
            .filter_map(|id| self.videos.warnings.get(id))
            .filter_map(|status| status.id.clone())
            .collect();
        if !status_ids.is_empty() {
            self.send(client, &ToViewer::RemoveStatus { status_ids });
        }
    }
}
