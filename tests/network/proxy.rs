//! Behind an HTTP proxy.

use std::net::TcpListener;

use crate::front::{Authority, Front};
use crate::robot::{is_robot, port, Robot};
use crate::support::Server;

#[test]
fn the_signal_connection_goes_through_the_proxy_of_the_environment() {
    const ME: &str = "proxy::the_signal_connection_goes_through_the_proxy_of_the_environment";
    if is_robot() {
        return;
    }
    let server = Server::start();
    for name in ["HTTP_PROXY", "http_proxy"] {
        let proxy = Front::proxy(None);
        let address = format!("http://127.0.0.1:{}", proxy.port);
        Robot::run(ME, &server.url, &[(name, &address)]).joined();
        assert_eq!(proxy.finish()[0], format!("CONNECT 127.0.0.1:{} HTTP/1.1", port(&server)));
    }
    // Each kind of URL has its own variable.
    let proxy = Front::proxy(None);
    let address = format!("http://127.0.0.1:{}", proxy.port);
    Robot::run(ME, &server.url, &[("HTTPS_PROXY", &address)]).joined();
    assert!(proxy.finish().is_empty());
}

#[test]
fn wss_goes_through_the_proxy_too() {
    const ME: &str = "proxy::wss_goes_through_the_proxy_too";
    if is_robot() {
        return;
    }
    let (server, authority, proxy) = (Server::start(), Authority::new("proxied"), Front::proxy(None));
    let front = Front::tls(&authority, port(&server));
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let root = authority.root.to_str().expect("a UTF-8 path");
    let url = format!("wss://localhost:{}", front.port);
    Robot::run(ME, &url, &[("HTTPS_PROXY", &address), ("SSL_CERT_FILE", root)]).joined();
    Robot::run(ME, &url, &[("HTTPS_PROXY", &address)]).failed(&["certificate", "SSL_CERT_FILE", "HTTPS_PROXY"]);
    assert_eq!(proxy.finish()[0], format!("CONNECT localhost:{} HTTP/1.1", front.port));
}

#[test]
fn a_proxy_that_asks_for_a_password_gets_it_and_nobody_else_does() {
    const ME: &str = "proxy::a_proxy_that_asks_for_a_password_gets_it_and_nobody_else_does";
    if is_robot() {
        return;
    }
    let (server, proxy) = (Server::start(), Front::proxy(Some("robot:open-sesame")));
    let with = |login: &str| {
        let address = format!("http://{login}127.0.0.1:{}", proxy.port);
        let log = [("NETWORK_LOG", "1"), ("TELELINK_LIVEKIT_LOG", "debug")];
        Robot::run(ME, &server.url, &[&log[..], &[("HTTP_PROXY", &address)]].concat())
    };
    // Nor does the log show it, in words or as it travels.
    with("robot:open-sesame@").joined().says("livekit: ").never_says("open-sesame").never_says("cm9ib3Q6");
    with("robot:open-barley@").failed(&["407", "HTTP_PROXY"]).never_says("open-barley").never_says("cm9ib3Q6");
    with("").failed(&["407", "HTTP_PROXY"]);
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    const ME: &str = "proxy::a_proxy_that_is_not_there_is_named";
    if is_robot() {
        return;
    }
    let server = Server::start();
    // Bound and not listening: nobody else gets the port meanwhile.
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
    let address = format!("http://127.0.0.1:{free}");
    let says = ["HTTP_PROXY", "proxy", &format!("127.0.0.1:{free}")];
    Robot::run(ME, &server.url, &[("HTTP_PROXY", &address)]).failed(&says);
    // LiveKit's library knows no exceptions; docs/network.md says so.
    Robot::run(ME, &server.url, &[("HTTP_PROXY", &address), ("NO_PROXY", "127.0.0.1")]).failed(&says);
    Robot::run(ME, &server.url, &[("HTTP_PROXY", "not a url")]).failed(&["HTTP_PROXY", "proxy"]);
}
