//! The report: what was judged, in the end.

use super::Engine;
use super::evaluate::judge::RuleTotals;
use super::evaluate::trend::{LifeReport, TrendVerdict};
use super::report::{
    Coverage, DefinitionReport, EvaluationReport, InconclusiveReason, RuleReport, SeriesLabel, Verdict,
};
use crate::model::MetricIdentity;
use std::collections::HashMap;
use std::sync::Arc;

impl Engine {
    /// What was judged so far: the content of `replay`'s document.
    pub fn report(&self) -> EvaluationReport {
        let mut events: Vec<_> = self
            .judge
            .open_events()
            .chain(self.trends.open_events())
            .chain(self.judge.closed_events())
            .cloned()
            .collect();
        events.sort_by_cached_key(|e| {
            (e.start, e.definition, e.entity.as_ref().map(|entity| (entity.label.clone(), entity.resource.to_suffix())))
        });
        let definitions = (0..self.definitions.len()).map(|d| self.definition_report(d)).collect();
        let coverage = if self.intake.any_time {
            Coverage { from: self.intake.coverage.from, to: self.at }
        } else {
            Coverage::default()
        };
        EvaluationReport {
            events,
            definitions,
            counts: self.intake.counts.clone(),
            coverage,
            several_writers: self.several_writers(),
            negative_deltas: self.negative_deltas(),
            metrics: self.metrics(),
        }
    }

    fn definition_report(&self, d: usize) -> DefinitionReport {
        let definition = &self.definitions[d];
        let numbers = self.selection.rules_of[d].clone();
        let rules: Vec<RuleReport> = numbers
            .clone()
            .map(|number| {
                let RuleTotals { evaluations, warming_up, best_covered, .. } = self.judge.totals[number];
                let matched_series = self.intake.matched_by_rule.get(number).copied().unwrap_or(0);
                RuleReport { matched_series, evaluations, warming_up, best_covered }
            })
            .collect();
        let present =
            self.intake.entities.iter().filter(|e| e.definitions(&self.selection).contains(&d)).count() as u64;
        let matched_entities = present + self.intake.past.matched_entities(d);
        let lives = self.life_reports(d);
        let verdict = if !definition.enabled {
            Verdict::Disabled
        } else if definition.problem.is_some() {
            Verdict::Inconclusive(InconclusiveReason::Problem)
        } else if self.judge.opened[d] > 0 {
            Verdict::Fired
        } else if self.selection.is_trend[d]
            && self.options.scaled_windows
            && rules.iter().all(|rule| rule.matched_series > 0)
        {
            Verdict::Inconclusive(InconclusiveReason::Scaled)
        } else if self.selection.is_trend[d] && rules.iter().all(|rule| rule.evaluations + rule.warming_up > 0) {
            quiet_trend(rules.len(), &lives)
        } else if !self.selection.is_trend[d] && rules.iter().all(|rule| rule.evaluations > 0) {
            Verdict::Quiet
        } else if matched_entities == 0 {
            Verdict::Inconclusive(InconclusiveReason::NoEntity)
        } else if rules.iter().any(|rule| rule.evaluations == 0 && rule.matched_series == 0) {
            Verdict::Inconclusive(InconclusiveReason::NoSeries)
        } else if numbers.clone().any(|number| self.judge.totals[number].never_had_a_value()) {
            Verdict::Inconclusive(InconclusiveReason::NoValue)
        } else {
            Verdict::Inconclusive(InconclusiveReason::WarmingUp)
        };
        DefinitionReport {
            verdict,
            matched_series: self.intake.matched_series.get(d).copied().unwrap_or(0),
            matched_entities,
            evaluations: rules.iter().map(|rule| rule.evaluations).sum(),
            warming_up: rules.iter().map(|rule| rule.warming_up).sum(),
            opened: self.judge.opened[d],
            violating: self.judge.violating[d],
            step: self.selection.steps[d],
            nearest: self.nearest_of(d),
            rules,
            lives,
            lives_left_out: self.lives_not_told(d),
        }
    }

    fn several_writers(&self) -> Vec<SeriesLabel> {
        let watched = self.trends.several_writers();
        let named = |series: &u32| self.store.has_several_writers(*series) || watched.contains(series);
        let present = self.store.series_ids().filter(named).map(|series| self.label_of(series));
        self.intake.past.several_writers.iter().cloned().chain(present).collect()
    }

    fn negative_deltas(&self) -> Vec<Arc<MetricIdentity>> {
        let mut named = self.intake.past.negative_deltas.clone();
        for series in self.store.series_ids().filter(|&series| self.store.has_negative_delta(series)) {
            let metric = self.store.metric_of(series);
            if !named.contains(metric) {
                named.push(metric.clone());
            }
        }
        named
    }

    fn metrics(&self) -> Vec<(Arc<MetricIdentity>, usize)> {
        let mut metrics: HashMap<&Arc<MetricIdentity>, usize> =
            self.intake.past.metrics.iter().map(|(metric, n)| (metric, *n)).collect();
        for series in self.store.series_ids() {
            *metrics.entry(self.store.metric_of(series)).or_default() += 1;
        }
        let mut metrics: Vec<_> = metrics.into_iter().map(|(metric, n)| (metric.clone(), n)).collect();
        metrics.sort_by_cached_key(|(metric, _)| (metric.id(), metric.kind, metric.temporality, metric.monotonic));
        metrics
    }
}

/// The verdict over a definition of trend rules that raised no event: quiet when each rule could have found a leak in some
/// life, else why it could not.
fn quiet_trend(rules: usize, lives: &[LifeReport]) -> Verdict {
    let said =
        |rule: usize, verdict: TrendVerdict| lives.iter().any(|life| life.rule == rule && life.verdict == verdict);
    let judged = |rule| said(rule, TrendVerdict::NoLeak) || said(rule, TrendVerdict::Leak);
    let Some(rule) = (0..rules).find(|&rule| !judged(rule)) else { return Verdict::Quiet };
    let reasons = [InconclusiveReason::SeveralWriters, InconclusiveReason::Gap];
    let reason = reasons.into_iter().find(|&reason| said(rule, TrendVerdict::Inconclusive(reason)));
    Verdict::Inconclusive(reason.unwrap_or(InconclusiveReason::WarmingUp))
}
