//! Dynamic focus queries: which resources a definition looks at.
//!
//! A parsed query is a flat program in postfix order, so neither parsing nor judging nor dropping it recurses, whatever
//! its nesting, and both are linear in its length. Text compares without regard to case, character by character.
//! Absent on purpose: scoring, ranges, regular expressions, and every field that only a tenant can answer; such a query
//! does not parse, because an answer that leaves a term out would be wrong without saying so.

use super::wildcard::{Wildcard, fold};
use crate::model::{Attributes, Value};

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The query as written; empty when every resource is meant.
    pub text: String,
    program: Program,
}

/// What a query says, apart from its text.
#[derive(Clone, Debug, Default, PartialEq)]
enum Program {
    /// Absent or blank: every resource.
    #[default]
    Everything,
    /// Steps in postfix order; they leave exactly one answer.
    Steps(Vec<Step>),
    /// The text could not be parsed: no resource.
    Unanswerable,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Term(Term),
    Not,
    And,
    Or,
}

/// One `field:value`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// The type of the entity.
    Type(Wildcard),
    /// The label of the entity.
    Label(Wildcard),
    /// `entity.tag:key` or `entity.tag:key=value`, on resource attributes.
    Tag { key: Wildcard, value: Option<Wildcard> },
    /// A resource attribute; its key in folded case.
    Attribute { key: String, value: Wildcard },
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What is wrong, as a whole sentence without its full stop.
    pub message: String,
    /// What to do about it, when there is something to say.
    pub help: Option<&'static str>,
    /// Byte range of the offending part in the query's text.
    pub range: (usize, usize),
}

impl Query {
    /// Reads a query; a blank one selects every resource.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        if text.trim().is_empty() {
            return Ok(Query { text: text.trim().to_string(), program: Program::Everything });
        }
        let steps = super::query_parser::parse(text)?;
        Ok(Query { text: text.to_string(), program: Program::Steps(steps) })
    }

    /// A query that cannot be answered, kept for its text; it selects nothing.
    pub fn unanswerable(text: &str) -> Query {
        Query { text: text.to_string(), program: Program::Unanswerable }
    }

    /// Whether the query selects a resource.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let steps = match &self.program {
            Program::Everything => return true,
            Program::Unanswerable => return false,
            Program::Steps(steps) => steps,
        };
        let mut answers: Vec<bool> = Vec::new();
        for step in steps {
            let answer = match step {
                Step::Term(term) => term.holds(resource),
                Step::Not => !answers.pop().unwrap_or(false),
                Step::And | Step::Or => {
                    let (right, left) = (answers.pop().unwrap_or(false), answers.pop().unwrap_or(false));
                    if *step == Step::And { left && right } else { left || right }
                }
            };
            answers.push(answer);
        }
        answers.pop().unwrap_or(false)
    }
}

impl Term {
    fn holds(&self, resource: &Attributes) -> bool {
        match self {
            Term::Type(value) => entity_types(resource).any(|name| value.matches(name)),
            Term::Label(value) => entity_labels(resource).iter().any(|label| value.matches(label)),
            Term::Tag { key, value } => resource
                .iter()
                .any(|(k, v)| key.matches(k) && value.as_ref().is_none_or(|value| value.matches(&v.to_text()))),
            Term::Attribute { key, value } => {
                resource.iter().any(|(k, v)| fold(k) == *key && value.matches(&v.to_text()))
            }
        }
    }
}

/// The runtimes that queries name, by `telemetry.sdk.language`. Public configurations use the short names, the plugin
/// catalogue the `…Platform` ones.
const RUNTIMES: [(&str, &str, &str); 4] = [
    ("python", "pythonRuntime", "pythonRuntimePlatform"),
    ("go", "goLangRuntime", "goLangRuntimePlatform"),
    ("nodejs", "nodeJsRuntime", "nodeJsRuntimePlatform"),
    ("java", "jvmRuntime", "jvmRuntimePlatform"),
];

/// The entity types a resource answers to: OpenTelemetry always, and the runtime of its SDK's language.
fn entity_types(resource: &Attributes) -> impl Iterator<Item = &'static str> {
    let language = resource.get("telemetry.sdk.language").map(|v| fold(&v.to_text()));
    let runtime = RUNTIMES.into_iter().filter(move |(l, _, _)| language.as_deref() == Some(l));
    ["openTelemetry", "otel"].into_iter().chain(runtime.flat_map(|(_, short, long)| [short, long]))
}

/// Whether entities of OTLP can have a type at all; case does not matter.
pub(super) fn is_entity_type(name: &str) -> bool {
    let known = RUNTIMES.iter().flat_map(|(_, short, long)| [*short, *long]).chain(["openTelemetry", "otel"]);
    known.into_iter().any(|known| fold(known) == fold(name))
}

/// Whether a resource has an entity type; case does not matter.
pub(super) fn has_entity_type(resource: &Attributes, name: &str) -> bool {
    entity_types(resource).any(|own| fold(own) == fold(name))
}

/// The labels a resource answers to: `<service.name> (<service.instance.id>)` and the name alone, or the one of the
/// two that is present.
pub(super) fn entity_labels(resource: &Attributes) -> Vec<String> {
    let name = resource.get("service.name").map(Value::to_text);
    let instance = resource.get("service.instance.id").map(Value::to_text);
    match (name, instance) {
        (Some(name), Some(instance)) => vec![format!("{name} ({instance})"), name],
        (name, instance) => name.into_iter().chain(instance).collect(),
    }
}
