//! A whole run: server, robots, scenarios, and what is made of the figures.

mod budgets;
mod log_cost;
mod plot;
mod process;
mod report;
mod results;
mod scale;
mod scenarios;
mod stage;
mod usage;
mod video;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use telelink::room::livekit::{Library, LibraryOptions, LivekitConnector};

use log_cost::LogCost;
use process::{Kind, Paths, Server};
use results::{Row, Table};
use scenarios::Effort;
use stage::Stage;

pub(crate) use process::Result;

/// What the command line says.
pub(crate) struct Options {
    pub(crate) output: PathBuf,
    pub(crate) python: PathBuf,
    /// Rounds; default 3, 1 of a smoke.
    pub(crate) rounds: Option<usize>,
    /// Only scenarios with this text in their names.
    pub(crate) only: String,
    pub(crate) smoke: bool,
}

/// Runs everything, prints and writes the results. An error, after all is written, if something could not be measured.
pub(crate) async fn all(options: Options) -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let paths = Paths { root, python: options.python, program: std::env::current_exe()? };
    let mut effort = if options.smoke { Effort::SMOKE } else { Effort::FULL };
    effort.rounds = options.rounds.unwrap_or(effort.rounds);
    let connector = Arc::new(LivekitConnector::new(Library::load(&LibraryOptions::default())?));
    let server = Server::start(&paths).await?;

    let (videos, failures) = match video::NAME.contains(&options.only) {
        true => video::run(&paths, &server, effort, &options.output).await,
        false => Default::default(),
    };
    let mut stages = BTreeMap::new();
    let mut scale = Vec::new();
    let channels = if effort.smoke { 50 } else { 1000 };
    // A run of the video alone needs no others.
    let kinds = if options.only == video::NAME { &[][..] } else { &Kind::ALL };
    for &kind in kinds {
        eprintln!("{} with {} viewers", kind.name(), effort.viewers);
        let mut stage = Stage::start(kind, &paths, &server, &connector, effort.viewers).await?;
        scale.push(scale::run(&mut stage, &server, channels).await?);
        stages.insert(kind, stage);
    }
    let mut table = Table::default();
    let mut failures = failures;
    failures.extend(scenarios::run(&mut stages, effort, &options.only, &mut table).await);
    for (kind, stage) in stages {
        if let Err(error) = stage.end().await {
            failures.push(format!("{}: leaving: {error}", kind.name()));
        }
    }

    let log = LogCost::read(&options.output);
    let verdicts = budgets::judge(&log, &table, &scale, &videos, effort.viewers);
    let rows = table.rows();
    let text = report::markdown(&log, &rows, &scale, &videos, &verdicts);
    let note = format!("{} cores, medians of {} round(s), loopback, livekit-server --dev", cores(), effort.rounds);
    let results = json!({
        "machine": { "cores": cores(), "cpu": cpu_model(), "load_average": load_average() },
        "rounds": effort.rounds,
        "smoke": effort.smoke,
        "budgets": verdicts,
        "log": log,
        "end_to_end": rows,
        "scale": scale,
        "video": videos,
        "failures": failures,
    });
    fs::create_dir_all(&options.output)?;
    fs::write(options.output.join("results.json"), serde_json::to_vec_pretty(&results)?)?;
    fs::write(options.output.join("results.svg"), plot::svg(&rows, &note))?;
    fs::write(options.output.join("results.md"), &text)?;
    println!("{text}\n{note}");
    check(&rows, &log, &failures)
}

/// A run without figures is a failure, whatever they are.
fn check(rows: &[Row], log: &LogCost, failures: &[String]) -> Result<()> {
    let empty = |row: &&Row| row.median.messages_per_s.is_nan() || row.median.messages_per_s <= 0.0;
    let mut missing: Vec<String> = failures.to_vec();
    missing.extend(rows.iter().filter(empty).map(|row| format!("{:?}, {}: no figures", row.case, row.robot.name())));
    if log.ns.is_empty() || log.allocations.is_empty() || log.c_ns.is_empty() {
        missing
            .push("the log benchmarks left no figures in the output folder; scripts/bench.sh runs them first".into());
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("not measured:\n  {}", missing.join("\n  ")).into())
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".into(), |(_, name)| name.to_owned())
}

fn load_average() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}
