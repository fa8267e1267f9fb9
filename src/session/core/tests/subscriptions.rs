//! Subscriptions (P-70 to P-79, S-175 to S-184).

use super::*;

#[test]
fn s_178_subscribing_again_is_silent() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    let a_id = a.id().get();
    assert_eq!(robot.take(), [Step::Route(a_id, vec![ann], false), Step::Told(Told::Subscribe(ann, a_id))]);
    robot.subscribe("S1", &[&a]);
    assert_eq!(robot.take(), []);
}

/// S-176, P-71.
#[test]
fn p_72_a_switch_of_mode_is_no_event() {
    let mut robot = Robot::new();
    let image = robot.image("/i");
    let ann = robot.viewer("ann", "S1");
    let id = image.id().get();
    robot.says("S1", FromViewer::Subscribe { channels: vec![video(&image)] });
    let first = robot.videos[&id];
    let started = [Step::StartVideo(id, first), Step::PublishVideo(id, first)];
    let told = [Step::Route(id, vec![], false), Step::Told(Told::Subscribe(ann, id))];
    assert_eq!(robot.take(), [started, told].concat());
    robot.subscribe("S1", &[&image]);
    assert_eq!(robot.take(), [Step::StopVideo(id, first), Step::Route(id, vec![], true)]);
    robot.says("S1", FromViewer::Subscribe { channels: vec![video(&image)] });
    let second = robot.videos[&id];
    let started = vec![Step::StartVideo(id, second), Step::PublishVideo(id, second)];
    assert_eq!(robot.take(), [started, vec![Step::Route(id, vec![], false)]].concat());
    robot.unsubscribe("S1", &[&image]);
    assert_eq!(robot.events(), [Told::Unsubscribe(ann, id)]);
}

#[test]
fn p_73_video_of_a_plain_channel_is_refused_and_the_rest_of_the_message_goes_on() {
    let mut robot = Robot::new();
    let (a, b) = (robot.reliable("/a"), robot.lossy("/b"));
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    robot.take();
    robot.says("S1", FromViewer::Subscribe { channels: vec![video(&a), data(&b)] });
    let text = format!("Channel {} does not support video transcoding", a.id());
    assert_eq!(robot.view(ann).frames.last(), Some(&error(&text)));
    assert_eq!(robot.events(), [Told::Subscribe(ann, b.id().get())]);
    assert_eq!(robot.routes[&a.id().get()], (vec![ann], false), "the old subscription stays");
    let unknown = SubscribeChannel { id: u64::MAX, request_video_track: true };
    robot.says("S1", FromViewer::Subscribe { channels: vec![unknown] });
    let text = format!("Channel {} does not support video transcoding", u64::MAX);
    assert_eq!(robot.last(ann), &error(&text));
}

#[test]
fn p_75_data_wins_in_one_message_whatever_the_order() {
    for data_first in [true, false] {
        let mut robot = Robot::new();
        let image = robot.image("/i");
        let ann = robot.viewer("ann", "S1");
        let mut channels = vec![data(&image), video(&image)];
        if !data_first {
            channels.reverse();
        }
        robot.says("S1", FromViewer::Subscribe { channels });
        assert_eq!(robot.routes[&image.id().get()], (vec![], true));
        assert_eq!(robot.events(), [Told::Subscribe(ann, image.id().get())]);
    }
}

/// S-89.
#[test]
fn s_180_every_viewer_has_its_own_events_and_the_route_names_them_all() {
    let mut robot = Robot::new();
    let (reliable, lossy) = (robot.reliable("/r"), robot.lossy("/l"));
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.subscribe("S1", &[&reliable, &lossy]);
    robot.subscribe("S2", &[&lossy, &reliable]);
    let (r, l) = (reliable.id().get(), lossy.id().get());
    assert_eq!(
        robot.events(),
        [Told::Subscribe(ann, r), Told::Subscribe(ann, l), Told::Subscribe(bob, l), Told::Subscribe(bob, r)],
        "in the order of the request (S-182)"
    );
    assert_eq!((robot.routes[&r].clone(), robot.routes[&l].clone()), ((vec![ann, bob], false), (vec![], true)));
    robot.unsubscribe("S1", &[&lossy, &reliable]);
    assert_eq!((robot.routes[&r].clone(), robot.routes[&l].clone()), ((vec![bob], false), (vec![], true)));
    robot.disconnect("S2");
    assert_eq!((robot.routes[&r].clone(), robot.routes[&l].clone()), ((vec![], false), (vec![], false)));
}

/// S-177.
#[test]
fn s_95_the_route_is_set_before_the_event_and_taken_down_before_it() {
    let mut robot = Robot::new();
    let a = robot.reliable("/a");
    let ann = robot.viewer("ann", "S1");
    let id = a.id().get();
    robot.subscribe("S1", &[&a]);
    assert_eq!(robot.take(), [Step::Route(id, vec![ann], false), Step::Told(Told::Subscribe(ann, id))]);
    robot.unsubscribe("S1", &[&a]);
    assert_eq!(robot.take(), [Step::Route(id, vec![], false), Step::Told(Told::Unsubscribe(ann, id))]);
}

/// S-179.
#[test]
fn p_78_unsubscribe_skips_what_is_not_subscribed() {
    let mut robot = Robot::new();
    let a = robot.lossy("/a");
    robot.viewer("ann", "S1");
    robot.says("S1", FromViewer::Unsubscribe { channel_ids: vec![a.id().get(), 0, u64::MAX] });
    assert_eq!(robot.take(), []);
    robot.subscribe("S1", &[&a]);
    robot.take();
    robot.unsubscribe("S1", &[&a, &a]);
    assert_eq!(robot.events().len(), 1);
}

#[test]
fn a_flood_of_unknown_channels_is_answered_within_the_smallest_queue() {
    let mut robot = Robot::with(|options| options.limits.message_backlog_size = 16);
    robot.viewer("ann", "S1");
    let unknown = |id| SubscribeChannel { id: u64::MAX - id, request_video_track: false };
    robot.says("S1", FromViewer::Subscribe { channels: (0..10_000).map(unknown).collect() });
    let steps = robot.take();
    assert_eq!(steps.len(), 5, "a quarter of the queue, and one for the rest");
    let text = "9996 more channels could not be subscribed";
    assert!(matches!(steps.last(), Some(Step::Sent(_, last)) if *last == error(text)));
}

/// S-85.
#[test]
fn s_183_the_counts_follow() {
    let mut robot = Robot::new();
    let (a, b) = (robot.lossy("/a"), robot.image("/b"));
    robot.viewer("ann", "S1");
    robot.viewer("bob", "S2");
    robot.subscribe("S1", &[&a]);
    robot.says("S2", FromViewer::Subscribe { channels: vec![data(&a), video(&b)] });
    assert_eq!(robot.core.subscription_count(), 3);
    robot.remove(&[&a]);
    assert_eq!(robot.core.subscription_count(), 1);
    robot.disconnect("S2");
    assert_eq!(robot.core.subscription_count(), 0);
}
