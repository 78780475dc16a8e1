//! Instana event definitions: from JSON text to typed rules, with every problem kept as data with a position.
//!
//! Owns the format: definitions, metric ids, metric patterns, dynamic focus queries, `{{name}}` placeholders and
//! `DEFINITION.FIELD=VALUE` overrides. Absent on purpose: files (the caller passes in text) and evaluating (the engine's).

mod builtin;
mod comparison;
mod entity;
mod event_definition;
mod findings;
mod keys;
mod load;
mod metric_id;
mod names;
mod object;
mod overrides;
mod params;
mod presence;
mod problem;
mod query;
mod query_parser;
mod read;
mod rule;
mod syntax;
mod tag_filter;
mod trend;
mod trend_rule;
mod wildcard;

pub use crate::model::Aggregation;
pub use builtin::{builtin, builtin_package};
pub use event_definition::{
    CompareOp, Condition, EntityMatch, EventDefinition, LogicalOperator, Presence, Rule, RuleKind, Selector, Threshold,
    Written,
};
pub use load::{LeftOut, Loaded, Settings, Source, load, parse};
pub use metric_id::{MetricId, MetricIdError, MetricPattern};
pub use params::{Placeholder, Substituted, substitute};
pub use problem::{CODES, Position, Problem, Severity};
pub use query::Query;
pub use query_parser::QueryError;
pub use syntax::position_of;
pub use tag_filter::TagFilter;
pub use trend::{MemoryLimit, Trend, TrendParameters, WindowLevel};
pub use wildcard::MatchOperator;
