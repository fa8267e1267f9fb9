//! A robot in a process of its own, whose environment the test chooses.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use telelink::context::Context;
use telelink::gateway::{DirectOptions, IceServer, Session};
use telelink::session::{ConnectionStatus, SessionOptions};

use crate::support::{token, Server, TokenOptions};

/// What a robot's process says when all went well.
const JOINED: &str = "the robot joined";
/// How long a join may take, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30);
/// Of LiveKit's library and of the shell that tests run in; only what a test names counts.
const REMOVED: &[&str] = &[
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Whether this process is a robot: then it joins where its environment says, leaves, and ends.
pub fn is_robot() -> bool {
    is_robot_that(|| join(|_| ()))
}

/// The same with other work.
pub fn is_robot_that(work: impl FnOnce() -> Result<(), String>) -> bool {
    if std::env::var_os("NETWORK_ROBOT").is_none() {
        return false;
    }
    if std::env::var_os("NETWORK_LOG").is_some() {
        tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).init();
    }
    println!("{}", work().map_or_else(|error| error, |()| JOINED.to_owned()));
    true
}

/// Instead of the names that the server gives: nothing but the path to the server is tried here.
pub fn literal() -> Vec<IceServer> {
    vec![IceServer { urls: vec!["stun:127.0.0.1:9".into()], username: None, password: None }]
}

/// Joins, with everything from the environment, and leaves. The error is the session's.
pub fn join(change: impl FnOnce(&mut DirectOptions)) -> Result<(), String> {
    stay(&Context::new(), change, || ())
}

/// Joins, does something, and leaves.
pub fn stay(context: &Context, change: impl FnOnce(&mut DirectOptions), work: impl FnOnce()) -> Result<(), String> {
    let mut options = DirectOptions::from_env();
    options.ice_servers = literal();
    change(&mut options);
    let session = Session::start(context, SessionOptions::default(), options).map_err(|error| error.to_string())?;
    let start = Instant::now();
    loop {
        match (session.status(), session.last_error()) {
            (ConnectionStatus::Connected, _) => break,
            (_, Some(error)) => return Err(error.to_string()),
            _ if start.elapsed() > LIMIT => return Err("neither joined nor failed".into()),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    work();
    session.close_timeout(LIMIT).map_err(|error| error.to_string())
}

/// How many threads of each name this process has.
pub fn threads() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for thread in std::fs::read_dir("/proc/self/task").expect("/proc").flatten() {
        // A thread may end between the two looks.
        if let Ok(name) = std::fs::read_to_string(thread.path().join("comm")) {
            *names.entry(name.trim().to_owned()).or_default() += 1;
        }
    }
    names
}

/// What became of a robot.
pub struct Robot {
    text: String,
}

impl Robot {
    /// Runs `test` again as a robot that joins at `url`.
    pub fn run(test: &str, url: &str, environment: &[(&str, &str)]) -> Self {
        Self::finished(&Self::command(test, url, environment).output().expect("this program runs again"))
    }

    /// The process, not started.
    pub fn command(test: &str, url: &str, environment: &[(&str, &str)]) -> Command {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let room = format!("network-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        for name in REMOVED {
            command.env_remove(name);
        }
        command
            .env("NETWORK_ROBOT", "1")
            .env("LIVEKIT_URL", url)
            .env("LIVEKIT_TOKEN", token(&room, "robot", &TokenOptions::default()))
            .envs(environment.iter().copied());
        command
    }

    pub fn finished(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        Self { text }
    }

    pub fn joined(&self) -> &Self {
        assert!(self.text.contains(JOINED), "{}", self.text);
        self
    }

    /// It did not join, and its error says each of these.
    pub fn failed(&self, words: &[&str]) -> &Self {
        assert!(!self.text.contains(JOINED), "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "no {word:?} in: {}", self.text);
        }
        self
    }

    pub fn says(&self, word: &str) -> &Self {
        assert!(self.text.contains(word), "no {word:?} in: {}", self.text);
        self
    }

    /// The number behind `name: ` in what it said.
    pub fn number(&self, name: &str) -> u64 {
        let label = format!("{name}: ");
        let found = self.text.lines().find_map(|line| line.strip_prefix(&label)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no {name} in: {}", self.text))
    }

    pub fn lines(&self) -> std::str::Lines<'_> {
        self.text.lines()
    }

    pub fn never_says(&self, secret: &str) -> &Self {
        assert!(!self.text.contains(secret), "{secret} in: {}", self.text);
        self
    }
}

/// The port of a server on loopback.
pub fn port(server: &Server) -> u16 {
    server.signal_port()
}
