//! Events by their ids, one a line, for whoever has to name one.

use super::events::{entity_name, severity};
use crate::definition::EventDefinition;
use crate::engine::Event;
use crate::report::words::{clean, counted, date_time};
use std::io::{self, Write};

/// More events than this are only counted.
const MOST: usize = 100;

/// Writes the list.
pub fn event_ids(out: &mut impl Write, definitions: &[EventDefinition], events: &[Event]) -> io::Result<()> {
    for event in events.iter().take(MOST) {
        let definition = definitions.get(event.definition).map_or("", |definition| definition.name.as_str());
        let (severity, entity) = (severity(event.severity).to_lowercase(), entity_name(event.entity.as_deref()));
        let at = date_time(event.start);
        writeln!(out, "  {}  {at}  {severity:<8}  {}  {}", event.id, clean(definition), clean(&entity))?;
    }
    if events.len() > MOST {
        writeln!(out, "  and {}", counted((events.len() - MOST) as u64, "more", "more"))?;
    }
    Ok(())
}
