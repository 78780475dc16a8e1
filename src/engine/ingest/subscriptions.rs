//! Which rules look at which series, worked out once for every kind of resource and of series.
//!
//! Resources that the same queries select form a *class*; a class and a pair of metric and attributes have a *subscription*:
//! what the rules that select the series want to know of it. So the choice is made when something is seen for the first
//! time, and a fleet of equal processes shares it.

use crate::definition::{MemoryLimit, MetricId};
use crate::engine::evaluate::trend::auxiliary::counts_full_collections;
use crate::engine::rules::Rules;
use crate::model::Attributes;
use crate::series::{Renumbering, SeriesStore, SubscribedRequest, Subscription};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Why the trend rules look at the samples of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum TrendInput {
    /// The memory that a rule is about; of several ids of the rule this one selects it.
    Memory { rule: u32, rank: u32 },
    /// The limit of a rule.
    Limit { rule: u32 },
    /// Full garbage collections.
    Collections,
}

impl TrendInput {
    /// The rule that is about the series, when one is.
    pub fn rule(&self) -> Option<u32> {
        match self {
            TrendInput::Memory { rule, .. } => Some(*rule),
            TrendInput::Limit { .. } | TrendInput::Collections => None,
        }
    }
}

/// The classes of resources and the subscriptions of series.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// Of each class the definitions whose query selects its resources, in order.
    classes: Vec<Vec<usize>>,
    /// Why trend rules look at the samples of a series, by subscription.
    trend_inputs: Vec<Vec<TrendInput>>,
    /// By class and key; `None` when no rule selects such series.
    known: HashMap<(u32, u32), Option<u32>, RandomState>,
}

impl Subscriptions {
    /// The class of a resource.
    pub fn class(&mut self, rules: &Rules, resource: &Attributes) -> u32 {
        let selects = |d: &usize| rules.definitions[*d].is_evaluated() && rules.definitions[*d].query.selects(resource);
        let class: Vec<usize> = (0..rules.definitions.len()).filter(selects).collect();
        let known = self.classes.iter().position(|known| *known == class);
        known.unwrap_or_else(|| {
            self.classes.push(class);
            self.classes.len() - 1
        }) as u32
    }

    /// The definitions whose query selects the resources of a class, in order.
    #[inline]
    pub fn definitions(&self, class: u32) -> &[usize] {
        &self.classes[class as usize]
    }

    /// The subscription of a series, `None` when no rule selects it.
    pub fn subscription(&mut self, rules: &Rules, store: &mut SeriesStore, class: u32, key: u32) -> Option<u32> {
        if let Some(&known) = self.known.get(&(class, key)) {
            return known;
        }
        let definitions = &self.classes[class as usize];
        let (metric, attributes) = (store.key_metric(key), store.key_attributes(key));
        let selects = |id: &MetricId| id.selects(metric, attributes);
        let (mut new, mut inputs, mut any_trend) = (Subscription::default(), Vec::new(), false);
        for rule in definitions.iter().flat_map(|&d| rules.compiled[d].rules.clone()).map(|rule| rule as u32) {
            if let Some(&request) = rules.rules[rule as usize].evaluator.window_over(metric, attributes) {
                new.requests.push(SubscribedRequest { rule, request });
            }
            let Some(trend) = rules.trend(rule) else { continue };
            any_trend = true;
            if let Some(rank) = trend.metrics.iter().position(selects) {
                inputs.push(TrendInput::Memory { rule, rank: rank as u32 });
            }
            if matches!(&trend.memory_limit, Some(MemoryLimit::Metric(id)) if selects(id)) {
                inputs.push(TrendInput::Limit { rule });
            }
        }
        if any_trend && counts_full_collections(metric, attributes) {
            inputs.push(TrendInput::Collections);
        }
        new.forwards = !inputs.is_empty();
        let is_wanted = new.forwards || !new.requests.is_empty();
        let number = is_wanted.then(|| self.number_of(store, new, inputs));
        self.known.insert((class, key), number);
        number
    }

    /// The number of a subscription: series of which the same is wanted share it.
    fn number_of(&mut self, store: &mut SeriesStore, new: Subscription, inputs: Vec<TrendInput>) -> u32 {
        let known = self.trend_inputs.iter().zip(0..).filter(|(known, _)| **known == inputs);
        if let Some(number) = known.map(|(_, number)| number).find(|&number| *store.subscription(number) == new) {
            return number;
        }
        self.trend_inputs.push(inputs);
        store.add_subscription(new)
    }

    /// Why trend rules look at the samples of a series with this subscription.
    pub fn trend_inputs(&self, subscription: u32) -> &[TrendInput] {
        &self.trend_inputs[subscription as usize]
    }

    /// Pairs of metric and attributes have new numbers; subscriptions of those that are gone are chosen anew when they come
    /// back.
    pub fn renumber(&mut self, keys: &Renumbering) {
        let known = std::mem::take(&mut self.known).into_iter();
        self.known = known.filter_map(|((class, key), number)| Some(((class, keys.get(key)?), number))).collect();
    }
}
