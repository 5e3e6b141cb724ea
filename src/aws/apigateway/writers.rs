//! stub
pub fn edits() -> Vec<&'static str> {
    vec![]
}
