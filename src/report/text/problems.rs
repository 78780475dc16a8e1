//! Mistakes in rules, as a compiler shows them: what, where, the line itself, what to do.
//!
//! Errors and definitions that cannot be evaluated come with the lines of their file; warnings are one line each unless
//! everything is asked for.

use crate::definition::{Problem, Severity};
use crate::report::layout::{WIDTH, clean};
use crate::report::outcome::Detail;
use crate::report::style::Style;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::io::{self, Write};

/// Writes the problems in their order. `text_of` gives the text of a file, as far as it is still at hand.
pub fn problems<'a>(
    out: &mut impl Write,
    problems: &'a [Problem],
    text_of: impl Fn(&str) -> Option<&'a str>,
    detail: Detail,
    style: Style,
) -> io::Result<()> {
    for problem in problems {
        if problem.severity == Severity::Warning && detail == Detail::Brief {
            writeln!(out, "{}: {}", style.warning("warning"), clean(&one_line(problem)))?;
        } else {
            writeln!(out, "{}\n", snippet(problem, text_of(&problem.file), style))?;
        }
    }
    Ok(())
}

/// `file:line:column: message`, with the help in brackets.
fn one_line(problem: &Problem) -> String {
    let place = match problem.position {
        Some(position) => format!("{}:{}:{}", problem.file, position.line, position.column),
        None => problem.file.clone(),
    };
    let help = problem.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{place}: {}{help}", problem.message)
}

fn snippet(problem: &Problem, text: Option<&str>, style: Style) -> String {
    let level = match problem.severity {
        Severity::Warning => Level::WARNING,
        Severity::Unevaluable => Level::WARNING.with_name("cannot be evaluated"),
        Severity::Error => Level::ERROR,
    };
    let title = level.primary_title(problem.message.as_str()).id(problem.code);
    let mut group = title.elements(None::<annotate_snippets::Element<'_>>);
    match (problem.position, text) {
        (Some(position), Some(text)) if is_range(text, position.bytes) => {
            let (start, end) = position.bytes;
            let named = problem.path.is_empty() || problem.message.contains(&problem.path);
            let label = (!named).then_some(problem.path.as_str());
            let annotation = AnnotationKind::Primary.span(start..end).label(label);
            group = group.element(Snippet::source(text).path(problem.file.as_str()).annotation(annotation));
        }
        (Some(position), _) => {
            let origin = annotate_snippets::Origin::path(problem.file.as_str())
                .line(position.line as usize)
                .char_column(position.column as usize);
            group = group.element(origin);
        }
        (None, _) => group = group.element(annotate_snippets::Origin::path(problem.file.as_str())),
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if style.is_colored() { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH).render(&[group])
}

fn is_range(text: &str, (start, end): (usize, usize)) -> bool {
    start <= end && end <= text.len() && text.is_char_boundary(start) && text.is_char_boundary(end)
}
