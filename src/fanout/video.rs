//! The queue between `log` and the conversion of a channel's pictures (S-236): the newest two, in buffers used again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

/// S-236: pictures that wait; then the oldest goes.
const MAX_WAITING: usize = 2;
/// Buffers kept for the next pictures: two that wait, one in conversion.
const MAX_SPARE: usize = 3;
/// Largest picture taken, bytes. The largest that the conversion would accept, 8192 × 8192 at four bytes a pixel, and a
/// message around it.
const MAX_BYTES: usize = (256 << 20) + (64 << 10);

/// Takes the messages of a channel for its video track. Called on the thread that logs: must not block.
pub trait VideoTap: Send + Sync + 'static {
    /// A message of the channel.
    fn message(&self, payload: &[u8], log_time: u64);
    /// A picture that has no message.
    fn picture(&self, kind: PictureKind, data: &[u8], log_time: u64);
}

/// What the bytes of a waiting picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureKind {
    /// A message of the channel's encoding and schema.
    Message,
    /// Pixels.
    Pixels {
        /// How they lie in memory.
        layout: PixelLayout,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// From row to row, bytes.
        stride: u32,
    },
    /// A JPEG file.
    Jpeg,
    /// An access unit of H.264, to be sent as it is.
    H264 {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// A decoder can start here.
        key_frame: bool,
    },
}

/// Pixel formats of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelLayout {
    /// Planes Y, U, V.
    I420,
    /// A plane Y, a plane of U and V in turn.
    Nv12,
    /// Three bytes per pixel.
    Rgb8,
    /// Three bytes per pixel.
    Bgr8,
    /// Four bytes per pixel.
    Rgba8,
    /// Four bytes per pixel.
    Bgra8,
    /// One byte per pixel.
    Mono8,
    /// 4:2:2, Y first.
    Yuyv,
    /// 4:2:2, U first.
    Uyvy,
}

/// A picture taken out of the queue. Give its buffer back with [`VideoQueue::recycle`].
#[derive(Debug)]
pub struct WaitingPicture {
    /// What the bytes are.
    pub kind: PictureKind,
    /// Log time, ns since the Unix epoch.
    pub log_time: u64,
    /// The bytes.
    pub data: Vec<u8>,
    /// The picture before this one was pushed out of the queue.
    pub after_gap: bool,
}

/// Counters of one channel's video since the session started.
#[derive(Debug, Default)]
pub struct VideoCounters {
    frames_in: AtomicU64,
    overwritten: AtomicU64,
    oversize: AtomicU64,
    not_published: AtomicU64,
    too_small: AtomicU64,
    failed: AtomicU64,
    converted: AtomicU64,
    sent: AtomicU64,
    refused: AtomicU64,
}

/// A reading of [`VideoCounters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VideoCounts {
    /// Pictures logged while somebody watched.
    pub frames_in: u64,
    /// Pushed out of the queue of two by newer ones: the conversion or the encoder is slower than the camera.
    pub overwritten: u64,
    /// Dropped for being larger than any picture that could be shown.
    pub oversize: u64,
    /// Dropped because the track went away before they could be sent.
    pub not_published: u64,
    /// Dropped for being smaller than 16×16 pixels (S-239).
    pub too_small: u64,
    /// Could not be read, decoded or converted, panics of the conversion included.
    pub failed: u64,
    /// Converted to planar pictures, or passed through encoded.
    pub converted: u64,
    /// Handed to the encoder.
    pub sent: u64,
    /// Refused by the encoder.
    pub refused: u64,
}

/// What became of a picture after it left the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoOutcome {
    /// See [`VideoCounts::not_published`].
    NotPublished,
    /// See [`VideoCounts::too_small`].
    TooSmall,
    /// See [`VideoCounts::failed`].
    Failed,
    /// See [`VideoCounts::converted`].
    Converted,
    /// See [`VideoCounts::sent`].
    Sent,
    /// See [`VideoCounts::refused`].
    Refused,
}

impl VideoCounters {
    /// Reads all counters.
    pub fn read(&self) -> VideoCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        VideoCounts {
            frames_in: get(&self.frames_in),
            overwritten: get(&self.overwritten),
            oversize: get(&self.oversize),
            not_published: get(&self.not_published),
            too_small: get(&self.too_small),
            failed: get(&self.failed),
            converted: get(&self.converted),
            sent: get(&self.sent),
            refused: get(&self.refused),
        }
    }

    /// Counts what became of a picture.
    pub fn count(&self, outcome: VideoOutcome) {
        let counter = match outcome {
            VideoOutcome::NotPublished => &self.not_published,
            VideoOutcome::TooSmall => &self.too_small,
            VideoOutcome::Failed => &self.failed,
            VideoOutcome::Converted => &self.converted,
            VideoOutcome::Sent => &self.sent,
            VideoOutcome::Refused => &self.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The newest pictures of one channel. Pushing never blocks: two short locks, and the copy between them.
#[derive(Debug)]
pub struct VideoQueue {
    counters: Arc<VideoCounters>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<WaitingPicture>,
    spare: Vec<Vec<u8>>,
    closed: bool,
}

impl VideoQueue {
    /// An empty queue.
    pub fn new(counters: Arc<VideoCounters>) -> Self {
        Self { counters, state: Mutex::default() }
    }

    /// Copies a picture in; the oldest of three goes. `false`: nothing was added.
    pub fn push(&self, kind: PictureKind, data: &[u8], log_time: u64) -> bool {
        self.counters.frames_in.fetch_add(1, Ordering::Relaxed);
        if data.len() > MAX_BYTES {
            self.counters.oversize.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let mut buffer = {
            let mut state = self.state.lock();
            if state.closed {
                return false;
            }
            state.spare.pop().unwrap_or_default()
        };
        // The one copy, outside the lock.
        buffer.clear();
        buffer.extend_from_slice(data);
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        if state.waiting.len() >= MAX_WAITING {
            if let Some(oldest) = state.waiting.pop_front() {
                Self::keep(&mut state, oldest.data);
                self.counters.overwritten.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(next) = state.waiting.front_mut() {
                next.after_gap = true;
            }
        }
        state.waiting.push_back(WaitingPicture { kind, log_time, data: buffer, after_gap: false });
        true
    }

    /// The oldest picture that waits.
    pub fn pop(&self) -> Option<WaitingPicture> {
        self.state.lock().waiting.pop_front()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.state.lock().waiting.is_empty()
    }

    /// Gives a buffer back, to be used again.
    pub fn recycle(&self, picture: WaitingPicture) {
        let mut state = self.state.lock();
        if !state.closed {
            Self::keep(&mut state, picture.data);
        }
    }

    /// Takes nothing more; what waits is dropped.
    pub fn close(&self) {
        let mut state = self.state.lock();
        let dropped = state.waiting.len() as u64;
        *state = State { closed: true, ..State::default() };
        self.counters.not_published.fetch_add(dropped, Ordering::Relaxed);
    }

    fn keep(state: &mut State, buffer: Vec<u8>) {
        if state.spare.len() < MAX_SPARE {
            state.spare.push(buffer);
        }
    }
}
