//! The words that people get. What stands on AWS was written by anybody: it is quoted in one line and cut.

use std::fmt::Write;

use serde_json::Value;

use super::entry::{Entry, Transition};
use crate::api::drift::{Actor, Call, Phase, Resolution, Scope};
use crate::api::policy::EndpointType;

/// SNS takes no longer subject.
const SUBJECT: usize = 100;

/// So many differences, patch operations and pending edits are written out each; the record has the others.
const LINES: usize = 20;

/// So much of one value is quoted.
const QUOTE: usize = 200;

/// So much of a sentence is quoted.
const SENTENCE: usize = 2000;

/// At most 100 characters of ASCII, in one line.
pub fn subject(entry: &Entry) -> String {
    let what = match entry.transition {
        Transition::Detected if entry.reverts.is_some() => "Repair to be taken back",
        Transition::Detected => "Drift",
        Transition::Planned => "Drift planned anew",
        Transition::Waiting => "Drift waits",
        Transition::Failed => "Repair failed",
        Transition::Resolved => "Resolved",
        Transition::Abandoned => "Repair given up",
    };
    let text = format!(
        "[{}] {what}: {} on {} ({})",
        entry.severity.as_str(),
        entry.rule,
        name(entry),
        entry.account
    );
    text.chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(SUBJECT)
        .collect()
}

/// What, where, since when, what differs, what happens next, and where to look.
pub fn body(entry: &Entry) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(entry, &mut text);
    text
}

fn write(entry: &Entry, to: &mut String) -> std::fmt::Result {
    let (name, rule) = (name(entry), &entry.rule);
    match entry.transition {
        _ if entry.reverts.is_some() => writeln!(to, "On {name} a repair by the rule {rule} is taken back.")?,
        Transition::Detected => writeln!(to, "{name} violates the rule {rule}.")?,
        Transition::Planned => writeln!(to, "{name} violates the rule {rule}, and the repair is planned anew.")?,
        Transition::Waiting => writeln!(to, "{name} violates the rule {rule}, and the repair waits.")?,
        Transition::Failed => writeln!(to, "{name} violates the rule {rule}, and the repair did not work.")?,
        Transition::Abandoned => writeln!(
            to,
            "Somebody deleted the Drift of the rule {rule} on {name} in the middle of its repair, which is given up unfinished."
        )?,
        Transition::Resolved => writeln!(
            to,
            "{name} no longer counts as violating the rule {rule}: {}.",
            ending(entry)
        )?,
    }
    if !entry.finding.is_empty() {
        writeln!(to, "It says: {}", line(&entry.finding, SENTENCE))?;
    }
    writeln!(to)?;
    facts(entry, to)?;
    if !entry.difference.is_empty() {
        writeln!(
            to,
            "\nWhat {}:",
            if entry.transition == Transition::Resolved {
                "differed"
            } else {
                "differs"
            }
        )?;
        let all = entry.difference.iter().map(|c| {
            format!(
                "{}: found {}, wanted {}",
                line(&c.path, QUOTE),
                quote(c.from.as_ref()),
                quote(c.to.as_ref())
            )
        });
        list(all.collect(), to)?;
    }
    next(entry, to)?;
    writeln!(to)?;
    if let Some(audit) = &entry.audit {
        writeln!(to, "The record: s3://{}/{}", audit.bucket, audit.key)?;
    }
    writeln!(
        to,
        "To look:    kubectl describe drift {} -n {}",
        entry.drift.name, entry.drift.namespace
    )?;
    writeln!(
        to,
        "Id:         {} (a repetition of this message has the same)",
        entry.id
    )
}

fn facts(entry: &Entry, to: &mut String) -> std::fmt::Result {
    let kind = match entry.endpoint.type_ {
        EndpointType::RestApi => "REST API",
        EndpointType::DomainName => "domain name",
    };
    write!(
        to,
        "Where:    account {}, {}, {kind} {}",
        entry.account,
        entry.region,
        line(&entry.endpoint.id, QUOTE)
    )?;
    if !entry.resource.is_empty() {
        write!(to, ", {}", line(&entry.resource, QUOTE))?;
    }
    writeln!(to)?;
    match (entry.scope, entry.stages.is_empty()) {
        (Scope::Draft, _) => writeln!(to, "Meets it: nobody yet, it is drafted and not deployed")?,
        (Scope::Live, false) => writeln!(to, "Meets it: callers of {}", line(&entry.stages.join(", "), SENTENCE))?,
        (Scope::Live, true) => {}
    }
    if let Some(detected) = &entry.times.detected {
        let until = entry
            .times
            .resolved
            .as_ref()
            .map(|at| format!(" until {at}"))
            .unwrap_or_default();
        writeln!(to, "Since:    {detected}{until}")?;
    }
    write!(
        to,
        "Rule:     {} of policy {}/{}",
        entry.rule, entry.drift.namespace, entry.policy
    )?;
    writeln!(to, ", severity {}", entry.severity.as_str())?;
    if !entry.controls.is_empty() {
        writeln!(to, "Controls: {}", line(&entry.controls.join(", "), SENTENCE))?;
    }
    let who = |actor: &Actor| line(&format!("{} ({})", actor.name, actor.arn), SENTENCE);
    let actors = entry.actors.clone().unwrap_or_default();
    if let Some(editor) = &actors.editor {
        writeln!(to, "Edited:   by {}", who(editor))?;
    }
    if let Some(deployer) = &actors.deployer {
        writeln!(to, "Deployed: by {}", who(deployer))?;
    }
    Ok(())
}

