//! The commands.

mod capture;
mod check;
mod crds;
mod files;
mod fixture;
mod output;
mod people;
mod release;
mod run;
mod template;
mod test;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps AWS endpoints on their declared policies. Named kubectl-plumbline and on the PATH it is kubectl's plugin.
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
    /// Judge fixtures and compare with what is expected, without AWS: exit 0 all as expected, 1 differences, 2 unreadable
    Test(test::Test),
    /// Write fixtures for `test` from what stands on AWS, without secrets
    Capture(capture::Capture),
    /// Print the custom resource definitions, or write them into a folder
    Crds(crds::Crds),
    /// List drifts: those that are open, the worst first
    Drift(people::List),
    /// Tell a drift's story, and why it was not repaired
    Explain(people::Explain),
    /// Show a drift's plan and approve it
    Approve(people::Approve),
    /// Show a drift's plan and say no to it
    Reject(people::Reject),
    /// Show the calls that take a repair back, and have them made
    Revert(people::Revert),
    /// Stop repairs of a policy or in an account
    Suspend(people::Suspend),
    /// Let repairs of a policy or in an account go on
    Resume(people::Resume),
    /// Exempt a drift's endpoint from its rule until a date
    Exempt(people::Exempt),
    /// Let go of every Drift that is held for a repair under way: what the chart runs when it is uninstalled
    ReleaseFinalizers(release::Release),
}

/// Parses and runs.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = match Plumbline::parse_from(arguments).command {
        Command::Run(run) => block_on(2, run.run()),
        Command::Check(check) => block_on(1, check.run()),
        Command::Test(test) => test.run(),
        Command::Capture(capture) => block_on(1, capture.run()),
        Command::Crds(crds) => crds.run(),
        Command::Drift(list) => block_on(1, list.run()),
        Command::Explain(explain) => block_on(1, explain.run()),
        Command::Approve(approve) => block_on(1, approve.run()),
        Command::Reject(reject) => block_on(1, reject.run()),
        Command::Revert(revert) => block_on(1, revert.run()),
        Command::Suspend(suspend) => block_on(1, suspend.run()),
        Command::Resume(resume) => block_on(1, resume.run()),
        Command::Exempt(exempt) => block_on(1, exempt.run()),
        Command::ReleaseFinalizers(release) => block_on(1, release.run()),
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
    // As many wherever it runs: a large node's cores would each take memory, and there is nothing to do for them.
    let runtime = builder
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(work)
}
