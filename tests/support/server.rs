//! A LiveKit server of our own on free ports, of loopback or of another address. It ends with the value, and with the test
//! process however that ends.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A running server.
pub struct Server {
    /// `ws://address:port`
    pub url: String,
    process: Child,
    ports: [u16; 3],
    place: Place,
}

/// Where a server listens: an address, and the device that has it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub address: Ipv4Addr,
    pub device: &'static str,
}

impl Place {
    /// This machine alone.
    pub const LOOPBACK: Self = Self { address: Ipv4Addr::LOCALHOST, device: "lo" };
}

impl Server {
    /// Starts the server that `LIVEKIT_SERVER` names and waits until it answers.
    pub fn start() -> Self {
        Self::start_at(Place::LOOPBACK)
    }

    /// The same on another address of this machine.
    pub fn start_at(place: Place) -> Self {
        let program = super::required_file("LIVEKIT_SERVER");
        // Between finding a free port and the server taking it somebody else may: then it fails to start.
        for _ in 0..5 {
            let ports = free_ports(place.address);
            if let Some(server) = Self::start_on(&program, ports, place) {
                return server;
            }
        }
        panic!("{} did not start on any of five sets of ports", program.display());
    }

    /// Kills the server and starts it again on the same ports, after `pause`.
    pub fn restart(&mut self, pause: Duration) {
        self.kill();
        thread::sleep(pause);
        let program = super::required_file("LIVEKIT_SERVER");
        *self = Self::start_on(&program, self.ports, self.place).expect("the server starts again on its ports");
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        // The shell kills the server when its input ends.
        drop(self.process.stdin.take());
        self.process.wait().expect("the server's shell ends");
    }

    /// Stops the server's process where it is, without a word to anybody, as when its machine freezes.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// The port that signal connections go to.
    pub fn signal_port(&self) -> u16 {
        self.ports[0]
    }

    fn signal(&self, name: &str) {
        let children = format!("/proc/{0}/task/{0}/children", self.process.id());
        let children = fs::read_to_string(children).expect("the server's shell lives");
        let server = children.split_ascii_whitespace().next().expect("the server lives");
        let done = Command::new("kill").args(["-s", name, server]).status().expect("kill runs");
        assert!(done.success(), "the server could not be sent {name}");
    }

    fn start_on(program: &PathBuf, ports: [u16; 3], place: Place) -> Option<Self> {
        let [port, tcp, udp] = ports;
        let Place { address: host, device } = place;
        // The configuration of viewer-notes.md section 5: all media stays on one device.
        let config = format!(
            "port: {port}\nrtc:\n  tcp_port: {tcp}\n  udp_port: {udp}\n  use_external_ip: false\n  \
             enable_loopback_candidate: {}\n  interfaces:\n    includes: [{device}]\n",
            host.is_loopback()
        );
        let log = std::env::temp_dir().join(format!("telelink-livekit-server-{}-{port}.log", std::process::id()));
        let output = fs::File::create(&log).expect("a log file in the temporary folder");
        let errors = output.try_clone().expect("a second reference to the log file");
        // The shell's input is a pipe from us, which ends when this process ends, in whatever way.
        let process = Command::new("sh")
            .args(["-c", r#"log=$1; shift; "$@" </dev/null & read -r _; kill -9 $!; rm -f "$log""#, "sh"])
            .arg(&log)
            .arg(program)
            .args(["--dev", "--bind", &host.to_string(), "--node-ip", &host.to_string(), "--config-body", &config])
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("a shell");
        let server = Self { url: format!("ws://{host}:{port}"), process, ports, place };
        let address = SocketAddr::from((host, port));
        let start = Instant::now();
        loop {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("starting LiveKit server") && TcpStream::connect(address).is_ok() {
                return Some(server);
            }
            if said.contains("address already in use") {
                return None;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "the LiveKit server does not start; it said:\n{said}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.stdin.is_some() {
            self.kill();
        }
    }
}

fn free_ports(address: Ipv4Addr) -> [u16; 3] {
    let tcp = [0; 2].map(|_| TcpListener::bind((address, 0)).expect("a free TCP port"));
    let udp = UdpSocket::bind((address, 0)).expect("a free UDP port");
    let port = |address: std::io::Result<SocketAddr>| address.expect("a bound socket has an address").port();
    [port(tcp[0].local_addr()), port(tcp[1].local_addr()), port(udp.local_addr())]
}
