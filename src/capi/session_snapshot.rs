//! `telelink_session_snapshot`: all figures of a session at one moment, with those of each viewer and channel.

use parking_lot::Mutex;

use super::client::telelink_client;
use super::guard::{guard, guard_get, guard_or};
use super::handle;
use super::session::telelink_session;
use super::session_stats::telelink_session_stats;
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_pair, telelink_str};
use crate::session::{ChannelStats, SessionStats, ViewerStats};

/// The figures of a session at one moment: the sums, each viewer, each channel, and all of it as a text for Prometheus.
pub struct telelink_session_snapshot {
    stats: SessionStats,
    /// What the last result of telelink_session_snapshot_prometheus() points into.
    text: Mutex<String>,
}

/// Figures of one viewer. Set up with telelink_viewer_stats_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_viewer_stats {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Who; lives as long as the snapshot.
    pub client: *const telelink_client,
    /// Channels it is subscribed to.
    pub subscriptions: u64,
    /// Frames that wait for it.
    pub queue_frames: u64,
    /// Bytes that wait for it.
    pub queue_bytes: u64,
    /// Most frames that ever waited.
    pub queue_frames_max: u64,
    /// Most bytes that ever waited.
    pub queue_bytes_max: u64,
    /// Frames written to it so far.
    pub sent_frames: u64,
    /// Bytes written to it so far.
    pub sent_bytes: u64,
    /// Times that its connection had to be reset so far.
    pub resets: u64,
    /// Latest round trip of its pings, milliseconds; negative while unknown.
    pub ping_rtt_latest_ms: f64,
    /// Mean round trip of its pings, milliseconds; negative while unknown.
    pub ping_rtt_ms: f64,
    /// Standard deviation of these round trips, milliseconds; negative while unknown.
    pub ping_rtt_deviation_ms: f64,
}

sized_struct!(
    telelink_viewer_stats,
    first_size: size_of::<telelink_viewer_stats>(),
    defaults: telelink_viewer_stats {
        struct_size: size_of::<telelink_viewer_stats>(),
        client: std::ptr::null(),
        subscriptions: 0,
        queue_frames: 0,
        queue_bytes: 0,
        queue_frames_max: 0,
        queue_bytes_max: 0,
        sent_frames: 0,
        sent_bytes: 0,
        resets: 0,
        ping_rtt_latest_ms: -1.0,
        ping_rtt_ms: -1.0,
        ping_rtt_deviation_ms: -1.0,
    },
);

impl From<&ViewerStats> for telelink_viewer_stats {
    fn from(viewer: &ViewerStats) -> Self {
        let queue = &viewer.queue;
        let rtt = viewer.ping_rtt_ms;
        Self {
            struct_size: size_of::<Self>(),
            client: telelink_client::of(&viewer.client),
            subscriptions: viewer.subscriptions as u64,
            queue_frames: queue.frames as u64,
            queue_bytes: queue.bytes as u64,
            queue_frames_max: queue.frames_high_water as u64,
            queue_bytes_max: queue.bytes_high_water as u64,
            sent_frames: queue.frames_sent,
            sent_bytes: queue.bytes_sent,
            resets: viewer.resets,
            ping_rtt_latest_ms: rtt.map_or(-1.0, |rtt| rtt.latest),
            ping_rtt_ms: rtt.map_or(-1.0, |rtt| rtt.mean),
            ping_rtt_deviation_ms: rtt.map_or(-1.0, |rtt| rtt.deviation),
        }
    }
}

