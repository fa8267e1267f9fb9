//! Session options and their validation (S-50, S-51, section 21 of session.md).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::context::{ChannelRef, Qos};
use crate::protocol::Capability;

use super::lease::check_name;
use super::video::{VideoOptions, VideoSuppressor};
use super::{
    AssetHandler, Authorizer, ControlLeaseOptions, Error, ErrorKind, Listener, ParameterHandler, Policy, Service,
};

/// Asked once per channel: expose it to viewers?
pub type ChannelFilter = Arc<dyn Fn(&ChannelRef) -> bool + Send + Sync>;
/// Asked once per channel: how do its messages travel? Overrides the channel's own [`Qos`].
pub type QosClassifier = Arc<dyn Fn(&ChannelRef) -> Qos + Send + Sync>;

/// What viewers may do. Each is off until the robot enables it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionCapability {
    /// Viewers may advertise channels and publish on them.
    ClientPublish,
    /// Viewers may read and write parameters.
    Parameters,
    /// Viewers may call services. Implied by a service in the options.
    Services,
    /// Viewers may follow the connection graph.
    ConnectionGraph,
    /// Viewers may fetch assets.
    Assets,
}

impl SessionCapability {
    /// The strings of `serverInfo` (P-66).
    pub(crate) fn on_wire(self) -> &'static [Capability] {
        match self {
            Self::ClientPublish => &[Capability::ClientPublish],
            Self::Parameters => &[Capability::Parameters, Capability::ParametersSubscribe],
            Self::Services => &[Capability::Services],
            Self::ConnectionGraph => &[Capability::ConnectionGraph],
            Self::Assets => &[Capability::Assets],
        }
    }
}

/// Options of a session. Every field has a usable default.
#[derive(Clone, Default)]
pub struct SessionOptions {
    /// Robot name in `serverInfo`, at most 1,024 bytes. Empty: `TELELINK_NAME` in the environment.
    pub name: String,
    /// Further `serverInfo` metadata, names and values together at most 64 KiB. `fg-library` is set by the library and overwrites an entry of that name (S-77).
    pub metadata: BTreeMap<String, String>,
    /// What viewers may do. Duplicates are ignored.
    pub capabilities: Vec<SessionCapability>,
    /// Encodings of messages and calls that the robot reads, for example `json`: a hint for viewers, who may publish in
    /// others all the same, and what a service without a request encoding accepts. At most 16 KiB together, those of the
    /// services' requests included.
    pub supported_encodings: Vec<String>,
    /// Session id in `serverInfo`, at most 1,024 bytes. Default empty.
    pub session_id: String,
    /// Services offered from the start; more come by [`add_services`](crate::gateway::Session::add_services). One that
    /// viewers cannot be shown (a text schema that is not UTF-8, more than a message of 16 MiB holds) is left out, with an
    /// error in the log (P-143).
    pub services: Vec<Service>,
    /// Receives the session's events.
    pub listener: Option<Arc<dyn Listener>>,
    /// Answers viewers' parameter requests. Implies the capability. Default: the listener's own callbacks do.
    pub parameter_handler: Option<Arc<dyn ParameterHandler>>,
    /// Serves assets. Implies the capability, which cannot be had without it.
    pub asset_handler: Option<AssetHandler>,
    /// A parameter or asset request unanswered for so long fails, its slot is free again, and a later answer goes
    /// nowhere (S-215). Default: none. Services have their own, [`Service::timeout`].
    pub request_timeout: Option<Duration>,
    /// Which channels viewers see. Default all.
    pub channel_filter: Option<ChannelFilter>,
    /// How channels travel. Default: as each channel says itself.
    pub qos_classifier: Option<QosClassifier>,
    /// Which image channels are delivered as data only. Asked once per image channel. Default none.
    pub suppress_video: Option<VideoSuppressor>,
    /// How image channels become video.
    pub video: VideoOptions,
    /// Limits.
    pub limits: Limits,
    /// What viewers may do, by role. Default: everything that the robot enabled.
    pub policy: Option<Policy>,
    /// Asked for what the policy allows. Default: nobody is asked.
    pub authorizer: Option<Authorizer>,
    /// One viewer at a time holds control. Default off. Implies the capability [`SessionCapability::Services`] and the
    /// encoding `json`; names of services below [`RESERVED_SERVICES`](super::RESERVED_SERVICES) are telelink's own.
    pub control_lease: Option<ControlLeaseOptions>,
}

