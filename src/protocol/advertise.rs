//! The device's `advertise` (7.4), with schemas inline for 2.2 viewers or in a table for 2.3 viewers (P-202).

use std::collections::BTreeMap;

/// Announces channels, or changes of known ones (P-125).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Advertise {
    /// Schemas that channels of this or a later `advertise` refer to (P-204); empty for viewers below 2.3.
    pub schemas: Vec<SchemaEntry>,
    /// The channels. A device never sends an empty list.
    pub channels: Vec<ChannelAdvertisement>,
}

/// One schema of the table (P-202). Ids belong to one connection instance (P-203).
#[derive(Debug, Clone, PartialEq, Eq)]
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
