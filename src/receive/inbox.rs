//! The inbox: where order is made.
//!
//! One short lock gives a body its instant, keeps it when there is a recording, and queues it; only then its sender gets an
//! answer. So the order of the recording, of the instants and of the engine's inputs are the same order, and instants never
//! go backwards. It is bounded by the bytes that are held ([`super::budget`]). It does not wake the engine for every body:
//! the engine looks when an instant of the grid is over, or when much has come.

use super::budget::{Charge, Held};
use super::refusal::{Reason, Refusal};
use crate::clock::{Clock, now};
use crate::engine::{DropReason, Timestamps, refused};
use crate::model::{Export, MetricSpan, Nanos, PointSpan, ResourceSpan};
use bytes::Bytes;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The engine is woken before its time when so much has come, or a quarter of what there is room for. More would not stay in
/// the caches until it is looked at.
const WAKE: usize = 512 << 10;
/// With the data's clock the engine is woken by the first body, and lets this much time pass for more to come.
const GATHER: Duration = Duration::from_millis(1);
/// So much when there were many the last time: sleeping and waking cost as much as several small bodies.
const GATHER_MANY: Duration = Duration::from_millis(4);
const MANY: usize = 8;
/// Lists that were used once are used again, so that a body allocates little. On either side of the inbox this part of what there
/// is room for may be kept in them.
pub(super) const SPARE: usize = 32;
/// What a queued body takes beside its bytes and lists.
const OVERHEAD: usize = 256;

/// Brings what was kept so far to the disk.
pub type Sync = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// What a recording is told, in the order of the instants.
#[derive(Clone, Copy)]
pub enum Kept<'a> {
    /// A body was accepted.
    Body {
        /// When; `None` for a body that leaves time where it is.
        at: Option<Nanos>,
        /// As protobuf.
        body: &'a [u8],
    },
    /// Time passes: what is held back should be written.
    Flush {
        /// The wall clock.
        now: Nanos,
    },
    /// What is held back is to be written, and then brought to the disk by whoever calls what is put here.
    Sync(&'a Cell<Option<Sync>>),
    /// Nothing more will come.
    End {
        /// The last instant.
        at: Option<Nanos>,
    },
}

/// Keeps what is accepted.
pub type Keep = Box<dyn FnMut(Kept<'_>) -> io::Result<()> + Send>;

/// What the sender of an accepted body is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepted {
    /// Points that will be dropped, by reason.
    pub(super) refused: [u64; DropReason::ALL.len()],
    /// How many bodies were kept until then, this one included.
    pub(super) number: u64,
}

/// See the file's head.
pub(super) struct Inbox {
    clock: Clock,
    /// How points are judged; `None` when they are only kept.
    timestamps: Option<Timestamps>,
    /// The engine is woken when so many bytes wait.
    wake_at: usize,
    state: Mutex<State>,
    ready: Condvar,
}

pub(super) struct State {
    pub(super) queue: VecDeque<Queued>,
    pub(super) queued_bytes: usize,
    /// The newest instant given out.
    pub(super) last: Option<Nanos>,
    /// No more is taken in.
    pub(super) closed: bool,
    /// The engine waits for anything to come.
    waits: bool,
    /// There were many bodies the last time it looked.
    many: bool,
    keep: Option<Keep>,
    /// Bodies that were kept.
    kept: u64,
    /// Why nothing can be kept any more.
    broken: Option<String>,
    spares: Vec<Export>,
    spare_bytes: usize,
    most_spare: usize,
    scratch: Vec<Nanos>,
}

/// A body on its way to the engine.
pub(super) struct Queued {
    pub(super) at: Option<Nanos>,
    /// `None` for a body without content, which only says that time has come this far.
    pub(super) export: Option<Export>,
    /// Gives the bytes back once the engine is done.
    _held: Held,
}

impl Inbox {
    pub(super) fn new(
        (clock, timestamps): (Clock, Option<Timestamps>),
        limit_bytes: usize,
        keep: Option<Keep>,
    ) -> Self {
        let state = State {
            queue: VecDeque::new(),
            queued_bytes: 0,
            last: None,
            closed: false,
            waits: false,
            many: false,
            keep,
            kept: 0,
            broken: None,
            spares: Vec::new(),
            spare_bytes: 0,
            most_spare: limit_bytes / SPARE,
            scratch: Vec::new(),
        };
        Inbox { clock, timestamps, wake_at: WAKE.min(limit_bytes / 4), state: Mutex::new(state), ready: Condvar::new() }
    }

    /// Empty lists to decode into.
    pub(super) fn spare(&self) -> Export {
        let mut state = self.lock();
        let Some(export) = state.spares.pop() else { return Export::default() };
        state.spare_bytes -= lists(&export);
        export
    }

    /// Takes back lists.
    pub(super) fn give_back(&self, mut export: Export) {
        export.clear();
        self.lock().give_back(&mut vec![export]);
    }

