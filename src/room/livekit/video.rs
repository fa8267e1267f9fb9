//! Video tracks of ours: a source that takes pictures, a track made of it, a publication that viewers see.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::dispatch::{self, await_answer, dispatcher, Answer};
use super::handle::Handle;
use super::messages::{
    encoder_backend, frame_metadata_feature, track_source, video_codec, video_source_type, CreateVideoTrackRequest,
    FfiRequest, GetStatsRequest, LocalTrackRepublished, NewVideoSourceRequest, OwnedTrackPublication,
    PublishTrackCallback, PublishTrackRequest, RtcStats, TakeEncodedVideoSourceFeedbackRequest, TrackPublishOptions,
    UnpublishTrackRequest, VideoEncoding, VideoSourceResolution,
};
use super::room::{RoomState, REQUEST_LIMIT};
use crate::room::livekit_common::remains::{empty, kept, ENCODER_LIMIT};
use crate::room::livekit_common::resize::Resize;
use crate::room::livekit_common::video::{publish_failure, PUBLISH_LIMIT};
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
    room.core.check_open()?;
    let source = new_source(&room, &options)?;
    let track = new_track(&room, &name, &source)?;
    let request = PublishTrackRequest {
        local_participant_handle: room.local_handle,
        track_handle: track.id(),
        options: publish_options(&options),
        request_async_id: None,
    };
    let (tx, rx) = oneshot::channel();
    let state = room.clone();
    // The waiter outlives this future: a publication that completes after nobody wants it is taken back when the track
    // made of it is dropped, unsent.
    let id = dispatcher().expect(PUBLISH_LIMIT * 2, Vec::new(), move |answer| {
        let made = published(answer)
            .map(|publication| LocalVideo::published(&state, name, options, source, track, publication));
        drop(tx.send(made));
    });
    let request = FfiRequest {
        publish_track: Some(PublishTrackRequest { request_async_id: Some(id), ..request }),
        ..Default::default()
    };
    if let Err(error) = room.library.request(&request) {
        dispatcher().forget(id);
        return Err(error.into());
    }
    let track = await_answer(rx, "publishing a video track", PUBLISH_LIMIT).await??;
    Ok(track)
}

fn new_source(room: &RoomState, options: &VideoTrackOptions) -> Result<Handle, RoomError> {
    let kind = match options.encoded {
        true => video_source_type::VIDEO_SOURCE_ENCODED,
        false => video_source_type::VIDEO_SOURCE_NATIVE,
    };
    let (width, height) = options.size;
    let request = NewVideoSourceRequest {
        r#type: kind,
        resolution: VideoSourceResolution { width, height },
        is_screencast: Some(false),
    };
    let answer = room.library.request(&FfiRequest { new_video_source: Some(request), ..Default::default() })?;
    answer.new_video_source.map(|answer| answer.source.handle).ok_or_else(|| no_answer("a video source"))
}

fn new_track(room: &RoomState, name: &str, source: &Handle) -> Result<Handle, RoomError> {
    let request = CreateVideoTrackRequest { name: name.to_owned(), source_handle: source.id() };
    let answer = room.library.request(&FfiRequest { create_video_track: Some(request), ..Default::default() })?;
    answer.create_video_track.map(|answer| answer.track.handle).ok_or_else(|| no_answer("a video track"))
}

fn no_answer(what: &str) -> RoomError {
    RoomError::Transport(format!("the LiveKit library did not answer the request for {what}"))
}

fn codec(codec: VideoCodec) -> i32 {
    match codec {
        VideoCodec::H264 => video_codec::H264,
        VideoCodec::Vp8 => video_codec::VP8,
        VideoCodec::Vp9 => video_codec::VP9,
        VideoCodec::Av1 => video_codec::AV1,
        VideoCodec::H265 => video_codec::H265,
    }
}

