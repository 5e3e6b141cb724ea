//! `JUnit` XML: a suite for each policy, a case for each finding.
//!
//! A rule without a finding is a case that passes, but only if everything was read: otherwise it is skipped, as nobody
//! knows whether it holds.

use std::fmt::Write as _;

use super::{Finding, Report, Source};

pub(super) fn render(report: &Report) -> String {
    let mut suites: Vec<Suite> = report.policies.iter().map(|policy| suite(report, policy)).collect();
    suites.extend(trouble(report));
    let all = |count: fn(&Case) -> bool| suites.iter().flat_map(|s| &s.cases).filter(|c| count(c)).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"plumbline\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
        all(|_| true),
        all(Case::is_failure),
        all(Case::is_error),
        all(Case::is_skipped),
    );
    for suite in &suites {
        suite.write(&mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    class: String,
    name: String,
    source: Option<Source>,
    end: End,
}

enum End {
    Passed,
    /// Nobody knows; says why.
    Skipped(&'static str),
    /// What was found, and its details.
    Failed {
        severity: &'static str,
        message: String,
        details: String,
    },
    /// Of which kind, and what could not be told.
    Errored(&'static str, String),
}

fn suite(report: &Report, policy: &str) -> Suite {
    let complete = report.unread.is_empty() && report.faults.is_empty();
    let mut cases: Vec<Case> = report
        .findings
        .iter()
        .filter(|f| f.policy == policy)
        .map(case)
        .collect();
    let silent = |name: &str| !report.findings.iter().any(|f| f.policy == policy && f.rule == name);
    for rule in report.rules.iter().filter(|r| r.policy == policy && silent(&r.name)) {
        cases.push(Case {
            class: format!("{policy}.{}", rule.name),
            name: rule.name.clone(),
            source: None,
            end: if complete {
                End::Passed
            } else {
                End::Skipped("no finding, but not everything could be read and judged")
            },
        });
    }
    Suite {
        name: policy.to_owned(),
        cases,
    }
}

fn case(finding: &Finding) -> Case {
    let end = if finding.unknown {
        End::Errored("Unknown", finding.told())
    } else {
        let mut details = String::new();
        for change in &finding.difference {
            let show = |value: &Option<serde_json::Value>| value.as_ref().map_or("nothing".into(), ToString::to_string);
            let _ = writeln!(
                details,
                "{}: {} -> {}",
                change.path,
                show(&change.from),
                show(&change.to)
            );
        }
        if !finding.stages.is_empty() {
            let _ = writeln!(details, "stages: {}", finding.stages.join(", "));
        }
        End::Failed {
            severity: finding.severity.as_str(),
            message: finding.told(),
            details,
        }
    };
    Case {
        class: format!("{}.{}", finding.policy, finding.rule),
        name: finding.place(),
        source: finding.source.clone(),
        end,
    }
}

/// What belongs to no policy: what could not be read, and policies that are wrong.
fn trouble(report: &Report) -> Option<Suite> {
    let case = |class: &str, name: String, kind, text: &String| Case {
        class: class.to_owned(),
        name,
        source: None,
        end: End::Errored(kind, text.clone()),
    };
    let unread = report.unread.iter().enumerate();
    let unread = unread.map(|(at, text)| case("plumbline.reading", format!("reading {}", at + 1), "Unread", text));
    let faults = report.faults.iter().enumerate();
    let faults = faults.map(|(at, text)| case("plumbline.policies", format!("policy {}", at + 1), "Fault", text));
    let cases: Vec<Case> = unread.chain(faults).collect();
    (!cases.is_empty()).then(|| Suite {
        name: "plumbline".into(),
        cases,
    })
}

impl Suite {
    fn write(&self, out: &mut String) {
        let count = |which: fn(&Case) -> bool| self.cases.iter().filter(|c| which(c)).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">",
            escape(&self.name),
            self.cases.len(),
            count(Case::is_failure),
            count(Case::is_error),
            count(Case::is_skipped),
        );
        for case in &self.cases {
            case.write(out);
        }
        out.push_str("  </testsuite>\n");
    }
}

impl Case {
    fn is_failure(&self) -> bool {
        matches!(self.end, End::Failed { .. })
    }

    fn is_error(&self) -> bool {
        matches!(self.end, End::Errored(..))
    }

    fn is_skipped(&self) -> bool {
        matches!(self.end, End::Skipped(_))
    }

    fn write(&self, out: &mut String) {
        let (class, name) = (escape(&self.class), escape(&self.name));
        let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{name}\"");
        if let Some(source) = &self.source {
            let _ = write!(out, " file=\"{}\" line=\"{}\"", escape(&source.file), source.line);
        }
        let _ = match &self.end {
            End::Passed => writeln!(out, "/>"),
            End::Skipped(why) => writeln!(out, "><skipped message=\"{}\"/></testcase>", escape(why)),
            End::Failed {
                severity,
                message,
                details,
            } => writeln!(
                out,
                ">\n      <failure type=\"{severity}\" message=\"{}\">{}</failure>\n    </testcase>",
                escape(message),
                escape(details)
            ),
            End::Errored(kind, message) => {
                writeln!(
                    out,
                    ">\n      <error type=\"{kind}\" message=\"{}\"/>\n    </testcase>",
                    escape(message)
                )
            }
        };
    }
}

/// For attributes and text alike. What XML 1.0 cannot say at all becomes U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // A reader would make spaces of these in an attribute.
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
