//! A second reading of `docs/semantics.md`, sections 2 to 8, for threshold rules: written for obviousness, not for speed.
//!
//! All arrivals are kept; at every instant every series is rebuilt from the arrivals so far and every aggregate computed
//! from scratch. It shares data types with the crate and nothing that decides anything.

pub mod definition;
pub mod document;
mod histogram;
pub mod json;
mod query;
mod window;

use crate::generate::{Arrival, Point, PointValue, S};
use definition::{Definition, Rule};
use document::{Document, DocumentDefinition, DocumentEvent, DocumentRule, DocumentSeries};
use foreshock::engine::{Options, SeriesMode, Timestamps};
use foreshock::model::{Attributes, Buckets, Histogram, Kind, MetricIdentity, Temporality};
use histogram::Step;
use std::collections::{BTreeMap, BTreeSet};
use window::{Found, Observation};

/// A series that arrived, stored or not.
struct Series {
    resource: Attributes,
    metric: MetricIdentity,
    attributes: Attributes,
    /// Longest window of a judged rule that selects it.
    reach: Option<i64>,
    /// At least one point passed the checks up to `future`.
    seen: bool,
    stored: Vec<Stored>,
}

struct Stored {
    arrived: i64,
    time: i64,
    start: i64,
    value: f64,
    histogram: Option<Histogram>,
}

