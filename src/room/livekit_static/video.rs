//! Video tracks of ours: a source that takes pictures, a track made of it, a publication that viewers see.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use livekit::options::{
    FrameMetadataFeatures, TrackPublishOptions, VideoCodec as Codec, VideoEncoderBackend, VideoEncoding,
};
use livekit::prelude::{LocalTrack, LocalTrackPublication, LocalVideoTrack, TrackSid, TrackSource};
use livekit::webrtc::stats::RtcStats;
use livekit::webrtc::video_frame::{
    EncodedFrameType, EncodedVideoCodec, EncodedVideoFrame, FrameMetadata, I420Buffer, VideoFrame, VideoRotation,
};
use livekit::webrtc::video_source::native::NativeVideoSource;
use livekit::webrtc::video_source::{RtcVideoSource, VideoResolution};
use parking_lot::Mutex;

use super::room::{RoomState, REQUEST_LIMIT};
use super::runtime::carry_out;
use crate::room::livekit_common::remains::{empty, kept, ENCODER_LIMIT};
use crate::room::livekit_common::resize::Resize;
use crate::room::livekit_common::video::{planes, publish_failure, PUBLISH_LIMIT};
use crate::room::{
    BoxFuture, EncodedPicture, PublishError, RoomError, RoomEvent, Sid, VideoCodec, VideoEncoder, VideoPicture,
    VideoTrack, VideoTrackOptions, VideoTrackStats,
};

/// Publishes a track of ours.
pub(super) async fn publish(
    room: Arc<RoomState>,
    name: String,
    options: VideoTrackOptions,
) -> Result<Arc<dyn VideoTrack>, PublishError> {
    room.check_open()?;
    let state = room.clone();
    let publishing = async move {
        // On LiveKit's own threads: a source sends black pictures from there until it has one.
        let (width, height) = options.size;
        let resolution = VideoResolution { width, height };
        let source = match options.encoded {
            true => NativeVideoSource::new_encoded(resolution),
            false => NativeVideoSource::new(resolution, false),
        };
        let track = LocalVideoTrack::create_video_track(&name, RtcVideoSource::Native(source.clone()));
        let local = state.room.local_participant();
        let published = local.publish_track(LocalTrack::Video(track.clone()), publish_options(&options)).await;
        let publication = published.map_err(|error| publish_failure(error.to_string()))?;
        Ok(LocalVideo::published(&state, name, options, source, track, &publication))
    };
    carry_out(&room.core.runtime, "publishing a video track", PUBLISH_LIMIT, publishing).await?
}

fn codec(codec: VideoCodec) -> (Codec, EncodedVideoCodec) {
    match codec {
        VideoCodec::H264 => (Codec::H264, EncodedVideoCodec::H264),
        VideoCodec::Vp8 => (Codec::VP8, EncodedVideoCodec::VP8),
        VideoCodec::Vp9 => (Codec::VP9, EncodedVideoCodec::VP9),
        VideoCodec::Av1 => (Codec::AV1, EncodedVideoCodec::AV1),
        VideoCodec::H265 => (Codec::H265, EncodedVideoCodec::H265),
    }
}

fn publish_options(options: &VideoTrackOptions) -> TrackPublishOptions {
    let video_encoder = match options.encoder {
        _ if options.encoded => VideoEncoderBackend::PreEncoded,
        VideoEncoder::Auto => VideoEncoderBackend::Auto,
        VideoEncoder::Software => VideoEncoderBackend::Software,
        VideoEncoder::Hardware => VideoEncoderBackend::Hardware,
        VideoEncoder::Nvenc => VideoEncoderBackend::Nvenc,
        VideoEncoder::Vaapi => VideoEncoderBackend::Vaapi,
        VideoEncoder::VideoToolbox => VideoEncoderBackend::VideoToolbox,
    };
    let mut frame_metadata_features = FrameMetadataFeatures::default();
    frame_metadata_features.user_timestamp = options.capture_times;
    TrackPublishOptions {
        video_encoding: options
            .limits
            .map(|limits| VideoEncoding { max_bitrate: limits.max_bitrate, max_framerate: limits.max_framerate }),
        video_codec: codec(options.codec).0,
        simulcast: false,
        source: TrackSource::Camera,
        frame_metadata_features,
        video_encoder,
        ..TrackPublishOptions::default()
    }
}

/// A published track.
pub(super) struct LocalVideo {
    room: Arc<RoomState>,
    name: String,
    options: VideoTrackOptions,
    parts: Arc<Parts>,
    sid: Mutex<Sid>,
    /// Unpublished, by us or by the room.
    ended: AtomicBool,
    /// A full reconnect has unpublished it, in order to publish it again.
    renewing: AtomicBool,
}

