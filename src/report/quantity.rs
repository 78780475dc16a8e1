//! Values, thresholds and margins as people read them.
//!
//! A value is rounded for reading, but never so far that it looks equal to a threshold it differs from. Thresholds that
//! are whole multiples of 1024 put bytes into KiB, MiB, GiB; all others into kB, MB, GB.

use crate::catalog::Quantity;
use crate::definition::{Aggregation, CompareOp, Condition};

/// How the values of one rule are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    quantity: Quantity,
    per_second: bool,
    binary: bool,
}

impl Measure {
    /// The measure of a threshold rule on a metric of this quantity.
    pub fn of_rule(quantity: Quantity, aggregation: Aggregation, condition: Condition) -> Self {
        let quantity = match aggregation {
            Aggregation::Count | Aggregation::RelativeDiff => Quantity::Number,
            Aggregation::Avg
            | Aggregation::Sum
            | Aggregation::Min
            | Aggregation::Max
            | Aggregation::Rate
            | Aggregation::Delta
            | Aggregation::AbsoluteDiff
            | Aggregation::Percentile(_) => quantity,
        };
        let binary = condition.value != 0.0 && condition.value % 1024.0 == 0.0;
        Measure { quantity, per_second: aggregation == Aggregation::Rate, binary }
    }

    /// Plain numbers.
    pub fn plain() -> Self {
        Measure { quantity: Quantity::Number, per_second: false, binary: false }
    }

    /// Values of this quantity as they were sent; bytes in KiB, MiB, GiB.
    pub fn of(quantity: Quantity) -> Self {
        Measure { quantity, per_second: false, binary: true }
    }

    /// One value.
    pub fn text(self, value: f64) -> String {
        self.with_digits(value, 3)
    }

    /// A value beside its threshold, with as many digits as it takes to tell them apart.
    pub fn beside(self, value: f64, threshold: f64) -> String {
        let limit = self.exact(threshold);
        let differs = |digits: &usize| value == threshold || self.with_digits(value, *digits) != limit;
        let digits = (3..17).find(differs).unwrap_or(17);
        self.with_digits(value, digits)
    }

    /// A threshold: not rounded.
    pub fn exact(self, threshold: f64) -> String {
        self.with_digits(threshold, 17)
    }

    fn with_digits(self, value: f64, digits: usize) -> String {
        let (scaled, unit) = match self.quantity {
            Quantity::Bytes if self.binary => scale(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"]),
            Quantity::Bytes => scale(value, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB"]),
            Quantity::Seconds => (value, "s"),
            Quantity::Number | Quantity::Ratio => (value, ""),
        };
        let number = significant(scaled, digits);
        match (unit, self.per_second) {
            ("", false) => number,
            ("", true) => format!("{number}/s"),
            (unit, false) => format!("{number} {unit}"),
            (unit, true) => format!("{number} {unit}/s"),
        }
    }
}

/// What a value says about its threshold: `23 % over`, `22 % below`, `12 times the threshold`.
pub(super) fn margin(measure: Measure, condition: Condition, value: f64) -> String {
    relation(measure, condition, value).0
}

/// The same with the threshold: `23 % over 0.8`, `22 % below 1 GiB`, `12 times the threshold of 0.8`.
pub(super) fn margin_and_threshold(measure: Measure, condition: Condition, value: f64) -> String {
    let (words, link) = relation(measure, condition, value);
    format!("{words}{link} {}", measure.exact(condition.value))
}

/// The margin in words, and what stands between them and the threshold.
fn relation(measure: Measure, condition: Condition, value: f64) -> (String, &'static str) {
    let distance = (value - condition.value).abs();
    let violates = condition.holds(value);
    match condition.operator {
        _ if distance == 0.0 => ("exactly at the threshold".to_string(), " of"),
        CompareOp::Equal | CompareOp::NotEqual => (format!("{} away", measure.text(distance)), " from"),
        CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Less | CompareOp::LessOrEqual => {
            let side = match (value > condition.value, violates) {
                (true, true) => "over",
                (false, true) => "under",
                (true, false) => "above",
                (false, false) => "below",
            };
            let share = distance / condition.value.abs();
            if share >= 4.0 && share.is_finite() && value.signum() == condition.value.signum() {
                return (format!("{} times the threshold", significant(value / condition.value, 3)), " of");
            }
            let far = if share.is_finite() { percent(share) } else { measure.text(distance) };
            (format!("{far} {side}"), "")
        }
    }
}

/// A share as a percentage: two digits below ten percent, whole numbers above; 100 % only when it is all of it.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value != 0.0 && value < 0.01 {
        "less than 0.01 %".to_string()
    } else if value < 10.0 {
        format!("{} %", significant(value, 2))
    } else if (99.5..100.0).contains(&value) {
        "more than 99 %".to_string()
    } else {
        format!("{} %", significant(value.round(), 17))
    }
}

