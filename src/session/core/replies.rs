//! Statuses that answer a viewer's request (P-115, S-159).

use crate::protocol::{Status, StatusLevel, ToViewer};

use super::{ClientId, Core};

/// Statuses that answer one request; the rest shares one.
const MAX_REPLIES: usize = 16;

/// The statuses that answer one request: the first ones, and how many there would be. A request that names a million ids
/// does not make a million texts.
#[derive(Default)]
pub(super) struct Replies {
    first: Vec<(StatusLevel, String)>,
    pub(super) total: usize,
}

impl Replies {
    pub(super) fn add(&mut self, level: StatusLevel, text: impl FnOnce() -> String) {
        self.total += 1;
        if self.first.len() < MAX_REPLIES {
            self.first.push((level, text()));
        }
    }
}

impl Core {
    /// Answers a viewer's request with an error or warning; such statuses carry no id (P-115).
    pub(super) fn reply_status(&mut self, client: ClientId, level: StatusLevel, message: impl Into<String>) {
        self.send(client, &ToViewer::Status(Status { level, message: message.into(), id: None }));
    }

    /// Answers one request with several statuses. One request can name a million ids; its answers must not fill the
    /// viewer's own queue. Those that do not fit share one status, made from their number.
    pub(super) fn reply_statuses(&mut self, client: ClientId, replies: Replies, more: impl Fn(usize) -> String) {
        // A viewer with a queue more than half full is not asked for work, so a quarter of the queue always fits.
        let most = (self.config.limits.message_backlog_size / 4).clamp(1, MAX_REPLIES);
        let left = replies.total.saturating_sub(most);
        for (level, text) in replies.first.into_iter().take(most) {
            self.reply_status(client, level, text);
        }
        if left > 0 {
            self.reply_status(client, StatusLevel::Error, more(left));
        }
    }
}
