//! Why a request is rejected, and as which codes each transport sends that.
//!
//! What may succeed later is UNAVAILABLE with a delay (503 with Retry-After); what never will is not retried by a client
//! that follows OTLP: INVALID_ARGUMENT, RESOURCE_EXHAUSTED without a delay, 4xx.

use http::StatusCode;
use std::time::Duration;
use tonic::Code;

/// When a client should try again.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RejectionReason {
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

/// What belongs to each reason, in their order: the name in metrics, the codes, what to do about it.
#[rustfmt::skip]
const REASONS: [(RejectionReason, &str, Code, StatusCode, &str); 11] = [
    (RejectionReason::TooLarge, "too_large", Code::ResourceExhausted, StatusCode::PAYLOAD_TOO_LARGE,
        "let the client send smaller exports, or raise --max-message-size"),
    (RejectionReason::InboxFull, "inbox_full", Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE,
        "the engine is slower than the clients: send less often, or raise --inbox-size"),
    (RejectionReason::TooManyRequests, "too_many_requests", Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE,
        "raise --max-requests"),
    (RejectionReason::Malformed, "malformed", Code::InvalidArgument, StatusCode::BAD_REQUEST,
        "the bytes are no OTLP metrics: look at what sends to this port"),
    (RejectionReason::Attributes, "attributes", Code::InvalidArgument, StatusCode::BAD_REQUEST,
        "drop the attribute in a view of the client, or raise --max-attributes and --max-attribute-bytes"),
    (RejectionReason::ContentType, "content_type", Code::InvalidArgument, StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "send application/x-protobuf or application/json"),
    (RejectionReason::ContentEncoding, "content_encoding", Code::Unimplemented, StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "send gzip, zstd or, over HTTP, deflate"),
    (RejectionReason::Unauthenticated, "unauthenticated", Code::Unauthenticated, StatusCode::UNAUTHORIZED,
        "set OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN in the client, as in --auth-token-file"),
    (RejectionReason::TimedOut, "timed_out", Code::DeadlineExceeded, StatusCode::REQUEST_TIMEOUT,
        "the client or the network is slow; raise --request-timeout"),
    (RejectionReason::NotRecorded, "not_recorded", Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE,
        "make room for the recording and start again"),
    (RejectionReason::Stopping, "stopping", Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE,
        "nothing: this process is ending"),
];

// Reasons are looked up by their number.
const _: () = {
    let mut i = 0;
    while i < REASONS.len() {
        assert!(REASONS[i].0 as usize == i);
        i += 1;
    }
};

impl RejectionReason {
    pub(super) const COUNT: usize = REASONS.len();

    pub(super) fn all() -> impl Iterator<Item = RejectionReason> {
        REASONS.iter().map(|&(reason, ..)| reason)
    }

    /// The name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        REASONS[self as usize].1
    }

    /// What to do about it.
    pub(super) fn remedy(self) -> &'static str {
        REASONS[self as usize].4
    }
}

/// Why one request is rejected.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Rejection {
    pub(super) reason: RejectionReason,
    pub(super) message: String,
}

impl Rejection {
    pub(super) fn new(reason: RejectionReason, message: impl Into<String>) -> Self {
        Rejection { reason, message: message.into() }
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Rejection::new(RejectionReason::Malformed, message)
    }

    pub(super) fn inbox_full() -> Self {
        Rejection::new(RejectionReason::InboxFull, "the inbox is full")
    }

    pub(super) fn too_large(message_bytes: usize) -> Self {
        Rejection::new(RejectionReason::TooLarge, format!("more than {message_bytes} bytes after decompression"))
    }

    pub(super) fn stopping() -> Self {
        Rejection::new(RejectionReason::Stopping, "foreshock is ending")
    }

    pub(super) fn code(&self) -> Code {
        REASONS[self.reason as usize].2
    }

    pub(super) fn http_status(&self) -> StatusCode {
        REASONS[self.reason as usize].3
    }
}
