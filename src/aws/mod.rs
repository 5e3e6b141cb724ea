//! AWS: one folder a service. Observing gives documents as AWS wrote them, repairing makes the calls of a plan and nothing else.
//!
//! Every attempt of every call passes one gate: budget first, then the fence for whatever is not a read. A failed or
//! partial read is an [`Error`], never a shorter answer.

pub mod apigateway;
pub mod budget;
pub mod cloudtrail;
mod error;
pub mod gate;
pub mod session;
pub mod sqs;

pub use error::{Class, Error};
