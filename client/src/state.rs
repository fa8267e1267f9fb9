//! The viewer's picture of the robot: messages folded into what is true now. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use telelink::protocol::schema::{decode_schema_data, HAS_VIDEO_TRACK_KEY, RELIABLE_KEY};
use telelink::protocol::{
    Advertise, AdvertisedSchema, ChannelAdvertisement, ConnectionGraphUpdate, GraphEntry, Parameter, SchemaEntry,
    SchemaError, ServerInfo, ServiceAdvertisement, Status, ToViewer,
};

/// A channel of the robot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Device channel id.
    pub id: u64,
    /// Topic; not guaranteed unique.
    pub topic: Arc<str>,
    /// Message encoding, may be empty.
    pub encoding: String,
    /// The schema, out of either shape of `advertise` (P-205). `None` also when what was advertised could not be resolved,
    /// which is a [`Problem`].
    pub schema: Option<Arc<Schema>>,
    /// Metadata, reserved keys included (P-126).
    pub metadata: BTreeMap<String, String>,
}

impl Channel {
    /// Whether messages come over the control stream rather than a data track (P-126).
    pub fn reliable(&self) -> bool {
        self.metadata.get(RELIABLE_KEY).is_some_and(|value| value == "true")
    }

    /// Whether the channel can be requested as video (P-126).
    pub fn has_video(&self) -> bool {
        self.metadata.get(HAS_VIDEO_TRACK_KEY).is_some_and(|value| value == "true")
    }
}

/// A schema, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Schema name.
    pub name: String,
    /// Schema encoding.
    pub encoding: String,
    /// Schema data, base64 undone (P-62).
    pub data: Bytes,
}

/// The connection graph: for each name the ids at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Publishers of each topic.
    pub published: BTreeMap<String, BTreeSet<String>>,
    /// Subscribers of each topic.
    pub subscribed: BTreeMap<String, BTreeSet<String>>,
    /// Providers of each service.
    pub services: BTreeMap<String, BTreeSet<String>>,
}

/// Bounds of what the robot may make the viewer remember, in each kind of thing. What is over them is not remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Channels, services, schemas, statuses, parameters, names in the graph: this many of each. Default 65,536.
    pub entries: usize,
    /// Bytes of schema data in the table and in channels with inline schemas. Default 256 MiB.
    pub schema_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 65_536, schema_bytes: 256 << 20 }
    }
}

