//! The same calls in the same order give the same events at the same times.

use std::sync::Arc;
use std::time::Duration;

use telelink::room::memory::{Chunking, FrameSlot, HeldEvent, ScriptStep, ScriptedSource};
use telelink::room::RoomEvent;
use tokio::time::Instant;

use crate::stage::join;
use crate::{line, Memory};

/// A busy minute of five viewers, written down by the robot.
async fn story() -> Vec<String> {
    let server = Memory::new();
    server.set_announce_delay("yard", Duration::from_millis(700));
    server.set_delay_everywhere(Duration::from_millis(30));
    server.set_loss_everywhere(0.2);
    server.set_chunking(Chunking::Split(700));
    server.set_reconnect_time(Duration::from_millis(450));
    server.set_kill_timeout(Duration::from_secs(5));
    let mut robot = join(&server, "yard", "robot").await;
    let start = Instant::now();
    let mut viewers = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let viewer = join(&server, "yard", name).await;
        let steps = (0..5).flat_map(|n| {
            [ScriptStep::Bytes(vec![n; 1000].into()), ScriptStep::Wait(Duration::from_millis(130 + u64::from(n)))]
        });
        let source = Arc::new(ScriptedSource::new(steps));
        let stream = viewer.room.open_byte_stream("t", &["robot".into()], source).await.expect("opens");
        let slot = Arc::new(FrameSlot::new());
        let track = viewer.room.publish_data_track("/in", slot.clone()).await.expect("publishes");
        let sender = tokio::spawn(async move {
            for n in 0..40 {
                slot.put("x", n);
                track.notify();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        viewers.push((viewer, stream, sender));
    }
    server.hold("b", HeldEvent::Active);
    server.kill("c");
    server.full_reconnect("d");
    server.signal_reconnect("robot");
    let (lines, mut notes) = tokio::sync::mpsc::unbounded_channel();
    let listen = async {
        while let Some(event) = robot.events.recv().await {
            let _ = lines.send(format!("{:?} {}", start.elapsed(), line(&event)));
            match event {
                RoomEvent::ByteStreamOpened { sender, mut reader, .. } => {
                    let lines = lines.clone();
                    tokio::spawn(async move {
                        while let Some(Ok(chunk)) = reader.next().await {
                            let _ = lines.send(format!("{:?} {sender}: {}", start.elapsed(), chunk.len()));
                        }
                    });
                }
                RoomEvent::DataTrackPublished(track) => {
                    let Ok(mut frames) = robot.room.subscribe_data_track(&track, 64) else { continue };
                    let lines = lines.clone();
                    tokio::spawn(async move {
                        while let Some(frame) = frames.recv().await {
                            let _ = lines.send(format!("{:?} {} {}", start.elapsed(), track.sid, frame.user_timestamp));
                        }
                    });
                }
                _ => {}
            }
        }
    };
    let act = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        server.release("b", HeldEvent::Active);
        server.set_reachable(false);
    };
    tokio::join!(listen, act);
    let mut story = Vec::new();
    while let Ok(note) = notes.try_recv() {
        story.push(note);
    }
    story
}

#[test]
fn a_story_repeats_itself() {
    let tell = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(story())
    };
    let first = tell();
    assert!(first.len() > 100, "{} lines", first.len());
    assert!(first.last().is_some_and(|last| last.ends_with("end ConnectionLost")), "{:?}", first.last());
    for _ in 0..10 {
        let again = tell();
        let differs = first.iter().zip(&again).find(|(a, b)| a != b);
        assert_eq!(differs, None);
        assert_eq!(first.len(), again.len());
    }
}
