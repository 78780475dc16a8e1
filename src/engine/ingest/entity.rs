//! Who is who among resources and entities: recognised by what they are, not by the bytes of it alone.
//!
//! An entity is the resource that is judged; several resources are one when they have the same service name and instance.
//! Nothing of their attributes is kept but the bytes: names are read from them when somebody asks.

use crate::engine::Engine;
use crate::engine::evaluate::presence::means;
use crate::engine::evaluate::selection::{Selection, What};
use crate::engine::ingest::intake::Intake;
use crate::engine::report::{DropReason, EntityLabel};
use crate::model::{Attributes, Nanos, Value};
use crate::otlp;
use crate::series::{Renumbered, Renumbering, ResourceId, SeriesId};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Resources and entities by the hash of their identity, or by the next free number behind it.
#[derive(Debug, Default)]
pub(in crate::engine) struct Identities {
    resources: HashMap<u64, ResourceId, RandomState>,
    entities: HashMap<u64, u32, RandomState>,
    hasher: RandomState,
}

/// One resource.
#[derive(Debug)]
pub(in crate::engine) struct Resource {
    pub entity: u32,
    pub class: u32,
}

/// One entity: the resource that is judged.
#[derive(Debug)]
pub(in crate::engine) struct Entity {
    /// Its first resource, and the class of that one.
    first: ResourceId,
    class: u32,
    /// Time of its newest point that passed the checks up to `future`.
    pub newest: Nanos,
    /// Number of its series.
    pub series: u32,
    /// What most entities do not have.
    rest: Option<Box<EntityRest>>,
}

/// What most entities do not have.
#[derive(Debug, Default)]
pub(in crate::engine) struct EntityRest {
    /// All resources but the first.
    others: Vec<ResourceId>,
    /// The judged definitions that select one of the resources, in order, when those are of several classes.
    of_classes: Vec<usize>,
    /// The presence rules that mean it.
    pub meant_by: Vec<usize>,
    /// With merged series: the series of a rule that are read as one.
    pub groups: Vec<Group>,
}

static NO_REST: EntityRest =
    EntityRest { others: Vec::new(), of_classes: Vec::new(), meant_by: Vec::new(), groups: Vec::new() };

impl Entity {
    #[inline]
    pub fn rest(&self) -> &EntityRest {
        self.rest.as_deref().unwrap_or(&NO_REST)
    }

    pub fn rest_mut(&mut self) -> &mut EntityRest {
        self.rest.get_or_insert_default()
    }

    /// Its resources and series have new numbers, or are gone; one resource stays.
    fn renumber(&mut self, new: &Renumbered, resources: &[Resource]) {
        let mut kept =
            self.resources().filter_map(|resource| new.resources.get(resource)).collect::<Vec<_>>().into_iter();
        self.first = kept.next().unwrap_or(0);
        self.class = resources[self.first as usize].class;
        self.series = 0;
        let Some(rest) = &mut self.rest else { return };
        rest.others = kept.collect();
        for group in &mut rest.groups {
            group.members = group.members.iter().filter_map(|&series| new.series.get(series)).collect();
        }
        rest.groups.retain(|group| !group.members.is_empty());
    }

    /// Its resources, in the order of first arrival.
    #[inline]
    pub fn resources(&self) -> impl Iterator<Item = ResourceId> {
        std::iter::once(self.first).chain(self.rest().others.iter().copied())
    }

    /// The judged definitions that select one of its resources, in order.
    #[inline]
    pub fn definitions<'a>(&'a self, selection: &'a Selection) -> &'a [usize] {
        let own = &self.rest().of_classes;
        if own.is_empty() { &selection.classes[self.class as usize].definitions } else { own }
    }
}

/// Series of one metric that a rule reads as one.
#[derive(Debug)]
pub(in crate::engine) struct Group {
    pub rule: u32,
    pub members: Vec<SeriesId>,
}

impl Intake {
    /// The identity of an entity, and how people call it: read from the bytes of its first resource when it is asked for.
    pub fn label(&self, entity: usize) -> Arc<EntityLabel> {
        let raw = self.known.raw(self.entities[entity].first);
        Arc::new(entity_label(&otlp::resource(raw).unwrap_or_default()))
    }

    /// The resource with these attributes, or the free place of one.
    fn find_resource(&self, attributes: &Attributes) -> Result<ResourceId, u64> {
        let mut key = self.identities.hasher.hash_one(attributes);
        while let Some(&resource) = self.identities.resources.get(&key) {
            if otlp::resource(self.known.raw(resource)).is_ok_and(|known| known == *attributes) {
                return Ok(resource);
            }
            key = key.wrapping_add(1);
        }
        Err(key)
    }

