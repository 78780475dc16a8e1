//! Metric ids: which series a `metricName` or `metricPattern` means.

use super::MatchOperator;
use crate::model::{Attributes, MetricIdentity};

/// A parsed `metricName`: `metrics.{gauges|sums|histograms}.[<scope>/]<metric>[{attributes}]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricId {
    /// The id as written.
    pub text: String,
}

impl MetricId {
    /// Whether the id means the series.
    pub fn selects(&self, _metric: &MetricIdentity, _attributes: &Attributes) -> bool {
        false
    }
}

/// A parsed `metricPattern`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricPattern {
    /// Text before the middle.
    pub prefix: String,
    /// Text after the middle.
    pub postfix: String,
    /// What the middle is compared with.
    pub placeholder: String,
    /// How it is compared.
    pub operator: MatchOperator,
}

impl MetricPattern {
    /// Whether the pattern means the series.
    pub fn selects(&self, _metric: &MetricIdentity, _attributes: &Attributes) -> bool {
        false
    }
}
