//! Trends in the engine: points into lives, lives into events.
//!
//! A definition of trend rules is judged every 30 s, when a bucket closes, whatever the options say of steps, coverage or
//! merging. On an entity a rule is violating while a life of it is raised and its bucket had a point, unknown while a raised
//! life is silent, and clear when none is raised: then its event closes at once, because growth has ended or the process has.

use super::aside::{Collections, Limits, counts_full_collections};
use super::ladder::Workbench;
use super::life::{Life, Said};
use super::ring::BUCKET;
use super::verdict::{Evidence, LifeReport, TrendVerdict};
use super::watch::Watch;
use crate::definition::{EventDefinition, LogicalOperator, MemoryLimit, MetricId, RuleKind, Trend};
use crate::engine::Engine;
use crate::engine::alert::life::{ConditionState, OpenEvent, Worst, combine};
use crate::engine::evaluate::judge::multiple_from;
use crate::engine::evaluate::selection::{Selection, What};
use crate::engine::report::{Event, InconclusiveReason, SeriesLabel, Transition, ViolatedRule, ViolatingSeries};
use crate::model::{Attributes, Kind, MetricIdentity, Nanos, Sample, Temporality};
use crate::series::{NotKept, ResourceId, SeriesId};
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};

/// Reports of lives that are kept after the lives themselves; more are only counted.
const MOST_PAST: usize = 4096;

/// Why the engine looks at the points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Watcher {
    /// A rule's series; of several ids of the rule this one selects it.
    Trend { rule: u32, rank: u32 },
    /// The limit of a rule.
    Limit { rule: u32 },
    /// Full garbage collections.
    Collections,
}

impl Watcher {
    /// The rule that judges the series, when one does.
    pub fn rule(&self) -> Option<u32> {
        match self {
            Watcher::Trend { rule, .. } => Some(*rule),
            Watcher::Limit { .. } | Watcher::Collections => None,
        }
    }
}

/// What a rule is about on one entity.
#[derive(Debug)]
pub(super) struct Subject {
    pub definition: usize,
    pub entity: u32,
    pub watches: Vec<u32>,
    pub open: Option<Box<OpenEvent>>,
}

/// Everything under watch.
#[derive(Debug, Default)]
pub(in crate::engine) struct Trends {
    pub(super) watches: Vec<Watch>,
    pub(super) by_series: HashMap<(SeriesId, u32), u32, RandomState>,
    /// Per rule and resource the rank of the id that selects its series, and the watches of it.
    pub(super) ranks: HashMap<(u32, ResourceId), (u32, Vec<u32>), RandomState>,
    pub(super) subjects: Vec<Subject>,
    pub(super) subject_of: HashMap<(usize, u32), u32, RandomState>,
    pub(super) collections: HashMap<ResourceId, Collections, RandomState>,
    pub(super) limits: HashMap<(u32, u32), Limits, RandomState>,
    /// Reports of lives that are forgotten, by rule, and how many were not kept.
    past: Vec<(u32, LifeReport)>,
    not_told: HashMap<u32, u64, RandomState>,
    bench: Workbench,
}

/// A raised life at an instant.
struct Raised {
    rule: u32,
    watch: u32,
    evidence: Evidence,
}

impl Trends {
    /// The watched series that several processes write.
    pub fn several_writers(&self) -> HashSet<SeriesId> {
        self.watches.iter().filter(|watch| watch.several_writers).map(|watch| watch.series).collect()
    }

    pub fn open_events(&self) -> impl Iterator<Item = &Event> {
        self.subjects.iter().filter_map(|subject| subject.open.as_ref().map(|open| &open.event))
    }
}

/// The trend rule of a number.
fn rule_of<'a>(selection: &Selection, definitions: &'a [EventDefinition], rule: u32) -> Option<&'a Trend> {
    let d = selection.definition_of(rule as usize);
    match &definitions[d].rules.get(selection.rules[rule as usize].index)?.kind {
        RuleKind::Trend(trend) => Some(trend),
        RuleKind::Threshold(_) | RuleKind::Presence(_) => None,
    }
}

/// Who watches a series: the trend rules among `rules`, their limits, and the collections where there are such rules.
pub(in crate::engine) fn watchers(
    definitions: &[EventDefinition],
    selection: &Selection,
    rules: impl Iterator<Item = usize>,
    (metric, attributes): (&MetricIdentity, &Attributes),
) -> Vec<Watcher> {
    let mut found = Vec::new();
    let mut any = false;
    for number in rules.filter(|&number| matches!(selection.rules[number].what, What::Trend)) {
        let Some(trend) = rule_of(selection, definitions, number as u32) else { continue };
        any = true;
        let rule = number as u32;
        let selects = |id: &MetricId| id.selects(metric, attributes);
        if let Some(rank) = trend.metrics.iter().position(selects) {
            found.push(Watcher::Trend { rule, rank: rank as u32 });
        }
        if let Some(MemoryLimit::Metric(id)) = &trend.memory_limit
            && id.selects(metric, attributes)
        {
            found.push(Watcher::Limit { rule });
        }
    }
    if any && counts_full_collections(metric, attributes) {
        found.push(Watcher::Collections);
    }
    found
}

