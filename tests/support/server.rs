//! A LiveKit server of our own on free loopback ports. It ends with the value, and with the test process however that ends.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A running server.
pub struct Server {
    /// `ws://127.0.0.1:port`
    pub url: String,
    process: Child,
    ports: [u16; 3],
}

impl Server {
    /// Starts the server that `LIVEKIT_SERVER` names and waits until it answers.
    pub fn start() -> Self {
        let program = super::required_file("LIVEKIT_SERVER");
        // Between finding a free port and the server taking it somebody else may: then it fails to start.
        for _ in 0..5 {
            let ports = free_ports();
            if let Some(server) = Self::start_on(&program, ports) {
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
        *self = Self::start_on(&program, self.ports).expect("the server starts again on its ports");
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        // The shell kills the server when its input ends.
        drop(self.process.stdin.take());
        self.process.wait().expect("the server's shell ends");
    }

    fn start_on(program: &PathBuf, ports: [u16; 3]) -> Option<Self> {
        let [port, tcp, udp] = ports;
        // The configuration of viewer-notes.md section 5: all media stays on loopback.
        let config = format!(
            "port: {port}\nrtc:\n  tcp_port: {tcp}\n  udp_port: {udp}\n  use_external_ip: false\n  \
             enable_loopback_candidate: true\n  interfaces:\n    includes: [lo]\n"
        );
        let log = std::env::temp_dir().join(format!("telelink-livekit-server-{}-{port}.log", std::process::id()));
        let output = fs::File::create(&log).expect("a log file in the temporary folder");
        let errors = output.try_clone().expect("a second reference to the log file");
        // The shell's input is a pipe from us, which ends when this process ends, in whatever way.
        let process = Command::new("sh")
            .args(["-c", r#"log=$1; shift; "$@" </dev/null & read -r _; kill -9 $!; rm -f "$log""#, "sh"])
            .arg(&log)
            .arg(program)
            .args(["--dev", "--bind", "127.0.0.1", "--node-ip", "127.0.0.1", "--config-body", &config])
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("a shell");
        let server = Self { url: format!("ws://127.0.0.1:{port}"), process, ports };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
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

fn free_ports() -> [u16; 3] {
    let tcp = [0; 2].map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free TCP port"));
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
    let port = |address: std::io::Result<SocketAddr>| address.expect("a bound socket has an address").port();
    [port(tcp[0].local_addr()), port(tcp[1].local_addr()), port(udp.local_addr())]
}
