//! A scenario that is being made: series on even slots, and the text that says them.
//!
//! The text is what is tried and what is kept in the end, so that a draft can hold nothing that a scenario cannot say. Equal
//! steps become one word (`7e8+2e7x60`). Absent on purpose: which draft is good.

use super::trace::{Line, Point, Said};
use crate::engine::{Counters, Options, SeriesMode, Timestamps};
use crate::model::{Attributes, Buckets, Histogram, Kind, MS, MetricIdentity, Nanos, SECOND, Temporality, Value};
use crate::scenario::Sample;
use crate::scenario::Shape;
use std::fmt::Write as _;

/// Where scenarios start unless they say so.
pub(super) const DEFAULT_START: Nanos = 1_767_225_600 * SECOND;
/// A line of a file is broken behind so many letters.
const WIDTH: usize = 110;

/// A scenario without its expectations.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub name: String,
    /// Lines of comment in front.
    pub comment: Vec<String>,
    pub options: Options,
    pub start: Nanos,
    /// When the input ends, since the start.
    pub until: Nanos,
    pub rows: Vec<Row>,
}

/// A series.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub resource: Attributes,
    pub metric: MetricIdentity,
    pub attributes: Attributes,
    pub shape: Option<Shape>,
    /// When the first slot is, since the draft's start.
    pub starts: Nanos,
    pub interval: Nanos,
    pub late_by: Nanos,
    pub slots: Vec<Slot>,
}

/// What stands in a slot; the process may have begun anew with it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    pub fresh: bool,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Gap,
    Stale,
    Number(f64),
    Histogram(Sample),
}

/// How times are put on slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Times and intervals are multiples of this.
    pub unit: Nanos,
    /// Slots are an interval of the series apart, not a unit.
    pub even: bool,
    /// Arrivals are as late as they usually were.
    pub keeps_lateness: bool,
}

impl Row {
    /// The points of a line from an instant on, on slots; `None` when there is no point, or what they say cannot be written.
    pub fn new(line: &Line, from: Nanos, start: Nanos, grid: Grid) -> Option<Row> {
        let mut points: Vec<&Point> = line.points.iter().filter(|point| point.time >= from).collect();
        points.sort_by_key(|point| point.time);
        let first = points.first()?;
        let interval = if grid.even { round(median_gap(&points)?, grid.unit).max(grid.unit) } else { grid.unit };
        let origin = round(first.time - start, grid.unit).max(0);
        let lateness = median(points.iter().map(|point| point.at - point.time).collect()).unwrap_or(0);
        let (mut slots, mut shape, mut last_start): (Vec<Slot>, _, _) = (Vec::new(), None, None);
        for point in &points {
            let slot = usize::try_from((point.time - start - origin + interval / 2).div_euclid(interval)).unwrap_or(0);
            if slot < slots.len() {
                // Two points of one slot: the second one says nothing new on this grid.
                continue;
            }
            slots.resize(slot, Slot { fresh: false, what: What::Gap });
            let fresh =
                last_start.is_some_and(|last| point.start > last) && line.metric.temporality != Temporality::Delta;
            last_start = Some(point.start);
            slots.push(Slot { fresh, what: what(&point.value, line.metric.kind, &mut shape)? });
        }
        Some(Row {
            resource: line.resource.clone(),
            metric: line.metric.clone(),
            attributes: line.attributes.clone(),
            shape,
            starts: origin,
            interval,
            late_by: if grid.keeps_lateness { round(lateness, grid.unit).max(0) } else { 0 },
            slots,
        })
    }

    /// Leaves out what is earlier than this, since the draft's start.
    pub fn cut(&mut self, before: Nanos) {
        let gone = (before - self.starts).max(0).unsigned_abs().div_ceil(self.interval.unsigned_abs());
        let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(self.slots.len());
        // A life that began among the slots that go began anew for those that stay, whatever they are.
        let mut kept = self.slots.split_off(gone);
        let gaps = kept.iter().take_while(|slot| slot.what == What::Gap).count();
        kept.drain(..gaps);
        self.starts += self.interval * (gone + gaps) as Nanos;
        if let Some(first) = kept.first_mut() {
            first.fresh = false;
        }
        self.slots = kept;
    }