    /// The entity with this identity, or the free place of one.
    fn find_entity(&self, identity: &Attributes) -> Result<u32, u64> {
        let mut key = self.identities.hasher.hash_one(identity);
        while let Some(&entity) = self.identities.entities.get(&key) {
            if self.label(entity as usize).resource == *identity {
                return Ok(entity);
            }
            key = key.wrapping_add(1);
        }
        Err(key)
    }

    /// Resources, entities and series have new numbers, or are gone.
    pub fn renumber(&mut self, new: &Renumbered, entities: &Renumbering) {
        self.known.keep(&new.resources);
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
        self.identities = Identities::default();
        for resource in 0..self.resources.len() as u32 {
            let attributes = otlp::resource(self.known.raw(resource)).unwrap_or_default();
            if let Err(free) = self.find_resource(&attributes) {
                self.identities.resources.insert(free, resource);
            }
        }
        for entity in 0..self.entities.len() {
            if let Err(free) = self.find_entity(&self.label(entity).resource) {
                self.identities.entities.insert(free, entity as u32);
            }
        }
    }
}

impl Engine {
    /// Bytes never seen: a new resource, or a known one whose attributes came in another order. An error says why there is no
    /// place for it.
    #[cold]
    pub(in crate::engine) fn new_bytes_of_a_resource(&mut self, raw: &[u8]) -> Result<ResourceId, DropReason> {
        let attributes = otlp::resource(raw).map_err(|_| DropReason::Malformed)?;
        let place = match self.intake.find_resource(&attributes) {
            Ok(resource) => {
                self.intake.known.add_bytes(resource, raw);
                return Ok(resource);
            }
            Err(place) => place,
        };
        let class = self.selection.class(&self.definitions, &attributes);
        let resource = self.intake.resources.len() as ResourceId;
        let entity = self.entity_of_new_resource(&attributes, resource, class)?;
        self.store.add_resource();
        self.intake.known.add(resource, raw);
        self.intake.identities.resources.insert(place, resource);
        self.intake.resources.push(Resource { entity, class });
        let of = &mut self.intake.entities[entity as usize];
        let definitions = &self.selection.classes[class as usize].definitions;
        if of.first != resource {
            of.rest_mut().others.push(resource);
            if of.class != class {
                let mut all = of.definitions(&self.selection).to_vec();
                all.extend_from_slice(definitions);
                all.sort_unstable();
                all.dedup();
                of.rest_mut().of_classes = all;
            }
        }
        for &d in definitions {
            let rules = self.selection.rules_of[d].clone();
            for number in rules {
                if let What::Presence { presence, .. } = &self.selection.rules[number].what
                    && means(presence, &attributes)
                {
                    of.rest_mut().meant_by.push(number);
                }
            }
        }
        Ok(resource)
    }

    /// The entity of a new resource, which is its first one when the entity is new as well.
    fn entity_of_new_resource(
        &mut self,
        attributes: &Attributes,
        resource: ResourceId,
        class: u32,
    ) -> Result<u32, DropReason> {
        let place = match self.intake.find_entity(&entity_label(attributes).resource) {
            Ok(entity) if self.has_room(entity) => return Ok(entity),
            Ok(_) => return Err(DropReason::TooManySeries),
            Err(place) => place,
        };
        let entity = self.intake.entities.len() as u32;
        if u64::from(entity) >= self.options.retention.entities {
            return Err(DropReason::TooManyEntities);
        }
        if self.store.len() as u64 >= self.options.retention.series {
            return Err(DropReason::TooManySeries);
        }
        self.intake.identities.entities.insert(place, entity);
        self.intake.entities.push(Entity { first: resource, class, newest: Nanos::MIN, series: 0, rest: None });
        self.intake.counts.entities += 1;
        self.intake.counts.entities_now += 1;
        self.judge.add_entity(self.selection.rules.len());
        Ok(entity)
    }

    /// Whether an entity may have another series.
    #[inline]
    pub(in crate::engine) fn has_room(&self, entity: u32) -> bool {
        let retention = &self.options.retention;
        let own = self.intake.entities[entity as usize].series;
        (self.store.len() as u64) < retention.series && u64::from(own) < retention.series_of_entity
    }
}

/// The identity of the entity that a resource belongs to, and how people call it.
fn entity_label(resource: &Attributes) -> EntityLabel {
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
