//! What is known of a resource: what stood where in its last report, and where its series are.

use super::SeriesId;

#[derive(Debug, Default)]
pub(super) struct Resource {
    /// The shape of the report that the layout is of; 0 when it has none.
    pub shape: u64,
    /// The columns of that report's points, when they are all of the block's: number of a lane.
    pub lane: Option<u32>,
    pub block: Option<u32>,
    /// The round of its newest report.
    pub reported_in: u32,
    /// What a report like the last one does not need.
    pub rest: Box<ResourceRest>,
    /// Whether points of it are kept in other places than the block.
    pub is_scattered: bool,
    /// Whether the engine looks at points of the report itself.
    pub is_watched: bool,
}

impl Resource {
    /// Notes the round of a report; as a rule it is that of the last one, and nothing is written.
    #[inline]
    pub fn reports_in(&mut self, round: u32) {
        if self.reported_in != round {
            self.reported_in = round;
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct ResourceRest {
    pub layout: Vec<LayoutEntry>,
    pub series: Vec<SeriesId>,
    /// Blocks of series that do not report with the others.
    pub blocks: Vec<u32>,
    pub histograms: Vec<u32>,
    /// The points of that report at which the engine looks itself, by their places in it.
    pub watched: Box<[(u32, SeriesId)]>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LayoutEntry {
    pub word: u32,
    pub series: SeriesId,
    /// Column of the series in the resource's block; `ELSEWHERE` or `NOWHERE` when it is not there.
    pub column: u32,
}

/// Not a point: a metric.
pub(super) const METRIC: u32 = u32::MAX;
/// A series with a place of its own.
pub(super) const ELSEWHERE: u32 = u32::MAX - 1;
/// A series of which nothing is kept.
pub(super) const NOWHERE: u32 = u32::MAX - 2;
/// A series of which nothing is kept, but whose points are handed on.
pub(super) const WATCHED: u32 = u32::MAX - 3;
