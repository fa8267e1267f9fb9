//! One channel's pictures on their way to its track: queue, conversion, capture (S-236 to S-241, S-248).

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::context::{ChannelRef, VideoSourceKind};
use crate::fanout::{PictureKind, PixelLayout, VideoCounters, VideoOutcome, VideoQueue, VideoTap, WaitingPicture};
use crate::room::{EncodedPicture, RoomError, VideoPicture, VideoTrack};
use crate::video::{image_kind, Codec, Converter, Frame, ImageKind, Picture, RawFormat, RawPicture, VideoError};

use super::core::{PublisherId, VideoMetadata, VideoNews};
use super::inputs::Inputs;
use super::video_pool::VideoPool;

/// S-241: so many pictures in a row that cannot be shown, and the viewers are told.
const TELL_AFTER: u32 = 10;
/// S-238: between two lines in the log about pictures that are too small, or that made the conversion panic.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What of a channel's video outlives its publishers.
#[derive(Default)]
pub(crate) struct ChannelVideo {
    pub(crate) counters: Arc<VideoCounters>,
    /// Size of the last picture, the hint for the next track's encoder.
    pub(crate) size: Arc<Mutex<Option<(u32, u32)>>>,
}

/// Takes a channel's pictures, and has them converted by the pool, one at a time, in order.
pub(crate) struct Publisher {
    id: PublisherId,
    channel: ChannelRef,
    kind: Option<ImageKind>,
    queue: VideoQueue,
    counters: Arc<VideoCounters>,
    size: Arc<Mutex<Option<(u32, u32)>>>,
    track: Mutex<Option<Arc<dyn VideoTrack>>>,
    /// There is a track. Without one pictures wait in the queue, the newest two, and nothing is converted for nobody.
    attached: AtomicBool,
    /// In the pool, waiting or running.
    scheduled: AtomicBool,
    work: Mutex<Work>,
    /// A decoder of the track can start: a key frame was sent.
    started: AtomicBool,
    pool: Arc<VideoPool>,
    inputs: Arc<Inputs>,
    this: Weak<Self>,
}

/// What only the one running conversion touches.
struct Work {
    converter: Converter,
    metadata: Option<VideoMetadata>,
    failures: u32,
    told: bool,
    small_logged: Option<Instant>,
    panic_logged: Option<Instant>,
}

/// Whether a line may be logged again; then it counts as logged.
fn is_due(last: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let due = last.is_none_or(|last| now >= last + LOG_INTERVAL);
    if due {
        *last = Some(now);
    }
    due
}

/// A picture ready for the encoder.
enum Ready {
    Planar {
        frame: Frame,
        timestamp_us: i64,
    },
    /// As it came; the buffer is given back afterwards.
    Encoded {
        picture: WaitingPicture,
        width: u32,
        height: u32,
        key_frame: bool,
    },
}

impl Publisher {
    pub(crate) fn new(
        id: PublisherId,
        channel: &ChannelRef,
        video: &ChannelVideo,
        pool: Arc<VideoPool>,
        inputs: Arc<Inputs>,
    ) -> Arc<Self> {
        // A new track needs one; asked for again when it is published, for the first may be gone from the queue by then.
        if let Some(source) = channel.video_source() {
            source.request_key_frame();
        }
        let kind = channel.schema().and_then(|schema| image_kind(channel.encoding(), &schema.name));
        Arc::new_cyclic(|this| Self {
            id,
            channel: channel.clone(),
            kind,
            queue: VideoQueue::new(video.counters.clone()),
            counters: video.counters.clone(),
            size: video.size.clone(),
            track: Mutex::default(),
            attached: AtomicBool::new(false),
            scheduled: AtomicBool::new(false),
            work: Mutex::new(Work {
                converter: Converter::new(),
                metadata: None,
                failures: 0,
                told: false,
                small_logged: None,
                panic_logged: None,
            }),
            started: AtomicBool::new(false),
            pool,
            inputs,
            this: this.clone(),
        })
    }

