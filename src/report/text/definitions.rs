//! One line per definition: fired, quiet or inconclusive, why, and how near it came; then what is worth knowing about the
//! metrics behind it.

use super::events::{measure, presence_seen, severity, short_series};
use super::{Detail, Replay, trends};
use crate::catalog::{self, Misleads, Trap};
use crate::definition::{EventDefinition, LogicalOperator, RuleKind, Selector, Threshold};
use crate::engine::{DefinitionReport, Event, InconclusiveReason, Nearest, SeriesLabel, Verdict};
use crate::model::MetricIdentity;
use crate::report::Style;
use crate::report::hint;
use crate::report::quantity::{Measure, count, margin, percent};
use crate::report::words::{Clock, clean, counted, duration, meant, paragraph, span_ms};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Columns of the verdict.
const VERDICT: usize = 16;
/// The longest name that still has its own column.
const LONGEST_NAME: usize = 28;

/// Writes the table of definitions and the remarks below it.
pub(super) fn write(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "{}", style.strong("DEFINITIONS"))?;
    let remarks = table(out, replay, |_| true, style)?;
    write_remarks(out, remarks, style)
}

/// Writes a line for each definition that is meant, by its name. Gives back what is worth knowing.
pub(super) fn table(
    out: &mut dyn Write,
    replay: &Replay<'_>,
    is_meant: impl Fn(&str) -> bool,
    style: Style,
) -> io::Result<Vec<Remark>> {
    let longest = replay.definitions.iter().map(|definition| definition.name.chars().count()).max().unwrap_or(0);
    let name_width = longest.min(LONGEST_NAME);
    let clock = Clock::new(replay.report.coverage.from, replay.report.coverage.to);
    let mut remarks = Vec::new();
    for (index, (definition, report)) in replay.definitions.iter().zip(&replay.report.definitions).enumerate() {
        if !is_meant(&definition.name) {
            continue;
        }
        let line = Line { replay, index, definition, report, clock };
        let word = format!("{:<width$}", report.verdict.as_str(), width = VERDICT - 2);
        let word = match report.verdict {
            Verdict::Fired => style.critical(&word),
            Verdict::Quiet => style.good(&word),
            Verdict::Inconclusive(_) => style.warning(&word),
            Verdict::Disabled => style.dim(&word),
        };
        let name = clean(&definition.name);
        let name_length = name.chars().count().max(name_width);
        let padding = name_length - name.chars().count();
        let lead = format!("  {word}{name}{:padding$}  ", "");
        if name_length > name_width {
            writeln!(out, "{}", lead.trim_end())?;
            let indent = VERDICT + name_width + 2;
            paragraph(out, &" ".repeat(indent), indent, &line.outcome())?;
        } else {
            paragraph(out, &lead, VERDICT + name_width + 2, &line.outcome())?;
        }
        if replay.detail == Detail::Full {
            line.rules(out, VERDICT + 2)?;
        }
        line.remarks(&mut remarks);
    }
    Ok(remarks)
}

/// What became of a definition, as one sentence; empty when there is no such definition.
pub(in crate::report) fn outcome(replay: &Replay<'_>, index: usize) -> String {
    let clock = Clock::new(replay.report.coverage.from, replay.report.coverage.to);
    let (definition, report) = (replay.definitions.get(index), replay.report.definitions.get(index));
    let line = definition.zip(report).map(|(definition, report)| Line { replay, index, definition, report, clock });
    line.map(|line| line.outcome()).unwrap_or_default()
}

fn write_remarks(out: &mut dyn Write, mut remarks: Vec<Remark>, style: Style) -> io::Result<()> {
    if remarks.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", style.strong("WORTH KNOWING"))?;
    remarks.sort_by_key(|remark| remark.rank);
    let mut last = String::new();
    for remark in remarks {
        if remark.about != last {
            writeln!(out, "  {}", clean(&remark.about))?;
            last.clone_from(&remark.about);
        }
        paragraph(out, "    - ", 6, &remark.text)?;
    }
    Ok(())
}

/// Something about a metric that the reader of a verdict should know.
pub(super) struct Remark {
    /// What fired comes first, then what could not be judged.
    rank: u8,
    about: String,
    text: String,
}

/// One definition and what became of it.
struct Line<'a> {
    replay: &'a Replay<'a>,
    index: usize,
    definition: &'a EventDefinition,
    report: &'a DefinitionReport,
    clock: Clock,
}

