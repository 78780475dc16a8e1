//! What rules read of series: subscriptions, and the compiled rules of a block.
//!
//! The rules that select a series are its subscription. The subscriptions of a block's columns are compiled to a list of
//! rules, each with the columns it reads, so that a window is laid once for all of them. Equal blocks share the list.

use super::block_windows::CompiledRule;
use super::frame::WindowRequest;
use crate::model::Nanos;
use crate::series::store::block::{Block, NumberKind};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// The requests on a series, by rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subscription {
    /// The requests.
    pub requests: Vec<SubscribedRequest>,
    /// Whether each sample is forwarded to the caller, too.
    pub forwards: bool,
}

/// A request with the rule it is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubscribedRequest {
    /// Number of the rule among all rules.
    pub rule: u32,
    /// What to compute.
    pub request: WindowRequest,
}

impl Subscription {
    /// Its longest window.
    #[inline]
    pub fn longest(&self) -> Nanos {
        self.requests.iter().map(|subscribed| subscribed.request.length).max().unwrap_or(0)
    }
}

/// All subscriptions, and the rules compiled from them.
#[derive(Debug, Default)]
pub struct Subscriptions {
    pub all: Vec<Subscription>,
    compiled: Vec<Vec<CompiledRule>>,
    /// The compiled rules by the subscriptions and kinds of a block's columns.
    by_columns: HashMap<Vec<(u32, NumberKind)>, u32, RandomState>,
}

impl Subscriptions {
    /// The rules of a block, compiled anew after its columns have changed.
    #[inline]
    pub fn rules_of(&mut self, block: &mut Block) -> &[CompiledRule] {
        let compiled = block.compiled.unwrap_or_else(|| self.compile(block));
        block.compiled = Some(compiled);
        &self.compiled[compiled as usize]
    }

    #[inline(never)]
    fn compile(&mut self, block: &Block) -> u32 {
        let columns: Vec<(u32, NumberKind)> =
            (0..block.table.columns()).map(|column| (block.table.subscription(column), block.kind(column))).collect();
        if let Some(&compiled) = self.by_columns.get(&columns) {
            return compiled;
        }
        let mut rules: Vec<CompiledRule> = Vec::new();
        for (column, &(subscription, kind)) in columns.iter().enumerate() {
            for &SubscribedRequest { rule, request } in &self.all[subscription as usize].requests {
                let place = rules.partition_point(|compiled| compiled.rule < rule);
                if rules.get(place).is_none_or(|compiled| compiled.rule != rule) {
                    let is_plain = request.rollup == 0;
                    let compiled = CompiledRule { rule, request, columns: Vec::new(), mask: Vec::new(), is_plain };
                    rules.insert(place, compiled);
                }
                rules[place].add_column(column, kind);
            }
        }
        self.compiled.push(rules);
        let number = self.compiled.len() as u32 - 1;
        self.by_columns.insert(columns, number);
        number
    }

    /// Forgets the compiled rules: all blocks are compiled anew.
    pub fn clear_compiled(&mut self) {
        (self.compiled, self.by_columns) = (Vec::new(), HashMap::default());
    }
}
