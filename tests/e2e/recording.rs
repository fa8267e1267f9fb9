//! A recording beside a session: what is in the file is what viewers of reliable channels received.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use telelink::context::{Channel, Qos};
use telelink::mcap::{McapWriter, McapWriterOptions};
use telelink::session::SessionOptions;

use crate::rig::{room_name, Robot, LIMIT};

/// A message as both sides know it.
type Known = (String, u64, Vec<u8>);

const TOPICS: [&str; 3] = ["/pose", "/log", "/map"];

fn log_all(channels: &[Channel], times: std::ops::Range<u64>) {
    for n in times {
        let channel = &channels[n as usize % channels.len()];
        // Sizes around one write of the control stream too, and none at all.
        let size = [0, 10, 200, 15_000, 40_000][n as usize % 5];
        channel.log_at(&vec![n as u8; size], n).unwrap();
    }
}

#[tokio::test]
async fn a_recording_equals_what_viewers_of_reliable_channels_received() {
    let robot = Robot::start("recording", SessionOptions::default());
    let open = |topic: &&str| robot.context.channel(*topic).encoding("bin").qos(Qos::Reliable).open().unwrap();
    let channels: Vec<Channel> = TOPICS.iter().map(open).collect();
    let path = std::env::temp_dir().join(room_name("recording") + ".mcap");

    // The recording begins first: what it has before the viewer is there is not in what they share.
    let writer = McapWriter::start(&robot.context, McapWriterOptions::new(&path)).unwrap();
    log_all(&channels, 1..20);
    let viewer = robot.ready_viewer("v").await;
    for topic in TOPICS {
        viewer.wait_channel(topic, LIMIT).await.unwrap();
    }
    viewer.subscribe(TOPICS).unwrap();
    viewer.ping(LIMIT).await.unwrap();

    // Both run, and the robot logs from a thread of its own, as robots do.
    let (from, to) = (20, 1520);
    let seen_all = Arc::new(AtomicBool::new(false));
    let logging = std::thread::spawn({
        let (channels, seen_all) = (channels.clone(), seen_all.clone());
        move || {
            log_all(&channels, from..to);
            // The robot does not stop for the recording's end.
            while !seen_all.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        }
    });
    let mut received: Vec<Known> = Vec::new();
    while received.last().is_none_or(|(_, time, _)| *time + 1 < to) {
        let message = viewer.next_message(LIMIT).await.unwrap();
        let channel =
            channels.iter().find(|channel| channel.id().get() == message.channel_id).expect("a known channel");
        received.push((channel.topic().to_owned(), message.log_time, message.payload.to_vec()));
    }
    writer.close(LIMIT).unwrap();
    seen_all.store(true, Ordering::Relaxed);
    logging.join().unwrap();
    // What only the viewer gets: the recording has ended.
    channels[0].log_at(b"later", to).unwrap();
    assert_eq!(viewer.next_message(LIMIT).await.unwrap().log_time, to);

    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let recorded: Vec<Known> = mcap::MessageStream::new(&bytes)
        .unwrap()
        .map(|message| message.unwrap())
        .map(|message| (message.channel.topic.clone(), message.log_time, message.data.to_vec()))
        .collect();
    let shared: Vec<&Known> = recorded.iter().filter(|(_, time, _)| *time >= from).collect();
    assert_eq!(recorded.len(), to as usize - 1, "the recording has all that was logged while it ran");
    assert_eq!(received.len(), (to - from) as usize);
    for (n, (recorded, received)) in shared.into_iter().zip(&received).enumerate() {
        assert!(recorded == received, "message {n}: {:?} and {:?} differ", recorded.1, received.1);
    }
    assert_eq!(writer.stats().dropped_messages, 0);
    assert_eq!(robot.session.stats().unwrap().viewer_resets(), 0);
}
