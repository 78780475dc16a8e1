//! Events as a timeline per entity.

use super::{Detail, Replay};
use crate::catalog;
use crate::engine::{CloseReason, EntityLabel, Event, EventState, Peak, ViolatedRule, ViolatingSeries};
use crate::event::{EventDefinition, Presence, Rule, RuleKind, Threshold};
use crate::model::{Attributes, MetricIdentity, Nanos};
use crate::render::Style;
use crate::render::quantity::{Measure, margin};
use crate::render::words::{Clock, aggregation, counted, duration, paragraph, span_ms};
use std::io::{self, Write};

/// More events than this are only counted in the brief text.
const MOST_EVENTS: usize = 60;
/// More violating series of a rule than this are only counted in the brief text.
const MOST_SERIES: usize = 3;
/// Columns of the bar that shows when an event was open.
const BAR: usize = 60;
/// Columns in front of what is said about an event.
const INDENT: usize = 12;

/// Writes the events, grouped by entity; entities in the order of their first event.
pub(super) fn write(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let events = &replay.report.events;
    if events.is_empty() {
        return Ok(());
    }
    let clock = Clock::new(replay.report.coverage.from, replay.report.coverage.to);
    let limit = if replay.detail == Detail::Full { usize::MAX } else { MOST_EVENTS };
    let mut written = 0;
    for (entity, group) in by_entity(events) {
        if written >= limit {
            break;
        }
        writeln!(out)?;
        writeln!(out, "{}", style.strong(&entity_name(entity)))?;
        for event in group.iter().take(limit - written) {
            if let Some(definition) = replay.definitions.get(event.definition) {
                Story { replay, definition, event, clock, style }.write(out)?;
            }
            written += 1;
        }
    }
    if written < events.len() {
        writeln!(out)?;
        let rest = (events.len() - written) as u64;
        writeln!(out, "and {}, shown with -v.", counted(rest, "more event", "more events"))?;
    }
    Ok(())
}

fn by_entity(events: &[Event]) -> Vec<(Option<&EntityLabel>, Vec<&Event>)> {
    let mut groups: Vec<(Option<&EntityLabel>, Vec<&Event>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for event in events {
        let entity = event.entity.as_deref();
        let key = entity.map(|entity| &entity.resource);
        let place = *places.entry(key).or_insert_with(|| {
            groups.push((entity, Vec::new()));
            groups.len() - 1
        });
        if let Some((_, group)) = groups.get_mut(place) {
            group.push(event);
        }
    }
    groups
}

fn entity_name(entity: Option<&EntityLabel>) -> String {
    match entity {
        Some(entity) if entity.label.is_empty() => "a resource without a service name".to_string(),
        Some(entity) => entity.label.clone(),
        None => "no single entity".to_string(),
    }
}

/// One event and all that is needed to tell it.
struct Story<'a> {
    replay: &'a Replay<'a>,
    definition: &'a EventDefinition,
    event: &'a Event,
    clock: Clock,
    style: Style,
}

