//! What has to hold: the expectations of scenarios, golden events, baselines, and what scenarios show of the rules.
//!
//! Everything is a function of its arguments: files, and which of them are meant, are the caller's.

mod baseline;
mod case;
mod compare;
mod coverage;
mod golden;
mod mutate;
mod run;

pub use baseline::{Aggregates, Side, compare};
pub use case::{Case, CaseResult, Finding, Place, Suite};
pub use compare::Failure;
pub use coverage::{Coverage, Covered, Reached};
pub use golden::{Golden, Tolerance};
pub use mutate::{Mutant, Tested, mutants, score, score_case};
pub use run::{Outcome, Prepared, RuleSource, prepare, run, run_all};
