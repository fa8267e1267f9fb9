//! Runs the end-to-end benchmarks beside the peers and reports all of them against their budgets:
//! `telelink-bench --output FOLDER --python PYTHON [--rounds N] [--only TEXT] [--smoke]`. docs/performance.md explains the figures.
//!
//! It starts three robots, which take the same commands: ours ([`own_robot`]), the peer (`python/peer_robot.py`) and
//! LiveKit without a session ([`raw_robot`]). Ours and the raw one are this same program, so that it is linked once.

mod commands;
mod own_robot;
mod pace;
mod raw_robot;
mod run;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use run::Options;

const USAGE: &str = "usage: telelink-bench --output FOLDER --python PYTHON [--rounds N] [--only TEXT] [--smoke]";

/// First argument that makes this program our robot.
const OWN_ROBOT: &str = "own-robot";
/// First argument that makes it the raw robot.
const RAW_ROBOT: &str = "raw-robot";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(OWN_ROBOT) => {
            own_robot::main();
            return ExitCode::SUCCESS;
        }
        Some(RAW_ROBOT) => {
            raw_robot::main();
            return ExitCode::SUCCESS;
        }
        _ => (),
    }
    let Some(options) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    match runtime.block_on(run::all(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("telelink-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let (mut output, mut python, mut rounds, mut only, mut smoke) = (None, None, None, String::new(), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--output" => output = Some(PathBuf::from(arguments.next()?)),
            "--python" => python = Some(PathBuf::from(arguments.next()?)),
            "--rounds" => rounds = Some(arguments.next()?.parse().ok().filter(|rounds| *rounds > 0)?),
            "--only" => only = arguments.next()?,
            "--smoke" => smoke = true,
            _ => return None,
        }
    }
    Some(Options { output: output?, python: python?, rounds, only, smoke })
}
