//! Joining a room.

use std::sync::Arc;

use tokio::runtime;
use tokio::sync::oneshot;

use super::dispatch::{await_answer, dispatcher, Answer, Forget};
use super::library::Library;
use super::messages::{
    continual_gathering_policy, ice_transport_type, ConnectRequest, FfiRequest, IceServer, RoomOptions, RtcConfig,
};
use super::room::RoomState;
use crate::room::livekit_common::join::{checked_request, failure, no_answer, GRACE};
use crate::room::livekit_common::redact::error_text;
use crate::room::{self, BoxFuture, Connector, JoinError, JoinErrorKind, JoinRequest, Joined, RoomError};

/// Makes rooms with the LiveKit library. Automatic subscription is off; a failed attempt is not repeated here.
///
/// Dropping a join future leaves nothing behind: a connection that succeeds later is left again at once.
#[derive(Clone)]
pub struct LivekitConnector {
    library: Arc<Library>,
}

impl LivekitConnector {
    /// Makes a connector on the loaded library.
    pub fn new(library: Arc<Library>) -> Self {
        Self { library }
    }
}

impl Connector for LivekitConnector {
    fn join(&self, request: JoinRequest) -> BoxFuture<Result<Joined, JoinError>> {
        Box::pin(join(self.library.clone(), request))
    }
}

async fn join(library: Arc<Library>, request: JoinRequest) -> Result<Joined, JoinError> {
    let url = checked_request(&request)?;
    let JoinRequest { token, options, .. } = request;
    let (tx, rx) = oneshot::channel();
    let limit = options.connect_timeout + GRACE;
    let (rooms_library, runtime, panics) = (library.clone(), runtime::Handle::current(), options.panics.clone());
    let id = dispatcher().expect(limit, Vec::new(), move |answer| match answer {
        Answer::Connected(answer) => match (answer.result, answer.error) {
            // Nobody takes the room: dropping it leaves it.
            (Some(result), _) => drop(tx.send(Ok(RoomState::start(rooms_library, runtime, panics, result)))),
            (None, error) => drop(tx.send(Err(error.unwrap_or_default()))),
        },
        other => drop(tx.send(Err(other.unexpected().to_string()))),
    });
    let _forget = Forget(id);
    let connect = ConnectRequest {
        url: url.clone(),
        token: token.expose().to_owned(),
        options: room_options(&options),
        request_async_id: Some(id),
    };
    library.request(&FfiRequest { connect: Some(connect), ..Default::default() }).map_err(|error| {
        let why = match error {
            RoomError::Closed => "the LiveKit library was loaded before this process was forked".to_owned(),
            other => other.to_string(),
        };
        JoinError::new(JoinErrorKind::Library, why)
    })?;
    match await_answer(rx, "joining", limit).await {
        Ok(Ok(joined)) => Ok(joined),
        Ok(Err(text)) => Err(failure(&url, &error_text(&text, token.expose()))),
        Err(_) => Err(no_answer(options.connect_timeout)),
    }
}

fn room_options(options: &room::RoomOptions) -> RoomOptions {
    let servers = &options.ice_servers;
    RoomOptions {
        auto_subscribe: Some(false),
        adaptive_stream: Some(false),
        dynacast: Some(false),
        // Given servers replace those the LiveKit server names; the other two values are its defaults.
        rtc_config: (!servers.is_empty()).then(|| RtcConfig {
            ice_transport_type: Some(ice_transport_type::TRANSPORT_ALL),
            continual_gathering_policy: Some(continual_gathering_policy::GATHER_CONTINUALLY),
            ice_servers: servers.iter().map(ice_server).collect(),
        }),
        join_retries: Some(0),
        connect_timeout_ms: u64::try_from(options.connect_timeout.as_millis()).ok(),
    }
}

fn ice_server(server: &room::IceServer) -> IceServer {
    IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        password: server.password.as_ref().map(|password| password.expose().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_022_viewers_media_is_not_subscribed_by_itself() {
        let server = room::IceServer { urls: vec!["turn:x".into()], username: None, password: None };
        let rows =
            [room::RoomOptions::default(), room::RoomOptions { ice_servers: vec![server], ..Default::default() }];
        for options in rows {
            let sent = room_options(&options);
            assert_eq!(sent.auto_subscribe, Some(false));
            assert_eq!((sent.adaptive_stream, sent.dynacast, sent.join_retries), (Some(false), Some(false), Some(0)));
        }
    }
}
