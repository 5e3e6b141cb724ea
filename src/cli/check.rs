//! `plumbline check`: the same judge without a cluster.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::files::{self, Found};
use super::output::{self, Finding, Report};
use crate::api::account::AwsAccountSpec;
use crate::api::policy::{Enforcement, Target};
use crate::aws::apigateway::client::Client;
use crate::aws::apigateway::properties;
use crate::aws::apigateway::read::{Depth, ExportCache};
use crate::aws::gate::ReadOnly;
use crate::aws::session::{self, Limits, Sessions};
use crate::inventory::sweep::{self, Listener};
use crate::judge::cel::Document;
use crate::judge::compile::Policy;
use crate::judge::snapshot::EndpointId;
use crate::judge::verdict::Outcome;
use crate::judge::{self, Question, Snapshot};

/// Judges an account once. Credentials and endpoints come from the standard AWS environment; only reads are made.
#[derive(Debug, Args)]
pub struct Check {
    /// A file with policies, or a folder of such files
    #[arg(short = 'f', long = "file", value_name = "FILE-OR-FOLDER")]
    file: PathBuf,
    /// Region to look at; may be repeated
    #[arg(
        long = "region",
        env = "AWS_REGION",
        value_name = "R",
        required = true,
        value_delimiter = ','
    )]
    regions: Vec<String>,
    /// How findings are printed
    #[arg(short = 'o', long = "output", value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Share of AWS's request quotas that may be used, or `none` for endpoints that are not AWS
    #[arg(long, default_value = "50%", value_name = "SHARE")]
    budget: String,
    /// Print the commands that would repair each finding, as in the drift that the controller would make of it
    #[arg(long)]
    plan: bool,
    /// Print to standard error how many calls were made, by operation
    #[arg(long)]
    calls: bool,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    Table,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// `JUnit` XML, for CI
    Junit,
}

impl Check {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        let Found {
            policies,
            exceptions,
            faults,
        } = files::read(&self.file)?;
        if policies.is_empty() && faults.is_empty() {
            return Err(format!(
                "{}: no EndpointPolicy in it: name a file or folder that holds some",
                self.file.display()
            ));
        }
        let base = session::environment().await;
        let sessions = Sessions::new(&base, "check", Arc::new(ReadOnly), limits(&self.budget));
        let identity = session::caller(&base).await.map_err(|error| error.to_string())?;
        let spec = account(&identity, &self.regions, &self.budget)?;
        let session = sessions.of(&spec);
        let ears = Ears::new(&policies, &exceptions, &identity);
        for region in &self.regions {
            let client: Client = session.observer(region);
            let swept = sweep::region(
                &client,
                &identity,
                region,
                depth(&policies),
                &ExportCache::new(),
                std::time::Duration::ZERO,
                &ears,
            )
            .await;
            // What failed of a single endpoint was told by name already.
            if let Some(error) = swept.failure.filter(|_| swept.endpoints == 0) {
                ears.failed(format!("{region}: {error}"));
            }
        }
        let mut report = ears.report();
        report.faults = faults;
        report.rules = policies.iter().flat_map(output::Asked::of).collect();
        report.policies = policies.iter().map(|p| p.id.name.clone()).collect();
        print!("{}", output::render(&report, self.output, self.plan));
        if self.calls {
            for (operation, count) in sessions.counts().by_operation() {
                eprintln!("{count:>8} {operation}");
            }
        }
        Ok(ExitCode::from(report.exit_code()))
    }
}

/// Whether request budgets apply, by `--budget`.
pub(super) fn limits(budget: &str) -> Limits {
    if budget == "none" { Limits::None } else { Limits::Quotas }
}

/// The account as the environment has it.
pub(super) fn account(id: &str, regions: &[String], budget: &str) -> Result<AwsAccountSpec, String> {
    let share = if budget == "none" { "100%" } else { budget };
    serde_json::from_value(json!({"accountId": id, "regions": regions, "budget": {"share": share}}))
        .map_err(|error| format!("--budget {budget}: {error}"))
}

fn depth(policies: &[Policy]) -> Depth {
    let deep = policies
        .iter()
        .flat_map(|p| &p.rules)
        .any(|r| matches!(r.target, Target::Method | Target::RestApi));
    if deep { Depth::Live } else { Depth::Stages }
}

/// Judges each endpoint as it is read, and forgets it.
struct Ears<'a> {
    policies: &'a [Policy],
    exceptions: &'a [(String, crate::api::exception::EndpointExceptionSpec)],
    account: Document,
    report: std::sync::Mutex<Report>,
    now: Timestamp,
}

impl<'a> Ears<'a> {
    fn new(
        policies: &'a [Policy],
        exceptions: &'a [(String, crate::api::exception::EndpointExceptionSpec)],
        id: &str,
    ) -> Self {
        Ears {
            policies,
            exceptions,
            account: Document::new(json!({"name": id, "accountId": id, "labels": {}})),
            report: std::sync::Mutex::new(Report::default()),
            now: Timestamp::now(),
        }
    }

    fn with(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    fn failed(&self, message: String) {
        self.with(|report| {
            if !report.unread.contains(&message) {
                report.unread.push(message);
            }
        });
    }

    fn report(&self) -> Report {
        let mut report = self
            .report
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        report.findings.sort_by(|a, b| a.key().cmp(&b.key()));
        report
    }

    fn judge(&self, snapshot: &Snapshot) {
        let policies: Vec<(&Policy, Enforcement)> = self.policies.iter().map(|p| (p, Enforcement::Enforce)).collect();
        let exceptions: Vec<_> = self.exceptions.iter().map(|(n, e)| (n.as_str(), e)).collect();
        let judgement = judge::judge(&Question {
            snapshot,
            policies: &policies,
            exceptions: &exceptions,
            last_compliant: &BTreeMap::new(),
            account: &self.account,
            tables: properties::table,
            now: self.now,
        });
        self.with(|report| {
            report.endpoints += 1;
            for verdict in judgement.verdicts {
                report.judged += 1;
                match verdict.outcome {
                    Outcome::Compliant | Outcome::Exempted => {}
                    outcome => report.findings.push(Finding::new(
                        snapshot,
                        &verdict.policy,
                        &verdict.rule,
                        verdict.target,
                        &verdict.resource,
                        outcome,
                    )),
                }
            }
        });
    }
}

impl Listener for Ears<'_> {
    async fn listed(&self, _: &str, _: &BTreeMap<EndpointId, Value>) {}

    async fn read(&self, id: &EndpointId, _: Depth, result: Result<Arc<Snapshot>, crate::aws::Error>) {
        match result {
            Ok(snapshot) => self.judge(&snapshot),
            Err(error) => self.failed(format!("{} {}: {error}", id.region, id.id)),
        }
    }
}
