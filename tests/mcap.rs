//! What ends badly for a recording: the process is killed, the disk is full, another process wants the file. Each case is a process of its own, so this
//! program runs itself; what is in the file then is read by the crate `mcap` and by the Python package of that name
//! (`TELELINK_PYTHON`, or .tools/venv).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use telelink::context::{Context, Schema};
use telelink::mcap::{McapCompression, McapError, McapListener, McapWriter, McapWriterOptions};

const LIMIT: Duration = Duration::from_secs(60);

/// Bytes of each message: the number of the message, and noise that does not compress.
const SIZE: usize = 2000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--record") => record(Path::new(&arguments[2]), &arguments[3]),
        // What `cargo test NAME` and IDEs pass: there is nothing to choose from.
        _ => {
            for compression in ["zstd", "lz4", "none"] {
                killed(compression);
                println!("test a_killed_robot_leaves_a_readable_file ({compression}) ... ok");
            }
            second_writer();
            println!("test a_second_writer_is_refused_while_another_process_records ... ok");
            disk_full();
            println!("test a_full_disk_ends_the_recording_and_not_the_robot ... ok");
        }
    }
}

struct Told;

impl McapListener for Told {
    fn on_error(&self, error: &McapError) {
        say(&format!("error {error}"));
    }
}

/// To the parent, which reads lines.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent reads");
}

fn payload(n: u64) -> Vec<u8> {
    let mut noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = n.to_le_bytes().to_vec();
    while bytes.len() < SIZE {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        bytes.push(noise as u8);
    }
    bytes
}

