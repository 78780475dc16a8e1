//! Resources and entities. An entity is the resource that is evaluated; several resources are one entity when they have the
//! same service name and instance. How entities and series are named in outputs.

use crate::model::{Attributes, MetricIdentity, Nanos, Value};
use crate::series::{Renumbered, ResourceId, SeriesId, SubscribedRequest};
use std::sync::Arc;

/// One resource.
#[derive(Debug)]
pub(in crate::engine) struct KnownResource {
    pub entity: u32,
    pub class: u32,
}

/// One entity.
#[derive(Debug, Default)]
pub(in crate::engine) struct Entity {
    /// Its first resource, and the class of that one.
    pub(super) first: ResourceId,
    pub(super) class: u32,
    /// Time of its newest point that passed the checks up to `future`.
    pub newest: Nanos,
    /// Number of its series.
    pub(super) series: u32,
    /// All resources but the first.
    pub(super) others: Vec<ResourceId>,
    /// The evaluated definitions that select one of the resources, in order, when those are of several classes.
    pub(super) of_classes: Vec<usize>,
    /// The rules that are about its presence.
    pub(super) meant_by: Vec<usize>,
    /// With merged series: the series of a rule that are read as one.
    pub(super) groups: Vec<MergedSeries>,
}

impl Entity {
    /// Its resources and series have new numbers, or are gone; one resource stays.
    pub(super) fn renumber(&mut self, new: &Renumbered, resources: &[KnownResource]) {
        let mut kept =
            self.resources().filter_map(|resource| new.resources.get(resource)).collect::<Vec<_>>().into_iter();
        self.first = kept.next().unwrap_or(0);
        self.class = resources[self.first as usize].class;
        self.series = 0;
        self.others = kept.collect();
        for group in &mut self.groups {
            group.members = group.members.iter().filter_map(|&series| new.series.get(series)).collect();
        }
        self.groups.retain(|group| !group.members.is_empty());
    }

    /// Its resources, in the order in which they were first seen.
    #[inline]
    pub fn resources(&self) -> impl Iterator<Item = ResourceId> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// Whether a presence rule is about it.
    pub fn is_meant_by(&self, rule: usize) -> bool {
        self.meant_by.contains(&rule)
    }
}

/// Series of one metric that a rule reads as one.
#[derive(Debug)]
pub(in crate::engine) struct MergedSeries {
    pub request: SubscribedRequest,
    pub members: Vec<SeriesId>,
}

/// The identity of the entity that a resource belongs to, and how people call it.
pub(super) fn entity_label(resource: &Attributes) -> EntityLabel {
    let text = |key: &str| resource.get(key).map(Value::to_text);
    let (name, instance) = (text("service.name"), text("service.instance.id"));
    let label = match (&name, &instance) {
        (Some(name), Some(instance)) => format!("{name} ({instance})"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => resource.to_suffix(),
    };
    let identity = if name.is_some() && instance.is_some() {
        let keys = ["service.namespace", "service.name", "service.instance.id"];
        let pairs = keys.iter().filter_map(|&key| Some((key.to_string(), resource.get(key)?.clone())));
        Attributes::new(pairs.collect())
    } else {
        resource.clone()
    };
    EntityLabel { resource: identity, label }
}

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
