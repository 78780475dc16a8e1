//! Where results and messages go: standard output or a file through one buffer, messages to standard error.
//!
//! A pipe whose reader left is an error here like any other; `ExitStatus::of` makes it a success. Messages that cannot be
//! written to standard error are lost on purpose: there is no better place to say so.

use super::exit::ExitStatus;
use crate::report::{self, Detail, Format, Outcome, OutcomeKind, Style};
use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::collections::HashSet;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{self, Component, Path, PathBuf};

/// Reads the `--format` of a command with results of this kind.
pub(super) fn formats(kind: OutcomeKind) -> impl TypedValueParser<Value = Format> {
    let names = Format::listed(kind).map(|format| PossibleValue::new(format.as_str()).help(format.help()));
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Format>())
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// When the output is a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How to talk to the one who typed the command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    color: ColorWhen,
    pub(super) detail: Detail,
    pub(super) quiet: bool,
}

impl Terminal {
    pub(super) fn new(color: ColorWhen, verbose: bool, quiet: bool) -> Self {
        Terminal { color, detail: if verbose { Detail::Full } else { Detail::Brief }, quiet }
    }

    fn style(self, choice: anstream::ColorChoice) -> Style {
        let colored = match self.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => choice != anstream::ColorChoice::Never,
        };
        if colored { Style::colored() } else { Style::plain() }
    }

    /// The style of messages on standard error.
    pub(super) fn message_style(self) -> Style {
        self.style(anstream::AutoStream::choice(&io::stderr()))
    }

    /// The style of results: standard output is looked at, a file gets colours only when they are asked for.
    pub(super) fn style_of(self, to: Option<&Path>) -> Style {
        match to.filter(|path| !is_stream(path)) {
            Some(_) => self.style(anstream::ColorChoice::Never),
            None => self.style(anstream::AutoStream::choice(&io::stdout())),
        }
    }

    /// Whether a progress bar makes sense.
    pub(super) fn shows_progress(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Prints why the command stops.
    pub(super) fn error(self, error: &anyhow::Error) {
        let _ = writeln!(io::stderr(), "{} {error:#}", self.message_style().error_word());
    }

    /// Prints a warning, which is no part of the results.
    pub(super) fn warn(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{} {text}", self.message_style().warning_word());
        }
    }

    /// Prints why a command does not pass, and gives its status back.
    pub(super) fn ended(self, (status, why): (ExitStatus, impl Display)) -> ExitStatus {
        if status != ExitStatus::Passed {
            self.note(&format!("exit code {}: {why}", status.code()));
        }
        status
    }

    /// Prints a line about the run.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// Refuses outputs that are inputs as well, before they are emptied.
pub(super) fn keep_apart<'a>(
    outputs: impl IntoIterator<Item = &'a Path>,
    inputs: impl IntoIterator<Item = &'a Path> + Clone,
) -> Result<()> {
    for output in outputs {
        let Ok(target) = output.canonicalize() else { continue };
        let is_same = |input: &Path| !is_stream(input) && input.canonicalize().is_ok_and(|input| input == target);
        if !is_stream(output) && target.is_file() && inputs.clone().into_iter().any(is_same) {
            bail!("{} is an input as well: name another file for the output", output.display());
        }
    }
    Ok(())
}

/// Refuses two outputs in one place.
pub(super) fn differ<'a>(outputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let place = |output: &Path| output.canonicalize().or_else(|_| path::absolute(output)).unwrap_or(output.into());
    let mut taken = HashSet::new();
    match outputs.into_iter().find(|output| !taken.insert(place(output))) {
        Some(twice) => bail!("{}: two outputs would be written there; name a file for each", twice.display()),
        None => Ok(()),
    }
}

/// Whether a path stands for standard input or standard output.
pub(super) fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The path without `.`, and without `..` where something stands before it, as it is written: links are not followed.
pub(super) fn without_dots(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(short.components().next_back(), Some(Component::Normal(_))) => {
                short.pop();
            }
            _ => short.push(part),
        }
    }
    short
}

/// Whether both lead to the same place, which is there.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The text of a file that people write.
pub(super) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(fs::read(path)?).map_err(|_| anyhow!("the file is not UTF-8 text; save it as UTF-8"))
}

/// Where results are written.
pub(super) struct Output {
    /// The file, or standard output.
    pub(super) to: String,
    pub(super) inner: BufWriter<Box<dyn Write>>,
    style: Style,
}

impl Output {
    /// Standard output, or a file that is made or emptied.
    pub(super) fn open(path: Option<&Path>, terminal: &Terminal) -> Result<Self> {
        let (to, inner): (String, Box<dyn Write>) = match path.filter(|path| !is_stream(path)) {
            Some(path) => {
                let to = path.display().to_string();
                let file = File::create(path).with_context(|| format!("cannot write to {to}"))?;
                (to, Box::new(file))
            }
            None => ("standard output".into(), Box::new(io::stdout().lock())),
        };
        Ok(Output { to, inner: BufWriter::new(inner), style: terminal.style_of(path) })
    }

    /// Writes results in a format, and flushes.
    pub(super) fn write_outcome(&mut self, format: Format, outcome: &Outcome<'_>) -> Result<()> {
        let written = report::write(format, outcome, self.style, &mut self.inner).and_then(|()| self.inner.flush());
        written.with_context(|| format!("cannot write to {}", self.to))
    }

    /// Writes a text, and flushes.
    pub(super) fn write_text(&mut self, text: &[u8]) -> Result<()> {
        let written = self.inner.write_all(text).and_then(|()| self.inner.flush());
        written.with_context(|| format!("cannot write to {}", self.to))
    }
}
