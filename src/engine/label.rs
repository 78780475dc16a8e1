//! How entities and series are named in outputs.

use crate::model::{Attributes, MetricIdentity};
use std::sync::Arc;

/// How an entity is named in outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityLabel {
    /// The identifying attributes, or the whole resource when it has no service name or instance id.
    pub resource: Attributes,
    /// `<service.name> (<service.instance.id>)`, as far as present.
    pub label: String,
}

/// How a series is named in outputs.
#[derive(Clone, Debug)]
pub struct SeriesLabel {
    /// Its entity.
    pub entity: Arc<EntityLabel>,
    /// Its metric.
    pub metric: Arc<MetricIdentity>,
    /// Its attributes; empty for a merged series.
    pub attributes: Arc<Attributes>,
}