    pub(crate) fn id(&self) -> PublisherId {
        self.id
    }

    /// The track is published: what waits flows from now on.
    pub(crate) fn attach(&self, track: Arc<dyn VideoTrack>) {
        self.started.store(false, Ordering::Relaxed);
        *self.track.lock() = Some(track);
        self.attached.store(true, Ordering::Release);
        self.request_key_frame();
        self.schedule();
    }

    /// The track is gone; pictures wait for the next one.
    pub(crate) fn detach(&self) {
        self.attached.store(false, Ordering::Release);
        let track = self.track.lock().take();
        drop(track);
    }

    /// Nobody wants the pictures any more. A conversion under way is finished and goes nowhere.
    pub(crate) fn close(&self) {
        self.detach();
        self.queue.close();
    }

    fn push(&self, kind: PictureKind, data: &[u8], log_time: u64) {
        if self.queue.push(kind, data, log_time) {
            self.schedule();
        }
    }

    /// Gets into the pool, unless there already or nothing can be done.
    fn schedule(&self) {
        let idle = || !self.attached.load(Ordering::Acquire) || self.queue.is_empty();
        if idle() || self.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        match self.this.upgrade() {
            Some(this) => self.pool.submit(this),
            None => self.scheduled.store(false, Ordering::Release),
        }
    }

    /// Converts and sends one picture, on a thread of the pool. `converted` runs between the two: from there on the thread
    /// may wait for an encoder.
    pub(crate) fn run_one(&self, converted: impl FnOnce()) {
        let ready = self.queue.pop().and_then(|picture| self.convert(picture));
        converted();
        if let Some(ready) = ready {
            self.send(ready);
        }
        self.scheduled.store(false, Ordering::Release);
        // Behind the other channels, if more came meanwhile.
        self.schedule();
    }

    /// A picture was lost to a panic outside of its conversion; the next one is not.
    pub(crate) fn recover(&self) {
        self.counters.count(VideoOutcome::Failed);
        self.scheduled.store(false, Ordering::Release);
        self.schedule();
    }

    fn convert(&self, picture: WaitingPicture) -> Option<Ready> {
        let mut work = self.work.lock();
        if let PictureKind::H264 { width, height, key_frame } = picture.kind {
            self.succeeded(&mut work, VideoMetadata { source_encoding: "h264", frame_id: self.frame_id() });
            return Some(Ready::Encoded { picture, width, height, key_frame });
        }
        let result = catch_unwind(AssertUnwindSafe(|| self.planar(&mut work.converter, &picture)));
        self.queue.recycle(picture);
        match result {
            Ok(Ok((frame, timestamp_us, metadata))) => {
                self.succeeded(&mut work, metadata);
                Some(Ready::Planar { frame, timestamp_us })
            }
            Ok(Err(error)) => {
                self.failed(&mut work, &error);
                None
            }
            Err(_) => {
                self.pool.panics.fetch_add(1, Ordering::Relaxed);
                if is_due(&mut work.panic_logged) {
                    tracing::error!(
                        topic = self.channel.topic(),
                        "the conversion of an image panicked; the image is lost; please report it"
                    );
                }
                // Whatever state it was left in.
                work.converter = Converter::new();
                self.failure(&mut work, VideoOutcome::Failed, "an internal error".into());
                None
            }
        }
    }

