//! stub
use super::events::*;
use crate::api::drift::Change;
use crate::api::policy::Target;
use crate::judge::snapshot::EndpointId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
pub struct Question<'a> {
    pub endpoint: &'a EndpointId,
    pub target: Target,
    pub address: &'a BTreeMap<String, String>,
    pub changes: &'a [Change],
    pub deployments: &'a BTreeMap<String, String>,
    pub before: Timestamp,
}
pub struct Explanation<'e> {
    pub editor: Option<&'e Event>,
    pub deployer: Option<&'e Event>,
}
pub fn explain<'e>(_: &Question<'_>, _: &'e [Event], _: &Own) -> Explanation<'e> {
    Explanation {
        editor: None,
        deployer: None,
    }
}
pub fn names(_: &Question<'_>) -> BTreeSet<&'static str> {
    BTreeSet::new()
}
pub struct Own {}
impl Own {
    pub fn new(_: Vec<String>) -> Self {
        Own {}
    }
    pub fn is_own(&self, _: &Principal) -> bool {
        false
    }
}
pub fn wrote_between<'e>(_: &'e [Event], _: &EndpointId, _: Timestamp, _: Timestamp, _: &str) -> Option<&'e Event> {
    None
}
