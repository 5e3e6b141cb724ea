//! What leaves: the same document goes to an audit bucket and to topics, once for every transition of a Drift.
//!
//! * `entry`: a Drift at a transition, as one versioned JSON document. Pure.
//! * `s3`: the document as an object that is never overwritten, under a key that a second attempt finds again.
//! * `sns`: the document for machines, a letter for people.
//! * `letter`: the words of that letter. Pure.
//!
//! There is no trait over the two ways out: an object has a key and is conditional, a message has neither.
//! Nothing here decides when something is told, and nothing here reads a clock.

pub mod entry;
mod letter;
pub mod s3;
pub mod sns;

use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

pub use entry::{Entry, Place, Transition, Whole, excerpt, whole_needed};
pub use s3::AuditBucket;
pub use sns::{TopicKind, Topics};

/// No call leaves a reconcile hanging longer than this, with all the retries of the SDK.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be done about a [`RecordError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// AWS refuses these credentials: somebody must grant something.
    Denied,
    /// Waiting changes nothing: the message says what to create or correct.
    Settled,
    /// Something else stands where the record belongs.
    Occupied,
    /// AWS asks to slow down: later.
    Throttled,
    /// AWS or the network failed for now: later.
    Unavailable,
}

/// Why something could not be recorded or told, in AWS's own words where AWS spoke.
///
/// The message of the same fault is the same each time (no request ids), so that a status which quotes it stays still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RecordError {
    class: Class,
    message: String,
}

impl RecordError {
    fn new(class: Class, message: impl Into<String>) -> Self {
        RecordError {
            class,
            message: message.into(),
        }
    }

    /// What can be done about it.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether the same attempt can succeed later although nobody does anything.
    pub fn is_transient(&self) -> bool {
        matches!(self.class, Class::Throttled | Class::Unavailable)
    }
}

/// What AWS's answer means. `missing`: what a person does about a bucket or topic that is not there.
fn classify<E>(attempt: &str, missing: &str, error: &SdkError<E, HttpResponse>) -> RecordError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let Some(service) = error.as_service_error() else {
        return RecordError::new(Class::Unavailable, format!("{attempt}: {}", chain(error)));
    };
    let code = service.code().unwrap_or_default();
    let words = match (code, service.message()) {
        ("", None) => format!("HTTP status {}", status.unwrap_or_default()),
        (code, None) => code.to_owned(),
        (code, Some(message)) => format!("{code}: {message}"),
    };
    let (class, advice) = match (code, status) {
        ("NoSuchBucket" | "NotFound" | "NotFoundException", _) => (Class::Settled, missing),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
            (Class::Settled, "write the bucket's own region into spec.audit.region")
        }
        ("SlowDown" | "Throttling" | "ThrottlingException" | "Throttled" | "RequestLimitExceeded", _)
        | (_, Some(429)) => (Class::Throttled, ""),
        // Credentials that have run out are renewed by whoever made the client.
        ("ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "RequestTimeout", _)
        | (_, Some(408 | 409 | 500..=599)) => (Class::Unavailable, ""),
        (_, Some(401 | 403)) => (Class::Denied, ""),
        _ => (Class::Settled, ""),
    };
    let advice = if advice.is_empty() {
        String::new()
    } else {
        format!("; {advice}")
    };
    RecordError::new(class, format!("{attempt}: {words}{advice}"))
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// Bounds a call in time.
async fn patiently<T>(attempt: &str, call: impl Future<Output = Result<T, RecordError>>) -> Result<T, RecordError> {
    tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|_| {
        Err(RecordError::new(
            Class::Unavailable,
            format!("{attempt}: no answer within {} s", PATIENCE.as_secs()),
        ))
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::put_object::PutObjectError;
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[test]
    fn each_answer_of_aws_has_a_class_and_keeps_its_words() {
        for (status, code, class, words) in [
            (403, "AccessDenied", Class::Denied, "put: AccessDenied: because"),
            (
                404,
                "NoSuchBucket",
                Class::Settled,
                "put: NoSuchBucket: because; make it",
            ),
            (
                301,
                "PermanentRedirect",
                Class::Settled,
                "put: PermanentRedirect: because; write the bucket's own region into spec.audit.region",
            ),
            (503, "SlowDown", Class::Throttled, "put: SlowDown: because"),
            (400, "Throttling", Class::Throttled, "put: Throttling: because"),
            (400, "ExpiredToken", Class::Unavailable, "put: ExpiredToken: because"),
            (
                409,
                "ConditionalRequestConflict",
                Class::Unavailable,
                "put: ConditionalRequestConflict: because",
            ),
            (500, "InternalError", Class::Unavailable, "put: InternalError: because"),
            (
                400,
                "InvalidParameter",
                Class::Settled,
                "put: InvalidParameter: because",
            ),
        ] {
            let error = PutObjectError::generic(ErrorMetadata::builder().code(code).message("because").build());
            let response = Response::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
            let classified = classify("put", "make it", &SdkError::service_error(error, response));
            assert_eq!((classified.class(), classified.to_string().as_str()), (class, words));
            assert_eq!(
                classified.is_transient(),
                matches!(class, Class::Throttled | Class::Unavailable),
                "{code}"
            );
        }
    }

    #[test]
    fn what_never_reached_aws_is_told_with_its_cause() {
        let error: SdkError<PutObjectError, HttpResponse> = SdkError::timeout_error("no route to host");
        let classified = classify("put", "make it", &error);
        assert_eq!(classified.class(), Class::Unavailable);
        assert!(classified.to_string().contains("no route to host"), "{classified}");
    }
}
