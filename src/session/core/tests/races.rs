//! The race catalogue (session.md section 9), as orders of inputs. Those that need streams are in session/tests/races.rs,
//! those of tracks in session/tests/tracks.rs, core/tests/video.rs and session/tests/video.rs. Clouds are not compressed yet: S-170
//! is tested by what viewers are told of raw ones, S-171 by pictures.

use super::*;

fn publishing() -> Robot {
    Robot::with(|options| options.capabilities = vec![SessionCapability::ClientPublish])
}

/// S-26, S-108, P-23.
#[test]
fn s_134_late_disconnect_after_reset_and_rejoin() {
    let mut robot = Robot::new();
    let old = robot.active(who("ann", "S1", 1000));
    // The viewer is back already, but the room only announced it when the reset is handled.
    robot.input(Input::ParticipantConnected(who("ann", "S2", 2000)));
    robot.reset(old);
    let new = robot.current("S2").expect("the reset takes the instance that is there now");
    robot.take();
    robot.disconnect("S1");
    assert_eq!(robot.take(), [], "the late disconnect finds nothing");
    assert_eq!(robot.current("S2"), Some(new));
    robot.disconnect("S2");
    assert_eq!(robot.take(), [Step::Close(new)]);
}

/// S-105, S-107, P-22.
#[test]
fn s_135_active_before_disconnect_replaces_at_once() {
    let mut robot = Robot::new();
    let a = robot.lossy("/a");
    let old = robot.active(who("ann", "S1", 1000));
    robot.subscribe("S1", &[&a]);
    robot.take();
    let new = {
        robot.input(Input::ParticipantActive(who("ann", "S2", 2000)));
        robot.current("S2").unwrap()
    };
    assert_ne!(old, new);
    assert_eq!(robot.events(), [Told::Unsubscribe(old, a.id().get())]);
    robot.disconnect("S1");
    assert_eq!(robot.take(), []);
    assert_eq!(robot.open, BTreeSet::from([new]));
}

/// S-105, S-106, P-22.
#[test]
fn s_136_active_events_out_of_order() {
    let mut robot = Robot::new();
    let new = robot.active(who("ann", "S2", 2000));
    robot.input(Input::ParticipantActive(who("ann", "S1", 1000)));
    assert_eq!(robot.take(), []);
    assert_eq!((robot.current("S2"), robot.current("S1")), (Some(new), None));
}

/// S-105, P-22.
#[test]
fn s_137_equal_joined_at_the_later_arrival_wins() {
    let mut robot = Robot::new();
    robot.active(who("ann", "S1", 1000));
    let new = robot.active(who("ann", "S2", 1000));
    assert_eq!(robot.open, BTreeSet::from([new]));
}

/// S-105, S-106, P-21.
#[test]
fn s_138_duplicate_active_is_a_no_op() {
    let mut robot = Robot::new();
    robot.active(who("ann", "S1", 1000));
    robot.input(Input::ParticipantActive(who("ann", "S1", 1000)));
    assert_eq!(robot.take(), []);
}

/// S-118.
#[test]
fn s_140_stale_reset_leaves_the_successor_alone() {
    let mut robot = Robot::new();
    let old = robot.active(who("ann", "S1", 1000));
    let new = robot.active(who("ann", "S2", 2000));
    robot.reset(old);
    assert_eq!(robot.take(), []);
    assert_eq!(robot.current("S2"), Some(new));
}

#[test]
fn s_141_reset_of_a_viewer_that_is_leaving_opens_nothing() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    robot.disconnect("S1");
    assert_eq!(robot.take(), [Step::Close(ann)]);
    robot.reset(ann);
    assert_eq!(robot.take(), []);
    assert_eq!(robot.core.deadline(), None);
}

/// S-121.
#[test]
fn s_142_viewer_leaves_right_after_its_reset() {
    let mut robot = Robot::new();
    let a = robot.lossy("/a");
    let old = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    robot.take();
    robot.reset(old);
    assert_eq!(robot.events(), [Told::Unsubscribe(old, a.id().get())]);
    robot.disconnect("S1");
    assert_eq!(robot.events(), []);
    assert!(robot.open.is_empty());
}

#[test]
fn s_144_many_failures_of_one_instance_are_one_reset() {
    let mut robot = Robot::new();
    let old = robot.viewer("ann", "S1");
    for cause in [ResetCause::QueueOverflow, ResetCause::WriteFailure, ResetCause::WriteFailure] {
        robot.input(Input::Reset { client: old, cause, discarded: 1 });
    }
    let opened = robot.take().iter().filter(|step| matches!(step, Step::Open(_))).count();
    assert_eq!(opened, 1);
}

#[test]
fn s_145_overflow_of_a_removed_registration_is_skipped() {
    let mut robot = Robot::new();
    let old = robot.viewer("ann", "S1");
    robot.reset(old);
    robot.take();
    robot.reset(old);
    assert_eq!(robot.take(), []);
}

