//! Plumbline keeps AWS endpoints on their declared policies.

pub mod api;
pub mod aws;
pub mod judge;
