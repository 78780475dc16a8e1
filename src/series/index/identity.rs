//! SeriesKeys by what they mean: metrics, attribute sets and the pairs of them that series have, each kept once.

use super::renumbering::Renumbering;
use crate::model::{Attributes, MetricIdentity};
use foldhash::fast::RandomState;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

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
