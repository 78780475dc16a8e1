//! A user's mistake as data: what, where, and how bad. All of them are collected; none stops the reading of the rest.

/// Every [`Problem::code`] with what it means.
pub const CODES: [(&str, &str); 37] = [
    ("not-json", "the file is not JSON"),
    ("wrong-type", "a value has another JSON type than the format wants"),
    ("not-an-event", "the JSON is no custom event and is left out"),
    ("loaded-twice", "the file was named twice and is loaded once"),
    ("unset-parameter", "a {{name}} placeholder has no value"),
    ("missing-key", "a key is missing or empty"),
    ("unknown-key", "a key is not in the format, or not here, and is ignored"),
    ("duplicate-key", "a key is there twice; the last one counts"),
    ("too-long", "a text or a time is longer than the format allows"),
    ("quoted-number", "a number is written as a text"),
    ("not-milliseconds", "a time is not a whole number of milliseconds"),
    ("out-of-range", "a time or a parameter is negative, zero where it must not be, or too large to be evaluated"),
    ("not-a-number", "the value to compare with is not a number"),
    ("no-rules", "a definition has no rules"),
    ("too-many-rules", "a definition has more rules than the format allows"),
    ("unknown-rule-type", "a rule has a type that cannot be evaluated"),
    ("unknown-severity", "a severity is not one of the format"),
    ("unknown-operator", "an operator is not one that can be evaluated"),
    ("old-operator", "an operator is spelled as in old releases"),
    ("unknown-aggregation", "an aggregation is not one that can be evaluated"),
    ("unpublished-aggregation", "an aggregation is evaluated although the published format does not list it"),
    ("no-metric", "a threshold or trend rule has no metric it could evaluate"),
    ("mixed-rules", "a definition has trend rules and others"),
    ("not-importable", "a rule has a type that Instana does not have"),
    ("unknown-profile", "a trend rule begins with a profile that does not exist"),
    ("two-metrics", "a threshold rule has both a metric name and a metric pattern"),
    ("malformed-metric", "the attributes of a metric name or pattern cannot be read"),
    ("empty-placeholder", "a metric pattern has nothing to compare with"),
    ("no-window", "a threshold rule has neither window nor roll-up"),
    ("unanswerable-query", "a query has a part that cannot be evaluated on resource attributes"),
    ("unknown-system-rule", "a system rule cannot be evaluated"),
    ("unknown-tag-filter", "a tag filter is not about a tag"),
    ("never-fires", "a rule can never be violated"),
    ("unknown-definition", "an override does not name a loaded definition"),
    ("unknown-field", "an override does not name a field that can be set"),
    ("ambiguous-override", "an override fits several rules"),
    ("malformed-override", "an override is not DEFINITION.FIELD=VALUE"),
];

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but is not in the published format, or is ignored.
    Warning,
    /// The definition loads but cannot be evaluated: its verdict is inconclusive.
    Unevaluable,
    /// The file cannot be loaded; commands refuse to run.
    Error,
}

/// A position in a text, 1-based; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
    /// Byte range in the file's text.
    pub bytes: (usize, usize),
}

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A stable kebab-case name of the kind of mistake; one of [`CODES`].
    pub code: &'static str,
    /// The file, as the caller named it.
    pub file: String,
    /// Where in the file, when that is known.
    pub position: Option<Position>,
    /// The path of the key or value inside the JSON (`rules[0].aggregation`; with an index in front for array files).
    pub path: String,
    /// What is wrong, as one sentence.
    pub message: String,
    /// What to do about it, when that is known.
    pub help: Option<String>,
}

impl Problem {
    /// A mistake that keeps a file from being used.
    pub fn error(code: &'static str, file: &str, position: Option<Position>, path: &str, message: String) -> Problem {
        let (file, path) = (file.to_string(), path.to_string());
        Problem { severity: Severity::Error, code, file, position, path, message, help: None }
    }
}
