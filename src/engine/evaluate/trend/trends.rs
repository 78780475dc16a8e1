//! The room's owner: samples into lives of processes, lives into findings.
//!
//! A definition of trend rules is evaluated every 30 s, when a bucket closes, whatever the options say of steps, coverage or
//! merging. On an entity a rule is violated while a leak is active in a life whose bucket had a point, unknown while such a
//! life is silent, and clear when no leak is active.

use super::auxiliary::{Collections, Limits};
use super::minima::BUCKET;
use super::process::{LifeFigures, ProcessLife};
use super::series::TrendSeries;
use super::verdict::{Evidence, LifeReport, TrendVerdict};
use super::windows::WindowEvaluator;
use crate::definition::{LogicalOperator, MemoryLimit, Trend};
use crate::engine::alert::event::{ViolatedRule, ViolatingSeries};
use crate::engine::evaluate::finding::{About, Finding, Opening, Violation};
use crate::engine::evaluate::schedule::multiple_from;
use crate::engine::evaluate::state::{ConditionState, combine};
use crate::engine::evaluate::tally::Tally;
use crate::engine::ingest::resources::Ingest;
use crate::engine::ingest::subscriptions::TrendInput;
use crate::engine::options::Options;
use crate::engine::rules::Rules;
use crate::engine::verdict::InconclusiveReason;
use crate::model::{Kind, MetricIdentity, Nanos, Sample, Temporality};
use crate::series::{NotKept, Renumbered, Renumbering, ResourceId, SeriesId};
use foldhash::fast::RandomState;
use std::collections::{HashMap, HashSet};

/// Reports of lives that are kept after the lives themselves; more are only counted.
const MOST_PAST: usize = 4096;

/// All series that trend rules look at.
#[derive(Debug, Default)]
pub(in crate::engine) struct Trends {
    /// Nothing is detected: the windows were made shorter, and a trend cannot be.
    is_off: bool,
    most_points: usize,
    series: Vec<TrendSeries>,
    by_series: HashMap<(SeriesId, u32), u32, RandomState>,
    /// By rule and resource.
    best: HashMap<(u32, ResourceId), Ranked, RandomState>,
    subjects: Vec<TrendSubject>,
    /// By definition and entity.
    subject_of: HashMap<(usize, u32), usize, RandomState>,
    collections: HashMap<ResourceId, Collections, RandomState>,
    /// By rule and entity.
    limits: HashMap<(u32, u32), Limits, RandomState>,
    /// Reports of lives that are no more, by rule, and how many were not kept.
    past: Vec<(u32, LifeReport)>,
    left_out: HashMap<u32, u64, RandomState>,
    windows: WindowEvaluator,
}

/// Of several ids of a rule the first that selects a series of a resource, and those series.
#[derive(Debug)]
struct Ranked {
    rank: u32,
    series: Vec<u32>,
}

/// What a definition is about on one entity.
#[derive(Debug)]
struct TrendSubject {
    definition: usize,
    entity: u32,
    /// Subjects keep their order, which is that of their first series.
    order: u32,
    series: Vec<u32>,
    state: ConditionState,
}

/// An active leak in a life that had a point.
struct ActiveLeak {
    rule: u32,
    series: SeriesId,
    evidence: Evidence,
}

/// Whether the values of a metric are a level, which delta sums and histograms have not.
fn is_level(metric: &MetricIdentity) -> bool {
    match metric.kind {
        Kind::Gauge => true,
        Kind::Sum => metric.temporality == Temporality::Cumulative,
        Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary => false,
    }
}

impl Trends {
    pub fn new(options: &Options) -> Self {
        Trends { is_off: options.scaled_windows, most_points: options.max_points_per_series, ..Trends::default() }
    }

    /// A series was seen for the first time that trend rules look at.
    pub fn add_series(&mut self, series: SeriesId, ingest: &Ingest, tally: &mut Tally) {
        let (resource, entity) = (ingest.store.resource_of(series), ingest.entity_of(series));
        let metric = ingest.store.metric_of(series);
        for input in ingest.trend_inputs(series) {
            let TrendInput::Memory { rule, rank } = *input else { continue };
            if !is_level(metric) {
                tally.rules[rule as usize].no_value = true;
                continue;
            }
            let best = self.best.entry((rule, resource)).or_insert(Ranked { rank, series: Vec::new() });
            if rank > best.rank {
                continue;
            }
            if rank < best.rank {
                best.rank = rank;
                for worse in best.series.drain(..) {
                    let worse = &mut self.series[worse as usize];
                    worse.lives.clear();
                    self.by_series.remove(&(worse.series, rule));
                }
            }
            let number = self.series.len() as u32;
            best.series.push(number);
            self.series.push(TrendSeries::new(rule, series, metric.kind == Kind::Sum));
            self.by_series.insert((series, rule), number);
            self.subject(ingest.rules.definition_of(rule as usize), entity).series.push(number);
        }
    }

