//! One threshold of a definition, all candidate values at once: the events each of them would have given on an entity.
//!
//! The trace is walked once. The states of the other rules are fixed, so each evaluation has three possible states: with the
//! swept rule violated, clear, or unknown. Candidates are in order, so a value splits them in two, and only those between a
//! value and the one before it change their state. Absent on purpose: when an event is over; that is decided by the engine's
//! own [`EventLife`].

use crate::definition::{CompareOp, Condition, EventDefinition, LogicalOperator};
use crate::engine::{ConditionState, EvaluationTrace, EventLife, EventState, TracePoint, TraceSpan, combine};
use crate::model::{MS, Nanos};

/// The rule whose threshold is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweptRule {
    /// Index of the definition.
    pub definition: usize,
    /// Index of the rule in it.
    pub rule: usize,
}

/// A rule whose threshold is not swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSwept {
    /// `=` and `!=` have no order of more and less.
    Equality,
    /// It counts entities, or their absence.
    Presence,
    /// It has no threshold, as a trend.
    NoThreshold,
}

/// Every rule of the evaluated definitions that can be swept, and every other one with the reason.
pub fn swept_rules(definitions: &[EventDefinition]) -> (Vec<SweptRule>, Vec<(SweptRule, NotSwept)>) {
    let (mut swept, mut left) = (Vec::new(), Vec::new());
    for (definition, of) in definitions.iter().enumerate().filter(|(_, of)| of.is_evaluated()) {
        for (rule, of) in of.rules.iter().enumerate() {
            let target = SweptRule { definition, rule };
            match of.threshold().map(|threshold| threshold.condition.operator) {
                Some(CompareOp::Equal | CompareOp::NotEqual) => left.push((target, NotSwept::Equality)),
                Some(_) => swept.push(target),
                None if of.presence().is_some() => left.push((target, NotSwept::Presence)),
                None => left.push((target, NotSwept::NoThreshold)),
            }
        }
    }
    (swept, left)
}

/// What a threshold would have given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// An event: its times and severity, and whether it is open at the end of the input, or how it was closed.
    Event { life: EventLife, state: EventState },
    /// An interval of violation: its first and its last evaluation.
    Violation { from: Nanos, to: Nanos },
}

/// The state of a definition, and the highest severity of a rule that is violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub state: ConditionState,
    severity: i64,
}

/// The effects of the swept rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effects {
    pub violating: Effect,
    pub clear: Effect,
    pub unknown: Effect,
}

/// Evaluations in a row at which nothing changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub from: Nanos,
    /// The last of them.
    pub to: Nanos,
    /// The value of the swept rule; not a number when it is unknown.
    pub value: f64,
    /// Its series.
    pub series: u32,
    pub effects: Effects,
}

/// A swept rule on an entity, as it was traced.
#[derive(Clone, Copy, Debug)]
pub struct Tracked<'a> {
    pub observed: &'a EvaluationTrace,
    pub definition: &'a EventDefinition,
    pub target: SweptRule,
    pub entity: usize,
}

impl Tracked<'_> {
    /// Calls `each` with the segments of the definition on the entity, in order.
    pub(super) fn segments(&self, mut each: impl FnMut(Segment)) {
        let Tracked { observed, definition, target, entity } = *self;
        let Some(TraceSpan { last, step, .. }) = observed.spans.get(target.definition).copied().flatten() else {
            return;
        };
        if definition.rules.len() > 1 {
            return Several::new(self).walk(last, step, each);
        }
        let own = observed.track(entity, target.definition, target.rule);
        let effects = alone(definition);
        for (i, &TracePoint { since: from, value, series }) in own.iter().enumerate() {
            let to = own.get(i + 1).map_or(last, |next| next.since - step);
            each(Segment { from, to, value, series, effects });
        }
    }

    /// Calls `each` with what every candidate would have given, by its index. `thresholds` begin with the one that is violated most
    /// easily; an event is reported when it is over, or at the end.
    pub fn sweep(&self, thresholds: &[f64], mut each: impl FnMut(usize, Swept)) {
        let Tracked { observed, definition, target, .. } = *self;
        let Some(TraceSpan { last, step, .. }) = observed.spans.get(target.definition).copied().flatten() else {
            return;
        };
        let Some(condition) = observed.condition(target.definition, target.rule) else { return };
        let sign = if condition.is_upper() { 1.0 } else { -1.0 };
        let keys: Vec<f64> = thresholds.iter().map(|threshold| sign * threshold).collect();
        let strict = matches!(condition.operator, CompareOp::Greater | CompareOp::Less);
        // Of the candidates in order, how many a value violates.
        let count = |value: f64| keys.partition_point(|key| if strict { value > *key } else { value >= *key });
        let expiration = definition.expiration_ms.saturating_mul(MS);
        let mut running = vec![Running { effect: None, since: 0, life: None }; thresholds.len()];
        let (mut rank, mut before) = (0, None);
        self.segments(|segment| {
            let Segment { from, value, effects, .. } = segment;
            let (has_value, value) = (!value.is_nan(), sign * value);
            let violated = if has_value { count(value) } else { 0 };
            let is_as_before = has_value && before == Some(effects);
            let changed = if is_as_before { rank.min(violated)..rank.max(violated) } else { 0..thresholds.len() };
            for threshold in changed {
                let effect = match has_value {
                    false => effects.unknown,
                    true if threshold < violated => effects.violating,
                    true => effects.clear,
                };
                let run = &mut running[threshold];
                if run.effect != Some(effect) {
                    run.end(from - step, step, expiration, |swept| each(threshold, swept));
                    (run.effect, run.since) = (Some(effect), from);
                }
            }
            (rank, before) = (violated, has_value.then_some(effects));
        });
        for (threshold, run) in running.iter_mut().enumerate() {
            run.end(last, step, expiration, |swept| each(threshold, swept));
            if let Some(life) = run.life {
                each(threshold, Swept::Event { life, state: EventState::Open });
            }
        }
    }
}

