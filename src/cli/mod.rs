//! The command line: arguments as typed, resolved into the small structs that the rooms below take, and the exit code.
//!
//! One file per subcommand; the files beside them hold what several share. This is the only room that writes to stdout and
//! stderr. Absent on purpose: `exit()`, a config file, environment variables but those that an option names.

mod check;
mod child;
mod completions;
mod convert;
mod diff;
mod evaluation;
mod exit;
mod gate;
mod inspect;
mod memory;
mod minimize;
mod output;
mod package;
mod receiving;
mod record;
mod recordings;
mod replay;
mod results;
mod rules;
mod run;
mod serve;
mod sinks;
mod tune;
mod values;

pub use exit::ExitStatus;

use clap::{CommandFactory, Parser, Subcommand};
use output::{ColorWhen, Terminal};
use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Show what alert rules will do before they are deployed: evaluate Instana event definitions on recorded or live
/// OpenTelemetry metrics.
#[derive(Debug, Parser)]
#[command(name = "foreshock", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Colour the output; NO_COLOR is honoured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorWhen,
    /// Per-series and per-rule detail
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print no progress and no warnings
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluate recordings against event definitions: which events, when, and why
    Replay(replay::Args),
    /// Show what is in recordings: services, metrics, intervals, gaps, resets
    Inspect(inspect::Args),
    /// Cut recordings, and convert between their formats
    Convert(convert::Args),
    /// Receive metrics, evaluate them live, and print events as they open and close
    Serve(serve::Args),
    /// Receive metrics and record them, without evaluation
    Record(record::Args),
    /// Run a command, evaluate the metrics it exports, and print the verdict when it has ended
    Run(run::Args),
    /// Run scenarios: tests of event definitions
    Check(check::Args),
    /// Show what every threshold would have done on recordings, and propose values
    Tune(tune::Args),
    /// Compare two sets of rules on the same recordings
    Diff(diff::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page
    Man,
}

/// Runs a command; `arguments` begins with the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitStatus {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&typed) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes. When they cannot be printed, nobody is there to read why.
            let _ = error.print();
            return if error.use_stderr() { ExitStatus::CouldNotRun } else { ExitStatus::Passed };
        }
    };
    let terminal = Terminal::new(cli.color, cli.verbose, cli.quiet);
    let result = match cli.command {
        Command::Replay(args) => replay::run(args, &terminal),
        Command::Inspect(args) => inspect::run(args, &terminal),
        Command::Convert(args) => convert::run(args, &terminal),
        Command::Serve(args) => serve::run(args, &terminal),
        Command::Record(args) => record::run(args, &terminal),
        Command::Run(args) => run::run(args, &typed, &terminal),
        Command::Check(args) => check::run(args, &terminal),
        Command::Tune(args) => tune::run(args, &terminal),
        Command::Diff(args) => diff::run(args, &terminal),
        Command::Completions(args) => completions::run(args, Cli::command(), &terminal),
        Command::Man => completions::man(Cli::command(), &terminal),
    };
    result.unwrap_or_else(|error| {
        let status = ExitStatus::of(&error);
        if status != ExitStatus::Passed {
            terminal.error(&error);
        }
        status
    })
}

/// Runs `command` and turns a panic into the status that says so.
pub fn guarded(command: impl FnOnce() -> ExitStatus) -> ExitStatus {
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let _ = writeln!(
            std::io::stderr(),
            "this is a defect of foreshock {}: please report the lines above, and what was run, if you can",
            env!("CARGO_PKG_VERSION")
        );
        ExitStatus::Defect
    })
}
