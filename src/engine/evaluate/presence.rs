//! Rules about the presence of entities: an entity is present while its newest point is younger than a given time.
//!
//! A rule about each entity judges its silence in seconds; a rule about how many there are judges a number. So every rule
//! compares a value with a condition, and everything else (margins, nearest, events) is as for thresholds. Definitions
//! that only count have one event with an empty resource.

use crate::definition::{CompareOp, Condition, EventDefinition, LogicalOperator, MatchOperator, Presence};
use crate::engine::Engine;
use crate::engine::alert::life::{ConditionState, OpenEvent, Worst, combine};
use crate::engine::evaluate::judge::{NO_SERIES, NearestSeen, RuleAnswer, expiration, state_of};
use crate::engine::evaluate::selection::{Selection, What};
use crate::engine::ingest::entity::Entity;
use crate::engine::report::{Transition, ViolatedRule};
use crate::model::{Attributes, MINUTE, MS, Nanos, SECOND};

/// How long an absent entity is still of interest to a rule.
pub(in crate::engine) fn interest(presence: &Presence) -> Nanos {
    close_after(presence).max(offline_after(presence))
}

/// Time without a point after which an entity is absent, where the rule says nothing.
const OFFLINE: Nanos = 5 * MINUTE;
/// Time without a point after which an absent entity is forgotten, where the rule says nothing.
const CLOSE_AFTER: Nanos = 24 * 60 * MINUTE;

/// A definition whose rules all count entities: it has one event for all of them.
#[derive(Debug)]
pub(in crate::engine) struct GlobalState {
    pub definition: usize,
    pub open: Option<Box<OpenEvent>>,
    /// What the last judged instant said.
    last: ConditionState,
    answers: Vec<(usize, RuleAnswer)>,
}

/// The definitions that only count.
pub(in crate::engine) fn global_states(definitions: &[EventDefinition], selection: &Selection) -> Vec<GlobalState> {
    (0..definitions.len())
        .filter(|&d| {
            let mut rules = selection.rules[selection.rules_of[d].clone()].iter().peekable();
            rules.peek().is_some()
                && rules.all(|rule| matches!(&rule.what, What::Presence { presence, .. } if counts(presence)))
        })
        .map(|definition| GlobalState { definition, open: None, last: ConditionState::Unknown, answers: Vec::new() })
        .collect()
}

/// Whether a rule is about how many entities there are.
fn counts(presence: &Presence) -> bool {
    match presence {
        Presence::Count { .. } | Presence::CountVerification { .. } => true,
        Presence::Verification { matching, .. } => matching.operator == MatchOperator::Is,
        Presence::Availability { .. } | Presence::Offline => false,
    }
}

/// The comparison that violates: of a number of entities, or of a silence in seconds.
pub(in crate::engine) fn condition_of(presence: &Presence) -> Condition {
    match presence {
        Presence::Count { condition } | Presence::CountVerification { condition, .. } => *condition,
        Presence::Verification { .. } if counts(presence) => Condition { operator: CompareOp::Less, value: 1.0 },
        _ => Condition { operator: CompareOp::GreaterOrEqual, value: offline_after(presence) as f64 / SECOND as f64 },
    }
}

fn offline_after(presence: &Presence) -> Nanos {
    match presence {
        Presence::CountVerification { offline_ms, .. }
        | Presence::Verification { offline_ms, .. }
        | Presence::Availability { offline_ms, .. } => offline_ms.saturating_mul(MS),
        Presence::Count { .. } | Presence::Offline => OFFLINE,
    }
}

fn close_after(presence: &Presence) -> Nanos {
    match presence {
        Presence::Availability { close_after_ms, .. } => close_after_ms.saturating_mul(MS),
        _ => CLOSE_AFTER,
    }
}

/// Whether a rule means an entity with this resource.
pub(in crate::engine) fn means(presence: &Presence, resource: &Attributes) -> bool {
    match presence {
        Presence::Count { .. } | Presence::Offline => true,
        Presence::CountVerification { matching, .. } | Presence::Verification { matching, .. } => {
            matching.selects(resource)
        }
        Presence::Availability { tag_filter, .. } => tag_filter.as_ref().is_none_or(|filter| filter.selects(resource)),
    }
}

/// Whether OTLP can say anything about the entities that a rule means.
fn is_answerable(presence: &Presence) -> bool {
    match presence {
        Presence::CountVerification { matching, .. } | Presence::Verification { matching, .. } => {
            matching.is_supported()
        }
        _ => true,
    }
}

impl RuleAnswer {
    fn of(condition: Condition, value: f64) -> Self {
        RuleAnswer { evaluations: 1, margin: condition.margin(value), value, ..RuleAnswer::EMPTY }
    }
}

impl Engine {
    /// Answers the presence rules of a definition on an entity; true when the next instant may say something else.
    pub(in crate::engine) fn apply_presence(&mut self, entity: usize, d: usize, at: Nanos) -> bool {
        let mut changes = false;
        for number in self.selection.rules_of[d].clone() {
            let What::Presence { presence, condition } = &self.selection.rules[number].what else { continue };
            let of = &self.intake.entities[entity];
            let answer = if counts(presence) {
                changes = true;
                self.count_of(number, at)
            } else {
                let silence = at - of.newest;
                let known = of.rest().meant_by.contains(&number) && silence <= interest(presence);
                changes |= known;
                known.then(|| RuleAnswer::of(*condition, silence.max(0) as f64 / SECOND as f64))
            };
            self.set_answer(entity, number, answer.unwrap_or(RuleAnswer::EMPTY));
        }
        changes
    }

