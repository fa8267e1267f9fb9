//! Publishing the connection graph from outside: from many threads, from callbacks, in bulk, at the wrong moment.

use super::*;

use crate::protocol::ConnectionGraphUpdate;

fn graph(topic: &str, id: impl ToString) -> ConnectionGraph {
    let mut graph = ConnectionGraph::new();
    graph.set_published_topic(topic, [id.to_string()]);
    graph
}

fn following(options: &mut SessionOptions) {
    options.capabilities.push(SessionCapability::ConnectionGraph);
}

fn as_update(message: ToViewer) -> Option<ConnectionGraphUpdate> {
    match message {
        ToViewer::ConnectionGraphUpdate(update) => Some(update),
        _ => None,
    }
}

impl Stage {
    async fn publish(&self, graph: ConnectionGraph) -> Result<(), Error> {
        let control = self.control.clone();
        tokio::task::spawn_blocking(move || control.publish_connection_graph(graph)).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_rapid_publishes_arrive_all_and_in_order() {
    const MANY: usize = 10_000;
    let stage = Stage::with(following).await;
    let mut ann = stage.viewer("ann").await;
    ann.say(&FromViewer::SubscribeConnectionGraph);
    assert_eq!(ann.until(as_update).await, ConnectionGraphUpdate::default());
    let control = stage.control.clone();
    let publishing = tokio::task::spawn_blocking(move || {
        for n in 0..MANY {
            control.publish_connection_graph(graph("/a", n)).unwrap();
        }
    });
    for n in 0..MANY {
        let update = ann.until(as_update).await;
        assert_eq!(update.published_topics[0].ids, [n.to_string()]);
    }
    publishing.await.unwrap();
    assert_eq!(stage.stats().await.viewer_resets(), 0);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn publishers_on_many_threads_leave_every_viewer_with_the_same_graph() {
    let stage = Stage::with(following).await;
    let (mut ann, mut bob) = (stage.viewer("ann").await, stage.viewer("bob").await);
    ann.say(&FromViewer::SubscribeConnectionGraph);
    ann.barrier().await;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let control = stage.control.clone();
            tokio::task::spawn_blocking(move || {
                (0..200).for_each(|n| control.publish_connection_graph(graph("/a", thread * 1000 + n)).unwrap());
            })
        })
        .collect();
    bob.say(&FromViewer::SubscribeConnectionGraph);
    for thread in threads {
        thread.await.unwrap();
    }
    let mut last = Vec::new();
    for viewer in [&mut ann, &mut bob] {
        let updates: Vec<_> = viewer.barrier().await.into_iter().filter_map(as_update).collect();
        last.push(updates.last().expect("at least the first one").published_topics.clone());
    }
    assert_eq!(last[0], last[1]);
    stage.finish().await;
}

/// Publishes from inside its graph callbacks.
struct Publisher {
    log: Arc<Log>,
    control: Mutex<Option<Arc<Control>>>,
}

impl Publisher {
    fn publish(&self, topic: &str) {
        let control = self.control.lock().clone().expect("set before a viewer comes");
        let done = control.publish_connection_graph(graph(topic, "x"));
        self.log.add(format!("{topic} {}", done.is_ok()));
    }
}

impl Listener for Publisher {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        self.log.on_status(status, reason);
        if status == ConnectionStatus::Shutdown {
            self.control.lock().take();
        }
    }
    fn on_connection_graph_subscribe(&self, client: &Client) {
        self.log.on_connection_graph_subscribe(client);
        self.publish(&format!("/wanted by {}", client.identity));
    }
    fn on_connection_graph_unsubscribe(&self, client: &Client) {
        self.log.on_connection_graph_unsubscribe(client);
        self.publish("/forgotten");
    }
}

#[tokio::test(start_paused = true)]
async fn s_264_publishing_from_inside_the_graph_callbacks_works() {
    let log = Arc::new(Log::default());
    let publisher = Arc::new(Publisher { log: log.clone(), control: Mutex::default() });
    let stage = Stage::with(|options| {
        following(options);
        options.listener = Some(publisher.clone());
    })
    .await;
    *publisher.control.lock() = Some(stage.control.clone());
    let mut ann = stage.viewer("ann").await;
    ann.say(&FromViewer::SubscribeConnectionGraph);
    assert_eq!(ann.until(as_update).await, ConnectionGraphUpdate::default());
    log.wait("/wanted by ann true").await;
    assert_eq!(ann.until(as_update).await.published_topics[0].name, "/wanted by ann");
    ann.say(&FromViewer::UnsubscribeConnectionGraph);
    log.wait("/forgotten true").await;
    let mut bob = stage.viewer("bob").await;
    bob.say(&FromViewer::SubscribeConnectionGraph);
    assert_eq!(bob.until(as_update).await.published_topics[0].name, "/forgotten");
    log.wait("/wanted by bob true").await;
    assert_eq!(bob.until(as_update).await.published_topics[0].name, "/wanted by bob");
    stage.control.finish(None);
    stage.driver.await.unwrap();
    log.wait("status shutdown").await;
}

#[tokio::test(start_paused = true)]
async fn the_owner_answers_not_supported_invalid_and_closed() {
    let stage = Stage::new().await;
    assert_eq!(stage.publish(graph("/a", "x")).await.unwrap_err().kind, ErrorKind::NotSupported);
    let mut large = ConnectionGraph::new();
    large.set_advertised_service("/a", ["x".repeat(ConnectionGraph::MAX_BYTES)]);
    assert_eq!(stage.publish(large).await.unwrap_err().kind, ErrorKind::InvalidValue);
    let control = stage.control.clone();
    stage.finish().await;
    assert_eq!(control.publish_connection_graph(graph("/a", "x")).unwrap_err().kind, ErrorKind::Closed);
}
