//! The soak: the link flaps for long while five viewers come, go, subscribe and call.

use std::path::Path as File;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, Instant};

use crate::clock::unix_ns;
use crate::net::{Loss, Path};
use crate::plot;
use crate::robot::{diary, ECHO, LOSSY, RELIABLE};
use crate::stage::{output, Stage, TOPICS};
use crate::usage::Usage;
use crate::watch::Watch;

/// What happens to the link, one after the other, again and again: what is lost, for how long, and the time of peace after.
/// Short cuts are survived by the connection, resets make it resume, the long cut makes it begin anew.
const FLAPS: [(Loss, u64, u64); 8] = [
    (Loss::All, 1, 3),
    (Loss::All, 2, 3),
    (Loss::Reset, 6, 3),
    (Loss::All, 3, 3),
    (Loss::Percent(10), 4, 2),
    (Loss::All, 1, 2),
    (Loss::All, 20, 6),
    (Loss::Media, 2, 3),
];
/// One of the viewers lives so long before it is killed, and is dead for a second.
const LIFE: Duration = Duration::from_secs(7);
/// Viewers that stay: nothing reliable may be lost to them.
const STAYING: usize = 2;
/// Resident memory may grow by so much between the second quarter of the run and the last: allocator noise.
const GROWTH: u64 = 6 << 20;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long the link flaps.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// One reading of the robot.
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) usage: Usage,
    /// Whether packets are being lost.
    pub(crate) flapping: bool,
}

#[derive(clap::Args)]
pub(crate) struct ViewerOptions {
    #[arg(long)]
    url: String,
    #[arg(long)]
    room: String,
    #[arg(long)]
    identity: String,
}

/// A viewer in a process of its own, to be killed.
pub(crate) async fn viewer(options: &ViewerOptions) {
    let _watch = Watch::start(&options.url, &options.room, &options.identity, &TOPICS);
    // Ends with the soak at the latest: then its input does.
    let _ = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await;
}

pub(crate) async fn run(options: &Options) -> bool {
    let mut stage = Stage::start("soak", Path::Cable, STAYING).await;
    let mut tasks = JoinSet::new();
    let room = stage.room.clone();
    let fickle = Watch::start(&stage.server.url, &room, "fickle", &[]);
    let caller = Watch::start(&stage.server.url, &room, "caller", &[RELIABLE]);
    let calls = std::sync::Arc::new(parking_lot::Mutex::new((0_u64, 0_u64)));
    tasks.spawn(change_mind(fickle));
    tasks.spawn(call(caller, calls.clone()));
    tasks.spawn(die_and_return(stage.server.url.clone(), room));
    // All five have been there when the baseline is taken.
    settle(&mut stage, STAYING + 3).await;
    stage.baseline = stage.robot.usage();

    let samples = flap(&stage, Duration::from_secs(options.seconds)).await;
    let peace = unix_ns();
    let mut wrong = Vec::new();
    match stage.data_since(peace, Duration::from_secs(60)).await {
        Some(back) if back.iter().all(|time| *time <= Duration::from_secs(10)) => {}
        Some(back) => wrong.push(format!("data came {back:?} after the last flap")),
        None => wrong.push("no data within 60 s of the last flap".into()),
    }
    let calls = *calls.lock();
    if calls.0 == 0 {
        wrong.push("no call was answered".into());
    }
    // Viewers without a word: the server notices after a while.
    tasks.shutdown().await;
    let accounts: Vec<_> = stage.watches.iter().map(Watch::account).collect();
    let ways: Vec<String> = [
        ("resumed", "the transport reconnected full=false"),
        ("reconnected fully", "the transport reconnected full=true"),
        ("joined", "joined the room"),
    ]
    .iter()
    .map(|(word, text)| format!("{word} {}", stage.robot.count_logged(text)))
    .collect();
    let (more, report) = stage.finish().await;
    wrong.extend(more);
    wrong.extend(growth(&samples));
    let balanced = diary::imbalances(&report.diary).is_empty();

    let folder = output();
    write(&folder, &samples);
    println!("soak of {} s: the robot {}", options.seconds, ways.join(", "));
    for (n, account) in accounts.iter().enumerate() {
        let (received, sessions, gaps) = (account.received, account.sessions, account.gaps.len());
        println!("  viewer-{}: {received} reliable messages in {sessions} sessions, {gaps} lost within one", n + 1);
    }
    println!("  {} calls answered, {} failed while the link was away", calls.0, calls.1);
    println!("  {} events of viewers, balanced: {balanced}; viewers reset {} times", report.diary.len(), report.resets);
    if let (Some(first), Some(last)) = (samples.first(), samples.last()) {
        let show = |usage: &Usage| {
            format!("{} threads, {} descriptors, {} MiB", usage.threads, usage.descriptors, usage.resident >> 20)
        };
        println!("  first {}; last {}; plot in {}", show(&first.usage), show(&last.usage), folder.display());
    }
    for wrong in &wrong {
        println!("  WRONG: {wrong}");
    }
    println!("{} passed, {} failed", i32::from(wrong.is_empty()), i32::from(!wrong.is_empty()));
    wrong.is_empty()
}

