//! The queue between the sockets and the engine: where order is made.
//!
//! One short lock gives an export its receive time, records it when there is a recording, and queues it; only then its sender
//! gets a response. So the order of the recording, of the receive times and of the engine's inputs are the same order, and
//! receive times never go backwards. A tick is taken under the same lock, so no export that comes after it is older. The queue
//! is bounded by the bytes that are held ([`super::limits`]). The engine is not woken for every export: it looks when the time
//! of an evaluation is over, or when much has come.

use super::limits::MemoryPermit;
use super::rejection::{Rejection, RejectionReason};
use crate::clock::{Clock, now};
use crate::engine::{DropReason, Input, Inputs, Received, Timestamps, count_dropped};
use crate::model::{Export, MetricSpan, Nanos, PointSpan, ResourceSpan};
use crate::otlp::{self, Encoding};
use bytes::Bytes;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The engine is woken before its time when so much has come, or a quarter of what there is room for.
const WAKE_BYTES: usize = 512 << 10;
/// With the data's clock the engine is woken by the first export, and gives others time to come: each would wake it otherwise.
const GATHER: Duration = Duration::from_millis(2);
/// What a queued export takes beside its bytes and lists.
const OVERHEAD_BYTES: usize = 256;

/// Brings what was recorded so far to the disk.
pub type SyncJob = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// What is to be recorded, in the order of the receive times.
#[derive(Clone, Copy)]
pub enum RecordingEvent<'a> {
    /// An export was accepted.
    Export {
        /// When; `None` for an export that leaves time where it is.
        received_at: Option<Nanos>,
        /// As protobuf.
        payload: &'a [u8],
    },
    /// Time passes: what is held back should be written.
    Flush,
    /// What is held back is to be written, and then brought to the disk by whoever calls what is put here.
    Sync(&'a Cell<Option<SyncJob>>),
    /// Nothing more will come.
    End {
        /// The last receive time.
        received_at: Option<Nanos>,
    },
}

/// Records what is accepted.
pub type RecordingWriter = Box<dyn FnMut(RecordingEvent<'_>) -> io::Result<()> + Send>;

/// An export that was accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    /// Points that will be dropped, by reason.
    pub(super) dropped: [u64; DropReason::ALL.len()],
    /// How many exports were recorded until then, this one included.
    pub(super) number: u64,
}

impl Accepted {
    /// The response: a partial success names the points that will be dropped.
    pub(super) fn response(&self, encoding: Encoding) -> Bytes {
        let dropped = DropReason::ALL.into_iter().zip(self.dropped).filter(|&(_, n)| n > 0);
        let words: Vec<String> = dropped.map(|(reason, n)| format!("{n} {}", reason.as_str())).collect();
        Bytes::from(otlp::encode_response(encoding, self.dropped.iter().sum(), &words.join(", ")))
    }
}

/// The queue, shared by the receivers and the engine.
pub(super) struct ExportQueue {
    clock: Clock,
    /// How points are evaluated; `None` when they are only recorded.
    timestamps: Option<Timestamps>,
    /// The engine is woken when so many bytes wait.
    wake_bytes: usize,
    state: Mutex<QueueState>,
    ready: Condvar,
    /// From the time of an evaluation until it was done, the last time there was one.
    lag: AtomicI64,
    /// Becomes true.
    engine_done: watch::Sender<bool>,
}

#[derive(Default)]
struct QueueState {
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// The newest receive time given out.
    last: Option<Nanos>,
    is_closed: bool,
    /// The engine waits for anything to come.
    is_awaited: bool,
    recording: Option<RecordingWriter>,
    /// Exports that were recorded.
    recorded: u64,
    /// Why nothing can be recorded any more.
    recording_error: Option<String>,
    scratch: Vec<Nanos>,
}

struct Queued {
    received_at: Option<Nanos>,
    /// `None` for an export without content, which only shows that time has come this far.
    export: Option<Export>,
    /// Given back once the engine is done with it.
    _memory: Option<MemoryPermit>,
}

