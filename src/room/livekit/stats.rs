//! Room statistics out of the library's WebRTC reports.

use std::sync::Arc;

use super::dispatch::{self, dispatcher, Answer};
use super::library::Library;
use super::messages::{FfiRequest, GetSessionStatsRequest, RtcStats, SessionStats};
use super::room::{RoomState, REQUEST_LIMIT};
use crate::room::livekit_common::pacer::{Meter, MEASURE_EVERY};
use crate::room::livekit_common::watchdog::Counters;
use crate::room::{RoomError, RoomStats};

/// Label of the channel that carries every data track of a room.
const DATA_TRACK_CHANNEL: &str = "_data_track";

/// What the library says of one room.
pub(super) async fn ask(room: &RoomState) -> Result<SessionStats, RoomError> {
    room.core.check_open()?;
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
    let pacer = room.core.pacer.stats();
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
fn data_packets_sent(session: &SessionStats) -> Option<u32> {
    let mut channels = session.publisher_stats.iter().filter_map(|entry| entry.data_channel.as_ref());
    channels.find(|channel| channel.dc.label == DATA_TRACK_CHANNEL).map(|channel| channel.dc.messages_sent)
}

/// What the watchdog looks at.
pub(super) fn counters(session: &SessionStats) -> Counters {
    let all = || session.publisher_stats.iter().chain(&session.subscriber_stats);
    let sum = |of: fn(&RtcStats) -> Option<u64>| all().filter_map(of).sum();
    Counters {
        sent: sum(|entry| entry.data_channel.as_ref().map(|channel| u64::from(channel.dc.messages_sent))),
        received: sum(|entry| entry.transport.as_ref().map(|transport| transport.transport.bytes_received)),
        answers: sum(|entry| entry.candidate_pair.as_ref().map(|pair| pair.candidate_pair.responses_received)),
    }
}

/// Measures one room for its pacer.
pub(super) struct SessionMeter {
    library: Arc<Library>,
    room: u64,
}

impl SessionMeter {
    pub(super) fn new(library: Arc<Library>, room: u64) -> Self {
        Self { library, room }
    }
}

impl Meter for SessionMeter {
    fn packets_sent(&self, tell: Box<dyn FnOnce(u32) + Send>) {
        let id = dispatcher().expect(MEASURE_EVERY * 5, Vec::new(), move |answer| {
            let Answer::Stats(stats) = answer else { return };
            if let Some(sent) = stats.result.as_ref().and_then(data_packets_sent) {
                tell(sent);
            }
        });
        let request = GetSessionStatsRequest { room_handle: self.room, request_async_id: Some(id) };
        if self.library.request(&FfiRequest { get_session_stats: Some(request), ..Default::default() }).is_err() {
            dispatcher().forget(id);
        }
    }
}