/// A control message that breaks a rule. The rest of it was used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Something came on a new stream before `serverInfo` (P-18, P-112). It was ignored.
    #[error("{0} came before serverInfo")]
    BeforeServerInfo(&'static str),
    /// A channel refers to a schema that was not sent on this stream (P-204).
    #[error("channel {channel_id} refers to schema {schema_id}, which was never sent")]
    UnknownSchema {
        /// The channel.
        channel_id: u64,
        /// The schema it names.
        schema_id: u64,
    },
    /// A schema was sent a second time on this stream (P-204), or under an id that another has (P-203). The first one stays.
    #[error("schema {0} was sent twice")]
    SchemaRepeated(u64),
    /// Schema data that cannot be decoded (P-62).
    #[error("schema {name:?}: {error}")]
    BadSchema {
        /// Name of the schema.
        name: String,
        /// What is wrong with it.
        error: SchemaError,
    },
    /// More than the viewer agreed to remember ([`Limits`]).
    #[error("more {0} than the viewer remembers")]
    TooMany(&'static str),
    /// An answer to a question nobody waits for (any more).
    #[error("{0} answers no open request")]
    UnexpectedAnswer(&'static str),
}

/// What is known of the robot. Empty between sessions.
#[derive(Debug, Default)]
pub struct Picture {
    limits: Limits,
    server_info: Option<ServerInfo>,
    channels: BTreeMap<u64, Arc<Channel>>,
    /// The schema table of this stream. Entries stay when their channels go (P-203). `None`: sent, but undecodable.
    schemas: HashMap<u64, Option<Arc<Schema>>>,
    inline_bytes: HashMap<u64, usize>,
    /// Bytes of the table and of inline schemas.
    schema_bytes: usize,
    services: BTreeMap<u32, ServiceAdvertisement>,
    statuses: BTreeMap<String, Status>,
    parameters: BTreeMap<String, Parameter>,
    graph: Graph,
}

/// Channels that an update touched.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) advertised: Vec<u64>,
    pub(crate) removed: Vec<u64>,
    pub(crate) problems: Vec<Problem>,
}

impl Picture {
    /// An empty picture with these bounds.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Forgets everything: the robot opened a new stream, or is gone (P-27, P-204).
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.limits.clone());
    }

    /// Folds a message in. Channel data and answers to single questions change nothing here.
    pub(crate) fn apply(&mut self, message: &ToViewer) -> Changes {
        let mut changes = Changes::default();
        match message {
            // The table is void with every serverInfo (P-204), and so is all that went before it (P-27).
            ToViewer::ServerInfo(info) => {
                self.restart();
                self.server_info = Some(info.clone());
            }
            ToViewer::Advertise(advertise) => self.advertise(advertise, &mut changes),
            ToViewer::Unadvertise { channel_ids } => {
                for id in channel_ids {
                    self.forget_inline(*id);
                    if self.channels.remove(id).is_some() {
                        changes.removed.push(*id);
                    }
                }
            }
            ToViewer::AdvertiseServices { services } => {
                for service in services {
                    self.put("services", |p| &mut p.services, service.id, service.clone(), &mut changes);
                }
            }
            ToViewer::UnadvertiseServices { service_ids } => {
                for id in service_ids {
                    self.services.remove(id);
                }
            }
            // A later status with the same id replaces the earlier one (P-116); those without id are events only.
            ToViewer::Status(status) => {
                if let Some(id) = &status.id {
                    self.put("statuses", |p| &mut p.statuses, id.clone(), status.clone(), &mut changes);
                }
            }
            // Unknown ids are to be ignored (P-122, P-189).
            ToViewer::RemoveStatus { status_ids } => {
                for id in status_ids {
                    self.statuses.remove(id);
                }
            }
            ToViewer::ParameterValues { parameters, .. } => {
                for parameter in parameters {
                    self.put(
                        "parameters",
                        |p| &mut p.parameters,
                        parameter.name.clone(),
                        parameter.clone(),
                        &mut changes,
                    );
                }
            }
            ToViewer::ConnectionGraphUpdate(update) => self.update_graph(update, &mut changes),
            ToViewer::MessageData { .. }
            | ToViewer::Time { .. }
            | ToViewer::ServiceCallResponse(_)
            | ToViewer::ServiceCallFailure { .. }
            | ToViewer::FetchAssetResponse(_)
            | ToViewer::PlaybackState(_)
            | ToViewer::Pong { .. } => {}
        }
        changes
    }

    /// `serverInfo` of this session; `None` between sessions.
    pub fn server_info(&self) -> Option<&ServerInfo> {
        self.server_info.as_ref()
    }

    /// The channels by id.
    pub fn channels(&self) -> &BTreeMap<u64, Arc<Channel>> {
        &self.channels
    }

    /// The services by id.
    pub fn services(&self) -> &BTreeMap<u32, ServiceAdvertisement> {
        &self.services
    }

    /// The statuses that are in force, by their ids (P-116).
    pub fn statuses(&self) -> &BTreeMap<String, Status> {
        &self.statuses
    }

    /// The latest value of each parameter the robot told of.
    pub fn parameters(&self) -> &BTreeMap<String, Parameter> {
        &self.parameters
    }

    /// The connection graph. A topic that lost only its publishers keeps them here, as the protocol does not tell (P-146).
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Entries of the schema table of this stream (P-203).
    pub fn schema_count(&self) -> usize {
        self.schemas.len()
    }

    fn put<K: Ord, V>(
        &mut self,
        what: &'static str,
        map: impl FnOnce(&mut Self) -> &mut BTreeMap<K, V>,
        key: K,
        value: V,
        changes: &mut Changes,
    ) {
        let limit = self.limits.entries;
        let map = map(self);
        if map.len() < limit || map.contains_key(&key) {
            map.insert(key, value);
        } else {
            too_many(what, changes);
        }
    }

    fn advertise(&mut self, advertise: &Advertise, changes: &mut Changes) {
        for entry in &advertise.schemas {
            self.remember_schema(entry, changes);
        }
        for channel in &advertise.channels {
            self.advertise_channel(channel, changes);
        }
    }

    fn remember_schema(&mut self, entry: &SchemaEntry, changes: &mut Changes) {
        if self.schemas.contains_key(&entry.id) {
            report(Problem::SchemaRepeated(entry.id), changes);
            return;
        }
        if self.schemas.len() >= self.limits.entries || !self.room_for(entry.data.len()) {
            too_many("schemas", changes);
            return;
        }
        let schema = decode(&entry.name, &entry.encoding, &entry.data, changes);
        self.schema_bytes += schema.as_ref().map_or(0, |schema| schema.data.len());
        self.schemas.insert(entry.id, schema);
    }

    fn advertise_channel(&mut self, advertised: &ChannelAdvertisement, changes: &mut Changes) {
        let id = advertised.id;
        if self.channels.len() >= self.limits.entries && !self.channels.contains_key(&id) {
            too_many("channels", changes);
            return;
        }
        self.forget_inline(id);
        let schema = match &advertised.schema {
            AdvertisedSchema::Inline(None) | AdvertisedSchema::Table(None) => None,
            AdvertisedSchema::Inline(Some(inline)) if !self.room_for(inline.data.len()) => {
                too_many("schemas", changes);
                None
            }
            AdvertisedSchema::Inline(Some(inline)) => {
                let schema = decode(&inline.name, &inline.encoding, &inline.data, changes);
                let bytes = schema.as_ref().map_or(0, |schema| schema.data.len());
                self.inline_bytes.insert(id, bytes);
                self.schema_bytes += bytes;
                schema
            }
            AdvertisedSchema::Table(Some(schema_id)) => match self.schemas.get(schema_id) {
                Some(schema) => schema.clone(),
                None => {
                    report(Problem::UnknownSchema { channel_id: id, schema_id: *schema_id }, changes);
                    None
                }
            },
        };
        // A known id is an update of that channel (P-125).
        let channel = Channel {
            id,
            topic: advertised.topic.as_str().into(),
            encoding: advertised.encoding.clone(),
            schema,
            metadata: advertised.metadata.clone(),
        };
        self.channels.insert(id, Arc::new(channel));
        changes.advertised.push(id);
    }

    fn room_for(&self, bytes: usize) -> bool {
        self.schema_bytes.saturating_add(bytes) <= self.limits.schema_bytes
    }

    fn forget_inline(&mut self, channel_id: u64) {
        self.schema_bytes -= self.inline_bytes.remove(&channel_id).unwrap_or(0);
    }

    fn update_graph(&mut self, update: &ConnectionGraphUpdate, changes: &mut Changes) {
        let limit = self.limits.entries;
        let mut replace = |map: &mut BTreeMap<String, BTreeSet<String>>, entries: &[GraphEntry]| {
            for entry in entries {
                if entry.ids.is_empty() {
                    map.remove(&entry.name);
                } else if map.len() < limit || map.contains_key(&entry.name) {
                    // An entry carries the complete new set (P-146).
                    map.insert(entry.name.clone(), entry.ids.iter().cloned().collect());
                } else {
                    too_many("names in the connection graph", changes);
                }
            }
        };
        replace(&mut self.graph.published, &update.published_topics);
        replace(&mut self.graph.subscribed, &update.subscribed_topics);
        replace(&mut self.graph.services, &update.advertised_services);
        for topic in &update.removed_topics {
            self.graph.published.remove(topic);
            self.graph.subscribed.remove(topic);
        }
        for service in &update.removed_services {
            self.graph.services.remove(service);
        }
    }
}

fn decode(name: &str, encoding: &str, data: &str, changes: &mut Changes) -> Option<Arc<Schema>> {
    match decode_schema_data(encoding, data) {
        Ok(data) => Some(Arc::new(Schema { name: name.to_owned(), encoding: encoding.to_owned(), data })),
        Err(error) => {
            report(Problem::BadSchema { name: name.chars().take(MAX_QUOTED).collect(), error }, changes);
            None
        }
    }
}

fn too_many(what: &'static str, changes: &mut Changes) {
    report(Problem::TooMany(what), changes);
}

/// Each problem once, and not too many: a message may bring a million entries.
fn report(problem: Problem, changes: &mut Changes) {
    if changes.problems.len() < MAX_PROBLEMS && !changes.problems.contains(&problem) {
        changes.problems.push(problem);
    }
}

const MAX_PROBLEMS: usize = 64;
/// Longest piece of the robot's text in a problem, in characters.
const MAX_QUOTED: usize = 160;

#[cfg(test)]
mod tests;
