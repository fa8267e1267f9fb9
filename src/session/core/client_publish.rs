//! Channels that viewers publish on (P-80 to P-86, S-185 to S-192).

use std::sync::Arc;

use bytes::Bytes;

use crate::context::Schema;
use crate::protocol::{self, texts, StatusLevel};

use super::participants::NOTICE_INTERVAL;
use super::replies::Replies;
use super::{ClientChannel, ClientId, ClientMessage, Core, Event, Now, SessionCapability};

/// Channels one viewer may advertise at a time (S-191).
const MAX_CHANNELS: usize = 256;
/// Largest schema of such a channel, bytes as sent (S-191).
const MAX_SCHEMA: usize = 64 * 1024;

impl Core {
    pub(super) fn client_advertise(&mut self, id: ClientId, channels: Vec<protocol::ClientChannel>, now: Now) {
        if !self.enabled(SessionCapability::ClientPublish) {
            return self.reply_status(id, StatusLevel::Error, texts::NO_CLIENT_PUBLISH);
        }
        let mut refused = 0;
        let mut replies = Replies::default();
        for channel in channels {
            let Some(registration) = self.clients.get(&id) else { return };
            if registration.channels.contains_key(&channel.id) {
                replies.add(StatusLevel::Warning, || texts::already_advertised(channel.id));
                continue;
            }
            if registration.channels.len() >= MAX_CHANNELS {
                refused += 1;
                continue;
            }
            match schema_of(&channel) {
                Ok(schema) => self.record(id, channel, schema),
                Err(text) => {
                    self.log_bad_schema(id, &text, now);
                    replies.add(StatusLevel::Error, || text);
                }
            }
        }
        self.reply_statuses(id, replies, |n| format!("{n} more channels were not accepted"));
        if refused > 0 {
            let text =
                format!("{refused} channels were not accepted: at most {MAX_CHANNELS} can be advertised at a time");
            self.reply_status(id, StatusLevel::Error, text);
        }
    }

    /// As often as notices to a viewer: how many bad schemas there are is up to the viewer.
    fn log_bad_schema(&mut self, id: ClientId, text: &str, now: Now) {
        let Some(registration) = self.clients.get_mut(&id) else { return };
        if let Some(count) = registration.bad_schemas.pass(1, NOTICE_INTERVAL, now.mono) {
            tracing::warn!(client = %id, text, count, "a viewer's channel was not accepted");
        }
    }

    fn record(&mut self, id: ClientId, channel: protocol::ClientChannel, schema: Option<Schema>) {
        let Some(registration) = self.clients.get_mut(&id) else { return };
        let channel =
            Arc::new(ClientChannel { id: channel.id, topic: channel.topic, encoding: channel.encoding, schema });
        registration.channels.insert(channel.id, channel.clone());
        let client = registration.client.clone();
        self.event(Event::ClientAdvertise(client, channel));
    }

    pub(super) fn client_unadvertise(&mut self, id: ClientId, channels: &[u32]) {
        for channel in channels {
            let Some(registration) = self.clients.get_mut(&id) else { return };
            match registration.channels.shift_remove(channel) {
                Some(channel) => {
                    let client = registration.client.clone();
                    self.event(Event::ClientUnadvertise(client, channel));
                }
                None => {
                    tracing::debug!(client = %id, channel, "unadvertise of a channel that is not advertised (P-84)")
                }
            }
        }
    }

    pub(super) fn client_message(&mut self, id: ClientId, channel: u32, payload: Bytes, now: Now) {
        if !self.enabled(SessionCapability::ClientPublish) {
            return self.reply_status(id, StatusLevel::Error, texts::NO_CLIENT_PUBLISH);
        }
        let Some(registration) = self.clients.get(&id) else { return };
        match registration.channels.get(&channel) {
            Some(known) => {
                let message = ClientMessage { payload, receive_time: now.unix_ns };
                let event = Event::Message(registration.client.clone(), known.clone(), message);
                self.event(event);
            }
            None => self.reply_status(id, StatusLevel::Error, texts::not_advertised(channel)),
        }
    }
}

/// The schema as the application gets it (P-81), or the text of the refusal.
fn schema_of(channel: &protocol::ClientChannel) -> Result<Option<Schema>, String> {
    if channel.schema.as_ref().is_some_and(|schema| schema.len() > MAX_SCHEMA) {
        return Err(format!("The schema of channel {} is larger than {MAX_SCHEMA} bytes", channel.id));
    }
    let (encoding, data) = match (&channel.schema_encoding, &channel.schema) {
        (Some(encoding), Some(text)) => {
            let data = protocol::schema::decode_schema_data(encoding, text)
                .map_err(|error| texts::client_schema_error(channel.id, &error))?;
            (encoding.clone(), data)
        }
        _ if channel.schema_name.is_empty() => return Ok(None),
        (encoding, _) => (encoding.clone().unwrap_or_default(), Bytes::new()),
    };
    Ok(Some(Schema { name: channel.schema_name.clone(), encoding, data }))
}