/// What LiveKit has of a track.
struct Parts {
    source: NativeVideoSource,
    track: LocalVideoTrack,
    /// Locked while a picture goes in: none follows the last one.
    resize: Mutex<Resize>,
}

impl Parts {
    fn capture(&self, picture: &VideoPicture<'_>) -> Result<(), RoomError> {
        let (luma, chroma) = planes(picture)?;
        let mut buffer = I420Buffer::new(picture.width, picture.height);
        let (y, u, v) = buffer.data_mut();
        y.copy_from_slice(&picture.data[..luma]);
        u.copy_from_slice(&picture.data[luma..luma + chroma]);
        v.copy_from_slice(&picture.data[luma + chroma..]);
        // Not taken means that the encoder has no time for it, which is no error.
        self.source.capture_frame(&VideoFrame {
            rotation: VideoRotation::VideoRotation0,
            timestamp_us: picture.timestamp_us,
            frame_metadata: metadata(picture.timestamp_us),
            buffer,
        });
        Ok(())
    }
}

impl LocalVideo {
    fn published(
        room: &Arc<RoomState>,
        name: String,
        options: VideoTrackOptions,
        source: NativeVideoSource,
        track: LocalVideoTrack,
        publication: &LocalTrackPublication,
    ) -> Arc<dyn VideoTrack> {
        let local = Arc::new(Self {
            room: room.clone(),
            name,
            parts: Arc::new(Parts { source, track, resize: Mutex::new(Resize::new(options.codec)) }),
            options,
            sid: Mutex::new(Sid::from(String::from(publication.sid()))),
            ended: AtomicBool::new(false),
            renewing: AtomicBool::new(false),
        });
        room.local_videos.lock().add(&local);
        local
    }

    fn check_published(&self) -> Result<(), RoomError> {
        if self.ended.load(Ordering::Acquire) {
            return Err(RoomError::NoSuchTrack(self.name.clone()));
        }
        self.room.check_open()
    }

    /// The room has taken the track away; said once.
    fn on_lost(&self) {
        if !self.ended.swap(true, Ordering::AcqRel) {
            self.room.core.wear.unpublished(kept(&self.options, false));
            let (name, sid) = (self.name.clone(), self.sid.lock().clone());
            self.room.core.emit(RoomEvent::LocalVideoTrackLost { name, sid });
        }
    }
}

/// Unpublishes a track that takes no more pictures of its owner, after a last one of ours.
async fn end(room: Arc<RoomState>, options: VideoTrackOptions, parts: Arc<Parts>, sid: Sid) {
    let stats = stats(&room, &parts, ENCODER_LIMIT);
    let kept = empty(&options, stats, &parts.resize, |picture| parts.capture(picture)).await;
    unpublish(room, sid, kept).await;
}

async fn stats(room: &RoomState, parts: &Parts, limit: Duration) -> Result<VideoTrackStats, RoomError> {
    room.check_open()?;
    let track = parts.track.clone();
    let asking = async move { track.get_stats().await };
    let stats = carry_out(&room.core.runtime, "the statistics of a video track", limit, asking).await?;
    stats.map(|stats| read_stats(&stats)).map_err(|error| RoomError::Transport(error.to_string()))
}

/// Takes back a publication, which no track need stand for; the library will keep so much of it, MiB.
pub(super) async fn unpublish(room: Arc<RoomState>, sid: Sid, kept: u32) {
    if room.check_open().is_err() {
        return;
    }
    // Not a SID of LiveKit's: there is no such publication.
    let Ok(sid) = TrackSid::try_from(sid.as_str().to_owned()) else { return };
    room.core.wear.unpublished(kept);
    let local = room.room.local_participant();
    let unpublishing = async move { local.unpublish_track(&sid).await };
    // Fails for a room or a publication that is gone.
    let _ = carry_out(&room.core.runtime, "unpublishing a video track", REQUEST_LIMIT, unpublishing).await;
}

/// What travels with a picture: when it was taken, µs since the Unix epoch.
fn metadata(timestamp_us: i64) -> Option<FrameMetadata> {
    let user_timestamp = Some(u64::try_from(timestamp_us).ok()?);
    Some(FrameMetadata { user_timestamp, frame_id: None, user_data: None })
}

impl VideoTrack for LocalVideo {
    fn sid(&self) -> Sid {
        self.sid.lock().clone()
    }

