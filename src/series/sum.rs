//! Compensated sums: as good as a correctly rounded sum of the exact terms for every practical input.

/// The sum of `term(0) … term(n - 1)`, a function of the terms and their order alone.
///
/// Four lanes of error-free additions (Knuth's TwoSum) run side by side, because one lane alone waits for the latency of
/// every addition; the lanes and their errors are added up in a fixed order. A sum beyond the range of f64 is not finite.
#[inline]
pub fn sum(n: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut high = [0.0f64; 4];
    let mut low = [0.0f64; 4];
    let whole = n - n % 4;
    let mut i = 0;
    while i < whole {
        for lane in 0..4 {
            let (s, e) = two_sum(high[lane], term(i + lane));
            high[lane] = s;
            low[lane] += e;
        }
        i += 4;
    }
    for (lane, i) in (whole..n).enumerate() {
        let (s, e) = two_sum(high[lane], term(i));
        high[lane] = s;
        low[lane] += e;
    }
    let (a, ea) = two_sum(high[0], high[1]);
    let (b, eb) = two_sum(high[2], high[3]);
    let (s, e) = two_sum(a, b);
    s + (e + ((ea + eb) + ((low[0] + low[1]) + (low[2] + low[3]))))
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
        assert_eq!(sum(10, |_| 0.1), 1.0);
    }

    #[test]
    fn cancellation_loses_nothing() {
        let terms = [1e16, 1.0, -1e16, 1.0, 1e100, 3.0, -1e100];
        assert_eq!(sum(terms.len(), |i| terms[i]), 5.0);
    }
}
