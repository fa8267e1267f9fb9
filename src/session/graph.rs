//! `ConnectionGraph`: which node publishes, subscribes and provides what (S-220).

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, ErrorKind};

/// A topic or service and the ids of the nodes at its end.
type Ends = BTreeMap<String, BTreeSet<String>>;

/// What the robot's nodes are connected by: topics with their publishers and subscribers, services with their
/// providers. The ids are the application's own, for example names of ROS nodes.
///
/// A plain value: fill it and give it to
/// [`Session::publish_connection_graph`](crate::gateway::Session::publish_connection_graph), which replaces all that was
/// published before. A name with an empty set of ids is shown without anybody at its end; one that is not in the graph
/// is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionGraph {
    published_topics: Ends,
    subscribed_topics: Ends,
    advertised_services: Ends,
}

impl ConnectionGraph {
    /// Names and ids that a graph may have together.
    pub const MAX_ENTRIES: usize = 262_144;
    /// Bytes that a graph may have as JSON. An update names at most all of the new graph and all of the old one, and
    /// two such graphs fit one frame of 16 MiB (P-33).
    pub const MAX_BYTES: usize = 8_000_000;

    /// A graph without topics and services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets who publishes a topic, in place of what was set for it.
    pub fn set_published_topic<I>(&mut self, topic: impl Into<String>, publisher_ids: I) -> &mut Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        set(&mut self.published_topics, topic, publisher_ids);
        self
    }

    /// Sets who subscribes to a topic, in place of what was set for it.
    pub fn set_subscribed_topic<I>(&mut self, topic: impl Into<String>, subscriber_ids: I) -> &mut Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        set(&mut self.subscribed_topics, topic, subscriber_ids);
        self
    }

    /// Sets who provides a service, in place of what was set for it.
    pub fn set_advertised_service<I>(&mut self, service: impl Into<String>, provider_ids: I) -> &mut Self
    where
        I: IntoIterator<Item: Into<String>>,
    {
        set(&mut self.advertised_services, service, provider_ids);
        self
    }

    /// Takes a topic off the published ones; whether it was there.
    pub fn remove_published_topic(&mut self, topic: &str) -> bool {
        self.published_topics.remove(topic).is_some()
    }

    /// Takes a topic off the subscribed ones; whether it was there.
    pub fn remove_subscribed_topic(&mut self, topic: &str) -> bool {
        self.subscribed_topics.remove(topic).is_some()
    }

    /// Takes a service out; whether it was there.
    pub fn remove_advertised_service(&mut self, service: &str) -> bool {
        self.advertised_services.remove(service).is_some()
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Topics and who publishes them.
    pub fn published_topics(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.published_topics
    }

    /// Topics and who subscribes to them.
    pub fn subscribed_topics(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.subscribed_topics
    }

    /// Services and who provides them.
    pub fn advertised_services(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.advertised_services
    }

    /// Refuses a graph whose updates might not fit a frame.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (mut entries, mut bytes) = (0, 0);
        for (name, ids) in self.published_topics.iter().chain(&self.subscribed_topics).chain(&self.advertised_services)
        {
            entries += 1 + ids.len();
            bytes += ENTRY_BYTES + json_len(name) + ids.iter().map(|id| ID_BYTES + json_len(id)).sum::<usize>();
        }
        for (what, value, most) in [("names and ids", entries, Self::MAX_ENTRIES), ("bytes", bytes, Self::MAX_BYTES)] {
            if value > most {
                let text = format!("the connection graph has {value} {what}, more than {most}");
                return Err(Error::new(ErrorKind::InvalidValue, text));
            }
        }
        Ok(())
    }
}

/// What an entry has in JSON beside its name and ids: `{"name":"","subscriberIds":[]},` is the longest.
const ENTRY_BYTES: usize = 31;
/// Quotes and comma.
const ID_BYTES: usize = 3;

fn set(ends: &mut Ends, name: impl Into<String>, ids: impl IntoIterator<Item: Into<String>>) {
    ends.insert(name.into(), ids.into_iter().map(Into::into).collect());
}

/// Length of a text inside JSON quotes.
fn json_len(text: &str) -> usize {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | 0x08 | b'\t' | b'\n' | 0x0c | b'\r' => 2,
        0..=0x1f => 6,
        _ => 1,
    });
    escaped.sum()
}
