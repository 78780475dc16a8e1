//! From an incident to a test: the smallest series and time range of a recording that still give the same event.
//!
//! A search by trial: a draft is printed as a scenario, the scenario runs through the engine, and what still gives the event is
//! kept. The event is the same when it is of the same definition, on the same entity, opens at the same time (but for the
//! rounding of times) and has the same severity. The order of the trials: few series of a long enough past; fewer series
//! (delta debugging); a later start; fewer attributes; simpler values; a start at zero; and, on request, hashed attribute
//! values. Invariant: the result has run.

use super::past::{EventPast, ROUNDINGS, RecordedSeries, Rounding};
use super::simplify::{self, cut, fill_gaps, simplify};
use crate::definition::{EventDefinition, Rule};
use crate::engine::{Event, Options, Verdict};
use crate::gate::{RuleSource, ScenarioOutcome, run_all};
use crate::model::{Attributes, MINUTE, MS, Nanos, SECOND, Value};
use crate::scenario::{DEFAULT_START, SampledScenario, SampledSeries, quoted, span};
use ring::hmac;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

/// After so many trials the best draft so far is taken.
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
    /// How often the definition is evaluated.
    pub step: Nanos,
    /// The name of the rules as the scenario shall give it.
    pub rules: &'a str,
    /// Finds the rules by that name.
    pub source: RuleSource<'a>,
    /// The options of the evaluation.
    pub options: &'a Options,
    /// Hashes attribute values with this key.
    pub key: Option<&'a [u8]>,
    /// A comment in front of the scenario.
    pub comment: &'a str,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Minimized {
    /// The scenario file.
    pub text: String,
    /// Series in it.
    pub series: usize,
    /// Data points in it.
    pub points: usize,
    /// How many scenarios were run.
    pub trials: usize,
    /// Attributes whose values are not hashed, because the rule selects by them.
    pub kept: Vec<String>,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// A scenario with the whole past does not give the event.
    #[error(
        "the event does not come back when its points are written as a scenario: late or reordered points, histograms whose \
         buckets change, or attributes that YAML does not know"
    )]
    NotReproduced,
    /// The scenario gives the event, and something else that cannot be allowed.
    #[error("the scenario that was found does not pass: {0}")]
    DoesNotPass(String),
}

/// Searches.
pub fn minimize(past: &EventPast, wanted: Wanted<'_>) -> Result<Minimized, NotFound> {
    let entity = entity_of(wanted.event);
    let severity = severity_at_opening(&wanted);
    let mut search = Search { wanted, trials: 0, entity, severity, slack: wanted.step };
    let mut draft = search.first(past).ok_or(NotFound::NotReproduced)?;
    search.fewer_series(&mut draft);
    search.later(&mut draft);
    search.fewer_attributes(&mut draft);
    search.simpler_values(&mut draft);
    search.fewer_series(&mut draft);
    search.later(&mut draft);
    search.begin_at_zero(&mut draft);
    let kept = wanted.key.map(|key| search.hash(&mut draft, key)).unwrap_or_default();
    let text = search.finished(&mut draft)?;
    Ok(Minimized { text, series: draft.series.len(), points: draft.points(), trials: search.trials, kept })
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
    /// `None` when the event has none, or when hashes have changed its label.
    entity: Option<String>,
    severity: i64,
    /// How far the opening may be off.
    slack: Nanos,
}

