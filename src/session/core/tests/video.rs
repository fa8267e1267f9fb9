//! Video tracks (S-155 to S-157, S-231 to S-235, S-241, S-248 to S-250, S-275).

use super::*;
use crate::protocol::schema::{VIDEO_FRAME_ID_KEY, VIDEO_SOURCE_ENCODING_KEY};
use crate::protocol::{Advertise, AdvertisedSchema};
use crate::session::core::video::VideoMetadata;

impl Robot {
    fn watch(&mut self, sid: &str, channels: &[&Channel]) {
        let channels = channels.iter().map(|channel| video(channel)).collect();
        self.says(sid, FromViewer::Subscribe { channels });
    }

    /// The publisher of a channel's pictures.
    fn publisher(&self, channel: &Channel) -> PublisherId {
        self.videos[&channel.id().get()]
    }

    fn published(&mut self, publisher: PublisherId, sid: &str) {
        self.input(Input::VideoPublished { publisher, result: Ok(sid.into()) });
    }

    fn publish_fails(&mut self, publisher: PublisherId) {
        self.input(Input::VideoPublished { publisher, result: Err("no room at the server".into()) });
    }

    fn news(&mut self, channel: &Channel, publisher: PublisherId, metadata: Option<(&'static str, &str)>) {
        let metadata =
            metadata.map(|(source_encoding, frame_id)| VideoMetadata { source_encoding, frame_id: frame_id.into() });
        let news = VideoNews { channel: channel.id(), publisher, metadata, failing: None };
        self.input(Input::VideoNews(vec![news]));
    }

    fn failing(&mut self, channel: &Channel, publisher: PublisherId, failing: Option<&str>) {
        let failing = Some(failing.map(str::to_owned));
        let news = VideoNews { channel: channel.id(), publisher, metadata: None, failing };
        self.input(Input::VideoNews(vec![news]));
    }

    /// The steps since the last look that are about video tracks.
    fn video_steps(&mut self) -> Vec<Step> {
        let about_video = |step: &Step| {
            matches!(
                step,
                Step::StartVideo(..)
                    | Step::PublishVideo(..)
                    | Step::AttachVideo(..)
                    | Step::DropVideo(_)
                    | Step::StopVideo(..)
                    | Step::Orphan(_)
            )
        };
        self.take().into_iter().filter(about_video).collect()
    }

    /// What viewers were sent since the last look.
    fn heard(&mut self) -> Vec<(ClientId, ToViewer)> {
        let sent = |step| match step {
            Step::Sent(client, message) => Some((client, message)),
            _ => None,
        };
        self.take().into_iter().filter_map(sent).collect()
    }
}

/// A robot with an image channel, and a viewer that is registered.
fn stage() -> (Robot, Channel, ClientId) {
    let mut robot = Robot::new();
    let channel = robot.image("/camera");
    let viewer = robot.viewer("ann", "PA_1");
    (robot, channel, viewer)
}

fn id(channel: &Channel) -> u64 {
    channel.id().get()
}

/// S-176, P-160.
#[test]
fn s_231_the_first_video_subscriber_starts_the_track_and_the_last_ends_it() {
    let (mut robot, channel, _) = stage();
    robot.viewer("bob", "PA_2");
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    let steps = robot.take();
    let at = |wanted: &Step| steps.iter().position(|step| step == wanted).unwrap();
    let started = at(&Step::StartVideo(id(&channel), publisher));
    assert!(started < at(&Step::Route(id(&channel), vec![], false)), "the route names what was started");
    assert!(steps.contains(&Step::PublishVideo(id(&channel), publisher)));
    robot.published(publisher, "TR_1");
    assert_eq!(robot.video_steps(), [Step::AttachVideo(id(&channel), publisher)]);
    robot.watch("PA_2", &[&channel]);
    robot.unsubscribe("PA_1", &[&channel]);
    assert_eq!(robot.video_steps(), [], "somebody still watches");
    robot.unsubscribe("PA_2", &[&channel]);
    assert_eq!(robot.video_steps(), [Step::StopVideo(id(&channel), publisher)]);
    robot.watch("PA_1", &[&channel]);
    let again = robot.publisher(&channel);
    assert_ne!(again, publisher);
    let steps = [Step::StartVideo(id(&channel), again), Step::PublishVideo(id(&channel), again)];
    assert_eq!(robot.video_steps(), steps);
}

/// LiveKit's library keeps something of every track that was published, until the connection ends.
#[test]
fn a_viewer_that_turns_video_on_and_off_does_not_set_the_pace() {
    let (mut robot, channel, _) = stage();
    let toggle = |robot: &mut Robot, times: usize| {
        (0..times)
            .map(|_| {
                robot.watch("PA_1", &[&channel]);
                robot.unsubscribe("PA_1", &[&channel]);
                robot.video_steps().iter().filter(|step| matches!(step, Step::PublishVideo(..))).count()
            })
            .sum::<usize>()
    };
    assert_eq!(toggle(&mut robot, 1000), 64);
    robot.pass(Duration::from_secs(3));
    assert_eq!(toggle(&mut robot, 1000), 3);
    // Who watches waits for the next one, and gets it.
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    assert_eq!(robot.video_steps(), [Step::StartVideo(id(&channel), publisher)]);
    robot.pass(Duration::from_millis(999));
    assert_eq!(robot.video_steps(), []);
    robot.pass(Duration::from_millis(1));
    assert_eq!(robot.video_steps(), [Step::PublishVideo(id(&channel), publisher)]);
    robot.published(publisher, "TR_1");
    robot.unsubscribe("PA_1", &[&channel]);
    // Earned again in a quiet time, and no more than there were.
    robot.pass(Duration::from_secs(3600));
    assert_eq!(toggle(&mut robot, 1000), 64);
}

/// S-85, P-24.
#[test]
fn s_231_every_way_to_lose_the_last_video_subscriber_ends_the_track() {
    let ways: [fn(&mut Robot, &Channel, ClientId); 6] = [
        |robot, _, _| robot.disconnect("PA_1"),
        |robot, channel, _| robot.subscribe("PA_1", &[channel]),
        |robot, _, viewer| robot.reset(viewer),
        |robot, channel, _| robot.remove(&[channel]),
        |robot, _, _| robot.input(Input::Left),
        // The same viewer comes back under a new SID.
        |robot, _, _| {
            robot.active(who("ann", "PA_9", 2000));
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let (mut robot, channel, viewer) = stage();
        robot.watch("PA_1", &[&channel]);
        let publisher = robot.publisher(&channel);
        robot.published(publisher, "TR_1");
        robot.take();
        way(&mut robot, &channel, viewer);
        assert!(robot.videos.is_empty(), "way {number}");
    }
}

/// P-160.
#[test]
fn s_090_data_and_video_subscribers_live_side_by_side() {
    let (mut robot, channel, _) = stage();
    robot.viewer("bob", "PA_2");
    robot.watch("PA_1", &[&channel]);
    robot.subscribe("PA_2", &[&channel]);
    assert_eq!(robot.routes[&id(&channel)], (vec![], true));
    let publisher = robot.publisher(&channel);
    robot.take();
    robot.unsubscribe("PA_2", &[&channel]);
    assert_eq!(robot.routes[&id(&channel)], (vec![], false));
    assert_eq!(robot.publisher(&channel), publisher, "the video does not notice");
    // A switch of mode is no event (S-178), and takes the track along.
    robot.subscribe("PA_1", &[&channel]);
    assert!(robot.videos.is_empty());
    assert_eq!(robot.routes[&id(&channel)], (vec![], true));
    robot.events();
    robot.watch("PA_1", &[&channel]);
    assert_eq!(robot.events(), []);
    assert_eq!(robot.routes[&id(&channel)], (vec![], false));
}

/// S-233.
#[test]
fn s_155_a_track_that_nobody_wants_any_more_when_it_is_published_is_taken_back() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.unsubscribe("PA_1", &[&channel]);
    robot.take();
    robot.published(publisher, "TR_1");
    assert_eq!(robot.take(), [Step::DropVideo(publisher)]);
    assert_eq!(robot.core.video_track_count(), 0);
}

/// S-233.
#[test]
fn s_156_a_second_publisher_took_the_slot() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let first = robot.publisher(&channel);
    robot.unsubscribe("PA_1", &[&channel]);
    robot.watch("PA_1", &[&channel]);
    let second = robot.publisher(&channel);
    robot.take();
    robot.published(second, "TR_2");
    robot.published(first, "TR_1");
    assert_eq!(robot.take(), [Step::AttachVideo(id(&channel), second), Step::DropVideo(first)]);
    // The stored SID is the second one: losing the first means nothing, losing the second does.
    robot.input(Input::VideoLost { sid: "TR_1".into() });
    assert_eq!(robot.take(), []);
    robot.input(Input::VideoLost { sid: "TR_2".into() });
    assert_eq!(robot.take(), [Step::DropVideo(second)]);
}

