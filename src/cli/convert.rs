//! `foreshock convert`: cuts recordings and converts between their forms.

use super::evaluation::{Words, words};
use super::exit::ExitStatus;
use super::output::{Output, Terminal, keep_apart};
use super::recordings::{Recordings, RecordingsArgs, write_error};
use crate::engine::{Input, Inputs};
use crate::model::{Moment, Nanos};
use crate::otlp::{Cut, NamePattern, cut};
use crate::recording::{Compression, RecordingFormat, WriteError, Writer};
use anyhow::Result;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recordings: RecordingsArgs,
    /// Where the recording goes; `-` is standard output
    #[arg(short, long, value_name = "FILE", required = true)]
    output: PathBuf,
    /// Leave out data points before this time
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, help_heading = "Cut")]
    from: Option<Moment>,
    /// Leave out data points after this time; both as 2026-11-22T06:50:00Z, as a time of the first day (06:50:00, UTC),
    /// or counted from the start of the recording (+5m)
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, help_heading = "Cut")]
    to: Option<Moment>,
    /// Keep only this service.name; `*` stands for any text; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Cut")]
    service: Vec<String>,
    /// Keep only metrics of this name; `*` stands for any text; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Cut")]
    metric: Vec<String>,
    /// Form of the recording; proto and jsonl are compressed when the file name ends with .gz or .zst
    #[arg(long, value_name = "FORM", default_value = "own", value_parser = words(FORMS))]
    form: Form,
}

/// What a recording becomes: its format, and its compression unless the name of the file decides.
type Form = (RecordingFormat, Option<Compression>);

const FORMS: &Words<Form> = &[
    ("own", (RecordingFormat::Own, Some(Compression::Zstd)), "Foreshock's own: keeps the receive times; zstd"),
    ("own-raw", (RecordingFormat::Own, Some(Compression::None)), "Foreshock's own, not compressed"),
    (
        "proto",
        (RecordingFormat::Protobuf, None),
        "Length-prefixed protobuf, as the Collector's file exporter writes it",
    ),
    ("jsonl", (RecordingFormat::JsonLines, None), "A JSON object a line, as the Collector's file exporter writes it"),
];

fn compression_of(output: &Path) -> Compression {
    match output.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Compression::Gzip,
        Some("zst") => Compression::Zstd,
        _ => Compression::None,
    }
}

/// Runs the command. Damage of the input is exit code 4, as is an output without a point: it lacks what was asked for.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    keep_apart([args.output.as_path()], args.recordings.files())?;
    let (format, compression) = args.form;
    let mut recordings = Recordings::open(&args.recordings, terminal)?;
    let Output { to, inner, .. } = Output::open(Some(&args.output), terminal)?;
    let failed = |error: WriteError| write_error(&to, error);
    let compression = compression.unwrap_or_else(|| compression_of(&args.output));
    let mut writer = Writer::new(inner, format, compression).map_err(failed)?;
    if let Some((_, head)) = recordings.heads().next() {
        writer.set_head(head.to_string()).map_err(failed)?;
    }
    let patterns = |names: &[String]| names.iter().map(NamePattern::new).collect();
    let cut = Cut { services: patterns(&args.service), metrics: patterns(&args.metric), ..Cut::default() };
    let mut cutting = Cutting { from: args.from, to: args.to, cut, started: false, kept: 0, left_out: 0 };
    while let Some(input) = recordings.next() {
        cutting.pass(input, &mut writer).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    recordings.damage().iter().for_each(|sentence| terminal.warn(sentence));
    terminal.note(&format!("{} written to {to}, {} left out", exports(cutting.kept), exports(cutting.left_out)));
    Ok(terminal.ended(match (cutting.kept, recordings.is_damaged()) {
        (0, _) => (ExitStatus::Inconclusive, "nothing was written"),
        (_, true) => (ExitStatus::Inconclusive, "a recording is damaged"),
        (_, false) => (ExitStatus::Passed, ""),
    }))
}

fn exports(n: u64) -> String {
    if n == 1 { "1 export".to_string() } else { format!("{n} exports") }
}

/// Takes inputs to a writer, without what is cut.
struct Cutting {
    from: Option<Moment>,
    to: Option<Moment>,
    cut: Cut,
    started: bool,
    kept: u64,
    left_out: u64,
}

impl Cutting {
    /// Writes what is kept of an input. A receive time of which nothing is kept stays as a tick, so that the evaluations
    /// end where they did; outside the time that is kept it goes, too.
    fn pass(&mut self, input: Input<'_>, writer: &mut Writer<impl Write>) -> Result<(), WriteError> {
        if let Some(start) = input.received_at.filter(|_| !self.started) {
            self.started = true;
            self.cut.from = self.from.map(|from| from.resolve(start));
            self.cut.to = self.to.map(|to| to.resolve(start));
        }
        let is_outside =
            |at: Nanos| self.cut.from.is_some_and(|from| at < from) || self.cut.to.is_some_and(|to| at > to);
        if let Some(export) = input.export {
            if let Some(payload) = cut(&export.payload, input.received_at, &self.cut)? {
                self.kept += 1;
                return writer.append(input.received_at, &payload);
            }
            self.left_out += 1;
        }
        match input.received_at {
            Some(at) if !is_outside(at) => writer.tick(at),
            Some(_) | None => Ok(()),
        }
    }
}