/// Figures of one channel since it was created. Set up with telelink_channel_stats_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_channel_stats {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// As telelink_channel_info_id() gives it.
    pub channel_id: u64,
    /// Topic; lives as long as the snapshot.
    pub topic: telelink_str,
    /// Viewers subscribed to its messages.
    pub data_subscribers: u64,
    /// Viewers subscribed to its video.
    pub video_subscribers: u64,
    /// Messages given to control streams; each counts once, however many viewers.
    pub reliable_messages: u64,
    /// Their bytes.
    pub reliable_bytes: u64,
    /// Messages given to the data track.
    pub lossy_messages: u64,
    /// Their bytes.
    pub lossy_bytes: u64,
    /// Lossy messages that a newer one replaced before the network took them.
    pub dropped_overwritten: u64,
    /// Lossy messages logged before the data track was ready.
    pub dropped_not_ready: u64,
    /// Messages that were too large: lossy ones over max_data_track_message_size, reliable ones over 16 MiB - 17 bytes.
    pub dropped_oversize: u64,
    /// Lossy messages that the network had no room for.
    pub dropped_transport_full: u64,
    /// Lossy messages that the network refused for another reason.
    pub dropped_refused: u64,
    /// Pictures logged while somebody watched.
    pub video_frames: u64,
    /// Pictures handed to the encoder.
    pub video_sent: u64,
    /// Pictures that newer ones pushed out before their conversion: it, or the encoder, is slower than the camera.
    pub video_overwritten: u64,
    /// Pictures that could not be read, decoded or converted, too small and too large ones among them.
    pub video_failed: u64,
    /// Pictures dropped because the track went away meanwhile, or no decoder could have started with them.
    pub video_not_published: u64,
    /// Pictures that the encoder refused.
    pub video_refused: u64,
    /// Name of the encoder in use; empty while nobody watches. Lives as long as the snapshot.
    pub video_encoder: telelink_str,
    /// Frames per second that the encoder sends; 0 while nobody watches.
    pub video_frames_per_second: f64,
    /// Bytes of video sent on the present track.
    pub video_sent_bytes: u64,
    /// Size of the pictures sent, pixels: smaller than what was logged when the network is short.
    pub video_width: u32,
    /// See video_width.
    pub video_height: u32,
    /// The encoder says that it is hardware: 0 or 1.
    pub video_hardware: u32,
    /// Somebody watches now: 0 or 1.
    pub video_active: u32,
}

sized_struct!(
    telelink_channel_stats,
    first_size: size_of::<telelink_channel_stats>(),
    defaults: telelink_channel_stats {
        struct_size: size_of::<telelink_channel_stats>(),
        channel_id: 0,
        topic: telelink_str::EMPTY,
        data_subscribers: 0,
        video_subscribers: 0,
        reliable_messages: 0,
        reliable_bytes: 0,
        lossy_messages: 0,
        lossy_bytes: 0,
        dropped_overwritten: 0,
        dropped_not_ready: 0,
        dropped_oversize: 0,
        dropped_transport_full: 0,
        dropped_refused: 0,
        video_frames: 0,
        video_sent: 0,
        video_overwritten: 0,
        video_failed: 0,
        video_not_published: 0,
        video_refused: 0,
        video_encoder: telelink_str::EMPTY,
        video_frames_per_second: 0.0,
        video_sent_bytes: 0,
        video_width: 0,
        video_height: 0,
        video_hardware: 0,
        video_active: 0,
    },
);

impl From<&ChannelStats> for telelink_channel_stats {
    fn from(channel: &ChannelStats) -> Self {
        let counts = channel.counts;
        let video = channel.video.as_ref().map(|video| video.counts).unwrap_or_default();
        let encoder = channel.video.as_ref().and_then(|video| video.encoder.as_ref());
        Self {
            struct_size: size_of::<Self>(),
            channel_id: channel.id,
            topic: telelink_str::of(&channel.topic),
            data_subscribers: channel.data_subscribers as u64,
            video_subscribers: channel.video_subscribers as u64,
            reliable_messages: counts.reliable_messages,
            reliable_bytes: counts.reliable_bytes,
            lossy_messages: counts.lossy_messages,
            lossy_bytes: counts.lossy_bytes,
            dropped_overwritten: counts.overwritten,
            dropped_not_ready: counts.not_ready,
            dropped_oversize: counts.oversize,
            dropped_transport_full: counts.transport_full,
            dropped_refused: counts.refused,
            video_frames: video.frames_in,
            video_sent: video.sent,
            video_overwritten: video.overwritten,
            video_failed: video.failed + video.too_small + video.oversize,
            video_not_published: video.not_published,
            video_refused: video.refused,
            video_encoder: encoder.map_or(telelink_str::EMPTY, |encoder| telelink_str::of(&encoder.encoder)),
            video_frames_per_second: encoder.map_or(0.0, |encoder| encoder.frames_per_second),
            video_sent_bytes: encoder.map_or(0, |encoder| encoder.bytes_sent),
            video_width: encoder.map_or(0, |encoder| encoder.width),
            video_height: encoder.map_or(0, |encoder| encoder.height),
            video_hardware: encoder.is_some_and(|encoder| encoder.hardware).into(),
            video_active: channel.video.as_ref().is_some_and(|video| video.active).into(),
        }
    }
}