/// Whether the values of a metric are a level, which delta sums and histograms have not.
fn is_level(metric: &MetricIdentity) -> bool {
    match metric.kind {
        Kind::Gauge => true,
        Kind::Sum => metric.temporality == Temporality::Cumulative,
        Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary => false,
    }
}

impl Engine {
    /// A series was seen for the first time that trend rules select.
    pub(in crate::engine) fn watch_series(&mut self, series: SeriesId, plan: u32) {
        let resource = self.store.resource_of(series);
        let entity = self.intake.resources[resource as usize].entity;
        let metric = self.store.metric_of(series);
        for watcher in self.selection.watchers_of(plan) {
            let Watcher::Trend { rule, rank } = *watcher else { continue };
            if !is_level(metric) {
                self.judge.totals[rule as usize].no_value = true;
                continue;
            }
            let trends = &mut self.trends;
            let number = trends.watches.len() as u32;
            let (best, of_rank) = trends.ranks.entry((rule, resource)).or_insert((rank, Vec::new()));
            if rank > *best {
                continue;
            }
            if rank < *best {
                *best = rank;
                for worse in of_rank.drain(..) {
                    let worse = &mut trends.watches[worse as usize];
                    worse.lives.clear();
                    trends.by_series.remove(&(worse.series, rule));
                }
            }
            of_rank.push(number);
            let has_starts = metric.kind == Kind::Sum;
            trends.watches.push(Watch::new(rule, series, has_starts));
            trends.by_series.insert((series, rule), number);
            let definition = self.selection.definition_of(rule as usize);
            let next = trends.subjects.len() as u32;
            let subject = *trends.subject_of.entry((definition, entity)).or_insert(next);
            if subject == next {
                trends.subjects.push(Subject { definition, entity, watches: Vec::new(), open: None });
            }
            trends.subjects[subject as usize].watches.push(number);
        }
    }

    /// Hands a point to those who watch its series. An error means that it was not taken.
    pub(in crate::engine) fn watch_point(
        &mut self,
        series: SeriesId,
        plan: u32,
        sample: Sample,
    ) -> Result<(), NotKept> {
        if self.options.scaled_windows {
            return Ok(());
        }
        let Some(next) = self.judge.next_multiple_of(BUCKET) else { return Ok(()) };
        let mut taken = Ok(());
        for watcher in self.selection.watchers_of(plan) {
            let trends = &mut self.trends;
            match *watcher {
                Watcher::Trend { rule, .. } => {
                    let Some(&watch) = trends.by_series.get(&(series, rule)) else { continue };
                    let watch = &mut trends.watches[watch as usize];
                    let kept = watch.add(sample, next - BUCKET, self.options.max_points_per_series);
                    taken = taken.and(kept);
                }
                Watcher::Limit { rule } => {
                    let entity = self.intake.resources[self.store.resource_of(series) as usize].entity;
                    trends.limits.entry((rule, entity)).or_default().add(series, sample.value);
                }
                Watcher::Collections => {
                    let temporality = self.store.metric_of(series).temporality;
                    let resource = self.store.resource_of(series);
                    trends.collections.entry(resource).or_default().add(temporality, sample);
                }
            }
        }
        taken
    }

    /// Closes the buckets that end at `at` and judges what they say.
    pub(in crate::engine) fn judge_trends(&mut self, at: Nanos, emit: &mut dyn FnMut(Transition)) {
        for subject in 0..self.trends.subjects.len() {
            let raised = self.close_buckets(subject, at);
            self.live_trend(subject, at, raised, emit);
        }
    }

    /// Closes the buckets of a subject's series; gives its raised lives that had a point.
    fn close_buckets(&mut self, subject: usize, at: Nanos) -> Vec<Raised> {
        let Engine { trends, selection, definitions, judge, .. } = self;
        let Trends { watches, subjects, collections, limits, bench, .. } = trends;
        let mut raised = Vec::new();
        let mut over = Vec::new();
        for &number in &subjects[subject].watches {
            let watch = &mut watches[number as usize];
            let Some(trend) = rule_of(selection, definitions, watch.rule) else { continue };
            let totals = &mut judge.totals[watch.rule as usize];
            let resource = self.store.resource_of(watch.series);
            let aside = Aside {
                collections: collections.get(&resource),
                limit: limit_of(trend, limits.get(&(watch.rule, subjects[subject].entity))),
                ignored: watch.ignored,
            };
            let rule = watch.rule;
            watch.close(at, &trend.parameters, bench, |life, evaluation| {
                totals.evaluations += u64::from(evaluation.covered);
                totals.warming_up += u64::from(!evaluation.covered);
                totals.best_covered = totals.best_covered.max(life.seen());
                if let Some(said) = life.said_now(evaluation).filter(|_| life.detector.is_raised()) {
                    raised.push(Raised { rule, watch: number, evidence: aside.evidence(life, said) });
                }
            });
            over.extend(watch.forget(at).map(|life| (number, life)));
        }
        for (number, life) in over {
            self.tell_past(number, &life);
        }
        raised
    }