    /// How many entities a counting rule finds present; `None` while nothing can be said.
    fn count_of(&self, number: usize, at: Nanos) -> Option<RuleAnswer> {
        let What::Presence { presence, condition } = &self.selection.rules[number].what else { return None };
        if self.intake.counts.entities == 0 || !is_answerable(presence) {
            return None;
        }
        let present = |e: &&Entity| e.rest().meant_by.contains(&number) && e.newest > at - offline_after(presence);
        let count = self.intake.entities.iter().filter(present).count();
        Some(RuleAnswer::of(*condition, count as f64))
    }

    /// Judges the definitions that only count.
    pub(in crate::engine) fn judge_global(&mut self, at: Nanos, due: &[bool], emit: &mut dyn FnMut(Transition)) {
        for g in 0..self.judge.global.len() {
            let d = self.judge.global[g].definition;
            if !due[d] {
                continue;
            }
            let rules = self.selection.rules_of[d].clone();
            let answers: Vec<(usize, RuleAnswer)> =
                rules.map(|number| (number, self.count_of(number, at).unwrap_or(RuleAnswer::EMPTY))).collect();
            self.count_global(d, &answers, at, 1);
            let or = self.definitions[d].operator == LogicalOperator::Or;
            let state = combine(or, answers.iter().map(|(number, answer)| state_of(&self.selection, *number, answer)));
            self.live_global(g, d, at, state, &answers, emit);
            let global = &mut self.judge.global[g];
            (global.last, global.answers) = (state, answers);
        }
    }

    /// Adds `times` equal instants, the first of them at `at`, to what was judged of a counting definition.
    fn count_global(&mut self, d: usize, answers: &[(usize, RuleAnswer)], at: Nanos, times: u64) {
        for (number, answer) in answers {
            self.judge.totals[*number].evaluations += u64::from(answer.evaluations) * times;
            let nearest = &mut self.judge.nearest[d];
            if answer.evaluations > 0 && nearest.as_ref().is_none_or(|n| answer.margin < n.margin) {
                *nearest = Some(NearestSeen {
                    margin: answer.margin,
                    at,
                    rule: *number as u32,
                    entity: u32::MAX,
                    value: answer.value,
                    series: NO_SERIES,
                    points: 0,
                    label: None,
                });
            }
        }
    }

    fn live_global(
        &mut self,
        g: usize,
        d: usize,
        at: Nanos,
        state: ConditionState,
        answers: &[(usize, RuleAnswer)],
        emit: &mut dyn FnMut(Transition),
    ) {
        let Engine { judge, selection, definitions, .. } = self;
        let open = &mut judge.global[g].open;
        let grace = expiration(&definitions[d]);
        if state != ConditionState::Violating {
            if let Some(over) = open.take_if(|open| open.rest(at, state == ConditionState::Clear, grace)) {
                emit(Transition { at, event: over.event.clone() });
                judge.close(over.event);
            }
            return;
        }
        judge.violating[d] += 1;
        let violated =
            answers.iter().filter(|(n, answer)| state_of(selection, *n, answer) == ConditionState::Violating);
        let severity = violated.clone().map(|(n, _)| selection.rules[*n].severity).max().unwrap_or(i64::MIN);
        let opens = open.is_none();
        let event = open.get_or_insert_with(|| {
            let rules = violated.clone().map(|(n, answer)| ViolatedRule {
                index: selection.rules[*n].index,
                series: Vec::new(),
                observed: Some(answer.value),
            });
            Box::new(OpenEvent::open(d, &definitions[d].name, None, at, rules.collect()))
        });
        let worst = violated.min_by(|a, b| a.1.margin.total_cmp(&b.1.margin));
        if let Some((n, answer)) = worst {
            let rule = selection.rules[*n].index;
            let worst = Worst { margin: answer.margin, value: answer.value, rule, series: None };
            event.violate(at, severity, worst, || None);
        }
        if opens {
            judge.opened[d] += 1;
            emit(Transition { at, event: event.event.clone() });
        }
    }

    /// The first instant at which a counting definition may say something else without a point coming.
    pub(in crate::engine) fn global_wake(&self) -> Nanos {
        let mut wake = Nanos::MAX;
        for global in &self.judge.global {
            let grace = expiration(&self.definitions[global.definition]);
            wake = wake.min(global.open.as_ref().map_or(Nanos::MAX, |open| {
                if global.last == ConditionState::Violating { Nanos::MAX } else { open.expires(grace) }
            }));
            for number in self.selection.rules_of[global.definition].clone() {
                let What::Presence { presence, .. } = &self.selection.rules[number].what else { continue };
                let meant = self.intake.entities.iter().filter(|e| e.rest().meant_by.contains(&number));
                let leaves = meant.map(|e| e.newest.saturating_add(offline_after(presence)));
                let now = self.judge.last_judged();
                wake = wake.min(leaves.filter(|&t| t > now).min().unwrap_or(Nanos::MAX));
            }
        }
        wake
    }

    /// Passes over the instants `from, from + step, …` before `to`: what the last one said stands for all of them.
    pub(in crate::engine) fn pass_global(&mut self, step: Nanos, from: Nanos, to: Nanos) {
        let times = ((to - from) / step) as u64;
        for g in 0..self.judge.global.len() {
            let d = self.judge.global[g].definition;
            if self.selection.steps[d] != step || times == 0 {
                continue;
            }
            let answers = std::mem::take(&mut self.judge.global[g].answers);
            self.count_global(d, &answers, from, times);
            let global = &mut self.judge.global[g];
            global.answers = answers;
            if global.last == ConditionState::Violating
                && let Some(open) = &mut global.open
            {
                open.violate_until(to - step);
                self.judge.violating[d] += times;
            }
        }
    }
}
