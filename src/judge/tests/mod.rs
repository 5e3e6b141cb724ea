//! The judge as a whole: a snapshot and policies go in, verdicts and plans come out. No cluster, no AWS, no clock.

#![allow(clippy::needless_pass_by_value, clippy::too_many_lines)] // tables of json!(...) read best so

mod aws;
mod conflicts;
mod entries;
mod faults;
mod generated;
mod leave;
mod memory;
mod order;
mod property;
mod remedies;
mod rules;
mod states;
mod support;
mod wishes;