/// The robot: records until somebody ends it, and says what is safe.
fn record(path: &Path, compression: &str) {
    let context = Context::new();
    let schema = Schema { name: "noise".into(), encoding: "jsonschema".into(), data: b"{}".as_slice().into() };
    let channel = context.channel("/noise").encoding("bin").schema(schema).open().expect("a channel");
    let options = McapWriterOptions {
        compression: match compression {
            "zstd" => McapCompression::Zstd,
            "lz4" => McapCompression::Lz4,
            _ => McapCompression::None,
        },
        chunk_size: 64 << 10,
        chunk_duration: Duration::from_millis(50),
        listener: Some(Arc::new(Told)),
        ..McapWriterOptions::new(path)
    };
    let writer = McapWriter::start(&context, options).expect("a writer");
    for n in 0.. {
        channel.log_at(&payload(n), n).expect("log goes on, whatever the disk does");
        if n % 50 == 0 {
            say(&format!("written {} chunks {}", writer.stats().written_messages, writer.stats().chunks));
            // So that the parent is not asked to read a disk full.
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(error) = writer.last_error() {
            // The robot is alive: it logs on, and closes in its own time.
            channel.log(b"still here").expect("an open channel");
            assert_eq!(writer.close(LIMIT), Err(error));
            say(&format!("the robot goes on, safe {}", writer.stats().written_messages));
            return;
        }
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("telelink-mcap-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A child that is ended with the test, whatever becomes of it.
struct Robot(Child);

impl Drop for Robot {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(command: &mut Command) -> (Robot, impl Iterator<Item = String>) {
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("the robot starts");
    let out = child.stdout.take().expect("piped");
    (Robot(child), BufReader::new(out).lines().map_while(Result::ok))
}

fn killed(compression: &str) {
    let folder = folder(compression);
    let path = folder.join("killed.mcap");
    let me = std::env::current_exe().expect("this program");
    let (mut robot, lines) =
        spawn(Command::new(me).args(["--record".as_ref(), path.as_os_str(), compression.as_ref()]));
    let start = Instant::now();
    let mut safe = 0;
    for line in lines {
        let mut words = line.split(' ');
        let written = words.nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or_else(|| panic!("{line}"));
        let chunks: u64 = words.nth(1).and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        safe = written;
        if chunks >= 5 {
            break;
        }
        assert!(start.elapsed() < LIMIT, "the robot writes no chunks");
    }
    robot.0.kill().expect("SIGKILL");
    let status = robot.0.wait().expect("the robot has ended");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "it was killed");
    assert!(safe > 0);

    check(&path, safe);
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}

fn second_writer() {
    let folder = folder("second");
    let path = folder.join("taken.mcap");
    let me = std::env::current_exe().expect("this program");
    let (mut robot, mut lines) = spawn(Command::new(me).args(["--record".as_ref(), path.as_os_str(), "none".as_ref()]));
    lines.next().expect("the robot records");
    let options = McapWriterOptions { overwrite: true, ..McapWriterOptions::new(&path) };
    let refused = McapWriter::start(&Context::new(), options.clone()).expect_err("the file is taken");
    assert_eq!(refused, McapError::InUse(path.display().to_string()));
    let file = std::fs::read(&path).expect("the file is there");
    assert!(file.starts_with(b"\x89MCAP0\r\n"), "the recording was not cut off");
    robot.0.kill().expect("SIGKILL");
    robot.0.wait().expect("the robot has ended");
    McapWriter::start(&Context::new(), options).expect("the lock went with the process");
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}

/// Every message from the first on is in the file, at least as many as the robot knew to be safe.
fn check(path: &Path, safe: u64) {
    let found = recovered(path);
    assert!(found.len() as u64 >= safe, "{} messages were read, {safe} were written", found.len());
    for (n, (time, data)) in found.iter().enumerate() {
        assert_eq!(*time, n as u64);
        assert!(*data == payload(n as u64), "message {n} is damaged");
    }
    // This one takes whole chunks alone, the other also what it finds in one that was cut off.
    let by_python = by_python(path);
    assert!((safe..=found.len() as u64).contains(&by_python), "{by_python} messages, {safe} were written");
}

/// What a streaming reader finds: it stops where the file does.
fn recovered(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let options =
        mcap::sans_io::LinearReaderOptions::default().with_skip_end_magic(true).with_validate_chunk_crcs(true);
    let file = BufReader::new(std::fs::File::open(path).expect("the file is there"));
    let reader = mcap::io::MessageReader::new_with_options(file, options);
    reader.map_while(Result::ok).map(|message| (message.log_time, message.data.to_vec())).collect()
}

/// The same with the Python package, another implementation: the number of messages, which must be whole and in order.
fn by_python(path: &Path) -> u64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcap_count.py");
    let python = std::env::var_os("TELELINK_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/bin/python"), PathBuf::from);
    let out = Command::new(&python).arg(script).arg(path).output();
    let out = out.unwrap_or_else(|error| panic!("{} (scripts/get-venv.sh makes it): {error}", python.display()));
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    text.trim().parse().unwrap_or_else(|_| panic!("{text}"))
}

fn disk_full() {
    let folder = folder("full");
    let path = folder.join("full.mcap");
    let me = std::env::current_exe().expect("this program");
    // A file may have 200 blocks of 512 bytes (some shells count 1,024), and going beyond is an error, not a signal.
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$0\" --record \"$1\" none";
    let (mut robot, lines) =
        spawn(Command::new("sh").args(["-c".as_ref(), script.as_ref(), me.as_os_str(), path.as_os_str()]));
    let told: Vec<String> = lines.filter(|line| !line.starts_with("written")).collect();
    assert!(robot.0.wait().expect("an end").success(), "the robot ended well: {told:?}");
    assert_eq!(told.len(), 2, "the error is told once: {told:?}");
    assert!(told[0].contains("File too large") && told[0].contains("full.mcap"), "{told:?}");
    let safe = told[1].strip_prefix("the robot goes on, safe ").and_then(|n| n.parse().ok());
    let safe: u64 = safe.unwrap_or_else(|| panic!("{told:?}"));
    assert!(safe > 0, "some chunks fit");
    check(&path, safe);
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}
