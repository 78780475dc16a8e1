//! Compensated sums: as good as a correctly rounded sum of the exact terms for every practical input.

/// The sum of the terms, a function of them and their order alone.
///
/// Four lanes of error-free additions (Knuth's TwoSum) run side by side, because one lane alone waits for the latency of
/// every addition; the lanes and their errors are added up in a fixed order. A sum beyond the range of f64 is not finite.
pub fn sum(terms: &[f64]) -> f64 {
    let (mut high, mut low) = ([0.0f64; 4], [0.0f64; 4]);
    let (fours, rest) = terms.as_chunks::<4>();
    for four in fours {
        let s: [f64; 4] = std::array::from_fn(|lane| high[lane] + four[lane]);
        let b: [f64; 4] = std::array::from_fn(|lane| s[lane] - high[lane]);
        low = std::array::from_fn(|lane| low[lane] + ((high[lane] - (s[lane] - b[lane])) + (four[lane] - b[lane])));
        high = s;
    }
    let mut total = Sum::default();
    for (h, l) in high.into_iter().zip(low) {
        total.add(h);
        total.low += l;
    }
    for &term in rest {
        total.add(term);
    }
    total.value()
}

/// A sum of terms that come one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    pub fn add(&mut self, term: f64) {
        let (s, e) = two_sum(self.high, term);
        self.high = s;
        self.low += e;
    }

    pub fn value(self) -> f64 {
        self.high + self.low
    }
}

#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn ten_tenths_are_one() {
        assert_eq!(sum(&[0.1; 10]), 1.0);
    }

    #[test]
    fn cancellation_loses_nothing() {
        assert_eq!(sum(&[1e16, 1.0, -1e16, 1.0, 1e30, 3.0, -1e30]), 5.0);
    }
}
