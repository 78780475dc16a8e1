//! The notation for the values of a series: `0+10x60 5x3 _x2 7 -3 stale 5e8+leak(1e5)+noise(7 2e6)x120 (2 1 0 sum=12)`.
//!
//! One word stands for one or more export slots, one interval apart. Owns the words and their expansion into samples. Words
//! are kept as runs, so a short text stays small in memory however many samples it stands for; the caller bounds their
//! number before any are made. Noise is a function of the text. Absent on purpose: times.

use crate::model::{Buckets, ExponentialBuckets, Histogram, Nanos, SECOND};

/// The buckets that all histograms of a series share.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BucketLayout {
    Explicit { bounds: Vec<f64> },
    Exponential { scale: i32, offset: i32 },
}

/// A text may stand for at most this many slots; more than a month of one series at 10 s is a typing error.
pub const MAX_SLOTS: u64 = 500_000;

/// One word of the notation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValueRun {
    /// The slots it takes.
    pub slots: u64,
    pub kind: RunKind,
}

/// The slots of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RunKind {
    /// No sample.
    Gap,
    /// A sample with the flag "no recorded value".
    Stale,
    /// The process restarts before the next sample; takes no slot.
    Restart,
    /// Numbers, each `step` more than the one before, and what the terms add.
    Numbers { first: f64, step: f64, terms: Vec<ValueTerm> },
    /// Histograms, each `step` more than the one before.
    Histograms { first: HistogramValue, step: Option<HistogramValue> },
}

/// One slot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SlotSample {
    /// Whether the process restarted since the sample before.
    pub restarted: bool,
    pub value: SlotValue,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SlotValue {
    Gap,
    Stale,
    Number(f64),
    Histogram(HistogramValue),
}

/// The slots of runs, one after the other, of a series that is exported every `interval`.
pub(crate) fn samples(runs: &[ValueRun], interval: Nanos) -> impl Iterator<Item = SlotSample> {
    let slots = runs.iter().flat_map(|run| (0..run.slots.max(1)).map(move |n| (run, n)));
    let mut restarted = false;
    slots.filter_map(move |(run, n)| {
        let value = match &run.kind {
            RunKind::Restart => {
                restarted = true;
                return None;
            }
            RunKind::Gap => SlotValue::Gap,
            RunKind::Stale => SlotValue::Stale,
            RunKind::Numbers { first, step, terms } => {
                let more: f64 = terms.iter().map(|term| term.at(n, interval)).sum();
                SlotValue::Number(first + step * n as f64 + more)
            }
            RunKind::Histograms { first, step: Some(step) } => SlotValue::Histogram(first.plus(step, n)),
            RunKind::Histograms { first, step: None } => SlotValue::Histogram(first.clone()),
        };
        Some(SlotSample { restarted: std::mem::take(&mut restarted), value })
    })
}

/// Something that is added to a number, as a function of the slot within its run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ValueTerm {
    /// A wave around zero that begins at zero.
    Sin { amplitude: f64, period: Nanos },
    /// Uniformly distributed numbers from `-amplitude` to `amplitude`, the same for the same seed.
    Noise { amplitude: f64, seed: u64 },
    /// So much more with every second.
    Leak { rate: f64 },
}

impl ValueTerm {
    /// What it adds to slot `n` of a series that is exported every `interval`.
    pub fn at(self, n: u64, interval: Nanos) -> f64 {
        let since = n as f64 * interval as f64;
        match self {
            // From another library than the platform's, so that every platform has the same bits.
            ValueTerm::Sin { amplitude, period } => {
                amplitude * libm::sin(std::f64::consts::TAU * (since / period as f64).fract())
            }
            ValueTerm::Noise { amplitude, seed } => amplitude * (2.0 * unit(seed, n) - 1.0),
            ValueTerm::Leak { rate } => rate * (since / SECOND as f64),
        }
    }
}

