//! What it costs to know every threshold: `tune` of a recording beside one `replay` of it, as a ratio within one run.
//!
//! `cargo bench --bench tune` prints both and the bar; `-- --check` makes a missed bar exit 1. `--entities N`, `--steps N` and
//! `--rounds N` size the corpus. Both begin with the bytes of the recording and end with what would be rendered.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

#[allow(dead_code, reason = "each target uses its part of the generator")]
#[path = "../corpus/mod.rs"]
mod corpus;
#[allow(dead_code, reason = "each target uses its part of the measures")]
#[path = "../measure/mod.rs"]
mod measure;
#[path = "../corpus/shipped.rs"]
mod shipped;

use bytes::Bytes;
use corpus::{Corpus, Form, Shape};
use foreshock::engine::{Engine, Input, Options, TraceLimits};
use foreshock::model::Export;
use foreshock::recording::{Compression, Reader, RecordingFormat, Source, Writer};
use foreshock::tune::{BASELINE, Tuning};
use measure::{Contender, interleave};
use std::hint::black_box;
use std::io::Cursor;
use std::process::ExitCode;

/// The bar: `tune` takes at most so many times as long as `replay`.
const MOST: f64 = 1.5;

fn main() -> ExitCode {
    let (mut entities, mut steps, mut rounds, mut check) = (500u32, 360u64, 5usize, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).filter(|n| *n > 0);
        let known = match argument.as_str() {
            "--entities" => number().map(|n| entities = n),
            "--steps" => number().map(|n| steps = u64::from(n)),
            "--rounds" => number().map(|n| rounds = n as usize),
            "--check" => {
                check = true;
                Some(())
            }
            // What `cargo bench` adds.
            "--bench" => Some(()),
            _ => None,
        };
        if known.is_none() {
            println!("options: --entities N --steps N --rounds N --check");
            return ExitCode::from(2);
        }
    }
    let passed = [10, 60].map(|interval_s| run(entities, steps, rounds, interval_s));
    if check && passed.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// One corpus, both ways; whether the bar holds.
fn run(entities: u32, steps: u64, rounds: usize, interval_s: u64) -> bool {
    let (recording, points) = record(Shape { entities, interval_s, points_per_request: 8000 }, steps);
    let mut values = 0;
    let mut contenders = [
        Contender::new("replay", || replay(&recording, points)),
        Contender::new("observe", || observe(&recording, points)),
        Contender::new("tune", || {
            let (points, swept) = tune(&recording, points);
            values = swept;
            points
        }),
    ];
    interleave(&mut contenders, rounds);
    println!("{entities} entities, every {interval_s} s, {steps} exports, {points} points");
    for contender in &contenders {
        println!("  {:<28}{:>8.1} ns a point", contender.name, contender.best);
    }
    let [replay, _, tune] = contenders.map(|contender| contender.best);
    let word = if tune / replay <= MOST { "PASS" } else { "FAIL" };
    println!("  tune / replay ({values} thresholds swept)  {:.2}, at most {MOST}  {word}\n", tune / replay);
    tune / replay <= MOST
}

fn record(shape: Shape, steps: u64) -> (Bytes, u64) {
    let mut corpus = Corpus::new(shape);
    let mut writer =
        Writer::new(Vec::new(), RecordingFormat::Own, Compression::None).expect("the compression is supported");
    let mut points = 0;
    for _ in 0..steps {
        corpus.step(Form::Protobuf, |request| {
            writer.append(Some(request.at as i64), request.body).expect("generated bodies are small");
            points += request.points as u64;
        });
    }
    (Bytes::from(writer.finish().expect("writing to memory cannot fail")), points)
}

fn feed(recording: &Bytes, engine: &mut Engine) {
    let bytes = Box::new(Cursor::new(recording.clone()));
    let source = Source { name: "generated".into(), size: Some(recording.len() as u64), reader: bytes };
    let mut reader = Reader::open(vec![source]).expect("a recording");
    let mut export = Export::default();
    while let Some(arrival) = reader.next(&mut export) {
        engine.step(Input { received_at: arrival.at, export: (!arrival.is_tick).then_some(&export) }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
}

fn replay(recording: &Bytes, points: u64) -> u64 {
    let mut engine = Engine::new(shipped::definitions(), Options::default());
    feed(recording, &mut engine);
    let report = black_box(engine.report());
    assert_eq!(report.counts.points, points, "every point was seen");
    points
}

fn observe(recording: &Bytes, points: u64) -> u64 {
    black_box(watch(recording));
    points
}

fn watch(recording: &Bytes) -> foreshock::engine::EvaluationTrace {
    let watching = TraceLimits { first_entity: 0, most_bytes: 2 << 30 };
    let mut engine = Engine::tracing(shipped::definitions(), Options::default(), watching);
    feed(recording, &mut engine);
    let observed = engine.trace();
    assert_eq!(observed.next, None, "one pass");
    observed
}

fn tune(recording: &Bytes, points: u64) -> (u64, usize) {
    let observed = watch(recording);
    let mut tuning = Tuning::new(&shipped::definitions(), 1, Vec::new(), 0.0);
    tuning.learn(BASELINE, &observed);
    tuning.choose();
    tuning.sweep(BASELINE, &observed);
    let tuned = black_box(tuning.finish());
    let values = tuned.results.iter().map(|answer| answer.candidates.len()).sum();
    assert!(tuned.results.iter().all(|answer| answer.basis.evaluated > 0), "every shipped rule is evaluated");
    (points, values)
}