/// `<service.name> (<service.instance.id>)`, the one that is present, or nothing.
pub fn label(resource: &Attributes) -> String {
    let text = |key: &str| resource.get(key).map(|value| value.to_text());
    match (text("service.name"), text("service.instance.id")) {
        (Some(name), Some(instance)) => format!("{name} ({instance})"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

/// The attributes that identify the entity.
fn entity(resource: &Attributes) -> Attributes {
    if resource.get("service.name").is_none() || resource.get("service.instance.id").is_none() {
        return resource.clone();
    }
    let keys = ["service.namespace", "service.name", "service.instance.id"];
    let pairs = resource.iter().filter(|(key, _)| keys.contains(key));
    Attributes::new(pairs.map(|(key, value)| (key.to_string(), value.clone())).collect())
}

/// Judges the arrivals.
pub fn judge(definitions: &[Definition], options: &Options, arrivals: &[Arrival]) -> Document {
    let mut document = Document::default();
    let series = take_in(definitions, options, arrivals, &mut document);
    let seen: Vec<&Series> = series.iter().filter(|s| s.seen).collect();
    document.series = seen.len() as u64;
    document.entities =
        seen.iter().map(|s| entity(&s.resource).to_json().to_string()).collect::<BTreeSet<_>>().len() as u64;
    let instants: Vec<i64> = arrivals.iter().filter_map(|arrival| arrival.at).collect();
    let span = instants.first().copied().zip(instants.iter().copied().max());
    if arrivals.iter().flat_map(|arrival| &arrival.points).any(|point| point.time != 0) {
        document.from = span.map(|(first, _)| first.div_euclid(1_000_000));
        document.to = span.map(|(_, last)| last.div_euclid(1_000_000));
    }
    for definition in definitions {
        let (summary, events) = judge_definition(definition, options, &seen, span);
        document.definitions.push(summary);
        document.events.extend(events);
    }
    document
}

/// Section 3: what becomes of every point when it arrives.
fn take_in(
    definitions: &[Definition],
    options: &Options,
    arrivals: &[Arrival],
    document: &mut Document,
) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    let mut now: Option<i64> = None;
    for arrival in arrivals {
        now = now.max(arrival.at);
        for point in &arrival.points {
            document.points += 1;
            let time = match (options.timestamps, now) {
                (Timestamps::Arrival, Some(now)) => now,
                _ => point.time,
            };
            let at = now.unwrap_or(0);
            let became = match first_reason(point, time, at) {
                Some(reason) => Became::Dropped(reason),
                None => store(definitions, &mut all, point, time, at),
            };
            match became {
                Became::Dropped(reason) => *document.dropped.entry(reason.to_string()).or_default() += 1,
                Became::Stored | Became::Unselected => document.kept += 1,
            }
        }
    }
    all
}

/// What becomes of a point.
enum Became {
    Stored,
    Unselected,
    Dropped(&'static str),
}

/// The checks that need the point and `at` only.
fn first_reason(point: &Point, time: i64, at: i64) -> Option<&'static str> {
    let histogram = match &point.value {
        PointValue::Histogram(histogram) => Some(histogram),
        _ => None,
    };
    let finite = match &point.value {
        PointValue::Flagged | PointValue::Missing => return Some("no_recorded_value"),
        PointValue::Double(value) => value.is_finite(),
        PointValue::Histogram(h) => [h.sum, h.min, h.max].into_iter().flatten().all(f64::is_finite),
        PointValue::Int(_) | PointValue::Summary => true,
    };
    if !finite {
        return Some("not_finite");
    }
    if let Some(Histogram { buckets: Buckets::Explicit { bounds, counts }, .. }) = histogram
        && !counts.is_empty()
        && counts.len() != bounds.len() + 1
    {
        return Some("malformed");
    }
    if matches!(point.value, PointValue::Summary) {
        return Some("summary");
    }
    if time == 0 {
        return Some("no_time");
    }
    (time > at + 300 * S).then_some("future")
}

/// Stores a point of a selected series, or says why not.
fn store(definitions: &[Definition], all: &mut Vec<Series>, point: &Point, time: i64, at: i64) -> Became {
    let same =
        |s: &Series| s.resource == point.resource && s.metric == point.metric && s.attributes == point.attributes;
    let index = all.iter().position(same).unwrap_or_else(|| {
        let windows = definitions.iter().filter(|d| d.judged() && d.query.selects(&point.resource)).flat_map(|d| {
            d.rules.iter().filter(|rule| rule.selects(&point.metric, &point.attributes)).map(|rule| rule.window)
        });
        all.push(Series {
            resource: point.resource.clone(),
            metric: point.metric.clone(),
            attributes: point.attributes.clone(),
            reach: windows.max(),
            seen: true,
            stored: Vec::new(),
        });
        all.len() - 1
    });
    let series = &mut all[index];
    let Some(reach) = series.reach else { return Became::Unselected };
    if time <= at - reach {
        return Became::Dropped("too_late");
    }
    if series.stored.iter().any(|stored| stored.time == time) {
        return Became::Dropped("duplicate");
    }
    let (value, histogram) = match &point.value {
        PointValue::Int(value) => (*value as f64, None),
        PointValue::Double(value) => (*value, None),
        PointValue::Histogram(histogram) => (0.0, Some(histogram.clone())),
        PointValue::Flagged | PointValue::Missing | PointValue::Summary => unreachable!("dropped before"),
    };
    series.stored.push(Stored { arrived: at, time, start: point.start, value, histogram });
    Became::Stored
}

/// Section 5.1: the points of one series known at an instant, in the order of time, with their steps (of those after
/// `edge`: nothing looks at the others).
fn observations(series: &Series, edge: i64, at: i64) -> Vec<Observation> {
    let mut known: Vec<&Stored> = series.stored.iter().filter(|stored| stored.arrived <= at).collect();
    known.sort_by_key(|stored| stored.time);
    let step = |i: usize| -> Option<Step> {
        let (before, now) = (known[i.checked_sub(1)?], known[i]);
        if now.time <= edge {
            return None;
        }
        let metric = &series.metric;
        match (metric.kind, metric.temporality, metric.monotonic) {
            (Kind::Histogram | Kind::ExponentialHistogram, temporality, _) => Some(histogram::step(
                temporality,
                (before.time, before.histogram.as_ref()?),
                before.start,
                now.start,
                now.histogram.as_ref()?,
            )),
            (Kind::Sum, Temporality::Delta, _) => {
                let gap = now.time - before.time;
                let first_observation = now.start > before.time && 4 * (now.time - now.start) < gap;
                Some(Step::of_number(if first_observation { 0.0 } else { now.value }))
            }
            (Kind::Sum, Temporality::Cumulative, true) if now.value < before.value => Some(Step::of_number(now.value)),
            (Kind::Sum, Temporality::Cumulative, true) => Some(Step::of_number(now.value - before.value)),
            (Kind::Sum, Temporality::Cumulative, false) | (Kind::Gauge | Kind::Summary, ..) => None,
        }
    };
    known
        .iter()
        .enumerate()
        .map(|(i, stored)| Observation {
            time: stored.time,
            value: stored.value,
            histograms: stored.histogram.iter().cloned().collect(),
            step: step(i),
            clash: false,
        })
        .collect()
}

/// Section 5.5: the points of a merged series.
fn merged(members: &[&Series], edge: i64, at: i64) -> Vec<Observation> {
    let each: Vec<Vec<Observation>> = members.iter().map(|series| observations(series, edge, at)).collect();
    let times: BTreeSet<i64> = each.iter().flatten().map(|o| o.time).collect();
    let bounds = |o: &Observation| match o.histograms.first().map(|h| &h.buckets) {
        Some(Buckets::Explicit { bounds, counts }) => Some((bounds.clone(), counts.len())),
        _ => None,
    };
    times
        .into_iter()
        .map(|time| {
            let here: Vec<&Observation> = each.iter().flatten().filter(|o| o.time == time).collect();
            let values: Vec<f64> = here.iter().map(|o| o.value).collect();
            let sum = window::exact_sum(&values);
            let clash = here.iter().any(|o| bounds(o) != bounds(here[0]));
            let mut step = Step::nothing();
            for one in here.iter().filter_map(|o| o.step.as_ref()) {
                step = step.plus(one).unwrap_or(step);
            }
            Observation {
                time,
                value: if members[0].metric.kind == Kind::Gauge { sum / values.len() as f64 } else { sum },
                histograms: here.iter().flat_map(|o| o.histograms.clone()).collect(),
                step: Some(step),
                clash,
            }
        })
        .collect()
}

/// A series as a rule judges it: one that arrived, or several merged.
struct Judged<'a> {
    entity: Attributes,
    metric: &'a MetricIdentity,
    attributes: Attributes,
    observations: Vec<Observation>,
}

/// What a rule judges at an instant, in the order of outputs.
fn judged<'a>(
    definition: &Definition,
    rule: &Rule,
    options: &Options,
    seen: &[&'a Series],
    at: i64,
) -> Vec<Judged<'a>> {
    let selected = seen.iter().filter(|s| {
        definition.query.selects(&s.resource)
            && rule.selects(&s.metric, &s.attributes)
            && s.stored.iter().any(|stored| stored.arrived <= at)
    });
    let mut groups: Vec<Vec<&'a Series>> = Vec::new();
    for series in selected {
        let key = |s: &Series| {
            (entity(&s.resource), s.metric.scope.clone(), s.metric.name.clone(), s.metric.kind, s.metric.monotonic)
        };
        let found = groups.iter_mut().find(|group| options.series == SeriesMode::Merge && key(group[0]) == key(series));
        match found {
            Some(group) => group.push(series),
            None => groups.push(vec![series]),
        }
    }
    let edge = at - rule.window;
    let has_points = |group: &&Vec<&Series>| {
        let mut points = group.iter().flat_map(|series| &series.stored);
        points.any(|p| p.arrived <= at && p.time > edge && p.time <= at)
    };
    let mut out: Vec<Judged<'a>> = groups
        .iter()
        .filter(has_points)
        .map(|group| Judged {
            entity: entity(&group[0].resource),
            metric: &group[0].metric,
            attributes: if group.len() == 1 { group[0].attributes.clone() } else { Attributes::default() },
            observations: if group.len() == 1 { observations(group[0], edge, at) } else { merged(group, edge, at) },
        })
        .collect();
    let order = |j: &Judged<'_>| (j.entity.to_json().to_string(), j.metric.id(), j.attributes.to_json().to_string());
    out.sort_by_key(order);
    out
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Violating,
    Clear,
    Unknown,
}

