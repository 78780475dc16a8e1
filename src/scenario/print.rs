//! A scenario, printed: what is measured, as the text of the language.
//!
//! Values with equal steps become one word (`7e8+2e7x60`), and what all series share is printed once. Invariant: the text
//! reads back as the same samples, to the last bit. Absent on purpose: expectations, which the caller appends.

use super::parse::DEFAULT_START;
use super::series::ScenarioSeries;
use super::values::{BucketLayout, HistogramValue, SlotSample, SlotValue};
use crate::engine::Options;
use crate::model::{Attributes, MetricIdentity, Nanos, SECOND, Temporality, Value};
use std::fmt::Write as _;
use std::time::Duration;

/// Lines longer than this are folded.
const WIDTH: usize = 110;

/// A scenario without its expectations.
#[derive(Clone, Debug)]
pub(crate) struct SampledScenario {
    pub name: String,
    /// Lines of comment in front.
    pub comment: Vec<String>,
    pub options: Options,
    pub start: Nanos,
    /// When the input ends, since the start.
    pub until: Nanos,
    pub series: Vec<SampledSeries>,
}

/// A series, sample by sample.
#[derive(Clone, Debug)]
pub(crate) struct SampledSeries {
    pub resource: Attributes,
    pub metric: MetricIdentity,
    pub attributes: Attributes,
    pub layout: Option<BucketLayout>,
    /// When the first slot is, since the scenario's start.
    pub starts: Nanos,
    pub interval: Nanos,
    pub late_by: Nanos,
    pub samples: Vec<SlotSample>,
}

impl SampledScenario {
    /// How many samples it holds.
    pub fn points(&self) -> usize {
        let all = self.series.iter().flat_map(|series| &series.samples);
        all.filter(|sample| sample.value != SlotValue::Gap).count()
    }

    /// The text up to its expectations, with these rules.
    pub fn to_text(&self, rules: &str) -> String {
        let mut out = String::new();
        for line in &self.comment {
            let _ = writeln!(out, "# {}", line.escape_debug());
        }
        let last = |of: &SampledSeries| of.starts + of.interval * (of.samples.len() as Nanos - 1) + of.late_by;
        let is_longer = self.series.iter().map(last).max().is_none_or(|last| last < self.until);
        let start = || {
            let start = chrono::DateTime::from_timestamp_nanos(self.start);
            format!("start: {}", start.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        };
        let shared = Shared::of(&self.series);
        let interval = shared.interval.filter(|interval| *interval != 10 * SECOND);
        let lines = [
            Some(format!("scenario: {}", quoted(&self.name))),
            Some(format!("rules: {}", quoted(rules))),
            self.options(),
            (self.start != DEFAULT_START).then(start),
            is_longer.then(|| format!("until: {}", span(self.until))),
            interval.map(|interval| format!("interval: {}", span(interval))),
            shared.resource.filter(|of| !of.is_empty()).map(|resource| format!("resource: {}", mapping(resource))),
            shared.scope.filter(|of| !of.is_empty()).map(|scope| format!("scope: {}", quoted(scope))),
            Some("series:".to_string()),
        ];
        for line in lines.iter().flatten() {
            let _ = writeln!(out, "{line}");
        }
        self.series.iter().for_each(|series| write_series(&mut out, series, &shared));
        out
    }

    fn options(&self) -> Option<String> {
        let (own, usual) = (&self.options, Options::default());
        let word = |differs: bool, key: &str, word: &str| differs.then(|| format!("{key}: {word}"));
        let most = own.max_points_per_series;
        let keys = [
            own.step.map(|step| format!("step: {}", span(step))),
            word(own.series != usual.series, "series", own.series.as_str()),
            word(own.counters != usual.counters, "counters", own.counters.as_str()),
            word(own.timestamps != usual.timestamps, "timestamps", own.timestamps.as_str()),
            (own.min_coverage != usual.min_coverage).then(|| format!("min-coverage: {}", number(own.min_coverage))),
            (most != usual.max_points_per_series).then(|| format!("max-points-per-series: {most}")),
        ];
        let keys: Vec<String> = keys.into_iter().flatten().collect();
        (!keys.is_empty()).then(|| format!("options: {{{}}}", keys.join(", ")))
    }
}

/// What all series have in common, which is printed once.
struct Shared<'a> {
    resource: Option<&'a Attributes>,
    scope: Option<&'a str>,
    interval: Option<Nanos>,
}

impl<'a> Shared<'a> {
    fn of(all: &'a [SampledSeries]) -> Self {
        fn shared<'a, T: PartialEq>(all: &'a [SampledSeries], of: impl Fn(&'a SampledSeries) -> T) -> Option<T> {
            let mut values = all.iter().map(of);
            let first = values.next()?;
            values.all(|other| other == first).then_some(first)
        }
        Shared {
            resource: shared(all, |series| &series.resource),
            scope: shared(all, |series| series.metric.scope.as_str()),
            interval: shared(all, |series| series.interval),
        }
    }
}

