//! The connection graph through a real server (session.md section 24, rows 30 and 39).

use std::collections::BTreeMap;

use telelink::protocol::{ConnectionGraphUpdate, ToViewer};
use telelink::session::{ConnectionGraph, SessionCapability, SessionOptions};
use telelink_viewer_client::{Event, Viewer};

use crate::rig::{Robot, LIMIT};

fn following() -> SessionOptions {
    SessionOptions { capabilities: vec![SessionCapability::ConnectionGraph], ..Default::default() }
}

/// The next update.
async fn update(viewer: &Viewer) -> ConnectionGraphUpdate {
    let find = |event: &Event| match event {
        Event::Control(message) => match &**message {
            ToViewer::ConnectionGraphUpdate(update) => Some(update.clone()),
            _ => None,
        },
        _ => None,
    };
    viewer.find_event("a connection graph update", LIMIT, find).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_30_a_graph_from_before_the_session_its_changes_and_its_end() {
    let robot = Robot::start("graph", following());
    let mut graph = ConnectionGraph::new();
    graph.set_published_topic("/scan", ["lidar"]).set_advertised_service("/reset", ["slam"]);
    // The robot is hardly in the room yet.
    robot.session.publish_connection_graph(graph.clone()).unwrap();
    let (ann, bob) = (robot.ready_viewer("ann").await, robot.ready_viewer("bob").await);
    ann.subscribe_graph().unwrap();
    bob.subscribe_graph().unwrap();
    for viewer in [&ann, &bob] {
        let first = update(viewer).await;
        assert_eq!((first.published_topics.len(), first.advertised_services.len()), (1, 1));
        let shown = viewer.graph();
        assert_eq!((&shown.published, &shown.services), (graph.published_topics(), graph.advertised_services()));
    }
    graph.set_subscribed_topic("/scan", ["slam", "safety"]).set_published_topic("/scan", ["lidar", "rear lidar"]);
    assert!(graph.remove_advertised_service("/reset"));
    robot.session.publish_connection_graph(graph.clone()).unwrap();
    for viewer in [&ann, &bob] {
        assert_eq!(update(viewer).await.removed_services, ["/reset"]);
        let shown = viewer.graph();
        assert_eq!((&shown.published, &shown.subscribed), (graph.published_topics(), graph.subscribed_topics()));
        assert_eq!(shown.services, BTreeMap::new());
    }
    bob.unsubscribe_graph().unwrap();
    bob.ping(LIMIT).await.unwrap();
    graph.clear();
    robot.session.publish_connection_graph(graph).unwrap();
    assert_eq!(update(&ann).await.removed_topics, ["/scan"]);
    assert!(!bob.graph().published.is_empty(), "bob does not follow any more");
    // Both leave; the application hears of the first and of the last only.
    ann.unsubscribe_graph().unwrap();
    robot.wait_status("graph followed").await;
    robot.wait_status("graph forgotten").await;
    assert_eq!(robot.diary.lines().iter().filter(|line| line.starts_with("graph")).count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_39_a_hundred_rapid_changes_arrive_complete_and_in_order() {
    let robot = Robot::start("graphs", following());
    let viewer = robot.ready_viewer("v").await;
    viewer.subscribe_graph().unwrap();
    assert_eq!(update(&viewer).await, ConnectionGraphUpdate::default());
    for n in 0..100 {
        let mut graph = ConnectionGraph::new();
        graph.set_published_topic("/scan", [format!("node {n}")]);
        robot.session.publish_connection_graph(graph).unwrap();
    }
    for n in 0..100 {
        assert_eq!(update(&viewer).await.published_topics[0].ids, [format!("node {n}")]);
    }
}