/// Limits of a session; each bounds what a slow or hostile viewer can cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Control frames that wait for one viewer, 16 to 1,048,576. Default 16,384 (design.md section 4). Beyond: reset.
    pub message_backlog_size: usize,
    /// Bytes that wait for one viewer, from 1 MiB. Default 32 MiB (S-115). Beyond: reset.
    pub message_backlog_bytes: usize,
    /// Bytes that wait for all viewers together, at least `message_backlog_bytes`. Default 256 MiB.
    pub session_backlog_bytes: usize,
    /// Largest message on a data track, bytes, from 1200. Default 102,400 (P-156). A larger one is dropped, counted, and its
    /// subscribers are warned; so is one of a reliable channel over 16 MiB - 17 bytes (P-133).
    pub max_data_track_message_size: usize,
    /// Lossy channels whose data track is published before anybody subscribes. Default 64; the others get theirs with
    /// the first subscriber (S-228).
    pub eager_data_tracks: usize,
    /// Whether the newest message of a lossy channel that is logged while its data track is being published is kept, and sent
    /// first (S-227). Default false: such messages are dropped and counted.
    pub latch_data_tracks: bool,
    /// Registered viewers, 1 to 1024. Default 64 (S-130). More get an error status and are not served.
    pub max_viewers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_backlog_size: 16_384,
            message_backlog_bytes: 32 << 20,
            session_backlog_bytes: 256 << 20,
            max_data_track_message_size: 102_400,
            eager_data_tracks: 64,
            latch_data_tracks: false,
            max_viewers: 64,
        }
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("name", &self.name)
            .field("capabilities", &self.capabilities)
            .field("supported_encodings", &self.supported_encodings)
            .field("services", &self.services.len())
            .field("limits", &self.limits)
            .field("policy", &self.policy)
            .field("control_lease", &self.control_lease)
            .finish_non_exhaustive()
    }
}

impl SessionOptions {
    /// Checks every value and applies what follows from others (P-67, S-50): services imply their capability and their
    /// request encodings.
    pub(crate) fn validated(mut self) -> Result<Self, Error> {
        self.limits.check()?;
        if let Some(lease) = &self.control_lease {
            lease.check()?;
            self.services.iter().try_for_each(|service| check_name(service.name()))?;
            // The lease's own services imply what the application's do.
            self.capabilities.push(SessionCapability::Services);
            self.supported_encodings.push("json".into());
        }
        self.video.check()?;
        if !self.services.is_empty() {
            self.capabilities.push(SessionCapability::Services);
        }
        if self.parameter_handler.is_some() {
            self.capabilities.push(SessionCapability::Parameters);
        }
        if self.asset_handler.is_some() {
            self.capabilities.push(SessionCapability::Assets);
        } else if self.capabilities.contains(&SessionCapability::Assets) {
            return Err(Error::new(ErrorKind::InvalidValue, "the assets capability needs an asset handler"));
        }
        // In order of first mention, no duplicates (P-66).
        let mut seen = Vec::new();
        self.capabilities.retain(|c| !seen.contains(c) && (seen.push(*c), true).1);
        for service in &self.services {
            if let Some(request) = service.request_schema() {
                self.supported_encodings.push(request.encoding.clone());
            }
        }
        let mut seen = Vec::new();
        self.supported_encodings.retain(|e| !seen.contains(e) && (seen.push(e.clone()), true).1);
        if let Some(service) = self.services.iter().find(|s| s.request_schema().is_none()) {
            if self.supported_encodings.is_empty() {
                return Err(Error::new(
                    ErrorKind::InvalidValue,
                    format!(
                        "service {} declares no request encoding, so supported_encodings must not be empty",
                        service.name()
                    ),
                ));
            }
        }
        if self.supported_encodings.iter().any(String::is_empty) {
            return Err(Error::new(ErrorKind::InvalidValue, "supported_encodings contains an empty string"));
        }
        self.check_server_info()?;
        Ok(self)
    }

    /// What a viewer is told first has to fit the smallest backlog, whatever JSON makes of it (S-51, P-33).
    fn check_server_info(&self) -> Result<(), Error> {
        let metadata = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        let encodings = self.supported_encodings.iter().map(String::len).sum();
        check_size("name", self.name.len(), MAX_NAME)?;
        check_size("session_id", self.session_id.len(), MAX_NAME)?;
        check_size("metadata", metadata, MAX_METADATA)?;
        check_size("supported_encodings", encodings, MAX_ENCODINGS)
    }
}

/// Bytes of a name and of a session id, of all metadata, of all encodings.
const MAX_NAME: usize = 1024;
const MAX_METADATA: usize = 64 << 10;
const MAX_ENCODINGS: usize = 16 << 10;

/// Refuses a text that would not fit what it is sent in.
pub(super) fn check_size(what: &str, bytes: usize, most: usize) -> Result<(), Error> {
    if bytes <= most {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidValue, format!("{what} has {bytes} bytes, more than {most}")))
}

impl Limits {
    fn check(&self) -> Result<(), Error> {
        let ranges = [
            // S-51: a queue that cannot hold the first messages would reset its viewer for ever.
            ("message_backlog_size", self.message_backlog_size, 16, 1 << 20),
            ("message_backlog_bytes", self.message_backlog_bytes, 1 << 20, usize::MAX),
            ("session_backlog_bytes", self.session_backlog_bytes, self.message_backlog_bytes, usize::MAX),
            ("max_data_track_message_size", self.max_data_track_message_size, 1200, 16 << 20),
            ("max_viewers", self.max_viewers, 1, 1024),
        ];
        for (name, value, min, max) in ranges {
            let wrong = match name {
                _ if (min..=max).contains(&value) => continue,
                "session_backlog_bytes" => format!("less than message_backlog_bytes, which is {min}"),
                _ if max == usize::MAX => format!("less than {min}"),
                _ => format!("outside {min} to {max}"),
            };
            return Err(Error::new(ErrorKind::InvalidValue, format!("{name} is {value}, {wrong}")));
        }
        Ok(())
    }
}

/// Default bound of a blocking call that needs the session's owner task.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
