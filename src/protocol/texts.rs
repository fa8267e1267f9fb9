//! The texts a viewer may see (section 12), and the ids of the statuses that come and go.

use super::version;

/// P-80, P-85.
pub const NO_CLIENT_PUBLISH: &str = "Server does not support clientPublish capability";
/// P-95, P-100.
pub const NO_PARAMETERS: &str = "Server does not support parameters capability";
/// P-103. Sent for want of the capability `parameters`, although it names the other.
pub const NO_PARAMETERS_SUBSCRIBE: &str = "Server does not support parametersSubscribe capability";
/// P-106.
pub const NO_CONNECTION_GRAPH: &str = "Server does not support connection graph capability";
/// P-108.
pub const NO_ASSETS: &str = "Server does not support assets capability";
/// P-97.
pub const TOO_MANY_PARAMETER_REQUESTS: &str = "Too many concurrent parameter requests";
/// P-98.
pub const PARAMETER_HANDLER_DROPPED: &str = "Internal server error: parameter handler failed to send a response";
/// For a get request that the robot has no handler for (S-213b; ours).
pub const NO_PARAMETER_HANDLER: &str = "This robot does not answer parameter requests";
/// A parameter request took too long (S-215; ours).
pub const PARAMETERS_TIMED_OUT: &str = "The parameter request was not answered in time";
/// A fetch took too long (S-215; ours).
pub const ASSET_TIMED_OUT: &str = "The asset was not served in time";
/// A call took too long (S-202; ours).
pub const SERVICE_TIMED_OUT: &str = "The service did not answer in time";
/// P-109.
pub const TOO_MANY_ASSET_REQUESTS: &str = "Too many concurrent fetch asset requests";
/// P-110.
pub const ASSET_HANDLER_DROPPED: &str = "Internal server error: asset handler failed to send a response";
/// P-87.
pub const NO_SERVICES: &str = "Server does not support services";
/// P-87.
pub const UNKNOWN_SERVICE: &str = "Unknown service";
/// P-87.
pub const UNSUPPORTED_ENCODING: &str = "Unsupported encoding";
/// P-87.
pub const TOO_MANY_SERVICE_CALLS: &str = "Too many requests";
/// P-90.
pub const SERVICE_HANDLER_DROPPED: &str = "Internal server error: service failed to send a response";

/// P-15; `advertised` is the raw attribute value, or the assumed version if there was none.
pub fn incompatible_version(advertised: &str) -> String {
    format!(
        "Remote access protocol version {advertised} is not compatible with this device (supported: {})",
        version::SPOKEN
    )
}

/// For a data subscription to an id that is not advertised, or no longer (S-159; ours, P-74 has no text). Worded as the WebSocket
/// protocol words it, which viewers know.
pub fn unknown_channel(channel_id: u64) -> String {
    format!("Unknown channel ID: {channel_id}")
}

/// P-73.
pub fn no_video(channel_id: u64) -> String {
    format!("Channel {channel_id} does not support video transcoding")
}

/// P-81; `error` is the text of a [`SchemaError`](super::SchemaError).
pub fn client_schema_error(channel_id: u32, error: &super::SchemaError) -> String {
    format!("Failed to decode schema for channel {channel_id}: {error}")
}

/// P-82.
pub fn already_advertised(channel_id: u32) -> String {
    format!("Client is already advertising channel: {channel_id}; ignoring advertisement")
}

/// P-86.
pub fn not_advertised(channel_id: u32) -> String {
    format!("Client has not advertised channel: {channel_id}")
}

/// P-118; `count` drops since the last report on `topic`, `limit` the message size limit in bytes.
pub fn dropped_oversize(count: u64, topic: &str, limit: u64) -> String {
    let noun = if count == 1 { "message" } else { "messages" };
    format!("Dropped {count} {noun} on topic {topic}: exceeds {} per-message size limit", format_size(limit))
}

/// Id of the status of [`dropped_oversize`] (P-118).
pub fn oversize_status_id(channel_id: u64) -> String {
    format!("channel-drops-{channel_id}")
}

/// P-121.
pub fn point_cloud_error(topic: &str, reason: &str) -> String {
    format!("point cloud compression error on topic {topic}: {reason}")
}

/// Id of the status of [`point_cloud_error`] (P-121).
pub fn point_cloud_status_id(channel_id: u64) -> String {
    format!("point-cloud-compression-{channel_id}")
}

/// A size in bytes as P-119 writes it: `512 bytes`, `1.17 KiB`, `100 KiB`, `2 MiB`.
pub fn format_size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    let (unit, name) = match bytes {
        0..KIB => return format!("{bytes} bytes"),
        KIB..MIB => (KIB, "KiB"),
        _ => (MIB, "MiB"),
    };
    let value = format!("{:.2}", bytes as f64 / unit as f64);
    format!("{} {name}", value.trim_end_matches('0').trim_end_matches('.'))
}
