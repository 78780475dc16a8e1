//! Receiving: sockets, compression, limits, status codes, and the queue that makes the order of exports.
//!
//! One thread with one single-threaded runtime has the sockets. A request's way: `connection` watches over the time it takes to
//! come, `guard` holds the limits, behind it `grpc` (on tonic) or `http` (on axum) peels the transport, `ingest`
//! decodes the payload with the decoder that replay uses, and `queue` gives it its receive time, has it recorded and queues it;
//! only then its sender gets a response. The other end of the queue is [`InputStream`], which another thread hands to
//! [`crate::engine::drive`]. Everything is bounded (`limits`), and whatever is rejected is counted and has a reason.
//!
//! `server` is the life of the service, `telemetry` what it reports of itself.
//! Absent on purpose: TLS, other signals than metrics, anything that waits for the engine.

mod connection;
mod grpc;
mod guard;
mod http;
mod ingest;
mod limits;
mod queue;
mod recorder;
mod rejection;
mod server;
mod telemetry;

pub use ingest::{IngestService, ReceiveOptions};
pub use limits::{Limits, Tokens};
pub use queue::{InputStream, RecordingEvent, RecordingWriter, SyncJob};
pub use server::{EndOfService, Server, ShutdownTrigger, serve};
pub use telemetry::{ExposedMetric, ExtraMetrics, Labels};

use crate::model::Nanos;
use std::sync::Arc;

/// Both ends of a queue: what accepts exports, and what hands them on. `step` is how often somebody has to look at the latter
/// when little arrives.
pub fn open(options: ReceiveOptions, step: Nanos) -> (Arc<IngestService>, InputStream) {
    let ingest = Arc::new(IngestService::new(options));
    let inputs = InputStream::new(Arc::clone(&ingest.queue), step);
    (ingest, inputs)
}
