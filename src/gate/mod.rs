//! What has to hold: the expectations of scenarios, golden events, baselines, and what scenarios show of the rules.
//!
//! Everything is a function of its arguments: files, and which of them are meant, are the caller's.

mod baseline;
mod case;
mod coverage;
mod expectation;
mod golden;
mod mutate;
mod run;
mod short_run;

pub use baseline::{Aggregates, EvaluatedRecording, TracedInputs, compare};
pub use case::{Case, CaseResult, FileLocation, Finding, Suite};
pub use coverage::{Covered, Reached, RuleCoverage};
pub use expectation::Failure;
pub use golden::{Golden, Tolerance};
pub use mutate::{Mutant, Tested, mutants, score, score_case};
pub use run::{Prepared, RuleSource, ScenarioOutcome, prepare, run, run_all};
pub use short_run::{ScaledRun, ShortRun, TooShort, scaled, too_short};
