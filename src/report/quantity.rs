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
            _ => quantity,
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

/// A value with its threshold: `0.984 (threshold 0.8, 23% above)`, `18.4 (threshold 0.8, 23 times as much)`.
pub(super) fn against(measure: Measure, condition: Condition, value: f64) -> String {
    let far = match distance(measure, condition, value) {
        Some(far) => format!(", {far}"),
        None => String::new(),
    };
    let (value, threshold) = (measure.beside(value, condition.value), measure.exact(condition.value));
    format!("{value} (threshold {threshold}{far})")
}

/// How far a value is from its threshold, in words; `None` when it is there.
fn distance(measure: Measure, condition: Condition, value: f64) -> Option<String> {
    let distance = (value - condition.value).abs();
    if distance == 0.0 {
        return None;
    }
    if let CompareOp::Equal | CompareOp::NotEqual = condition.operator {
        return Some(format!("{} away", measure.text(distance)));
    }
    let share = distance / condition.value.abs();
    if share >= 4.0 && share.is_finite() && value.signum() == condition.value.signum() {
        return Some(format!("{} times as much", significant(value / condition.value, 3)));
    }
    let side = if value > condition.value { "above" } else { "below" };
    let far = if share.is_finite() { percent(share) } else { measure.text(distance) };
    Some(format!("{far} {side}"))
}

/// What the extreme of a rule's values is called: the lowest one for `<`, the peak for all others.
pub(super) fn extreme(operator: CompareOp) -> &'static str {
    match operator {
        CompareOp::Less | CompareOp::LessOrEqual => "lowest",
        CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Equal | CompareOp::NotEqual => "peak",
    }
}

/// A share as a percentage: two digits below ten percent, whole numbers above; 100% only when it is all of it.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value != 0.0 && value < 0.01 {
        "less than 0.01%".to_string()
    } else if value < 10.0 {
        format!("{}%", significant(value, 2))
    } else if (99.5..100.0).contains(&value) {
        "more than 99%".to_string()
    } else {
        format!("{}%", significant(value.round(), 17))
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
    let (mut scaled, mut unit) = (value, 0);
    while scaled.abs() >= base && unit + 1 < units.len() {
        scaled /= base;
        unit += 1;
    }
    (scaled, units[unit])
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
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let whole = if whole.len() > 4 { grouped(whole) } else { whole.to_string() };
    format!("{sign}{whole}{fraction}")
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
    fn a_value_stands_beside_its_threshold() {
        let of = |condition, value| against(Measure::plain(), condition, value);
        assert_eq!(of(greater(0.8), 0.984), "0.984 (threshold 0.8, 23% above)");
        assert_eq!(of(greater(0.8), 0.63), "0.63 (threshold 0.8, 21% below)");
        assert_eq!(of(greater(0.8), 0.01), "0.01 (threshold 0.8, 99% below)");
        assert_eq!(of(greater(1000.0), 0.5), "0.5 (threshold 1000, more than 99% below)");
        assert_eq!(of(greater(0.8), 18.4), "18.4 (threshold 0.8, 23 times as much)");
        assert_eq!(of(greater(0.0), 12.0), "12 (threshold 0, 12 above)");
        assert_eq!(of(greater(5.0), 5.0), "5 (threshold 5)");
        let less = Condition { operator: CompareOp::Less, value: 10.0 };
        assert_eq!(of(less, 5.0), "5 (threshold 10, 50% below)");
        assert_eq!(of(less, 15.0), "15 (threshold 10, 50% above)");
        let equal = Condition { operator: CompareOp::Equal, value: 2.0 };
        assert_eq!((of(equal, 2.0), of(equal, 5.0)), ("2 (threshold 2)".into(), "5 (threshold 2, 3 away)".into()));
    }
}
