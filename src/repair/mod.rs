//! Gate, transaction, verification: the only room that asks `aws` to write.

pub mod contest;
pub mod gate;
pub mod limits;
pub mod revert;
pub mod transaction;
pub mod withdraw;
