//! What one sees of awsim from outside.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests are tests
#![allow(clippy::too_many_lines)] // tables

mod deliveries;
mod exports;
mod faults;
mod live;
mod lookups;
mod patches;
mod principals;
mod queue;
mod quotas;
mod recorded;
mod seeds;
mod served;
mod stages;
mod sts;
mod trails;
mod world;
