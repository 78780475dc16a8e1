//! How a command ends.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

/// What the exit code of the program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was done, and no gate failed. A reader that closed the pipe early is this, too.
    Passed,
    /// The gate failed: there were events at or above `--fail-on`.
    Failed,
    /// Nothing was evaluated, because the command could not run: wrong usage, wrong rules, an unreadable file. Or results
    /// were not delivered: a full disk, a receiver that is not there.
    CouldNotRun,
    /// The results show nothing: no metrics received, no definition could be evaluated, or the input was damaged.
    Inconclusive,
    /// The command that `run` ran failed, with this exit code, or 128 and the number of the signal that ended it.
    Command(u8),
    /// A defect of this program.
    Defect,
}

impl ExitStatus {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Passed => 0,
            ExitStatus::Failed => 1,
            ExitStatus::CouldNotRun => 2,
            ExitStatus::Inconclusive => 4,
            ExitStatus::Command(code) => code,
            ExitStatus::Defect => 70,
        }
    }

    /// The status of a command that stopped before its end: a reader that closed the pipe is no failure.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        let is_closed_pipe = causes.any(|cause| cause.kind() == ErrorKind::BrokenPipe);
        if is_closed_pipe { ExitStatus::Passed } else { ExitStatus::CouldNotRun }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status.code())
    }
}
