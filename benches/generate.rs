//! Writes a generated recording to a file, for trying things by hand: one step at a time, whatever the length.
//!
//! `cargo bench --bench generate -- --entities 1000 --steps 1000 --interval 10 -o big.binpb`. Options: `--points N` a request
//! (0: one process a request), `--json` for lines of OTLP/JSON instead of length-prefixed protobuf.
#![allow(clippy::print_stderr, reason = "a tool says what it did")]

#[allow(dead_code, reason = "each target uses its part of the generator")]
mod corpus;

use corpus::{Corpus, Form, Shape};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

const USAGE: &str = "options: -o FILE --entities N --steps N --interval SECONDS --points N --json";

fn main() -> ExitCode {
    let Some((file, shape, steps, form)) = plan(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match write(&file, shape, steps, form) {
        Ok(points) => {
            eprintln!("{file}: {points} points");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::from(2)
        }
    }
}

fn plan(mut args: impl Iterator<Item = String>) -> Option<(String, Shape, u64, Form)> {
    let mut shape = Shape { entities: 1000, interval_s: 10, points_per_request: 8000 };
    let (mut file, mut steps, mut form) = (None, 100, Form::Protobuf);
    while let Some(arg) = args.next() {
        let mut value = || args.next();
        match arg.as_str() {
            "-o" => file = Some(value()?),
            "--entities" => shape.entities = value()?.parse().ok().filter(|n| *n > 0)?,
            "--steps" => steps = value()?.parse().ok()?,
            "--interval" => shape.interval_s = value()?.parse().ok().filter(|n| *n > 0 && n % 10 == 0)?,
            "--points" => shape.points_per_request = value()?.parse().ok()?,
            "--json" => form = Form::Json,
            // `cargo bench` hands this on to every bench.
            "--bench" => {}
            _ => return None,
        }
    }
    Some((file?, shape, steps, form))
}

fn write(file: &str, shape: Shape, steps: u64, form: Form) -> io::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let (mut corpus, mut points, mut result) = (Corpus::new(shape), 0, Ok(()));
    for _ in 0..steps {
        corpus.step(form, |request| {
            points += request.points as u64;
            if result.is_ok() {
                result = match form {
                    Form::Protobuf => {
                        let length = (request.body.len() as u32).to_be_bytes();
                        out.write_all(&length).and_then(|()| out.write_all(request.body))
                    }
                    Form::Json => out.write_all(request.body).and_then(|()| out.write_all(b"\n")),
                };
            }
        });
        std::mem::replace(&mut result, Ok(()))?;
    }
    out.flush()?;
    Ok(points)
}
