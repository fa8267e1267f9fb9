//! Frames that are hard to read: slow, huge, deep.

use std::sync::Arc;
use telelink::protocol::frame::{text_frame, MAX_PAYLOAD};
use telelink::protocol::{StatusLevel, ToViewer, CONTROL_TOPIC};
use telelink::room::memory::ChannelSource;
use telelink::session::SessionOptions;

use crate::memory::Gauge;
use crate::rig::{alone, Flood, Stage};

fn unreadable(message: ToViewer) -> Option<String> {
    match message {
        ToViewer::Status(status) if status.level == StatusLevel::Error => Some(status.message),
        _ => None,
    }
}

#[tokio::test]
async fn s_72_slow_drip_frames_cost_what_has_arrived() {
    let _alone = alone().await;
    let stage = Stage::new(SessionOptions::default()).await;
    let (mut calm, hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let quiet = calm.round_trip().await;
    let gauge = Gauge::new();
    // Its own stream and three more, each in the middle of a frame of 16 MiB for ever.
    let mut header = vec![1];
    header.extend_from_slice(&(MAX_PAYLOAD as u32).to_le_bytes());
    let mut streams = Vec::new();
    let mut floods = Vec::new();
    for n in 0..4 {
        let source = if n == 0 { hostile.source.clone() } else { Arc::new(ChannelSource::new()) };
        if n > 0 {
            let open = hostile.room.open_byte_stream(CONTROL_TOPIC, &["robot".into()], source.clone());
            streams.push(open.await.unwrap());
        }
        source.push(header.clone()).unwrap();
        floods.push(Flood::start(source, |_| vec![b' ']));
    }
    calm.undisturbed(quiet).await;
    calm.undisturbed(quiet).await;
    assert!(gauge.peak() < 4 << 20, "{} bytes", gauge.peak());
    drop(floods);
    drop(hostile);
}

#[tokio::test]
async fn s_72_frames_of_16_mib_on_all_streams_are_given_up_at_the_bound() {
    let _alone = alone().await;
    let stage = Stage::new(SessionOptions::default()).await;
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let quiet = calm.round_trip().await;
    let gauge = Gauge::new();
    // Four streams, each with all of a frame but its last byte: 64 MiB in all, of which the robot keeps 32.
    let mut frame = vec![1];
    frame.extend_from_slice(&(MAX_PAYLOAD as u32).to_le_bytes());
    frame.resize(5 + MAX_PAYLOAD - 1, b' ');
    let frame = bytes::Bytes::from(frame);
    hostile.raw(frame.clone());
    let mut streams = Vec::new();
    for _ in 0..3 {
        let source = Arc::new(ChannelSource::new());
        let open = hostile.room.open_byte_stream(CONTROL_TOPIC, &["robot".into()], source.clone());
        streams.push(open.await.unwrap());
        source.push(frame.clone()).unwrap();
    }
    let text = hostile.until(unreadable).await;
    assert_eq!(text, format!("Unreadable message: more than {} bytes of unfinished frames", 32 << 20));
    calm.undisturbed(quiet).await;
    // The frame itself, what is on its way (2 MiB a stream), and what is assembled, which a growing buffer doubles.
    let peak = gauge.peak();
    assert!(peak < 128 << 20, "{peak} bytes");
    drop((hostile, streams));
}

#[tokio::test]
async fn deep_json_is_refused_and_the_stream_goes_on() {
    let _alone = alone().await;
    let stage = Stage::new(SessionOptions::default()).await;
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let quiet = calm.round_trip().await;
    let deep = "[".repeat(8 << 20);
    let objects = r#"{"a":"#.repeat(1 << 20);
    let frames = [
        deep.clone(),
        objects.clone(),
        format!(r#"{{"op":"setParameters","parameters":[{{"name":"x","value":{deep}"#),
        format!(r#"{{"op":"subscribe","channels":{deep}"#),
        format!(r#"{{"op":"subscribe","x":{objects}"#),
    ];
    let gauge = Gauge::new();
    for text in &frames {
        hostile.raw(text_frame(text.as_bytes()).unwrap());
        assert!(hostile.until(unreadable).await.starts_with("Unreadable message: "));
        // S-74a: one status a second.
        tokio::time::sleep(std::time::Duration::from_millis(1001)).await;
    }
    calm.undisturbed(quiet).await;
    assert!(gauge.peak() < 96 << 20, "{} bytes", gauge.peak());
    assert!(hostile.barrier().await.is_empty(), "the stream goes on");
}