impl ExportQueue {
    pub(super) fn new(
        (clock, timestamps): (Clock, Option<Timestamps>),
        limit_bytes: usize,
        recording: Option<RecordingWriter>,
    ) -> Self {
        ExportQueue {
            clock,
            timestamps,
            wake_bytes: WAKE_BYTES.min(limit_bytes / 4),
            state: Mutex::new(QueueState { recording, ..QueueState::default() }),
            ready: Condvar::new(),
            lag: AtomicI64::new(0),
            engine_done: watch::Sender::new(false),
        }
    }

    /// Accepts a decoded export; `payload` is what is recorded of it. The permit is resized to what it takes from now on.
    pub(super) fn offer(
        &self,
        mut export: Export,
        payload: &Bytes,
        mut memory: Option<MemoryPermit>,
    ) -> Result<Accepted, Rejection> {
        export.points.shrink_to(4 * export.points.len());
        let bytes = held_bytes(&export);
        if memory.as_mut().is_some_and(|memory| !memory.resize(bytes)) {
            return Err(Rejection::inbox_full());
        }
        let mut state = self.lock();
        if state.is_closed {
            return Err(Rejection::stopping());
        }
        let stamped = match self.clock {
            Clock::Wall => Some(now()),
            Clock::Data => export.data_time(&mut state.scratch),
        };
        let received_at = stamped.map(|at| state.last.map_or(at, |last| last.max(at)));
        state.record(RecordingEvent::Export { received_at, payload })?;
        state.recorded += 1;
        state.last = received_at.or(state.last);
        let drops = |timestamps| count_dropped(&export, Received { received_at: state.last, timestamps });
        let dropped = self.timestamps.map(drops).unwrap_or_default();
        let export = (!payload.is_empty()).then_some(export);
        let before = state.queued_bytes;
        state.queued_bytes += bytes;
        state.queue.push_back(Queued { received_at, export, _memory: memory });
        // To wake it for every export that comes after that would be a call into the system each.
        let is_much = before < self.wake_bytes && state.queued_bytes >= self.wake_bytes;
        if state.is_awaited || is_much {
            state.is_awaited = false;
            self.ready.notify_one();
        }
        Ok(Accepted { dropped, number: state.recorded })
    }

