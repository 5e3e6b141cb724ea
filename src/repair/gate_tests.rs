use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::api::policy::{Enforcement, Severity};

const NOW: &str = "2026-11-25T12:00:00Z";

fn plan_that_deploys() -> Plan {
    Plan {
        patches: vec![],
        deploy: vec!["prod".into()],
        inverse: vec![],
        irreversible: vec![],
        disruptions: vec![],
        paths: vec![],
        overlay: json!({}),
    }
}

fn violation() -> Violation {
    Violation {
        scope: Scope::Live,
        live_unknown: None,
        stages: vec!["prod".into()],
        severity: Severity::High,
        controls: vec![],
        finding: String::new(),
        observed: Value::Null,
        desired: Value::Null,
        difference: vec![],
        remedy: Remedy::Plan(plan_that_deploys()),
        allowed: Enforcement::Enforce,
        asked: Enforcement::Enforce,
        granted: Enforcement::Enforce,
        redeploy: Redeploy::WhenClean,
        drafts: false,
        allow_disruption: false,
        priority: 0,
    }
}

/// Facts that let a drift through, changed in one or two respects.
struct World {
    violation: Violation,
    suspended: Option<Suspension>,
    under_way: bool,
    answer: Answer,
    managed_by: Option<&'static str>,
    held_back: Option<HeldBack>,
    settled_in: i64,
    awaits_message: bool,
    hours: Hours,
}

fn world(change: impl FnOnce(&mut World)) -> World {
    let mut world = World {
        violation: violation(),
        suspended: None,
        under_way: false,
        answer: Answer::None,
        managed_by: None,
        held_back: None,
        settled_in: 0,
        awaits_message: false,
        hours: Hours::Open,
    };
    change(&mut world);
    world
}

fn ask(world: &World) -> Gate {
    let now: Timestamp = NOW.parse().unwrap();
    decide(&Facts {
        violation: &world.violation,
        suspended: world.suspended.as_ref(),
        under_way: world.under_way,
        answer: &world.answer,
        managed_by: world.managed_by,
        held_back: world.held_back.as_ref(),
        settled_at: now + SignedDuration::from_secs(world.settled_in),
        awaits_message: world.awaits_message,
        hours: world.hours,
        now,
    })
}

fn reason(gate: &Gate) -> Option<Reason> {
    match gate {
        Gate::Open => None,
        Gate::Audit(reason, _) => Some(*reason),
        Gate::Wait(wait) => Some(wait.reason),
    }
}

fn approved() -> Answer {
    Answer::Approved { by: "anna".into() }
}

fn contested() -> HeldBack {
    HeldBack {
        reason: Reason::Contested,
        message: "somebody else wants it otherwise".into(),
        until: None,
    }
}

fn plan_of(w: &mut World) -> &mut Plan {
    match &mut w.violation.remedy {
        Remedy::Plan(plan) => plan,
        Remedy::None { .. } => panic!("a plan"),
    }
}

