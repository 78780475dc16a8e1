//! Events as a timeline per entity; each as a line, when it opens or closes; and by their ids.

use crate::definition::EventDefinition;
use crate::engine::{EntityLabel, Event, EventState, Transition};
use crate::model::{MINUTE, Nanos};
use crate::report::layout::{WIDTH, clean, paragraph};
use crate::report::outcome::Replay;
use crate::report::phrase::event::{
    definition_of, ended, entity_name, extreme_value, extreme_word, over, severity, why,
};
use crate::report::phrase::rule::violations;
use crate::report::quantity::counted;
use crate::report::style::Style;
use crate::report::time::{Times, date_time, duration, span_ms};
use std::io::{self, Write};

/// More events than this are only counted in the brief text.
const MOST_EVENTS: usize = 60;
/// More ids of events than this are only counted.
const MOST_IDS: usize = 100;
/// A process is silent when this passes without an export.
const SILENCE: Nanos = 2 * MINUTE;
/// Columns of the severity.
const SEVERITY: usize = 12;
/// Columns in front of the lines about an event.
const INDENT: usize = 4;

/// Writes the events, grouped by entity; entities in the order of their first event.
pub(super) fn write(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let events = &replay.report.events;
    if events.is_empty() {
        return Ok(());
    }
    let times = Times::new(replay.report.coverage.from, replay.report.coverage.to);
    let limit = replay.detail.limit(MOST_EVENTS);
    let mut written = 0;
    for (entity, group) in by_entity(events) {
        if written >= limit {
            break;
        }
        writeln!(out)?;
        writeln!(out, "{}", style.strong(&clean(&entity_name(entity))))?;
        for (i, event) in group.iter().take(limit - written).enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            if let Some(definition) = replay.definitions.get(event.definition) {
                Story { replay, definition, event, times, style }.write(out)?;
            }
            written += 1;
        }
    }
    if events.iter().any(|event| matches!(event.state, EventState::Closed { closed_at, end, .. } if closed_at > end)) {
        writeln!(out)?;
        writeln!(out, "{}", style.dim("(█ violated   ░ in the grace period)"))?;
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

/// One event and all that is needed to write it.
struct Story<'a> {
    replay: &'a Replay<'a>,
    definition: &'a EventDefinition,
    event: &'a Event,
    times: Times,
    style: Style,
}

