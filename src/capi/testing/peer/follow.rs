//! What the viewer keeps of what the room and the robot tell it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::MutexGuard;
use tokio::task::JoinHandle;

use super::{runtime, Answer, Message, Robot, Shared, State, Watcher, KEEP};
use crate::protocol::{
    data_track, FetchAssetResponse, Frame, FrameDecoder, FrameKind, FromViewer, ToViewer, CONTROL_TOPIC,
};
use crate::room::memory::ChannelSource;
use crate::room::{BoxFuture, ByteReader, FrameReceiver, Identity, RoomError, RoomEvent, RoomEvents, VideoReceiver};

/// Real viewers ping every second. More often, so that the shortest timeout of a control lease, 0.5 s, can be tested.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// JSON messages that are kept as they came.
const KEEP_JSON: usize = 4096;
/// Pictures that are kept; they are large.
const KEEP_FRAMES: usize = 64;

/// Follows the room's events.
pub(super) async fn follow(shared: Arc<Shared>, mut events: RoomEvents) {
    let mut control: Option<JoinHandle<()>> = None;
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::ByteStreamOpened { topic, sender, reader, .. } if topic == CONTROL_TOPIC => {
                // A new stream is a new beginning: everything is advertised again.
                if let Some(control) = control.take() {
                    control.abort();
                }
                meet(&shared, sender);
                control = Some(tokio::spawn(read_control(shared.clone(), reader)));
            }
            RoomEvent::VideoTrackPublished(track) => {
                if let Some(id) = data_track::parse_video_track_name(&track.name) {
                    let mut state = shared.state.lock();
                    state.videos.insert(id, track);
                    watch_track(&shared, &mut state, id);
                }
            }
            RoomEvent::VideoTrackUnpublished { sid } => {
                let mut state = shared.state.lock();
                state.videos.retain(|_, track| track.sid != sid);
                let gone: Vec<u64> = state.watchers.iter().filter(|(_, w)| w.sid == sid).map(|(id, _)| *id).collect();
                for id in gone {
                    if let Some(watcher) = state.watchers.remove(&id) {
                        watcher.task.abort();
                    }
                }
                shared.changed.notify_all();
            }
            RoomEvent::DataTrackPublished(track) => {
                if let Some(id) = data_track::parse_data_track_name(&track.name) {
                    let mut state = shared.state.lock();
                    state.tracks.insert(id, track);
                    read_track(&shared, &mut state, id);
                    shared.changed.notify_all();
                }
            }
            RoomEvent::DataTrackUnpublished { sid } => {
                let mut state = shared.state.lock();
                let gone: Vec<u64> = state.tracks.iter().filter(|(_, t)| t.sid == sid).map(|(id, _)| *id).collect();
                for id in gone {
                    state.tracks.remove(&id);
                    if let Some(reader) = state.readers.remove(&id) {
                        reader.abort();
                    }
                }
                shared.changed.notify_all();
            }
            _ => {}
        }
    }
    if let Some(control) = control {
        control.abort();
    }
    shared.state.lock().left = true;
    shared.changed.notify_all();
}

/// Pings the robot, which keeps a control lease held. Never ends.
pub(super) async fn heartbeat(shared: Arc<Shared>) {
    let mut beats = tokio::time::interval(HEARTBEAT);
    loop {
        beats.tick().await;
        let state = shared.state.lock();
        if let (false, Some(robot)) = (state.silent, &state.robot) {
            // The number 0 is no barrier's.
            if let Ok(ping) = (FromViewer::Ping { app_timestamp: [0; 8] }).to_frame() {
                let _ = robot.out.push(ping);
            }
        }
    }
}

/// Opens our control stream to the robot and forgets what an earlier connection of it had said.
fn meet(shared: &Arc<Shared>, identity: Identity) {
    let out = Arc::new(ChannelSource::new());
    let open = shared.room.open_byte_stream(CONTROL_TOPIC, std::slice::from_ref(&identity), out.clone());
    tokio::spawn(async move {
        // Held until the stream ends, which a new connection of the robot or our leaving makes it.
        if let Ok(stream) = open.await {
            let _ = stream.ended().await;
        }
    });
    let mut state = shared.state.lock();
    if let Some(earlier) = state.robot.replace(Robot { out }) {
        earlier.out.end();
    }
    state.info = None;
    state.channels.clear();
    state.services.clear();
    state.subscribed.clear();
    state.readers.drain().for_each(|(_, reader)| reader.abort());
    state.watched.clear();
    state.watchers.drain().for_each(|(_, watcher)| watcher.task.abort());
}

async fn read_control(shared: Arc<Shared>, mut reader: ByteReader) {
    let mut decoder = FrameDecoder::default();
    while let Some(Ok(chunk)) = reader.next().await {
        decoder.push(chunk);
        while let Ok(Some(frame)) = decoder.next() {
            // What this viewer cannot read is of no use to a test that waits for something else.
            if let Ok(message) = ToViewer::decode(&frame) {
                let mut state = shared.state.lock();
                keep_json(&mut state, &frame);
                take(&mut state, message);
                shared.changed.notify_all();
            }
        }
    }
}

