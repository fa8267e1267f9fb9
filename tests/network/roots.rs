//! wss with a certificate of a private authority.

use crate::front::{Authority, Front};
use crate::robot::{is_robot, port, Robot};
use crate::support::Server;

#[test]
fn a_private_authority_is_trusted_when_the_environment_names_it() {
    const ME: &str = "roots::a_private_authority_is_trusted_when_the_environment_names_it";
    if is_robot() {
        return;
    }
    let (server, authority) = (Server::start(), Authority::new("trusted"));
    let front = Front::tls(&authority, port(&server));
    let root = authority.root.to_str().expect("a UTF-8 path");
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("wss://{host}:{}", front.port);
        Robot::run(ME, &url, &[("SSL_CERT_FILE", root)]).joined();
    }
    let folder = authority.root.with_file_name("roots");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(&authority.root, folder.join("any-name.pem")).expect("a copy");
    let url = format!("wss://localhost:{}", front.port);
    Robot::run(ME, &url, &[("SSL_CERT_DIR", folder.to_str().expect("a UTF-8 path"))]).joined();
}

#[test]
fn a_certificate_that_is_not_trusted_is_an_error_with_its_cure() {
    const ME: &str = "roots::a_certificate_that_is_not_trusted_is_an_error_with_its_cure";
    if is_robot() {
        return;
    }
    let (server, authority) = (Server::start(), Authority::new("strange"));
    let front = Front::tls(&authority, port(&server));
    let url = format!("wss://localhost:{}", front.port);
    let other = Authority::new("other");
    let other = other.root.to_str().expect("a UTF-8 path");
    Robot::run(ME, &url, &[]).failed(&["certificate", "SSL_CERT_FILE"]);
    Robot::run(ME, &url, &[("SSL_CERT_FILE", other)]).failed(&["certificate", "SSL_CERT_FILE", other]);
    let nowhere = "/nowhere/root.pem";
    Robot::run(ME, &url, &[("SSL_CERT_FILE", nowhere)]).failed(&["certificate", "SSL_CERT_FILE", nowhere]);
    // A name that the certificate does not have is another mistake than a root that is not there.
    let root = authority.root.to_str().expect("a UTF-8 path");
    let url = format!("wss://127.0.0.2:{}", front.port);
    Robot::run(ME, &url, &[("SSL_CERT_FILE", root)]).failed(&["could not be"]);
}
