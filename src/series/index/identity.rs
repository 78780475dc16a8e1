//! SeriesKeys by what they mean: metrics, attribute sets and the pairs of them that series have, each kept once.

use super::renumbering::Renumbering;
use crate::model::{Attributes, MetricIdentity};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// A value kept once, with a number.
#[derive(Debug)]
pub struct Interned<T> {
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

/// Metrics, attribute sets, and the pairs of them that series have.
#[derive(Debug, Default)]
pub struct SeriesKeys {
    pub metrics: Interned<MetricIdentity>,
    pub attributes: Interned<Attributes>,
    keys: HashMap<(u32, u32), u32, RandomState>,
    pairs: Vec<(u32, u32)>,
}

impl SeriesKeys {
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