    fn subject(&mut self, definition: usize, entity: u32) -> &mut TrendSubject {
        let next = self.subjects.len();
        let place = *self.subject_of.entry((definition, entity)).or_insert(next);
        if place == next {
            let order = self.subjects.last().map_or(0, |last| last.order + 1);
            let state = ConditionState::Clear;
            self.subjects.push(TrendSubject { definition, entity, order, series: Vec::new(), state });
        }
        &mut self.subjects[place]
    }

    /// Takes a sample. `closing` is when the next bucket closes. An error says why the sample was not kept.
    pub fn add(&mut self, series: SeriesId, sample: Sample, closing: Nanos, ingest: &Ingest) -> Result<(), NotKept> {
        if self.is_off {
            return Ok(());
        }
        let mut taken = Ok(());
        for input in ingest.trend_inputs(series) {
            match *input {
                TrendInput::Memory { rule, .. } => {
                    let Some(&number) = self.by_series.get(&(series, rule)) else { continue };
                    let kept = self.series[number as usize].add(sample, closing - BUCKET, self.most_points);
                    taken = taken.and(kept);
                }
                TrendInput::Limit { rule } => {
                    let limits = self.limits.entry((rule, ingest.entity_of(series))).or_default();
                    limits.add(series, sample.value);
                }
                TrendInput::Collections => {
                    let temporality = ingest.store.metric_of(series).temporality;
                    self.collections.entry(ingest.store.resource_of(series)).or_default().add(temporality, sample);
                }
            }
        }
        taken
    }

    /// Closes the buckets that end at `at`.
    pub fn close(&mut self, at: Nanos, ingest: &Ingest, tally: &mut Tally, findings: &mut Vec<Finding>) {
        for subject in 0..self.subjects.len() {
            let leaks = self.close_buckets(subject, at, ingest, tally);
            let TrendSubject { definition, entity, order, state: before, .. } = self.subjects[subject];
            let state = self.state(subject, &leaks, &ingest.rules);
            self.subjects[subject].state = state;
            findings.extend(Finding::of(About::Trend { order, entity }, definition, before, state, || {
                tally.definitions[definition].violating += 1;
                violation(&leaks, entity, before != state, ingest)
            }));
        }
    }

    /// Closes the buckets of a subject's series; the active leaks of lives that had a point.
    fn close_buckets(&mut self, subject: usize, at: Nanos, ingest: &Ingest, tally: &mut Tally) -> Vec<ActiveLeak> {
        let mut leaks = Vec::new();
        let mut over = Vec::new();
        for &number in &self.subjects[subject].series {
            let TrendSeries { rule, series, ignored, .. } = self.series[number as usize];
            let Some(trend) = ingest.rules.trend(rule) else { continue };
            let auxiliary = Auxiliary::of((rule, series, ignored), trend, &self.collections, &self.limits, ingest);
            let totals = &mut tally.rules[rule as usize];
            let of = &mut self.series[number as usize];
            of.close(at, &trend.parameters, &mut self.windows, |life, evaluation| {
                totals.evaluations += u64::from(evaluation.covered);
                totals.warming_up += u64::from(!evaluation.covered);
                totals.best_covered = totals.best_covered.max(life.seen());
                if let Some(figures) = life.figures_now(evaluation).filter(|_| life.detector.is_leaking()) {
                    leaks.push(ActiveLeak { rule, series, evidence: auxiliary.evidence(life, figures) });
                }
            });
            over.extend(of.evict(at).map(|life| (number, life)));
        }
        for (number, life) in over {
            self.keep_report(number, &life, ingest);
        }
        leaks
    }

