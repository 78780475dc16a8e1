//! Connections: how many, for how long, and how they end. Both ports are served by hyper, with the same limits.
//!
//! Invariant: a connection that holds no request for too long is closed, whether it never sent anything, sends a head without
//! end, be it the first one or a later one, or was left behind.

use super::ingest::IngestService;
use super::limits::{FlowControlBudget, Limits, Window};
use super::telemetry::{CloseReason, Transport, count};
use crate::clock::monotonic;
use axum::body::Body;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::io::InspectReader;
use tower::Service;

/// The longest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// At the end a connection without a request may take so long to say good-bye.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);
/// When the system has no more sockets, others have to be closed first.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// One port. What is behind an `Arc` is shared by both.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) transport: Transport,
    pub(super) ingest: Arc<IngestService>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) windows: Arc<FlowControlBudget>,
    /// True once no more is accepted.
    pub(super) stop: watch::Receiver<bool>,
    /// Held by every connection.
    pub(super) alive: mpsc::Sender<()>,
}

impl Port {
    /// Accepts connections until it is stopped.
    pub(super) async fn accept<S>(mut self, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = self.stop.wait_for(|&stop| stop) => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(OUT_OF_SOCKETS).await;
                continue;
            };
            count(&self.ingest.counters.connections[self.transport as usize]);
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                let limit = self.ingest.limits.connections;
                let example = || format!("{limit} connections are open, {peer} had to go");
                self.ingest.count_closed(CloseReason::TooMany, example);
                continue;
            };
            let connection = Connection {
                ingest: Arc::clone(&self.ingest),
                stop: self.stop.clone(),
                peer,
                window: self.windows.take(),
                _permit: permit,
                _alive: self.alive.clone(),
            };
            let builder = builder(self.transport, &self.ingest.limits, &connection.window);
            tokio::spawn(connection.serve(stream, builder, service.clone()));
        }
    }
}

fn builder(transport: Transport, limits: &Limits, window: &Window) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(window.stream_bytes())
        .initial_connection_window_size(window.connection_bytes())
        .max_frame_size(window.frame_bytes())
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(u32::try_from(limits.requests).unwrap_or(u32::MAX));
    // How long a head may take is watched below, for both versions alike.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
    match transport {
        Transport::Grpc => builder.http2_only(),
        Transport::Http => builder,
    }
}

struct Connection {
    ingest: Arc<IngestService>,
    stop: watch::Receiver<bool>,
    peer: SocketAddr,
    window: Window,
    _permit: OwnedSemaphorePermit,
    _alive: mpsc::Sender<()>,
}

impl Connection {
    /// Serves until it is over, was silent for too long, or the service ends.
    async fn serve<S>(mut self, stream: TcpStream, builder: Builder<TokioExecutor>, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    {
        // Small responses must not wait for more to send. A socket that refuses this is merely slower.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new());
        let on_bytes = Arc::clone(&activity);
        let stream = InspectReader::new(stream, move |_| on_bytes.note_bytes());
        let on_request = Arc::clone(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let in_flight = on_request.begin(request.version());
            let response = service.clone().call(request.map(Body::new));
            async move {
                let response = response.await;
                drop(in_flight);
                response
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let limits = &self.ingest.limits;
        let mut ends_from = None;
        loop {
            let (silent_at, _) = activity.silent_at(limits, ends_from);
            // A head may begin meanwhile, and nobody would be woken by that.
            let look_at = silent_at.min(monotonic() + limits.header_timeout);
            tokio::select! {
                // How a connection ends is its client's affair.
                _ = connection.as_mut() => return,
                _ = self.stop.wait_for(|&stop| stop), if ends_from.is_none() => {
                    ends_from = Some(monotonic());
                    connection.as_mut().graceful_shutdown();
                }
                () = tokio::time::sleep_until(look_at.into()) => {
                    let (silent_at, waits_for_head) = activity.silent_at(limits, ends_from);
                    if silent_at > monotonic() {
                        continue;
                    }
                    if waits_for_head {
                        let (peer, timeout) = (self.peer, limits.header_timeout);
                        let example = || format!("no whole head of a request from {peer} within {timeout:?}");
                        self.ingest.count_closed(CloseReason::Silent, example);
                    }
                    return;
                }
            }
        }
    }
}

/// What a connection is doing.
struct Activity {
    requests: AtomicU64,
    in_flight: AtomicUsize,
    /// Whether bytes between two requests can only be those of the next head. With HTTP/2 a client may also say that it lives.
    is_http1: AtomicBool,
    since: Mutex<Since>,
}

struct Since {
    /// When it was opened, or its last request ended.
    quiet: Instant,
    /// When the first bytes of a head came, while its end did not.
    head: Option<Instant>,
}

/// A request without its response.
struct InFlight(Arc<Activity>);

impl Activity {
    fn new() -> Self {
        Activity {
            requests: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            is_http1: AtomicBool::new(false),
            since: Mutex::new(Since { quiet: monotonic(), head: None }),
        }
    }

    fn since(&self) -> MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_bytes(&self) {
        if self.is_http1.load(Ordering::Relaxed) && self.in_flight.load(Ordering::Relaxed) == 0 {
            self.since().head.get_or_insert_with(monotonic);
        }
    }

    fn begin(self: &Arc<Self>, version: Version) -> InFlight {
        self.is_http1.store(version < Version::HTTP_2, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// When it will have been silent for too long, as far as can be said now, and whether a head is waited for. From `ends_from`
    /// on everything ends.
    fn silent_at(&self, limits: &Limits, ends_from: Option<Instant>) -> (Instant, bool) {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return (monotonic() + if ends_from.is_some() { CLOSE_TIMEOUT } else { limits.idle_timeout }, false);
        }
        let Since { quiet, head } = *self.since();
        if let Some(ends_from) = ends_from {
            return (quiet.max(ends_from) + CLOSE_TIMEOUT, false);
        }
        let is_new = self.requests.load(Ordering::Relaxed) == 0;
        match head.or(is_new.then_some(quiet)) {
            Some(head) => (head + limits.header_timeout, true),
            None => (quiet + limits.idle_timeout, false),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // While there is another one it does not matter since when. All requests of a connection are on one thread.
        if self.0.in_flight.load(Ordering::Relaxed) == 1 {
            *self.0.since() = Since { quiet: monotonic(), head: None };
        }
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