impl Story<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let severity = severity(self.event.severity);
        let painted = match self.event.severity {
            10.. => self.style.critical(&severity),
            5..=9 => self.style.warning(&severity),
            _ => self.style.strong(&severity),
        };
        let lead = format!("  {painted}{:pad$}", "", pad = INDENT.saturating_sub(2 + severity.len()).max(1));
        let title = format!("{}  {}", self.style.strong(&self.definition.title), self.definition.name);
        writeln!(out, "{lead}{title}")?;
        self.bar(out)?;
        self.opened(out)?;
        if let Some(peak) = self.event.peak.as_ref().filter(|peak| peak.observation.at != self.event.start) {
            self.peak(out, peak)?;
        }
        self.closed(out)
    }

    /// A line from the start to the end of the recording: `█` while violating, `░` during the grace period.
    fn bar(&self, out: &mut dyn Write) -> io::Result<()> {
        let (Some(from), Some(to)) = (self.replay.report.coverage.from, self.replay.report.coverage.to) else {
            return Ok(());
        };
        if to <= from {
            return Ok(());
        }
        let column = |at: Nanos| {
            let share = (at - from).clamp(0, to - from) as f64 / (to - from) as f64;
            ((share * BAR as f64) as usize).min(BAR - 1)
        };
        let (start, last) = (column(self.event.start), column(self.event.last_violation));
        let end = match self.event.state {
            EventState::Open => BAR - 1,
            EventState::Closed { closed_at, .. } => column(closed_at),
        };
        let cell = |i| match i {
            i if i < start => '·',
            i if i <= last => '█',
            i if i <= end => '░',
            _ => '·',
        };
        let bar: String = (0..BAR).map(cell).collect();
        let bar = if self.event.severity >= 10 { self.style.critical(&bar) } else { self.style.warning(&bar) };
        writeln!(out, "{:INDENT$}{} {bar} {}", "", self.clock.time(from), self.clock.time(to))
    }

    fn opened(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut lead = self.lead("opened", self.event.start);
        for violated in &self.event.rules {
            let Some(rule) = self.definition.rules.get(violated.index) else { continue };
            for sentence in self.violations(rule, violated) {
                paragraph(out, &lead, lead.chars().count(), &sentence)?;
                lead = " ".repeat(lead.chars().count());
            }
        }
        Ok(())
    }

    fn violations(&self, rule: &Rule, violated: &ViolatedRule) -> Vec<String> {
        let threshold = match &rule.kind {
            RuleKind::Threshold(threshold) => threshold,
            RuleKind::Presence(presence) => return vec![absence(presence, violated.observed)],
        };
        let limit = if self.replay.detail == Detail::Full { usize::MAX } else { MOST_SERIES };
        let mut series: Vec<&ViolatingSeries> = violated.series.iter().collect();
        let worst = |s: &&ViolatingSeries| threshold.condition.margin(s.value);
        series.sort_by(|a, b| worst(a).total_cmp(&worst(b)));
        let mut sentences: Vec<String> = series.iter().take(limit).map(|s| violation(threshold, s)).collect();
        if series.len() > limit {
            let rest = (series.len() - limit) as u64;
            sentences.push(format!("and {} (-v shows them)", counted(rest, "more series", "more series")));
        }
        sentences
    }

    fn peak(&self, out: &mut dyn Write, peak: &Peak) -> io::Result<()> {
        let lead = self.lead("worst", peak.observation.at);
        let value = peak.observation.value;
        let text = match self.definition.rules.get(peak.rule).map(|rule| &rule.kind) {
            Some(RuleKind::Threshold(threshold)) => {
                let series = peak.series.as_ref();
                let measure = measure(threshold, series.map(|series| series.metric.as_ref()));
                let whose = match series {
                    Some(series) if self.several_series() => {
                        format!(" ({})", short_series(&series.metric, &series.attributes))
                    }
                    _ => String::new(),
                };
                let far = margin(measure, threshold.condition, value);
                format!("{}, {far}{whose}", measure.beside(value, threshold.condition.value))
            }
            Some(RuleKind::Presence(_)) | None => Measure::plain().text(value),
        };
        paragraph(out, &lead, lead.chars().count(), &text)
    }

    fn several_series(&self) -> bool {
        self.event.rules.iter().map(|rule| rule.series.len()).sum::<usize>() > 1
    }

    fn closed(&self, out: &mut dyn Write) -> io::Result<()> {
        let (word, at, text) = match self.event.state {
            EventState::Open => {
                let end = self.replay.report.coverage.to.unwrap_or(self.event.last_violation);
                let still = if self.event.last_violation + self.grace() > end && self.event.last_violation < end {
                    format!(", last violated {}", self.clock.time(self.event.last_violation))
                } else {
                    String::new()
                };
                let held = duration((end - self.event.start).max(0));
                ("end", end, format!("still open when the recording ends, after {held}{still}"))
            }
            EventState::Closed { end, closed_at, reason } => {
                let held = duration(end - self.event.start);
                let what = match reason {
                    CloseReason::Recovered => format!("recovered after {held}"),
                    CloseReason::NoData => format!("nothing to judge any more after {held} (no data)"),
                };
                let grace = if closed_at > end {
                    let grace = span_ms(self.definition.expiration_ms);
                    format!("; closed {} when the grace period of {grace} was over", self.clock.time(closed_at))
                } else {
                    "; closed at once".to_string()
                };
                ("end", end, format!("{what}{grace}"))
            }
        };
        let lead = self.lead(word, at);
        paragraph(out, &lead, lead.chars().count(), &text)
    }

    fn grace(&self) -> Nanos {
        self.definition.expiration_ms.saturating_mul(1_000_000)
    }

    fn lead(&self, word: &str, at: Nanos) -> String {
        format!("{:INDENT$}{word:<7} {} {:<10} ", "", self.clock.time(at), self.clock.offset(at))
    }
}

/// `CRITICAL`, `WARNING`, or the number for a severity that has no name.
pub(super) fn severity(severity: i64) -> String {
    match severity {
        10 => "CRITICAL".to_string(),
        5 => "WARNING".to_string(),
        -1 => "CHANGE".to_string(),
        other => format!("SEVERITY {other}"),
    }
}

fn violation(threshold: &Threshold, series: &ViolatingSeries) -> String {
    let measure = measure(threshold, Some(&series.metric));
    let condition = threshold.condition;
    format!(
        "{} of {} over {}: {} {} {}, {}",
        aggregation(threshold.aggregation),
        short_series(&series.metric, &series.attributes),
        span_ms(threshold.window_ms),
        measure.beside(series.value, condition.value),
        condition.operator.as_str(),
        measure.exact(condition.value),
        margin(measure, condition, series.value),
    )
}

/// The measure of a rule's values on a metric.
pub(super) fn measure(threshold: &Threshold, metric: Option<&MetricIdentity>) -> Measure {
    let known = metric.and_then(|metric| catalog::python().metric(&metric.name));
    Measure::of_rule(known.map(|known| known.quantity).unwrap_or_default(), threshold.aggregation, threshold.condition)
}

/// Name and attributes of a series without its scope, which the rule names already.
pub(super) fn short_series(metric: &MetricIdentity, attributes: &Attributes) -> String {
    if attributes.is_empty() { metric.name.clone() } else { format!("{}{}", metric.name, attributes.to_suffix()) }
}

fn absence(presence: &Presence, observed: Option<f64>) -> String {
    let counted = observed.map(|n| Measure::plain().text(n));
    match presence {
        Presence::Count { condition } | Presence::CountVerification { condition, .. } => format!(
            "{} entities present, which is {} {}",
            counted.unwrap_or_else(|| "no".into()),
            condition.operator.as_str(),
            Measure::plain().exact(condition.value)
        ),
        Presence::Verification { matching, offline_ms } => {
            format!("no entity with the label `{}` for {}", matching.label, span_ms(*offline_ms))
        }
        Presence::Availability { offline_ms, .. } => format!("no point for {}", span_ms(*offline_ms)),
        Presence::Offline => "no point any more".to_string(),
    }
}
