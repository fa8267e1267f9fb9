//! The TLS front, the proxy, and certificates.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running `front.py`. Ends with the value, and with this process.
pub struct Front {
    pub port: u16,
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Front {
    /// TLS in front of a port of loopback.
    pub fn tls(files: &Authority, target: u16) -> Self {
        Self::start(&["tls", text(&files.certificate), text(&files.key), &target.to_string()])
    }

    /// A proxy that asks for a user and password, if given as `user:password`.
    pub fn proxy(login: Option<&str>) -> Self {
        let arguments: Vec<&str> = ["connect"].into_iter().chain(login).collect();
        Self::start(&arguments)
    }

    fn start(arguments: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".tools/venv/bin/python");
        assert!(python.is_file(), "{} is missing: run scripts/tools.sh venv", python.display());
        let mut process = Command::new(python)
            .arg(root.join("tests/network/front.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let port = lines.next().expect("front.py says its port").expect("text").parse().expect("a port");
        Self { port, process, lines }
    }

    /// Ends it; what it was asked for.
    pub fn finish(mut self) -> Vec<String> {
        drop(self.process.stdin.take());
        self.process.wait().expect("front.py ends");
        self.lines.by_ref().map(|line| line.expect("text")).collect()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A certificate authority of our own, and a certificate of it for `localhost` and 127.0.0.1.
pub struct Authority {
    /// What a robot has to trust.
    pub root: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for certificates");
        let file = |name: &str| folder.join(name);
        let (root, root_key) = (file("root.pem"), file("root.key"));
        let (certificate, key, request, names) = (file("own.pem"), file("own.key"), file("own.csr"), file("names"));
        std::fs::write(&names, "subjectAltName=DNS:localhost,IP:127.0.0.1\n").expect("a file");
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];
        let subject = ["-subj", "/CN=telelink test", "-out"];
        let run = |arguments: &[&[&str]]| {
            let done = Command::new("openssl").args(arguments.concat()).output().expect("the openssl command");
            assert!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
        };
        run(&[&["req", "-x509", "-days", "2"], &new_key, &[text(&root_key)], &subject, &[text(&root)]]);
        run(&[&["req"], &new_key, &[text(&key)], &subject, &[text(&request)]]);
        let signed_by =
            ["x509", "-req", "-days", "2", "-CAcreateserial", "-CA", text(&root), "-CAkey", text(&root_key)];
        run(&[&signed_by, &["-in", text(&request), "-extfile", text(&names), "-out", text(&certificate)]]);
        Self { root, certificate, key }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}
