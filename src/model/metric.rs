//! What a metric is, apart from its points: kind, temporality, and the part of a series' identity that a metric gives.

/// The data kind of a metric, as OTLP names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A value sampled at one time.
    Gauge,
    /// A sum, cumulative or delta, monotonic or not.
    Sum,
    /// A histogram with explicit bounds.
    Histogram,
    /// A histogram with exponential buckets.
    ExponentialHistogram,
    /// Quantiles computed by the client; counted, never evaluated.
    Summary,
}

impl Kind {
    /// The word that metric ids use: `metrics.<plural>.…`. Exponential histograms count as histograms.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Gauge => "gauges",
            Kind::Sum => "sums",
            Kind::Histogram | Kind::ExponentialHistogram => "histograms",
            Kind::Summary => "summaries",
        }
    }

    /// True for explicit and exponential histograms.
    pub fn is_histogram(self) -> bool {
        matches!(self, Kind::Histogram | Kind::ExponentialHistogram)
    }
}

/// How the points of a sum or histogram relate to each other. An unspecified temporality is read as cumulative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Temporality {
    /// Each point covers the time since the start.
    Cumulative,
    /// Each point covers the time since the previous one.
    Delta,
}

/// The part of a series' identity that its metric gives. Unit, description and scope version are not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricIdentity {
    /// Name of the instrumentation scope; empty when there is none.
    pub scope: String,
    /// Name of the metric.
    pub name: String,
    /// Data kind.
    pub kind: Kind,
    /// Temporality; `Cumulative` for gauges.
    pub temporality: Temporality,
    /// Whether a sum is declared monotonic; false for every other kind.
    pub monotonic: bool,
}

impl MetricIdentity {
    /// `<scope>/<name>`, or `<name>` alone when the scope has no name: the path a metric id ends with.
    pub fn path(&self) -> String {
        if self.scope.is_empty() { self.name.clone() } else { format!("{}/{}", self.scope, self.name) }
    }

    /// The full metric id, `metrics.<kind>s.[<scope>/]<name>`.
    pub fn id(&self) -> String {
        format!("metrics.{}.{}", self.kind.plural(), self.path())
    }
}