fn take(state: &mut MutexGuard<'_, State>, message: ToViewer) {
    match message {
        ToViewer::ServerInfo(info) => state.info = Some(info),
        ToViewer::Advertise(advertise) => {
            state.channels.extend(advertise.channels.into_iter().map(|channel| (channel.id, channel)));
        }
        ToViewer::Unadvertise { channel_ids } => {
            for id in channel_ids {
                state.channels.remove(&id);
                state.subscribed.remove(&id);
            }
        }
        ToViewer::MessageData { channel_id, log_time, data } => {
            keep_message(state, channel_id, data, log_time, false);
        }
        ToViewer::Status(status) => {
            if state.statuses.len() == KEEP {
                state.statuses.pop_front();
            }
            state.statuses.push_back(status);
        }
        ToViewer::AdvertiseServices { services } => {
            state.services.extend(services.into_iter().map(|service| (service.id, service)));
        }
        ToViewer::UnadvertiseServices { service_ids } => {
            for id in service_ids {
                state.services.remove(&id);
            }
        }
        ToViewer::ServiceCallResponse(call) => keep_answer(state, call.call_id, Answer::Response(call)),
        ToViewer::ServiceCallFailure { call_id, message, .. } => keep_answer(state, call_id, Answer::Failure(message)),
        ToViewer::FetchAssetResponse(response) => keep_asset(state, response),
        ToViewer::Pong { app_timestamp, .. } => state.pongs = state.pongs.max(u64::from_le_bytes(app_timestamp)),
        _ => {}
    }
}

fn keep_message(state: &mut State, channel_id: u64, payload: Bytes, log_time: u64, lossy: bool) {
    let topic = state.channels.get(&channel_id).map(|channel| channel.topic.clone()).unwrap_or_default();
    if state.messages.len() == KEEP {
        state.messages.pop_front();
    }
    state.messages.push_back(Message { channel_id, topic, payload, log_time, lossy });
}

fn keep_asset(state: &mut State, response: FetchAssetResponse) {
    if state.assets.len() < KEEP {
        state.assets.insert(response.request_id, response.result);
    }
}

fn keep_json(state: &mut MutexGuard<'_, State>, frame: &Frame) {
    if frame.kind != FrameKind::Text {
        return;
    }
    if state.json.len() == KEEP_JSON {
        state.json.pop_front();
    }
    state.json.push_back(String::from_utf8_lossy(&frame.payload).into_owned());
}

fn keep_answer(state: &mut State, call_id: u32, answer: Answer) {
    if state.answers.len() < KEEP {
        state.answers.insert(call_id, answer);
    }
}

/// Starts reading a channel's data track, if it is wanted and there.
pub(super) fn read_track(shared: &Arc<Shared>, state: &mut State, id: u64) {
    if !state.subscribed.contains(&id) || state.readers.contains_key(&id) {
        return;
    }
    let (Some(track), Ok(runtime)) = (state.tracks.get(&id), runtime()) else { return };
    if let Ok(frames) = shared.room.subscribe_data_track(track, 4096) {
        state.readers.insert(id, runtime.spawn(read_frames(Arc::downgrade(shared), frames, id)));
    }
}

/// Starts watching a channel's video track, if it is wanted and there.
pub(super) fn watch_track(shared: &Arc<Shared>, state: &mut State, id: u64) {
    let (Some(track), Ok(runtime)) = (state.videos.get(&id).filter(|_| state.watched.contains(&id)), runtime()) else {
        return;
    };
    if state.watchers.get(&id).is_some_and(|watcher| watcher.sid == track.sid) {
        return;
    }
    let subscribe = shared.room.subscribe_video_track(track, 64);
    let task = runtime.spawn(watch_frames(Arc::downgrade(shared), subscribe, id));
    let watcher = Watcher { sid: track.sid.clone(), task, ready: false };
    if let Some(old) = state.watchers.insert(id, watcher) {
        old.task.abort();
    }
}

async fn watch_frames(shared: Weak<Shared>, subscribe: BoxFuture<Result<VideoReceiver, RoomError>>, id: u64) {
    let Ok(mut frames) = subscribe.await else { return };
    if let Some(shared) = shared.upgrade() {
        if let Some(watcher) = shared.state.lock().watchers.get_mut(&id) {
            watcher.ready = true;
        }
        shared.changed.notify_all();
    }
    while let Some(frame) = frames.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        let mut state = shared.state.lock();
        if state.frames.len() == KEEP_FRAMES {
            state.frames.pop_front();
        }
        state.frames.push_back((id, frame));
        drop(state);
        shared.changed.notify_all();
    }
}

async fn read_frames(shared: Weak<Shared>, mut frames: FrameReceiver, id: u64) {
    while let Some(frame) = frames.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        if let Ok(decoded) = data_track::decode(&frame.payload) {
            keep_message(&mut shared.state.lock(), id, decoded.data, frame.user_timestamp, true);
            shared.changed.notify_all();
        }
    }
}
