//! Where the points of a series are, in four words a series.

use super::resource::{ELSEWHERE, NOWHERE, WATCHED};
use super::{KeyId, ResourceId};

/// Where the points of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    /// With the engine alone, by the plan.
    Watched {
        plan: u32,
    },
    Column {
        block: u32,
        column: u32,
    },
    Histogram(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    pub key: KeyId,
    pub resource: ResourceId,
    /// Its place: a block and a column; or a histogram and `ELSEWHERE`; or a plan and `WATCHED`; or the round in which it
    /// was last seen and `NOWHERE`.
    pub block: u32,
    pub column: u32,
}

impl Series {
    pub fn new(key: KeyId, resource: ResourceId, place: Place) -> Self {
        let (block, column) = match place {
            Place::Nowhere => (0, NOWHERE),
            Place::Column { block, column } => (block, column),
            Place::Histogram(number) => (number, ELSEWHERE),
            Place::Watched { plan } => (plan, WATCHED),
        };
        Series { key, resource, block, column }
    }

    /// The round in which a series of which nothing is kept was last seen.
    pub fn seen_in(&self) -> u32 {
        self.block
    }

    /// Notes that in a round, if nothing of the series is kept.
    pub fn was_seen_in(&mut self, round: u32) {
        if self.column == NOWHERE {
            self.block = self.block.max(round);
        }
    }

    #[inline]
    pub fn place(&self) -> Place {
        match self.column {
            NOWHERE => Place::Nowhere,
            ELSEWHERE => Place::Histogram(self.block),
            WATCHED => Place::Watched { plan: self.block },
            column => Place::Column { block: self.block, column },
        }
    }
}
