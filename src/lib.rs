//! Plumbline keeps AWS endpoints on their declared policies.

pub mod api;
pub mod judge;
pub mod ops;
pub mod record;
