//! Sums, correctly rounded: of the exact sum of the terms, the nearest number of 64 bits.
//!
//! So a sum is a function of its terms alone, not of their order, nor of the way it came about. Terms are added exactly, in
//! fixed point when all of them fit there, and with Shewchuk's expansions ("Adaptive Precision Floating-Point Arithmetic",
//! 1997) when one does not.
//! Written by hand because a window also takes terms out again, which the crates for exact sums do not do.

/// Bits behind the point.
const FRACTION: i32 = 72;
/// Terms below this power of two fit: with the bits behind the point, 32,768 of them cannot overflow.
const LARGEST: i32 = 40;
const MOST_TERMS: usize = 1 << 15;

/// An exact sum in fixed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(pub i128);

impl Fixed {
    /// The nearest number.
    #[inline]
    pub fn rounded(self) -> f64 {
        const UNIT: f64 = 1.0 / (1u128 << FRACTION) as f64;
        self.0 as f64 * UNIT
    }
}

/// A term in fixed point; `None` when it does not fit exactly.
#[inline]
pub fn fixed(term: f64) -> Option<i128> {
    let bits = term.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    if exponent == 0 {
        return (bits << 1 == 0).then_some(0);
    }
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    // The lowest bit of the mantissa has the weight 2^(exponent - 1075).
    let shift = exponent - 1075 + FRACTION;
    let magnitude = if shift >= 0 {
        if exponent - 1023 >= LARGEST {
            return None;
        }
        i128::from(mantissa) << shift
    } else {
        if shift < -52 || mantissa & ((1 << -shift) - 1) != 0 {
            return None;
        }
        i128::from(mantissa >> -shift)
    };
    Some(if bits >> 63 == 0 { magnitude } else { -magnitude })
}

/// The correctly rounded sum of the terms. Not finite when a partial sum is beyond the range of f64.
pub fn sum(terms: &[f64]) -> f64 {
    if terms.len() > MOST_TERMS {
        return by_expansion(terms);
    }
    let mut total = 0;
    for &term in terms {
        let Some(term) = fixed(term) else { return by_expansion(terms) };
        total += term;
    }
    Fixed(total).rounded()
}

/// The increase of a counter: the difference of the ends, and for every fall the value before it, because the counter
/// went on from zero.
pub fn counter_increase(values: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return 0.0 };
    let mut terms = vec![*last, -first];
    terms.extend(values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]));
    sum(&terms)
}

/// The sum of terms that do not fit: parts that do not overlap hold the exact sum.
#[cold]
fn by_expansion(terms: &[f64]) -> f64 {
    let mut parts: Vec<f64> = Vec::new();
    for &term in terms {
        let mut carried = term;
        let mut kept = 0;
        for i in 0..parts.len() {
            let (high, low) = two_sum(carried, parts[i]);
            if low != 0.0 {
                parts[kept] = low;
                kept += 1;
            }
            carried = high;
        }
        if !carried.is_finite() {
            return carried;
        }
        parts.truncate(kept);
        parts.push(carried);
    }
    let Some(mut high) = parts.pop() else { return 0.0 };
    while let Some(part) = parts.pop() {
        let low;
        (high, low) = two_sum(high, part);
        if low != 0.0 {
            // Half-way cases are decided by what is left.
            if parts.last().is_some_and(|rest| (*rest > 0.0) == (low > 0.0)) {
                let doubled = low * 2.0;
                let up = high + doubled;
                if up - high == doubled {
                    high = up;
                }
            }
            break;
        }
    }
    high
}

#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

#[cfg(test)]
mod tests {
    use super::{by_expansion, fixed, sum};

    #[test]
    fn ten_tenths_are_one() {
        assert_eq!(sum(&[0.1; 10]), 1.0);
    }

    #[test]
    fn cancellation_loses_nothing() {
        assert_eq!(sum(&[1e16, 1.0, -1e16, 1.0, 1e30, 3.0, -1e30]), 5.0);
    }

    #[test]
    fn half_way_is_decided_by_what_is_left() {
        let ulp = f64::EPSILON;
        assert_eq!(by_expansion(&[1.0, ulp / 2.0, ulp * ulp]), 1.0 + ulp);
        assert_eq!(by_expansion(&[1.0, ulp / 2.0, -ulp * ulp]), 1.0);
        assert_eq!(by_expansion(&[1.0, ulp / 2.0]), 1.0);
    }

    #[test]
    fn both_ways_round_alike() {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 33
        };
        for _ in 0..2000 {
            let terms: Vec<f64> = (0..next() % 40)
                .map(|_| {
                    let value = next() as f64 / f64::from(1u32 << (next() % 32) as u32);
                    if next().is_multiple_of(2) { value } else { -value }
                })
                .collect();
            assert!(terms.iter().all(|&t| fixed(t).is_some()), "{terms:?}");
            assert_eq!(sum(&terms), by_expansion(&terms), "{terms:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for term in [1e13, 1e-9 / 3.0, f64::MIN_POSITIVE / 2.0, 1e300, f64::INFINITY, f64::NAN] {
            assert_eq!(fixed(term), None, "{term}");
        }
        assert_eq!(fixed(-1.5), Some(-3 << 71));
    }
}
