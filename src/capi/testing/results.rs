//! What a `telelink_test_viewer` hands out: messages, statuses, answers.

use crate::capi::guard::guard;
use crate::capi::sized;
use crate::capi::status::telelink_status;
use crate::capi::view::{telelink_bytes, telelink_str};

/// A message that a viewer got. Set up with telelink_test_message_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_test_message {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// The robot's channel.
    pub channel_id: u64,
    /// Its topic.
    pub topic: telelink_str,
    /// The bytes.
    pub payload: telelink_bytes,
    /// Log time, nanoseconds since the Unix epoch.
    pub log_time_ns: u64,
    /// 1 when it came over the lossy path, else 0.
    pub lossy: u32,
    /// Not used; 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_test_message,
    first_size: size_of::<telelink_test_message>(),
    defaults: telelink_test_message {
        struct_size: size_of::<telelink_test_message>(),
        channel_id: 0,
        topic: telelink_str::EMPTY,
        payload: telelink_bytes { data: std::ptr::null(), len: 0 },
        log_time_ns: 0,
        lossy: 0,
        reserved: 0,
    },
);

/// The answer of a service call. Set up with telelink_test_answer_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_test_answer {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Encoding of the response.
    pub encoding: telelink_str,
    /// The response.
    pub payload: telelink_bytes,
    /// Why the call failed.
    pub message: telelink_str,
    /// 1 when the call failed, else 0.
    pub failed: u32,
    /// Not used; 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_test_answer,
    first_size: size_of::<telelink_test_answer>(),
    defaults: telelink_test_answer {
        struct_size: size_of::<telelink_test_answer>(),
        encoding: telelink_str::EMPTY,
        payload: telelink_bytes { data: std::ptr::null(), len: 0 },
        message: telelink_str::EMPTY,
        failed: 0,
        reserved: 0,
    },
);

/// A status that a viewer got. Set up with telelink_test_status_init().
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct telelink_test_status {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// The text.
    pub message: telelink_str,
    /// Its id, or empty.
    pub id: telelink_str,
    /// A telelink_status_level.
    pub level: i32,
    /// Not used; 0.
    pub reserved: u32,
}

sized_struct!(
    telelink_test_status,
    first_size: size_of::<telelink_test_status>(),
    defaults: telelink_test_status {
        struct_size: size_of::<telelink_test_status>(),
        message: telelink_str::EMPTY,
        id: telelink_str::EMPTY,
        level: 0,
        reserved: 0,
    },
);

/// Fills the struct with zeros and its size.
///
/// @param message      Written.
/// @param struct_size  sizeof *message.
/// @return TELELINK_STATUS_OK, TELELINK_STATUS_NULL_ARGUMENT or TELELINK_STATUS_STRUCT_SIZE
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_message_init(
    message: *mut telelink_test_message,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(message, struct_size, "message") })
}

/// Fills the struct with zeros and its size.
///
/// @param answer       Written.
/// @param struct_size  sizeof *answer.
/// @return TELELINK_STATUS_OK, TELELINK_STATUS_NULL_ARGUMENT or TELELINK_STATUS_STRUCT_SIZE
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_answer_init(
    answer: *mut telelink_test_answer,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(answer, struct_size, "answer") })
}

/// Fills the struct with zeros and its size.
///
/// @param status       Written.
/// @param struct_size  sizeof *status.
/// @return TELELINK_STATUS_OK, TELELINK_STATUS_NULL_ARGUMENT or TELELINK_STATUS_STRUCT_SIZE
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_status_init(
    status: *mut telelink_test_status,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(status, struct_size, "status") })
}
