//! What both transports do with an export once its bytes are there: decode, check, queue, record, count.
//!
//! Invariant: an export is accepted or rejected as a whole; to cut points out of it would make what is evaluated another thing
//! than what is recorded. [`IngestService`] is also what all of receiving shares.

use super::limits::{Limits, MemoryBudget, MemoryPermit, Tokens};
use super::queue::{Accepted, ExportQueue, RecordingWriter};
use super::recorder::Recorder;
use super::rejection::{Rejection, RejectionReason};
use super::telemetry::{self, CloseReason, Counters, ExtraMetrics, Transport, WarningKind, Warnings, count, gauge};
use crate::clock::{Clock, monotonic, now};
use crate::engine::{Counts, Timestamps, Transition};
use crate::model::{Export, SECOND, Span};
use crate::otlp::{self, DecodeError, Decoder, Encoding};
use bytes::Bytes;
use http::HeaderMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The entries of smaller exports are not counted before they are decoded: whatever is in them, it is not much.
const COUNTED_FROM_BYTES: usize = 256 << 10;
/// The bytes that an entry of an export takes at least, on average. A real point has a time and a value: twenty bytes.
const MIN_ENTRY_BYTES: usize = 12;

/// How exports are received.
pub struct ReceiveOptions {
    /// What a sender may do.
    pub limits: Limits,
    /// Who may send.
    pub tokens: Tokens,
    /// What gives an export its receive time.
    pub clock: Clock,
    /// How points are evaluated; `None` when exports are only recorded.
    pub timestamps: Option<Timestamps>,
    /// Records what is accepted.
    pub recording: Option<RecordingWriter>,
    /// Responses wait until what they accept is on the disk.
    pub sync_each: bool,
}

/// What all of receiving shares.
pub struct IngestService {
    pub(super) limits: Limits,
    pub(super) queue: Arc<ExportQueue>,
    pub(super) memory: MemoryBudget,
    pub(super) counters: Counters,
    /// `None` when no response waits for the disk.
    pub(super) recorder: Option<Recorder>,
    pub(super) tokens: Tokens,
    warnings: Warnings,
    requests: Arc<Semaphore>,
    decoder: Mutex<Decoder>,
    /// When the shutdown must be over, once it has begun.
    ends_at: OnceLock<Instant>,
    extra_metrics: OnceLock<ExtraMetrics>,
}