    /// What the raised lives mean for the event of a definition on an entity.
    fn live_trend(&mut self, subject: usize, at: Nanos, raised: Vec<Raised>, emit: &mut dyn FnMut(Transition)) {
        let (d, entity) = (self.trends.subjects[subject].definition, self.trends.subjects[subject].entity);
        let or = self.definitions[d].operator == LogicalOperator::Or;
        let rules = self.selection.rules_of[d].clone();
        let state = combine(or, rules.map(|rule| self.state_of_trend(subject, rule as u32, &raised)));
        if state != ConditionState::Violating {
            let expiration = if state == ConditionState::Clear {
                0
            } else {
                crate::engine::evaluate::judge::expiration(&self.definitions[d])
            };
            let open = &mut self.trends.subjects[subject].open;
            if let Some(over) = open.take_if(|open| open.rest(at, state == ConditionState::Clear, expiration)) {
                emit(Transition { at, event: over.event.clone() });
                self.judge.close(over.event);
            }
            return;
        }
        let steepest = raised.iter().min_by(|a, b| b.evidence.figures.slope.total_cmp(&a.evidence.figures.slope));
        let Some(steepest) = steepest else { return };
        self.judge.violating[d] += 1;
        let severity = raised.iter().map(|r| self.selection.rules[r.rule as usize].severity).max().unwrap_or(i64::MIN);
        let worst = Worst {
            margin: -steepest.evidence.figures.slope,
            value: steepest.evidence.figures.slope,
            rule: self.selection.rules[steepest.rule as usize].index,
            series: Some(self.trends.watches[steepest.watch as usize].series),
        };
        let mut open = self.trends.subjects[subject].open.take();
        let opens = open.is_none();
        let event = open.get_or_insert_with(|| {
            let label = Some(self.intake.label(entity as usize));
            let rules = self.violated_trends(d, &raised);
            Box::new(OpenEvent::open(d, &self.definitions[d].name, label, at, rules))
        });
        event.violate(at, severity, worst, || Some(self.label_of(worst.series?)));
        if opens {
            self.judge.opened[d] += 1;
            emit(Transition { at, event: event.event.clone() });
        }
        self.trends.subjects[subject].open = open;
    }

    fn state_of_trend(&self, subject: usize, rule: u32, raised: &[Raised]) -> ConditionState {
        if raised.iter().any(|raised| raised.rule == rule) {
            return ConditionState::Violating;
        }
        let watches = self.trends.subjects[subject].watches.iter().map(|&number| &self.trends.watches[number as usize]);
        let silent = watches.filter(|watch| watch.rule == rule).any(Watch::is_raised);
        if silent { ConditionState::Unknown } else { ConditionState::Clear }
    }

    fn violated_trends(&self, d: usize, raised: &[Raised]) -> Vec<ViolatedRule> {
        let rules = self.selection.rules_of[d].clone().filter(|&rule| raised.iter().any(|r| r.rule as usize == rule));
        rules
            .map(|rule| {
                let mut of_rule: Vec<&Raised> = raised.iter().filter(|r| r.rule as usize == rule).collect();
                of_rule.sort_by_cached_key(|raised| {
                    let series = self.trends.watches[raised.watch as usize].series;
                    let attributes = self.store.attributes_of(series).to_json().to_string();
                    (self.store.metric_of(series).id(), attributes, series, raised.evidence.start)
                });
                let series = of_rule.into_iter().map(|raised| {
                    let series = self.trends.watches[raised.watch as usize].series;
                    ViolatingSeries {
                        metric: self.store.metric_of(series).clone(),
                        attributes: self.store.attributes_of(series).clone(),
                        value: raised.evidence.figures.slope,
                        points: raised.evidence.figures.points,
                        trend: Some(Box::new(raised.evidence.clone())),
                    }
                });
                ViolatedRule { index: self.selection.rules[rule].index, observed: None, series: series.collect() }
            })
            .collect()
    }

