//! One sink's queue: between the engine, which never waits for the sink, and the thread that delivers.
//!
//! Invariant: every event that was offered is counted exactly once, as sent, as lost for a reason, or as still waiting.
//! What is being delivered stays in front of the queue until its fate is known, so that the bounds hold for it, too.

use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much may wait for one sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Events.
    pub events: usize,
    /// Bytes of their rendered form. An event that is larger by itself is taken when nothing else waits.
    pub bytes: usize,
}

/// What happens to an event when as much waits as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is lost, and counted: for engines that must not wait.
    Drop,
    /// The sender waits for room: for recordings, which do not run away.
    Wait,
}

/// Why an event did not reach a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// As much waited as may.
    QueueFull,
    /// The receiver will never take it.
    Refused,
    /// It was tried for as long as it may be.
    Expired,
    /// The reader of the pipe has left.
    ReaderGone,
    /// The command ended first.
    Unfinished,
}

impl Loss {
    /// All reasons.
    pub const ALL: [Loss; 5] = [Loss::QueueFull, Loss::Refused, Loss::Expired, Loss::ReaderGone, Loss::Unfinished];

    /// The name used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::QueueFull => "queue_full",
            Loss::Refused => "refused",
            Loss::Expired => "expired",
            Loss::ReaderGone => "reader_gone",
            Loss::Unfinished => "unfinished",
        }
    }
}

/// What became of the events of one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkCounts {
    /// The sink, as messages name it.
    pub sink: String,
    /// Events that were delivered.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that were made again after a failed one.
    pub retried: u64,
    /// Events that were lost; indexed by [`Loss`].
    pub lost: [u64; Loss::ALL.len()],
    /// Events that wait, the one that is being delivered among them.
    pub queued: usize,
    /// Bytes that wait.
    pub queued_bytes: usize,
    /// The last failure.
    pub last_failure: Option<String>,
}

/// A rendered event that waits.
#[derive(Clone, Debug)]
pub(super) struct QueuedEvent {
    pub payload: Bytes,
    /// The same for the same transition, whoever sends it and however often.
    pub key: Bytes,
    pub queued_at: Instant,
}

/// How one attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Delivered,
    /// Worth another attempt, which the receiver may have asked to be made later.
    Failed {
        why: String,
        after: Option<Duration>,
    },
    /// Never to be taken.
    Refused(String),
    /// Nobody reads any more.
    Gone,
}

/// The queue of one sink.
pub(super) struct DeliveryQueue {
    bounds: Bounds,
    when_full: WhenFull,
    clock: fn() -> Instant,
    state: Mutex<DeliveryState>,
    /// Something for the thread or the sender: an event, room, or the end.
    changed: Condvar,
}

#[derive(Default)]
struct DeliveryState {
    waiting: VecDeque<QueuedEvent>,
    phase: DeliveryPhase,
    counts: SinkCounts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DeliveryPhase {
    #[default]
    Open,
    /// Nothing more comes; what waits is delivered.
    Closing,
    /// Nothing more is delivered.
    Ended,
}

impl DeliveryQueue {
    pub fn new(name: String, bounds: Bounds, (when_full, clock): (WhenFull, fn() -> Instant)) -> Self {
        let counts = SinkCounts { sink: name, ..SinkCounts::default() };
        let state = Mutex::new(DeliveryState { counts, ..DeliveryState::default() });
        DeliveryQueue { bounds, when_full, clock, state, changed: Condvar::new() }
    }

    /// The clock of the room.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    pub fn counts(&self) -> SinkCounts {
        self.lock().counts.clone()
    }

    /// Whether its reader has left.
    pub fn has_no_reader(&self) -> bool {
        self.lock().phase == DeliveryPhase::Ended
    }

