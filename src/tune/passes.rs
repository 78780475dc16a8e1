//! Recordings read for their traces: in one pass when these fit into memory, else in as many as it takes.
//!
//! Absent on purpose: opening recordings; the caller does it, once for each pass.

use crate::definition::EventDefinition;
use crate::engine::{Engine, EvaluationReport, EvaluationTrace, Inputs, Options, TraceLimits, drive};
use std::convert::Infallible;

/// Recordings that belong together.
#[derive(Debug)]
pub struct TracedSource {
    most_bytes: u64,
    /// The trace, when one pass holds all of it.
    whole: Option<EvaluationTrace>,
}

/// Why the passes ended early.
#[derive(Debug)]
pub enum PassError<E> {
    /// The inputs cannot be opened.
    Open(E),
    /// Not even one entity fits into memory.
    TooLittleMemory,
    /// More than one pass is needed, and the inputs can be read only once.
    ReadOnce,
}

impl TracedSource {
    /// A source whose traces may take so much memory.
    pub fn new(most_bytes: u64) -> Self {
        TracedSource { most_bytes, whole: None }
    }

    /// Reads the inputs and hands on the trace of each pass. Returns the report and the inputs of the last pass.
    pub fn passes<I: Inputs, E>(
        &mut self,
        (definitions, options): (&[EventDefinition], &Options),
        open: impl Fn() -> Result<I, E>,
        is_read_once: bool,
        mut each: impl FnMut(&EvaluationReport, &EvaluationTrace),
    ) -> Result<(EvaluationReport, I), PassError<E>> {
        let mut first_entity = 0;
        loop {
            let mut inputs = open().map_err(PassError::Open)?;
            let watching = TraceLimits { first_entity, most_bytes: self.most_bytes };
            let mut engine = Engine::tracing(definitions.to_vec(), options.clone(), watching);
            let Ok(()) = drive(&mut engine, &mut inputs, |_, _| Ok::<(), Infallible>(()));
            let report = engine.report();
            let observed = engine.trace();
            each(&report, &observed);
            match observed.next {
                None => {
                    self.whole = (first_entity == 0).then_some(observed);
                    return Ok((report, inputs));
                }
                Some(_) if is_read_once => return Err(PassError::ReadOnce),
                Some(next) if next <= first_entity => return Err(PassError::TooLittleMemory),
                Some(next) => first_entity = next,
            }
        }
    }

    /// Hands on the trace of each pass once more; it is read again only where memory did not hold all of it.
    pub fn again<I: Inputs, E>(
        &mut self,
        evaluated: (&[EventDefinition], &Options),
        open: impl Fn() -> Result<I, E>,
        is_read_once: bool,
        mut each: impl FnMut(&EvaluationTrace),
    ) -> Result<(), PassError<E>> {
        if let Some(whole) = self.whole.take() {
            each(&whole);
            return Ok(());
        }
        self.passes(evaluated, open, is_read_once, |_, observed| each(observed)).map(drop)
    }
}
