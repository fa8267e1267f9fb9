//! What the session told its listener, and whether it adds up.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use telelink::context::ChannelRef;
use telelink::session::{Client, ClientChannel, ConnectionStatus, Error, Listener};

use crate::clock::unix_ms;

/// One event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    Status(String),
    Subscribe { client: u32, identity: String, topic: String },
    Unsubscribe { client: u32, topic: String },
    Advertise { client: u32, channel: u32 },
    Unadvertise { client: u32, channel: u32 },
    ParametersSubscribe(Vec<String>),
    ParametersUnsubscribe(Vec<String>),
}

#[derive(Default)]
pub(crate) struct Diary(Mutex<Vec<Entry>>);

impl Diary {
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().clone()
    }

    fn add(&self, what: What) {
        self.0.lock().push(Entry { at_ms: unix_ms(), what });
    }
}

impl Listener for Diary {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        self.add(What::Status(match reason {
            Some(error) => format!("{status} ({error})"),
            None => status.to_string(),
        }));
    }
    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {
        let (identity, topic) = (client.identity.to_string(), channel.topic().to_owned());
        self.add(What::Subscribe { client: client.id.get(), identity, topic });
    }
    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {
        self.add(What::Unsubscribe { client: client.id.get(), topic: channel.topic().to_owned() });
    }
    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {
        self.add(What::Advertise { client: client.id.get(), channel: channel.id });
    }
    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {
        self.add(What::Unadvertise { client: client.id.get(), channel: channel.id });
    }
    fn on_parameters_subscribe(&self, names: &[String]) {
        self.add(What::ParametersSubscribe(names.to_vec()));
    }
    fn on_parameters_unsubscribe(&self, names: &[String]) {
        self.add(What::ParametersUnsubscribe(names.to_vec()));
    }
}

/// What does not add up in the diary of a session that has ended: each beginning has exactly one end, after it (S-36).
pub(crate) fn imbalances(diary: &[Entry]) -> Vec<String> {
    let mut open: BTreeMap<String, i32> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in diary {
        let changes: Vec<(String, i32)> = match &entry.what {
            What::Status(_) => continue,
            What::Subscribe { client, topic, .. } => vec![(format!("{client} on {topic}"), 1)],
            What::Unsubscribe { client, topic } => vec![(format!("{client} on {topic}"), -1)],
            What::Advertise { client, channel } => vec![(format!("channel {channel} of {client}"), 1)],
            What::Unadvertise { client, channel } => vec![(format!("channel {channel} of {client}"), -1)],
            What::ParametersSubscribe(names) => names.iter().map(|name| (format!("parameter {name}"), 1)).collect(),
            What::ParametersUnsubscribe(names) => names.iter().map(|name| (format!("parameter {name}"), -1)).collect(),
        };
        for (key, change) in changes {
            let count = open.entry(key.clone()).or_default();
            *count += change;
            if !(0..=1).contains(count) {
                found.push(format!("{key}: {count} at once"));
            }
        }
    }
    found.extend(open.into_iter().filter(|(_, count)| *count != 0).map(|(key, count)| format!("{key}: {count} left")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(whats: Vec<What>) -> Vec<Entry> {
        whats.into_iter().map(|what| Entry { at_ms: 0, what }).collect()
    }

    fn subscribe(client: u32) -> What {
        What::Subscribe { client, identity: "v".into(), topic: "/t".into() }
    }

    fn unsubscribe(client: u32) -> What {
        What::Unsubscribe { client, topic: "/t".into() }
    }

    #[test]
    fn each_beginning_needs_one_end() {
        assert!(imbalances(&entries(vec![subscribe(1), subscribe(2), unsubscribe(1), unsubscribe(2)])).is_empty());
        assert_eq!(imbalances(&entries(vec![subscribe(1)])), ["1 on /t: 1 left"]);
        assert!(!imbalances(&entries(vec![unsubscribe(1), subscribe(1)])).is_empty());
        assert!(!imbalances(&entries(vec![subscribe(1), subscribe(1), unsubscribe(1), unsubscribe(1)])).is_empty());
        let parameters = vec![What::ParametersSubscribe(vec!["a".into(), "b".into()])];
        assert_eq!(imbalances(&entries(parameters)).len(), 2);
    }
}
