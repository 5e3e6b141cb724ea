//! Pure judgement.

pub mod cel;
pub mod iam;
