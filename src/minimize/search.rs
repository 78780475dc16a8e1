//! From an incident to a test: the smallest series and time range of a recording that still give the same event.
//!
//! A search by trial: a draft is written as a scenario, the scenario runs through the engine, and what still gives the event is
//! kept. The event is the same when it is of the same definition, on the same entity, opens at the same instant (but for the
//! rounding of times) and has the same severity. The order of the trials: few series of a long enough past; fewer series
//! (delta debugging); a later beginning; fewer attributes; simpler values; a beginning at zero; and, when it is wanted,
//! hashed attribute values. Nothing is guessed: what is handed out has run.

use super::draft::{DEFAULT_START, Draft, GRIDS, Grid, Row, What, quoted, span};
use super::trace::{Line, Trace};
use crate::definition::{EventDefinition, RuleKind, Selector};
use crate::engine::{Event, Options, Verdict};
use crate::gate::{RuleSource, run_all};
use crate::model::{Attributes, MINUTE, Nanos, SECOND, Value};
use ring::hmac;
use std::fmt::Write as _;

/// As many trials are made; the best so far is taken then.
const MOST_TRIALS: usize = 3000;
/// The shortest past that is tried first.
const SHORTEST: Nanos = 10 * MINUTE;
/// Letters of a hashed value.
const HASHED: usize = 12;

/// What is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The event as the whole recording gives it.
    pub event: &'a Event,
    /// Its definition, by the name it has among `rules`.
    pub definition: &'a EventDefinition,
    /// The grid of the definition.
    pub step: Nanos,
    /// The name of the rules as the scenario shall give it.
    pub rules: &'a str,
    /// Finds the rules by that name.
    pub source: RuleSource<'a>,
    /// The options it was judged with.
    pub options: &'a Options,
    /// Hashes attribute values with this key.
    pub key: Option<&'a [u8]>,
    /// Stands in front of the scenario, as a comment.
    pub comment: &'a str,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Minimized {
    /// The scenario file.
    pub text: String,
    /// Series and points in it.
    pub series: usize,
    /// See `series`.
    pub points: usize,
    /// How many scenarios were run.
    pub trials: usize,
    /// Attributes whose values stand there as they are, because the rule asks for them.
    pub kept: Vec<String>,
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// A scenario with all that was looked at does not give the event.
    #[error(
        "the event does not come back when its points are written as a scenario: late or reordered points, histograms whose \
         buckets change, or attributes that YAML does not know"
    )]
    NotReproduced,
    /// The scenario gives the event, but something else as well that cannot be allowed.
    #[error("the scenario that was found does not pass: {0}")]
    DoesNotPass(String),
}

/// Searches.
pub fn minimize(trace: &Trace, wanted: Wanted<'_>) -> Result<Minimized, NotFound> {
    let entity = entity_of(wanted.event);
    let severity = severity_at_opening(&wanted);
    let mut search = Search { wanted, trials: 0, entity, severity, slack: wanted.step };
    let mut draft = search.first(trace).ok_or(NotFound::NotReproduced)?;
    search.fewer_rows(&mut draft);
    search.later(&mut draft);
    search.fewer_attributes(&mut draft);
    search.simpler_values(&mut draft);
    search.fewer_rows(&mut draft);
    search.later(&mut draft);
    search.begin_at_zero(&mut draft);
    let kept = wanted.key.map(|key| search.hash(&mut draft, key)).unwrap_or_default();
    let text = search.finished(&mut draft)?;
    Ok(Minimized { text, series: draft.rows.len(), points: draft.points(), trials: search.trials, kept })
}

fn entity_of(event: &Event) -> Option<String> {
    event.entity.as_ref().map(|entity| entity.label.clone())
}

/// It may have risen later.
fn severity_at_opening(wanted: &Wanted<'_>) -> i64 {
    let rules = wanted.event.rules.iter().filter_map(|violated| wanted.definition.rules.get(violated.index));
    rules.map(|rule| rule.severity).max().unwrap_or(wanted.event.severity)
}