fn next(entry: &Entry, to: &mut String) -> std::fmt::Result {
    let reason = entry.reason.map(|r| format!(" ({})", r.as_str())).unwrap_or_default();
    let message = if entry.message.is_empty() {
        String::new()
    } else {
        format!(": {}", line(&entry.message, SENTENCE))
    };
    let calls = match (entry.transition, entry.phase) {
        (Transition::Resolved, _) => {
            if !entry.message.is_empty() {
                writeln!(to, "\nHow it ended{message}")?;
            }
            if let Some(proof) = &entry.proof {
                writeln!(to, "\nHow that is known: {}", line(proof, SENTENCE))?;
            }
            return Ok(());
        }
        (Transition::Failed, _) => {
            writeln!(to, "\nWhy it failed{reason}{message}")?;
            "The calls of the repair"
        }
        (Transition::Abandoned, _) => {
            writeln!(to, "\nWhere it stopped{message}")?;
            "The calls of the repair"
        }
        (Transition::Waiting, _) | (_, Phase::Waiting) => {
            writeln!(to, "\nIt waits{reason}{message}")?;
            "Once it waits no longer, these calls repair it"
        }
        _ if entry.reason == Some(crate::api::Reason::AuditOnly) => {
            writeln!(
                to,
                "\nIt is reported and not repaired: the policy's enforcement is Audit."
            )?;
            "These calls would repair it"
        }
        _ if entry.plan.is_empty() => {
            if !entry.message.is_empty() {
                writeln!(to, "\nWhat happens next{reason}{message}")?;
            }
            return Ok(());
        }
        _ => "What happens next: these calls repair it as soon as the policy lets them",
    };
    if entry.plan.is_empty() {
        return Ok(());
    }
    writeln!(to, "\n{calls}:")?;
    list(entry.plan.iter().flat_map(written).collect(), to)?;
    if !entry.pending_edits.is_empty() {
        writeln!(to, "\nA deployment would also publish:")?;
        list(entry.pending_edits.iter().map(|edit| line(edit, QUOTE)).collect(), to)?;
    }
    Ok(())
}

/// How a Drift ended, to stand behind a colon.
fn ending(entry: &Entry) -> &'static str {
    match entry.resolution {
        Some(Resolution::Repaired) => "Plumbline repaired it",
        Some(Resolution::FixedElsewhere) => "it was put right without Plumbline's hand",
        Some(Resolution::Exempted) => "an exception applies",
        Some(Resolution::PolicyDeleted) => "the policy or its rule is gone",
        Some(Resolution::AccountRemoved) => "the account is gone or its grant withdrawn",
        Some(Resolution::Gone) => "it is gone",
        Some(Resolution::Reverted) => "a person had the repair taken back",
        None => "it is over",
    }
}

/// The endpoint as people know it.
fn name(entry: &Entry) -> String {
    let known = if entry.endpoint.name.is_empty() {
        &entry.endpoint.id
    } else {
        &entry.endpoint.name
    };
    line(known, QUOTE)
}

/// A call, a line for each of its patch operations.
fn written(call: &Call) -> Vec<String> {
    let parameters: Vec<_> = call
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let head = line(&format!("{} {}", call.operation, parameters.join(" ")), SENTENCE);
    let patches = call.patch_operations.iter().map(|patch| {
        let value = patch
            .value
            .as_ref()
            .map(|v| format!(" to {}", line(v, QUOTE)))
            .unwrap_or_default();
        format!("    {} {}{value}", patch.op, line(&patch.path, QUOTE))
    });
    std::iter::once(head).chain(patches).collect()
}

fn list(items: Vec<String>, to: &mut String) -> std::fmt::Result {
    let more = items.len().saturating_sub(LINES);
    for item in items.into_iter().take(LINES) {
        writeln!(to, "  {item}")?;
    }
    if more > 0 {
        writeln!(to, "  and {more} more in the record")?;
    }
    Ok(())
}

fn quote(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".into(), |value| line(&value.to_string(), QUOTE))
}

/// One line of at most so many bytes: a value from AWS shall not write lines of its own into a letter.
fn line(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = clean.floor_char_boundary(most);
    if end < clean.len() {
        format!("{}… (cut)", &clean[..end])
    } else {
        clean
    }
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
