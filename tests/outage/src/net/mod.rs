//! The link between the server's host and the robot's: two network namespaces, and what can be done to the path between.
//!
//! `namespace`: the two hosts. `relay`: a path with delay, over TUN devices, for kernels without netem. Loss and cuts are
//! nftables rules where packets come in, so the sender notices nothing: no error, no reset. A rate is a token bucket.

mod namespace;
pub(crate) mod relay;

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) use namespace::enter;
use namespace::{run, Namespace};

/// Address of the server's host, which viewers share.
pub(crate) const HUB: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 77, 0, 1);
/// Name of the device on the server's host.
pub(crate) const HUB_DEVICE: &str = "hub0";
const ROBOT_DEVICE: &str = "rob0";

/// What the path between the hosts is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// As fast as the machine.
    Cable,
    /// Every packet takes this long, ± the jitter, and overtakes none.
    Far { delay: Duration, jitter: Duration },
}

/// Which packets are lost, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    None,
    /// So many of a hundred, by chance.
    Percent(u32),
    /// All.
    All,
    /// Those of the signal connection.
    Signal,
    /// UDP: media and data, while the signal connection lives.
    Udp,
    /// All but the signal connection.
    Media,
    /// None, but the signal connection is reset with its next packet; another one works.
    Reset,
}

/// The two hosts and the path between them.
pub(crate) struct Net {
    robot: Namespace,
    relay: Option<Child>,
    address: u8,
    signal_port: u16,
}

impl Net {
    /// Two hosts, joined by `path`.
    pub(crate) fn new(path: Path) -> io::Result<Self> {
        let robot = Namespace::new()?;
        let mut net = Self { robot, relay: None, address: 2, signal_port: 0 };
        match path {
            Path::Cable => {
                run("ip", &["link", "add", "name", HUB_DEVICE, "type", "veth", "peer", "name", ROBOT_DEVICE])?;
                run("ip", &["link", "set", ROBOT_DEVICE, "netns", &net.robot.pid().to_string()])?;
            }
            Path::Far { delay, jitter } => net.relay = Some(start_relay(net.robot.pid(), delay, jitter)?),
        }
        let hub = format!("{HUB}/24");
        for arguments in [
            &["link", "set", HUB_DEVICE, "addrgenmode", "none"][..],
            &["addr", "add", &hub, "dev", HUB_DEVICE],
            &["link", "set", HUB_DEVICE, "up"],
        ] {
            run("ip", arguments)?;
        }
        net.robot.run("ip", &["link", "set", ROBOT_DEVICE, "addrgenmode", "none"])?;
        net.robot.run("ip", &["addr", "add", &net.robot_address(), "dev", ROBOT_DEVICE])?;
        net.robot.run("ip", &["link", "set", ROBOT_DEVICE, "up"])?;
        Ok(net)
    }

    fn robot_address(&self) -> String {
        format!("10.77.0.{}/24", self.address)
    }

    /// The port that [`Loss::Signal`] and [`Loss::Media`] tell apart from the others.
    pub(crate) fn set_signal_port(&mut self, port: u16) {
        self.signal_port = port;
    }

    /// Program and first arguments that run what follows on the robot's host.
    pub(crate) fn on_robot(&self) -> [String; 4] {
        self.robot.prefix()
    }

    /// Loses packets from now on, where they come in, on both hosts.
    pub(crate) fn lose(&self, loss: Loss) -> io::Result<()> {
        for (device, on_robot) in [(HUB_DEVICE, false), (ROBOT_DEVICE, true)] {
            let rules = rules(device, loss, self.signal_port);
            if on_robot {
                self.robot.run("nft", &[&rules])?;
            } else {
                run("nft", &[&rules])?;
            }
        }
        Ok(())
    }

    /// Limits what the robot sends, megabits per second.
    pub(crate) fn limit_uplink(&self, mbit: u32) -> io::Result<()> {
        let rate = format!("{mbit}mbit");
        let arguments =
            ["qdisc", "add", "dev", ROBOT_DEVICE, "root", "tbf", "rate", &rate, "burst", "32kb", "latency", "100ms"];
        self.robot.run("tc", &arguments)
    }

    /// Takes the robot's device down or up: the robot's host notices.
    pub(crate) fn set_device(&self, up: bool) -> io::Result<()> {
        self.robot.run("ip", &["link", "set", ROBOT_DEVICE, if up { "up" } else { "down" }])
    }

    /// Gives the robot's host another address, as when it roams to another network.
    pub(crate) fn move_robot(&mut self) -> io::Result<()> {
        let old = self.robot_address();
        self.address += 1;
        self.robot.run("ip", &["addr", "add", &self.robot_address(), "dev", ROBOT_DEVICE])?;
        self.robot.run("ip", &["addr", "del", &old, "dev", ROBOT_DEVICE])?;
        // With its first address a device may lose the others of the same network.
        let _ = self.robot.run("ip", &["addr", "add", &self.robot_address(), "dev", ROBOT_DEVICE]);
        Ok(())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            drop(relay.stdin.take());
            let _ = relay.wait();
        }
        // A veth pair ends with either end; a TUN device with the relay.
        let _ = run("ip", &["link", "del", HUB_DEVICE]);
        let _ = run("nft", &["flush ruleset"]);
    }
}

/// One transaction that replaces what was lost before.
fn rules(device: &str, loss: Loss, signal: u16) -> String {
    if loss == Loss::Reset {
        // Only what comes to the server's host from the robot's: the reset goes back the same way.
        return format!(
            "add table inet outage; delete table inet outage; add table inet outage; \
             add chain inet outage in {{ type filter hook input priority 0; }}; \
             add rule inet outage in iifname {device} tcp dport {signal} limit rate 1/hour burst 1 packets \
             reject with tcp reset"
        );
    }
    let matching = match loss {
        Loss::None | Loss::Reset => return "add table inet outage; delete table inet outage".to_owned(),
        Loss::Percent(percent) => format!("numgen random mod 100 < {percent} "),
        Loss::All => String::new(),
        // The server's side is the destination on one host, the source on the other.
        Loss::Signal => {
            format!("tcp dport {signal} drop; add rule inet outage in iifname {device} tcp sport {signal} ")
        }
        Loss::Udp => "meta l4proto udp ".to_owned(),
        // Two rules: nft 1.0.6 makes one comparison of "sport != and dport !=", which is another one.
        Loss::Media => format!(
            "tcp dport {signal} accept; add rule inet outage in iifname {device} tcp sport {signal} accept; \
             add rule inet outage in iifname {device} "
        ),
    };
    format!(
        "add table inet outage; delete table inet outage; add table inet outage; \
         add chain inet outage in {{ type filter hook input priority 0; }}; \
         add rule inet outage in iifname {device} {matching}drop"
    )
}

fn start_relay(robot: u32, delay: Duration, jitter: Duration) -> io::Result<Child> {
    let mut relay = Command::new(std::env::current_exe()?)
        .args(["relay", "--robot", &robot.to_string(), "--hub-device", HUB_DEVICE, "--robot-device", ROBOT_DEVICE])
        .args(["--delay-us", &delay.as_micros().to_string(), "--jitter-us", &jitter.as_micros().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = relay.stdout.take().ok_or_else(|| io::Error::other("no output of the relay"))?;
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(output), &mut line)?;
    if line != "up\n" {
        return Err(io::Error::other("the relay could not make its devices"));
    }
    Ok(relay)
}
