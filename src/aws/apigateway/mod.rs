//! API Gateway, version 1: REST APIs with their stages and methods, and custom domain names.
//!
//! * `client`, `read`, `write`: its operations. The only I/O here.
//! * `document`, `fields`, `export`, `assemble`: from AWS's JSON to what the judge looks at. Pure.
//! * `properties`: the property tables. Pure.
//! * `editor`, `compare`: is the editor what it was, and would a deployment publish anybody's edits? Pure.
//! * `command`: the calls of a plan as a person would type them. Pure.

pub mod assemble;
pub mod client;
pub mod command;
pub mod compare;
pub mod document;
pub mod editor;
pub mod export;
mod fields;
pub mod properties;
pub mod read;
pub mod write;
pub mod writers;

pub use client::Client;
