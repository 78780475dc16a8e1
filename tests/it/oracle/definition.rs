//! Event definitions as the oracle reads them: threshold rules only, straight from JSON.

use super::query::Query;
use foreshock::model::{Attributes, MetricIdentity};
use serde_json::Value as Json;

pub struct Definition {
    pub name: String,
    pub enabled: bool,
    pub triggering: bool,
    pub expiration: i64,
    pub any: bool,
    pub query: Query,
    pub rules: Vec<Rule>,
    pub problem: bool,
}

pub struct Rule {
    pub id: Id,
    pub aggregation: String,
    pub window: i64,
    pub rollup: i64,
    pub operator: String,
    pub value: f64,
    pub severity: i64,
}

pub enum Id {
    Name(String),
    Pattern { prefix: String, postfix: String, placeholder: String, operator: String },
}

const AGGREGATIONS: [&str; 17] = [
    "avg",
    "sum",
    "min",
    "max",
    "p25",
    "p50",
    "p75",
    "p90",
    "p95",
    "p98",
    "p99",
    "rate",
    "delta",
    "count",
    "absolute_diff",
    "relative_diff",
    "",
];

const MS: i64 = 1_000_000;

impl Definition {
    pub fn read(name: &str, json: &Json) -> Definition {
        let mut problem = false;
        let rules: Vec<Rule> = match json["rules"].as_array() {
            Some(rules) => rules.iter().map(|rule| Rule::read(rule, &mut problem)).collect(),
            None => Vec::new(),
        };
        let query = Query::parse(json["query"].as_str().unwrap_or_default());
        problem |= rules.is_empty() || query.is_none();
        let any = match json["ruleLogicalOperator"].as_str() {
            None | Some("AND") => false,
            Some("OR") => true,
            Some(_) => {
                problem = true;
                false
            }
        };
        Definition {
            name: name.to_string(),
            enabled: json["enabled"].as_bool().unwrap_or(true),
            triggering: json["triggering"].as_bool().unwrap_or(false),
            expiration: whole(&json["expirationTime"]).unwrap_or(0) * MS,
            any,
            query: query.unwrap_or_default(),
            rules,
            problem,
        }
    }

    pub fn judged(&self) -> bool {
        self.enabled && !self.problem
    }
}

fn whole(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_str()?.parse().ok())
}

impl Rule {
    fn read(json: &Json, problem: &mut bool) -> Rule {
        let rollup = whole(&json["rollup"]).unwrap_or(0);
        let window = match whole(&json["window"]).unwrap_or(0) {
            0 => rollup,
            window => window,
        };
        let pattern = &json["metricPattern"];
        let part = |key: &str| pattern[key].as_str().unwrap_or_default().to_string();
        let id = if pattern.is_object() {
            Id::Pattern {
                prefix: part("prefix"),
                postfix: part("postfix"),
                placeholder: part("placeholder"),
                operator: part("operator"),
            }
        } else {
            Id::Name(json["metricName"].as_str().unwrap_or_default().to_string())
        };
        let aggregation = json["aggregation"].as_str().unwrap_or_default().to_string();
        *problem |= window <= 0 || aggregation.is_empty() || !AGGREGATIONS.contains(&aggregation.as_str());
        Rule {
            id,
            aggregation,
            window: window * MS,
            rollup: rollup * MS,
            operator: json["conditionOperator"].as_str().unwrap_or_default().to_string(),
            value: json["conditionValue"].as_f64().unwrap_or(f64::NAN),
            severity: json["severity"].as_i64().unwrap_or(5),
        }
    }

    pub fn is_pattern(&self) -> bool {
        matches!(self.id, Id::Pattern { .. })
    }

    pub fn violated(&self, value: f64) -> bool {
        match self.operator.as_str() {
            ">" => value > self.value,
            ">=" => value >= self.value,
            "<" => value < self.value,
            "<=" => value <= self.value,
            "=" | "==" => value == self.value,
            "!=" => value != self.value,
            other => panic!("operator {other}"),
        }
    }

    /// Distance to the threshold, negative on the violating side.
    pub fn margin(&self, value: f64) -> f64 {
        match self.operator.as_str() {
            ">" | ">=" => self.value - value,
            "<" | "<=" => value - self.value,
            "!=" => -(value - self.value).abs(),
            _ => (value - self.value).abs(),
        }
    }

    /// Section 4: does the rule's id mean this series?
    pub fn selects(&self, metric: &MetricIdentity, attributes: &Attributes) -> bool {
        let kind = metric.kind.plural();
        let mut forms = vec![format!("metrics.{kind}.{}", metric.name)];
        if !metric.scope.is_empty() {
            forms.push(format!("metrics.{kind}.{}/{}", metric.scope, metric.name));
        }
        match &self.id {
            Id::Name(id) => {
                let (path, suffix) = split_suffix(id);
                forms.iter().any(|form| form == path) && suffix.is_none_or(|suffix| is_set(suffix, attributes))
            }
            Id::Pattern { prefix, postfix, placeholder, operator } => {
                let (postfix, suffix) = split_suffix(postfix);
                let start = format!("{prefix}.");
                let end = if postfix.is_empty() { String::new() } else { format!(".{postfix}") };
                let middle_fits = |form: &String| {
                    let Some(middle) = form.strip_prefix(&start).and_then(|rest| rest.strip_suffix(&end)) else {
                        return false;
                    };
                    !middle.is_empty()
                        && match operator.as_str() {
                            "is" => middle == placeholder,
                            "contains" => middle.contains(placeholder.as_str()),
                            "startsWith" => middle.starts_with(placeholder.as_str()),
                            "endsWith" => middle.ends_with(placeholder.as_str()),
                            "any" => true,
                            other => panic!("operator {other}"),
                        }
                };
                forms.iter().any(middle_fits) && suffix.is_none_or(|suffix| is_set(suffix, attributes))
            }
        }
    }
}

fn split_suffix(id: &str) -> (&str, Option<&str>) {
    match id.strip_suffix('}').and_then(|_| id.find('{')) {
        Some(open) => (&id[..open], Some(&id[open + 1..id.len() - 1])),
        None => (id, None),
    }
}

/// Whether `a="b",c="d"` is exactly this set. Values here have no quotes or backslashes.
fn is_set(suffix: &str, attributes: &Attributes) -> bool {
    let mut wanted: Vec<String> = suffix.split(',').filter(|part| !part.is_empty()).map(str::to_string).collect();
    let mut got: Vec<String> = attributes.iter().map(|(key, value)| format!("{key}=\"{}\"", value.to_text())).collect();
    wanted.sort();
    got.sort();
    wanted == got
}