/// `1 event`, `2 events`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Events a week: one decimal while there are few.
pub(super) fn per_week_text(week: f64) -> String {
    if week == 0.0 || week >= 10.0 { count(week.round() as u64) } else { format!("{week:.1}") }
}

/// A count with its digits in groups of three.
pub(super) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

fn scale(value: f64, base: f64, units: &[&'static str]) -> (f64, &'static str) {
    let mut scaled = value;
    let mut rest = units.iter();
    let mut unit = rest.next().copied().unwrap_or("");
    for next in rest {
        if scaled.abs() < base {
            break;
        }
        scaled /= base;
        unit = next;
    }
    (scaled, unit)
}

/// A number with at most this many significant digits (whole numbers keep all of theirs), without trailing zeros, in
/// groups of three from 10,000 on; very large and very small ones in powers of ten.
fn significant(value: f64, digits: usize) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return value.to_string();
    }
    if size != 0.0 && !(1e-6..1e15).contains(&size) {
        return if digits >= 17 { format!("{value:e}") } else { format!("{value:.*e}", digits - 1) };
    }
    if digits >= 17 {
        return group_whole_part(&value.to_string());
    }
    let magnitude = if size == 0.0 { 0 } else { size.log10().floor() as i32 };
    let decimals = (digits as i32 - 1 - magnitude).clamp(0, 20) as usize;
    let mut text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { "0".to_string() } else { group_whole_part(&text) }
}

fn group_whole_part(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = if whole.len() > 4 { grouped(whole) } else { whole.to_string() };
    match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    }
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greater(value: f64) -> Condition {
        Condition { operator: CompareOp::Greater, value }
    }

    #[test]
    fn values_are_rounded_for_reading() {
        let plain = Measure::plain();
        let texts = [0.0, 0.123456, 1.0, 11.46, 999.96, 1370.4, 12345.6, 4.2e-7, -0.0004, 1e18];
        let texts: Vec<String> = texts.iter().map(|value| plain.text(*value)).collect();
        assert_eq!(texts, ["0", "0.123", "1", "11.5", "1000", "1370", "12,346", "4.20e-7", "-0.0004", "1.00e18"]);
    }

    #[test]
    fn bytes_follow_the_threshold() {
        let leak = Measure::of_rule(Quantity::Bytes, Aggregation::Rate, greater(1_048_576.0));
        assert_eq!((leak.text(1_739_989.78), leak.exact(1_048_576.0)), ("1.66 MiB/s".into(), "1 MiB/s".into()));
        let disk = Measure::of_rule(Quantity::Bytes, Aggregation::Rate, greater(10_000.0));
        assert_eq!((disk.text(43_210.0), disk.exact(10_000.0)), ("43.2 kB/s".into(), "10 kB/s".into()));
    }

    #[test]
    fn a_value_never_looks_like_the_threshold_it_differs_from() {
        let measure = Measure::plain();
        assert_eq!(measure.beside(0.80004, 0.8), "0.80004");
        assert_eq!(measure.beside(0.8, 0.8), "0.8");
        assert_eq!(measure.beside(0.93, 0.8), "0.93");
    }

    #[test]
    fn margins_are_words() {
        let of = |condition, value| margin(Measure::plain(), condition, value);
        assert_eq!(of(greater(0.8), 0.984), "23 % over");
        assert_eq!(of(greater(0.8), 0.63), "21 % below");
        assert_eq!(of(greater(0.8), 0.01), "99 % below");
        assert_eq!(of(greater(1000.0), 0.5), "more than 99 % below");
        assert_eq!(of(greater(0.8), 18.4), "23 times the threshold");
        assert_eq!(of(greater(0.0), 12.0), "12 over");
        assert_eq!(of(greater(5.0), 5.0), "exactly at the threshold");
        let less = Condition { operator: CompareOp::Less, value: 10.0 };
        assert_eq!((of(less, 5.0), of(less, 15.0)), ("50 % under".into(), "50 % above".into()));
        assert_eq!(margin_and_threshold(Measure::plain(), greater(0.8), 18.4), "23 times the threshold of 0.8");
        assert_eq!(margin_and_threshold(Measure::plain(), less, 5.0), "50 % under 10");
        let equal = Condition { operator: CompareOp::Equal, value: 2.0 };
        assert_eq!((of(equal, 2.0), of(equal, 5.0)), ("exactly at the threshold".into(), "3 away".into()));
    }
}
