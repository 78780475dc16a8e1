//! Instana event definitions: from JSON text to typed rules, with every problem kept as data with a position.
//!
//! Owns the format: definitions, metric ids, metric patterns, dynamic focus queries, `{{name}}` placeholders and
//! `DEFINITION.FIELD=VALUE` overrides. Absent on purpose: files (the caller hands in text) and judging (the engine's).

mod definition;
mod metric_id;
mod problem;
mod query;
mod query_parser;
mod wildcard;

pub use definition::{
    Aggregation, CompareOp, Condition, EntityMatch, EventDefinition, LogicalOperator, MatchOperator, Presence, Rule,
    RuleKind, Selector, TagFilter, Threshold,
};
pub use metric_id::{MetricId, MetricIdError, MetricPattern};
pub use problem::{Position, Problem, Severity};
pub use query::{Query, QueryError};
