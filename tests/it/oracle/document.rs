//! The content of a `replay --format json` document, from three sources: the oracle, a stored document, the engine.
//!
//! `differences` is the comparison all tests use: numbers at 1e-9 relative, everything else equal.

use foreshock::definition::{EventDefinition, RuleKind, Selector};
use foreshock::engine::{CloseReason, DropReason, EvaluationReport, EventState};
use serde_json::Value as Json;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Document {
    pub events: Vec<DocumentEvent>,
    pub definitions: Vec<DocumentDefinition>,
    pub dropped: BTreeMap<String, u64>,
    pub points: u64,
    /// Points that were stored, or that no rule looks at; only the oracle says.
    pub kept: u64,
    pub series: u64,
    pub entities: u64,
    pub from: Option<i64>,
    pub to: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub struct DocumentEvent {
    pub definition: String,
    /// Canonical JSON; empty for events without an entity.
    pub resource: String,
    pub start: i64,
    /// Only of closed events.
    pub end: Option<i64>,
    pub closed_at: Option<i64>,
    pub reason: Option<String>,
    pub last_violation: i64,
    pub severity: i64,
    pub incident: bool,
    pub rules: Vec<DocumentRule>,
    /// Worst margin, its value and instant; a stored document has none.
    pub peak: Option<(f64, f64, i64)>,
}

#[derive(Clone, Debug)]
pub struct DocumentRule {
    pub index: usize,
    pub series: Vec<DocumentSeries>,
}

#[derive(Clone, Debug)]
pub struct DocumentSeries {
    /// Of pattern rules only.
    pub metric: String,
    /// Canonical JSON.
    pub attributes: String,
    pub value: f64,
    pub points: u64,
}

#[derive(Clone, Debug, Default)]
pub struct DocumentDefinition {
    pub name: String,
    pub verdict: String,
    pub matched_series: u64,
    pub matched_entities: u64,
    pub evaluations: u64,
    pub warming_up: u64,
    /// Margin, value, instant; a stored document has no margin.
    pub nearest: Option<(f64, f64, i64)>,
    pub evaluated_rules: usize,
}

/// A stored document.
pub fn of_json(json: &Json) -> Document {
    let int = |json: &Json| json.as_i64();
    let event = |e: &Json| {
        let f = &e["foreshock"];
        let series = |s: &Json| DocumentSeries {
            metric: s["metricName"].as_str().unwrap_or_default().to_string(),
            attributes: s["attributes"].to_string(),
            value: s["value"].as_f64().unwrap_or(f64::NAN),
            points: s["points"].as_u64().unwrap_or(0),
        };
        DocumentEvent {
            definition: f["definition"].as_str().unwrap_or_default().to_string(),
            resource: f["resource"].to_string(),
            start: int(&e["start"]).unwrap_or(0),
            end: int(&e["end"]),
            closed_at: int(&f["closedAt"]),
            reason: f["reason"].as_str().map(str::to_string),
            last_violation: int(&f["lastViolation"]).unwrap_or(0),
            severity: int(&e["severity"]).unwrap_or(0),
            incident: e["type"] == "incident",
            rules: array(&f["rules"])
                .iter()
                .map(|rule| DocumentRule {
                    index: rule["index"].as_u64().unwrap_or(99) as usize,
                    series: array(&rule["series"]).iter().map(series).collect(),
                })
                .collect(),
            peak: None,
        }
    };
    let definition = |d: &Json| DocumentDefinition {
        name: d["definition"].as_str().unwrap_or_default().to_string(),
        verdict: d["verdict"].as_str().unwrap_or_default().to_string(),
        matched_series: d["matchedSeries"].as_u64().unwrap_or(0),
        matched_entities: d["matchedEntities"].as_u64().unwrap_or(0),
        evaluations: d["evaluations"].as_u64().unwrap_or(0),
        warming_up: d["warmingUp"].as_u64().unwrap_or(0),
        nearest: d["nearest"]["value"].as_f64().map(|v| (f64::NAN, v, int(&d["nearest"]["at"]).unwrap_or(0))),
        evaluated_rules: 0,
    };
    let dropped = json["dropped"].as_object().map(|map| map.iter().filter_map(|(k, v)| Some((k.clone(), v.as_u64()?))));
    Document {
        events: array(&json["events"]).iter().map(event).collect(),
        definitions: array(&json["definitions"]).iter().map(definition).collect(),
        dropped: dropped.into_iter().flatten().collect(),
        points: json["points"].as_u64().unwrap_or(0),
        kept: 0,
        series: json["series"].as_u64().unwrap_or(0),
        entities: json["entities"].as_u64().unwrap_or(0),
        from: int(&json["from"]),
        to: int(&json["to"]),
    }
}

fn array(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn ms(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000)
}

/// What the engine reports.
pub fn of_report(definitions: &[EventDefinition], report: &EvaluationReport) -> Document {
    let event = |e: &foreshock::engine::Event| {
        let definition = &definitions[e.definition];
        let (end, closed_at, reason) = match e.state {
            EventState::Open => (None, None, None),
            EventState::Closed { end, closed_at, reason } => {
                let word = match reason {
                    CloseReason::Recovered => "recovered",
                    CloseReason::NoData => "no_data",
                };
                (Some(ms(end)), Some(ms(closed_at)), Some(word.to_string()))
            }
        };
        let is_pattern = |index: usize| matches!(&definition.rules[index].kind, RuleKind::Threshold(t) if matches!(t.selector, Selector::Pattern(_)));
        DocumentEvent {
            definition: definition.name.clone(),
            resource: e.entity.as_ref().map_or(String::new(), |entity| entity.resource.to_json().to_string()),
            start: ms(e.start),
            end,
            closed_at,
            reason,
            last_violation: ms(e.last_violation),
            severity: e.severity,
            incident: definition.triggering,
            rules: e
                .rules
                .iter()
                .map(|rule| DocumentRule {
                    index: rule.index,
                    series: rule
                        .series
                        .iter()
                        .map(|s| DocumentSeries {
                            metric: if is_pattern(rule.index) { s.metric.id() } else { String::new() },
                            attributes: s.attributes.to_json().to_string(),
                            value: s.value,
                            points: s.points as u64,
                        })
                        .collect(),
                })
                .collect(),
            peak: e.peak.as_ref().and_then(|peak| {
                let RuleKind::Threshold(threshold) = &definition.rules.get(peak.rule)?.kind else { return None };
                let value = peak.observation.value;
                Some((threshold.condition.margin(value), value, ms(peak.observation.evaluation_time)))
            }),
        }
    };
    let summaries = definitions.iter().zip(&report.definitions).map(|(definition, d)| DocumentDefinition {
        name: definition.name.clone(),
        verdict: d.verdict.as_str().to_string(),
        matched_series: d.matched_series,
        matched_entities: d.matched_entities,
        evaluations: d.evaluations,
        warming_up: d.warming_up,
        nearest: d.nearest.as_ref().map(|n| (n.margin, n.observation.value, ms(n.observation.evaluation_time))),
        evaluated_rules: d.rules.iter().filter(|rule| rule.evaluations > 0).count(),
    });
    let counts = &report.counts;
    let dropped = DropReason::ALL.iter().map(|reason| (reason.as_str().to_string(), counts.dropped[*reason as usize]));
    Document {
        events: report.events.iter().map(event).collect(),
        definitions: summaries.collect(),
        dropped: dropped.filter(|(_, n)| *n > 0).collect(),
        points: counts.points,
        kept: 0,
        series: counts.series,
        entities: counts.entities,
        from: report.coverage.from.map(ms),
        to: report.coverage.to.map(ms),
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= (1e-9 * a.abs().max(b.abs())).max(1e-12)
}

/// Whether two (margin, value, instant) mean the same. Rounding may make another instant the nearest by less than is
/// compared. What is exact has no such excuse: of equally near values the first counts.
fn near(a: Option<(f64, f64, i64)>, b: Option<(f64, f64, i64)>) -> bool {
    let exact = |value: f64| (value * 1024.0).fract() == 0.0;
    match (a, b) {
        (None, None) => true,
        (Some((m, v, at)), Some((n, w, then))) if m.is_nan() || n.is_nan() => at == then && close(v, w),
        (Some((m, v, at)), Some((n, w, then))) if m == n && exact(v) && exact(w) => at == then,
        (Some((m, v, _)), Some((n, w, _))) => (m - n).abs() <= 1e-9 * v.abs().max(w.abs()).max(1e-3),
        _ => false,
    }
}

/// Everything in which two documents differ, one sentence each.
pub fn differences(wanted: &Document, got: &Document) -> Vec<String> {
    let mut out = Vec::new();
    fn field<T: PartialEq + std::fmt::Debug>(out: &mut Vec<String>, what: &str, a: &T, b: &T) {
        if a != b {
            out.push(format!("{what}: wanted {a:?}, got {b:?}"));
        }
    }
    let key = |e: &DocumentEvent| (e.definition.clone(), e.resource.clone(), e.start);
    let one: BTreeMap<_, _> = wanted.events.iter().map(|e| (key(e), e)).collect();
    let two: BTreeMap<_, _> = got.events.iter().map(|e| (key(e), e)).collect();
    field(&mut out, "number of events", &wanted.events.len(), &got.events.len());
    for k in two.keys().filter(|k| !one.contains_key(*k)) {
        out.push(format!("event too many: {k:?}"));
    }
    for (k, a) in &one {
        let Some(b) = two.get(k) else {
            out.push(format!("event missing: {k:?}"));
            continue;
        };
        let name = format!("event {k:?}");
        // An event that is still open has no end, whatever it may become.
        let end = |e: &DocumentEvent| e.closed_at.and(e.end);
        field(&mut out, &format!("{name} end"), &end(a), &end(b));
        field(&mut out, &format!("{name} closedAt"), &a.closed_at, &b.closed_at);
        field(&mut out, &format!("{name} reason"), &a.reason, &b.reason);
        field(&mut out, &format!("{name} lastViolation"), &a.last_violation, &b.last_violation);
        field(&mut out, &format!("{name} severity"), &a.severity, &b.severity);
        field(&mut out, &format!("{name} incident"), &a.incident, &b.incident);
        if a.peak.is_some() && !near(a.peak, b.peak) {
            out.push(format!("{name} peak: wanted {:?}, got {:?}", a.peak, b.peak));
        }
        let series = |e: &DocumentEvent| {
            let all = e.rules.iter().flat_map(|rule| rule.series.iter().map(move |s| (rule.index, s)));
            let mut all: Vec<_> =
                all.map(|(i, s)| (i, s.metric.clone(), s.attributes.clone(), s.points, s.value)).collect();
            all.sort_by(|a, b| (a.0, &a.1, &a.2).cmp(&(b.0, &b.1, &b.2)).then(a.4.total_cmp(&b.4)));
            all
        };
        let (a, b) = (series(a), series(b));
        let same = a.len() == b.len()
            && a.iter().zip(&b).all(|(a, b)| (a.0, &a.1, &a.2, a.3) == (b.0, &b.1, &b.2, b.3) && close(a.4, b.4));
        if !same {
            out.push(format!("{name} series: wanted {a:?}, got {b:?}"));
        }
    }
    let by_name = |d: &Document| d.definitions.iter().map(|d| (d.name.clone(), d.clone())).collect::<BTreeMap<_, _>>();
    let (one, two) = (by_name(wanted), by_name(got));
    field(&mut out, "definitions", &one.keys().collect::<Vec<_>>(), &two.keys().collect::<Vec<_>>());
    field(&mut out, "number of definitions", &wanted.definitions.len(), &got.definitions.len());
    for (a, b) in one.values().zip(two.values()) {
        let name = &a.name;
        field(&mut out, &format!("{name} verdict"), &a.verdict, &b.verdict);
        field(&mut out, &format!("{name} matchedSeries"), &a.matched_series, &b.matched_series);
        field(&mut out, &format!("{name} matchedEntities"), &a.matched_entities, &b.matched_entities);
        field(&mut out, &format!("{name} evaluations"), &a.evaluations, &b.evaluations);
        field(&mut out, &format!("{name} warmingUp"), &a.warming_up, &b.warming_up);
        let near = near(a.nearest, b.nearest);
        if !near {
            out.push(format!("{name} nearest: wanted {:?}, got {:?}", a.nearest, b.nearest));
        }
    }
    field(&mut out, "dropped", &wanted.dropped, &got.dropped);
    field(&mut out, "points", &wanted.points, &got.points);
    field(&mut out, "series", &wanted.series, &got.series);
    field(&mut out, "entities", &wanted.entities, &got.entities);
    field(&mut out, "from", &wanted.from, &got.from);
    field(&mut out, "to", &wanted.to, &got.to);
    out
}
