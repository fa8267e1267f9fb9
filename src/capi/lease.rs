//! `telelink_control_lease`: one viewer at a time acts on the robot.

use std::ffi::c_void;
use std::sync::Arc;

use super::callback::Context;
use super::client::telelink_client;
use super::guard::{guard, is_exiting};
use super::sized;
use super::status::{telelink_status, Failure};
use super::view::{self, telelink_str};
use crate::session::{Client, ControlLeaseOptions, ControlListener, ControlLost};

/// Why a viewer no longer holds control.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum telelink_control_lost {
    /// It gave control up.
    Released = 0,
    /// It handed control to another viewer, who is told of next.
    HandedOver = 1,
    /// It left the room, or another connection of the same identity replaced it.
    Left = 2,
    /// Its connection was restarted, because it could not keep up or its stream broke.
    Reset = 3,
    /// Its heartbeat stopped: no ping within the timeout.
    Silent = 4,
    /// The robot left or lost the room, or the session ended.
    RoomLost = 5,
}

impl From<ControlLost> for telelink_control_lost {
    fn from(reason: ControlLost) -> Self {
        match reason {
            ControlLost::Released => Self::Released,
            ControlLost::HandedOver => Self::HandedOver,
            ControlLost::Left => Self::Left,
            ControlLost::Reset => Self::Reset,
            ControlLost::Silent => Self::Silent,
            ControlLost::RoomLost => Self::RoomLost,
        }
    }
}

/// Switches the control lease on, and says who is told of it. Set up with telelink_control_lease_init().
///
/// One viewer at a time can hold control. It takes, hands over and releases it with services that telelink offers by
/// itself, in JSON: `/telelink/control/take`, `/telelink/control/hand_over` with `{"identity": "..."}`,
/// `/telelink/control/release` and `/telelink/control/state`. While somebody holds it, what others publish, call and set
/// is refused where it is needed; while nobody does, everybody may act. A status with the id `telelink-control` tells
/// every viewer who holds it. While the lease is on, names of services below `/telelink/` are telelink's own:
/// TELELINK_STATUS_INVALID_VALUE.
///
/// Control ends when its holder releases it or hands it over, leaves or is reset, or when its heartbeat stops: the ping
/// that viewers send every second. A viewer that lost control without giving it up (reset, silent) is refused like others
/// until it takes control again: what it sent before may still be on its way.
///
/// The callbacks run one after another, in order, on a thread of their own, `tl-deadman`: nothing but they themselves
/// can delay them, so they should return quickly. Each `on_taken` is followed by one `on_lost`, also when the session
/// ends. They may call anything of telelink; arguments are borrowed for the callback. None runs after `drop` has begun.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct telelink_control_lease {
    /// Size of this struct as the caller knows it, bytes.
    pub struct_size: usize,
    /// Passed first to every function below. Consumed by telelink_session_create(), also on failure.
    pub context: *mut c_void,
    /// Exactly once, after the last callback; may be NULL.
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// A viewer took control, or was handed it. May be NULL.
    pub on_taken: Option<unsafe extern "C" fn(context: *mut c_void, client: *const telelink_client)>,
    /// The viewer no longer holds control: stop what must not go on without it. Called within 100 ms after the reason
    /// arose, which for a heartbeat that stops is the end of the timeout. May be NULL.
    ///
    /// Once it has been called, no `on_message` begins for a message that was published under the lease that ended: what
    /// its holder has published on the topics of `publish` and what still waits is discarded before, and counted
    /// (`discarded_incoming`). One `on_message` that has begun by then, or is just being called, may go on meanwhile, on
    /// the session's callback thread: what both do to the motors is for the application to order, with a lock of its own.
    pub on_lost: Option<
        unsafe extern "C" fn(context: *mut c_void, client: *const telelink_client, reason: telelink_control_lost),
    >,
    /// How old the holder's last ping may become, milliseconds, 500 to 60,000. Default 3,000.
    pub timeout_ms: u64,
    /// Topics on which only the holder may publish: patterns like those of telelink_role. Default all.
    pub publish: *const telelink_str,
    /// Number of them.
    pub publish_count: usize,
    /// Services that only the holder may call; those of the lease are open to everybody. Default all.
    pub call: *const telelink_str,
    /// Number of them.
    pub call_count: usize,
    /// Parameters that only the holder may set. Default all.
    pub set: *const telelink_str,
    /// Number of them.
    pub set_count: usize,
}

