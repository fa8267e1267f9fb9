//! What the port suite needs of an adapter under test, and waiting helpers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use telelink::room::{
    ByteReader, Connector, Identity, JoinRequest, Joined, Participant, RemoteDataTrack, Room, RoomError, RoomEvent,
    RoomEvents, RoomOptions, Secret,
};

/// A server to run the suite against. The same tests run on the memory room and on a real server.
pub(crate) trait Stage: Send + Sync {
    fn connector(&self) -> Arc<dyn Connector>;
    fn url(&self) -> String;
    fn token(&self, room: &str, identity: &str) -> Secret;
    /// A token the server must refuse.
    fn bad_token(&self, room: &str, identity: &str) -> Secret;
}

/// Bounds a wait that a broken adapter would never end.
pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), wait).await {
        Ok(value) => value,
        Err(_) => panic!("waited 20 s for {what}"),
    }
}

pub(crate) fn request(stage: &dyn Stage, token: Secret) -> JoinRequest {
    JoinRequest { url: stage.url(), token, options: RoomOptions::default() }
}

/// Somebody in a room, with the events not looked at yet.
pub(crate) struct Member {
    pub(crate) room: Arc<dyn Room>,
    pub(crate) local: Participant,
    pub(crate) listed: Vec<Participant>,
    pub(crate) events: RoomEvents,
}

pub(crate) async fn join(stage: &dyn Stage, room: &str, identity: &str) -> Member {
    let request = request(stage, stage.token(room, identity));
    let joined = soon("a join", stage.connector().join(request)).await;
    let Joined { room, local, participants, events } = joined.unwrap_or_else(|error| panic!("join: {error}"));
    Member { room, local, listed: participants, events }
}

impl Member {
    pub(crate) fn identity(&self) -> Identity {
        self.local.identity.clone()
    }

    /// The next event that `pick` takes; others are skipped.
    pub(crate) async fn event<T>(&mut self, what: &str, mut pick: impl FnMut(RoomEvent) -> Option<T>) -> T {
        soon(what, async {
            loop {
                let event = self.events.recv().await.unwrap_or_else(|| panic!("the events ended before {what}"));
                if let Some(value) = pick(event) {
                    return value;
                }
            }
        })
        .await
    }

    pub(crate) async fn stream(&mut self) -> Stream {
        self.event("a byte stream", |event| match event {
            RoomEvent::ByteStreamOpened { topic, sender, sender_sid, reader } => {
                Some(Stream { topic, sender, sender_sid: sender_sid.map(|sid| sid.to_string()), reader })
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn active(&mut self, identity: &str) -> Participant {
        self.event("an active participant", |event| match event {
            RoomEvent::ParticipantActive(p) if p.identity.as_str() == identity => Some(p),
            _ => None,
        })
        .await
    }

    pub(crate) async fn gone(&mut self, sid: &str) {
        self.event("a participant leaving", |event| match event {
            RoomEvent::ParticipantDisconnected { sid: gone, .. } if gone.as_str() == sid => Some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn track(&mut self, name: &str) -> RemoteDataTrack {
        self.event("a data track", |event| match event {
            RoomEvent::DataTrackPublished(track) if track.name == name => Some(track),
            _ => None,
        })
        .await
    }
}

pub(crate) struct Stream {
    pub(crate) topic: String,
    pub(crate) sender: Identity,
    pub(crate) sender_sid: Option<String>,
    pub(crate) reader: ByteReader,
}

/// Reads `length` bytes; chunk edges mean nothing.
pub(crate) async fn read_exact(reader: &mut ByteReader, length: usize) -> Bytes {
    let mut all = BytesMut::new();
    while all.len() < length {
        let chunk = soon("bytes", reader.next()).await;
        all.extend_from_slice(&chunk.expect("the stream ended early").expect("the stream broke"));
    }
    assert_eq!(all.len(), length, "more bytes than were sent");
    all.freeze()
}

/// Reads until the end, and says how it ended.
pub(crate) async fn read_all(reader: &mut ByteReader) -> (Bytes, Result<(), RoomError>) {
    let mut all = BytesMut::new();
    loop {
        match soon("the end of a stream", reader.next()).await {
            Some(Ok(chunk)) => all.extend_from_slice(&chunk),
            Some(Err(error)) => return (all.freeze(), Err(error)),
            None => return (all.freeze(), Ok(())),
        }
    }
}
