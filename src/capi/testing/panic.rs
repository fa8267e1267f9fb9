//! Panics inside the library, made on purpose.

use crate::capi::guard::guard;
use crate::capi::handle;
use crate::capi::session::telelink_session;
use crate::capi::status::{telelink_status, Failure};
use crate::session::PanicPoint;

/// A part of the library that can be made to panic.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_test_panic_point {
    /// The task that owns the session: it ends in shutdown, with the reason TELELINK_STATUS_PANIC.
    Owner = 0,
    /// The thread of the session's events, outside of your callback: the next event is lost.
    Callbacks = 1,
    /// A thread of request handlers, outside of your handler: the next request fails.
    Handlers = 2,
    /// The task that gets the session its rooms, when it joins again: the session ends like that of the owner.
    Gateway = 3,
    /// The next viewer's control stream: it starts anew.
    Room = 4,
    /// The conversion of the next picture for video: that picture is lost.
    Video = 5,
}

/// Makes a part of the library panic at its next step: what a robot sees of a fault of telelink, and that it survives.
///
/// @param session  Borrowed.
/// @param point    A telelink_test_panic_point.
/// @return TELELINK_STATUS_OK             armed
///         TELELINK_STATUS_NULL_ARGUMENT  `session` is NULL
///         TELELINK_STATUS_INVALID_VALUE  `point` is no telelink_test_panic_point
/// @threading Any thread, never blocks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_test_inject_panic(session: *const telelink_session, point: i32) -> telelink_status {
    guard(|| {
        // SAFETY: the header asks for a live session or NULL.
        let session = &unsafe { handle::borrow(session, "session") }?.session;
        let point = match point {
            0 => PanicPoint::Owner,
            1 => PanicPoint::Callbacks,
            2 => PanicPoint::Handlers,
            3 => PanicPoint::Gateway,
            4 => PanicPoint::Room,
            5 => PanicPoint::Picture,
            _ => {
                let text = format!("point is {point}, which is no telelink_test_panic_point");
                return Err(Failure::new(telelink_status::InvalidValue, text));
            }
        };
        session.inject_panic(point);
        Ok(())
    })
}
