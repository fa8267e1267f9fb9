//! The bounded pipes between an adapter and a reader.

use std::time::Duration;

use bytes::Bytes;
use telelink::room::{byte_pipe, frame_pipe, DataFrame, PipeFull, RoomError};

fn frame(n: u64) -> DataFrame {
    DataFrame { payload: Bytes::from(n.to_string()), user_timestamp: n }
}

#[tokio::test(start_paused = true)]
async fn chunks_come_in_order_and_then_the_end() {
    let (sink, mut reader) = byte_pipe(100);
    sink.push("one".into()).unwrap();
    sink.push("two".into()).unwrap();
    sink.finish(Ok(()));
    assert_eq!(reader.next().await, Some(Ok("one".into())));
    assert_eq!(reader.next().await, Some(Ok("two".into())));
    assert_eq!(reader.next().await, None);
    assert_eq!(reader.next().await, None, "the end stays the end");
}

#[tokio::test(start_paused = true)]
async fn a_full_pipe_is_exactly_full_and_then_overflows() {
    let (sink, mut reader) = byte_pipe(4);
    sink.push("four".into()).expect("the limit itself fits");
    assert_eq!(sink.push("x".into()), Err(PipeFull));
    assert_eq!(sink.push("x".into()), Err(PipeFull));
    sink.finish(Ok(()));
    assert_eq!(reader.next().await, Some(Ok("four".into())), "what fitted is still there");
    assert_eq!(reader.next().await, Some(Err(RoomError::Overflow(4))), "an end after an overflow hides nothing");
    assert_eq!(sink.push("x".into()), Err(PipeFull), "room made by reading does not revive it");
}

#[tokio::test(start_paused = true)]
async fn reading_makes_room() {
    let (sink, mut reader) = byte_pipe(4);
    for _ in 0..100 {
        sink.push("four".into()).expect("the reader has read the last one");
        assert_eq!(reader.next().await, Some(Ok("four".into())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_sink_is_a_sender_gone() {
    let (sink, mut reader) = byte_pipe(100);
    sink.push("half".into()).unwrap();
    drop(sink);
    assert_eq!(reader.next().await, Some(Ok("half".into())));
    assert_eq!(reader.next().await, Some(Err(RoomError::SenderGone)));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_sink_after_the_end_changes_nothing() {
    let (sink, mut reader) = byte_pipe(100);
    sink.finish(Ok(()));
    drop(sink);
    assert_eq!(reader.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reader_refuses_more() {
    let (sink, reader) = byte_pipe(100);
    sink.push("unread".into()).unwrap();
    assert!(!sink.reader_gone());
    drop(reader);
    assert!(sink.reader_gone());
    assert_eq!(sink.push("more".into()), Err(PipeFull));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_read_loses_nothing() {
    let (sink, mut reader) = byte_pipe(100);
    for n in 0..20u8 {
        // Cancelled while waiting, both before and after the bytes come.
        tokio::select! {
            biased;
            read = reader.next() => panic!("nothing was sent, read {read:?}"),
            () = tokio::task::yield_now() => {}
        }
        sink.push(Bytes::from(vec![n])).unwrap();
        {
            let mut unpolled = Box::pin(reader.next());
            if n % 2 == 0 {
                let read = tokio::time::timeout(Duration::from_secs(1), &mut unpolled).await;
                assert_eq!(read.unwrap(), Some(Ok(Bytes::from(vec![n]))));
                continue;
            }
        }
        assert_eq!(reader.next().await, Some(Ok(Bytes::from(vec![n]))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_is_woken_by_bytes_end_and_overflow() {
    for end in 0..3 {
        let (sink, mut reader) = byte_pipe(1);
        let read = tokio::spawn(async move { reader.next().await });
        // The reader is waiting now: a current-thread runtime runs it at the first yield.
        tokio::task::yield_now().await;
        match end {
            0 => sink.push("x".into()).unwrap(),
            1 => sink.finish(Ok(())),
            _ => assert_eq!(sink.push("xx".into()), Err(PipeFull)),
        }
        let read = tokio::time::timeout(Duration::from_secs(5), read).await.expect("woken").unwrap();
        let expected = [Some(Ok("x".into())), None, Some(Err(RoomError::Overflow(1)))];
        assert_eq!(read, expected[end]);
    }
}

#[tokio::test(start_paused = true)]
async fn tiny_chunks_cost_their_bytes_only() {
    let (sink, mut reader) = byte_pipe(10_000);
    let sent: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
    for byte in &sent {
        sink.push(Bytes::new()).expect("nothing fits always");
        sink.push(Bytes::from(vec![*byte])).expect("within the limit");
    }
    assert_eq!(sink.push("x".into()), Err(PipeFull), "joined chunks count too");
    let (mut chunks, mut read) = (0, Vec::new());
    while let Some(Ok(chunk)) = reader.next().await {
        assert!(!chunk.is_empty());
        chunks += 1;
        read.extend_from_slice(&chunk);
    }
    assert!(read == sent, "in order and complete");
    assert_eq!(chunks, 1025);
}

#[tokio::test(start_paused = true)]
async fn order_holds_while_joined_chunks_are_read() {
    let (sink, mut reader) = byte_pipe(1 << 20);
    let mut read = Vec::new();
    let mut next = 0u32;
    for round in 0..50 {
        for _ in 0..(if round % 2 == 0 { 1500 } else { 10 }) {
            sink.push(Bytes::copy_from_slice(&next.to_be_bytes())).unwrap();
            next += 1;
        }
        for _ in 0..(round * 37) {
            if read.len() < next as usize * 4 {
                read.extend_from_slice(&reader.next().await.unwrap().unwrap());
            }
        }
    }
    sink.finish(Ok(()));
    while let Some(chunk) = reader.next().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    let sent: Vec<u8> = (0..next).flat_map(u32::to_be_bytes).collect();
    assert!(read == sent);
}

#[tokio::test(start_paused = true)]
async fn a_full_frame_pipe_drops_the_new_frame_and_counts() {
    let (sink, mut frames) = frame_pipe(2);
    for n in 0..5 {
        sink.push(frame(n)).expect("a full pipe is not an error");
    }
    assert_eq!(frames.dropped(), 3);
    assert_eq!(frames.recv().await, Some(frame(0)));
    assert_eq!(frames.recv().await, Some(frame(1)));
    sink.push(frame(9)).unwrap();
    assert_eq!(frames.recv().await, Some(frame(9)));
    drop(sink);
    assert_eq!(frames.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_frame_pipe_without_reader_is_closed() {
    let (sink, frames) = frame_pipe(0);
    sink.push(frame(1)).expect("there is always one place");
    drop(frames);
    assert_eq!(sink.push(frame(2)), Err(PipeFull));
    tokio::time::timeout(Duration::from_secs(5), sink.closed()).await.expect("closed is told");
}
