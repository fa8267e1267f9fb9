//! The connection graph (P-106, P-107, P-146, S-220, S-32, S-117, S-164 to S-166).

use super::*;

use crate::protocol::{ConnectionGraphUpdate, GraphEntry};
use crate::session::ErrorKind;

fn connected() -> Robot {
    Robot::with(|options| options.capabilities = vec![SessionCapability::ConnectionGraph])
}

fn publishing(topics: &[(&str, &[&str])]) -> ConnectionGraph {
    let mut graph = ConnectionGraph::new();
    for (topic, ids) in topics {
        graph.set_published_topic(*topic, ids.iter().copied());
    }
    graph
}

fn entry(name: &str, ids: &[&str]) -> GraphEntry {
    GraphEntry { name: name.into(), ids: ids.iter().map(|&id| id.into()).collect() }
}

fn update(update: ConnectionGraphUpdate) -> ToViewer {
    ToViewer::ConnectionGraphUpdate(update)
}

fn publish(robot: &mut Robot, graph: &ConnectionGraph) {
    graph.check().unwrap();
    robot.input(Input::PublishGraph(graph.clone()));
}

fn follow(robot: &mut Robot, sid: &str) {
    robot.says(sid, FromViewer::SubscribeConnectionGraph);
}

fn forget(robot: &mut Robot, sid: &str) {
    robot.says(sid, FromViewer::UnsubscribeConnectionGraph);
}

#[test]
fn p_106_without_the_capability_viewers_and_the_application_are_refused() {
    let mut robot = Robot::new();
    let ann = robot.viewer("ann", "S1");
    follow(&mut robot, "S1");
    forget(&mut robot, "S1");
    let refused = Step::Sent(ann, error("Server does not support connection graph capability"));
    assert_eq!(robot.take(), [refused.clone(), refused]);
    let refused = robot.try_input(Input::PublishGraph(ConnectionGraph::new())).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotSupported);
}

#[test]
fn p_107_the_whole_graph_comes_first_even_when_it_is_empty_and_repeats_are_silent() {
    let mut robot = connected();
    let ann = robot.viewer("ann", "S1");
    forget(&mut robot, "S1");
    assert_eq!(robot.take(), [], "not subscribed: silent");
    follow(&mut robot, "S1");
    let empty = update(ConnectionGraphUpdate::default());
    assert_eq!(robot.take(), [Step::Told(Told::GraphSubscribe(ann)), Step::Sent(ann, empty)]);
    follow(&mut robot, "S1");
    assert_eq!(robot.take(), []);
    forget(&mut robot, "S1");
    assert_eq!(robot.take(), [Step::Told(Told::GraphUnsubscribe(ann))]);
    publish(&mut robot, &publishing(&[("/scan", &["lidar"])]));
    assert_eq!(robot.take(), [], "nobody follows it");
    // Subscribed anew, it is the first time again.
    follow(&mut robot, "S1");
    let whole = ConnectionGraphUpdate { published_topics: vec![entry("/scan", &["lidar"])], ..Default::default() };
    assert_eq!(robot.take(), [Step::Told(Told::GraphSubscribe(ann)), Step::Sent(ann, update(whole))]);
}

#[test]
fn s_220_an_update_is_what_has_changed_and_nothing_else() {
    let mut robot = connected();
    let ann = robot.viewer("ann", "S1");
    follow(&mut robot, "S1");
    let mut graph = publishing(&[("/same", &["a"]), ("/grows", &["a"]), ("/gone", &["a"]), ("/half", &["a"])]);
    graph.set_subscribed_topic("/half", ["b"]).set_subscribed_topic("/heard", ["b"]);
    graph.set_advertised_service("/reset", ["a"]).set_advertised_service("/stop", ["a", "b"]);
    publish(&mut robot, &graph);
    robot.take();

    graph.set_published_topic("/grows", ["b", "a"]).set_published_topic("/new", Vec::<String>::new());
    assert!(graph.remove_published_topic("/gone") && !graph.remove_published_topic("/gone"));
    assert!(graph.remove_published_topic("/half"), "it keeps its subscriber");
    assert!(graph.remove_subscribed_topic("/heard") && !graph.remove_subscribed_topic("/heard"));
    assert!(graph.remove_advertised_service("/reset") && !graph.remove_advertised_service("/reset"));
    graph.set_advertised_service("/stop", ["b"]).set_advertised_service("/go", ["c"]);
    publish(&mut robot, &graph);
    let changes = ConnectionGraphUpdate {
        published_topics: vec![entry("/grows", &["a", "b"]), entry("/new", &[])],
        subscribed_topics: vec![],
        advertised_services: vec![entry("/go", &["c"]), entry("/stop", &["b"])],
        removed_topics: vec!["/gone".into(), "/heard".into()],
        removed_services: vec!["/reset".into()],
    };
    assert_eq!(robot.take(), [Step::Sent(ann, update(changes))]);

    // P-146: /half lost its last end only now.
    graph.clear();
    publish(&mut robot, &graph);
    let gone = ConnectionGraphUpdate {
        removed_topics: ["/grows", "/half", "/new", "/same"].map(Into::into).into(),
        removed_services: ["/go", "/stop"].map(Into::into).into(),
        ..Default::default()
    };
    assert_eq!(robot.take(), [Step::Sent(ann, update(gone))]);
}

