//! Watching video with a `telelink_test_viewer`.

use super::viewer::{ms, telelink_test_viewer, timeout, too_late};
use crate::capi::guard::guard;
use crate::capi::handle;
use crate::capi::sized;
use crate::capi::status::telelink_status;
use crate::capi::view::{self, telelink_bytes, telelink_str};

/// A picture that a viewer saw. Set up with telelink_test_frame_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_test_frame {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// The robot's channel.
    pub channel_id: u64,
    /// Planes Y, U, V without padding, BT.709 limited range; for encoded sources the bytes as pushed.
    pub data: telelink_bytes,
    /// When it was taken, microseconds since the Unix epoch.
    pub capture_time_us: u64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

sized_struct!(
    telelink_test_frame,
    first_size: size_of::<telelink_test_frame>(),
    defaults: telelink_test_frame {
        struct_size: size_of::<telelink_test_frame>(),
        channel_id: 0,
        data: telelink_bytes { data: std::ptr::null(), len: 0 },
        capture_time_us: 0,
        width: 0,
        height: 0,
    },
);

/// Fills a frame with the defaults.
///
/// @param frame        Written.
/// @param struct_size  sizeof *frame.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `frame` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_frame_init(
    frame: *mut telelink_test_frame,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(frame, struct_size, "frame") })
}

/// Waits for a channel of that topic and watches it as video, instead of taking its messages. When this returns, the next
/// picture is for this viewer. telelink_test_viewer_unsubscribe() ends it.
///
/// @param viewer      Borrowed.
/// @param topic       Borrowed.
/// @param timeout_ms  How long each step may take, milliseconds.
/// @return TELELINK_STATUS_OK             watching
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` is NULL, or `topic` has no data
///         TELELINK_STATUS_INVALID_UTF8   `topic` is not UTF-8
///         TELELINK_STATUS_TIMEOUT        no such channel, or its video track did not come
/// @threading One thread at a time for one viewer, blocks. Not inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_watch(
    viewer: *const telelink_test_viewer,
    topic: telelink_str,
    timeout_ms: u64,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL, and a readable view.
        let (viewer, topic) = unsafe { (handle::borrow(viewer, "viewer")?, view::text(topic, "topic")?) };
        viewer.peer.watch(topic, ms(timeout_ms)).map_err(timeout)
    })
}

/// The next picture of the channels that are watched.
///
/// @param viewer      Borrowed.
/// @param timeout_ms  How long to wait for it, milliseconds.
/// @param frame       Set up with telelink_test_frame_init(); written. Its data is borrowed until the next call of this
///                    function on this viewer.
/// @return TELELINK_STATUS_OK             here it is
///         TELELINK_STATUS_NULL_ARGUMENT  `viewer` or `frame` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    `frame` was not set up
///         TELELINK_STATUS_TIMEOUT        none came
/// @threading One thread at a time for one viewer, blocks. Not inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_viewer_next_frame(
    viewer: *const telelink_test_viewer,
    timeout_ms: u64,
    frame: *mut telelink_test_frame,
) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live viewer or NULL.
        let viewer = unsafe { handle::borrow(viewer, "viewer") }?;
        // SAFETY: the header asks for NULL or a struct that was set up.
        let size = unsafe { sized::read(frame, "frame") }?.struct_size;
        let next = viewer.peer.next_frame(ms(timeout_ms)).map_err(too_late("no picture came"))?;
        let mut last = viewer.last.lock();
        let (channel_id, next) = last.frame.insert(next);
        let value = telelink_test_frame {
            struct_size: size,
            channel_id: *channel_id,
            data: telelink_bytes::of(&next.data),
            capture_time_us: next.capture_time_us.unwrap_or_default(),
            width: next.width,
            height: next.height,
        };
        // SAFETY: `read` has checked the size, which the caller vouches for.
        unsafe { sized::write(frame, size, value, "frame") }
    })
}
