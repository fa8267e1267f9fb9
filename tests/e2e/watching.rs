//! Cameras with a test pattern, and viewers that are not ours and decode it: LiveKit's Python SDK, and Chromium.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::Value;
use telelink::protocol::version;

use crate::rig::{library_file, url, Robot};
use crate::support::{self, TokenOptions};

/// A process has to start, and a picture to get sharp, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How far a decoded colour may be from what was sent, per channel.
pub const TOLERANCE: f64 = 6.0;
/// Two colours that no mistake in the order of channels or planes leaves as they are.
pub const LEFT: [u8; 3] = [200, 60, 40];
pub const RIGHT: [u8; 3] = [30, 110, 190];

/// The other viewer. Ends with the value.
pub struct Watcher {
    process: Child,
    lines: Receiver<Value>,
}

impl Watcher {
    /// LiveKit's Python SDK.
    pub fn python(robot: &Robot, topics: &[&str]) -> Self {
        let python = tool(".tools/venv/bin/python", "venv");
        let script = root().join("tests/e2e/watch_video.py");
        let mut command = Command::new(python);
        command.arg(script).args([url(), &token(robot, "watcher")]).args(topics);
        Self::start(command.env("LIVEKIT_LIB_PATH", library_file()))
    }

    /// LiveKit's client in Chromium.
    pub fn chromium(robot: &Robot, topic: &str) -> Self {
        let modules = tool(".tools/browser/package.json", "browser");
        let modules = modules.parent().expect("a folder");
        let mut command = Command::new("node");
        command.arg(root().join("tests/browser/watch.mjs")).arg(modules);
        Self::start(command.args([url(), &token(robot, "browser"), topic]))
    }

    fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the viewer starts");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (tx, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tx.send(serde_json::from_str(&line).expect("JSON")).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    /// Tells the Python viewer to `subscribe` or `unsubscribe`.
    pub fn tell(&mut self, what: &str) {
        let input = self.process.stdin.as_mut().expect("a pipe");
        writeln!(input, "{what}").and_then(|()| input.flush()).expect("the viewer reads");
    }

    /// The next line that `wanted` takes; the last one seen if none comes.
    pub fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LIMIT;
        let mut last = Value::Null;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => {
                    assert_ne!(line["op"], "error", "{line}");
                    last = line;
                }
                Err(error) => panic!("no {what} ({error}); the last line was {last}"),
            }
        }
    }

    pub fn frame(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |line| line["op"] == "frame" && wanted(line))
    }

    /// What has been seen and not been looked at yet.
    pub fn skip(&self) {
        while self.lines.try_recv().is_ok() {}
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Its input ends, and so does it; a stuck one is ended by force.
        drop(self.process.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file that scripts/tools.sh fetches. A missing one fails the test: nothing is skipped silently.
fn tool(file: &str, name: &str) -> PathBuf {
    let file = root().join(Path::new(file));
    assert!(file.is_file(), "{} is missing: run scripts/tools.sh {name}", file.display());
    file
}

fn token(robot: &Robot, identity: &str) -> String {
    let mut options = TokenOptions::default();
    options.attributes.insert(version::ATTRIBUTE.to_owned(), version::SPOKEN.to_owned());
    // Each its own: a second participant of the same identity would take the first one's place.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let identity = format!("{identity}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    support::token(&robot.room, &identity, &options)
}

/// The test pattern in RGB: two halves, and from 320 pixels of width on the bits of `counter` as blocks along the lower
/// edge.
pub fn pattern(width: u32, height: u32, counter: u16, [left, right]: [[u8; 3]; 2]) -> Vec<u8> {
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let block = width >= 320 && y >= height - 16 && x < 256;
            let colour = match (block, x < width / 2) {
                (true, _) if counter >> (x / 16) & 1 == 1 => [235; 3],
                (true, _) => [20; 3],
                (false, true) => left,
                (false, false) => right,
            };
            data.extend_from_slice(&colour);
        }
    }
    data
}

