//! `plumbline approve`, `reject` and `revert`: a person's word on one plan, after they have seen it.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::cluster::{Cluster, words};
use crate::api::Drift;
use crate::api::drift::{Decision, DriftStatus, Phase, Resolution};
use crate::cli::output::plain;

/// Shows a drift's plan and approves it.
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    word: Word,
}

/// Shows a drift's plan and says no to it.
#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    word: Word,
}

/// Shows the calls that take a repair back and has them made.
#[derive(Debug, Args)]
pub struct Revert {
    #[command(flatten)]
    word: Word,
}

impl Approve {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        self.word.give(Decision::Approve).await
    }
}

impl Reject {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        self.word.give(Decision::Reject).await
    }
}

impl Revert {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        self.word.give(Decision::Revert).await
    }
}

#[derive(Debug, Args)]
struct Word {
    #[command(flatten)]
    cluster: Cluster,
    /// The drift's name
    drift: String,
    /// Why: it stands in the drift and in the audit record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Does not ask
    #[arg(short = 'y', long)]
    yes: bool,
}

impl Word {
    async fn give(&self, decision: Decision) -> Result<ExitCode, String> {
        let connected = self.cluster.connect().await?;
        let drift = connected.drift(&self.drift).await?;
        let question = question(&drift, decision)?;
        print!("{}", question.text);
        if !self.yes && !agreed(question.ask)? {
            println!("Nothing was decided.");
            return Ok(ExitCode::from(1));
        }
        let approval = json!({
            "decision": decision, "planDigest": question.digest, "reason": self.reason, "by": connected.who().await?,
        });
        connected
            .drifts()
            .patch(
                &drift.name_any(),
                &PatchParams::default(),
                &Patch::Merge(json!({"spec": {"approval": approval}})),
            )
            .await
            .map_err(|error| words(&error))?;
        println!("{}: {}", drift.name_any(), question.done);
        Ok(ExitCode::SUCCESS)
    }
}

/// What a person is asked.
#[derive(Debug)]
struct Question {
    text: String,
    ask: &'static str,
    digest: String,
    done: &'static str,
}

/// The calls, and what else they bring; or why there is nothing to decide.
fn question(drift: &Drift, decision: Decision) -> Result<Question, String> {
    let name = drift.name_any();
    let status = drift.status.clone().unwrap_or_default();
    let over = status.phase == Phase::Resolved;
    match decision {
        Decision::Revert if status.resolution != Some(Resolution::Repaired) => Err(format!(
            "{name} is {}: only what Plumbline repaired can be taken back",
            status.phase.as_str()
        )),
        Decision::Revert if !status.irreversible.is_empty() => Err(format!(
            "{name} cannot be taken back: what stood at {} before was nothing, or too large to keep, and no call leads back",
            status.irreversible.join(", ")
        )),
        Decision::Revert if status.inverse_digest.is_empty() => Err(format!(
            "{name} has no inverse that is known to be whole: the repair was interrupted; take it back by hand"
        )),
        Decision::Approve | Decision::Reject if over => Err(format!(
            "{name} is over ({}): there is nothing to decide",
            status.message
        )),
        Decision::Approve | Decision::Reject if status.plan_digest.is_empty() || status.plan.is_empty() => {
            Err(format!("{name} has no plan to decide about: {}", status.message))
        }
        Decision::Approve => Ok(Question {
            text: shown(&status, "These calls repair it"),
            ask: "Approve?",
            digest: status.plan_digest,
            done: "approved",
        }),
        Decision::Reject => Ok(Question {
            text: shown(&status, "These calls would repair it"),
            ask: "Reject?",
            digest: status.plan_digest,
            done: "rejected",
        }),
        Decision::Revert => Ok(Question {
            text: taken_back(&status),
            ask: "Take the repair back?",
            digest: status.inverse_digest,
            done: "is being taken back; the policy does not repair it again until somebody approves that",
        }),
    }
}