/// Writes one element of a list into a struct of the caller.
///
/// # Safety
/// As [`sized::read`] for `to`.
unsafe fn write_at<'a, T, C>(list: &'a [T], index: usize, to: *mut C, what: &'static str) -> Result<(), Failure>
where
    C: sized::Sized_ + From<&'a T>,
{
    // SAFETY: the caller's promise.
    let size = unsafe { sized::read_size(to, "stats") }?;
    let Some(of) = list.get(index) else {
        let text = format!("index is {index}, but the snapshot has {} {what}", list.len());
        return Err(Failure::new(telelink_status::NotFound, text));
    };
    // SAFETY: `read` has checked the size, which the caller vouches for.
    unsafe { sized::write(to, size, C::from(of), "stats") }
}

/// Prepares the struct for telelink_session_snapshot_viewer().
///
/// @param stats        Written.
/// @param struct_size  sizeof *stats.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_viewer_stats_init(
    stats: *mut telelink_viewer_stats,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(stats, struct_size, "stats") })
}

/// Prepares the struct for telelink_session_snapshot_channel().
///
/// @param stats        Written.
/// @param struct_size  sizeof *stats.
/// @return As telelink_viewer_stats_init().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_channel_stats_init(
    stats: *mut telelink_channel_stats,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(stats, struct_size, "stats") })
}

/// Reads all figures of a session.
///
/// @param session  Borrowed.
/// @param out      Receives the snapshot; free it with telelink_session_snapshot_free(). Written only on success.
/// @return TELELINK_STATUS_OK             read
///         TELELINK_STATUS_NULL_ARGUMENT  `session` or `out` is NULL
///         TELELINK_STATUS_TIMEOUT        the session did not answer within 5 s
///         TELELINK_STATUS_CLOSED         the session is closed
/// @threading Any thread, blocks up to 5 s, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_create(
    session: *const telelink_session,
    out: *mut *mut telelink_session_snapshot,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        let out = handle::out_pointer(out, "out")?;
        let stats = session.stats()?;
        // SAFETY: not NULL; the header asks for a writable pointer.
        unsafe { handle::give(out, telelink_session_snapshot { stats, text: Mutex::default() }) };
        Ok(())
    })
}

/// Frees a snapshot, and with it all that points into it.
///
/// @param snapshot  Consumed. NULL does nothing.
/// @threading Any thread, but nobody may use this handle meanwhile. Never blocks. Allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_free(snapshot: *mut telelink_session_snapshot) {
    // SAFETY: the header asks for NULL or a live handle that is not used again.
    guard_or((), || drop(unsafe { handle::take(snapshot) }));
}

/// The sums, as telelink_session_stats_read() gives them.
///
/// @param snapshot  Borrowed.
/// @param stats     Set up with telelink_session_stats_init(); written.
/// @return TELELINK_STATUS_OK             written
///         TELELINK_STATUS_NULL_ARGUMENT  `snapshot` or `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `stats` was not set up
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_stats(
    snapshot: *const telelink_session_snapshot,
    stats: *mut telelink_session_stats,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live snapshot or NULL.
        let snapshot = unsafe { handle::borrow(snapshot, "snapshot") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        unsafe { write_at(std::slice::from_ref(&snapshot.stats), 0, stats, "sums") }
    })
}

/// How many viewers the snapshot has: those registered at its moment.
///
/// @param snapshot  Borrowed. NULL gives 0.
/// @return The number.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_viewer_count(snapshot: *const telelink_session_snapshot) -> usize {
    // SAFETY: the header asks for a live snapshot or NULL.
    guard_get(0, || Ok(unsafe { handle::borrow(snapshot, "snapshot") }?.stats.viewers.len()))
}

