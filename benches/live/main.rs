//! What receiving costs over loopback, as ratios within one run; and how soon an event leaves.
//!
//! The client is this process, every server one of its own: `foreshock serve` as it is, and two servers of the same kind
//! that drop what they get. `cargo bench --bench live` prints figures and bars; `-- --check` makes a missed bar exit 1,
//! `-- --only CASE` runs one case: 23, 1000, 8000, latency or overload, `--rounds N` and `--entities N` change the size.
//! CPU time comes from the operating system, so this needs Linux. Data is generated, nothing is stored.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]
#![allow(clippy::disallowed_methods, reason = "a bench measures, and waits for other processes")]

#[allow(dead_code, reason = "each target uses its part of the generator")]
#[path = "../corpus/mod.rs"]
mod corpus;
#[allow(dead_code, reason = "each target uses its part of the table")]
#[path = "../measure/mod.rs"]
mod measure;
#[allow(dead_code, reason = "each target uses its part of the table")]
#[path = "../speed/table.rs"]
mod table;

mod client;
mod ingest;
mod latency;
mod outside;
mod overload;
mod peers;
mod process;

use std::process::ExitCode;
use table::Table;

/// The cases, in the order they run.
const CASES: [&str; 5] = ["23", "1000", "8000", "latency", "overload"];

/// What to run.
#[derive(Clone, Copy)]
pub struct Plan {
    entities: u32,
    rounds: usize,
    check: bool,
    only: Option<&'static str>,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    if let Some(peer) = args.peek().and_then(|word| peers::Peer::named(word)) {
        return peers::serve(peer);
    }
    let Some(plan) = plan(args) else {
        println!("options: --entities N --rounds N --only CASE --check; cases: {}", CASES.join(", "));
        return ExitCode::from(2);
    };
    if process::cpu_ns(std::process::id()).is_none() {
        println!("there is no CPU time of processes in /proc here: nothing measured");
        return ExitCode::from(2);
    }
    let mut table = Table::default();
    println!("cargo bench --bench live -- --entities {} --rounds {}", plan.entities, plan.rounds);
    println!(
        "CPU time of the server's process, least and median of {} rounds that take turns; of 23 points a request of",
        plan.rounds
    );
    println!(
        "four times as many, of 1000 of twice. Ratios are the median of those of rounds that follow each other.\n"
    );
    for case in CASES.into_iter().filter(|case| plan.only.is_none_or(|only| only == *case)) {
        match case {
            // The shorter a round is, the more of it is what neighbours do to the machine: so there are more of them.
            "23" => ingest::run(&mut table, Plan { rounds: 4 * plan.rounds, ..plan }, case, 0, 20),
            "1000" => ingest::run(&mut table, Plan { rounds: 2 * plan.rounds, ..plan }, case, 1000, 100),
            "8000" => ingest::run(&mut table, plan, case, 8000, 100),
            "latency" => latency::run(&mut table),
            _ => overload::run(&mut table),
        }
    }
    let passed = table.finish();
    if plan.check && !passed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn plan(mut args: impl Iterator<Item = String>) -> Option<Plan> {
    let mut plan = Plan { entities: 1000, rounds: 7, check: false, only: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--only" => {
                let wanted = args.next()?;
                plan.only = Some(CASES.into_iter().find(|case| *case == wanted)?);
            }
            "--entities" => plan.entities = args.next()?.parse().ok().filter(|n| *n > 0)?,
            "--rounds" => plan.rounds = args.next()?.parse().ok().filter(|n| *n > 0)?,
            "--check" => plan.check = true,
            // `cargo bench` hands this on to every bench.
            "--bench" => {}
            _ => return None,
        }
    }
    Some(plan)
}