#[test]
#[rustfmt::skip]
#[expect(clippy::large_stack_arrays, reason = "one row for each way to be held back")]
fn the_first_step_that_does_not_let_a_drift_through_gives_the_reason() {
    let opens = Hours::ClosedUntil("2026-11-26T02:00:00Z".parse().unwrap());
    for (found, wanted, why) in [
        (world(|_| {}), None, "nothing stands against it"),
        (world(|w| w.violation.remedy = Remedy::None { reason: Reason::NotRepairable, message: String::new() }), Some(Reason::NotRepairable), "no repair is known"),
        (world(|w| w.violation.asked = Enforcement::Audit), Some(Reason::AuditOnly), "the policy only looks"),
        (world(|w| w.violation.granted = Enforcement::Audit), Some(Reason::GrantLimits), "the grant only looks"),
        (world(|w| w.suspended = Some(Suspension::Policy)), Some(Reason::Suspended), "suspended"),
        (world(|w| { w.suspended = Some(Suspension::Controller); w.answer = approved(); }), Some(Reason::Suspended), "a yes does not open a kill switch"),
        (world(|w| w.violation.scope = Scope::Draft), Some(Reason::DraftOnly), "a draft is somebody's work"),
        (world(|w| { w.violation.scope = Scope::Draft; w.violation.live_unknown = Some("denied".into()); }), Some(Reason::LiveUnknown), "what callers meet is not known"),
        (world(|w| { w.violation.scope = Scope::Draft; w.violation.drafts = true; }), None, "drafts are asked for"),
        (world(|w| w.violation.asked = Enforcement::Approve), Some(Reason::ApprovalRequired), "the policy asks a person"),
        (world(|w| w.violation.granted = Enforcement::Approve), Some(Reason::ApprovalRequired), "the grant asks a person"),
        (world(|w| { w.violation.asked = Enforcement::Approve; w.answer = approved(); }), None, "the person said yes"),
        (world(|w| w.answer = Answer::Rejected { by: "anna".into(), reason: "release day".into() }), Some(Reason::Rejected), "a no counts under Enforce too"),
        (world(|w| { w.violation.asked = Enforcement::Approve; w.answer = Answer::Void("the plan has changed".into()); }), Some(Reason::ApprovalRequired), "a yes to another plan is none"),
        (world(|w| w.answer = Answer::Void("the plan has changed".into())), None, "and where none is needed it does no harm"),
        (world(|w| plan_of(w).disruptions = vec!["callers are refused".into()]), Some(Reason::Disruptive), "callers can be interrupted"),
        (world(|w| { plan_of(w).disruptions = vec!["callers are refused".into()]; w.violation.allow_disruption = true; }), None, "the rule takes it"),
        (world(|w| { plan_of(w).disruptions = vec!["callers are refused".into()]; w.answer = approved(); }), None, "the person takes it"),
        (world(|w| w.managed_by = Some("CloudFormation stack payments")), Some(Reason::ManagedElsewhere), "their next run would undo it"),
        (world(|w| { w.managed_by = Some("Terraform"); w.answer = approved(); }), None, "the person knows"),
        (world(|w| w.held_back = Some(contested())), Some(Reason::Contested), "it was put back too often"),
        (world(|w| { w.held_back = Some(contested()); w.answer = approved(); }), None, "the person settled it"),
        (world(|w| w.violation.redeploy = Redeploy::Never), Some(Reason::RedeployNever), "it must deploy and may not"),
        (world(|w| { w.violation.redeploy = Redeploy::Never; plan_of(w).deploy.clear(); }), None, "it need not deploy"),
        (world(|w| w.awaits_message = true), Some(Reason::AwaitingMessage), "repairs start from messages, and none came"),
        (world(|w| { w.awaits_message = true; w.answer = approved(); }), Some(Reason::AwaitingMessage), "a yes is no message"),
        (world(|w| { w.awaits_message = true; w.under_way = true; }), None, "it was started"),
        (world(|w| w.settled_in = 30), Some(Reason::Settling), "somebody may be in the middle of something"),
        (world(|w| { w.settled_in = 30; w.violation.asked = Enforcement::Approve; w.answer = approved(); }), Some(Reason::Settling), "a yes moves no time"),
        (world(|w| w.hours = opens), Some(Reason::OutsideWindow), "not now"),
        (world(|w| { w.hours = opens; w.answer = approved(); }), Some(Reason::OutsideWindow), "windows hold for approved repairs too"),
        (world(|w| { w.under_way = true; w.settled_in = 30; w.hours = opens; w.managed_by = Some("Terraform"); }), None, "what has begun is brought to its end"),
        (world(|w| { w.under_way = true; w.suspended = Some(Suspension::Policy); }), Some(Reason::Suspended), "unless somebody pulls the switch"),
    ] {
        let gate = ask(&found);
        assert_eq!(reason(&gate), wanted, "{why}: {gate:?}");
        if let Some(reason) = wanted {
            assert!(STEPS.iter().any(|step| step.reasons.contains(&reason)), "{reason:?} has its place among the steps");
        }
    }
}

#[test]
fn what_waits_for_a_moment_says_which_and_the_words_stay_the_same() {
    for waiting in [
        world(|w| w.settled_in = 30),
        world(|w| w.hours = Hours::ClosedUntil("2026-11-26T02:00:00Z".parse().unwrap())),
    ] {
        let Gate::Wait(wait) = ask(&waiting) else {
            panic!("it waits");
        };
        let until = wait.until.unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        assert!(wait.message.contains(&until), "{}", wait.message);
    }
}

#[test]
fn an_answer_that_does_not_count_is_told_beside_the_question() {
    let Gate::Wait(wait) = ask(&world(|w| {
        w.violation.asked = Enforcement::Approve;
        w.answer = Answer::Void("the plan has changed since anna decided about it".into());
    })) else {
        panic!("it waits");
    };
    assert!(wait.message.contains("changed since anna"), "{}", wait.message);
}

#[test]
fn a_deployment_publishes_others_edits_only_when_asked_to() {
    let edits = vec!["GET /new was added".to_owned()];
    let dirty = Cleanliness::Dirty(edits.clone());
    let unsure = Cleanliness::CannotTell(vec!["cacheNamespace is not shown".into()]);
    for (redeploy, clean, approved, wanted, why) in [
        (
            Redeploy::WhenClean,
            &Cleanliness::Clean,
            None,
            None,
            "nothing of others' in the editor",
        ),
        (
            Redeploy::WhenClean,
            &dirty,
            None,
            Some(Reason::RedeployPending),
            "somebody's work",
        ),
        (
            Redeploy::WhenClean,
            &unsure,
            None,
            Some(Reason::RedeployUncertain),
            "perhaps somebody's work",
        ),
        (Redeploy::Always, &dirty, None, None, "the policy takes it"),
        (
            Redeploy::WhenClean,
            &dirty,
            Some(edits.as_slice()),
            None,
            "the person agreed to these edits",
        ),
        (
            Redeploy::WhenClean,
            &dirty,
            Some(&["GET /old was added".to_owned()][..]),
            Some(Reason::RedeployPending),
            "the person agreed to others",
        ),
        (
            Redeploy::WhenClean,
            &dirty,
            Some(&[][..]),
            Some(Reason::RedeployPending),
            "when the person agreed there were none",
        ),
    ] {
        assert_eq!(
            reason(&decide_deployment(redeploy, "prod", clean, approved)),
            wanted,
            "{why}"
        );
    }
}
