//! Connections: how many, for how long, and how they end. Both ports are served by hyper, with the same limits.
//!
//! Invariant: a connection that holds no request for too long is closed, whether it never sent anything, sends a head without
//! end, be it the first one or a later one, or was left behind.

use super::ingest::IngestService;
use super::limits::{Limits, MemoryBudget, Window};
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::io::InspectReader;
use tower::Service;

/// The part of a connection's window that one request may take.
const MAX_STREAM_WINDOW: u32 = 4 << 20;
const MIN_FRAME: u32 = 16 << 10;
const MAX_FRAME: u32 = 1 << 20;
/// The longest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// At the end a connection without a request may take so long to say good-bye.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);
/// When the system has no more sockets, others have to be closed first.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// What the connections of both ports share.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) ingest: Arc<IngestService>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) windows: MemoryBudget,
    /// True once no more is accepted.
    pub(super) stop: watch::Receiver<bool>,
    /// Held by every connection.
    pub(super) _alive: mpsc::Sender<()>,
}

impl Connections {
    /// Accepts the connections of one port until it is stopped.
    pub(super) async fn accept<S>(mut self, listener: TcpListener, transport: Transport, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = self.stop.wait_for(|&stop| stop) => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(OUT_OF_SOCKETS).await;
                continue;
            };
            count(&self.ingest.counters.connections[transport as usize]);
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                let limit = self.ingest.limits.connections;
                let example = || format!("{limit} connections are open, {peer} had to go");
                self.ingest.count_closed(CloseReason::TooMany, example);
                continue;
            };
            let (connections, service) = (self.clone(), service.clone());
            tokio::spawn(async move {
                connections.serve(stream, peer, transport, service).await;
                drop(permit);
            });
        }
    }

    /// Serves one connection until it is over, was silent for too long, or the service ends.
    async fn serve<S>(mut self, stream: TcpStream, peer: SocketAddr, transport: Transport, service: S)
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
        let window = Window::from_budget(&self.windows);
        let builder = builder(transport, &self.ingest.limits, &window);
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
                        let timeout = limits.header_timeout;
                        let example = || format!("no whole head of a request from {peer} within {timeout:?}");
                        self.ingest.count_closed(CloseReason::Silent, example);
                    }
                    return;
                }
            }
        }
    }
}

fn builder(transport: Transport, limits: &Limits, window: &Window) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(window.bytes().min(MAX_STREAM_WINDOW))
        .initial_connection_window_size(window.bytes())
        .max_frame_size((window.bytes() / 4).clamp(MIN_FRAME, MAX_FRAME))
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(u32::try_from(limits.requests).unwrap_or(u32::MAX));
    // How long a head may take is watched below, for both versions alike.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
    match transport {
        Transport::Grpc => builder.http2_only(),
        Transport::Http => builder,
    }
}

/// What a connection is doing.
struct Activity(Mutex<ActivityState>);

struct ActivityState {
    is_new: bool,
    in_flight: usize,
    /// Whether bytes between two requests can only be those of the next head. With HTTP/2 a client may also say that it lives.
    is_http1: bool,
    /// When it was opened, or its last request ended.
    quiet_since: Instant,
    /// When the first bytes of a head came, while its end did not.
    head_since: Option<Instant>,
}

/// A request without its response.
struct InFlight(Arc<Activity>);

impl Activity {
    fn new() -> Self {
        let (quiet_since, head_since) = (monotonic(), None);
        Activity(Mutex::new(ActivityState { is_new: true, in_flight: 0, is_http1: false, quiet_since, head_since }))
    }

    fn lock(&self) -> MutexGuard<'_, ActivityState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_bytes(&self) {
        let mut state = self.lock();
        if state.is_http1 && state.in_flight == 0 {
            state.head_since.get_or_insert_with(monotonic);
        }
    }

    fn begin(self: &Arc<Self>, version: Version) -> InFlight {
        let mut state = self.lock();
        state.is_new = false;
        state.is_http1 = version < Version::HTTP_2;
        state.in_flight += 1;
        InFlight(Arc::clone(self))
    }

    /// When it will have been silent for too long, as far as is known now, and whether a head is waited for. From `ends_from`
    /// on everything ends.
    fn silent_at(&self, limits: &Limits, ends_from: Option<Instant>) -> (Instant, bool) {
        let state = self.lock();
        if state.in_flight > 0 {
            return (monotonic() + if ends_from.is_some() { CLOSE_TIMEOUT } else { limits.idle_timeout }, false);
        }
        if let Some(ends_from) = ends_from {
            return (state.quiet_since.max(ends_from) + CLOSE_TIMEOUT, false);
        }
        match state.head_since.or(state.is_new.then_some(state.quiet_since)) {
            Some(head) => (head + limits.header_timeout, true),
            None => (state.quiet_since + limits.idle_timeout, false),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.in_flight -= 1;
        if state.in_flight == 0 {
            (state.quiet_since, state.head_since) = (monotonic(), None);
        }
    }
}
