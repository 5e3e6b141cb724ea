//! Plumbline keeps AWS endpoints on their declared policies.
//!
//! The rooms, from the ground up; arrows point down only:
//!
//! * `api`: the five kinds, their conditions and phases.
//! * `judge`: pure: policies and snapshots in, verdicts and plans out.
//! * `aws`: one folder a service: reading, property tables, calls.
//! * `inventory`: list and watch for AWS.
//! * `repair`: gate, transaction, verification: the only room that asks `aws` to write.
//! * `record`: what leaves: audit objects and notifications.
//! * `ops`: leases.
//! * `controller`: the reconcilers.
//! * `cli`: the commands.

pub mod api;
pub mod aws;
pub mod cli;
pub mod controller;
pub mod inventory;
pub mod judge;
pub mod ops;
pub mod record;
pub mod repair;
