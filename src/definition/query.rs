//! Dynamic focus queries: which resources a definition looks at.
//!
//! A parsed query is a flat list of steps in postfix order, so neither parsing nor evaluating nor dropping it recurses,
//! whatever its nesting, and both are linear in its length. Text compares without regard to case, character by character.
//! Absent on purpose: scoring, ranges, regular expressions, and every field that only a tenant knows; such a query
//! does not parse, because a result that leaves a term out would be wrong silently.

use super::query_parser::{QueryError, QueryStep, parse};
use crate::model::Attributes;

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The query as written; empty when every resource is meant.
    pub text: String,
    steps: QuerySteps,
}

/// A query, apart from its text.
#[derive(Clone, Debug, Default, PartialEq)]
enum QuerySteps {
    /// Absent or blank: every resource.
    #[default]
    Everything,
    /// Steps in postfix order; they leave exactly one result.
    Steps(Vec<QueryStep>),
    /// The text could not be parsed: no resource.
    Unanswerable,
}

impl Query {
    /// Reads a query; a blank one selects every resource.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        if text.trim().is_empty() {
            return Ok(Query { text: text.trim().to_string(), steps: QuerySteps::Everything });
        }
        let steps = parse(text)?;
        Ok(Query { text: text.to_string(), steps: QuerySteps::Steps(steps) })
    }

    /// A query that cannot be evaluated, kept for its text; it selects nothing.
    pub fn unanswerable(text: &str) -> Query {
        Query { text: text.to_string(), steps: QuerySteps::Unanswerable }
    }

    /// Whether the query selects a resource.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let steps = match &self.steps {
            QuerySteps::Everything => return true,
            QuerySteps::Unanswerable => return false,
            QuerySteps::Steps(steps) => steps,
        };
        let mut results: Vec<bool> = Vec::new();
        for step in steps {
            let result = match step {
                QueryStep::Term(term) => term.holds(resource),
                QueryStep::Not => !results.pop().unwrap_or(false),
                QueryStep::And | QueryStep::Or => {
                    let (right, left) = (results.pop().unwrap_or(false), results.pop().unwrap_or(false));
                    if *step == QueryStep::And { left && right } else { left || right }
                }
            };
            results.push(result);
        }
        results.pop().unwrap_or(false)
    }
}
