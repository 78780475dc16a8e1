//! The resource index: which resources and entities there are, recognised by their bytes, or else by what they are.
//!
//! All bytes of a resource are compared, never a hash alone. Nothing of its attributes is kept but the bytes: names are read
//! from them when they are needed.

use super::admit::{admit_entity, admit_resource};
use super::changes::Changes;
use super::drop_reason::DropReason;
use super::entity::{Entity, EntityLabel, KnownResource, MergedSeries, SeriesLabel, entity_label};
use super::evict::{Evicted, EvictionSchedule};
use super::subscriptions::{Subscriptions, TrendInput};
use crate::engine::options::{Options, SeriesMode};
use crate::engine::report::{Counts, Coverage};
use crate::engine::rules::Rules;
use crate::model::{Attributes, MetricIdentity, Nanos};
use crate::otlp;
use crate::series::{Renumbered, Renumbering, ResourceId, RuleResult, SeriesId, SeriesStore};
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

/// The room's owner: what was received, the resources and entities that sent it, and their series; and the rules, for all
/// who read it.
#[derive(Debug, Default)]
pub(in crate::engine) struct Ingest {
    pub rules: Rules,
    pub options: Options,
    pub store: SeriesStore,
    pub(super) subscriptions: Subscriptions,
    /// The engine's time: the latest `received_at` so far.
    pub now: Option<Nanos>,
    pub counts: Counts,
    /// Of the last export.
    pub changes: Changes,
    pub(super) coverage: Coverage,
    /// Whether an export had a point with a time.
    pub(super) any_time: bool,
    pub(super) resources: Vec<KnownResource>,
    pub entities: Vec<Entity>,
    /// How many series each definition selected so far, and each rule.
    pub matched_series: Vec<u64>,
    pub matched_by_rule: Vec<u64>,
    /// With merged series: those that have joined the others of their metric.
    pub(super) joined: HashSet<SeriesId, RandomState>,
    pub(super) eviction: Option<EvictionSchedule>,
    /// What is evicted.
    pub(super) past: Evicted,
    /// Resources by their bytes, and of each resource the bytes it was first seen with.
    by_bytes: HashMap<Arc<[u8]>, ResourceId, RandomState>,
    bytes: Vec<Arc<[u8]>>,
    /// Resources and entities by the hash of their identity, or by the next free number after it.
    by_identity: HashMap<u64, ResourceId, RandomState>,
    entity_by_identity: HashMap<u64, u32, RandomState>,
    hasher: RandomState,
    no_attributes: Arc<Attributes>,
}

impl Ingest {
    pub fn new(rules: Rules, options: &Options) -> Self {
        Ingest {
            store: SeriesStore::new(options.max_points_per_series),
            matched_series: vec![0; rules.definitions.len()],
            matched_by_rule: vec![0; rules.rules.len()],
            eviction: EvictionSchedule::new(&rules, options),
            past: Evicted { entities: vec![0; rules.definitions.len()], ..Evicted::default() },
            rules,
            options: options.clone(),
            ..Ingest::default()
        }
    }

    /// When the first export was received.
    pub fn started_at(&self) -> Option<Nanos> {
        self.coverage.from
    }

    /// What the exports covered.
    pub fn coverage(&self) -> Coverage {
        if self.any_time { Coverage { from: self.coverage.from, to: self.now } } else { Coverage::default() }
    }

    /// Whether the series of an entity are read as one.
    pub fn merges(&self) -> bool {
        self.options.series == SeriesMode::Merge
    }

    /// The entity of a series.
    pub fn entity_of(&self, series: SeriesId) -> u32 {
        self.resources[self.store.resource_of(series) as usize].entity
    }

    /// The definitions that select a resource of an entity, in order.
    #[inline]
    pub fn definitions_of(&self, entity: usize) -> &[usize] {
        let Entity { class, .. } = self.entities[entity];
        let own = &self.entities[entity].of_classes;
        if own.is_empty() { self.subscriptions.definitions(class) } else { own }
    }

