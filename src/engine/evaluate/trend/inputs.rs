//! What the trend rules look at: which series, and why.

use super::auxiliary::counts_full_collections;
use crate::definition::{MemoryLimit, MetricId};
use crate::engine::rules::Rules;
use crate::model::{Attributes, MetricIdentity};

/// Why the trend rules look at the samples of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum TrendInput {
    /// The memory that a rule is about; of several ids of the rule this one selects it.
    Memory { rule: u32, rank: u32 },
    /// The limit of a rule.
    Limit { rule: u32 },
    /// Full garbage collections.
    Collections,
}

impl TrendInput {
    /// The rule that is about the series, when one is.
    pub fn rule(&self) -> Option<u32> {
        match self {
            TrendInput::Memory { rule, .. } => Some(*rule),
            TrendInput::Limit { .. } | TrendInput::Collections => None,
        }
    }
}

/// Why the trend rules of some definitions look at a series.
pub(in crate::engine) fn inputs(
    rules: &Rules,
    definitions: &[usize],
    metric: &MetricIdentity,
    attributes: &Attributes,
) -> Vec<TrendInput> {
    let mut found = Vec::new();
    let mut any = false;
    for rule in definitions.iter().flat_map(|&d| rules.compiled[d].rules.clone()).map(|rule| rule as u32) {
        let Some(trend) = rules.trend(rule) else { continue };
        any = true;
        let selects = |id: &MetricId| id.selects(metric, attributes);
        if let Some(rank) = trend.metrics.iter().position(selects) {
            found.push(TrendInput::Memory { rule, rank: rank as u32 });
        }
        if let Some(MemoryLimit::Metric(id)) = &trend.memory_limit
            && id.selects(metric, attributes)
        {
            found.push(TrendInput::Limit { rule });
        }
    }
    if any && counts_full_collections(metric, attributes) {
        found.push(TrendInput::Collections);
    }
    found
}
