//! What metrics and attribute sets are called on the wire, and what the names mean, each kept once for all resources.
//!
//! A fleet of equal processes sends equal bytes, so the bytes that exports are compared with stay few and warm in the cache
//! however many series there are. The bytes themselves are compared, never a hash alone.

use super::renumbering::Renumbering;
use crate::model::{Attributes, Kind, MetricIdentity, Temporality};
use foldhash::fast::RandomState;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// The bytes of a metric or of a set of data-point attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameBytes<'a> {
    /// Of a metric its kind, its temporality and whether it is monotonic, as its message says; `None` of attributes.
    pub metric: Option<(Kind, Temporality, bool)>,
    /// Scope name of a metric.
    pub scope: &'a [u8],
    /// Name of a metric, or the attributes.
    pub name: &'a [u8],
}

impl<'a> NameBytes<'a> {
    /// Of a set of attributes.
    #[inline]
    pub fn attributes(bytes: &'a [u8]) -> Self {
        NameBytes { metric: None, scope: &[], name: bytes }
    }
}

/// A name seen before: where its bytes are in the arena, the scope first.
#[derive(Clone, Copy, Debug)]
struct Name {
    start: usize,
    scope_end: usize,
    end: usize,
    metric: Option<(Kind, Temporality, bool)>,
    meaning: Option<u32>,
}

/// Names seen before. Numbers are given in the order of first sight.
#[derive(Debug, Default)]
pub struct Names {
    arena: Vec<u8>,
    entries: Vec<Name>,
    by_hash: HashMap<u64, Vec<u32>, RandomState>,
    hasher: RandomState,
}

impl Names {
    #[inline]
    pub fn is(&self, number: u32, bytes: &NameBytes<'_>) -> bool {
        let Name { start, scope_end, end, metric, .. } = self.entries[number as usize];
        metric == bytes.metric
            && self.arena[scope_end..end] == *bytes.name
            && self.arena[start..scope_end] == *bytes.scope
    }

    pub fn find(&self, bytes: &NameBytes<'_>) -> Option<u32> {
        let hash = self.hasher.hash_one(bytes);
        self.by_hash.get(&hash)?.iter().copied().find(|&number| self.is(number, bytes))
    }

    /// Adds a name that is not there yet, with the number of the metric or set it stands for; `None` when it cannot be read.
    pub fn add(&mut self, bytes: &NameBytes<'_>, meaning: Option<u32>) -> u32 {
        let number = self.entries.len() as u32;
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes.scope);
        let scope_end = self.arena.len();
        self.arena.extend_from_slice(bytes.name);
        self.entries.push(Name { start, scope_end, end: self.arena.len(), metric: bytes.metric, meaning });
        self.by_hash.entry(self.hasher.hash_one(bytes)).or_default().push(number);
        number
    }

    /// What a name stands for: whether it is a metric, and its number.
    pub fn meaning(&self, number: u32) -> (bool, Option<u32>) {
        let Name { metric, meaning, .. } = self.entries[number as usize];
        (metric.is_some(), meaning)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keeps only what is used; what it stands for has new numbers.
    pub fn keep(&mut self, used: &[bool], metrics: &Renumbering, attributes: &Renumbering) -> Renumbering {
        let numbers = Renumbering::of(used.iter().copied());
        let old = std::mem::take(self);
        self.hasher = old.hasher;
        for Name { start, scope_end, end, metric, meaning } in numbers.keep(old.entries) {
            let bytes = NameBytes { metric, scope: &old.arena[start..scope_end], name: &old.arena[scope_end..end] };
            let new = if metric.is_some() { metrics } else { attributes };
            self.add(&bytes, meaning.and_then(|number| new.get(number)));
        }
        numbers
    }
}

/// Values kept once, each with a number.
#[derive(Debug)]
pub struct Interned<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32, RandomState>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Interned { values: Vec::new(), numbers: HashMap::default() }
    }
}

impl<T: Clone + Hash + Eq> Interned<T> {
    pub fn number(&mut self, value: T) -> u32 {
        *self.numbers.entry(value).or_insert_with_key(|value| {
            self.values.push(value.clone());
            self.values.len() as u32 - 1
        })
    }

    /// The number of a value that is kept already.
    pub fn find<Q: Hash + Eq>(&self, value: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        self.numbers.get(value).copied()
    }

    pub fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Keeps only what is used, as it is called from now on.
    pub fn keep(&mut self, used: &[bool], renamed: impl Fn(T) -> T) -> Renumbering {
        let numbers = Renumbering::of(used.iter().copied());
        self.values = numbers.keep(std::mem::take(&mut self.values)).into_iter().map(renamed).collect();
        self.numbers = self.values.iter().cloned().zip(0..).collect();
        numbers
    }
}

/// Metrics, attribute sets, and the pairs of them that series have.
#[derive(Debug, Default)]
pub struct SeriesKeys {
    pub metrics: Interned<Arc<MetricIdentity>>,
    pub attributes: Interned<Arc<Attributes>>,
    pub pairs: Interned<(u32, u32)>,
}

impl SeriesKeys {
    pub fn metric_of(&self, key: u32) -> &Arc<MetricIdentity> {
        self.metrics.get(self.pairs.get(key).0)
    }

    pub fn attributes_of(&self, key: u32) -> &Arc<Attributes> {
        self.attributes.get(self.pairs.get(key).1)
    }
}
