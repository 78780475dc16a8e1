//! A transition as one line, for whoever watches events as they happen: when, what, how severe, where, and why, so that a log of
//! them can be searched, counted and cut like any other. And events by their ids, for whoever has to name one.

use crate::definition::EventDefinition;
use crate::engine::{Event, EventState, Transition};
use crate::report::layout::clean;
use crate::report::phrase::event::{entity_name, over, severity, why};
use crate::report::quantity::counted;
use crate::report::style::Style;
use crate::report::time::date_time;
use std::io::{self, Write};

/// Writes the line.
pub(super) fn write(
    out: &mut dyn Write,
    definitions: &[EventDefinition],
    transition: &Transition,
    style: Style,
) -> io::Result<()> {
    let event = &transition.event;
    let Some(definition) = definitions.get(event.definition) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the event names no definition of this run"));
    };
    let severity = severity(event.severity);
    let (word, why) = match event.state {
        EventState::Open => ("opened", why(definition, event)),
        EventState::Closed { end, reason, .. } => ("closed", over(definition, event, end, reason)),
    };
    let severity = match (event.state, event.severity) {
        (EventState::Open, 10..) => style.critical(&severity),
        (EventState::Open, 5..=9) => style.warning(&severity),
        (EventState::Open | EventState::Closed { .. }, _) => style.strong(&severity),
    };
    let title = format!("{}  {}", style.strong(&clean(&definition.title)), clean(&definition.name));
    let entity = clean(&entity_name(event.entity.as_deref())).into_owned();
    writeln!(out, "{}  {word}  {severity}  {title}  {entity}  {why}", date_time(transition.at))
}

/// More events than this are only counted.
const MOST: usize = 100;

/// Writes a line for each event, with its id.
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