/// Section 6: several rules.
fn combine(any: bool, states: &[State]) -> State {
    let (one, all) = if any { (State::Violating, State::Clear) } else { (State::Clear, State::Violating) };
    if states.contains(&one) {
        one
    } else if states.iter().all(|state| *state == all) {
        all
    } else {
        State::Unknown
    }
}

/// One rule on one entity at one instant.
struct RuleState {
    state: State,
    violating: Vec<DocumentSeries>,
    /// Margin and value of the worst violation.
    worst: Option<(f64, f64)>,
}

fn judge_definition(
    definition: &Definition,
    options: &Options,
    seen: &[&Series],
    span: Option<(i64, i64)>,
) -> (DocumentDefinition, Vec<DocumentEvent>) {
    let mut out = DocumentDefinition { name: definition.name.clone(), ..DocumentDefinition::default() };
    if !definition.judged() {
        out.verdict = if definition.enabled { "inconclusive" } else { "disabled" }.to_string();
        return (out, Vec::new());
    }
    let on_query: Vec<&&Series> = seen.iter().filter(|s| definition.query.selects(&s.resource)).collect();
    let matching = |s: &&&&Series| definition.rules.iter().any(|rule| rule.selects(&s.metric, &s.attributes));
    out.matched_series = on_query.iter().filter(matching).count() as u64;
    let entities: BTreeSet<String> = on_query.iter().map(|s| entity(&s.resource).to_json().to_string()).collect();
    out.matched_entities = entities.len() as u64;

    let shortest = definition.rules.iter().map(|rule| rule.window).min().unwrap_or(10 * S);
    let step = options.step.unwrap_or(shortest.clamp(S, 10 * S));
    let mut judged_rules: BTreeSet<usize> = BTreeSet::new();
    let mut nearest: Option<(f64, f64, i64)> = None;
    let mut open: BTreeMap<String, DocumentEvent> = BTreeMap::new();
    let mut cleared: BTreeSet<String> = BTreeSet::new();
    let mut events: Vec<DocumentEvent> = Vec::new();
    let mut at = span.map_or(0, |(first, _)| first.div_euclid(step) * step + if first % step == 0 { 0 } else { step });
    while span.is_some_and(|(_, last)| at <= last) {
        let mut on_entity: BTreeMap<String, Vec<RuleState>> = BTreeMap::new();
        let nothing = || RuleState { state: State::Unknown, violating: Vec::new(), worst: None };
        for (index, rule) in definition.rules.iter().enumerate() {
            for series in judged(definition, rule, options, seen, at) {
                let of_entity = on_entity.entry(series.entity.to_json().to_string());
                let state =
                    &mut of_entity.or_insert_with(|| definition.rules.iter().map(|_| nothing()).collect())[index];
                match window::judge(rule, series.metric, &series.observations, at, options) {
                    Found::Nothing | Found::NoValue => {}
                    Found::WarmingUp => out.warming_up += 1,
                    Found::Value { value, points } => {
                        out.evaluations += 1;
                        judged_rules.insert(index);
                        let margin = rule.margin(value);
                        if nearest.is_none_or(|(smallest, ..)| margin < smallest) {
                            nearest = Some((margin, value, at));
                        }
                        if rule.violated(value) {
                            state.state = State::Violating;
                            if state.worst.is_none_or(|(smallest, _)| margin < smallest) {
                                state.worst = Some((margin, value));
                            }
                            let metric = if rule.is_pattern() { series.metric.id() } else { String::new() };
                            let attributes = series.attributes.to_json().to_string();
                            state.violating.push(DocumentSeries { metric, attributes, value, points: points as u64 });
                        } else if state.state == State::Unknown {
                            state.state = State::Clear;
                        }
                    }
                }
            }
        }
        let known: BTreeSet<String> = on_entity.keys().chain(open.keys()).cloned().collect();
        for entity in known {
            let states = on_entity.remove(&entity).unwrap_or_default();
            live(definition, &entity, states, at, &mut open, &mut cleared, &mut events);
        }
        at += step;
    }
    events.extend(open.into_values());
    out.nearest = nearest.map(|(margin, value, at)| (margin, value, at / 1_000_000));
    out.evaluated_rules = judged_rules.len();
    out.verdict = match (events.is_empty(), judged_rules.len() == definition.rules.len()) {
        (false, _) => "fired",
        (true, true) => "quiet",
        (true, false) => "inconclusive",
    }
    .to_string();
    (out, events)
}

