//! The commands.

mod check;
mod crds;
mod files;
mod output;
mod run;
mod template;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps AWS endpoints on their declared policies.
#[derive(Debug, Parser)]
#[command(name = "plumbline", version, about)]
struct Plumbline {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller
    Run(run::Run),
    /// Judge an account, or templates before they are deployed, without a cluster: exit 0 compliant, 1 findings, 2 anything unknown or wrong
    Check(check::Check),
    /// Print the custom resource definitions, or write them into a folder
    Crds(crds::Crds),
}

/// Parses and runs.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = match Plumbline::parse_from(arguments).command {
        Command::Run(run) => block_on(2, run.run()),
        Command::Check(check) => block_on(1, check.run()),
        Command::Crds(crds) => crds.run(),
    };
    result.unwrap_or_else(|message| {
        eprintln!("plumbline: {message}");
        ExitCode::from(2)
    })
}

fn block_on(threads: usize, work: impl Future<Output = Result<ExitCode, String>>) -> Result<ExitCode, String> {
    let mut builder = if threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(work)
}
