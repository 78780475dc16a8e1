//! OTLP over gRPC: `MetricsService/Export` and health; everything else is unimplemented.
//!
//! The bytes of a message are handed over as they are, so that one decoder serves both transports and replay. A call is answered
//! here and not by a general server, because a small export costs as much as what is done around it.

use super::answer::ExportResponse;
use super::budget::Charge;
use super::counters::Transport;
use super::inbox::Accepted;
use super::message::{self, Compression};
use super::reception::Reception;
use super::refusal::Reason;
use super::within::within;
use crate::otlp::Encoding;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::{Body, Frame};
use http_body_util::Either;
use prost::Message;
use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;
use tonic::metadata::MetadataValue;
use tonic_health::server::HealthReporter;

/// The service, as health knows it.
pub(super) const SERVICE: &str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const OK: HeaderValue = HeaderValue::from_static("0");

/// What answers everything but exports on the gRPC port, and who is told how it goes.
pub(super) fn router() -> (Router, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let router = Router::new().route_service("/grpc.health.v1.Health/{*method}", health).fallback(unimplemented);
    (router, reporter)
}

async fn unimplemented(request: Request) -> Response {
    let path = request.uri().path();
    Status::unimplemented(format!("{path}: foreshock takes metrics only, by {EXPORT}")).into_http()
}

/// Whether a request is an export.
pub(super) fn is_export<B>(request: &http::Request<B>) -> bool {
    request.uri().path() == EXPORT && request.method() == Method::POST
}

/// An export whose head is in order.
pub(super) struct Call<B> {
    body: B,
    compression: Compression,
    charge: Arc<Charge>,
    _permit: OwnedSemaphorePermit,
}

/// Lets an export in, or says why not. The head is not kept while the body is waited for.
pub(super) fn admit<B>(reception: &Reception, request: http::Request<B>) -> Result<Call<B>, Box<Response>> {
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    let (head, body) = request.into_parts();
    if !head.headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
        let refusal = reception.refuse(Transport::Grpc, Reason::ContentType, "this port speaks gRPC");
        return Err(Box::new((StatusCode::UNSUPPORTED_MEDIA_TYPE, refusal.message).into_response()));
    }
    let admitted = reception.admit(Transport::Grpc, &head.headers);
    let (permit, charge) = admitted.map_err(|refusal| Box::new(refusal.status().into_http()))?;
    let compression = Compression::of(&head.headers).map_err(|message| {
        let mut status = reception.refuse(Transport::Grpc, Reason::ContentEncoding, message).status();
        status.metadata_mut().insert("grpc-accept-encoding", MetadataValue::from_static(Compression::ALL));
        Box::new(status.into_http())
    })?;
    Ok(Call { body, compression, charge, _permit: permit })
}

/// Answers an export.
pub(super) async fn answer<B>(reception: &Reception, call: Call<B>) -> Outgoing
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    let Call { body, compression, charge, _permit } = call;
    let message = message::read(reception, body, compression, &charge);
    let message = match within(reception.limits.request_timeout, message).await {
        Some(message) => message,
        None => Err(reception.refuse(Transport::Grpc, Reason::TimedOut, "the request took too long to arrive")),
    };
    let taken = match message {
        Ok(message) => reception.take(Transport::Grpc, Encoding::Protobuf, message, &charge).await,
        Err(refusal) => Err(refusal),
    };
    match taken {
        Ok(accepted) => Answer::to(accepted).map(Either::Left),
        Err(refusal) => refusal.status().into_http().map(Either::Right),
    }
}

/// What leaves the ports: answers to exports over gRPC, and everything else.
pub(super) type Outgoing = http::Response<Either<Answer, axum::body::Body>>;

/// The answer to an accepted export: a message, and the status behind it.
pub(super) struct Answer {
    message: Option<Bytes>,
    is_ended: bool,
}

impl Answer {
    fn to(accepted: Accepted) -> http::Response<Answer> {
        let answer = ExportResponse::from(accepted);
        let length = answer.encoded_len();
        let message = if length == 0 {
            Bytes::from_static(&[0; 5])
        } else {
            let mut message = BytesMut::with_capacity(5 + length);
            message.put_u8(0);
            message.put_u32(length as u32);
            // There is room for what it said it needs.
            let _ = answer.encode(&mut message);
            message.freeze()
        };
        let mut response = http::Response::new(Answer { message: Some(message), is_ended: false });
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if std::mem::replace(&mut self.is_ended, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(GRPC_STATUS, OK);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}