    /// Queues an event, or gives the reason why it is lost.
    pub fn offer(&self, event: QueuedEvent) -> Result<(), Loss> {
        let mut state = self.lock();
        if self.when_full == WhenFull::Wait {
            let is_full =
                |state: &mut DeliveryState| state.phase == DeliveryPhase::Open && !self.has_room(state, &event);
            state = self.changed.wait_while(state, is_full).unwrap_or_else(PoisonError::into_inner);
        }
        let loss = match state.phase {
            DeliveryPhase::Open if self.has_room(&state, &event) => None,
            DeliveryPhase::Open => Some(Loss::QueueFull),
            DeliveryPhase::Closing | DeliveryPhase::Ended => Some(Loss::ReaderGone),
        };
        if let Some(loss) = loss {
            state.counts.lost[loss as usize] += 1;
            return Err(loss);
        }
        state.counts.queued += 1;
        state.counts.queued_bytes += event.payload.len();
        state.waiting.push_back(event);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    fn has_room(&self, state: &DeliveryState, event: &QueuedEvent) -> bool {
        let bytes = state.counts.queued_bytes.saturating_add(event.payload.len());
        state.waiting.is_empty() || (state.waiting.len() < self.bounds.events && bytes <= self.bounds.bytes)
    }

    /// Counts an event that cannot even be queued.
    pub fn lose(&self, loss: Loss, why: &str) {
        let mut state = self.lock();
        state.counts.lost[loss as usize] += 1;
        state.counts.last_failure = Some(why.to_string());
    }

    /// Waits for an event; `None` when there will be none. It stays in the queue until it is settled.
    pub fn next(&self) -> Option<QueuedEvent> {
        let is_idle = |state: &mut DeliveryState| state.phase == DeliveryPhase::Open && state.waiting.is_empty();
        let state = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        if state.phase == DeliveryPhase::Ended { None } else { state.waiting.front().cloned() }
    }

    /// Waits until then; false when nothing more is to be delivered.
    pub fn wait_until(&self, then: Instant) -> bool {
        let span = then.saturating_duration_since(self.now());
        let is_wanted = |state: &mut DeliveryState| state.phase != DeliveryPhase::Ended;
        let waited =
            self.changed.wait_timeout_while(self.lock(), span, is_wanted).unwrap_or_else(PoisonError::into_inner);
        waited.0.phase != DeliveryPhase::Ended
    }

    /// Notes an attempt that failed; false when it was ended from here, which is no failure of the receiver.
    pub fn failed(&self, why: &str) -> bool {
        let mut state = self.lock();
        if state.phase == DeliveryPhase::Ended {
            return false;
        }
        state.counts.failed += 1;
        state.counts.last_failure = Some(why.to_string());
        true
    }

    /// Notes an attempt that repeats one.
    pub fn retried(&self) {
        self.lock().counts.retried += 1;
    }

    /// Takes the event in front out: its fate is known. After the end it was counted already.
    pub fn settle(&self, fate: Result<(), Loss>) {
        let mut state = self.lock();
        let Some(event) = state.waiting.pop_front() else { return };
        state.counts.queued -= 1;
        state.counts.queued_bytes -= event.payload.len();
        match fate {
            Ok(()) => state.counts.sent += 1,
            Err(loss) => state.counts.lost[loss as usize] += 1,
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub fn close(&self) {
        let mut state = self.lock();
        if state.phase == DeliveryPhase::Open {
            state.phase = DeliveryPhase::Closing;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing more is delivered; what waits is lost.
    pub fn end(&self, loss: Loss) {
        let mut state = self.lock();
        state.phase = DeliveryPhase::Ended;
        state.counts.lost[loss as usize] += state.waiting.len() as u64;
        state.counts.queued = 0;
        state.counts.queued_bytes = 0;
        state.waiting.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the thread to have delivered what waits; false when it has not by then. Without an instant it waits on.
    pub fn wait_for_end(&self, deadline: Option<Instant>) -> bool {
        let is_at_work = |state: &mut DeliveryState| state.phase != DeliveryPhase::Ended;
        let state = self.lock();
        let state = match deadline.map(|deadline| deadline.saturating_duration_since(self.now())) {
            None => self.changed.wait_while(state, is_at_work).unwrap_or_else(PoisonError::into_inner),
            Some(span) => {
                self.changed.wait_timeout_while(state, span, is_at_work).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.phase == DeliveryPhase::Ended
    }

    /// Nothing that holds the lock can fail half handle, so a thread that died leaves the state as it should be.
    fn lock(&self) -> MutexGuard<'_, DeliveryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SinkCounts {
    /// What did not arrive and should have, as a sentence; a reader that left wanted no more.
    pub fn losses(&self) -> Option<String> {
        let lost = |loss: Loss| self.lost[loss as usize];
        let reasons = [
            (Loss::QueueFull, "found the queue full"),
            (Loss::Refused, "refused"),
            (Loss::Expired, "given up"),
            (Loss::Unfinished, "still waiting at the end"),
        ];
        let reasons = reasons.into_iter().filter(|(loss, _)| lost(*loss) > 0);
        let parts: Vec<String> = reasons.clone().map(|(loss, what)| format!("{} {what}", lost(loss))).collect();
        let total: u64 = reasons.map(|(loss, _)| lost(loss)).sum();
        if total == 0 {
            return None;
        }
        let all = total + self.sent + lost(Loss::ReaderGone);
        let failure = self.last_failure.as_ref().map(|why| format!("; the last failure: {why}")).unwrap_or_default();
        let events = if all == 1 { "event" } else { "events" };
        Some(format!("{}: {total} of {all} {events} not delivered ({}){failure}", self.sink, parts.join(", ")))
    }
}