    fn capture(&self, picture: &VideoPicture<'_>) -> Result<(), RoomError> {
        let mut resize = self.parts.resize.lock();
        self.check_published()?;
        let mut buffer = Vec::new();
        let picture = resize.apply(picture, Instant::now(), &mut buffer)?;
        self.parts.capture(&picture)
    }

    fn capture_encoded(&self, picture: &EncodedPicture<'_>) -> Result<bool, RoomError> {
        self.check_published()?;
        Ok(self.parts.source.capture_encoded_frame(&EncodedVideoFrame {
            codec: codec(self.options.codec).1,
            payload: picture.data,
            timestamp_us: picture.timestamp_us,
            frame_type: match picture.key_frame {
                true => EncodedFrameType::Key,
                false => EncodedFrameType::Delta,
            },
            resolution: VideoResolution { width: picture.width, height: picture.height },
            frame_metadata: metadata(picture.timestamp_us),
        }))
    }

    fn take_key_frame_request(&self) -> bool {
        self.options.encoded && self.parts.source.take_keyframe_request()
    }

    fn stats(&self) -> BoxFuture<Result<VideoTrackStats, RoomError>> {
        let (room, parts) = (self.room.clone(), self.parts.clone());
        Box::pin(async move { stats(&room, &parts, REQUEST_LIMIT).await })
    }

    /// Begins at once, awaited or not.
    fn unpublish(&self) -> BoxFuture<()> {
        if self.ended.swap(true, Ordering::AcqRel) {
            return Box::pin(std::future::ready(()));
        }
        let (room, options, parts) = (self.room.clone(), self.options.clone(), self.parts.clone());
        let done = self.room.core.runtime.spawn(end(room, options, parts, self.sid()));
        Box::pin(async move {
            // An error is a panic of the crates.
            let _ = done.await;
        })
    }
}

impl Drop for LocalVideo {
    fn drop(&mut self) {
        drop(self.unpublish());
    }
}

fn read_stats(stats: &[RtcStats]) -> VideoTrackStats {
    let mut read = VideoTrackStats::default();
    for entry in stats {
        let RtcStats::OutboundRtp(rtp) = entry else { continue };
        let outbound = &rtp.outbound;
        read.bytes_sent += rtp.sent.bytes_sent;
        read.frames_encoded += u64::from(outbound.frames_encoded);
        read.key_frames += u64::from(outbound.key_frames_encoded);
        if !outbound.encoder_implementation.is_empty() {
            read.encoder.clone_from(&outbound.encoder_implementation);
            read.hardware = outbound.power_efficient_encoder;
            (read.width, read.height) = (outbound.frame_width, outbound.frame_height);
            read.frames_per_second = outbound.frames_per_second;
        }
    }
    read
}

/// Our tracks of one room, for events that name them.
#[derive(Default)]
pub(super) struct LocalVideos {
    tracks: Vec<Weak<LocalVideo>>,
}

impl LocalVideos {
    fn add(&mut self, track: &Arc<LocalVideo>) {
        self.tracks.retain(|track| track.strong_count() > 0);
        self.tracks.push(Arc::downgrade(track));
    }

    fn all(&self) -> Vec<Arc<LocalVideo>> {
        self.tracks.iter().filter_map(Weak::upgrade).collect()
    }
}

fn with_sid(room: &RoomState, sid: &Sid) -> Option<Arc<LocalVideo>> {
    let tracks = room.local_videos.lock().all();
    tracks.into_iter().find(|track| *track.sid.lock() == *sid)
}

/// A full reconnect has published a track of ours again, under a new SID (S-275).
pub(super) fn on_republished(room: &RoomState, previous: Sid, publication: &LocalTrackPublication) {
    let sid = Sid::from(String::from(publication.sid()));
    if let Some(track) = with_sid(room, &previous) {
        *track.sid.lock() = sid.clone();
        track.renewing.store(false, Ordering::Release);
    }
    room.core.emit(RoomEvent::LocalVideoTrackRepublished { name: publication.name(), previous, sid });
}

/// A track of ours is unpublished: by us, by the server, or by a full reconnect that publishes it again before it is over.
pub(super) fn on_unpublished(room: &RoomState, sid: &Sid) {
    let Some(track) = with_sid(room, sid) else { return };
    if room.core.outbox.lock().is_reconnecting() {
        track.renewing.store(true, Ordering::Release);
    } else {
        track.on_lost();
    }
}

/// The reconnection is over: what was not published again is lost.
pub(super) fn on_reconnected(room: &RoomState) {
    let tracks = room.local_videos.lock().all();
    for track in tracks {
        if track.renewing.swap(false, Ordering::AcqRel) {
            track.on_lost();
        }
    }
}
