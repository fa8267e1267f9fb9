//! What happens to events nobody waits for, and to those that do not decode. Without the library.

use std::sync::mpsc;

use super::*;
use crate::room::livekit::messages::*;
use crate::room::livekit::test_hooks::take_dropped;

fn handle(id: u64) -> FfiOwnedHandle {
    FfiOwnedHandle::owning(id)
}

/// Encodes an event and forgets that the original drops its handles too.
fn encoded(event: FfiEvent) -> Vec<u8> {
    let bytes = event.encode_to_vec();
    drop(event);
    take_dropped();
    bytes
}

fn room_event(event: RoomEvent) -> FfiEvent {
    FfiEvent { room_event: Some(event), ..Default::default() }
}

/// Sends the event to a dispatcher that knows nobody; answers the handles that were dropped.
fn dropped_by(event: FfiEvent) -> Vec<u64> {
    let bytes = encoded(event);
    Dispatcher::new().on_event(&bytes);
    take_dropped()
}

#[test]
fn an_event_nobody_takes_drops_every_handle_in_it() {
    let participant = || OwnedParticipant { handle: handle(7), info: ParticipantInfo::default() };
    let connected = ParticipantConnected { info: participant() };
    assert_eq!(dropped_by(room_event(RoomEvent { participant_connected: Some(connected), ..Default::default() })), [7]);

    let publication = OwnedTrackPublication { handle: handle(8), ..Default::default() };
    let published = TrackPublished { publication, ..Default::default() };
    assert_eq!(dropped_by(room_event(RoomEvent { track_published: Some(published), ..Default::default() })), [8]);

    let subscribed = TrackSubscribed { track: OwnedTrack { handle: handle(9), info: Default::default() } };
    assert_eq!(dropped_by(room_event(RoomEvent { track_subscribed: Some(subscribed), ..Default::default() })), [9]);

    let packet = DataPacketReceived { user: Some(UserPacket { data: OwnedBuffer { handle: handle(10) } }) };
    assert_eq!(dropped_by(room_event(RoomEvent { data_packet_received: Some(packet), ..Default::default() })), [10]);

    let text = TextStreamOpened { reader: OwnedTextStreamReader { handle: handle(11) } };
    assert_eq!(dropped_by(room_event(RoomEvent { text_stream_opened: Some(text), ..Default::default() })), [11]);

    let reader = OwnedByteStreamReader { handle: handle(12), ..Default::default() };
    let stream = ByteStreamOpened { reader, ..Default::default() };
    assert_eq!(dropped_by(room_event(RoomEvent { byte_stream_opened: Some(stream), ..Default::default() })), [12]);

    let track = OwnedRemoteDataTrack { handle: handle(13), ..Default::default() };
    let published = DataTrackPublished { track };
    assert_eq!(dropped_by(room_event(RoomEvent { data_track_published: Some(published), ..Default::default() })), [13]);
}

#[test]
fn a_late_answer_drops_its_handles() {
    let writer = OwnedByteStreamWriter { handle: handle(20) };
    let opened = ByteStreamOpenCallback { async_id: 1, writer: Some(writer), error: None };
    assert_eq!(dropped_by(FfiEvent { byte_stream_open: Some(opened), ..Default::default() }), [20]);

    let result = ConnectResult {
        room: OwnedRoom { handle: handle(21) },
        local_participant: OwnedParticipant { handle: handle(22), ..Default::default() },
        participants: vec![ParticipantWithTracks {
            participant: OwnedParticipant { handle: handle(23), ..Default::default() },
            publications: vec![OwnedTrackPublication { handle: handle(24), ..Default::default() }],
        }],
    };
    let connected = ConnectCallback { async_id: 2, error: None, result: Some(result) };
    let mut dropped = dropped_by(FfiEvent { connect: Some(connected), ..Default::default() });
    dropped.sort_unstable();
    assert_eq!(dropped, [21, 22, 23, 24]);
}

