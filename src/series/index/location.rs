//! A series: who it is, and where its points are. Four words each, because there may be millions.

/// Number of a resource, in the order in which they were first seen.
pub type ResourceId = u32;
/// Number of a series, in the order in which they were first seen.
pub type SeriesId = u32;
/// Number of a pair of metric identity and attribute set.
pub type KeyId = u32;

/// Where the points of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// No rule selects it: nothing is kept.
    Nowhere,
    /// Nothing is kept here: its samples are forwarded to the caller.
    Forwarded {
        subscription: u32,
    },
    Column {
        block: u32,
        column: u32,
    },
    Histogram(u32),
}

const NOWHERE: u32 = u32::MAX;
const FORWARDED: u32 = u32::MAX - 1;
const HISTOGRAM: u32 = u32::MAX - 2;

#[derive(Clone, Copy, Debug)]
pub struct StoredSeries {
    pub key: KeyId,
    pub resource: ResourceId,
    /// The location: a block and a column; or a number and what it is of. With `NOWHERE` it is the eviction period in which
    /// the series was last seen.
    number: u32,
    column: u32,
}

impl StoredSeries {
    pub fn new(key: KeyId, resource: ResourceId, location: Location) -> Self {
        let mut series = StoredSeries { key, resource, number: 0, column: NOWHERE };
        series.move_to(location);
        series
    }

    /// Its points are elsewhere now.
    pub fn move_to(&mut self, location: Location) {
        (self.number, self.column) = match location {
            Location::Nowhere => (0, NOWHERE),
            Location::Column { block, column } => (block, column),
            Location::Histogram(number) => (number, HISTOGRAM),
            Location::Forwarded { subscription } => (subscription, FORWARDED),
        };
    }

    /// Where its points are.
    #[inline]
    pub fn location(&self) -> Location {
        match self.column {
            NOWHERE => Location::Nowhere,
            HISTOGRAM => Location::Histogram(self.number),
            FORWARDED => Location::Forwarded { subscription: self.number },
            column => Location::Column { block: self.number, column },
        }
    }

    /// The eviction period in which a series of which nothing is kept was last seen.
    pub fn seen_in(&self) -> u32 {
        self.number
    }

    /// Notes the eviction period of a sample, when nothing of the series is kept.
    pub fn was_seen_in(&mut self, period: u32) {
        if self.column == NOWHERE {
            self.number = self.number.max(period);
        }
    }
}