    /// Why trend rules look at a series.
    pub fn trend_inputs(&self, series: SeriesId) -> &[TrendInput] {
        self.store.subscription_of(series).map_or(&[], |number| self.subscriptions.trend_inputs(number))
    }

    /// Entities that a definition selected so far.
    pub fn matched_entities(&self, definition: usize) -> u64 {
        let selected = |&entity: &usize| self.definitions_of(entity).contains(&definition);
        (0..self.entities.len()).filter(selected).count() as u64 + self.past.entities[definition]
    }

    /// The name of a series in outputs.
    pub fn series_label(&self, series: SeriesId) -> SeriesLabel {
        SeriesLabel {
            entity: self.label(self.entity_of(series) as usize),
            metric: self.store.metric_of(series).clone(),
            attributes: self.store.attributes_of(series).clone(),
        }
    }

    /// The name of a series as a rule reads it on an entity: merged with others it has no attributes.
    pub fn series_name(&self, entity: usize, rule: usize, series: SeriesId) -> (Arc<MetricIdentity>, Arc<Attributes>) {
        let groups = &self.entities[entity].groups;
        let is_merged = |group: &MergedSeries| {
            group.request.rule as usize == rule && group.members[0] == series && group.members.len() > 1
        };
        let attributes = match groups.iter().any(is_merged) {
            true => self.no_attributes.clone(),
            false => self.store.attributes_of(series).clone(),
        };
        (self.store.metric_of(series).clone(), attributes)
    }

    /// The same with the name of the entity.
    pub fn label_on(&self, entity: usize, rule: usize, series: SeriesId) -> SeriesLabel {
        let (metric, attributes) = self.series_name(entity, rule, series);
        SeriesLabel { entity: self.label(entity), metric, attributes }
    }

