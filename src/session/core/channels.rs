//! The advertised channels: adding, removing, schema tables, data tracks (S-80 to S-87, P-124 to P-129, P-200 to P-206).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::context::{ChannelId, ChannelRef, Qos};
use crate::protocol::schema::{
    encode_schema_data, requires_schema, HAS_VIDEO_TRACK_KEY, RELIABLE_KEY, RESERVED_METADATA_KEYS, VIDEO_FRAME_ID_KEY,
    VIDEO_SOURCE_ENCODING_KEY,
};
use crate::protocol::{Advertise, AdvertisedSchema, ChannelAdvertisement, InlineSchema, SchemaEntry, ToViewer};

use super::advertising::{check_fits, encode_parts, parts};
use super::{ClientId, Core, Effect, Event};

/// A channel that passed the session's filter, with what was decided about it when it was created.
#[derive(Debug, Clone)]
pub(crate) struct ChannelAdded {
    pub(crate) channel: ChannelRef,
    pub(crate) qos: Qos,
    pub(crate) video: VideoCapability,
}

/// Whether a channel can be watched as video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VideoCapability {
    No,
    Yes,
}

/// An advertised channel and who subscribes to it.
pub(super) struct ChannelState {
    pub(super) channel: ChannelRef,
    pub(super) qos: Qos,
    pub(super) video: VideoCapability,
    schema: Option<Arc<WireSchema>>,
    metadata: BTreeMap<String, String>,
    pub(super) data_subscribers: Vec<ClientId>,
    pub(super) video_subscribers: Vec<ClientId>,
    track: Track,
}

/// Whether the channel's data track is wanted (S-228).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Track {
    /// Reliable channels have none.
    None,
    /// One of the first lossy channels: published whenever the session is in a room.
    Eager,
    /// Published with the first data subscriber.
    OnDemand { started: bool },
}

/// A schema as the wire carries it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WireSchema {
    name: String,
    encoding: String,
    data: String,
}

/// Which schemas one viewer instance has got, and under which id (P-203, P-204).
#[derive(Default)]
pub(super) struct SchemaTable {
    ids: HashMap<Arc<WireSchema>, u64>,
}

impl SchemaTable {
    /// The id of a schema, and whether it has to be sent with it.
    fn id_of(&mut self, schema: &Arc<WireSchema>) -> (u64, bool) {
        if let Some(&id) = self.ids.get(schema) {
            return (id, false);
        }
        let id = self.ids.len() as u64 + 1;
        self.ids.insert(schema.clone(), id);
        (id, true)
    }
}

impl ChannelState {
    /// Checks that the channel can be advertised at all (P-62, P-64).
    fn new(added: ChannelAdded) -> Result<Self, String> {
        let channel = added.channel;
        let schema = match channel.schema() {
            Some(schema) => Some(Arc::new(WireSchema {
                name: schema.name.clone(),
                encoding: schema.encoding.clone(),
                data: encode_schema_data(&schema.encoding, &schema.data).map_err(|error| error.to_string())?,
            })),
            None if requires_schema(channel.encoding()) => {
                return Err(format!("the message encoding {} needs a schema", channel.encoding()));
            }
            None => None,
        };
        let qos = match (added.qos, added.video) {
            (Qos::Reliable, VideoCapability::Yes) => {
                tracing::warn!(channel = %channel.id(), topic = channel.topic(), "an image channel cannot be reliable; it is lossy");
                Qos::Lossy
            }
            (qos, _) => qos,
        };
        let mut metadata = channel.metadata().clone();
        for key in RESERVED_METADATA_KEYS {
            metadata.remove(key);
        }
        if qos == Qos::Reliable {
            metadata.insert(RELIABLE_KEY.into(), "true".into());
        }
        if added.video == VideoCapability::Yes {
            metadata.insert(HAS_VIDEO_TRACK_KEY.into(), "true".into());
        }
        let state = Self {
            channel,
            qos,
            video: added.video,
            schema,
            metadata,
            data_subscribers: Vec::new(),
            video_subscribers: Vec::new(),
            track: Track::None,
        };
        // The larger of the two shapes must fit a frame, or a later advertise would fail for every viewer.
        let alone = ToViewer::Advertise(Advertise { schemas: Vec::new(), channels: vec![state.inline()] });
        check_fits(&alone).map_err(|error| error.to_string())?;
        Ok(state)
    }

