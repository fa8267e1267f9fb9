//! Rights by the role in a viewer's token, and the control lease, through a real server (S-127, S-128).

use std::time::Duration;

use telelink::context::Qos;
use telelink::session::{ControlLeaseOptions, Policy, RoleRules, Service, SessionOptions, TAKE_CONTROL};
use telelink_viewer_client::{Viewer, ViewerError};

use crate::rig::{Robot, LIMIT};

fn drive() -> Service {
    Service::new("/drive", "t", |_, responder| responder.respond("driven").unwrap())
}

fn declined<T: std::fmt::Debug>(result: Result<T, ViewerError>) -> String {
    match result {
        Err(ViewerError::Declined(text)) => text,
        other => panic!("not declined: {other:?}"),
    }
}

async fn call(viewer: &Viewer, service: &str) -> Result<Vec<u8>, ViewerError> {
    viewer.call_service(service, "json", "{}", LIMIT).await.map(|reply| reply.payload.to_vec())
}

#[tokio::test]
async fn the_role_of_the_token_decides() {
    let mut policy = Policy::default();
    policy.default_role.subscribe = vec!["/public/*".into()];
    policy.roles.insert("operator".into(), RoleRules::everything());
    let options = SessionOptions {
        policy: Some(policy),
        services: vec![drive()],
        supported_encodings: vec!["json".into()],
        ..Default::default()
    };
    let robot = Robot::start("rights", options);
    let open = |topic| robot.context.channel(topic).encoding("json").qos(Qos::Reliable).open().unwrap();
    let (public, secret) = (open("/public/battery"), open("/secret"));
    let operator = robot.viewer_as("operator", Some("operator")).await;
    let guest = robot.viewer_as("guest", None).await;
    for viewer in [&operator, &guest] {
        for topic in ["/public/battery", "/secret"] {
            viewer.wait_channel(topic, LIMIT).await.unwrap();
            viewer.subscribe([topic]).unwrap();
        }
        viewer.ping(LIMIT).await.unwrap();
    }
    secret.log(b"secret").unwrap();
    public.log(b"public").unwrap();
    assert_eq!(guest.next_message(LIMIT).await.unwrap().payload[..], *b"public", "not the secret one before it");
    assert_eq!(operator.next_message(LIMIT).await.unwrap().payload[..], *b"secret");
    assert_eq!(call(&operator, "/drive").await.unwrap(), b"driven");
    assert_eq!(declined(call(&guest, "/drive").await), "Server does not support services");
}

#[tokio::test]
async fn only_the_holder_of_control_acts_until_it_leaves() {
    let options = SessionOptions {
        control_lease: Some(ControlLeaseOptions { timeout: Duration::from_secs(60), ..Default::default() }),
        services: vec![drive()],
        ..Default::default()
    };
    let robot = Robot::start("lease", options);
    let (ann, bob) = (robot.ready_viewer("ann").await, robot.ready_viewer("bob").await);
    assert_eq!(call(&bob, "/drive").await.unwrap(), b"driven", "nobody holds control");
    call(&ann, TAKE_CONTROL).await.unwrap();
    assert!(declined(call(&bob, "/drive").await).contains("ann"));
    assert_eq!(call(&ann, "/drive").await.unwrap(), b"driven");
    ann.close(LIMIT).await.unwrap();
    crate::support::wait_until("ann has left", LIMIT, || {
        robot.session.stats().is_ok_and(|stats| stats.viewers.len() == 1)
    })
    .await;
    assert_eq!(call(&bob, "/drive").await.unwrap(), b"driven");
}
