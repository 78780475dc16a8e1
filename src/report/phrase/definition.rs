//! What became of a definition, as one sentence: fired, quiet or inconclusive, why, and how near it came.

use super::event::severity;
use super::rule::{self, short_series};
use super::{no_match, trend};
use crate::definition::{EventDefinition, LogicalOperator};
use crate::engine::{DefinitionReport, EvaluationReport, Event, InconclusiveReason, Nearest, SeriesLabel, Verdict};
use crate::report::outcome::Replay;
use crate::report::quantity::{count, counted, percent};
use crate::report::time::{Times, duration, span_ms};
use std::collections::BTreeSet;

/// One definition and what became of it.
pub(in crate::report) struct DefinitionResult<'a> {
    pub(in crate::report) replay: &'a Replay<'a>,
    pub(in crate::report) index: usize,
    pub(in crate::report) definition: &'a EventDefinition,
    pub(in crate::report) report: &'a DefinitionReport,
    pub(in crate::report) times: Times,
}

impl<'a> DefinitionResult<'a> {
    /// All of them, in their order.
    pub(in crate::report) fn all(replay: &'a Replay<'a>) -> impl Iterator<Item = DefinitionResult<'a>> {
        let times = Times::new(replay.report.coverage.from, replay.report.coverage.to);
        let pairs = replay.definitions.iter().zip(&replay.report.definitions).enumerate();
        pairs.map(move |(index, (definition, report))| DefinitionResult { replay, index, definition, report, times })
    }

    /// What became of it, as one sentence.
    pub(in crate::report) fn outcome(&self) -> String {
        match self.report.verdict {
            Verdict::Fired => self.fired(),
            Verdict::Quiet => self.quiet(),
            Verdict::Inconclusive(reason) => self.inconclusive(reason),
            Verdict::Disabled => "disabled by `enabled: false`".to_string(),
        }
    }

    /// Its events.
    pub(in crate::report) fn events(&self) -> impl Iterator<Item = &Event> {
        self.replay.report.events.iter().filter(move |event| event.definition == self.index)
    }

    fn fired(&self) -> String {
        let events = self.events().count() as u64;
        let entities: BTreeSet<&str> =
            self.events().filter_map(|event| event.entity.as_ref()).map(|entity| entity.label.as_str()).collect();
        let highest = self.events().map(|event| event.severity).max().unwrap_or(0);
        let mut text = format!("{}, {}", counted(events, "event", "events"), severity(highest).to_lowercase());
        if self.replay.report.counts.entities > 1 && !entities.is_empty() {
            text += &format!(", on {} of {} entities", entities.len(), self.report.matched_entities);
        }
        if let Some(worst) = trend::worst(self.definition, self.report) {
            return format!("{text}; {worst}");
        }
        let held = self.report.step.saturating_mul(i64::try_from(self.report.violating).unwrap_or(i64::MAX));
        if held > 0 {
            text += &format!("; violated for {}", duration(held));
            text += &self.share_of_all(held);
        }
        match self.nearest() {
            Some((seen, _)) => format!("{text}; {seen}"),
            None => text,
        }
    }

    /// Only for one entity does the share of the whole time mean something.
    fn share_of_all(&self, held: i64) -> String {
        let coverage = self.replay.report.coverage;
        match (coverage.from, coverage.to) {
            (Some(from), Some(to)) if to > from && self.report.matched_entities <= 1 => {
                let share = percent((held as f64 / (to - from) as f64).min(1.0));
                format!(" ({share} of the {})", self.replay.what)
            }
            _ => String::new(),
        }
    }

    fn quiet(&self) -> String {
        if let Some(text) = trend::quiet(self.definition, self.report) {
            return text;
        }
        let Some((seen, nearest)) = self.nearest() else { return "never violated".to_string() };
        match self.definition.operator {
            _ if !self.is_threshold(nearest) => format!("closest {seen}"),
            _ if nearest.margin >= 0.0 => seen,
            LogicalOperator::And => format!("one rule was violated, but never all of them at once; {seen}"),
            LogicalOperator::Or => format!("violated, but no event was opened; {seen}"),
        }
    }

    fn is_threshold(&self, nearest: &Nearest) -> bool {
        self.definition.rules.get(nearest.rule).is_some_and(|rule| rule.threshold().is_some())
    }

    /// What was nearest to its limit: `peak 0.62 (threshold 0.8, 22% below) at 12:03:10 on shop (i-1)`, or
    /// `at 06:00:00: 1 entity present`.
    fn nearest(&self) -> Option<(String, &Nearest)> {
        let nearest = self.report.nearest.as_ref()?;
        let rule = self.definition.rules.get(nearest.rule)?;
        let seen = rule::observed(Some(rule), nearest.observation.value, nearest.series.as_ref());
        let at = self.times.time(nearest.observation.evaluation_time);
        let whose = nearest.series.as_ref().map(|series| self.whose(series)).unwrap_or_default();
        let text = match self.is_threshold(nearest) {
            true => format!("{} {seen} at {at}{whose}", rule::extreme_word(Some(rule))),
            false => format!("at {at}: {seen}"),
        };
        Some((text, nearest))
    }

    fn whose(&self, series: &SeriesLabel) -> String {
        let mut text = String::new();
        if self.report.matched_entities > 1 {
            text += &format!(" on {}", shortened(&series.entity.label));
        }
        if self.report.matched_series > self.report.matched_entities && !series.attributes.is_empty() {
            text += &format!(" {}", series.attributes.to_suffix());
        }
        text
    }

    fn inconclusive(&self, reason: InconclusiveReason) -> String {
        if let Some(text) = trend::inconclusive(self.definition, self.report, reason) {
            return text;
        }
        match reason {
            InconclusiveReason::Problem => match &self.definition.problem {
                Some(problem) => format!("cannot be evaluated: {problem}"),
                None => "cannot be evaluated: the definition has a problem".to_string(),
            },
            InconclusiveReason::NoEntity => no_match::no_entity(self.definition, self.replay.report),
            InconclusiveReason::NoSeries => self.no_series(),
            InconclusiveReason::WarmingUp
            | InconclusiveReason::Gap
            | InconclusiveReason::SeveralWriters
            | InconclusiveReason::Scaled => self.warming_up(),
            InconclusiveReason::NoValue => {
                "windows had data, but no value (nothing new to aggregate, or a change relative to 0)".to_string()
            }
        }
    }

    fn no_series(&self) -> String {
        let rules = self.definition.rules.iter().zip(&self.report.rules).enumerate();
        let missing = rules.filter(|(_, (_, report))| report.matched_series == 0).map(|(i, (rule, _))| {
            let text = rule::no_series(rule, self.definition, self.replay);
            if self.definition.rules.len() > 1 { format!("rule {i}: {text}") } else { text }
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() { "no series matches".to_string() } else { missing.join("; ") }
    }

    fn warming_up(&self) -> String {
        let rules = self.definition.rules.iter().zip(&self.report.rules);
        let mut unfilled = rules.filter(|(_, report)| report.evaluations == 0);
        let Some((window, report)) = unfilled.find_map(|(rule, report)| Some((rule.window_ms()?, report))) else {
            return "no window had enough data".to_string();
        };
        let window = span_ms(window);
        let covered = match report.best_covered {
            0 => String::new(),
            best => format!(": at best {} of {window} had data", duration(best)),
        };
        format!("the {} is too short to fill the window of {window}{covered}", self.replay.what)
    }
}

/// A label with a long instance id (a UUID) cut to its first eight characters; the events name it in full.
fn shortened(label: &str) -> String {
    let cut = || {
        let (name, id) = label.strip_suffix(')')?.rsplit_once(" (")?;
        (id.chars().count() > 12).then(|| format!("{name} ({}…)", id.chars().take(8).collect::<String>()))
    };
    cut().unwrap_or_else(|| label.to_string())
}

/// How a series is named below the definitions.
pub(in crate::report) fn series_name(label: &SeriesLabel) -> String {
    format!("{} of {}", short_series(&label.metric, &label.attributes), label.entity.label)
}

/// One sentence over all definitions.
pub fn summary(report: &EvaluationReport) -> String {
    let number = |wanted: fn(&Verdict) -> bool| report.definitions.iter().filter(|d| wanted(&d.verdict)).count() as u64;
    let opened = report.definitions.iter().map(|definition| definition.opened).sum();
    let fired = number(|verdict| matches!(verdict, Verdict::Fired));
    let quiet = number(|verdict| matches!(verdict, Verdict::Quiet));
    let inconclusive = number(|verdict| matches!(verdict, Verdict::Inconclusive(_)));
    let disabled = number(|verdict| matches!(verdict, Verdict::Disabled));
    let mut parts = vec![
        format!("{} fired ({})", count(fired), counted(opened, "event", "events")),
        format!("{} quiet", count(quiet)),
        format!("{} inconclusive", count(inconclusive)),
    ];
    if disabled > 0 {
        parts.push(format!("{} disabled", count(disabled)));
    }
    let all = counted(report.definitions.len() as u64, "definition", "definitions");
    format!("{all}: {}.", parts.join(", "))
}