#[test]
fn s_157_metadata_of_a_channel_that_is_gone_is_told_to_nobody() {
    let (mut robot, channel, viewer) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.remove(&[&channel]);
    robot.take();
    robot.news(&channel, publisher, Some(("jpeg", "front")));
    assert_eq!(robot.take(), []);
    assert!(robot.view(viewer).channels.is_empty());
}

/// In place of P-166.
#[test]
fn s_234_failures_are_tried_again_and_the_third_is_told() {
    let (mut robot, channel, viewer) = stage();
    let data = robot.viewer("bob", "PA_2");
    robot.subscribe("PA_2", &[&channel]);
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    let again = [Step::PublishVideo(id(&channel), publisher)];
    robot.take();
    for (failure, pause) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1600), (6, 3000), (7, 3000)] {
        robot.publish_fails(publisher);
        let sent = robot.heard();
        assert_eq!(sent.iter().filter(|(to, _)| *to == data).count(), 0, "who takes data is not concerned");
        if failure == 3 {
            let [(to, ToViewer::Status(status))] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!((*to, status.level), (viewer, StatusLevel::Warning));
            assert_eq!(status.id, Some(format!("video-{}", id(&channel))));
            assert_eq!(status.message, "Video of topic /camera is not available: no room at the server");
        } else {
            assert_eq!(sent, [], "failure {failure}");
        }
        robot.pass(Duration::from_millis(pause - 1));
        assert_eq!(robot.video_steps(), []);
        robot.pass(Duration::from_millis(1));
        assert_eq!(robot.video_steps(), again, "failure {failure}");
    }
    robot.published(publisher, "TR_1");
    let cleared = ToViewer::RemoveStatus { status_ids: vec![format!("video-{}", id(&channel))] };
    assert_eq!(robot.heard(), [(viewer, cleared)]);
    // A new failure starts from the beginning.
    robot.input(Input::VideoLost { sid: "TR_1".into() });
    robot.take();
    robot.pass(Duration::from_millis(100));
    assert_eq!(robot.video_steps(), again);
}