struct Search<'a> {
    wanted: Wanted<'a>,
    trials: usize,
    /// `None` when it is about none, or when its name has changed with the hashes.
    entity: Option<String>,
    severity: i64,
    /// How far the opening may be off.
    slack: Nanos,
}

/// An event as a trial gives it, relative to the draft's start.
struct Found {
    opens: Nanos,
    severity: i64,
    entity: Option<String>,
}

impl Search<'_> {
    /// Runs the draft with the one definition and looks for the event.
    fn find(&mut self, draft: &Draft) -> Option<Found> {
        self.trials += 1;
        let definition = self.wanted.definition;
        let text = format!("{}quiet: {}\n", draft.text("the definition"), quoted(&definition.name));
        let only = |_: &str| Ok(vec![definition.clone()]);
        let (outcomes, _) = run_all("draft", &text, &only);
        let report = &outcomes.first()?.report;
        let meant = |event: &&Event| {
            let off = (event.start - draft.start - draft.until).abs();
            let same_entity = self.entity.is_none() || entity_of(event) == self.entity;
            off <= self.slack && same_entity && event.severity == self.severity
        };
        let nearest = |event: &&Event| (event.start - draft.start - draft.until).abs();
        let event = report.events.iter().filter(meant).min_by_key(nearest)?;
        Some(Found { opens: event.start - draft.start, severity: event.severity, entity: entity_of(event) })
    }

    fn gives(&mut self, draft: &Draft) -> bool {
        self.trials < MOST_TRIALS && self.find(draft).is_some()
    }

    /// Keeps a change of the draft when the event stays.
    fn keep(&mut self, draft: &mut Draft, change: impl FnOnce(&mut Draft)) -> bool {
        let mut next = draft.clone();
        change(&mut next);
        let is_kept = self.gives(&next);
        if is_kept {
            *draft = next;
        }
        is_kept
    }

    /// The first draft that gives the event: the series that violated before others, the near past before all of it, and even
    /// slots before exact times.
    fn first(&mut self, trace: &Trace) -> Option<Draft> {
        let opens = self.wanted.event.start;
        let earliest = trace.lines.iter().flat_map(|line| &line.points).map(|point| point.time).min()?;
        let all: fn(&Wanted<'_>, &Line) -> bool = |_, _| true;
        for picks in [violated, selected, all] {
            let lines: Vec<&Line> = trace.lines.iter().filter(|line| picks(&self.wanted, line)).collect();
            let mut past = longest_window(self.wanted.definition).max(SHORTEST);
            loop {
                let from = opens.saturating_sub(past).max(earliest);
                let drafts = GRIDS.iter().map(|grid| self.draft(&lines, from, *grid));
                for draft in drafts.collect::<Vec<_>>() {
                    let interval = draft.rows.iter().map(|row| row.interval).max().unwrap_or(0);
                    self.slack = self.wanted.step.max(interval.min(MINUTE));
                    // A draft that opens a step too early or too late is no good as long as an exact one is to be had.
                    if let Some(found) = self.find(&draft) {
                        return Some(Draft { until: found.opens, ..draft });
                    }
                }
                if from == earliest {
                    break;
                }
                past = past.saturating_mul(2);
            }
        }
        None
    }

    fn draft(&self, lines: &[&Line], from: Nanos, grid: Grid) -> Draft {
        let start = from - from.rem_euclid(SECOND);
        let definition = self.wanted.definition;
        Draft {
            name: format!("{} fires", definition.name),
            comment: self.wanted.comment.lines().map(str::to_string).collect(),
            options: self.wanted.options.clone(),
            start,
            until: self.wanted.event.start - start,
            rows: lines.iter().filter_map(|line| Row::new(line, from, start, grid)).collect(),
        }
    }

    /// Delta debugging: leaves out halves, quarters and so on of the series as long as the event stays.
    fn fewer_rows(&mut self, draft: &mut Draft) {
        let mut parts = 2;
        while draft.rows.len() > 1 {
            let size = draft.rows.len().div_ceil(parts);
            let mut begin = 0;
            let mut is_smaller = false;
            while begin < draft.rows.len() && draft.rows.len() > 1 {
                let end = (begin + size).min(draft.rows.len());
                let is_part = end - begin < draft.rows.len();
                if is_part && self.keep(draft, |next| drop(next.rows.drain(begin..end))) {
                    is_smaller = true;
                } else {
                    begin = end;
                }
            }
            if size == 1 && !is_smaller {
                return;
            }
            parts = if is_smaller { 2 } else { (parts * 2).min(draft.rows.len()) };
        }
    }

    /// The latest beginning that still gives the event, by halving.
    fn later(&mut self, draft: &mut Draft) {
        let (mut good, mut bad) = (0, draft.until);
        while bad - good > SECOND {
            let middle = good + (bad - good) / 2;
            let cut = |next: &mut Draft| {
                next.rows.iter_mut().for_each(|row| row.cut(middle));
                next.rows.retain(|row| !row.slots.is_empty());
            };
            if self.keep(draft, cut) { good = middle } else { bad = middle }
        }
    }

    /// Leaves out attributes of resources and of points, one key after the other.
    fn fewer_attributes(&mut self, draft: &mut Draft) {
        for key in keys(draft, |row| &row.resource) {
            self.keep(draft, |next| next.rows.iter_mut().for_each(|row| row.resource = without(&row.resource, &key)));
        }
        for key in keys(draft, |row| &row.attributes) {
            // Series that differ in nothing else would become one.
            let distinct = |next: &Draft| {
                let identity = |row: &Row| (row.resource.clone(), row.metric.clone(), row.attributes.clone());
                let all: std::collections::HashSet<_> = next.rows.iter().map(identity).collect();
                all.len() == next.rows.len()
            };
            let mut next = draft.clone();
            next.rows.iter_mut().for_each(|row| row.attributes = without(&row.attributes, &key));
            if distinct(&next) && self.gives(&next) {
                *draft = next;
            }
        }
    }

    /// Values that take less room, series by series: one value, a straight line, then few digits.
    fn simpler_values(&mut self, draft: &mut Draft) {
        for row in 0..draft.rows.len() {
            let filled = |next: &mut Draft| next.rows[row].fill_gaps();
            self.keep(draft, filled);
            let lines = (1..=4).map(Simpler::Line);
            let digits = (1..=6).map(Simpler::Digits);
            let whole = std::iter::once(Simpler::Whole);
            for simpler in (1..=3).map(Simpler::Constant).chain(lines).chain(digits).chain(whole) {
                if self.keep(draft, |next| next.rows[row].simplify(simpler)) {
                    break;
                }
            }
        }
    }

    /// Takes the date away: the first point comes when the scenario begins, or at least within an hour of it.
    fn begin_at_zero(&mut self, draft: &mut Draft) {
        let Some(first) = draft.rows.iter().map(|row| row.starts).min() else { return };
        let moved = |next: &mut Draft, by: Nanos| {
            next.start = DEFAULT_START;
            next.rows.iter_mut().for_each(|row| row.starts -= by);
            next.until -= by;
        };
        // Where the windows of the grid lie may matter, so that the phase is kept if need be.
        let begin = draft.start + first;
        let phases = [0, 10 * SECOND, MINUTE, 5 * MINUTE, 60 * MINUTE]
            .map(|unit| if unit == 0 { 0 } else { begin.rem_euclid(unit) });
        for phase in phases {
            if self.keep(draft, |next| moved(next, first - phase)) {
                return;
            }
        }
    }

    /// Hashes the values of all attributes but those that the event needs; their names are handed out.
    fn hash(&mut self, draft: &mut Draft, key: &[u8]) -> Vec<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        self.entity = None;
        let mut kept = Vec::new();
        type Get = fn(&mut Row) -> &mut Attributes;
        let places: [Get; 2] = [|row| &mut row.resource, |row| &mut row.attributes];
        for get in places {
            let mut names: Vec<String> = Vec::new();
            draft
                .rows
                .clone()
                .iter_mut()
                .for_each(|row| names.extend(get(row).iter().map(|(name, _)| name.to_string())));
            names.sort();
            names.dedup();
            for name in names {
                let change = |next: &mut Draft| {
                    next.rows.iter_mut().for_each(|row| {
                        let attributes = get(row);
                        *attributes = hashed(attributes, &name, &key);
                    });
                };
                if !self.keep(draft, change) {
                    kept.push(name);
                }
            }
        }
        kept.sort();
        kept.dedup();
        kept
    }

    /// The whole text: with what is expected, and run once more with all of the rules.
    fn finished(&mut self, draft: &mut Draft) -> Result<String, NotFound> {
        let found = self.find(draft).ok_or(NotFound::NotReproduced)?;
        draft.until = found.opens;
        let mut entity = String::new();
        if let Some(label) = found.entity.filter(|label| !label.is_empty()) {
            let _ = write!(entity, ", entity: {}", quoted(&label));
        }
        let name = quoted(&self.wanted.definition.name);
        let (opens, severity) = (span(found.opens), found.severity);
        let expect = format!("expect:\n  - {{definition: {name}, opens: {opens}, severity: {severity}{entity}}}\n");
        let mut why = String::new();
        for others in ["", "others: allowed\n"] {
            let text = format!("{}{expect}{others}", draft.text(self.wanted.rules));
            self.trials += 1;
            let (outcomes, problems) = run_all("scenario", &text, self.wanted.source);
            let failures = outcomes.iter().flat_map(|outcome| &outcome.failures).map(|failure| failure.message.clone());
            let mut wrong: Vec<String> = failures.collect();
            wrong.extend(problems.into_iter().map(|problem| problem.message));
            if wrong.is_empty() && outcomes.iter().any(has_fired) {
                return Ok(text);
            }
            why = wrong.join("; ");
        }
        Err(NotFound::DoesNotPass(why))
    }
}

