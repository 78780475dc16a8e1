//! Why sinks cannot be opened: which sink, which file, and what to do.

use std::io;

/// Why sinks cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Two sinks lead to one place, where their events would mix.
    #[error("--sink {sink} is given twice; what goes there would go there twice")]
    Twice {
        /// The sink.
        sink: String,
    },
    /// A file or standard output cannot be written to.
    #[error("--sink {sink}: cannot open it for writing: {source}")]
    Open {
        /// The sink.
        sink: String,
        /// The system's error.
        source: io::Error,
    },
    /// A token or headers cannot be had.
    #[error("--sink {sink}: {place}: {flaw}")]
    Secret {
        /// The sink.
        sink: String,
        /// The file or variable.
        place: String,
        /// What is wrong with it.
        flaw: SecretFlaw,
    },
    /// There is no thread for it.
    #[error("--sink {sink}: cannot start its thread: {source}")]
    Thread {
        /// The sink.
        sink: String,
        /// The system's error.
        source: io::Error,
    },
}

/// What is wrong with a file or variable that holds secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretFlaw {
    /// The file cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// The variable is not there.
    #[error("the environment variable is not set")]
    NotSet,
    /// There is nothing on the first line.
    #[error("there is no token in it; the token is the first line")]
    Empty,
    /// It cannot be sent.
    #[error("the token has characters that no header may have")]
    Characters,
    /// Nobody has so many headers.
    #[error("it is larger than 64 KiB")]
    TooLarge,
    /// A line that is no header.
    #[error("line {0} is no header; write `Name: value`")]
    Line(usize),
    /// A header that is made for each request.
    #[error("line {line}: `{name}` is set by foreshock itself; take it out")]
    Ours {
        /// The line.
        line: usize,
        /// The header.
        name: String,
    },
    /// A token beside a header that authorizes.
    #[error("the file of headers has an `Authorization` already; give one of the two")]
    TwoAuthorizations,
}
