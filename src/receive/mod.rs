//! Receiving: sockets, compression, limits, status codes, the inbox, and the one clock of the crate.
//!
//! One thread with one single-threaded runtime has the sockets. A body's way: `connection` watches over the time it takes, `calls`
//! with `grpc`, or `http`, peels the transport and cuts the decompressed size, `reception` decodes it with the decoder that
//! replay uses, `inbox` gives it its instant and queues it; only then its sender gets an answer. The other end of the inbox is
//! [`Arrivals`], which another thread hands to [`crate::engine::drive`]. Everything is bounded, and whatever is refused is
//! counted and has a reason.
//!
//! Absent on purpose: TLS, other signals than metrics, anything that waits for the engine.

mod answer;
mod arrivals;
mod auth;
mod budget;
mod calls;
mod complaints;
mod connection;
mod copies;
mod counters;
mod exposition;
mod grpc;
mod http;
mod inbox;
mod lent;
mod message;
mod reception;
mod recorder;
mod refusal;
mod serve;
mod windows;
mod within;

pub use arrivals::Arrivals;
pub use auth::Tokens;
pub use exposition::{Labels, Metric, MoreMetrics};
pub use inbox::{Keep, Kept, Sync};
pub use reception::{Limits, Reception, Settings};
pub use serve::{Ending, Ends, Hearer, Listeners, Service, serve};

use crate::model::Nanos;
use std::sync::Arc;

/// Both ends of an inbox: what takes bodies in, and what hands them on. `step` is how often somebody has to look at the latter
/// when little arrives.
pub fn open(settings: Settings, step: Nanos) -> (Arc<Reception>, Arrivals) {
    let reception = Arc::new(Reception::new(settings));
    let arrivals = Arrivals::new(Arc::clone(&reception), step);
    (reception, arrivals)
}