/// Section 7: the event of one entity at one instant.
fn live(
    definition: &Definition,
    entity: &str,
    states: Vec<RuleState>,
    at: i64,
    open: &mut BTreeMap<String, DocumentEvent>,
    cleared: &mut BTreeSet<String>,
    events: &mut Vec<DocumentEvent>,
) {
    let state = match states.is_empty() {
        true => State::Unknown,
        false => combine(definition.any, &states.iter().map(|s| s.state).collect::<Vec<_>>()),
    };
    let ms = at / 1_000_000;
    let severity = definition.rules.iter().zip(&states).filter(|(_, s)| s.state == State::Violating);
    let severity = severity.map(|(rule, _)| rule.severity).max();
    let worst = states.iter().filter_map(|s| s.worst).min_by(|a, b| a.0.total_cmp(&b.0));
    let worst = worst.map(|(margin, value)| (margin, value, ms));
    if let Some(event) = open.get_mut(entity) {
        event.severity = event.severity.max(severity.unwrap_or(event.severity));
    }
    match (state, open.get_mut(entity)) {
        (State::Violating, Some(event)) => {
            event.last_violation = ms;
            event.peak = [event.peak, worst].into_iter().flatten().min_by(|a, b| a.0.total_cmp(&b.0));
            event.end = None;
            cleared.remove(entity);
        }
        (State::Violating, None) => {
            let violated = states.into_iter().enumerate().filter(|(_, s)| s.state == State::Violating);
            let event = DocumentEvent {
                definition: definition.name.clone(),
                resource: entity.to_string(),
                start: ms,
                last_violation: ms,
                severity: severity.expect("a rule violates"),
                incident: definition.triggering,
                peak: worst,
                rules: violated.map(|(index, s)| DocumentRule { index, series: s.violating }).collect(),
                ..DocumentEvent::default()
            };
            open.insert(entity.to_string(), event);
            cleared.remove(entity);
        }
        (_, None) => {}
        (state, Some(event)) => {
            event.end = event.end.or(Some(ms));
            if state == State::Clear {
                cleared.insert(entity.to_string());
            }
            if ms - event.last_violation >= definition.expiration / 1_000_000 {
                event.closed_at = Some(ms);
                event.reason = Some(if cleared.contains(entity) { "recovered" } else { "no_data" }.to_string());
                events.extend(open.remove(entity));
            }
        }
    }
}
