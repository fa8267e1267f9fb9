//! Tests of the room port: what every adapter must do, and the memory room's own faults.

mod faults;
mod pipe;
mod port_suite;
mod reconnect;
mod repeat;
mod stage;
mod streams;
mod tracks;
mod video;

use std::sync::Arc;

use stage::{join, Member, Stage};
use telelink::room::memory::MemoryServer;
use telelink::room::{Connector, Secret};

/// The memory room as a stage of the port suite.
struct Memory(Arc<MemoryServer>);

impl Memory {
    fn new() -> Self {
        Self(MemoryServer::new())
    }
}

impl std::ops::Deref for Memory {
    type Target = Arc<MemoryServer>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Stage for Memory {
    fn connector(&self) -> Arc<dyn Connector> {
        self.0.connector()
    }
    fn url(&self) -> String {
        "memory://".into()
    }
    fn token(&self, room: &str, identity: &str) -> Secret {
        self.0.token(room, identity).build()
    }
    fn bad_token(&self, room: &str, identity: &str) -> Secret {
        self.0.token(room, identity).expired().build()
    }
}

/// A robot and a viewer that know each other, their first events taken.
async fn pair(server: &Memory) -> (Member, Member) {
    let mut robot = join(server, "yard", "robot").await;
    let viewer = join(server, "yard", "viewer").await;
    robot.active("viewer").await;
    (robot, viewer)
}

/// Lines that say which events are waiting, in order.
fn waiting_events(member: &mut Member) -> Vec<String> {
    std::iter::from_fn(|| member.events.try_recv().ok()).map(|event| line(&event)).collect()
}

fn line(event: &telelink::room::RoomEvent) -> String {
    use telelink::room::RoomEvent as E;
    match event {
        E::ParticipantConnected(p) => format!("connected {} {}", p.identity, p.sid),
        E::ParticipantActive(p) => format!("active {} {}", p.identity, p.sid),
        E::ParticipantUpdated(p) => format!("updated {} {:?}", p.identity, p.attributes),
        E::ParticipantDisconnected { identity, sid } => format!("disconnected {identity} {sid}"),
        E::ByteStreamOpened { topic, sender, .. } => format!("stream {topic} from {sender}"),
        E::DataTrackPublished(track) => format!("published {} {}", track.name, track.sid),
        E::DataTrackUnpublished { sid } => format!("unpublished {sid}"),
        E::VideoTrackPublished(track) => format!("video {}", track.name),
        E::VideoTrackUnpublished { sid } => format!("no video {sid}"),
        E::LocalVideoTrackRepublished { name, previous, sid } => format!("renewed {name} {previous} {sid}"),
        E::LocalVideoTrackLost { name, .. } => format!("lost video {name}"),
        E::LocalDataTrackLost { name } => format!("lost {name}"),
        E::QualityChanged { identity, quality } => format!("quality {identity} {quality:?}"),
        E::Reconnecting => "reconnecting".into(),
        E::Reconnected { full } => format!("reconnected full={full}"),
        E::TokenRefreshed(_) => "token".into(),
        E::Disconnected { reason } => format!("end {reason:?}"),
    }
}

mod memory_port {
    crate::port_suite!(#[tokio::test(start_paused = true)], crate::Memory::new());
}

/// The same suite on several threads and the real clock: nothing depends on the test runtime.
mod memory_port_threads {
    crate::port_suite!(#[tokio::test(flavor = "multi_thread", worker_threads = 2)], crate::Memory::new());
}
