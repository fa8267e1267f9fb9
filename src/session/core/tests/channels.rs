//! Advertising: schema tables, batches, tracks (S-80 to S-87, P-124 to P-129, P-200 to P-206).

use super::*;

fn advertises(view: &View) -> Vec<&crate::protocol::Advertise> {
    let mut found = Vec::new();
    for frame in &view.frames {
        if let ToViewer::Advertise(advertise) = frame {
            found.push(advertise);
        }
    }
    found
}

#[test]
fn p_203_p_204_schema_ids_count_from_one_and_a_schema_is_sent_once() {
    let mut robot = Robot::new();
    robot.with_schema("/a", "A", "{}");
    robot.with_schema("/a2", "A", "{}");
    robot.lossy("/none");
    let ann = robot.viewer("ann", "S1");
    let b = robot.with_schema("/b", "B", "{}");
    robot.remove(&[&b]);
    robot.with_schema("/b2", "B", "{}");
    robot.with_schema("/b3", "B", "[]");
    let view = robot.view(ann);
    let table = |n: usize| match view.channels.values().nth(n).unwrap().schema {
        AdvertisedSchema::Table(id) => id,
        ref other => panic!("{other:?}"),
    };
    assert_eq!([table(0), table(1), table(2), table(3), table(4)], [Some(1), Some(1), None, Some(2), Some(3)]);
    let sent: Vec<usize> = advertises(view).iter().map(|advertise| advertise.schemas.len()).collect();
    assert_eq!(sent, [1, 1, 0, 1], "the removed channel's schema stays known");
}

#[test]
fn p_204_a_new_registration_has_a_new_table() {
    let mut robot = Robot::new();
    robot.with_schema("/a", "A", "{}");
    let ann = robot.viewer("ann", "S1");
    robot.reset(ann);
    let again = robot.current("S1").unwrap();
    assert_eq!(robot.view(again).schemas.keys().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn channels_that_come_together_travel_together() {
    let mut robot = Robot::new();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.active(speaking(None, "bob", "S2")));
    let context = robot.context.clone();
    let channels: Vec<_> = (0..1000).map(|n| context.channel(format!("/{n}")).open().unwrap()).collect();
    let all: Vec<_> = channels.iter().collect();
    robot.add(&all);
    for client in [ann, bob] {
        assert_eq!((advertises(robot.view(client)).len(), robot.view(client).channels.len()), (1, 1000));
    }
    robot.remove(&all);
    for client in [ann, bob] {
        let view = robot.view(client);
        assert_eq!(view.count(|frame| matches!(frame, ToViewer::Unadvertise { .. })), 1, "one message for a thousand");
        assert!(view.channels.is_empty());
    }
}

#[test]
fn an_advertisement_that_would_grow_too_large_is_split() {
    let mut robot = Robot::new();
    let schema = "x".repeat(900 * 1024);
    let context = robot.context.clone();
    let channel = |n: usize| {
        let schema = Schema { name: format!("S{n}"), encoding: "jsonschema".into(), data: schema.clone().into() };
        context.channel(format!("/{n}")).encoding("json").schema(schema).open().unwrap()
    };
    let channels: Vec<_> = (0..5).map(channel).collect();
    robot.add(&channels.iter().collect::<Vec<_>>());
    for participant in [speaking(None, "bob", "S2"), who("ann", "S1", 1)] {
        let client = robot.active(participant);
        let view = robot.view(client);
        assert_eq!(view.channels.len(), 5);
        let sizes: Vec<usize> = advertises(view).iter().map(|advertise| advertise.channels.len()).collect();
        assert_eq!(sizes, [2, 2, 1]);
    }
}

/// S-76, P-128.
#[test]
fn p_64_a_channel_that_cannot_be_advertised_does_not_exist() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    let channel = robot.context.channel("/p").encoding("protobuf").open().unwrap();
    robot.add(&[&channel]);
    let bad = Schema { name: "X".into(), encoding: "jsonschema".into(), data: Bytes::from_static(b"\xff") };
    let text = robot.context.channel("/t").encoding("json").schema(bad).open().unwrap();
    robot.add(&[&text]);
    assert_eq!(robot.take(), []);
    robot.remove(&[&channel, &text]);
    assert_eq!(robot.take(), [], "and its removal is silent");
    assert_eq!(robot.view(ann).frames.len(), 1);
}

