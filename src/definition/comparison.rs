//! What several rule types have in common: conditions, operators on texts, and metric ids that cannot be read.

use super::event_definition::{CompareOp, Condition, Written};
use super::findings::{Findings, Location, Reported};
use super::metric_id::MetricIdError;
use super::object::{Field, Object};
use super::problem::Severity;
use super::wildcard::MatchOperator;
use serde_json::Value as Json;

const MATCH_OPERATORS: [(&str, MatchOperator); 5] = [
    ("is", MatchOperator::Is),
    ("contains", MatchOperator::Contains),
    ("startsWith", MatchOperator::StartsWith),
    ("endsWith", MatchOperator::EndsWith),
    ("any", MatchOperator::Any),
];

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
    findings.add(Severity::Unevaluable, "not-a-number", field.location(), message, help)
}

fn compare_operator(
    object: &Object<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> Result<CompareOp, Reported> {
    const KEY: &str = "conditionOperator";
    let text = object.required_text(KEY, findings)?;
    written.operator = Some(text.to_string());
    if text == "==" {
        let message = |path: &str| format!("`{path}` is `==`, which the published format spells `=`");
        object.report(KEY, Severity::Warning, "old-operator", message, Some("write `=`".to_string()), findings);
        return Ok(CompareOp::Equal);
    }
    let known = CompareOp::ALL.map(|operator| (operator.as_str(), operator));
    object.one_of(KEY, &known, ("unknown-operator", "operator"), findings)
}

/// The operator of a metric pattern.
pub(super) fn pattern_operator(object: &Object<'_>, findings: &mut Findings) -> Result<MatchOperator, Reported> {
    object.one_of("operator", &MATCH_OPERATORS, ("unknown-operator", "operator"), findings)
}

/// The operator of a verification rule: all but `any`.
pub(super) fn label_operator(object: &Object<'_>, findings: &mut Findings) -> Result<MatchOperator, Reported> {
    object.one_of("matchingOperator", &MATCH_OPERATORS[..4], ("unknown-operator", "operator"), findings)
}

/// Reports a metric id that cannot be read; `source` is the text the ranges belong to.
pub(super) fn malformed_metric(
    field: Option<Field<'_>>,
    source: &str,
    error: &MetricIdError,
    findings: &mut Findings,
) -> Reported {
    let path = field.as_ref().map_or_else(String::new, |f| f.path.clone());
    let range = field.as_ref().and_then(|f| f.range_inside(source, (error.offset, error.offset + 1)).or(f.range()));
    let message = format!("`{path}` is malformed: {error}");
    let help = Some("attributes are written as {key=\"value\",other=\"value\"}".to_string());
    findings.add(Severity::Unevaluable, "malformed-metric", Location { range, path }, message, help)
}