fn shown(status: &DriftStatus, head: &str) -> String {
    let mut text = format!("{}\n\n{head}:\n", plain(&status.finding));
    text += &indented(&status.commands);
    for (list, head) in [
        (
            &status.pending_edits,
            "The deployment would also publish somebody else's edits:",
        ),
        (
            &status.deploys_with,
            "The deployment would also publish the repairs of:",
        ),
        (&status.disruptions, "Callers can be interrupted:"),
    ] {
        if !list.is_empty() {
            text += &["\n", head, "\n", &indented(list)].concat();
        }
    }
    if let Some(tool) = &status.managed_by {
        let undone = " manages the endpoint: its next run would undo the repair.\n";
        text += &["\n", &plain(tool), undone].concat();
    }
    text + "\n"
}

fn taken_back(status: &DriftStatus) -> String {
    let calls: Vec<String> = status
        .inverse
        .iter()
        .flat_map(|call| {
            call.patch_operations.iter().map(|one| {
                let value = one
                    .value
                    .as_deref()
                    .map_or(String::new(), |value| format!(" to {value}"));
                format!("{} {} {}{value}", call.operation, one.op, one.path)
            })
        })
        .collect();
    format!(
        "It was repaired: {}\n\nThese calls take it back:\n{}\n",
        plain(&status.finding),
        indented(&calls)
    )
}

fn indented(lines: &[String]) -> String {
    lines
        .iter()
        .fold(String::new(), |text, line| text + "  " + &plain(line) + "\n")
}

fn agreed(ask: &str) -> Result<bool, String> {
    if !std::io::stdin().is_terminal() {
        return Err("nobody is there to ask: add --yes if the plan above is the one you mean".into());
    }
    print!("{ask} [y/N] ");
    std::io::stdout().flush().map_err(|error| error.to_string())?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| error.to_string())?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::drift::DriftSpec;
    use crate::api::policy::Target;

    fn drift(status: serde_json::Value) -> Drift {
        let mut drift = Drift::new(
            "tracing-1",
            DriftSpec {
                policy: "p".into(),
                policy_uid: "u".into(),
                rule: "tracing".into(),
                endpoint: "e".into(),
                target: Target::Stage,
                resource: "prod".into(),
                previous: None,
                reverts: None,
                approval: None,
            },
        );
        drift.status = Some(serde_json::from_value(status).unwrap());
        drift
    }

    #[test]
    fn whoever_decides_sees_everything_that_the_plan_would_do() {
        let drift = drift(json!({
            "phase": "Waiting", "planDigest": "abc", "finding": "tracing is off",
            "plan": [{"operation": "UpdateStage", "parameters": {}}],
            "commands": ["aws apigateway update-stage"], "pendingEdits": ["GET /new was added"],
            "deploysWith": ["other-2"], "disruptions": ["callers are refused"], "managedBy": "Terraform",
        }));
        let question = question(&drift, Decision::Approve).unwrap();
        assert_eq!(question.digest, "abc");
        for part in [
            "tracing is off",
            "aws apigateway",
            "GET /new",
            "other-2",
            "callers are refused",
            "Terraform",
        ] {
            assert!(question.text.contains(part), "{part} in {}", question.text);
        }
    }

    #[test]
    fn where_there_is_nothing_to_decide_it_says_why() {
        for (status, decision, words, why) in [
            (
                json!({"phase": "Resolved", "message": "gone"}),
                Decision::Approve,
                "is over",
                "too late",
            ),
            (
                json!({"phase": "Waiting", "message": "no repair"}),
                Decision::Approve,
                "no plan",
                "no plan",
            ),
            (
                json!({"phase": "Waiting"}),
                Decision::Revert,
                "only what Plumbline repaired",
                "not repaired",
            ),
            (
                json!({"phase": "Resolved", "resolution": "FixedElsewhere"}),
                Decision::Revert,
                "only what Plumbline repaired",
                "somebody else did it",
            ),
            (
                json!({"phase": "Resolved", "resolution": "Repaired", "irreversible": ["a.b"]}),
                Decision::Revert,
                "what stood at a.b",
                "no call leads back",
            ),
            (
                json!({"phase": "Resolved", "resolution": "Repaired"}),
                Decision::Revert,
                "no inverse",
                "the inverse is not whole",
            ),
        ] {
            let told = question(&drift(status), decision).unwrap_err();
            assert!(told.contains(words), "{why}: {told}");
        }
    }
}
