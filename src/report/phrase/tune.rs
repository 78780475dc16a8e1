//! What `tune` proposes and why, in words.

use super::definition::DefinitionResult;
use super::rule::{measure, short_series};
use crate::definition::{EventDefinition, Selector, Threshold};
use crate::engine::{InconclusiveReason, Verdict};
use crate::model::{MINUTE, Nanos, SECOND};
use crate::report::layout::clean;
use crate::report::outcome::{Pass, Tune};
use crate::report::quantity::{Measure, counted, percent};
use crate::report::time::{WEEK, duration, span_ms};
use crate::tune::{Candidate, Incident, NotSwept, Reason, SweptRule, ThresholdResult};

/// The result of one threshold, with everything it takes to talk about it.
pub(in crate::report) struct Proposal<'a> {
    pass: &'a Pass<'a>,
    pub result: &'a ThresholdResult,
    pub definition: &'a EventDefinition,
    pub threshold: &'a Threshold,
    pub measure: Measure,
}

impl<'a> Proposal<'a> {
    pub fn all(tune: &Tune<'a>) -> Vec<Proposal<'a>> {
        tune.passes
            .iter()
            .flat_map(|pass| pass.tuned.results.iter().filter_map(|result| Proposal::new(pass, result)))
            .collect()
    }

    fn new(pass: &'a Pass<'a>, result: &'a ThresholdResult) -> Option<Self> {
        let SweptRule { definition, rule } = result.target;
        let definition = pass.definitions.get(definition)?;
        let threshold = definition.rules.get(rule)?.threshold()?;
        let metric = result
            .entities
            .iter()
            .find_map(|of| of.peak.as_ref()?.series.as_ref())
            .map(|series| series.metric.as_ref());
        Some(Proposal { pass, result, definition, threshold, measure: measure(threshold, metric) })
    }

    /// The definition, with the rule when it has several.
    pub fn name(&self) -> String {
        rule_name(self.definition, self.result.target.rule)
    }

    /// What the rule compares: `rate over 5m of process.x > 0.8`.
    pub fn subject(&self) -> String {
        let id = match &self.threshold.selector {
            Selector::Id(id) => {
                let suffix = id.text.find('{').map_or("", |at| &id.text[at..]);
                format!("{}{suffix}", id.path().rsplit('/').next().unwrap_or(id.path()))
            }
            Selector::Pattern(pattern) => format!("{}.*.{}", pattern.prefix, pattern.postfix),
        };
        let window = span_ms(self.threshold.window_ms);
        format!("{} over {window} of {id}", self.threshold.aggregation.name())
    }

    pub fn exact(&self, value: f64) -> String {
        self.measure.exact(value)
    }

    pub fn current(&self) -> String {
        format!("{} {}", self.result.condition.operator.as_str(), self.exact(self.result.condition.value))
    }

    /// The new value, `keep`, or nothing.
    pub fn value(&self) -> String {
        match (self.result.change(), self.result.choice.value) {
            (Some(value), _) => self.exact(value),
            (None, Some(_)) => "keep".to_string(),
            (None, None) => "none".to_string(),
        }
    }

    /// Where the baseline ends: `highest 0.407 {type="vms"}`.
    fn end(&self) -> Option<String> {
        let of = self.result.entities.first()?;
        let peak = of.peak.as_ref()?;
        let value = self.measure.beside(peak.value, self.result.condition.value);
        let series = peak.series.as_ref().filter(|series| !series.attributes.is_empty());
        let series = series.map(|series| format!(" {}", series.attributes.to_suffix())).unwrap_or_default();
        Some(format!("{} {value}{}", self.extreme(), clean(&series)))
    }

    pub fn extreme(&self) -> &'static str {
        if self.result.condition.is_upper() { "highest" } else { "lowest" }
    }

    /// What lies between the baseline and the value that is proposed: `32% headroom`.
    fn room(&self) -> String {
        let room = self.result.choice.value.and_then(|value| self.result.headroom(value));
        match room {
            Some(room) if room.is_finite() && room >= 0.0 => format!(", {} headroom", percent(room)),
            _ => String::new(),
        }
    }