    fn state(&self, subject: usize, leaks: &[ActiveLeak], rules: &Rules) -> ConditionState {
        let TrendSubject { definition, series, .. } = &self.subjects[subject];
        let definition = &rules.compiled[*definition];
        let series = || series.iter().map(|&number| &self.series[number as usize]);
        let states = definition.rules.clone().map(|rule| {
            if leaks.iter().any(|leak| leak.rule as usize == rule) {
                return ConditionState::Violating;
            }
            let is_silent = series().any(|of| of.rule as usize == rule && of.is_leaking());
            if is_silent { ConditionState::Unknown } else { ConditionState::Clear }
        });
        combine(definition.operator == LogicalOperator::Or, states)
    }

    /// When the next bucket closes that can change something.
    pub fn wake(&self) -> Nanos {
        if self.subjects.iter().any(|subject| subject.state != ConditionState::Clear) {
            return Nanos::MIN;
        }
        let wake = self.series.iter().filter_map(TrendSeries::next_close).min();
        wake.map_or(Nanos::MAX, |wake| multiple_from(wake, BUCKET))
    }

    /// The series that several processes write.
    pub fn several_writers(&self) -> HashSet<SeriesId> {
        self.series.iter().filter(|of| of.several_writers).map(|of| of.series).collect()
    }

    fn keep_report(&mut self, number: u32, life: &ProcessLife, ingest: &Ingest) {
        let rule = self.series[number as usize].rule;
        if self.past.len() >= MOST_PAST {
            *self.left_out.entry(rule).or_default() += 1;
            return;
        }
        let report = self.life_report(number, life, ingest);
        self.past.extend(report.map(|report| (rule, report)));
    }

    fn life_report(&self, number: u32, life: &ProcessLife, ingest: &Ingest) -> Option<LifeReport> {
        let TrendSeries { rule, series, ignored, several_writers, .. } = self.series[number as usize];
        let trend = ingest.rules.trend(rule)?;
        let verdict = if !life.leaks_began.is_empty() {
            TrendVerdict::Leak
        } else if several_writers {
            TrendVerdict::Inconclusive(InconclusiveReason::SeveralWriters)
        } else if life.is_conclusive {
            TrendVerdict::NoLeak
        } else {
            TrendVerdict::Inconclusive(life.reason(&trend.parameters))
        };
        let auxiliary = Auxiliary::of((rule, series, ignored), trend, &self.collections, &self.limits, ingest);
        let figures = life.figures_at_end(&trend.parameters);
        Some(LifeReport {
            rule: ingest.rules.rules[rule as usize].index,
            series: ingest.series_label(series),
            start: life.detector.start(),
            seen: life.seen(),
            verdict,
            leaks_began: life.leaks_began.clone(),
            evidence: figures.map(|figures| auxiliary.evidence(life, figures)),
            ignored,
        })
    }

    /// Lives that a definition looked at and whose reports were not kept.
    pub fn lives_left_out(&self, d: usize, rules: &Rules) -> u64 {
        rules.compiled[d].rules.clone().filter_map(|rule| self.left_out.get(&(rule as u32))).sum()
    }

    /// What became of every life that a definition looked at.
    pub fn life_reports(&self, d: usize, ingest: &Ingest) -> Vec<LifeReport> {
        let is_own = |rule: u32| ingest.rules.compiled[d].rules.contains(&(rule as usize));
        let past = self.past.iter().filter(|(rule, _)| is_own(*rule));
        let mut reports: Vec<LifeReport> = past.map(|(_, report)| report.clone()).collect();
        for (of, number) in self.series.iter().zip(0..).filter(|(of, _)| is_own(of.rule)) {
            let lives = of.over.iter().chain(&of.lives);
            reports.extend(lives.filter_map(|life| self.life_report(number, life, ingest)));
        }
        reports
    }

    /// Keeps the reports of lives of series that are about to be evicted.
    pub fn prepare_eviction(&mut self, gone: &[bool], ingest: &Ingest) {
        for number in 0..self.series.len() {
            let of = &mut self.series[number];
            if gone[of.series as usize] {
                let lives: Vec<_> = of.over.drain(..).chain(of.lives.drain(..)).collect();
                lives.iter().for_each(|life| self.keep_report(number as u32, life, ingest));
            }
        }
    }

