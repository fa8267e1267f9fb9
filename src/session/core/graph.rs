//! The connection graph (P-106, P-107, P-145, P-146, S-220, S-165, S-166).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexSet;

use crate::protocol::{texts, ConnectionGraphUpdate, GraphEntry, StatusLevel, ToViewer};
use crate::session::ConnectionGraph;

use super::{Client, ClientId, Core, Effect, Error, Event, SessionCapability};

/// What the application published last, and who follows it. The content survives the loss of a room, the subscribers
/// are registrations and do not (S-2).
#[derive(Default)]
pub(super) struct GraphState {
    content: ConnectionGraph,
    /// The content as an update, once somebody needed it: a viewer that subscribes again and again costs no encoding.
    whole: Option<Bytes>,
    subscribers: IndexSet<ClientId>,
}

impl Core {
    /// Replaces the content and tells its subscribers what has changed: each replacement is one update, five empty lists
    /// when nothing has (P-147; design.md decision 7 lets it win over the skipping of S-220).
    pub(super) fn publish_graph(&mut self, graph: ConnectionGraph) -> Result<(), Error> {
        if !self.enabled(SessionCapability::ConnectionGraph) {
            return Err(Error::not_offered("connection graph"));
        }
        let old = std::mem::replace(&mut self.graph.content, graph);
        self.graph.whole = None;
        if self.graph.subscribers.is_empty() {
            return Ok(());
        }
        if let Some(frame) = encode(changes(&old, &self.graph.content)) {
            let sends = self.graph.subscribers.iter().map(|&client| Effect::Send { client, frame: frame.clone() });
            self.effects.extend(sends);
        }
        Ok(())
    }

    /// The whole content is queued in the same step in which the viewer becomes a subscriber, so no update can come
    /// between (S-165), and only a registered viewer can (S-166).
    pub(super) fn subscribe_graph(&mut self, id: ClientId) {
        if !self.enabled(SessionCapability::ConnectionGraph) {
            return self.reply_status(id, StatusLevel::Error, texts::NO_CONNECTION_GRAPH);
        }
        let Some(client) = self.clients.get(&id).map(|registration| registration.client.clone()) else { return };
        if !self.graph.subscribers.insert(id) {
            return;
        }
        if self.graph.subscribers.len() == 1 {
            self.event(Event::GraphSubscribe(client));
        }
        if self.graph.whole.is_none() {
            self.graph.whole = encode(changes(&ConnectionGraph::default(), &self.graph.content));
        }
        if let Some(frame) = self.graph.whole.clone() {
            self.effects.push(Effect::Send { client: id, frame });
        }
    }

    pub(super) fn unsubscribe_graph(&mut self, id: ClientId) {
        if !self.enabled(SessionCapability::ConnectionGraph) {
            return self.reply_status(id, StatusLevel::Error, texts::NO_CONNECTION_GRAPH);
        }
        let Some(client) = self.clients.get(&id).map(|registration| registration.client.clone()) else { return };
        self.drop_graph_subscriber(client);
    }

    /// Takes a viewer off the subscribers, registered still or not.
    pub(super) fn drop_graph_subscriber(&mut self, client: Arc<Client>) {
        if self.graph.subscribers.shift_remove(&client.id) && self.graph.subscribers.is_empty() {
            self.event(Event::GraphUnsubscribe(client));
        }
    }

    /// The end of a room: all subscribers at once, before anything else of the viewers ends (S-32).
    pub(super) fn drop_graph_subscribers(&mut self) {
        let subscribers = std::mem::take(&mut self.graph.subscribers);
        let last = subscribers.last().and_then(|id| self.clients.get(id));
        if let Some(client) = last.map(|registration| registration.client.clone()) {
            self.event(Event::GraphUnsubscribe(client));
        }
    }

    /// Viewers that follow the graph, in order of subscription.
    #[cfg(test)]
    pub(super) fn graph_subscribers(&self) -> impl Iterator<Item = ClientId> + '_ {
        self.graph.subscribers.iter().copied()
    }
}

fn encode(update: ConnectionGraphUpdate) -> Option<Bytes> {
    // The session has checked that updates of this content fit.
    ToViewer::ConnectionGraphUpdate(update)
        .to_frame()
        .inspect_err(|error| tracing::error!(%error, "a connection graph update could not be encoded and was not sent"))
        .ok()
}

/// New and changed entries with all their ids; topics that are in neither map any more; services that are gone. A topic
/// that lost its publishers and keeps its subscribers, or the reverse, is in none of the lists (P-146).
fn changes(old: &ConnectionGraph, new: &ConnectionGraph) -> ConnectionGraphUpdate {
    let is_topic =
        |topic: &str| new.published_topics().contains_key(topic) || new.subscribed_topics().contains_key(topic);
    let before: BTreeSet<&String> = old.published_topics().keys().chain(old.subscribed_topics().keys()).collect();
    let gone = old.advertised_services().keys().filter(|name| !new.advertised_services().contains_key(*name));
    ConnectionGraphUpdate {
        published_topics: changed(old.published_topics(), new.published_topics()),
        subscribed_topics: changed(old.subscribed_topics(), new.subscribed_topics()),
        advertised_services: changed(old.advertised_services(), new.advertised_services()),
        removed_topics: before.into_iter().filter(|topic| !is_topic(topic)).cloned().collect(),
        removed_services: gone.cloned().collect(),
    }
}

fn changed(old: &BTreeMap<String, BTreeSet<String>>, new: &BTreeMap<String, BTreeSet<String>>) -> Vec<GraphEntry> {
    let entries = new.iter().filter(|(name, ids)| old.get(*name) != Some(*ids));
    entries.map(|(name, ids)| GraphEntry { name: name.clone(), ids: ids.iter().cloned().collect() }).collect()
}
