use super::*;
use crate::api::drift::Change;
use crate::record::entry::tests::{drift, place};

fn entry(transition: Transition) -> Entry {
    Entry::new(&drift(), transition, &place(), None)
        .unwrap()
        .recorded("acme", "audit/x.jsonl.gz")
}

#[test]
fn a_letter_says_what_where_since_when_and_what_next() {
    let wanted = "\
payments-api-3 violates the rule backends-over-https, and the repair waits.
It says: calls http://backend in clear text

Where:    account 111122223333, eu-west-1, REST API abc123, GET /pets
Meets it: callers of prod
Since:    2026-03-01T08:00:00Z
Rule:     backends-over-https of policy payments/https-only, severity Critical
Controls: SecurityHub/APIGateway.2
Edited:   by role/Dev/anna (arn:aws:sts::1:assumed-role/Dev/anna)

What differs:
  methodIntegration.uri: found \"http://backend\", wanted \"https://backend\"

It waits (RedeployPending): a deployment would publish 1 other edit

Once it waits no longer, these calls repair it:
  UpdateIntegration httpMethod=GET resourceId=r1 restApiId=abc123
      replace /uri to https://backend

A deployment would also publish:
  POST /pets: authorizationType

The record: s3://acme/audit/x.jsonl.gz
To look:    kubectl describe drift backends-over-https-7f3a -n payments
Id:         0a1b/Waiting (a repetition of this message has the same)
";
    assert_eq!(body(&entry(Transition::Waiting)), wanted);
}

#[test]
fn each_transition_has_its_own_words() {
    let resolved = Entry {
        resolution: Some(Resolution::Repaired),
        proof: Some("read back".into()),
        phase: Phase::Resolved,
        ..entry(Transition::Resolved)
    };
    let audit = Entry {
        phase: Phase::Detected,
        reason: Some(crate::api::Reason::AuditOnly),
        ..entry(Transition::Detected)
    };
    let found = Entry {
        phase: Phase::Detected,
        reason: None,
        ..entry(Transition::Detected)
    };
    for (entry, words) in [
        (&resolved, "Plumbline repaired it."),
        (&resolved, "How that is known: read back"),
        (&audit, "reported and not repaired"),
        (&audit, "These calls would repair it:"),
        (&found, "What happens next: these calls repair it"),
        (&self::entry(Transition::Failed), "Why it failed (RedeployPending)"),
    ] {
        assert!(body(entry).contains(words), "{words:?} not in\n{}", body(entry));
    }
    assert!(!body(&resolved).contains("calls repair"), "what is over needs no plan");
}

#[test]
fn a_subject_is_short_and_plain() {
    let mut entry = entry(Transition::Failed);
    assert_eq!(
        subject(&entry),
        "[Critical] Repair failed: backends-over-https on payments-api-3 (111122223333)"
    );
    entry.endpoint.name = format!("zahlungen\nüber {}", "x".repeat(300));
    let subject = subject(&entry);
    assert_eq!(subject.len(), SUBJECT);
    assert!(subject.contains("zahlungen ?ber"), "{subject}");
}

#[test]
fn what_stands_on_aws_cannot_write_lines_of_its_own_or_fill_a_letter() {
    let mut entry = entry(Transition::Waiting);
    entry.finding = "x\n\nThe record: s3://evil/".into();
    entry.difference = (0..1000)
        .map(|i| Change {
            path: format!("p{i}"),
            from: Some("y\r\n".repeat(10_000).into()),
            to: None,
        })
        .collect();
    let body = body(&entry);
    assert!(!body.contains("\nThe record: s3://evil"), "{body}");
    assert!(body.contains("and 980 more in the record"), "{body}");
    assert!(body.len() < 32 * 1024, "{}", body.len());
}
