//! A million series beside the usual number: what a point costs, and what a series weighs.
//!
//! Both engines are brought to the steady state first (every window full), then they take turns, one step of the large one
//! against as many steps of the small one as make about the same number of points. Steps are generated between the
//! measurements, so that the data of a day never has to be held.

use crate::Plan;
use crate::corpus::{Corpus, Shape};
use crate::measure::{cpu_ns, resident_bytes};
use crate::paths::{Judge, Requests};
use crate::table::{Bar, Table};

/// The longest window of the shipped rules, in steps of 10 s, and a few more.
const WARM_UP: u64 = 64;

/// Points of a series in the longest window.
const KEPT: u64 = 60;

/// One engine with the generator that feeds it.
struct Side {
    corpus: Corpus,
    judge: Judge,
    best: f64,
}

impl Side {
    fn new(entities: u32) -> Self {
        let corpus = Corpus::new(Shape { entities, interval_s: 10, points_per_request: 8000 });
        Side { corpus, judge: Judge::new(), best: f64::INFINITY }
    }

    /// Feeds `steps` steps, and keeps the cost a point when it is the least so far.
    fn run(&mut self, steps: u64) {
        let requests = Requests::generate(&mut self.corpus, steps);
        let before = cpu_ns();
        let points = self.judge.feed(&requests);
        self.best = self.best.min((cpu_ns() - before) as f64 / points.max(1) as f64);
    }
}

/// Runs the comparison and sets its two bars.
pub fn run(table: &mut Table, plan: Plan) {
    let mut few = Side::new(plan.entities);
    let mut many = Side::new(plan.many);
    // Steps are made and dropped before memory is first read, so that what the allocator keeps of them counts on both sides.
    for _ in 0..3 {
        drop(Requests::generate(&mut many.corpus, 1));
    }
    let before = resident_bytes();
    for _ in 0..WARM_UP {
        many.run(1);
    }
    let grown = resident_bytes().saturating_sub(before);
    few.run(WARM_UP);
    (few.best, many.best) = (f64::INFINITY, f64::INFINITY);
    let steps = u64::from((plan.many / plan.entities).max(1));
    for _ in 0..plan.rounds.max(5) {
        few.run(steps);
        many.run(1);
    }
    let series = many.corpus.series();
    let weight = grown as f64 / series as f64;
    println!("walk + insert + judge, steady state, 8000, 10 s");
    println!("  {:>9} series  {:>8.1} ns", few.corpus.series(), few.best);
    println!(
        "  {series:>9} series  {:>8.1} ns  {weight:>6.0} bytes a series ({KEPT} points in the longest window)",
        many.best
    );
    table.bar(Bar::at_most(
        format!("cost of a point, {series} series / {}", few.corpus.series()),
        many.best / few.best,
        2.5,
    ));
    table.bar(Bar::at_most("memory a series / 16 bytes x 60 points".into(), weight / (16 * KEPT) as f64, 0.75));
}
