//! The judge: compile policies, select, evaluate, find conflicts, make the repair plan.
//!
//! Pure: no I/O, no clients, no clock, no randomness. The same snapshot, policies, exceptions, grants and time give the
//! same verdicts and plans, always.

pub mod cel;
pub mod iam;
pub mod path;
pub mod snapshot;
pub mod table;
