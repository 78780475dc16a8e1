//! What an export has changed, for those who evaluate: new series, samples of memory, and whose samples came.

use crate::model::{Nanos, Sample};
use crate::series::SeriesId;

/// The changes of one export, in their order. The lists keep their room from export to export.
#[derive(Debug, Default)]
pub(in crate::engine) struct Changes {
    /// Series seen for the first time that trend rules look at.
    pub trend_series: Vec<SeriesId>,
    /// Their samples.
    pub trend_samples: Vec<(SeriesId, Sample)>,
    /// Entities of which samples came, once for each resource.
    pub received: Vec<ReceivedFrom>,
}

/// Samples of an entity came.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct ReceivedFrom {
    pub entity: u32,
    /// Time of the newest one that passed the checks.
    pub newest: Nanos,
}