    fn points(&self) -> usize {
        self.slots.iter().filter(|slot| slot.what != What::Gap).count()
    }
}

/// What a point says as a scenario says it. All histograms of a series must have the same buckets.
fn what(said: &Said, kind: Kind, shape: &mut Option<Shape>) -> Option<What> {
    match said {
        Said::Nothing => Some(What::Stale),
        Said::Number(value) => (!kind.is_histogram()).then_some(What::Number(*value)),
        Said::Histogram(histogram) => {
            let (sample, own) = sample(histogram)?;
            let known = shape.get_or_insert_with(|| own.clone());
            (*known == own).then_some(What::Histogram(sample))
        }
    }
}

fn sample(histogram: &Histogram) -> Option<(Sample, Shape)> {
    let (counts, zero, shape) = match &histogram.buckets {
        Buckets::Explicit { bounds, counts } => (counts.clone(), 0, Shape::Explicit { bounds: bounds.clone() }),
        Buckets::Exponential { scale, zero_count, positive, negative } => {
            if !negative.counts.is_empty() {
                return None;
            }
            let shape = Shape::Exponential { scale: *scale, offset: positive.offset };
            (positive.counts.clone(), *zero_count, shape)
        }
    };
    let mut sample = Sample { counts, zero, count: None, sum: histogram.sum, min: histogram.min, max: histogram.max };
    if sample.total() != histogram.count {
        sample.count = Some(histogram.count);
    }
    Some((sample, shape))
}

fn round(span: Nanos, unit: Nanos) -> Nanos {
    (span + unit / 2).div_euclid(unit) * unit
}

fn median(mut values: Vec<Nanos>) -> Option<Nanos> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// The usual time between two points; one point alone has a second.
fn median_gap(points: &[&Point]) -> Option<Nanos> {
    let gaps = points.windows(2).map(|pair| pair[1].time - pair[0].time).filter(|gap| *gap > 0);
    Some(median(gaps.collect()).unwrap_or(SECOND))
}

impl Draft {
    /// How many points it says.
    pub fn points(&self) -> usize {
        self.rows.iter().map(Row::points).sum()
    }

    /// The text up to its expectations, with these rules.
    pub fn text(&self, rules: &str) -> String {
        let mut out = String::new();
        for line in &self.comment {
            let _ = writeln!(out, "# {}", line.escape_debug());
        }
        let _ = writeln!(out, "scenario: {}", quoted(&self.name));
        let _ = writeln!(out, "rules: {}", quoted(rules));
        self.write_options(&mut out);
        if self.start != DEFAULT_START {
            let start = chrono::DateTime::from_timestamp_nanos(self.start);
            let _ = writeln!(out, "start: {}", start.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        }
        let last = |row: &Row| row.starts + row.interval * (row.slots.len() as Nanos - 1) + row.late_by;
        if self.rows.iter().map(last).max().is_none_or(|last| last < self.until) {
            let _ = writeln!(out, "until: {}", span(self.until));
        }
        let shared = Shared::of(&self.rows);
        shared.write(&mut out);
        let _ = writeln!(out, "series:");
        self.rows.iter().for_each(|row| write_row(&mut out, row, &shared));
        out
    }

    fn write_options(&self, out: &mut String) {
        let usual = Options::default();
        let mut said = Vec::new();
        if let Some(step) = self.options.step {
            said.push(format!("step: {}", span(step)));
        }
        if self.options.series == SeriesMode::Merge {
            said.push("series: merge".into());
        }
        if self.options.counters == Counters::Increase {
            said.push("counters: increase".into());
        }
        if self.options.timestamps == Timestamps::Arrival {
            said.push("timestamps: arrival".into());
        }
        if self.options.min_coverage != usual.min_coverage {
            said.push(format!("min-coverage: {}", number(self.options.min_coverage)));
        }
        if self.options.max_points_per_series != usual.max_points_per_series {
            said.push(format!("max-points-per-series: {}", self.options.max_points_per_series));
        }
        if !said.is_empty() {
            let _ = writeln!(out, "options: {{{}}}", said.join(", "));
        }
    }
}

/// What all series have in common, which is said once.
struct Shared<'a> {
    resource: Option<&'a Attributes>,
    scope: Option<&'a str>,
    interval: Option<Nanos>,
}