fn has_fired(outcome: &crate::gate::Outcome) -> bool {
    outcome.report.definitions.iter().any(|definition| definition.verdict == Verdict::Fired)
}

/// The series that violated when the event opened.
fn violated(wanted: &Wanted<'_>, line: &Line) -> bool {
    let series = wanted.event.rules.iter().flat_map(|rule| &rule.series);
    // A merged series has no attributes of its own.
    let same = |attributes: &Attributes| attributes.is_empty() || *attributes == line.attributes;
    series.into_iter().any(|series| *series.metric == line.metric && same(&series.attributes))
}

/// The series that the definition looks at.
fn selected(wanted: &Wanted<'_>, line: &Line) -> bool {
    wanted.definition.rules.iter().any(|rule| match &rule.kind {
        RuleKind::Threshold(threshold) => match &threshold.selector {
            Selector::Id(id) => id.selects(&line.metric, &line.attributes),
            Selector::Pattern(pattern) => pattern.selects(&line.metric, &line.attributes),
        },
        RuleKind::Trend(trend) => trend.metrics.iter().any(|id| id.selects(&line.metric, &line.attributes)),
        RuleKind::Presence(_) => true,
    })
}

fn longest_window(definition: &EventDefinition) -> Nanos {
    let window = |rule: &crate::definition::Rule| match &rule.kind {
        RuleKind::Threshold(threshold) => threshold.window_ms,
        RuleKind::Presence(_) | RuleKind::Trend(_) => 0,
    };
    definition.rules.iter().map(window).max().unwrap_or(0).saturating_mul(crate::model::MS)
}