    fn planar(
        &self,
        converter: &mut Converter,
        picture: &WaitingPicture,
    ) -> Result<(Frame, i64, VideoMetadata), VideoError> {
        self.pool.picture_switch.check();
        let log_time_us = i64::try_from(picture.log_time / 1000).unwrap_or(i64::MAX);
        let source = match picture.kind {
            PictureKind::Pixels { layout, width, height, stride } => Picture::Raw(RawPicture {
                width,
                height,
                format: match layout {
                    PixelLayout::I420 => RawFormat::I420,
                    PixelLayout::Nv12 => RawFormat::Nv12,
                    PixelLayout::Rgb8 => RawFormat::Rgb8,
                    PixelLayout::Bgr8 => RawFormat::Bgr8,
                    PixelLayout::Rgba8 => RawFormat::Rgba8,
                    PixelLayout::Bgra8 => RawFormat::Bgra8,
                    PixelLayout::Mono8 => RawFormat::Mono8,
                    PixelLayout::Yuyv => RawFormat::Yuyv,
                    PixelLayout::Uyvy => RawFormat::Uyvy,
                },
                stride,
                big_endian: false,
                data: &picture.data,
            }),
            PictureKind::Jpeg => Picture::Compressed { codec: Codec::Jpeg, data: &picture.data },
            PictureKind::Message | PictureKind::H264 { .. } => {
                let kind = self.kind.ok_or(VideoError::Unsupported {
                    what: "channel",
                    detail: "it carries encoded video, and messages of it cannot be shown".into(),
                })?;
                let converted = converter.convert(kind, &picture.data, picture.log_time)?;
                let (source_encoding, frame_id) = (converted.metadata.source_encoding, converted.metadata.frame_id);
                return Ok((converted.frame, converted.timestamp_us, VideoMetadata { source_encoding, frame_id }));
            }
        };
        let frame = converter.convert_picture(&source)?;
        Ok((frame, log_time_us, VideoMetadata { source_encoding: source.source_encoding(), frame_id: self.frame_id() }))
    }

    fn frame_id(&self) -> Arc<str> {
        self.channel.video_source().map_or_else(|| Arc::from(""), |source| source.frame_id.clone())
    }

    fn succeeded(&self, work: &mut Work, metadata: VideoMetadata) {
        self.counters.count(VideoOutcome::Converted);
        work.failures = 0;
        let recovered = std::mem::take(&mut work.told);
        let changed = work.metadata.as_ref() != Some(&metadata);
        if changed {
            work.metadata = Some(metadata.clone());
        }
        if changed || recovered {
            self.tell(changed.then_some(metadata), recovered.then_some(None));
        }
    }

    fn failed(&self, work: &mut Work, error: &VideoError) {
        let small = matches!(error, VideoError::TooSmall { .. });
        if small && is_due(&mut work.small_logged) {
            tracing::warn!(topic = self.channel.topic(), %error, "an image is too small for a video and is not shown");
        } else {
            tracing::debug!(topic = self.channel.topic(), %error, "an image could not be shown");
        }
        let outcome = if small { VideoOutcome::TooSmall } else { VideoOutcome::Failed };
        self.failure(work, outcome, error.to_string());
    }

    fn failure(&self, work: &mut Work, outcome: VideoOutcome, reason: String) {
        self.counters.count(outcome);
        work.failures = work.failures.saturating_add(1);
        if work.failures >= TELL_AFTER && !work.told {
            work.told = true;
            tracing::warn!(topic = self.channel.topic(), reason, "no image of the last {TELL_AFTER} could be shown");
            self.tell(None, Some(Some(reason)));
        }
    }

    fn tell(&self, metadata: Option<VideoMetadata>, failing: Option<Option<String>>) {
        self.inputs.video_news(VideoNews { channel: self.channel.id(), publisher: self.id, metadata, failing });
    }

    fn send(&self, ready: Ready) {
        self.pool.capture_switch.check();
        let track = self.track.lock().clone();
        let outcome = match track {
            None => VideoOutcome::NotPublished,
            Some(track) => match &ready {
                Ready::Planar { frame, timestamp_us } => {
                    let (width, height) = (frame.width(), frame.height());
                    *self.size.lock() = Some((width, height));
                    let picture = VideoPicture { width, height, data: frame.data(), timestamp_us: *timestamp_us };
                    self.outcome(track.capture(&picture).map(|()| true))
                }
                Ready::Encoded { picture, width, height, key_frame } => {
                    self.send_encoded(&*track, picture, (*width, *height), *key_frame)
                }
            },
        };
        self.counters.count(outcome);
        if let Ready::Encoded { picture, .. } = ready {
            self.queue.recycle(picture);
        }
    }