    pub(in crate::engine) fn label_of(&self, series: SeriesId) -> SeriesLabel {
        let entity = self.intake.resources[self.store.resource_of(series) as usize].entity;
        SeriesLabel {
            entity: self.intake.label(entity as usize),
            metric: self.store.metric_of(series).clone(),
            attributes: self.store.attributes_of(series).clone(),
        }
    }

    /// The first instant at which a trend may say something else without a point coming.
    pub(in crate::engine) fn trend_wake(&self) -> Nanos {
        let closing = self.trends.watches.iter().filter_map(Watch::next_close);
        let events = self.trends.subjects.iter().filter_map(|subject| {
            let open = subject.open.as_ref()?;
            let grace = crate::engine::evaluate::judge::expiration(&self.definitions[subject.definition]);
            Some(if open.is_fresh() { Nanos::MIN } else { open.expires(grace) })
        });
        let wake = closing.chain(events).min().unwrap_or(Nanos::MAX);
        if wake == Nanos::MAX { wake } else { multiple_from(wake, BUCKET) }
    }

    pub(super) fn tell_past(&mut self, watch: u32, life: &Life) {
        let rule = self.trends.watches[watch as usize].rule;
        if self.trends.past.len() >= MOST_PAST {
            *self.trends.not_told.entry(rule).or_default() += 1;
            return;
        }
        let mut bench = std::mem::take(&mut self.trends.bench);
        if let Some(report) = self.life_report(watch, life, &mut bench) {
            self.trends.past.push((rule, report));
        }
        self.trends.bench = bench;
    }

    fn life_report(&self, number: u32, life: &Life, bench: &mut Workbench) -> Option<LifeReport> {
        let watch = &self.trends.watches[number as usize];
        let trend = rule_of(&self.selection, &self.definitions, watch.rule)?;
        let label = self.label_of(watch.series);
        let verdict = if !life.raised_at.is_empty() {
            TrendVerdict::Leak
        } else if watch.several_writers {
            TrendVerdict::Inconclusive(InconclusiveReason::SeveralWriters)
        } else if life.is_conclusive() {
            TrendVerdict::NoLeak
        } else {
            TrendVerdict::Inconclusive(life.reason(&trend.parameters))
        };
        let resource = self.store.resource_of(watch.series);
        let entity = self.intake.resources[resource as usize].entity;
        let aside = Aside {
            collections: self.trends.collections.get(&resource),
            limit: limit_of(trend, self.trends.limits.get(&(watch.rule, entity))),
            ignored: watch.ignored,
        };
        Some(LifeReport {
            rule: self.selection.rules[watch.rule as usize].index,
            series: label,
            start: life.detector.start(),
            seen: life.seen(),
            verdict,
            raised: life.raised_at.clone(),
            evidence: life.said_at_last(&trend.parameters, bench).map(|said| aside.evidence(life, said)),
            ignored: watch.ignored,
        })
    }

    /// Lives that a definition watched and whose reports were not kept.
    pub(in crate::engine) fn lives_not_told(&self, d: usize) -> u64 {
        let rules = self.selection.rules_of[d].clone();
        rules.filter_map(|rule| self.trends.not_told.get(&(rule as u32))).sum()
    }

    /// What became of every life that a definition watched, by entity, series and start.
    pub(in crate::engine) fn life_reports(&self, d: usize) -> Vec<LifeReport> {
        let rules = self.selection.rules_of[d].clone();
        let past = self.trends.past.iter().filter(|(rule, _)| rules.contains(&(*rule as usize)));
        let mut reports: Vec<LifeReport> = past.map(|(_, report)| report.clone()).collect();
        let mut bench = Workbench::default();
        for (number, watch) in
            self.trends.watches.iter().enumerate().filter(|(_, w)| rules.contains(&(w.rule as usize)))
        {
            let lives = watch.over.iter().chain(&watch.lives);
            reports.extend(lives.filter_map(|life| self.life_report(number as u32, life, &mut bench)));
        }
        reports
    }
}

/// What is known beside the memory.
struct Aside<'a> {
    collections: Option<&'a Collections>,
    limit: Option<f64>,
    ignored: u64,
}

impl Aside<'_> {
    fn evidence(&self, life: &Life, Said { figures, smallest }: Said) -> Evidence {
        let (first, last) = figures.buckets;
        Evidence {
            start: life.detector.start(),
            figures,
            smallest,
            grown: life.grown(),
            collections: self.collections.and_then(|collections| collections.between(first, last)),
            limit: self.limit,
            ignored: self.ignored,
        }
    }
}

fn limit_of(trend: &Trend, limits: Option<&Limits>) -> Option<f64> {
    match &trend.memory_limit {
        Some(MemoryLimit::Bytes(bytes)) => Some(*bytes),
        Some(MemoryLimit::Metric(_)) => limits.and_then(Limits::least),
        None => None,
    }
}