#[test]
fn s_147_subscribe_after_the_disconnect_records_nothing() {
    let mut robot = Robot::new();
    let a = robot.lossy("/a");
    robot.viewer("ann", "S1");
    robot.disconnect("S1");
    robot.take();
    robot.subscribe("S1", &[&a]);
    assert_eq!(robot.take(), []);
    assert_eq!(robot.core.subscription_count(), 0);
}

#[test]
fn s_148_advertise_after_the_disconnect_records_nothing() {
    let mut robot = publishing();
    robot.viewer("ann", "S1");
    robot.disconnect("S1");
    robot.take();
    robot.says("S1", client_publish::advertise(&[1]));
    assert_eq!(robot.take(), []);
}

/// S-190, P-24.
#[test]
fn s_149_unadvertise_and_disconnect_tell_once_in_either_order() {
    for disconnect_first in [false, true] {
        let mut robot = publishing();
        let ann = robot.viewer("ann", "S1");
        robot.says("S1", client_publish::advertise(&[1]));
        robot.take();
        let unadvertise = FromViewer::Unadvertise { channel_ids: vec![1] };
        if disconnect_first {
            robot.disconnect("S1");
            robot.says("S1", unadvertise);
        } else {
            robot.says("S1", unadvertise);
            robot.disconnect("S1");
        }
        assert_eq!(robot.events(), [Told::Unadvertise(ann, 1)]);
    }
}

/// S-189.
#[test]
fn s_150_message_data_is_answered_only_while_registered() {
    let mut robot = publishing();
    let ann = robot.viewer("ann", "S1");
    let message = || FromViewer::MessageData { channel_id: 4, data: Bytes::new() };
    robot.says("S1", message());
    assert_eq!(robot.take(), [Step::Sent(ann, error("Client has not advertised channel: 4"))]);
    robot.disconnect("S1");
    robot.take();
    robot.says("S1", message());
    assert_eq!(robot.take(), []);
}

/// S-107, P-20.
#[test]
fn s_152_a_returning_identity_inherits_nothing() {
    let mut robot = publishing();
    let (a, image) = (robot.reliable("/a"), robot.image("/image"));
    let old = robot.active(who("ann", "S1", 1000));
    robot.says("S1", FromViewer::Subscribe { channels: vec![data(&a), video(&image)] });
    robot.says("S1", client_publish::advertise(&[1]));
    let new = robot.active(who("ann", "S2", 2000));
    assert!(robot.subscribed.is_empty() && robot.advertised.is_empty());
    assert_eq!(robot.core.subscription_count(), 0);
    assert_eq!(robot.routes[&a.id().get()], (vec![], false));
    robot.says("S2", FromViewer::MessageData { channel_id: 1, data: Bytes::new() });
    assert_eq!(robot.last(new), &error("Client has not advertised channel: 1"));
    assert!(!robot.open.contains(&old));
}

/// S-104, P-195.
#[test]
fn s_153_s_154_the_view_equals_the_registry_whatever_comes_around_the_registration() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut robot = Robot::new();
        let a = robot.lossy("/a");
        let b = robot.context.channel("/b").encoding("json").open().unwrap();
        for step in order {
            match step {
                0 => robot.add(&[&b]),
                1 => robot.remove(&[&a]),
                _ => drop(robot.viewer("ann", "S1")),
            }
        }
        let ann = robot.current("S1").unwrap();
        assert_eq!(robot.view(ann).channel_ids(), [b.id().get()], "{order:?}");
    }
}

/// S-181.
#[test]
fn s_158_removing_a_channel_and_subscribing_in_either_order() {
    let mut robot = Robot::new();
    let (a, b) = (robot.lossy("/a"), robot.lossy("/b"));
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&a]);
    robot.remove(&[&a]);
    let a = a.id().get();
    assert_eq!(robot.events(), [Told::Subscribe(ann, a), Told::Unsubscribe(ann, a)]);
    robot.remove(&[&b]);
    robot.subscribe("S1", &[&b]);
    assert_eq!(robot.events(), []);
}

/// In place of P-74 and P-193.
#[test]
fn s_159_a_channel_that_is_gone_or_never_was_is_an_error_and_nothing_is_recorded() {
    let mut robot = Robot::new();
    let (a, b) = (robot.lossy("/a"), robot.lossy("/b"));
    let ann = robot.viewer("ann", "S1");
    robot.remove(&[&a]);
    robot.take();
    robot.subscribe("S1", &[&a, &b]);
    let steps = robot.take();
    assert_eq!(steps[0], Step::Sent(ann, error(&format!("Unknown channel ID: {}", a.id()))));
    assert!(steps.contains(&Step::Told(Told::Subscribe(ann, b.id().get()))), "the others are subscribed");
    assert_eq!(robot.core.subscription_count(), 1);
    assert!(!robot.routes.contains_key(&a.id().get()));
}