impl<'a> Shared<'a> {
    fn of(rows: &'a [Row]) -> Self {
        let first = rows.first();
        let resource = first.map(|row| &row.resource).filter(|one| rows.iter().all(|row| row.resource == **one));
        let scope = first.map(|row| row.metric.scope.as_str());
        let interval = first.map(|row| row.interval).filter(|one| rows.iter().all(|row| row.interval == *one));
        Shared { resource, scope: scope.filter(|one| rows.iter().all(|row| row.metric.scope == *one)), interval }
    }

    fn write(&self, out: &mut String) {
        if let Some(interval) = self.interval.filter(|interval| *interval != 10 * SECOND) {
            let _ = writeln!(out, "interval: {}", span(interval));
        }
        if let Some(resource) = self.resource.filter(|resource| !resource.is_empty()) {
            let _ = writeln!(out, "resource: {}", mapping(resource));
        }
        if let Some(scope) = self.scope.filter(|scope| !scope.is_empty()) {
            let _ = writeln!(out, "scope: {}", quoted(scope));
        }
    }
}

fn write_row(out: &mut String, row: &Row, shared: &Shared<'_>) {
    let Row { resource, metric, attributes, shape, starts, interval, late_by, slots } = row;
    let kind = match metric.kind {
        Kind::Gauge | Kind::Summary => "gauge",
        Kind::Sum => "sum",
        Kind::Histogram => "histogram",
        Kind::ExponentialHistogram => "exponential-histogram",
    };
    let _ = writeln!(out, "  - metric: {}", quoted(&metric.name));
    let mut line = |text: String| {
        let _ = writeln!(out, "    {text}");
    };
    line(format!("kind: {kind}"));
    if metric.monotonic {
        line("monotonic: true".into());
    }
    if metric.temporality == Temporality::Delta {
        line("temporality: delta".into());
    }
    if shared.resource.is_none() && !resource.is_empty() {
        line(format!("resource: {}", mapping(resource)));
    }
    if shared.scope.is_none() && !metric.scope.is_empty() {
        line(format!("scope: {}", quoted(&metric.scope)));
    }
    if !attributes.is_empty() {
        line(format!("attributes: {}", mapping(attributes)));
    }
    match shape {
        Some(Shape::Explicit { bounds }) => {
            line(format!(
                "bounds: [{}]",
                bounds.iter().map(|bound| yaml_number(*bound)).collect::<Vec<_>>().join(", ")
            ));
        }
        Some(Shape::Exponential { scale, offset }) => line(format!("scale: {scale}\n    offset: {offset}")),
        None => {}
    }
    if *starts != 0 {
        line(format!("starts-at: {}", span(*starts)));
    }
    if shared.interval.is_none() {
        line(format!("interval: {}", span(*interval)));
    }
    if *late_by != 0 {
        line(format!("late-by: {}", span(*late_by)));
    }
    write_values(out, slots);
}

/// The values on one line when they fit, else folded.
fn write_values(out: &mut String, slots: &[Slot]) {
    let words = words(slots);
    if words.iter().map(|word| word.len() + 1).sum::<usize>() < WIDTH {
        let _ = writeln!(out, "    values: {}", quoted_values(&words.join(" ")));
        return;
    }
    let _ = write!(out, "    values: >-");
    let mut width = WIDTH;
    for word in words {
        if width + word.len() + 1 > WIDTH {
            out.push_str("\n     ");
            width = 6;
        }
        width += word.len() + 1;
        out.push(' ');
        out.push_str(&word);
    }
    out.push('\n');
}

