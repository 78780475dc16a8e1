//! The resource index: which resources and entities there are, recognised by their bytes, or else by what they are.
//!
//! All bytes of a resource are compared, never a hash alone. Nothing of its attributes is kept but the bytes: names are read
//! from them when they are needed.

use super::admit::{admit_entity, admit_resource};
use super::drop_reason::DropReason;
use super::entity::{Entity, KnownResource, entity_label};
use super::evict::Evicted;
use crate::engine::Engine;
use crate::engine::evaluate::presence::means;
use crate::engine::evaluate::selection::What;
use crate::engine::report::{Counts, Coverage, EntityLabel};
use crate::model::{Attributes, Nanos};
use crate::otlp;
use crate::series::{Renumbered, Renumbering, ResourceId, SeriesId};
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

/// What was received, and the resources and entities that sent it.
#[derive(Debug, Default)]
pub(in crate::engine) struct IngestState {
    pub counts: Counts,
    pub coverage: Coverage,
    /// Whether an export had a point with a time.
    pub any_time: bool,
    pub resources: Vec<KnownResource>,
    pub entities: Vec<Entity>,
    pub matched_series: Vec<u64>,
    pub matched_by_rule: Vec<u64>,
    /// With merged series: those that have joined the others of their metric.
    pub(super) joined: HashSet<SeriesId, RandomState>,
    /// What is evicted.
    pub past: Evicted,
    /// Resources by their bytes, and of each resource the bytes it was first seen with.
    by_bytes: HashMap<Arc<[u8]>, ResourceId, RandomState>,
    bytes: Vec<Arc<[u8]>>,
    /// Resources and entities by the hash of their identity, or by the next free number after it.
    by_identity: HashMap<u64, ResourceId, RandomState>,
    entity_by_identity: HashMap<u64, u32, RandomState>,
    hasher: RandomState,
}

impl IngestState {
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

/// The resource with these bytes. An error says why there is no room for it.
#[inline]
pub(super) fn find_or_add_resource(engine: &mut Engine, raw: &[u8]) -> Result<ResourceId, DropReason> {
    match engine.intake.find_bytes(raw) {
        Some(resource) => Ok(resource),
        None => look_up_resource(engine, raw),
    }
}

/// Bytes never seen: a new resource, or a known one with its attributes in another order.
#[cold]
fn look_up_resource(engine: &mut Engine, raw: &[u8]) -> Result<ResourceId, DropReason> {
    let attributes = otlp::resource(raw)?;
    let found = engine.intake.find_resource(&attributes);
    let bytes: Arc<[u8]> = raw.into();
    let resource = match found {
        Ok(resource) => resource,
        Err(place) => {
            let resource = add_resource(engine, &attributes)?;
            engine.intake.by_identity.insert(place, resource);
            engine.intake.bytes.push(bytes.clone());
            resource
        }
    };
    engine.intake.by_bytes.insert(bytes, resource);
    Ok(resource)
}

fn add_resource(engine: &mut Engine, attributes: &Attributes) -> Result<ResourceId, DropReason> {
    let class = engine.selection.class(&engine.definitions, attributes);
    let resource = engine.intake.resources.len() as ResourceId;
    let entity = entity_of_new_resource(engine, attributes, resource, class)?;
    engine.store.add_resource();
    let Engine { intake, selection, .. } = engine;
    intake.resources.push(KnownResource { entity, class });
    let of = &mut intake.entities[entity as usize];
    let definitions = &selection.classes[class as usize].definitions;
    if of.first != resource {
        of.rest_mut().others.push(resource);
        if of.class != class {
            let mut all = of.definitions(selection).to_vec();
            all.extend_from_slice(definitions);
            all.sort_unstable();
            all.dedup();
            of.rest_mut().of_classes = all;
        }
    }
    for &d in definitions {
        for number in selection.rules_of[d].clone() {
            if let What::Presence { presence, .. } = &selection.rules[number].what
                && means(presence, attributes)
            {
                of.rest_mut().meant_by.push(number);
            }
        }
    }
    Ok(resource)
}

/// The entity of a new resource, which is its first one when the entity is new as well.
fn entity_of_new_resource(
    engine: &mut Engine,
    attributes: &Attributes,
    resource: ResourceId,
    class: u32,
) -> Result<u32, DropReason> {
    let place = match engine.intake.find_entity(&entity_label(attributes).resource) {
        Ok(entity) => return admit_resource(engine, entity).map(|()| entity),
        Err(place) => place,
    };
    admit_entity(engine)?;
    let intake = &mut engine.intake;
    let entity = intake.entities.len() as u32;
    intake.entity_by_identity.insert(place, entity);
    intake.entities.push(Entity { first: resource, class, newest: Nanos::MIN, series: 0, rest: None });
    intake.counts.entities += 1;
    intake.counts.entities_now += 1;
    engine.judge.add_entity(engine.selection.rules.len());
    Ok(entity)
}
