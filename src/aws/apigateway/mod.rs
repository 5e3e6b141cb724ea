//! API Gateway, version 1: REST APIs and custom domain names.

pub mod client;
pub mod read;
pub mod write;

pub use client::Client;
