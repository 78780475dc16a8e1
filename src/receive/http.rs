//! OTLP over HTTP: `POST /v1/metrics`, and what operators and probes ask for.
//!
//! An answer has the encoding of its request; errors are a `google.rpc.Status`.

use super::answer::ExportResponse;
use super::budget::Charge;
use super::counters::Transport;
use super::exposition;
use super::lent::{Lent, Owner};
use super::reception::Reception;
use super::refusal::{Reason, Refusal, failure};
use crate::otlp::Encoding;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use prost::Message;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::Code;
use tower_http::decompression::{DecompressionBody, RequestDecompression};
use tower_service::Service;

/// The largest room that is made because a client announces a length.
const TRUSTED_LENGTH: usize = 1 << 20;

/// The encoding of a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Protobuf,
    Json,
}

impl Shape {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Shape::Protobuf => "application/x-protobuf",
            Shape::Json => "application/json",
        }
    }

    fn of(headers: &HeaderMap) -> Option<Shape> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media = value.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/x-protobuf") || media.eq_ignore_ascii_case("application/protobuf") {
            Some(Shape::Protobuf)
        } else if media.eq_ignore_ascii_case("application/json") {
            Some(Shape::Json)
        } else {
            None
        }
    }
}

/// What answers on the HTTP port.
pub(super) fn router(reception: Arc<Reception>) -> Router {
    Router::new()
        .route("/v1/metrics", post(post_metrics).fallback(wrong_method))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready_or_not))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .with_state(reception)
}

async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    let message = match path {
        "/v1/traces" | "/v1/logs" | "/v1development/profiles" => {
            format!("{path}: foreshock takes metrics only; set OTEL_TRACES_EXPORTER=none and OTEL_LOGS_EXPORTER=none")
        }
        _ => format!("{path}: there is POST /v1/metrics, GET /healthz, /readyz and /metrics"),
    };
    let shape = Shape::of(request.headers()).unwrap_or(Shape::Json);
    failure(StatusCode::NOT_FOUND, Code::Unimplemented, &message, shape)
}

async fn wrong_method(request: Request) -> Response {
    let shape = Shape::of(request.headers()).unwrap_or(Shape::Json);
    let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, "use POST", shape);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

async fn ready_or_not(State(reception): State<Arc<Reception>>) -> Response {
    if reception.is_ready() {
        return "ready\n".into_response();
    }
    let why = reception.broken().unwrap_or_else(|| "ending".into());
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}

async fn metrics(State(reception): State<Arc<Reception>>, request: Request) -> Response {
    if !reception.tokens.admit(request.headers()) {
        let message = "a bearer token is needed";
        return reception.refuse(Transport::Http, Reason::Unauthenticated, message).response(Shape::Json);
    }
    match exposition::text(&reception) {
        Ok(text) => ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn post_metrics(State(reception): State<Arc<Reception>>, request: Request) -> Response {
    let shape = Shape::of(request.headers());
    let owner = Owner::default();
    let request = request.map(|body| owner.lend(body));
    let work = async {
        let answer = answer(&reception, shape, request).await;
        if answer.is_err() {
            owner.drain(reception.limits.message_bytes.saturating_mul(2)).await;
        }
        answer
    };
    let answer = match tokio::time::timeout(reception.limits.request_timeout, work).await {
        Ok(answer) => answer,
        Err(_) => Err(reception.refuse(Transport::Http, Reason::TimedOut, "the request took too long to arrive")),
    };
    let shape = shape.unwrap_or(Shape::Json);
    match answer {
        Ok(answer) => {
            let body = match shape {
                Shape::Protobuf => answer.encode_to_vec(),
                Shape::Json => answer.to_json(),
            };
            ([(CONTENT_TYPE, shape.content_type())], body).into_response()
        }
        Err(refusal) => refusal.response(shape),
    }
}

async fn answer(
    reception: &Arc<Reception>,
    shape: Option<Shape>,
    request: http::Request<Lent>,
) -> Result<ExportResponse, Refusal> {
    let (_permit, charge) = reception.admit(Transport::Http, request.headers())?;
    let encoding = match shape {
        Some(Shape::Protobuf) => Encoding::Protobuf,
        Some(Shape::Json) => Encoding::Json,
        None => {
            let given = request.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
            let message = format!("content type {}", given.as_deref().unwrap_or("absent"));
            return Err(reception.refuse(Transport::Http, Reason::ContentType, message));
        }
    };
    let content_encoding = request.headers().get(CONTENT_ENCODING).cloned();
    let announced = match content_encoding {
        None => http_body::Body::size_hint(request.body()).lower() as usize,
        Some(_) => 0,
    };
    if announced > reception.limits.message_bytes {
        return Err(reception.too_large(Transport::Http));
    }
    let collect = Collect { reception: Arc::clone(reception), charge: Arc::clone(&charge), announced };
    let collected = RequestDecompression::new(collect).call(request).await?;
    if collected.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        let message = format!("content encoding {:?}", content_encoding.unwrap_or(HeaderValue::from_static("")));
        return Err(reception.refuse(Transport::Http, Reason::ContentEncoding, message));
    }
    // It was collected above, in one piece.
    let body = collected.into_body().collect().await.map(|body| body.to_bytes());
    let body = body.map_err(|error| reception.refuse(Transport::Http, Reason::Malformed, error.to_string()))?;
    reception.take(Transport::Http, encoding, body, &charge).await.map(ExportResponse::from)
}

/// Reads a body that was decompressed. Reading stops at the limit, whatever may come.
struct Collect {
    reception: Arc<Reception>,
    charge: Arc<Charge>,
    /// The length the client announced.
    announced: usize,
}

impl Service<http::Request<DecompressionBody<Lent>>> for Collect {
    type Response = http::Response<Full<Bytes>>;
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Refusal>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<DecompressionBody<Lent>>) -> Self::Future {
        let (reception, charge) = (Arc::clone(&self.reception), Arc::clone(&self.charge));
        let room = Vec::with_capacity(self.announced.min(TRUSTED_LENGTH));
        Box::pin(async move { collect(&reception, request.into_body(), room, &charge).await })
    }
}

async fn collect(
    reception: &Reception,
    mut body: DecompressionBody<Lent>,
    mut bytes: Vec<u8>,
    charge: &Charge,
) -> Result<http::Response<Full<Bytes>>, Refusal> {
    let refuse = |reason, message: String| reception.refuse(Transport::Http, reason, message);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refuse(Reason::Malformed, format!("the body cannot be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > reception.limits.message_bytes {
            return Err(reception.too_large(Transport::Http));
        }
        if !charge.grow(data.len()) {
            return Err(refuse(Reason::InboxFull, "the inbox is full".into()));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(http::Response::new(Full::new(Bytes::from(bytes))))
}
