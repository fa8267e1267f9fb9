//! Floods of small messages: subscriptions, channels, parameter names.

use std::sync::Arc;

use telelink::protocol::frame::text_frame;
use telelink::protocol::{FromViewer, StatusLevel, SubscribeChannel, ToViewer};
use telelink::session::{Client, ClientChannel, Listener, ParameterHandler, SessionCapability, SessionOptions};
use telelink::session::{GetParametersRequest, ParameterResponder, SetParametersRequest};

use crate::memory::Gauge;
use crate::rig::{alone, Flood, Stage};

/// Counts what the application is told.
#[derive(Default)]
struct Counts {
    begun: std::sync::atomic::AtomicI64,
    most: std::sync::atomic::AtomicI64,
}

impl Listener for Counts {
    fn on_client_advertise(&self, _: &Client, _: &ClientChannel) {
        let begun = self.begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        self.most.fetch_max(begun, std::sync::atomic::Ordering::Relaxed);
    }
    fn on_client_unadvertise(&self, _: &Client, _: &ClientChannel) {
        self.begun.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

fn status(message: &ToViewer) -> Option<&str> {
    match message {
        ToViewer::Status(status) if status.level == StatusLevel::Error => Some(&status.message),
        _ => None,
    }
}

/// 100 messages every 10 ms: 10,000 per second.
#[tokio::test]
async fn ten_thousand_subscriptions_a_second_disturb_nobody() {
    let _alone = alone().await;
    let stage = Stage::new(SessionOptions::default()).await;
    let channel = stage.channel("/r");
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let id = channel.id().get();
    let entry = |id| SubscribeChannel { id, request_video_track: false };
    calm.say(&FromViewer::Subscribe { channels: vec![entry(id)] });
    let quiet = calm.round_trip().await;
    let gauge = Gauge::new();
    let subscribe = FromViewer::Subscribe { channels: vec![entry(id)] }.to_frame().unwrap();
    let unsubscribe = FromViewer::Unsubscribe { channel_ids: vec![id] }.to_frame().unwrap();
    let unknown = FromViewer::Subscribe { channels: vec![entry(u64::MAX >> 12)] }.to_frame().unwrap();
    let pairs = [subscribe.clone(), unsubscribe, subscribe.clone(), unknown].concat();
    let flood = Flood::start(hostile.source.clone(), move |_| pairs.repeat(25));
    calm.undisturbed(quiet).await;
    calm.undisturbed(quiet).await;
    assert!(channel.log(b"still").is_ok());
    let data =
        |message| matches!(message, ToViewer::MessageData { ref data, .. } if &data[..] == b"still").then_some(());
    calm.until(data).await;
    drop(flood);
    // It reads its answers, so it is served to the end.
    let refused = hostile.barrier().await.iter().filter_map(status).filter(|text| text.starts_with("Unknown")).count();
    assert!(refused > 1000, "the flood was handled: {refused}");
    assert!(gauge.peak() < 64 << 20, "{} bytes", gauge.peak());
    assert_eq!(stage.session.stats().unwrap().viewer_resets(), 0);
}

#[tokio::test]
async fn hundreds_of_thousands_of_unknown_channels_in_one_request_are_counted_not_listed() {
    let _alone = alone().await;
    let stage = Stage::new(SessionOptions::default()).await;
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let quiet = calm.round_trip().await;
    let channels = (0..700_000).map(|id| SubscribeChannel { id: (1 << 40) + id, request_video_track: false }).collect();
    let subscribe = FromViewer::Subscribe { channels }.to_frame().unwrap();
    let gauge = Gauge::new();
    for _ in 0..3 {
        hostile.raw(subscribe.clone());
        hostile.flushed().await;
    }
    calm.undisturbed(quiet).await;
    let answers = hostile.barrier().await;
    let more = answers.iter().filter_map(status).filter(|text| text.contains("more channels")).collect::<Vec<_>>();
    assert_eq!(more, ["699984 more channels could not be subscribed"; 3]);
    assert_eq!(answers.len(), 3 * 17);
    // Read, a message is 16 bytes per entry; the rest is its frame, the way, and what a growing list leaves behind.
    assert!(gauge.peak() < 192 << 20, "{} bytes", gauge.peak());
}

/// P-83.
#[tokio::test]
async fn s_191_thousands_of_client_channels_stay_at_256() {
    let _alone = alone().await;
    let counts = Arc::new(Counts::default());
    let stage = Stage::new(SessionOptions {
        capabilities: vec![SessionCapability::ClientPublish],
        listener: Some(counts.clone()),
        ..Default::default()
    })
    .await;
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let quiet = calm.round_trip().await;
    let entry = |id: u64| format!(r#"{{"id":{id},"topic":"/t","encoding":"json","schemaName":""}}"#);
    let advertise = |ids: std::ops::Range<u64>| {
        let entries: Vec<_> = ids.map(entry).collect();
        text_frame(format!(r#"{{"op":"advertise","channels":[{}]}}"#, entries.join(",")).as_bytes()).unwrap()
    };
    let gauge = Gauge::new();
    hostile.raw(advertise(0..5000));
    let answers = hostile.barrier().await;
    let text = "4744 channels were not accepted: at most 256 can be advertised at a time";
    assert_eq!(answers.iter().filter_map(status).collect::<Vec<_>>(), [text]);
    let single = (5000..5100).flat_map(|id| advertise(id..id + 1)).collect::<Vec<u8>>();
    let flood = Flood::start(hostile.source.clone(), move |_| single.clone());
    calm.undisturbed(quiet).await;
    drop(flood);
    hostile.barrier().await;
    assert_eq!(counts.most.load(std::sync::atomic::Ordering::Relaxed), 256);
    assert!(gauge.peak() < 64 << 20, "{} bytes", gauge.peak());
    drop(hostile);
    drop(calm);
    stage.session.close_timeout(crate::rig::LIMIT).unwrap();
    assert_eq!(counts.begun.load(std::sync::atomic::Ordering::Relaxed), 0, "every begin has its end");
}

/// Answers with what it is asked to set.
struct Echo;

impl ParameterHandler for Echo {
    fn get(&self, _: GetParametersRequest, responder: ParameterResponder) {
        let _ = responder.respond(Vec::new());
    }
    fn set(&self, request: SetParametersRequest, responder: ParameterResponder) {
        let _ = responder.respond(request.parameters);
    }
}

#[tokio::test]
async fn s_213_a_million_parameter_names_stay_within_the_bound() {
    let _alone = alone().await;
    let stage = Stage::new(SessionOptions { parameter_handler: Some(Arc::new(Echo)), ..Default::default() }).await;
    let (mut calm, mut hostile) = (stage.viewer("calm").await, stage.viewer("hostile").await);
    let quiet = calm.round_trip().await;
    let names: Vec<String> = (0..1_000_000).map(|n| n.to_string()).collect();
    let subscribe = FromViewer::SubscribeParameterUpdates { names: names.clone() }.to_frame().unwrap();
    let get = FromViewer::GetParameters { names, id: Some("all".into()) }.to_frame().unwrap();
    let one = r#"{"name":"x","value":1},"#.repeat(600_000);
    let set = format!(r#"{{"op":"setParameters","id":"s","parameters":[{}]}}"#, one.trim_end_matches(','));
    let gauge = Gauge::new();
    hostile.raw(subscribe);
    hostile.raw(get);
    hostile.raw(text_frame(set.as_bytes()).unwrap());
    calm.undisturbed(quiet).await;
    let answers = hostile.barrier().await;
    let statuses: Vec<&str> = answers.iter().filter_map(status).collect();
    let text = "990000 parameters were not subscribed: at most 10000 of 1048576 bytes of names can be";
    assert_eq!(statuses.first(), Some(&text), "{statuses:?}");
    // The set has more values than one message may have.
    assert!(statuses.iter().any(|text| text.starts_with("Unreadable message: ")), "{statuses:?}");
    assert!(gauge.peak() < 256 << 20, "{} bytes", gauge.peak());
    let left = gauge.now();
    assert!(left < 64 << 20, "what is kept are 10,000 names: {left} bytes");
}
