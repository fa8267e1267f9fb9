//! A closed network: no name service answers, not even with a refusal. The whole test, server included, runs in a network
//! namespace of its own whose name server swallows every question. Needs `ip`, `unshare`, and root or leave to make user
//! namespaces.

use std::process::Command;

use telelink::gateway::DirectOptions;

use crate::robot::{is_robot_that, join, threads, Robot};
use crate::support::Server;

/// Set once the test is inside.
const INSIDE: &str = "NETWORK_INSIDE";
/// Joins of each robot.
const CYCLES: usize = 6;

/// The name server's address leads to a device that nobody listens on: what goes there is lost without an answer.
const CLOSED: &str = r#"
set -e
ip link set lo up
ip link add tl0 type veth peer name tl1
ip addr add 10.78.0.1/24 dev tl0
ip link set tl0 up
ip link set tl1 up
ip neigh add 10.78.0.254 lladdr 02:00:00:00:00:01 dev tl0
ip route add default via 10.78.0.254
echo "nameserver 10.78.0.254" > "$1"
mount --bind "$1" /etc/resolv.conf
shift
exec "$@"
"#;

/// Joins and leaves again and again, and says how many threads there were at most.
fn cycles(change: impl Fn(&mut DirectOptions)) -> Result<(), String> {
    let mut most = 0;
    for _ in 0..CYCLES {
        join(&change)?;
        let names = threads();
        let total: usize = names.values().sum();
        if total > most {
            eprintln!("{names:?}");
            most = total;
        }
    }
    println!("\nthreads: {most}");
    Ok(())
}

#[test]
fn literal_ice_servers_join_without_a_name_service_and_pile_up_no_threads() {
    const ME: &str = "names::literal_ice_servers_join_without_a_name_service_and_pile_up_no_threads";
    let literal = std::env::var_os("NETWORK_LITERAL").is_some();
    let robot = || {
        cycles(|options| {
            if !literal {
                options.ice_servers.clear()
            }
        })
    };
    if is_robot_that(robot) {
        return;
    }
    if std::env::var_os(INSIDE).is_none() {
        let root = Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
        let own: &[&str] = if root { &[] } else { &["--user", "--map-root-user"] };
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("resolv-{}", std::process::id()));
        let done = Command::new("unshare")
            .args(own)
            .args(["--net", "--mount", "--", "sh", "-c", CLOSED, "sh"])
            .arg(&file)
            .arg(std::env::current_exe().expect("a path"))
            .args(["--exact", ME, "--nocapture"])
            .env(INSIDE, "1")
            .status()
            .expect("unshare");
        assert!(done.success(), "inside the namespace it failed");
        return;
    }
    let server = Server::start();
    let with = Robot::run(ME, &server.url, &[("NETWORK_LITERAL", "1")]);
    // The server's own list, which has names in it: joining works, and each name costs threads that wait for an answer.
    let without = Robot::run(ME, &server.url, &[]);
    let (with, without) = (with.joined().number("threads"), without.joined().number("threads"));
    println!("{CYCLES} joins: at most {with} threads with literal addresses, {without} with the server's names");
    assert!(with <= 24, "{with} threads");
    assert!(without > with + 20, "{without} threads with names, {with} without: is this network closed?");
}
