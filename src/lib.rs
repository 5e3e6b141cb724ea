//! Plumbline.

pub mod judge;