/// A number from 0 to 1 made from two others (the finisher of SplitMix64).
fn unit(seed: u64, n: u64) -> f64 {
    let mut bits = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// A histogram in one slot. The count is the total of its buckets unless it is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HistogramValue {
    pub counts: Vec<u64>,
    pub zero: u64,
    pub count: Option<u64>,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

impl HistogramValue {
    /// This histogram with `step` added `n` times; the smallest and largest observation stay.
    pub fn plus(&self, step: &HistogramValue, n: u64) -> HistogramValue {
        let length = self.counts.len().max(step.counts.len());
        let at = |counts: &[u64], i: usize| counts.get(i).copied().unwrap_or(0);
        let add = |a: u64, b: u64| a.saturating_add(b.saturating_mul(n));
        HistogramValue {
            counts: (0..length).map(|i| add(at(&self.counts, i), at(&step.counts, i))).collect(),
            zero: add(self.zero, step.zero),
            count: self.count.map(|count| add(count, step.total())),
            sum: self.sum.map(|sum| sum + step.sum.unwrap_or(0.0) * n as f64),
            min: self.min,
            max: self.max,
        }
    }

    /// Number of observations.
    pub fn total(&self) -> u64 {
        self.count.unwrap_or_else(|| self.counts.iter().fold(self.zero, |a, b| a.saturating_add(*b)))
    }

    /// The histogram with these buckets.
    pub fn to_histogram(&self, layout: &BucketLayout) -> Histogram {
        let counts = self.counts.clone();
        let buckets = match layout {
            BucketLayout::Explicit { bounds } => Buckets::Explicit { bounds: bounds.clone(), counts },
            BucketLayout::Exponential { scale, offset } => Buckets::Exponential {
                scale: *scale,
                zero_count: self.zero,
                positive: ExponentialBuckets { offset: *offset, counts },
                negative: ExponentialBuckets::default(),
            },
        };
        Histogram { count: self.total(), sum: self.sum, min: self.min, max: self.max, buckets }
    }

    /// The notation of a histogram, and its layout; `None` for negative buckets, which it does not know.
    pub fn of(histogram: &Histogram) -> Option<(HistogramValue, BucketLayout)> {
        let (counts, zero, layout) = match &histogram.buckets {
            Buckets::Explicit { bounds, counts } => (counts, 0, BucketLayout::Explicit { bounds: bounds.clone() }),
            Buckets::Exponential { negative, .. } if !negative.counts.is_empty() => return None,
            Buckets::Exponential { scale, zero_count, positive: ExponentialBuckets { offset, counts }, .. } => {
                (counts, *zero_count, BucketLayout::Exponential { scale: *scale, offset: *offset })
            }
        };
        let Histogram { count, sum, min, max, .. } = *histogram;
        let value = HistogramValue { counts: counts.clone(), zero, count: None, sum, min, max };
        let count = (value.total() != count).then_some(count);
        Some((HistogramValue { count, ..value }, layout))
    }
}

/// Reads the notation. An error is where the word begins that is not understood, and why.
pub(crate) fn parse(text: &str) -> Result<Vec<ValueRun>, (usize, String)> {
    let mut runs = Vec::new();
    let mut total = 0u64;
    for (offset, word) in words(text) {
        let run = run(word).map_err(|message| (offset, message))?;
        total = total.saturating_add(run.slots);
        if total > MAX_SLOTS {
            return Err((offset, format!("`{word}`: more than {MAX_SLOTS} values in one series")));
        }
        runs.push(run);
    }
    Ok(runs)
}

/// Words with their offsets; blanks inside parentheses do not end a word.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(|c: char| !c.is_whitespace())?;
        let mut depth = 0usize;
        let end = text[start..].find(|c: char| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && c.is_whitespace()
        });
        rest = end.map_or(text.len(), |end| start + end);
        Some((start, &text[start..rest]))
    })
}

fn run(word: &str) -> Result<ValueRun, String> {
    if word == "restart" {
        return Ok(ValueRun { slots: 0, kind: RunKind::Restart });
    }
    let (value, times) = match word.rsplit_once('x') {
        Some((value, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() => {
            let times = digits.parse::<u64>().ok().filter(|n| *n <= MAX_SLOTS);
            (value, Some(times.ok_or_else(|| format!("`{word}`: more than {MAX_SLOTS} values in one series"))?))
        }
        _ => (word, None),
    };
    match value {
        "_" => return Ok(ValueRun { slots: times.unwrap_or(1), kind: RunKind::Gap }),
        "stale" => return Ok(ValueRun { slots: times.unwrap_or(1), kind: RunKind::Stale }),
        _ => {}
    }
    let parts = parts(value);
    if parts.len() > 1 || is_function(value) {
        times.ok_or_else(|| format!("`{word}`: how often is missing (`{word}x10`)"))?;
    }
    let kind = if value.starts_with('(') { histograms(word, &parts)? } else { numbers(word, &parts)? };
    Ok(ValueRun { slots: times.unwrap_or(0) + 1, kind })
}

fn histograms(word: &str, parts: &[(f64, &str)]) -> Result<RunKind, String> {
    match parts {
        [(_, first)] => Ok(RunKind::Histograms { first: histogram_value(first)?, step: None }),
        [(_, first), (sign, step)] if *sign > 0.0 => {
            Ok(RunKind::Histograms { first: histogram_value(first)?, step: Some(histogram_value(step)?) })
        }
        [_, (_, _)] => Err(format!("`{word}`: a histogram only grows; write the smaller one as a word of its own")),
        _ => Err(format!("`{word}`: a histogram has one step")),
    }
}

fn numbers(word: &str, parts: &[(f64, &str)]) -> Result<RunKind, String> {
    let (mut first, mut step, mut terms) = (0.0, None, Vec::new());
    for (place, (sign, text)) in parts.iter().enumerate() {
        if is_function(text) {
            terms.push(function(*sign, text)?);
        } else if place == 0 {
            first = number(text)?;
        } else if step.is_none() {
            step = Some(sign * number(text)?);
        } else {
            return Err(format!("`{word}`: there are two steps"));
        }
    }
    Ok(RunKind::Numbers { first, step: step.unwrap_or(0.0), terms })
}

/// `a+b-c` as its parts with their signs; a sign at the beginning, after another sign or after an exponent's `e` belongs to
/// a number.
fn parts(value: &str) -> Vec<(f64, &str)> {
    let (mut depth, mut before, mut sign, mut begin) = (0usize, 'e', 1.0, 0);
    let mut parts = Vec::new();
    for (i, c) in value.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '+' | '-' if depth == 0 && !matches!(before, 'e' | 'E' | '+' | '-') => {
                parts.push((sign, &value[begin..i]));
                (sign, begin) = (if c == '+' { 1.0 } else { -1.0 }, i + 1);
            }
            _ => {}
        }
        before = c;
    }
    parts.push((sign, &value[begin..]));
    parts
}

