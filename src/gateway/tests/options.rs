//! Options that cannot work are refused when a session starts; what is said of a join names no secret.

use super::*;
use crate::gateway::IceServer;

/// What `start` says of options that differ from good ones in `change`.
fn refused(change: impl FnOnce(&mut DirectOptions)) -> String {
    let mut direct = DirectOptions::new("ws://127.0.0.1:1", TokenSource::Static(Secret::new("token")));
    direct.connector = Some(MemoryServer::new().connector());
    change(&mut direct);
    let error = Direct::new(direct).err().expect("cannot work");
    assert_eq!(error.kind, ErrorKind::InvalidValue, "{error}");
    error.message
}

#[test]
fn a_url_that_cannot_work_is_refused_without_being_quoted() {
    for url in ["user:secret@host", "ftp://user:secret@host", "ws://", "ws:///secret"] {
        let message = refused(|direct| (direct.connector, direct.url) = (None, url.into()));
        assert!(message.contains("ws://host") && message.contains("https://"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[test]
fn ice_servers_that_cannot_work_are_named() {
    let ice = |urls: &[&str], username: &str, password: &str| IceServer {
        urls: urls.iter().map(|&url| url.to_owned()).collect(),
        username: Some(username.to_owned()),
        password: Some(Secret::new(password)),
    };
    let good = || ice(&["stun:10.0.0.5:3478", "turns:h:443?transport=tcp"], "robot", "pw");
    for (bad, what) in [
        (ice(&[], "", ""), "options.ice_servers[1].urls is empty"),
        (ice(&["stun:h", "foo"], "", ""), "options.ice_servers[1].urls[1] is not stun:host"),
        (ice(&["turn:h"], "", "pw"), "options.ice_servers[1] is a TURN server without username or password"),
        (ice(&["stun:h", "turns:h"], "robot", ""), "options.ice_servers[1] is a TURN server without"),
    ] {
        let message = refused(|direct| direct.ice_servers = vec![good(), bad]);
        assert!(message.starts_with(what), "{message}");
    }
    let mut direct = DirectOptions::new("ws://h", TokenSource::Static(Secret::new("token")));
    direct.connector = Some(MemoryServer::new().connector());
    direct.ice_servers = vec![good(), ice(&["stun:h"], "", "")];
    assert!(Direct::new(direct).is_ok());
}

/// Once, and without user, password and query.
#[tokio::test(start_paused = true)]
async fn a_join_that_fails_names_its_url_without_secrets() {
    let stage = Stage::new(|direct| {
        direct.url = "ws://user:secretpw@127.0.0.1:1/rtc?access_token=SECRET".into();
        assert!(!format!("{direct:?}").to_lowercase().contains("secret"), "{direct:?}");
    });
    stage.connector.failures.lock().push_back("the server could not be reached: refused");
    stage.diary.has("connecting (ConnectFailed)").await;
    let message = stage.control.last_error().unwrap().message;
    assert_eq!(message, "cannot join at ws://127.0.0.1:1/rtc: the server could not be reached: refused");
    stage.stop.cancel();
    stage.gateway.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_join_without_an_answer_names_its_url_without_secrets() {
    let server = MemoryServer::new();
    server.shut(Gate::Join, "robot");
    let stage = Stage::on(server, |direct| direct.url = "ws://user:secretpw@127.0.0.1:1?access_token=SECRET".into());
    // The clock is paused: longer than an attempt.
    tokio::time::sleep(Duration::from_secs(6)).await;
    stage.diary.has("connecting (ConnectFailed)").await;
    let message = stage.control.last_error().unwrap().message;
    assert!(message.contains("ws://127.0.0.1:1") && !message.to_lowercase().contains("secret"), "{message}");
    stage.stop.cancel();
    stage.gateway.await.unwrap();
}
