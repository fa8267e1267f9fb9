//! The connection graph update (7.16).

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::{DecodeError, EncodeError};
use super::json;

/// What changed in the connection graph since the last update (P-146). The lists are sets: their order means nothing (P-145).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionGraphUpdate {
    /// Topics whose publishers are new or changed, with all publisher ids.
    pub published_topics: Vec<GraphEntry>,
    /// Topics whose subscribers are new or changed, with all subscriber ids.
    pub subscribed_topics: Vec<GraphEntry>,
    /// Services whose providers are new or changed, with all provider ids.
    pub advertised_services: Vec<GraphEntry>,
    /// Topics that are now neither published nor subscribed.
    pub removed_topics: Vec<String>,
    /// Services that are no longer provided.
    pub removed_services: Vec<String>,
}

/// A topic or service and the nodes at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphEntry {
    /// Topic or service name.
    pub name: String,
    /// Ids of the publishers, subscribers or providers.
    pub ids: Vec<String>,
}

pub(super) const OP: &str = "connectionGraphUpdate";

/// On the wire the three kinds of entry differ in the name of their second member only.
macro_rules! wire_entry {
    ($entry:ident, $ids:literal) => {
        #[derive(Clone, Serialize, Deserialize)]
        struct $entry<'a> {
            name: Cow<'a, str>,
            #[serde(rename = $ids, deserialize_with = "json::list")]
            ids: Cow<'a, [String]>,
        }

        impl<'a> From<&'a GraphEntry> for $entry<'a> {
            fn from(entry: &'a GraphEntry) -> Self {
                Self { name: Cow::Borrowed(&entry.name), ids: Cow::Borrowed(&entry.ids) }
            }
        }

        impl From<$entry<'_>> for GraphEntry {
            fn from(entry: $entry<'_>) -> Self {
                Self { name: entry.name.into_owned(), ids: entry.ids.into_owned() }
            }
        }
    };
}

wire_entry!(Published, "publisherIds");
wire_entry!(Subscribed, "subscriberIds");
wire_entry!(Advertised, "providerIds");

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(deserialize_with = "json::objects")]
    published_topics: Cow<'a, [Published<'a>]>,
    #[serde(deserialize_with = "json::objects")]
    subscribed_topics: Cow<'a, [Subscribed<'a>]>,
    #[serde(deserialize_with = "json::objects")]
    advertised_services: Cow<'a, [Advertised<'a>]>,
    #[serde(deserialize_with = "json::list")]
    removed_topics: Cow<'a, [String]>,
    #[serde(deserialize_with = "json::list")]
    removed_services: Cow<'a, [String]>,
}

impl ConnectionGraphUpdate {
    pub(super) fn to_frame(&self) -> Result<Bytes, EncodeError> {
        for (what, entries) in [
            ("publishedTopics", &self.published_topics),
            ("subscribedTopics", &self.subscribed_topics),
            ("advertisedServices", &self.advertised_services),
        ] {
            json::check_len(what, entries)?;
            entries.iter().try_for_each(|entry| json::check_len("ids of a graph entry", &entry.ids))?;
        }
        json::check_len("removedTopics", &self.removed_topics)?;
        json::check_len("removedServices", &self.removed_services)?;
        let wire = Wire {
            published_topics: self.published_topics.iter().map(Published::from).collect(),
            subscribed_topics: self.subscribed_topics.iter().map(Subscribed::from).collect(),
            advertised_services: self.advertised_services.iter().map(Advertised::from).collect(),
            removed_topics: Cow::Borrowed(&self.removed_topics),
            removed_services: Cow::Borrowed(&self.removed_services),
        };
        json::frame(OP, &wire)
    }

    pub(super) fn decode(text: &str) -> Result<Self, DecodeError> {
        let wire: Wire<'_> = json::parse(OP, text)?;
        Ok(Self {
            published_topics: wire.published_topics.into_owned().into_iter().map(GraphEntry::from).collect(),
            subscribed_topics: wire.subscribed_topics.into_owned().into_iter().map(GraphEntry::from).collect(),
            advertised_services: wire.advertised_services.into_owned().into_iter().map(GraphEntry::from).collect(),
            removed_topics: wire.removed_topics.into_owned(),
            removed_services: wire.removed_services.into_owned(),
        })
    }
}
