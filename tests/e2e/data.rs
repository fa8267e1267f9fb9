//! Data over both paths.

use std::collections::HashMap;

use telelink::context::Qos;
use telelink::session::SessionOptions;
use telelink_viewer_client::Via;

use crate::rig::{Robot, LIMIT};

/// S-94.
#[tokio::test]
async fn reliable_messages_of_every_size_arrive_complete_and_in_order() {
    let robot = Robot::start("reliable", SessionOptions::default());
    let channel = robot.context.channel("/r").encoding("bin").qos(Qos::Reliable).open().unwrap();
    let viewers = [robot.ready_viewer("a").await, robot.ready_viewer("b").await];
    for viewer in &viewers {
        viewer.wait_channel("/r", LIMIT).await.unwrap();
        viewer.subscribe(["/r"]).unwrap();
        viewer.ping(LIMIT).await.unwrap();
    }
    // Around the 15,000 bytes of one write, and far above.
    let sizes = [0, 1, 100, 14_900, 15_000, 15_001, 70_000, 1_000_000];
    let messages: Vec<Vec<u8>> =
        (0..80).map(|n: usize| (0..sizes[n % sizes.len()]).map(|i| (i * 31 + n) as u8).collect()).collect();
    for (n, message) in messages.iter().enumerate() {
        channel.log_at(message, n as u64).unwrap();
    }
    for viewer in &viewers {
        for (n, message) in messages.iter().enumerate() {
            let got = viewer.next_message(LIMIT).await.unwrap();
            assert_eq!((got.log_time, got.via), (n as u64, Via::Control));
            assert!(got.payload == message[..], "message {n} of {} bytes is damaged", message.len());
        }
    }
}

#[tokio::test]
async fn a_burst_of_5000_resets_nobody() {
    let robot = Robot::start("burst", SessionOptions::default());
    let channel = robot.context.channel("/r").encoding("json").qos(Qos::Reliable).open().unwrap();
    let viewer = robot.ready_viewer("v").await;
    viewer.wait_channel("/r", LIMIT).await.unwrap();
    viewer.subscribe(["/r"]).unwrap();
    viewer.ping(LIMIT).await.unwrap();
    for n in 0..5000u32 {
        channel.log(&n.to_le_bytes()).unwrap();
    }
    for n in 0..5000u32 {
        assert_eq!(viewer.next_message(LIMIT).await.unwrap().payload[..], n.to_le_bytes());
    }
    assert_eq!(robot.session.stats().unwrap().viewer_resets(), 0);
}

/// P-132, P-154.
#[tokio::test]
async fn p_152_lossy_messages_come_over_data_tracks_with_time_and_sequence() {
    let robot = Robot::start("lossy", SessionOptions::default());
    let names: Vec<String> = (0..4).map(|n| format!("/l{n}")).collect();
    let channels: Vec<_> =
        names.iter().map(|topic| robot.context.channel(topic).encoding("json").open().unwrap()).collect();
    let viewer = robot.ready_viewer("v").await;
    viewer.subscribe(names.iter().map(String::as_str)).unwrap();
    for (topic, channel) in names.iter().zip(&channels) {
        viewer.wait_channel(topic, LIMIT).await.unwrap();
        viewer.wait_attached(channel.id().get(), LIMIT).await.unwrap();
    }
    viewer.ping(LIMIT).await.unwrap();
    // Paced by the viewer: the next round when each channel has shown something new, so the machine's load cannot fail it.
    let mut seen: HashMap<u64, u64> = HashMap::new();
    for round in 1..=20u64 {
        let mut attempts = 0;
        while channels.iter().any(|channel| seen.get(&channel.id().get()).is_none_or(|time| *time < round * 1000)) {
            attempts += 1;
            assert!(attempts < 2000, "a channel shows nothing in round {round}: {seen:?}");
            for channel in &channels {
                channel.log_at(b"{}", round * 1000 + attempts).unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            while let Some(message) = viewer.try_next_message().unwrap() {
                assert_eq!(message.payload[..], *b"{}");
                assert!(matches!(message.via, Via::Track { .. }));
                let last = seen.insert(message.channel_id, message.log_time).unwrap_or(0);
                assert!(message.log_time > last, "frames of one channel keep their order here");
            }
        }
    }
}

/// P-76.
#[tokio::test]
async fn s_38_nothing_from_before_the_subscription_arrives() {
    let robot = Robot::start("before", SessionOptions::default());
    let channel = robot.context.channel("/r").encoding("json").qos(Qos::Reliable).open().unwrap();
    let viewer = robot.ready_viewer("v").await;
    viewer.wait_channel("/r", LIMIT).await.unwrap();
    channel.log(b"early").unwrap();
    viewer.subscribe(["/r"]).unwrap();
    viewer.ping(LIMIT).await.unwrap();
    channel.log(b"late").unwrap();
    assert_eq!(viewer.next_message(LIMIT).await.unwrap().payload[..], *b"late");
}

#[tokio::test]
async fn a_thousand_channels_come_and_go_in_few_messages() {
    let robot = Robot::start("thousand", SessionOptions::default());
    let viewer = robot.ready_viewer("v").await;
    let open = |n: usize| {
        let qos = if n.is_multiple_of(2) { Qos::Reliable } else { Qos::Lossy };
        robot.context.channel(format!("/many/{n}")).encoding("json").qos(qos).open().unwrap()
    };
    let channels: Vec<_> = (0..1000).map(open).collect();
    viewer.wait_until("1000 channels", LIMIT, |picture, _| picture.channels().len() == 1000).await.unwrap();
    let late = robot.ready_viewer("late").await;
    late.wait_until("1000 channels", LIMIT, |picture, _| picture.channels().len() == 1000).await.unwrap();
    drop(channels);
    for viewer in [&viewer, &late] {
        viewer.wait_until("no channels", LIMIT, |picture, _| picture.channels().is_empty()).await.unwrap();
    }
    assert_eq!(robot.session.stats().unwrap().viewer_resets(), 0);
}
