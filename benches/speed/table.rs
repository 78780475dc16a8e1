//! The output: rows of figures as they come, and the bars at the end.

use crate::measure::Contender;

/// One promise and how it stands.
pub struct Bar {
    name: String,
    measured: f64,
    wanted: f64,
    at_least: bool,
}

impl Bar {
    /// A figure that should be high.
    pub fn at_least(name: String, measured: f64, wanted: f64) -> Self {
        Bar { name, measured, wanted, at_least: true }
    }

    /// A figure that should be low.
    pub fn at_most(name: String, measured: f64, wanted: f64) -> Self {
        Bar { name, measured, wanted, at_least: false }
    }

    fn holds(&self) -> bool {
        if self.at_least { self.measured >= self.wanted } else { self.measured <= self.wanted }
    }
}

/// Everything measured so far.
#[derive(Default)]
pub struct Table {
    bars: Vec<Bar>,
}

impl Table {
    /// Prints one block of figures.
    pub fn rows(&mut self, title: &str, contenders: &[Contender<'_>]) {
        println!("{title}");
        for contender in contenders {
            let (name, ns, points) = (contender.name, contender.best, contender.points);
            println!("  {name:<28}{ns:>8.1} ns  {:>7.2} million points/s  {points:>10} points", 1000.0 / ns);
        }
    }

    /// Prints a remark below a block.
    pub fn note(&mut self, text: String) {
        println!("  {text}\n");
    }

    /// Remembers a bar for the end.
    pub fn bar(&mut self, bar: Bar) {
        self.bars.push(bar);
    }

    /// Prints the bars; true when all hold.
    pub fn finish(self) -> bool {
        println!("\n{:<52}{:>10}{:>12}", "bar", "measured", "wanted");
        for bar in &self.bars {
            let sign = if bar.at_least { ">=" } else { "<=" };
            let word = if bar.holds() { "PASS" } else { "FAIL" };
            println!("{:<52}{:>10.3}{:>12}  {word}", bar.name, bar.measured, format!("{sign} {}", bar.wanted));
        }
        self.bars.iter().all(Bar::holds)
    }
}