#[test]
fn s_166_s_167_nothing_is_told_of_a_client_after_its_cleanup() {
    let mut robot = publishing();
    let ann = robot.viewer("ann", "S1");
    robot.says("S1", client_publish::advertise(&[1]));
    robot.disconnect("S1");
    assert_eq!(robot.events(), [Told::Advertise(ann, 1), Told::Unadvertise(ann, 1)]);
    robot.says("S1", FromViewer::MessageData { channel_id: 1, data: Bytes::new() });
    robot.says("S1", FromViewer::SubscribeConnectionGraph);
    robot.input(Input::Malformed { sid: "S1".into(), reason: "x".into() });
    assert_eq!(robot.take(), []);
}

#[test]
fn s_168_frames_of_an_old_instance_do_nothing_for_its_successor() {
    let mut robot = Robot::new();
    let a = robot.lossy("/a");
    robot.active(who("ann", "S1", 1000));
    robot.active(who("ann", "S2", 2000));
    robot.subscribe("S1", &[&a]);
    assert_eq!(robot.take(), []);
    assert_eq!(robot.core.subscription_count(), 0);
}

/// S-108, S-118, P-23.
#[test]
fn s_169_disconnect_of_somebody_never_registered() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    robot.input(Input::ParticipantActive(speaking(Some("9.0.0"), "old", "S2")));
    robot.take();
    robot.disconnect("S2");
    robot.disconnect("S3");
    assert_eq!(robot.take(), []);
    assert_eq!(robot.current("S1"), Some(ann));
}

#[test]
fn s_172_a_warnings_replay_and_its_clearing_in_either_order() {
    for subscribe_first in [true, false] {
        let mut robot = Robot::new();
        let big = robot.lossy("/big");
        robot.viewer("ann", "S1");
        let bob = robot.viewer("bob", "S2");
        robot.subscribe("S1", &[&big]);
        robot.input(Input::Oversize { channel: big.id(), dropped: 1 });
        robot.elapsed += seconds(60);
        if subscribe_first {
            robot.subscribe("S2", &[&big]);
            robot.input(Input::Tick);
        } else {
            robot.input(Input::Tick);
            robot.subscribe("S2", &[&big]);
        }
        assert!(robot.view(bob).statuses.is_empty(), "no warning is left behind: {subscribe_first}");
        let replayed = robot.view(bob).count(|frame| matches!(frame, ToViewer::Status(_)));
        assert_eq!(replayed, usize::from(subscribe_first));
    }
}

/// P-196.
#[test]
fn s_173_services_around_a_registration_are_seen_once() {
    let options = |o: &mut SessionOptions| {
        o.capabilities = vec![SessionCapability::Services];
        o.supported_encodings = vec!["json".into()];
    };
    for before in [false, true] {
        let mut robot = Robot::with(options);
        if before {
            robot.input(Input::AddServices(vec![Service::new("/s", "t", |_, _| {})]));
        }
        let ann = robot.viewer("ann", "S1");
        if !before {
            robot.input(Input::AddServices(vec![Service::new("/s", "t", |_, _| {})]));
        }
        let view = robot.view(ann);
        assert_eq!(view.count(|frame| matches!(frame, ToViewer::AdvertiseServices { .. })), 1);
        assert_eq!(view.services.len(), 1);
    }
}

#[test]
fn s_277_a_newer_instance_arrives_while_a_reset_waits() {
    let mut robot = Robot::new();
    let first = robot.active(who("ann", "S1", 1000));
    robot.reset(first);
    robot.reset(robot.current("S1").unwrap());
    assert_eq!(robot.current("S1"), None, "the second reset waits");
    let new = robot.active(who("ann", "S2", 2000));
    robot.pass(seconds(20));
    assert_eq!(robot.open, BTreeSet::from([new]), "only the newest instance is registered");
    assert_eq!(robot.view(new).frames.len(), 1, "and is not told of resets of its predecessor");
}

/// S-8.
#[test]
fn s_279_the_same_sid_registered_twice_by_a_reset() {
    let mut robot = Robot::new();
    let old = robot.viewer("ann", "S1");
    robot.reset(old);
    let new = robot.current("S1").unwrap();
    assert_ne!(old, new);
    robot.take();
    // A request through the old registration after the re-add: nothing, so two streams in all.
    robot.reset(old);
    assert_eq!(robot.take(), []);
    assert_eq!(robot.views.len(), 2);
    // What the viewer says on its stream belongs to the registration of now.
    let a = robot.lossy("/a");
    robot.subscribe("S1", &[&a]);
    robot.disconnect("S1");
    let a = a.id().get();
    assert_eq!(robot.events(), [Told::Subscribe(new, a), Told::Unsubscribe(new, a)]);
}
