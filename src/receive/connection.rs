//! Connections: how many, for how long, and how they end.
//!
//! Invariant: a connection that holds no request for too long is closed, whether it never sent anything, sends a head without
//! end, be it the first one or a later one, or was left behind.

use super::calls::Calls;
use super::counters::{Hangup, Transport, count};
use super::grpc::{self, Outgoing};
use super::reception::{Limits, Reception};
use super::windows::{Window, Windows};
use crate::clock::monotonic;
use axum::body::Body;
use axum::routing::future::RouteFuture;
use axum::{BoxError, Router};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Either;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::io::InspectReader;
use tower_service::Service;

/// The longest head of a request.
const HEAD: usize = 64 << 10;
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
    /// Both ports share them, too.
    pub(super) windows: Arc<Windows>,
    /// True once no more is accepted.
    pub(super) stop: watch::Receiver<bool>,
    /// Held by every connection.
    pub(super) alive: mpsc::Sender<()>,
}

impl Port {
    /// Accepts connections until it is told to stop.
    pub(super) async fn accept(mut self) {
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
                transport: self.transport,
                router: self.router.clone(),
                reception: Arc::clone(&self.reception),
                stop: self.stop.clone(),
                peer,
                window: self.windows.take(),
                _permit: permit,
                _alive: self.alive.clone(),
            };
            tokio::spawn(connection.serve(stream));
        }
    }
}

/// For the gRPC port.
fn calls_builder(limits: &Limits, window: &Window) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(window.of_stream())
        .initial_connection_window_size(window.bytes())
        .max_frame_size(window.frame())
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(most_streams(limits));
    builder
}

/// For the HTTP port.
fn builder(limits: &Limits, window: &Window) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(window.of_stream())
        .initial_connection_window_size(window.bytes())
        .max_frame_size(window.frame())
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(most_streams(limits));
    // How long a head may take is watched below, for both versions alike.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD);
    builder
}

fn most_streams(limits: &Limits) -> u32 {
    limits.requests.min(u32::MAX as usize) as u32
}

struct Connection {
    transport: Transport,
    router: Router,
    reception: Arc<Reception>,
    stop: watch::Receiver<bool>,
    peer: SocketAddr,
    window: Window,
    _permit: OwnedSemaphorePermit,
    _alive: mpsc::Sender<()>,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Small answers must not wait for more to send. A socket that refuses this is merely slower.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::new());
        let way = Arc::new(Way {
            transport: self.transport,
            router: self.router.clone(),
            reception: Arc::clone(&self.reception),
            activity: Arc::clone(&activity),
        });
        let heard = Arc::clone(&activity);
        let stream = InspectReader::new(stream, move |_| heard.note_bytes());
        let limits = &self.reception.limits;
        match self.transport {
            Transport::Grpc => {
                let calls = Calls::new(stream, &calls_builder(limits, &self.window), way);
                self.keep(pin!(calls), &activity, |mut calls| calls.end()).await;
            }
            Transport::Http => {
                let service = service_fn(move |request| way.answer(request));
                let builder = builder(limits, &self.window);
                let connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
                self.keep(connection, &activity, |connection| connection.graceful_shutdown()).await;
            }
        }
    }

    /// Keeps a connection until it is over, was silent for too long, or was told to `end`.
    async fn keep<C: Future>(&self, mut connection: Pin<&mut C>, activity: &Activity, end: impl Fn(Pin<&mut C>)) {
        let mut stop = self.stop.clone();
        let mut ends_from = None;
        let header_timeout = self.reception.limits.header_timeout;
        loop {
            let (silent_at, _) = activity.silent_at(&self.reception.limits, ends_from);
            // A head may begin meanwhile, and nobody would be woken by that.
            let look_at = silent_at.min(monotonic() + header_timeout);
            tokio::select! {
                // How a connection ends is its client's affair.
                _ = connection.as_mut() => return,
                _ = stop.wait_for(|&stop| stop), if ends_from.is_none() => {
                    ends_from = Some(monotonic());
                    end(connection.as_mut());
                }
                () = tokio::time::sleep_until(look_at.into()) => {
                    let (silent_at, waits_for_head) = activity.silent_at(&self.reception.limits, ends_from);
                    if silent_at > monotonic() {
                        continue;
                    }
                    if waits_for_head {
                        let peer = self.peer;
                        let example = || format!("no whole head of a request from {peer} within {header_timeout:?}");
                        self.reception.hung_up(Hangup::Silent, example);
                    }
                    return;
                }
            }
        }
    }
}

/// What a request goes through.
pub(super) struct Way {
    transport: Transport,
    router: Router,
    reception: Arc<Reception>,
    activity: Arc<Activity>,
}

impl Way {
    /// Answers a request. Its head is looked at before the future is made, which is moved about and should be small.
    pub(super) fn answer<B>(
        self: &Arc<Self>,
        request: Request<B>,
    ) -> impl Future<Output = Result<Outgoing, Infallible>> + Send + use<B>
    where
        B: http_body::Body<Data = Bytes, Error: Display + Into<BoxError>> + Send + Unpin + 'static,
    {
        let held = self.activity.begin(request.version());
        let begun = match self.transport == Transport::Grpc && grpc::is_export(&request) {
            true => Begun::Export(grpc::admit(&self.reception, request)),
            false => Begun::Other(Box::pin(self.router.clone().call(request.map(Body::new)))),
        };
        let reception = Arc::clone(&self.reception);
        async move {
            let _held = held;
            match begun {
                Begun::Export(Ok(call)) => Ok(grpc::answer(&reception, call).await),
                Begun::Export(Err(refused)) => Ok(refused.map(Either::Right)),
                Begun::Other(answer) => Ok(answer.await?.map(Either::Right)),
            }
        }
    }
}

/// A request whose head was looked at.
enum Begun<B> {
    Export(Result<grpc::Call<B>, Box<Response<Body>>>),
    Other(Pin<Box<RouteFuture<Infallible>>>),
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

/// A request that is being answered.
struct Held(Arc<Activity>);

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

    /// Bytes came.
    fn note_bytes(&self) {
        if self.is_http1.load(Ordering::Relaxed) && self.in_flight.load(Ordering::Relaxed) == 0 {
            self.since().head.get_or_insert_with(monotonic);
        }
    }

    fn begin(self: &Arc<Self>, version: Version) -> Held {
        self.is_http1.store(version < Version::HTTP_2, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Held(Arc::clone(self))
    }

    /// When it will have been silent for too long, as far as can be said now, and whether it is a head that is waited for. From
    /// `ends_from` on everything ends.
    fn silent_at(&self, limits: &Limits, ends_from: Option<Instant>) -> (Instant, bool) {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return (monotonic() + if ends_from.is_some() { FAREWELL } else { limits.idle_timeout }, false);
        }
        let Since { quiet, head } = *self.since();
        if let Some(ends_from) = ends_from {
            return (quiet.max(ends_from) + FAREWELL, false);
        }
        let never_asked = self.requests.load(Ordering::Relaxed) == 0;
        match head.or(never_asked.then_some(quiet)) {
            Some(head) => (head + limits.header_timeout, true),
            None => (quiet + limits.idle_timeout, false),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // As long as there is another one nobody asks since when. All requests of a connection are on one thread.
        if self.0.in_flight.load(Ordering::Relaxed) == 1 {
            *self.0.since() = Since { quiet: monotonic(), head: None };
        }
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
