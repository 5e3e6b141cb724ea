//! Stories on a real Kubernetes API, the AWS simulator and moto: each is named for what a person would see.
//!
//! They share one control plane; each has a namespace, an AWS account, a simulator and a controller of its own, so that
//! they run side by side. The controller is the built binary with nothing but its ServiceAccount's token.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, clippy::doc_markdown)]
#![allow(dead_code)] // the world offers more than the stories of today use

mod support;

mod approval;
mod brakes;
mod drift_is_repaired;
mod ends;
mod holds;
mod killed;
mod plugin;
mod wakes;
