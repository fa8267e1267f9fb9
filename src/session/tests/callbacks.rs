//! The callback queue: bounds, cancelling, order (design.md decision 6).

use super::*;

use crate::room::Sid;
use crate::session::callbacks::Callbacks;
use crate::session::core::Event;

/// A listener that stands still in its first status callback until the test lets it go on.
struct Stuck {
    log: Arc<Log>,
    go: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl Listener for Stuck {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        if let Some(go) = self.go.lock().take() {
            self.log.add("stuck".into());
            let _ = go.recv();
        }
        self.log.on_status(status, reason);
    }
    fn on_subscribe(&self, client: &Client, channel: &ChannelRef) {
        self.log.on_subscribe(client, channel);
    }
    fn on_unsubscribe(&self, client: &Client, channel: &ChannelRef) {
        self.log.on_unsubscribe(client, channel);
    }
    fn on_client_advertise(&self, client: &Client, channel: &ClientChannel) {
        self.log.on_client_advertise(client, channel);
    }
    fn on_client_unadvertise(&self, client: &Client, channel: &ClientChannel) {
        self.log.on_client_unadvertise(client, channel);
    }
    fn on_message(&self, client: &Client, channel: &ClientChannel, message: &ClientMessage) {
        self.log.add(format!("message {} client {}", client.sid, channel.id));
        self.log.add(format!("time {}", message.receive_time));
    }
    fn on_connection_graph_subscribe(&self, client: &Client) {
        self.log.on_connection_graph_subscribe(client);
    }
    fn on_connection_graph_unsubscribe(&self, client: &Client) {
        self.log.on_connection_graph_unsubscribe(client);
    }
    fn on_parameters_subscribe(&self, names: &[String]) {
        names.iter().for_each(|name| self.log.add(format!("+ parameter {name}")));
    }
    fn on_parameters_unsubscribe(&self, names: &[String]) {
        names.iter().for_each(|name| self.log.add(format!("- parameter {name}")));
    }
}

struct Queue {
    callbacks: Arc<Callbacks>,
    log: Arc<Log>,
    go: std::sync::mpsc::Sender<()>,
    pool: Arc<HandlerPool>,
}

impl Queue {
    /// A queue whose listener is stuck.
    async fn stuck() -> Self {
        let (log, (go, wait)) = (Arc::new(Log::default()), std::sync::mpsc::channel());
        let listener = Arc::new(Stuck { log: log.clone(), go: Mutex::new(Some(wait)) });
        let panics = Arc::<AtomicU64>::default();
        let callbacks = Callbacks::start(Some(listener), None, panics.clone()).unwrap();
        callbacks.status(ConnectionStatus::Connected, None);
        log.wait("stuck").await;
        Self { callbacks, log, go, pool: HandlerPool::new(panics) }
    }

    /// Lets the listener go on and gives back all it was told since.
    async fn finish(self) -> Vec<String> {
        self.go.send(()).unwrap();
        // What waits when the session ends is not delivered.
        self.callbacks.status(ConnectionStatus::Connecting, None);
        self.log.wait("status connecting").await;
        self.callbacks.finish(self.pool.clone(), None);
        self.log.wait("status shutdown").await;
        self.log.assert_balanced();
        let mut lines = self.log.lines().split_off(2);
        lines.retain(|line| line != "status connecting");
        lines
    }
}

fn client(id: u32) -> Arc<Client> {
    Arc::new(Client {
        id: ClientId(id),
        identity: "ann".into(),
        sid: Sid::from(format!("S{id}")),
        name: String::new(),
        attributes: Default::default(),
        joined_at_ms: 0,
    })
}

fn channel(id: u32) -> Arc<ClientChannel> {
    Arc::new(ClientChannel { id, topic: "/t".into(), encoding: "json".into(), schema: None })
}

fn message(receive_time: u64, bytes: usize) -> ClientMessage {
    ClientMessage { payload: vec![0; bytes].into(), receive_time }
}

