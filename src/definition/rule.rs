//! The rules of a definition: one JSON object to one [`Rule`].

use super::event_definition::{CompareOp, Condition, MatchOperator, Rule, RuleKind, Selector, Threshold, Written};
use super::findings::{Findings, Reported};
use super::keys::{self, PATTERN, RuleType};
use super::metric_id::{MetricId, MetricIdError, MetricPattern};
use super::nearest::did_you_mean;
use super::object::{Field, Object};
use super::presence::presence;
use super::problem::Severity;
use super::trend::trend;
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

/// Aggregations that are judged although the published format does not list them; shipped packages use the first three.
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

const OPERATORS: [(&str, CompareOp); 7] = [
    (">", CompareOp::Greater),
    (">=", CompareOp::GreaterOrEqual),
    ("<", CompareOp::Less),
    ("<=", CompareOp::LessOrEqual),
    ("=", CompareOp::Equal),
    ("!=", CompareOp::NotEqual),
    ("==", CompareOp::Equal),
];

const MATCHES: [(&str, MatchOperator); 5] = [
    ("is", MatchOperator::Is),
    ("contains", MatchOperator::Contains),
    ("startsWith", MatchOperator::StartsWith),
    ("endsWith", MatchOperator::EndsWith),
    ("any", MatchOperator::Any),
];

/// Reads one rule. `source` is the text the places belong to.
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
    let path = object.path_of("ruleType");
    let range = object.get("ruleType").and_then(|f| f.range());
    let message = format!("`{path}` has the unknown rule type `{unknown}`");
    let help = did_you_mean(unknown, keys::rule_types());
    findings.add(Severity::Unjudgeable, "unknown-rule-type", (range, &path), message, help)
}

fn severity(object: &Object<'_>, findings: &mut Findings) -> Result<i64, Reported> {
    let severity = object.integer("severity", findings)?.unwrap_or(5);
    if !matches!(severity, 5 | 10 | -1)
        && let Some(field) = object.get("severity")
    {
        let message = format!("`{}` is {severity}, which is no severity of the format", field.path);
        let help = Some("5 is a warning, 10 critical, -1 a change".to_string());
        findings.add(Severity::Warning, "unknown-severity", field.place(), message, help);
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
            Err(findings.add(Severity::Unjudgeable, "two-metrics", (pattern.brace(), &pattern.path), message, None))
        }
        (Some(name), None) => MetricId::parse(name)
            .map(Selector::Id)
            .map_err(|e| malformed(object.get("metricName"), source, &e, findings)),
        (None, Some(pattern)) => {
            written.pattern = Some(Json::Object(pattern.map.clone()));
            metric_pattern(&pattern, source, findings).map(Selector::Pattern)
        }
        (None, None) => {
            let path = object.path_of("metricName");
            let range = object.get("metricName").and_then(|f| f.range()).or(object.brace());
            let message = format!("`{path}` is missing, and so is `metricPattern`: the rule has no metric");
            Err(findings.add(Severity::Unjudgeable, "no-metric", (range, &path), message, None))
        }
    }
}

