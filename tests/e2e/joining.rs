//! Joining, greeting, schemas, leaving.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use telelink::context::{Qos, Schema};
use telelink::gateway::{ApiKey, TokenSource};
use telelink::protocol::version;
use telelink::room::Secret;
use telelink::session::{SessionCapability, SessionOptions};

use crate::rig::{join, room_name, url, Robot, LIMIT};
use crate::support::{self, TokenOptions};

fn schema(name: &str) -> Schema {
    Schema { name: name.into(), encoding: "jsonschema".into(), data: r#"{"type":"object"}"#.into() }
}

/// S-19.
#[tokio::test]
async fn p_18_a_viewer_is_greeted_whether_it_came_before_or_after_the_robot() {
    let options = SessionOptions { name: "greeter".into(), ..Default::default() };
    let robot = Robot::start("greeting", options);
    let _channel = robot.context.channel("/a").encoding("json").open().unwrap();
    let after = robot.viewer("after", None).await;
    assert_eq!(after.ready(LIMIT).await.unwrap().name, "greeter");
    after.wait_channel("/a", LIMIT).await.unwrap();

    // Another viewer waits in its room before the robot comes.
    let room = room_name("early");
    let token = |identity: &str| Secret::new(support::token(&room, identity, &TokenOptions::default()));
    let early = join(token("early")).await;
    let options = SessionOptions { name: "late robot".into(), ..Default::default() };
    let _robot = Robot::start_with(url(), room.clone(), TokenSource::Static(token("robot")), options);
    assert_eq!(early.ready(LIMIT).await.unwrap().name, "late robot");
}

#[tokio::test]
async fn p_201_schemas_travel_inline_or_in_a_table_by_the_viewers_version() {
    let robot = Robot::start("schemas", SessionOptions::default());
    let open = |topic: &str| robot.context.channel(topic).encoding("json").schema(schema("S")).open().unwrap();
    let _channels = [open("/s1"), open("/s2")];
    for (identity, version, table) in [("old", Some("2.2.0"), 0), ("none", None, 0), ("new", Some("2.3.0"), 1)] {
        let viewer = robot.viewer(identity, version).await;
        viewer.ready(LIMIT).await.unwrap();
        for topic in ["/s1", "/s2"] {
            let channel = viewer.wait_channel(topic, LIMIT).await.unwrap();
            let schema = channel.schema.as_ref().expect("a schema in either shape");
            assert_eq!((schema.name.as_str(), schema.encoding.as_str()), ("S", "jsonschema"), "{identity}");
        }
        assert_eq!(viewer.with_picture(|picture| picture.schema_count()), table, "{identity}");
    }
}

#[tokio::test]
async fn p_15_an_incompatible_viewer_is_told_why_and_not_served() {
    let robot = Robot::start("version", SessionOptions::default());
    let _channel = robot.context.channel("/a").encoding("json").open().unwrap();
    robot.wait_status("connected").await;
    let viewer = robot.viewer("ancient", Some("1.9.0")).await;
    let refusal = viewer.ready(LIMIT).await.expect_err("refused").to_string();
    assert!(refusal.contains("1.9.0 is not compatible with this device (supported: 2.3.0)"), "{refusal}");
    assert!(viewer.channels().is_empty());
    let stats = robot.session.stats().unwrap();
    assert!(stats.viewers.is_empty());
}

/// S-44.
#[tokio::test]
async fn s_45_the_token_callback_and_the_api_key_open_the_room() {
    let room = room_name("callback");
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, name) = (asked.clone(), room.clone());
    let callback = TokenSource::Callback(Arc::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(Secret::new(support::token(&name, "robot", &TokenOptions::default())))
    }));
    let robot = Robot::start_with(url(), room, callback, SessionOptions::default());
    robot.wait_status("connected").await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    let room = room_name("apikey");
    let key = TokenSource::Key(ApiKey {
        key: support::API_KEY.into(),
        secret: Secret::new(support::API_SECRET),
        room: room.clone(),
        identity: "keyed".into(),
        ttl: Duration::from_secs(3600),
        attributes: Default::default(),
    });
    let robot = Robot::start_with(url(), room, key, SessionOptions::default());
    let viewer = robot.viewer("v", Some(version::SPOKEN)).await;
    viewer.ready(LIMIT).await.unwrap();
    assert_eq!(viewer.robot().unwrap().as_str(), "keyed");
}

#[tokio::test]
async fn s_36_stop_leaves_the_room_and_ends_every_subscription_before_it_returns() {
    let robot = Robot::start("stop", SessionOptions::default());
    let _channel = robot.context.channel("/a").encoding("json").qos(Qos::Reliable).open().unwrap();
    let viewer = robot.ready_viewer("v").await;
    viewer.wait_channel("/a", LIMIT).await.unwrap();
    viewer.subscribe(["/a"]).unwrap();
    robot.wait_status("subscribe /a").await;
    let (session, diary) = (robot.session, robot.diary);
    tokio::task::spawn_blocking(move || session.close_timeout(LIMIT)).await.unwrap().unwrap();
    let expected = ["connecting", "connected", "subscribe /a", "shutting down", "unsubscribe /a", "shutdown"];
    assert_eq!(diary.lines(), expected);
    // The viewer sees the robot gone at once, not after a time-out of the server.
    support::wait_until("the robot to be gone", LIMIT, || viewer.room().participants().is_empty()).await;
}

/// S-78, P-66.
#[tokio::test]
async fn s_77_capabilities_and_metadata_are_announced() {
    let options = SessionOptions {
        capabilities: vec![SessionCapability::Parameters, SessionCapability::ClientPublish],
        supported_encodings: vec!["json".into()],
        metadata: [("ROS_DISTRO".to_owned(), "jazzy".to_owned())].into(),
        session_id: "ras_1".into(),
        ..Default::default()
    };
    let robot = Robot::start("info", options);
    let viewer = robot.viewer("v", None).await;
    let info = viewer.ready(LIMIT).await.unwrap();
    let capabilities = format!("{:?}", info.capabilities);
    assert_eq!(capabilities, "[Parameters, ParametersSubscribe, ClientPublish]");
    assert_eq!(info.session_id.as_deref(), Some("ras_1"));
    assert_eq!(info.metadata["ROS_DISTRO"], "jazzy");
    assert!(info.metadata["fg-library"].starts_with("telelink-"));
}

#[tokio::test]
async fn s_47_p_10_the_robot_adds_no_name_and_no_attributes_to_its_participant() {
    // The session has a name of its own, which only the greeting carries; its token has neither name nor attributes.
    let options = SessionOptions { name: "digger".into(), session_id: "ras_1".into(), ..Default::default() };
    let robot = Robot::start("plain", options);
    let early = robot.ready_viewer("early").await;
    assert_eq!(early.ready(LIMIT).await.unwrap().name, "digger");
    // What the robot had set after its join, the server would tell this one.
    let late = robot.ready_viewer("late").await;
    for viewer in [early, late] {
        let robot = || viewer.room().participant(&"robot".into());
        // The greeting can be quicker than the server's list of participants.
        support::wait_until("the robot to be listed", LIMIT, || robot().is_some()).await;
        let robot = robot().unwrap();
        assert_eq!((robot.name.as_str(), robot.attributes.len()), ("", 0), "{robot:?}");
    }
}
