//! What can go wrong with AWS, by what follows from it.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::gate::Stopped;

/// A call that gave no answer to rely on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What follows from it.
    pub class: Class,
    /// AWS's name of the operation.
    pub operation: &'static str,
    /// AWS's name of the error, where it gave one.
    pub code: Option<String>,
    /// AWS's own words, or what kept the call from being answered.
    pub message: String,
}

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// AWS says that it does not exist.
    NotFound,
    /// A permission is missing.
    Denied,
    /// There are no credentials, or they are not those of the account.
    NoCredentials,
    /// Too many requests: AWS's answer, or the own budget's.
    Throttled,
    /// Out of reach for now: network, server errors, timeouts.
    Unavailable,
    /// AWS understood and refused: the same call will be refused again.
    Refused,
    /// This replica does not act for the account any more: nothing was sent.
    Fenced,
    /// The answer was cut short or is none of AWS's.
    Malformed,
}

impl Class {
    /// Whether waiting can help.
    pub fn is_transient(self) -> bool {
        matches!(self, Class::Throttled | Class::Unavailable | Class::Malformed)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        match &self.code {
            Some(code) if self.message.is_empty() => f.write_str(code),
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl StdError for Error {}

impl Error {
    /// An error that is not an answer of AWS's.
    pub fn new(class: Class, operation: &'static str, message: impl Into<String>) -> Self {
        Error {
            class,
            operation,
            code: None,
            message: message.into(),
        }
    }

    /// The permission that AWS says is missing, as in `apigateway:GET on arn:aws:apigateway:eu-west-1::/restapis`.
    pub fn missing_permission(&self) -> Option<String> {
        let (_, told) = self.message.split_once("is not authorized to perform: ")?;
        let mut words = told.split_whitespace();
        let plain = |word: &str| word.trim_end_matches(['.', ',']).trim_matches('"').to_owned();
        let action = plain(words.next()?);
        match (words.next(), words.next(), words.next()) {
            (Some("on"), Some("resource:"), Some(resource)) => Some(format!("{action} on {}", plain(resource))),
            _ => Some(action),
        }
    }

    /// The one way from the SDK's errors to a class.
    pub fn from_sdk<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        match error {
            SdkError::ServiceError(answer) => {
                let meta = answer.err().meta();
                Error {
                    class: class_of(answer.raw().status().as_u16(), meta.code()),
                    operation,
                    code: meta.code().map(str::to_owned),
                    message: meta
                        .message()
                        .map_or_else(|| format!("HTTP status {}", answer.raw().status()), str::to_owned),
                }
            }
            other => unanswered(operation, other, other),
        }
    }
}

/// By what stands in the chain of causes: the gate's own words, then credentials, then the kind of failure.
fn unanswered<E>(
    operation: &'static str,
    error: &SdkError<E, HttpResponse>,
    chain: &(dyn StdError + 'static),
) -> Error {
    // Below the error itself: it may be the very call that assumes a role.
    for cause in causes(chain).skip(1) {
        if let Some(stopped) = cause.downcast_ref::<Stopped>() {
            return Error::new(stopped.class(), operation, stopped.to_string());
        }
        // Why a role could not be assumed is told in AWS's words, not as 'no credentials'.
        if let Some(assume) = cause.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>() {
            return Error::from_sdk("AssumeRole", assume);
        }
    }
    let class = match error {
        SdkError::ResponseError(_) => Class::Malformed,
        SdkError::ConstructionFailure(_) => Class::Refused,
        _ => Class::Unavailable,
    };
    let class = causes(chain)
        .find_map(|cause| cause.downcast_ref::<CredentialsError>())
        .map_or(class, |credentials| match credentials {
            CredentialsError::ProviderTimedOut(_) => Class::Unavailable,
            _ => Class::NoCredentials,
        });
    Error::new(class, operation, told(chain))
}

/// The class of an answer. A 404 without AWS's name for it may come from anything in between and proves nothing.
fn class_of(status: u16, code: Option<&str>) -> Class {
    match code.unwrap_or_default() {
        "NotFoundException" | "NotFound" => return Class::NotFound,
        "TooManyRequestsException"
        | "LimitExceededException"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "SlowDown" => return Class::Throttled,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedException" | "UnauthorizedOperation" => {
            return Class::Denied;
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidAccessKeyId"
        | "RequestExpired" => return Class::NoCredentials,
        "BadRequestException" | "ConflictException" | "ValidationException" | "ValidationError" => {
            return Class::Refused;
        }
        "ServiceUnavailableException" | "ServiceUnavailable" | "InternalFailure" | "InternalServerError" => {
            return Class::Unavailable;
        }
        _ => {}
    }
    match status {
        429 => Class::Throttled,
        401 => Class::NoCredentials,
        403 => Class::Denied,
        404 if code.is_none() => Class::Unavailable,
        404 => Class::NotFound,
        408 | 500.. => Class::Unavailable,
        400..=499 => Class::Refused,
        _ => Class::Malformed,
    }
}

fn causes<'a>(chain: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(chain), |&error| error.source())
}

/// The chain of causes in one line, each told once.
fn told(chain: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(chain) {
        let part = cause.to_string();
        if !part.is_empty() && !parts.iter().any(|before| before.contains(&part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    #[test]
    fn answers_have_a_class() {
        for (status, code, class, why) in [
            (
                404,
                Some("NotFoundException"),
                Class::NotFound,
                "AWS says that it is gone",
            ),
            (
                404,
                None,
                Class::Unavailable,
                "a 404 of something in between proves nothing",
            ),
            (429, Some("TooManyRequestsException"), Class::Throttled, "the quota"),
            (
                400,
                Some("ThrottlingException"),
                Class::Throttled,
                "some services throttle with 400",
            ),
            (403, Some("AccessDeniedException"), Class::Denied, "a permission"),
            (
                403,
                Some("ExpiredTokenException"),
                Class::NoCredentials,
                "credentials come anew",
            ),
            (400, Some("BadRequestException"), Class::Refused, "settled"),
            (409, Some("ConflictException"), Class::Refused, "settled"),
            (503, None, Class::Unavailable, "later"),
            (500, Some("Odd"), Class::Unavailable, "later"),
            (418, None, Class::Refused, "whatever else is the caller's fault"),
        ] {
            assert_eq!(class_of(status, code), class, "{status} {code:?}: {why}");
        }
    }

    /// A call that needs a role which cannot be assumed: of the call, and of what the role was asked for with.
    fn without_a_role(assuming: ConnectorError) -> SdkError<GetCallerIdentityError, HttpResponse> {
        let assuming = SdkError::<AssumeRoleError, HttpResponse>::dispatch_failure(assuming);
        let credentials = CredentialsError::provider_error(assuming);
        SdkError::dispatch_failure(ConnectorError::other(credentials.into(), None))
    }

    #[test]
    fn a_role_that_could_not_even_be_asked_for_says_why() {
        let none = CredentialsError::not_loaded("no credentials found in chain");
        let away = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        for (assuming, class, words) in [
            (
                ConnectorError::other(none.into(), None),
                Class::NoCredentials,
                "no credentials found in chain",
            ),
            (
                ConnectorError::io(away.into()),
                Class::Unavailable,
                "connection refused",
            ),
        ] {
            let error = Error::from_sdk("GetCallerIdentity", &without_a_role(assuming));
            assert_eq!((error.operation, error.class), ("AssumeRole", class), "{error}");
            assert!(error.message.contains(words), "{error}");
        }
    }

    #[test]
    fn the_missing_permission_is_read_from_awss_words() {
        let denied = |message: &str| Error::new(Class::Denied, "GetStages", message).missing_permission();
        let whole = "User: arn:aws:sts::1:assumed-role/o/p is not authorized to perform: apigateway:GET on resource: \
                     arn:aws:apigateway:eu-west-1::/restapis/a/stages because no identity-based policy allows it";
        assert_eq!(
            denied(whole).as_deref(),
            Some("apigateway:GET on arn:aws:apigateway:eu-west-1::/restapis/a/stages")
        );
        assert_eq!(
            denied("User: x is not authorized to perform: sts:AssumeRole").as_deref(),
            Some("sts:AssumeRole")
        );
        assert_eq!(denied("explicit deny"), None);
    }

    #[test]
    fn an_error_is_told_in_awss_words() {
        let mut error = Error::new(Class::Denied, "GetStages", "User u is not authorized");
        error.code = Some("AccessDeniedException".into());
        assert_eq!(
            error.to_string(),
            "GetStages: AccessDeniedException: User u is not authorized"
        );
    }
}
