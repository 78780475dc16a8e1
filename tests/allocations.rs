//! In the steady state a data point costs no allocation: at most one in a hundred points.
//!
//! A test binary of its own, because the counting allocator replaces the global one. The count is the same on every machine,
//! so unlike a time it can be a test. What is counted is the whole way of a recording (reader, decoder, engine).
#![allow(clippy::print_stdout, reason = "`--nocapture` shows the figures")]

#[allow(dead_code, reason = "each target uses its part of the generator")]
#[path = "../benches/corpus/mod.rs"]
mod corpus;
#[path = "../benches/corpus/shipped.rs"]
mod shipped;

use corpus::{Corpus, Form, Shape};
use foreshock::engine::{Engine, Input, Options};
use foreshock::model::Batch;
use foreshock::recording::{Compression, Format, Reader, Source, Writer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io::Cursor;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Until the longest window of the shipped rules (600 s) is full and every buffer has its size.
const WARM_UP_S: u64 = 900;
const MEASURED_S: u64 = 600;

/// A recording, the points of its warm-up, and all its points.
fn recording(shape: Shape, compression: Compression) -> (Vec<u8>, u64, u64) {
    let mut corpus = Corpus::new(shape);
    let mut writer = Writer::new(Vec::new(), Format::Own, compression).expect("the compression is supported");
    let (mut warm_up, mut points) = (0, 0);
    for step in 0..(WARM_UP_S + MEASURED_S) / shape.interval_s {
        corpus.step(Form::Protobuf, |request| {
            writer.append(Some(request.at as i64), request.body).expect("generated bodies are small");
            points += request.points as u64;
        });
        if (step + 1) * shape.interval_s <= WARM_UP_S {
            warm_up = points;
        }
    }
    (writer.finish().expect("writing to memory cannot fail"), warm_up, points)
}

/// Allocations a point behind the warm-up; growing a buffer counts as one.
fn allocations_a_point(shape: Shape, compression: Compression) -> f64 {
    let (bytes, warm_up, points) = recording(shape, compression);
    let source = Source { name: "generated".into(), size: None, reader: Box::new(Cursor::new(bytes)) };
    let mut reader = Reader::open(vec![source]).expect("a recording");
    let mut engine = Engine::new(shipped::definitions(), Options::default());
    let (mut batch, mut seen, mut region) = (Batch::default(), 0, None);
    while let Some(arrival) = reader.next(&mut batch) {
        engine.step(Input { at: arrival.at, batch: Some(&batch) }, &mut |_| {});
        seen += batch.points.len() as u64;
        if seen >= warm_up && region.is_none() {
            region = Some(Region::new(ALLOCATOR));
        }
    }
    let change = region.expect("the recording is longer than its warm-up").change();
    assert_eq!(seen, points);
    (change.allocations + change.reallocations) as f64 / (points - warm_up) as f64
}

/// One test, because the counter counts every thread.
#[test]
fn the_steady_state_allocates_at_most_once_in_a_hundred_points() {
    let single = Shape { entities: 60, interval_s: 10, points_per_request: 0 };
    let batched = Shape { points_per_request: 1000, ..single };
    let minutes = Shape { interval_s: 60, ..batched };
    let mut too_many = Vec::new();
    for (name, shape, compression) in [
        ("single", single, Compression::None),
        ("batched", batched, Compression::None),
        ("batched, zstd", batched, Compression::Zstd),
        ("batched, 60 s interval", minutes, Compression::None),
    ] {
        let count = allocations_a_point(shape, compression);
        let line = format!("{name}: {count:.5} allocations a point");
        println!("{line}");
        if count > 0.01 {
            too_many.push(line);
        }
    }
    assert!(too_many.is_empty(), "at most 0.01 are promised\n  {}", too_many.join("\n  "));
}
