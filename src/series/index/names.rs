//! Names as bytes on the wire, each kept once for all resources.
//!
//! A fleet of equal processes sends equal bytes, so the bytes that exports are compared with stay few and warm in the cache
//! however many series there are. The bytes themselves are compared, never a hash alone.

use super::renumbering::Renumbering;
use crate::model::{Kind, Temporality};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// The bytes that name a metric on the wire, with what its message says beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricBytes<'a> {
    /// Scope name.
    pub scope: &'a [u8],
    /// Metric name.
    pub name: &'a [u8],
    /// Kind.
    pub kind: Kind,
    /// Temporality.
    pub temporality: Temporality,
    /// Monotonic flag.
    pub monotonic: bool,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedThing {
    /// A metric, by its number.
    Metric { metric: u32, scope_len: u32, kind: Kind, temporality: Temporality, monotonic: bool },
    /// A set of data-point attributes, by its number; `None` when the bytes cannot be read.
    Attributes(Option<u32>),
}

impl NamedThing {
    /// Number of the metric or attribute set.
    pub fn number(self) -> Option<u32> {
        match self {
            NamedThing::Metric { metric, .. } => Some(metric),
            NamedThing::Attributes(set) => set,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Name {
    start: usize,
    end: usize,
    meaning: NamedThing,
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
    pub fn is_metric(&self, number: u32, bytes: &MetricBytes<'_>) -> bool {
        let entry = &self.entries[number as usize];
        let NamedThing::Metric { scope_len, kind, temporality, monotonic, .. } = entry.meaning else { return false };
        let own = &self.arena[entry.start..entry.end];
        scope_len as usize == bytes.scope.len()
            && own.len() == bytes.scope.len() + bytes.name.len()
            && kind == bytes.kind
            && temporality == bytes.temporality
            && monotonic == bytes.monotonic
            && own[scope_len as usize..] == *bytes.name
            && own[..scope_len as usize] == *bytes.scope
    }

    #[inline]
    pub fn is_attributes(&self, number: u32, bytes: &[u8]) -> bool {
        let entry = &self.entries[number as usize];
        matches!(entry.meaning, NamedThing::Attributes(_)) && self.arena[entry.start..entry.end] == *bytes
    }

    pub fn meaning(&self, number: u32) -> NamedThing {
        self.entries[number as usize].meaning
    }

    pub fn find_metric(&self, bytes: &MetricBytes<'_>) -> Option<u32> {
        let hash = self.metric_hash(bytes);
        self.by_hash.get(&hash)?.iter().copied().find(|&n| self.is_metric(n, bytes))
    }

    pub fn find_attributes(&self, bytes: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(bytes);
        self.by_hash.get(&hash)?.iter().copied().find(|&n| self.is_attributes(n, bytes))
    }

    pub fn add_metric(&mut self, bytes: &MetricBytes<'_>, metric: u32) -> u32 {
        let hash = self.metric_hash(bytes);
        let MetricBytes { scope, name, kind, temporality, monotonic } = *bytes;
        let meaning = NamedThing::Metric { metric, scope_len: scope.len() as u32, kind, temporality, monotonic };
        self.add(hash, &[scope, name], meaning)
    }

    pub fn add_attributes(&mut self, bytes: &[u8], attributes: Option<u32>) -> u32 {
        let hash = self.hasher.hash_one(bytes);
        self.add(hash, &[bytes], NamedThing::Attributes(attributes))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Keeps only what is used; what it stands for has new numbers.
    pub fn keep(&mut self, used: &[bool], metrics: &Renumbering, attributes: &Renumbering) -> Renumbering {
        let numbers = Renumbering::of(used.iter().copied());
        let old = std::mem::take(self);
        self.hasher = old.hasher;
        for entry in numbers.keep(old.entries) {
            let bytes = &old.arena[entry.start..entry.end];
            match entry.meaning {
                NamedThing::Metric { metric, scope_len, kind, temporality, monotonic } => {
                    let (scope, name) = bytes.split_at(scope_len as usize);
                    let bytes = MetricBytes { scope, name, kind, temporality, monotonic };
                    // What a used name stands for is used.
                    self.add_metric(&bytes, metrics.get(metric).unwrap_or(metric));
                }
                NamedThing::Attributes(set) => {
                    self.add_attributes(bytes, set.and_then(|set| attributes.get(set)));
                }
            }
        }
        numbers
    }

    fn metric_hash(&self, bytes: &MetricBytes<'_>) -> u64 {
        self.hasher.hash_one((bytes.scope, bytes.name, bytes.kind, bytes.temporality, bytes.monotonic))
    }

    fn add(&mut self, hash: u64, parts: &[&[u8]], meaning: NamedThing) -> u32 {
        let number = self.entries.len() as u32;
        let start = self.arena.len();
        for part in parts {
            self.arena.extend_from_slice(part);
        }
        self.entries.push(Name { start, end: self.arena.len(), meaning });
        self.by_hash.entry(hash).or_default().push(number);
        number
    }
}