fn keys(draft: &Draft, of: fn(&Row) -> &Attributes) -> Vec<String> {
    let mut keys: Vec<String> =
        draft.rows.iter().flat_map(|row| of(row).iter()).map(|(key, _)| key.to_string()).collect();
    keys.sort();
    keys.dedup();
    keys
}

fn without(attributes: &Attributes, key: &str) -> Attributes {
    let pairs = attributes.iter().filter(|(name, _)| *name != key);
    Attributes::new(pairs.map(|(name, value)| (name.to_string(), value.clone())).collect())
}

fn hashed(attributes: &Attributes, key: &str, secret: &hmac::Key) -> Attributes {
    let pairs = attributes.iter().map(|(name, value)| {
        let value = if name == key { hash(value, secret) } else { value.clone() };
        (name.to_string(), value)
    });
    Attributes::new(pairs.collect())
}

/// A value that only who has the key can compare with others.
fn hash(value: &Value, secret: &hmac::Key) -> Value {
    let mut hex = String::from("h");
    for byte in hmac::sign(secret, value.to_text().as_bytes()).as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(HASHED);
    Value::String(hex)
}

/// How values are made simpler; the number is that of significant digits.
#[derive(Clone, Copy, Debug)]
enum Simpler {
    Constant(usize),
    Line(usize),
    Digits(usize),
    /// No fraction.
    Whole,
}

