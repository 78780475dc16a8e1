//! What a run has received, kept in memory, so that it can be evaluated again with shorter windows.

use super::recordings::write_error;
use crate::engine::Inputs;
use crate::inspect::Inspection;
use crate::model::Nanos;
use crate::receive::{RecordingEvent, RecordingWriter};
use crate::recording::{Compression, Reader, RecordingFormat, Replayed, Source, Writer};
use anyhow::{Result, anyhow};
use bytes::Bytes;
use std::io::{self, Cursor};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept in memory, compressed. A test run of several minutes takes a few hundred kilobytes.
const MOST_KEPT: usize = 16 << 20;

/// What was received, until it is too much.
#[derive(Clone)]
pub(super) struct Memory(Arc<Mutex<Option<Writer<Vec<u8>>>>>);

impl Memory {
    pub(super) fn new() -> Result<Self> {
        let writer = Writer::new(Vec::new(), RecordingFormat::Own, Compression::Zstd);
        let writer = writer.map_err(|error| write_error("memory", error))?;
        Ok(Memory(Arc::new(Mutex::new(Some(writer)))))
    }

    /// What fills it.
    pub(super) fn writer(&self) -> RecordingWriter {
        let memory = self.clone();
        Box::new(move |event| {
            let mut writer = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = writer.as_mut() else { return Ok(()) };
            match event {
                RecordingEvent::Export { received_at, payload } => {
                    open.append(received_at, payload).map_err(io::Error::other)?;
                }
                RecordingEvent::End { received_at: Some(at) } => open.tick(at).map_err(io::Error::other)?,
                RecordingEvent::End { .. } | RecordingEvent::Flush | RecordingEvent::Sync(_) => {}
            }
            if open.get_ref().len() > MOST_KEPT {
                *writer = None;
            }
            Ok(())
        })
    }

    /// Everything that was received; `None` when it was too much to keep.
    pub(super) fn take(&self) -> Option<Bytes> {
        let writer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // Memory is written to: nothing can fail.
        writer.finish().ok().map(Bytes::from)
    }
}

/// The kept payloads once more.
pub(super) fn kept_inputs(kept: &Bytes) -> Result<Replayed> {
    let source = Source {
        name: "what was received".into(),
        size: Some(kept.len() as u64),
        reader: Box::new(Cursor::new(kept.clone())),
    };
    Reader::open(vec![source]).map(Replayed::new).map_err(|error| anyhow!("cannot read the recording {error}"))
}

/// The longest export interval of a service that sent.
pub(super) fn longest_interval(kept: &Bytes) -> Result<Option<Nanos>> {
    let (mut inputs, mut inspection) = (kept_inputs(kept)?, Inspection::default());
    while let Some(input) = inputs.next() {
        if let Some(export) = input.export {
            inspection.add(export, input.received_at);
        }
    }
    Ok(inspection.finish().services.iter().filter_map(|service| service.interval).max())
}
