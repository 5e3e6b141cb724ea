//! One report with a finding of each kind, in every format; escapes; exit codes.

use serde_json::{Value, json};

use super::junit::escape;
use super::{Asked, Finding, Report, Source, render};
use crate::api::drift::{Call, Change, PatchOperation, Scope};
use crate::api::policy::{Severity, Target};
use crate::cli::check::Format;

fn asked(name: &str, severity: Severity, target: Target, controls: &[&str]) -> Asked {
    Asked {
        policy: "https-only".into(),
        name: name.into(),
        severity,
        controls: controls.iter().map(|&c| c.to_owned()).collect(),
        target,
    }
}

fn finding(rule: &Asked, name: &str, resource: &str) -> Finding {
    Finding {
        policy: rule.policy.clone(),
        rule: rule.name.clone(),
        severity: rule.severity,
        controls: rule.controls.clone(),
        account_id: "111122223333".into(),
        region: "eu-west-1".into(),
        target: rule.target,
        endpoint: "a1b2c3d4e5".into(),
        name: name.into(),
        resource: resource.into(),
        scope: Some(Scope::Live),
        stages: vec!["prod".into()],
        unknown: false,
        live_unknown: None,
        message: String::new(),
        observed: Value::Null,
        difference: vec![],
        plan: vec![],
        commands: vec![],
        no_repair: None,
        source: None,
    }
}

/// A live violation with a plan, one in a draft, one in a draft whose live state is not known, one unknown; something
/// unread, a fault, and a rule that found nothing.
fn report() -> Report {
    let backends = asked("backends-over-https", Severity::Critical, Target::Method, &[]);
    let tracing = asked(
        "tracing",
        Severity::Medium,
        Target::Stage,
        &["SecurityHub/APIGateway.3"],
    );
    let callers = asked("callers-over-https", Severity::High, Target::RestApi, &[]);
    let named = asked("described", Severity::Low, Target::RestApi, &[]);
    let clear = "calls http://example.com/a?b=1&c=<2> in clear text".to_owned();
    let findings = vec![
        Finding {
            scope: Some(Scope::Draft),
            stages: vec![],
            message: clear.clone(),
            ..finding(&backends, "pay & \"ship\"", "GET /pets")
        },
        Finding {
            message: clear,
            live_unknown: Some("stage prod: cannot be exported".into()),
            scope: Some(Scope::Draft),
            stages: vec![],
            ..finding(&backends, "payments-api-2", "POST /pets")
        },
        Finding {
            message: "tracingEnabled is false, not true".into(),
            observed: json!({"tracingEnabled": false}),
            difference: vec![Change {
                path: "tracingEnabled".into(),
                from: Some(json!(false)),
                to: Some(json!(true)),
            }],
            plan: vec![Call {
                operation: "UpdateStage".into(),
                parameters: [("restApiId", "a1b2c3d4e5"), ("stageName", "prod")]
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
                    .into(),
                patch_operations: vec![PatchOperation {
                    op: "replace".into(),
                    path: "/tracingEnabled".into(),
                    value: Some("true".into()),
                }],
            }],
            ..finding(&tracing, "payments-api-3", "prod")
        },
        Finding {
            severity: Severity::Informational,
            unknown: true,
            scope: None,
            stages: vec![],
            message: "require: what callers meet of policy is not shown by AWS".into(),
            ..finding(&callers, "payments-api-3", "")
        },
    ];
    Report {
        policies: vec!["https-only".into()],
        rules: vec![backends, tracing, callers, named],
        endpoints: 3,
        judged: 9,
        findings,
        unread: vec!["eu-west-1 f6g7h8: GetResources: AccessDeniedException: User u is not authorized".into()],
        faults: vec!["policies/bad.yaml: EndpointPolicy bad: rule r, require: no CEL at line 1, column 12".into()],
    }
}

/// The stored output is what people and programs rely on: a difference is a decision. `GOLDEN=write` writes it anew.
#[test]
fn each_kind_of_finding_in_each_format() {
    for (format, file, stored) in [
        (Format::Table, "table.txt", include_str!("golden/table.txt")),
        (Format::Json, "report.json", include_str!("golden/report.json")),
        (Format::Sarif, "report.sarif", include_str!("golden/report.sarif")),
        (Format::Junit, "junit.xml", include_str!("golden/junit.xml")),
    ] {
        let printed = render(&report(), format, false);
        if std::env::var_os("GOLDEN").is_some() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/output/golden");
            std::fs::write(format!("{folder}/{file}"), &printed).unwrap();
        } else {
            assert_eq!(printed, stored, "golden/{file} says otherwise");
        }
    }
}

#[test]
fn what_is_not_known_is_never_told_as_passed() {
    let xml = render(&report(), Format::Junit, false);
    assert!(
        xml.contains("name=\"described\"><skipped"),
        "not everything was read: {xml}"
    );
    let whole = Report {
        unread: vec![],
        faults: vec![],
        ..report()
    };
    let xml = render(&whole, Format::Junit, false);
    assert!(
        xml.contains("name=\"described\"/>"),
        "everything was read, and nothing found: {xml}"
    );

    let sarif: Value = serde_json::from_str(&render(&report(), Format::Sarif, false)).unwrap();
    let run = &sarif["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    for result in run["results"].as_array().unwrap() {
        let level = result["level"].as_str().unwrap();
        match result["kind"].as_str().unwrap() {
            "fail" => assert_ne!(level, "none"),
            _ => assert_eq!(level, "none", "the standard gives a level to failures alone"),
        }
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][at]["id"], result["ruleId"]);
    }
}