    /// Evaluates the windows of an entity; `each` gets the results.
    pub fn results(&mut self, (entity, at): (usize, Nanos), mut each: impl FnMut(&Rules, &RuleResult<'_>)) {
        let merges = self.merges();
        let Ingest { rules, store, entities, .. } = self;
        let emit = &mut |result: &RuleResult<'_>| each(rules, result);
        let entity = &entities[entity];
        if merges {
            for group in &entity.groups {
                store.evaluate_merged(&group.members, at, &group.request, emit);
            }
            return;
        }
        for resource in entity.resources() {
            store.evaluate_resource(resource, at, emit);
        }
    }

    /// The resource with these bytes.
    #[inline]
    pub(super) fn find_bytes(&self, raw: &[u8]) -> Option<ResourceId> {
        self.by_bytes.get(raw).copied()
    }

    /// The identity of an entity and its name for people, read from the bytes of its first resource.
    pub fn label(&self, entity: usize) -> Arc<EntityLabel> {
        Arc::new(entity_label(&self.attributes_of(self.entities[entity].first)))
    }

    fn attributes_of(&self, resource: ResourceId) -> Attributes {
        otlp::resource(&self.bytes[resource as usize]).unwrap_or_default()
    }

    /// The resource with these attributes, or the free place of one.
    fn find_resource(&self, attributes: &Attributes) -> Result<ResourceId, u64> {
        let is_it = |resource: ResourceId| self.attributes_of(resource) == *attributes;
        find_identity(&self.by_identity, self.hasher.hash_one(attributes), is_it)
    }

    /// The entity with this identity, or the free place of one.
    fn find_entity(&self, identity: &Attributes) -> Result<u32, u64> {
        let is_it = |entity: u32| self.label(entity as usize).resource == *identity;
        find_identity(&self.entity_by_identity, self.hasher.hash_one(identity), is_it)
    }

    /// Resources, entities and series have new numbers, or are gone.
    pub(super) fn renumber(&mut self, new: &Renumbered, entities: &Renumbering) {
        self.bytes = new.resources.keep(std::mem::take(&mut self.bytes));
        // Other bytes of a resource than its first are learned anew.
        self.by_bytes = self.bytes.iter().cloned().zip(0..).collect();
        self.resources = new.resources.keep(std::mem::take(&mut self.resources));
        for resource in &mut self.resources {
            // An entity stays with any of its resources.
            resource.entity = entities.get(resource.entity).unwrap_or(resource.entity);
        }
        self.entities = entities.keep(std::mem::take(&mut self.entities));
        for entity in &mut self.entities {
            entity.renumber(new, &self.resources);
        }
        self.joined = self.joined.iter().filter_map(|&series| new.series.get(series)).collect();
        (self.by_identity, self.entity_by_identity) = Default::default();
        for resource in 0..self.resources.len() as u32 {
            if let Err(free) = self.find_resource(&self.attributes_of(resource)) {
                self.by_identity.insert(free, resource);
            }
        }
        for entity in 0..self.entities.len() {
            if let Err(free) = self.find_entity(&self.label(entity).resource) {
                self.entity_by_identity.insert(free, entity as u32);
            }
        }
    }

    /// When a new period begins: which series are silent for too long. An entity stays with all its series while an event of
    /// it is open, even if nothing of it comes any more.
    pub fn begin_eviction(&mut self, with_open_events: impl Iterator<Item = u32>) -> Option<Vec<bool>> {
        let (period, horizon) = self.eviction.as_mut()?.begin(self.now?)?;
        self.store.begin_period(period);
        let mut gone = self.store.silent(horizon);
        let mut held = vec![false; self.entities.len()];
        with_open_events.for_each(|entity| held[entity as usize] = true);
        for series in self.store.series_ids().filter(|&series| !gone[series as usize]) {
            held[self.entity_of(series) as usize] = false;
        }
        for series in self.store.series_ids() {
            gone[series as usize] &= !held[self.entity_of(series) as usize];
        }
        gone.contains(&true).then_some(gone)
    }

    /// Evicts series, resources without a series, and entities without a resource; the others get new numbers.
    pub fn evict(&mut self, gone: &[bool], several_writers: &HashSet<SeriesId>) -> (Renumbered, Renumbering) {
        for series in self.store.series_ids().filter(|&series| gone[series as usize]) {
            let several = self.store.has_several_writers(series) || several_writers.contains(&series);
            let label = several.then(|| self.series_label(series));
            let metric = self.store.metric_of(series);
            self.past.add_series(metric, label, self.store.has_negative_delta(series));
        }
        let new = self.store.evict(gone);
        let entities = self.evict_entities(&new);
        self.subscriptions.renumber(&new.keys);
        (new, entities)
    }

    /// Evicts entities without a resource, and renumbers the others.
    fn evict_entities(&mut self, new: &Renumbered) -> Renumbering {
        let stays = |resource| new.resources.get(resource).is_some();
        for entity in (0..self.entities.len()).filter(|&entity| !self.entities[entity].resources().any(stays)) {
            for d in self.definitions_of(entity).to_vec() {
                self.past.entities[d] += 1;
            }
        }
        let entities = Renumbering::of(self.entities.iter().map(|entity| entity.resources().any(stays)));
        (self.counts.series_now, self.counts.entities_now) =
            (new.series.remaining() as u64, entities.remaining() as u64);
        self.renumber(new, &entities);
        for resource in 0..new.resources.remaining() {
            let entity = self.resources[resource].entity as usize;
            self.entities[entity].series += self.store.series_of(resource as ResourceId) as u32;
        }
        entities
    }

    /// Series that several processes write, evicted ones first.
    pub fn several_writers(&self, found: &HashSet<SeriesId>) -> Vec<SeriesLabel> {
        let named = |series: &SeriesId| self.store.has_several_writers(*series) || found.contains(series);
        let present = self.store.series_ids().filter(named).map(|series| self.series_label(series));
        self.past.several_writers.iter().cloned().chain(present).collect()
    }

    /// Monotonic delta sums that sent a negative delta.
    pub fn negative_deltas(&self) -> Vec<Arc<MetricIdentity>> {
        let mut named = self.past.negative_deltas.clone();
        for series in self.store.series_ids().filter(|&series| self.store.has_negative_delta(series)) {
            let metric = self.store.metric_of(series);
            if !named.contains(metric) {
                named.push(metric.clone());
            }
        }
        named
    }

    /// Every metric that came, with its number of series.
    pub fn metrics(&self) -> Vec<(Arc<MetricIdentity>, usize)> {
        let mut metrics: HashMap<&Arc<MetricIdentity>, usize> =
            self.past.metrics.iter().map(|(metric, n)| (metric, *n)).collect();
        for series in self.store.series_ids() {
            *metrics.entry(self.store.metric_of(series)).or_default() += 1;
        }
        let mut metrics: Vec<_> = metrics.into_iter().map(|(metric, n)| (metric.clone(), n)).collect();
        metrics.sort_by_cached_key(|(metric, _)| (metric.id(), metric.kind, metric.temporality, metric.monotonic));
        metrics
    }
}

fn find_identity(all: &HashMap<u64, u32, RandomState>, mut key: u64, is_it: impl Fn(u32) -> bool) -> Result<u32, u64> {
    while let Some(&number) = all.get(&key) {
        if is_it(number) {
            return Ok(number);
        }
        key = key.wrapping_add(1);
    }
    Err(key)
}

/// The resource of bytes never seen: a new one, or a known one with its attributes in another order. An error says why there
/// is no room for it.
#[cold]
pub(super) fn add_bytes(ingest: &mut Ingest, raw: &[u8]) -> Result<ResourceId, DropReason> {
    let attributes = otlp::resource(raw)?;
    let found = ingest.find_resource(&attributes);
    let bytes: Arc<[u8]> = raw.into();
    let resource = match found {
        Ok(resource) => resource,
        Err(place) => {
            let resource = add_resource(ingest, &attributes)?;
            ingest.by_identity.insert(place, resource);
            ingest.bytes.push(bytes.clone());
            resource
        }
    };
    ingest.by_bytes.insert(bytes, resource);
    Ok(resource)
}

fn add_resource(ingest: &mut Ingest, attributes: &Attributes) -> Result<ResourceId, DropReason> {
    let class = ingest.subscriptions.class(&ingest.rules, attributes);
    let resource = ingest.resources.len() as ResourceId;
    let entity = entity_of_new_resource(ingest, attributes, resource, class)?;
    ingest.store.add_resource();
    ingest.resources.push(KnownResource { entity, class });
    let of = &mut ingest.entities[entity as usize];
    if of.first != resource {
        of.others.push(resource);
        if of.class != class {
            let mut all = ingest.definitions_of(entity as usize).to_vec();
            all.extend_from_slice(ingest.subscriptions.definitions(class));
            all.sort_unstable();
            all.dedup();
            ingest.entities[entity as usize].of_classes = all;
        }
    }
    let of = &mut ingest.entities[entity as usize];
    for &d in ingest.subscriptions.definitions(class) {
        for number in ingest.rules.compiled[d].rules.clone() {
            if ingest.rules.rules[number].evaluator.means(attributes) {
                of.meant_by.push(number);
            }
        }
    }
    Ok(resource)
}

/// The entity of a new resource, which is its first one when the entity is new as well.
fn entity_of_new_resource(
    ingest: &mut Ingest,
    attributes: &Attributes,
    resource: ResourceId,
    class: u32,
) -> Result<u32, DropReason> {
    let place = match ingest.find_entity(&entity_label(attributes).resource) {
        Ok(entity) => return admit_resource(ingest, entity).map(|()| entity),
        Err(place) => place,
    };
    admit_entity(ingest)?;
    let entity = ingest.entities.len() as u32;
    ingest.entity_by_identity.insert(place, entity);
    ingest.entities.push(Entity { first: resource, class, newest: Nanos::MIN, ..Entity::default() });
    ingest.counts.entities += 1;
    ingest.counts.entities_now += 1;
    Ok(entity)
}
