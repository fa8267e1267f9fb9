//! What LiveKit itself can do, without a session: byte streams with awaited writes, and data tracks. It says just
//! enough of the protocol (`serverInfo`, `advertise`, framed messages) that the same client can receive from it.
//!
//! It goes through `telelink::room::livekit`: one awaited write for each fill of its source, so the source decides
//! whether a write carries one message or 15,000 bytes of them. Its data tracks go through the adapter's pacer, which
//! sends a frame at once when the one before is old enough.

mod room;
mod sources;

use std::sync::Arc;
use std::time::Instant;

use crate::commands::{self, Command, Done};
use crate::pace;
use room::RawRoom;
use sources::LatestFrame;
use telelink::context::now_ns;
use telelink::room::{DataTrack, Secret};

/// One channel.
struct RawChannel {
    topic: String,
    id: u64,
    /// `None`: on the byte streams.
    track: Option<(Arc<LatestFrame>, Arc<dyn DataTrack>)>,
}

pub(crate) fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let joining = RawRoom::join(variable("LIVEKIT_URL"), Secret::new(variable("LIVEKIT_TOKEN")));
    let room = runtime.block_on(joining).unwrap_or_else(|error| panic!("{error}"));
    let mut channels: Vec<RawChannel> = Vec::new();
    let mut next_id = 1;
    let (commands, acks) = commands::read();
    for command in commands {
        let start = Instant::now();
        match command {
            Command::Add { prefix, count, reliable } => {
                for n in 0..count {
                    let track = (!reliable).then(|| runtime.block_on(room.publish(next_id)));
                    channels.push(RawChannel { topic: format!("{prefix}/{n}"), id: next_id, track });
                    next_id += 1;
                }
                let new = &channels[channels.len() - count..];
                room.advertise(new.iter().map(|c| (c.id, c.topic.clone(), c.track.is_none())));
            }
            Command::Remove { prefix } => {
                let start = format!("{prefix}/");
                let gone: Vec<u64> = channels.iter().filter(|c| c.topic.starts_with(&start)).map(|c| c.id).collect();
                channels.retain(|c| !c.topic.starts_with(&start));
                room.unadvertise(&gone);
            }
            Command::Burst(burst) => {
                let payload: Arc<[u8]> = vec![b'x'; burst.size].into();
                let used: Vec<&RawChannel> = (0..burst.channels)
                    .map(|n| channels.iter().find(|c| c.topic == format!("{}/{n}", burst.prefix)).expect("a channel"))
                    .collect();
                room.set_coalesce(burst.coalesce);
                let done = pace::run(&burst, &acks, |n| {
                    let channel = used[(n % used.len() as u64) as usize];
                    match &channel.track {
                        None => room.send(channel.id, now_ns(), &payload),
                        Some((frame, track)) => {
                            frame.put(now_ns(), &payload);
                            track.notify();
                        }
                    }
                });
                commands::answer(&done);
                continue;
            }
            // Video is compared with the peer alone: a session adds nothing that raw could do without.
            Command::Ack { .. } | Command::AddVideo { .. } | Command::Video(_) | Command::Stop => continue,
            Command::Quit => break,
        }
        commands::answer(&Done { took_ns: u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX) });
    }
    runtime.block_on(room.leave());
}
