//! The document of `tune`: everything there is, in the order of the definitions.

use super::{Told, Tune, ms, not_swept, unjudged};
use crate::engine::SeriesLabel;
use crate::tune::{EntityFigures, NotSwept, Outcome, Reason};
use serde::Serialize;
use serde_json::Value as Json;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u8,
    sources: &'a [String],
    bad: &'a [String],
    from: Option<i64>,
    to: Option<i64>,
    points: u64,
    max_events_per_week: f64,
    incidents: Vec<IncidentJson<'a>>,
    thresholds: Vec<ThresholdJson<'a>>,
    not_tuned: Vec<LeftJson<'a>>,
}

#[derive(Serialize)]
struct IncidentJson<'a> {
    name: &'a str,
    from: Option<i64>,
    to: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    definitions: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ThresholdJson<'a> {
    definition: &'a str,
    rule: usize,
    subject: String,
    window: i64,
    condition_operator: &'static str,
    today: f64,
    proposed: Option<f64>,
    reason: &'static str,
    why: String,
    provisional: bool,
    basis: BasisJson<'a>,
    quantiles: Vec<QuantileJson>,
    headroom: Option<f64>,
    depends_on_interval: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<FleetJson>,
    instances: Vec<InstanceJson<'a>>,
    incidents: Vec<LevelJson<'a>>,
    values: Vec<ValueJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BasisJson<'a> {
    covered: i64,
    judged: i64,
    instances: usize,
    export_interval: Option<i64>,
    other_intervals: Vec<OtherJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtherJson<'a> {
    instance: &'a str,
    export_interval: i64,
}

#[derive(Serialize)]
struct QuantileJson {
    part: f64,
    value: f64,
}

#[derive(Serialize)]
struct FleetJson {
    highest: f64,
    middle: f64,
    times: f64,
}

#[derive(Serialize)]
struct InstanceJson<'a> {
    entity: &'a str,
    judged: i64,
    mean: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak: Option<PeakJson>,
}

#[derive(Serialize)]
struct PeakJson {
    value: f64,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Json>,
}

#[derive(Serialize)]
struct LevelJson<'a> {
    name: &'a str,
    peak: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValueJson {
    value: f64,
    events: u64,
    false_events: u64,
    per_week: f64,
    open: u64,
    flaps: u64,
    firing: i64,
    instances: u64,
    first: Option<i64>,
    missed: usize,
    /// By incident of the threshold, milliseconds after its beginning.
    seen_after: Vec<Option<i64>>,
}

#[derive(Serialize)]
struct LeftJson<'a> {
    definition: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<usize>,
    reason: &'static str,
    why: String,
}

