//! The layout of texts: wrapped paragraphs, tables, and the cleaning of what comes from outside.

use super::style::Style;
use std::borrow::Cow;
use std::io::{self, Write};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Stands between a number and its unit while lines are broken.
const NO_BREAK: char = '\u{a0}';
/// Columns of a text.
pub(super) const WIDTH: usize = 96;

/// A text from outside without control characters, which could move the cursor or change colours: they are written as
/// escapes. Everything that did not come from here goes through this before it is printed.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, char::is_control)
}

/// A text with escapes such as `\u{1b}` in place of some characters.
pub(super) fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_bad(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Writes the title of a section, after an empty line.
pub(super) fn heading(out: &mut dyn Write, title: &str, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.strong(title))
}

/// Writes `lead` and then `text`, wrapped so that its lines stand below each other. `lead_width` is the number of columns
/// `lead` takes, escape sequences not counted.
pub(super) fn paragraph(out: &mut dyn Write, lead: &str, lead_width: usize, text: &str) -> io::Result<()> {
    let mut lines = wrap(&clean(text), WIDTH.saturating_sub(lead_width)).into_iter();
    writeln!(out, "{}", format!("{lead}{}", lines.next().unwrap_or_default()).trim_end())?;
    for line in lines {
        writeln!(out, "{:lead_width$}{line}", "")?;
    }
    Ok(())
}

/// Breaks a text at spaces, but not between a number and its unit; a word longer than a line stands alone on its line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut joined = String::with_capacity(text.len());
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            joined.push(if is_unit(word) { NO_BREAK } else { ' ' });
        }
        joined.push_str(word);
    }
    let options = Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(&joined, options).iter().map(|line| line.replace(NO_BREAK, " ")).collect()
}

fn is_unit(word: &str) -> bool {
    const UNITS: [&str; 12] = ["B", "kB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB", "s"];
    let word = word.trim_end_matches([',', ';', '.', ':', ')']);
    UNITS.contains(&word.strip_suffix("/s").unwrap_or(word))
}

/// Writes rows under a dimmed first one, `indent` spaces from the left; the first column begins with its texts, the others
/// end with them.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    indent: usize,
    rows: &[[String; N]],
    style: Style,
) -> io::Result<()> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for (number, row) in rows.iter().enumerate() {
        let mut line = " ".repeat(indent);
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            match column {
                0 => line += &format!("{cell:width$}"),
                _ => line += &format!("  {cell:>width$}"),
            }
        }
        let line = line.trim_end();
        writeln!(out, "{}", if number == 0 { style.dim(line) } else { line.to_string() })?;
    }
    Ok(())
}
