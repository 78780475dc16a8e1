//! Eviction: what is silent for so long that no rule can read it any more is removed, so that a service may run for ever.
//!
//! Time is cut into eviction periods, a small part of the silence it takes. When the first input of a new period comes, before
//! its samples are taken in, series whose newest point is too old go, then resources without a series, then entities without
//! a resource. What is evicted depends on receive times alone, not on ticks; and nothing goes that could still be evaluated:
//! no window holds its points, no event of it is open, no presence rule is about it, no trend compares with it. When it comes
//! back it is new. What was counted stays counted.

use super::entity::SeriesLabel;
use crate::engine::options::Options;
use crate::engine::rules::Rules;
use crate::model::{MetricIdentity, Nanos, SECOND};
use crate::series::EvictionHorizon;
use std::collections::HashMap;
use std::sync::Arc;

/// Periods until something is evicted.
const PERIODS: Nanos = 24;

/// Names of evicted series and metrics that are kept for the report; more are not named.
const MOST_NAMED: usize = 4096;

/// When something is evicted.
#[derive(Debug)]
pub(super) struct EvictionSchedule {
    /// The silence it takes.
    silence: Nanos,
    /// How long a period is.
    length: Nanos,
    /// The period of the newest input.
    current: Option<Nanos>,
}

impl EvictionSchedule {
    /// `None` when nothing is ever evicted.
    pub fn new(rules: &Rules, options: &Options) -> Option<Self> {
        let needed = rules.rules.iter().map(|rule| rule.evaluator.interest());
        let silence = needed.fold(options.retention.forget_after?, Nanos::max);
        let length = (silence / PERIODS / SECOND * SECOND).max(SECOND);
        Some(EvictionSchedule { silence, length, current: None })
    }

    /// The period that begins with an input at `at`, with what is old then; `None` within a period.
    pub fn begin(&mut self, at: Nanos) -> Option<(u32, EvictionHorizon)> {
        // An input at the first moment of a period is the last of the period before: that time is not evaluated yet.
        let period = (at - 1).div_euclid(self.length).max(0);
        if self.current.is_some_and(|current| period <= current) {
            return None;
        }
        self.current = Some(period);
        let old = period - (self.silence + self.length - 1) / self.length - 1;
        let number = |period: Nanos| u32::try_from(period.max(0)).unwrap_or(u32::MAX);
        let before = (period * self.length).saturating_sub(self.silence);
        Some((number(period), EvictionHorizon { before, period: number(old) }))
    }
}

/// What the report still says of what is evicted.
#[derive(Debug, Default)]
pub(super) struct Evicted {
    /// Per definition the entities it selected.
    pub entities: Vec<u64>,
    pub metrics: HashMap<Arc<MetricIdentity>, usize>,
    pub several_writers: Vec<SeriesLabel>,
    pub negative_deltas: Vec<Arc<MetricIdentity>>,
}

impl Evicted {
    /// A series is evicted; `label` names it when several processes write it.
    pub fn add_series(&mut self, metric: &Arc<MetricIdentity>, label: Option<SeriesLabel>, has_negative_delta: bool) {
        if let Some(n) = self.metrics.get_mut(metric) {
            *n += 1;
        } else if self.metrics.len() < MOST_NAMED {
            self.metrics.insert(metric.clone(), 1);
        }
        if self.several_writers.len() < MOST_NAMED {
            self.several_writers.extend(label);
        }
        let is_named = !has_negative_delta || self.negative_deltas.contains(metric);
        if !is_named && self.negative_deltas.len() < MOST_NAMED {
            self.negative_deltas.push(metric.clone());
        }
    }
}
