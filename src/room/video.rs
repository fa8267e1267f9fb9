//! Video tracks of the port: what is published, how, and what a viewer's side receives.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{BoxFuture, RoomError, Sid};

/// Codecs of a video track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// H.264: hardware encoders on most robots, decoded everywhere.
    H264,
    /// VP8: cheap in software.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1: the best picture for the bits, dear to encode.
    Av1,
    /// H.265: not decoded by every browser.
    H265,
}

/// Which encoder is preferred. One that the machine does not have is replaced by the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VideoEncoder {
    /// The library's own choice.
    #[default]
    Auto,
    /// In software.
    Software,
    /// Any hardware encoder.
    Hardware,
    /// NVIDIA NVENC.
    Nvenc,
    /// VA-API (Intel, AMD).
    Vaapi,
    /// Apple VideoToolbox.
    VideoToolbox,
}

/// How a video track is published. Simulcast is always off: one homogeneous audience, and it spares the robot (S-232).
#[derive(Debug, Clone, PartialEq)]
pub struct VideoTrackOptions {
    /// Codec.
    pub codec: VideoCodec,
    /// Preferred encoder. Of no meaning to an encoded track.
    pub encoder: VideoEncoder,
    /// Bounds of the encoder: bits per second, frames per second. `None`: the transport's own, by the picture's size.
    pub limits: Option<EncoderLimits>,
    /// The pictures come encoded: [`VideoTrack::capture_encoded`] instead of [`VideoTrack::capture`].
    pub encoded: bool,
    /// Size of the pictures, as far as it is known; a hint for the encoder's first choice of bit rate.
    pub size: (u32, u32),
    /// Each picture carries its capture time, for viewers that read LiveKit's frame metadata.
    pub capture_times: bool,
}

/// Bounds of an encoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderLimits {
    /// Bits per second.
    pub max_bitrate: u64,
    /// Frames per second.
    pub max_framerate: f64,
}

/// One picture for the encoder: planes Y, U, V one after the other without padding, BT.709 limited range, both sides even.
#[derive(Debug, Clone, Copy)]
pub struct VideoPicture<'a> {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// `width × height × 3 / 2` bytes.
    pub data: &'a [u8],
    /// When it was taken, µs. Any epoch.
    pub timestamp_us: i64,
}

/// One encoded picture.
#[derive(Debug, Clone, Copy)]
pub struct EncodedPicture<'a> {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// One access unit, H.264 in Annex B form with parameter sets before a key frame.
    pub data: &'a [u8],
    /// Whether a decoder can start here.
    pub key_frame: bool,
    /// When it was taken, µs. Any epoch.
    pub timestamp_us: i64,
}

/// What the encoder of one track does, as far as the transport tells.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct VideoTrackStats {
    /// Name of the encoder in use, for example `OpenH264`. Empty before the first frame.
    pub encoder: String,
    /// Whether the encoder says that it is power efficient, that is, hardware.
    pub hardware: bool,
    /// Size of the pictures sent, pixels; smaller than what was captured when bandwidth is short.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Frames per second sent.
    pub frames_per_second: f64,
    /// Frames encoded so far.
    pub frames_encoded: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Bytes sent so far.
    pub bytes_sent: u64,
}

/// A video track of ours. Dropping the last reference unpublishes it. All calls from any thread.
pub trait VideoTrack: Send + Sync + 'static {
    /// The SID it has now; the transport gives a new one with a full reconnect (S-275).
    fn sid(&self) -> Sid;

    /// Hands a picture to the encoder; it is copied before this returns. Takes a fraction of a millisecond, longer when
    /// the encoder is behind: never for a thread that logs.
    fn capture(&self, picture: &VideoPicture<'_>) -> Result<(), RoomError>;

    /// Hands an encoded picture to the transport; copied before this returns. `Ok(false)`: not taken.
    fn capture_encoded(&self, picture: &EncodedPicture<'_>) -> Result<bool, RoomError>;

    /// Whether somebody needs a key frame since the last call; only for encoded tracks.
    fn take_key_frame_request(&self) -> bool;

    /// What the encoder does.
    fn stats(&self) -> BoxFuture<Result<VideoTrackStats, RoomError>>;

    /// Unpublishes the track; resolves when the room has been told.
    fn unpublish(&self) -> BoxFuture<()>;
}

/// One decoded picture of a remote track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFrame {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Planes Y, U, V without padding; chroma sides rounded up.
    pub data: Vec<u8>,
    /// The transport's own time stamp, µs.
    pub timestamp_us: i64,
    /// When the picture was taken, as its publisher says: µs since the Unix epoch. `None`: it does not say.
    pub capture_time_us: Option<u64>,
}

/// The newest pictures of a remote track, the oldest dropped: nobody wants to see the past.
struct Pictures {
    state: Mutex<PicturesState>,
    changed: Notify,
    places: usize,
}

#[derive(Default)]
struct PicturesState {
    frames: VecDeque<VideoFrame>,
    dropped: u64,
    ended: bool,
    receiver_gone: bool,
}

/// A pipe of `places` pictures (at least 1).
pub fn video_pipe(places: usize) -> (VideoSink, VideoReceiver) {
    let pictures = Arc::new(Pictures { state: Mutex::default(), changed: Notify::new(), places: places.max(1) });
    (VideoSink { pictures: pictures.clone() }, VideoReceiver { pictures })
}

/// The adapter's end of a video subscription. Dropping it ends the pictures.
pub struct VideoSink {
    pictures: Arc<Pictures>,
}

impl VideoSink {
    /// Adds a picture; `false` when the receiver is gone.
    pub fn push(&self, frame: VideoFrame) -> bool {
        let mut state = self.pictures.state.lock();
        if state.receiver_gone {
            return false;
        }
        if state.frames.len() >= self.pictures.places {
            state.frames.pop_front();
            state.dropped += 1;
        }
        state.frames.push_back(frame);
        drop(state);
        self.pictures.changed.notify_one();
        true
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.pictures.state.lock().receiver_gone
    }
}

impl Drop for VideoSink {
    fn drop(&mut self) {
        self.pictures.state.lock().ended = true;
        self.pictures.changed.notify_one();
    }
}

/// The pictures of a remote video track. Dropping it ends the subscription.
pub struct VideoReceiver {
    pictures: Arc<Pictures>,
}

impl VideoReceiver {
    /// The next picture, `None` when the track is gone. Cancel safe.
    pub async fn recv(&mut self) -> Option<VideoFrame> {
        loop {
            {
                let mut state = self.pictures.state.lock();
                if let Some(frame) = state.frames.pop_front() {
                    return Some(frame);
                }
                if state.ended {
                    return None;
                }
            }
            self.pictures.changed.notified().await;
        }
    }

    /// Pictures dropped because this reader was too slow.
    pub fn dropped(&self) -> u64 {
        self.pictures.state.lock().dropped
    }
}

impl Drop for VideoReceiver {
    fn drop(&mut self) {
        let mut state = self.pictures.state.lock();
        state.receiver_gone = true;
        state.frames.clear();
    }
}