#[test]
fn p_147_what_shows_nothing_new_is_an_empty_update() {
    let mut robot = connected();
    let ann = robot.viewer("ann", "S1");
    follow(&mut robot, "S1");
    let mut graph = publishing(&[("/a", &["x", "y"])]);
    graph.set_subscribed_topic("/a", ["z"]);
    publish(&mut robot, &graph);
    robot.take();
    publish(&mut robot, &graph);
    graph.remove_published_topic("/a");
    publish(&mut robot, &graph);
    // P-146: a topic that keeps subscribers and loses its publishers is in no list.
    let empty = || Step::Sent(ann, update(ConnectionGraphUpdate::default()));
    assert_eq!(robot.take(), [empty(), empty()]);
    // Who comes now gets the content as it is, not as it was when it was last sent.
    let bob = robot.viewer("bob", "S2");
    follow(&mut robot, "S2");
    let whole = ConnectionGraphUpdate { subscribed_topics: vec![entry("/a", &["z"])], ..Default::default() };
    assert_eq!(robot.last(bob), &update(whole));
}

#[test]
fn s_220_the_first_and_the_last_viewer_are_events() {
    let mut robot = connected();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    follow(&mut robot, "S1");
    follow(&mut robot, "S2");
    forget(&mut robot, "S1");
    assert_eq!(robot.events(), [Told::GraphSubscribe(ann)]);
    publish(&mut robot, &publishing(&[("/a", &["x"])]));
    assert_eq!(robot.view(ann).updates(), 1, "only what it got when it came");
    assert_eq!(robot.view(bob).updates(), 2);
    forget(&mut robot, "S2");
    assert_eq!(robot.events(), [Told::GraphUnsubscribe(bob)]);
}

#[test]
fn s_220_twenty_rapid_publishes_are_twenty_updates_in_their_order() {
    let mut robot = connected();
    let ann = robot.viewer("ann", "S1");
    follow(&mut robot, "S1");
    robot.take();
    for n in 0..20 {
        publish(&mut robot, &publishing(&[("/a", &[&format!("node {n}")])]));
    }
    let sent = |n| {
        let published_topics = vec![entry("/a", &[&format!("node {n}")])];
        Step::Sent(ann, update(ConnectionGraphUpdate { published_topics, ..Default::default() }))
    };
    assert_eq!(robot.take(), (0..20).map(sent).collect::<Vec<_>>());
}

#[test]
fn s_117_a_viewer_that_leaves_ends_its_graph_before_its_subscriptions() {
    let mut robot = Robot::with(|options| {
        options.capabilities = vec![SessionCapability::ConnectionGraph, SessionCapability::ClientPublish];
    });
    let channel = robot.reliable("/a");
    let ann = robot.viewer("ann", "S1");
    robot.subscribe("S1", &[&channel]);
    follow(&mut robot, "S1");
    robot.take();
    robot.disconnect("S1");
    assert_eq!(robot.events(), [Told::GraphUnsubscribe(ann), Told::Unsubscribe(ann, channel.id().get())]);
}

#[test]
fn s_32_the_end_of_a_room_ends_the_graph_once_and_first_and_its_content_stays() {
    let mut robot = connected();
    let channel = robot.reliable("/a");
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    robot.subscribe("S1", &[&channel]);
    follow(&mut robot, "S1");
    follow(&mut robot, "S2");
    let graph = publishing(&[("/a", &["x"])]);
    publish(&mut robot, &graph);
    robot.take();
    robot.input(Input::Left);
    assert_eq!(robot.events(), [Told::GraphUnsubscribe(bob), Told::Unsubscribe(ann, channel.id().get())]);
    // S-2: subscribers do not survive, the content does.
    let other = publishing(&[("/b", &["x"])]);
    publish(&mut robot, &other);
    robot.joined(vec![who("ann", "S3", 2000)]);
    let ann = robot.current("S3").unwrap();
    assert_eq!(robot.view(ann).updates(), 0);
    follow(&mut robot, "S3");
    assert!(robot.view(ann).shows(&other));
    assert_eq!(robot.view(ann).updates(), 1);
}

#[test]
fn s_39_a_graph_published_before_there_is_a_room_is_delivered_later() {
    let mut options = SessionOptions::default();
    options.capabilities.push(SessionCapability::ConnectionGraph);
    let mut robot = Robot::outside(options);
    let graph = publishing(&[("/a", &["x"])]);
    publish(&mut robot, &graph);
    robot.joined(vec![]);
    let ann = robot.viewer("ann", "S1");
    follow(&mut robot, "S1");
    assert!(robot.view(ann).shows(&graph));
}

