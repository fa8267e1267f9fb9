//! What a scenario holds of the robot's process.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::{Command, Report};
use crate::usage::{self, Usage};

/// Longest wait for an answer; closing a session has 60 s of its own.
const LIMIT: Duration = Duration::from_secs(70);

/// Closes what it inherits, and becomes its arguments: the sockets of WebRTC are handed on to every program that is
/// started, and the viewers' are in this process.
const CLOSING: &str = r#"for fd in /proc/self/fd/*; do
  if [ "${fd##*/}" -gt 2 ]; then eval "exec ${fd##*/}>&-"; fi
done
exec "$@""#;

/// The robot. It ends with this value.
pub(crate) struct Robot {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Robot {
    /// Starts the robot behind `prefix`, counting from `first`; what it logs goes to the file `log`.
    pub(crate) fn start(prefix: &[String], url: &str, room: &str, first: u64, log: PathBuf) -> Self {
        let mut child = tokio::process::Command::new("bash")
            .args(["-c", CLOSING, "bash"])
            .args(prefix)
            .arg(std::env::current_exe().expect("the path of this program"))
            .args(["robot", "--url", url, "--room", room, "--first", &first.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log file"))
            .kill_on_drop(true)
            .spawn()
            .expect("the robot starts");
        let (input, output) = child.stdin.take().zip(child.stdout.take()).expect("the pipes that were asked for");
        Self { child, input, output: BufReader::new(output).lines(), log }
    }

    /// Ends the robot's process where it is.
    pub(crate) fn kill(&mut self) {
        self.child.start_kill().expect("the robot lives");
    }

    pub(crate) async fn tell(&mut self, command: &Command) {
        let mut line = serde_json::to_vec(command).expect("a command encodes");
        line.push(b'\n');
        self.input.write_all(&line).await.expect("the robot reads");
        self.input.flush().await.expect("the robot reads");
    }

    async fn ask(&mut self, command: &Command) -> Report {
        self.tell(command).await;
        let line = timeout(LIMIT, self.output.next_line()).await.expect("the robot answers in time");
        let line = line.expect("the robot's output").unwrap_or_else(|| panic!("the robot ended; {}", self.log_tail()));
        serde_json::from_str(&line).expect("the robot's answer decodes")
    }

    pub(crate) async fn report(&mut self) -> Report {
        self.ask(&Command::Report).await
    }

    /// Closes the session.
    pub(crate) async fn stop(&mut self) -> Report {
        self.ask(&Command::Stop).await
    }

    pub(crate) fn usage(&self) -> Usage {
        usage::of(self.child.id().expect("the robot lives"))
    }

    /// When the robot logged a line that contains `text`, at `since` or later: milliseconds since the Unix epoch.
    pub(crate) fn logged_at(&self, text: &str, since: u64) -> Option<u64> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| line.contains(text)).find_map(|line| {
            let at = line.split_ascii_whitespace().next()?.parse().ok()?;
            (at >= since).then_some(at)
        })
    }

    /// How many lines that contain `text` the robot has logged.
    pub(crate) fn count_logged(&self, text: &str) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| line.contains(text)).count()
    }

    /// How often the robot's present connection has been resumed.
    pub(crate) fn resumptions(&self) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().fold(0, |count, line| match line {
            line if line.contains("the transport reconnected full=false") => count + 1,
            line if line.contains("the transport reconnected full=true") || line.contains("joined the room") => 0,
            _ => count,
        })
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
