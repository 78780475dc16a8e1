//! Resources recognised by their bytes, and who is likely to report next.
//!
//! Invariant: a resource is told by all of its bytes; hashes and the order of reports only say where to look first. A fleet
//! reports in nearly the same order every time, so the next one is near the last one, and what its report needs can be
//! brought near before it is its turn.

use crate::series::{Renumbering, ResourceId};
use foldhash::fast::RandomState;
use prefetch_index::prefetch_index;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

/// So many in their order make it likely that the next one keeps to it, too.
const STEADY: u32 = 8;

/// How far around the last one a resource is looked for before the map is asked.
const AROUND: usize = 16;

/// See the module's own words.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_raw: HashMap<Arc<[u8]>, ResourceId, RandomState>,
    hasher: RandomState,
    /// Of each resource the bytes it was first seen with, their hash, and which one came after it last time.
    raws: Vec<Arc<[u8]>>,
    hashes: Vec<u64>,
    after: Vec<ResourceId>,
    last: ResourceId,
    last_guess: ResourceId,
    /// How many came where they came last time, one after the other.
    in_order: u32,
}

impl Known {
    /// Which resource these bytes are likely to be of; its own are brought near.
    #[inline]
    pub fn guess(&mut self, raw: &[u8]) -> Option<ResourceId> {
        if self.is_steady() {
            self.last_guess = self.after[self.last_guess as usize];
            self.prefetch(self.last_guess);
            return Some(self.last_guess);
        }
        let hash = self.hasher.hash_one(raw);
        let from = (self.last_guess as usize).saturating_sub(AROUND);
        let near = self.hashes.get(from..)?.iter().take(2 * AROUND);
        let guess = (from + near.into_iter().position(|other| *other == hash)?) as ResourceId;
        self.last_guess = guess;
        self.prefetch(guess);
        Some(guess)
    }

    /// Whether resources come in the order of the last time.
    #[inline]
    pub fn is_steady(&self) -> bool {
        self.in_order >= STEADY
    }

    /// The resource that came after the last one the time before.
    #[inline]
    pub fn next(&self) -> Option<ResourceId> {
        self.after.get(self.last as usize).copied()
    }

    /// Brings the bytes of a resource near.
    #[inline]
    pub fn prefetch(&self, resource: ResourceId) {
        let raw = &self.raws[resource as usize];
        for byte in (0..raw.len()).step_by(64) {
            prefetch_index(raw, byte);
        }
    }

    /// The resource with these bytes, which may be the guessed one.
    #[inline]
    pub fn find(&mut self, raw: &[u8], guess: Option<ResourceId>) -> Option<ResourceId> {
        let resource = match guess.filter(|&guess| *self.raws[guess as usize] == *raw) {
            Some(guess) => guess,
            None => {
                let found = *self.by_raw.get(raw)?;
                // The fleet begins anew, or in another order: what comes next is near this one.
                self.last_guess = found;
                found
            }
        };
        let last = std::mem::replace(&mut self.last, resource);
        if self.after[last as usize] == resource {
            self.in_order = self.in_order.saturating_add(1);
        } else if last != resource {
            self.after[last as usize] = resource;
            self.in_order = 0;
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
        self.hashes.push(self.hasher.hash_one(raw));
        self.after.push(resource);
        self.by_raw.insert(bytes.clone(), resource);
        self.raws.push(bytes);
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
        (self.last, self.last_guess, self.in_order) = (0, 0, 0);
    }

    /// Other bytes of a known resource.
    pub fn add_bytes(&mut self, resource: ResourceId, raw: &[u8]) {
        self.by_raw.insert(raw.into(), resource);
    }
}
