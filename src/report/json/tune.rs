//! The document of `tune`: everything there is, in the order of the definitions.

use crate::engine::SeriesLabel;
use crate::model::to_ms;
use crate::report::outcome::Tune;
use crate::report::phrase::tune::{Proposal, not_evaluated, not_swept};
use crate::tune::{Candidate, EntityFigures, Incident, NotSwept, Reason, Tuned};
use serde::Serialize;
use serde_json::Value as Json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TuneDocument<'a> {
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
    instances: Vec<TuneInstanceJson<'a>>,
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
struct TuneInstanceJson<'a> {
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
    reason: &'a str,
    why: String,
}

impl<'a> TuneDocument<'a> {
    pub fn new(tune: &Tune<'a>) -> Self {
        let coverage = tune.baseline.report.coverage;
        let tuned = tune.passes.first().map(|pass| pass.tuned);
        TuneDocument {
            schema_version: 1,
            sources: tune.baseline.sources,
            bad: tune.bad,
            from: coverage.from.map(to_ms),
            to: coverage.to.map(to_ms),
            points: tune.baseline.report.counts.points,
            max_events_per_week: tuned.map_or(0.0, |tuned| tuned.budget),
            incidents: tuned.map(incidents).unwrap_or_default(),
            thresholds: Proposal::all(tune).iter().map(|proposal| threshold(tune, proposal)).collect(),
            not_tuned: left(tune),
        }
    }
}

fn incidents<'a>(tuned: &'a Tuned) -> Vec<IncidentJson<'a>> {
    let one = |incident: &'a Incident| IncidentJson {
        name: &incident.name,
        from: incident.from.map(to_ms),
        to: incident.to.map(to_ms),
        service: incident.service.as_deref(),
        definitions: &incident.definitions,
    };
    tuned.incidents.iter().map(one).collect()
}

fn threshold<'a>(tune: &Tune<'_>, proposal: &Proposal<'a>) -> ThresholdJson<'a> {
    let result = proposal.result;
    let basis = &result.basis;
    let others = basis.other_intervals.iter();
    ThresholdJson {
        definition: &proposal.definition.name,
        rule: result.target.rule,
        subject: proposal.subject(),
        window: proposal.threshold.window_ms,
        condition_operator: result.condition.operator.as_str(),
        today: result.condition.value,
        proposed: result.choice.value,
        reason: reason(result.choice.reason),
        why: proposal.why(tune),
        provisional: basis.is_provisional(),
        basis: BasisJson {
            covered: to_ms(basis.covered),
            judged: to_ms(basis.evaluated),
            instances: basis.instances,
            export_interval: basis.interval.map(to_ms),
            other_intervals: others
                .map(|(instance, interval)| OtherJson { instance, export_interval: to_ms(*interval) })
                .collect(),
        },
        quantiles: result.quantiles.iter().map(|&(part, value)| QuantileJson { part, value }).collect(),
        headroom: result.choice.value.and_then(|value| result.headroom(value)).filter(|room| room.is_finite()),
        depends_on_interval: result.depends_on_interval,
        fleet: result.fleet.as_ref().map(|fleet| FleetJson {
            highest: fleet.highest,
            middle: fleet.middle,
            times: fleet.times,
        }),
        instances: result.entities.iter().map(instance).collect(),
        incidents: proposal
            .concerned()
            .map(|(i, incident)| LevelJson { name: &incident.name, peak: result.levels[i] })
            .collect(),
        values: result.candidates.iter().map(|outcome| value(proposal, outcome)).collect(),
    }
}

fn instance(of: &EntityFigures) -> TuneInstanceJson<'_> {
    TuneInstanceJson {
        entity: &of.label.label,
        judged: to_ms(of.evaluated),
        mean: of.mean,
        peak: of.peak.as_ref().map(|peak| PeakJson {
            value: peak.value,
            at: to_ms(peak.at),
            metric: peak.series.as_ref().map(|series: &SeriesLabel| series.metric.id()),
            attributes: peak.series.as_ref().map(|series| series.attributes.to_json()),
        }),
    }
}

fn value(proposal: &Proposal<'_>, outcome: &Candidate) -> ValueJson {
    let (seen, all) = proposal.result.seen(outcome);
    ValueJson {
        value: outcome.threshold,
        events: outcome.events,
        false_events: outcome.false_events,
        per_week: proposal.per_week(outcome),
        open: outcome.open,
        flaps: outcome.flaps,
        firing: to_ms(outcome.firing),
        instances: outcome.entities,
        first: outcome.first.map(to_ms),
        missed: all - seen,
        seen_after: proposal.concerned().map(|(i, _)| proposal.delay(outcome, i).map(to_ms)).collect(),
    }
}

fn left<'a>(tune: &Tune<'a>) -> Vec<LeftJson<'a>> {
    let not_evaluated = not_evaluated(tune).into_iter().map(|(definition, why)| LeftJson {
        definition,
        rule: None,
        reason: "not_judged",
        why,
    });
    let passes = tune.passes.first().into_iter();
    let left = passes.flat_map(|pass| {
        pass.tuned.left.iter().filter_map(|(question, why)| {
            let definition = pass.definitions.get(question.definition)?;
            let reason: &str = match why {
                NotSwept::Equality => "equality",
                NotSwept::Presence => "presence",
                NotSwept::NoThreshold => &definition.rules.get(question.rule)?.rule_type,
            };
            let rule = Some(question.rule);
            Some(LeftJson { definition: &definition.name, rule, reason, why: not_swept(*why).to_string() })
        })
    });
    not_evaluated.chain(left).collect()
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