impl Search<'_> {
    /// Runs the draft with the one definition and looks for the event; also since the draft's start when it opens.
    fn find(&mut self, draft: &SampledScenario) -> Option<(Nanos, Event)> {
        self.trials += 1;
        let definition = self.wanted.definition;
        let text = format!("{}quiet: {}\n", draft.to_text("the definition"), quoted(&definition.name));
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
        Some((event.start - draft.start, event.clone()))
    }

    fn gives(&mut self, draft: &SampledScenario) -> bool {
        self.trials < MOST_TRIALS && self.find(draft).is_some()
    }

    /// Keeps a change of the draft when the event stays.
    fn keep(&mut self, draft: &mut SampledScenario, change: impl FnOnce(&mut SampledScenario)) -> bool {
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
    fn first(&mut self, past: &EventPast) -> Option<SampledScenario> {
        let opens = self.wanted.event.start;
        let earliest = past.series.iter().flat_map(|series| &series.samples).map(|sample| sample.time).min()?;
        let all: fn(&Wanted<'_>, &RecordedSeries) -> bool = |_, _| true;
        for picks in [violated, selected, all] {
            let picked: Vec<&RecordedSeries> = past.series.iter().filter(|of| picks(&self.wanted, of)).collect();
            let mut span = longest_window(self.wanted.definition).max(SHORTEST);
            loop {
                let from = opens.saturating_sub(span).max(earliest);
                for rounding in ROUNDINGS {
                    let draft = self.draft(&picked, from, rounding);
                    let interval = draft.series.iter().map(|series| series.interval).max().unwrap_or(0);
                    self.slack = self.wanted.step.max(interval.min(MINUTE));
                    if let Some((until, _)) = self.find(&draft) {
                        return Some(SampledScenario { until, ..draft });
                    }
                }
                if from == earliest {
                    break;
                }
                span = span.saturating_mul(2);
            }
        }
        None
    }

    fn draft(&self, picked: &[&RecordedSeries], from: Nanos, rounding: Rounding) -> SampledScenario {
        let start = from - from.rem_euclid(SECOND);
        SampledScenario {
            name: format!("{} fires", self.wanted.definition.name),
            comment: self.wanted.comment.lines().map(str::to_string).collect(),
            options: self.wanted.options.clone(),
            start,
            until: self.wanted.event.start - start,
            series: picked.iter().filter_map(|series| series.sampled(from, start, rounding)).collect(),
        }
    }

    /// Delta debugging: leaves out halves, quarters and so on of the series as long as the event stays.
    fn fewer_series(&mut self, draft: &mut SampledScenario) {
        let mut parts = 2;
        while draft.series.len() > 1 {
            let size = draft.series.len().div_ceil(parts);
            let mut begin = 0;
            let mut is_smaller = false;
            while begin < draft.series.len() && draft.series.len() > 1 {
                let end = (begin + size).min(draft.series.len());
                let is_part = end - begin < draft.series.len();
                if is_part && self.keep(draft, |next| drop(next.series.drain(begin..end))) {
                    is_smaller = true;
                } else {
                    begin = end;
                }
            }
            if size == 1 && !is_smaller {
                return;
            }
            parts = if is_smaller { 2 } else { (parts * 2).min(draft.series.len()) };
        }
    }

    /// The latest start that still gives the event, by bisection.
    fn later(&mut self, draft: &mut SampledScenario) {
        let (mut good, mut bad) = (0, draft.until);
        while bad - good > SECOND {
            let middle = good + (bad - good) / 2;
            let later = |next: &mut SampledScenario| {
                next.series.iter_mut().for_each(|series| cut(series, middle));
                next.series.retain(|series| !series.samples.is_empty());
            };
            if self.keep(draft, later) { good = middle } else { bad = middle }
        }
    }

    /// Leaves out attributes of resources and of series, one key after the other.
    fn fewer_attributes(&mut self, draft: &mut SampledScenario) {
        for attributes in ATTRIBUTES {
            for key in keys(draft, attributes) {
                let mut next = draft.clone();
                for own in next.series.iter_mut().map(attributes) {
                    *own = each(own, |name, value| (name != key).then(|| value.clone()));
                }
                // Series that differ in nothing else would become one.
                if is_distinct(&next) && self.gives(&next) {
                    *draft = next;
                }
            }
        }
    }

    /// Values that take less room, series by series: one value, a straight line, then few digits.
    fn simpler_values(&mut self, draft: &mut SampledScenario) {
        for at in 0..draft.series.len() {
            self.keep(draft, |next| fill_gaps(&mut next.series[at].samples));
            for simpler in simplify::all() {
                if self.keep(draft, |next| simplify(&mut next.series[at].samples, simpler)) {
                    break;
                }
            }
        }
    }

    /// Takes the date away: the first sample is sent when the scenario starts, or at least within an hour of it.
    fn begin_at_zero(&mut self, draft: &mut SampledScenario) {
        let Some(first) = draft.series.iter().map(|series| series.starts).min() else { return };
        // Where evaluations lie may matter, so the phase is kept if need be.
        let begin = draft.start + first;
        for unit in [1, 10 * SECOND, MINUTE, 5 * MINUTE, 60 * MINUTE] {
            let phase = if unit == 1 { 0 } else { begin.rem_euclid(unit) };
            let by = first - phase;
            let moved = |next: &mut SampledScenario| {
                next.start = DEFAULT_START;
                next.series.iter_mut().for_each(|series| series.starts -= by);
                next.until -= by;
            };
            if self.keep(draft, moved) {
                return;
            }
        }
    }

    /// Hashes the values of all attributes but those that the event needs; the keys of the latter are returned.
    fn hash(&mut self, draft: &mut SampledScenario, key: &[u8]) -> Vec<String> {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, key);
        self.entity = None;
        let mut kept = BTreeSet::new();
        for attributes in ATTRIBUTES {
            for key in keys(draft, attributes) {
                let hashed = |next: &mut SampledScenario| {
                    for own in next.series.iter_mut().map(attributes) {
                        *own = each(own, |name, v| Some(if name == key { hash(v, &secret) } else { v.clone() }));
                    }
                };
                if !self.keep(draft, hashed) {
                    kept.insert(key);
                }
            }
        }
        kept.into_iter().collect()
    }

    /// The whole text: with what is expected, and run once more with all of the rules.
    fn finished(&mut self, draft: &mut SampledScenario) -> Result<String, NotFound> {
        let (opens, event) = self.find(draft).ok_or(NotFound::NotReproduced)?;
        draft.until = opens;
        let mut entity = String::new();
        if let Some(label) = entity_of(&event).filter(|label| !label.is_empty()) {
            let _ = write!(entity, ", entity: {}", quoted(&label));
        }
        let name = quoted(&self.wanted.definition.name);
        let (opens, severity) = (span(opens), event.severity);
        let expect = format!("expect:\n  - {{definition: {name}, opens: {opens}, severity: {severity}{entity}}}\n");
        let mut why = String::new();
        for others in ["", "others: allowed\n"] {
            let text = format!("{}{expect}{others}", draft.to_text(self.wanted.rules));
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

fn has_fired(outcome: &ScenarioOutcome) -> bool {
    outcome.report.definitions.iter().any(|definition| definition.verdict == Verdict::Fired)
}

/// The series that violated when the event opened.
fn violated(wanted: &Wanted<'_>, recorded: &RecordedSeries) -> bool {
    let series = wanted.event.rules.iter().flat_map(|rule| &rule.series);
    // A merged series has no attributes of its own.
    let same = |attributes: &Attributes| attributes.is_empty() || *attributes == recorded.attributes;
    series.into_iter().any(|series| *series.metric == recorded.metric && same(&series.attributes))
}

/// The series that the definition looks at; any series tells whether an entity is there.
fn selected(wanted: &Wanted<'_>, recorded: &RecordedSeries) -> bool {
    let looks = |rule: &Rule| rule.presence().is_some() || rule.selects(&recorded.metric, &recorded.attributes);
    wanted.definition.rules.iter().any(looks)
}

fn longest_window(definition: &EventDefinition) -> Nanos {
    definition.rules.iter().filter_map(Rule::window_ms).max().unwrap_or(0).saturating_mul(MS)
}

/// What identifies a series: attributes of its resource, and its own.
const ATTRIBUTES: [fn(&mut SampledSeries) -> &mut Attributes; 2] =
    [|series| &mut series.resource, |series| &mut series.attributes];

fn keys(draft: &SampledScenario, attributes: fn(&mut SampledSeries) -> &mut Attributes) -> BTreeSet<String> {
    let mut all = draft.series.clone();
    all.iter_mut().flat_map(|series| attributes(series).iter().map(|(key, _)| key.to_string())).collect()
}

fn is_distinct(draft: &SampledScenario) -> bool {
    let mut seen = HashSet::new();
    draft.series.iter().all(|series| seen.insert((&series.resource, &series.metric, &series.attributes)))
}

/// The attributes with other values, or without some.
fn each(attributes: &Attributes, of: impl Fn(&str, &Value) -> Option<Value>) -> Attributes {
    let pairs = attributes.iter().filter_map(|(key, value)| Some((key.to_string(), of(key, value)?)));
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