    fn inline(&self) -> ChannelAdvertisement {
        self.advertisement(AdvertisedSchema::Inline(self.schema.as_ref().map(|schema| InlineSchema {
            name: schema.name.clone(),
            encoding: schema.encoding.clone(),
            data: schema.data.clone(),
        })))
    }

    fn advertisement(&self, schema: AdvertisedSchema) -> ChannelAdvertisement {
        ChannelAdvertisement {
            id: self.channel.id().get(),
            topic: self.channel.topic().to_owned(),
            encoding: self.channel.encoding().to_owned(),
            schema,
            metadata: self.metadata.clone(),
        }
    }

    fn size(&self) -> usize {
        let schema = self.schema.as_ref().map_or(0, |s| s.data.len() + s.name.len());
        256 + schema + self.channel.topic().len() + self.metadata.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>()
    }

    /// Replaces what viewers are told of the channel's pictures (S-83).
    pub(super) fn set_video_metadata(&mut self, keys: Vec<(String, String)>) {
        for key in [VIDEO_SOURCE_ENCODING_KEY, VIDEO_FRAME_ID_KEY] {
            self.metadata.remove(key);
        }
        self.metadata.extend(keys);
    }

    /// The viewers subscribed in either mode, in order of subscription per mode.
    pub(super) fn subscribers(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.data_subscribers.iter().chain(&self.video_subscribers).copied()
    }
}

impl Core {
    pub(super) fn channels_changed(&mut self, added: Vec<ChannelAdded>, removed: &[ChannelRef]) {
        let mut fresh = Vec::new();
        for channel in added {
            let id = channel.channel.id();
            // Its removal may have come first (see `Sink`).
            if channel.channel.is_closed() || self.channels.contains_key(&id) {
                continue;
            }
            let topic = channel.channel.topic().to_owned();
            match ChannelState::new(channel) {
                Ok(state) => {
                    self.channels.insert(id, state);
                    self.plan_track(id);
                    fresh.push(id);
                }
                Err(reason) => tracing::error!(channel = %id, topic, reason, "the channel cannot be advertised"),
            }
        }
        self.remove_channels(removed);
        fresh.retain(|id| self.channels.contains_key(id));
        if !fresh.is_empty() {
            let clients: Vec<ClientId> = self.clients.keys().copied().collect();
            self.advertise(&clients, &fresh);
        }
    }

    /// Unadvertise goes out before the unsubscribe callbacks (S-86); one message for all that went together.
    fn remove_channels(&mut self, removed: &[ChannelRef]) {
        let mut gone = Vec::new();
        for channel in removed {
            if let Some(state) = self.channels.shift_remove(&channel.id()) {
                gone.push(state);
            }
        }
        if gone.is_empty() {
            return;
        }
        for state in &gone {
            let id = state.channel.id();
            if state.track != Track::None {
                self.eager_tracks -= usize::from(state.track == Track::Eager);
                self.effects.push(Effect::StopTrack(id));
            }
            self.forget_video(id);
            self.effects.push(Effect::ForgetChannel(id));
        }
        let ids: Vec<ChannelId> = gone.iter().map(|state| state.channel.id()).collect();
        self.broadcast(&ToViewer::Unadvertise { channel_ids: ids.iter().map(|id| id.get()).collect() });
        self.clear_warnings_of(&ids);
        for state in gone {
            for client in state.subscribers() {
                let Some(registration) = self.clients.get_mut(&client) else { continue };
                registration.subscriptions.shift_remove(&state.channel.id());
                let client = registration.client.clone();
                self.event(Event::Unsubscribe(client, state.channel.clone()));
            }
        }
    }

    /// All channels, to a viewer that was just registered.
    pub(super) fn advertise_all(&mut self, client: ClientId) {
        let all: Vec<ChannelId> = self.channels.keys().copied().collect();
        self.advertise(&[client], &all);
    }

