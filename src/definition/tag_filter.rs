//! The `tagFilter` of a host availability rule: one comparison with a resource attribute. Text compares without regard
//! to case. Absent on purpose: order comparisons and regular expressions, which the reader refuses.

use super::wildcard::{MatchOperator, fold};
use crate::model::Attributes;

/// A filter on one tag.
#[derive(Clone, Debug)]
pub struct TagFilter {
    /// The tag's key.
    pub key: String,
    /// The operator as written (`EQUALS`, `NOT_EQUAL`, `CONTAINS`, …).
    pub operator: String,
    /// The value to compare with.
    pub value: String,
    pub(super) test: TagOperator,
}

/// An operator of a tag filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagOperator {
    test: TagTest,
    negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TagTest {
    Text(MatchOperator),
    NotEmpty,
    NotBlank,
}

const fn text(operator: MatchOperator, negated: bool) -> TagOperator {
    TagOperator { test: TagTest::Text(operator), negated }
}

/// The operators with their names.
pub(super) const TAG_OPERATORS: [(&str, TagOperator); 12] = [
    ("EQUALS", text(MatchOperator::Is, false)),
    ("NOT_EQUAL", text(MatchOperator::Is, true)),
    ("CONTAINS", text(MatchOperator::Contains, false)),
    ("NOT_CONTAIN", text(MatchOperator::Contains, true)),
    ("STARTS_WITH", text(MatchOperator::StartsWith, false)),
    ("NOT_STARTS_WITH", text(MatchOperator::StartsWith, true)),
    ("ENDS_WITH", text(MatchOperator::EndsWith, false)),
    ("NOT_ENDS_WITH", text(MatchOperator::EndsWith, true)),
    ("NOT_EMPTY", TagOperator { test: TagTest::NotEmpty, negated: false }),
    ("IS_EMPTY", TagOperator { test: TagTest::NotEmpty, negated: true }),
    ("NOT_BLANK", TagOperator { test: TagTest::NotBlank, negated: false }),
    ("IS_BLANK", TagOperator { test: TagTest::NotBlank, negated: true }),
];

impl TagFilter {
    /// Whether a resource passes. As in queries a comparison with an absent attribute is false, so its negation is true.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let (key, wanted) = (fold(&self.key), fold(&self.value));
        let passes = resource.iter().filter(|(k, _)| fold(k) == key).any(|(_, value)| {
            let value = fold(&value.to_text());
            match self.test.test {
                TagTest::Text(operator) => operator.matches(&value, &wanted),
                TagTest::NotEmpty => !value.is_empty(),
                TagTest::NotBlank => !value.trim().is_empty(),
            }
        });
        passes != self.test.negated
    }
}
