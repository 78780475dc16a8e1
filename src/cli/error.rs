//! Why a command stopped before its end: which file, where, and what to do.

use super::exit::ExitStatus;
use crate::recording::{OpenError, WriteError};
use crate::sink::{SinkError, SpecError};
use crate::tune::PackageError;

use std::io;

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The output could not be written.
    #[error("cannot write to {to}: {source}")]
    Output {
        /// A file, or standard output.
        to: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A file or folder with rules could not be read.
    #[error("cannot read the rules {path}: {source}")]
    Rules {
        /// The file or folder.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
    /// Folders are nested too deeply.
    #[error("the folder {path} is nested more than {limit} levels deep; does a link lead back into it?")]
    TooDeep {
        /// The folder.
        path: String,
        /// How many levels are followed.
        limit: usize,
    },
    /// A name of built-in rules that does not exist.
    #[error("there are no built-in rules `{name}`; there are `builtin:python` and `builtin:local`")]
    NoBuiltin {
        /// The name as typed.
        name: String,
    },
    /// No event definition was found.
    #[error("no event definition in {places}; name a package folder, a folder of events, or a file")]
    NoDefinition {
        /// Where it was looked for.
        places: String,
    },
    /// The rules have errors, which are printed already.
    #[error("{count} in the rules: nothing was evaluated")]
    BrokenRules {
        /// How many, with the noun.
        count: String,
    },
    /// A file or folder with scenarios could not be read.
    #[error("cannot read the scenarios {path}: {source}")]
    Scenarios {
        /// The file or folder.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
    /// Golden events could not be read.
    #[error("cannot read the golden events {path}: {source}; --bless writes them")]
    Golden {
        /// The file.
        path: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The scenarios have mistakes, which are printed already.
    #[error("{count} in the scenarios: nothing was evaluated")]
    BrokenScenarios {
        /// How many, with the noun.
        count: String,
    },
    /// An override that cannot be applied.
    #[error("--set {text}: {message}")]
    Set {
        /// The override as typed.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// A recording could not be opened.
    #[error("cannot read the recording {0}")]
    Recording(#[from] OpenError),
    /// A recording could not be written.
    #[error("cannot write the recording {to}: {source}")]
    Convert {
        /// A file, or standard output.
        to: String,
        /// What went wrong.
        source: WriteError,
    },
    /// A port cannot be opened.
    #[error("cannot listen on {address}: {source}; name a free port, or port 0 for any")]
    Bind {
        /// The address as typed.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The file with tokens cannot be used.
    #[error("cannot use the tokens in {path}: {source}; write one a line")]
    Token {
        /// The file.
        path: String,
        /// What is wrong.
        source: io::Error,
    },
    /// A limit that makes no sense.
    #[error("{what}")]
    Limit {
        /// Which, and what would make sense.
        what: String,
    },
    /// Receiving ended without a signal.
    #[error("cannot receive any more: {0}")]
    Receive(io::Error),
    /// The output would overwrite an input.
    #[error("{path} is an input as well: name another file for the output")]
    SameFile {
        /// The file.
        path: String,
    },
    /// Two outputs lead to one place.
    #[error("{path}: two outputs would be written there; name a file for each")]
    OutputTwice {
        /// The file, or `-`.
        path: String,
    },
    /// The text of a sink cannot be read.
    #[error("{0}")]
    SinkSpec(#[from] SpecError),
    /// A sink cannot be opened.
    #[error("{0}")]
    Sink(#[from] SinkError),
    /// A sink leads to where the output goes.
    #[error("--sink {sink}: the output goes there already; with -o it goes to a file of its own")]
    SinkTakesAnswer {
        /// The sink.
        sink: String,
    },
    /// The command that `run` was given cannot be run.
    #[error("cannot run {command}: {source}; nothing was evaluated")]
    Command {
        /// The command as typed.
        command: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A sink leads into the recording that is made.
    #[error("--sink file:{path}: the recording is written there")]
    SinkTakesRecording {
        /// The file.
        path: String,
    },
    /// Rules of a git revision that cannot be read.
    #[error("cannot read the rules {rules}: {problem}")]
    Git {
        /// The revision and the path.
        rules: String,
        /// The error of git, or why it cannot be run.
        problem: String,
    },
    /// A package that cannot be edited; nothing was written.
    #[error("{0}; nothing was written")]
    Package(Box<PackageError>),
    /// Labels that cannot be used.
    #[error("{label}: {problem}")]
    Label {
        /// The label as it was given.
        label: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Standard input was named more than once.
    #[error("`-` (standard input) can be read only once")]
    StdinTwice,
}

impl CliError {
    /// The status to end with: a reader that closed the pipe is no failure.
    pub fn status(&self) -> ExitStatus {
        match self {
            CliError::Output { source, .. } | CliError::Convert { source: WriteError::Io(source), .. }
                if source.kind() == io::ErrorKind::BrokenPipe =>
            {
                ExitStatus::Passed
            }
            _ => ExitStatus::CouldNotRun,
        }
    }
}
