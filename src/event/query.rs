//! Dynamic focus queries: which resources a definition looks at.

use crate::model::Attributes;

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The query as written; empty when every resource is meant.
    pub text: String,
}

impl Query {
    /// Whether the query selects a resource.
    pub fn selects(&self, _resource: &Attributes) -> bool {
        true
    }
}