fn metric_pattern(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<MetricPattern, Reported> {
    object.check_keys(&[PATTERN], |_| None, findings);
    let prefix = object.required_text("prefix", findings);
    let operator = match_operator(object, "operator", &MATCHES, findings);
    let placeholder = object.text("placeholder", findings);
    let postfix = object.text("postfix", findings);
    let (prefix, operator, placeholder) = (prefix?, operator?, placeholder?.unwrap_or(""));
    if placeholder.is_empty() && operator != MatchOperator::Any {
        let path = object.path_of("placeholder");
        let range = object.get("placeholder").and_then(|f| f.range()).or(object.brace());
        let effect = if operator == MatchOperator::Is { "nothing" } else { "everything between prefix and postfix" };
        let message = format!("`{path}` is empty, so the pattern selects {effect}");
        findings.add(Severity::Warning, "empty-placeholder", (range, &path), message, None);
    }
    MetricPattern::parse(prefix, operator, placeholder, postfix?.unwrap_or(""))
        .map_err(|e| malformed(object.get("postfix"), source, &e, findings))
}

pub(super) fn malformed(
    field: Option<Field<'_>>,
    source: &str,
    error: &MetricIdError,
    findings: &mut Findings,
) -> Reported {
    let path = field.as_ref().map_or("", |f| f.path.as_str());
    let range = field.as_ref().and_then(|f| f.range_inside(source, (error.offset, error.offset + 1)).or(f.range()));
    let message = format!("`{path}` is malformed: {error}");
    let help = Some("attributes are written as {key=\"value\",other=\"value\"}".to_string());
    findings.add(Severity::Unjudgeable, "malformed-metric", (range, path), message, help)
}

fn aggregation(object: &Object<'_>, written: &mut Written, findings: &mut Findings) -> Result<Aggregation, Reported> {
    let text = object.required_text("aggregation", findings)?;
    written.aggregation = Some(text.to_string());
    if let Some((_, aggregation)) = PUBLISHED.iter().find(|(name, _)| *name == text) {
        return Ok(*aggregation);
    }
    let path = object.path_of("aggregation");
    let place = (object.get("aggregation").and_then(|f| f.range()), path.as_str());
    if let Some((_, aggregation)) = EXTENSIONS.iter().find(|(name, _)| *name == text) {
        let message = format!("`{path}` is `{text}`, which the published format does not list");
        let help = Some(format!("it lists {}", list(PUBLISHED.iter().map(|(name, _)| *name))));
        findings.add(Severity::Warning, "unpublished-aggregation", place, message, help);
        return Ok(*aggregation);
    }
    let known = || PUBLISHED.iter().chain(&EXTENSIONS).map(|(name, _)| *name);
    let help = did_you_mean(text, known()).unwrap_or_else(|| format!("known are {}", list(known())));
    let message = format!("`{path}` has the unknown aggregation `{text}`");
    Err(findings.add(Severity::Unjudgeable, "unknown-aggregation", place, message, Some(help)))
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
    let path = object.path_of("window");
    let range = object.get("window").and_then(|f| f.range()).or(object.brace());
    let message = format!("`{path}` is missing or 0, and so is `rollup`: the rule has no window");
    Err(findings.add(Severity::Unjudgeable, "no-window", (range, &path), message, None))
}

/// `conditionOperator` and `conditionValue`.
pub(super) fn condition(
    object: &Object<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> Result<Condition, Reported> {
    let operator = compare_operator(object, written, findings);
    let value = match object.get("conditionValue") {
        None => Err(object.missing("conditionValue", findings)),
        Some(field) => match field.json {
            Json::Number(number) => {
                written.value = Some(number.clone());
                number.as_f64().ok_or_else(|| not_a_number(&field, findings))
            }
            Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                Err(not_a_number(&field, findings))
            }
        },
    };
    Ok(Condition { operator: operator?, value: value? })
}

fn not_a_number(field: &Field<'_>, findings: &mut Findings) -> Reported {
    let message = format!("`{}` is not a number", field.path);
    let quoted = field.json.as_str().filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
    let help = quoted.map(|text| format!("write {text} without quotes"));
    findings.add(Severity::Unjudgeable, "not-a-number", field.place(), message, help)
}

fn compare_operator(
    object: &Object<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> Result<CompareOp, Reported> {
    let text = object.required_text("conditionOperator", findings)?;
    written.operator = Some(text.to_string());
    let path = object.path_of("conditionOperator");
    let place = (object.get("conditionOperator").and_then(|f| f.range()), path.as_str());
    let Some((_, operator)) = OPERATORS.iter().find(|(name, _)| *name == text) else {
        let message = format!("`{path}` has the unknown operator `{text}`");
        let help = Some("known are > >= < <= = !=".to_string());
        return Err(findings.add(Severity::Unjudgeable, "unknown-operator", place, message, help));
    };
    if text == "==" {
        let message = format!("`{path}` is `==`, which the published format spells `=`");
        findings.add(Severity::Warning, "old-operator", place, message, Some("write `=`".to_string()));
    }
    Ok(*operator)
}

/// The operator of a verification rule: all but `any`.
pub(super) fn label_operator(object: &Object<'_>, findings: &mut Findings) -> Result<MatchOperator, Reported> {
    match_operator(object, "matchingOperator", &MATCHES[..4], findings)
}

fn match_operator(
    object: &Object<'_>,
    key: &str,
    known: &[(&'static str, MatchOperator)],
    findings: &mut Findings,
) -> Result<MatchOperator, Reported> {
    let text = object.required_text(key, findings)?;
    if let Some((_, operator)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(*operator);
    }
    let path = object.path_of(key);
    let range = object.get(key).and_then(|f| f.range());
    let names = || known.iter().map(|(name, _)| *name);
    let help = did_you_mean(text, names()).unwrap_or_else(|| format!("known are {}", list(names())));
    let message = format!("`{path}` has the unknown operator `{text}`");
    Err(findings.add(Severity::Unjudgeable, "unknown-operator", (range, &path), message, Some(help)))
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