    fn send_encoded(
        &self,
        track: &dyn VideoTrack,
        picture: &WaitingPicture,
        (width, height): (u32, u32),
        key_frame: bool,
    ) -> VideoOutcome {
        // No decoder can start in the middle, nor go on where a picture is missing.
        if picture.after_gap {
            self.need_key_frame();
        }
        if !key_frame && !self.started.load(Ordering::Relaxed) {
            return VideoOutcome::NotPublished;
        }
        self.started.store(true, Ordering::Relaxed);
        *self.size.lock() = Some((width, height));
        let timestamp_us = i64::try_from(picture.log_time / 1000).unwrap_or(i64::MAX);
        let encoded = EncodedPicture { width, height, data: &picture.data, key_frame, timestamp_us };
        let outcome = self.outcome(track.capture_encoded(&encoded));
        if outcome != VideoOutcome::Sent {
            self.need_key_frame();
        } else if track.take_key_frame_request() {
            self.request_key_frame();
        }
        outcome
    }

    /// Nothing is sent before the next key frame, and the camera is asked for one.
    fn need_key_frame(&self) {
        if self.started.swap(false, Ordering::Relaxed) {
            self.request_key_frame();
        }
    }

    fn request_key_frame(&self) {
        if let Some(source) = self.channel.video_source() {
            source.request_key_frame();
        }
    }

    fn outcome(&self, sent: Result<bool, RoomError>) -> VideoOutcome {
        match sent {
            Ok(true) => VideoOutcome::Sent,
            Ok(false) => VideoOutcome::Refused,
            // The track went away while the picture was on its way to it.
            Err(RoomError::Closed | RoomError::NoSuchTrack(_)) => VideoOutcome::NotPublished,
            Err(error) => {
                tracing::debug!(topic = self.channel.topic(), %error, "the encoder refused an image");
                VideoOutcome::Refused
            }
        }
    }

    /// Whether the pictures come encoded.
    pub(crate) fn is_encoded(&self) -> bool {
        self.channel.video_source().is_some_and(|source| source.kind == VideoSourceKind::H264)
    }
}

impl VideoTap for Publisher {
    fn message(&self, payload: &[u8], log_time: u64) {
        self.push(PictureKind::Message, payload, log_time);
    }

    fn picture(&self, kind: PictureKind, data: &[u8], log_time: u64) {
        self.push(kind, data, log_time);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::captured::Captured;
    use super::*;
    use crate::context::Context;

    /// Conversions run on threads of the pool; here on the test's own, whose log can be read.
    #[test]
    fn p_163_too_small_pictures_are_logged_at_most_every_thirty_seconds() {
        let context = Context::new();
        let channel = context.channel("/camera").encoding("json").open().unwrap();
        let pool = VideoPool::new(Arc::default());
        let publisher =
            Publisher::new(PublisherId(1), channel.channel_ref(), &ChannelVideo::default(), pool, Arc::default());
        let log = Captured::start();
        let shown = |count: usize| {
            let kind = PictureKind::Pixels { layout: PixelLayout::Rgb8, width: 4, height: 4, stride: 12 };
            let before = log.lines("WARN").len();
            for _ in 0..count {
                publisher.push(kind, &[0; 4 * 4 * 3], 0);
                publisher.run_one(|| {});
            }
            log.lines("WARN").split_off(before)
        };
        // Fewer than those that are told to the viewers.
        let first = shown(4);
        assert!(first.len() == 1 && first[0].contains("too small for a video"), "{first:?}");
        let logged_before = |time| publisher.work.lock().small_logged = Instant::now().checked_sub(time);
        logged_before(LOG_INTERVAL - Duration::from_secs(5));
        assert_eq!(shown(1), [""; 0]);
        logged_before(LOG_INTERVAL);
        assert_eq!(shown(2).len(), 1);
        assert_eq!(publisher.counters.read().too_small, 7, "each is counted");
    }
}
