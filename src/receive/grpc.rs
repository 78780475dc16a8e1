//! OTLP over gRPC: `MetricsService/Export` and health; everything else is unimplemented.
//!
//! A pass-through codec hands over the bytes of the message, so that one decoder serves both transports and replay. Tonic
//! does framing and decompression, and stops at the limit.

use super::answer::ExportResponse;
use super::budget::Charge;
use super::counters::Transport;
use super::reception::Reception;
use super::refusal::{Reason, Refusal};
use crate::otlp::Encoding;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Buf, Bytes};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};
use prost::Message;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic::{Code, Status};
use tonic_health::server::HealthReporter;
use tower_service::Service;

/// The service, as health knows it.
pub(super) const SERVICE: &str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Smaller messages are copied, one behind the other: what they came in is larger than they are.
const COPIED: usize = 32 << 10;

/// What answers on the gRPC port, and who is told how it goes.
pub(super) fn router(reception: Arc<Reception>) -> (Router, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let router = Router::new()
        .route(EXPORT, post(export))
        .with_state(reception)
        .route_service("/grpc.health.v1.Health/{*method}", health)
        .fallback(unimplemented);
    (router, reporter)
}

async fn unimplemented(request: Request) -> Response {
    let path = request.uri().path();
    grpc_response(Status::unimplemented(format!("{path}: foreshock takes metrics only, by {EXPORT}")))
}

async fn export(State(reception): State<Arc<Reception>>, request: Request) -> Response {
    let is_grpc = |value: &http::HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if !request.headers().get(CONTENT_TYPE).is_some_and(is_grpc) {
        let refusal = reception.refuse(Transport::Grpc, Reason::ContentType, "this port speaks gRPC");
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, refusal.message).into_response();
    }
    let (_permit, charge) = match reception.admit(Transport::Grpc, request.headers()) {
        Ok(admitted) => admitted,
        Err(refusal) => return grpc_response(refusal.status()),
    };
    let codec = RawCodec { reception: Arc::clone(&reception), charge: Arc::clone(&charge) };
    let mut grpc = Grpc::new(codec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(reception.limits.message_bytes);
    let request =
        request.map(|inner| ChargedBody { inner, reception: Arc::clone(&reception), charge: Arc::clone(&charge) });
    let take = Take { reception: Arc::clone(&reception), charge };
    match tokio::time::timeout(reception.limits.request_timeout, grpc.unary(take, request)).await {
        Ok(response) => mend(&reception, response).map(axum::body::Body::new),
        Err(_) => {
            let refusal = reception.refuse(Transport::Grpc, Reason::TimedOut, "the request took too long to arrive");
            grpc_response(refusal.status())
        }
    }
}

fn grpc_response(status: Status) -> Response {
    status.into_http()
}

/// Gives the codes OTLP asks for to what tonic refuses by itself: OUT_OF_RANGE for a message that is too large would be sent
/// again for ever, and INTERNAL stands for bytes that are wrong.
fn mend(reception: &Reception, response: http::Response<tonic::body::Body>) -> http::Response<tonic::body::Body> {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    let refusal = match status.code() {
        _ if response.headers().contains_key(OURS) => {
            let mut response = response;
            response.headers_mut().remove(OURS);
            return response;
        }
        Code::OutOfRange | Code::ResourceExhausted => reception.too_large(Transport::Grpc),
        Code::Internal => reception.refuse(Transport::Grpc, Reason::Malformed, status.message()),
        Code::Unimplemented => {
            // It says which compressions there are; the answer stays as it is.
            reception.refuse(Transport::Grpc, Reason::ContentEncoding, status.message());
            return response;
        }
        _ => return response,
    };
    refusal.status().into_http()
}

/// Marks a status as one of ours on its way through tonic.
const OURS: &str = "x-foreshock-refusal";

fn marked(refusal: &Refusal) -> Status {
    let mut status = refusal.status();
    status.metadata_mut().insert(OURS, tonic::metadata::MetadataValue::from_static("1"));
    status
}

/// Takes in the message of one request.
struct Take {
    reception: Arc<Reception>,
    charge: Arc<Charge>,
}

impl Service<tonic::Request<Bytes>> for Take {
    type Response = tonic::Response<ExportResponse>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let taken = self.reception.take(Transport::Grpc, Encoding::Protobuf, request.into_inner(), &self.charge);
        ready(taken.map(|accepted| tonic::Response::new(accepted.into())).map_err(|refusal| marked(&refusal)))
    }
}

/// Hands over the bytes of a message.
struct RawCodec {
    reception: Arc<Reception>,
    charge: Arc<Charge>,
}

impl Codec for RawCodec {
    type Encode = ExportResponse;
    type Decode = Bytes;
    type Encoder = AnswerEncoder;
    type Decoder = RawDecoder;

    fn encoder(&mut self) -> AnswerEncoder {
        AnswerEncoder
    }

    fn decoder(&mut self) -> RawDecoder {
        RawDecoder { reception: Arc::clone(&self.reception), charge: Arc::clone(&self.charge) }
    }
}

struct AnswerEncoder;

impl Encoder for AnswerEncoder {
    type Item = ExportResponse;
    type Error = Status;

    fn encode(&mut self, item: ExportResponse, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(out).map_err(|error| Status::internal(error.to_string()))
    }
}

struct RawDecoder {
    reception: Arc<Reception>,
    charge: Arc<Charge>,
}

impl Decoder for RawDecoder {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = message.remaining();
        // What came compressed takes more from here on, also while the end of the request is waited for.
        if !self.charge.resize(length) {
            return Err(inbox_full(&self.reception));
        }
        let bytes = match length {
            ..=COPIED => self.reception.copies.copy(message, length),
            _ => message.copy_to_bytes(length),
        };
        Ok(Some(bytes))
    }
}

fn inbox_full(reception: &Reception) -> Status {
    marked(&reception.refuse(Transport::Grpc, Reason::InboxFull, "the inbox is full"))
}

/// The body of a request, charged as it arrives.
struct ChargedBody {
    inner: axum::body::Body,
    reception: Arc<Reception>,
    charge: Arc<Charge>,
}

impl Body for ChargedBody {
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        if !self.charge.grow(bytes) {
            return Poll::Ready(Some(Err(Box::new(inbox_full(&self.reception)))));
        }
        Poll::Ready(Some(Ok(frame)))
    }
}
