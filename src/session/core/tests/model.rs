//! Random sequences of everything that can happen, against a model (session.md section 25).

use proptest::prelude::*;

use super::*;

const IDENTITIES: [&str; 3] = ["ann", "bob", "eve"];

/// The nine connections: three identities with three SIDs each, joined one after another.
fn connection(n: usize) -> Participant {
    let (identity, instance) = (n / 3, n % 3);
    let version = if identity == 0 { "2.2.0" } else { "2.3.0" };
    let mut participant = who(IDENTITIES[identity], &format!("S{n}"), 1000 + instance as i64);
    participant.attributes = [(ATTRIBUTE.to_owned(), version.to_owned())].into();
    participant
}

#[derive(Debug, Clone)]
enum Action {
    Active(usize),
    Connected(usize),
    Disconnect(usize),
    Subscribe(usize, Vec<(usize, bool)>),
    Unsubscribe(usize, Vec<usize>),
    Advertise(usize, Vec<u32>),
    Unadvertise(usize, Vec<u32>),
    Publish(usize, u32),
    AddChannel(u8),
    RemoveChannel(usize),
    Reset(usize),
    StaleReset(usize),
    Oversize(usize),
    Leave,
    Join(Vec<usize>),
    FullReconnect(Vec<usize>),
    Pass(u64),
    Follow(usize),
    Forget(usize),
    PublishGraph(usize),
    FollowParameters(usize, Vec<u8>),
    ForgetParameters(usize, Vec<u8>),
    PublishParameters(Vec<u8>),
    PublishStatus(u8),
    AddService(u8),
    RemoveService(u8),
    WriteFailure(usize),
    Stay,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let connection = || 0..9usize;
    let some = || prop::collection::vec(0..9usize, 0..4);
    let channels = || prop::collection::vec((0..12usize, any::<bool>()), 0..4);
    let ids = || prop::collection::vec(0..4u32, 0..4);
    let names = || prop::collection::vec(0..4u8, 0..4);
    let action = prop_oneof![
        6 => connection().prop_map(Action::Active),
        1 => connection().prop_map(Action::Connected),
        3 => connection().prop_map(Action::Disconnect),
        6 => (connection(), channels()).prop_map(|(c, channels)| Action::Subscribe(c, channels)),
        3 => (connection(), prop::collection::vec(0..12usize, 0..4)).prop_map(|(c, ids)| Action::Unsubscribe(c, ids)),
        4 => (connection(), ids()).prop_map(|(c, ids)| Action::Advertise(c, ids)),
        2 => (connection(), ids()).prop_map(|(c, ids)| Action::Unadvertise(c, ids)),
        2 => (connection(), 0..4u32).prop_map(|(c, id)| Action::Publish(c, id)),
        3 => (0..3u8).prop_map(Action::AddChannel),
        2 => (0..12usize).prop_map(Action::RemoveChannel),
        3 => connection().prop_map(Action::Reset),
        1 => (0..40usize).prop_map(Action::StaleReset),
        1 => (0..12usize).prop_map(Action::Oversize),
        4 => (connection(), names()).prop_map(|(c, names)| Action::FollowParameters(c, names)),
        2 => (connection(), names()).prop_map(|(c, names)| Action::ForgetParameters(c, names)),
        1 => names().prop_map(Action::PublishParameters),
        1 => (0..3u8).prop_map(Action::PublishStatus),
        1 => (0..3u8).prop_map(Action::AddService),
        1 => (0..3u8).prop_map(Action::RemoveService),
        2 => connection().prop_map(Action::WriteFailure),
        1 => Just(Action::Stay),
        1 => Just(Action::Leave),
        2 => some().prop_map(Action::Join),
        1 => some().prop_map(Action::FullReconnect),
        2 => (0..70_000u64).prop_map(Action::Pass),
        3 => connection().prop_map(Action::Follow),
        2 => connection().prop_map(Action::Forget),
        2 => (0..64usize).prop_map(Action::PublishGraph),
    ];
    prop::collection::vec(action, 1..60)
}

