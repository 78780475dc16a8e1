//! How often values came, in classes narrow enough that no reader sees the difference: a quantile is off by 0.2 % at most. The
//! classes are the same for everybody, so what is counted in several passes adds up to what one pass would have given.

/// Bits of a value that make its class: sign, exponent, and eight of the fraction.
const CLASS_BITS: u32 = 20;
/// Classes that are kept together.
const PAGE: usize = 256;
const PAGES: usize = (1 << CLASS_BITS) / PAGE;

/// See the file's head.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    pages: Vec<Option<Box<[u64; PAGE]>>>,
    total: u64,
    least: f64,
    greatest: f64,
}

impl Default for Sketch {
    fn default() -> Self {
        Sketch { pages: vec![None; PAGES], total: 0, least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

impl Sketch {
    /// A value that stood at so many instants.
    #[inline]
    pub fn add(&mut self, value: f64, instants: u64) {
        let class = (ordered(value) >> (64 - CLASS_BITS)) as usize;
        self.pages[class / PAGE].get_or_insert_with(|| Box::new([0; PAGE]))[class % PAGE] += instants;
        self.total += instants;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }

    /// The smallest and the largest value, exactly.
    pub fn range(&self) -> Option<(f64, f64)> {
        (self.total > 0).then_some((self.least, self.greatest))
    }

    /// The value that this part of the instants does not exceed.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let (least, greatest) = self.range()?;
        let rank = ((self.total as f64 * part).ceil() as u64).clamp(1, self.total);
        if rank == self.total {
            return Some(greatest);
        }
        let mut seen = 0;
        let pages = self.pages.iter().enumerate().filter_map(|(number, page)| Some((number, page.as_ref()?)));
        for (number, page) in pages {
            for (place, count) in page.iter().enumerate() {
                seen += count;
                if seen >= rank {
                    let middle = ((number * PAGE + place) as u64) << (64 - CLASS_BITS) | 1 << (63 - CLASS_BITS);
                    return Some(of_ordered(middle).clamp(least, greatest));
                }
            }
        }
        Some(greatest)
    }
}

/// A double's bits in an order that is that of the values.
#[inline]
fn ordered(value: f64) -> u64 {
    // Zero has two signs and is one value.
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn of_ordered(bits: u64) -> f64 {
    let value = f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits });
    // The class of zero holds the smallest numbers there are; nobody means those.
    if value.is_normal() { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::Sketch;

    #[test]
    fn quantiles_are_off_by_little_and_the_ends_by_nothing() {
        let mut sketch = Sketch::default();
        for i in -1000..=3000 {
            sketch.add(f64::from(i) / 7.0, 1);
        }
        assert_eq!(sketch.range(), Some((-1000.0 / 7.0, 3000.0 / 7.0)));
        assert_eq!(sketch.quantile(1.0), Some(3000.0 / 7.0));
        for (part, wanted) in [(0.5, 1000.0 / 7.0), (0.9, 2600.0 / 7.0), (0.1, -600.0 / 7.0)] {
            let got = sketch.quantile(part).expect("values");
            assert!((got - wanted).abs() <= 0.003 * wanted.abs(), "{part}: {got}, wanted {wanted}");
        }
        assert_eq!(Sketch::default().quantile(0.5), None);
    }

    #[test]
    fn what_stands_longer_counts_more() {
        let mut sketch = Sketch::default();
        sketch.add(0.0, 98);
        sketch.add(-0.0, 1);
        sketch.add(5.0, 1);
        assert_eq!(sketch.quantile(0.99), Some(0.0));
        assert_eq!(sketch.quantile(0.999), Some(5.0));
    }
}
