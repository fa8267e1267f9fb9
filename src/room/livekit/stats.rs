//! Room statistics out of the library's WebRTC reports.

use std::sync::Arc;

use super::dispatch::{self, Answer};
use super::messages::{FfiRequest, GetSessionStatsRequest, RtcStats, SessionStats};
use super::room::{RoomState, REQUEST_LIMIT};
use crate::room::{RoomError, RoomStats};

/// Label of the channel that carries every data track of a room.
const DATA_TRACK_CHANNEL: &str = "_data_track";

/// What the library says of one room.
pub(super) async fn ask(room: &RoomState) -> Result<SessionStats, RoomError> {
    room.check_open()?;
    let answer = dispatch::ask(&room.library, "the statistics", REQUEST_LIMIT, |id| FfiRequest {
        get_session_stats: Some(GetSessionStatsRequest { room_handle: room.id, request_async_id: Some(id) }),
        ..Default::default()
    });
    match answer.await? {
        Answer::Stats(answer) => match (answer.result, answer.error) {
            (Some(result), _) => Ok(result),
            (None, error) => Err(RoomError::Transport(error.unwrap_or_default())),
        },
        other => Err(other.unexpected()),
    }
}

/// Measures one room.
pub(super) async fn measure(room: Arc<RoomState>) -> Result<RoomStats, RoomError> {
    let session = ask(&room).await?;
    let pacer = room.pacer.stats();
    Ok(RoomStats {
        ice_rtt_ms: rtt_ms(&session.publisher_stats).or_else(|| rtt_ms(&session.subscriber_stats)),
        bytes_sent: transport(&session.publisher_stats).map(|(sent, _)| sent),
        // The library uses one connection for both directions where the server can; then there is no subscriber's.
        bytes_received: transport(&session.subscriber_stats)
            .or_else(|| transport(&session.publisher_stats))
            .map(|(_, received)| received),
        video_bytes_sent: Some(video_bytes(&session.publisher_stats)),
        data_frames_pushed: pacer.pushed,
        data_frames_refused: pacer.refused,
        data_packets_sent: data_packets_sent(&session).map(u64::from),
        pacer_spacing_us: u64::try_from(pacer.gap.as_micros()).ok(),
    })
}

/// Round trip of the nominated pair, in steps of about 1 ms; the other pairs report zero (livekit-ffi.md 5.5).
fn rtt_ms(stats: &[RtcStats]) -> Option<f64> {
    let mut pairs = stats.iter().filter_map(|entry| entry.candidate_pair.as_ref()).map(|pair| &pair.candidate_pair);
    let measured = pairs.find(|pair| pair.nominated && pair.responses_received > 0)?;
    Some(measured.current_round_trip_time * 1e3)
}

/// Bytes sent and received of one peer connection.
fn transport(stats: &[RtcStats]) -> Option<(u64, u64)> {
    let transport = stats.iter().find_map(|entry| entry.transport.as_ref())?;
    Some((transport.transport.bytes_sent, transport.transport.bytes_received))
}

fn video_bytes(stats: &[RtcStats]) -> u64 {
    let outbound = stats.iter().filter_map(|entry| entry.outbound_rtp.as_ref());
    outbound.filter(|rtp| rtp.stream.kind == "video").map(|rtp| rtp.sent.bytes_sent).sum()
}

/// Packets that the data-track channel has sent on this connection.
pub(super) fn data_packets_sent(session: &SessionStats) -> Option<u32> {
    let mut channels = session.publisher_stats.iter().filter_map(|entry| entry.data_channel.as_ref());
    channels.find(|channel| channel.dc.label == DATA_TRACK_CHANNEL).map(|channel| channel.dc.messages_sent)
}