/// Of a definition with one rule.
fn alone(definition: &EventDefinition) -> Effects {
    let severity = definition.rules.first().map_or(i64::MIN, |rule| rule.severity);
    let not = |state| Effect { state, severity: i64::MIN };
    let violating = Effect { state: ConditionState::Violating, severity };
    Effects { violating, clear: not(ConditionState::Clear), unknown: not(ConditionState::Unknown) }
}

/// The rules of a definition side by side.
struct Several<'a> {
    definition: &'a EventDefinition,
    swept: usize,
    tracks: Vec<&'a [TracePoint]>,
    conditions: Vec<Option<Condition>>,
}

impl<'a> Several<'a> {
    fn new(of: &Tracked<'a>) -> Self {
        let (SweptRule { definition: d, rule: swept }, rules) = (of.target, 0..of.definition.rules.len());
        let tracks = rules.clone().map(|rule| of.observed.track(of.entity, d, rule)).collect();
        let conditions = rules.map(|rule| of.observed.condition(d, rule)).collect();
        Several { definition: of.definition, swept, tracks, conditions }
    }

    fn walk(&self, last: Nanos, step: Nanos, mut each: impl FnMut(Segment)) {
        let mut next = vec![0usize; self.tracks.len()];
        let mut values = vec![f64::NAN; self.tracks.len()];
        let mut series = u32::MAX;
        let coming = |next: &[usize]| {
            let coming = self.tracks.iter().zip(next).filter_map(|(track, &i)| track.get(i));
            coming.map(|change| change.since).min()
        };
        while let Some(from) = coming(&next) {
            for (rule, track) in self.tracks.iter().enumerate() {
                let Some(change) = track.get(next[rule]).filter(|change| change.since == from) else { continue };
                values[rule] = change.value;
                next[rule] += 1;
                if rule == self.swept {
                    series = change.series;
                }
            }
            let to = coming(&next).map_or(last, |next| next - step);
            each(Segment { from, to, value: values[self.swept], series, effects: self.effects(&values) });
        }
    }

    fn effects(&self, values: &[f64]) -> Effects {
        let state = |rule: usize| match self.conditions[rule] {
            Some(_) if values[rule].is_nan() => ConditionState::Unknown,
            Some(condition) if condition.holds(values[rule]) => ConditionState::Violating,
            Some(_) => ConditionState::Clear,
            None => ConditionState::Unknown,
        };
        let or = self.definition.operator == LogicalOperator::Or;
        let effect = |swept: ConditionState| {
            let states = (0..values.len()).map(|rule| if rule == self.swept { swept } else { state(rule) });
            let severities =
                states.clone().zip(&self.definition.rules).filter(|(state, _)| *state == ConditionState::Violating);
            let severity = severities.map(|(_, rule)| rule.severity).max().unwrap_or(i64::MIN);
            Effect { state: combine(or, states), severity }
        };
        Effects {
            violating: effect(ConditionState::Violating),
            clear: effect(ConditionState::Clear),
            unknown: effect(ConditionState::Unknown),
        }
    }
}

/// The state of one candidate during the walk.
#[derive(Clone, Copy)]
struct Running {
    effect: Option<Effect>,
    since: Nanos,
    life: Option<EventLife>,
}

impl Running {
    /// The state since `since` lasted until here.
    fn end(&mut self, to: Nanos, step: Nanos, expiration: Nanos, mut each: impl FnMut(Swept)) {
        let Some(effect) = self.effect else { return };
        if effect.state == ConditionState::Violating {
            self.life.get_or_insert_with(|| EventLife::open(self.since)).violate(to, effect.severity);
            return each(Swept::Violation { from: self.since, to });
        }
        let Some(life) = &mut self.life else { return };
        let closes_at = life.rest(self.since, effect.state == ConditionState::Clear, expiration, step);
        if closes_at <= to {
            each(Swept::Event { life: *life, state: life.close(closes_at) });
            self.life = None;
        }
    }
}
