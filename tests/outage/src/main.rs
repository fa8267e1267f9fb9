//! Outages: a real robot and real viewers on hosts of their own (network namespaces), a real LiveKit server between them,
//! and a link that is cut, slow, lossy or moved. `run` goes through the scenarios, `soak` lets the link flap for long.
//!
//! Needs `ip`, `tc`, `nft`, `unshare` and `nsenter`, and either root or leave to make user namespaces; `make test-full` and
//! `make soak` bring and call all that. docs/reliability.md explains the results.

mod clock;
mod net;
mod plot;
mod report;
mod robot;
mod scenarios;
mod soak;
mod stage;
#[path = "../../support/mod.rs"]
mod support;
mod usage;
mod watch;

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use clap::Parser;
use report::Row;
use scenarios::{Scenario, ALL};
use stage::Stage;

/// How long the return is waited for, so that a slow one is measured too.
const PATIENCE: Duration = Duration::from_secs(60);
/// Viewers of each scenario.
const VIEWERS: usize = 2;

#[derive(Parser)]
enum Program {
    /// Runs scenarios, one after another: all, or those whose names contain one of the words.
    Run { words: Vec<String> },
    /// Lets the link flap while five viewers come and go.
    Soak(soak::Options),
    #[command(hide = true)]
    Viewer(soak::ViewerOptions),
    #[command(hide = true)]
    Robot(robot::program::Options),
    #[command(hide = true)]
    Relay(net::relay::Options),
}

fn main() -> Result<(), Box<dyn Error>> {
    match Program::parse() {
        Program::Robot(options) => robot::program::run(&options),
        Program::Relay(options) => Ok(net::relay::run(&options)?),
        Program::Viewer(options) => runtime(async move {
            soak::viewer(&options).await;
            true
        }),
        Program::Run { words } => inside(async move { run(&words).await }),
        Program::Soak(options) => inside(async move { soak::run(&options).await }),
    }
}

/// Runs on the server's host.
fn inside(work: impl Future<Output = bool> + Send + 'static) -> Result<(), Box<dyn Error>> {
    net::enter()?;
    runtime(work)
}

/// Runs to the end of the process, whose status is the result: nothing may keep it from ending.
fn runtime(work: impl Future<Output = bool> + Send + 'static) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let good = runtime.block_on(async { tokio::spawn(work).await.unwrap_or(false) });
    runtime.shutdown_timeout(Duration::from_secs(5));
    std::process::exit(i32::from(!good));
}

async fn run(words: &[String]) -> bool {
    let wanted =
        |scenario: &&Scenario| words.is_empty() || words.iter().any(|word| scenario.name.contains(word.as_str()));
    let mut rows = Vec::new();
    for scenario in ALL.iter().filter(wanted) {
        let row = match tokio::spawn(play(scenario)).await {
            Ok(row) => row,
            Err(error) => {
                let text = match error.try_into_panic() {
                    Ok(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".into()),
                    Err(error) => error.to_string(),
                };
                let (name, what) = (scenario.name, scenario.what);
                Row { name, what, sign: "-".into(), way: "-".into(), back: None, wrong: vec![text] }
            }
        };
        println!("{} {}: {}", if row.wrong.is_empty() { "ok    " } else { "FAILED" }, row.name, row.line());
        for wrong in &row.wrong {
            println!("       {wrong}");
        }
        rows.push(row);
    }
    let table = report::table(&rows);
    std::fs::write(stage::output().join("outages.md"), &table).expect("the table is written");
    let failed = rows.iter().filter(|row| !row.wrong.is_empty()).count();
    println!("\n{table}\n{} passed, {failed} failed", rows.len() - failed);
    failed == 0 && !rows.is_empty()
}

async fn play(scenario: &'static Scenario) -> Row {
    let mut stage = Stage::start(scenario.name, scenario.path, VIEWERS).await;
    let fault = (scenario.run)(&mut stage).await;
    let back = stage.data_since(fault.ended, PATIENCE).await;
    let began = fault.began / 1_000_000;
    let (sign, way) = (report::first_sign(&stage.robot, began), report::way_back(&stage.robot, began));
    let events: Vec<_> = stage.watches.iter().map(|watch| (watch.identity.clone(), watch.account().events)).collect();
    let (mut wrong, _) = stage.finish().await;
    match back.map(|both| both.into_iter().max().unwrap_or_default()) {
        Some(slowest) if slowest <= scenario.back => {}
        Some(slowest) => wrong.push(format!("data came {:.1} s after the link", slowest.as_secs_f64())),
        None => wrong.push(format!("no data within {} s of the link's return", PATIENCE.as_secs())),
    }
    if !wrong.is_empty() {
        for (identity, events) in events {
            for (at, event) in events {
                println!("       {identity}, {:+.1} s: {event}", (at as f64 - began as f64) / 1e3);
            }
        }
    }
    Row { name: scenario.name, what: scenario.what, sign, way, back, wrong }
}
