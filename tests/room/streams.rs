//! Faults of byte streams.

use std::sync::Arc;
use std::time::Duration;

use telelink::room::memory::{ChannelSource, Chunking, Gate, ScriptStep, ScriptedSource};
use telelink::room::{ByteSource, Fill, Identity, RoomError, RoomEvent};
use tokio::time::Instant;

use crate::stage::{join, read_all, read_exact, soon, Member};
use crate::{pair, Memory};

fn to(identity: &str) -> Vec<Identity> {
    vec![identity.into()]
}

async fn next_length(reader: &mut telelink::room::ByteReader) -> usize {
    soon("a chunk", reader.next()).await.expect("a chunk").expect("no error").len()
}

#[tokio::test(start_paused = true)]
async fn opens_at_a_gate_pass_in_any_order() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    server.shut(Gate::Open, "viewer");
    let mut opens = Vec::new();
    for topic in ["first", "second"] {
        let source = Arc::new(ScriptedSource::new([ScriptStep::Hang]));
        opens.push(tokio::spawn(robot.room.open_byte_stream(topic, &to("viewer"), source)));
        soon("one more at the gate", server.until_waiting(Gate::Open, "viewer", opens.len())).await;
    }
    assert_eq!(server.streams_opened_to("viewer"), 0);
    assert!(!server.let_through(Gate::Open, "viewer", 2));
    assert!(server.let_through(Gate::Open, "viewer", 1));
    assert_eq!(viewer.stream().await.topic, "second");
    assert_eq!(server.waiting(Gate::Open, "viewer"), 1);
    server.open(Gate::Open, "viewer");
    assert_eq!(viewer.stream().await.topic, "first");
    for open in opens {
        open.await.unwrap().expect("opens");
    }
    assert_eq!((server.streams_opened_to("viewer"), server.streams_opened_by("robot")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn an_open_that_nobody_lets_through_ends() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    server.shut(Gate::Open, "viewer");
    let start = Instant::now();
    let open = robot.room.open_byte_stream("t", &to("viewer"), Arc::new(ScriptedSource::bytes("x")));
    assert_eq!(open.await.err(), Some(RoomError::Timeout("opening a byte stream")));
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    assert_eq!(server.waiting(Gate::Open, "viewer"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_at_a_gate_ends_with_the_room() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    server.shut(Gate::Open, "viewer");
    let source = Arc::new(ScriptedSource::bytes("x"));
    let open = tokio::spawn(robot.room.open_byte_stream("t", &to("viewer"), source));
    soon("the open at the gate", server.until_waiting(Gate::Open, "viewer", 1)).await;
    robot.room.close().await;
    assert_eq!(soon("the open", open).await.unwrap().err(), Some(RoomError::Closed));
}

#[tokio::test(start_paused = true)]
async fn injected_open_failures_are_counted_down() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    server.fail_opens("viewer", 2);
    let open = || robot.room.open_byte_stream("t", &to("viewer"), Arc::new(ScriptedSource::bytes("x")));
    assert!(matches!(open().await.err(), Some(RoomError::Transport(_))));
    assert!(matches!(open().await.err(), Some(RoomError::Transport(_))));
    assert!(open().await.is_ok());
    assert_eq!(server.streams_opened_to("viewer"), 1, "failed openings are not streams");
}

#[tokio::test(start_paused = true)]
async fn a_write_failure_breaks_the_stream_at_both_ends() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let source = Arc::new(ChannelSource::new());
    let stream = robot.room.open_byte_stream("t", &to("viewer"), source.clone()).await.expect("opens");
    let mut incoming = viewer.stream().await;
    source.push("good").unwrap();
    assert_eq!(read_exact(&mut incoming.reader, 4).await, "good");
    server.fail_writes("viewer", 1);
    source.push("bad").unwrap();
    assert!(matches!(soon("the end", stream.ended()).await, Err(RoomError::Transport(_))));
    assert_eq!(read_all(&mut incoming.reader).await, ("".into(), Err(RoomError::SenderGone)));
}

/// S-116.
#[tokio::test(start_paused = true)]
async fn a_gated_write_waits_and_then_stalls() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let source = Arc::new(ChannelSource::new());
    let stream = robot.room.open_byte_stream("t", &to("viewer"), source.clone()).await.expect("opens");
    let mut incoming = viewer.stream().await;
    server.shut(Gate::Write, "viewer");
    source.push("one").unwrap();
    source.push("two").unwrap();
    soon("the write at the gate", server.until_waiting(Gate::Write, "viewer", 1)).await;
    assert_eq!(source.waiting(), 3, "one write in flight, the rest is still the source's");
    assert!(server.let_through(Gate::Write, "viewer", 0));
    assert_eq!(read_exact(&mut incoming.reader, 3).await, "one");
    let start = Instant::now();
    assert_eq!(stream.ended().await, Err(RoomError::Stalled(30)));
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    assert_eq!(read_all(&mut incoming.reader).await.1, Err(RoomError::SenderGone));
}

