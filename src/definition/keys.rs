//! The keys the published format knows, per object, with their limits.
//!
//! `settable` keys hold one scalar and can be named by an override; the others hold lists or objects, or come from a
//! server's export and do not matter for the evaluation.

/// The keys of one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Keys with one scalar.
    pub(super) settable: &'static [&'static str],
    /// Keys that are known and not settable.
    pub(super) other: &'static [&'static str],
}

impl Keys {
    /// Every key.
    pub(super) fn all(self) -> impl Iterator<Item = &'static str> {
        self.settable.iter().chain(self.other).copied()
    }

    /// Whether the key is known.
    pub(super) fn knows(self, key: &str) -> bool {
        self.all().any(|k| k == key)
    }
}

/// An event definition; the second list begins with what it is made of, the rest is what exports add.
pub(super) const EVENT: Keys = Keys {
    settable: &[
        "name",
        "entityType",
        "query",
        "description",
        "enabled",
        "triggering",
        "expirationTime",
        "ruleLogicalOperator",
        "transientEventEnabled",
        "transientEventThreshold",
        "transientEventAlertMuted",
    ],
    other: &[
        "rules",
        "actions",
        "id",
        "lastUpdated",
        "validVersion",
        "migrated",
        "deleted",
        "applicationAlertConfigId",
        "infraAlertConfigId",
        "displayUrl",
    ],
};

/// Keys every rule may have; the last two are what exports add.
const RULE: Keys = Keys { settable: &["ruleType", "severity"], other: &["metricLabel", "metricFormat"] };

/// The rule types of the published format, and our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleType {
    /// About a metric.
    Threshold,
    /// About the presence of entities.
    Presence(PresenceType),
    /// About growth; ours, not in the published format.
    Trend,
}

/// The rule types about the presence of entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PresenceType {
    System,
    EntityVerification,
    EntityCount,
    EntityCountVerification,
    HostAvailability,
}

/// The rule types with their names and the keys of their own.
const RULE_TYPES: [(&str, RuleType, Keys); 7] = [
    (
        "threshold",
        RuleType::Threshold,
        Keys {
            settable: &["metricName", "aggregation", "window", "rollup", "conditionOperator", "conditionValue"],
            other: &["metricPattern"],
        },
    ),
    ("system", RuleType::Presence(PresenceType::System), Keys { settable: &["systemRuleId"], other: &[] }),
    (
        "entity_verification",
        RuleType::Presence(PresenceType::EntityVerification),
        Keys {
            settable: &["matchingEntityType", "matchingEntityLabel", "matchingOperator", "offlineDuration"],
            other: &[],
        },
    ),
    (
        "entity_count",
        RuleType::Presence(PresenceType::EntityCount),
        Keys { settable: &["conditionOperator", "conditionValue"], other: &[] },
    ),
    (
        "entity_count_verification",
        RuleType::Presence(PresenceType::EntityCountVerification),
        Keys {
            settable: &[
                "matchingEntityType",
                "matchingEntityLabel",
                "matchingOperator",
                "offlineDuration",
                "conditionOperator",
                "conditionValue",
            ],
            other: &[],
        },
    ),
    (
        "host_availability",
        RuleType::Presence(PresenceType::HostAvailability),
        Keys { settable: &["offlineDuration", "closeAfter"], other: &["tagFilter"] },
    ),
    (
        "trend",
        RuleType::Trend,
        Keys {
            settable: &[
                "metricName",
                "profile",
                "memoryLimit",
                "zmin",
                "smin",
                "cover",
                "nmin",
                "rho",
                "rho2",
                "dec",
                "record",
                "skip",
                "hold",
                "tol",
                "clear",
            ],
            other: &["ladder"],
        },
    ),
];

/// A `metricPattern`.
pub(super) const PATTERN: Keys = Keys { settable: &["prefix", "operator", "placeholder", "postfix"], other: &[] };

/// A window in the `ladder` of a trend rule.
pub(super) const WINDOW_LEVEL: Keys = Keys { settable: &["window", "points", "growth"], other: &[] };

/// A `tagFilter`.
pub(super) const TAG_FILTER: Keys = Keys {
    settable: &["name", "key", "operator", "value", "entity", "type"],
    other: &["stringValue", "numberValue", "booleanValue", "tagDefinition"],
};

/// The names of the rule types.
pub(super) fn rule_types() -> impl Iterator<Item = &'static str> {
    RULE_TYPES.iter().map(|(name, ..)| *name)
}

/// The type of a name, with the keys such a rule may have: those of every rule and its own.
pub(super) fn rule_type(name: &str) -> Option<(RuleType, [Keys; 2])> {
    RULE_TYPES.iter().find(|(known, ..)| *known == name).map(|(_, rule_type, own)| (*rule_type, [RULE, *own]))
}

/// Whether a key belongs to rules of some type.
pub(super) fn is_rule_key(key: &str) -> bool {
    RULE.knows(key) || RULE_TYPES.iter().any(|(.., own)| own.knows(key))
}

/// The settable keys of rules of any type, some of them more than once.
pub(super) fn all_rule_settable() -> impl Iterator<Item = &'static str> {
    RULE.settable.iter().chain(RULE_TYPES.iter().flat_map(|(.., own)| own.settable)).copied()
}

/// The longest text the published format allows for a key, in characters.
pub(super) fn longest(key: &str) -> Option<usize> {
    match key {
        "name" => Some(256),
        "entityType" | "matchingEntityType" => Some(64),
        "query" | "matchingEntityLabel" => Some(2048),
        "description" => Some(32_765),
        "metricName" => Some(512),
        _ => None,
    }
}
