//! API Gateway's REST APIs, their stages and methods, and custom domain names.

pub mod assemble;
pub mod compare;
pub mod document;
pub mod export;
mod fields;
pub mod properties;