fn times(lines: &[String]) -> Vec<u64> {
    lines.iter().filter_map(|line| line.strip_prefix("time ")).map(|time| time.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_channel_keeps_its_newest_messages_and_the_viewer_is_named() {
    let queue = Queue::stuck().await;
    let (ann, one) = (client(1), channel(1));
    queue.callbacks.event(Event::ClientAdvertise(ann.clone(), one.clone()));
    let mut overflows = 0;
    for n in 0..20_000 {
        let overflow = queue.callbacks.event(Event::Message(ann.clone(), one.clone(), message(n, 8)));
        assert!(overflow.is_none_or(|overflow| overflow.client == ann.id));
        overflows += u64::from(overflow.is_some());
    }
    assert_eq!((overflows, queue.callbacks.dropped()), (20_000 - 1024, 20_000 - 1024));
    assert_eq!(queue.callbacks.waiting(), 1025, "what was dropped leaves nothing behind");
    queue.callbacks.event(Event::ClientUnadvertise(ann, one));
    let lines = queue.finish().await;
    assert_eq!(times(&lines), (20_000 - 1024..20_000).collect::<Vec<_>>(), "the oldest were dropped");
}

#[tokio::test]
async fn the_session_keeps_4096_messages_and_the_heaviest_channel_gives_way() {
    let queue = Queue::stuck().await;
    let clients: Vec<_> = (1..=6).map(client).collect();
    let one = channel(1);
    for client in &clients {
        queue.callbacks.event(Event::ClientAdvertise(client.clone(), one.clone()));
    }
    for n in 0..1000 {
        for (place, client) in clients.iter().enumerate() {
            let bytes = if place == 0 { 100 } else { 1 };
            queue.callbacks.event(Event::Message(client.clone(), one.clone(), message(n, bytes)));
        }
    }
    assert_eq!(queue.callbacks.dropped(), 6000 - 4096);
    for client in &clients {
        queue.callbacks.event(Event::ClientUnadvertise(client.clone(), one.clone()));
    }
    let lines = queue.finish().await;
    let count = |sid: &str| lines.iter().filter(|line| **line == format!("message {sid} client 1")).count();
    assert_eq!((1..=6).map(|n| count(&format!("S{n}"))).sum::<usize>(), 4096);
    assert!((2..=6).all(|n| count("S1") < count(&format!("S{n}"))), "{lines:?}");
}

#[tokio::test]
async fn large_messages_are_bounded_by_their_bytes() {
    let queue = Queue::stuck().await;
    let (ann, one) = (client(1), channel(1));
    queue.callbacks.event(Event::ClientAdvertise(ann.clone(), one.clone()));
    for n in 0..10 {
        queue.callbacks.event(Event::Message(ann.clone(), one.clone(), message(n, 10 << 20)));
    }
    queue.callbacks.event(Event::ClientUnadvertise(ann, one));
    let lines = queue.finish().await;
    assert_eq!(times(&lines), [4, 5, 6, 7, 8, 9], "six of 10 MiB fit 64 MiB");
}

#[tokio::test]
async fn undelivered_pairs_cancel_out_and_what_was_begun_before_still_ends() {
    let queue = Queue::stuck().await;
    let context = Context::new();
    let open = context.channel("/a").open().unwrap();
    let a = open.channel_ref();
    let first = client(1);
    queue.callbacks.event(Event::Subscribe(first.clone(), a.clone()));
    for n in 2..10_000 {
        let client = client(n);
        queue.callbacks.event(Event::Subscribe(client.clone(), a.clone()));
        queue.callbacks.event(Event::ClientAdvertise(client.clone(), channel(3)));
        queue.callbacks.event(Event::Message(client.clone(), channel(3), message(1, 1)));
        queue.callbacks.event(Event::Unsubscribe(client.clone(), a.clone()));
        queue.callbacks.event(Event::ClientUnadvertise(client, channel(3)));
    }
    assert!(queue.callbacks.waiting() < 2000, "{}", queue.callbacks.waiting());
    queue.callbacks.event(Event::Unsubscribe(first, a.clone()));
    let lines = queue.finish().await;
    assert!(lines.len() > 1000, "below the bound nothing is cancelled");
}

#[tokio::test]
async fn a_viewer_that_follows_and_forgets_the_graph_for_ever_fills_nothing() {
    let queue = Queue::stuck().await;
    let ann = client(1);
    for _ in 0..10_000 {
        queue.callbacks.event(Event::GraphSubscribe(ann.clone()));
        queue.callbacks.event(Event::GraphUnsubscribe(ann.clone()));
    }
    assert!(queue.callbacks.waiting() < 2000, "{}", queue.callbacks.waiting());
    queue.callbacks.event(Event::GraphSubscribe(ann.clone()));
    queue.callbacks.event(Event::GraphUnsubscribe(ann));
    // That the rest alternates is what `assert_balanced` checks.
    let lines = queue.finish().await;
    assert!(lines.len() > 1000, "below the bound nothing is cancelled");
}

#[tokio::test]
async fn s_36_all_that_has_begun_and_not_ended_can_be_ended_without_the_owner() {
    let queue = Queue::stuck().await;
    let context = Context::new();
    let (a, b) = (context.channel("/a").open().unwrap(), context.channel("/b").open().unwrap());
    let (ann, bob) = (client(1), client(2));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for event in [
        Event::ParametersSubscribe(names(&["x", "y"])),
        Event::Subscribe(bob.clone(), b.channel_ref().clone()),
        Event::Subscribe(ann.clone(), a.channel_ref().clone()),
        Event::ClientAdvertise(ann.clone(), channel(1)),
        Event::GraphSubscribe(ann.clone()),
        Event::Unsubscribe(ann.clone(), a.channel_ref().clone()),
        Event::ParametersUnsubscribe(names(&["x"])),
    ] {
        queue.callbacks.event(event);
    }
    queue.callbacks.end_all();
    queue.callbacks.end_all();
    let lines = queue.finish().await;
    let ends = ["- S2 /b", "- S1 client 1", "- graph", "- parameter y", "status shutdown"];
    assert_eq!(lines[lines.len() - ends.len()..], ends, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("- ")).count(), 6, "{lines:?}");
}

#[tokio::test]
async fn a_viewer_that_is_gone_leaves_no_record_behind() {
    let queue = Queue::stuck().await;
    let context = Context::new();
    let open = context.channel("/a").open().unwrap();
    for n in 1..10_000 {
        let client = client(n);
        queue.callbacks.event(Event::Subscribe(client.clone(), open.channel_ref().clone()));
        queue.callbacks.event(Event::ParametersSubscribe(vec![n.to_string()]));
        queue.callbacks.event(Event::ParametersUnsubscribe(vec![n.to_string()]));
        queue.callbacks.event(Event::Unsubscribe(client, open.channel_ref().clone()));
    }
    assert_eq!(queue.callbacks.begun(), 0);
    queue.finish().await;
}

#[tokio::test]
async fn a_cancelled_pair_takes_only_its_own_messages_with_it() {
    let queue = Queue::stuck().await;
    let (ann, one) = (client(1), channel(1));
    let begin = || Event::ClientAdvertise(ann.clone(), one.clone());
    let end = || Event::ClientUnadvertise(ann.clone(), one.clone());
    queue.callbacks.event(begin());
    queue.callbacks.event(Event::Message(ann.clone(), one.clone(), message(1, 1)));
    queue.callbacks.event(end());
    // Enough lifecycle events to be over the bound.
    for n in 0..600 {
        let other = client(100 + n);
        queue.callbacks.event(Event::ClientAdvertise(other.clone(), one.clone()));
        queue.callbacks.event(Event::ClientUnadvertise(other, one.clone()));
    }
    queue.callbacks.event(begin());
    queue.callbacks.event(Event::Message(ann.clone(), one.clone(), message(2, 1)));
    queue.callbacks.event(end());
    assert_eq!(queue.callbacks.dropped(), 1);
    let lines = queue.finish().await;
    assert_eq!(times(&lines), [1], "the first span keeps its message");
}

#[tokio::test]
async fn lease_that_is_lost_takes_what_waits_of_its_holder_with_it_and_nothing_else() {
    let queue = Queue::stuck().await;
    let (ann, bob) = (client(1), client(2));
    let on =
        |id, topic: &str| Arc::new(ClientChannel { id, topic: topic.into(), encoding: "json".into(), schema: None });
    let (drive, note, renamed) = (on(1, "/cmd_vel"), on(2, "/note"), on(1, "/note"));
    let say = |client: &Arc<Client>, channel: &Arc<ClientChannel>, time| {
        queue.callbacks.event(Event::Message(client.clone(), channel.clone(), message(time, 100)));
    };
    for (client, channel) in [(&ann, &drive), (&ann, &note), (&bob, &drive)] {
        queue.callbacks.event(Event::ClientAdvertise(client.clone(), channel.clone()));
    }
    say(&ann, &drive, 1);
    say(&bob, &drive, 2);
    say(&ann, &note, 3);
    say(&ann, &drive, 4);
    // The same number, another topic.
    queue.callbacks.event(Event::ClientUnadvertise(ann.clone(), drive.clone()));
    queue.callbacks.event(Event::ClientAdvertise(ann.clone(), renamed.clone()));
    say(&ann, &renamed, 5);
    let lose = || queue.callbacks.discard_controlled(ann.id, |topic| topic == "/cmd_vel");
    assert_eq!((lose(), lose(), queue.callbacks.discarded()), (2, 0, 2));
    // She takes control again, and all the room there is is free again.
    queue.callbacks.event(Event::ClientUnadvertise(ann.clone(), renamed));
    queue.callbacks.event(Event::ClientAdvertise(ann.clone(), drive.clone()));
    (6..6 + 1023).for_each(|time| say(&ann, &drive, time));
    assert_eq!(queue.callbacks.dropped(), 0);
    queue.callbacks.event(Event::ClientUnadvertise(ann.clone(), drive.clone()));
    queue.callbacks.event(Event::ClientUnadvertise(ann.clone(), note));
    queue.callbacks.event(Event::ClientUnadvertise(bob, drive));
    let expected: Vec<u64> = [2, 3, 5].into_iter().chain(6..6 + 1023).collect();
    assert_eq!(times(&queue.finish().await), expected);
}

/// Counts messages that begin after the robot was told that control is lost.
#[derive(Default)]
struct Late {
    lost: std::sync::atomic::AtomicBool,
    late: AtomicU64,
    rounds: Arc<Log>,
}

impl Listener for Late {
    fn on_status(&self, status: ConnectionStatus, reason: Option<&Error>) {
        self.rounds.on_status(status, reason);
    }
    fn on_message(&self, _: &Client, _: &ClientChannel, _: &ClientMessage) {
        self.late.fetch_add(u64::from(self.lost.load(Ordering::SeqCst)), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn lease_that_is_lost_lets_no_message_begin_but_the_one_that_is_being_called() {
    let late = Arc::<Late>::default();
    let callbacks = Callbacks::start(Some(late.clone()), None, Arc::default()).unwrap();
    let (ann, one) = (client(1), channel(1));
    for round in 0..200 {
        late.lost.store(false, Ordering::SeqCst);
        for _ in 0..100 {
            callbacks.event(Event::Message(ann.clone(), one.clone(), message(round, 1)));
        }
        callbacks.discard_controlled(ann.id, |_| true);
        // What `on_control_lost` does.
        late.lost.store(true, Ordering::SeqCst);
        callbacks.status(ConnectionStatus::Connected, None);
        late.rounds.wait("status connected").await;
        late.rounds.lines.lock().clear();
        assert!(late.late.swap(0, Ordering::SeqCst) <= 1);
    }
    callbacks.finish(HandlerPool::new(Arc::default()), None);
}

/// S-36: what has begun is ended all the same. S-13: nothing comes after.
#[tokio::test]
async fn s_36_a_session_that_ends_discards_messages_and_no_other_event() {
    let queue = Queue::stuck().await;
    let (ann, one) = (client(1), channel(1));
    let say = |time| {
        queue.callbacks.event(Event::Message(ann.clone(), one.clone(), message(time, 1)));
    };
    queue.callbacks.event(Event::ClientAdvertise(ann.clone(), one.clone()));
    say(1);
    say(2);
    queue.callbacks.status(ConnectionStatus::ShuttingDown, None);
    say(3);
    assert_eq!(queue.callbacks.discarded(), 3);
    queue.callbacks.event(Event::ClientUnadvertise(ann.clone(), one.clone()));
    let lines = queue.finish().await;
    assert_eq!(lines, ["+ S1 client 1", "status shutting down", "- S1 client 1", "status shutdown"]);
}

/// S-13.
#[tokio::test]
async fn shutdown_waits_for_running_handlers_and_is_the_last_event() {
    let queue = Queue::stuck().await;
    let (log, (tx, rx)) = (queue.log.clone(), std::sync::mpsc::channel::<()>());
    let running = log.clone();
    queue.pool.submit(
        ClientId(1),
        crate::session::handlers::Lane::Parallel,
        Box::new(move || {
            running.add("handler runs".into());
            let _ = rx.recv();
            running.add("handler done".into());
        }),
    );
    log.wait("handler runs").await;
    queue.pool.close();
    queue.callbacks.finish(queue.pool.clone(), None);
    queue.go.send(()).unwrap();
    log.wait("status connected").await;
    assert!(!queue.callbacks.wait_finished(Instant::now()));
    tx.send(()).unwrap();
    log.wait("status shutdown").await;
    let lines = log.lines();
    assert_eq!(lines[lines.len() - 2..], ["handler done", "status shutdown"]);
}

/// S-13. With a listener and without one.
#[tokio::test]
async fn shutdown_waits_for_a_running_token_callback_and_lets_no_other_begin() {
    let queue = Queue::stuck().await;
    let running = queue.callbacks.token_call.begin().map_err(|_| ()).unwrap();
    queue.callbacks.finish(queue.pool.clone(), None);
    queue.go.send(()).unwrap();
    queue.log.wait("status connected").await;
    assert!(!queue.callbacks.wait_finished(Instant::now() + Duration::from_millis(50)));
    assert!(!queue.log.lines().contains(&"status shutdown".to_owned()));
    drop(running);
    queue.log.wait("status shutdown").await;
    assert!(queue.callbacks.token_call.begin().is_err());

    let silent = Callbacks::start(None, None, Arc::default()).unwrap();
    let running = silent.token_call.begin().map_err(|_| ()).unwrap();
    silent.finish(queue.pool, None);
    assert!(!silent.wait_finished(Instant::now() + Duration::from_millis(50)));
    drop(running);
    assert!(silent.wait_finished(Instant::now() + Duration::from_secs(60)));
}