#[test]
fn an_answer_reaches_its_waiter_once() {
    let dispatcher = Dispatcher::new();
    let (tx, rx) = mpsc::channel();
    let id = dispatcher.expect(Duration::from_secs(5), vec![handle(30)], move |answer| tx.send(answer.done()).unwrap());
    assert!(id >= FIRST_ID);
    let callback = DisconnectCallback { async_id: id };
    let bytes = FfiEvent { disconnect: Some(callback), ..Default::default() }.encode_to_vec();
    take_dropped();
    dispatcher.on_event(&bytes);
    dispatcher.on_event(&bytes);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [Ok(())]);
    assert_eq!(take_dropped(), [30], "what was held for the answer is dropped with it");
}

/// An event whose callback has the id, and then a field that cannot be what it says.
fn undecodable(event_tag: u8, id: u64) -> Vec<u8> {
    let mut member = vec![1 << 3];
    prost::encoding::encode_varint(id, &mut member);
    // Field 2, length-delimited, longer than what follows.
    member.extend([2 << 3 | 2, 100, 0]);
    let mut event = Vec::new();
    prost::encoding::encode_varint(u64::from(event_tag) << 3 | 2, &mut event);
    event.push(member.len() as u8);
    event.extend(member);
    event
}

#[test]
fn an_undecodable_answer_fails_its_waiter_only() {
    let dispatcher = Dispatcher::new();
    let (tx, rx) = mpsc::channel();
    let ids = [0, 1].map(|n| {
        let tx = tx.clone();
        dispatcher.expect(Duration::from_secs(5), vec![], move |answer| tx.send((n, answer.done().is_err())).unwrap())
    });
    dispatcher.on_event(&undecodable(32, ids[1]));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [(1, true)]);
    // An event that does not even say what it is may be anybody's answer.
    dispatcher.on_event(&[0xff; 12]);
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [(0, true)]);
}

#[test]
fn an_undecodable_event_drops_the_handles_that_it_did_give() {
    let writer = OwnedByteStreamWriter { handle: handle(40) };
    let opened = ByteStreamOpenCallback { async_id: 1, writer: Some(writer), error: None };
    let mut bytes = encoded(FfiEvent { byte_stream_open: Some(opened), ..Default::default() });
    // Cut short: a field begins and has no value.
    bytes.push(3 << 3 | 2);
    bytes[2] += 1;
    Dispatcher::new().on_event(&bytes);
    assert_eq!(take_dropped(), [40]);
}

#[test]
fn overdue_waiters_that_only_hold_handles_are_swept() {
    let (mut waiters, start) = (Waiters::default(), Instant::now());
    let waiter = |id, expires| Waiter { deliver: Box::new(|_| ()), held: vec![handle(id)], expires };
    take_dropped();
    let second = Duration::from_secs(1);
    drop(waiters.insert(1, waiter(50, start + second), start));
    drop(waiters.insert(2, waiter(51, start + second * 9), start + second));
    assert_eq!(take_dropped(), [0_u64; 0], "not before their time");
    drop(waiters.insert(3, waiter(52, start + second * 9), start + second * 2));
    assert_eq!(take_dropped(), [50]);
}

#[test]
fn a_panic_of_the_library_fails_every_waiter() {
    let dispatcher = Dispatcher::new();
    let (tx, rx) = mpsc::channel();
    dispatcher.expect(Duration::from_secs(5), vec![], move |answer| tx.send(answer.done().is_err()).unwrap());
    let panic = Panic { message: "internal".into() };
    dispatcher.on_event(&FfiEvent { panic: Some(panic), ..Default::default() }.encode_to_vec());
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [true]);
}

#[test]
fn a_room_that_nobody_listened_to_is_no_panic() {
    let dispatcher = Dispatcher::new();
    let (tx, rx) = mpsc::channel();
    dispatcher.expect(Duration::from_secs(5), vec![], move |answer| tx.send(answer.done().is_err()).unwrap());
    let message = "timed out waiting for ReadyForRoomEventRequest after ConnectCallback (room_handle=7)".into();
    dispatcher.on_event(&FfiEvent { panic: Some(Panic { message }), ..Default::default() }.encode_to_vec());
    assert_eq!(rx.try_iter().count(), 0, "the requests of other rooms go on");
}
