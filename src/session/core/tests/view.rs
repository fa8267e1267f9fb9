//! One viewer's stream, folded.

use crate::protocol::{ChannelAdvertisement, ServiceAdvertisement};

use super::*;

/// What a viewer knows after all frames of its stream. Checks the rules that hold for every stream.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) frames: Vec<ToViewer>,
    pub(super) schemas: BTreeMap<u64, String>,
    pub(super) channels: BTreeMap<u64, ChannelAdvertisement>,
    pub(super) services: BTreeMap<u32, ServiceAdvertisement>,
    pub(super) statuses: BTreeMap<String, String>,
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
            _ => {}
        }
        self.frames.push(message);
    }

    pub(super) fn channel_ids(&self) -> Vec<u64> {
        self.channels.keys().copied().collect()
    }

    pub(super) fn count(&self, which: impl Fn(&ToViewer) -> bool) -> usize {
        self.frames.iter().filter(|frame| which(frame)).count()
    }
}
