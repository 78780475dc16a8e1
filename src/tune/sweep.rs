//! One threshold of a definition, all of its values at once: the events each of them would have given on an entity.
//!
//! The observations are walked once. What the other rules say at an instant is fixed, so an instant has three possible
//! states: the one it has when the swept rule is violated, when it is clear, when it is unknown. Thresholds are in order, so a
//! value splits them in two, and only those that lie between a value and the one before it change their state. An event
//! lives by the engine's own [`Life`]; nothing here knows when one is over.

use crate::definition::{CompareOp, Condition, EventDefinition, LogicalOperator};
use crate::engine::{EventState, Life, Observations, Said, State, combine};
use crate::model::{MS, Nanos};

/// The rule whose threshold is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Index of the definition.
    pub definition: usize,
    /// Index of the rule in it.
    pub rule: usize,
}

/// One event that a threshold would have given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// Its times and severity.
    pub life: Life,
    /// Open at the end of the input, or how it was closed.
    pub state: EventState,
}

/// What an instant says of a definition, and the highest severity of a rule that is violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    pub state: State,
    severity: i64,
}

/// The effects of the swept rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effects {
    pub violating: Effect,
    pub clear: Effect,
    pub unknown: Effect,
}

/// Instants in a row at which nothing changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub from: Nanos,
    /// The last of them.
    pub to: Nanos,
    /// What the swept rule says; not a number when it is unknown.
    pub value: f64,
    /// Its series.
    pub series: u32,
    pub effects: Effects,
}

/// Calls `each` with the stretches of a definition on an entity, in order.
#[inline]
pub(super) fn stretches(
    observed: &Observations,
    definition: &EventDefinition,
    question: Question,
    entity: usize,
    mut each: impl FnMut(Stretch),
) {
    let Some((_, last, step)) = observed.grids.get(question.definition).copied().flatten() else { return };
    let own = observed.track(entity, question.definition, question.rule);
    if definition.rules.len() > 1 {
        return Several::new(observed, definition, question, entity).walk(last, step, each);
    }
    let effects = alone(definition);
    for (i, &Said { at: from, value, series }) in own.iter().enumerate() {
        let to = own.get(i + 1).map_or(last, |next| next.at - step);
        each(Stretch { from, to, value, series, effects });
    }
}

/// Of a definition with one rule.
fn alone(definition: &EventDefinition) -> Effects {
    let severity = definition.rules.first().map_or(i64::MIN, |rule| rule.severity);
    let not = |state| Effect { state, severity: i64::MIN };
    let violating = Effect { state: State::Violating, severity };
    Effects { violating, clear: not(State::Clear), unknown: not(State::Unknown) }
}

/// The rules of a definition side by side.
struct Several<'a> {
    definition: &'a EventDefinition,
    swept: usize,
    tracks: Vec<&'a [Said]>,
    conditions: Vec<Option<Condition>>,
}

impl<'a> Several<'a> {
    fn new(
        observed: &'a Observations,
        definition: &'a EventDefinition,
        Question { definition: d, rule: swept }: Question,
        entity: usize,
    ) -> Self {
        let rules = 0..definition.rules.len();
        let tracks = rules.clone().map(|rule| observed.track(entity, d, rule)).collect();
        let conditions = rules.map(|rule| observed.condition(d, rule)).collect();
        Several { definition, swept, tracks, conditions }
    }

    fn walk(&self, last: Nanos, step: Nanos, mut each: impl FnMut(Stretch)) {
        let mut next = vec![0usize; self.tracks.len()];
        let mut values = vec![f64::NAN; self.tracks.len()];
        let mut series = u32::MAX;
        let coming = |next: &[usize]| {
            let coming = self.tracks.iter().zip(next).filter_map(|(track, &i)| track.get(i));
            coming.map(|said| said.at).min()
        };
        while let Some(from) = coming(&next) {
            for (rule, track) in self.tracks.iter().enumerate() {
                let Some(said) = track.get(next[rule]).filter(|said| said.at == from) else { continue };
                values[rule] = said.value;
                next[rule] += 1;
                if rule == self.swept {
                    series = said.series;
                }
            }
            let to = coming(&next).map_or(last, |next| next - step);
            each(Stretch { from, to, value: values[self.swept], series, effects: self.effects(&values) });
        }
    }