    /// The baseline relative to the current value: `, 2.1% of 0.8`.
    fn part_of_current(&self) -> String {
        let current = self.result.condition.value;
        match self.result.quantiles.last() {
            Some((_, end)) if current != 0.0 && (end / current) >= 0.0 => {
                format!(", {} of {}", percent(end / current), self.exact(current))
            }
            _ => String::new(),
        }
    }

    /// Why this is proposed, in a sentence.
    pub fn why(&self, tune: &Tune<'_>) -> String {
        let result = self.result;
        let end = self.end().unwrap_or_else(|| "no value that decides".to_string());
        let (room, incidents) = (self.room(), self.incidents());
        match result.choice.reason {
            Reason::NoValue => match tune.baseline.report.definitions[result.target.definition].verdict {
                Verdict::Inconclusive(_) => self.definition_outcome(tune),
                Verdict::Fired | Verdict::Quiet | Verdict::Disabled => {
                    "evaluated only during incidents: nothing shows what is healthy".to_string()
                }
            },
            Reason::OtherRules => {
                "the other rules of the definition decide, whatever the value of this one".to_string()
            }
            Reason::NoneFits if result.quantiles.last().is_some_and(|(_, end)| *end == 0.0) => {
                "the value was 0 all the time: no basis for a threshold".to_string()
            }
            Reason::NoneFits => "no value that was tried is within the budget".to_string(),
            Reason::Fits if result.quantiles.is_empty() => {
                "the other rules were never violated at the same time".to_string()
            }
            Reason::Fits if self.false_events() > 0 => {
                format!("{}, within the budget{incidents}", counted(self.false_events(), "false alert", "false alerts"))
            }
            Reason::Fits => format!("{end}{}{incidents}", self.part_of_current()),
            Reason::Fires => {
                let did = result.current().map(|outcome| self.did(outcome)).unwrap_or_default();
                format!("currently {did}; {end}{room}{incidents}")
            }
            Reason::Close => {
                format!("quiet, but {end}{}; now{}{incidents}", self.part_of_current(), room.replace(", ", " "))
            }
            Reason::Misses => format!("{end}{room}{incidents}"),
        }
    }

    /// What became of the definition.
    fn definition_outcome(&self, tune: &Tune<'_>) -> String {
        let mut results = DefinitionResult::all(tune.baseline);
        results.nth(self.result.target.definition).map(|result| result.outcome()).unwrap_or_default()
    }

    fn false_events(&self) -> u64 {
        self.result.current().map_or(0, |outcome| outcome.false_events)
    }