fn publish_options(options: &VideoTrackOptions) -> TrackPublishOptions {
    let encoder = match options.encoder {
        _ if options.encoded => encoder_backend::ENCODER_BACKEND_PRE_ENCODED,
        VideoEncoder::Auto => encoder_backend::ENCODER_BACKEND_AUTO,
        VideoEncoder::Software => encoder_backend::ENCODER_BACKEND_SOFTWARE,
        VideoEncoder::Hardware => encoder_backend::ENCODER_BACKEND_HARDWARE,
        VideoEncoder::Nvenc => encoder_backend::ENCODER_BACKEND_NVENC,
        VideoEncoder::Vaapi => encoder_backend::ENCODER_BACKEND_VAAPI,
        VideoEncoder::VideoToolbox => encoder_backend::ENCODER_BACKEND_VIDEOTOOLBOX,
    };
    TrackPublishOptions {
        video_encoding: options
            .limits
            .map(|limits| VideoEncoding { max_bitrate: limits.max_bitrate, max_framerate: limits.max_framerate }),
        video_codec: Some(codec(options.codec)),
        simulcast: Some(false),
        source: Some(track_source::SOURCE_CAMERA),
        frame_metadata_features: match options.capture_times {
            true => vec![frame_metadata_feature::FMF_USER_TIMESTAMP],
            false => Vec::new(),
        },
        video_encoder: Some(encoder),
    }
}

