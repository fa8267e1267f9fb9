//! The control lease: one viewer at a time acts on the robot, and the robot hears when it no longer does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::rights::matches_any;
use super::{Client, Error, ErrorKind};

/// Services below this are telelink's own while the lease is on.
pub const RESERVED_SERVICES: &str = "/telelink/";
/// Takes control, when nobody has it.
pub const TAKE_CONTROL: &str = "/telelink/control/take";
/// Hands control over: `{"identity": "…"}` names a viewer that is there.
pub const HAND_OVER_CONTROL: &str = "/telelink/control/hand_over";
/// Gives control up.
pub const RELEASE_CONTROL: &str = "/telelink/control/release";
/// Says who has control.
pub const CONTROL_STATE: &str = "/telelink/control/state";
/// Id of the status that tells viewers who has control.
pub const CONTROL_STATUS: &str = "telelink-control";

/// Switches the control lease on.
///
/// One viewer at a time can hold control. It takes, hands over and releases it with services that telelink offers by
/// itself: [`TAKE_CONTROL`], [`HAND_OVER_CONTROL`], [`RELEASE_CONTROL`] and [`CONTROL_STATE`], all in JSON, answered with
/// `{"holder": identity or null, "you": whether the caller holds it, "timeout_ms": …}`. While somebody holds it, acting
/// messages of others (publish, call, set) are refused if they need it; while nobody does, everybody may act. A status
/// with the id [`CONTROL_STATUS`] tells every viewer who holds it. A viewer that knows nothing of this works as ever for
/// everything else.
///
/// Control ends when the holder releases it or hands it over, leaves, is reset, or when its heartbeat stops: the
/// protocol's ping, which viewers send every second. A viewer that lost control without giving it up (reset, silent) is
/// refused like others until it takes control again: what it sent before may still be on its way.
#[derive(Clone)]
pub struct ControlLeaseOptions {
    /// How old the holder's last ping may become, 0.5 s to 60 s. Default 3 s.
    pub timeout: Duration,
    /// Topics on which only the holder may publish, as patterns like those of
    /// [`RoleRules`](super::RoleRules). Default all.
    pub publish: Vec<String>,
    /// Services that only the holder may call. Default all; those of the lease itself are open to everybody.
    pub call: Vec<String>,
    /// Parameters that only the holder may set. Default all.
    pub set: Vec<String>,
    /// Is told who holds control, and when nobody does any more.
    pub listener: Option<Arc<dyn ControlListener>>,
}

impl Default for ControlLeaseOptions {
    fn default() -> Self {
        let all = || vec!["*".to_owned()];
        Self { timeout: Duration::from_secs(3), publish: all(), call: all(), set: all(), listener: None }
    }
}

impl fmt::Debug for ControlLeaseOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlLeaseOptions")
            .field("timeout", &self.timeout)
            .field("publish", &self.publish)
            .field("call", &self.call)
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

impl ControlLeaseOptions {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let range = Duration::from_millis(500)..=Duration::from_secs(60);
        if range.contains(&self.timeout) {
            return Ok(());
        }
        let text = format!("control_lease.timeout is {:?}, outside 0.5 s to 60 s", self.timeout);
        Err(Error::new(ErrorKind::InvalidValue, text))
    }
}

/// Why a viewer no longer holds control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlLost {
    /// It gave control up.
    Released,
    /// It handed control to another viewer, who is told of next.
    HandedOver,
    /// It left the room, or another connection of the same identity replaced it.
    Left,
    /// Its connection was restarted, because it could not keep up or its stream broke.
    Reset,
    /// Its heartbeat stopped: no ping within [`ControlLeaseOptions::timeout`].
    Silent,
    /// The robot left or lost the room, or the session ended.
    RoomLost,
}

impl fmt::Display for ControlLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Released => "released",
            Self::HandedOver => "handed over",
            Self::Left => "its holder left",
            Self::Reset => "its holder was reset",
            Self::Silent => "its holder's heartbeat stopped",
            Self::RoomLost => "the room was lost",
        })
    }
}

/// The dead man's handle. Both functions run, one after another and in order, on a thread that does nothing else
/// (`tl-deadman`), so neither a slow [`Listener`](super::Listener) nor blocked service handlers delay them; only they
/// themselves do: return quickly. They may call anything of telelink. A panic is caught, counted and logged.
///
/// Every [`on_control_taken`](Self::on_control_taken) is followed by one [`on_control_lost`](Self::on_control_lost) of
/// the same client, also when the session ends. When more than 64 calls wait for a function that does not return, pairs
/// of which neither was delivered are left out.
#[allow(unused_variables)]
pub trait ControlListener: Send + Sync + 'static {
    /// A viewer took control, or was handed it.
    fn on_control_taken(&self, client: &Client) {}
    /// The viewer no longer holds control: stop what must not go on without it. Called within 100 ms after the reason
    /// arose, which for [`ControlLost::Silent`] is the end of the timeout.
    ///
    /// Once it has been called, no [`Listener::on_message`](super::Listener::on_message) begins for a message that was
    /// published under the lease that ended: what its holder has published where control is needed and what still waits
    /// is discarded before, and counted ([`SessionStats::listener_messages_discarded`](super::SessionStats)). One that
    /// has begun by then, or is just being called, may go on meanwhile, on the session's callback thread: what both do
    /// to the motors is for the application to order, with a lock of its own.
    fn on_control_lost(&self, client: &Client, reason: ControlLost) {}
}

/// What the core has to know of the options.
#[derive(Debug, Clone)]
pub(crate) struct LeaseRules {
    pub(crate) timeout: Duration,
    publish: Vec<String>,
    call: Vec<String>,
    set: Vec<String>,
}

impl LeaseRules {
    pub(crate) fn new(options: &ControlLeaseOptions) -> Self {
        Self {
            timeout: options.timeout,
            publish: options.publish.clone(),
            call: options.call.clone(),
            set: options.set.clone(),
        }
    }

    pub(crate) fn publish_needs(&self, topic: &str) -> bool {
        matches_any(&self.publish, topic)
    }

    pub(crate) fn call_needs(&self, service: &str) -> bool {
        matches_any(&self.call, service)
    }

    pub(crate) fn set_needs(&self, parameter: &str) -> bool {
        matches_any(&self.set, parameter)
    }
}

/// The refusal of a service of the application whose name is telelink's own.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if !name.starts_with(RESERVED_SERVICES) {
        return Ok(());
    }
    let text =
        format!("service {name}: names below {RESERVED_SERVICES} are telelink's own while the control lease is on");
    Err(Error::new(ErrorKind::InvalidValue, text))
}
