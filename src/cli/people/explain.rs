//! `plumbline explain`: a drift's story in prose, and the decision step by step.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use kube::ResourceExt;

use super::cluster::Cluster;
use crate::api::drift::{Actor, Drift, DriftStatus, Phase, Scope};
use crate::api::{Reason, condition};
use crate::cli::output::plain;
use crate::repair::gate::{STEPS, asks_a_person};

/// Tells a drift's story: what, who, when, which rule, which calls, and why it was not repaired.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    cluster: Cluster,
    /// The drift's name
    drift: String,
}

impl Explain {
    /// Runs.
    pub async fn run(self) -> Result<ExitCode, String> {
        let connected = self.cluster.connect().await?;
        let drift = connected.drift(&self.drift).await?;
        print!("{}", story(&drift));
        Ok(ExitCode::SUCCESS)
    }
}

/// The story of a drift, for people.
pub fn story(drift: &Drift) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = tell(drift, &mut text);
    text
}

fn tell(drift: &Drift, to: &mut String) -> std::fmt::Result {
    let nothing = DriftStatus::default();
    let status = drift.status.as_ref().unwrap_or(&nothing);
    let spec = &drift.spec;
    writeln!(
        to,
        "{} of {} {}",
        spec.rule,
        plain(&status.endpoint_name),
        plain(&spec.resource)
    )?;
    writeln!(to)?;
    line(to, "What", &status.finding)?;
    for change in &status.difference {
        let side = |value: &Option<serde_json::Value>| value.as_ref().map_or("nothing".to_owned(), ToString::to_string);
        line(
            to,
            "",
            &format!(
                "{} is {}, wanted is {}",
                change.path,
                side(&change.from),
                side(&change.to)
            ),
        )?;
    }
    let met = match (status.scope, status.stages.is_empty()) {
        (Scope::Draft, _) => "only the draft: callers do not meet it".to_owned(),
        (Scope::Live, true) => "callers meet it".to_owned(),
        (Scope::Live, false) => format!("callers of {} meet it", status.stages.join(", ")),
    };
    line(to, "", &met)?;
    line(to, "Where", &format!("{} ({})", spec.endpoint, spec.target.as_str()))?;
    if let Some(tool) = &status.managed_by {
        line(to, "", &format!("managed by {tool}"))?;
    }
    line(to, "When", &times(status))?;
    line(to, "Who", &who(status))?;
    let controls = if status.controls.is_empty() {
        String::new()
    } else {
        format!(", {}", status.controls.join(", "))
    };
    let namespace = drift.namespace().unwrap_or_default();
    let rule = format!(
        "{} of policy {namespace}/{}, severity {}{controls}",
        spec.rule,
        spec.policy,
        status.severity.as_str()
    );
    line(to, "Rule", &rule)?;
    if let Some(reverts) = &spec.reverts {
        line(
            to,
            "",
            &format!("takes back the repair of the drift with uid {reverts}"),
        )?;
    }
    list(to, "Calls", &status.commands)?;
    list(to, "Would publish too", &status.pending_edits)?;
    list(to, "Together with", &status.deploys_with)?;
    list(to, "Can interrupt", &status.disruptions)?;
    writeln!(to)?;
    let reason = status
        .reason
        .map_or(String::new(), |reason| format!(", {}", reason.as_str()));
    line(
        to,
        "Now",
        &format!("{}{reason}: {}", status.phase.as_str(), status.message),
    )?;
    for type_ in [
        "Recorded",
        "Notified",
        "Attributed",
        "Authorized",
        "Repaired",
        "Verified",
    ] {
        if let Some(c) = condition::find(&status.conditions, type_) {
            let at = c.last_transition_time.0.strftime("%Y-%m-%dT%H:%M:%SZ");
            line(
                to,
                "",
                &format!("{type_}={} since {at}: {} {}", c.status, c.reason, c.message),
            )?;
        }
    }
    writeln!(to)?;
    decision(to, status)?;
    if let Some(advice) = advice(drift, status) {
        writeln!(to, "\nTo have it repaired: {advice}")?;
    }
    Ok(())
}

fn line(to: &mut String, head: &str, text: &str) -> std::fmt::Result {
    writeln!(to, "{}", format!("{head:<8}{}", plain(text)).trim_end())
}

fn list(to: &mut String, head: &str, all: &[String]) -> std::fmt::Result {
    if !all.is_empty() {
        writeln!(to, "{head}:")?;
    }
    all.iter().try_for_each(|one| writeln!(to, "        {}", plain(one)))
}

fn times(status: &DriftStatus) -> String {
    let at = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
        time.as_ref().map(|t| t.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    };
    match (at(&status.detected_at), at(&status.resolved_at)) {
        (Some(from), Some(to)) => format!("found {from}, over {to}"),
        (Some(from), None) => format!("found {from}"),
        _ => "being described".to_owned(),
    }
}

