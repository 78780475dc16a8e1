//! What both transports do with a body once its bytes are there: decode, check, hand to the inbox, count.

use super::auth::Tokens;
use super::budget::{Budget, Charge};
use super::complaints::{Complaints, Kind};
use super::copies::Copies;
use super::counters::{Counters, Hangup, Transport, count};
use super::exposition::{Metric, MoreMetrics};
use super::inbox::{Accepted, Inbox, Keep};
use super::recorder::Recorder;
use super::refusal::{Reason, Refusal};
use crate::clock::{Clock, monotonic, now};
use crate::engine::{DropReason, Timestamps};
use crate::model::{Export, Span};
use crate::otlp::{self, DecodeError, Decoder, Encoding};
use bytes::Bytes;
use http::HeaderMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Smaller bodies are not weighed before they are decoded: whatever is in them, it is not much.
const WEIGHED_FROM: usize = 256 << 10;
/// The bytes that an entry of a body takes at least, on average.
const LEAST_ENTRY: usize = 12;

/// What a sender may do. All of it is counted when it is too much.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a body after decompression.
    pub message_bytes: usize,
    /// Bytes of all bodies between the sockets and the engine.
    pub inbox_bytes: usize,
    /// Connections at a time, on both ports together.
    pub connections: usize,
    /// Requests at a time.
    pub requests: usize,
    /// From the first byte of a connection until its first request is there.
    pub header_timeout: Duration,
    /// From the head of a request until its answer.
    pub request_timeout: Duration,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// Attributes of a resource or a point.
    pub attributes: usize,
    /// Bytes of all attributes of a resource or a point, and of a name.
    pub attribute_bytes: usize,
}

/// How bodies are received.
pub struct Settings {
    /// What a sender may do.
    pub limits: Limits,
    /// Who may send.
    pub tokens: Tokens,
    /// What gives an arrival its instant.
    pub clock: Clock,
    /// How points are judged; `None` when bodies are only kept.
    pub timestamps: Option<Timestamps>,
    /// Keeps what is accepted.
    pub keep: Option<Keep>,
    /// Answers wait until what they accept is on the disk.
    pub sync_each: bool,
}

/// See the file's head.
pub struct Reception {
    pub(super) limits: Limits,
    pub(super) tokens: Tokens,
    pub(super) inbox: Inbox,
    pub(super) budget: Arc<Budget>,
    pub(super) counters: Counters,
    complaints: Complaints,
    requests: Arc<Semaphore>,
    decoder: Mutex<Decoder>,
    pub(super) copies: Copies,
    /// `None` when nobody waits for it.
    pub(super) recorder: Option<Recorder>,
    stopping: AtomicBool,
    engine_done: AtomicBool,
    pub(super) engine_done_now: Notify,
    /// When the shutdown must be over, once it has begun.
    ends_at: OnceLock<Instant>,
    more_metrics: OnceLock<MoreMetrics>,
}

