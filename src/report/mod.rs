//! Every shape an answer can have: one event, the document and the lines of `replay`, the text a person reads, what is
//! told of a run, the findings of `inspect`, the outcome of a gate for other programs.
//!
//! Owns wording, units and layout. Its functions turn data into bytes on an `impl Write` and decide nothing: a verdict, an
//! order or a number is made below. Absent on purpose: stdout, colour detection, the clock (the caller says whether to
//! colour, and times are the recording's own).

pub mod diff;
mod evidence;
mod hint;
pub mod inspection;
pub mod json;
pub mod outcome;
mod problems;
mod quantity;
mod run;
mod style;
pub mod text;
mod trend;
pub mod tune;
mod words;

pub use problems::problems;
pub use run::{Run, TooShort, WouldHaveBeen};
pub use style::Style;
