//! Values that people read: the round numbers among which a threshold is proposed.

/// First digits of round numbers.
const DIGITS: [&str; 12] = ["1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "7.5", "8", "10"];
/// Factors of powers of 1024 that are round.
const BINARY: [f64; 41] = [
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0, 24.0, 28.0, 32.0,
    40.0, 48.0, 56.0, 64.0, 80.0, 96.0, 112.0, 128.0, 160.0, 192.0, 224.0, 256.0, 320.0, 384.0, 448.0, 512.0, 640.0,
    768.0, 896.0, 1024.0,
];

/// Which numbers are round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// 1, 1.2, 1.5, 2, … times a power of ten.
    Decimal,
    /// 1, 1.25, 1.5, … times a power of 1024: bytes.
    Binary,
}

impl Scale {
    /// The smallest round number that is not below `x`.
    pub fn at_least(self, x: f64) -> f64 {
        if x < 0.0 { -self.of_positive(-x, false) } else { self.of_positive(x, true) }
    }

    /// The largest round number that is below `x`.
    pub fn below(self, x: f64) -> f64 {
        if x > 0.0 {
            let found = self.of_positive(x, false);
            if found < x { found } else { self.of_positive(x * (1.0 - 1e-9), false) }
        } else {
            let found = self.of_positive(-x, true);
            if -found < x { -found } else { -self.of_positive(-x * (1.0 + 1e-9), true) }
        }
    }

    /// The nearest round number above, or below, or `x` itself.
    fn of_positive(self, x: f64, above: bool) -> f64 {
        if x == 0.0 || !x.is_finite() {
            return x;
        }
        let (lower, upper) = match self {
            Scale::Decimal => decimal(x),
            Scale::Binary => binary(x),
        };
        if above { upper } else { lower }
    }
}

/// The nearest round numbers around a positive one; the same twice when it is round itself.
fn decimal(x: f64) -> (f64, f64) {
    let exponent = x.log10().floor() as i32;
    let numbers = [exponent - 1, exponent, exponent + 1].into_iter().flat_map(|exponent| {
        // Through the text: a product of doubles would end in 0.30000000000000004.
        DIGITS.iter().filter_map(move |digits| format!("{digits}e{exponent}").parse::<f64>().ok())
    });
    around(x, numbers)
}

fn binary(x: f64) -> (f64, f64) {
    let exponent = (x.log2() / 10.0).floor() as i32;
    if !(0..=5).contains(&exponent) {
        return decimal(x);
    }
    around(x, BINARY.iter().map(|factor| factor * 1024f64.powi(exponent)))
}

fn around(x: f64, numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut lower, mut upper) = (0.0, f64::INFINITY);
    for number in numbers {
        if number <= x && number > lower {
            lower = number;
        }
        if number >= x && number < upper {
            upper = number;
        }
    }
    (lower, if upper.is_finite() { upper } else { x })
}

/// The number between two others that is shortest to write; the lower one when there is none.
pub(super) fn shortest_between(low: f64, high: f64) -> f64 {
    let middle = low + (high - low) / 2.0;
    let tries = (0..17).filter_map(|digits| format!("{middle:.digits$e}").parse::<f64>().ok());
    tries.into_iter().find(|x| low < *x && *x < high).unwrap_or(low)
}

#[cfg(test)]
mod tests {
    use super::{Scale, shortest_between};

    #[test]
    fn round_numbers_lie_beside_their_value() {
        let decimal = |x: f64| (Scale::Decimal.below(x), Scale::Decimal.at_least(x));
        assert_eq!(decimal(0.744), (0.6, 0.75));
        assert_eq!(decimal(0.75), (0.6, 0.75));
        assert_eq!(decimal(0.3), (0.25, 0.3));
        assert_eq!(decimal(9.7), (8.0, 10.0));
        assert_eq!(decimal(1.0), (0.8, 1.0));
        assert_eq!(decimal(1234.0), (1200.0, 1500.0));
        assert_eq!(decimal(-8.5), (-10.0, -8.0));
        assert_eq!(decimal(-8.0), (-10.0, -8.0));
        assert_eq!(decimal(0.0).1, 0.0);
    }

    #[test]
    fn bytes_are_round_in_powers_of_1024() {
        let mib = 1024.0 * 1024.0;
        assert_eq!(Scale::Binary.at_least(0.9 * mib), mib * 896.0 / 1024.0 * (1024.0 / 896.0));
        assert_eq!(Scale::Binary.at_least(61.0 * mib), 64.0 * mib);
        assert_eq!(Scale::Binary.below(61.0 * mib), 56.0 * mib);
        assert_eq!(Scale::Binary.at_least(1100.0 * mib), 1280.0 * mib);
    }

    #[test]
    fn the_shortest_number_between_is_found() {
        assert_eq!(shortest_between(0.61, 0.63), 0.62);
        assert_eq!(shortest_between(1.0, 4.0), 2.0);
        assert_eq!(shortest_between(1.0, 1.0), 1.0);
    }
}
