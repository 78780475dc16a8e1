//! Which rules look at which series, worked out once for every kind of resource and of series.
//!
//! Resources that the same queries select form a *class*; a class and a pair of metric and attributes have a *plan*: the
//! requests of the rules that select the series. So the choice is made when something is seen for
//! the first time, and a fleet of equal processes shares it.

use crate::definition::{CompareOp, Condition, EventDefinition, Presence, RuleKind, Selector};
use crate::engine::evaluate::presence::condition_of;
use crate::engine::evaluate::trend::ring::BUCKET;
use crate::engine::evaluate::trend::{Watcher, watchers};
use crate::engine::{Counters, Options};
use crate::model::{Attributes, MS, Nanos, SECOND};
use crate::series::{Renumbering, SeriesStore, SubscribedRequest, Subscription, WindowRequest};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::ops::Range;

/// One rule of a judged definition.
#[derive(Clone, Debug)]
pub(in crate::engine) struct JudgedRule {
    /// Index in the definition's rules.
    pub index: usize,
    pub severity: i64,
    pub what: What,
}

/// What a judged rule looks at.
#[derive(Clone, Debug)]
pub(in crate::engine) enum What {
    Threshold {
        request: WindowRequest,
        condition: Condition,
    },
    Presence {
        presence: Presence,
        condition: Condition,
    },
    /// Watched point by point, not window by window.
    Trend,
}

/// See the module's own words.
#[derive(Debug, Default)]
pub(in crate::engine) struct Selection {
    /// All rules of judged definitions, by definition.
    pub rules: Vec<JudgedRule>,
    /// What violates each of these rules.
    pub conditions: Vec<Condition>,
    /// Of each definition its rules; empty when it is not judged.
    pub rules_of: Vec<Range<usize>>,
    /// Of each definition whether it is judged and has a presence rule.
    pub has_presence: Vec<bool>,
    pub any_presence: bool,
    /// Of each definition whether it is judged and has trend rules, which it then has alone.
    pub is_trend: Vec<bool>,
    /// Of each definition the step of its grid.
    pub steps: Vec<Nanos>,
    pub classes: Vec<Class>,
    /// Who watches the points of a series, by plan.
    watchers: Vec<Vec<Watcher>>,
    by_key: HashMap<(u32, u32), u32, RandomState>,
}

/// Resources that the same definitions select.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct Class {
    /// The judged definitions whose query selects the resource, in order.
    pub definitions: Vec<usize>,
}

impl Selection {
    pub fn new(definitions: &[EventDefinition], options: &Options) -> Self {
        let mut selection = Selection::default();
        for definition in definitions {
            let first = selection.rules.len();
            if definition.is_evaluated() {
                for (index, rule) in definition.rules.iter().enumerate() {
                    let what = match &rule.kind {
                        RuleKind::Threshold(threshold) => What::Threshold {
                            request: WindowRequest {
                                aggregation: threshold.aggregation,
                                length: threshold.window_ms.saturating_mul(MS).min(LONGEST_WINDOW),
                                rollup: threshold.rollup_ms.saturating_mul(MS),
                                increase: options.counters == Counters::Increase,
                            },
                            condition: threshold.condition,
                        },
                        RuleKind::Presence(presence) => {
                            What::Presence { presence: presence.clone(), condition: condition_of(presence) }
                        }
                        RuleKind::Trend(_) => What::Trend,
                    };
                    selection.conditions.push(match &what {
                        What::Threshold { condition, .. } | What::Presence { condition, .. } => *condition,
                        // Never asked: what a trend says is no value.
                        What::Trend => Condition { operator: CompareOp::Greater, value: f64::INFINITY },
                    });
                    selection.rules.push(JudgedRule { index, severity: rule.severity, what });
                }
            }
            let presence = |rule: &JudgedRule| matches!(rule.what, What::Presence { .. });
            let has_presence = selection.rules[first..].iter().any(presence);
            selection.any_presence |= has_presence;
            selection.has_presence.push(has_presence);
            let is_trend = selection.rules[first..].iter().any(|rule| matches!(rule.what, What::Trend));
            selection.is_trend.push(is_trend);
            selection.rules_of.push(first..selection.rules.len());
            let step = options.step.unwrap_or_else(|| step_of(&selection.rules[first..]));
            selection.steps.push(if is_trend { BUCKET } else { step });
        }
        selection
    }

