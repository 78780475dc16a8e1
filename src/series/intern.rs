//! Names seen before: bytes as they arrived and identities as they are meant, each kept once for all resources.
//!
//! A fleet of equal processes sends equal bytes, so the bytes that reports are compared with stay few and warm in the
//! cache however many series there are. Compared are the bytes themselves, never a hash alone.

use super::renumbering::Renumbering;
use crate::model::{Attributes, Kind, MetricIdentity, Temporality};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

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

/// A value kept once, with a number.
#[derive(Debug)]
pub(super) struct Interned<T> {
    values: Vec<Arc<T>>,
    numbers: HashMap<Arc<T>, u32, RandomState>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Interned { values: Vec::new(), numbers: HashMap::default() }
    }
}

impl<T: Hash + Eq> Interned<T> {
    pub fn number(&mut self, value: T) -> u32 {
        if let Some(&n) = self.numbers.get(&value) {
            return n;
        }
        let n = self.values.len() as u32;
        let value = Arc::new(value);
        self.values.push(value.clone());
        self.numbers.insert(value, n);
        n
    }

    pub fn get(&self, number: u32) -> &Arc<T> {
        &self.values[number as usize]
    }

    /// The number of a value that is kept already.
    pub fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Keeps only what is used.
    pub fn keep(&mut self, used: &[bool]) -> Renumbering {
        let numbers = Renumbering::of(used.iter().copied());
        self.values = numbers.keep(std::mem::take(&mut self.values));
        self.numbers = self.values.iter().zip(0..).map(|(value, number)| (value.clone(), number)).collect();
        numbers
    }
}

/// What a run of remembered bytes stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A metric, by its number.
    Metric { metric: u32, scope_len: u32, kind: Kind, temporality: Temporality, monotonic: bool },
    /// A set of data-point attributes, by its number; `None` when the bytes cannot be read.
    Attributes(Option<u32>),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    end: usize,
    meaning: Meaning,
}

/// Byte strings seen before, with what they stand for. Numbers are given in the order of first sight.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    by_hash: HashMap<u64, Vec<u32>, RandomState>,
    hasher: RandomState,
}

impl Vocabulary {
    #[inline]
    pub fn is_metric(&self, number: u32, bytes: &MetricBytes<'_>) -> bool {
        let entry = &self.entries[number as usize];
        let Meaning::Metric { scope_len, kind, temporality, monotonic, .. } = entry.meaning else { return false };
        let own = &self.arena[entry.start..entry.end];
        scope_len as usize == bytes.scope.len()
            && own.len() == bytes.scope.len() + bytes.name.len()
            && kind == bytes.kind
            && temporality == bytes.temporality
            && monotonic == bytes.monotonic
            && same(&own[scope_len as usize..], bytes.name)
            && same(&own[..scope_len as usize], bytes.scope)
    }

    #[inline]
    pub fn is_attributes(&self, number: u32, bytes: &[u8]) -> bool {
        let entry = &self.entries[number as usize];
        matches!(entry.meaning, Meaning::Attributes(_)) && same(&self.arena[entry.start..entry.end], bytes)
    }

    pub fn meaning(&self, number: u32) -> Meaning {
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
        let meaning = Meaning::Metric { metric, scope_len: scope.len() as u32, kind, temporality, monotonic };
        self.add(hash, &[scope, name], meaning)
    }

    pub fn add_attributes(&mut self, bytes: &[u8], attributes: Option<u32>) -> u32 {
        let hash = self.hasher.hash_one(bytes);
        self.add(hash, &[bytes], Meaning::Attributes(attributes))
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
                Meaning::Metric { metric, scope_len, kind, temporality, monotonic } => {
                    let (scope, name) = bytes.split_at(scope_len as usize);
                    let bytes = MetricBytes { scope, name, kind, temporality, monotonic };
                    // What a used word stands for is used.
                    self.add_metric(&bytes, metrics.get(metric).unwrap_or(metric));
                }
                Meaning::Attributes(set) => {
                    self.add_attributes(bytes, set.and_then(|set| attributes.get(set)));
                }
            }
        }
        numbers
    }

    fn metric_hash(&self, bytes: &MetricBytes<'_>) -> u64 {
        self.hasher.hash_one((bytes.scope, bytes.name, bytes.kind, bytes.temporality, bytes.monotonic))
    }

    fn add(&mut self, hash: u64, parts: &[&[u8]], meaning: Meaning) -> u32 {
        let number = self.entries.len() as u32;
        let start = self.arena.len();
        for part in parts {
            self.arena.extend_from_slice(part);
        }
        self.entries.push(Entry { start, end: self.arena.len(), meaning });
        self.by_hash.entry(hash).or_default().push(number);
        number
    }
}

/// Equality of short byte strings: eight bytes at a time, the last eight overlapping.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (Some(end), Some(other)) = (a.last_chunk(), b.last_chunk()) else { return a == b };
    let differs = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*a) != u64::from_ne_bytes(*b);
    !differs((end, other)) && !a.as_chunks().0.iter().zip(b.as_chunks().0).any(differs)
}

/// All identities: metrics, attribute sets, and the pairs of them that series have.
#[derive(Debug, Default)]
pub(super) struct Identities {
    pub metrics: Interned<MetricIdentity>,
    pub attributes: Interned<Attributes>,
    keys: HashMap<(u32, u32), u32, RandomState>,
    pairs: Vec<(u32, u32)>,
}

impl Identities {
    pub fn key(&mut self, metric: u32, attributes: u32) -> u32 {
        *self.keys.entry((metric, attributes)).or_insert_with(|| {
            self.pairs.push((metric, attributes));
            self.pairs.len() as u32 - 1
        })
    }

    /// The number of a pair that is known already.
    pub fn find_key(&self, metric: u32, attributes: u32) -> Option<u32> {
        self.keys.get(&(metric, attributes)).copied()
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn pair(&self, key: u32) -> (u32, u32) {
        self.pairs[key as usize]
    }

    /// Keeps only pairs that are used; their parts have new numbers.
    pub fn keep(&mut self, used: &[bool], metrics: &Renumbering, attributes: &Renumbering) -> Renumbering {
        let numbers = Renumbering::of(used.iter().copied());
        let renumbered = |(metric, set)| (metrics.get(metric).unwrap_or(metric), attributes.get(set).unwrap_or(set));
        self.pairs = numbers.keep(std::mem::take(&mut self.pairs)).into_iter().map(renumbered).collect();
        self.keys = self.pairs.iter().copied().zip(0..).collect();
        numbers
    }

    pub fn metric_of(&self, key: u32) -> &Arc<MetricIdentity> {
        self.metrics.get(self.pairs[key as usize].0)
    }

    pub fn attributes_of(&self, key: u32) -> &Arc<Attributes> {
        self.attributes.get(self.pairs[key as usize].1)
    }
}
