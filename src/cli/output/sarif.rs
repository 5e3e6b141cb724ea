//! Under construction.
use super::Report;
pub(super) fn render(_: &Report) -> String {
    String::new()
}