    /// The class of a resource.
    pub fn class(&mut self, definitions: &[EventDefinition], resource: &Attributes) -> u32 {
        let selected = |d: &usize| definitions[*d].is_evaluated() && definitions[*d].query.selects(resource);
        let class = Class { definitions: (0..definitions.len()).filter(selected).collect() };
        match self.classes.iter().position(|c| *c == class) {
            Some(number) => number as u32,
            None => {
                self.classes.push(class);
                self.classes.len() as u32 - 1
            }
        }
    }

    /// The plan of a series, `None` when no rule selects it.
    pub fn plan(
        &mut self,
        definitions: &[EventDefinition],
        store: &mut SeriesStore,
        class: u32,
        key: u32,
    ) -> Option<u32> {
        if let Some(&plan) = self.by_key.get(&(class, key)) {
            return (plan != NO_PLAN).then_some(plan);
        }
        let (metric, attributes) = (store.key_metric(key), store.key_attributes(key));
        let mut plan = Subscription::default();
        for &d in &self.classes[class as usize].definitions {
            for number in self.rules_of[d].clone() {
                let rule = &self.rules[number];
                let RuleKind::Threshold(threshold) = &definitions[d].rules[rule.index].kind else { continue };
                let What::Threshold { request, .. } = rule.what else { continue };
                let selected = match &threshold.selector {
                    Selector::Id(id) => id.selects(metric, attributes),
                    Selector::Pattern(pattern) => pattern.selects(metric, attributes),
                };
                if selected {
                    plan.requests.push(SubscribedRequest { rule: number as u32, request });
                }
            }
        }
        let selected = self.classes[class as usize].definitions.iter().filter(|&&d| self.is_trend[d]);
        let rules = selected.flat_map(|&d| self.rules_of[d].clone());
        let watchers = watchers(definitions, self, rules, (metric, attributes));
        plan.forwards = !watchers.is_empty();
        let is_wanted = plan.forwards || !plan.requests.is_empty();
        let number = if is_wanted { self.number_of(store, plan, watchers) } else { NO_PLAN };
        self.by_key.insert((class, key), number);
        (number != NO_PLAN).then_some(number)
    }

    /// Pairs of metric and attributes have new numbers; plans of those that are gone are chosen anew when they come back.
    pub fn renumber(&mut self, keys: &Renumbering) {
        let known = std::mem::take(&mut self.by_key).into_iter();
        self.by_key = known.filter_map(|((class, key), plan)| Some(((class, keys.get(key)?), plan))).collect();
    }

    /// The number of a plan with these watchers: series of which the same is asked share it.
    fn number_of(&mut self, store: &mut SeriesStore, plan: Subscription, watchers: Vec<Watcher>) -> u32 {
        let plans = self.watchers.iter().zip(0..);
        let same = plans.filter(|(of, _)| **of == watchers).map(|(_, number)| number);
        if let Some(number) = same.into_iter().find(|&number| *store.subscription(number) == plan) {
            return number;
        }
        self.watchers.push(watchers);
        store.add_subscription(plan)
    }

    /// Who watches the points of a series with this plan.
    pub fn watchers_of(&self, plan: u32) -> &[Watcher] {
        &self.watchers[plan as usize]
    }

    /// The definition of a rule.
    pub fn definition_of(&self, rule: usize) -> usize {
        self.rules_of.partition_point(|rules| rules.end <= rule)
    }
}

const NO_PLAN: u32 = u32::MAX;

/// Windows longer than this (36 years) hold everything there is.
const LONGEST_WINDOW: Nanos = 1 << 60;

/// max(1 s, min(10 s, the shortest window)).
fn step_of(rules: &[JudgedRule]) -> Nanos {
    let windows = rules.iter().filter_map(|rule| match rule.what {
        What::Threshold { request, .. } => Some(request.length),
        What::Presence { .. } | What::Trend => None,
    });
    windows.min().unwrap_or(10 * SECOND).clamp(SECOND, 10 * SECOND)
}