#[test]
fn s_165_whatever_the_order_of_publish_and_subscribe_the_viewer_ends_with_the_latest() {
    for place in 0..4 {
        let mut robot = connected();
        let ann = robot.viewer("ann", "S1");
        let mut latest = ConnectionGraph::new();
        for n in 0..4 {
            if n == place {
                follow(&mut robot, "S1");
            }
            let ids = [format!("node {n}")];
            latest = publishing(&[("/a", &["x"]), (&format!("/{n}"), &[&ids[0]])]);
            publish(&mut robot, &latest);
        }
        assert!(robot.view(ann).shows(&latest), "subscribed at {place}");
    }
}

#[test]
fn s_166_only_registered_viewers_follow_the_graph() {
    let mut robot = connected();
    let ann = robot.viewer("ann", "S1");
    follow(&mut robot, "S1");
    robot.disconnect("S1");
    assert_eq!(robot.events(), [Told::GraphSubscribe(ann), Told::GraphUnsubscribe(ann)]);
    // What the reader of its stream had still to say comes late.
    follow(&mut robot, "S1");
    forget(&mut robot, "S1");
    publish(&mut robot, &publishing(&[("/a", &["x"])]));
    assert_eq!(robot.take(), []);
}

/// P-20.
#[test]
fn s_120_a_reset_ends_the_graph_of_the_old_registration_only() {
    let mut robot = connected();
    let (ann, bob) = (robot.viewer("ann", "S1"), robot.viewer("bob", "S2"));
    follow(&mut robot, "S1");
    robot.take();
    robot.reset(ann);
    assert_eq!(robot.events(), [Told::GraphUnsubscribe(ann)]);
    let again = robot.current("S1").unwrap();
    follow(&mut robot, "S1");
    follow(&mut robot, "S2");
    assert_eq!(robot.events(), [Told::GraphSubscribe(again)]);
    robot.reset(again);
    assert_eq!(robot.events(), [], "bob still follows");
    robot.input(Input::Reconnected { participants: vec![who("bob", "S2", 1000)] });
    assert_eq!(robot.events(), [Told::GraphUnsubscribe(bob)]);
}

#[test]
fn s_220_a_viewer_that_asks_again_and_again_costs_one_encoding() {
    let mut robot = connected();
    robot.viewer("ann", "S1");
    publish(&mut robot, &publishing(&[("/a", &["x"])]));
    let mut sent = Vec::new();
    for _ in 0..3 {
        for message in [FromViewer::SubscribeConnectionGraph, FromViewer::UnsubscribeConnectionGraph] {
            let now = robot.now();
            robot.core.handle(Input::Message { sid: "S1".into(), message }, now).unwrap();
            sent.extend(robot.core.take_effects().into_iter().filter_map(|effect| match effect {
                Effect::Send { frame, .. } => Some(frame),
                _ => None,
            }));
        }
    }
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|frame| frame.as_ptr() == sent[0].as_ptr()), "one frame, three handles");
}

#[test]
fn p_33_two_graphs_at_the_limit_make_one_update_that_fits_a_frame() {
    // Control characters are the longest in JSON, and a name of them is what a careless estimate forgets.
    let full = |first: char| {
        let mut graph = ConnectionGraph::new();
        let name = |n: usize| format!("{first}{n:06}{}", "\u{1}".repeat(160));
        let one = 31 + 7 + 160 * 6;
        let most = ConnectionGraph::MAX_BYTES / one;
        for n in 0..most {
            graph.set_subscribed_topic(name(n), Vec::<String>::new());
        }
        let rest = ConnectionGraph::MAX_BYTES - most * one;
        graph.set_subscribed_topic(name(0), ["i".repeat(rest - 3)]);
        graph.check().unwrap();
        graph
    };
    let mut robot = connected();
    let ann = robot.viewer("ann", "S1");
    follow(&mut robot, "S1");
    publish(&mut robot, &full('a'));
    let mut graph = full('b');
    publish(&mut robot, &graph);
    assert_eq!(robot.view(ann).updates(), 3);
    assert!(robot.view(ann).shows(&graph));
    // One byte more is refused.
    graph.set_published_topic("", Vec::<String>::new());
    assert_eq!(graph.check().unwrap_err().kind, ErrorKind::InvalidValue);
}

#[test]
fn p_33_the_number_of_entries_is_bounded_too() {
    let mut graph = ConnectionGraph::new();
    graph.set_published_topic("/a", (1..ConnectionGraph::MAX_ENTRIES).map(|n| n.to_string()));
    graph.check().unwrap();
    graph.set_subscribed_topic("/a", Vec::<String>::new());
    let refused = graph.check().unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidValue);
    assert!(refused.message.contains("262145 names and ids"), "{refused}");
}
