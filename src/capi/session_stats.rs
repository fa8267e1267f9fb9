//! `telelink_session_stats`.

use super::guard::guard;
use super::handle;
use super::session::telelink_session;
use super::sized;
use super::status::telelink_status;
use crate::session::SessionStats;

/// Figures of a session, all of one moment but `ice_rtt_ms`. Set up with telelink_session_stats_init(). Counts of messages
/// are those since the session was started, also of channels that are closed now.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_session_stats {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Time since the session was started, milliseconds.
    pub uptime_ms: u64,
    /// Rooms entered so far; the first join counts.
    pub joins: u64,
    /// Registered viewers now.
    pub viewers: u64,
    /// Subscriptions of all viewers now.
    pub subscriptions: u64,
    /// Bytes that wait for all viewers now.
    pub backlog_bytes: u64,
    /// Round trip to the LiveKit server as ICE measures it, milliseconds, in steps of about 1: 0 is less than that. Taken
    /// every 30 s, the first time 30 s after the session's start; negative until then, and for up to 30 s in a new room.
    pub ice_rtt_ms: f64,
    /// Mean round trip of the viewers' pings, milliseconds; negative while unknown.
    pub ping_rtt_ms: f64,
    /// Messages given to control streams; each counts once, however many viewers.
    pub reliable_messages: u64,
    /// Their bytes.
    pub reliable_bytes: u64,
    /// Messages given to data tracks.
    pub lossy_messages: u64,
    /// Their bytes.
    pub lossy_bytes: u64,
    /// Lossy messages that a newer one replaced before the network took them.
    pub dropped_overwritten: u64,
    /// Lossy messages logged before their data track was ready.
    pub dropped_not_ready: u64,
    /// Messages that were too large: lossy ones over max_data_track_message_size, reliable ones over 16 MiB - 17 bytes.
    pub dropped_oversize: u64,
    /// Lossy messages that the network had no room for.
    pub dropped_transport_full: u64,
    /// Lossy messages that the network refused for another reason.
    pub dropped_refused: u64,
    /// Messages from viewers dropped because `on_message` was too slow.
    pub dropped_incoming: u64,
    /// Messages from viewers discarded while they waited for `on_message`: the control under which they were sent was
    /// lost, or the session ended.
    pub discarded_incoming: u64,
    /// Viewers that had to be reset: `overflow_resets` + `write_failure_resets`.
    pub viewer_resets: u64,
    /// Times that the transport lost its link and got it back without leaving the room.
    pub reconnects: u64,
    /// Viewers that were reset because they were too slow: more waited for one of them than `message_backlog_size` or
    /// `message_backlog_bytes`.
    pub overflow_resets: u64,
    /// Viewers that were reset because their stream broke, or stood still for 30 s.
    pub write_failure_resets: u64,
    /// 1 while the transport has lost its link and tries to get it back, else 0. The connection's status is
    /// TELELINK_CONNECTION_STATUS_CONNECTED meanwhile.
    pub reconnecting: u32,
    /// 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_session_stats,
    first_size: size_of::<telelink_session_stats>(),
    defaults: telelink_session_stats {
        struct_size: size_of::<telelink_session_stats>(),
        uptime_ms: 0,
        joins: 0,
        viewers: 0,
        subscriptions: 0,
        backlog_bytes: 0,
        ice_rtt_ms: -1.0,
        ping_rtt_ms: -1.0,
        reliable_messages: 0,
        reliable_bytes: 0,
        lossy_messages: 0,
        lossy_bytes: 0,
        dropped_overwritten: 0,
        dropped_not_ready: 0,
        dropped_oversize: 0,
        dropped_transport_full: 0,
        dropped_refused: 0,
        dropped_incoming: 0,
        discarded_incoming: 0,
        viewer_resets: 0,
        reconnects: 0,
        overflow_resets: 0,
        write_failure_resets: 0,
        reconnecting: 0,
        reserved: 0,
    },
);

impl From<&SessionStats> for telelink_session_stats {
    fn from(stats: &SessionStats) -> Self {
        let totals = stats.totals();
        Self {
            struct_size: size_of::<Self>(),
            uptime_ms: u64::try_from(stats.uptime.as_millis()).unwrap_or(u64::MAX),
            joins: stats.joins,
            viewers: stats.viewers.len() as u64,
            subscriptions: stats.subscriptions as u64,
            backlog_bytes: stats.backlog_bytes as u64,
            ice_rtt_ms: stats.room.as_ref().and_then(|room| room.ice_rtt_ms).unwrap_or(-1.0),
            ping_rtt_ms: stats.ping_rtt_ms.unwrap_or(-1.0),
            reliable_messages: totals.reliable_messages,
            reliable_bytes: totals.reliable_bytes,
            lossy_messages: totals.lossy_messages,
            lossy_bytes: totals.lossy_bytes,
            dropped_overwritten: totals.overwritten,
            dropped_not_ready: totals.not_ready,
            dropped_oversize: totals.oversize,
            dropped_transport_full: totals.transport_full,
            dropped_refused: totals.refused,
            dropped_incoming: stats.listener_messages_dropped,
            discarded_incoming: stats.listener_messages_discarded,
            viewer_resets: stats.viewer_resets(),
            reconnects: stats.reconnects,
            overflow_resets: stats.overflow_resets,
            write_failure_resets: stats.write_failure_resets,
            reconnecting: stats.reconnecting.into(),
            reserved: 0,
        }
    }
}

/// Prepares the struct for telelink_session_stats_read().
///
/// @param stats        Written.
/// @param struct_size  sizeof *stats.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_stats_init(
    stats: *mut telelink_session_stats,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(stats, struct_size, "stats") })
}

/// Reads the session's figures.
///
/// @param session  Borrowed.
/// @param stats    Set up with telelink_session_stats_init(); written.
/// @return TELELINK_STATUS_OK             read
///         TELELINK_STATUS_NULL_ARGUMENT  `session` or `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `stats` was not set up
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_stats_read(
    session: *const telelink_session,
    stats: *mut telelink_session_stats,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        // SAFETY: the header asks for NULL or a struct that was set up.
        let caller = unsafe { sized::read(stats, "stats") }?;
        let value = telelink_session_stats::from(&session.stats()?);
        // SAFETY: `read` has checked the size, which the caller vouches for.
        unsafe { sized::write(stats, caller.struct_size, value, "stats") }
    })
}
