//! Values with which rules held: what a `restore` puts back one day.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What one look at an endpoint leaves to be remembered. Rules and policies may come in any order.
#[derive(Default)]
pub(super) struct Memory {
    values: BTreeMap<String, (usize, Value)>,
    vetoed: BTreeSet<String>,
}

/// Where drafts stand among the states that a value can come from: behind everything that callers meet.
pub(super) const DRAFT: usize = usize::MAX;

impl Memory {
    /// A value with which a rule held, and the place of the state it stood in. One that stood further ahead is kept.
    pub fn keep(&mut self, slot: String, place: usize, value: Value) {
        match self.values.get(&slot) {
            Some((before, _)) if *before <= place => {}
            _ => {
                self.values.insert(slot, (place, value));
            }
        }
    }

    /// A rule is violated, so that what stands in the slot now is nothing to go back to, whoever else is content with it.
    pub fn veto(&mut self, slot: String) {
        self.vetoed.insert(slot);
    }

    /// What is left.
    pub fn values(self) -> BTreeMap<String, Value> {
        let Memory { values, vetoed } = self;
        let values = values.into_iter().filter(|(slot, _)| !vetoed.contains(slot));
        values.map(|(slot, (_, value))| (slot, value)).collect()
    }
}
