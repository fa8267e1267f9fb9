//! Our robot: a session with channels made and logged on command. `LIVEKIT_URL`, `LIVEKIT_TOKEN` say where.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::commands::{self, Burst, Command, Done};
use crate::pace;
use telelink::context::{Channel, Context, Qos};
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
            Command::Ack { .. } => continue,
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
