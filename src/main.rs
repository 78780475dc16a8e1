//! The binary: hands the arguments over and ends with the status that comes back.

use std::process::ExitCode;

fn main() -> ExitCode {
    foreshock::cli::guarded(|| foreshock::cli::run(std::env::args_os())).into()
}
