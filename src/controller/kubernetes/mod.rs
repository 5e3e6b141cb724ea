//! What is spoken with Kubernetes, and what is known of it here.
//!
//! `watched` is the one watch of each kind, `known` what it and the own writes have told, `foreign` what this version cannot
//! read, `status` the only way to writes, `names` what the objects are called, `hear` what the news of one kind means to the
//! reconcilers of the others, `wake` how they are woken from elsewhere.

pub mod foreign;
pub mod hear;
pub mod known;
pub mod names;
pub mod status;
pub mod wake;
pub mod watched;