    /// Which value a row of the table is about.
    pub fn mark(&self, outcome: &Candidate) -> &'static str {
        match outcome.threshold {
            value if Some(value) == self.result.change() => "proposed",
            value if value == self.result.condition.value => "current",
            _ => "",
        }
    }

    /// `3 events on 2 of 5 instances, firing for 14m`.
    pub fn did(&self, outcome: &Candidate) -> String {
        if outcome.events == 0 {
            return "no event".to_string();
        }
        let mut text = counted(outcome.events, "event", "events");
        if self.result.basis.instances > 1 {
            text += &format!(" on {} of {} instances", outcome.entities, self.result.basis.instances);
        }
        text += &format!(", firing {} of the time", percent(self.share(outcome)));
        if outcome.flaps > 0 {
            text += &format!(", {}", counted(outcome.flaps, "flap", "flaps"));
        }
        text
    }

    /// The part of the evaluated time that it fired.
    pub fn share(&self, outcome: &Candidate) -> f64 {
        outcome.firing as f64 / self.result.basis.evaluated.max(1) as f64
    }

    pub fn per_week(&self, outcome: &Candidate) -> f64 {
        outcome.false_events as f64 * WEEK / self.result.basis.covered.max(1) as f64
    }

    /// `; both incidents detected (currently 1), 40s later`.
    fn incidents(&self) -> String {
        let (Some(value), Some(today)) = (self.result.choice.value, self.result.current()) else {
            return String::new();
        };
        let Some(proposed) = self.result.candidate(value) else { return String::new() };
        let needed = &self.result.needed;
        let seen = |outcome: &Candidate| needed.iter().filter(|&&i| outcome.seen[i].is_some()).count();
        let (seen, before, all) = (seen(proposed), seen(today), needed.len());
        let of = match (seen, all) {
            (_, 0) => return String::new(),
            (0, 1) => "the incident is not detected: it does not stand out".to_string(),
            (1, 1) => "the incident is detected".to_string(),
            (0, _) => format!("none of {all} incidents detected: they do not stand out"),
            (2, 2) => "both incidents detected".to_string(),
            (seen, all) if seen == all => format!("all {all} incidents detected"),
            (seen, all) => format!("{seen} of {all} incidents detected"),
        };
        let change = if before == seen { String::new() } else { format!(" (currently {before})") };
        let delays = needed.iter().filter_map(|&i| Some(proposed.seen[i]? - today.seen[i]?));
        let later = match (delays.clone().max(), delays.min()) {
            (Some(late), _) if late > 0 => format!(", {} later", duration(late)),
            (_, Some(early)) if early < 0 => format!(", {} earlier", duration(-early)),
            _ => String::new(),
        };
        format!("; {of}{change}{later}")
    }

    /// `14m of one instance, every 5s`.
    pub fn basis(&self) -> String {
        let basis = &self.result.basis;
        let every = basis.interval.map(|interval| format!(" every {}", duration(rounded(interval))));
        format!(
            "{} of {}{}",
            duration(rounded(basis.covered)),
            counted(basis.instances as u64, "instance", "instances"),
            every.unwrap_or_default()
        )
    }

    /// `based on 9m30s of 1 instance: low confidence`; of a proposal that changes something.
    pub fn based_on(&self) -> Option<String> {
        self.result.change()?;
        let confidence = if self.result.basis.is_provisional() { "low" } else { "sufficient" };
        Some(format!("based on {}: {confidence} confidence", self.basis()))
    }

    /// What else the reader should know.
    pub fn notes(&self, is_full: bool) -> Vec<String> {
        let result = self.result;
        let mut notes = Vec::new();
        if let Some(fleet) = result.fleet.as_ref().filter(|_| is_full || result.choice.reason != Reason::Fits) {
            notes.push(format!(
                "one value cannot fit all instances: {} {} on {}, {} on the middle one ({:.1} times)",
                self.extreme(),
                self.measure.text(fleet.highest),
                result.entities.first().map(|of| clean(&of.label.label).into_owned()).unwrap_or_default(),
                self.measure.text(fleet.middle),
                fleet.times
            ));
        }
        if result.depends_on_interval {
            notes.push("depends on the export interval: valid only for exports as frequent as these".to_string());
        }
        notes
    }

    /// The rows worth showing: the current and the proposed one, and of the others those at which something changes; with
    /// incidents those that no other row beats in both false and missed.
    pub fn rows(&self, most: usize) -> Vec<&'a Candidate> {
        let result = self.result;
        let missed = |outcome: &Candidate| result.concerned.len() - result.seen(outcome).0;
        let is_beaten = |outcome: &Candidate| {
            result.candidates.iter().any(|other| {
                let (a, b) = ((other.false_events, missed(other)), (outcome.false_events, missed(outcome)));
                a.0 <= b.0 && a.1 <= b.1 && a != b
            })
        };
        let must = |outcome: &Candidate| {
            outcome.threshold == result.condition.value || Some(outcome.threshold) == result.choice.value
        };
        let mut last = None;
        let mut rows: Vec<&Candidate> = Vec::new();
        for outcome in &result.candidates {
            let says = (outcome.events, outcome.false_events, missed(outcome));
            let is_news = last.is_none_or(|last| last != says);
            let wanted = if result.concerned.is_empty() { is_news } else { is_news && !is_beaten(outcome) };
            if must(outcome) || wanted {
                rows.push(outcome);
                last = Some(says);
            }
        }
        let mut spare = rows.len().saturating_sub(most);
        rows.retain(|outcome| {
            let goes = spare > 0 && !must(outcome);
            spare -= usize::from(goes);
            !goes
        });
        rows
    }

    pub fn concerned(&self) -> impl Iterator<Item = (usize, &'a Incident)> {
        self.result.concerned.iter().map(|&i| (i, &self.pass.tuned.incidents[i]))
    }

    /// How long after its beginning an incident was seen.
    pub fn delay(&self, outcome: &Candidate, incident: usize) -> Option<Nanos> {
        let of = &self.pass.tuned.incidents[incident];
        let begin = of.from.or(self.pass.spans.get(of.source).copied().flatten().map(|(from, _)| from))?;
        Some((outcome.seen[incident]? - begin).max(0))
    }

    pub fn series_of(&self, entity: usize) -> String {
        let peak = self.result.entities[entity].peak.as_ref();
        let series = peak.and_then(|peak| peak.series.as_ref());
        series.map(|series| short_series(&series.metric, &series.attributes)).unwrap_or_default()
    }
}

