//! A user's mistake as data: what, where, and how bad. All of them are collected; none stops the reading of the rest.

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but is not what the published format says, or is ignored.
    Warning,
    /// The definition loads but cannot be judged: its verdict is inconclusive.
    Unjudgeable,
    /// The file cannot be loaded; commands refuse to run.
    Error,
}

/// A place in a text, 1-based; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
    /// Byte offset of the place in the file's text, and behind its end.
    pub bytes: (usize, usize),
}

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A stable kebab-case name of the kind of mistake.
    pub code: &'static str,
    /// The file, as the caller named it.
    pub file: String,
    /// Where in the file, when there is a place.
    pub position: Option<Position>,
    /// The path of the key or value inside the JSON (`rules[0].aggregation`; with an index in front for array files).
    pub path: String,
    /// What is wrong, as one sentence.
    pub message: String,
    /// What to do about it, when there is something to say.
    pub help: Option<String>,
}
