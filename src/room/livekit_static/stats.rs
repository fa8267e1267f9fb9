//! Room statistics out of WebRTC's reports.

use std::sync::Arc;

use livekit::webrtc::stats::RtcStats;
use tokio::runtime::Handle;

use super::room::{RoomState, REQUEST_LIMIT};
use super::runtime::carry_out;
use crate::room::livekit_common::pacer::{Meter, MEASURE_EVERY};
use crate::room::livekit_common::watchdog::Counters;
use crate::room::{RoomError, RoomStats};

/// Label of the channel that carries every data track of a room.
const DATA_TRACK_CHANNEL: &str = "_data_track";

/// What WebRTC says of one room; the crates' own type has a path that is not public.
pub(super) struct SessionStats {
    publisher: Vec<RtcStats>,
    subscriber: Vec<RtcStats>,
}

/// Asks for the statistics of one room.
pub(super) async fn ask(room: &RoomState) -> Result<SessionStats, RoomError> {
    room.check_open()?;
    let lk_room = room.room.clone();
    let asking = async move { lk_room.get_stats().await };
    let session = carry_out(&room.core.runtime, "the statistics", REQUEST_LIMIT, asking).await?;
    let session = session.map_err(|error| RoomError::Transport(error.to_string()))?;
    Ok(SessionStats { publisher: session.publisher_stats, subscriber: session.subscriber_stats })
}

/// Measures one room.
pub(super) async fn measure(room: Arc<RoomState>) -> Result<RoomStats, RoomError> {
    let session = ask(&room).await?;
    let pacer = room.core.pacer.stats();
    Ok(RoomStats {
        ice_rtt_ms: rtt_ms(&session.publisher).or_else(|| rtt_ms(&session.subscriber)),
        bytes_sent: transport(&session.publisher).map(|(sent, _)| sent),
        // One connection serves both directions where the server can; then there is no subscriber's.
        bytes_received: transport(&session.subscriber)
            .or_else(|| transport(&session.publisher))
            .map(|(_, received)| received),
        video_bytes_sent: Some(video_bytes(&session.publisher)),
        data_frames_pushed: pacer.pushed,
        data_frames_refused: pacer.refused,
        data_packets_sent: data_packets_sent(&session.publisher).map(u64::from),
        pacer_spacing_us: u64::try_from(pacer.gap.as_micros()).ok(),
    })
}

/// Round trip of the nominated pair, in steps of about 1 ms; the other pairs report zero (livekit-ffi.md 5.5).
fn rtt_ms(stats: &[RtcStats]) -> Option<f64> {
    stats.iter().find_map(|entry| match entry {
        RtcStats::CandidatePair(pair)
            if pair.candidate_pair.nominated && pair.candidate_pair.responses_received > 0 =>
        {
            Some(pair.candidate_pair.current_round_trip_time * 1e3)
        }
        _ => None,
    })
}

/// Bytes sent and received of one peer connection.
fn transport(stats: &[RtcStats]) -> Option<(u64, u64)> {
    stats.iter().find_map(|entry| match entry {
        RtcStats::Transport(transport) => Some((transport.transport.bytes_sent, transport.transport.bytes_received)),
        _ => None,
    })
}

fn video_bytes(stats: &[RtcStats]) -> u64 {
    let bytes = stats.iter().map(|entry| match entry {
        RtcStats::OutboundRtp(rtp) if rtp.stream.kind == "video" => rtp.sent.bytes_sent,
        _ => 0,
    });
    bytes.sum()
}

/// Packets that the data-track channel has sent on this connection.
fn data_packets_sent(stats: &[RtcStats]) -> Option<u32> {
    stats.iter().find_map(|entry| match entry {
        RtcStats::DataChannel(channel) if channel.dc.label == DATA_TRACK_CHANNEL => Some(channel.dc.messages_sent),
        _ => None,
    })
}

/// What the watchdog looks at.
pub(super) fn counters(session: &SessionStats) -> Counters {
    let mut counters = Counters::default();
    for entry in session.publisher.iter().chain(&session.subscriber) {
        match entry {
            RtcStats::DataChannel(channel) => counters.sent += u64::from(channel.dc.messages_sent),
            RtcStats::Transport(transport) => counters.received += transport.transport.bytes_received,
            RtcStats::CandidatePair(pair) => counters.answers += pair.candidate_pair.responses_received,
            _ => {}
        }
    }
    counters
}

/// Measures one room for its pacer.
pub(super) struct SessionMeter {
    runtime: Handle,
    room: Arc<livekit::Room>,
}

impl SessionMeter {
    pub(super) fn new(runtime: Handle, room: Arc<livekit::Room>) -> Self {
        Self { runtime, room }
    }
}

impl Meter for SessionMeter {
    fn packets_sent(&self, tell: Box<dyn FnOnce(u32) + Send>) {
        let room = self.room.clone();
        self.runtime.spawn(async move {
            let Ok(Ok(session)) = tokio::time::timeout(MEASURE_EVERY * 5, room.get_stats()).await else { return };
            if let Some(sent) = data_packets_sent(&session.publisher_stats) {
                tell(sent);
            }
        });
    }
}
