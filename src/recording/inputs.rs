//! Recordings as inputs of the engine.

use super::reader::{Arrival, Reader};
use crate::engine::{Input, Inputs};
use crate::model::Export;

/// The inputs of a reader, one after the other.
pub struct Replayed {
    /// Where the inputs are read from.
    pub reader: Reader,
    export: Export,
}

impl Replayed {
    /// The arrivals of a reader.
    pub fn new(reader: Reader) -> Self {
        Replayed { reader, export: Export::default() }
    }
}

impl Inputs for Replayed {
    fn next(&mut self) -> Option<Input<'_>> {
        let Arrival { at, is_tick, .. } = self.reader.next(&mut self.export)?;
        Some(Input { at, export: (!is_tick).then_some(&self.export) })
    }
}
