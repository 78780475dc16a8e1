//! The grid, and what an instant says of an entity.
//!
//! An entity is evaluated when a point of it came or when its last evaluation has run out: each window says until when the
//! same points give the same answer. Between two evaluations the answer stands and is only applied, so what is computed
//! depends on the points, not on how often one looks. An entity that reports once between two instants is evaluated for the
//! coming instant as soon as its report is in, while its points are at hand; another report before that instant merely
//! makes the answer void.

use crate::definition::{EventDefinition, LogicalOperator};
use crate::engine::alert::life::{ConditionState, OpenEvent, Worst, combine};
use crate::engine::evaluate::presence;
use crate::engine::evaluate::selection::{Selection, What};
use crate::engine::evaluate::trace::Watch;
use crate::engine::evaluate::trend::ring::BUCKET;
use crate::engine::report::{
    EntityLabel, Event, Nearest, Observation, SeriesLabel, Transition, ViolatedRule, ViolatingSeries,
};
use crate::engine::{Engine, SeriesMode};
use crate::model::{Attributes, MS, Nanos};
use crate::series::{BlockWindows, RuleOutcome, RuleResult, SeriesId, emit_one};
use std::sync::Arc;

/// The state of the grid, of every entity, and of every event.
#[derive(Debug, Default)]
pub(in crate::engine) struct Judge {
    /// Next instant of every step that occurs.
    grid: Vec<(Nanos, Nanos)>,
    started: bool,
    /// The step of all definitions that are judged by windows, when they have the same.
    pub(in crate::engine) only_step: Option<Nanos>,
    /// The newest judged instant.
    last: Nanos,
    due: Vec<bool>,
    /// Per entity when it must be looked at.
    pub(in crate::engine) clocks: Vec<Clock>,
    /// Per entity the answers of all rules, one entity after the other.
    pub(in crate::engine) answers: Vec<RuleAnswer>,
    /// Per entity the open events, by definition.
    pub(in crate::engine) open: Vec<Vec<(usize, Box<OpenEvent>)>>,
    /// Per rule what was judged.
    pub totals: Vec<RuleTotals>,
    /// Per definition the nearest evaluation.
    pub nearest: Vec<Option<NearestSeen>>,
    /// Of each rule's definition the margin of the nearest evaluation, not a number before there is one, and its instant.
    bounds: Vec<(f64, Nanos)>,
    /// Per definition the number of violating (entity, instant).
    pub violating: Vec<u64>,
    /// Per definition how many events were opened.
    pub opened: Vec<u64>,
    closed: Vec<Event>,
    keeps_closed: bool,
    pub(in crate::engine) global: Vec<presence::GlobalState>,
    /// Keeps what decides instead of opening events, when somebody asked for that.
    pub(in crate::engine) watch: Option<Box<Watch>>,
    frames: BlockWindows,
    attributes_of_none: Arc<Attributes>,
}

/// When an entity must be looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Clock {
    /// At this instant; `Nanos::MIN` after a point came.
    wake: Nanos,
    /// Its answers hold until here (exclusive).
    valid_until: Nanos,
    /// Reports since its last instant, and before that one.
    reports: (u8, u8),
}

/// What the last evaluation said of a rule on an entity.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct RuleAnswer {
    pub evaluations: u32,
    pub warming_up: u32,
    /// A window was covered, but the aggregate had no value.
    pub no_value: bool,
    /// In milliseconds.
    pub best_covered: u32,
    pub margin: f64,
    pub value: f64,
    pub series: u32,
    pub points: u32,
    /// Whether the value violates.
    pub violating: bool,
}

impl Clock {
    /// The answers do not hold any more.
    pub fn void(&mut self) {
        (self.wake, self.valid_until) = (Nanos::MIN, Nanos::MIN);
    }
}

impl RuleAnswer {
    pub const EMPTY: RuleAnswer = RuleAnswer {
        evaluations: 0,
        warming_up: 0,
        no_value: false,
        best_covered: 0,
        margin: f64::INFINITY,
        value: 0.0,
        series: NO_SERIES,
        points: 0,
        violating: false,
    };
}

/// The series of an answer that is not about one.
pub(in crate::engine) const NO_SERIES: u32 = u32::MAX;

/// What was judged of a rule so far.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct RuleTotals {
    pub evaluations: u64,
    pub warming_up: u64,
    pub no_value: bool,
    pub best_covered: Nanos,
}