#[test]
fn s_234_nothing_is_tried_for_nobody() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.publish_fails(publisher);
    robot.unsubscribe("PA_1", &[&channel]);
    robot.take();
    robot.pass(Duration::from_secs(10));
    assert_eq!(robot.video_steps(), []);
    assert_eq!(robot.core.deadline(), None);
}

/// In place of P-166.
#[test]
fn s_241_persistent_failures_are_told_and_withdrawn() {
    let (mut robot, channel, viewer) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.published(publisher, "TR_1");
    robot.take();
    robot.failing(&channel, publisher, Some("malformed JPEG: cut short"));
    let status = Status {
        level: StatusLevel::Warning,
        message: "The images on topic /camera cannot be shown as video: malformed JPEG: cut short".into(),
        id: Some(format!("video-{}", id(&channel))),
    };
    let removed = ToViewer::RemoveStatus { status_ids: vec![format!("video-{}", id(&channel))] };
    assert_eq!(robot.heard(), [(viewer, ToViewer::Status(status.clone()))]);
    // Whoever begins to watch is told too, and whoever ends is not left with it.
    let other = robot.viewer("bob", "PA_2");
    robot.watch("PA_2", &[&channel]);
    assert_eq!(robot.heard(), [(other, ToViewer::Status(status.clone()))]);
    robot.unsubscribe("PA_2", &[&channel]);
    assert_eq!(robot.heard(), [(other, removed.clone())]);
    robot.watch("PA_2", &[&channel]);
    robot.take();
    robot.subscribe("PA_2", &[&channel]);
    assert_eq!(robot.heard(), [(other, removed.clone())]);
    robot.failing(&channel, publisher, None);
    assert_eq!(robot.heard(), [(viewer, removed)]);
    robot.failing(&channel, PublisherId(u64::MAX), Some("late news of a publisher that is gone"));
    assert_eq!(robot.heard(), []);
}

/// The rule is about compressed point clouds, which do not exist yet; late failures of pictures are the same race.
#[test]
fn s_171_a_late_failure_with_nobody_watching_is_not_kept_for_the_next_viewer() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.published(publisher, "TR_1");
    robot.unsubscribe("PA_1", &[&channel]);
    robot.take();
    robot.failing(&channel, publisher, Some("malformed JPEG: cut short"));
    assert_eq!(robot.heard(), []);
    robot.viewer("bob", "PA_2");
    robot.watch("PA_2", &[&channel]);
    let statuses = robot.heard().into_iter().filter(|(_, message)| matches!(message, ToViewer::Status(_)));
    assert_eq!(statuses.count(), 0);
}

