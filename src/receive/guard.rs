//! The tower layer that both receivers stand behind: who is let in, how many requests at a time, how many bytes each may send
//! and hold, and how long it may take.
//!
//! Invariant: every request is counted once, as rejected here or as accepted by the service inside. What is rejected is read
//! to its end, within limits, before the response is given: a client that is still sending when the connection closes sees a
//! broken connection instead of its response, and sends the same again.

use super::ingest::IngestService;
use super::limits::MemoryPermit;
use super::rejection::{Rejection, RejectionReason};
use super::telemetry::Transport;
use crate::clock::monotonic;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, timeout_at};
use tower::layer::layer_fn;
use tower::{Layer, Service};

/// What frames a message does not count as a part of it.
const FRAMING_BYTES: usize = 64;

/// The tower layer.
pub(super) fn guard<S>(ingest: Arc<IngestService>, transport: Transport) -> impl Layer<S, Service = Guard<S>> {
    layer_fn(move |inner| Guard { ingest: Arc::clone(&ingest), transport, inner })
}

/// A service behind the limits. Its error is why a request was rejected.
#[derive(Clone)]
pub(super) struct Guard<S> {
    ingest: Arc<IngestService>,
    transport: Transport,
    inner: S,
}

impl<S, B> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Payload>, Response = Response<B>, Error = Rejection, Future: Send> + Clone + Send + 'static,
    B: Send,
{
    type Response = Response<B>;
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, Rejection>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Guard { ingest, transport, mut inner } = self.clone();
        Box::pin(async move {
            let limits = &ingest.limits;
            let (head, body) = request.into_parts();
            // A length that is announced need not be read to be too much.
            let is_too_large = body.size_hint().lower() > (limits.message_bytes + FRAMING_BYTES) as u64;
            let payload = Payload::new(body, limits.message_bytes, ingest.memory.permit());
            // Pinned where it is: it is large, and would be moved into each of the futures around it.
            let received = pin!(async {
                match ingest.admit(&head.headers) {
                    Ok(_) if is_too_large => Err(Rejection::too_large(limits.message_bytes)),
                    Ok(_permit) => inner.call(Request::from_parts(head, payload.clone())).await,
                    Err(rejection) => Err(rejection),
                }
            });
            let deadline = Instant::from(monotonic()) + limits.request_timeout;
            let timed_out = |_| Err(Rejection::new(RejectionReason::TimedOut, "the request took too long"));
            let result = timeout_at(deadline, received).await.unwrap_or_else(timed_out);
            if let Err(rejection) = &result {
                ingest.count_rejection(transport, rejection);
                // A client that still sends at the deadline sees a broken connection.
                let _ = timeout_at(deadline, payload.drain(limits.message_bytes.saturating_mul(2))).await;
            }
            result
        })
    }
}

/// The body of a request, which holds memory for what was read of it. All clones are the same body.
#[derive(Clone)]
pub(super) struct Payload(Arc<Mutex<Reading>>);

struct Reading {
    body: Body,
    message_bytes: usize,
    read_bytes: usize,
    /// `None` once somebody else accounts for what was read.
    memory: Option<MemoryPermit>,
    /// Why reading stopped.
    rejection: Option<Rejection>,
}

impl Payload {
    fn new(body: Body, message_bytes: usize, memory: MemoryPermit) -> Self {
        let reading = Reading { body, message_bytes, read_bytes: 0, memory: Some(memory), rejection: None };
        Payload(Arc::new(Mutex::new(reading)))
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read_bytes(&self) -> usize {
        self.lock().read_bytes
    }

    /// Holds memory for so many bytes, for whoever decompresses what is read.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), Rejection> {
        self.lock().hold(bytes)
    }

    /// The memory that is held, for whoever keeps what was read.
    pub(super) fn take_memory(&self) -> Option<MemoryPermit> {
        self.lock().memory.take()
    }

    /// Why reading failed: what is known here, or else what the reader found.
    pub(super) fn rejection_or(&self, other: impl FnOnce() -> Rejection) -> Rejection {
        self.lock().rejection.take().unwrap_or_else(other)
    }

    /// Reads what nobody read, but no more than so many bytes. Nothing is held for them.
    async fn drain(&self, max_bytes: usize) {
        let mut body = {
            let mut reading = self.lock();
            reading.memory = None;
            std::mem::take(&mut reading.body)
        };
        let mut drained = 0;
        while drained <= max_bytes
            && let Some(Ok(frame)) = body.frame().await
        {
            drained += frame.data_ref().map_or(0, Bytes::len);
        }
    }
}

impl Reading {
    fn hold(&mut self, bytes: usize) -> Result<(), Rejection> {
        let has_room = self.memory.as_mut().is_none_or(|memory| memory.grow_to(bytes));
        if has_room { Ok(()) } else { Err(Rejection::inbox_full()) }
    }

    fn account(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Rejection> {
        self.read_bytes += frame.data_ref().map_or(0, Bytes::len);
        if self.read_bytes > self.message_bytes + FRAMING_BYTES {
            return Err(Rejection::too_large(self.message_bytes));
        }
        self.hold(self.read_bytes).map(|()| frame)
    }
}

impl http_body::Body for Payload {
    type Data = Bytes;
    type Error = Rejection;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Rejection>>> {
        let mut reading = self.lock();
        let Some(frame) = ready!(Pin::new(&mut reading.body).poll_frame(context)) else { return Poll::Ready(None) };
        let unreadable = |error| Rejection::malformed(format!("the request cannot be read: {error}"));
        let result = frame.map_err(unreadable).and_then(|frame| reading.account(frame));
        // Layers above wrap the error in their own; the reader takes it from here.
        reading.rejection = result.as_ref().err().cloned();
        Poll::Ready(Some(result))
    }
}
