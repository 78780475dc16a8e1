//! Fills in the report.

use super::alert::alerts::Alerts;
use super::evaluate::evaluation::Evaluate;
use super::evaluate::evaluator::Target;
use super::evaluate::trend::{LifeReport, TrendVerdict};
use super::ingest::resources::Ingest;
use super::report::{DefinitionReport, EvaluationReport, RuleReport};
use super::verdict::{InconclusiveReason, Verdict};

/// What was evaluated so far.
pub(super) fn report(ingest: &Ingest, evaluate: &Evaluate, alerts: &Alerts) -> EvaluationReport {
    let mut events = alerts.events(evaluate.schedule.from, &ingest.rules);
    events.sort_by_cached_key(|e| {
        (e.start, e.definition, e.entity.as_ref().map(|entity| (entity.label.clone(), entity.resource.to_suffix())))
    });
    let tally = evaluate.tally(ingest);
    let definitions = ingest.rules.compiled.iter().enumerate().map(|(d, compiled)| {
        let of_rule = |rule| RuleReport { matched_series: ingest.matched_by_rule[rule], ..tally.rules[rule] };
        let rules: Vec<RuleReport> = compiled.rules.clone().map(of_rule).collect();
        let mut report = DefinitionReport {
            verdict: Verdict::Disabled,
            matched_series: ingest.matched_series[d],
            matched_entities: ingest.matched_entities(d),
            evaluations: rules.iter().map(|rule| rule.evaluations).sum(),
            warming_up: rules.iter().map(|rule| rule.warming_up).sum(),
            opened: alerts.opened[d],
            violating: tally.definitions[d].violating,
            step: compiled.step,
            nearest: evaluate.nearest(d, ingest),
            rules,
            lives: evaluate.trends.life_reports(d, ingest),
            lives_left_out: evaluate.trends.lives_left_out(d, &ingest.rules),
        };
        report.verdict = verdict(d, &report, ingest);
        report
    });
    EvaluationReport {
        definitions: definitions.collect(),
        events,
        counts: ingest.counts.clone(),
        coverage: ingest.coverage(),
        several_writers: ingest.several_writers(&evaluate.trends.several_writers()),
        negative_deltas: ingest.negative_deltas(),
        metrics: ingest.metrics(),
    }
}

fn verdict(d: usize, report: &DefinitionReport, Ingest { rules, options, .. }: &Ingest) -> Verdict {
    let definition = &rules.definitions[d];
    let is_trend = rules.compiled[d].target == Target::Trend;
    let all = |is_so: fn(&RuleReport) -> bool| report.rules.iter().all(is_so);
    if !definition.enabled {
        Verdict::Disabled
    } else if definition.problem.is_some() {
        Verdict::Inconclusive(InconclusiveReason::Problem)
    } else if report.opened > 0 {
        Verdict::Fired
    } else if is_trend && options.scaled_windows && all(|rule| rule.matched_series > 0) {
        Verdict::Inconclusive(InconclusiveReason::Scaled)
    } else if is_trend && all(|rule| rule.evaluations + rule.warming_up > 0) {
        quiet_trend(report.rules.len(), &report.lives)
    } else if !is_trend && all(|rule| rule.evaluations > 0) {
        Verdict::Quiet
    } else if report.matched_entities == 0 {
        Verdict::Inconclusive(InconclusiveReason::NoEntity)
    } else if !all(|rule| rule.evaluations > 0 || rule.matched_series > 0) {
        Verdict::Inconclusive(InconclusiveReason::NoSeries)
    } else if report.rules.iter().any(|rule| rule.no_value && rule.evaluations == 0) {
        Verdict::Inconclusive(InconclusiveReason::NoValue)
    } else {
        Verdict::Inconclusive(InconclusiveReason::WarmingUp)
    }
}

/// The verdict over a definition of trend rules without an event: quiet when each rule could have found a leak in some life,
/// else why it could not.
fn quiet_trend(rules: usize, lives: &[LifeReport]) -> Verdict {
    let has =
        |rule: usize, verdict: TrendVerdict| lives.iter().any(|life| life.rule == rule && life.verdict == verdict);
    let is_conclusive = |rule| has(rule, TrendVerdict::NoLeak) || has(rule, TrendVerdict::Leak);
    let Some(rule) = (0..rules).find(|&rule| !is_conclusive(rule)) else { return Verdict::Quiet };
    let reasons = [InconclusiveReason::SeveralWriters, InconclusiveReason::Gap];
    let reason = reasons.into_iter().find(|&reason| has(rule, TrendVerdict::Inconclusive(reason)));
    Verdict::Inconclusive(reason.unwrap_or(InconclusiveReason::WarmingUp))
}