/// S-112: the write itself races the cancellation.
#[tokio::test(start_paused = true)]
async fn s_112_a_write_that_waits_ends_with_its_stream() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let source = Arc::new(ChannelSource::new());
    let stream = robot.room.open_byte_stream("t", &to("viewer"), source.clone()).await.expect("opens");
    let mut incoming = viewer.stream().await;
    server.shut(Gate::Write, "viewer");
    source.push("never").unwrap();
    soon("the write at the gate", server.until_waiting(Gate::Write, "viewer", 1)).await;
    drop(stream);
    // With the clock paused, a sleep ends when nothing else is left to do.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(server.waiting(Gate::Write, "viewer"), 0);
    server.open(Gate::Write, "viewer");
    assert_eq!(read_all(&mut incoming.reader).await, ("".into(), Err(RoomError::SenderGone)));
}

/// S-114.
#[tokio::test(start_paused = true)]
async fn a_gate_of_one_viewer_does_not_hold_another() {
    let server = Memory::new();
    let (mut robot, _stuck) = pair(&server).await;
    let mut other = join(&server, "yard", "other").await;
    robot.active("other").await;
    server.shut(Gate::Write, "viewer");
    let stuck = robot.room.open_byte_stream("t", &to("viewer"), Arc::new(ScriptedSource::bytes("a")));
    let free = robot.room.open_byte_stream("t", &to("other"), Arc::new(ScriptedSource::bytes("b")));
    let _stuck = stuck.await.expect("opens");
    let _free = free.await.expect("opens");
    soon("the write at the gate", server.until_waiting(Gate::Write, "viewer", 1)).await;
    assert_eq!(read_all(&mut other.stream().await.reader).await, ("b".into(), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_delayed_link_delays_stream_and_bytes_and_keeps_order() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    server.set_delay_everywhere(Duration::from_secs(9));
    server.set_delay("robot", "viewer", Duration::from_millis(200));
    let start = Instant::now();
    let script = ["a", "b", "c"].map(|text| ScriptStep::Bytes(text.into()));
    let stream = robot.room.open_byte_stream("t", &to("viewer"), Arc::new(ScriptedSource::new(script)));
    let stream = stream.await.expect("opens");
    stream.ended().await.expect("written long before it arrives");
    assert_eq!(start.elapsed(), Duration::ZERO);
    let mut incoming = viewer.stream().await;
    assert_eq!(start.elapsed(), Duration::from_millis(200));
    assert_eq!(read_all(&mut incoming.reader).await, ("abc".into(), Ok(())));
    assert_eq!(start.elapsed(), Duration::from_millis(200), "delay is not paid for each write");
}

#[tokio::test(start_paused = true)]
async fn the_way_is_bounded() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    server.set_delay("robot", "viewer", Duration::from_secs(10));
    let source = Arc::new(ChannelSource::new());
    let stream = robot.room.open_byte_stream("t", &to("viewer"), source.clone()).await.expect("opens");
    source.push(vec![7; 5 << 20]).unwrap();
    source.end();
    let start = Instant::now();
    // On the paused clock this returns when nothing else can run before the 10 s are over.
    tokio::time::sleep(Duration::from_secs(9)).await;
    let on_its_way = (5 << 20) - source.waiting();
    assert!(((2 << 20) - 15_000..=(2 << 20) + 15_000).contains(&on_its_way), "{on_its_way} bytes");
    let (bytes, end) = read_all(&mut viewer.stream().await.reader).await;
    assert_eq!((bytes.len(), end), (5 << 20, Ok(())));
    assert!(start.elapsed() >= Duration::from_secs(30), "2 MiB for each 10 s: {:?}", start.elapsed());
    stream.ended().await.expect("no stall: each write made progress");
}

#[tokio::test(start_paused = true)]
async fn chunks_are_cut_and_merged() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let lengths = async |viewer: &mut Member, sizes: &[usize]| {
        let script = sizes.iter().map(|size| ScriptStep::Bytes(vec![0; *size].into()));
        let source = Arc::new(ScriptedSource::new(script));
        let stream = robot.room.open_byte_stream("t", &to("viewer"), source).await.expect("opens");
        stream.ended().await.expect("written");
        let mut reader = viewer.stream().await.reader;
        let mut lengths = Vec::new();
        while let Some(chunk) = soon("a chunk", reader.next()).await {
            lengths.push(chunk.expect("no error").len());
        }
        lengths
    };
    assert_eq!(lengths(&mut viewer, &[3, 40_000]).await, [3, 15_000, 15_000, 10_000]);
    server.set_max_write(20_000);
    assert_eq!(lengths(&mut viewer, &[3, 40_000]).await, [3, 20_000, 20_000]);
    server.set_chunking(Chunking::Split(1));
    assert_eq!(lengths(&mut viewer, &[2, 3]).await, [1; 5]);
    server.set_chunking(Chunking::Split(4));
    assert_eq!(lengths(&mut viewer, &[2, 9]).await, [2, 4, 4, 1]);
    // With a delay all writes wait together.
    server.set_delay_everywhere(Duration::from_millis(10));
    server.set_chunking(Chunking::Merge(10));
    assert_eq!(lengths(&mut viewer, &[4, 4, 4, 1, 20, 1]).await, [8, 5, 20, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_never_reads_overflows_alone() {
    let server = Memory::new();
    server.set_pipe_limit(100_000);
    let (robot, mut viewer) = pair(&server).await;
    let source = Arc::new(ChannelSource::new());
    let stream = robot.room.open_byte_stream("t", &to("viewer"), source.clone()).await.expect("opens");
    source.push(vec![0; 1 << 20]).unwrap();
    source.end();
    assert_eq!(soon("the end", stream.ended()).await, Ok(()), "the writer never feels the reader");
    let (bytes, end) = read_all(&mut viewer.stream().await.reader).await;
    assert_eq!(end, Err(RoomError::Overflow(100_000)));
    assert_eq!(bytes.len(), 90_000, "whole writes up to the limit");
}

#[tokio::test(start_paused = true)]
async fn a_sender_of_many_streams_is_limited() {
    let server = Memory::new();
    let (mut robot, viewer) = pair(&server).await;
    let open = || viewer.room.open_byte_stream("t", &to("robot"), Arc::new(ScriptedSource::bytes("x")));
    for _ in 0..300 {
        let stream = open().await.expect("the sender is not told");
        stream.ended().await.expect("nor by its writes");
    }
    assert_eq!(server.streams_refused(), 44);
    let mut streams = Vec::new();
    while let Ok(event) = robot.events.try_recv() {
        if let RoomEvent::ByteStreamOpened { reader, .. } = event {
            streams.push(reader);
        }
    }
    assert_eq!(streams.len(), 256);
    drop(streams);
    let _stream = open().await.expect("opens");
    assert_eq!(read_all(&mut robot.stream().await.reader).await, ("x".into(), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_stream_before_its_sender_is_announced() {
    let server = Memory::new();
    server.set_announce_delay("yard", Duration::from_secs(3));
    let mut robot = join(&server, "yard", "robot").await;
    let viewer = join(&server, "yard", "viewer").await;
    let source = Arc::new(ScriptedSource::new([ScriptStep::Bytes("early".into()), ScriptStep::Hang]));
    let _stream = viewer.room.open_byte_stream("t", &to("robot"), source).await.expect("opens");
    let Some(RoomEvent::ByteStreamOpened { sender, sender_sid, mut reader, .. }) = robot.events.recv().await else {
        panic!("the stream comes first")
    };
    assert_eq!((sender, sender_sid), ("viewer".into(), None));
    assert_eq!(read_exact(&mut reader, 5).await, "early");
    robot.active("viewer").await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_destination_goes_to_all() {
    let server = Memory::new();
    let (mut robot, mut viewer) = pair(&server).await;
    let mut other = join(&server, "yard", "other").await;
    robot.active("other").await;
    let source = Arc::new(ScriptedSource::bytes("all"));
    let _stream = robot.room.open_byte_stream("t", &[], source).await.expect("opens");
    for member in [&mut viewer, &mut other] {
        assert_eq!(read_all(&mut member.stream().await.reader).await, ("all".into(), Ok(())));
    }
}

/// A source that breaks its contract in one way.
struct Broken(usize);

impl ByteSource for Broken {
    fn poll_fill(&self, _: &mut std::task::Context<'_>, _: usize, out: &mut Vec<u8>) -> std::task::Poll<Fill> {
        out.resize(self.0, 0);
        std::task::Poll::Ready(Fill::Bytes)
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_source_ends_its_stream() {
    let server = Memory::new();
    let (robot, _viewer) = pair(&server).await;
    for bytes in [0, 15_001] {
        let stream = robot.room.open_byte_stream("t", &to("viewer"), Arc::new(Broken(bytes))).await.expect("opens");
        let end = soon("the end", stream.ended()).await;
        assert!(matches!(&end, Err(RoomError::Transport(text)) if text.contains(&bytes.to_string())), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_script_waits_and_a_source_refuses_after_its_end() {
    let server = Memory::new();
    let (robot, mut viewer) = pair(&server).await;
    let steps =
        [ScriptStep::Bytes("a".into()), ScriptStep::Wait(Duration::from_secs(5)), ScriptStep::Bytes("b".into())];
    let start = Instant::now();
    let _stream = robot.room.open_byte_stream("t", &to("viewer"), Arc::new(ScriptedSource::new(steps))).await.unwrap();
    let mut reader = viewer.stream().await.reader;
    assert_eq!(next_length(&mut reader).await, 1);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(next_length(&mut reader).await, 1);
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let source = ChannelSource::new();
    source.end();
    assert!(source.push("late").is_err());
}