impl Story<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.title(out)?;
        self.bar(out)?;
        self.opened(out)?;
        self.extreme(out)?;
        self.closed(out)
    }

    fn title(&self, out: &mut dyn Write) -> io::Result<()> {
        let severity = severity(self.event.severity);
        let painted = match self.event.severity {
            10.. => self.style.critical(&severity),
            5..=9 => self.style.warning(&severity),
            _ => self.style.strong(&severity),
        };
        let lead = format!("  {painted}{:pad$}", "", pad = SEVERITY.saturating_sub(2 + severity.len()).max(1));
        let title = format!("{}  {}", self.style.strong(&clean(&self.definition.title)), clean(&self.definition.name));
        writeln!(out, "{lead}{title}")
    }

    fn extreme(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.event.peak.as_ref().filter(|peak| peak.observation.evaluation_time != self.event.start) {
            Some(peak) => {
                let lead = self.lead(extreme_word(self.definition, peak), peak.observation.evaluation_time);
                paragraph(out, &lead, lead.chars().count(), &extreme_value(self.definition, self.event, peak))
            }
            None => Ok(()),
        }
    }

    /// A line from the start to the end of the recording: `█` while violating, `░` during the grace period.
    fn bar(&self, out: &mut dyn Write) -> io::Result<()> {
        let (Some(from), Some(to)) = (self.replay.report.coverage.from, self.replay.report.coverage.to) else {
            return Ok(());
        };
        if to <= from {
            return Ok(());
        }
        let (first, last) = (self.times.time(from), self.times.time(to));
        let width = WIDTH - INDENT - first.len() - last.len() - 2;
        let cells = self.cells((from, to), width);
        let is_open = |cell: &char| *cell != '·';
        let begin = cells.iter().position(is_open).unwrap_or(width);
        let end = cells.iter().rposition(is_open).map_or(begin, |last| last + 1);
        let text = |cells: &[char]| cells.iter().collect::<String>();
        let (before, rest) = cells.split_at(begin);
        let (open, after) = rest.split_at(end - begin);
        let open = match self.event.severity {
            10.. => self.style.critical(&text(open)),
            _ => self.style.warning(&text(open)),
        };
        let bar = format!("{}{open}{}", self.style.dim(&text(before)), self.style.dim(&text(after)));
        writeln!(out, "{:INDENT$}{first} {bar} {last}", "")
    }

    fn cells(&self, (from, to): (Nanos, Nanos), width: usize) -> Vec<char> {
        let column = |at: Nanos| {
            let share = (at - from).clamp(0, to - from) as f64 / (to - from) as f64;
            ((share * width as f64) as usize).min(width - 1)
        };
        let start = column(self.event.start);
        let (violated, end) = match self.event.state {
            EventState::Open if self.quiet_at_the_end(to) => (column(self.event.last_violation), width - 1),
            EventState::Open => (width - 1, width - 1),
            EventState::Closed { closed_at, .. } => (column(self.event.last_violation), column(closed_at)),
        };
        let cell = |i| match i {
            i if i < start => '·',
            i if i <= violated => '█',
            i if i <= end => '░',
            _ => '·',
        };
        (0..width).map(cell).collect()
    }

    /// Whether the event is open, but was not violated at the last evaluation.
    fn quiet_at_the_end(&self, to: Nanos) -> bool {
        let report = self.replay.report.definitions.get(self.event.definition);
        // A trend is evaluated when an export comes; only a longer silence means anything.
        let is_trend = self.definition.rules.iter().any(|rule| rule.trend().is_some());
        if is_trend && to - self.event.last_violation < SILENCE {
            return false;
        }
        report.is_some_and(|report| self.event.last_violation.saturating_add(report.step) <= to)
    }

    fn opened(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut lead = self.lead("opened", self.event.start);
        for violated in &self.event.rules {
            let Some(rule) = self.definition.rules.get(violated.index) else { continue };
            for sentence in violations(rule, violated, self.replay.detail) {
                paragraph(out, &lead, lead.chars().count(), &sentence)?;
                lead = " ".repeat(lead.chars().count());
            }
        }
        Ok(())
    }

    fn closed(&self, out: &mut dyn Write) -> io::Result<()> {
        let grace = span_ms(self.definition.expiration_ms);
        let (word, at, text) = match self.event.state {
            EventState::Open => {
                let end = self.replay.report.coverage.to.unwrap_or(self.event.last_violation);
                let held = duration((end - self.event.start).max(0));
                let mut text = format!("still open when the {} ends, after {held}", self.replay.what);
                if self.quiet_at_the_end(end) {
                    let last = self.times.time(self.event.last_violation);
                    text += &format!("; last violated {last}, within the grace period of {grace}");
                }
                ("open", end, text)
            }
            EventState::Closed { end, closed_at, reason } => {
                let closed = match closed_at > end {
                    true => format!("closed {} when the grace period of {grace} was over", self.times.time(closed_at)),
                    false => "closed at once".to_string(),
                };
                ("ended", end, format!("{}; {closed}", ended(self.event, end, reason)))
            }
        };
        let lead = self.lead(word, at);
        paragraph(out, &lead, lead.chars().count(), &text)
    }

    fn lead(&self, word: &str, at: Nanos) -> String {
        match self.times.offset(at).as_str() {
            "" => format!("{:INDENT$}{word:<7} {}  ", "", self.times.time(at)),
            offset => format!("{:INDENT$}{word:<7} {} {offset:<10} ", "", self.times.time(at)),
        }
    }
}

/// Writes a transition as one line, for whoever watches events as they happen: when, what, how severe, where, and why, so that a
/// log of them can be searched, counted and cut like any other.
pub(super) fn transition(
    out: &mut dyn Write,
    definitions: &[EventDefinition],
    transition: &Transition,
    style: Style,
) -> io::Result<()> {
    let event = &transition.event;
    let definition = definition_of(definitions, event)?;
    let severity = severity(event.severity);
    let (word, why) = match event.state {
        EventState::Open => ("opened", why(definition, event)),
        EventState::Closed { end, reason, .. } => ("closed", over(definition, event, end, reason)),
    };
    let severity = match (event.state, event.severity) {
        (EventState::Open, 10..) => style.critical(&severity),
        (EventState::Open, 5..=9) => style.warning(&severity),
        (EventState::Open | EventState::Closed { .. }, _) => style.strong(&severity),
    };
    let title = format!("{}  {}", style.strong(&clean(&definition.title)), clean(&definition.name));
    let entity = clean(&entity_name(event.entity.as_deref())).into_owned();
    writeln!(out, "{}  {word}  {severity}  {title}  {entity}  {why}", date_time(transition.evaluation_time))
}

/// Writes a line for each event with its id, for whoever has to name one.
pub fn event_ids(out: &mut impl Write, definitions: &[EventDefinition], events: &[Event]) -> io::Result<()> {
    for event in events.iter().take(MOST_IDS) {
        let definition = definitions.get(event.definition).map_or("", |definition| definition.name.as_str());
        let (severity, entity) = (severity(event.severity).to_lowercase(), entity_name(event.entity.as_deref()));
        let at = date_time(event.start);
        writeln!(out, "  {}  {at}  {severity:<8}  {}  {}", event.id, clean(definition), clean(&entity))?;
    }
    if events.len() > MOST_IDS {
        writeln!(out, "  and {}", counted((events.len() - MOST_IDS) as u64, "more", "more"))?;
    }
    Ok(())
}
