//! Series: who is who, the samples kept of each, and what a window over them gives.
//!
//! Three rooms behind one face, [`SeriesStore`]: `index` (names, resources, series), `store` (blocks of samples, histograms)
//! and `window` (aggregates). Absent on purpose: the wire (identities are handed in when bytes are new), rules, and the
//! decision whether a sample is wanted.

mod index;
mod series_store;
mod store;
mod window;

pub use index::location::{KeyId, ResourceId, SeriesId};
pub use index::names::NameBytes;
pub use index::renumbering::Renumbering;
pub use index::series_index::{ExportCursor, Lookup, SeriesIndex};
pub use series_store::{EvictionHorizon, Renumbered, SeriesStore};
pub use store::block::NotKept;
pub use window::frame::{ResultSeries, RuleResult, WindowFrame, WindowRequest};
pub use window::subscription::{SubscribedRequest, Subscription};
