//! What people do with drifts: the verbs of the kubectl plugin.
//!
//! Each verb does with the API server what `kubectl` could do too, with the rights of whoever calls it, and nothing with AWS.

mod cluster;
mod decide;
mod exempt;
mod explain;
mod list;
mod outage;
mod switch;

pub use decide::{Approve, Reject, Revert};
pub use exempt::Exempt;
pub use explain::Explain;
pub use list::List;
pub use switch::{Resume, Suspend};