    /// Series, resources and entities have new numbers, or are gone.
    pub fn renumber(&mut self, new: &Renumbered, entities: &Renumbering) {
        let numbers = Renumbering::of(self.series.iter().map(|of| new.series.get(of.series).is_some()));
        self.series = numbers.keep(std::mem::take(&mut self.series));
        for of in &mut self.series {
            of.series = new.series.get(of.series).unwrap_or(of.series);
        }
        let renumber = |list: &mut Vec<u32>| {
            list.retain_mut(|number| numbers.get(*number).map(|new| *number = new).is_some());
        };
        self.subjects.retain_mut(|subject| {
            renumber(&mut subject.series);
            entities.get(subject.entity).map(|entity| subject.entity = entity).is_some()
        });
        self.subject_of = self.subjects.iter().zip(0..).map(|(of, i)| ((of.definition, of.entity), i)).collect();
        self.by_series = rekeyed(&mut self.by_series, |&(series, rule), number| {
            *number = numbers.get(*number)?;
            Some((new.series.get(series)?, rule))
        });
        self.best = rekeyed(&mut self.best, |&(rule, resource), ranked| {
            renumber(&mut ranked.series);
            // Without a series of this rank the next best may come.
            let resource = new.resources.get(resource)?;
            (!ranked.series.is_empty()).then_some((rule, resource))
        });
        self.collections = rekeyed(&mut self.collections, |&resource, _| new.resources.get(resource));
        self.limits = rekeyed(&mut self.limits, |&(rule, entity), limits| {
            limits.renumber(&new.series);
            Some((rule, entities.get(entity)?))
        });
    }
}

type Map<K, V> = HashMap<K, V, RandomState>;

/// The same values under new keys; those without one go.
fn rekeyed<K: Eq + std::hash::Hash, V>(map: &mut Map<K, V>, new: impl Fn(&K, &mut V) -> Option<K>) -> Map<K, V> {
    std::mem::take(map).into_iter().filter_map(|(key, mut value)| Some((new(&key, &mut value)?, value))).collect()
}

/// What the active leaks of a definition on an entity violate.
fn violation(leaks: &[ActiveLeak], entity: u32, opens: bool, ingest: &Ingest) -> Option<Violation> {
    let rules = &ingest.rules.rules;
    let steepest = leaks.iter().min_by(|a, b| b.evidence.figures.slope.total_cmp(&a.evidence.figures.slope))?;
    let slope = steepest.evidence.figures.slope;
    let severity = leaks.iter().map(|leak| rules[leak.rule as usize].severity).max()?;
    let opening = opens.then(|| {
        let named = leaks.iter().map(|ActiveLeak { rule, series, evidence }| {
            let (metric, attributes) = ingest.series_name(entity as usize, *rule as usize, *series);
            let key = (*rule, metric.id(), attributes.to_json().to_string(), *series, evidence.start);
            let (value, points) = (evidence.figures.slope, evidence.figures.points);
            (key, ViolatingSeries { metric, attributes, value, points, trend: Some(Box::new(evidence.clone())) })
        });
        let mut named: Vec<_> = named.collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        let of_rule = |of: &[((u32, _, _, _, _), ViolatingSeries)]| ViolatedRule {
            index: rules[of[0].0.0 as usize].index,
            observed: None,
            series: of.iter().map(|(_, series)| series.clone()).collect(),
        };
        let rules = named.chunk_by(|(a, _), (b, _)| a.0 == b.0).map(of_rule).collect();
        Opening { entity: Some(ingest.label(entity as usize)), rules }
    });
    let (rule, series) = (steepest.rule as usize, steepest.series);
    Some(Violation { severity, margin: -slope, value: slope, rule, series, opening })
}

/// What is known beside the memory.
struct Auxiliary<'a> {
    collections: Option<&'a Collections>,
    limit: Option<f64>,
    ignored: u64,
}

impl<'a> Auxiliary<'a> {
    fn of(
        (rule, series, ignored): (u32, SeriesId, u64),
        trend: &Trend,
        collections: &'a Map<ResourceId, Collections>,
        limits: &Map<(u32, u32), Limits>,
        ingest: &Ingest,
    ) -> Self {
        let limit = match &trend.memory_limit {
            Some(MemoryLimit::Bytes(bytes)) => Some(*bytes),
            Some(MemoryLimit::Metric(_)) => limits.get(&(rule, ingest.entity_of(series))).and_then(Limits::least),
            None => None,
        };
        Auxiliary { collections: collections.get(&ingest.store.resource_of(series)), limit, ignored }
    }

    fn evidence(&self, life: &ProcessLife, LifeFigures { figures, smallest }: LifeFigures) -> Evidence {
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
