//! `foreshock convert`: cuts recordings and converts between their forms.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::{Output, Terminal};
use super::recordings::{Recordings, RecordingsArgs};
use crate::recording::{Compression, Format, WriteError, Writer};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    recordings: RecordingsArgs,
    /// Where the recording goes; `-` is standard output
    #[arg(short, long, value_name = "FILE", required = true)]
    output: PathBuf,
    /// Form of the recording; proto and jsonl are compressed when the file name ends with .gz or .zst
    #[arg(long, value_name = "FORM", default_value = "own")]
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Our own: keeps the instants of arrival; zstd
    Own,
    /// Our own, not compressed
    OwnRaw,
    /// Length-prefixed protobuf, as the Collector's file exporter writes it
    Proto,
    /// A JSON object a line, as the Collector's file exporter writes it
    Jsonl,
}

impl Form {
    fn resolve(self, output: &Path) -> (Format, Compression) {
        let by_name = match output.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Compression::Gzip,
            Some("zst") => Compression::Zstd,
            _ => Compression::None,
        };
        match self {
            Form::Own => (Format::Own, Compression::Zstd),
            Form::OwnRaw => (Format::Own, Compression::None),
            Form::Proto => (Format::Protobuf, by_name),
            Form::Jsonl => (Format::JsonLines, by_name),
        }
    }
}

/// Runs the command. Damage of the input is exit code 4: the output lacks what could not be read.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus, CliError> {
    let (format, compression) = args.form.resolve(&args.output);
    args.recordings.keep_apart(&args.output)?;
    let mut recordings = Recordings::open(&args.recordings, terminal)?;
    let head = recordings.head();
    let output = Output::open(Some(&args.output))?;
    let to = output.name().to_string();
    let failed = |error: WriteError| CliError::Convert { to: to.clone(), source: error };
    let mut writer = Writer::new(output, format, compression).map_err(failed)?;
    if let Some(head) = head {
        writer.set_head(head).map_err(failed)?;
    }
    let (mut bodies, mut points) = (0u64, 0u64);
    while let Some(arrival) = recordings.next() {
        match (arrival.batch, arrival.at) {
            (Some(batch), at) => {
                writer.append(at, &batch.body).map_err(failed)?;
                bodies += 1;
                points += batch.points.len() as u64;
            }
            (None, Some(at)) => writer.tick(at).map_err(failed)?,
            (None, None) => {}
        }
    }
    writer.finish().map_err(failed)?;
    recordings.damage().iter().for_each(|sentence| terminal.warn(sentence));
    terminal.note(&format!("{bodies} bodies with {points} points written to {to}"));
    Ok(if recordings.is_damaged() { ExitStatus::Inconclusive } else { ExitStatus::Passed })
}
