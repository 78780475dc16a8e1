//! What a series under a trend rule costs: the evaluation every 30 s, and the memory.
//!
//! `cargo bench --bench trend` prints both with the bars the project holds itself to; `-- --check` makes a missed bar exit 1,
//! `-- --series N` says how many series (100,000 by default take 1.3 GB). Every series has the full history of six hours, and
//! all are visited in turn, as an engine does: each finds its memory cold.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

#[allow(dead_code, reason = "each target uses its part of the measures")]
#[path = "../measure/mod.rs"]
mod measure;

use foreshock::definition::TrendParameters;
use foreshock::engine::trend::Detector;
use foreshock::engine::trend::minima::{BUCKET, KEPT};
use foreshock::engine::trend::windows::WindowEvaluator;
use foreshock::model::SECOND;
use measure::{cpu_ns, resident_bytes};
use std::process::ExitCode;

/// Series that differ; the others are copies of them in memory of their own.
const DISTINCT: usize = 100;
/// Evaluations of each series.
const ROUNDS: i64 = 3;
/// The bars: microseconds a series and evaluation, bytes a series.
const MOST_MICROSECONDS: f64 = 30.0;
const MOST_BYTES: f64 = 12.0 * 1024.0;

fn main() -> ExitCode {
    let (mut series, mut check) = (100_000, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--series" => match arguments.next().and_then(|text| text.parse().ok()).filter(|n| *n >= DISTINCT) {
                Some(n) => series = n,
                None => return usage(),
            },
            "--check" => check = true,
            // What `cargo bench` adds.
            "--bench" => {}
            _ => return usage(),
        }
    }
    let passed = run(series);
    if check && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn usage() -> ExitCode {
    println!("options: --series N (at least {DISTINCT}) --check");
    ExitCode::from(2)
}

fn run(series: usize) -> bool {
    let parameters = TrendParameters::default();
    let mut windows = WindowEvaluator::default();
    let distinct: Vec<Detector> = (0..DISTINCT as u64).map(|seed| filled(seed, &parameters, &mut windows)).collect();
    let before = resident_bytes();
    let mut all: Vec<Detector> = (0..series).map(|i| distinct[i % DISTINCT].clone()).collect();
    let bytes = (resident_bytes() - before) as f64 / series as f64;
    let mut best = f64::INFINITY;
    let mut raised = 0;
    for round in 0..ROUNDS {
        let bucket = KEPT as i64 + round;
        let began = cpu_ns();
        for (i, detector) in all.iter_mut().enumerate() {
            detector.add(bucket * BUCKET + SECOND, value(i as u64, bucket));
            detector.close((bucket + 1) * BUCKET, &parameters, &mut windows);
        }
        best = best.min((cpu_ns() - began) as f64 / 1000.0 / series as f64);
        raised = all.iter().filter(|detector| detector.is_leaking()).count();
    }
    println!("cargo bench --bench trend -- --series {series}");
    println!("One thread, CPU time, least of {ROUNDS} rounds; {raised} of the series have a leak raised.\n");
    let mut passed = true;
    for (what, got, bar, unit) in [
        ("evaluation of a series, every 30 s", best, MOST_MICROSECONDS, "us"),
        ("memory of a series", bytes, MOST_BYTES, "bytes"),
    ] {
        passed &= got <= bar;
        println!("{what:<36} {got:>9.1} {unit:<6} bar {bar:>6} {}", if got <= bar { "passed" } else { "MISSED" });
    }
    passed
}

/// A detector with six hours of floors.
fn filled(seed: u64, parameters: &TrendParameters, windows: &mut WindowEvaluator) -> Detector {
    let mut detector = Detector::new(0);
    for bucket in 0..KEPT as i64 {
        detector.add(bucket * BUCKET + SECOND, value(seed, bucket));
        detector.close((bucket + 1) * BUCKET, parameters, windows);
    }
    detector
}

/// Memory with noise, in pages; a third of the series leak.
fn value(seed: u64, bucket: i64) -> f64 {
    let mixed = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ bucket as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let noise = (mixed >> 40) as f64 / (1 << 24) as f64;
    let leak = if seed.is_multiple_of(3) { 40_000.0 * 30.0 * bucket as f64 } else { 0.0 };
    ((200e6 + 2e6 * noise + leak) / 4096.0).floor() * 4096.0
}