impl Line<'_> {
    fn outcome(&self) -> String {
        match self.report.verdict {
            Verdict::Fired => self.fired(),
            Verdict::Quiet => self.quiet(),
            Verdict::Inconclusive(reason) => self.inconclusive(reason),
            Verdict::Disabled => "switched off by `enabled: false`".to_string(),
        }
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
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
        if let Some(worst) = trends::worst(self.definition, self.report) {
            return format!("{text}; {worst}");
        }
        let held = self.report.step.saturating_mul(i64::try_from(self.report.violating).unwrap_or(i64::MAX));
        if held > 0 {
            text += &format!("; violated for {}", duration(held));
            text += &self.share_of_all(held);
        }
        if let Some((threshold, nearest)) = self.nearest() {
            text += &format!("; worst {}", self.distance(threshold, nearest));
        } else if let Some(seen) = self.nearest_presence() {
            text += &format!("; worst {seen}");
        }
        text
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
        if let Some(text) = trends::quiet(self.definition, self.report) {
            return text;
        }
        match self.nearest() {
            Some((threshold, nearest)) => {
                let far = self.distance(threshold, nearest);
                if nearest.margin < 0.0 {
                    let why = match self.definition.operator {
                        LogicalOperator::And => "one rule was violated, but never all of them at once",
                        LogicalOperator::Or => "violated, but no event was opened",
                    };
                    format!("{why}; worst {far}")
                } else {
                    format!("nearest {far}")
                }
            }
            None => match self.nearest_presence() {
                Some(seen) => format!("nearest {seen}"),
                None => "never violated".to_string(),
            },
        }
    }

    /// What a presence rule saw when it was nearest: `1 entity present … at 06:00:00`.
    fn nearest_presence(&self) -> Option<String> {
        let nearest = self.report.nearest.as_ref()?;
        match &self.definition.rules.get(nearest.rule)?.kind {
            RuleKind::Presence(presence) => {
                let seen = presence_seen(presence, nearest.observation.value);
                Some(format!("at {}: {seen}", self.clock.time(nearest.observation.at)))
            }
            RuleKind::Threshold(_) | RuleKind::Trend(_) => None,
        }
    }

    fn nearest(&self) -> Option<(&Threshold, &Nearest)> {
        let nearest = self.report.nearest.as_ref()?;
        match &self.definition.rules.get(nearest.rule)?.kind {
            RuleKind::Threshold(threshold) => Some((threshold, nearest)),
            RuleKind::Presence(_) | RuleKind::Trend(_) => None,
        }
    }

    /// `0.62 of 0.8 at 12:03:10 on shop (i-1), 22 % below`.
    fn distance(&self, threshold: &Threshold, nearest: &Nearest) -> String {
        let series = nearest.series.as_ref();
        let measure = measure(threshold, series.map(|series| series.metric.as_ref()));
        let value = nearest.observation.value;
        format!(
            "{} of {} at {}{}, {}",
            measure.beside(value, threshold.condition.value),
            measure.exact(threshold.condition.value),
            self.clock.time(nearest.observation.at),
            series.map(|series| self.whose(series)).unwrap_or_default(),
            margin(measure, threshold.condition, value),
        )
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
        if let Some(text) = trends::inconclusive(self.definition, self.report, reason) {
            return text;
        }
        match reason {
            InconclusiveReason::Problem => match &self.definition.problem {
                Some(problem) => format!("cannot be judged: {problem}"),
                None => "cannot be judged: the definition has a problem".to_string(),
            },
            InconclusiveReason::NoEntity => hint::no_entity(self.definition, self.replay.report),
            InconclusiveReason::NoSeries => self.no_series(),
            InconclusiveReason::WarmingUp
            | InconclusiveReason::Gap
            | InconclusiveReason::SeveralWriters
            | InconclusiveReason::Scaled => self.warming_up(),
            InconclusiveReason::NoValue => self.no_value(),
        }
    }

    fn no_series(&self) -> String {
        let rules = self.definition.rules.iter().zip(&self.report.rules).enumerate();
        let missing = rules.filter(|(_, (_, report))| report.matched_series == 0).map(|(i, (rule, _))| {
            let text = match &rule.kind {
                RuleKind::Threshold(threshold) => hint::no_series(&threshold.selector, self.definition, self.replay),
                RuleKind::Trend(trend) => hint::no_series_of_ids(&trend.metrics, self.definition, self.replay),
                RuleKind::Presence(presence) => {
                    format!("no {} was seen, so none can be missed", meant(presence))
                }
            };
            if self.definition.rules.len() > 1 { format!("rule {i}: {text}") } else { text }
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() { "no series matches".to_string() } else { missing.join("; ") }
    }

    fn warming_up(&self) -> String {
        let rules = self.definition.rules.iter().zip(&self.report.rules);
        let unjudged =
            rules.filter(|(_, report)| report.evaluations == 0).find_map(|(rule, report)| match &rule.kind {
                RuleKind::Threshold(threshold) => Some((threshold, report)),
                RuleKind::Presence(_) | RuleKind::Trend(_) => None,
            });
        match unjudged {
            Some((threshold, report)) => {
                let window = span_ms(threshold.window_ms);
                let covered = match report.best_covered {
                    0 => String::new(),
                    best => format!(": at best {} of {window} had points", duration(best)),
                };
                format!("the {} is too short to fill the window of {window}{covered}", self.replay.what)
            }
            None => "no window was covered well enough by points".to_string(),
        }
    }

    fn no_value(&self) -> String {
        let what: BTreeSet<String> = self
            .definition
            .rules
            .iter()
            .filter_map(|rule| match &rule.kind {
                RuleKind::Threshold(threshold) => Some(threshold.aggregation.name()),
                RuleKind::Presence(_) | RuleKind::Trend(_) => None,
            })
            .collect();
        let what: Vec<String> = what.into_iter().collect();
        format!(
            "windows were covered, but {} had no value (nothing new to aggregate, or a change in relation to 0)",
            what.join(", ")
        )
    }

    /// The counts behind the verdict, one line per rule.
    fn rules(&self, out: &mut dyn Write, indent: usize) -> io::Result<()> {
        for (index, (rule, report)) in self.definition.rules.iter().zip(&self.report.rules).enumerate() {
            if let RuleKind::Trend(trend) = &rule.kind {
                trends::rule(out, indent, (index, trend), self.report, self.clock)?;
            }
            let RuleKind::Threshold(threshold) = &rule.kind else { continue };
            let metric = match &threshold.selector {
                Selector::Id(id) => id.text.clone(),
                Selector::Pattern(pattern) => {
                    let operator = crate::report::words::match_operator(pattern.operator);
                    format!("{}.{{{operator} {}}}.{}", pattern.prefix, pattern.placeholder, pattern.postfix)
                }
            };
            let text = format!(
                "rule {index}: {} of {metric} over {} {} {}; {}, judged {} times, warming up {} times, every {}",
                threshold.aggregation.name(),
                span_ms(threshold.window_ms),
                threshold.condition.operator.as_str(),
                Measure::plain().exact(threshold.condition.value),
                counted(report.matched_series, "series", "series"),
                count(report.evaluations),
                count(report.warming_up),
                duration(self.report.step),
            );
            paragraph(out, &" ".repeat(indent), indent, &text)?;
        }
        Ok(())
    }

    /// What the catalog knows about the metrics of this definition that could make its verdict wrong.
    fn remarks(&self, remarks: &mut Vec<Remark>) {
        for rule in &self.definition.rules {
            let RuleKind::Threshold(threshold) = &rule.kind else { continue };
            let Selector::Id(id) = &threshold.selector else { continue };
            let path = id.path();
            let Some(known) = catalog::python().metric_of_path(path) else { continue };
            let aggregation = threshold.aggregation.name();
            for trap in &known.traps {
                let misled = match (trap.misleads, self.report.verdict) {
                    (Misleads::Both, Verdict::Fired | Verdict::Quiet) => true,
                    (Misleads::Fired, verdict) => verdict == Verdict::Fired,
                    (Misleads::Quiet, verdict) => verdict == Verdict::Quiet,
                    (Misleads::Inconclusive, verdict) => matches!(verdict, Verdict::Inconclusive(_)),
                    (Misleads::Both, Verdict::Inconclusive(_) | Verdict::Disabled) => false,
                };
                let shown = misled
                    && self.is_sent_with(trap)
                    && trap.beside.as_deref().is_none_or(|other| self.has_arrived(other))
                    && trap.aggregation.as_deref().is_none_or(|wanted| wanted == aggregation)
                    && (!trap.verbose || self.replay.detail == Detail::Full)
                    && (trap.attributes.is_empty() || self.violating_series().any(|s| trap.concerns_series(s)));
                if shown && remarks.iter().all(|remark| remark.text != trap.text) {
                    let about = format!("{} ({})", self.definition.name, known.name);
                    remarks.push(Remark { rank: self.rank(), about, text: trap.text.clone() });
                }
            }
        }
    }

    fn rank(&self) -> u8 {
        match self.report.verdict {
            Verdict::Fired => 0,
            Verdict::Inconclusive(_) => 1,
            Verdict::Quiet => 2,
            Verdict::Disabled => 3,
        }
    }

    /// Whether one of the clients has the trap; all that is unknown may have it.
    fn is_sent_with(&self, trap: &Trap) -> bool {
        let scope = &catalog::python().scope;
        let mut clients = self.replay.clients.iter().filter(|client| client.scope == *scope).peekable();
        clients.peek().is_none() || clients.any(|client| trap.concerns(client.release()))
    }

    fn has_arrived(&self, name: &str) -> bool {
        self.replay.report.metrics.iter().any(|(metric, _)| metric.name == name)
    }

    fn violating_series(&self) -> impl Iterator<Item = &crate::model::Attributes> {
        self.events()
            .flat_map(|event| &event.rules)
            .flat_map(|rule| &rule.series)
            .map(|series| series.attributes.as_ref())
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
pub(super) fn series_name(label: &SeriesLabel) -> String {
    let metric: &MetricIdentity = &label.metric;
    format!("{} of {}", short_series(metric, &label.attributes), label.entity.label)
}
