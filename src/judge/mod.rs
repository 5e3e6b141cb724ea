//! The judge: compile policies, select, evaluate, find conflicts, make the repair plan.
//!
//! Pure: no I/O, no clients, no clock, no randomness. The same snapshot, policies, exceptions, grants and time give the
//! same verdicts and plans, always.

pub mod allowed;
pub mod cel;
pub mod compile;
mod conflict;
pub mod evaluate;
pub mod iam;
pub mod managed;
mod memory;
pub mod path;
pub mod plan;
mod remedy;
mod rule;
pub mod select;
pub mod snapshot;
pub mod table;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod window;

pub use compile::compile;
pub use evaluate::{Question, judge};
pub use rule::{concerns, reads};
pub use snapshot::Snapshot;
pub use verdict::{Judgement, Outcome, Verdict};
