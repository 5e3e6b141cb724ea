//! Errors as AWS words them.

use std::borrow::Cow;

/// An error answer: HTTP status, `x-amzn-ErrorType` and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// HTTP status.
    pub status: u16,
    /// Error code, the value of `x-amzn-ErrorType`.
    pub code: Cow<'static, str>,
    /// What `message` says.
    pub message: String,
}

impl AwsError {
    /// An error with any status and code.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    /// 400 `BadRequestException`.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequestException", message)
    }

    /// 404 `NotFoundException`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "NotFoundException", message)
    }

    /// 409 `ConflictException`.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "ConflictException", message)
    }

    /// 429 `LimitExceededException`: a resource quota, not a rate.
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(429, "LimitExceededException", message)
    }

    /// 429 `TooManyRequestsException`: a rate.
    pub fn throttled() -> Self {
        Self::new(429, "TooManyRequestsException", "Too Many Requests")
    }

    /// 400 `ThrottlingException`, as the JSON services word a rate.
    pub fn rate_exceeded() -> Self {
        Self::new(400, "ThrottlingException", "Rate exceeded")
    }

    /// 400 `UnknownOperationException`, what the JSON services say to a target that they do not have.
    pub fn unknown_target() -> Self {
        Self::new(400, "UnknownOperationException", "")
    }

    /// 400 `ValidationException`, with every violation in one message.
    pub fn validation(violations: &[String]) -> Self {
        let noun = if violations.len() == 1 { "error" } else { "errors" };
        let message = format!(
            "{} validation {noun} detected: {}",
            violations.len(),
            violations.join("; ")
        );
        Self::new(400, "ValidationException", message)
    }

    /// 403, what the front door says to a path that no operation has.
    pub fn unknown_operation() -> Self {
        Self::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    }
}

/// One violation of a ValidationException.
pub(crate) fn enum_violation(value: &str, at: &str, allowed: &str) -> String {
    format!("Value '{value}' at '{at}' failed to satisfy constraint: Member must satisfy enum value set: [{allowed}]")
}
