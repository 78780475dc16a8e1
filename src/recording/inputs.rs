//! Recordings as inputs of the engine, a few of them read before their turn.
//!
//! What comes next is shown to the engine only when it is there for the asking: files are read ahead, a pipe is not, because
//! whoever writes into it may be waiting for an answer. Bodies of several resources are not either; the engine looks ahead
//! in them, and several of them would push each other out of the processor's cache.

use super::reader::{Arrival, Reader};
use crate::engine::{FORESIGHT, Input, Inputs};
use crate::model::Batch;
use std::collections::VecDeque;

/// The bytes of a body behind which others are read.
const SMALL: usize = 64 << 10;

/// Whether the engine has nothing to look ahead at in a body.
fn is_small(batch: &Batch) -> bool {
    batch.resources.len() == 1 && batch.body.len() <= SMALL
}

/// See the file's head.
pub struct Replayed {
    /// Where the inputs are read from; its counts of bytes and damage are a few inputs ahead.
    pub reader: Reader,
    looks_ahead: bool,
    current: Option<(Arrival, Batch)>,
    ahead: VecDeque<(Arrival, Batch)>,
    spares: Vec<Batch>,
}

impl Replayed {
    /// The arrivals of a reader.
    pub fn new(reader: Reader) -> Self {
        let looks_ahead = reader.bytes_total().is_some();
        Replayed { reader, looks_ahead, current: None, ahead: VecDeque::new(), spares: Vec::new() }
    }

    /// Reads one more; false when there is none.
    fn read(&mut self) -> bool {
        let mut batch = self.spares.pop().unwrap_or_default();
        let arrival = self.reader.next(&mut batch);
        self.ahead.extend(arrival.map(|arrival| (arrival, batch)));
        arrival.is_some()
    }
}

impl Inputs for Replayed {
    fn next(&mut self) -> Option<Input<'_>> {
        self.spares.extend(self.current.take().map(|(_, batch)| batch));
        if self.ahead.is_empty() {
            self.read();
        }
        self.current = self.ahead.pop_front();
        while self.looks_ahead
            && self.ahead.len() <= FORESIGHT
            && self.ahead.back().or(self.current.as_ref()).is_some_and(|(_, newest)| is_small(newest))
            && self.read()
        {}
        let (arrival, batch) = self.current.as_ref()?;
        Some(Input { at: arrival.at, batch: (!arrival.is_tick).then_some(batch) })
    }

    fn ahead(&self, inputs: usize) -> Option<&Batch> {
        self.ahead.get(inputs).filter(|(arrival, _)| !arrival.is_tick).map(|(_, batch)| batch)
    }
}