fn who(status: &DriftStatus) -> String {
    let named = |what: &str, actor: &Option<Actor>| actor.as_ref().map(|actor| format!("{what} by {}", face(actor)));
    let actors = status.actors.clone().unwrap_or_default();
    let told: Vec<String> = [named("edited", &actors.editor), named("deployed", &actors.deployer)]
        .into_iter()
        .flatten()
        .collect();
    if told.is_empty() {
        "not known".to_owned()
    } else {
        told.join(", ")
    }
}

/// Who, by which call, when, from where.
fn face(actor: &Actor) -> String {
    let mut text = format!("{} ({})", actor.name, actor.arn);
    if !actor.event_name.is_empty() {
        let at = actor
            .time
            .as_ref()
            .map(|at| format!(" at {}", at.0.strftime("%Y-%m-%dT%H:%M:%SZ")));
        text = format!("{text}, {}{}", actor.event_name, at.unwrap_or_default());
    }
    if !actor.source_address.is_empty() {
        text = format!("{text} from {}", actor.source_address);
    }
    text
}

/// The decision as a list: what was asked, and what the answer was.
fn decision(to: &mut String, status: &DriftStatus) -> std::fmt::Result {
    let stopped = status
        .reason
        .and_then(|reason| STEPS.iter().position(|step| step.reasons.contains(&reason)));
    let over = matches!(status.phase, Phase::Resolved | Phase::Repairing);
    writeln!(
        to,
        "{}",
        if over {
            "How it was decided:"
        } else {
            "Why it is not repaired:"
        }
    )?;
    if stopped.is_none() && !over {
        let unrecorded = matches!(status.reason, Some(Reason::RecordFailed | Reason::NotifyFailed));
        let answer = if unrecorded { "no" } else { "yes" };
        writeln!(to, "  {answer:<4}is it recorded, and were people told?")?;
        if unrecorded {
            return Ok(());
        }
    }
    for (at, step) in STEPS.iter().enumerate() {
        let answer = match stopped {
            Some(stop) if at == stop => "no",
            Some(stop) if at > stop => "-",
            None if !over && status.reason.is_none() => "?",
            _ => "yes",
        };
        writeln!(to, "  {answer:<4}{}", step.question)?;
        if answer == "no" {
            writeln!(to, "      {}", plain(&status.message))?;
        }
    }
    Ok(())
}

fn advice(drift: &Drift, status: &DriftStatus) -> Option<String> {
    let (name, namespace) = (drift.name_any(), drift.namespace().unwrap_or_default());
    match status.reason? {
        reason if status.phase == Phase::Waiting && asks_a_person(reason) && !status.plan.is_empty() => {
            Some(format!("kubectl plumbline approve {name} -n {namespace}"))
        }
        Reason::AuditOnly => Some(format!(
            "set enforcement of policy {namespace}/{} to Approve or Enforce",
            drift.spec.policy
        )),
        Reason::Suspended => Some("kubectl plumbline resume policy|account NAME".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::drift::DriftSpec;
    use crate::api::policy::Target;

    fn drift(status: serde_json::Value) -> Drift {
        let mut drift = Drift::new(
            "backends-over-https-7f3a",
            DriftSpec {
                policy: "https-only".into(),
                policy_uid: "u".into(),
                rule: "backends-over-https".into(),
                endpoint: "111122223333-eu-west-1-restapi-abc".into(),
                target: Target::Method,
                resource: "GET /pets".into(),
                previous: None,
                reverts: None,
                approval: None,
            },
        );
        drift.metadata.namespace = Some("payments".into());
        drift.status = Some(serde_json::from_value(status).unwrap());
        drift
    }

    #[test]
    fn a_drift_that_waits_is_told_with_the_step_that_stops_it_and_what_to_do() {
        let told = story(&drift(serde_json::json!({
            "phase": "Waiting", "reason": "Disruptive", "message": "the repair can interrupt callers",
            "finding": "calls http://x in clear text", "endpointName": "payments-api-3", "stages": ["prod"],
            "difference": [{"path": "methodIntegration.uri", "from": "http://x", "to": "https://x"}],
            "plan": [{"operation": "UpdateIntegration", "parameters": {}}], "commands": ["aws apigateway update-integration"],
            "detectedAt": "2026-11-25T10:00:00Z",
        })));
        for part in [
            "backends-over-https of payments-api-3 GET /pets",
            "calls http://x in clear text",
            "methodIntegration.uri is \"http://x\", wanted is \"https://x\"",
            "callers of prod meet it",
            "found 2026-11-25T10:00:00Z",
            "aws apigateway update-integration",
            "yes is a repair known",
            "no  may it be made without a person's yes",
            "-   has it stood",
            "kubectl plumbline approve backends-over-https-7f3a -n payments",
        ] {
            assert!(told.contains(part), "{part} in:\n{told}");
        }
    }

    #[test]
    fn other_peoples_text_moves_no_cursor() {
        let told = story(&drift(
            serde_json::json!({"phase": "Detected", "finding": "a\u{1b}[2Jb\nc"}),
        ));
        assert!(!told.contains('\u{1b}') && told.contains("a [2Jb c"), "{told:?}");
    }
}