/// Instances that report at another interval than most: `export interval: most every 5s, but etl (i-1) every 2s`.
pub(in crate::report) fn other_intervals(tune: &Tune<'_>, most: usize) -> Option<String> {
    let answers = tune.passes.first()?.tuned.results.iter();
    let basis = answers.map(|result| &result.basis).max_by_key(|basis| basis.other_intervals.len())?;
    let usual = duration(rounded(basis.interval?));
    let others = &basis.other_intervals;
    let named = others.iter().take(most);
    let named: Vec<String> =
        named.map(|(name, interval)| format!("{} every {}", clean(name), duration(rounded(*interval)))).collect();
    let more = if others.len() > most { format!(", and {} more", others.len() - most) } else { String::new() };
    (!named.is_empty())
        .then(|| format!("another export interval than most (every {usual}): {}{more}", named.join(", ")))
}

/// A span as people say it: whole seconds, above an hour whole minutes.
fn rounded(span: Nanos) -> Nanos {
    let to = if span >= 60 * MINUTE { MINUTE } else { SECOND };
    if span < SECOND { span } else { (span + to / 2) / to * to }
}

/// What was not tuned: a definition that was not evaluated for another reason than its data, or a rule that was not swept.
pub(in crate::report) struct NotTuned<'a> {
    pub definition: &'a str,
    /// `None` for the whole definition.
    pub rule: Option<usize>,
    /// The definition, with the rule when it has several.
    pub name: String,
    /// The word of documents.
    pub reason: &'a str,
    pub why: String,
}

/// Everything that was not tuned.
pub(in crate::report) fn left_out<'a>(tune: &Tune<'a>) -> Vec<NotTuned<'a>> {
    let is_left = |result: &DefinitionResult<'_>| {
        matches!(result.report.verdict, Verdict::Disabled | Verdict::Inconclusive(InconclusiveReason::Problem))
    };
    let not_evaluated = DefinitionResult::all(tune.baseline).filter(is_left).map(|result| {
        let definition = result.definition.name.as_str();
        NotTuned { definition, rule: None, name: definition.into(), reason: "not_judged", why: result.outcome() }
    });
    let mut all: Vec<NotTuned<'_>> = not_evaluated.collect();
    let Some(pass) = tune.passes.first() else { return all };
    all.extend(pass.tuned.left.iter().filter_map(|(of, why)| {
        let definition = pass.definitions.get(of.definition)?;
        let (reason, why) = match why {
            NotSwept::Equality => ("equality", "= and != have no order of thresholds to try"),
            NotSwept::Presence => ("presence", "counts entities or their absence: its number is known, not measured"),
            NotSwept::NoThreshold => {
                let rule_type = definition.rules.get(of.rule)?.rule_type.as_str();
                (rule_type, "has no threshold: its parameters are in the rule")
            }
        };
        let (rule, name) = (Some(of.rule), rule_name(definition, of.rule));
        Some(NotTuned { definition: &definition.name, rule, name, reason, why: why.to_string() })
    }));
    all
}

/// The definition, with the rule when it has several.
fn rule_name(definition: &EventDefinition, rule: usize) -> String {
    match definition.rules.len() {
        1 => definition.name.clone(),
        _ => format!("{} rules[{rule}]", definition.name),
    }
}
