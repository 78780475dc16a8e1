//! What became of a definition of trend rules, in its line: how many lives leak, do not, or cannot be told.

use crate::definition::{EventDefinition, MetricId, RuleKind, Trend};
use crate::engine::trend::{LifeReport, TrendVerdict};
use crate::engine::{DefinitionReport, InconclusiveReason};
use crate::report::quantity::count;
use crate::report::trend;
use crate::report::words::{Clock, counted, duration, paragraph, span_ms};
use std::io::{self, Write};

fn rules(definition: &EventDefinition) -> impl Iterator<Item = &Trend> {
    definition.rules.iter().filter_map(|rule| match &rule.kind {
        RuleKind::Trend(trend) => Some(trend),
        RuleKind::Threshold(_) | RuleKind::Presence(_) => None,
    })
}

/// The steepest leak that was raised; `None` when the definition is not about trends.
pub(super) fn worst(definition: &EventDefinition, report: &DefinitionReport) -> Option<String> {
    rules(definition).next()?;
    let leaks = report.lives.iter().filter(|life| life.verdict == TrendVerdict::Leak);
    let slopes = leaks.filter_map(|life| life.evidence.as_ref().map(|evidence| evidence.figures.slope));
    Some(match slopes.max_by(f64::total_cmp) {
        Some(slope) => format!("potential leak of {}{}", trend::slope(slope), others(report)),
        None => "potential leak".to_string(),
    })
}

/// Lives that could not be told stand beside the verdict on the others.
fn others(report: &DefinitionReport) -> String {
    let undecided = |life: &&LifeReport| matches!(life.verdict, TrendVerdict::Inconclusive(_));
    match report.lives.iter().filter(undecided).count() as u64 {
        0 => String::new(),
        n => format!("; of {} it cannot be told (-v says why)", counted(n, "other life", "other lives")),
    }
}

/// Why no event was opened; `None` when the definition is not about trends.
pub(super) fn quiet(definition: &EventDefinition, report: &DefinitionReport) -> Option<String> {
    rules(definition).next()?;
    let judged = report.lives.iter().filter(|life| life.verdict == TrendVerdict::NoLeak);
    let steepest = judged.max_by(|a, b| {
        let slope = |life: &LifeReport| life.evidence.as_ref().map_or(f64::NEG_INFINITY, |e| e.figures.slope);
        slope(a).total_cmp(&slope(b))
    });
    let said = steepest.map_or_else(|| "no leak".to_string(), trend::no_leak);
    Some(format!("{said}{}", others(report)))
}

/// Why nothing could be told; `None` when that is for a reason that is not about trends.
pub(super) fn inconclusive(
    definition: &EventDefinition,
    report: &DefinitionReport,
    reason: InconclusiveReason,
) -> Option<String> {
    let parameters = &rules(definition).next()?.parameters;
    match reason {
        InconclusiveReason::WarmingUp | InconclusiveReason::Gap => {
            let why = TrendVerdict::Inconclusive(reason);
            let seen = report.lives.iter().filter(|life| life.verdict == why).map(|life| life.seen).max();
            Some(trend::undecided(reason, seen, parameters))
        }
        InconclusiveReason::SeveralWriters | InconclusiveReason::Scaled => {
            Some(trend::undecided(reason, None, parameters))
        }
        InconclusiveReason::NoValue => {
            Some("the series have no level that could grow: they are delta sums or histograms".to_string())
        }
        InconclusiveReason::NoSeries | InconclusiveReason::NoEntity | InconclusiveReason::Problem => None,
    }
}

/// The counts behind the verdict and every life.
pub(super) fn rule(
    out: &mut dyn Write,
    indent: usize,
    (index, rule): (usize, &Trend),
    report: &DefinitionReport,
    clock: Clock,
) -> io::Result<()> {
    let pad = " ".repeat(indent);
    let metrics: Vec<&str> = rule.metrics.iter().map(|id: &MetricId| id.text.as_str()).collect();
    let windows: Vec<String> = rule.parameters.ladder.iter().map(|rung| span_ms(rung.window_ms)).collect();
    if let Some(of_rule) = report.rules.get(index) {
        let text = format!(
            "rule {index}: trend of {} over {}; {}, judged {} times, warming up {} times, every {}",
            metrics.join(" or "),
            windows.join(", "),
            counted(of_rule.matched_series, "series", "series"),
            count(of_rule.evaluations),
            count(of_rule.warming_up),
            duration(report.step),
        );
        paragraph(out, &pad, indent, &text)?;
    }
    for life in report.lives.iter().filter(|life| life.rule == index) {
        let text = format!(
            "{} since {}: {}",
            life.series.entity.label,
            clock.time(life.start),
            trend::life(life, &rule.parameters)
        );
        paragraph(out, &format!("{pad}- "), indent + 2, &text)?;
    }
    if report.lives_left_out > 0 {
        paragraph(out, &format!("{pad}- "), indent + 2, &format!("and {} more", count(report.lives_left_out)))?;
    }
    Ok(())
}
