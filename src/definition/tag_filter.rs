//! The `tagFilter` of a host availability rule: one comparison with a resource attribute. Text compares without regard
//! to case. Absent on purpose: order comparisons and regular expressions, which the reader refuses.

use super::event_definition::MatchOperator;
use super::wildcard::fold;
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

/// What an operator of a tag filter asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagOperator {
    test: Test,
    negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Text(MatchOperator),
    NotEmpty,
    NotBlank,
}

const OPERATORS: [(&str, Test, bool); 12] = [
    ("EQUALS", Test::Text(MatchOperator::Is), false),
    ("NOT_EQUAL", Test::Text(MatchOperator::Is), true),
    ("CONTAINS", Test::Text(MatchOperator::Contains), false),
    ("NOT_CONTAIN", Test::Text(MatchOperator::Contains), true),
    ("STARTS_WITH", Test::Text(MatchOperator::StartsWith), false),
    ("NOT_STARTS_WITH", Test::Text(MatchOperator::StartsWith), true),
    ("ENDS_WITH", Test::Text(MatchOperator::EndsWith), false),
    ("NOT_ENDS_WITH", Test::Text(MatchOperator::EndsWith), true),
    ("NOT_EMPTY", Test::NotEmpty, false),
    ("IS_EMPTY", Test::NotEmpty, true),
    ("NOT_BLANK", Test::NotBlank, false),
    ("IS_BLANK", Test::NotBlank, true),
];

impl TagOperator {
    /// The operator of a name, when it can be judged.
    pub(super) fn from_name(name: &str) -> Option<TagOperator> {
        let (_, test, negated) = OPERATORS.into_iter().find(|(n, _, _)| *n == name)?;
        Some(TagOperator { test, negated })
    }

    /// The names of the operators that can be judged.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        OPERATORS.into_iter().map(|(name, _, _)| name)
    }
}

impl TagFilter {
    /// Whether a resource passes. As in queries a comparison with an absent attribute is false, so its negation is true.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let (key, wanted) = (fold(&self.key), fold(&self.value));
        let passes = resource.iter().filter(|(k, _)| fold(k) == key).any(|(_, value)| {
            let value = fold(&value.to_text());
            match self.test.test {
                Test::Text(operator) => operator.matches(&value, &wanted),
                Test::NotEmpty => !value.is_empty(),
                Test::NotBlank => !value.trim().is_empty(),
            }
        });
        passes != self.test.negated
    }
}
