//! How fast a recording is judged, as ratios within one run.
//!
//! `cargo bench --bench speed` prints a table and the bars the project holds itself to; `-- --check` makes a missed bar
//! exit 1, `-- --quick` uses a tenth of the data (figures for a first look only). Options of the corpus: `--entities N`,
//! `--steps N`, `--rounds N`, `--many N` (entities of the large case). `--only CASE` runs one case: 8000, 1000, single, zstd,
//! 60s, json or many. Data is generated, nothing is stored.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

#[allow(dead_code, reason = "each target uses its part of the generator")]
#[path = "../corpus/mod.rs"]
mod corpus;
#[path = "../measure/mod.rs"]
mod measure;
#[path = "../corpus/shipped.rs"]
mod shipped;

mod cardinality;
mod paths;
mod table;

use corpus::{Form, Shape};
use foreshock::recording::Compression;
use measure::{Contender, interleave};
use paths::Input;
use std::process::ExitCode;
use table::{Bar, Table};

/// The cases, in the order they run.
const CASES: [&str; 7] = ["8000", "1000", "single", "zstd", "60s", "json", "many"];

/// What to run.
#[derive(Clone, Copy)]
pub struct Plan {
    entities: u32,
    steps: u64,
    rounds: usize,
    many: u32,
    check: bool,
    only: Option<&'static str>,
}

fn main() -> ExitCode {
    let Some(plan) = plan(std::env::args().skip(1)) else {
        println!("options: --entities N --steps N --rounds N --many N --only CASE --quick --check");
        return ExitCode::from(2);
    };
    let mut table = Table::default();
    let line =
        format!("--entities {} --steps {} --rounds {} --many {}", plan.entities, plan.steps, plan.rounds, plan.many);
    println!("cargo bench --bench speed -- {line}");
    println!("One thread, CPU time, least of {} interleaved rounds; ns = nanoseconds a data point.\n", plan.rounds);
    for case in CASES.into_iter().filter(|case| plan.only.is_none_or(|only| only == *case)) {
        match case {
            "zstd" => compressed(&mut table, plan),
            "60s" => minutes(&mut table, plan),
            "json" => json(&mut table, plan),
            "many" => cardinality::run(&mut table, plan),
            "single" => protobuf(&mut table, plan, case, 0, 3.5),
            "1000" => protobuf(&mut table, plan, case, 1000, 5.0),
            _ => protobuf(&mut table, plan, case, 8000, 5.0),
        }
    }
    let passed = table.finish();
    println!("Allocations a point are counted, not timed: `cargo test --release --test allocations -- --nocapture`.");
    if plan.check && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn plan(mut args: impl Iterator<Item = String>) -> Option<Plan> {
    let mut plan = Plan { entities: 1000, steps: 200, rounds: 5, many: 43_500, check: false, only: None };
    while let Some(arg) = args.next() {
        if arg == "--only" {
            let wanted = args.next()?;
            plan.only = Some(CASES.into_iter().find(|case| *case == wanted)?);
            continue;
        }
        let mut number = || args.next().and_then(|text| text.parse::<u64>().ok()).filter(|n| *n > 0);
        match arg.as_str() {
            "--entities" => plan.entities = u32::try_from(number()?).ok()?,
            "--steps" => plan.steps = number()?,
            "--rounds" => plan.rounds = usize::try_from(number()?).ok()?,
            "--many" => plan.many = u32::try_from(number()?).ok()?,
            "--quick" => (plan.entities, plan.steps, plan.many) = (200, 100, 4350),
            "--check" => plan.check = true,
            // `cargo bench` hands this on to every bench.
            "--bench" => {}
            _ => return None,
        }
    }
    Some(plan)
}

/// The main case: what a recording costs from its bytes to its verdicts, beside the same bytes only walked, and beside the
/// official types only decoded and dropped.
fn protobuf(table: &mut Table, plan: Plan, name: &'static str, points_per_request: usize, bar: f64) {
    let shape = Shape { entities: plan.entities, interval_s: 10, points_per_request };
    let input = Input::generate(shape, plan.steps, Form::Protobuf);
    let mut contenders = [
        Contender::new("walk only", || paths::walk(&input)),
        Contender::new("prost decode, drop", || paths::prost(&input)),
        Contender::new("walk + insert", || paths::insert(&input)),
        Contender::new("walk + insert + judge", || paths::judge(&input)),
        Contender::new("replay", || paths::replay(&input.recording, input.points)),
    ];
    interleave(&mut contenders, plan.rounds);
    table.rows(&format!("protobuf {name}, {} series, 10 s", input.series), &contenders);
    let [walk, prost, insert, judge, replay] = contenders.map(|c| c.best);
    let share = |part: f64| (part / replay * 100.0).max(0.0);
    table.note(format!(
        "share of replay: decode {:.0} %, identity and insert {:.0} %, judge {:.0} %, read {:.0} %",
        share(walk),
        share(insert - walk),
        share(judge - insert),
        share(replay - judge)
    ));
    table.bar(Bar::at_least(format!("{name}: replay / walk only, points/s"), walk / replay, 0.35));
    table.bar(Bar::at_least(format!("{name}: replay / prost decode, points/s"), prost / replay, bar));
}

/// The default form of a recording: beside the main case, without a bar.
fn compressed(table: &mut Table, plan: Plan) {
    let shape = Shape { entities: plan.entities, interval_s: 10, points_per_request: 8000 };
    let input = Input::generate(shape, plan.steps, Form::Protobuf);
    let packed = paths::record(&input, Compression::Zstd);
    let mut contenders = [
        Contender::new("replay, plain", || paths::replay(&input.recording, input.points)),
        Contender::new("replay, zstd", || paths::replay(&packed, input.points)),
    ];
    interleave(&mut contenders, plan.rounds);
    table.rows("protobuf 8000, compressed", &contenders);
    let bytes = |recording: &[u8]| recording.len() as f64 / input.points as f64;
    table.note(format!("bytes a point: {:.1} plain, {:.1} zstd", bytes(&input.recording), bytes(&packed)));
}

/// The client's default interval: beside the main case, without a bar.
fn minutes(table: &mut Table, plan: Plan) {
    let shape = Shape { entities: plan.entities, interval_s: 60, points_per_request: 8000 };
    let input = Input::generate(shape, (plan.steps / 2).max(20), Form::Protobuf);
    let mut contenders = [
        Contender::new("walk only", || paths::walk(&input)),
        Contender::new("replay", || paths::replay(&input.recording, input.points)),
    ];
    interleave(&mut contenders, plan.rounds);
    table.rows("protobuf 8000, 60 s interval", &contenders);
}

/// Lines of OTLP/JSON, as the Collector's file exporter writes them.
fn json(table: &mut Table, plan: Plan) {
    let shape = Shape { entities: plan.entities, interval_s: 10, points_per_request: 1000 };
    let input = Input::generate(shape, (plan.steps * 3 / 10).max(70), Form::Json);
    let mut contenders = [
        Contender::new("serde_json to prost types", || paths::serde(&input)),
        Contender::new("replay", || paths::replay(&input.recording, input.points)),
    ];
    interleave(&mut contenders, plan.rounds);
    table.rows("JSON lines 1000, 10 s", &contenders);
    let [serde, replay] = contenders.map(|c| c.best);
    table.bar(Bar::at_least("JSON lines: replay / serde_json, points/s".into(), serde / replay, 4.0));
}