struct Model {
    robot: Robot,
    channels: Vec<Channel>,
    made: usize,
    in_room: bool,
    graph: ConnectionGraph,
    services: BTreeSet<u8>,
}

impl Model {
    fn new() -> Self {
        let options = SessionOptions {
            capabilities: vec![
                SessionCapability::ClientPublish,
                SessionCapability::Parameters,
                SessionCapability::ConnectionGraph,
                SessionCapability::Services,
            ],
            supported_encodings: vec!["json".into()],
            limits: crate::session::Limits { eager_data_tracks: 2, ..Default::default() },
            ..Default::default()
        };
        let mut robot = Robot::outside(options);
        robot.input(Input::IdleWindow(Some(seconds(30))));
        Self {
            robot,
            services: BTreeSet::new(),
            channels: Vec::new(),
            made: 0,
            in_room: false,
            graph: ConnectionGraph::new(),
        }
    }

    /// One of each identity: who is in the room is what the room says.
    fn one_each(&self, connections: &[usize]) -> Vec<Participant> {
        let mut present: BTreeMap<usize, usize> = BTreeMap::new();
        present.extend(connections.iter().map(|n| (n / 3, *n)));
        present.into_values().map(connection).collect()
    }

    fn apply(&mut self, action: &Action) {
        let sid = |n: &usize| format!("S{n}");
        let id = |channels: &[Channel], n: &usize| channels.get(*n).map_or(u64::MAX, |channel| channel.id().get());
        let robot = &mut self.robot;
        match action {
            Action::Leave => {
                robot.input(Input::Left);
                self.in_room = false;
            }
            Action::Join(present) if !self.in_room => {
                let participants = self.one_each(present);
                self.robot.joined(participants);
                self.in_room = true;
            }
            Action::AddChannel(kind) if self.channels.len() < 12 => {
                self.made += 1;
                let topic = format!("/{}", self.made);
                let channel = match kind {
                    0 => robot.with_schema(&topic, if self.made.is_multiple_of(2) { "A" } else { "B" }, "{}"),
                    1 => robot.reliable(&topic),
                    _ => robot.image(&topic),
                };
                self.channels.push(channel);
            }
            Action::RemoveChannel(n) if *n < self.channels.len() => {
                let channel = self.channels.remove(*n);
                robot.remove(&[&channel]);
            }
            Action::Oversize(n) if *n < self.channels.len() => {
                let channel = self.channels[*n].id();
                robot.input(Input::Oversize { channel, dropped: 1 });
            }
            Action::PublishGraph(bits) => {
                self.graph = graph(*bits);
                robot.input(Input::PublishGraph(self.graph.clone()));
            }
            Action::Pass(ms) => {
                robot.take();
                robot.pass(Duration::from_millis(*ms));
                // The driver leaves the room when it is told to, and only an empty one is left (S-28).
                if robot.take().contains(&Step::Leave) {
                    assert!(self.in_room && robot.open.is_empty());
                    robot.input(Input::Left);
                    self.in_room = false;
                }
            }
            Action::PublishParameters(names) => {
                let value = Some(crate::protocol::ParameterValue::Integer(1));
                let parameters = names.iter().map(|n| Parameter { name: name(n), value: value.clone(), kind: None });
                robot.input(Input::PublishParameters(parameters.collect()));
            }
            Action::PublishStatus(n) => {
                let status = Status { level: StatusLevel::Info, message: "x".into(), id: Some(n.to_string()) };
                robot.input(Input::PublishStatus(status));
            }
            Action::AddService(n) => {
                let added = robot.try_input(Input::AddServices(vec![Service::new(name(n), "t", |_, _| {})]));
                assert_eq!(added.is_ok(), self.services.insert(*n), "one of a name");
            }
            Action::RemoveService(n) => {
                robot.input(Input::RemoveServices(vec![name(n)]));
                self.services.remove(n);
            }
            Action::Stay => robot.input(Input::Stay),
            // Without a room there are no events of one.
            _ if !self.in_room => {}
            Action::Follow(n) => robot.says(&sid(n), FromViewer::SubscribeConnectionGraph),
            Action::Forget(n) => robot.says(&sid(n), FromViewer::UnsubscribeConnectionGraph),
            Action::Active(n) => robot.input(Input::ParticipantActive(connection(*n))),
            Action::Connected(n) => robot.input(Input::ParticipantConnected(connection(*n))),
            Action::Disconnect(n) => robot.disconnect(&sid(n)),
            Action::Subscribe(n, wanted) => {
                let entry = |(channel, video): &(usize, bool)| SubscribeChannel {
                    id: id(&self.channels, channel),
                    request_video_track: *video,
                };
                let channels = wanted.iter().map(entry).collect();
                robot.says(&sid(n), FromViewer::Subscribe { channels });
            }
            Action::Unsubscribe(n, ids) => {
                let channel_ids = ids.iter().map(|n| id(&self.channels, n)).collect();
                robot.says(&sid(n), FromViewer::Unsubscribe { channel_ids });
            }
            Action::Advertise(n, ids) => robot.says(&sid(n), client_publish::advertise(ids)),
            Action::Unadvertise(n, ids) => {
                robot.says(&sid(n), FromViewer::Unadvertise { channel_ids: ids.clone() });
            }
            Action::Publish(n, channel_id) => {
                robot.says(&sid(n), FromViewer::MessageData { channel_id: *channel_id, data: Bytes::new() });
            }
            Action::FollowParameters(n, names) => {
                let names = names.iter().map(name).collect();
                robot.says(&sid(n), FromViewer::SubscribeParameterUpdates { names });
            }
            Action::ForgetParameters(n, names) => {
                let names = names.iter().map(name).collect();
                robot.says(&sid(n), FromViewer::UnsubscribeParameterUpdates { names });
            }
            Action::WriteFailure(n) => {
                if let Some(client) = robot.current(&sid(n)) {
                    robot.input(Input::Reset { client, cause: ResetCause::WriteFailure, discarded: 0 });
                }
            }
            Action::Reset(n) => {
                if let Some(client) = robot.current(&sid(n)) {
                    robot.reset(client);
                }
            }
            Action::StaleReset(n) => {
                if let Some(client) = robot.views.keys().nth(*n).copied().filter(|c| !robot.open.contains(c)) {
                    robot.take();
                    robot.reset(client);
                    assert_eq!(robot.take(), [], "a reset of a registration that is gone does nothing");
                }
            }
            Action::FullReconnect(present) => {
                let participants = self.one_each(present);
                self.robot.input(Input::Reconnected { participants });
            }
            Action::Join(_) | Action::AddChannel(_) | Action::RemoveChannel(_) | Action::Oversize(_) => {}
        }
    }

