//! Log records of the LiveKit library, filtered before they are formatted, into `tracing` with target `livekit`.
//!
//! The library sends every record, debug and trace included (about 6500 for some seconds of a session, livekit-ffi.md
//! 3.4), so the level is read first and the rest of a record is only decoded if somebody wants it.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message;

use super::messages::{log_level, LogBatch, LogRecord, LogRecordLevel};
use crate::environment::TELELINK_LIVEKIT_LOG;
use crate::room::livekit_common::redact::redact;

/// Highest level that is passed on; `None`: nothing. `TELELINK_LIVEKIT_LOG` = off, error, warn (default), info, debug.
static LIMIT: LazyLock<Option<i32>> = LazyLock::new(|| limit(TELELINK_LIVEKIT_LOG.text().as_deref()));

fn limit(variable: Option<&str>) -> Option<i32> {
    match variable.map(str::trim).map(str::to_ascii_lowercase).as_deref() {
        Some("off") => None,
        Some("error") => Some(log_level::LOG_ERROR),
        Some("info") => Some(log_level::LOG_INFO),
        Some("debug") => Some(log_level::LOG_DEBUG),
        _ => Some(log_level::LOG_WARN),
    }
}

/// Takes the undecoded batch of one log event.
pub(super) fn on_batch(batch: Bytes) {
    let Some(limit) = *LIMIT else { return };
    let Ok(batch) = LogBatch::decode(batch) else { return };
    for record in batch.records {
        on_record(&record, limit);
    }
}

fn on_record(record: &[u8], limit: i32) {
    if LogRecordLevel::decode(record).map_or(true, |head| head.level > limit) {
        return;
    }
    let Ok(record) = LogRecord::decode(record) else { return };
    // libwebrtc dumps each packet of the data channels: whoever debugs the link does not want everybody's data in a log.
    if record.message.contains("SCTP_PACKET") {
        return;
    }
    let level = if is_routine(&record) { log_level::LOG_DEBUG } else { record.level };
    if level > limit {
        return;
    }
    let (message, source) = (redact(record.message.trim_end()), &record.target);
    match level {
        log_level::LOG_ERROR => tracing::error!(target: "livekit", %source, "{message}"),
        log_level::LOG_WARN => tracing::warn!(target: "livekit", %source, "{message}"),
        log_level::LOG_INFO => tracing::info!(target: "livekit", %source, "{message}"),
        _ => tracing::debug!(target: "livekit", %source, "{message}"),
    }
}

/// Warnings that say nothing a caller is not told already, or that describe the ordinary life of a room: libwebrtc's own
/// chatter, and failed joins, which the join reports.
fn is_routine(record: &LogRecord) -> bool {
    record.target.starts_with("libwebrtc")
        || ["401", "403", "unauthenticated"].iter().any(|sign| record.message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_sets_the_limit() {
        assert_eq!(limit(None), Some(log_level::LOG_WARN));
        assert_eq!(limit(Some("OFF")), None);
        assert_eq!(limit(Some("debug")), Some(log_level::LOG_DEBUG));
        assert_eq!(limit(Some("nonsense")), Some(log_level::LOG_WARN));
    }

    #[test]
    fn only_the_level_is_decoded_of_a_filtered_record() {
        let record = LogRecord { level: log_level::LOG_DEBUG, target: "t".into(), message: "m".into() };
        let head = LogRecordLevel::decode(record.encode_to_vec().as_slice()).unwrap();
        assert_eq!(head.level, log_level::LOG_DEBUG);
    }
}
