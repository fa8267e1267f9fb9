//! The robot's own process.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use telelink::context::{Channel, Context, Qos};
use telelink::gateway::{ApiKey, DirectOptions, IceServer, Session, TokenSource};
use telelink::room::Secret;
use telelink::session::{Service, SessionCapability, SessionOptions};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::diary::Diary;
use super::{Command, Report, ECHO, IDENTITY, LOAD, LOSSY, RELIABLE};
use crate::clock::unix_ms;
use crate::support::{API_KEY, API_SECRET};

/// Numbers a second on the two channels.
const RELIABLE_HZ: u32 = 20;
const LOSSY_HZ: u32 = 50;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    url: String,
    #[arg(long)]
    room: String,
    /// First number on the two channels: a robot that follows another one goes on behind its numbers.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// Log lines with the time that everybody here uses.
struct UnixMs;

impl FormatTime for UnixMs {
    fn format_time(&self, out: &mut Writer<'_>) -> std::fmt::Result {
        write!(out, "{}", unix_ms())
    }
}

/// Runs until the standard input ends.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(std::env::var("TELELINK_OUTAGE_LOG").unwrap_or_else(|_| "info".into()))
        .with_timer(UnixMs)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let context = Context::new();
    let open = |topic: &str, qos| context.channel(topic).encoding("bin").qos(qos).open();
    let (reliable, lossy, load) =
        (open(RELIABLE, Qos::Reliable)?, open(LOSSY, Qos::Lossy)?, Arc::new(open(LOAD, Qos::Reliable)?));
    let diary = Arc::new(Diary::default());
    let echo = Service::new(ECHO, "echo", |request, responder| {
        let _ = responder.respond(request.payload);
    });
    let session_options = SessionOptions {
        capabilities: vec![SessionCapability::Parameters, SessionCapability::ClientPublish],
        supported_encodings: vec!["bin".into()],
        services: vec![echo],
        listener: Some(diary.clone()),
        ..SessionOptions::default()
    };
    let key = ApiKey {
        key: API_KEY.into(),
        secret: Secret::new(API_SECRET),
        room: options.room.clone(),
        identity: IDENTITY.into(),
        ttl: Duration::from_secs(6 * 3600),
        attributes: BTreeMap::new(),
    };
    let mut direct = DirectOptions::new(options.url.clone(), TokenSource::Key(key));
    // A literal address: without name resolution there are no resolver threads to be taken for a leak (livekit-ffi.md 7).
    direct.ice_servers = vec![IceServer { urls: vec!["stun:10.77.0.1:9".into()], username: None, password: None }];
    let session = Session::start(&context, session_options, direct)?;

    let ending = Arc::new(AtomicBool::new(false));
    let logged = Arc::new(AtomicU64::new(0));
    let size = Arc::new(AtomicUsize::new(0));
    let rate = Arc::new(AtomicUsize::new(0));
    let threads = [
        ticker(RELIABLE_HZ, reliable, options.first, ending.clone(), logged.clone()),
        ticker(LOSSY_HZ, lossy, options.first, ending.clone(), Arc::default()),
        loader(load, ending.clone(), size.clone(), rate.clone()),
    ];
    for line in std::io::stdin().lock().lines() {
        let mut closed_ms = None;
        match serde_json::from_str(&line?)? {
            Command::Load { bytes, hz } => {
                size.store(bytes, Ordering::Relaxed);
                rate.store(hz as usize, Ordering::Relaxed);
                continue;
            }
            Command::Report => {}
            Command::Stop => {
                let start = Instant::now();
                session.close_timeout(Duration::from_secs(60))?;
                closed_ms = Some(start.elapsed().as_millis() as u64);
            }
        }
        let stats = session.stats().ok();
        let report = Report {
            status: session.status().to_string(),
            last_error: session.last_error().map(|error| error.to_string()),
            diary: diary.entries(),
            joins: stats.as_ref().map_or(0, |stats| stats.joins),
            viewers: stats.as_ref().map_or(0, |stats| stats.viewers.len()),
            subscriptions: stats.as_ref().map_or(0, |stats| stats.subscriptions),
            resets: stats.as_ref().map_or(0, |stats| stats.viewer_resets()),
            closed_ms,
            logged: logged.load(Ordering::Relaxed),
        };
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &report)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    ending.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().map_err(|_| "a logging thread panicked")?;
    }
    Ok(())
}

/// Logs consecutive numbers, 8 bytes little-endian each.
fn ticker(
    hz: u32,
    channel: Channel,
    first: u64,
    ending: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let start = Instant::now();
        for n in 0_u64.. {
            if ending.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = channel.log(&(first + n).to_le_bytes()) {
                tracing::error!(%error, "log failed");
            }
            count.store(n + 1, Ordering::Relaxed);
            let due = start + Duration::from_secs(n + 1) / hz;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    })
}

/// Logs large messages while it is told to.
fn loader(
    channel: Arc<Channel>,
    ending: Arc<AtomicBool>,
    size: Arc<AtomicUsize>,
    rate: Arc<AtomicUsize>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while !ending.load(Ordering::Relaxed) {
            let hz = rate.load(Ordering::Relaxed) as u32;
            if hz > 0 {
                let _ = channel.log(&vec![0x5a; size.load(Ordering::Relaxed)]);
            }
            thread::sleep(Duration::from_secs(1) / hz.max(20));
        }
    })
}