fn published(answer: Answer) -> Result<OwnedTrackPublication, PublishError> {
    match answer {
        Answer::VideoPublished(PublishTrackCallback { publication: Some(publication), .. }) => Ok(publication),
        Answer::VideoPublished(failed) => Err(publish_failure(failed.error.unwrap_or_default())),
        other => Err(other.unexpected().into()),
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
}

/// What the library has of a track.
struct Parts {
    source: Handle,
    track: Handle,
    publication: Handle,
    /// Locked while a picture goes in: none follows the last one.
    resize: Mutex<Resize>,
}

impl LocalVideo {
    fn published(
        room: &Arc<RoomState>,
        name: String,
        options: VideoTrackOptions,
        source: Handle,
        track: Handle,
        publication: OwnedTrackPublication,
    ) -> Arc<dyn VideoTrack> {
        let resize = Mutex::new(Resize::new(options.codec));
        let local = Arc::new(Self {
            room: room.clone(),
            name,
            options,
            parts: Arc::new(Parts { source, track, publication: publication.handle, resize }),
            sid: Mutex::new(Sid::from(publication.info.sid)),
            ended: AtomicBool::new(false),
        });
        room.local_videos.lock().add(&local);
        local
    }

    fn check_published(&self) -> Result<(), RoomError> {
        if self.ended.load(Ordering::Acquire) {
            return Err(RoomError::NoSuchTrack(self.name.clone()));
        }
        self.room.core.check_open()
    }
}

/// Unpublishes a track that takes no more pictures of its owner, after a last one of ours.
async fn end(room: Arc<RoomState>, options: VideoTrackOptions, parts: Arc<Parts>, sid: Sid) {
    let stats = stats(&room, &parts, ENCODER_LIMIT);
    let kept = empty(&options, stats, &parts.resize, |picture| room.library.capture(&parts.source, picture)).await;
    unpublish(room, sid, kept).await;
}

async fn stats(room: &RoomState, parts: &Parts, limit: Duration) -> Result<VideoTrackStats, RoomError> {
    room.core.check_open()?;
    let track_handle = parts.track.id();
    let answer = dispatch::ask(&room.library, "the statistics of a video track", limit, |id| FfiRequest {
        get_stats: Some(GetStatsRequest { track_handle, request_async_id: Some(id) }),
        ..Default::default()
    });
    match answer.await? {
        Answer::TrackStats(answer) => match answer.error {
            Some(error) => Err(RoomError::Transport(error)),
            None => Ok(read_stats(&answer.stats)),
        },
        other => Err(other.unexpected()),
    }
}

/// Takes back a publication, which no track need stand for; the library will keep so much of it, MiB.
pub(super) async fn unpublish(room: Arc<RoomState>, sid: Sid, kept: u32) {
    if room.core.check_open().is_err() {
        return;
    }
    room.core.wear.unpublished(kept);
    let unpublishing = dispatch::ask(&room.library, "unpublishing a video track", REQUEST_LIMIT, |id| {
        let unpublish = UnpublishTrackRequest {
            local_participant_handle: room.local_handle,
            track_sid: sid.as_str().to_owned(),
            stop_on_unpublish: true,
            request_async_id: Some(id),
        };
        FfiRequest { unpublish_track: Some(unpublish), ..Default::default() }
    });
    // Fails only for a room that is gone, and its tracks with it.
    let _ = unpublishing.await;
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
        self.room.library.capture(&self.parts.source, &picture)
    }

    fn capture_encoded(&self, picture: &EncodedPicture<'_>) -> Result<bool, RoomError> {
        self.check_published()?;
        self.room.library.capture_encoded(&self.parts.source, codec(self.options.codec), picture)
    }

    fn take_key_frame_request(&self) -> bool {
        if !self.options.encoded {
            return false;
        }
        let feedback = TakeEncodedVideoSourceFeedbackRequest { source_handle: self.parts.source.id() };
        let request = FfiRequest { take_encoded_video_source_feedback: Some(feedback), ..Default::default() };
        let answer = self.room.library.request(&request);
        answer.is_ok_and(|answer| answer.take_encoded_video_source_feedback.is_some_and(|f| f.keyframe_requested))
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
            // Fails with its runtime only.
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
    for rtp in stats.iter().filter_map(|entry| entry.outbound_rtp.as_ref()) {
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

    fn find(&self, wanted: impl Fn(&LocalVideo) -> bool) -> Option<Arc<LocalVideo>> {
        self.tracks.iter().filter_map(Weak::upgrade).find(|track| wanted(track))
    }
}

/// A full reconnect has published a track of ours again, under a new SID (S-275).
pub(super) fn on_republished(room: &RoomState, event: LocalTrackRepublished) {
    let (previous, sid) = (Sid::from(event.previous_sid), Sid::from(event.info.sid));
    let handle = event.publication_handle;
    let track = {
        let tracks = room.local_videos.lock();
        tracks.find(|track| track.parts.publication.id() == handle || *track.sid.lock() == previous)
    };
    if let Some(track) = track {
        *track.sid.lock() = sid.clone();
    }
    room.core.emit(RoomEvent::LocalVideoTrackRepublished { name: event.info.name, previous, sid });
}

/// The server, or we, unpublished a track of ours.
pub(super) fn on_unpublished(room: &RoomState, sid: &Sid) {
    let track = room.local_videos.lock().find(|track| *track.sid.lock() == *sid);
    let Some(track) = track else { return };
    if !track.ended.swap(true, Ordering::AcqRel) {
        room.core.wear.unpublished(kept(&track.options, false));
        room.core.emit(RoomEvent::LocalVideoTrackLost { name: track.name.clone(), sid: sid.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_232_p_162_tracks_are_not_simulcast_and_have_the_codec_that_was_asked_for() {
        for (codec, on_wire) in [(VideoCodec::H264, video_codec::H264), (VideoCodec::Vp8, video_codec::VP8)] {
            for encoded in [false, true] {
                let (encoder, limits, size) = (VideoEncoder::Auto, None, (640, 480));
                let options = VideoTrackOptions { codec, encoder, limits, encoded, size, capture_times: true };
                let sent = publish_options(&options);
                assert_eq!((sent.simulcast, sent.video_codec), (Some(false), Some(on_wire)));
                // Everything else is the library's choice.
                assert!(sent.video_encoding.is_none());
            }
        }
    }
}