/// BT.709, limited range.
pub fn yuv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(|v| f64::from(v) / 255.0);
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (u, v) = ((b - y) / 1.8556, (r - y) / 1.5748);
    [16.0 + 219.0 * y, 128.0 + 224.0 * u, 128.0 + 224.0 * v].map(|value| value.round() as u8)
}

pub fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_micros()).expect("before the year 586,524")
}

/// When each picture was pushed, by its counter.
pub type Times = Arc<Mutex<HashMap<u16, u64>>>;

/// Makes and pushes 30 pictures a second until dropped.
pub struct Camera {
    pub times: Times,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    /// `push` gets the counter, and calls the other argument for the time when the picture is made.
    pub fn start(mut push: impl FnMut(u16, &dyn Fn() -> u64) + Send + 'static) -> Self {
        let (times, stop) = (Times::default(), Arc::new(AtomicBool::new(false)));
        let (kept, stopped) = (times.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let (mut due, mut counter) = (Instant::now(), 0_u16);
            while !stopped.load(Ordering::Relaxed) {
                let taken = || {
                    let time = now_us();
                    kept.lock().insert(counter, time);
                    time
                };
                push(counter, &taken);
                counter = counter.wrapping_add(1);
                // One that is late goes on from now: as a camera, and not faster than one.
                due = (due + Duration::from_millis(33)).max(Instant::now());
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Self { times, stop, thread: Some(thread) }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn size_is(line: &Value, width: u32, height: u32) -> bool {
    line["size"][0] == width && line["size"][1] == height
}

fn near(line: &Value, half: &str, colour: [u8; 3], tolerance: f64) -> bool {
    let near = |(got, sent): (&Value, u8)| (got.as_f64().unwrap() - f64::from(sent)).abs() <= tolerance;
    line[half].as_array().is_some_and(|got| got.iter().zip(colour).all(near))
}

pub fn colours_are(line: &Value, [left, right]: [[u8; 3]; 2], tolerance: f64) -> bool {
    near(line, "left", left, tolerance) && near(line, "right", right, tolerance)
}

/// Looks at `count` pictures of a topic in a row: each is right, none older than the one before. Returns their ages in ms,
/// youngest first: from being pushed to being looked at.
pub fn steady(watcher: &Watcher, topic: &str, count: usize, times: &Times, right: impl Fn(&Value) -> bool) -> Vec<u64> {
    watcher.skip();
    let (mut ages, mut last) = (Vec::new(), None);
    for _ in 0..count {
        let frame = watcher.frame("one more picture", |line| line["topic"] == topic);
        assert!(right(&frame), "{frame}");
        let counter = u16::try_from(frame["counter"].as_u64().expect("a counter")).expect("16 bits");
        let (pushed, seen) = (times.lock().get(&counter).copied(), frame["time_us"].as_u64().expect("a time"));
        let pushed = pushed.unwrap_or_else(|| panic!("no picture had the counter {counter}: {frame}"));
        // The receiver may show a picture twice, never an older one.
        assert!(last.is_none_or(|last| last <= pushed), "counter {counter} went back: {frame}");
        // A viewer that reads frame metadata is told the very time.
        if let Some(told) = frame["capture_us"].as_u64() {
            assert_eq!(told, pushed, "{frame}");
        }
        last = Some(pushed);
        ages.push(seen.saturating_sub(pushed) / 1000);
    }
    ages.sort_unstable();
    ages
}

/// Nothing queues up. On a machine that runs the other tests too, and without optimization, pictures take their time; what
/// they take alone is asserted by [`assert_fresh`].
pub fn assert_live(ages: &[u64]) {
    assert!(ages[ages.len() / 2] < 2_000, "ages in ms: {ages:?}");
}

/// Steady state on a machine that does nothing else: nine of ten pictures are younger than 300 ms.
pub fn assert_fresh(ages: &[u64]) {
    println!("ages in ms: median {}, oldest {}", ages[ages.len() / 2], ages[ages.len() - 1]);
    assert!(ages[ages.len() * 9 / 10] < 300, "ages in ms: {ages:?}");
}
