//! Placeholder.
use std::sync::Arc;
/// A JSON document.
#[derive(Clone, Debug)]
pub struct Document(Arc<serde_json::Value>);
impl Document {
    /// Of JSON.
    pub fn new(json: impl Into<Arc<serde_json::Value>>) -> Self {
        Document(json.into())
    }
    /// Its JSON.
    pub fn json(&self) -> &serde_json::Value {
        &self.0
    }
}
