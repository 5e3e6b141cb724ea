//! What is known of AWS: one folder a service.

pub mod apigateway;