/// A scalar of values needs no quotes but where it would be read as something else.
fn quoted_values(text: &str) -> String {
    if text.starts_with(['-', '(', '_']) || text.contains(": ") { format!("\"{text}\"") } else { text.to_string() }
}

/// The slots as words; equal steps are one word.
fn words(slots: &[Slot]) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = slots;
    while let [slot, ..] = rest {
        if slot.fresh {
            words.push("restart".to_string());
        }
        let (word, taken) = match &slot.what {
            What::Gap => repeated("_", rest),
            What::Stale => repeated("stale", rest),
            What::Number(first) => run(*first, rest),
            What::Histogram(sample) => (histogram(sample), 1),
        };
        words.push(word);
        rest = &rest[taken..];
    }
    words
}

fn repeated(word: &str, slots: &[Slot]) -> (String, usize) {
    let same = slots.iter().skip(1).take_while(|slot| !slot.fresh && slot.what == slots[0].what).count();
    if same == 0 { (word.to_string(), 1) } else { (format!("{word}x{}", same + 1), same + 1) }
}

/// A number and as many behind it as lie on one line with it, to the last bit.
fn run(first: f64, slots: &[Slot]) -> (String, usize) {
    let value = |slot: &Slot| match slot.what {
        What::Number(value) if !slot.fresh => Some(value),
        What::Number(_) | What::Gap | What::Stale | What::Histogram(_) => None,
    };
    let Some(second) = slots.get(1).and_then(value) else { return (number(first), 1) };
    let step = second - first;
    let on_line = |(n, slot): (usize, &Slot)| value(slot).is_some_and(|v| v == first + step * n as f64);
    let more = slots.iter().enumerate().skip(1).take_while(|(n, slot)| on_line((*n, slot))).count();
    let step_text = number(step);
    let same_step = step_text.parse::<f64>() == Ok(step);
    match more {
        0 => (number(first), 1),
        // Two numbers are shorter than a step that has to be spelled out.
        1 if step != 0.0 => (number(first), 1),
        _ if !step.is_finite() || !same_step => (number(first), 1),
        _ if step == 0.0 => (format!("{}x{more}", number(first)), more + 1),
        _ => (format!("{}{}{step_text}x{more}", number(first), if step < 0.0 { "" } else { "+" }), more + 1),
    }
}

fn histogram(sample: &Sample) -> String {
    let mut parts: Vec<String> = sample.counts.iter().map(u64::to_string).collect();
    if sample.zero > 0 {
        parts.push(format!("zero={}", sample.zero));
    }
    parts.extend(sample.count.map(|count| format!("count={count}")));
    for (name, value) in [("sum", sample.sum), ("min", sample.min), ("max", sample.max)] {
        parts.extend(value.map(|value| format!("{name}={}", number(value))));
    }
    format!("({})", parts.join(" "))
}

/// The shortest text of a number that reads back as the same.
pub(super) fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN".into(),
        v if v.is_infinite() => if v > 0.0 { "Inf" } else { "-Inf" }.into(),
        v => {
            let (plain, scientific) = (format!("{v}"), format!("{v:e}"));
            if scientific.len() < plain.len() { scientific } else { plain }
        }
    }
}

/// The same for YAML, whose numbers need a point or no exponent to be numbers everywhere.
fn yaml_number(value: f64) -> String {
    format!("{value:?}").replace("inf", ".inf")
}

/// A span as scenarios write it.
pub(super) fn span(span: Nanos) -> String {
    let text = humantime::format_duration(std::time::Duration::from_nanos(span.unsigned_abs())).to_string();
    text.replace(' ', "")
}

