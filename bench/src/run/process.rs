//! The processes of a run: the LiveKit server, the robots, and the device API in front of the peer.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::commands::Command;
use crate::token;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use telelink::protocol::version;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::usage::{self, Usage};

/// Result of anything in a run; an error ends the run with its text.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Longest wait for any answer of a process.
const LIMIT: Duration = Duration::from_secs(90);

/// Where programs and scripts are.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Python with the packages of scripts/requirements.txt.
    pub(crate) python: PathBuf,
    /// This program, which is two of the robots as well.
    pub(crate) program: PathBuf,
}

/// A child that answers lines with lines. It is killed with this value.
pub(crate) struct Process {
    name: String,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(super) fn start(name: &str, command: &mut tokio::process::Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{name} did not start: {error}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or("a child without the pipes it was given")?;
        Ok(Self { name: name.into(), child, input, output: BufReader::new(output).lines() })
    }

    /// The next line of its output, decoded.
    pub(crate) async fn answer<T: DeserializeOwned>(&mut self) -> Result<T> {
        let line =
            timeout(LIMIT, self.output.next_line()).await.map_err(|_| format!("{} does not answer", self.name))?;
        let line = line?.ok_or_else(|| format!("{} ended", self.name))?;
        serde_json::from_str(&line).map_err(|error| format!("{} answered {line:?}: {error}", self.name).into())
    }

    /// Sends a command, without waiting for its answer.
    pub(crate) async fn tell(&mut self, command: &Command) -> io::Result<()> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        self.input.flush().await
    }

    /// Sends a line to a child that takes other lines than commands.
    pub(crate) async fn tell_text(&mut self, line: &str) -> io::Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes()).await?;
        self.input.flush().await
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, command: &Command) -> Result<T> {
        self.tell(command).await?;
        self.answer().await
    }

    /// What the process has used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        usage::of(self.child.id().ok_or_else(|| format!("{} ended", self.name))?)
    }

    /// Tells it to leave and waits for its end.
    pub(crate) async fn quit(mut self) -> Result<()> {
        self.tell(&Command::Quit).await?;
        timeout(LIMIT, self.child.wait()).await.map_err(|_| format!("{} does not end", self.name))??;
        Ok(())
    }
}

/// A LiveKit server on loopback.
pub(crate) struct Server {
    pub(crate) url: String,
    key: String,
    secret: String,
    _process: Process,
}

impl Server {
    pub(crate) async fn start(paths: &Paths) -> Result<Self> {
        #[derive(Deserialize)]
        struct Described {
            url: String,
            api_key: String,
            api_secret: String,
        }
        let script = paths.root.join("scripts/livekit_server.py");
        let mut process =
            Process::start("the LiveKit server", tokio::process::Command::new(&paths.python).arg(script))?;
        let Described { url, api_key, api_secret } = process.answer().await?;
        Ok(Self { url, key: api_key, secret: api_secret, _process: process })
    }

    pub(crate) fn token(&self, room: &str, identity: &str) -> String {
        token::make(&self.key, &self.secret, room, identity, None)
    }

    /// Of a viewer that does not set its protocol version itself.
    pub(crate) fn viewer_token(&self, room: &str, identity: &str) -> String {
        token::make(&self.key, &self.secret, room, identity, Some(version::SPOKEN))
    }
}

/// Which robot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Telelink,
    Peer,
    Raw,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Telelink, Self::Peer, Self::Raw];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Telelink => "telelink",
            Self::Peer => "peer",
            Self::Raw => "raw",
        }
    }
}

/// A robot in its room.
pub(crate) struct Robot {
    pub(crate) process: Process,
    _device_api: Option<Process>,
}

impl Robot {
    pub(crate) async fn start(kind: Kind, paths: &Paths, server: &Server, room: &str) -> Result<Self> {
        // The identity that a device API would give it.
        let token = server.token(room, "dev_bench");
        let own = |role: &str| {
            let mut command = tokio::process::Command::new(&paths.program);
            command.arg(role).env("LIVEKIT_URL", &server.url).env("LIVEKIT_TOKEN", &token);
            command
        };
        let mut device_api = match kind {
            Kind::Telelink | Kind::Raw => {
                let role = if kind == Kind::Raw { crate::RAW_ROBOT } else { crate::OWN_ROBOT };
                return Ok(Self { process: Process::start(kind.name(), &mut own(role))?, _device_api: None });
            }
            Kind::Peer => {
                let mut command = tokio::process::Command::new(&paths.python);
                command.arg(paths.root.join("bench/python/device_api.py"));
                command.env("LIVEKIT_URL", &server.url).env("LIVEKIT_TOKEN", &token).env("DEVICE_TOKEN", DEVICE_TOKEN);
                Process::start("the device API", &mut command)?
            }
        };
        #[derive(Deserialize)]
        struct Described {
            url: String,
        }
        let Described { url } = device_api.answer().await?;
        let mut command = tokio::process::Command::new(&paths.python);
        command.arg(paths.root.join("bench/python/peer_robot.py"));
        command.env("DEVICE_API_URL", url).env("DEVICE_TOKEN", DEVICE_TOKEN);
        Ok(Self { process: Process::start(kind.name(), &mut command)?, _device_api: Some(device_api) })
    }
}

const DEVICE_TOKEN: &str = "fox_dt_bench";
