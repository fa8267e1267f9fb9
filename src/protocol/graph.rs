//! The connection graph update (7.16).

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
