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
use foreshock::engine::{Engine, Input, Options, Retention};
use foreshock::model::Export;
use foreshock::otlp::{Decoder, Encoding};
use foreshock::recording::{Compression, Reader, RecordingFormat, Source, Writer};
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
    let mut writer = Writer::new(Vec::new(), RecordingFormat::Own, compression).expect("the compression is supported");
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
    let (mut export, mut seen, mut region) = (Export::default(), 0, None);
    while let Some(arrival) = reader.next(&mut export) {
        engine.step(Input { received_at: arrival.at, export: Some(&export) }, &mut |_| {});
        seen += export.points.len() as u64;
        if seen >= warm_up && region.is_none() {
            region = Some(Region::new(ALLOCATOR));
        }
    }
    let change = region.expect("the recording is longer than its warm-up").change();
    assert_eq!(seen, points);
    (change.allocations + change.reallocations) as f64 / (points - warm_up) as f64
}

/// Bytes held after each of so many generations of processes, the first forgotten when the last come.
fn held_by_generations(generations: usize) -> Vec<isize> {
    const LIFE_S: u64 = 1200;
    let retention = Retention { forget_after: Some(7_200_000_000_000), closed_events: false, ..Retention::default() };
    let mut engine = Engine::new(shipped::definitions(), Options { retention, ..Options::default() });
    let (mut decoder, mut export) = (Decoder::default(), Export::default());
    let region = Region::new(ALLOCATOR);
    let mut corpus = Corpus::new(Shape { entities: 20, interval_s: 60, points_per_request: 0 });
    let mut held = Vec::new();
    for generation in 0..generations {
        for _ in 0..LIFE_S / 60 {
            corpus.step(Form::Protobuf, |request| {
                let body = renamed(request.body, generation);
                decoder.decode(Encoding::Protobuf, body.into(), &mut export).expect("generated bodies are sound");
                engine.step(Input { received_at: Some(request.at as i64), export: Some(&export) }, &mut |_| {});
            });
        }
        let change = region.change();
        held.push(change.bytes_allocated as isize - change.bytes_deallocated as isize);
    }
    assert_eq!(engine.counts().entities, 20 * generations as u64);
    held
}

/// The body with other processes in it: the generation is written over the end of their instance ids.
fn renamed(body: &[u8], generation: usize) -> Vec<u8> {
    let mut body = body.to_vec();
    let name = b"service.instance.id";
    let mut from = 0;
    while let Some(at) = body[from..].windows(name.len()).position(|window| window == name) {
        // The key, the value's tag and length, the text's tag and length.
        let length_at = from + at + name.len() + 3;
        let end = length_at + 1 + body[length_at] as usize;
        let mark = format!("{generation:06}");
        body[end - mark.len()..end].copy_from_slice(mark.as_bytes());
        from = end;
    }
    body
}

/// One test, because the counter counts every thread.
#[test]
fn the_steady_state_allocates_at_most_once_in_a_hundred_points_and_the_dead_give_their_memory_back() {
    let held = held_by_generations(60);
    println!("held after every tenth generation: {:?}", held.iter().step_by(10).collect::<Vec<_>>());
    assert!(held[59] <= held[19] + held[19] / 10, "{} bytes after 20 generations, {} after 60", held[19], held[59]);

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
