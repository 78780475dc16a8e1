//! The rules of a definition: one JSON object to one [`Rule`].

use super::comparison::{condition, malformed_metric, pattern_operator};
use super::event_definition::{Rule, RuleKind, Selector, Threshold, Written};
use super::findings::{Findings, Reported, did_you_mean};
use super::keys::{self, PATTERN, RuleType};
use super::metric_id::{MetricId, MetricPattern};
use super::object::Object;
use super::presence::presence;
use super::problem::Severity;
use super::trend_rule::trend;
use super::wildcard::MatchOperator;
use crate::model::Aggregation;
use serde_json::Value as Json;

/// Aggregations of the published format.
const PUBLISHED: [(&str, Aggregation); 6] = [
    ("sum", Aggregation::Sum),
    ("avg", Aggregation::Avg),
    ("min", Aggregation::Min),
    ("max", Aggregation::Max),
    ("absolute_diff", Aggregation::AbsoluteDiff),
    ("relative_diff", Aggregation::RelativeDiff),
];

/// Aggregations that are evaluated although the published format does not list them; shipped packages use the first three.
const EXTENSIONS: [(&str, Aggregation); 10] = [
    ("rate", Aggregation::Rate),
    ("delta", Aggregation::Delta),
    ("count", Aggregation::Count),
    ("p25", Aggregation::Percentile(0.25)),
    ("p50", Aggregation::Percentile(0.50)),
    ("p75", Aggregation::Percentile(0.75)),
    ("p90", Aggregation::Percentile(0.90)),
    ("p95", Aggregation::Percentile(0.95)),
    ("p98", Aggregation::Percentile(0.98)),
    ("p99", Aggregation::Percentile(0.99)),
];

