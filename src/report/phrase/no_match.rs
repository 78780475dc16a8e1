//! Why nothing matches, and what is nearest: another kind, another scope, another attribute set, another name.
//!
//! A rule that matches nothing is silent in production as well, so this is often the most useful line of a replay.

use crate::catalog::{self, OtherName, Relation, Release};
use crate::definition::{EventDefinition, MetricId, MetricPattern, Rule, Selector};
use crate::engine::EvaluationReport;
use crate::inspect::Client;
use crate::model::MetricIdentity;
use crate::report::outcome::Replay;
use crate::report::quantity::{count, counted};
use std::sync::Arc;

/// Why a query selects nothing.
pub(super) fn no_entity(definition: &EventDefinition, report: &EvaluationReport) -> String {
    let query = &definition.query.text;
    let none = match report.counts.entities {
        0 => return "no metrics received".to_string(),
        1 => "does not select the only entity there is".to_string(),
        n => format!("selects none of {} entities", count(n)),
    };
    const RUNTIMES: [(&str, &str); 4] =
        [("pythonRuntime", "python"), ("goLangRuntime", "go"), ("nodeJsRuntime", "nodejs"), ("jvmRuntime", "java")];
    match RUNTIMES.iter().find(|(runtime, _)| query.contains(runtime)) {
        Some((runtime, language)) => {
            format!(
                "the query {query} {none}; {runtime} means the resource attribute telemetry.sdk.language={language}"
            )
        }
        None => format!("the query {query} {none}; `foreshock inspect -v` shows the resources"),
    }
}

/// Why a rule on metrics selects no series.
pub(super) fn no_series(rule: &Rule, definition: &EventDefinition, replay: &Replay<'_>) -> String {
    let metrics = &replay.report.metrics;
    if metrics.is_empty() {
        return "no metrics received".to_string();
    }
    if let Some(Selector::Pattern(pattern)) = rule.threshold().map(|threshold| &threshold.selector) {
        return no_series_of_pattern(pattern, metrics);
    }
    let why: Vec<String> = rule.metric_ids().iter().map(|id| no_series_of_id(id, definition, replay)).collect();
    why.join("; ")
}

fn no_series_of_id(id: &MetricId, definition: &EventDefinition, replay: &Replay<'_>) -> String {
    let metrics = &replay.report.metrics;
    let received = || metrics.iter().map(|(metric, series)| (metric.as_ref(), *series));
    let Some(plural) = id.plural() else {
        return format!(
            "`{}` is no OpenTelemetry metric id; one begins with metrics.gauges., metrics.sums. or metrics.histograms.",
            id.text
        );
    };
    if let Some((_, series)) = received().find(|(metric, _)| id.selects_metric(metric)) {
        let series = counted(series as u64, "series", "series");
        return if id.has_attributes() {
            format!(
                "{} was received ({series}), but no series has exactly these attributes; `foreshock inspect` lists them",
                id.path()
            )
        } else {
            format!(
                "{} was received ({series}), but not from a resource the query selects: {}",
                id.path(),
                definition.query.text
            )
        };
    }
    let same_path = |metric: &MetricIdentity| id.path() == metric.path() || id.path() == metric.name;
    if let Some((metric, _)) = received().find(|(metric, _)| same_path(metric)) {
        return format!("{} is received under metrics.{}., not metrics.{plural}.", id.path(), metric.kind.plural());
    }
    if let Some((metric, _)) = received().find(|(metric, _)| ends_with_name(id.path(), &metric.name)) {
        let scope = match metric.scope.as_str() {
            "" => "without a scope".to_string(),
            scope => format!("with the scope {scope}"),
        };
        return format!("{} is received {scope}: its id is {}", metric.name, metric.id());
    }
    unknown_name(id.path(), metrics, replay)
}