    /// Advertises channels to viewers: inline schemas for one kind of viewer, a schema table for the other (P-201). Many
    /// channels travel in one message, and in several only when one would grow too large.
    pub(super) fn advertise(&mut self, clients: &[ClientId], channels: &[ChannelId]) {
        let mut inline: Option<Vec<bytes::Bytes>> = None;
        for &client in clients {
            let Some(registration) = self.clients.get_mut(&client) else { continue };
            let frames = if registration.version.wants_schema_table() {
                table_frames(&mut registration.schemas, &self.channels, channels)
            } else {
                // The same bytes serve every viewer of this kind.
                inline.get_or_insert_with(|| inline_frames(&self.channels, channels)).clone()
            };
            self.effects.extend(frames.into_iter().map(|frame| Effect::Send { client, frame }));
        }
    }

    fn plan_track(&mut self, id: ChannelId) {
        let Some(state) = self.channels.get_mut(&id) else { return };
        if state.qos == Qos::Reliable {
            return;
        }
        if self.eager_tracks < self.config.limits.eager_data_tracks {
            self.eager_tracks += 1;
            state.track = Track::Eager;
            if self.in_room {
                self.effects.push(Effect::StartTrack(state.channel.clone()));
            }
        } else {
            state.track = Track::OnDemand { started: false };
        }
    }

    pub(super) fn start_eager_tracks(&mut self) {
        let eager = self.channels.values().filter(|state| state.track == Track::Eager);
        self.effects.extend(eager.map(|state| Effect::StartTrack(state.channel.clone())));
    }

    /// The room is gone, and its tracks with it.
    pub(super) fn stop_tracks(&mut self) {
        for state in self.channels.values_mut() {
            match &mut state.track {
                Track::None | Track::OnDemand { started: false } => continue,
                Track::Eager => {}
                Track::OnDemand { started } => *started = false,
            }
            self.effects.push(Effect::StopTrack(state.channel.id()));
        }
    }

    /// Sends the channel's route as its subscribers are now. A track on demand starts with the first data subscriber and
    /// stays: publishing again and again would cost more than an idle track.
    pub(super) fn update_route(&mut self, id: ChannelId) {
        self.update_video(id);
        let Some(state) = self.channels.get_mut(&id) else { return };
        let lossy = state.qos == Qos::Lossy && !state.data_subscribers.is_empty();
        if let Track::OnDemand { started } = &mut state.track {
            if lossy && !*started && self.in_room {
                *started = true;
                self.effects.push(Effect::StartTrack(state.channel.clone()));
            }
        }
        let reliable = if state.qos == Qos::Reliable { state.data_subscribers.clone() } else { Vec::new() };
        self.effects.push(Effect::Route { channel: state.channel.clone(), reliable, lossy });
    }
}

fn states<'a>(
    channels: &'a IndexMap<ChannelId, ChannelState>,
    ids: &'a [ChannelId],
) -> impl Iterator<Item = &'a ChannelState> {
    ids.iter().filter_map(|id| channels.get(id))
}

fn inline_frames(channels: &IndexMap<ChannelId, ChannelState>, ids: &[ChannelId]) -> Vec<bytes::Bytes> {
    encode_parts(parts(states(channels, ids), |state| state.size()).map(|part| {
        let channels = part.into_iter().map(ChannelState::inline).collect();
        ToViewer::Advertise(Advertise { schemas: Vec::new(), channels })
    }))
}

fn table_frames(
    table: &mut SchemaTable,
    channels: &IndexMap<ChannelId, ChannelState>,
    ids: &[ChannelId],
) -> Vec<bytes::Bytes> {
    encode_parts(parts(states(channels, ids), |state| state.size()).map(|part| {
        let mut advertise = Advertise::default();
        for state in part {
            let id = state.schema.as_ref().map(|schema| {
                let (id, new) = table.id_of(schema);
                if new {
                    advertise.schemas.push(SchemaEntry {
                        id,
                        name: schema.name.clone(),
                        encoding: schema.encoding.clone(),
                        data: schema.data.clone(),
                    });
                }
                id
            });
            advertise.channels.push(state.advertisement(AdvertisedSchema::Table(id)));
        }
        ToViewer::Advertise(advertise)
    }))
}
