//! `plumbline drift`: the drifts, filtered, once or as they change.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use futures::StreamExt;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};

use super::cluster::{Cluster, words};
use super::outage::Outage;
use crate::api::Drift;
use crate::api::drift::Phase;
use crate::cli::output::plain;

/// Lists drifts: those that are open, the worst first.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    cluster: Cluster,
    /// Of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Of this policy alone
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Of this rule alone
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Of the endpoint with this name alone
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// In this phase alone, as in Waiting
    #[arg(long, value_name = "PHASE", ignore_case = true)]
    phase: Option<String>,
    /// With this reason alone, as in Suspended
    #[arg(long, value_name = "REASON", ignore_case = true)]
    reason: Option<String>,
    /// Those that are over too
    #[arg(long)]
    all: bool,
    /// Goes on and prints each change
    #[arg(short = 'w', long)]
    watch: bool,
    /// How they are printed
    #[arg(short = 'o', long, value_enum, default_value_t = Shape::Table)]
    output: Shape,
}

/// How drifts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Columns for people
    Table,
    /// One JSON document a line
    Json,
    /// Names alone
    Name,
}

impl List {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        let connected = self.cluster.connect().await?;
        let drifts: Api<Drift> = if self.all_namespaces {
            Api::all(connected.client.clone())
        } else {
            connected.drifts()
        };
        let listed = drifts
            .list(&ListParams::default())
            .await
            .map_err(|error| words(&error))?;
        let seen = listed.items.iter().map(version).collect();
        let mut found: Vec<Drift> = listed.items.into_iter().filter(|drift| self.wants(drift)).collect();
        found.sort_by_key(rank);
        let is_read = print(&rendered(&found, self.output, true));
        if found.is_empty() && self.output == Shape::Table {
            eprintln!("No {}drifts found.", if self.all { "" } else { "open " });
        }
        if self.watch && is_read {
            self.follow(drifts, seen, found.is_empty()).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints each change to what was seen, until nobody reads any more. A watch that breaks begins anew, after a while.
    async fn follow(&self, drifts: Api<Drift>, mut seen: Seen, mut head: bool) -> Result<(), String> {
        let changes = watcher(drifts, watcher::Config::default()).default_backoff();
        let mut changes = std::pin::pin!(changes.applied_objects());
        let mut outage = Outage::default();
        while let Some(change) = changes.next().await {
            let drift = match change {
                Ok(drift) => drift,
                Err(error) => {
                    let is_first = outage.is_none();
                    if !outage.may_pass(&error) {
                        return Err(error.to_string());
                    }
                    if is_first {
                        eprintln!("The watch broke and begins anew: {error}");
                    }
                    continue;
                }
            };
            outage = Outage::default();
            let (uid, now) = version(&drift);
            let before = seen.insert(uid, now.clone());
            // A watch begins with everything that stands.
            if before.as_ref() == Some(&now) {
                continue;
            }
            // Whoever watches wants to see the end of what they watched, and what comes and goes meanwhile.
            let ends = self.matches(&drift) && before.is_none_or(|(_, was_open)| was_open);
            if self.wants(&drift) || ends {
                if !print(&rendered(&[drift], self.output, head)) {
                    return Ok(());
                }
                head = false;
            }
        }
        Ok(())
    }

    fn wants(&self, drift: &Drift) -> bool {
        (self.all || is_open(drift)) && self.matches(drift)
    }

    fn matches(&self, drift: &Drift) -> bool {
        let is = |asked: &Option<String>, found: &str| {
            asked.as_deref().is_none_or(|asked| asked.eq_ignore_ascii_case(found))
        };
        let [_, _, endpoint, rule, phase, reason, ..] = cells(drift);
        is(&self.policy, &drift.spec.policy)
            && is(&self.rule, &rule)
            && is(&self.endpoint, &endpoint)
            && is(&self.phase, &phase)
            && is(&self.reason, &reason)
    }
}

/// By drifts' uids their version, and whether they are open.
type Seen = HashMap<Option<String>, (Option<String>, bool)>;

fn version(drift: &Drift) -> (Option<String>, (Option<String>, bool)) {
    (drift.uid(), (drift.resource_version(), is_open(drift)))
}

fn is_open(drift: &Drift) -> bool {
    drift
        .status
        .as_ref()
        .is_none_or(|status| status.phase != Phase::Resolved)
}

/// Open before over, the worst first, the oldest first.
fn rank(drift: &Drift) -> (bool, std::cmp::Reverse<crate::api::policy::Severity>, Option<String>) {
    let status = drift.status.clone().unwrap_or_default();
    let since = status.detected_at.map(|at| at.0.to_string());
    (!is_open(drift), std::cmp::Reverse(status.severity), since)
}

const HEAD: [&str; 8] = [
    "NAME", "SEVERITY", "ENDPOINT", "RULE", "PHASE", "REASON", "WHO", "SINCE",
];

fn cells(drift: &Drift) -> [String; 8] {
    let status = drift.status.clone().unwrap_or_default();
    let who = status.actors.and_then(|actors| actors.editor).map(|actor| actor.name);
    [
        drift.name_any(),
        status.severity.as_str().to_owned(),
        status.endpoint_name,
        drift.spec.rule.clone(),
        status.phase.as_str().to_owned(),
        status.reason.map_or(String::new(), |reason| reason.as_str().to_owned()),
        who.unwrap_or_default(),
        status
            .detected_at
            .map_or(String::new(), |at| at.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ]
}

fn rendered(drifts: &[Drift], shape: Shape, head: bool) -> String {
    match shape {
        Shape::Json => lines(drifts.iter().map(|d| serde_json::to_string(d).unwrap_or_default())),
        Shape::Name => lines(drifts.iter().map(|d| format!("drift.plumbline.dev/{}", d.name_any()))),
        Shape::Table => table(drifts, head),
    }
}

fn lines(all: impl Iterator<Item = String>) -> String {
    all.fold(String::new(), |text, line| text + &line + "\n")
}

fn table(drifts: &[Drift], head: bool) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    if head && !drifts.is_empty() {
        rows.push(std::iter::once("NAMESPACE").chain(HEAD).map(str::to_owned).collect());
    }
    rows.extend(drifts.iter().map(|drift| {
        let namespace = drift.namespace().unwrap_or_default();
        std::iter::once(namespace)
            .chain(cells(drift))
            .map(|cell| plain(&cell))
            .collect()
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..=HEAD.len()).map(width).collect();
    lines(rows.iter().map(|row| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    }))
}

/// False: whoever read has gone. That is no failure.
fn print(text: &str) -> bool {
    std::io::stdout().write_all(text.as_bytes()).is_ok()
}
