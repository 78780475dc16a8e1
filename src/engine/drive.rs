//! The one loop around the engine: replay and the live service differ in where inputs come from and what becomes of
//! transitions, and in nothing else.

use super::alert::event::Transition;
use super::step::Engine;
use crate::model::{Export, Nanos};

/// One export, or a tick.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// When it was received; `None` leaves the engine's time where it is. Never moves it backwards.
    pub received_at: Option<Nanos>,
    /// What was received; `None` for a tick.
    pub export: Option<&'a Export>,
}

/// Where inputs come from, in the order they were received.
pub trait Inputs {
    /// The next input; `None` when there will be no more. May wait.
    fn next(&mut self) -> Option<Input<'_>>;
}

/// Steps through all inputs and evaluates what is left when they end. `emit` is called after each of them, with what it
/// brought about, if anything; it takes the transitions out. Its first error ends the loop.
pub fn drive<E>(
    engine: &mut Engine,
    inputs: &mut impl Inputs,
    mut emit: impl FnMut(&Engine, &mut Vec<Transition>) -> Result<(), E>,
) -> Result<(), E> {
    let mut transitions = Vec::new();
    while let Some(input) = inputs.next() {
        engine.step(input, &mut |transition| transitions.push(transition));
        emit(engine, &mut transitions)?;
        transitions.clear();
    }
    engine.finish(&mut |transition| transitions.push(transition));
    emit(engine, &mut transitions)
}
