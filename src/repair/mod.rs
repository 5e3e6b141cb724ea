//! Gate, transaction, verification: the only room that asks `aws` to write.

pub mod gate;
pub mod transaction;