#[test]
fn s_241_a_warning_goes_with_its_channel() {
    let (mut robot, channel, viewer) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.failing(&channel, publisher, Some("odd"));
    robot.take();
    robot.remove(&[&channel]);
    let removed = ToViewer::RemoveStatus { status_ids: vec![format!("video-{}", id(&channel))] };
    assert!(robot.heard().contains(&(viewer, removed)));
}

/// S-83.
#[test]
fn s_249_one_advertise_tells_both_kinds_of_viewers_what_changed() {
    let mut robot = Robot::new();
    let channel = robot.image("/camera");
    let other = robot.image("/other");
    let new = robot.viewer("ann", "PA_1");
    let old = robot.active(speaking(Some("2.2.0"), "old", "PA_2"));
    robot.watch("PA_1", &[&channel, &other]);
    let (first, second) = (robot.publisher(&channel), robot.publisher(&other));
    robot.take();
    let news = |channel: &Channel, publisher, frame_id: &str| VideoNews {
        channel: channel.id(),
        publisher,
        metadata: Some(VideoMetadata { source_encoding: "jpeg", frame_id: frame_id.into() }),
        failing: None,
    };
    robot.input(Input::VideoNews(vec![news(&channel, first, "front"), news(&other, second, "")]));
    let sent = robot.heard();
    let advertised = |client| {
        let mut sent = sent.iter().filter(|(to, _)| *to == client).map(|(_, message)| message);
        let Some(ToViewer::Advertise(advertise)) = sent.next() else { panic!("no advertise") };
        assert!(sent.next().is_none(), "one message");
        advertise
    };
    let table: &Advertise = advertised(new);
    assert!(table.schemas.is_empty(), "the schema was sent before (P-204)");
    let keys = |advertise: &Advertise, at: usize| advertise.channels[at].metadata.clone();
    for advertise in [table, advertised(old)] {
        assert_eq!(advertise.channels.len(), 2);
        assert_eq!(keys(advertise, 0)[VIDEO_SOURCE_ENCODING_KEY], "jpeg");
        assert_eq!(keys(advertise, 0)[VIDEO_FRAME_ID_KEY], "front");
        assert!(!keys(advertise, 1).contains_key(VIDEO_FRAME_ID_KEY), "an empty frame id is none");
    }
    assert!(matches!(table.channels[0].schema, AdvertisedSchema::Table(Some(1))));
    assert!(matches!(advertised(old).channels[0].schema, AdvertisedSchema::Inline(Some(_))));
    // The same again is no news; a change is told alone; what was known stays out when it is gone.
    robot.input(Input::VideoNews(vec![news(&channel, first, "front")]));
    assert_eq!(robot.take(), []);
    robot.pass(Duration::from_secs(1));
    robot.take();
    robot.input(Input::VideoNews(vec![news(&channel, first, "")]));
    let sent = robot.heard();
    let Some((_, ToViewer::Advertise(change))) = sent.first() else { panic!("{sent:?}") };
    assert_eq!(change.channels.len(), 1);
    assert!(!change.channels[0].metadata.contains_key(VIDEO_FRAME_ID_KEY));
}

#[test]
fn s_249_changes_of_every_picture_are_told_once_a_second() {
    let mut robot = Robot::new();
    let (channel, other) = (robot.image("/camera"), robot.image("/other"));
    let viewer = robot.viewer("ann", "PA_1");
    robot.watch("PA_1", &[&channel, &other]);
    let (first, second) = (robot.publisher(&channel), robot.publisher(&other));
    robot.published(first, "TR_1");
    robot.published(second, "TR_2");
    robot.take();
    robot.news(&channel, first, Some(("jpeg", "0")));
    assert_eq!(robot.heard().len(), 1, "the first change is told at once");
    for n in 1..=30 {
        robot.news(&channel, first, Some(("jpeg", &n.to_string())));
        robot.news(&other, second, Some(("png", &n.to_string())));
    }
    assert_eq!(robot.heard(), [], "what follows is collected");
    // Whoever comes meanwhile is told the newest.
    let late = robot.viewer("bob", "PA_2");
    assert_eq!(robot.view(late).channels[&id(&channel)].metadata[VIDEO_FRAME_ID_KEY], "30");
    robot.take();
    robot.pass(Duration::from_millis(999));
    assert_eq!(robot.heard(), []);
    robot.pass(Duration::from_millis(1));
    let told = robot.heard();
    let to: Vec<ClientId> = told.iter().map(|(client, _)| *client).collect();
    assert_eq!(to, [viewer, late], "one message to each");
    for (_, message) in &told {
        let ToViewer::Advertise(advertise) = message else { panic!("{message:?}") };
        let ids: Vec<&str> = advertise.channels.iter().map(|c| c.metadata[VIDEO_FRAME_ID_KEY].as_str()).collect();
        assert_eq!(ids, ["30", "30"]);
    }
    assert_eq!(robot.core.deadline(), None, "nothing waits");
    // A channel that goes takes along what was not told yet (S-157, S-250).
    robot.news(&channel, first, Some(("jpeg", "31")));
    robot.remove(&[&channel]);
    robot.take();
    robot.pass(Duration::from_secs(2));
    assert_eq!(robot.heard(), []);
    robot.news(&other, second, Some(("png", "x")));
    assert_eq!(robot.heard().len(), 2, "after a quiet second at once again");
}

