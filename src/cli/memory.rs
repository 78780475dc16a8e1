//! What a run has received, kept in memory, so that it can be evaluated again with shorter windows.

use crate::engine::{Input, Inputs};
use crate::inspect::Inspection;
use crate::model::Nanos;
use crate::recording::{Compression, Reader, RecordingFormat, Replayed, Source, Writer};
use anyhow::{Result, anyhow};
use bytes::Bytes;
use std::io::Cursor;

/// Bytes that are kept in memory, compressed. A test run of several minutes takes a few hundred kilobytes.
const MOST_KEPT: usize = 16 << 20;

/// Inputs that are kept as they pass.
pub(super) struct KeptInputs<I> {
    inputs: I,
    /// `None` when it was too much to keep.
    writer: Option<Writer<Vec<u8>>>,
    last: Option<Nanos>,
}

impl<I> KeptInputs<I> {
    pub(super) fn new(inputs: I) -> Self {
        // Memory is written to: nothing can fail.
        let writer = Writer::new(Vec::new(), RecordingFormat::Own, Compression::Zstd).ok();
        KeptInputs { inputs, writer, last: None }
    }

    /// Everything that passed; `None` when it was too much to keep.
    pub(super) fn finish(self) -> Option<Bytes> {
        let mut writer = self.writer?;
        self.last.map_or(Ok(()), |last| writer.tick(last)).ok()?;
        writer.finish().ok().map(Bytes::from)
    }
}

impl<I: Inputs> Inputs for KeptInputs<I> {
    fn next(&mut self) -> Option<Input<'_>> {
        let input = self.inputs.next()?;
        self.last = input.received_at.or(self.last);
        if let (Some(writer), Some(export)) = (&mut self.writer, input.export) {
            let is_written = writer.append(input.received_at, &export.payload).is_ok();
            if !is_written || writer.get_ref().len() > MOST_KEPT {
                self.writer = None;
            }
        }
        Some(input)
    }
}

/// The kept inputs once more.
pub(super) fn open(kept: &Bytes) -> Result<Replayed> {
    let source = Source {
        name: "what was received".into(),
        size: Some(kept.len() as u64),
        reader: Box::new(Cursor::new(kept.clone())),
    };
    Reader::open(vec![source]).map(Replayed::new).map_err(|error| anyhow!("cannot read the recording {error}"))
}

/// The longest export interval of a service that sent.
pub(super) fn longest_interval(kept: &Bytes) -> Result<Option<Nanos>> {
    let (mut inputs, mut inspection) = (open(kept)?, Inspection::default());
    while let Some(input) = inputs.next() {
        if let Some(export) = input.export {
            inspection.add(export, input.received_at);
        }
    }
    Ok(inspection.finish().services.iter().filter_map(|service| service.interval).max())
}