    fn effects(&self, values: &[f64]) -> Effects {
        let state = |rule: usize| match self.conditions[rule] {
            Some(_) if values[rule].is_nan() => State::Unknown,
            Some(condition) if condition.holds(values[rule]) => State::Violating,
            Some(_) => State::Clear,
            None => State::Unknown,
        };
        let or = self.definition.operator == LogicalOperator::Or;
        let effect = |swept: State| {
            let states = (0..values.len()).map(|rule| if rule == self.swept { swept } else { state(rule) });
            let severities = states.clone().zip(&self.definition.rules).filter(|(state, _)| *state == State::Violating);
            let severity = severities.map(|(_, rule)| rule.severity).max().unwrap_or(i64::MIN);
            Effect { state: combine(or, states), severity }
        };
        Effects { violating: effect(State::Violating), clear: effect(State::Clear), unknown: effect(State::Unknown) }
    }
}

/// What happens to one threshold while the stretches go by.
#[derive(Clone, Copy)]
struct Running {
    effect: Option<Effect>,
    since: Nanos,
    life: Option<Life>,
}

/// Collects what thresholds would have given, by their place in the list.
pub trait Tally {
    /// An event; called when it is over, or at the end.
    fn spell(&mut self, threshold: usize, spell: Spell);
    /// Instants in a row that violate.
    fn violating(&mut self, threshold: usize, from: Nanos, to: Nanos);
}

/// Lets the events of every threshold live. `thresholds` begin with the one that is violated most easily.
pub fn sweep(
    observed: &Observations,
    definition: &EventDefinition,
    question: Question,
    thresholds: &[f64],
    entity: usize,
    tally: &mut impl Tally,
) {
    let Some((_, last, step)) = observed.grids.get(question.definition).copied().flatten() else { return };
    let Some(condition) = observed.condition(question.definition, question.rule) else { return };
    let sign = if condition.is_upper() { 1.0 } else { -1.0 };
    let keys: Vec<f64> = thresholds.iter().map(|threshold| sign * threshold).collect();
    let strict = matches!(condition.operator, CompareOp::Greater | CompareOp::Less);
    let holds = |threshold: usize, key: f64| if strict { key > keys[threshold] } else { key >= keys[threshold] };
    let expiration = definition.expiration_ms.saturating_mul(MS);
    let mut running = vec![Running { effect: None, since: 0, life: None }; thresholds.len()];
    let (mut rank, mut before) = (0, None);
    stretches(observed, definition, question, entity, |stretch| {
        let Stretch { from, value, effects, .. } = stretch;
        let (known, value) = (!value.is_nan(), sign * value);
        let in_band = (rank == 0 || holds(rank - 1, value)) && (rank == thresholds.len() || !holds(rank, value));
        if before == Some(effects) && known && in_band {
            return;
        }
        let violated = if known { partition(thresholds.len(), |threshold| holds(threshold, value)) } else { 0 };
        let changed =
            if before == Some(effects) && known { rank.min(violated)..rank.max(violated) } else { 0..thresholds.len() };
        for threshold in changed {
            let effect = match known {
                false => effects.unknown,
                true if threshold < violated => effects.violating,
                true => effects.clear,
            };
            let run = &mut running[threshold];
            if run.effect != Some(effect) {
                run.end(from - step, step, expiration, threshold, tally);
                (run.effect, run.since) = (Some(effect), from);
            }
        }
        (rank, before) = (violated, known.then_some(effects));
    });
    for (threshold, run) in running.iter_mut().enumerate() {
        run.end(last, step, expiration, threshold, tally);
        if let Some(life) = run.life {
            tally.spell(threshold, Spell { life, state: EventState::Open });
        }
    }
}

/// How many of the first `n` numbers are so; once one is not, none is.
#[inline]
fn partition(n: usize, is_so: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = (low + high) / 2;
        if is_so(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

impl Running {
    /// The state that held from `since` on held until here.
    #[inline]
    fn end(&mut self, to: Nanos, step: Nanos, expiration: Nanos, threshold: usize, tally: &mut impl Tally) {
        let Some(effect) = self.effect else { return };
        if effect.state == State::Violating {
            self.life.get_or_insert_with(|| Life::open(self.since)).violate(to, effect.severity);
            tally.violating(threshold, self.since, to);
            return;
        }
        let Some(life) = &mut self.life else { return };
        if let Some(state) = life.rest_until((self.since, to), step, effect.state == State::Clear, expiration) {
            tally.spell(threshold, Spell { life: *life, state });
            self.life = None;
        }
    }
}
