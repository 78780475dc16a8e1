//! Instana event definitions: from JSON text to typed rules, with every problem kept as data with a position.
//!
//! Owns the format: definitions, metric ids, metric patterns, dynamic focus queries, `{{name}}` placeholders and
//! `DEFINITION.FIELD=VALUE` overrides. Absent on purpose: files (the caller passes in text) and evaluating (the engine's).

mod builtin;
mod comparison;
mod entity;
mod event_definition;
mod load;
mod metric_id;
mod object;
mod overrides;
mod params;
mod problem;
mod query;
mod rule;
mod syntax;
mod wildcard;

pub use crate::model::Aggregation;
pub use builtin::{builtin, builtin_package};
pub use comparison::{CompareOp, Condition, RuleChange, other_spans};
pub use event_definition::{EventDefinition, LogicalOperator};
pub use load::{LeftOut, Loaded, Settings, Source, load, parse};
pub use metric_id::{MetricId, MetricIdError, MetricPattern};
pub use params::{Placeholder, Substituted, substitute};
pub use problem::{CODES, Position, Problem, Severity};
pub use query::{Query, QueryError};
pub use rule::*;
pub use syntax::position_of;
pub use wildcard::MatchOperator;
