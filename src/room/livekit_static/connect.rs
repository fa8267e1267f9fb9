//! Joining a room.

use livekit::webrtc::peer_connection_factory::{ContinualGatheringPolicy, IceServer, IceTransportsType};
use livekit::RoomDataStreamOptions;

use super::room::RoomState;
use super::runtime;
use crate::room::livekit_common::join::{checked_request, failure, no_answer, GRACE};
use crate::room::livekit_common::redact::error_text;
use crate::room::{self, BoxFuture, Connector, JoinError, JoinErrorKind, JoinRequest, Joined, RoomError};

/// Makes rooms with the LiveKit crates. Automatic subscription is off; a failed attempt is not repeated here.
///
/// Dropping a join future leaves nothing behind: a connection that succeeds later is left again at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct LivekitStaticConnector;

impl LivekitStaticConnector {
    /// Makes a connector. LiveKit's threads start with the first join, which must not be before a `fork`.
    pub fn new() -> Self {
        Self
    }
}

impl Connector for LivekitStaticConnector {
    fn join(&self, request: JoinRequest) -> BoxFuture<Result<Joined, JoinError>> {
        Box::pin(join(request))
    }
}

async fn join(request: JoinRequest) -> Result<Joined, JoinError> {
    let url = checked_request(&request)?;
    let JoinRequest { token, options, .. } = request;
    let runtime = runtime::handle().map_err(|error| JoinError::new(JoinErrorKind::Library, error))?;
    let connecting = {
        let panics = options.panics.clone();
        let (url, token, options) = (url.clone(), token.clone(), room_options(&options));
        async move {
            let connected = livekit::Room::connect(&url, token.expose(), options).await;
            // Nobody takes the room: dropping it leaves it.
            connected.map(|(room, events)| RoomState::start(runtime.clone(), panics, room, events))
        }
    };
    match runtime::carry_out(runtime, "joining", options.connect_timeout + GRACE, connecting).await {
        Ok(Ok(joined)) => Ok(joined),
        Ok(Err(error)) => Err(failure(&url, &error_text(&error.to_string(), token.expose()))),
        Err(RoomError::Timeout(_)) => Err(no_answer(options.connect_timeout)),
        Err(error) => Err(failure(&url, &error.to_string())),
    }
}

fn room_options(options: &room::RoomOptions) -> livekit::RoomOptions {
    let mut room = livekit::RoomOptions::default();
    room.auto_subscribe = false;
    room.adaptive_stream = false;
    room.dynacast = false;
    room.join_retries = 0;
    room.connect_timeout = options.connect_timeout;
    // What the LiveKit server is told about the client: the SDK inside, and our version, as the other adapter does.
    room.sdk_options.sdk_version = env!("CARGO_PKG_VERSION").into();
    // A control stream lives as long as its session: what it may carry in all has no bound, what may wait has (incoming.rs).
    room.data_stream = RoomDataStreamOptions::default().with_max_payload_byte_length(usize::MAX);
    // Given servers replace those the LiveKit server names.
    if !options.ice_servers.is_empty() {
        room.rtc_config.ice_servers = options.ice_servers.iter().map(ice_server).collect();
        room.rtc_config.ice_transport_type = IceTransportsType::All;
        room.rtc_config.continual_gathering_policy = ContinualGatheringPolicy::GatherContinually;
    }
    room
}

fn ice_server(server: &room::IceServer) -> IceServer {
    IceServer {
        urls: server.urls.clone(),
        username: server.username.clone().unwrap_or_default(),
        password: server.password.as_ref().map(|password| password.expose().to_owned()).unwrap_or_default(),
    }
}
