//! Resources recognised by their bytes.
//!
//! Invariant: all bytes of a resource are compared. Resources mostly come in the order of the time before, so the one that
//! followed the last one is compared first, without hashing.

use crate::series::{Renumbering, ResourceId};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// See the file's head.
#[derive(Debug, Default)]
pub(in crate::engine) struct Known {
    by_raw: HashMap<Arc<[u8]>, ResourceId, RandomState>,
    /// Of each resource the bytes it was first seen with, and which one came after it last time.
    raws: Vec<Arc<[u8]>>,
    after: Vec<ResourceId>,
    last: ResourceId,
    /// Whether the last one came where it came the time before.
    is_in_order: bool,
}

impl Known {
    /// The resource that came after the last one the time before; nothing when the last one did not keep to that.
    #[inline]
    fn follower(&self) -> Option<ResourceId> {
        self.after.get(self.last as usize).copied().filter(|_| self.is_in_order)
    }

    /// The resource with these bytes.
    #[inline]
    pub fn find(&mut self, raw: &[u8]) -> Option<ResourceId> {
        let resource = match self.follower().filter(|&guess| *self.raws[guess as usize] == *raw) {
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
        self.after.push(resource);
        self.by_raw.insert(bytes.clone(), resource);
        self.raws.push(bytes);
    }

    /// Resources have new numbers; other bytes than their first are learned anew.
    pub fn keep(&mut self, resources: &Renumbering) {
        self.raws = resources.keep(std::mem::take(&mut self.raws));
        let mut after = resources.keep(std::mem::take(&mut self.after));
        for (next, own) in after.iter_mut().zip(0..) {
            *next = resources.get(*next).unwrap_or(own);
        }
        self.after = after;
        self.by_raw = self.raws.iter().cloned().zip(0..).collect();
        (self.last, self.is_in_order) = (0, false);
    }

    /// Other bytes of a known resource.
    pub fn add_bytes(&mut self, resource: ResourceId, raw: &[u8]) {
        self.by_raw.insert(raw.into(), resource);
    }
}
