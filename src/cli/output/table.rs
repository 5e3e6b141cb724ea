//! Columns for people, as kubectl aligns them.

use std::fmt::Write;

use super::{Finding, NoRepair, Report, plain};
use crate::api::Reason;

const HEAD: [&str; 6] = ["SEVERITY", "ENDPOINT", "RESOURCE", "RULE", "SCOPE", "FINDING"];

pub(super) fn render(report: &Report, plans: bool) -> String {
    let rows: Vec<[String; 6]> = report.findings.iter().map(row).collect();
    let mut out = String::new();
    if !rows.is_empty() {
        let width = |column: usize| {
            let cells = rows.iter().map(|r| r[column].chars().count());
            cells.chain([HEAD[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        line(&mut out, &HEAD.map(str::to_owned), &widths);
        for row in &rows {
            line(&mut out, row, &widths);
        }
        out.push('\n');
    }
    if plans {
        report.findings.iter().for_each(|finding| plan(&mut out, finding));
    }
    for finding in &report.findings {
        // Two policies that quarrel are no matter of this endpoint alone: it is told without being asked for.
        if let Some(NoRepair { reason, message }) = &finding.no_repair
            && matches!(reason, Reason::Conflicted | Reason::Overruled)
        {
            let (policy, rule) = (&finding.policy, &finding.rule);
            let told = plain(&format!("{policy}, rule {rule} on {}: {message}", finding.place()));
            let _ = writeln!(out, "{}: {told}", reason.as_str());
        }
    }
    for unread in &report.unread {
        let _ = writeln!(out, "could not be read: {}", plain(unread));
    }
    for fault in &report.faults {
        let _ = writeln!(out, "wrong in a policy: {}", plain(fault));
    }
    let unknown = report
        .findings
        .iter()
        .filter(|f| f.unknown || f.live_unknown.is_some())
        .count()
        + report.unread.len();
    let _ = writeln!(
        out,
        "{} endpoints, {} verdicts: {} violations, {unknown} unknown",
        report.endpoints,
        report.judged,
        report.findings.iter().filter(|f| !f.unknown).count(),
    );
    out
}

/// What would repair one finding.
fn plan(out: &mut String, finding: &Finding) {
    if finding.unknown {
        return;
    }
    let _ = writeln!(out, "{} on {}:", finding.rule, plain(&finding.place()));
    match &finding.no_repair {
        Some(NoRepair { reason, message }) => {
            let _ = writeln!(out, "  no repair, {}: {}", reason.as_str(), plain(message));
        }
        None => finding.commands.iter().for_each(|command| {
            let _ = writeln!(out, "  {}", plain(command));
        }),
    }
    out.push('\n');
}

fn row(finding: &Finding) -> [String; 6] {
    let severity = if finding.unknown {
        "Unknown".to_owned()
    } else {
        finding.severity.as_str().to_owned()
    };
    let scope = match (finding.scope, finding.stages.is_empty()) {
        (None, _) => String::new(),
        (Some(scope), true) => format!("{scope:?}"),
        (Some(scope), false) => format!("{scope:?} {}", finding.stages.join(",")),
    };
    [
        severity,
        finding.name.clone(),
        finding.resource.clone(),
        finding.rule.clone(),
        scope,
        finding.told(),
    ]
    .map(|cell| plain(&cell))
}

fn line(out: &mut String, cells: &[String; 6], widths: &[usize]) {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    out.push_str(padded.join("   ").trim_end());
    out.push('\n');
}
