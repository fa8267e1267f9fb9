//! Who gets what: subscribe and unsubscribe (P-70 to P-79, S-175 to S-184, S-159).

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::context::ChannelId;
use crate::protocol::{texts, StatusLevel, SubscribeChannel};

use super::channels::VideoCapability;
use super::replies::Replies;
use super::{ClientId, Core, Event};

/// Distinct unknown channels of one request that are told apart; what is named beyond is only counted.
const MAX_UNKNOWN: usize = 1024;

/// How a viewer is subscribed to a channel: data or video, never both (P-71).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Data,
    Video,
}

impl Core {
    pub(super) fn subscribe(&mut self, id: ClientId, requested: &[SubscribeChannel]) {
        // Each channel once, in order of first mention; data wins over video whatever the order (P-75). Bounded by the
        // channels there are: of ids that nobody has, a hostile list can name a million.
        let mut modes: IndexMap<u64, Mode> = IndexMap::new();
        let (mut unknown, mut beyond) = (0, 0);
        for entry in requested {
            let mode = if entry.request_video_track { Mode::Video } else { Mode::Data };
            if !self.channels.contains_key(&ChannelId::from(entry.id)) && !modes.contains_key(&entry.id) {
                if unknown == MAX_UNKNOWN {
                    beyond += 1;
                    continue;
                }
                unknown += 1;
            }
            let slot = modes.entry(entry.id).or_insert(mode);
            if mode == Mode::Data {
                *slot = Mode::Data;
            }
        }
        let mut routes = BTreeSet::new();
        let mut new = Vec::new();
        let (mut data, mut watched, mut unwatched) = (Vec::new(), Vec::new(), Vec::new());
        let mut refusals = Replies::default();
        for (channel, mode) in modes {
            let channel = ChannelId::from(channel);
            match (self.channels.get(&channel).map(|state| state.video), mode) {
                // An existing subscription stays as it is (P-73).
                (None | Some(VideoCapability::No), Mode::Video) => {
                    refusals.add(StatusLevel::Error, || texts::no_video(channel.get()));
                }
                (None, Mode::Data) => refusals.add(StatusLevel::Error, || texts::unknown_channel(channel.get())),
                (Some(_), mode) => {
                    let was = self.set_mode(id, channel, mode);
                    if was == Some(mode) {
                        continue;
                    }
                    routes.insert(channel);
                    match (mode, was) {
                        (Mode::Video, _) => watched.push(channel),
                        (Mode::Data, Some(_)) => unwatched.push(channel),
                        (Mode::Data, None) => {}
                    }
                    if was.is_none() {
                        new.push(channel);
                        if mode == Mode::Data {
                            data.push(channel);
                        }
                    }
                }
            }
        }
        refusals.total += beyond;
        self.reply_statuses(id, refusals, |n| format!("{n} more channels could not be subscribed"));
        self.withdraw_video_warnings(id, &unwatched);
        self.update_routes(&routes);
        // Only real subscriptions are events; a switch of mode is none (P-72).
        for channel in new {
            let (Some(registration), Some(state)) = (self.clients.get(&id), self.channels.get(&channel)) else {
                continue;
            };
            let event = Event::Subscribe(registration.client.clone(), state.channel.clone());
            self.event(event);
        }
        self.replay_warnings(id, &data);
        self.replay_video_warnings(id, &watched);
    }

    pub(super) fn unsubscribe(&mut self, id: ClientId, channels: &[u64]) {
        let mut ended = Vec::new();
        let mut routes = BTreeSet::new();
        let mut unwatched = Vec::new();
        for &channel in channels {
            let channel = ChannelId::from(channel);
            let Some(registration) = self.clients.get_mut(&id) else { return };
            let Some(mode) = registration.subscriptions.shift_remove(&channel) else { continue };
            if mode == Mode::Video {
                unwatched.push(channel);
            }
            self.drop_subscriber(channel, id);
            routes.insert(channel);
            ended.push(channel);
        }
        self.withdraw_video_warnings(id, &unwatched);
        self.update_routes(&routes);
        for &channel in &ended {
            let (Some(registration), Some(state)) = (self.clients.get(&id), self.channels.get(&channel)) else {
                continue;
            };
            let event = Event::Unsubscribe(registration.client.clone(), state.channel.clone());
            self.event(event);
        }
        self.withdraw_warnings(id, &ended);
    }

    /// Subscribes in a mode; the mode before, if there was a subscription.
    fn set_mode(&mut self, id: ClientId, channel: ChannelId, mode: Mode) -> Option<Mode> {
        let (registration, state) = (self.clients.get_mut(&id)?, self.channels.get_mut(&channel)?);
        let was = registration.subscriptions.insert(channel, mode);
        if was != Some(mode) {
            let (to, from) = match mode {
                Mode::Data => (&mut state.data_subscribers, &mut state.video_subscribers),
                Mode::Video => (&mut state.video_subscribers, &mut state.data_subscribers),
            };
            from.retain(|client| *client != id);
            to.push(id);
        }
        was
    }

    /// Subscribers of a channel, to its messages and to its video.
    pub(crate) fn subscribers_of(&self, channel: ChannelId) -> (usize, usize) {
        let state = self.channels.get(&channel);
        state.map_or((0, 0), |state| (state.data_subscribers.len(), state.video_subscribers.len()))
    }

    /// Channels that a viewer is subscribed to.
    pub(crate) fn subscriptions_of(&self, id: ClientId) -> usize {
        self.clients.get(&id).map_or(0, |registration| registration.subscriptions.len())
    }

    /// Takes a viewer off a channel's lists; whether it was on one.
    pub(super) fn drop_subscriber(&mut self, channel: ChannelId, id: ClientId) -> bool {
        let Some(state) = self.channels.get_mut(&channel) else { return false };
        let before = state.data_subscribers.len() + state.video_subscribers.len();
        state.data_subscribers.retain(|client| *client != id);
        state.video_subscribers.retain(|client| *client != id);
        before != state.data_subscribers.len() + state.video_subscribers.len()
    }
}
