//! Every row of P-34 to P-47, and floods, from a viewer with raw frames over a real server, while another viewer's data
//! flow (P-48, S-71 to S-74).

use std::time::Duration;

use telelink::context::{Channel, Qos};
use telelink::protocol::{FromViewer, Status, StatusLevel, ToViewer};
use telelink::session::{SessionCapability, SessionOptions};
use telelink_viewer_client::{Event, Viewer};

use crate::rig::{Robot, LIMIT};
use crate::support::wait_until;

/// What becomes of a row.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// The message is skipped with an error status, and the stream goes on (P-51, S-74a).
    Skipped,
    /// The stream is given up with an error status (P-48).
    GivenUp,
    /// The end of a stream, in or between frames: nobody is told (P-34 to P-36).
    Ended,
    /// Understood and ignored.
    Ignored,
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(payload);
    frame
}

fn rows() -> Vec<(&'static str, Vec<u8>, Then)> {
    use Then::{Ended, GivenUp, Ignored, Skipped};
    let service_call = [&[2u8][..], &[0; 8], &[1, 0, 0, 0], &[0xff]].concat();
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let deep_parameter = format!(r#"{{"op":"setParameters","parameters":[{{"name":"a","value":{deep}}}]}}"#);
    vec![
        ("P-34 end between frames", frame(1, br#"{"op":"unsubscribe","channelIds":[]}"#), Ended),
        ("P-35 end inside a header", vec![1, 9, 0], Ended),
        ("P-35 end inside a payload", vec![1, 9, 0, 0, 0, b'{'], Ended),
        ("P-37 larger than a frame may be", [&[1u8][..], &(16u32 << 20 | 1).to_le_bytes(), b"x"].concat(), GivenUp),
        ("P-37 as large as a number", [&[1u8][..], &u32::MAX.to_le_bytes()].concat(), GivenUp),
        ("P-38 unknown kind", frame(9, b"unknown kind"), GivenUp),
        ("P-39 not UTF-8", frame(1, b"\xff\xfe"), Skipped),
        ("P-40 no JSON", frame(1, b"{"), Skipped),
        ("P-40 no op", frame(1, br#"{"channels":[]}"#), Skipped),
        ("P-40 unknown op", frame(1, br#"{"op":"dance"}"#), Skipped),
        ("P-40 a member is missing", frame(1, br#"{"op":"subscribe"}"#), Skipped),
        ("P-40 a member of another type", frame(1, br#"{"op":"subscribe","channels":[{"id":"7"}]}"#), Skipped),
        ("P-40 nested too deep", frame(1, deep.as_bytes()), Skipped),
        ("P-40 a parameter nested too deep", frame(1, deep_parameter.as_bytes()), Skipped),
        ("P-41 empty text", frame(1, b""), Skipped),
        ("P-42 empty binary", frame(2, b""), Skipped),
        ("P-43 unknown opcode", frame(2, &[77, 1, 2]), Skipped),
        ("P-44 shorter than its fields", frame(2, &[2, 0, 0]), Skipped),
        ("P-45 an inner string is not UTF-8", frame(2, &service_call), Skipped),
        ("P-45 a number that names nothing", frame(2, &[&[3u8, 9][..], &[0; 17]].concat()), Skipped),
        ("P-47 playback control", frame(2, &[&[3u8, 0][..], &[0; 17]].concat()), Ignored),
    ]
}

/// A viewer that watches a reliable channel and checks that every message arrives, in order.
struct Good {
    viewer: Viewer,
    channel: Channel,
    sent: u32,
}

impl Good {
    async fn new(robot: &Robot) -> Self {
        let channel = robot.context.channel("/r").encoding("json").qos(Qos::Reliable).open().unwrap();
        let viewer = robot.ready_viewer("good").await;
        viewer.wait_channel("/r", LIMIT).await.unwrap();
        viewer.subscribe(["/r"]).unwrap();
        viewer.ping(LIMIT).await.unwrap();
        Self { viewer, channel, sent: 0 }
    }

    /// Data flow.
    async fn flows(&mut self, what: &str) {
        self.channel.log(&self.sent.to_le_bytes()).unwrap();
        let message = self.viewer.next_message(LIMIT).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(message.payload[..], self.sent.to_le_bytes(), "{what}");
        self.sent += 1;
    }
}

/// The next error status that the robot sends.
async fn error_status(viewer: &Viewer) -> Status {
    let error = |event: &Event| match event {
        Event::Control(message) => match &**message {
            ToViewer::Status(status) if status.level == StatusLevel::Error => Some(status.clone()),
            _ => None,
        },
        _ => None,
    };
    viewer.find_event("an error status", LIMIT, error).await.unwrap()
}

#[tokio::test]
async fn p_34_to_p_47_each_row_does_what_it_should_and_disturbs_nobody() {
    let options = SessionOptions { capabilities: vec![SessionCapability::Parameters], ..Default::default() };
    let robot = Robot::start("rows", options);
    let mut good = Good::new(&robot).await;
    let hostile = robot.ready_viewer("hostile").await;
    let to = [hostile.robot().unwrap()];
    for (row, bytes, then) in rows() {
        // Each on a stream of its own, since some of them are the end of theirs.
        let stream = hostile.open_stream("control", &to, LIMIT).await.unwrap();
        stream.write(bytes).unwrap();
        if matches!(then, Then::Skipped | Then::Ignored) {
            // The rest of the stream counts. Its answer shows that the row has been handled.
            stream.write(frame(1, br#"{"op":"subscribe","channels":[{"id":123456789}]}"#)).unwrap();
        }
        if then == Then::Skipped || then == Then::GivenUp {
            let status = error_status(&hostile).await;
            assert!(status.message.starts_with("Unreadable message: "), "{row}: {}", status.message);
        }
        if matches!(then, Then::Skipped | Then::Ignored) {
            assert_eq!(error_status(&hostile).await.message, "Unknown channel ID: 123456789", "{row}");
        }
        good.flows(row).await;
        // A stream that the robot has given up may end with an error on our side.
        let _ = stream.finish(LIMIT).await;
        hostile.ping(LIMIT).await.unwrap_or_else(|error| panic!("{row}: {error}"));
        if matches!(then, Then::Skipped | Then::GivenUp) {
            // S-74a: one such status per second and viewer.
            tokio::time::sleep(Duration::from_millis(1050)).await;
        }
    }
    assert_eq!((good.viewer.totals().server_infos, hostile.totals().server_infos), (1, 1));
    assert_eq!(robot.session.stats().unwrap().viewer_resets(), 0);
}

/// S-132.
#[tokio::test]
async fn p_46_an_unregistered_viewers_stream_does_nothing() {
    let robot = Robot::start("unregistered", SessionOptions::default());
    let mut good = Good::new(&robot).await;
    let stranger = robot.viewer("stranger", Some("1.0.0")).await;
    stranger.ready(LIMIT).await.expect_err("refused");
    let to = [good.viewer.robot().unwrap()];
    let stream = stranger.open_stream("control", &to, LIMIT).await.unwrap();
    let subscribe = format!(r#"{{"op":"subscribe","channels":[{{"id":{}}}]}}"#, good.channel.id());
    for _ in 0..100 {
        stream.write(frame(1, subscribe.as_bytes())).unwrap();
    }
    let _ = stream.finish(LIMIT).await;
    good.flows("P-46").await;
    let stats = robot.session.stats().unwrap();
    assert_eq!((stats.viewers.len(), stats.subscriptions), (1, 1));
}

#[tokio::test]
async fn five_thousand_pings_in_one_chunk_reset_nobody() {
    let mut options = SessionOptions::default();
    options.limits.message_backlog_size = 16;
    let robot = Robot::start("pings", options);
    let mut good = Good::new(&robot).await;
    let viewer = robot.ready_viewer("fast").await;
    let mut chunk = Vec::new();
    for n in 0..5000u64 {
        chunk.extend_from_slice(&FromViewer::Ping { app_timestamp: n.to_le_bytes() }.to_frame().unwrap());
    }
    viewer.send_raw(chunk).unwrap();
    good.flows("while it asks").await;
    // Answered in order: when this one is, the others have been.
    viewer.ping(LIMIT).await.unwrap();
    good.flows("after it asked").await;
    assert_eq!((viewer.totals().server_infos, good.viewer.totals().server_infos), (1, 1));
    assert_eq!(robot.session.stats().unwrap().viewer_resets(), 0);
}

#[tokio::test]
async fn a_thousand_channels_closed_at_once_reset_nobody_with_a_small_backlog() {
    let mut options = SessionOptions::default();
    // For what coalescing leaves, and moments in which a busy machine writes nothing.
    options.limits.message_backlog_size = 64;
    let robot = Robot::start("close", options);
    let mut good = Good::new(&robot).await;
    let channels: Vec<Channel> = (0..1000)
        .map(|n| robot.context.channel(format!("/many/{n}")).encoding("json").qos(Qos::Reliable).open().unwrap())
        .collect();
    let viewer = robot.ready_viewer("watcher").await;
    viewer.wait_until("1001 channels", LIMIT, |picture, _| picture.channels().len() == 1001).await.unwrap();
    drop(channels);
    viewer.wait_until("one channel", LIMIT, |picture, _| picture.channels().len() == 1).await.unwrap();
    good.flows("after the closing").await;
    wait_until("no reset", LIMIT, || robot.session.stats().unwrap().viewer_resets() == 0).await;
    assert_eq!(viewer.totals().server_infos, 1);
}