#[test]
fn a_row_is_a_row() {
    let rule = asked("r", Severity::Low, Target::Stage, &[]);
    let message = "two\nlines \u{1b}[2J".to_owned();
    let findings = vec![Finding {
        message,
        ..finding(&rule, "a", "prod")
    }];
    let table = render(
        &Report {
            findings,
            ..Report::default()
        },
        Format::Table,
        false,
    );
    assert!(table.contains("two lines  [2J\n"), "{table}");
}

#[test]
fn severities_have_a_level() {
    for (severity, level, score) in [
        (Severity::Critical, "error", Some("9.5")),
        (Severity::High, "error", Some("8.0")),
        (Severity::Medium, "warning", Some("5.5")),
        (Severity::Low, "note", Some("2.0")),
        (Severity::Informational, "note", None),
    ] {
        let rules = vec![asked("r", severity, Target::Stage, &[])];
        let sarif = render(
            &Report {
                rules,
                ..Report::default()
            },
            Format::Sarif,
            false,
        );
        let sarif: Value = serde_json::from_str(&sarif).unwrap();
        let rule = &sarif["runs"][0]["tool"]["driver"]["rules"][0];
        assert_eq!(rule["defaultConfiguration"]["level"], level, "{severity:?}");
        assert_eq!(rule["properties"]["security-severity"].as_str(), score, "{severity:?}");
    }
}

#[test]
fn a_fingerprint_stays_while_the_words_change() {
    let prints = |report: &Report| -> Vec<Value> {
        let sarif: Value = serde_json::from_str(&render(report, Format::Sarif, false)).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        results
            .iter()
            .map(|r| r["partialFingerprints"]["plumblineFinding/v1"].clone())
            .collect()
    };
    let before = report();
    let mut after = report();
    for finding in &mut after.findings {
        finding.message.push_str(", and more");
        finding.stages.push("test".into());
    }
    assert_eq!(prints(&before), prints(&after));
    let distinct: std::collections::BTreeSet<String> = prints(&before).iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), before.findings.len());
}

#[test]
fn text_becomes_xml() {
    for (text, xml, why) in [
        ("a & b", "a &amp; b", "an entity begins with it"),
        ("<x>", "&lt;x&gt;", "a tag"),
        ("\"it's\"", "&quot;it&apos;s&quot;", "the end of an attribute"),
        ("a\nb\tc\r", "a&#10;b&#9;c&#13;", "a reader would make spaces of them"),
        (
            "a\u{0}b\u{1b}[31m",
            "a\u{fffd}b\u{fffd}[31m",
            "XML has no word for control characters, not even an escape",
        ),
        ("\u{ffff}", "\u{fffd}", "nor for this"),
        ("]]>", "]]&gt;", "the end of what is taken as it is"),
        ("äöü €", "äöü €", "everything else is UTF-8"),
    ] {
        assert_eq!(escape(text), xml, "{why}");
    }
}

#[test]
fn exit_codes_say_how_it_ended() {
    let rule = asked("r", Severity::Low, Target::Stage, &[]);
    let violated = || vec![finding(&rule, "a", "")];
    let unknown = || {
        vec![Finding {
            unknown: true,
            ..finding(&rule, "a", "")
        }]
    };
    let half = || {
        vec![Finding {
            live_unknown: Some("denied".into()),
            ..finding(&rule, "a", "")
        }]
    };
    let said = || vec!["something".to_owned()];
    for (report, code, why) in [
        (Report::default(), 0, "everything holds"),
        (
            Report {
                findings: violated(),
                ..Report::default()
            },
            1,
            "a finding",
        ),
        (
            Report {
                findings: unknown(),
                ..Report::default()
            },
            2,
            "something could not be told",
        ),
        (
            Report {
                findings: half(),
                ..Report::default()
            },
            2,
            "whether callers meet it could not be told",
        ),
        (
            Report {
                findings: [violated(), unknown()].concat(),
                ..Report::default()
            },
            2,
            "unknown outweighs findings",
        ),
        (
            Report {
                unread: said(),
                ..Report::default()
            },
            2,
            "something could not be read",
        ),
        (
            Report {
                faults: said(),
                ..Report::default()
            },
            2,
            "a policy is wrong, so its rules were not asked",
        ),
        (
            Report {
                findings: violated(),
                faults: said(),
                ..Report::default()
            },
            2,
            "a wrong policy outweighs findings",
        ),
    ] {
        assert_eq!(report.exit_code(), code, "{why}");
    }
}

#[test]
fn what_is_not_deployed_has_a_file_and_a_line() {
    let rule = asked("r", Severity::High, Target::Stage, &[]);
    let source = Some(Source {
        file: "a & b/t.yaml".into(),
        line: 7,
        logical_id: "Live".into(),
    });
    let findings = vec![Finding {
        message: "tracingEnabled is false, not true".into(),
        source,
        ..finding(&rule, "shop", "prod")
    }];
    let report = Report {
        policies: vec!["https-only".into()],
        rules: vec![rule],
        findings,
        ..Report::default()
    };
    for (format, words) in [
        (
            Format::Table,
            "High       a & b/t.yaml:7   shop       prod       r      tracingEnabled is false, not true (stages: prod)",
        ),
        (Format::Json, "\"file\": \"a & b/t.yaml\""),
        (Format::Sarif, "\"uri\": \"a%20%26%20b/t.yaml\""),
        (Format::Sarif, "\"startLine\": 7"),
        (
            Format::Junit,
            "name=\"a &amp; b/t.yaml:7 shop prod\" file=\"a &amp; b/t.yaml\" line=\"7\"",
        ),
    ] {
        let printed = render(&report, format, false);
        assert!(printed.contains(words), "{words} is missing: {printed}");
    }
}