fn is_function(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.contains('(')
}

fn function(sign: f64, text: &str) -> Result<ValueTerm, String> {
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    let inner = rest.strip_suffix(')').ok_or_else(|| format!("`{text}`: the closing parenthesis is missing"))?;
    let arguments: Vec<&str> = inner.split([',', ' ', '\t', '\n', '\r']).filter(|part| !part.is_empty()).collect();
    let amplitude = |part: &str| match sign * number(part)? {
        amplitude if amplitude.is_finite() => Ok(amplitude),
        _ => Err(format!("`{text}`: the number is not finite")),
    };
    Ok(match (name, arguments.as_slice()) {
        ("sin", [height, period]) => ValueTerm::Sin { amplitude: amplitude(height)?, period: span(text, period)? },
        ("noise", [seed]) => ValueTerm::Noise { amplitude: sign, seed: whole(text, seed)? },
        ("noise", [seed, height]) => ValueTerm::Noise { amplitude: amplitude(height)?, seed: whole(text, seed)? },
        ("leak", [rate]) => ValueTerm::Leak { rate: amplitude(rate)? },
        _ => return Err(format!("`{text}`: there are sin(amplitude period), noise(seed amplitude) and leak(rate)")),
    })
}

fn whole(text: &str, seed: &str) -> Result<u64, String> {
    seed.parse().map_err(|_| format!("`{text}`: a seed is a whole number, not below 0"))
}

fn span(text: &str, period: &str) -> Result<Nanos, String> {
    let span = humantime::parse_duration(period).ok().and_then(|span| Nanos::try_from(span.as_nanos()).ok());
    span.filter(|span| *span > 0).ok_or_else(|| format!("`{text}`: a period has a unit, as 90s, 10m or 1h30m"))
}