/// A pattern that the defaults can point to.
struct Everything([telelink_str; 1]);

// SAFETY: the view is of a static text, and neither is ever written.
unsafe impl Sync for Everything {}

static EVERYTHING: Everything = Everything([telelink_str { data: c"*".as_ptr(), len: 1 }]);

sized_struct!(
    telelink_control_lease,
    first_size: size_of::<telelink_control_lease>(),
    defaults: telelink_control_lease {
        struct_size: size_of::<telelink_control_lease>(),
        context: std::ptr::null_mut(),
        drop: None,
        on_taken: None,
        on_lost: None,
        timeout_ms: ControlLeaseOptions::default().timeout.as_millis() as u64,
        publish: EVERYTHING.0.as_ptr(),
        publish_count: EVERYTHING.0.len(),
        call: EVERYTHING.0.as_ptr(),
        call_count: EVERYTHING.0.len(),
        set: EVERYTHING.0.as_ptr(),
        set_count: EVERYTHING.0.len(),
    },
);

/// A lease as read from C, with its context owned: whatever fails later, `drop` runs.
pub(super) struct Lease {
    table: telelink_control_lease,
    context: Context,
}

// SAFETY: of the table only the function pointers are used after `options`; its context is the one `Context` answers for.
unsafe impl Send for Lease {}
// SAFETY: as above.
unsafe impl Sync for Lease {}

impl Lease {
    pub(super) fn new(table: telelink_control_lease, context: Context) -> Self {
        Self { table, context }
    }

    /// The options of the lease, which own this from now on.
    ///
    /// # Safety
    /// The patterns of the table must be readable.
    pub(super) unsafe fn options(self) -> Result<ControlLeaseOptions, Failure> {
        let table = &self.table;
        // SAFETY: the caller's promise.
        let (publish, call, set) = unsafe {
            (
                view::texts(table.publish, table.publish_count, "control_lease.publish")?,
                view::texts(table.call, table.call_count, "control_lease.call")?,
                view::texts(table.set, table.set_count, "control_lease.set")?,
            )
        };
        let timeout = view::duration(table.timeout_ms, "control_lease.timeout")?;
        Ok(ControlLeaseOptions { timeout, publish, call, set, listener: Some(Arc::new(self)) })
    }
}

impl ControlListener for Lease {
    fn on_control_taken(&self, client: &Client) {
        let Some(callback) = self.table.on_taken.filter(|_| !is_exiting()) else { return };
        // SAFETY: the function belongs to the table with this context; the client lives until it returns.
        unsafe { callback(self.context.get(), telelink_client::of(client)) };
    }

    fn on_control_lost(&self, client: &Client, reason: ControlLost) {
        let Some(callback) = self.table.on_lost.filter(|_| !is_exiting()) else { return };
        // SAFETY: as above.
        unsafe { callback(self.context.get(), telelink_client::of(client), reason.into()) };
    }
}

/// Fills a control lease with the defaults.
///
/// @param lease  Written.
/// @param struct_size  sizeof *lease.
/// @return TELELINK_STATUS_OK             filled
///         TELELINK_STATUS_NULL_ARGUMENT  `lease` is NULL
///         TELELINK_STATUS_STRUCT_SIZE    the header is newer than the library; nothing was written
/// @threading Any thread, never blocks, allowed inside callbacks.
/// @since 0.1
#[no_mangle]
pub unsafe extern "C" fn telelink_control_lease_init(
    lease: *mut telelink_control_lease,
    struct_size: usize,
) -> telelink_status {
    // SAFETY: the header asks for `struct_size` writable bytes.
    guard(|| unsafe { sized::init(lease, struct_size, "lease") })
}