impl RuleTotals {
    #[inline]
    pub fn add(&mut self, answer: &RuleAnswer) {
        self.evaluations += u64::from(answer.evaluations);
        self.warming_up += u64::from(answer.warming_up);
        self.no_value |= answer.no_value;
        self.best_covered = self.best_covered.max(Nanos::from(answer.best_covered) * MS);
    }

    /// Whether windows were covered without ever giving a value.
    pub fn never_had_a_value(&self) -> bool {
        self.no_value && self.evaluations == 0
    }
}

/// The nearest evaluation of a definition so far.
#[derive(Clone, Debug)]
pub(in crate::engine) struct NearestSeen {
    pub margin: f64,
    pub at: Nanos,
    pub rule: u32,
    pub entity: u32,
    pub value: f64,
    pub series: u32,
    pub points: u32,
    /// The name of a series that is forgotten.
    pub label: Option<Box<SeriesLabel>>,
}

impl Judge {
    pub fn new(definitions: &[EventDefinition], selection: &Selection, keeps_closed: bool) -> Self {
        Judge {
            totals: vec![RuleTotals::default(); selection.rules.len()],
            nearest: vec![None; definitions.len()],
            bounds: vec![(f64::NAN, Nanos::MIN); selection.rules.len()],
            violating: vec![0; definitions.len()],
            opened: vec![0; definitions.len()],
            global: presence::global_states(definitions, selection),
            keeps_closed,
            ..Judge::default()
        }
    }

    /// An event is over: its transition has been told.
    pub fn close(&mut self, event: Event) {
        if self.keeps_closed {
            self.closed.push(event);
        }
    }

    pub fn closed_events(&self) -> &[Event] {
        &self.closed
    }

    /// The first body has come: the grid begins with the first multiples of the steps from here on.
    pub fn start(&mut self, at: Nanos, selection: &Selection) {
        if self.started {
            return;
        }
        self.started = true;
        let steps_of = |trends: bool| {
            let of = (0..selection.steps.len()).filter(|&d| !selection.rules_of[d].is_empty());
            let mut steps: Vec<Nanos> =
                of.filter(|&d| trends || !selection.is_trend[d]).map(|d| selection.steps[d]).collect();
            steps.sort_unstable();
            steps.dedup();
            steps
        };
        if let [step] = steps_of(false)[..] {
            self.only_step = Some(step);
        }
        let steps = steps_of(true);
        self.grid = steps.into_iter().map(|step| (step, multiple_from(at, step))).collect();
    }

    pub fn add_entity(&mut self, rules: usize) {
        self.clocks.push(Clock { wake: Nanos::MIN, valid_until: Nanos::MIN, reports: (0, 0) });
        if self.answers.capacity() < self.answers.len() + rules {
            // By a quarter: of a large fleet's answers half a doubling would lie idle.
            self.answers.reserve_exact((self.answers.len() / 4).max(64 * rules));
        }
        self.answers.resize(self.answers.len() + rules, RuleAnswer::EMPTY);
        self.open.push(Vec::new());
    }

    /// A report of the entity came. True when it is likely to be the only one before the next instant.
    #[inline]
    fn wake(&mut self, entity: usize) -> bool {
        let clock = &mut self.clocks[entity];
        clock.void();
        let (now, before) = &mut clock.reports;
        *now = now.saturating_add(1);
        *now == 1 && *before <= 1
    }

    fn next_instant(&self) -> Option<Nanos> {
        self.grid.iter().map(|&(_, next)| next).min()
    }

    /// The next instant of the grid with this step.
    pub fn next_multiple_of(&self, step: Nanos) -> Option<Nanos> {
        self.grid.iter().find(|(of, _)| *of == step).map(|&(_, next)| next)
    }

    pub fn last_judged(&self) -> Nanos {
        self.last
    }

    pub fn open_events(&self) -> impl Iterator<Item = &Event> {
        let of_entities = self.open.iter().flatten().map(|(_, open)| &open.event);
        of_entities.chain(self.global.iter().filter_map(|g| g.open.as_ref().map(|open| &open.event)))
    }
}

/// The first multiple of `step` that is not before `at`.
pub(in crate::engine) fn multiple_from(at: Nanos, step: Nanos) -> Nanos {
    at.div_euclid(step).saturating_add(Nanos::from(at.rem_euclid(step) != 0)).saturating_mul(step)
}