    fn check(&self) {
        let robot = &self.robot;
        let core = &robot.core;
        // One instance per identity; the indexes and the open queues say the same.
        let registered: BTreeSet<ClientId> = core.clients().map(|client| client.id).collect();
        assert_eq!(registered, robot.open);
        assert_eq!(core.by_identity.values().copied().collect::<BTreeSet<_>>(), registered);
        assert_eq!(core.by_sid.values().copied().collect::<BTreeSet<_>>(), registered);
        assert!(self.in_room || registered.is_empty());
        // What the application was told equals what is recorded.
        let mut subscribed = BTreeSet::new();
        let mut advertised = BTreeSet::new();
        for (id, registration) in &core.clients {
            subscribed.extend(registration.subscriptions.keys().map(|channel| (*id, channel.get())));
            advertised.extend(registration.channels.keys().map(|channel| (*id, *channel)));
        }
        assert_eq!((&subscribed, &advertised), (&robot.subscribed, &robot.advertised));
        // First and last subscribers of parameters: the union of what the viewers follow, in both directions of the index.
        let followed: BTreeSet<String> = core.clients.values().flat_map(|r| r.parameters.names().cloned()).collect();
        assert_eq!(followed, robot.followed);
        assert_eq!(core.parameters.names().cloned().collect::<BTreeSet<_>>(), followed);
        // Routes equal the union of the viewers' subscriptions.
        for channel in &self.channels {
            let state = &core.channels[&channel.id()];
            let of_mode = |mode| {
                let clients = core.clients.iter();
                let with = clients.filter(|(_, r)| r.subscriptions.get(&channel.id()) == Some(&mode));
                with.map(|(id, _)| *id).collect::<BTreeSet<_>>()
            };
            let data = of_mode(subscriptions_mode(false));
            let video = of_mode(subscriptions_mode(true));
            assert_eq!(state.data_subscribers.iter().copied().collect::<BTreeSet<_>>(), data);
            assert_eq!(state.video_subscribers.iter().copied().collect::<BTreeSet<_>>(), video);
            let (reliable, lossy) = robot.routes.get(&channel.id().get()).cloned().unwrap_or_default();
            let reliable: BTreeSet<_> = reliable.into_iter().collect();
            if state.qos == Qos::Reliable {
                assert_eq!((reliable, lossy), (data, false));
            } else {
                assert_eq!((reliable, lossy), (BTreeSet::new(), !data.is_empty()));
                let started = robot.tracks.contains(&channel.id().get());
                assert!(started || !lossy, "messages flow, so there is a track");
                assert!(self.in_room || !started, "no room, no track");
            }
        }
        let ids: BTreeSet<u64> = self.channels.iter().map(|channel| channel.id().get()).collect();
        assert!(robot.routes.keys().all(|channel| ids.contains(channel)));
        assert!(robot.tracks.iter().all(|channel| ids.contains(channel)));
        // Who follows the connection graph is registered, knows it, and the application knows that somebody does.
        let followers: Vec<ClientId> = core.graph_subscribers().collect();
        assert_eq!(robot.graph_followed, !followers.is_empty());
        for client in followers {
            assert!(registered.contains(&client) && robot.view(client).shows(&self.graph));
        }
        // Each viewer's folded view equals the registry.
        for client in &robot.open {
            let view = robot.view(*client);
            assert_eq!(view.channel_ids(), ids.iter().copied().collect::<Vec<_>>());
            assert_eq!(view.services.len(), self.services.len());
        }
    }
}

