//! What a resource sent last: the one memory by which its next export is recognised.
//!
//! Each point of the last export is remembered in order, with its series. A point of the next one is compared, byte for
//! byte, with the one at its position; only bytes that differ are looked up. An export of the same shape (see
//! [`crate::model::ResourceSpan`]) is equal byte for byte and needs no comparison at all.

use super::location::{ResourceId, SeriesId};
use super::names::{NameBytes, Names};
use crate::series::store::block::OpenRow;

/// A point of an export.
#[derive(Clone, Copy, Debug)]
pub struct ExportedPoint {
    /// Names of the metric and of the attribute set.
    pub metric: u32,
    pub attributes: u32,
    /// Its series; `UNREADABLE` when the attributes cannot be read.
    pub series: SeriesId,
    /// Column in the resource's block, or `NO_COLUMN`; holds while `LastExport::fills_row` does.
    pub column: u32,
}

/// The series of a point whose attributes cannot be read.
pub const UNREADABLE: SeriesId = SeriesId::MAX;
/// Nothing of the point is kept.
pub const NO_COLUMN: u32 = u32::MAX;

/// The last export of a resource.
#[derive(Debug, Default)]
pub struct LastExport {
    /// Its shape; 0 when it has none or was not read whole.
    pub shape: u64,
    /// How many columns of the resource's block it fills, when each of its points has a column of its own there or is not kept.
    pub fills_row: Option<u32>,
    pub points: Vec<ExportedPoint>,
    /// The positions of points that are forwarded, when it fills a row.
    pub forwarded: Vec<u32>,
}

/// An export while it is read.
#[derive(Debug)]
pub struct ExportCursor {
    pub resource: ResourceId,
    pub last: LastExport,
    /// Position in the last export.
    pub position: usize,
    /// Name of the metric; `None` when it was never seen and there is no room for its series.
    pub metric: Option<u32>,
    /// The row that is being filled, with its block.
    pub row: Option<(u32, OpenRow)>,
}

impl ExportCursor {
    /// The resource that sent the export.
    pub fn resource(&self) -> ResourceId {
        self.resource
    }

    /// How many points were recognised or learned.
    pub fn points(&self) -> usize {
        self.position
    }

    /// The series of the next point, when it is the one that stood at its position last time.
    #[inline(always)]
    pub fn next_as_before(&mut self, names: &Names, attributes: &[u8]) -> Option<SeriesId> {
        let point = self.last.points.get(self.position)?;
        if self.metric != Some(point.metric) || !names.is(point.attributes, &NameBytes::attributes(attributes)) {
            return None;
        }
        self.position += 1;
        Some(point.series)
    }

    /// Remembers a point: bytes differ, so all behind them may stand elsewhere now.
    pub fn learn(&mut self, metric: u32, attributes: u32, series: SeriesId) {
        self.last.points.truncate(self.position);
        self.last.points.push(ExportedPoint { metric, attributes, series, column: NO_COLUMN });
        self.position += 1;
    }
}
