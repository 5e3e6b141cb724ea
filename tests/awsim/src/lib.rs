//! API Gateway v1 (REST APIs) with AWS's manners, for tests.
//!
//! Edits change the *editor*; callers meet the *deployed* snapshot of a stage. Patch operations are
//! those of AWS's documented table and nothing else. Quotas, faults, several accounts and regions
//! are there too, and the CloudTrail that records the calls and tells of them.
//!
//! [`Awsim::answer`] is a function of a request and a time: no socket, no wall clock. [`serve`] puts
//! it behind HTTP. Nothing here knows the controller that it tests.

#![allow(clippy::doc_markdown)] // AWS's names of services and operations are words here

mod calls;
mod client;
mod cloudtrail;
mod control;
mod delivery;
mod error;
mod export;
mod faults;
mod identity;
mod ids;
mod import;
mod ops;
mod paging;
mod patch;
mod principal;
mod quotas;
mod request;
mod router;
pub mod seed;
mod server;
mod service;
mod sim;
mod state;
mod store;
mod sts;
mod switches;
mod trail;

pub use calls::Call;
pub use cloudtrail::Trail;
pub use delivery::{Delivered, Delivery, DeliveryError, Rules, Target, Wrap};
pub use error::AwsError;
pub use faults::Fault;
pub use identity::{Face, Kind};
pub use principal::Principal;
pub use router::Operation;
pub use server::{Running, serve, start};
pub use service::Service;
pub use sim::{Answer, Awsim, Options};
pub use switches::{Switch, Switches, UnknownSwitch};
pub use trail::event;
