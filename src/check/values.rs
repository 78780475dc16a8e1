//! The notation for the values of a series: `0+10x60 5x3 _x2 7 -3 stale (2 1 0 sum=12)`.
//!
//! One word is one or more export slots, one interval apart. Owns the words and their expansion. The words are kept as
//! runs, so a short text stays small in memory however many points it says; the caller bounds their number before any
//! are made. Absent on purpose: times, and what becomes of the points.

/// A text may say at most this many slots; more than a month of one series at 10 s is a slip of the pen.
pub(super) const MAX_SLOTS: u64 = 500_000;

/// One word of the notation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    /// The slots it takes.
    pub slots: u64,
    /// What stands in them.
    pub kind: RunKind,
}

/// What stands in the slots of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RunKind {
    /// No point.
    Gap,
    /// A point with the flag "no recorded value".
    Stale,
    /// The process starts anew with the next point; takes no slot.
    Restart,
    /// Numbers, each `step` more than the one before.
    Numbers { first: f64, step: f64 },
    /// Histogram points, each `step` more than the one before.
    Histograms { first: Sample, step: Option<Sample> },
}

/// What a histogram point holds. The count is the total of its buckets unless it is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub counts: Vec<u64>,
    pub zero: u64,
    pub count: Option<u64>,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

impl Sample {
    /// This sample with `step` added `n` times; the smallest and largest observation stay.
    pub fn plus(&self, step: &Sample, n: u64) -> Sample {
        let length = self.counts.len().max(step.counts.len());
        let at = |counts: &[u64], i: usize| counts.get(i).copied().unwrap_or(0);
        let add = |a: u64, b: u64| a.saturating_add(b.saturating_mul(n));
        Sample {
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
}

/// A word that is not understood: where it begins in the text, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BadWord {
    pub offset: usize,
    pub message: String,
}

/// Reads the notation.
pub(super) fn parse(text: &str) -> Result<Vec<Run>, BadWord> {
    let mut runs = Vec::new();
    let mut total = 0u64;
    for (offset, word) in words(text) {
        let run = run(word).map_err(|message| BadWord { offset, message })?;
        total = total.saturating_add(run.slots);
        if total > MAX_SLOTS {
            return Err(BadWord { offset, message: format!("`{word}`: more than {MAX_SLOTS} values in one series") });
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

fn run(word: &str) -> Result<Run, String> {
    if word == "restart" {
        return Ok(Run { slots: 0, kind: RunKind::Restart });
    }
    let (body, times) = match word.rsplit_once('x') {
        Some((body, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() => {
            let times = digits.parse::<u64>().ok().filter(|n| *n <= MAX_SLOTS);
            (body, Some(times.ok_or_else(|| format!("`{word}`: more than {MAX_SLOTS} values in one series"))?))
        }
        _ => (word, None),
    };
    match body {
        "_" => return Ok(Run { slots: times.unwrap_or(1), kind: RunKind::Gap }),
        "stale" => return Ok(Run { slots: times.unwrap_or(1), kind: RunKind::Stale }),
        _ => {}
    }
    let (first, step) = split_step(body);
    if step.is_some() && times.is_none() {
        return Err(format!("`{word}`: how often is missing (`{word}x10`)"));
    }
    let kind = if first.starts_with('(') {
        let step = step.map(|(sign, text)| if sign < 0.0 { Err(no_fall(word)) } else { sample(text) }).transpose()?;
        RunKind::Histograms { first: sample(first)?, step }
    } else {
        let step = step.map(|(sign, text)| number(text).map(|v| sign * v)).transpose()?;
        RunKind::Numbers { first: number(first)?, step: step.unwrap_or(0.0) }
    };
    Ok(Run { slots: times.unwrap_or(0) + 1, kind })
}

fn no_fall(word: &str) -> String {
    format!("`{word}`: a histogram only grows; write the smaller one as a word of its own")
}

/// `a+b` as a and b with the sign; a sign at the beginning, after another sign or after an exponent's `e` belongs to a
/// number.
fn split_step(body: &str) -> (&str, Option<(f64, &str)>) {
    let mut depth = 0usize;
    let mut before = 'e';
    for (i, c) in body.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '+' | '-' if depth == 0 && !matches!(before, 'e' | 'E' | '+' | '-') => {
                return (&body[..i], Some((if c == '+' { 1.0 } else { -1.0 }, &body[i + 1..])));
            }
            _ => {}
        }
        before = c;
    }
    (body, None)
}

fn number(text: &str) -> Result<f64, String> {
    let looks = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' | b'_'));
    match text.trim_start_matches(['+', '-']) {
        "NaN" => return Ok(f64::NAN),
        "Inf" => return Ok(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ if looks => {}
        _ => return Err(format!("`{text}` is no number, `_`, `stale`, `restart`, `NaN`, `Inf` or `(…)`")),
    }
    text.replace('_', "").parse::<f64>().map_err(|_| format!("`{text}` is no number"))
}

fn sample(text: &str) -> Result<Sample, String> {
    let inner = text
        .strip_prefix('(')
        .and_then(|t| t.strip_suffix(')'))
        .filter(|t| !t.contains(['(', ')']))
        .ok_or_else(|| format!("`{text}` is no histogram; write `(2 1 0 sum=12)`"))?;
    let mut sample = Sample::default();
    for part in inner.split([' ', ',', '\t', '\n', '\r']).filter(|p| !p.is_empty()) {
        let whole = |v: &str| v.parse::<u64>().map_err(|_| format!("`{part}`: a count is a whole number, not below 0"));
        match part.split_once('=') {
            None => sample.counts.push(whole(part)?),
            Some(("zero", v)) => sample.zero = whole(v)?,
            Some(("count", v)) => sample.count = Some(whole(v)?),
            Some(("sum", v)) => sample.sum = Some(number(v)?),
            Some(("min", v)) => sample.min = Some(number(v)?),
            Some(("max", v)) => sample.max = Some(number(v)?),
            Some(_) => return Err(format!("`{part}`: a histogram has sum=, min=, max=, count= and zero=")),
        }
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<(u64, f64, f64)> {
        let runs = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        runs.iter()
            .map(|r| match &r.kind {
                RunKind::Numbers { first, step } => (r.slots, *first, *step),
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
    fn words_that_mean_nothing_say_where() {
        for (text, offset) in [
            ("1 2 foo", 4),
            ("0x1000000000", 0),
            ("1+2", 0),
            ("(1 2", 0),
            ("(1 -2)", 0),
            ("1 inf", 2),
            ("1+x3", 0),
            ("x", 0),
        ] {
            assert_eq!(parse(text).map_err(|e| e.offset), Err(offset), "{text}");
        }
        assert!(parse("0x400000 0x400000").is_err());
    }
}