fn number(text: &str) -> Result<f64, String> {
    let looks = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' | b'_'));
    match text.trim_start_matches(['+', '-']) {
        "NaN" => return Ok(f64::NAN),
        "Inf" => return Ok(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ if looks => {}
        _ => {
            let others = "`_`, `stale`, `restart`, `NaN`, `Inf`, `sin(…)`, `noise(…)`, `leak(…)` or `(…)`";
            return Err(format!("`{text}` is no number, {others}"));
        }
    }
    text.replace('_', "").parse::<f64>().map_err(|_| format!("`{text}` is no number"))
}

fn histogram_value(text: &str) -> Result<HistogramValue, String> {
    let inner = text
        .strip_prefix('(')
        .and_then(|t| t.strip_suffix(')'))
        .filter(|t| !t.contains(['(', ')']))
        .ok_or_else(|| format!("`{text}` is no histogram; write `(2 1 0 sum=12)`"))?;
    let mut value = HistogramValue::default();
    for part in inner.split([' ', ',', '\t', '\n', '\r']).filter(|p| !p.is_empty()) {
        let whole = |v: &str| v.parse::<u64>().map_err(|_| format!("`{part}`: a count is a whole number, not below 0"));
        match part.split_once('=') {
            None => value.counts.push(whole(part)?),
            Some(("zero", v)) => value.zero = whole(v)?,
            Some(("count", v)) => value.count = Some(whole(v)?),
            Some(("sum", v)) => value.sum = Some(number(v)?),
            Some(("min", v)) => value.min = Some(number(v)?),
            Some(("max", v)) => value.max = Some(number(v)?),
            Some(_) => return Err(format!("`{part}`: a histogram has sum=, min=, max=, count= and zero=")),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<(u64, f64, f64)> {
        let runs = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        runs.iter()
            .map(|r| match &r.kind {
                RunKind::Numbers { first, step, terms } if terms.is_empty() => (r.slots, *first, *step),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn numbers_and_steps() {
        assert_eq!(
            numbers("0+10x60 5x3 7 -3 100-5x10 1e3"),
            [(61, 0.0, 10.0), (4, 5.0, 0.0), (1, 7.0, 0.0), (1, -3.0, 0.0), (11, 100.0, -5.0), (1, 1000.0, 0.0)]
        );
        assert_eq!(
            numbers("1e-3+1e-3x2 0x10 -1--1x1 1_073_741_824"),
            [(3, 0.001, 0.001), (11, 0.0, 0.0), (2, -1.0, 1.0), (1, 1073741824.0, 0.0)]
        );
        assert!(numbers("NaN")[0].1.is_nan());
        assert_eq!(numbers("-Inf")[0].1, f64::NEG_INFINITY);
    }

    #[test]
    fn gaps_and_restarts() {
        let runs = parse("_ _x3 stale restart").expect("words");
        let slots: Vec<_> = runs.iter().map(|r| (r.slots, r.kind.clone())).collect();
        assert_eq!(slots, [(1, RunKind::Gap), (3, RunKind::Gap), (1, RunKind::Stale), (0, RunKind::Restart)]);
    }

    #[test]
    fn functions() {
        let value = |text: &str, n: u64| {
            let runs = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            let RunKind::Numbers { first, step, terms } = &runs[0].kind else { panic!("{runs:?}") };
            first + step * n as f64 + terms.iter().map(|term| term.at(n, 10 * SECOND)).sum::<f64>()
        };
        assert_eq!(value("5+leak(2)x10", 3), 65.0);
        assert_eq!(value("5+1-leak(2)x10", 3), -52.0);
        assert_eq!(value("100+sin(20, 40s)x10", 1), 120.0);
        assert!((value("100-sin(20, 40s)x10", 5) - 80.0).abs() < 1e-9);
        assert_eq!(value("sin(20 1m)x10", 0), 0.0);
        let noise: Vec<f64> = (0..1000).map(|n| value("noise(7, 3)x1000", n)).collect();
        assert!(
            noise.iter().all(|v| v.abs() <= 3.0) && noise.iter().any(|v| *v > 2.9) && noise.iter().any(|v| *v < -2.9)
        );
        assert!((noise.iter().sum::<f64>() / 1000.0).abs() < 0.2, "the mean is far from 0");
        assert_eq!(noise, (0..1000).map(|n| value("noise(7, 3)x1000", n)).collect::<Vec<_>>());
        assert_ne!(value("noise(7)x9", 1), value("noise(8)x9", 1));
        let runs = parse("1 5e8+leak(1e5)+noise(7, 2e6)x120 _").expect("words");
        assert_eq!(runs.iter().map(|run| run.slots).collect::<Vec<_>>(), [1, 121, 1]);
    }

    #[test]
    fn histograms() {
        let runs = parse("(0 0)x1 (2 1 sum=30 min=1)+(2, 1 sum=30)x2").expect("words");
        assert_eq!(runs.len(), 2);
        let RunKind::Histograms { first, step: Some(step) } = &runs[1].kind else { panic!("{runs:?}") };
        let third = first.plus(step, 2);
        assert_eq!(
            (third.counts.as_slice(), third.sum, third.min, third.total()),
            (&[6, 3][..], Some(90.0), Some(1.0), 9)
        );
    }

    #[test]
    fn errors_of_words_have_offsets() {
        for (text, offset) in [
            ("1 2 foo", 4),
            ("0x1000000000", 0),
            ("1+2", 0),
            ("(1 2", 0),
            ("(1 -2)", 0),
            ("1 inf", 2),
            ("1+x3", 0),
            ("x", 0),
            ("1 leak(1)", 2),
            ("leak()x3", 0),
            ("leak(Inf)x3", 0),
            ("sin(1, 5)x3", 0),
            ("sin(1, 0s)x3", 0),
            ("noise(-1)x3", 0),
            ("cos(1, 5m)x3", 0),
            ("leak(1x3", 0),
            ("1+2+3x3", 0),
            ("(1)+(2)+(3)x3", 0),
        ] {
            assert_eq!(parse(text).map_err(|(offset, _)| offset), Err(offset), "{text}");
        }
        assert!(parse("0x400000 0x400000").is_err());
    }
}