impl Engine {
    /// Judges every instant before `until` that was not judged yet.
    pub(in crate::engine) fn judge_until(&mut self, until: Nanos, emit: &mut dyn FnMut(Transition)) {
        while let Some(at) = self.judge.next_instant()
            && at < until
        {
            let mut due = std::mem::take(&mut self.judge.due);
            due.clear();
            due.extend(self.selection.steps.iter().map(|step| at % step == 0));
            self.judge_instant(at, &due, emit);
            self.judge.due = due;
            self.judge.last = at;
            for (step, next) in &mut self.judge.grid {
                if *next == at {
                    *next = at.saturating_add(*step);
                }
            }
            self.skip_silence(until);
        }
    }

    /// Jumps over the instants at which nothing can change.
    fn skip_silence(&mut self, until: Nanos) {
        let Some(next) = self.judge.next_instant() else { return };
        if until <= next || self.judge.clocks.iter().any(|clock| clock.wake <= next) {
            return;
        }
        let wake = self.judge.clocks.iter().map(|clock| clock.wake).min().unwrap_or(Nanos::MAX).min(until);
        let wake = wake.min(self.global_wake()).min(self.trend_wake());
        for i in 0..self.judge.grid.len() {
            let (step, next) = self.judge.grid[i];
            let target = multiple_from(wake, step).max(next);
            if target > next {
                self.pass_global(step, next, target);
                self.judge.grid[i].1 = target;
            }
        }
    }

    fn judge_instant(&mut self, at: Nanos, due: &[bool], emit: &mut dyn FnMut(Transition)) {
        for entity in 0..self.judge.clocks.len() {
            let clock = self.judge.clocks[entity];
            if clock.wake > at {
                continue;
            }
            if clock.valid_until <= at {
                self.evaluate(entity, at);
            }
            let reports = &mut self.judge.clocks[entity].reports;
            if reports.0 > 0 {
                *reports = (0, reports.0);
            }
            self.apply(entity, at, due, emit);
        }
        self.judge_global(at, due, emit);
        if at % BUCKET == 0 {
            self.judge_trends(at, emit);
        }
    }

    /// A report of the entity came: it is evaluated now or at the next instant.
    #[inline]
    pub(in crate::engine) fn report_came(&mut self, entity: u32) {
        if self.judge.wake(entity as usize)
            && let Some(next) = self.judge.next_instant()
        {
            self.evaluate(entity as usize, next);
        }
    }

    /// Asks every rule on an entity for its answer at an instant, and notes until when the answers hold.
    fn evaluate(&mut self, entity: usize, at: Nanos) {
        let Engine { selection, store, intake, judge, options, .. } = self;
        let of = &intake.entities[entity];
        let Judge { clocks, answers, frames, watch, .. } = judge;
        let rules = selection.rules.len();
        let answers = &mut answers[entity * rules..][..rules];
        answers.fill(RuleAnswer::EMPTY);
        let mut valid_until = Nanos::MAX;
        if options.series == SeriesMode::Merge {
            for group in &of.rest().groups {
                let What::Threshold { request, .. } = &selection.rules[group.rule as usize].what else { continue };
                let judgement = store.evaluate_merged(&group.members, at, request, options.min_coverage);
                emit_one(group.rule, group.members[0], judgement, &mut |said| {
                    valid_until = valid_until.min(said.valid_until);
                    note(answers, selection, &said);
                });
            }
        } else {
            for resource in of.resources() {
                store.evaluate_resource(resource, at, options.min_coverage, frames, |said| {
                    valid_until = valid_until.min(said.valid_until);
                    note(answers, selection, &said);
                });
            }
        }
        for (answer, condition) in answers.iter_mut().zip(&selection.conditions) {
            answer.violating = answer.evaluations > 0 && condition.holds(answer.value);
        }
        clocks[entity].valid_until = valid_until;
        if let Some(watch) = watch {
            watch.evaluated(entity);
        }
    }

