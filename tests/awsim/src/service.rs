//! The services that are simulated, and how each speaks.

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::error::AwsError;
use crate::request::Answered;

/// A service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// API Gateway: REST with JSON.
    #[default]
    ApiGateway,
    /// CloudTrail: AWS JSON 1.1.
    CloudTrail,
}

impl Service {
    /// CloudTrail's name of it.
    pub fn event_source(self) -> &'static str {
        match self {
            Self::ApiGateway => "apigateway.amazonaws.com",
            Self::CloudTrail => "cloudtrail.amazonaws.com",
        }
    }

    pub(crate) fn throttled(self) -> AwsError {
        match self {
            Self::ApiGateway => AwsError::throttled(),
            Self::CloudTrail => AwsError::rate_exceeded(),
        }
    }

    pub(crate) fn unknown_operation(self) -> AwsError {
        match self {
            Self::ApiGateway => AwsError::unknown_operation(),
            Self::CloudTrail => AwsError::unknown_target(),
        }
    }

    /// The HTTP answer, and the error's code and message.
    pub(crate) fn respond(self, answered: Answered, request_id: &str) -> (Response<Bytes>, Option<(String, String)>) {
        let mut response = Response::new(Bytes::new());
        response.headers_mut().insert("x-amzn-RequestId", header(request_id));
        let (status, body, content_type, error) = match answered {
            Ok(reply) => {
                if let Some(disposition) = &reply.disposition {
                    response.headers_mut().insert(CONTENT_DISPOSITION, header(disposition));
                }
                (reply.status, reply.body, reply.content_type, None)
            }
            Err(error) => {
                response.headers_mut().insert("x-amzn-ErrorType", header(&error.code));
                let body = match self {
                    Self::ApiGateway => json!({"message": error.message}),
                    Self::CloudTrail => json!({"__type": error.code, "message": error.message}),
                };
                let body = body.to_string().into_bytes();
                (error.status, body, None, Some((error.code.into_owned(), error.message)))
            }
        };
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if !body.is_empty() {
            let kind = content_type.unwrap_or_else(|| self.content_type().to_owned());
            response.headers_mut().insert(CONTENT_TYPE, header(&kind));
            *response.body_mut() = Bytes::from(body);
        }
        (response, error)
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::ApiGateway => "application/json",
            Self::CloudTrail => "application/x-amz-json-1.1",
        }
    }
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("invalid"))
}