impl IngestService {
    pub(super) fn new(options: ReceiveOptions) -> Self {
        let ReceiveOptions { limits, tokens, clock, timestamps, recording, sync_each } = options;
        IngestService {
            queue: Arc::new(ExportQueue::new((clock, timestamps), limits.inbox_bytes, recording)),
            memory: MemoryBudget::new(limits.inbox_bytes),
            counters: Counters::default(),
            recorder: sync_each.then(Recorder::new),
            warnings: Warnings::default(),
            requests: Arc::new(Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS))),
            decoder: Mutex::new(Decoder::default()),
            ends_at: OnceLock::new(),
            extra_metrics: OnceLock::new(),
            tokens,
            limits,
        }
    }

    /// Lets a request in, for as long as the permit is held.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, Rejection> {
        self.tokens.check(headers)?;
        if self.is_stopping() {
            return Err(Rejection::stopping());
        }
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| {
            let message = format!("{} requests are being received already", self.limits.requests);
            Rejection::new(RejectionReason::TooManyRequests, message)
        })
    }

    pub(super) fn count_rejection(&self, transport: Transport, rejection: &Rejection) {
        count(&self.counters.rejected[transport as usize][rejection.reason as usize]);
        self.warnings.note(WarningKind::Request(rejection.reason), || rejection.message.clone());
    }

    pub(super) fn count_closed(&self, reason: CloseReason, example: impl FnOnce() -> String) {
        count(&self.counters.closed[reason as usize]);
        self.warnings.note(WarningKind::Connection(reason), example);
    }

    /// Accepts an export, and waits until it is on the disk with `sync_each`. `memory` is what its request holds.
    pub(super) async fn accept(
        &self,
        transport: Transport,
        encoding: Encoding,
        payload: Bytes,
        memory: Option<MemoryPermit>,
    ) -> Result<Accepted, Rejection> {
        let accepted = self.queue(encoding, payload, memory)?;
        if let Some(recorder) = &self.recorder {
            recorder.wait(&self.queue, accepted.number).await?;
        }
        let is_partial = accepted.dropped.iter().any(|&n| n > 0);
        let counters = if is_partial { &self.counters.partial } else { &self.counters.accepted };
        count(&counters[transport as usize]);
        Ok(accepted)
    }

    fn queue(&self, encoding: Encoding, payload: Bytes, memory: Option<MemoryPermit>) -> Result<Accepted, Rejection> {
        let malformed = |error: DecodeError| Rejection::malformed(error.to_string());
        let payload = match encoding {
            Encoding::Protobuf => payload,
            // JSON is recorded as what it is decoded from.
            Encoding::Json => {
                let mut transcription = Vec::with_capacity(payload.len() / 2);
                otlp::transcribe(&payload, &mut transcription).map_err(malformed)?;
                // Numbers of one digit take eight bytes from here on.
                if transcription.len() > self.limits.message_bytes {
                    let message = format!("{} bytes as protobuf", transcription.len());
                    return Err(Rejection::new(RejectionReason::TooLarge, message));
                }
                Bytes::from(transcription)
            }
        };
        check_entries(&payload)?;
        let mut export = Export::default();
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        decoder.decode(Encoding::Protobuf, payload.clone(), &mut export).map_err(malformed)?;
        drop(decoder);
        self.check_sizes(&export)?;
        let points = export.points.len() as u64;
        let accepted = self.queue.offer(export, &payload, memory)?;
        self.counters.points.fetch_add(points, Ordering::Relaxed);
        self.counters.bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
        Ok(accepted)
    }

    /// The limits on what is in an export.
    fn check_sizes(&self, export: &Export) -> Result<(), Rejection> {
        let Limits { message_bytes, attributes, attribute_bytes, .. } = self.limits;
        if export.payload.len() > message_bytes.saturating_mul(2) {
            let message = format!("{} bytes when its parts are put together", export.payload.len());
            return Err(Rejection::new(RejectionReason::TooLarge, message));
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
        found.map_or(Ok(()), |message| Err(Rejection::new(RejectionReason::Attributes, message)))
    }

    /// Takes over what the engine counted so far, and the transitions since the last call.
    pub fn publish(&self, counts: &Counts, transitions: &[Transition]) {
        self.counters.publish(counts, transitions);
    }

    /// Adds metrics of others to `/metrics`; they are read whenever it is. Only the first call counts.
    pub fn expose(&self, extra: ExtraMetrics) {
        let _ = self.extra_metrics.set(extra);
    }

    /// The text of `/metrics`.
    pub(super) fn exposition(&self) -> Result<String, fmt::Error> {
        let lag = self.queue.evaluation_lag() as f64 / SECOND as f64;
        let mut more = vec![
            gauge("evaluation_lag_seconds", "From the time of the last evaluation until it was done", lag),
            gauge("inbox_exports", "Exports that wait for the engine", self.queue.len() as f64),
            gauge("inbox_bytes", "Bytes between the sockets and the engine", self.memory.used_bytes() as f64),
            gauge("inbox_limit_bytes", "The most of them", self.memory.limit_bytes() as f64),
        ];
        more.extend(self.extra_metrics.get().map(|extra| extra()).unwrap_or_default());
        telemetry::exposition(&self.counters, more)
    }

    /// The warnings that are due.
    pub(super) fn warnings(&self, is_last: bool) -> Vec<String> {
        self.warnings.due(&self.counters, now(), is_last)
    }

    /// Why nothing can be recorded any more, once that is so.
    pub fn recording_error(&self) -> Option<String> {
        self.queue.recording_error()
    }

    fn is_stopping(&self) -> bool {
        self.ends_at.get().is_some()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_stopping() && !self.queue.is_engine_done() && self.recording_error().is_none()
    }

    /// Accepts no more requests.
    pub(super) fn stop(&self, ends_at: Instant) {
        // After a second call the time of the first one holds.
        let _ = self.ends_at.set(ends_at);
    }

    /// How much of the time for the shutdown is left; `None` when there is no shutdown.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.ends_at.get()?.saturating_duration_since(monotonic()))
    }
}

/// Rejects an export that is small and would become large.
fn check_entries(payload: &[u8]) -> Result<(), Rejection> {
    let entries = if payload.len() > COUNTED_FROM_BYTES { otlp::entries(payload) } else { 0 };
    if entries.saturating_mul(MIN_ENTRY_BYTES) <= payload.len() {
        return Ok(());
    }
    let message = format!("{entries} resources, metrics and points in {} bytes: they are empty", payload.len());
    Err(Rejection::malformed(message))
}
