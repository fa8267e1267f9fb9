//! The command protocol: one JSON object a line, commands on standard input, one answer each on standard output.
//! `ack` has no answer; it is read while a burst runs.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

/// What a robot is asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Command {
    /// Opens the channels `<prefix>/0` to `<prefix>/<count - 1>`.
    Add {
        /// First part of the topics.
        prefix: String,
        /// How many.
        count: usize,
        /// Reliable or lossy.
        reliable: bool,
    },
    /// Closes the channels of a prefix.
    Remove {
        /// First part of the topics.
        prefix: String,
    },
    /// Logs messages on channels of a prefix, in turn.
    Burst(Burst),
    /// The receiver of the burst that runs has so many of its messages.
    Ack {
        /// Messages received of this burst, by the slowest viewer.
        received: u64,
    },
    /// Opens a channel of image messages, protobuf `foxglove.RawImage`.
    AddVideo {
        /// Its topic.
        topic: String,
    },
    /// Logs image messages.
    Video(VideoRun),
    /// The video that runs is over.
    Stop,
    /// Leave the room and end.
    Quit,
}

/// One burst.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Burst {
    /// First part of the topics.
    pub(crate) prefix: String,
    /// Channels used: `<prefix>/0` onwards, message by message.
    pub(crate) channels: usize,
    /// Messages in all.
    pub(crate) count: u64,
    /// Bytes of each.
    pub(crate) size: usize,
    /// Messages a second; 0: as fast as the window allows.
    pub(crate) rate: f64,
    /// So many of them in the same instant, and the groups evenly spaced; 1: every message by itself.
    pub(crate) group: u64,
    /// Most messages that may be on their way, by the acknowledgements; 0: no limit.
    pub(crate) window: u64,
    /// Ends the burst after so long, seconds; 0: no limit.
    pub(crate) seconds: f64,
    /// For the raw robot: fill each write with as many messages as fit (15,000 B) instead of one message a write.
    pub(crate) coalesce: bool,
}

/// Image messages at an even rate, until [`Command::Stop`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VideoRun {
    /// Of the channel.
    pub(crate) topic: String,
    /// File with the messages, one after the other; logged forwards, then backwards, and so on.
    pub(crate) frames: PathBuf,
    /// Bytes of each message.
    pub(crate) size: usize,
    /// Messages a second.
    pub(crate) fps: f64,
    /// Ends after so long, seconds, whatever comes.
    pub(crate) seconds: f64,
}

/// Answer to a video.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct VideoDone {
    /// Messages logged.
    pub(crate) logged: u64,
    /// Cost of one `log` call, ns, median.
    pub(crate) call_p50_ns: u64,
    /// Name of the encoder in use, where the robot can tell.
    pub(crate) encoder: Option<String>,
}

/// Answer to a burst.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BurstDone {
    /// Messages logged.
    pub(crate) logged: u64,
    /// From the first to after the last, ns.
    pub(crate) wall_ns: u64,
    /// Cost of one `log` call, ns: median and 99th percentile; 0 where the robot does not measure it.
    #[serde(default)]
    pub(crate) call_p50_ns: u64,
    /// See `call_p50_ns`.
    #[serde(default)]
    pub(crate) call_p99_ns: u64,
}

/// Answer to any other command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Done {
    /// How long it took, ns.
    pub(crate) took_ns: u64,
}

/// Acknowledgements of the burst that runs.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    received: Mutex<u64>,
    changed: Condvar,
    stopped: AtomicBool,
}

impl Acks {
    /// Waits while `sent` messages would be more than `window` ahead of the receiver.
    pub(crate) fn wait(&self, sent: u64, window: u64, give_up: impl Fn() -> bool) {
        if window == 0 {
            return;
        }
        let mut received = self.received.lock();
        while sent >= received.saturating_add(window) && !give_up() {
            self.changed.wait_for(&mut received, std::time::Duration::from_millis(50));
        }
    }

    /// Whether the video that runs is over.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        *self.received.lock() = value;
        self.changed.notify_all();
    }
}

/// Reads commands until `Quit` or the end of the input. Acknowledgements go to the value returned beside.
pub(crate) fn read() -> (Receiver<Command>, Arc<Acks>) {
    let (tx, rx) = channel();
    let acks = Arc::<Acks>::default();
    let seen = acks.clone();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line).unwrap_or_else(|error| panic!("a command that is none: {error}: {line}"))
            {
                Command::Ack { received } => seen.set(received),
                Command::Stop => seen.stopped.store(true, Ordering::Relaxed),
                command => {
                    match command {
                        Command::Burst(_) => seen.set(0),
                        Command::Video(_) => seen.stopped.store(false, Ordering::Relaxed),
                        _ => (),
                    }
                    if tx.send(command).is_err() {
                        break;
                    }
                }
            }
        }
    });
    (rx, acks)
}

/// Writes one answer.
pub(crate) fn answer(value: &impl Serialize) {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value).expect("an answer encodes");
    out.write_all(b"\n").and_then(|()| out.flush()).expect("the orchestrator reads answers");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_takes_a_video() {
        let run = VideoRun { topic: "/c".into(), frames: "f".into(), size: 1, fps: 2.0, seconds: 3.0 };
        let json = serde_json::to_value(Command::Video(run)).expect("a command encodes");
        let names: Vec<String> = json.as_object().expect("an object").keys().filter(|n| *n != "do").cloned().collect();
        assert_eq!(names, ["fps", "frames", "seconds", "size", "topic"]);
        let script = include_str!("../python/peer_robot.py");
        assert!(script.contains("def video(self, topic: str, frames: str, size: int, fps: float, seconds: float)"));
    }

    /// The peer's robot, in Python, reads these names.
    #[test]
    fn a_burst_is_one_flat_object() {
        let burst = Burst {
            prefix: "/c".into(),
            channels: 1,
            count: 2,
            size: 3,
            rate: 4.0,
            group: 5,
            window: 6,
            seconds: 7.0,
            coalesce: false,
        };
        let json = serde_json::to_value(Command::Burst(burst)).expect("a command encodes");
        let script = include_str!("../python/peer_robot.py");
        for name in json.as_object().expect("an object").keys().filter(|name| *name != "do") {
            assert!(script.contains(&format!("        {name}: ")), "peer_robot.py does not take {name}");
        }
    }
}
