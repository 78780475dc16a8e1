//! Why a request is refused, and how each transport says so.
//!
//! What may succeed later is UNAVAILABLE with a delay (503 with Retry-After); what never will is not retried by a client
//! that follows OTLP: INVALID_ARGUMENT, RESOURCE_EXHAUSTED without a delay, 4xx.

use super::http::Shape;
use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use prost::Message;
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, RetryInfo, StatusExt};

/// When a client should try again.
const RETRY: Duration = Duration::from_secs(1);

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    TooLarge,
    InboxFull,
    TooManyRequests,
    Malformed,
    Attributes,
    ContentType,
    ContentEncoding,
    Unauthenticated,
    TimedOut,
    NotRecorded,
    Stopping,
}

impl Reason {
    pub(super) const ALL: [Reason; 11] = [
        Reason::TooLarge,
        Reason::InboxFull,
        Reason::TooManyRequests,
        Reason::Malformed,
        Reason::Attributes,
        Reason::ContentType,
        Reason::ContentEncoding,
        Reason::Unauthenticated,
        Reason::TimedOut,
        Reason::NotRecorded,
        Reason::Stopping,
    ];

    /// The name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Reason::TooLarge => "too_large",
            Reason::InboxFull => "inbox_full",
            Reason::TooManyRequests => "too_many_requests",
            Reason::Malformed => "malformed",
            Reason::Attributes => "attributes",
            Reason::ContentType => "content_type",
            Reason::ContentEncoding => "content_encoding",
            Reason::Unauthenticated => "unauthenticated",
            Reason::TimedOut => "timed_out",
            Reason::NotRecorded => "not_recorded",
            Reason::Stopping => "stopping",
        }
    }

    /// What to do about it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Reason::TooLarge => "let the client send smaller exports, or raise --max-message-size",
            Reason::InboxFull => "the engine is slower than the clients: send less often, or raise --inbox-size",
            Reason::TooManyRequests => "raise --max-requests",
            Reason::Malformed => "the bytes are no OTLP metrics: look at what sends to this port",
            Reason::Attributes => "drop the attribute in a view of the client, or raise --max-attributes and the like",
            Reason::ContentType => "send application/x-protobuf or application/json",
            Reason::ContentEncoding => "send gzip, zstd or, over HTTP, deflate",
            Reason::Unauthenticated => {
                "set OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN in the client, as in --auth-token-file"
            }
            Reason::TimedOut => "the client or the network is slow; raise --request-timeout",
            Reason::NotRecorded => "make room for the recording and start again",
            Reason::Stopping => "nothing: this process is ending",
        }
    }

    fn codes(self) -> (Code, StatusCode) {
        match self {
            Reason::TooLarge => (Code::ResourceExhausted, StatusCode::PAYLOAD_TOO_LARGE),
            Reason::InboxFull | Reason::TooManyRequests | Reason::NotRecorded | Reason::Stopping => {
                (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE)
            }
            Reason::Malformed | Reason::Attributes => (Code::InvalidArgument, StatusCode::BAD_REQUEST),
            Reason::ContentType => (Code::InvalidArgument, StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Reason::ContentEncoding => (Code::Unimplemented, StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Reason::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED),
            Reason::TimedOut => (Code::DeadlineExceeded, StatusCode::REQUEST_TIMEOUT),
        }
    }
}

/// A request that is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Refusal {
    /// As gRPC says it.
    pub(super) fn status(&self) -> Status {
        let (code, _) = self.reason.codes();
        if code != Code::Unavailable {
            return Status::new(code, &self.message);
        }
        let details = ErrorDetails::with_retry_info(Some(RETRY));
        let mut status = Status::with_error_details(code, &self.message, details);
        // The Python client looks for the delay here, and not where gRPC's error model has it.
        let bare = tonic_types::pb::RetryInfo::from(RetryInfo::new(Some(RETRY))).encode_to_vec();
        status.metadata_mut().insert_bin("google.rpc.retryinfo-bin", MetadataValue::from_bytes(&bare));
        status
    }

    /// As HTTP says it: a `google.rpc.Status` in the encoding of the request.
    pub(super) fn response(&self, shape: Shape) -> Response<Body> {
        let (code, status) = self.reason.codes();
        let mut response = failure(status, code, &self.message, shape);
        let mut header = |name: HeaderName, value: &'static str| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        match status {
            StatusCode::SERVICE_UNAVAILABLE => header(RETRY_AFTER, "1"),
            StatusCode::UNAUTHORIZED => header(WWW_AUTHENTICATE, "Bearer"),
            _ => {}
        }
        response
    }
}

/// An answer with a `google.rpc.Status`.
pub(super) fn failure(status: StatusCode, code: Code, message: &str, shape: Shape) -> Response<Body> {
    let body = match shape {
        Shape::Protobuf => {
            tonic_types::Status { code: code as i32, message: message.to_string(), details: Vec::new() }.encode_to_vec()
        }
        Shape::Json => serde_json::json!({ "code": code as i32, "message": message }).to_string().into_bytes(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(shape.content_type()));
    response
}