    /// Accepts a decoded body; `body` is what is kept of it. The charge is resized to what it takes from now on.
    pub(super) fn offer(&self, mut export: Export, body: &Bytes, charge: &Arc<Charge>) -> Result<Accepted, Refusal> {
        // Lists that were large for another body would be charged to this one.
        export.points.shrink_to(4 * export.points.len().max(64));
        let cost = cost(&export);
        if !charge.resize(cost) {
            self.give_back(export);
            return Err(Refusal { reason: Reason::InboxFull, message: "the inbox is full".into() });
        }
        let mut state = self.lock();
        if state.closed {
            return Err(Refusal { reason: Reason::Stopping, message: "foreshock is ending".into() });
        }
        let arrived = match self.clock {
            Clock::Wall => Some(now()),
            Clock::Data => export.data_time(&mut state.scratch),
        };
        let at = arrived.map(|at| state.last.map_or(at, |last| last.max(at)));
        state.keep(Kept::Body { at, body })?;
        state.kept += 1;
        state.last = at.or(state.last);
        let none = [0; DropReason::ALL.len()];
        let refused = self.timestamps.map_or(none, |timestamps| refused(&export, state.last, timestamps));
        let export = (!body.is_empty()).then_some(export);
        let before = state.queued_bytes;
        state.queued_bytes += cost;
        state.queue.push_back(Queued { at, export, _held: charge.hand_over() });
        // A call for every body that comes after that would be one into the system.
        let much = before < self.wake_at && state.queued_bytes >= self.wake_at;
        if state.waits || much {
            state.waits = false;
            self.ready.notify_one();
        }
        Ok(Accepted { refused, number: state.kept })
    }

    /// Takes no more, and lets the engine see what is left. Gives the last instant to the recording and to the engine.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.closed = true;
        if self.clock == Clock::Wall {
            let now = now();
            state.last = Some(state.last.map_or(now, |last| last.max(now)));
        }
        let at = state.last;
        // A recording that broke has said so already, or says so now.
        let _ = state.keep(Kept::End { at });
        self.ready.notify_one();
    }

    /// Nobody takes anything out any more.
    pub(super) fn abandon(&self) {
        self.close();
        let mut state = self.lock();
        state.queue.clear();
        state.queued_bytes = 0;
    }

    /// Lets the recording write what it holds back.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        if !state.closed {
            // What went wrong is remembered, and said to everybody who asks.
            let _ = state.keep(Kept::Flush { now: now() });
        }
    }

    /// Writes what the recording holds back. Gives the number of the last body in it, and what brings it to the disk; that is not
    /// to be called under the lock. `None` when the recording is broken.
    pub(super) fn begin_sync(&self) -> Option<(u64, Option<Sync>)> {
        let mut state = self.lock();
        let sync = Cell::new(None);
        // The end brings everything to the disk.
        if !state.closed {
            state.keep(Kept::Sync(&sync)).ok()?;
        }
        state.broken.is_none().then_some((state.kept, sync.take()))
    }

    /// Nothing can be kept any more, for this reason.
    pub(super) fn break_off(&self, error: &io::Error) {
        self.lock().break_off(error);
    }

    /// Whether everything that was to be kept is.
    pub(super) fn check_kept(&self) -> Result<(), Refusal> {
        match self.broken() {
            None => Ok(()),
            Some(message) => Err(Refusal { reason: Reason::NotRecorded, message }),
        }
    }

    /// Why nothing can be kept any more, once that is so.
    pub(super) fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }

    /// Number of bodies that wait.
    pub(super) fn depth(&self) -> usize {
        self.lock().queue.len()
    }

    /// Waits until there is something for the engine: with the wall clock until `due` is over, or much has come; with the data's
    /// until anything has come; always until the inbox is closed.
    pub(super) fn wait(&self, due: Nanos) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return state;
            }
            match self.clock {
                Clock::Data if !state.queue.is_empty() => {
                    // Otherwise every request would wake the engine, which costs more than taking the request.
                    let few = |state: &mut State| !state.closed && state.queued_bytes < self.wake_at;
                    let longest = if state.many { GATHER_MANY } else { GATHER };
                    let gathered = self.ready.wait_timeout_while(state, longest, few);
                    return gathered.unwrap_or_else(PoisonError::into_inner).0;
                }
                Clock::Data => {
                    state.waits = true;
                    state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Clock::Wall => {
                    let now = now();
                    if now > due || state.queued_bytes >= self.wake_at {
                        return state;
                    }
                    let rest = std::time::Duration::from_nanos((due - now + 1) as u64);
                    state = self.ready.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells the recording. Once it could not write, nothing is accepted any more: an answer would promise too much.
    fn keep(&mut self, kept: Kept<'_>) -> Result<(), Refusal> {
        let Some(keep) = &mut self.keep else { return Ok(()) };
        let message = match &self.broken {
            Some(message) => message.clone(),
            None => match keep(kept) {
                Ok(()) => return Ok(()),
                Err(error) => self.break_off(&error),
            },
        };
        Err(Refusal { reason: Reason::NotRecorded, message })
    }

    fn break_off(&mut self, error: &io::Error) -> String {
        self.broken.insert(format!("the recording cannot be written: {error}")).clone()
    }

    /// Takes back lists that were emptied; those there is no room for stay.
    pub(super) fn give_back(&mut self, used: &mut Vec<Export>) {
        while let Some(export) = used.pop_if(|export| self.spare_bytes + lists(export) <= self.most_spare) {
            self.spare_bytes += lists(&export);
            self.spares.push(export);
        }
    }

    /// Takes out everything that waits, for an empty queue.
    pub(super) fn take(&mut self, emptied: &mut VecDeque<Queued>) {
        self.many = self.queue.len() >= MANY;
        std::mem::swap(&mut self.queue, emptied);
        self.queued_bytes = 0;
    }
}

/// The bytes a decoded body takes.
fn cost(export: &Export) -> usize {
    export.payload.len() + lists(export) + OVERHEAD
}

/// The bytes its lists take.
pub(super) fn lists(export: &Export) -> usize {
    export.resources.capacity() * size_of::<ResourceSpan>()
        + export.metrics.capacity() * size_of::<MetricSpan>()
        + export.points.capacity() * size_of::<PointSpan>()
}