/// S-83.
#[test]
fn p_127_what_is_known_outlives_the_track_and_reaches_later_viewers() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.news(&channel, publisher, Some(("nv12", "cam")));
    robot.unsubscribe("PA_1", &[&channel]);
    let late = robot.viewer("late", "PA_3");
    let seen = &robot.view(late).channels[&id(&channel)].metadata;
    assert_eq!((seen[VIDEO_SOURCE_ENCODING_KEY].as_str(), seen[VIDEO_FRAME_ID_KEY].as_str()), ("nv12", "cam"));
    // A message's worth of frame id would not fit the advertisement.
    robot.news(&channel, publisher, Some(("nv12", &"x".repeat(2000))));
    robot.pass(Duration::from_secs(1));
    assert!(!robot.view(late).channels[&id(&channel)].metadata.contains_key(VIDEO_FRAME_ID_KEY));
}

#[test]
fn s_275_a_renewed_track_is_the_one_that_ends_later() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.published(publisher, "TR_1");
    robot.input(Input::VideoRenewed { previous: "TR_1".into(), sid: "TR_2".into() });
    robot.take();
    robot.input(Input::VideoLost { sid: "TR_1".into() });
    assert_eq!(robot.take(), [], "that is the old one");
    robot.unsubscribe("PA_1", &[&channel]);
    assert_eq!(robot.video_steps(), [Step::StopVideo(id(&channel), publisher)]);
    robot.input(Input::VideoRenewed { previous: "TR_2".into(), sid: "TR_3".into() });
    assert_eq!(robot.take(), [Step::Orphan("TR_3".into())], "after the teardown it is taken back at once");
}

#[test]
fn s_275_a_renewal_that_comes_before_the_answer_belongs_to_it() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let publisher = robot.publisher(&channel);
    robot.take();
    robot.input(Input::VideoRenewed { previous: "TR_1".into(), sid: "TR_2".into() });
    robot.input(Input::VideoRenewed { previous: "TR_8".into(), sid: "TR_9".into() });
    assert_eq!(robot.take(), [], "nobody knows yet whose it is");
    // The track knows its new SID when the answer is taken.
    robot.published(publisher, "TR_2");
    let steps = [Step::AttachVideo(id(&channel), publisher), Step::Orphan("TR_9".into())];
    assert_eq!(robot.take(), steps);
}

#[test]
fn s_275_after_a_full_reconnect_every_viewer_starts_anew_and_so_do_the_tracks() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let first = robot.publisher(&channel);
    robot.published(first, "TR_1");
    robot.take();
    robot.input(Input::Reconnected { participants: vec![who("ann", "PA_1", 1000)] });
    assert_eq!(robot.video_steps(), [Step::StopVideo(id(&channel), first)]);
    robot.input(Input::VideoRenewed { previous: "TR_1".into(), sid: "TR_2".into() });
    assert_eq!(robot.video_steps(), [Step::Orphan("TR_2".into())]);
    // Viewers are greeted a moment after the reconnection.
    robot.pass(Duration::from_secs(1));
    robot.watch("PA_1", &[&channel]);
    let second = robot.publisher(&channel);
    robot.published(second, "TR_3");
    assert_eq!(robot.core.video_track_count(), 1);
    robot.pass(Duration::from_secs(60));
    assert_eq!(robot.core.video_track_count(), 1, "nothing expires");
}

#[test]
fn s_036_what_is_answered_after_the_room_was_left_means_nothing() {
    let (mut robot, channel, _) = stage();
    robot.watch("PA_1", &[&channel]);
    let old = robot.publisher(&channel);
    robot.input(Input::Left);
    robot.joined(vec![who("ann", "PA_5", 5000)]);
    robot.watch("PA_5", &[&channel]);
    let new = robot.publisher(&channel);
    robot.take();
    robot.publish_fails(old);
    assert_eq!(robot.take(), []);
    robot.published(new, "TR_1");
    assert_eq!(robot.take(), [Step::AttachVideo(id(&channel), new)]);
}