#[test]
fn a_channel_closed_before_it_was_seen_is_never_advertised() {
    let mut robot = Robot::new();
    robot.viewer("ann", "S1");
    let channel = robot.context.channel("/a").open().unwrap();
    let late = added(&channel);
    robot.remove(&[&channel]);
    robot.input(Input::Channels { added: vec![late], removed: vec![] });
    assert_eq!(robot.take(), []);
}

/// S-83.
#[test]
fn p_126_reserved_metadata_says_what_is_true() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    let lie = robot.context.channel("/lie").encoding("json").metadata("foxglove.reliable", "true");
    let lie = lie.metadata("mine", "kept").open().unwrap();
    robot.add(&[&lie]);
    let (reliable, image) = (robot.reliable("/r"), robot.image("/i"));
    let metadata = |channel: &Channel| robot.view(ann).channels[&channel.id().get()].metadata.clone();
    assert_eq!(metadata(&lie), BTreeMap::from([("mine".into(), "kept".into())]));
    assert_eq!(metadata(&reliable), BTreeMap::from([("foxglove.reliable".into(), "true".into())]));
    assert_eq!(metadata(&image), BTreeMap::from([("foxglove.hasVideoTrack".into(), "true".into())]));
}

#[test]
fn s_82_an_image_channel_is_never_reliable() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    let image = robot.context.channel("/i").encoding("json").qos(Qos::Reliable).open().unwrap();
    let added = ChannelAdded { channel: image.channel_ref().clone(), qos: Qos::Reliable, video: VideoCapability::Yes };
    robot.input(Input::Channels { added: vec![added], removed: vec![] });
    assert!(!robot.view(ann).channels[&image.id().get()].metadata.contains_key("foxglove.reliable"));
    robot.subscribe("S1", &[&image]);
    assert_eq!(robot.routes[&image.id().get()], (vec![], true), "over the data track");
}

/// S-85.
#[test]
fn s_86_unadvertise_is_queued_before_the_unsubscribe_events() {
    let mut robot = Robot::new();
    let (a, b) = (robot.lossy("/a"), robot.reliable("/b"));
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.subscribe("S1", &[&a, &b]);
    robot.take();
    robot.remove(&[&a, &b]);
    let (a, b) = (a.id().get(), b.id().get());
    let gone = ToViewer::Unadvertise { channel_ids: vec![a, b] };
    assert_eq!(
        robot.take(),
        [
            Step::StopTrack(a),
            Step::Forget(a),
            Step::Forget(b),
            Step::Sent(ann, gone.clone()),
            Step::Sent(bob, gone),
            Step::Told(Told::Unsubscribe(ann, a)),
            Step::Told(Told::Unsubscribe(ann, b)),
        ]
    );
}

/// S-221.
#[test]
fn s_228_the_first_lossy_channels_have_their_track_at_once_and_the_others_with_the_first_subscriber() {
    let mut robot = Robot::with(|options| options.limits.eager_data_tracks = 2);
    let reliable = robot.reliable("/r");
    let (a, b, c) = (robot.lossy("/a"), robot.lossy("/b"), robot.lossy("/c"));
    let id = |channel: &Channel| channel.id().get();
    assert_eq!(robot.tracks, BTreeSet::from([id(&a), id(&b)]));
    robot.viewer("ann", "S1");
    robot.viewer("bob", "S2");
    robot.subscribe("S1", &[&c, &reliable]);
    assert_eq!(robot.tracks, BTreeSet::from([id(&a), id(&b), id(&c)]));
    robot.subscribe("S2", &[&c]);
    robot.unsubscribe("S1", &[&c]);
    robot.disconnect("S2");
    assert!(robot.tracks.contains(&id(&c)), "an idle track is cheaper than publishing again");
    // A place that became free serves the next channel; a new room starts with the eager ones.
    robot.remove(&[&a]);
    let d = robot.lossy("/d");
    assert_eq!(robot.tracks, BTreeSet::from([id(&b), id(&c), id(&d)]));
    robot.input(Input::Left);
    robot.joined(vec![who("ann", "S3", 1)]);
    assert_eq!(robot.tracks, BTreeSet::from([id(&b), id(&d)]));
    robot.subscribe("S3", &[&c]);
    assert_eq!(robot.tracks, BTreeSet::from([id(&b), id(&c), id(&d)]));
}