/// A graph of two topics and a service, each of its ends there or not.
fn graph(bits: usize) -> ConnectionGraph {
    let mut graph = ConnectionGraph::new();
    let on = |bit: usize| bits >> bit & 1 == 1;
    for (n, topic) in ["/x", "/y"].into_iter().enumerate() {
        if on(n) {
            graph.set_published_topic(topic, ["a", "b"].into_iter().take(1 + usize::from(on(5))));
        }
        if on(2 + n) {
            graph.set_subscribed_topic(topic, ["c"]);
        }
    }
    if on(4) {
        graph.set_advertised_service("/s", ["d"]);
    }
    graph
}

/// Name of a parameter or service.
fn name(n: &u8) -> String {
    format!("n{n}")
}

fn subscriptions_mode(video: bool) -> crate::session::core::subscriptions::Mode {
    use crate::session::core::subscriptions::Mode;
    if video {
        Mode::Video
    } else {
        Mode::Data
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        // The same sequences in every run.
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x7e1e_11c5),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// S-101, S-118, S-181, S-190, P-71, P-151.
    #[test]
    fn any_sequence_keeps_the_invariants(actions in actions()) {
        let mut model = Model::new();
        for action in &actions {
            model.apply(action);
            model.check();
        }
        // The end: everything that began ends.
        model.robot.input(Input::Left);
        prop_assert!(model.robot.subscribed.is_empty() && model.robot.advertised.is_empty());
        prop_assert!(model.robot.followed.is_empty() && !model.robot.graph_followed);
        prop_assert!(model.robot.open.is_empty() && model.robot.tracks.is_empty());
    }
}
