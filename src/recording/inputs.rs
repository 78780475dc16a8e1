//! Recordings as inputs of the engine.

use super::reader::{Arrival, Reader};
use crate::engine::{Input, Inputs};
use crate::model::Batch;

/// The inputs of a reader, one after the other.
pub struct Replayed {
    /// Where the inputs are read from.
    pub reader: Reader,
    batch: Batch,
}

impl Replayed {
    /// The arrivals of a reader.
    pub fn new(reader: Reader) -> Self {
        Replayed { reader, batch: Batch::default() }
    }
}

impl Inputs for Replayed {
    fn next(&mut self) -> Option<Input<'_>> {
        let Arrival { at, is_tick, .. } = self.reader.next(&mut self.batch)?;
        Some(Input { at, batch: (!is_tick).then_some(&self.batch) })
    }
}
