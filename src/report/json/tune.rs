//! The document of `tune`: everything there is, in the order of the definitions.

use crate::model::to_ms;
use crate::report::document::{JsonNode, list, maybe, object};
use crate::report::outcome::Tune;
use crate::report::phrase::tune::{NotTuned, Proposal, left_out};
use crate::tune::{Candidate, EntityFigures, Incident, Reason};

pub(super) fn document(tune: &Tune<'_>) -> JsonNode {
    let coverage = tune.baseline.report.coverage;
    let tuned = tune.passes.first().map(|pass| pass.tuned);
    object! {
        "schemaVersion": 1,
        "sources": tune.baseline.sources,
        "bad": tune.bad,
        "from": coverage.from.map(to_ms),
        "to": coverage.to.map(to_ms),
        "points": tune.baseline.report.counts.points,
        "maxEventsPerWeek": tuned.map_or(0.0, |tuned| tuned.budget),
        "incidents": list(tuned.iter().flat_map(|tuned| &tuned.incidents).map(incident)),
        "thresholds": list(Proposal::all(tune).iter().map(|proposal| threshold(tune, proposal))),
        "notTuned": list(left_out(tune).iter().map(left)),
    }
}

fn incident(incident: &Incident) -> JsonNode {
    object! {
        "name": incident.name.as_str(),
        "from": incident.from.map(to_ms),
        "to": incident.to.map(to_ms),
        "service": maybe(incident.service.as_deref()),
        "definitions": incident.definitions.as_slice(),
    }
}

fn threshold(tune: &Tune<'_>, proposal: &Proposal<'_>) -> JsonNode {
    let result = proposal.result;
    let basis = &result.basis;
    let others = basis.other_intervals.iter();
    let others = others.map(|(name, ns)| object! { "instance": name.as_str(), "exportInterval": to_ms(*ns) });
    let level = |(i, of): (usize, &Incident)| object! { "name": of.name.as_str(), "peak": result.levels[i] };
    let fleet = result.fleet.as_ref();
    object! {
        "definition": proposal.definition.name.as_str(),
        "rule": result.target.rule,
        "subject": proposal.subject(),
        "window": proposal.threshold.window_ms,
        "conditionOperator": result.condition.operator.as_str(),
        "today": result.condition.value,
        "proposed": result.choice.value,
        "reason": reason(result.choice.reason),
        "why": proposal.why(tune),
        "provisional": basis.is_provisional(),
        "basis": object! {
            "covered": to_ms(basis.covered),
            "judged": to_ms(basis.evaluated),
            "instances": basis.instances,
            "exportInterval": basis.interval.map(to_ms),
            "otherIntervals": list(others),
        },
        "quantiles": list(result.quantiles.iter().map(|(part, value)| object! { "part": *part, "value": *value })),
        "headroom": result.choice.value.and_then(|value| result.headroom(value)).filter(|room| room.is_finite()),
        "dependsOnInterval": result.depends_on_interval,
        "fleet": maybe(fleet.map(|of| object! { "highest": of.highest, "middle": of.middle, "times": of.times })),
        "instances": list(result.entities.iter().map(instance)),
        "incidents": list(proposal.concerned().map(level)),
        "values": list(result.candidates.iter().map(|outcome| value(proposal, outcome))),
    }
}

fn instance(of: &EntityFigures) -> JsonNode {
    let peak = of.peak.as_ref().map(|peak| {
        object! {
            "value": peak.value,
            "at": to_ms(peak.at),
            "metric": maybe(peak.series.as_ref().map(|series| series.metric.id())),
            "attributes": maybe(peak.series.as_ref().map(|series| series.attributes.to_json())),
        }
    });
    object! {
        "entity": of.label.label.as_str(),
        "judged": to_ms(of.evaluated),
        "mean": of.mean,
        "peak": maybe(peak),
    }
}

fn value(proposal: &Proposal<'_>, outcome: &Candidate) -> JsonNode {
    let (seen, all) = proposal.result.seen(outcome);
    object! {
        "value": outcome.threshold,
        "events": outcome.events,
        "falseEvents": outcome.false_events,
        "perWeek": proposal.per_week(outcome),
        "open": outcome.open,
        "flaps": outcome.flaps,
        "firing": to_ms(outcome.firing),
        "instances": outcome.entities,
        "first": outcome.first.map(to_ms),
        "missed": all - seen,
        // By incident of the threshold, milliseconds after its beginning.
        "seenAfter": list(proposal.concerned().map(|(i, _)| proposal.delay(outcome, i).map(to_ms))),
    }
}

fn left(of: &NotTuned<'_>) -> JsonNode {
    object! { "definition": of.definition, "rule": maybe(of.rule), "reason": of.reason, "why": of.why.as_str() }
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
