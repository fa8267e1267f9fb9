//! Runs the end-to-end benchmarks beside the peers and reports all of them against their budgets:
//! `telelink-bench --output FOLDER --python PYTHON [--smoke]`. docs/performance.md explains the figures.

mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use run::Options;

const USAGE: &str = "usage: telelink-bench --output FOLDER --python PYTHON [--smoke]";

fn main() -> ExitCode {
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
    let (mut output, mut python, mut smoke) = (None, None, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--output" => output = Some(PathBuf::from(arguments.next()?)),
            "--python" => python = Some(PathBuf::from(arguments.next()?)),
            "--smoke" => smoke = true,
            _ => return None,
        }
    }
    Some(Options { output: output?, python: python?, smoke })
}