/// The metric was not received under any kind or scope: the catalog or a similar name may explain it.
fn unknown_name(path: &str, metrics: &[(Arc<MetricIdentity>, usize)], replay: &Replay<'_>) -> String {
    let catalog = catalog::python();
    let known = catalog.metric_of_path(path);
    let name = match path.strip_prefix(catalog.scope.as_str()).and_then(|rest| rest.strip_prefix('/')) {
        Some(name) => name,
        None => path,
    };
    for other in catalog.other_names(name) {
        if let Some((metric, _)) = metrics.iter().find(|(metric, _)| metric.name == other.name) {
            return format!("{name} not received, but {}{}: use {}", other.name, since(&other), metric.id());
        }
    }
    if let Some(known) = known {
        let release = release(replay.clients, &catalog.scope);
        return match (known.from, known.to, release) {
            (Some(from), _, Some(release)) if release < from => {
                format!("{name} not received: the client sends it since {from}, and here it is {release}")
            }
            (_, Some(to), Some(release)) if release > to => {
                format!("{name} not received: the client sends it up to {to} only, and here it is {release}")
            }
            _ => format!(
                "{name} not received; the client sends it by default, so this application's metrics configuration leaves it out"
            ),
        };
    }
    let (scope, name) = path.rsplit_once('/').unwrap_or(("", path));
    match similar(path, metrics) {
        Some(metric) => format!("{name} not received; the most similar name is {}", metric.id()),
        None if !scope.is_empty() && metrics.iter().all(|(metric, _)| metric.scope != scope) => {
            format!("{name} not received, nor anything else of its scope")
        }
        None => format!("{name} not received; `foreshock inspect` lists what was"),
    }
}

fn since(other: &OtherName<'_>) -> String {
    match (other.relation, other.release) {
        (Relation::Newer, Some(release)) => format!(" was, its newer name since {release}"),
        (Relation::Older, Some(release)) => format!(" was, its older name (renamed in {release})"),
        (Relation::Newer, None) => " was, its newer name".to_string(),
        (Relation::Older, None) => " was, its older name".to_string(),
        (Relation::OtherInterpreter, _) => " was, its name on another interpreter".to_string(),
    }
}

fn no_series_of_pattern(pattern: &MetricPattern, metrics: &[(Arc<MetricIdentity>, usize)]) -> String {
    if !pattern.prefix.starts_with("metrics.") {
        return format!("the prefix `{}` begins no OpenTelemetry metric id (metrics.sums.…)", pattern.prefix);
    }
    let begins = metrics.iter().filter(|(metric, _)| {
        metric.id().starts_with(&pattern.prefix)
            || format!("metrics.{}.{}", metric.kind.plural(), metric.name).starts_with(&pattern.prefix)
    });
    match begins.count() as u64 {
        0 => format!("no metric id begins with `{}`", pattern.prefix),
        n => format!(
            "{} with `{}`, but none fits the rest of the pattern",
            counted(n, "metric id begins", "metric ids begin"),
            pattern.prefix
        ),
    }
}

fn ends_with_name(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        || name.strip_suffix(path).is_some_and(|rest| rest.ends_with('/'))
}

/// The metric whose name shares the most words with the end of `path`, when that is at least half of them.
fn similar<'a>(path: &str, metrics: &'a [(Arc<MetricIdentity>, usize)]) -> Option<&'a MetricIdentity> {
    fn words(text: &str) -> Vec<String> {
        let words = text.split(['.', '_', '/']).filter(|word| !word.is_empty());
        words.map(str::to_ascii_lowercase).collect()
    }
    let shared = |metric: &MetricIdentity| {
        let name = path.strip_prefix(metric.scope.as_str()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
        let (wanted, found) = (words(name), words(&metric.name));
        let common = wanted.iter().filter(|word| found.contains(word)).count();
        common * 1000 / wanted.len().max(found.len()).max(1)
    };
    let metrics = metrics.iter().map(|(metric, _)| metric.as_ref());
    let best = metrics.max_by_key(|metric| (shared(metric), std::cmp::Reverse(metric.name.as_str())))?;
    (shared(best) >= 500).then_some(best)
}

/// The release of the client that sends a scope's metrics; `None` when there are several, or none of a known form.
fn release(clients: &[Client], scope: &str) -> Option<Release> {
    let mut releases = clients.iter().filter(|client| client.scope == scope).map(|client| client.release());
    let first = releases.next()??;
    releases.all(|other| other == Some(first)).then_some(first)
}
