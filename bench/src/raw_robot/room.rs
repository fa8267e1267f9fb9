//! The raw robot's room: a byte stream to everybody who comes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use telelink::protocol::data_track::data_track_name;
use telelink::protocol::schema::RELIABLE_KEY;
use telelink::protocol::{
    Advertise, AdvertisedSchema, ChannelAdvertisement, FrameDecoder, FromViewer, ServerInfo, ToViewer, CONTROL_TOPIC,
};
use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};
use telelink::room::{
    ByteReader, ByteStream, Connector, DataTrack, Identity, JoinRequest, Participant, Room, RoomEvent, RoomEvents,
    RoomOptions, Secret,
};

use super::sources::{LatestFrame, RawSource};

/// A joined room.
pub(crate) struct RawRoom {
    room: Arc<dyn Room>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    viewers: HashMap<Identity, (Arc<RawSource>, Option<ByteStream>)>,
    channels: BTreeMap<u64, ChannelAdvertisement>,
    subscriptions: BTreeSet<(u64, Identity)>,
    coalesce: bool,
}

impl RawRoom {
    pub(crate) async fn join(url: String, token: Secret) -> Result<Self, Box<dyn std::error::Error>> {
        let connector = LivekitConnector::new(Library::load(&LibraryOptions::default())?);
        let joined = connector.join(JoinRequest { url, token, options: RoomOptions::default() }).await?;
        let room = joined.room.clone();
        let shared = Arc::<Shared>::default();
        tokio::spawn(serve(room.clone(), shared.clone(), joined.participants, joined.events));
        Ok(Self { room, shared })
    }

    /// Publishes the data track of a channel.
    pub(crate) async fn publish(&self, channel: u64) -> (Arc<LatestFrame>, Arc<dyn DataTrack>) {
        let frame = Arc::<LatestFrame>::default();
        let track = self.room.publish_data_track(&data_track_name(channel), frame.clone()).await;
        (frame, track.unwrap_or_else(|error| panic!("the data track of channel {channel}: {error}")))
    }

    pub(crate) fn advertise(&self, channels: impl Iterator<Item = (u64, String, bool)>) {
        let mut state = self.shared.state.lock();
        let new: Vec<ChannelAdvertisement> = channels
            .map(|(id, topic, reliable)| ChannelAdvertisement {
                id,
                topic,
                encoding: "json".into(),
                schema: AdvertisedSchema::Inline(None),
                metadata: reliable.then(|| (RELIABLE_KEY.into(), "true".into())).into_iter().collect(),
            })
            .collect();
        state.channels.extend(new.iter().map(|channel| (channel.id, channel.clone())));
        state.tell(&ToViewer::Advertise(Advertise { schemas: Vec::new(), channels: new }));
    }

    pub(crate) fn unadvertise(&self, ids: &[u64]) {
        let mut state = self.shared.state.lock();
        state.channels.retain(|id, _| !ids.contains(id));
        state.tell(&ToViewer::Unadvertise { channel_ids: ids.to_vec() });
    }

    pub(crate) fn set_coalesce(&self, coalesce: bool) {
        let mut state = self.shared.state.lock();
        state.coalesce = coalesce;
        state.viewers.values().for_each(|(source, _)| source.set_coalesce(coalesce));
    }

    /// One message to everybody who subscribed.
    pub(crate) fn send(&self, channel: u64, log_time: u64, payload: &Arc<[u8]>) {
        let state = self.shared.state.lock();
        for (_, identity) in
            state.subscriptions.range((channel, Identity::from(""))..).take_while(|(id, _)| *id == channel)
        {
            if let Some((source, _)) = state.viewers.get(identity) {
                source.message(channel, log_time, payload.clone());
            }
        }
    }

    pub(crate) async fn leave(&self) {
        self.room.close().await;
    }
}

impl State {
    fn tell(&self, message: &ToViewer) {
        let frame = encode(message);
        self.viewers.values().for_each(|(source, _)| source.control(frame.clone()));
    }

    fn greet(&mut self, identity: Identity) -> Arc<RawSource> {
        let source = Arc::<RawSource>::default();
        source.set_coalesce(self.coalesce);
        source.control(encode(&ToViewer::ServerInfo(ServerInfo { name: "raw".into(), ..ServerInfo::default() })));
        if !self.channels.is_empty() {
            let channels = self.channels.values().cloned().collect();
            source.control(encode(&ToViewer::Advertise(Advertise { schemas: Vec::new(), channels })));
        }
        self.viewers.insert(identity, (source.clone(), None));
        source
    }
}

fn encode(message: &ToViewer) -> Bytes {
    message.to_frame().unwrap_or_else(|error| panic!("{error}"))
}

async fn serve(room: Arc<dyn Room>, shared: Arc<Shared>, there: Vec<Participant>, mut events: RoomEvents) {
    for participant in there.into_iter().filter(|participant| participant.active) {
        welcome(&room, &shared, participant.identity).await;
    }
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::ParticipantActive(participant) => welcome(&room, &shared, participant.identity).await,
            RoomEvent::ParticipantDisconnected { identity, .. } => {
                shared.state.lock().viewers.remove(&identity);
            }
            RoomEvent::ByteStreamOpened { reader, sender, .. } => {
                tokio::spawn(listen(shared.clone(), sender, reader));
            }
            _ => (),
        }
    }
}

/// Opens a stream to a viewer, unless it has one: LiveKit says "active" more than once.
async fn welcome(room: &Arc<dyn Room>, shared: &Shared, identity: Identity) {
    if shared.state.lock().viewers.contains_key(&identity) {
        return;
    }
    let source = shared.state.lock().greet(identity.clone());
    match room.open_byte_stream(CONTROL_TOPIC, std::slice::from_ref(&identity), source).await {
        Ok(stream) => {
            if let Some(viewer) = shared.state.lock().viewers.get_mut(&identity) {
                viewer.1 = Some(stream);
            }
        }
        Err(error) => {
            eprintln!("raw robot: no stream to {identity}: {error}");
            shared.state.lock().viewers.remove(&identity);
        }
    }
}

/// Notes what a viewer subscribes to; all else that it says is of no interest here.
async fn listen(shared: Arc<Shared>, viewer: Identity, mut reader: ByteReader) {
    let mut frames = FrameDecoder::new(1 << 20);
    while let Some(Ok(chunk)) = reader.next().await {
        frames.push(chunk);
        while let Ok(Some(frame)) = frames.next() {
            let mut state = shared.state.lock();
            match FromViewer::decode(&frame) {
                Ok(FromViewer::Subscribe { channels }) => {
                    state.subscriptions.extend(channels.iter().map(|channel| (channel.id, viewer.clone())));
                }
                Ok(FromViewer::Unsubscribe { channel_ids }) => {
                    state.subscriptions.retain(|(id, who)| *who != viewer || !channel_ids.contains(id));
                }
                _ => (),
            }
        }
    }
}
