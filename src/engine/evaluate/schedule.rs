//! When to evaluate: at the multiples of each definition's step, from the first export on.
//!
//! The times depend on what was received and on nothing else: there is no clock, and no timer drifts.

use crate::engine::rules::Rules;
use crate::model::Nanos;

/// The times of evaluation.
#[derive(Debug)]
pub(in crate::engine) struct Schedule {
    /// Different steps of definitions; none before the first export.
    steps: Vec<Nanos>,
    /// Every time before this is over.
    pub from: Nanos,
    /// The first multiple of a step from there on: the next time of evaluation, whether anything can have changed by then or
    /// not.
    pub upcoming: Nanos,
    /// Before this nothing changes, unless samples come.
    wake: Nanos,
}

impl Schedule {
    pub fn new() -> Self {
        Schedule { steps: Vec::new(), from: Nanos::MIN, upcoming: Nanos::MAX, wake: Nanos::MAX }
    }

    /// The first export was received: the schedule begins with the first multiples of the steps from here on.
    pub fn start(&mut self, received_at: Nanos, rules: &Rules) {
        if self.from != Nanos::MIN {
            return;
        }
        self.steps = rules.evaluated().map(|definition| definition.step).collect();
        self.steps.sort_unstable();
        self.steps.dedup();
        self.from = received_at;
        self.upcoming = self.first(received_at);
    }

    /// When to evaluate next; `Nanos::MAX` when nothing can change any more.
    #[inline]
    pub fn next(&self) -> Nanos {
        if self.wake <= self.upcoming { self.upcoming } else { self.first(self.wake) }
    }

    /// Samples have come, and the next evaluation may say something else.
    #[inline]
    pub fn wake(&mut self) {
        self.wake = Nanos::MIN;
    }

    /// The time `at` has been evaluated, and nothing changes before `wake`.
    pub fn evaluated(&mut self, at: Nanos, wake: Nanos) {
        self.wake = wake;
        self.pass(at + 1);
    }

    /// All times before `until` are over.
    #[inline]
    pub fn pass(&mut self, until: Nanos) {
        if !self.steps.is_empty() && until > self.from {
            self.from = until;
            if until > self.upcoming {
                self.upcoming = self.first(until);
            }
        }
    }

    fn first(&self, from: Nanos) -> Nanos {
        self.steps.iter().map(|&step| multiple_from(from, step)).min().unwrap_or(Nanos::MAX)
    }
}

/// The first multiple of `step` that is not before `time`.
pub(in crate::engine) fn multiple_from(time: Nanos, step: Nanos) -> Nanos {
    time.div_euclid(step).saturating_add(Nanos::from(time.rem_euclid(step) != 0)).saturating_mul(step)
}

/// The last multiple of `step` before `time`.
pub(in crate::engine) fn multiple_before(time: Nanos, step: Nanos) -> Nanos {
    (time - 1).div_euclid(step).saturating_mul(step)
}