    /// Applies the answers of an entity of which nothing new is to be told: no event is open, nothing violates, and nothing
    /// came nearer than before. False when there is more to do.
    #[inline]
    fn apply_quiet(&mut self, entity: usize, at: Nanos) -> bool {
        let rules = self.selection.rules.len();
        let Judge { answers, open, totals, bounds, clocks, only_step, .. } = &mut self.judge;
        let answers = &answers[entity * rules..][..rules];
        let all_due = only_step.is_some_and(|step| at % step == 0);
        if !open[entity].is_empty() || self.selection.any_presence || !all_due {
            return false;
        }
        let is_news = |(answer, bound): (&RuleAnswer, &(f64, Nanos))| {
            let farther = answer.margin > bound.0 || (answer.margin == bound.0 && at != bound.1);
            answer.evaluations > 0 && (answer.violating || !farther)
        };
        if answers.iter().zip(bounds.iter()).any(is_news) {
            return false;
        }
        let mut judged = 0;
        for (answer, total) in answers.iter().zip(totals.iter_mut()) {
            total.add(answer);
            judged |= answer.evaluations | answer.warming_up;
        }
        if judged > 0 {
            clocks[entity].wake = at + 1;
        }
        judged > 0
    }

    /// Applies the answers of an entity's rules to the due definitions at an instant.
    fn apply(&mut self, entity: usize, at: Nanos, due: &[bool], emit: &mut dyn FnMut(Transition)) {
        if self.judge.watch.is_some() {
            let busy = self.observe(entity, at, due);
            let clock = &mut self.judge.clocks[entity];
            clock.wake = if busy { at + 1 } else { clock.valid_until.max(at + 1) };
            return;
        }
        if self.apply_quiet(entity, at) {
            return;
        }
        let mut busy = self.each_own(entity, at, due, |engine, d| {
            engine.apply_definition(entity, d, at, emit);
            false
        });
        let open = &self.judge.open[entity];
        busy |= self.answers(entity).iter().any(|answer| answer.evaluations + answer.warming_up > 0);
        busy |= open.iter().any(|(_, open)| open.is_fresh());
        self.judge.clocks[entity].wake = if busy {
            at + 1
        } else {
            let closing = open.iter().map(|(d, open)| open.expires(expiration(&self.definitions[*d])));
            closing.min().unwrap_or(Nanos::MAX).min(self.judge.clocks[entity].valid_until).max(at + 1)
        };
    }

    /// Does something with the due definitions that are judged on an entity alone and by the grid. True when that, or the
    /// presence of something, keeps the entity busy.
    #[inline]
    pub(in crate::engine) fn each_own(
        &mut self,
        entity: usize,
        at: Nanos,
        due: &[bool],
        mut judge: impl FnMut(&mut Engine, usize) -> bool,
    ) -> bool {
        let mut busy = false;
        for i in 0..self.intake.entities[entity].definitions(&self.selection).len() {
            let d = self.intake.entities[entity].definitions(&self.selection)[i];
            if self.selection.is_trend[d] || self.judge.global.iter().any(|g| g.definition == d) {
                continue;
            }
            if self.selection.has_presence[d] {
                busy |= self.apply_presence(entity, d, at);
            }
            if due[d] {
                busy |= judge(self, d);
            }
        }
        busy
    }

    pub(in crate::engine) fn answers(&self, entity: usize) -> &[RuleAnswer] {
        let rules = self.selection.rules.len();
        &self.judge.answers[entity * rules..][..rules]
    }