/// Until that many viewers are registered.
async fn settle(stage: &mut Stage, viewers: usize) {
    let start = Instant::now();
    while stage.robot.report().await.viewers < viewers {
        assert!(start.elapsed() < Duration::from_secs(40), "{viewers} viewers do not come");
        sleep(Duration::from_millis(200)).await;
    }
}

async fn flap(stage: &Stage, time: Duration) -> Vec<Sample> {
    let start = Instant::now();
    let mut samples = Vec::new();
    'run: for (loss, down, up) in FLAPS.into_iter().cycle() {
        for (loss, seconds) in [(Loss::None, up), (loss, down)] {
            stage.net.lose(loss).expect("the link changes");
            for _ in 0..seconds {
                samples.push(Sample { at: start.elapsed(), usage: stage.robot.usage(), flapping: loss != Loss::None });
                sleep(Duration::from_secs(1)).await;
                if start.elapsed() >= time {
                    break 'run;
                }
            }
        }
    }
    stage.net.lose(Loss::None).expect("the link is whole");
    samples
}

/// Subscribes and unsubscribes, twice a second.
async fn change_mind(watch: Watch) {
    loop {
        if let Some(viewer) = watch.viewer() {
            let _ = viewer.subscribe([RELIABLE, LOSSY]);
        }
        sleep(Duration::from_millis(500)).await;
        if let Some(viewer) = watch.viewer() {
            let _ = viewer.unsubscribe([RELIABLE, LOSSY]);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Calls a service, over and over; counts the answers and the failures.
async fn call(watch: Watch, counts: std::sync::Arc<parking_lot::Mutex<(u64, u64)>>) {
    for n in 0_u64.. {
        sleep(Duration::from_millis(100)).await;
        let Some(viewer) = watch.viewer() else { continue };
        let question = n.to_le_bytes();
        let limit = Duration::from_secs(2);
        match viewer.call_service(ECHO, "bin", question.to_vec(), limit).await {
            Ok(reply) => {
                assert_eq!(reply.payload[..], question, "another call's answer");
                counts.lock().0 += 1;
            }
            Err(_) => counts.lock().1 += 1,
        }
    }
}

/// A viewer that is killed and comes back as the same identity.
async fn die_and_return(url: String, room: String) {
    loop {
        let mut viewer: Child = Command::new(std::env::current_exe().expect("the path of this program"))
            .args(["viewer", "--url", &url, "--room", &room, "--identity", "mortal"])
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a viewer starts");
        sleep(LIFE).await;
        // SIGKILL: no goodbye.
        let _ = viewer.kill().await;
        sleep(Duration::from_secs(1)).await;
    }
}

/// Whether resident memory grew in the second half of the run.
fn growth(samples: &[Sample]) -> Option<String> {
    let quarter = samples.len() / 4;
    let median = |part: &[Sample]| {
        let mut sizes: Vec<u64> = part.iter().map(|sample| sample.usage.resident).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied().unwrap_or(0)
    };
    let (early, late) = (median(&samples[quarter..2 * quarter]), median(&samples[3 * quarter..]));
    (late > early + GROWTH).then(|| format!("memory grew from {} to {} KiB", early >> 10, late >> 10))
}

fn write(folder: &File, samples: &[Sample]) {
    let mut table = String::from("seconds,threads,descriptors,resident_bytes,flapping\n");
    for sample in samples {
        let (usage, flapping) = (&sample.usage, u8::from(sample.flapping));
        let seconds = sample.at.as_secs_f64();
        table += &format!("{seconds:.1},{},{},{},{flapping}\n", usage.threads, usage.descriptors, usage.resident);
    }
    std::fs::write(folder.join("soak.csv"), table).expect("the table is written");
    std::fs::write(folder.join("soak.svg"), plot::svg(samples)).expect("the plot is written");
}
