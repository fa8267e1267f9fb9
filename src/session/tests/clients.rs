//! Who a viewer is (S-126).

use super::*;

/// Keeps the viewers that subscribe.
#[derive(Default)]
struct Guests {
    log: Arc<Log>,
    seen: Mutex<Vec<Client>>,
}

impl Listener for Guests {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        self.log.on_status(status, reason);
    }
    fn on_connection_graph_subscribe(&self, client: &Client) {
        self.seen.lock().push(client.clone());
        self.log.add("seen".into());
    }
}

#[tokio::test(start_paused = true)]
async fn s_126_identity_name_attributes_and_since_when_are_known_by_the_number() {
    let guests = Arc::new(Guests::default());
    let stage = Stage::with(|options| {
        options.capabilities = vec![SessionCapability::ConnectionGraph];
        options.listener = Some(guests.clone());
    })
    .await;
    stage.server.set_next_joined_at(1_234_567);
    let token = stage.server.token("yard", "ann").name("Ann of the yard").attribute(ATTRIBUTE, "2.3.0");
    let mut viewer = Viewer::enter(&stage.server, token.attribute("telelink.role", "operator").build()).await;
    viewer.open().await;
    viewer.server_info().await;
    viewer.say(&FromViewer::SubscribeConnectionGraph);
    viewer.barrier().await;
    guests.log.wait("seen").await;
    let seen = guests.seen.lock()[0].clone();
    assert_eq!((seen.identity.as_str(), &*seen.name, seen.joined_at_ms), ("ann", "Ann of the yard", 1_234_567));
    assert_eq!(seen.sid.as_str(), viewer.sid);
    let attributes = [(ATTRIBUTE.to_owned(), "2.3.0".to_owned()), ("telelink.role".to_owned(), "operator".to_owned())];
    assert_eq!(seen.attributes, attributes.into());
    let ask = |id: u32| {
        let control = stage.control.clone();
        tokio::task::spawn_blocking(move || control.client(id).unwrap())
    };
    assert_eq!(ask(seen.id.get()).await.unwrap(), Some(seen.clone()));
    assert_eq!(ask(seen.id.get() + 1_000_000).await.unwrap(), None);
    viewer.room.close().await;
    stage.server.until(|server| server.in_room("yard").len() == 1).await;
    let gone = async {
        while ask(seen.id.get()).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("forgotten when it has left");
    stage.control.leave().await;
    stage.control.finish(None);
    stage.driver.await.unwrap();
    guests.log.wait("status shutdown").await;
}