/// Writes the document: indented, one line's end behind it.
pub fn tune(out: &mut impl Write, tune: &Tune<'_>) -> io::Result<()> {
    let coverage = tune.baseline.report.coverage;
    let tuned = tune.passes.first().map(|pass| pass.tuned);
    let told = Told::all(tune);
    let document = Document {
        schema_version: 1,
        sources: tune.baseline.sources,
        bad: tune.bad,
        from: coverage.from.map(ms),
        to: coverage.to.map(ms),
        points: tune.baseline.report.counts.points,
        max_events_per_week: tuned.map_or(0.0, |tuned| tuned.budget),
        incidents: tuned.map(incidents).unwrap_or_default(),
        thresholds: told.iter().map(|told| threshold(tune, told)).collect(),
        not_tuned: left(tune),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn incidents(tuned: &crate::tune::Tuned) -> Vec<IncidentJson<'_>> {
    let one = |incident: &'_ crate::tune::Incident| (incident.from.map(ms), incident.to.map(ms));
    tuned
        .incidents
        .iter()
        .map(|incident| {
            let (from, to) = one(incident);
            let service = incident.service.as_deref();
            IncidentJson { name: &incident.name, from, to, service, definitions: &incident.definitions }
        })
        .collect()
}

fn threshold<'a>(tune: &Tune<'_>, told: &Told<'a>) -> ThresholdJson<'a> {
    let answer = told.answer;
    let basis = &answer.basis;
    let others = basis.other_intervals.iter();
    ThresholdJson {
        definition: &told.definition.name,
        rule: answer.question.rule,
        subject: told.subject(),
        window: told.threshold.window_ms,
        condition_operator: answer.condition.operator.as_str(),
        today: answer.condition.value,
        proposed: answer.choice.value,
        reason: reason(answer.choice.reason),
        why: told.why(tune),
        provisional: basis.is_provisional(),
        basis: BasisJson {
            covered: ms(basis.covered),
            judged: ms(basis.judged),
            instances: basis.instances,
            export_interval: basis.interval.map(ms),
            other_intervals: others
                .map(|(instance, interval)| OtherJson { instance, export_interval: ms(*interval) })
                .collect(),
        },
        quantiles: answer.quantiles.iter().map(|&(part, value)| QuantileJson { part, value }).collect(),
        headroom: answer.choice.value.and_then(|value| answer.headroom(value)).filter(|room| room.is_finite()),
        depends_on_interval: answer.depends_on_interval,
        fleet: answer.fleet.as_ref().map(|fleet| FleetJson {
            highest: fleet.highest,
            middle: fleet.middle,
            times: fleet.times,
        }),
        instances: answer.entities.iter().map(instance).collect(),
        incidents: told
            .concerned()
            .map(|(i, incident)| LevelJson { name: &incident.name, peak: answer.levels[i] })
            .collect(),
        values: answer.outcomes.iter().map(|outcome| value(told, outcome)).collect(),
    }
}

fn instance(of: &EntityFigures) -> InstanceJson<'_> {
    InstanceJson {
        entity: &of.label.label,
        judged: ms(of.judged),
        mean: of.mean,
        peak: of.peak.as_ref().map(|peak| PeakJson {
            value: peak.value,
            at: ms(peak.at),
            metric: peak.series.as_ref().map(|series: &SeriesLabel| series.metric.id()),
            attributes: peak.series.as_ref().map(|series| series.attributes.to_json()),
        }),
    }
}

fn value(told: &Told<'_>, outcome: &Outcome) -> ValueJson {
    let (seen, all) = told.answer.seen(outcome);
    ValueJson {
        value: outcome.threshold,
        events: outcome.events,
        false_events: outcome.false_events,
        per_week: told.per_week(outcome),
        open: outcome.open,
        flaps: outcome.flaps,
        firing: ms(outcome.firing),
        instances: outcome.entities,
        first: outcome.first.map(ms),
        missed: all - seen,
        seen_after: told.concerned().map(|(i, _)| told.delay(outcome, i).map(ms)).collect(),
    }
}

fn left<'a>(tune: &Tune<'a>) -> Vec<LeftJson<'a>> {
    let unjudged = unjudged(tune).into_iter().map(|(definition, why)| LeftJson {
        definition,
        rule: None,
        reason: "not_judged",
        why,
    });
    let passes = tune.passes.first().into_iter();
    let left = passes.flat_map(|pass| {
        pass.tuned.left.iter().filter_map(|(question, why)| {
            let reason = match why {
                NotSwept::Equality => "equality",
                NotSwept::Presence => "presence",
                NotSwept::Trend => "trend",
            };
            let definition = &pass.definitions.get(question.definition)?.name;
            Some(LeftJson { definition, rule: Some(question.rule), reason, why: not_swept(*why).to_string() })
        })
    });
    unjudged.chain(left).collect()
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Fits => "fits",
        Reason::Fires => "fires",
        Reason::Close => "close",
        Reason::Misses => "misses",
        Reason::NoValue => "no_value",
        Reason::OtherRules => "other_rules",
        Reason::NoneFits => "none_fits",
    }
}
