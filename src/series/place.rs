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
    /// Its place: a block and a column; or a histogram and `ELSEWHERE`; or a plan and `WATCHED`; or `NOWHERE`.
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