impl Row {
    /// Puts a value between two that have a gap between them.
    fn fill_gaps(&mut self) {
        let mut before: Option<(usize, f64)> = None;
        for at in 0..self.slots.len() {
            if self.slots[at].fresh {
                before = None;
            }
            let What::Number(value) = self.slots[at].what else { continue };
            if let Some((from, low)) = before {
                let share = (value - low) / (at - from) as f64;
                for gap in from + 1..at {
                    self.slots[gap].what = What::Number(low + share * (gap - from) as f64);
                }
            }
            before = Some((at, value));
        }
    }

    /// Simplifies the numbers of each life.
    fn simplify(&mut self, simpler: Simpler) {
        let mut begin = 0;
        while begin < self.slots.len() {
            let more = self.slots.iter().skip(begin + 1).take_while(|slot| !slot.fresh).count();
            let end = begin + 1 + more;
            simplify(&mut self.slots[begin..end], simpler);
            begin = end;
        }
    }
}

fn simplify(slots: &mut [super::draft::Slot], simpler: Simpler) {
    let numbers: Vec<(usize, f64)> = slots
        .iter()
        .enumerate()
        .filter_map(|(at, slot)| match slot.what {
            What::Number(value) => Some((at, value)),
            What::Gap | What::Stale | What::Histogram(_) => None,
        })
        .collect();
    let (Some(&(from, first)), Some(&(to, last))) = (numbers.first(), numbers.last()) else { return };
    let step = if to > from { (last - first) / (to - from) as f64 } else { 0.0 };
    let value = |at: usize, value: f64| match simpler {
        Simpler::Constant(digits) => significant(first, digits),
        Simpler::Line(digits) => significant(first, digits) + significant(step, digits) * (at - from) as f64,
        Simpler::Digits(digits) => significant(value, digits),
        Simpler::Whole => value.round(),
    };
    for (at, old) in numbers {
        slots[at].what = What::Number(value(at, old));
    }
}

/// The value with so many significant digits, as the number nearest to that decimal.
fn significant(value: f64, digits: usize) -> f64 {
    if !value.is_finite() {
        return value;
    }
    format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::minimize::draft::number;

    #[test]
    fn digits_that_matter() {
        assert_eq!(significant(20_612_345.0, 2), 2.1e7);
        assert_eq!(significant(-0.012_34, 3), -0.0123);
        assert_eq!(significant(0.0, 3), 0.0);
        assert_eq!(number(significant(767_000_001.0, 3)), "7.67e8");
    }
}
