//! Connections: how many, for how long, and how they end.
//!
//! Invariant: a connection that holds no request for too long is closed, whether it never sent anything, sends a head without
//! end, or was left behind.

use super::counters::{Hangup, Transport, count};
use super::reception::{Limits, Reception};
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tower_service::Service;

/// Windows of HTTP/2, large enough for a body of a few thousand points to come without a pause.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
const MAX_FRAME: u32 = 1 << 20;
/// The longest head of a request.
const HEAD: usize = 64 << 10;
/// A peer that is gone is noticed by this.
const PING_EVERY: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// At the end a connection without a request may say good-bye for so long.
const FAREWELL: Duration = Duration::from_millis(300);
/// When the system has no more sockets, time heals.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// One port.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) transport: Transport,
    pub(super) router: Router,
    pub(super) reception: Arc<Reception>,
    /// Both ports share them.
    pub(super) permits: Arc<Semaphore>,
    /// True once no more is accepted.
    pub(super) stop: watch::Receiver<bool>,
    /// Held by every connection.
    pub(super) alive: mpsc::Sender<()>,
}

impl Port {
    /// Accepts connections until it is told to stop.
    pub(super) async fn accept(mut self) {
        let builder = Arc::new(builder(self.transport, &self.reception.limits));
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
            count(&self.reception.counters.connections[self.transport as usize]);
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                let limit = self.reception.limits.connections;
                self.reception.hung_up(Hangup::TooMany, || format!("{limit} connections are open, {peer} had to go"));
                continue;
            };
            let connection = Connection {
                router: self.router.clone(),
                reception: Arc::clone(&self.reception),
                stop: self.stop.clone(),
                peer,
                _permit: permit,
                _alive: self.alive.clone(),
            };
            tokio::spawn(connection.serve(stream, Arc::clone(&builder)));
        }
    }
}

fn builder(transport: Transport, limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(limits.requests.min(u32::MAX as usize) as u32)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    // How long a head may take is watched below, for both versions alike.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD);
    match transport {
        Transport::Grpc => builder.http2_only(),
        Transport::Http => builder,
    }
}

struct Connection {
    router: Router,
    reception: Arc<Reception>,
    stop: watch::Receiver<bool>,
    peer: SocketAddr,
    _permit: OwnedSemaphorePermit,
    _alive: mpsc::Sender<()>,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream, builder: Arc<Builder<TokioExecutor>>) {
        // Small answers must not wait for more to send. A socket that refuses this is merely slower.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new());
        let (router, busy) = (self.router.clone(), Arc::clone(&activity));
        let service = service_fn(move |request: http::Request<Incoming>| {
            let held = busy.begin();
            let answer = router.clone().call(request.map(Body::new));
            async move {
                let answer = answer.await;
                drop(held);
                answer
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut ends_from = None;
        loop {
            let silent_at = activity.silent_at(&self.reception.limits, ends_from);
            tokio::select! {
                // How a connection ends is its client's affair.
                _ = connection.as_mut() => return,
                _ = self.stop.wait_for(|&stop| stop), if ends_from.is_none() => {
                    ends_from = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
                () = tokio::time::sleep_until(silent_at) => {
                    if activity.silent_at(&self.reception.limits, ends_from) > Instant::now() {
                        continue;
                    }
                    if activity.never_asked() && ends_from.is_none() {
                        let timeout = self.reception.limits.header_timeout;
                        let peer = self.peer;
                        self.reception.hung_up(Hangup::Silent, || format!("no request from {peer} within {timeout:?}"));
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
    /// When it was opened, or its last request ended.
    quiet_since: Mutex<Instant>,
}

/// A request that is being answered.
struct Held(Arc<Activity>);

impl Activity {
    fn new() -> Self {
        Activity {
            requests: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            quiet_since: Mutex::new(Instant::now()),
        }
    }

    fn begin(self: &Arc<Self>) -> Held {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(self))
    }

    fn never_asked(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }

    /// When it will have been silent for too long, as far as can be said now. From `ends_from` on everything ends.
    fn silent_at(&self, limits: &Limits, ends_from: Option<Instant>) -> Instant {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return Instant::now() + if ends_from.is_some() { FAREWELL } else { limits.idle_timeout };
        }
        let since = *self.quiet_since.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ends_from) = ends_from {
            return since.max(ends_from) + FAREWELL;
        }
        since + if self.never_asked() { limits.header_timeout } else { limits.idle_timeout }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.quiet_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
