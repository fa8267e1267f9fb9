//! One viewer's stream, folded.

use crate::protocol::{ChannelAdvertisement, GraphEntry, ServiceAdvertisement};

use super::*;

/// What a viewer knows after all frames of its stream. Checks the rules that hold for every stream.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) frames: Vec<ToViewer>,
    pub(super) schemas: BTreeMap<u64, String>,
    pub(super) channels: BTreeMap<u64, ChannelAdvertisement>,
    pub(super) services: BTreeMap<u32, ServiceAdvertisement>,
    pub(super) statuses: BTreeMap<String, String>,
    graph: Graph,
}

/// The connection graph as a viewer folds its updates.
#[derive(Debug, Default)]
struct Graph {
    published: BTreeMap<String, BTreeSet<String>>,
    subscribed: BTreeMap<String, BTreeSet<String>>,
    services: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn take(&mut self, update: &crate::protocol::ConnectionGraphUpdate) {
        let set = |ends: &mut BTreeMap<_, _>, entries: &[GraphEntry]| {
            for entry in entries {
                let ids: BTreeSet<String> = entry.ids.iter().cloned().collect();
                assert_eq!(ids.len(), entry.ids.len(), "a set (P-145)");
                ends.insert(entry.name.clone(), ids);
            }
        };
        set(&mut self.published, &update.published_topics);
        set(&mut self.subscribed, &update.subscribed_topics);
        set(&mut self.services, &update.advertised_services);
        for topic in &update.removed_topics {
            let was = [self.published.remove(topic), self.subscribed.remove(topic)];
            assert!(was.iter().any(Option::is_some), "{topic} was never shown");
        }
        for service in &update.removed_services {
            assert!(self.services.remove(service).is_some(), "{service} was never shown");
        }
    }
}

impl View {
    pub(super) fn take(&mut self, message: ToViewer) {
        assert_eq!(
            self.frames.is_empty(),
            matches!(message, ToViewer::ServerInfo(_)),
            "serverInfo is the first frame of a stream, and only that"
        );
        match &message {
            ToViewer::Advertise(advertise) => {
                assert!(!advertise.channels.is_empty());
                for schema in &advertise.schemas {
                    let old = self.schemas.insert(schema.id, schema.name.clone());
                    assert_eq!(old, None, "a schema is sent once per stream (P-204)");
                }
                for channel in &advertise.channels {
                    if let AdvertisedSchema::Table(Some(id)) = channel.schema {
                        assert!(self.schemas.contains_key(&id), "schema {id} was never sent");
                    }
                    self.channels.insert(channel.id, channel.clone());
                }
            }
            ToViewer::Unadvertise { channel_ids } => {
                for id in channel_ids {
                    assert!(self.channels.remove(id).is_some(), "only advertised channels are unadvertised (P-129)");
                }
            }
            ToViewer::AdvertiseServices { services } => {
                assert!(!services.is_empty());
                self.services.extend(services.iter().map(|service| (service.id, service.clone())));
            }
            ToViewer::UnadvertiseServices { service_ids } => {
                for id in service_ids {
                    assert!(self.services.remove(id).is_some());
                }
            }
            ToViewer::Status(Status { id: Some(id), message, .. }) => {
                self.statuses.insert(id.clone(), message.clone());
            }
            ToViewer::RemoveStatus { status_ids } => status_ids.iter().for_each(|id| drop(self.statuses.remove(id))),
            ToViewer::ConnectionGraphUpdate(update) => self.graph.take(update),
            ToViewer::Time { .. } | ToViewer::PlaybackState(_) => {
                panic!("a robot never sends this (P-134): {message:?}")
            }
            _ => {}
        }
        self.frames.push(message);
    }

    /// Connection graph updates so far.
    pub(super) fn updates(&self) -> usize {
        self.count(|frame| matches!(frame, ToViewer::ConnectionGraphUpdate(_)))
    }

    /// Whether the viewer's folded graph is this one. A topic that is left at one end only keeps its other end for
    /// those who saw both, which the protocol cannot tell (P-146).
    pub(super) fn shows(&self, graph: &ConnectionGraph) -> bool {
        let topic =
            |name: &str| graph.published_topics().contains_key(name) || graph.subscribed_topics().contains_key(name);
        let ends =
            [(&self.graph.published, graph.published_topics()), (&self.graph.subscribed, graph.subscribed_topics())];
        ends.iter().all(|(seen, real)| {
            real.iter().all(|(name, ids)| seen.get(name) == Some(ids)) && seen.keys().all(|name| topic(name))
        }) && self.graph.services == *graph.advertised_services()
    }

    pub(super) fn channel_ids(&self) -> Vec<u64> {
        self.channels.keys().copied().collect()
    }

    pub(super) fn count(&self, which: impl Fn(&ToViewer) -> bool) -> usize {
        self.frames.iter().filter(|frame| which(frame)).count()
    }
}