fn mapping(attributes: &Attributes) -> String {
    let pairs: Vec<String> =
        attributes.iter().map(|(key, value)| format!("{}: {}", quoted(key), scalar(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::String(text) => quoted(text),
        Value::Bool(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::Double(v) if v.is_finite() => yaml_number(*v),
        Value::Double(_) | Value::Bytes(_) => quoted(&value.to_text()),
        Value::Array(items) => format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => mapping(map),
    }
}

/// A text as it is when YAML reads it as that text, else in quotes.
pub(super) fn quoted(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ' ' | '(' | ')');
    let builtin = text.strip_prefix("builtin:").is_some_and(|rest| rest.chars().all(inside));
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    let is_word = words.contains(&text.to_ascii_lowercase().as_str());
    let plain = begins && text.chars().all(inside) && !text.ends_with(' ') && !is_word;
    if plain || builtin {
        return text.to_string();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c if u32::from(c) <= 0xffff => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Grids from the most readable to the most exact.
pub(super) const GRIDS: [Grid; 6] = [
    Grid { unit: SECOND, even: true, keeps_lateness: false },
    Grid { unit: SECOND, even: true, keeps_lateness: true },
    Grid { unit: 100 * MS, even: true, keeps_lateness: false },
    Grid { unit: 100 * MS, even: true, keeps_lateness: true },
    Grid { unit: 100 * MS, even: false, keeps_lateness: true },
    Grid { unit: MS, even: false, keeps_lateness: true },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Content, documents};
    use crate::scenario::{RunKind, parse_values as parse};
    use proptest::prelude::*;

    fn read_back(text: &str) -> Option<String> {
        let documents = documents(&format!("a: {{b: {text}}}\n")).ok()?;
        let Content::Map(outer) = &documents.first()?.content else { return None };
        let Content::Map(inner) = &outer.first()?.1.content else { return None };
        match &inner.first()?.1.content {
            Content::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The slots as the words say them: `None` is a gap.
    fn said(words: &str) -> Vec<(bool, Option<u64>)> {
        let mut slots = Vec::new();
        let mut fresh = false;
        for run in parse(words).expect("words") {
            for n in 0..run.slots {
                let value = match &run.kind {
                    RunKind::Numbers { first, step, terms } if terms.is_empty() => {
                        Some((first + step * n as f64).to_bits())
                    }
                    RunKind::Gap => None,
                    other => panic!("{other:?}"),
                };
                slots.push((fresh, value));
                fresh = false;
            }
            fresh |= run.kind == RunKind::Restart;
        }
        slots
    }

    proptest! {
        #[test]
        fn a_text_is_read_back_as_it_was(text in any::<String>()) {
            prop_assert_eq!(read_back(&quoted(&text)), Some(text));
        }

        #[test]
        fn a_word_that_means_something_to_yaml_stays_a_text(
            text in "(true|no|Null|~|1e5|0x1f|.inf|- a|a: b|# a|&a|\\*a|!a|2026-01-01|a |  a|<<|[|]|[{]|,|\"|'|%|@|`)"
        ) {
            prop_assert_eq!(read_back(&quoted(&text)), Some(text));
        }

        #[test]
        fn values_are_read_back_to_the_last_bit(
            parts in proptest::collection::vec((any::<f64>(), -1e9..1e9f64, 0..9usize, any::<bool>(), any::<bool>()), 1..8)
        ) {
            let mut slots = Vec::new();
            for (first, step, more, is_gap, fresh) in parts {
                for n in 0..=more {
                    let value = first + step * n as f64;
                    let what = if is_gap || !value.is_finite() { What::Gap } else { What::Number(value) };
                    slots.push(Slot { fresh: fresh && n == 0, what });
                }
            }
            let expected: Vec<(bool, Option<u64>)> = slots
                .iter()
                .map(|slot| match slot.what {
                    What::Number(value) => (slot.fresh, Some((value + 0.0).to_bits())),
                    _ => (slot.fresh, None),
                })
                .collect();
            let got = said(&words(&slots).join(" "));
            // Bits of one value: +0 and -0 are one number.
            let numbers = |of: &[(bool, Option<u64>)]| of.iter().map(|(fresh, bits)| (*fresh, bits.map(f64::from_bits))).collect::<Vec<_>>();
            prop_assert!(numbers(&got) == numbers(&expected), "{}", words(&slots).join(" "));
        }
    }
}
