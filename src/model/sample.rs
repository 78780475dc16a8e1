//! One sample of a series: a time, a start time and a value, which is a number or a histogram.

use super::Nanos;

/// A data point apart from the series it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<V = f64> {
    /// Its time.
    pub time: Nanos,
    /// When the observation began; 0 when the client sent none.
    pub start: Nanos,
    /// The value.
    pub value: V,
}

/// A value as it is received.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    /// Of a gauge or sum.
    Number(f64),
    /// Of a histogram, explicit or exponential.
    Histogram(Box<Histogram>),
}

/// What one histogram point says.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Number of observations.
    pub count: u64,
    /// Sum of the observations, when the client sent one.
    pub sum: Option<f64>,
    /// Smallest observation, when sent.
    pub min: Option<f64>,
    /// Largest observation, when sent.
    pub max: Option<f64>,
    /// The buckets.
    pub buckets: Buckets,
}

/// The buckets of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum Buckets {
    /// `counts[i]` observations in `(bounds[i-1], bounds[i]]`; the last bucket is open upwards. `counts` is empty or one
    /// longer than `bounds`.
    Explicit {
        /// Upper bounds, rising.
        bounds: Vec<f64>,
        /// Observations per bucket.
        counts: Vec<u64>,
    },
    /// Buckets `(base^i, base^(i+1)]` with base = 2^(2^-scale), their mirror image, and one around zero.
    Exponential {
        /// Resolution: the base is 2^(2^-scale).
        scale: i32,
        /// Observations in the zero bucket.
        zero_count: u64,
        /// Buckets above zero.
        positive: ExponentialBuckets,
        /// Buckets below zero, mirrored.
        negative: ExponentialBuckets,
    },
}

/// A run of exponential buckets: `counts[k]` belongs to index `offset + k`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExponentialBuckets {
    /// Index of the first bucket.
    pub offset: i32,
    /// Observations per bucket.
    pub counts: Vec<u64>,
}
