//! Network namespaces: the one this program and the server live in, and the robot's.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Set in the environment of the program once it runs in a namespace of its own.
const INSIDE: &str = "TELELINK_OUTAGE_INSIDE";

/// Runs this program again in a new network namespace, unless it is in one already. Where we are not root, a user namespace
/// comes with it, in which we are.
pub(crate) fn enter() -> io::Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return run("ip", &["link", "set", "lo", "up"]);
    }
    let root = Command::new("id").arg("-u").output()?.stdout == b"0\n";
    let mut command = Command::new("unshare");
    command.args(if root { &["--net"][..] } else { &["--user", "--map-root-user", "--net"] });
    command.arg("--").arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(INSIDE, "1");
    Err(command.exec())
}

/// A namespace of its own, held by a process that ends with this value, and with this program however that ends.
pub(crate) struct Namespace {
    holder: Child,
}

impl Namespace {
    pub(crate) fn new() -> io::Result<Self> {
        let mut holder = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", "ip link set lo up && echo up && read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = holder.stdout.take().ok_or_else(|| io::Error::other("no output of the holder"))?;
        let namespace = Self { holder };
        let mut line = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(output), &mut line)?;
        if line != "up\n" {
            return Err(io::Error::other("the namespace of the robot could not be made"));
        }
        Ok(namespace)
    }

    /// A process inside; `unshare` and `nsenter` become the program they start, so this is what they run.
    pub(crate) fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// Program and first arguments that run what follows inside.
    pub(crate) fn prefix(&self) -> [String; 4] {
        ["nsenter".into(), format!("--target={}", self.pid()), "--net".into(), "--".into()]
    }

    /// Runs a command inside.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        let prefix = self.prefix();
        let mut all: Vec<&str> = prefix[1..].iter().map(String::as_str).collect();
        all.push(program);
        all.extend(arguments);
        run(&prefix[0], &all)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Runs a command; its failure is an error with what it said.
pub(crate) fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    let shown = || format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", shown())))?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{}: {}", shown(), String::from_utf8_lossy(&output.stderr).trim())))
}
