//! Judging once and seeing twice: the events, and the values that decided, of one and the same input.
//!
//! A second engine sees every input just before the first one does, so that standard input and a running command can be
//! compared with a baseline like any file.

use crate::definition::EventDefinition;
use crate::engine::{Engine, Input, Inputs, Options, Watching};
use crate::gate::Aggregates;

/// Memory that the values may take. Beyond, the entities that came last are left out, and that is said.
const MOST_BYTES: u64 = 512 << 20;

/// Inputs that a second engine watches.
pub(super) struct Observed<I> {
    inputs: I,
    engine: Option<Engine>,
}

impl<I: Inputs> Observed<I> {
    /// Watches when it is `wanted`.
    pub(super) fn new(inputs: I, wanted: bool, definitions: &[EventDefinition], options: &Options) -> Self {
        let watching = Watching { first_entity: 0, most_bytes: MOST_BYTES };
        let engine = wanted.then(|| Engine::watching(definitions.to_vec(), options.clone(), watching));
        Observed { inputs, engine }
    }

    /// The inputs, and the values that decided.
    pub(super) fn finish(self) -> (I, Aggregates) {
        let aggregates = self.engine.map(|mut engine| {
            engine.finish(&mut |_| {});
            let definitions = engine.definitions().to_vec();
            Aggregates::of(&definitions, &engine.observations())
        });
        (self.inputs, aggregates.unwrap_or_default())
    }
}

impl<I: Inputs> Inputs for Observed<I> {
    fn next(&mut self) -> Option<Input<'_>> {
        let input = self.inputs.next()?;
        if let Some(engine) = &mut self.engine {
            engine.step(input, &mut |_| {});
        }
        Some(input)
    }
}