    fn apply_definition(&mut self, entity: usize, d: usize, at: Nanos, emit: &mut dyn FnMut(Transition)) {
        let Engine { selection, judge, definitions, .. } = self;
        let Judge { answers, open, totals, nearest, bounds, violating, .. } = judge;
        let answers = &answers[entity * selection.rules.len()..][..selection.rules.len()];
        let rules = selection.rules_of[d].clone();
        let mut worst: Option<Worst> = None;
        let mut severity = i64::MIN;
        for number in rules.clone() {
            let answer = &answers[number];
            let total = &mut totals[number];
            total.add(answer);
            if answer.evaluations == 0 {
                continue;
            }
            if nearest[d].as_ref().is_none_or(|n| {
                answer.margin < n.margin
                    || (answer.margin == n.margin && at == n.at && (number as u32, answer.series) < (n.rule, n.series))
            }) {
                nearest[d] = Some(NearestSeen {
                    margin: answer.margin,
                    at,
                    rule: number as u32,
                    entity: entity as u32,
                    value: answer.value,
                    series: answer.series,
                    points: answer.points,
                    label: None,
                });
                bounds[rules.clone()].fill((answer.margin, at));
            }
            if state_of(selection, number, answer) == ConditionState::Violating {
                let rule = &selection.rules[number];
                severity = severity.max(rule.severity);
                if worst.is_none_or(|w| answer.margin < w.margin) {
                    let series = (answer.series != NO_SERIES).then_some(answer.series);
                    worst = Some(Worst { margin: answer.margin, value: answer.value, rule: rule.index, series });
                }
            }
        }
        let or = definitions[d].operator == LogicalOperator::Or;
        let verdict = combine(or, rules.map(|number| state_of(selection, number, &answers[number])));
        let open = open[entity].iter().position(|(of, _)| *of == d);
        match (verdict, worst, open) {
            (ConditionState::Violating, Some(worst), open) => {
                violating[d] += 1;
                self.violate(entity, d, at, severity, worst, open, emit);
            }
            (_, _, Some(open)) => self.rest(entity, d, at, verdict == ConditionState::Clear, open, emit),
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one violation, passed on once")]
    fn violate(
        &mut self,
        entity: usize,
        d: usize,
        at: Nanos,
        severity: i64,
        worst: Worst,
        open: Option<usize>,
        emit: &mut dyn FnMut(Transition),
    ) {
        let opens = open.is_none();
        let open = match open {
            Some(open) => open,
            None => {
                let rules = self.violated_rules(entity, d, at);
                let label = Some(self.intake.label(entity));
                let event = OpenEvent::open(d, &self.definitions[d].name, label, at, rules);
                let events = &mut self.judge.open[entity];
                events.push((d, Box::new(event)));
                events.len() - 1
            }
        };
        let Engine { judge, intake, store, options, .. } = self;
        let none = &judge.attributes_of_none;
        let event = &mut judge.open[entity][open].1;
        let merged = |series: SeriesId, rule: usize| {
            options.series == SeriesMode::Merge
                && intake.entities[entity]
                    .rest()
                    .groups
                    .iter()
                    .any(|g| g.members.len() > 1 && g.members[0] == series && g.rule as usize == rule)
        };
        let number = self.selection.rules_of[d].start + worst.rule;
        let label = event.event.entity.clone();
        event.violate(at, severity, worst, || {
            let series = worst.series?;
            Some(SeriesLabel {
                entity: label.unwrap_or_else(|| intake.label(entity)),
                metric: store.metric_of(series).clone(),
                attributes: if merged(series, number) { none.clone() } else { store.attributes_of(series).clone() },
            })
        });
        if opens {
            judge.opened[d] += 1;
            emit(Transition { at, event: event.event.clone() });
        }
    }

    fn rest(&mut self, entity: usize, d: usize, at: Nanos, clear: bool, open: usize, emit: &mut dyn FnMut(Transition)) {
        let events = &mut self.judge.open[entity];
        if events[open].1.rest(at, clear, expiration(&self.definitions[d])) {
            let (_, over) = events.remove(open);
            emit(Transition { at, event: over.event.clone() });
            self.judge.close(over.event);
        }
    }

    /// The violated rules of a definition on an entity with all their violating series.
    fn violated_rules(&mut self, entity: usize, d: usize, at: Nanos) -> Vec<ViolatedRule> {
        let Engine { selection, store, intake, judge, options, .. } = self;
        let of = &intake.entities[entity];
        let mut found: Vec<(u32, SeriesId, bool, f64, usize)> = Vec::new();
        let mut add = |merged: bool, said: RuleResult<'_>| {
            let What::Threshold { condition, .. } = &selection.rules[said.rule as usize].what else { return };
            let RuleOutcome::Values { values, series, points } = said.outcome else { return };
            if selection.rules_of[d].contains(&(said.rule as usize)) {
                let violating = values.iter().enumerate().filter(|(_, v)| v.is_finite() && condition.holds(**v));
                found.extend(violating.map(|(i, &value)| (said.rule, series.get(i), merged, value, points)));
            }
        };
        if options.series == SeriesMode::Merge {
            for group in of.rest().groups.iter().filter(|g| selection.rules_of[d].contains(&(g.rule as usize))) {
                let What::Threshold { request, .. } = &selection.rules[group.rule as usize].what else { continue };
                let judgement = store.evaluate_merged(&group.members, at, request, options.min_coverage);
                emit_one(group.rule, group.members[0], judgement, &mut |said| add(group.members.len() > 1, said));
            }
        } else {
            for resource in of.resources() {
                store.evaluate_resource(resource, at, options.min_coverage, &mut judge.frames, |said| add(false, said));
            }
        }
        let none = &judge.attributes_of_none;
        found.sort_by_cached_key(|&(rule, series, merged, ..)| {
            let attributes = if merged { none.to_json() } else { store.attributes_of(series).to_json() };
            (rule, store.metric_of(series).id(), attributes.to_string(), series)
        });
        let answers = &judge.answers[entity * selection.rules.len()..][..selection.rules.len()];
        selection.rules_of[d]
            .clone()
            .filter(|&number| state_of(selection, number, &answers[number]) == ConditionState::Violating)
            .map(|number| ViolatedRule {
                index: selection.rules[number].index,
                observed: matches!(selection.rules[number].what, What::Presence { .. })
                    .then_some(answers[number].value),
                series: found
                    .iter()
                    .filter(|f| f.0 as usize == number)
                    .map(|&(_, series, merged, value, points)| ViolatingSeries {
                        metric: store.metric_of(series).clone(),
                        attributes: if merged { none.clone() } else { store.attributes_of(series).clone() },
                        value,
                        points,
                        trend: None,
                    })
                    .collect(),
            })
            .collect()
    }

    /// The nearest evaluation of a definition, with names.
    pub(in crate::engine) fn nearest_of(&self, d: usize) -> Option<Nearest> {
        let n = self.judge.nearest[d].as_ref()?;
        let rule = &self.selection.rules[n.rule as usize];
        if let Some(label) = &n.label {
            return Some(nearest(n, rule.index, Some((**label).clone())));
        }
        let entity: Option<Arc<EntityLabel>> =
            self.intake.entities.get(n.entity as usize).map(|_| self.intake.label(n.entity as usize));
        let series = entity.filter(|_| n.series != NO_SERIES).map(|entity| {
            let group = self.intake.entities[n.entity as usize]
                .rest()
                .groups
                .iter()
                .find(|g| g.rule == n.rule && g.members[0] == n.series && g.members.len() > 1);
            SeriesLabel {
                entity,
                metric: self.store.metric_of(n.series).clone(),
                attributes: match group {
                    Some(_) => self.judge.attributes_of_none.clone(),
                    None => self.store.attributes_of(n.series).clone(),
                },
            }
        });
        Some(nearest(n, rule.index, series))
    }

    pub(in crate::engine) fn set_answer(&mut self, entity: usize, rule: usize, answer: RuleAnswer) {
        let rules = self.selection.rules.len();
        self.judge.answers[entity * rules + rule] = answer;
    }
}

fn nearest(seen: &NearestSeen, rule: usize, series: Option<SeriesLabel>) -> Nearest {
    let observation = Observation { value: seen.value, at: seen.at };
    Nearest { observation, rule, margin: seen.margin, points: seen.points as usize, series }
}

/// Adds what a window says of series to the answer of a rule.
#[inline]
fn note(answers: &mut [RuleAnswer], selection: &Selection, said: &RuleResult<'_>) {
    let answer = &mut answers[said.rule as usize];
    let covered = u32::try_from(said.covered / MS).unwrap_or(u32::MAX);
    answer.best_covered = answer.best_covered.max(covered);
    match &said.outcome {
        RuleOutcome::Empty => {}
        RuleOutcome::WarmingUp(series) => answer.warming_up += *series as u32,
        RuleOutcome::Values { values, series, points } => {
            let (nearest, finite) = selection.conditions[said.rule as usize].nearest(values);
            answer.evaluations += finite as u32;
            answer.no_value |= finite < values.len();
            let Some((margin, i)) = nearest else { return };
            if margin > answer.margin {
                return;
            }
            let series = series.get(i);
            if margin < answer.margin || series < answer.series {
                (answer.margin, answer.value) = (margin, values[i]);
                (answer.series, answer.points) = (series, *points as u32);
            }
        }
    }
}

/// What a rule says on an entity. When the series with the smallest margin does not violate, none does.
pub(in crate::engine) fn state_of(selection: &Selection, rule: usize, answer: &RuleAnswer) -> ConditionState {
    if answer.evaluations == 0 {
        return ConditionState::Unknown;
    }
    let violating = selection.conditions[rule].holds(answer.value);
    if violating { ConditionState::Violating } else { ConditionState::Clear }
}

/// The grace period of a definition.
pub(in crate::engine) fn expiration(definition: &EventDefinition) -> Nanos {
    definition.expiration_ms.saturating_mul(crate::model::MS)
}
