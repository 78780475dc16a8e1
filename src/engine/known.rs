//! Resources recognised by their bytes, and foreseen before it is their turn.
//!
//! Invariant: a resource is told by all of its bytes; hashes only say where to look first. With many resources, waiting for
//! memory is most of what a report costs. So the next ones are looked for some turns ahead, one step a turn, because where a
//! thing is must be near before the thing itself can be asked for.

use super::drive::FORESIGHT as FAR;
use crate::series::{Renumbering, ResourceId};
use foldhash::fast::RandomState;
use prefetch_index::prefetch_index;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// No resource.
const NOBODY: ResourceId = ResourceId::MAX;

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_raw: HashMap<Arc<[u8]>, ResourceId, RandomState>,
    hasher: RandomState,
    /// Of each resource the bytes it was first seen with, their hash, and which one came after it last time.
    raws: Vec<Arc<[u8]>>,
    hashes: Vec<u64>,
    after: Vec<ResourceId>,
    last: ResourceId,
    /// Whether the last one came where it came the time before.
    is_in_order: bool,
    /// By one end of a hash its other end, and the resource that had it last: of two in one place one is not foreseen.
    places: Vec<(u32, ResourceId)>,
    /// This turn's and the next.
    foreseen: [Foreseen; FAR + 1],
}

/// What is known of a turn beforehand.
#[derive(Clone, Copy, Debug, Default)]
enum Foreseen {
    /// Nothing.
    #[default]
    Nothing,
    /// The hash of a resource's bytes.
    Hash(u64),
    /// The resource that is likely to have them.
    Resource(ResourceId),
}

impl Known {
    /// The next turn has come.
    #[inline]
    pub fn advance(&mut self) {
        self.foreseen.copy_within(1.., 0);
        self.foreseen[FAR] = Foreseen::Nothing;
    }

    /// Begins to look for the resource with these bytes, whose turn is so many ahead.
    #[inline]
    pub fn look_for(&mut self, raw: &[u8], ahead: usize) {
        let hash = self.hasher.hash_one(raw);
        self.foreseen[ahead] = Foreseen::Hash(hash);
        if !self.places.is_empty() {
            prefetch_index(&self.places[..], self.place(hash));
        }
    }

    /// The resource whose turn it is likely to be so many ahead.
    #[inline]
    pub fn foresee(&mut self, ahead: usize) -> Option<ResourceId> {
        match self.foreseen[ahead] {
            Foreseen::Nothing => None,
            Foreseen::Resource(resource) => Some(resource),
            Foreseen::Hash(hash) => {
                let found = self.likely(hash);
                self.foreseen[ahead] = found.map_or(Foreseen::Nothing, Foreseen::Resource);
                found
            }
        }
    }

    /// The resource that came after the last one the time before; nothing when the last one did not keep to that.
    #[inline]
    pub fn follower(&self) -> Option<ResourceId> {
        self.after.get(self.last as usize).copied().filter(|_| self.is_in_order)
    }

    /// Brings near where the bytes of a resource are.
    #[inline]
    pub fn prefetch_place(&self, resource: ResourceId) {
        prefetch_index(&self.raws[..], resource as usize);
    }

    /// Brings the bytes of a resource near.
    #[inline]
    pub fn prefetch(&self, resource: ResourceId) {
        let raw = &self.raws[resource as usize];
        for byte in (0..raw.len()).step_by(64) {
            prefetch_index(raw, byte);
        }
    }

    /// The resource with these bytes, which may be the one whose turn was foreseen.
    #[inline]
    pub fn find(&mut self, raw: &[u8], guess: Option<ResourceId>) -> Option<ResourceId> {
        let resource = match guess.filter(|&guess| *self.raws[guess as usize] == *raw) {
            Some(guess) => guess,
            None => *self.by_raw.get(raw)?,
        };
        let last = std::mem::replace(&mut self.last, resource);
        self.is_in_order = self.after[last as usize] == resource;
        if !self.is_in_order && last != resource {
            self.after[last as usize] = resource;
        }
        Some(resource)
    }

    /// The bytes a resource was first seen with.
    pub fn raw(&self, resource: ResourceId) -> &[u8] {
        &self.raws[resource as usize]
    }

    /// A new resource with these bytes; its number must be the next one.
    pub fn add(&mut self, resource: ResourceId, raw: &[u8]) {
        debug_assert_eq!(resource as usize, self.raws.len());
        let bytes: Arc<[u8]> = raw.into();
        let hash = self.hasher.hash_one(raw);
        self.hashes.push(hash);
        self.after.push(resource);
        self.by_raw.insert(bytes.clone(), resource);
        self.raws.push(bytes);
        if self.places.len() < 2 * self.hashes.len() {
            self.place_all();
        } else {
            let place = self.place(hash);
            self.places[place] = (rest_of(hash), resource);
        }
    }

    /// Resources have new numbers; other bytes than their first are learned anew.
    pub fn keep(&mut self, resources: &Renumbering) {
        self.raws = resources.keep(std::mem::take(&mut self.raws));
        self.hashes = resources.keep(std::mem::take(&mut self.hashes));
        let mut after = resources.keep(std::mem::take(&mut self.after));
        for (next, own) in after.iter_mut().zip(0..) {
            *next = resources.get(*next).unwrap_or(own);
        }
        self.after = after;
        self.by_raw = self.raws.iter().cloned().zip(0..).collect();
        (self.last, self.is_in_order) = (0, false);
        self.foreseen = Default::default();
        self.place_all();
    }

    /// Other bytes of a known resource.
    pub fn add_bytes(&mut self, resource: ResourceId, raw: &[u8]) {
        self.by_raw.insert(raw.into(), resource);
    }

    /// The resource that is likely to have the bytes with this hash.
    #[inline]
    fn likely(&self, hash: u64) -> Option<ResourceId> {
        let &(rest, resource) = self.places.get(self.place(hash))?;
        (rest == rest_of(hash) && resource != NOBODY).then_some(resource)
    }

    fn place_all(&mut self) {
        let places = (4 * self.hashes.len()).next_power_of_two();
        self.places = vec![(0, NOBODY); places];
        for (&hash, resource) in self.hashes.iter().zip(0..) {
            self.places[hash as usize & (places - 1)] = (rest_of(hash), resource);
        }
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        hash as usize & self.places.len().wrapping_sub(1)
    }
}

/// The end of a hash that does not say where to look.
#[inline]
fn rest_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}
