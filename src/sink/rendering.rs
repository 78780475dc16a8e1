//! What a transition looks like for a sink: bytes that are ready to be sent, made before they are queued.

use crate::definition::EventDefinition;
use crate::engine::Transition;
use crate::report::{self, Format, Outcome, Style};
use bytes::Bytes;
use std::io;

/// A form of transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rendering {
    Text,
    PaintedText,
    JsonLine,
    /// The payload of a webhook.
    Issue,
}

impl Rendering {
    /// A transition in this form; `definitions` are the engine's.
    pub fn render(self, definitions: &[EventDefinition], transition: &Transition, style: Style) -> io::Result<Bytes> {
        let mut out = Vec::new();
        let outcome = Outcome::Transition(definitions, transition);
        match self {
            Rendering::Text => report::write(Format::Text, &outcome, Style::plain(), &mut out)?,
            Rendering::PaintedText => report::write(Format::Text, &outcome, style, &mut out)?,
            Rendering::JsonLine => report::write(Format::Jsonl, &outcome, Style::plain(), &mut out)?,
            Rendering::Issue => {
                out.extend_from_slice(b"{\"issue\":");
                report::event_json(&mut out, definitions, &transition.event)?;
                out.push(b'}');
            }
        }
        Ok(Bytes::from(out))
    }
}