/// The figures of one viewer.
///
/// @param snapshot  Borrowed.
/// @param index     From 0, in order of registration.
/// @param stats     Set up with telelink_viewer_stats_init(); written. Its client lives as long as the snapshot.
/// @return TELELINK_STATUS_OK             written
///         TELELINK_STATUS_NOT_FOUND      `index` is too large
///         TELELINK_STATUS_NULL_ARGUMENT  `snapshot` or `stats` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `stats` was not set up
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_viewer(
    snapshot: *const telelink_session_snapshot,
    index: usize,
    stats: *mut telelink_viewer_stats,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live snapshot or NULL.
        let snapshot = unsafe { handle::borrow(snapshot, "snapshot") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        unsafe { write_at(&snapshot.stats.viewers, index, stats, "viewers") }
    })
}

/// How many channels the snapshot has: those that exist and had a subscriber since they were created.
///
/// @param snapshot  Borrowed. NULL gives 0.
/// @return The number.
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_channel_count(snapshot: *const telelink_session_snapshot) -> usize {
    // SAFETY: the header asks for a live snapshot or NULL.
    guard_get(0, || Ok(unsafe { handle::borrow(snapshot, "snapshot") }?.stats.channels.len()))
}

/// The figures of one channel.
///
/// @param snapshot  Borrowed.
/// @param index     From 0, in order of the channels' ids.
/// @param stats     Set up with telelink_channel_stats_init(); written. Its topic lives as long as the snapshot.
/// @return As telelink_session_snapshot_viewer().
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_channel(
    snapshot: *const telelink_session_snapshot,
    index: usize,
    stats: *mut telelink_channel_stats,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live snapshot or NULL.
        let snapshot = unsafe { handle::borrow(snapshot, "snapshot") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        unsafe { write_at(&snapshot.stats.channels, index, stats, "channels") }
    })
}

/// All figures in Prometheus' text format 0.0.4, to be served as `text/plain; version=0.0.4; charset=utf-8`.
///
/// The names of metrics begin with `telelink_`. There are series for every viewer, and for the 512 channels of the lowest
/// ids; the sums count all of them. Texts of labels are cut after 256 bytes.
///
/// @param snapshot      Borrowed.
/// @param labels        Borrowed. Labels for every series, for example the robot's name; may be NULL when there are none.
/// @param labels_count  Number of labels.
/// @param text_out      Receives the text; it lives until the next call of this function on this snapshot or its end.
/// @return TELELINK_STATUS_OK             written
///         TELELINK_STATUS_NULL_ARGUMENT  `snapshot` or `text_out` is NULL, or a view has no data
///         TELELINK_STATUS_INVALID_UTF8   a text is not UTF-8
///         TELELINK_STATUS_INVALID_VALUE  a label's name is none that Prometheus allows, is given twice, or is one of
///                                        cause, channel, client, le, mode, path, quantile, topic and viewer
/// @threading One thread at a time for one snapshot, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_session_snapshot_prometheus(
    snapshot: *const telelink_session_snapshot,
    labels: *const telelink_pair,
    labels_count: usize,
    text_out: *mut telelink_str,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live snapshot or NULL, and readable pairs.
        let (snapshot, pairs) =
            unsafe { (handle::borrow(snapshot, "snapshot")?, view::slice(labels, labels_count, "labels")?) };
        let out = handle::out_pointer(text_out, "text_out")?;
        let mut labels = Vec::with_capacity(pairs.len());
        for pair in pairs {
            // SAFETY: the header asks for readable views.
            labels.push(unsafe { (view::text(pair.key, "labels")?, view::text(pair.value, "labels")?) });
        }
        let text = snapshot.stats.to_prometheus(&labels)?;
        let mut kept = snapshot.text.lock();
        *kept = text;
        // SAFETY: not NULL; the header asks for a writable view.
        unsafe { out.write(telelink_str::of(&kept)) };
        Ok(())
    })
}
