//! One JSON document.

use super::Report;

pub(super) fn render(report: &Report) -> String {
    format!("{}\n", serde_json::to_string_pretty(report).unwrap_or_default())
}