/// Reads one rule. `source` is the text the ranges belong to.
pub(super) fn rule(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<Rule, Reported> {
    let name = object.required_text("ruleType", findings);
    let severity = severity(object, findings);
    let known = name.ok().and_then(keys::rule_type);
    let elsewhere = |key: &str| keys::is_rule_key(key).then_some("other rule types");
    object.check_keys(known.as_ref().map_or(&[], |(_, keys)| keys.as_slice()), elsewhere, findings);
    let name = name?;
    let mut written = Written::default();
    let kind = match known {
        Some((RuleType::Threshold, _)) => threshold(object, source, &mut written, findings).map(RuleKind::Threshold),
        Some((RuleType::Presence(rule_type), _)) => {
            presence(rule_type, object, &mut written, findings).map(RuleKind::Presence)
        }
        Some((RuleType::Trend, _)) => trend(object, source, findings).map(RuleKind::Trend),
        None => Err(unknown_rule_type(name, object, findings)),
    };
    Ok(Rule { rule_type: name.to_string(), severity: severity?, kind: kind?, written })
}

fn unknown_rule_type(unknown: &str, object: &Object<'_>, findings: &mut Findings) -> Reported {
    let message = |path: &str| format!("`{path}` has the unknown rule type `{unknown}`");
    let help = did_you_mean(unknown, keys::rule_types());
    object.report("ruleType", Severity::Unevaluable, "unknown-rule-type", message, help, findings)
}

fn severity(object: &Object<'_>, findings: &mut Findings) -> Result<i64, Reported> {
    let severity = object.integer("severity", findings)?.unwrap_or(5);
    if !matches!(severity, 5 | 10 | -1)
        && let Some(field) = object.get("severity")
    {
        let message = format!("`{}` is {severity}, which is no severity of the format", field.path);
        let help = Some("5 is a warning, 10 critical, -1 a change".to_string());
        findings.add(Severity::Warning, "unknown-severity", field.location(), message, help);
    }
    Ok(severity)
}

fn threshold(
    object: &Object<'_>,
    source: &str,
    written: &mut Written,
    findings: &mut Findings,
) -> Result<Threshold, Reported> {
    let selector = selector(object, source, written, findings);
    let aggregation = aggregation(object, written, findings);
    let window = window(object, findings);
    let condition = condition(object, written, findings);
    let (window_ms, rollup_ms) = window?;
    Ok(Threshold { selector: selector?, aggregation: aggregation?, window_ms, rollup_ms, condition: condition? })
}

fn selector(
    object: &Object<'_>,
    source: &str,
    written: &mut Written,
    findings: &mut Findings,
) -> Result<Selector, Reported> {
    let name = object.text("metricName", findings);
    let pattern = object.object("metricPattern", findings);
    match (name?.filter(|name| !name.trim().is_empty()), pattern?) {
        (Some(_), Some(pattern)) => {
            let message = format!("`{}` and `{}` exclude each other", object.path_of("metricName"), pattern.path);
            Err(findings.add(Severity::Unevaluable, "two-metrics", pattern.location(), message, None))
        }
        (Some(name), None) => MetricId::parse(name)
            .map(Selector::Id)
            .map_err(|e| malformed_metric(object.get("metricName"), source, &e, findings)),
        (None, Some(pattern)) => {
            written.pattern = Some(Json::Object(pattern.map.clone()));
            metric_pattern(&pattern, source, findings).map(Selector::Pattern)
        }
        (None, None) => {
            let message =
                |path: &str| format!("`{path}` is missing, and so is `metricPattern`: the rule has no metric");
            Err(object.report("metricName", Severity::Unevaluable, "no-metric", message, None, findings))
        }
    }
}

fn metric_pattern(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<MetricPattern, Reported> {
    object.check_keys(&[PATTERN], |_| None, findings);
    let prefix = object.required_text("prefix", findings);
    let operator = pattern_operator(object, findings);
    let placeholder = object.text("placeholder", findings);
    let postfix = object.text("postfix", findings);
    let (prefix, operator, placeholder) = (prefix?, operator?, placeholder?.unwrap_or(""));
    if placeholder.is_empty() && operator != MatchOperator::Any {
        let effect = if operator == MatchOperator::Is { "nothing" } else { "everything between prefix and postfix" };
        let message = |path: &str| format!("`{path}` is empty, so the pattern selects {effect}");
        object.report("placeholder", Severity::Warning, "empty-placeholder", message, None, findings);
    }
    MetricPattern::parse(prefix, operator, placeholder, postfix?.unwrap_or(""))
        .map_err(|e| malformed_metric(object.get("postfix"), source, &e, findings))
}

fn aggregation(object: &Object<'_>, written: &mut Written, findings: &mut Findings) -> Result<Aggregation, Reported> {
    let text = object.required_text("aggregation", findings)?;
    written.aggregation = Some(text.to_string());
    if let Some((_, aggregation)) = PUBLISHED.iter().find(|(name, _)| *name == text) {
        return Ok(*aggregation);
    }
    if let Some((_, aggregation)) = EXTENSIONS.iter().find(|(name, _)| *name == text) {
        let message = |path: &str| format!("`{path}` is `{text}`, which the published format does not list");
        let help = format!("it lists {}", PUBLISHED.map(|(name, _)| name).join(", "));
        object.report("aggregation", Severity::Warning, "unpublished-aggregation", message, Some(help), findings);
        return Ok(*aggregation);
    }
    let known = [&PUBLISHED[..], &EXTENSIONS].concat();
    object.one_of("aggregation", &known, ("unknown-aggregation", "aggregation"), findings)
}

/// Window and roll-up; the roll-up is the window when there is none.
fn window(object: &Object<'_>, findings: &mut Findings) -> Result<(i64, i64), Reported> {
    let window = object.milliseconds("window", findings);
    let rollup = object.milliseconds("rollup", findings);
    let (window, rollup) = (window?.unwrap_or(0), rollup?.unwrap_or(0));
    if window > 0 {
        return Ok((window, rollup));
    }
    if rollup > 0 {
        return Ok((rollup, rollup));
    }
    let message = |path: &str| format!("`{path}` is missing or 0, and so is `rollup`: the rule has no window");
    Err(object.report("window", Severity::Unevaluable, "no-window", message, None, findings))
}
