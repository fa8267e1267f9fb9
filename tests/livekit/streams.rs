//! Byte streams both ways.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use telelink::room::{ByteReader, ByteSource, Fill, Identity, RoomError, RoomEvent};

use crate::rig::{event, join, room_name, shared, LIMIT};
use crate::support::within;

/// A source that the test fills; keeps message edges, as a viewer queue may.
#[derive(Default)]
pub struct Feed {
    state: Mutex<FeedState>,
}

#[derive(Default)]
struct FeedState {
    bytes: VecDeque<u8>,
    ended: bool,
    waker: Option<Waker>,
    taken: usize,
}

impl Feed {
    pub fn put(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        state.bytes.extend(bytes);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    pub fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    pub fn taken(&self) -> usize {
        self.state.lock().taken
    }
}

impl ByteSource for Feed {
    fn poll_fill(&self, cx: &mut Context<'_>, max: usize, out: &mut Vec<u8>) -> Poll<Fill> {
        let mut state = self.state.lock();
        let count = state.bytes.len().min(max);
        if count > 0 {
            out.extend(state.bytes.drain(..count));
            state.taken += count;
            return Poll::Ready(Fill::Bytes);
        }
        if state.ended {
            return Poll::Ready(Fill::End);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Reads a stream to its end.
async fn read_all(mut reader: ByteReader) -> Result<Vec<u8>, RoomError> {
    let mut all = Vec::new();
    while let Some(chunk) = reader.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

/// Messages of many sizes, around the 15,000 bytes where a write is cut too, each with its number.
fn message(stream: u8, number: u32) -> Vec<u8> {
    let size = match number % 100 {
        0 => 15_000,
        1 => 15_001,
        2 => 40_000,
        n => 8 + n as usize,
    };
    let mut bytes = vec![stream; size];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..8].copy_from_slice(&(size as u32).to_le_bytes());
    bytes
}

fn check_messages(stream: u8, mut bytes: &[u8], count: u32) {
    for expected in 0..count {
        let wanted = message(stream, expected);
        assert!(bytes.len() >= wanted.len(), "stream {stream} ends in message {expected}");
        let (found, rest) = bytes.split_at(wanted.len());
        assert!(found == wanted, "stream {stream} differs in message {expected}");
        bytes = rest;
    }
    assert!(bytes.is_empty(), "stream {stream} has {} bytes too many", bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_interleaved_streams_arrive_whole_and_in_order() {
    const MESSAGES: u32 = 3000;
    let _shared = shared().await;
    let name = room_name("order");
    let robot = join(&name, "robot").await;
    let mut viewer = join(&name, "viewer").await;
    let to = [Identity::from("viewer")];
    let feeds = [Arc::new(Feed::default()), Arc::new(Feed::default())];
    let mut streams = Vec::new();
    for (index, feed) in feeds.iter().enumerate() {
        let opening = robot.room.open_byte_stream(&format!("topic-{index}"), &to, feed.clone());
        streams.push(within("opening", LIMIT, opening).await.expect("opens"));
    }
    let mut readers = Vec::new();
    for _ in 0..2 {
        let opened = event(&mut viewer, "a stream", |event| match event {
            RoomEvent::ByteStreamOpened { topic, sender, reader, .. } => Some((topic, sender, reader)),
            _ => None,
        });
        let (topic, sender, reader) = opened.await;
        assert_eq!(sender.as_str(), "robot");
        readers.push((topic, tokio::spawn(read_all(reader))));
    }
    for number in 0..MESSAGES {
        for (index, feed) in feeds.iter().enumerate() {
            feed.put(&message(index as u8, number));
        }
        if number % 10 == 0 {
            tokio::task::yield_now().await;
        }
    }
    feeds.iter().for_each(|feed| feed.end());
    for stream in streams {
        within("the sender's end", LIMIT * 3, stream.ended()).await.expect("all written");
    }
    for (topic, reading) in readers {
        let stream = topic.strip_prefix("topic-").and_then(|index| index.parse().ok()).expect("our topic");
        let bytes = within("the reader's end", LIMIT * 3, reading).await.expect("no panic").expect("orderly end");
        check_messages(stream, &bytes, MESSAGES);
    }
    robot.room.close().await;
    viewer.room.close().await;
}
