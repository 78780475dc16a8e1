//! OTLP over HTTP: `POST /v1/metrics`, and what operators and probes ask for.
//!
//! A response has the encoding of its request; errors are a `google.rpc.Status`.

use super::guard::{Payload, guard};
use super::ingest::IngestService;
use super::rejection::{RETRY_DELAY, Rejection, RejectionReason};
use super::telemetry::{self, Transport};
use crate::otlp::Encoding;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http_body_util::{BodyExt, Full};
use prost::Message;
use std::sync::Arc;
use tonic::Code;
use tower::{Layer, Service, service_fn};
use tower_http::decompression::{DecompressionBody, RequestDecompression};

/// What answers on the HTTP port.
pub(super) fn router(ingest: Arc<IngestService>) -> Router {
    Router::new()
        .route("/v1/metrics", post(post_metrics).fallback(wrong_method))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .with_state(ingest)
}

fn content_type(encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    })
}

fn encoding_of(headers: &HeaderMap) -> Option<Encoding> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media = value.split(';').next().unwrap_or_default().trim();
    match media.to_ascii_lowercase().as_str() {
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    let message = match path {
        "/v1/traces" | "/v1/logs" | "/v1development/profiles" => {
            format!("{path}: foreshock takes metrics only; set OTEL_TRACES_EXPORTER=none and OTEL_LOGS_EXPORTER=none")
        }
        _ => format!("{path}: there is POST /v1/metrics, GET /healthz, /readyz and /metrics"),
    };
    failure(StatusCode::NOT_FOUND, Code::Unimplemented, &message, encoding_of(request.headers()))
}

async fn wrong_method(request: Request) -> Response {
    let encoding = encoding_of(request.headers());
    let response = failure(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, "use POST", encoding);
    ([(ALLOW, "POST")], response).into_response()
}

async fn readiness(State(ingest): State<Arc<IngestService>>) -> Response {
    if ingest.is_ready() {
        return "ready\n".into_response();
    }
    let why = ingest.recording_error().unwrap_or_else(|| "ending".into());
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}

async fn metrics(State(ingest): State<Arc<IngestService>>, request: Request) -> Response {
    if let Err(rejection) = ingest.tokens.check(request.headers()) {
        ingest.count_rejection(Transport::Http, &rejection);
        return rejected(&rejection, None);
    }
    match ingest.exposition() {
        Ok(text) => ([(CONTENT_TYPE, telemetry::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn post_metrics(State(ingest): State<Arc<IngestService>>, request: Request) -> Response {
    let encoding = encoding_of(request.headers());
    let layer = guard(Arc::clone(&ingest), Transport::Http);
    let decompressed = service_fn(move |request: http::Request<Payload>| {
        let (ingest, payload) = (Arc::clone(&ingest), request.body().clone());
        let export = service_fn(move |request| export(Arc::clone(&ingest), payload.clone(), encoding, request));
        RequestDecompression::new(export).pass_through_unaccepted(true).call(request)
    });
    match layer.layer(decompressed).call(request).await {
        Ok(response) => response.map(Body::new),
        Err(rejection) => rejected(&rejection, encoding),
    }
}

/// Receives an export, or rejects it.
async fn export(
    ingest: Arc<IngestService>,
    payload: Payload,
    encoding: Option<Encoding>,
    request: http::Request<DecompressionBody<Payload>>,
) -> Result<http::Response<Full<Bytes>>, Rejection> {
    let header = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(encoding) = encoding else {
        let message = format!("content type {}", header(CONTENT_TYPE).as_deref().unwrap_or("absent"));
        return Err(Rejection::new(RejectionReason::ContentType, message));
    };
    // What could be decompressed is without this header by now.
    if let Some(other) = header(CONTENT_ENCODING).filter(|coding| coding != "identity") {
        return Err(Rejection::new(RejectionReason::ContentEncoding, format!("content encoding {other:?}")));
    }
    let bytes = read(request.into_body(), &payload, ingest.limits.message_bytes).await?;
    let accepted = ingest.accept(Transport::Http, encoding, bytes, payload.take_memory()).await?;
    let mut response = http::Response::new(Full::new(accepted.response(encoding)));
    response.headers_mut().insert(CONTENT_TYPE, content_type(encoding));
    Ok(response)
}

/// Reads what was decompressed. Reading stops at the limit, whatever may come.
async fn read(
    mut body: DecompressionBody<Payload>,
    payload: &Payload,
    message_bytes: usize,
) -> Result<Bytes, Rejection> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let unreadable = |error| Rejection::malformed(format!("the request body cannot be read: {error}"));
        let frame = frame.map_err(|error| payload.rejection_or(|| unreadable(error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > message_bytes {
            return Err(Rejection::too_large(message_bytes));
        }
        payload.hold(bytes.len() + data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// The response to a request that is rejected.
fn rejected(rejection: &Rejection, encoding: Option<Encoding>) -> Response {
    let status = rejection.http_status();
    let mut response = failure(status, rejection.code(), &rejection.message, encoding);
    let header = match status {
        StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, HeaderValue::from(RETRY_DELAY.as_secs()))),
        StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        _ => None,
    };
    response.headers_mut().extend(header);
    response
}

/// A response with a `google.rpc.Status`.
fn failure(status: StatusCode, code: Code, message: &str, encoding: Option<Encoding>) -> Response {
    let encoding = encoding.unwrap_or(Encoding::Json);
    let body = match encoding {
        Encoding::Protobuf => {
            tonic_types::Status { code: code as i32, message: message.to_string(), details: Vec::new() }.encode_to_vec()
        }
        Encoding::Json => serde_json::json!({ "code": code as i32, "message": message }).to_string().into_bytes(),
    };
    (status, [(CONTENT_TYPE, content_type(encoding))], body).into_response()
}