fn write_series(out: &mut String, series: &SampledSeries, shared: &Shared<'_>) {
    let SampledSeries { resource, metric, attributes, layout, starts, interval, late_by, samples } = series;
    let _ = writeln!(out, "  - metric: {}", quoted(&metric.name));
    let buckets = layout.as_ref().map(|layout| match layout {
        BucketLayout::Explicit { bounds } => {
            let bounds: Vec<String> = bounds.iter().map(|bound| yaml_number(*bound)).collect();
            format!("bounds: [{}]", bounds.join(", "))
        }
        BucketLayout::Exponential { scale, offset } => format!("scale: {scale}\n    offset: {offset}"),
    });
    let is_delta = metric.temporality == Temporality::Delta;
    let (own_resource, own_scope) = (shared.resource.is_none(), shared.scope.is_none());
    let lines = [
        Some(format!("kind: {}", ScenarioSeries::kind_word(metric.kind))),
        metric.monotonic.then(|| "monotonic: true".to_string()),
        is_delta.then(|| "temporality: delta".to_string()),
        (own_resource && !resource.is_empty()).then(|| format!("resource: {}", mapping(resource))),
        (own_scope && !metric.scope.is_empty()).then(|| format!("scope: {}", quoted(&metric.scope))),
        (!attributes.is_empty()).then(|| format!("attributes: {}", mapping(attributes))),
        buckets,
        (*starts != 0).then(|| format!("starts-at: {}", span(*starts))),
        shared.interval.is_none().then(|| format!("interval: {}", span(*interval))),
        (*late_by != 0).then(|| format!("late-by: {}", span(*late_by))),
    ];
    for line in lines.iter().flatten() {
        let _ = writeln!(out, "    {line}");
    }
    write_values(out, samples);
}

/// The values on one line when they fit, else folded.
fn write_values(out: &mut String, samples: &[SlotSample]) {
    let words = words(samples);
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
fn words(samples: &[SlotSample]) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = samples;
    while let [sample, ..] = rest {
        if sample.restarted {
            words.push("restart".to_string());
        }
        let (word, taken) = match &sample.value {
            SlotValue::Gap => repeated("_", rest),
            SlotValue::Stale => repeated("stale", rest),
            SlotValue::Number(first) => run(*first, rest),
            SlotValue::Histogram(value) => (histogram(value), 1),
        };
        words.push(word);
        rest = &rest[taken..];
    }
    words
}

fn repeated(word: &str, samples: &[SlotSample]) -> (String, usize) {
    let same = samples.iter().skip(1).take_while(|next| !next.restarted && next.value == samples[0].value).count();
    if same == 0 { (word.to_string(), 1) } else { (format!("{word}x{}", same + 1), same + 1) }
}

/// A number and as many behind it as lie on one line with it, to the last bit.
fn run(first: f64, samples: &[SlotSample]) -> (String, usize) {
    let value = |sample: &SlotSample| match sample.value {
        SlotValue::Number(value) if !sample.restarted => Some(value),
        SlotValue::Number(_) | SlotValue::Gap | SlotValue::Stale | SlotValue::Histogram(_) => None,
    };
    let Some(second) = samples.get(1).and_then(value) else { return (number(first), 1) };
    let step = second - first;
    let on_line = |(n, sample): (usize, &SlotSample)| value(sample).is_some_and(|v| v == first + step * n as f64);
    let more = samples.iter().enumerate().skip(1).take_while(|at| on_line(*at)).count();
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

fn histogram(value: &HistogramValue) -> String {
    let mut parts: Vec<String> = value.counts.iter().map(u64::to_string).collect();
    if value.zero > 0 {
        parts.push(format!("zero={}", value.zero));
    }
    parts.extend(value.count.map(|count| format!("count={count}")));
    for (name, value) in [("sum", value.sum), ("min", value.min), ("max", value.max)] {
        parts.extend(value.map(|value| format!("{name}={}", number(value))));
    }
    format!("({})", parts.join(" "))
}

/// The shortest text of a number that reads back as the same.
pub(crate) fn number(value: f64) -> String {
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

/// A span of time as scenarios write it: `8m30s`.
pub(crate) fn span(span: Nanos) -> String {
    let text = humantime::format_duration(Duration::from_nanos(span.unsigned_abs())).to_string().replace(' ', "");
    if span < 0 { format!("-{text}") } else { text }
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
pub(crate) fn quoted(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tree::{Content, documents};
    use crate::scenario::values;
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

    /// Restarts and values, to be compared as numbers: +0 and -0 are one.
    fn numbers(samples: impl Iterator<Item = SlotSample>) -> Vec<(bool, Option<f64>)> {
        let value = |sample: SlotSample| match sample.value {
            SlotValue::Number(value) => (sample.restarted, Some(value)),
            SlotValue::Gap => (sample.restarted, None),
            other => panic!("{other:?}"),
        };
        samples.map(value).collect()
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
            let mut samples = Vec::new();
            for (first, step, more, is_gap, restarts) in parts {
                for n in 0..=more {
                    let value = first + step * n as f64;
                    let value = if is_gap || !value.is_finite() { SlotValue::Gap } else { SlotValue::Number(value) };
                    samples.push(SlotSample { restarted: restarts && n == 0, value });
                }
            }
            let text = words(&samples).join(" ");
            let got = numbers(values::samples(&values::parse(&text).expect("words"), SECOND));
            prop_assert!(got == numbers(samples.into_iter()), "{}", text);
        }
    }
}
