//! Our robot: a session with channels made and logged on command. `LIVEKIT_URL`, `LIVEKIT_TOKEN` say where.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::commands::{self, Burst, Command, Done, VideoDone, VideoRun};
use crate::pace;
use telelink::context::{Channel, Context, Qos, Schema};
use telelink::gateway::{DirectOptions, Session, TokenSource};
use telelink::room::Secret;
use telelink::session::SessionOptions;

pub(crate) fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let context = Context::new();
    let direct =
        DirectOptions::new(variable("LIVEKIT_URL"), TokenSource::Static(Secret::new(variable("LIVEKIT_TOKEN"))));
    let options = SessionOptions { name: "bench robot".into(), ..SessionOptions::default() };
    let session = Session::start(&context, options, direct).unwrap_or_else(|error| panic!("{error}"));
    let mut channels: BTreeMap<String, Vec<Channel>> = BTreeMap::new();
    let mut videos: BTreeMap<String, Channel> = BTreeMap::new();
    let (commands, acks) = commands::read();
    for command in commands {
        let start = Instant::now();
        match command {
            Command::Add { prefix, count, reliable } => {
                let qos = if reliable { Qos::Reliable } else { Qos::Lossy };
                let open = |n| context.channel(format!("{prefix}/{n}")).encoding("json").qos(qos).open();
                let opened = (0..count).map(|n| open(n).unwrap_or_else(|error| panic!("{error}"))).collect();
                channels.insert(prefix, opened);
            }
            Command::Remove { prefix } => drop(channels.remove(&prefix)),
            Command::Burst(burst) => {
                let channels = channels.get(&burst.prefix).map_or(&[][..], Vec::as_slice);
                commands::answer(&run(&burst, channels, &acks));
                continue;
            }
            Command::AddVideo { topic } => {
                let data = include_bytes!("../../src/context/schemas/RawImage.bin");
                let schema = Schema {
                    name: "foxglove.RawImage".into(),
                    encoding: "protobuf".into(),
                    data: bytes::Bytes::from_static(data),
                };
                let opened = context.channel(&topic).encoding("protobuf").schema(schema).open();
                videos.insert(topic, opened.unwrap_or_else(|error| panic!("{error}")));
            }
            Command::Video(run) => {
                let mut done = video(&run, &videos[&run.topic], &acks);
                let stats = session.stats().ok();
                let channels = stats.into_iter().flat_map(|stats| stats.channels);
                done.encoder = channels
                    .filter(|channel| channel.topic == run.topic)
                    .find_map(|channel| Some(channel.video?.encoder?.encoder));
                commands::answer(&done);
                continue;
            }
            Command::Ack { .. } | Command::Stop => continue,
            Command::Quit => break,
        }
        commands::answer(&Done { took_ns: u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX) });
    }
    if let Err(error) = session.close_timeout(Duration::from_secs(10)) {
        eprintln!("own robot: {error}");
    }
}

fn run(burst: &Burst, channels: &[Channel], acks: &commands::Acks) -> commands::BurstDone {
    let channels = &channels[..burst.channels];
    let payload = vec![b'x'; burst.size];
    pace::run(burst, acks, |n| {
        // Fails only for a closed channel, and these are open.
        let _ = channels[(n % channels.len() as u64) as usize].log(&payload);
    })
}

fn video(run: &VideoRun, channel: &Channel, acks: &commands::Acks) -> VideoDone {
    let bytes = fs::read(&run.frames).unwrap_or_else(|error| panic!("{}: {error}", run.frames.display()));
    let messages: Vec<&[u8]> = bytes.chunks_exact(run.size).collect();
    let there_and_back: Vec<&[u8]> = messages.iter().chain(messages.iter().rev()).copied().collect();
    let mut costs = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3).expect("constant bounds");
    let (start, mut logged) = (Instant::now(), 0_u64);
    while start.elapsed().as_secs_f64() < run.seconds && !acks.is_stopped() {
        thread::sleep(
            (start + Duration::from_secs_f64(logged as f64 / run.fps)).saturating_duration_since(Instant::now()),
        );
        let message = there_and_back[(logged % there_and_back.len() as u64) as usize];
        let before = Instant::now();
        // Fails only for a closed channel, and this one is open.
        let _ = channel.log(message);
        costs.saturating_record(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1));
        logged += 1;
    }
    let call_p50_ns = if costs.is_empty() { 0 } else { costs.value_at_quantile(0.5) };
    VideoDone { logged, call_p50_ns, encoder: None }
}
