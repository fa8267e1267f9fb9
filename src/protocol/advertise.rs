//! The device's `advertise` (7.4), with schemas inline for 2.2 viewers or in a table for 2.3 viewers (P-202).

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::{shorten, DecodeError, EncodeError};
use super::json;

/// Announces channels, or changes of known ones (P-125).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advertise {
    /// Schemas that channels of this or a later `advertise` refer to (P-204); empty for viewers below 2.3.
    pub schemas: Vec<SchemaEntry>,
    /// The channels. A device never sends an empty list.
    pub channels: Vec<ChannelAdvertisement>,
}

/// One schema of the table (P-202). Ids belong to one connection instance (P-203).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaEntry {
    /// 1 or more, in order of first use.
    pub id: u64,
    /// Schema name.
    pub name: String,
    /// Schema encoding, such as `protobuf` or `jsonschema`.
    pub encoding: String,
    /// Schema data as text; base64 for the binary encodings (P-62, [`encode_schema_data`](super::schema::encode_schema_data)).
    pub data: String,
}

/// One channel of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelAdvertisement {
    /// Device channel id, 1 or more and below 2^53 (P-56).
    pub id: u64,
    /// Topic; not guaranteed unique.
    pub topic: String,
    /// Message encoding, may be empty.
    pub encoding: String,
    /// The schema, in one of the two shapes.
    pub schema: AdvertisedSchema,
    /// Metadata, reserved keys included (P-126). Left out of the message when empty.
    pub metadata: BTreeMap<String, String>,
}

/// How a channel names its schema. A receiver tells the shapes apart by the members present (P-205).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdvertisedSchema {
    /// `schemaName`, `schemaEncoding` and `schema` in the channel itself; `None` is a channel without a schema.
    Inline(Option<InlineSchema>),
    /// `schemaId`, referring to a [`SchemaEntry`] of this or an earlier `advertise`; `None` is a channel without a schema.
    Table(Option<u64>),
}

/// A schema carried in the channel that uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineSchema {
    /// Schema name.
    pub name: String,
    /// Schema encoding.
    pub encoding: String,
    /// Schema data as text; base64 for the binary encodings (P-62).
    pub data: String,
}

pub(super) const OP: &str = "advertise";

#[derive(Serialize)]
struct Out<'a> {
    #[serde(skip_serializing_if = "<[SchemaEntry]>::is_empty")]
    schemas: &'a [SchemaEntry],
    channels: Vec<ChannelOut<'a>>,
}

/// Both shapes of a channel: the members of the other one are `None`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChannelOut<'a> {
    id: u64,
    topic: &'a str,
    encoding: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_encoding: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_id: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a ChannelAdvertisement> for ChannelOut<'a> {
    fn from(channel: &'a ChannelAdvertisement) -> Self {
        let (inline, schema_id) = match &channel.schema {
            AdvertisedSchema::Inline(None) => (Some(("", None, "")), None),
            AdvertisedSchema::Inline(Some(schema)) => {
                (Some((&schema.name[..], Some(&schema.encoding[..]), &schema.data[..])), None)
            }
            AdvertisedSchema::Table(id) => (None, *id),
        };
        Self {
            id: channel.id,
            topic: &channel.topic,
            encoding: &channel.encoding,
            schema_name: inline.map(|(name, _, _)| name),
            schema_encoding: inline.and_then(|(_, encoding, _)| encoding),
            schema: inline.map(|(_, _, data)| data),
            schema_id,
            metadata: &channel.metadata,
        }
    }
}

#[derive(Deserialize)]
struct In<'a> {
    #[serde(default, deserialize_with = "json::opt_objects")]
    schemas: Vec<SchemaEntry>,
    #[serde(deserialize_with = "json::objects")]
    channels: Cow<'a, [ChannelIn]>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelIn {
    id: u64,
    topic: String,
    encoding: String,
    schema_name: Option<String>,
    schema_encoding: Option<String>,
    schema: Option<String>,
    schema_id: Option<u64>,
    #[serde(default, deserialize_with = "json::opt_string_map")]
    metadata: BTreeMap<String, String>,
}

impl TryFrom<ChannelIn> for ChannelAdvertisement {
    type Error = DecodeError;

    fn try_from(channel: ChannelIn) -> Result<Self, DecodeError> {
        let schema = match (channel.schema_name, channel.schema) {
            (Some(name), Some(data)) => match channel.schema_encoding {
                // A schema always has an encoding (7.4); a peer that names one without is still believed.
                None if name.is_empty() && data.is_empty() => AdvertisedSchema::Inline(None),
                encoding => {
                    AdvertisedSchema::Inline(Some(InlineSchema { name, encoding: encoding.unwrap_or_default(), data }))
                }
            },
            (None, None) => match channel.schema_id {
                Some(0) => return Err(invalid(&channel.topic, "schemaId is 0")),
                id => AdvertisedSchema::Table(id),
            },
            (Some(_), None) => return Err(invalid(&channel.topic, "schemaName without schema")),
            (None, Some(_)) => return Err(invalid(&channel.topic, "schema without schemaName")),
        };
        let ChannelIn { id, topic, encoding, metadata, .. } = channel;
        Ok(Self { id, topic, encoding, schema, metadata })
    }
}

fn invalid(topic: &str, reason: &str) -> DecodeError {
    DecodeError::InvalidMessage { op: OP, detail: format!("channel of topic \"{}\": {reason}", shorten(topic)) }
}

impl Advertise {
    pub(super) fn to_frame(&self) -> Result<Bytes, EncodeError> {
        json::check_len("schemas", &self.schemas)?;
        json::check_len("channels", &self.channels)?;
        if self.schemas.iter().any(|schema| schema.id == 0) {
            return Err(EncodeError::SchemaIdZero { what: "schemas" });
        }
        if self.channels.iter().any(|channel| channel.schema == AdvertisedSchema::Table(Some(0))) {
            return Err(EncodeError::SchemaIdZero { what: "channels" });
        }
        self.channels.iter().try_for_each(|channel| json::check_map("metadata", &channel.metadata))?;
        let channels = self.channels.iter().map(ChannelOut::from).collect();
        json::frame(OP, &Out { schemas: &self.schemas, channels })
    }

    pub(super) fn decode(text: &str) -> Result<Self, DecodeError> {
        let message: In<'_> = json::parse(OP, text)?;
        if message.schemas.iter().any(|schema| schema.id == 0) {
            return Err(DecodeError::InvalidMessage { op: OP, detail: "schemas: an id is 0".to_owned() });
        }
        let channels = message.channels.into_owned().into_iter().map(ChannelAdvertisement::try_from);
        Ok(Self { schemas: message.schemas, channels: channels.collect::<Result<_, _>>()? })
    }
}
