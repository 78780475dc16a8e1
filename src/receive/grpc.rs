//! OTLP over gRPC, on tonic: `MetricsService/Export` and health; everything else is unimplemented.
//!
//! A message is handed over as the bytes it came in, so that one decoder serves both transports and replay. Generated code for
//! the messages is absent on purpose.

use super::guard::{Payload, guard};
use super::ingest::IngestService;
use super::rejection::{RETRY_DELAY, Rejection, RejectionReason};
use super::telemetry::Transport;
use crate::otlp::Encoding;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::{Buf, BufMut, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use prost::Message;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use tonic::codec::{BufferSettings, Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::metadata::MetadataValue;
use tonic::server::Grpc;
use tonic::{Code, Status};
use tonic_health::server::HealthReporter;
use tonic_types::{ErrorDetails, RetryInfo, StatusExt};
use tower::{Layer, Service, service_fn};

/// The service, as health knows it.
pub(super) const SERVICE: &str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Most exports and all responses are small: tonic's buffers begin with this.
const MESSAGE_BUFFER_BYTES: usize = 8 << 10;
const RESPONSE_BUFFER_BYTES: usize = 256;
/// Smaller messages are copied out of the buffer, which is larger than they are.
const COPIED_BYTES: usize = 32 << 10;

/// What answers on the gRPC port, and who reports its health.
pub(super) fn service(
    ingest: Arc<IngestService>,
) -> (
    impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    HealthReporter,
) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let other = Router::new().route_service("/grpc.health.v1.Health/{*method}", health).fallback(unimplemented);
    let exports = guard(Arc::clone(&ingest), Transport::Grpc)
        .layer(service_fn(move |request| export(Arc::clone(&ingest), request)));
    let service = service_fn(move |request: Request<Body>| {
        let (mut exports, mut other) = (exports.clone(), other.clone());
        async move {
            if request.uri().path() != EXPORT || request.method() != Method::POST {
                return other.call(request).await;
            }
            match exports.call(request).await {
                Ok(response) => Ok(response.map(Body::new)),
                Err(rejection) => Ok(rejected(&rejection)),
            }
        }
    });
    (service, reporter)
}

async fn unimplemented(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    Status::unimplemented(format!("{path}: foreshock takes metrics only, by {EXPORT}")).into_http()
}

/// Receives an export, or rejects it.
async fn export(
    ingest: Arc<IngestService>,
    request: Request<Payload>,
) -> Result<Response<tonic::body::Body>, Rejection> {
    let headers = request.headers();
    if !headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        return Err(Rejection::new(RejectionReason::ContentType, "this port speaks gRPC"));
    }
    let is_compressed = match headers.get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"identity") => false,
        Some(b"gzip" | b"zstd") => true,
        Some(other) => {
            let message = format!("grpc-encoding {}", String::from_utf8_lossy(other));
            return Err(Rejection::new(RejectionReason::ContentEncoding, message));
        }
    };
    let payload = request.body().clone();
    let message_bytes = ingest.limits.message_bytes;
    // A status does not say why a request was rejected.
    let rejection = OnceLock::new();
    let receive = |request: tonic::Request<Streaming<Bytes>>| async {
        let accepted = match read_message(request.into_inner(), &payload, message_bytes, is_compressed).await {
            Ok(message) => ingest.accept(Transport::Grpc, Encoding::Protobuf, message, payload.take_memory()).await,
            Err(rejection) => Err(rejection),
        };
        match accepted {
            Ok(accepted) => Ok(tonic::Response::new(accepted.response(Encoding::Protobuf))),
            Err(why) => Err(Status::unknown(rejection.get_or_init(|| why).to_string())),
        }
    };
    let mut grpc = Grpc::new(MessageBytes)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(message_bytes);
    // Read as a stream of one message, because a unary call hides what is wrong with it.
    let response = grpc.client_streaming(service_fn(receive), request).await;
    rejection.into_inner().map_or(Ok(response), Err)
}

/// Reads the one message of a call. The end is waited for, too: a call that gets its response before is reset, and some clients
/// see that first.
async fn read_message(
    mut messages: Streaming<Bytes>,
    payload: &Payload,
    message_bytes: usize,
    is_compressed: bool,
) -> Result<Bytes, Rejection> {
    let unreadable = |status: Status| match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => Rejection::too_large(message_bytes),
        _ => payload.rejection_or(|| Rejection::malformed(status.message())),
    };
    let Some(message) = messages.message().await.map_err(unreadable)? else {
        return Err(Rejection::malformed("the call ended before its message"));
    };
    // Its end may be long in coming, and tonic keeps what it decompressed from.
    payload.hold(message.len() + if is_compressed { payload.read_bytes() } else { 0 })?;
    match messages.message().await.map_err(unreadable)? {
        None => Ok(message),
        Some(_) => Err(Rejection::malformed("there is more than one message in the call")),
    }
}

/// The response to a request that is rejected.
fn rejected(rejection: &Rejection) -> Response<Body> {
    let (code, message) = (rejection.code(), rejection.message.as_str());
    if rejection.reason == RejectionReason::ContentType {
        return (rejection.http_status(), message.to_string()).into_response();
    }
    let mut status = Status::new(code, message);
    if code == Code::Unavailable {
        status = Status::with_error_details(code, message, ErrorDetails::with_retry_info(Some(RETRY_DELAY)));
        // The Python client looks for the delay here, and not where gRPC's error model has it.
        let bare = tonic_types::pb::RetryInfo::from(RetryInfo::new(Some(RETRY_DELAY))).encode_to_vec();
        status.metadata_mut().insert_bin("google.rpc.retryinfo-bin", MetadataValue::from_bytes(&bare));
    }
    if rejection.reason == RejectionReason::ContentEncoding {
        status.metadata_mut().insert("grpc-accept-encoding", MetadataValue::from_static("gzip,zstd,identity"));
    }
    status.into_http()
}

/// Messages in as bytes, responses out.
struct MessageBytes;

impl Codec for MessageBytes {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = MessageBytes;
    type Decoder = MessageBytes;

    fn encoder(&mut self) -> MessageBytes {
        MessageBytes
    }

    fn decoder(&mut self) -> MessageBytes {
        MessageBytes
    }
}

impl Encoder for MessageBytes {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, response: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(response);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(RESPONSE_BUFFER_BYTES, RESPONSE_BUFFER_BYTES)
    }
}

impl Decoder for MessageBytes {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = message.remaining();
        if length > COPIED_BYTES {
            return Ok(Some(message.copy_to_bytes(length)));
        }
        let bytes = Bytes::copy_from_slice(message.chunk());
        message.advance(length);
        Ok(Some(bytes))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(MESSAGE_BUFFER_BYTES, MESSAGE_BUFFER_BYTES)
    }
}
