//! The engine's end of the inbox: bodies in their order, and with the wall clock a tick whenever time has passed.
//!
//! A tick is taken under the lock that stamps arrivals, so no body that comes after it is older.

use super::inbox::{Inbox, Queued, SPARE, lists};
use super::reception::Reception;
use crate::clock::{Clock, now};
use crate::engine::{Input, Inputs};
use crate::model::{Export, Nanos};
use std::collections::VecDeque;
use std::sync::Arc;

/// See the file's head. When it is dropped nothing is accepted any more.
pub struct Arrivals {
    reception: Arc<Reception>,
    /// The step of the instants at which somebody has to look.
    step: Nanos,
    /// The last instant that has to be over before somebody looks.
    due: Option<Nanos>,
    taken: VecDeque<Queued>,
    current: Option<Export>,
    /// Lists that the engine is done with. They go back all at once, under the lock that is needed anyway.
    used: Vec<Export>,
    used_bytes: usize,
    tick: Option<Nanos>,
    ended: bool,
}

impl Arrivals {
    pub(super) fn new(reception: Arc<Reception>, step: Nanos) -> Self {
        Arrivals {
            reception,
            step,
            due: None,
            taken: VecDeque::new(),
            current: None,
            used: Vec::new(),
            used_bytes: 0,
            tick: None,
            ended: false,
        }
    }

    fn inbox(&self) -> &Inbox {
        &self.reception.inbox
    }

    /// Waits and takes out what is there.
    fn fetch(&mut self) {
        if let Some(due) = self.due.take() {
            // What was due is judged by now.
            self.reception.counters.set_lag((now() - due).max(0));
        }
        let reception = Arc::clone(&self.reception);
        let start = now();
        let due = (start.div_euclid(self.step) + 1).saturating_mul(self.step);
        let mut state = reception.inbox.wait(due);
        state.take(&mut self.taken);
        state.give_back(&mut self.used);
        self.ended = state.closed;
        if reception.inbox.clock() == Clock::Wall && !state.closed {
            let now = now();
            state.last = Some(state.last.map_or(now, |last| last.max(now)));
            self.due = (now > due).then_some(due);
        }
        self.tick = (reception.inbox.clock() == Clock::Wall).then_some(state.last).flatten();
        drop(state);
        self.used.clear();
        self.used_bytes = 0;
    }
}

impl Inputs for Arrivals {
    fn next(&mut self) -> Option<Input<'_>> {
        if let Some(mut used) = self.current.take() {
            used.clear();
            self.used_bytes += lists(&used);
            if self.used_bytes <= self.reception.limits.inbox_bytes / SPARE {
                self.used.push(used);
            }
        }
        loop {
            if let Some(queued) = self.taken.pop_front() {
                self.current = queued.export;
                return Some(Input { at: queued.at, export: self.current.as_ref() });
            }
            if let Some(at) = self.tick.take() {
                return Some(Input { at: Some(at), export: None });
            }
            if self.ended {
                return None;
            }
            self.fetch();
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.inbox().abandon();
        self.reception.engine_is_done();
    }
}