    /// Takes no more, and lets the engine see what is left. Gives the last receive time to the recording and to the engine.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        state.is_closed = true;
        if self.clock == Clock::Wall {
            state.tick();
        }
        let received_at = state.last;
        // A recording that cannot be written has been reported, or is now.
        let _ = state.record(RecordingEvent::End { received_at });
        self.ready.notify_one();
    }

    /// Lets the recording write what it holds back.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        if !state.is_closed {
            // What went wrong is remembered, and reported to everybody who sends.
            let _ = state.record(RecordingEvent::Flush);
        }
    }

    /// Writes what the recording holds back. Gives the number of the last export in it, and what brings it to the disk, which is
    /// not to be called under the lock. `None` when the recording cannot be written.
    pub(super) fn begin_sync(&self) -> Option<(u64, Option<SyncJob>)> {
        let mut state = self.lock();
        let job = Cell::new(None);
        // The end brings everything to the disk.
        if !state.is_closed {
            state.record(RecordingEvent::Sync(&job)).ok()?;
        }
        state.recording_error.is_none().then_some((state.recorded, job.take()))
    }

    /// Nothing can be recorded any more, for this reason.
    pub(super) fn fail_recording(&self, error: &io::Error) {
        self.lock().fail_recording(error);
    }

    /// Why nothing can be recorded any more, once that is so.
    pub(super) fn recording_error(&self) -> Option<String> {
        self.lock().recording_error.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().queue.len()
    }

    pub(super) fn evaluation_lag(&self) -> Nanos {
        self.lag.load(Ordering::Relaxed)
    }

    pub(super) fn is_engine_done(&self) -> bool {
        *self.engine_done.borrow()
    }

    /// Waits until the engine takes nothing any more.
    pub(super) async fn engine_done(&self) {
        // It is never closed, because this has it.
        let _ = self.engine_done.subscribe().wait_for(|&is_done| is_done).await;
    }

    /// Waits until there is something for the engine: with the wall clock until `due` is over, or much has come; with the data's
    /// until anything has come; always until the queue is closed.
    fn wait(&self, due: Nanos) -> MutexGuard<'_, QueueState> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return state;
            }
            match self.clock {
                Clock::Data if !state.queue.is_empty() => {
                    let is_little = |state: &mut QueueState| !state.is_closed && state.queued_bytes < self.wake_bytes;
                    let gathered = self.ready.wait_timeout_while(state, GATHER, is_little);
                    return gathered.unwrap_or_else(PoisonError::into_inner).0;
                }
                Clock::Data => {
                    state.is_awaited = true;
                    state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Clock::Wall => {
                    let now = now();
                    if now > due || state.queued_bytes >= self.wake_bytes {
                        return state;
                    }
                    let rest = Duration::from_nanos((due - now + 1) as u64);
                    state = self.ready.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    /// Once something could not be recorded nothing is accepted any more: a response would promise too much.
    fn record(&mut self, event: RecordingEvent<'_>) -> Result<(), Rejection> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        let message = match &self.recording_error {
            Some(message) => message.clone(),
            None => match recording(event) {
                Ok(()) => return Ok(()),
                Err(error) => self.fail_recording(&error),
            },
        };
        Err(Rejection::new(RejectionReason::NotRecorded, message))
    }

    fn fail_recording(&mut self, error: &io::Error) -> String {
        self.recording_error.insert(format!("the recording cannot be written: {error}")).clone()
    }

    /// The wall clock, as far as it has not gone backwards.
    fn tick(&mut self) -> Nanos {
        let now = now();
        *self.last.insert(self.last.map_or(now, |last| last.max(now)))
    }
}

/// The bytes a decoded export takes.
fn held_bytes(export: &Export) -> usize {
    export.payload.len()
        + export.resources.capacity() * size_of::<ResourceSpan>()
        + export.metrics.capacity() * size_of::<MetricSpan>()
        + export.points.capacity() * size_of::<PointSpan>()
        + OVERHEAD_BYTES
}

/// The engine's end of the queue: exports in their order, and with the wall clock a tick whenever time has passed. When it is
/// dropped nothing is accepted any more.
pub struct InputStream {
    queue: Arc<ExportQueue>,
    /// The engine looks at what came at least this often.
    step: Nanos,
    /// The time of an evaluation that is being done.
    due: Option<Nanos>,
    taken: VecDeque<Queued>,
    current: Option<Queued>,
    tick: Option<Nanos>,
    is_ended: bool,
}

impl InputStream {
    pub(super) fn new(queue: Arc<ExportQueue>, step: Nanos) -> Self {
        InputStream { queue, step, due: None, taken: VecDeque::new(), current: None, tick: None, is_ended: false }
    }

    /// Waits and takes out what is there.
    fn fetch(&mut self) {
        let queue = Arc::clone(&self.queue);
        let start = now();
        if let Some(due) = self.due.take() {
            // The engine comes back when it has evaluated what was due.
            queue.lag.store((start - due).max(0), Ordering::Relaxed);
        }
        let due = (start.div_euclid(self.step) + 1).saturating_mul(self.step);
        let mut state = queue.wait(due);
        std::mem::swap(&mut state.queue, &mut self.taken);
        state.queued_bytes = 0;
        self.is_ended = state.is_closed;
        self.tick = match queue.clock {
            Clock::Data => None,
            Clock::Wall if state.is_closed => state.last,
            Clock::Wall => {
                let now = state.tick();
                self.due = (now > due).then_some(due);
                Some(now)
            }
        };
    }
}

impl Inputs for InputStream {
    fn next(&mut self) -> Option<Input<'_>> {
        self.current = None;
        loop {
            if let Some(queued) = self.taken.pop_front() {
                let queued = self.current.insert(queued);
                return Some(Input { received_at: queued.received_at, export: queued.export.as_ref() });
            }
            if let Some(at) = self.tick.take() {
                return Some(Input { received_at: Some(at), export: None });
            }
            if self.is_ended {
                return None;
            }
            self.fetch();
        }
    }
}

impl Drop for InputStream {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.lock().queue.clear();
        self.queue.engine_done.send_replace(true);
    }
}
