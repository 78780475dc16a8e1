//! The words and forms that several outputs share: names of aggregations, instants, durations, entities, wrapped lines.

use crate::definition::{MatchOperator, Presence};
use crate::model::{Attributes, MINUTE, MS, Nanos, SECOND, Value, to_ms};
use chrono::DateTime;
use std::borrow::Cow;
use std::io::{self, Write};

/// Columns of the text outputs.
pub(super) const WIDTH: usize = 96;

/// The name of a match operator, as rules write it.
pub(super) fn match_operator(operator: MatchOperator) -> &'static str {
    match operator {
        MatchOperator::Is => "is",
        MatchOperator::Contains => "contains",
        MatchOperator::StartsWith => "startsWith",
        MatchOperator::EndsWith => "endsWith",
        MatchOperator::Any => "any",
    }
}

/// The pairs of a resource: the ones that identify an entity first, the others by key.
pub(super) fn identifying_first(resource: &Attributes) -> Vec<(&str, &Value)> {
    const IDENTIFYING: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];
    let first = IDENTIFYING.into_iter().filter_map(|key| Some((key, resource.get(key)?)));
    first.chain(resource.iter().filter(|(key, _)| !IDENTIFYING.contains(key))).collect()
}

/// Writes instants in UTC and in relation to the start of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    from: Option<Nanos>,
    dated: bool,
}

impl Clock {
    /// A clock for what happened between these instants.
    pub fn new(from: Option<Nanos>, to: Option<Nanos>) -> Self {
        let day = |at: Option<Nanos>| at.map(|at| utc(at, "%F"));
        Clock { from, dated: day(from) != day(to) }
    }

    /// The time of day; with the date in front when the recording spans several days.
    pub fn time(self, at: Nanos) -> String {
        utc(at, if self.dated { "%F %T" } else { "%T" })
    }

    /// How long after the start: `+4m 39s`.
    pub fn offset(self, at: Nanos) -> String {
        match self.from {
            Some(from) if at >= from => format!("+{}", duration(at - from)),
            Some(from) => format!("-{}", duration(from - at)),
            None => String::new(),
        }
    }
}

/// Date and time: `2026-11-22 09:26:51`.
pub(super) fn date_time(at: Nanos) -> String {
    utc(at, "%F %T")
}

fn utc(at: Nanos, format: &str) -> String {
    match DateTime::from_timestamp_millis(to_ms(at)) {
        Some(time) => time.format(format).to_string(),
        None => at.to_string(),
    }
}

/// A span of time: `4m 39s`; below ten seconds with tenths, below a second in milliseconds.
pub(super) fn duration(span: Nanos) -> String {
    let span = span.saturating_abs();
    if span == 0 {
        return "0s".to_string();
    }
    if span < SECOND {
        return format!("{}ms", span / MS);
    }
    if span < 10 * SECOND && span % SECOND != 0 {
        return format!("{:.1}s", span as f64 / SECOND as f64);
    }
    let seconds = span / SECOND;
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    parts.join(" ")
}

/// A window or a grace period given in milliseconds, as rules are talked about: `5m`, `90s`.
pub(super) fn span_ms(ms: i64) -> String {
    let span = ms.saturating_mul(MS);
    if span % MINUTE != 0 && span % SECOND == 0 && span < 10 * MINUTE {
        return format!("{}s", span / SECOND);
    }
    duration(span)
}

/// What a presence rule means, as the subject of a sentence: `entity with the label "till"`.
pub(super) fn meant(presence: &Presence) -> String {
    match presence {
        Presence::Verification { matching, .. } | Presence::CountVerification { matching, .. } => {
            let label = match matching.operator {
                MatchOperator::Is => format!("the label \"{}\"", matching.label),
                MatchOperator::Contains => format!("a label that contains \"{}\"", matching.label),
                MatchOperator::StartsWith => format!("a label that starts with \"{}\"", matching.label),
                MatchOperator::EndsWith => format!("a label that ends with \"{}\"", matching.label),
                MatchOperator::Any => "any label".to_string(),
            };
            format!("entity of the type {} with {label}", matching.entity_type)
        }
        Presence::Availability { tag_filter: Some(filter), .. } => {
            format!("entity with the tag {} {} {}", filter.key, filter.operator, filter.value)
        }
        Presence::Count { .. } | Presence::Availability { tag_filter: None, .. } | Presence::Offline => {
            "entity".to_string()
        }
    }
}

/// `1 event`, `2 events`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", super::quantity::count(n), if n == 1 { one } else { many })
}

/// A text from outside without control characters, which could move the cursor or change colours: they are written as
/// escapes. Everything that did not come from here goes through this before it is printed.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Writes `lead` and then `text`, wrapped so that its lines stand below each other. `lead_width` is the number of columns
/// `lead` takes, escape sequences not counted.
pub(super) fn paragraph(out: &mut dyn Write, lead: &str, lead_width: usize, text: &str) -> io::Result<()> {
    let mut lines = wrap(&clean(text), WIDTH.saturating_sub(lead_width)).into_iter();
    writeln!(out, "{}", format!("{lead}{}", lines.next().unwrap_or_default()).trim_end())?;
    for line in lines {
        writeln!(out, "{:lead_width$}{line}", "")?;
    }
    Ok(())
}

/// Breaks a text at spaces, but not between a number and its unit; a word longer than a line stands alone on its line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match words.last_mut() {
            Some(last) if is_unit(word) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_string()),
        }
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

fn is_unit(word: &str) -> bool {
    const UNITS: [&str; 13] = ["%", "B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB", "s"];
    let word = word.trim_end_matches([',', ';', '.', ':', ')']);
    UNITS.contains(&word.strip_suffix("/s").unwrap_or(word))
}