impl Reception {
    pub(super) fn new(settings: Settings) -> Self {
        let Settings { limits, tokens, clock, timestamps, keep, sync_each } = settings;
        Reception {
            inbox: Inbox::new((clock, timestamps), limits.inbox_bytes, keep),
            budget: Budget::new(limits.inbox_bytes),
            counters: Counters::default(),
            complaints: Complaints::default(),
            requests: Arc::new(Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS))),
            decoder: Mutex::new(Decoder::default()),
            copies: Copies::default(),
            recorder: sync_each.then(Recorder::new),
            stopping: AtomicBool::new(false),
            engine_done: AtomicBool::new(false),
            engine_done_now: Notify::new(),
            ends_at: OnceLock::new(),
            more_metrics: OnceLock::new(),
            tokens,
            limits,
        }
    }

    /// Lets a request in, for as long as the permit is held.
    pub(super) fn admit(
        &self,
        transport: Transport,
        headers: &HeaderMap,
    ) -> Result<(OwnedSemaphorePermit, Arc<Charge>), Refusal> {
        if !self.tokens.admit(headers) {
            return Err(self.refuse(transport, Reason::Unauthenticated, "a bearer token is needed"));
        }
        if self.is_stopping() {
            return Err(self.refuse(transport, Reason::Stopping, "foreshock is ending"));
        }
        match Arc::clone(&self.requests).try_acquire_owned() {
            Ok(permit) => Ok((permit, self.budget.open())),
            Err(_) => {
                let message = format!("{} requests are being received already", self.limits.requests);
                Err(self.refuse(transport, Reason::TooManyRequests, message))
            }
        }
    }

    /// Counts a refusal.
    pub(super) fn refuse(&self, transport: Transport, reason: Reason, message: impl Into<String>) -> Refusal {
        self.counted(transport, Refusal { reason, message: message.into() })
    }

    pub(super) fn counted(&self, transport: Transport, refusal: Refusal) -> Refusal {
        count(&self.counters.refused[transport as usize][refusal.reason as usize]);
        self.complaints.note(Kind::Request(refusal.reason), || refusal.message.clone());
        refusal
    }

    pub(super) fn too_large(&self, transport: Transport) -> Refusal {
        let limit = self.limits.message_bytes;
        self.refuse(transport, Reason::TooLarge, format!("more than {limit} bytes after decompression"))
    }

    pub(super) fn hung_up(&self, hangup: Hangup, example: impl FnOnce() -> String) {
        count(&self.counters.hangups[hangup as usize]);
        self.complaints.note(Kind::Connection(hangup), example);
    }

    /// Takes in a body, and waits until it is on the disk when that is asked for.
    pub(super) async fn take(
        &self,
        transport: Transport,
        encoding: Encoding,
        body: Bytes,
        charge: &Arc<Charge>,
    ) -> Result<Accepted, Refusal> {
        let taken = match (self.try_take(encoding, body, charge), &self.recorder) {
            (Ok(accepted), Some(recorder)) => recorder.wait(&self.inbox, accepted.number).await.map(|()| accepted),
            (taken, _) => taken,
        };
        match taken {
            Ok(accepted) => {
                let partly = accepted.refused.iter().any(|&n| n > 0);
                let counters = if partly { &self.counters.partial } else { &self.counters.accepted };
                count(&counters[transport as usize]);
                Ok(accepted)
            }
            Err(refusal) => Err(self.counted(transport, refusal)),
        }
    }

    fn try_take(&self, encoding: Encoding, body: Bytes, charge: &Arc<Charge>) -> Result<Accepted, Refusal> {
        let malformed = |error: DecodeError| Refusal { reason: Reason::Malformed, message: error.to_string() };
        let body = match encoding {
            Encoding::Protobuf => body,
            // JSON is kept as what it is decoded from.
            Encoding::Json => {
                let mut transcription = Vec::with_capacity(body.len() / 2);
                otlp::transcribe(&body, &mut transcription).map_err(malformed)?;
                // Numbers of one digit take eight bytes from here on.
                if transcription.len() > self.limits.message_bytes {
                    let message = format!("{} bytes as protobuf", transcription.len());
                    return Err(Refusal { reason: Reason::TooLarge, message });
                }
                Bytes::from(transcription)
            }
        };
        weigh(&body)?;
        let mut export = self.inbox.spare();
        let decoded = {
            let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
            decoder.decode(Encoding::Protobuf, body.clone(), &mut export)
        };
        if let Err(refusal) = decoded.map_err(malformed).and_then(|()| self.check(&export)) {
            self.inbox.give_back(export);
            return Err(refusal);
        }
        let (points, bytes) = (export.points.len() as u64, body.len() as u64);
        let accepted = self.inbox.offer(export, &body, charge)?;
        self.counters.points.fetch_add(points, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(accepted)
    }

    /// The limits on what is in a body. The whole body is refused: cutting points out of it would make what is judged another
    /// thing than what is kept.
    fn check(&self, export: &Export) -> Result<(), Refusal> {
        let Limits { message_bytes, attributes, attribute_bytes, .. } = self.limits;
        if export.payload.len() > message_bytes.saturating_mul(2) {
            let message = format!("{} bytes when its parts are put together", export.payload.len());
            return Err(Refusal { reason: Reason::TooLarge, message });
        }
        // Every attribute takes two bytes at least: as a rule nothing has to be counted.
        let surely_fine = attribute_bytes.min(attributes.saturating_mul(2).saturating_add(1));
        let length = |span: Span| (span.end - span.start) as usize;
        let wrong = |span: Span, what: &str| {
            if length(span) > attribute_bytes {
                return Some(format!("{what} of {} bytes; the most is {attribute_bytes}", length(span)));
            }
            let n = if length(span) > surely_fine { otlp::attribute_count(export.bytes(span)) } else { 0 };
            (n > attributes).then(|| format!("{what}: {n}; the most is {attributes}"))
        };
        let names = export.metrics.iter().flat_map(|metric| [metric.name, metric.scope]);
        let long_name = names.map(length).find(|&n| n > attribute_bytes);
        let found = long_name
            .map(|n| format!("a name of {n} bytes; the most is {attribute_bytes}"))
            .or_else(|| export.resources.iter().find_map(|resource| wrong(resource.raw, "attributes of a resource")))
            .or_else(|| export.points.iter().find_map(|point| wrong(point.attributes, "attributes of a point")));
        found.map_or(Ok(()), |message| Err(Refusal { reason: Reason::Attributes, message }))
    }

    /// What the engine made of its inputs, for `/metrics` and the lines on standard error.
    pub fn publish(&self, counts: &crate::engine::Counts, opened: u64, closed: u64) {
        self.counters.publish(counts, opened, closed);
    }

    /// Number of bodies that were accepted and not judged.
    pub fn depth(&self) -> usize {
        self.inbox.depth()
    }

    /// Why nothing can be kept any more, once that is so.
    pub fn broken(&self) -> Option<String> {
        self.inbox.broken()
    }

    /// The lines for standard error that are due.
    pub(super) fn complaints(&self, is_last: bool) -> Vec<String> {
        self.complaints.due(&self.counters, now(), is_last)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_stopping() && !self.engine_is_done_already() && self.inbox.broken().is_none()
    }

    pub(super) fn stop(&self, ends_at: Instant) {
        // A second call would find the first one's instant, which is the one that holds.
        let _ = self.ends_at.set(ends_at);
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// How much of the time for the shutdown is left; `None` when there is no shutdown.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.ends_at.get()?.saturating_duration_since(monotonic()))
    }

    /// Adds metrics of others to `/metrics`; they are asked for whenever somebody looks. Only the first call counts.
    pub fn expose(&self, more: MoreMetrics) {
        let _ = self.more_metrics.set(more);
    }

    pub(super) fn more_metrics(&self) -> Vec<Metric> {
        self.more_metrics.get().map(|more| more()).unwrap_or_default()
    }

    pub(super) fn engine_is_done(&self) {
        self.engine_done.store(true, Ordering::Relaxed);
        self.engine_done_now.notify_one();
    }

    pub(super) fn engine_is_done_already(&self) -> bool {
        self.engine_done.load(Ordering::Relaxed)
    }
}

/// Refuses a body that is small and would become large. A real point has a time and a value: twenty bytes.
fn weigh(body: &[u8]) -> Result<(), Refusal> {
    if body.len() <= WEIGHED_FROM {
        return Ok(());
    }
    let entries = otlp::entries(body);
    if entries.saturating_mul(LEAST_ENTRY) <= body.len() {
        return Ok(());
    }
    let message = format!("{entries} resources, metrics and points in {} bytes: they are empty", body.len());
    Err(Refusal { reason: Reason::Malformed, message })
}

impl Accepted {
    /// What a partial success says; `None` for a full one.
    pub(super) fn partial(&self) -> Option<(i64, String)> {
        let reasons = DropReason::ALL.into_iter().filter(|&reason| self.refused[reason as usize] > 0);
        let words: Vec<String> =
            reasons.map(|reason| format!("{} {}", self.refused[reason as usize], reason.as_str())).collect();
        let sum: u64 = self.refused.iter().sum();
        (sum > 0).then(|| (sum as i64, format!("data points dropped: {}", words.join(", "))))
    }
}
