//! What keeps the controller one among its replicas and in view of its operators.
//!
//! * `lease`: for one AWS account id one replica acts at a time.
//! * `metrics`: what is counted.

pub mod lease;
pub mod metrics;

pub use lease::{Durations, Leases};
